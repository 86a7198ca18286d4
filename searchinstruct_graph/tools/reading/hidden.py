"""What a reader of the rendered page does not see: elements, styles, colours and characters.

Hidden text is where orders to language models hide. Where a page does not say enough to decide (white text whose
background an external style sheet sets), it counts as hidden.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

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

_LENGTH = re.compile(
    r"(?:calc\( ?)?([+-]?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})(?:e[+-]?\d{1,2})?)(px|pt|em|rem|ex|ch|vw|vh|%|)"
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
_WATCHED = frozenset(
    (
        "display visibility content-visibility opacity filter font font-size overflow overflow-x overflow-y height width "
        "max-height max-width clip clip-path transform text-indent left top right bottom inset margin margin-left "
        "margin-top color background background-color background-clip -webkit-background-clip"
    ).split()
)
# Values that a browser takes; others it passes over, and so must not undo what stands before them.
_EVERYWHERE = "inherit initial unset revert"
_KEYWORDS = {
    "display": frozenset(
        (
            "none block inline inline-block flex inline-flex grid inline-grid flow-root contents list-item table "
            f"inline-table table-cell table-row table-row-group table-caption -webkit-box {_EVERYWHERE}"
        ).split()
    ),
    "visibility": frozenset(f"visible hidden collapse {_EVERYWHERE}".split()),
    "opacity": frozenset(_EVERYWHERE.split()),
    "font-size": frozenset(
        f"xx-small x-small small medium large x-large xx-large smaller larger {_EVERYWHERE}".split()
    ),
}
_FUNCTIONS = ("calc(", "clamp(", "min(", "max(", "var(")
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
_CSS_ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})[ \t\n]?")
_CSS_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_COMPOUND = re.compile(r"([a-zA-Z][\w-]*)?((?:[.#][\w-]+)*)")
_LONGEST_SHEETS = 2_000_000
# Comparisons of an element with a selector on one page; what comes after them counts as hidden.
_COMPARISONS = 10_000_000

Colour = tuple[int, int, int] | str
Declarations = dict[str, str]


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

    sheet = _Sheet(tree)
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


def _declarations(style: str) -> tuple[Declarations, Declarations]:
    """Properties and values of a style, lower-case, the plain and the important ones; later ones win."""
    style = _CSS_ESCAPE.sub(lambda found: chr(min(int(found[1], 16), 0xFFFF)), _CSS_COMMENT.sub("", style)).lower()
    plain: Declarations = {}
    important: Declarations = {}
    for each in style.split(";"):
        name, colon, value = each.partition(":")
        value, mark, _ = value.partition("!")
        name, value = name.strip(), " ".join(value.split())
        if colon and name in _WATCHED and _taken(name, value):
            (important if mark else plain)[name] = value
    return plain, important


def _taken(name: str, value: str) -> bool:
    if name not in _KEYWORDS or value in _KEYWORDS[name] or value.startswith(_FUNCTIONS):
        return True
    return name in ("opacity", "font-size") and bool(_LENGTH.match(value))


def _pixels(value: str) -> float | None:
    found = _LENGTH.match(value)
    return float(found[1]) * _PIXELS[found[2]] if found else None


def _share(value: str) -> float | None:
    found = _LENGTH.match(value)
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


@dataclass(frozen=True, slots=True)
class _Rule:
    rank: tuple[int, int, int, int]
    """Specificity (ids, classes, tags), then place in the sheets."""
    compounds: tuple[frozenset[str], ...]
    """Outermost first, each a set of `tag`, `.class` and `#id`."""
    plain: Declarations
    important: Declarations


class _Sheet:
    """The page's own style sheets, as far as simple selectors and the properties that hide go."""

    def __init__(self, tree: HtmlElement) -> None:
        self.spent = False
        """Whether the comparisons allowed are used up."""
        self._left = _COMPARISONS
        self._names: dict[HtmlElement, set[str]] = {}
        self._rules: dict[str, list[_Rule]] = defaultdict(list)
        sheets = "\n".join(sheet.text or "" for sheet in tree.iter("style"))
        for place, (selectors, body) in enumerate(_rules(sheets)):
            plain, important = _declarations(body)
            for selector in selectors.split(",") if plain or important else ():
                if compounds := _compounds(selector):
                    kinds = "".join(name[0] for compound in compounds for name in compound)
                    ids, classes = kinds.count("#"), kinds.count(".")
                    rank = (ids, classes, len(kinds) - ids - classes, place)
                    rarest = max(compounds[-1], key=lambda name: ".#".find(name[0]))
                    self._rules[rarest].append(_Rule(rank, compounds, plain, important))

    def style_of(self, node: HtmlElement) -> Declarations:
        """What the sheets and the element's own attributes declare, in the order in which they win."""
        style: Declarations = {}
        if colour := node.get("bgcolor"):
            style["background-color"] = colour.strip().lower()
        if node.tag == "font" and (colour := node.get("color")):
            style["color"] = colour.strip().lower()
        rules: list[_Rule] = []
        if self._rules and not self.spent:
            names = self._names[node] = _names(node)
            filed = (rule for name in names & self._rules.keys() for rule in self._rules[name])
            rules = sorted((rule for rule in filed if self._holds(rule, node, names)), key=lambda rule: rule.rank)
        own, own_important = _declarations(node.get("style", ""))
        for declared in (*(rule.plain for rule in rules), own, *(rule.important for rule in rules), own_important):
            style.update(declared)
        return style

    def _holds(self, rule: _Rule, node: HtmlElement, names: set[str]) -> bool:
        if self.spent or not self._counted() or not rule.compounds[-1] <= names:
            return False
        wanted = list(rule.compounds[:-1])
        for ancestor in node.iterancestors() if wanted else ():
            if not self._counted():
                return False
            if wanted[-1] <= self._names[ancestor]:
                wanted.pop()
                if not wanted:
                    break
        return not wanted

    def _counted(self) -> bool:
        self._left -= 1
        self.spent = self._left < 0
        return not self.spent


def _names(node: HtmlElement) -> set[str]:
    names = {f".{name}" for name in node.get("class", "").split()}
    names.add(node.tag)
    if identity := node.get("id"):
        names.add(f"#{identity}")
    return names


def _compounds(selector: str) -> tuple[frozenset[str], ...]:
    """`a.b > #c` as ({a, .b}, {#c}), child read as descendant; empty for selectors that we do not read."""
    compounds = []
    for part in selector.replace(">", " ").split():
        found = _COMPOUND.fullmatch(part)
        if not found:
            return ()
        names = re.findall(r"[.#][\w-]+", found[2])
        compounds.append(frozenset([*names, found[1].lower()] if found[1] else names))
    return tuple(compounds)


def _rules(sheets: str) -> Iterator[tuple[str, str]]:
    """Selectors and declarations of the rules that hold on a screen of any size."""
    inside: list[bool] = []
    selector, start = "", 0
    sheets = _CSS_COMMENT.sub("", sheets)[:_LONGEST_SHEETS]
    for brace in re.finditer(r"[{}]", sheets):
        text, start = sheets[start : brace.start()], brace.end()
        if brace[0] == "{":
            selector = text.rpartition(";")[2].strip()
            inside.append((not inside or inside[-1]) and _in_force(selector))
        elif inside:
            if inside.pop() and selector and not selector.startswith("@"):
                yield selector, text
            selector = ""


def _in_force(prelude: str) -> bool:
    """Whether what follows is a rule or a group of rules in force; widths and paper may differ, a screen is given."""
    if not prelude.startswith("@"):
        return True
    name, _, condition = prelude[1:].partition(" ")
    return name in ("supports", "layer") or (name == "media" and condition.strip() in ("screen", "all"))
