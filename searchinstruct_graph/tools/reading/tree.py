"""Markup to a tree of bounded size."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

MAX_CHARACTERS = 10_000_000
MAX_ELEMENTS = 200_000
DEEPEST = 500

_XML_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
# What HTML may hold and an XML tree may not: such names of elements mean nothing, such characters are no text.
_OF_HEAD = frozenset("base basefont bgsound link meta noframes noscript script style template title".split())
_TAG_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*")
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# What hides an element, or tells trafilatura what it is.
_ATTRIBUTES = (
    "class id style hidden aria-hidden bgcolor color lang xml:lang role rel href itemprop colspan rowspan "
    "data-component data-testid"
).split()


class _Bounded:
    """Builds a tree from the parser's events, up to the limits.

    libxml2's own tree takes time that grows with the square of the attributes of one element.
    """

    def __init__(self, make: Callable[..., HtmlElement]) -> None:
        from lxml import etree

        self._builder = etree.TreeBuilder(element_factory=make)
        self._skipped = 0
        self._open: list[str] = []
        self.elements = 0
        self.deepest = 0
        self.attributes = 0
        self.note = ""
        self._own_body = self._head_goes_on = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "html" and self._open == ["html"]:
            return
        if tag == "body" and self._own_body and self._open == ["html", "body"]:
            return
        if self._open == ["html", "head"] and tag not in _OF_HEAD:
            # libxml2 does not know that <main> and the like begin the body of a page that leaves its tag out.
            self._builder.end(self._open.pop())
            self._own_body = self._head_goes_on = True
            self.start("body", {})
        if self._skipped or self.elements == MAX_ELEMENTS or len(self._open) == DEEPEST:
            self._skipped += 1
            levels = f"what is nested more than {DEEPEST} levels deep not read"
            self.note = levels if self.elements < MAX_ELEMENTS else f"only the first {MAX_ELEMENTS:,} elements read"
            return
        self.elements += 1
        self._open.append(tag if _TAG_NAME.fullmatch(tag) else "span")
        self.deepest = max(self.deepest, len(self._open))
        kept = {name: _NO_XML.sub(" ", attributes[name]) for name in _ATTRIBUTES if name in attributes}
        self.attributes += sum(map(len, kept.values()))
        self._builder.start(self._open[-1], kept)

    def end(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
        elif tag == "head" and self._head_goes_on:
            self._head_goes_on = False
        elif len(self._open) > 1:
            # What follows the end of the page belongs to it: the first element stays open.
            self._builder.end(self._open.pop())

    def data(self, text: str) -> None:
        if not self._skipped:
            self._builder.data(_NO_XML.sub(" ", text))

    def close(self) -> HtmlElement:
        while self._open:
            self._builder.end(self._open.pop())
        return self._builder.close()


@dataclass(frozen=True, slots=True)
class Parsed:
    """A page's tree and its measures."""

    root: HtmlElement
    elements: int
    deepest: int
    attributes: int
    """Characters in the values of attributes."""
    note: str
    """What was left out of the tree; empty when nothing was."""


def parse_html(markup: str) -> Parsed | None:
    """The tree of a page within the limits, without comments; None for a page that has none."""
    from lxml import etree, html

    declaration = _XML_DECLARATION.match(markup)
    clean = markup[declaration.end() if declaration else 0 : MAX_CHARACTERS].replace("\x00", "")
    bounded = _Bounded(html.HTMLParser().makeelement)
    # Without huge_tree, a text of 10 MB or the 257th level of nesting silently ends the page.
    parser = etree.HTMLParser(target=bounded, encoding="utf-8", huge_tree=True, no_network=True)
    try:
        root = etree.fromstring(clean.encode("utf-8", "replace"), parser)
    except (etree.LxmlError, ValueError, AssertionError):
        return None
    cut = f"only the first {MAX_CHARACTERS:,} characters read" if len(markup) > MAX_CHARACTERS else ""
    return Parsed(root, bounded.elements, bounded.deepest, bounded.attributes, bounded.note or cut)
