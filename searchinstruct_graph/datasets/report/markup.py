"""HTML and SVG that cannot be broken out of: text is escaped unless it was made here."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from urllib.parse import urlsplit


class Html(str):
    """Markup that may stand on a page as it is. Only this module makes it."""

    __slots__ = ()


Child = str | int | float | None | Iterable["Child"]
"""What may stand in an element; plain strings are escaped, None is nothing."""

# Control characters, what UTF-8 cannot carry, and marks that turn the direction of everything after them.
_UNSHOWABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")
_EMPTY = frozenset(["meta", "br", "input"])


def showable(text: str) -> str:
    """`text` with each character that a page cannot or must not hold as U+FFFD."""
    return _UNSHOWABLE.sub("\ufffd", text)


def cut(text: str, most: int) -> str:
    """`text`, or its first `most` characters and how many it has."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def _rendered(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, (str, int, float)):
        return html.escape(showable(f"{child:g}" if isinstance(child, float) else str(child)))
    return "".join(map(_rendered, child))


def joined(*children: Child) -> Html:
    """The children one after the other."""
    return Html(_rendered(children))


def tag(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Html:
    """An element. `class_` is class, `stroke_width` is stroke-width; True is a bare attribute, None and False are none."""
    parts = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        label = key.rstrip("_").replace("_", "-")
        parts.append(label if value is True else f'{label}="{_rendered(value)}"')
    opening = f"<{' '.join(parts)}>"
    return Html(opening) if name in _EMPTY else Html(f"{opening}{_rendered(children)}</{name}>")


def own(text: str, most: int = 300) -> Html:
    """A stranger's words within a line: cut, and kept from turning the line's direction."""
    return tag("bdi", cut(text, most), dir="auto")


def block(text: str, most: int = 4_000, language: str = "", class_: str | None = None) -> Html:
    """A stranger's words as a paragraph that keeps its line breaks; `language` is an ISO 639 code or anything."""
    spoken = language if re.fullmatch(r"[a-z]{2,3}", language) and language != "und" else None
    return tag("p", cut(text, most), dir="auto", lang=spoken, class_=f"own {class_}" if class_ else "own")


def link(uri: str, text: str, most: int = 300) -> Html:
    """`text`, as a link if `uri` is an address of the web that can be followed."""
    try:
        parts = urlsplit(uri)
        followed = parts.scheme in ("http", "https") and bool(parts.hostname) and showable(uri) == uri
    except ValueError:
        followed = False
    if not followed or len(uri) > 2_000:
        return own(text, most)
    return tag("a", own(text, most), href=uri, rel="noreferrer noopener")


def table(
    header: Iterable[Child], rows: Iterable[Iterable[Child]], *, caption: str, numbers: Iterable[int] = ()
) -> Html:
    """A table whose first column heads its rows; it scrolls by itself where the page is too narrow. `numbers` are the
    columns that are set to the right.
    """
    right = frozenset(numbers)
    heads = [
        tag("th", cell, scope="col", class_="number" if column in right else None) for column, cell in enumerate(header)
    ]
    body = [
        tag(
            "tr",
            [
                tag("th", cell, scope="row")
                if column == 0
                else tag("td", cell, class_="number" if column in right else None)
                for column, cell in enumerate(row)
            ],
        )
        for row in rows
    ]
    whole = tag("table", tag("caption", caption), tag("thead", tag("tr", heads)), tag("tbody", body))
    return tag("div", whole, class_="wide", tabindex="0", role="region", aria_label=caption)


def folded(summary: Child, *children: Child, class_: str | None = None, open_: bool = False) -> Html:
    """What is shown when its summary is clicked."""
    return tag("details", tag("summary", summary), *children, class_=class_, open=open_)
