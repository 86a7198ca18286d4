"""What an evaluation gives: figures with intervals, and where they come from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from typing_extensions import TypedDict

from searchinstruct_graph.datasets.rows import Spent
from searchinstruct_graph.datasets.run import RESULT
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.suite import Form, Item, Measure
from searchinstruct_graph.models.chat import OFFLINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1

ALL = "all"
"""The group of figures over all groups."""

DRAWS = 1_000
"""Resamples of a bootstrap interval."""

Ended = Literal["done", "stopped", "provider_down", "max_cost"]


_ENDED = {
    "done": "every case is scored",
    "stopped": "stopped before the end",
    "provider_down": "ended early: the provider is down",
    "max_cost": "ended early: the money is spent",
}


class Figure(TypedDict):
    """One number over the cases of a group."""

    measure: str
    form: Form
    group: str
    value: float | None
    """None: no case had the scores, or it cannot be told from them."""
    low: float | None
    high: float | None
    """95 % percentile bootstrap interval over cases (Efron 1979), drawn within groups."""
    cases: int
    """Cases that it is computed from."""
    missing: int
    """Cases whose score could not be taken because something failed; they are not in the value."""
    higher_is_better: bool


class EvalResult(TypedDict):
    """The result of an evaluation, as `result.json` holds it."""

    format: int
    suite: str
    folder: str
    created_at: str
    version: str
    model: str
    """The model under test."""
    roles: dict[str, str]
    """Other models under test, of single roles such as `critic`."""
    judge: str
    """The judging model; empty: metrics that need no model, alone."""
    data: list[str]
    seed: int
    cases: int
    """Cases of this evaluation, after `limit`."""
    scored: int
    """Cases that were reached."""
    ended: Ended
    note: str
    """Why it ended early, in words."""
    figures: list[Figure]
    failures: dict[str, int]
    """What failed, by how: a case that could not be made, or a metric of one, counts once, however many scores it has."""
    spent: Spent
    seconds: float


class Column(TypedDict):
    """What the measures of a run need of one case, without its texts."""

    id: str
    group: str
    values: dict[str, float | None]
    failed: list[str]
    """Names of the scores that something failed for."""
    unmade: bool
    """Whether what was to be scored could not be made."""


def column(item: Item) -> Column:
    """The numbers of an item."""
    return Column(
        id=item["id"],
        group=item["group"],
        values={name: score["value"] for name, score in item["scores"].items()},
        failed=[name for name, score in item["scores"].items() if score["failure"]],
        unmade="failure" in item["made"],
    )


def failures_of(item: Item) -> list[str]:
    """How its making failed, or else each of its metrics: once each, however many scores that has cost."""
    if "failure" in item["made"]:
        return [item["made"]["failure"]]
    scores = item["scores"]
    return [
        kind
        for taken in item["metrics"].values()
        for kind in sorted({scores[name]["failure"] for name in taken["scores"]} - {""})
    ]


def figures(measures: Sequence[Measure], columns: Sequence[Column], seed: int) -> list[Figure]:
    """Every measure for each group and, where there are several, over all of them."""
    found = []
    groups = sorted({each["group"] for each in columns})
    for measure in measures:
        parts = {name: table(measure, [each for each in columns if each["group"] == name]) for name in groups}
        missing = {name: _missing(measure, columns, name) for name in groups}
        found += [_figure(measure, name, [parts[name]], missing[name], seed) for name in groups]
        if len(groups) > 1:
            whole = [part for part in parts.values() if len(part)]
            found.append(_figure(measure, ALL, whole, sum(missing.values()), seed))
    return [each for each in found if each["cases"] or each["missing"]]


def table(measure: Measure, columns: Iterable[Column]) -> NDArray[np.float64]:
    """The scores that a measure is computed from, [cases, columns]; only cases that have all of them."""
    rows = [[each["values"].get(name) for name in measure.columns] for each in columns]
    kept = [row for row in rows if None not in row]
    return np.asarray(kept, dtype=np.float64).reshape(len(kept), len(measure.columns))


def value_of(measure: Measure, parts: Sequence[NDArray[np.float64]]) -> float | None:
    """The measure, the mean over `parts` (one a group); None where it cannot be told for any of them."""
    values = [measure.of(part) for part in parts if len(part)]
    told = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(told)) if told and len(told) == len(values) else None


def resampled(
    measure: Measure, parts: Sequence[NDArray[np.float64]], seed: int, draws: int = DRAWS
) -> NDArray[np.float64]:
    """The measure on `draws` resamples with replacement within each part; draws in which it cannot be told are left out."""
    random, found = np.random.default_rng(seed), []
    for _ in range(draws):
        drawn = [part[random.integers(0, len(part), len(part))] for part in parts]
        value = value_of(measure, drawn)
        if value is not None:
            found.append(value)
    return np.asarray(found)


def _missing(measure: Measure, columns: Sequence[Column], group: str) -> int:
    return sum(each["group"] == group and lost(measure, each) for each in columns)


def lost(measure: Measure, case: Column) -> bool:
    """Whether a case is not in a measure because something failed, and not because the measure does not apply to it."""
    if any(name in case["failed"] for name in measure.columns):
        return True
    return case["unmade"] and not any(name in case["values"] for name in measure.columns)


def _figure(measure: Measure, group: str, parts: Sequence[NDArray[np.float64]], missing: int, seed: int) -> Figure:
    value = value_of(measure, parts)
    low = high = None
    cases = sum(map(len, parts))
    if value is not None and cases > 1:
        found = resampled(measure, parts, seed)
        if len(found):
            low, high = (round(float(each), 4) for each in np.percentile(found, [2.5, 97.5]))
    return Figure(
        measure=measure.name,
        form=measure.form,
        group=group,
        value=None if value is None else round(value, 4),
        low=low,
        high=high,
        cases=cases,
        missing=missing,
        higher_is_better=measure.higher_is_better,
    )


def figure(result: EvalResult, measure: str, group: str | None = None) -> Figure:
    """One figure of a result; without a group the one over all groups, or of the only one.

    Raises:
        UsageError: the result has no such measure or group; the message names those that it has.
    """
    named = [each for each in result["figures"] if each["measure"] == measure]
    if not named:
        known = ", ".join(sorted({each["measure"] for each in result["figures"]})) or "none"
        raise UsageError(f"the evaluation {result['suite']} has no measure {measure!r}; it has {known}")
    if group is None and len(named) == 1:
        return named[0]
    wanted = [each for each in named if each["group"] == (group or ALL)]
    if not wanted:
        raise UsageError(f"{measure} has no group {group!r}; it has {', '.join(each['group'] for each in named)}")
    return wanted[0]


def read_result(path: str | Path) -> EvalResult:
    """The result in an evaluation's folder, or in the file itself.

    Raises:
        UsageError: there is none, or another version wrote it.
    """
    place = Path(path).expanduser()
    file = place / RESULT if place.is_dir() else place
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        lacking = "it does not exist" if file == place else f"there is no {file.name}"
        raise UsageError(f"{path} is no evaluation: {lacking}; make one with: searchinstruct eval") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    if not isinstance(found, dict) or "figures" not in found:
        raise UsageError(f"{file} is no result of an evaluation")
    if found.get("format") != FORMAT:
        raise UsageError(f"{file} was written by another version (format {found.get('format')}, here {FORMAT})")
    found["folder"] = str(file.parent)
    return found  # type: ignore[return-value]


def shortfall(
    found: Figure, at_least: float | None = None, at_most: float | None = None, *, no_missing: bool = True
) -> str:
    """In which way a figure does not hold what is asked of it, in words; empty when it does.

    A value that could not be told holds nothing. With `no_missing`, neither does one from which cases are missing because
    something failed: they may be the bad ones.
    """
    value, name = found["value"], found["measure"]
    if value is None:
        return f"{name} has no value"
    if at_least is not None and value < at_least:
        return f"{name} is {value:g}, below {at_least:g}"
    if at_most is not None and value > at_most:
        return f"{name} is {value:g}, above {at_most:g}"
    if no_missing and found["missing"]:
        return f"{name} is {value:g}, but {found['missing']:,} cases are missing from it because something failed"
    return ""


def model_shown(name: str) -> str:
    """A model's name for a person; the offline model is called what it is."""
    return "offline (extractive)" if name == OFFLINE else name


def tested_shown(result: Mapping[str, Any]) -> str:
    """What is under test, for a person: the model, and those of single roles; of an EvalResult or what has its fields."""
    others = [f"{role} {model_shown(name)}" for role, name in result["roles"].items()]
    return ", ".join([model_shown(result["model"]), *others])


def ended_shown(result: EvalResult) -> str:
    """How an evaluation ended, in words: one that reached every case need not have every score."""
    if result["ended"] == "done" and result["failures"]:
        return "every case is reached, some scores are missing"
    return _ENDED[result["ended"]] + (f": {result['note']}" if result["note"] else "")


def number_shown(value: float | None) -> str:
    """A figure for a person; a dash for what could not be told."""
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
