"""What a page's own styles say about an element: the cascade, as far as simple selectors and the properties that hide go.

External style sheets are not fetched.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

Declarations = dict[str, str]
"""Properties and their values, lower-case."""

LENGTH = re.compile(
    r"(?:calc\( ?)?([+-]?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})(?:e[+-]?\d{1,2})?)(px|pt|em|rem|ex|ch|vw|vh|%|)"
)
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
_CSS_ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})[ \t\n]?")
_CSS_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_COMPOUND = re.compile(r"([a-zA-Z][\w-]*)?((?:[.#][\w-]+)*)")
_LONGEST_SHEETS = 2_000_000
# Comparisons of an element with a selector on one page; what comes after them counts as hidden.
_COMPARISONS = 10_000_000


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
    return name in ("opacity", "font-size") and bool(LENGTH.match(value))


@dataclass(frozen=True, slots=True)
class _Rule:
    rank: tuple[int, int, int, int]
    """Specificity (ids, classes, tags), then place in the sheets."""
    compounds: tuple[frozenset[str], ...]
    """Outermost first, each a set of `tag`, `.class` and `#id`."""
    plain: Declarations
    important: Declarations


class StyleSheet:
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
