"""Charts as SVG and tables. Colours are classes, so that the page's style decides them for light, dark and paper."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from searchinstruct_graph.datasets.report.gather import Bar
from searchinstruct_graph.datasets.report.markup import Child, Html, cut, folded, joined, own, table, tag
from searchinstruct_graph.datasets.report.summary import percent

WIDTH, HEIGHT = 420, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 10, 34

SHADES = 7
"""Steps of a heat map: `shade-0` for nothing to `shade-6` for the most."""

COLOURS = 9
"""Colours of a map: `colour-0` to `colour-8`; what is left is `colour-none`."""


def bar(part: float, whole: float, class_: str = "") -> Html:
    """A bar for a table's cell; the number stands beside it, so it is nothing to a screen reader."""
    share = min(max(part / whole, 0), 1) * 100 if whole else 0
    inner = tag("rect", width=f"{max(share, 0.6 if part > 0 else 0):.2f}", height=10)
    name = f"bar {class_}".strip()
    return tag("svg", inner, class_=name, viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")


def bars(caption: str, head: str, rows: Sequence[tuple[Child, int]], whole: int, *, of: str = "rows") -> Html:
    """A table of counts with a bar each, as long as its share of `whole`."""
    longest = max((count for _, count in rows), default=0)
    body = [[name, f"{count:,}", percent(count, whole), bar(count, longest)] for name, count in rows]
    return table([head, of, "share", tag("span", "bar", class_="hidden")], body, caption=caption, numbers=(1, 2))


def histogram(
    title: str, found: Sequence[Bar], *, unit: str, note: str, label: Callable[[float], str], open_ended: bool = False
) -> Html:
    """Bars over intervals, with the same as a table beneath; `open_ended`: the last bar has everything above as well."""
    total = sum(each.rows for each in found)
    if not total:
        return tag("figure", tag("figcaption", tag("b", title)), tag("p", "Nothing to show.", class_="quiet"))
    highest = max(each.rows for each in found)
    step, ticks = _ticks(highest)
    wide = (WIDTH - _LEFT - _RIGHT) / len(found)
    floor = HEIGHT - _BOTTOM

    def y(count: float) -> float:
        return round(floor - (floor - _TOP) * count / (step * ticks), 2)

    lines: list[Html] = []
    for at in range(ticks + 1):
        height = y(at * step)
        lines.append(tag("line", class_="grid", x1=_LEFT, x2=WIDTH - _RIGHT, y1=height, y2=height))
        lines.append(tag("text", f"{at * step:,}", x=_LEFT - 6, y=height + 4, text_anchor="end"))
    drawn = [
        tag(
            "rect",
            tag("title", f"{_interval(found, at, label, open_ended)} {unit}: {each.rows:,}"),
            class_="column",
            x=round(_LEFT + at * wide + 0.6, 2),
            width=round(max(wide - 1.2, 0.8), 2),
            y=y(each.rows),
            height=round(floor - y(each.rows), 2),
        )
        for at, each in enumerate(found)
        if each.rows
    ]
    every = math.ceil(len(found) / 5)
    marks = [
        tag("text", label(found[at].low), x=round(_LEFT + at * wide, 2), y=floor + 15, text_anchor="middle")
        for at in range(0, len(found), every)
    ]
    ending = (
        None if open_ended else tag("text", label(found[-1].high), x=WIDTH - _RIGHT, y=floor + 15, text_anchor="end")
    )
    name = tag("text", unit, x=_LEFT + (WIDTH - _LEFT - _RIGHT) / 2, y=HEIGHT - 3, text_anchor="middle")
    described = f"Histogram: {title}. {note} The numbers are in the table below."
    picture = tag(
        "svg",
        lines,
        drawn,
        marks,
        ending if len(found) % every == 0 or len(found) <= 5 else None,
        name,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=described,
        class_="chart",
    )
    body = [
        [_interval(found, at, label, open_ended), f"{each.rows:,}", percent(each.rows, total)]
        for at, each in enumerate(found)
        if each.rows
    ]
    numbers = folded("As a table", table([unit, "rows", "share"], body, caption=title, numbers=(1, 2)))
    return tag("figure", tag("figcaption", tag("b", title), " ", note), picture, numbers)


def _interval(found: Sequence[Bar], at: int, label: Callable[[float], str], open_ended: bool) -> str:
    each = found[at]
    if open_ended and at == len(found) - 1:
        return f"{label(each.low)} and more"
    if isinstance(each.low, int):
        return label(each.low) if each.high - each.low == 1 else f"{label(each.low)}–{label(each.high - 1)}"
    return f"{label(each.low)}–{label(each.high)}"


def _ticks(highest: int) -> tuple[int, int]:
    """A round step, and how many of them (at most five) reach `highest`."""
    scale = 1
    while True:
        for step in (1, 2, 5):
            if step * scale * 5 >= highest:
                return step * scale, max(1, math.ceil(highest / (step * scale)))
        scale *= 10


def heat(caption: str, head: str, columns: Sequence[str], rows: Sequence[tuple[Child, Sequence[int]]]) -> Html:
    """A table whose cells are shaded by their counts, with totals."""
    most = max((count for _, counts in rows for count in counts), default=0)
    sums = [sum(counts[at] for _, counts in rows) for at in range(len(columns))]

    def cell(count: int) -> Html:
        shade = math.ceil((SHADES - 1) * math.sqrt(count / most)) if most else 0
        return tag("td", f"{count:,}" if count else "·", class_=f"number shade-{shade}")

    heads = tag("tr", [tag("th", each, scope="col") for each in (head, *columns, "all")])
    body = [
        tag("tr", tag("th", name, scope="row"), map(cell, counts), tag("td", f"{sum(counts):,}", class_="number"))
        for name, counts in rows
    ]
    foot = tag(
        "tr",
        tag("th", "all", scope="row"),
        [tag("td", f"{each:,}", class_="number") for each in (*sums, sum(sums))],
    )
    whole = tag(
        "table", tag("caption", caption), tag("thead", heads), tag("tbody", body), tag("tfoot", foot), class_="heat"
    )
    return tag("div", whole, class_="wide", tabindex="0", role="region", aria_label=caption)


class Point(NamedTuple):
    """A text on the map: its place from -1 to 1, what it says, and what it is in each colouring."""

    x: float
    y: float
    text: str
    groups: tuple[str, ...]


def scatter(title: str, points: Sequence[Point], colourings: Sequence[tuple[str, Sequence[str]]], note: str) -> Html:
    """A map of texts. `colourings` are named, each with its groups; a choice above the map, which needs no script, switches
    between them. Hovering a point shows its text.
    """
    places = [{group: at for at, group in enumerate(groups[:COLOURS])} for _, groups in colourings]

    def classes(point: Point) -> str:
        return " ".join(
            f"{'ab'[number]}{places[number].get(group, 'n')}"
            for number, group in enumerate(point.groups[: len(places)])
        )

    circles = [
        tag(
            "circle",
            tag("title", f"{cut(point.text, 160)} [{', '.join(filter(None, point.groups)) or 'no group'}]"),
            cx=round(320 + 304 * point.x, 1),
            cy=round(240 - 224 * point.y, 1),
            r=4,
            class_=classes(point),
        )
        for point in points
    ]
    described = f"{title}: {len(points):,} points, each an instruction; {note}"
    picture = tag("svg", circles, viewBox="0 0 640 480", role="img", aria_label=described, class_="chart points")
    choices = [
        joined(
            tag("input", type="radio", name="colouring", id=f"colour-{'ab'[number]}", checked=number == 0),
            tag("label", name, for_=f"colour-{'ab'[number]}"),
        )
        for number, (name, _) in enumerate(colourings)
    ]
    chooser = tag("fieldset", tag("legend", "Coloured by"), choices, class_="choice") if len(colourings) > 1 else None
    legends = [_legend(number, colourings[number], points, places[number]) for number in range(len(colourings))]
    figure = tag("figure", tag("figcaption", tag("b", title), " ", note), chooser, picture, legends, class_="map")
    return figure if points else tag("p", "No map: fewer than two instructions.", class_="quiet")


def _legend(number: int, colouring: tuple[str, Sequence[str]], points: Sequence[Point], places: dict[str, int]) -> Html:
    name, groups = colouring
    held = [point.groups[number] for point in points]
    rest = sum(group not in places for group in held)
    entries: list[tuple[Child, str, int]] = [
        (own(group, 40), f"colour-{at}", held.count(group)) for at, group in enumerate(groups[:COLOURS])
    ]
    if rest:
        entries.append(("other or none", "colour-none", rest))
    items = [
        tag(
            "li",
            tag(
                "svg",
                tag("circle", cx=5, cy=5, r=5, class_=colour),
                viewBox="0 0 10 10",
                class_="swatch",
                aria_hidden="true",
            ),
            " ",
            label,
            f" {count:,}",
        )
        for label, colour, count in entries
    ]
    return tag("ul", items, class_=f"legend legend-{'ab'[number]}", aria_label=f"Colours by {name}")
