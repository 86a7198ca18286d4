"""What a reader of the rendered page does not see: elements, styles, colours and characters.

Hidden text is where orders to language models hide. Where a page does not say enough to decide (white text whose
background an external style sheet sets), it counts as hidden.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .styles import LENGTH, Declarations, StyleSheet

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_NEVER_SHOWN = frozenset(
    (
        "script style noscript noframes noembed template svg math iframe object embed canvas audio video head meta "
        "link base input select option optgroup textarea button dialog datalist progress meter rp"
    ).split()
)
# Conventional names for text that only screen readers speak; the sheet that hides it is usually external.
_HIDING_CLASSES = frozenset(
    "sr-only visually-hidden visuallyhidden screen-reader-text screen-reader-only a11y-hidden d-none invisible".split()
)
_ROOTS = frozenset(["html", "body"])
_GONE = "hidden-text"

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff"
    "\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    # Single ones shape scripts and emoji; runs of them are a code.
    "|[\u200c\u200d\ufe00-\ufe0f]{3,}"
)

_PIXELS = {
    "": 1.0,
    "px": 1.0,
    "pt": 1.33,
    "em": 16.0,
    "rem": 16.0,
    "ex": 8.0,
    "ch": 8.0,
    "vw": 12.0,
    "vh": 8.0,
    "%": 10.0,
}
_OFF_SCREEN = 500.0
_UNREADABLE_PIXELS = 3.0
_UNREADABLE_OPACITY = 0.1
_CLIPPED = re.compile(
    r"rect\( ?[01](?:px)?(?:[ ,]+[01](?:px)?){3} ?\)|inset\( ?(?:[5-9]\d|100)(?:\.\d+)?%|circle\( ?0(?!\.[1-9])"
    r"|polygon\((?: ?0(?:px)? 0(?:px)?,?)++ ?\)"
)
_SCALED_AWAY = re.compile(r"scale[xy]?\(0(?:\.0*)?[,)]|translate(?:[xy]|3d)?\([^()]*-\d{4,}")
_NO_SIZE = re.compile(r"(?:^|\s)0(?:px|em|rem|%)?(?:/|\s|$)")
_WHITE = (255, 255, 255)
_COLOURS = {
    "white": _WHITE,
    "snow": (255, 250, 250),
    "ivory": (255, 255, 240),
    "ghostwhite": (248, 248, 255),
    "whitesmoke": (245, 245, 245),
    "black": (0, 0, 0),
}
_NO_COLOUR = frozenset(["", "none", "inherit", "initial", "unset", "currentcolor"])
_SAME_COLOUR = 16
_TRANSPARENT = re.compile(r"transparent|(?:rgba|hsla)\(.*[,/]\s*0?\.?0*%?\s*\)|#(?:[0-9a-f]{3}0|[0-9a-f]{6}00)")
Colour = tuple[int, int, int] | str


def visible_characters(text: str) -> str:
    """`text` without the characters that show nothing and yet are read by models."""
    return _INVISIBLE.sub("", text)


def remove_hidden(tree: HtmlElement) -> bool:
    """Remove from `tree` everything a reader of the rendered page does not see; False if not all could be looked at.

    Looks at elements that never show, the attributes `hidden` and `aria-hidden`, and the styles that attributes and
    the page's own style sheets give: not displayed, transparent, clipped, tiny, off the screen, or in the colour of
    what is behind. External style sheets are not fetched.
    """
    from lxml import etree

    sheet = StyleSheet(tree)
    behind: dict[HtmlElement | None, Colour] = {None: _WHITE}
    for node in tree.iter():
        parent = node.getparent()
        if (parent is not None and parent.tag == _GONE) or node.tag in _NEVER_SHOWN or _by_attributes(node):
            node.tag = _GONE
            continue
        style = sheet.style_of(node)
        background = behind[node] = _background(style, behind[parent])
        if node.tag not in _ROOTS and (sheet.spent or _by_style(style) or _by_colour(style, background)):
            node.tag = _GONE
    # All at once: one by one, the text that moves up would be copied again and again.
    etree.strip_elements(tree, _GONE, with_tail=False)
    # Styles have been judged; the extractor would judge them again, by substrings.
    etree.strip_attributes(tree, "style")
    return not sheet.spent


def _by_attributes(node: HtmlElement) -> bool:
    if node.tag in _ROOTS:
        return False
    if node.get("hidden") is not None or node.get("aria-hidden", "").strip().lower() == "true":
        return True
    return not _HIDING_CLASSES.isdisjoint(node.get("class", "").split())


def _pixels(value: str) -> float | None:
    found = LENGTH.match(value)
    return float(found[1]) * _PIXELS[found[2]] if found else None


def _share(value: str) -> float | None:
    found = LENGTH.match(value)
    return float(found[1]) / (100 if found[2] == "%" else 1) if found else None


def _by_style(style: Declarations) -> bool:
    return bool(style) and (
        style.get("display") == "none"
        or style.get("visibility") in ("hidden", "collapse")
        or style.get("content-visibility") == "hidden"
        or _faint(style)
        or _tiny(style)
        or bool(_CLIPPED.match(style.get("clip", "")) or _CLIPPED.match(style.get("clip-path", "")))
        or bool(_SCALED_AWAY.search(style.get("transform", "").replace(" ", "")))
        or _off_screen(style)
    )


def _faint(style: Declarations) -> bool:
    opacity = _share(style.get("opacity", ""))
    if opacity is not None and opacity < _UNREADABLE_OPACITY:
        return True
    return style.get("filter", "").replace(" ", "").startswith(("opacity(0)", "opacity(0%)"))


def _tiny(style: Declarations) -> bool:
    size = _pixels(style.get("font-size", ""))
    if (size is not None and size < _UNREADABLE_PIXELS) or _NO_SIZE.search(style.get("font", "")):
        return True
    if not {style.get("overflow"), style.get("overflow-x"), style.get("overflow-y")} & {"hidden", "clip"}:
        return False
    sizes = [_pixels(style.get(name, "")) for name in ("height", "width", "max-height", "max-width")]
    return any(size is not None and size <= 1 for size in sizes)


def _off_screen(style: Declarations) -> bool:
    for name in ("text-indent", "left", "top", "right", "bottom", "inset", "margin", "margin-left", "margin-top"):
        value = style.get(name)
        # In percent, margins are how old layouts set columns side by side.
        if not value or ("%" in value and name.startswith("margin")):
            continue
        moved = [_pixels(part) for part in value.split()]
        if any(size is not None and size <= -_OFF_SCREEN for size in moved):
            return True
        if name in ("text-indent", "left", "top") and (moved[0] or 0) >= _OFF_SCREEN * 4:
            return True
    return False


def _colour(value: str) -> Colour | None:
    """The colour in a value; a name or notation that we do not know stands for itself. None where there is none."""
    if found := re.search(
        r"#(?:([0-9a-f])([0-9a-f])([0-9a-f])[0-9a-f]?|([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})\w*)\b", value
    ):
        red, green, blue = (part if len(part) == 2 else part * 2 for part in found.groups() if part)
        return int(red, 16), int(green, 16), int(blue, 16)
    if found := re.search(r"rgba?\( ?(\d{1,3})[ ,]+(\d{1,3})[ ,]+(\d{1,3})", value):
        return int(found[1]), int(found[2]), int(found[3])
    for word in value.split():
        if word in _COLOURS:
            return _COLOURS[word]
    return None if "url(" in value or value in _NO_COLOUR else value


def _background(style: Declarations, inherited: Colour) -> Colour:
    """The colour behind an element's text, as far as one is given: an image may be of any, and leaves it as it was."""
    for name in ("background-color", "background"):
        value = style.get(name, "")
        if not _TRANSPARENT.fullmatch(value) and (colour := _colour(value)):
            return colour
    return inherited


def _by_colour(style: Declarations, background: Colour) -> bool:
    value = style.get("color")
    if not value:
        return False
    if _TRANSPARENT.fullmatch(value):
        # Letters cut out of a picture are seen.
        return "text" not in (style.get("background-clip") or style.get("-webkit-background-clip", ""))
    colour = _colour(value)
    if isinstance(colour, tuple) and isinstance(background, tuple):
        return all(abs(mine - theirs) <= _SAME_COLOUR for mine, theirs in zip(colour, background, strict=True))
    return colour == background
