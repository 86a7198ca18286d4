"""HTML to text: hidden nodes go first, then the main content is found, then it is written as light Markdown.

Hidden text is where orders to language models hide, and trafilatura returns it; so what a reader of the rendered
page cannot see is removed before anything else looks at the tree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .charsets import encoding_of, meta_encoding
from .dates import published_in
from .decoding import decode_text
from .hidden import remove_hidden, visible_characters
from .result import Reading, Unreadable
from .tree import Parsed, parse_html

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_FURNITURE = frozenset(["nav", "header", "footer", "aside", "form"])
_BLOCKS = frozenset(
    (
        "address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer "
        "form h1 h2 h3 h4 h5 h6 header hr html li main nav ol p pre section summary table tbody td tfoot th "
        "thead tr ul"
    ).split()
)
_SHORT = 250
# Beyond these, finding the main text may take minutes.
_MOST_ELEMENTS, _DEEPEST, _LONGEST = 15_000, 200, 2_000_000
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


def read_html(data: bytes | str, *, charset: str | None = None, url: str | None = None) -> Reading | Unreadable:
    """The main text of a page and its title.

    `charset` is what the transport says, `url` where the page is from (helps to tell its parts apart). Text that
    styles, attributes or comments hide from a reader is not in it. A page without recognisable main content gives
    all its visible text except navigation, header and footer. A page beyond the limits of `parse_html` is
    read up to there, and `note` says so.
    """
    markup = data if isinstance(data, str) else _decode(data, charset)
    if isinstance(markup, Unreadable):
        return markup
    page = parse_html(markup)
    if page is None:
        return Unreadable("empty", "no text on the page")
    tree, note = page.root, page.note
    language = tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang")
    title = _title(tree)
    if not remove_hidden(tree):
        note = "styles too intricate to follow; the rest not read"
    text = _main_text(page, url)
    if not text:
        return Unreadable("empty", f"no visible text on the page{note and f' ({note})'}")
    return Reading(text, title or _first_heading(tree), language, published_in(markup), note)


def _decode(data: bytes, charset: str | None) -> str | Unreadable:
    return decode_text(data, declared=charset if encoding_of(charset) else meta_encoding(data))


def _squeezed(text: str | None) -> str:
    return " ".join(visible_characters(text or "").split())


def _title(tree: HtmlElement) -> str:
    found = tree.find(".//head/title")
    return _squeezed(found.text_content()) if found is not None else ""


def _first_heading(tree: HtmlElement) -> str:
    for level in ("h1", "h2"):
        for found in tree.iter(level):
            if heading := _squeezed(found.text_content()):
                return heading
    return ""


def _main_text(page: Parsed, url: str | None) -> str:
    everything = _tidy(_render(page.root, skip=_FURNITURE))
    if page.elements > _MOST_ELEMENTS or page.deepest > _DEEPEST or len(everything) + page.attributes > _LONGEST:
        return everything
    main = _extracted(page.root, url)
    # On short or unusual pages the extractor keeps a sliver, or the menu: then the whole page is the better reading.
    return main if len(main) >= _SHORT else everything or main


def _extracted(tree: HtmlElement, url: str | None) -> str:
    import copy

    import trafilatura

    try:
        found: Any = trafilatura.bare_extraction(
            copy.deepcopy(tree),
            url=url,
            include_comments=False,
            include_tables=True,
            favor_recall=True,
            fast=False,
        )
    except Exception:
        return ""
    body = getattr(found, "body", None)
    return _tidy(_render(body)) if body is not None else ""


def _level(node: Any) -> int | None:
    """Heading level of an HTML or trafilatura (TEI) element."""
    if node.tag == "head":
        digits = (node.get("rend") or "h2").lstrip("h")
        return int(digits) if digits.isdigit() else 2
    return _HEADINGS.get(node.tag)


def _render(root: Any, skip: frozenset[str] = frozenset()) -> str:
    """Text of a tree, blocks apart, headings and list items marked. Iterative: pages nest deeper than the stack."""
    out: list[str] = []
    todo: list[Any] = [root]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            out.append(item)
            continue
        tag = item.tag
        before, after = "", ""
        if not isinstance(tag, str) or tag in skip:
            continue
        level = _level(item)
        if level:
            heading = _squeezed(" ".join(item.itertext()))
            out.append(f"\n\n{'#' * level} {heading}\n\n" if heading else "")
            continue
        if tag in ("code", "pre") and "\n" in (verbatim := "".join(item.itertext())):
            out.append(f"\n\n{_kept(verbatim)}\n\n")
            continue
        if tag in ("br", "lb"):
            before = "\n"
        elif tag in ("li", "item"):
            before, after = "\n- ", "\n"
        elif tag in ("tr", "row"):
            before, after = "\n", "\n"
        elif tag in ("td", "th", "cell"):
            after = " | " if item.getnext() is not None else ""
        elif tag in _BLOCKS or tag in ("list", "quote", "ab"):
            before = after = "\n\n"
        out.append(before)
        todo.append(after)
        for child in reversed(item):
            todo.append(_inline(child.tail))
            todo.append(child)
        todo.append(_inline(item.text))
    return "".join(out)


# Line breaks of preformatted text survive the tidying as a private-use character.
_KEPT_BREAK, _KEPT_SPACE = "\ue000", "\ue001"


def _kept(verbatim: str) -> str:
    return verbatim.strip("\n").replace("\n", _KEPT_BREAK).replace(" ", _KEPT_SPACE)


def _inline(text: str | None) -> str:
    return re.sub(r"\s+", " ", text) if text else ""


def _tidy(text: str) -> str:
    text = visible_characters(text)
    text = re.sub(r"[ \t\r\f\v\u00a0]*\n[ \t\r\f\v\u00a0]*", "\n", text)
    text = re.sub(r"[ \t\u00a0]+", " ", text)
    text = re.sub(r"\n- (?=\n)", "\n", text)
    text = re.sub(r"\n{3,}", "\n\n", text)
    return text.replace(_KEPT_BREAK, "\n").replace(_KEPT_SPACE, " ").strip()
