"""HTML to text: hidden nodes go first, then the main content is found, then it is written as light Markdown.

Hidden text is where orders to language models hide, and trafilatura returns it; so what a reader of the rendered
page cannot see is removed before anything else looks at the tree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .decoding import decode_text, marked_encoding
from .result import Reading, Unreadable

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.\-]+)", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_NEVER_SHOWN = frozenset(
    (
        "script style noscript template svg math iframe object embed canvas audio video head meta link base "
        "input select option optgroup textarea button dialog datalist"
    ).split()
)
_HIDING_STYLE = re.compile(
    r"display:none|visibility:(?:hidden|collapse)|font-size:0(?:[a-z%]*)?(?:;|!|$)|opacity:0(?:\.0*)?%?(?:;|!|$)"
    r"|content-visibility:hidden|clip:rect\(0|clip-path:inset\((?:50|100)%|clip-path:circle\(0"
    r"|(?:text-indent|left|top|right|bottom|margin-left|margin-top):-\d{3,}"
    r"|transform:(?:scale\(0|translate[xy]?\(-\d{4,})"
    r"|(?:^|;)color:transparent"
)
_ZERO_SIZE = re.compile(r"(?:^|;)(?:max-)?(?:height|width):0(?:px|em|rem|%)?(?:;|!|$)")
# Invisible to people, readable to models: zero-width and bidirectional controls, tag characters.
_INVISIBLE = re.compile("[\u200b\u2060\u2061-\u2064\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]")
_FURNITURE = frozenset(["nav", "header", "footer", "aside", "form"])
_BLOCKS = frozenset(
    (
        "address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer "
        "form h1 h2 h3 h4 h5 h6 header hr html li main nav ol p pre section summary table tbody td tfoot th "
        "thead tr ul"
    ).split()
)
_SHORT = 250
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


def read_html(data: bytes | str, *, charset: str | None = None, url: str | None = None) -> Reading | Unreadable:
    """The main text of a page and its title.

    `charset` is what the transport says, `url` where the page is from (helps to tell its parts apart). Text that
    styles, attributes or comments hide from a reader is not in it. A page without recognisable main content gives
    all its visible text except navigation, header and footer.
    """
    markup = data if isinstance(data, str) else _decode(data, charset)
    if isinstance(markup, Unreadable):
        return markup
    tree = _parse(markup)
    if tree is None:
        return Unreadable("empty", "no text on the page")
    language = tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang")
    title = _title(tree)
    remove_hidden(tree)
    text = _main_text(tree, url)
    if not text:
        return Unreadable("empty", "no visible text on the page")
    return Reading(text, title or _first_heading(tree), language)


def _decode(data: bytes, charset: str | None) -> str | Unreadable:
    declared = charset
    if not declared and not marked_encoding(data) and (found := _CHARSET.search(data[:2048])):
        # A charset that names UTF-16 in ASCII bytes cannot be true (HTML standard, "determining the encoding").
        declared = found.group(1).decode("ascii")
        declared = "utf-8" if declared.lower().startswith("utf-16") else declared
    return decode_text(data, declared=declared)


def _parse(markup: str) -> HtmlElement | None:
    from lxml import etree, html

    parser = html.HTMLParser(
        encoding="utf-8",
        remove_comments=True,
        remove_pis=True,
        huge_tree=False,
        no_network=True,
    )
    clean = _XML_DECLARATION.sub("", markup).replace("\x00", "").encode("utf-8", "replace")
    try:
        tree = html.document_fromstring(clean, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError, RecursionError):
        return None
    return tree if len(tree) or tree.text else None


def _squeezed(text: str | None) -> str:
    return " ".join(_INVISIBLE.sub("", text or "").split())


def _title(tree: HtmlElement) -> str:
    found = tree.find(".//head/title")
    return _squeezed(found.text_content()) if found is not None else ""


def _first_heading(tree: HtmlElement) -> str:
    for level in ("h1", "h2"):
        for found in tree.iter(level):
            if heading := _squeezed(found.text_content()):
                return heading
    return ""


def _is_hidden(node: HtmlElement) -> bool:
    attributes = node.attrib
    if "hidden" in attributes or attributes.get("aria-hidden", "").strip().lower() == "true":
        return True
    style = re.sub(r"\s+|/\*.*?\*/", "", attributes.get("style", "")).lower()
    if not style:
        return False
    return bool(_HIDING_STYLE.search(style) or ("overflow:hidden" in style and _ZERO_SIZE.search(style)))


def remove_hidden(tree: HtmlElement) -> int:
    """Remove from `tree` everything a reader of the rendered page does not see; returns how many nodes went.

    Looks at elements that never show, the attributes `hidden` and `aria-hidden`, inline styles, and the classes and
    ids that the page's own style sheets hide. External style sheets are not fetched.
    """
    concealed = _concealed_selectors(tree)
    doomed = [
        node
        for node in tree.iter()
        if not isinstance(node.tag, str)
        or node.tag in _NEVER_SHOWN
        or _is_hidden(node)
        or (concealed and not concealed.isdisjoint(_selectors(node)))
    ]
    for node in doomed:
        if node is not tree and node.getparent() is not None:
            node.drop_tree()
    return len(doomed)


_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SIMPLE_SELECTOR = re.compile(r"^[.#][\w-]+$")


def _concealed_selectors(tree: HtmlElement) -> set[str]:
    """Single classes and ids (`.a`, `#b`) that the page's own style elements hide, outside media queries."""
    concealed: set[str] = set()
    for sheet in tree.iter("style"):
        rules = re.sub(r"/\*.*?\*/", "", sheet.text or "", flags=re.DOTALL)
        rules = re.sub(r"@[^{};]+\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", rules)
        for names, body in _RULE.findall(rules):
            style = re.sub(r"\s+", "", body).lower()
            if _HIDING_STYLE.search(style):
                concealed.update(name.strip() for name in names.split(",") if _SIMPLE_SELECTOR.match(name.strip()))
    return concealed


def _selectors(node: HtmlElement) -> set[str]:
    names = {f".{name}" for name in node.get("class", "").split()}
    if identity := node.get("id"):
        names.add(f"#{identity}")
    return names


def _main_text(tree: HtmlElement, url: str | None) -> str:
    everything = _all_text(tree)
    main = _extracted(tree, url)
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


def _all_text(tree: HtmlElement) -> str:
    body = tree.find("body")
    return _tidy(_render(body if body is not None else tree, skip=_FURNITURE))


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
    text = _INVISIBLE.sub("", text)
    text = re.sub(r"[ \t\r\f\v\u00a0]*\n[ \t\r\f\v\u00a0]*", "\n", text)
    text = re.sub(r"[ \t\u00a0]+", " ", text)
    text = re.sub(r"\n- (?=\n)", "\n", text)
    text = re.sub(r"\n{3,}", "\n\n", text)
    return text.replace(_KEPT_BREAK, "\n").replace(_KEPT_SPACE, " ").strip()
