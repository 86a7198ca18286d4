"""The page of an evaluation: figures with their intervals, how scores are spread, and the cases behind them.

One file that asks nothing of anybody and runs nothing. Cases are ordered by a metric with style sheets alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from searchinstruct_graph.datasets.report import write_page as write_file
from searchinstruct_graph.datasets.report.charts import histogram
from searchinstruct_graph.datasets.report.gather import Bar, score_bars
from searchinstruct_graph.datasets.report.markup import Child, Html, block, cut, folded, joined, own, table, tag
from searchinstruct_graph.datasets.report.page import document
from searchinstruct_graph.datasets.report.summary import duration, money
from searchinstruct_graph.datasets.run import RunFile, run_folder
from searchinstruct_graph.evals.result import (
    ALL,
    EvalResult,
    Figure,
    ended_shown,
    failures_of,
    model_shown,
    number_shown,
    read_result,
    tested_shown,
)
from searchinstruct_graph.evals.running import evaluated, items
from searchinstruct_graph.evals.suite import Item, Measure, Score

MOST = 500
"""Cases that a page shows in full."""

_METRICS = 24
"""Metrics that cases can be ordered by."""

_NOT_FOR = "not for this case"

_TEXT, _CONTEXT, _CONTEXTS = 4_000, 1_500, 8_000
"""Characters shown of a text, of one of several, and of several together."""

FIELDS = {
    "user_input": "Question",
    "response": "Response",
    "reference": "Reference",
    "retrieved_contexts": "Contexts",
    "reference_contexts": "Reference contexts",
}
"""Fields of a sample that come first, with what they are called."""

STYLE = """
.interval{display:block;width:100%;min-width:6rem;height:.9rem}
.interval .track{fill:var(--line)}.interval .span{fill:var(--accent);fill-opacity:.35}.interval .at{fill:var(--accent)}
td:has(>.interval){width:28%;min-width:6rem;vertical-align:middle}
.tiles dd.words{font-size:1.05rem;line-height:1.4}
tbody th{overflow-wrap:break-word}
.items{display:flex;flex-direction:column}
.items>.card{min-width:0}
.card>summary small{color:var(--quiet);margin-inline-start:.6rem}
.card dt{color:var(--quiet);font-size:.85rem;margin-top:.7rem}.card dd{margin:0}
.lost{color:var(--over)}
.told{border:1px solid var(--over);border-radius:8px;padding:.5rem .9rem}
.better{color:var(--good)}.worse{color:var(--over)}
"""
"""What pages about evaluations add to the style sheet."""


def write_page(folder: str | Path, out: str | Path) -> None:
    """Write the page of the evaluation in `folder` to the file `out`, which is there whole or not at all.

    Cases are read twice, one at a time; of those that are not shown only the numbers are held. Blocking.

    Raises:
        UsageError: `folder` holds no evaluation, or `out` cannot be a file.
        SearchInstructError: the page cannot be written.
    """
    write_file(str(out), page(folder))


def page(folder: str | Path) -> str:
    """The page as HTML; see `write_page`."""
    place = run_folder(folder)
    result = read_result(place)
    suite, context, run = evaluated(place)
    measures = suite.measures(context)
    seen = _seen(items(place), directions(measures))
    parts: list[tuple[str, str, Child]] = [
        ("figures", "Figures", figures_shown(result["figures"], result["judge"])),
        ("scores", "How scores are spread", _spread(seen)),
        ("cases", "Cases, worst first", _cases(place, seen)),
        ("settings", "Settings", _settings(result, run)),
    ]
    title = f"{result['suite']}: evaluation"
    return document(title, _header(result), parts, made_by(result["version"]), STYLE + _orders(seen))


def made_by(version: str) -> Html:
    """The last line of a page."""
    told = "This page loads nothing and runs nothing; charts have their numbers in tables beneath them."
    return tag("p", joined(f"Made by searchinstruct-graph {cut(version, 40)}".strip(), ". ", told))


# Figures.


def _header(result: EvalResult) -> Html:
    spent, lost = result["spent"], sum(result["failures"].values())
    tiles: list[tuple[str, Child, str]] = [
        ("cases scored", f"{result['scored']:,}", f"of {result['cases']:,}"),
        ("under test", own(tested_shown(result), 120), "model"),
        ("judge", own(model_shown(result["judge"]), 60) if result["judge"] else own("none"), "of judged measures"),
        ("failures", f"{lost:,}", "their scores are in no figure" if lost else "nothing failed"),
        ("model calls", f"{spent['model_calls']:,}", f"{spent['input_tokens'] + spent['output_tokens']:,} tokens"),
        ("cost", money(spent["cost_usd"]), f"last command took {duration(result['seconds'])}"),
    ]
    shown = [
        tag(
            "div",
            tag("dt", name),
            tag("dd", value, tag("small", note), class_="words" if isinstance(value, Html) else None),
        )
        for name, value, note in tiles
    ]
    short = result["ended"] != "done" or lost
    early = tag("p", tag("b", "Not whole: "), own(ended_shown(result)), "; the same command goes on.", class_="told")
    return tag(
        "header",
        tag("h1", f"Evaluation: {result['suite']}"),
        tag("p", own(", ".join(result["data"]), 300), f" · {result['created_at']}", class_="quiet"),
        early if short else None,
        tag("dl", shown, class_="tiles"),
    )


def figures_shown(figures: Sequence[Figure], judge: str) -> Html:
    """Tables of figures: what needs no model, then what the judge says, each over all groups and then by group."""
    parts: list[Child] = []
    for form, title in (("offline", "No model"), ("judge", f"Judge: {model_shown(judge)}")):
        own_ = [each for each in figures if each["form"] == form]
        if not own_:
            continue
        groups = {each["group"] for each in own_} - {ALL}
        whole = [each for each in own_ if each["group"] == ALL] if len(groups) > 1 else own_
        over = f" Each is the mean over {len(groups)} groups." if len(groups) > 1 else ""
        parts += [tag("h3", own(title, 120)), _figures(whole, own_, f"Measures.{over}")]
        if len(groups) > 1:
            single = [each for each in own_ if each["group"] != ALL]
            parts.append(folded(f"By group ({len(groups)})", _figures(single, own_, "By group.", grouped=True)))
    if not parts:
        return tag("p", "No case was scored.", class_="quiet")
    note = (
        "Value with its 95 % bootstrap interval over cases. Measures marked ↓ are better when they are lower. A score that "
        "could not be taken is missing: it counts neither as 0 nor as 1."
    )
    return joined(tag("p", note, class_="quiet"), parts)


def _figures(shown: Sequence[Figure], all_: Sequence[Figure], caption: str, *, grouped: bool = False) -> Html:
    reach: dict[str, tuple[float, float]] = {}
    for each in all_:
        told = [value for value in (each["value"], each["low"], each["high"]) if value is not None]
        low, high = reach.get(each["measure"], (0.0, 1.0))
        reach[each["measure"]] = (min([low, *told]), max([high, *told]))
    header: list[Child] = ["measure", *(["group"] if grouped else []), "value", "95 % interval"]
    header += [tag("span", "interval as a bar", class_="hidden"), "cases", "missing"]
    body: list[list[Child]] = []
    for each in shown:
        missing = tag("span", f"{each['missing']:,}", class_="lost") if each["missing"] else "0"
        body.append(
            [
                _measure(each),
                *([own(each["group"], 80)] if grouped else []),
                number_shown(each["value"]),
                interval_told(each["low"], each["high"]),
                interval_bar(each["value"], each["low"], each["high"], *reach[each["measure"]]),
                f"{each['cases']:,}",
                missing,
            ]
        )
    at = 1 if grouped else 0
    return table(header, body, caption=caption, numbers=(1 + at, 2 + at, 4 + at, 5 + at))


def _measure(figure: Figure) -> str:
    return words_of(figure["measure"]) + ("" if figure["higher_is_better"] else " ↓")


def words_of(name: str) -> str:
    """A name of a measure or metric as words."""
    return name.replace("_", " ")


def interval_told(low: float | None, high: float | None) -> str:
    """An interval in figures."""
    return "–" if low is None or high is None else f"{number_shown(low)} to {number_shown(high)}"


def interval_bar(value: float | None, low: float | None, high: float | None, least: float, most: float) -> Html | None:
    """A value and its interval on a line from `least` to `most`; the numbers stand beside it."""
    if value is None:
        return None
    width = most - least or 1.0

    def at(number: float) -> float:
        return round(100 * min(max((number - least) / width, 0.0), 1.0), 2)

    parts: list[Html] = [tag("rect", class_="track", x=0, y=5.5, width=100, height=1)]
    if least < 0 < most:
        parts.append(tag("rect", class_="track", x=at(0.0), y=0, width=0.6, height=12))
    if low is not None and high is not None:
        parts.append(
            tag("rect", class_="span", x=at(low), y=2.5, width=round(max(at(high) - at(low), 0.4), 2), height=7)
        )
    parts.append(tag("rect", class_="at", x=round(min(max(at(value) - 0.6, 0.0), 98.8), 2), y=1, width=1.2, height=10))
    return tag("svg", parts, class_="interval", viewBox="0 0 100 12", preserveAspectRatio="none", aria_hidden="true")


# Scores.


class _Scores(NamedTuple):
    """The scores of one name over all cases."""

    values: Counter[float]
    other: Counter[str]
    """Cases without a value: how the score failed, or `not for this case`."""


class _Seen(NamedTuple):
    """What one reading of the cases has told."""

    cases: int
    scores: dict[str, _Scores]
    shown: list[int]
    """Numbers of the cases that are shown, worst first: in turn from each metric, and from what failed."""
    places: dict[str, dict[int, int]]
    """Of each metric, the place of each shown case when they are ordered by it; without those that have no value."""


def directions(measures: Sequence[Measure]) -> dict[str, bool]:
    """Whether a score is better when it is higher, as far as the measures tell."""
    found = {each.columns[0]: each.higher_is_better for each in measures if len(each.columns) == 1}
    return {**found, **{each.name: each.higher_is_better for each in measures}}


def visible(scores: Mapping[str, Score]) -> dict[str, Score]:
    """The scores that a person is shown: not those that only measures are computed from."""
    return {name: score for name, score in scores.items() if not name.startswith("_")}


def _seen(found: Iterator[Item], higher: Mapping[str, bool]) -> _Seen:
    scores: dict[str, _Scores] = {}
    worst: dict[str, list[tuple[float, int]]] = {}
    broken: list[int] = []
    cases = 0
    for number, item in enumerate(found):
        cases += 1
        told = visible(item["scores"])
        if any(score["failure"] for score in told.values()):
            broken.append(number)
        for name, score in told.items():
            held = scores.setdefault(name, _Scores(Counter(), Counter()))
            value = score["value"]
            if value is None:
                held.other[score["failure"] or _NOT_FOR] += 1
                continue
            held.values[value] += 1
            # What no measure calls good or bad has no worst cases.
            if name in higher:
                worst.setdefault(name, []).append((value if higher[name] else -value, number))
    ranked = {name: [number for _, number in sorted(found)] for name, found in list(worst.items())[:_METRICS]}
    order: dict[int, None] = {}
    for row in zip_longest(broken, *ranked.values()):
        order.update(dict.fromkeys(number for number in row if number is not None))
        if len(order) >= MOST:
            break
    shown = [*order, *(number for number in range(cases) if number not in order)][:MOST]
    held_ = set(shown)
    places = {
        name: {number: place for place, number in enumerate(each for each in numbers if each in held_)}
        for name, numbers in ranked.items()
    }
    return _Seen(cases, scores, shown, places)


def _spread(seen: _Seen) -> Html:
    charts = [
        _histogram(name, scores)
        for name, scores in seen.scores.items()
        if scores.values or any(kind != _NOT_FOR for kind in scores.other)
    ]
    if not charts:
        return tag("p", "Nothing was scored.", class_="quiet")
    return tag("div", charts, class_="grid")


def _histogram(name: str, scores: _Scores) -> Html:
    total = scores.values.total()
    parts = [f"{count:,} {words_of(kind)}" for kind, count in scores.other.most_common()]
    without = f"; without a value: {', '.join(parts)}" if parts else ""
    mean = sum(value * count for value, count in scores.values.items()) / total if total else None
    note = f"Mean {number_shown(mean)} of {total:,}{without}."
    return histogram(
        f"{words_of(name).capitalize()}.", _bars(scores.values), unit="score", note=note, label=_label, of="cases"
    )


def _label(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 10 else f"{value:,.0f}"


def _bars(values: Counter[float], bars: int = 10) -> list[Bar]:
    if not values or (min(values) >= 0 and max(values) <= 1):
        return score_bars(values, bars=bars)
    low, high = min(values), max(values)
    width = (high - low) / bars or 1.0
    held = [0] * bars
    for value, count in values.items():
        held[min(int((value - low) / width + 1e-9), bars - 1)] += count
    return [Bar(low + at * width, low + (at + 1) * width, count) for at, count in enumerate(held)]


# Cases.


def _cases(folder: Path, seen: _Seen) -> Html:
    if not seen.cases:
        return tag("p", "No case was scored.", class_="quiet")
    whole = len(seen.shown) == seen.cases
    told = (
        f"All {seen.cases:,} cases."
        if whole
        else f"{len(seen.shown):,} of {seen.cases:,} cases: the worst of every metric."
    )
    wanted, cards = set(seen.shown), dict[int, Html]()
    for number, item in enumerate(items(folder)):
        if number in wanted:
            cards[number] = _card(item, number, seen)
    choices = [("all", "all metrics in turn"), *((str(at), words_of(name)) for at, name in enumerate(seen.places))]
    inputs = [
        tag(
            "label",
            tag("input", type="radio", name="order", id=f"order-{key}", checked=key == "all"),
            f" {name}",
        )
        for key, name in choices
    ]
    order = tag("fieldset", tag("legend", "Worst first by"), inputs, class_="choice") if len(choices) > 2 else None
    return joined(
        tag("p", told, class_="quiet"), order, tag("div", [cards[number] for number in seen.shown], class_="items")
    )


def _orders(seen: _Seen) -> str:
    """Style rules that order the cases by the chosen metric, and hide those that it does not score."""
    return "".join(
        f"main:has(#order-{at}:checked) .items>.card{{order:var(--o{at})}}"
        f"main:has(#order-{at}:checked) .items>.no{at}{{display:none}}"
        for at in range(len(seen.places))
    )


def _card(item: Item, number: int, seen: _Seen) -> Html:
    places = [places.get(number) for places in seen.places.values()]
    order = ";".join(f"--o{at}:{place}" for at, place in enumerate(places) if place is not None)
    classes = " ".join(["card", *(f"no{at}" for at, place in enumerate(places) if place is None)])
    return tag(
        "details",
        tag("summary", tag("span", cut(title_of(item), 240), dir="auto", class_="title"), _brief(item)),
        scores_table(item["scores"]),
        fields_shown(item),
        tag("p", own(item["group"], 80), " · case ", tag("code", item["id"]), class_="quiet"),
        class_=classes,
        style=order or None,
    )


def title_of(item: Item) -> str:
    """What a case is known by: its question, or the first words that it has."""
    sample = {**item["given"], **item["made"]}
    asked = sample.get("user_input")
    if isinstance(asked, str) and asked.strip():
        return " ".join(asked.split())
    texts = (value for value in sample.values() if isinstance(value, str) and value.strip())
    return " ".join(next(texts, item["id"]).split())


def _brief(item: Item) -> Html:
    told = visible(item["scores"])
    values = [
        f"{words_of(name)} {number_shown(score['value'])}" for name, score in told.items() if score["value"] is not None
    ]
    failures = Counter(failures_of(item))
    lost = tag("small", ", ".join(f"{count} {words_of(kind)}" for kind, count in failures.items()), class_="lost")
    return joined(tag("small", " · ".join(values[:5])), lost if failures else None)


def scores_table(scores: Mapping[str, Score]) -> Html:
    """The scores of one case with their reasons."""
    body: list[list[Child]] = [
        [
            words_of(name),
            number_shown(score["value"]),
            joined(
                tag("b", f"{words_of(score['failure'])} ", class_="lost") if score["failure"] else None,
                own(score["reason"], 1_200) if score["reason"] else None,
            ),
        ]
        for name, score in visible(scores).items()
    ]
    return table(["score", "value", "reason"], body, caption="Scores", numbers=(1,))


def fields_shown(item: Item) -> Html:
    """The fields of a case and what was made of it, the known ones first; empty ones are left out."""
    sample: dict[str, Any] = {**item["given"], **item["made"]}
    names = [*(name for name in FIELDS if name in sample), *(name for name in sample if name not in FIELDS)]
    parts = [
        (tag("dt", own(FIELDS.get(name, words_of(name)), 60)), tag("dd", _value(sample[name])))
        for name in names
        if sample[name] not in (None, "", [], {})
    ]
    return tag("dl", parts)


def _value(value: Any) -> Html:
    if isinstance(value, str):
        return block(value, _TEXT)
    if isinstance(value, bool | int | float):
        return tag("p", str(value))
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        quotes: list[Html] = []
        room = _CONTEXTS
        for each in value:
            if room <= 0:
                break
            quotes.append(tag("blockquote", block(each, _CONTEXT)))
            room -= min(len(each), _CONTEXT) + 40
        more = len(value) - len(quotes)
        return joined(quotes, tag("p", f"and {more:,} more", class_="quiet") if more else None)
    return block(json.dumps(value, ensure_ascii=False, indent=1, default=str), _TEXT)


# Settings.


def _settings(result: EvalResult, run: RunFile) -> Html:
    rows: list[tuple[str, str]] = [
        ("data", ", ".join(result["data"])),
        ("model under test", tested_shown(result)),
        ("judge", model_shown(result["judge"]) if result["judge"] else "none"),
        ("seed", str(result["seed"])),
        ("begun", run["created_at"]),
        ("version", run["version"]),
    ]
    rows += [
        (name, json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value)
        for name, value in run["configuration"]["settings"].items()
        if value not in (None, "", [], {}) and name != "seed"
    ]
    return table(["setting", "value"], [[name, own(value, 300)] for name, value in rows], caption="As the run has them")
