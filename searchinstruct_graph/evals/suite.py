"""What a suite is made of: cases, what is made of each, metrics that score it, measures over all scores.

A metric has a form: `offline` needs no model, `judge` asks the judge. A score that could not be taken is None with the
reason, and never counts as 0 or 1.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from typing_extensions import TypedDict

from searchinstruct_graph.text.digest import sha256

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from searchinstruct_graph.evals.context import EvalContext

Form = Literal["offline", "judge"]

Sample = dict[str, Any]
"""What a metric sees: the fields of a case and what was made of it, in ragas' own names where it has one (`user_input`,
`response`, `retrieved_contexts`, `reference`, `reference_contexts`)."""


class Case(TypedDict):
    """One thing to score, as the data has it."""

    id: str
    """16 hex digits over suite data and fields: the same case has the same id in every evaluation."""
    group: str
    """The set it comes from, such as a folder's name; figures are given for each and over all."""
    given: Sample


class Score(TypedDict):
    """What a metric says of a case."""

    value: float | None
    """None: not taken, for the reason given."""
    reason: str
    """The judge's words, what was seen, or why there is no value."""
    failure: str
    """How a call failed (`provider`, `timeout`, `malformed`, ...); such scores are tried again when the evaluation is
    resumed. Empty: nothing failed; without a value, the metric does not apply to this case."""


class Taken(TypedDict):
    """Which version of a metric gave which scores of a case."""

    version: int
    scores: list[str]


class Item(TypedDict):
    """A case with what was made of it and its scores, by name."""

    id: str
    group: str
    given: Sample
    made: Sample
    """What the thing under test made of it; `failure` and `reason` when that failed."""
    scores: dict[str, Score]
    metrics: dict[str, Taken]


def case(group: str, given: Sample) -> Case:
    """A case with its id."""
    return Case(id=sha256(_stable([group, given]))[:16], group=group, given=given)


def _stable(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def scored(value: float | None, reason: str = "") -> Score:
    """A score; NaN and infinities are no values."""
    if value is not None and not np.isfinite(value):
        return Score(value=None, reason=reason or "the metric gave no number", failure="not_a_number")
    return Score(value=None if value is None else round(float(value), 6), reason=reason, failure="")


def failed(failure: str, reason: str) -> Score:
    """A score that could not be taken because something failed."""
    return Score(value=None, reason=reason, failure=failure)


@dataclass(frozen=True, slots=True)
class Metric:
    """Scores one case. Raise `version` with every change of meaning: kept scores of another version are taken anew."""

    name: str
    form: Form
    score: Callable[[Sample, EvalContext], Awaitable[Score | dict[str, Score]]]
    """May give several scores at once, by name; the metric's own name is then only what it is asked by."""
    needs: tuple[str, ...] = ()
    """Fields without which it does not apply."""
    version: int = 1
    gives: tuple[str, ...] = ()
    """Names of its scores when it gives several: when it fails as a whole, each of them counts as failed."""
    applies: Callable[[Sample], bool] = lambda given: True
    """Whether it is for a case at all, told from the fields of the data alone."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure over many cases, from one or several of their scores.

    `of` takes an array [cases, columns] without gaps and gives a number, or None when it cannot be told (one class only).
    Over all groups, a measure is the mean of the groups': sets of different difficulty are not pooled.
    """

    name: str
    form: Form
    columns: tuple[str, ...]
    of: Callable[[NDArray[np.float64]], float | None]
    higher_is_better: bool = True


def mean_of(metric: str, form: Form = "offline", *, higher_is_better: bool = True) -> Measure:
    """The mean of a metric's scores."""
    return Measure(metric, form, (metric,), lambda values: float(values.mean()), higher_is_better)


@dataclass(frozen=True, slots=True)
class Suite:
    """A named evaluation."""

    name: str
    summary: str
    """What it tells, in a line."""
    read: Callable[[EvalContext], Iterable[Case]]
    """The cases of `data`, streamed. Raises UsageError where the data is not of the suite's kind, naming file and line."""
    metrics: Callable[[EvalContext], tuple[Metric, ...]]
    measures: Callable[[EvalContext], tuple[Measure, ...]]
    make: Callable[[Case, EvalContext], Awaitable[Sample]] | None = None
    """What the thing under test makes of a case (the graph's answer, its plan); empty where the data holds it already."""
    judged: bool = True
    """Whether it has metrics that ask a judge."""
    own_data: bool = False
    """Whether it fetches its own data, so that none is named."""
