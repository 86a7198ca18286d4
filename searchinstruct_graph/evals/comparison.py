"""Two evaluations of one suite beside each other: differences of their measures over the cases that both have.

Paired bootstrap (Efron & Tibshirani 1993; for systems on one test set, Koehn 2004): cases are drawn with replacement within
each group, the same ones for both sides, and both measures are computed anew from each draw.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

import numpy as np
from typing_extensions import TypedDict

from searchinstruct_graph.datasets.ledger import NAME as LEDGER
from searchinstruct_graph.datasets.report import write_page
from searchinstruct_graph.datasets.report.markup import Child, Html, cut, folded, joined, own, table, tag
from searchinstruct_graph.datasets.report.page import document
from searchinstruct_graph.datasets.run import RunFile, difference
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.page import (
    STYLE,
    fields_shown,
    interval_bar,
    interval_told,
    made_by,
    title_of,
    visible,
    words_of,
)
from searchinstruct_graph.evals.result import (
    ALL,
    Column,
    EvalResult,
    column,
    model_shown,
    number_shown,
    read_result,
    tested_shown,
    value_of,
)
from searchinstruct_graph.evals.running import evaluated, items
from searchinstruct_graph.evals.suite import Form, Item, Measure, Sample, Score
from searchinstruct_graph.text.digest import sha256

if TYPE_CHECKING:
    from numpy.typing import NDArray


PRODUCED = ("response", "retrieved_contexts")
"""Fields that data may bring along from whatever was run on it: two questions that differ in nothing else are one case."""

FEW = 20
"""Cases below which a bootstrap says little: its intervals are then too narrow."""

CHANGED = 100
"""Cases that the page shows: those whose scores changed most."""


class Side(TypedDict):
    """One of the two evaluations."""

    folder: str
    model: str
    roles: dict[str, str]
    judge: str
    data: list[str]
    seed: int
    cases: int
    scored: int
    created_at: str


class Difference(TypedDict):
    """One measure on both sides, over the cases of a group that both have with all scores that it needs."""

    measure: str
    form: Form
    group: str
    a: float | None
    b: float | None
    difference: float | None
    """b − a; None where either cannot be told."""
    low: float | None
    high: float | None
    """95 % percentile interval of the difference; None where cases cannot be paired."""
    p: float | None
    """Twice the smaller share of draws in which the difference is on the other side of zero, or zero; at most 1. Small when
    the data leave little doubt about which side is better."""
    cases: int
    better: int | None
    """Cases whose own score is better in B; None for a measure that is not a mean of cases' scores."""
    worse: int | None
    equal: int | None
    higher_is_better: bool


class Comparison(TypedDict):
    """Two evaluations, A before and B after."""

    suite: str
    a: Side
    b: Side
    warnings: list[str]
    """What makes the two less comparable than they look."""
    draws: int
    seed: int
    both: int
    only_a: int
    only_b: int
    differences: list[Difference]


@dataclass(frozen=True)
class _Held:
    """An evaluation as it is read: `cases` and what they ask, by id; empty when only its result is there."""

    result: EvalResult
    measures: dict[tuple[str, Form], Measure]
    run: RunFile | None
    cases: dict[str, Column]
    asked: dict[str, str]


def compare(a: str | Path, b: str | Path, draws: int = 2_000, seed: int = 0) -> Comparison:
    """How the evaluation `b` differs from `a`; each is a folder, or the `result.json` in one.

    Where only a result is left, without the ledger of its cases, its figures are compared as they are, without intervals.

    Raises:
        UsageError: one is no evaluation, or they are of different suites, or have no case in common.
    """
    if draws < 1:
        raise UsageError(f"draws must be at least 1, not {draws}")
    left, right = _read(a), _read(b)
    if left.result["suite"] != right.result["suite"]:
        raise UsageError(
            f"{a} is an evaluation by the suite {left.result['suite']}, {b} by {right.result['suite']}; compare two of one suite"
        )
    paired = left.run is not None and right.run is not None
    pairs = [(left.cases[one], right.cases[other]) for one, other in _matches(left.asked, right.asked).items()]
    if paired and not pairs:
        raise UsageError(f"{a} and {b} have no case in common; compare evaluations of the same data")
    return Comparison(
        suite=left.result["suite"],
        a=_side(left.result),
        b=_side(right.result),
        warnings=_warnings(left, right, len(pairs)),
        draws=draws,
        seed=seed,
        both=len(pairs),
        only_a=len(left.cases) - len(pairs),
        only_b=len(right.cases) - len(pairs),
        differences=_differences(left, right, pairs, draws, seed) if paired else _unpaired(left.result, right.result),
    )


def _side(result: EvalResult) -> Side:
    return Side(
        folder=result["folder"],
        model=result["model"],
        roles=result["roles"],
        judge=result["judge"],
        data=result["data"],
        seed=result["seed"],
        cases=result["cases"],
        scored=result["scored"],
        created_at=result["created_at"],
    )


def side_shown(side: Side) -> str:
    """An evaluation in a line."""
    judge = f", judge {model_shown(side['judge'])}" if side["judge"] else ""
    return f"{side['folder']}: {tested_shown(side)}{judge}, {side['scored']:,} cases, {side['created_at']}"


def _read(path: str | Path) -> _Held:
    result = read_result(path)
    folder = Path(result["folder"])
    if not (folder / LEDGER).is_file():
        return _Held(result, {}, None, {}, {})
    suite, context, run = evaluated(folder)
    measures = {(each.name, each.form): each for each in suite.measures(context)}
    cases: dict[str, Column] = {}
    asked: dict[str, str] = {}
    for item in items(folder):
        cases[item["id"]], asked[item["id"]] = column(item), _asked(item["given"])
    return _Held(result, measures, run, cases, asked)


def _asked(given: Sample) -> str:
    """What a case shares with its like whose answer came from elsewhere; empty for a case that asks nothing."""
    if not given.get("user_input"):
        return ""
    kept = {name: value for name, value in given.items() if name not in PRODUCED}
    return sha256(json.dumps(kept, sort_keys=True, ensure_ascii=False, default=str))


def _matches(a: Mapping[str, str], b: Mapping[str, str]) -> dict[str, str]:
    """The ids of the same case on both sides: equal ids, then what asks the same and is alone in that on either side."""
    found = {id_: id_ for id_ in a if id_ in b}
    left, right = (_alone({id_: key for id_, key in side.items() if id_ not in found}) for side in (a, b))
    return {**found, **{left[key]: right[key] for key in left if key in right}}


def _alone(asked: Mapping[str, str]) -> dict[str, str]:
    """The id of each question that is asked once."""
    counts = Counter(asked.values())
    return {key: id_ for id_, key in asked.items() if key and counts[key] == 1}


def _warnings(a: _Held, b: _Held, both: int) -> list[str]:
    found = []
    one, other = a.result, b.result
    for letter, held in (("A", a), ("B", b)):
        if held.run is None:
            found.append(
                f"of {letter} only the result is left, so cases cannot be paired: differences have no intervals"
            )
        if held.result["ended"] != "done":
            found.append(
                f"{letter} is not whole: {held.result['scored']:,} of {held.result['cases']:,} cases are scored"
            )
        if held.result["failures"]:
            lost = sum(held.result["failures"].values())
            found.append(
                f"{lost:,} failures in {letter}: cases without a score that it needs are left out of a measure on both sides"
            )
    if one["data"] != other["data"]:
        found.append(f"the data differ: {', '.join(one['data'])} and {', '.join(other['data'])}")
    if a.run and b.run:
        if both < FEW:
            found.append(f"only {both} cases are in both: intervals and p of so few cases are too narrow to decide by")
        if alone := len(a.cases) + len(b.cases) - 2 * both:
            found.append(f"{alone:,} cases are only in one of them and are left out")
        settings = (a.run["configuration"]["settings"], b.run["configuration"]["settings"])
        found += [f"the settings differ: {line}" for line in difference(*settings)]
    elif one["seed"] != other["seed"]:
        found.append(f"the seeds differ: {one['seed']} and {other['seed']}")
    if one["judge"] != other["judge"]:
        told = (model_shown(one["judge"]) or "none", model_shown(other["judge"]) or "none")
        found.append(f"the judges differ: {' and '.join(told)}")
    if one["version"] != other["version"]:
        found.append(f"the versions differ: {one['version']} and {other['version']}")
    return found


def _unpaired(a: EvalResult, b: EvalResult) -> list[Difference]:
    theirs = {(each["measure"], each["form"], each["group"]): each for each in b["figures"]}
    found = []
    for one in a["figures"]:
        other = theirs.get((one["measure"], one["form"], one["group"]))
        if other is not None:
            found.append(
                Difference(
                    measure=one["measure"],
                    form=one["form"],
                    group=one["group"],
                    a=one["value"],
                    b=other["value"],
                    difference=_less(other["value"], one["value"]),
                    low=None,
                    high=None,
                    p=None,
                    cases=min(one["cases"], other["cases"]),
                    better=None,
                    worse=None,
                    equal=None,
                    higher_is_better=one["higher_is_better"],
                )
            )
    return found


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else round(one - other, 4)


@dataclass(frozen=True)
class _Part:
    """The scores of one group on both sides, row by row of the same cases, and the measures of every draw of them."""

    a: NDArray[np.float64]
    b: NDArray[np.float64]
    drawn: NDArray[np.float64]
    """[draws, 2]; NaN where a measure could not be told."""


def _differences(a: _Held, b: _Held, pairs: Sequence[tuple[Column, Column]], draws: int, seed: int) -> list[Difference]:
    grouped: dict[str, list[tuple[Column, Column]]] = defaultdict(list)
    for one, other in pairs:
        grouped[one["group"]].append((one, other))
    found = []
    for key, before in a.measures.items():
        after = b.measures.get(key)
        if after is None:
            continue
        parts = {
            group: part
            for number, group in enumerate(sorted(grouped))
            if (part := _part(before, after, grouped[group], draws, [seed, number])) is not None
        }
        found += [_difference(before, after, group, [part]) for group, part in parts.items()]
        if len(parts) > 1:
            found.append(_difference(before, after, ALL, list(parts.values())))
    return found


def _part(
    one: Measure, other: Measure, pairs: Sequence[tuple[Column, Column]], draws: int, seed: Sequence[int]
) -> _Part | None:
    rows = [
        ([left["values"].get(name) for name in one.columns], [right["values"].get(name) for name in other.columns])
        for left, right in pairs
    ]
    kept = [row for row in rows if None not in row[0] and None not in row[1]]
    if not kept:
        return None
    a = np.asarray([row[0] for row in kept], dtype=np.float64)
    b = np.asarray([row[1] for row in kept], dtype=np.float64)
    random = np.random.default_rng(seed)
    drawn = np.full((draws, 2), np.nan)
    for number in range(draws):
        chosen = random.integers(0, len(a), len(a))
        for side, (measure, values) in enumerate(((one, a), (other, b))):
            value = value_of(measure, [values[chosen]])
            if value is not None:
                drawn[number, side] = value
    return _Part(a, b, drawn)


def _difference(one: Measure, other: Measure, group: str, parts: Sequence[_Part]) -> Difference:
    a = value_of(one, [part.a for part in parts])
    b = value_of(other, [part.b for part in parts])
    cases = sum(len(part.a) for part in parts)
    whole = np.mean([part.drawn for part in parts], axis=0)
    changes = whole[:, 1] - whole[:, 0]
    changes = changes[np.isfinite(changes)]
    low = high = p = None
    if a is not None and b is not None and cases > 1 and len(changes):
        low, high = (round(float(each), 4) for each in np.percentile(changes, [2.5, 97.5]))
        p = round(min(1.0, 2 * float(min((changes <= 0).mean(), (changes >= 0).mean()))), 4)
    better = worse = equal = None
    if len(one.columns) == len(other.columns) == 1:
        steps = np.concatenate([part.b[:, 0] - part.a[:, 0] for part in parts]) * (1 if one.higher_is_better else -1)
        better, worse, equal = int((steps > 0).sum()), int((steps < 0).sum()), int((steps == 0).sum())
    return Difference(
        measure=one.name,
        form=one.form,
        group=group,
        a=None if a is None else round(a, 4),
        b=None if b is None else round(b, 4),
        difference=_less(b, a),
        low=low,
        high=high,
        p=p,
        cases=cases,
        better=better,
        worse=worse,
        equal=equal,
        higher_is_better=one.higher_is_better,
    )


# The page.


def write_comparison(found: Comparison, out: str | Path) -> None:
    """Write the comparison as one HTML file with the cases that changed most. Blocking.

    Raises:
        UsageError: `out` cannot be a file, or an evaluation has gone.
        SearchInstructError: it cannot be written.
    """
    sides = [
        tag("p", tag("b", f"{letter}: "), own(side_shown(side), 400))
        for letter, side in (("A", found["a"]), ("B", found["b"]))
    ]
    warnings = [tag("li", own(each, 400)) for each in found["warnings"]]
    header = tag(
        "header",
        tag("h1", f"Comparison: {found['suite']}"),
        sides,
        tag("div", tag("b", "Beware:"), tag("ul", warnings), class_="told") if warnings else None,
    )
    parts: list[tuple[str, str, Child]] = [("differences", "Differences", _tables(found))]
    if found["both"]:
        parts.append(("cases", "Cases that changed most", _changed(found)))
    title = f"{found['suite']}: comparison"
    write_page(str(out), document(title, header, parts, made_by(version("searchinstruct-graph")), STYLE))


def _tables(found: Comparison) -> Html:

    note = (
        f"B − A over the cases that both have, with the 95 % interval of {found['draws']:,} paired bootstrap draws. Measures "
        "marked ↓ are better when they are lower. Better and worse count the cases whose own score changed."
    )
    parts: list[Child] = [tag("p", note, class_="quiet")]
    groups = {each["group"] for each in found["differences"]} - {ALL}
    for form, title in (("offline", "No model"), ("judge", "Judge")):
        own_ = [each for each in found["differences"] if each["form"] == form]
        if not own_:
            continue
        whole = [each for each in own_ if len(groups) < 2 or each["group"] == ALL]
        single = [each for each in own_ if each["group"] != ALL]
        over = f", the mean over {len(groups)} groups" if len(groups) > 1 else ""
        parts += [tag("h3", title), _table(whole, f"Measures{over}.", grouped=False)]
        if len(groups) > 1:
            parts.append(folded(f"By group ({len(groups)})", _table(single, "By group.", grouped=True)))
    return joined(parts)


def _table(shown: Sequence[Difference], caption: str, *, grouped: bool) -> Html:

    ends = [end for each in shown for end in (each["low"], each["high"]) if end is not None]
    reach = max(map(abs, ends), default=1.0)
    header: list[Child] = ["measure", *(["group"] if grouped else []), "A", "B", "B − A", "95 % interval"]
    header += [tag("span", "interval as a bar around zero", class_="hidden"), "p", "cases", "better / worse / equal"]
    body: list[list[Child]] = []
    for each in shown:
        counts = f"{each['better']:,} / {each['worse']:,} / {each['equal']:,}" if each["better"] is not None else "–"
        body.append(
            [
                words_of(each["measure"]) + ("" if each["higher_is_better"] else " ↓"),
                *([own(each["group"], 80)] if grouped else []),
                number_shown(each["a"]),
                number_shown(each["b"]),
                tag("b", _signed(each["difference"]), class_=verdict(each) or None),
                interval_told(each["low"], each["high"]),
                interval_bar(each["difference"], each["low"], each["high"], -reach, reach),
                p_shown(each["p"]),
                f"{each['cases']:,}",
                counts,
            ]
        )
    at = 1 if grouped else 0
    return table(header, body, caption=caption, numbers=(*(number + at for number in (1, 2, 3, 4, 6, 7, 8)),))


def p_shown(p: float | None) -> str:
    """A p for a person."""
    return "–" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def _signed(change: float | None) -> str:
    return "–" if change is None else f"{change:+.3f}"


def verdict(each: Difference) -> str:
    """`better` or `worse` where the interval of a difference leaves zero out; else empty."""
    low, high = each["low"], each["high"]
    if low is None or high is None or low <= 0 <= high:
        return ""
    return "better" if (low > 0) == each["higher_is_better"] else "worse"


_SIDES: tuple[Literal["a", "b"], ...] = ("a", "b")


class _Told(NamedTuple):
    """The scores of every case that a person is shown, and what it asks, by id."""

    values: dict[str, dict[str, float]]
    asked: dict[str, str]

    @classmethod
    def of(cls, found: Iterable[Item]) -> Self:
        """Of these cases."""
        told = cls({}, {})
        for item in found:
            told.values[item["id"]], told.asked[item["id"]] = _values(item), _asked(item["given"])
        return told


def _picked(folder: str, ids: set[str]) -> dict[str, Item]:
    return {item["id"]: item for item in items(folder) if item["id"] in ids}


def _changed(found: Comparison) -> Html:
    """The cases whose scores changed most on either side, with what was made of them then and now."""
    a, b = (_Told.of(items(found[side]["folder"])) for side in _SIDES)
    steps: list[tuple[float, tuple[str, str]]] = []
    for pair in _matches(a.asked, b.asked).items():
        was, now = a.values[pair[0]], b.values[pair[1]]
        steps.append((max((abs(now[name] - was[name]) for name in was if name in now), default=0.0), pair))
    most = [pair for step, pair in heapq.nlargest(CHANGED, steps) if step > 0]
    if not most:
        return tag("p", "No case's score changed.", class_="quiet")
    before, after = (_picked(found[side]["folder"], {pair[at] for pair in most}) for at, side in enumerate(_SIDES))
    cards = []
    for one, other in ((before[pair[0]], after[pair[1]]) for pair in most):
        earlier, later = visible(one["scores"]), visible(other["scores"])
        changes: list[list[Child]] = [
            [words_of(name), _shown(earlier.get(name)), _shown(later.get(name)), own(_reason(later.get(name)), 600)]
            for name in dict.fromkeys([*earlier, *later])
            if _shown(earlier.get(name)) != _shown(later.get(name))
        ]
        cards.append(
            folded(
                tag("span", cut(title_of(other), 240), dir="auto", class_="title"),
                _score_changes(changes),
                tag("div", *(tag("div", tag("h3", letter), fields_shown(each)) for letter, each in (("A", one), ("B", other))),
                    class_="grid"),
                class_="card",
            )
        )  # fmt: skip
    return joined(
        tag("p", f"{len(cards):,} of {found['both']:,} cases, the largest change of any score first.", class_="quiet"),
        cards,
    )


def _score_changes(changes: list[list[Child]]) -> Html:
    return table(["score", "A", "B", "reason in B"], changes, caption="Scores that changed", numbers=(1, 2))


def _values(item: Item) -> dict[str, float]:

    return {name: score["value"] for name, score in visible(item["scores"]).items() if score["value"] is not None}


def _shown(score: Score | None) -> str:
    if score is None:
        return "–"
    return number_shown(score["value"]) if score["value"] is not None else (score["failure"] or "–")


def _reason(score: Score | None) -> str:
    return score["reason"] if score is not None else ""
