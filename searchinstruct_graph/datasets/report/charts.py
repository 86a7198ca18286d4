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

WORTHS = 6
"""Steps of a scale from the least to the most: `worth-0` to `worth-5`; what is not known is `worth-none`."""

COLOURS = 9
"""Colours of a map: `colour-0` to `colour-8`; what is left is `colour-none`."""


def bar(part: float, whole: float, class_: str = "") -> Html:
    """A bar for a table's cell; the number stands beside it, so it is nothing to a screen reader."""
    share = min(max(part / whole, 0), 1) * 100 if whole else 0
    inner = tag("rect", width=f"{max(share, 0.6 if part > 0 else 0):.2f}", height=10)
    name = f"bar {class_}".strip()
    return tag("svg", inner, class_=name, viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")


def parted_bar(parts: Sequence[tuple[float, str]], whole: float) -> Html:
    """A bar of several parts for a table's cell, each of a class; the numbers stand beside it."""
    drawn: list[Html] = []
    at = 0.0
    for part, class_ in parts:
        share = 100 * part / whole if whole else 0.0
        if share:
            drawn.append(tag("rect", x=f"{at:.2f}", width=f"{share:.2f}", height=10, class_=class_))
        at += share
    return tag("svg", drawn, class_="bar", viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")


def bars(caption: str, head: str, rows: Sequence[tuple[Child, int]], whole: int, *, of: str = "rows") -> Html:
    """A table of counts with a bar each, as long as its share of `whole`."""
    longest = max((count for _, count in rows), default=0)
    body = [[name, f"{count:,}", percent(count, whole), bar(count, longest)] for name, count in rows]
    return table([head, of, "share", tag("span", "bar", class_="hidden")], body, caption=caption, numbers=(1, 2))


def histogram(
    title: str,
    found: Sequence[Bar],
    *,
    unit: str,
    note: str,
    label: Callable[[float], str],
    open_ended: bool = False,
    of: str = "rows",
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
    numbers = folded("As a table", table([unit, of, "share"], body, caption=title, numbers=(1, 2)))
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


class Line(NamedTuple):
    """A line of a chart: its name, its class (`line-0` to `line-3`), and its points from left to right."""

    name: str
    class_: str
    points: Sequence[tuple[float, float]]


_WIDE, _HIGH = 480, 240
_LEFT_OF_LINES, _BELOW_LINES = 46, 42


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    x_name: str,
    y_name: str,
    note: str,
    start: float | None = None,
    digits: int = 2,
) -> Html:
    """Lines over a common axis, with a legend and the same as a table beneath. The height begins at `start`; without it,
    below the lowest point.
    """
    drawn = [line for line in lines if line.points]
    if not drawn:
        return tag("figure", tag("figcaption", tag("b", title)), tag("p", "Nothing to show.", class_="quiet"))
    heights = [y for line in drawn for _, y in line.points]
    low, step, ticks = _scale(min(heights) if start is None else start, max(heights))
    right = max(x for line in drawn for x, _ in line.points)
    left = min(x for line in drawn for x, _ in line.points)
    floor, across = _HIGH - _BELOW_LINES, _WIDE - _LEFT_OF_LINES - 14

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            round(_LEFT_OF_LINES + across * (x - left) / max(right - left, 1e-9), 1),
            round(floor - (floor - _TOP) * (y - low) / (step * ticks), 1),
        )

    grid: list[Html] = []
    for tick in range(ticks + 1):
        _, height = at(left, low + tick * step)
        grid.append(tag("line", class_="grid", x1=_LEFT_OF_LINES, x2=_WIDE - 14, y1=height, y2=height))
        grid.append(
            tag("text", _rounded(low + tick * step, step), x=_LEFT_OF_LINES - 6, y=height + 4, text_anchor="end")
        )
    marks = [
        # In the middle of the right end a number would be cut off.
        tag("text", f"{x:,}", x=place, y=floor + 16, text_anchor="end" if place > _WIDE - 30 else "middle")
        for x, place in ((x, at(x, low)[0]) for x in _marks(left, right))
    ]
    paths = [
        tag(
            "polyline",
            tag("title", line.name),
            class_=f"line {line.class_}",
            points=" ".join(f"{x:g},{y:g}" for x, y in (at(*point) for point in line.points)),
        )
        for line in drawn
    ]
    name = tag("text", x_name, x=_LEFT_OF_LINES + across / 2, y=_HIGH - 6, text_anchor="middle")
    told = "; ".join(
        f"{line.name} from {line.points[0][1]:.{digits}f} to {line.points[-1][1]:.{digits}f}" for line in drawn
    )
    described = f"Lines: {title} {y_name} over {x_name}. {told}. The numbers are in the table below."
    picture = tag(
        "svg", grid, marks, paths, name, viewBox=f"0 0 {_WIDE} {_HIGH}", role="img", aria_label=described,
        class_="chart lines",
    )  # fmt: skip
    legend = tag(
        "ul",
        [
            tag("li", tag("svg", tag("polyline", points="0,5 22,5", class_=f"line {line.class_}"),
                          viewBox="0 0 22 10", class_="sample", aria_hidden="true"), " ", line.name)
            for line in drawn
        ],
        class_="legend",
    )  # fmt: skip
    numbers = folded("As a table", _points(title, drawn, x_name, digits))
    return tag("figure", tag("figcaption", tag("b", title), " ", note), picture, legend, numbers)


def _points(title: str, lines: Sequence[Line], x_name: str, digits: int, most: int = 40) -> Html:
    every = sorted({x for line in lines for x, _ in line.points})
    shown = every if len(every) <= most else [every[round(at * (len(every) - 1) / (most - 1))] for at in range(most)]
    held = [dict(line.points) for line in lines]
    body = [
        [f"{x:,.0f}", *(f"{known[x]:.{digits}f}" if x in known else "–" for known in held)]
        for x in dict.fromkeys(shown)
    ]
    header: list[Child] = [x_name, *(line.name for line in lines)]
    return table(header, body, caption=title, numbers=range(1, len(header)))


def _scale(low: float, high: float) -> tuple[float, float, int]:
    """(where the axis begins, a round step, how many of them): from at or below `low` to at or above `high`, at most six."""
    reach = max(high - low, 1e-6)
    scale = 10.0 ** math.floor(math.log10(reach / 5))
    step = next(size * scale for size in (1, 2, 5, 10) if size * scale * 5 >= reach * (1 - 1e-9))
    begins = math.floor(low / step + 1e-9) * step
    return begins, step, max(1, math.ceil((high - begins) / step - 1e-9))


def _marks(low: float, high: float) -> list[int]:
    """Round whole numbers from `low` to `high`, for an axis that begins and ends where its data does."""
    begins, step, ticks = _scale(low, high)
    if step < 1:
        return sorted({round(low), round(high)})
    found = (begins + at * step for at in range(ticks + 1))
    return [round(each) for each in found if low <= each <= high]


def _rounded(number: float, step: float) -> str:
    return f"{number:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


class Disc(NamedTuple):
    """A group on a map: its place from -1 to 1, its size, what it is worth (None: not known), whether it is ringed, and what
    pointing at it tells.
    """

    x: float
    y: float
    size: float
    worth: float | None
    ringed: bool
    told: str


def disc_map(
    title: str,
    discs: Sequence[Disc],
    centre: tuple[float, float] | None,
    *,
    note: str,
    worth: str,
    ring: str,
    centre_told: str,
) -> Html:
    """A map of groups: area by size, shade by `worth`, a `ring` around some, and a cross at `centre`."""
    if not discs:
        return tag("figure", tag("figcaption", tag("b", title)), tag("p", "Nothing to show.", class_="quiet"))
    known = [disc.worth for disc in discs if disc.worth is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    largest = max(disc.size for disc in discs)
    widest = max(8.0, min(26.0, 160 / math.sqrt(len(discs))))

    def shade(value: float | None) -> str:
        if value is None:
            return "worth-none"
        return f"worth-{min(WORTHS - 1, int(WORTHS * (value - low) / (high - low))) if high > low else WORTHS - 1}"

    def place(x: float, y: float) -> dict[str, float]:
        return {"cx": round(320 + 288 * x, 1), "cy": round(240 - 208 * y, 1)}

    circles = [
        tag(
            "circle",
            tag("title", cut(disc.told, 240)),
            r=round(max(2.5, widest * math.sqrt(disc.size / largest)), 1),
            class_=f"{shade(disc.worth)}{' ringed' if disc.ringed else ''}",
            **place(disc.x, disc.y),
        )
        # Large ones first and ringed ones last, so that what matters is not hidden.
        for disc in sorted(discs, key=lambda disc: (disc.ringed, -disc.size))
    ]
    cross = None
    if centre is not None:
        x, y = place(*centre).values()
        path = f"M{x - 9:g} {y:g}H{x + 9:g}M{x:g} {y - 9:g}V{y + 9:g}"
        cross = tag(
            "g", tag("title", centre_told), tag("path", d=path, class_="under"), tag("path", d=path), class_="cross"
        )
    ringed = sum(disc.ringed for disc in discs)
    described = f"{title} {len(discs):,} discs, {ringed:,} of them ringed. {note}"
    picture = tag("svg", circles, cross, viewBox="0 0 640 480", role="img", aria_label=described, class_="chart discs")
    return tag(
        "figure",
        tag("figcaption", tag("b", title), " ", note),
        picture,
        _worths(discs, low, high, worth, ring, centre_told if centre else ""),
    )


def _worths(discs: Sequence[Disc], low: float, high: float, worth: str, ring: str, centre_told: str) -> Html:
    def swatch(inner: Html) -> Html:
        return tag("svg", inner, viewBox="0 0 12 12", class_="swatch discs", aria_hidden="true")

    def disc(class_: str) -> Html:
        return swatch(tag("circle", cx=6, cy=6, r=4.6, class_=class_))

    steps = range(WORTHS) if high > low else range(WORTHS - 1, WORTHS)
    known = any(each.worth is not None for each in discs)
    scale = tag(
        "li", f"{worth} {low:.2f} ", [disc(f"worth-{at}") for at in steps], f" {high:.2f}"
    )  # fmt: skip
    entries = [
        scale if known else None,
        tag("li", disc("worth-none"), " not known") if any(each.worth is None for each in discs) else None,
        tag("li", disc("worth-none ringed"), f" {ring}") if any(each.ringed for each in discs) else None,
        tag("li", swatch(tag("g", tag("path", d="M0 6H12M6 0V12"), class_="cross")), " ", centre_told)
        if centre_told
        else None,
    ]
    return tag("ul", entries, class_="legend")


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
