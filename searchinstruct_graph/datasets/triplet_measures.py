"""What is measured on a set of triplets beside its counts: origins, scores, how far poisons went, and whether they show.

One pass over the rows. What is held does not grow with their number, but for the names of families.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from typing_extensions import TypedDict

from searchinstruct_graph.datasets.formats import HARD_NEGATIVES
from searchinstruct_graph.datasets.report.gather import Sample, draw
from searchinstruct_graph.datasets.triplets import TripletRow, WordingLeak, edit_share, wording_leak

BARS = 10
"""Bars of a histogram, from 0 to 1."""

MEASURED = 5_000
"""Triplets that are compared letter by letter and word by word; of more, so many are drawn by their ids."""

SHOWN = 10
"""Triplets that a report shows in full."""

QUESTIONS: dict[str, str] = {
    "a": "the passage fits query and instruction",
    "b": "it violates the poisoned instruction, and is on topic",
    "c": "it does not answer the poisoned query",
    "d": "the first hard negative fits the poisoned instruction, not the right one",
    "e": "the second hard negative fits the poisoned query, not the right one",
}
"""What the validator answers, in short."""


class Distribution(TypedDict):
    """Numbers from 0 to 1."""

    mean: float | None
    """Null without any number."""
    missing: int
    """Rows that have none."""
    bars: list[int]
    """In `BARS` equal parts; 1 stands in the last."""


class TripletMeasures(TypedDict):
    """What one pass over the triplets has measured."""

    rows: int
    origins: dict[str, dict[str, int]]
    """Of each hard negative: how many were `found` and how many `written`."""
    scores: dict[str, Distribution]
    """What the validator gave, by question (`QUESTIONS`)."""
    largest_family: int
    models: dict[str, dict[str, int]]
    """Triplets by role and model."""
    versions: dict[str, list[str]]
    """Of the program and of every prompt."""
    drawn: int
    """Triplets that the last three are measured on: all, or `MEASURED`."""
    instruction_edits: Distribution
    """Edit distances of poisoned instructions, over the length of the longer text."""
    query_edits: Distribution
    leak: WordingLeak | None
    """How well the words of an instruction alone give away its side; null with too few families."""


def measure_triplets(rows: Iterable[TripletRow]) -> tuple[TripletMeasures, list[TripletRow]]:
    """The measures of the triplets, and `SHOWN` of them to look at, drawn by their ids."""
    count = 0
    families: Counter[str] = Counter()
    origins: dict[str, Counter[str]] = {name: Counter() for name in HARD_NEGATIVES}
    scores = {question: _Spread() for question in QUESTIONS}
    models: dict[str, Counter[str]] = {}
    versions: dict[str, dict[str, None]] = {}
    drawn: Sample[TripletRow] = Sample(MEASURED)
    for row in rows:
        count += 1
        families[row["family"]] += 1
        for name, counts in origins.items():
            counts[row["origins"].get(name, "")] += 1
        for question, spread in scores.items():
            spread.add(row["scores"].get(question))
        for role, model in row["models"].items():
            models.setdefault(role, Counter())[model] += 1
        for name, version in row["versions"].items():
            versions.setdefault(name, {})[version] = None
        drawn.offer(draw(row["id"]), lambda row=row: row)  # type: ignore[misc]
    taken = drawn.items()
    told = TripletMeasures(
        rows=count,
        origins={name: {each: counts[each] for each in ("found", "written")} for name, counts in origins.items()},
        scores={question: spread.told() for question, spread in scores.items()},
        largest_family=max(families.values(), default=0),
        models={role: dict(counts.most_common()) for role, counts in sorted(models.items())},
        versions={name: list(known) for name, known in sorted(versions.items())},
        drawn=len(taken),
        instruction_edits=_edits(taken, "instruction"),
        query_edits=_edits(taken, "query"),
        leak=wording_leak(taken),
    )
    return told, taken[:SHOWN]


class _Spread:
    """Numbers from 0 to 1, counted."""

    def __init__(self) -> None:
        self._bars = [0] * BARS
        self._sum, self._missing = 0.0, 0

    def add(self, value: float | None) -> None:
        if value is None:
            self._missing += 1
        else:
            self._sum += value
            # A hair more, so that 0.7 does not fall below 0.7.
            self._bars[min(max(int(value * BARS + 1e-9), 0), BARS - 1)] += 1

    def told(self) -> Distribution:
        count = sum(self._bars)
        return Distribution(mean=self._sum / count if count else None, missing=self._missing, bars=list(self._bars))


def _edits(rows: Sequence[TripletRow], side: str) -> Distribution:
    spread = _Spread()
    for row in rows:
        spread.add(edit_share(row[f"{side}_positive"], row[f"{side}_negative"]))  # type: ignore[literal-required]
    return spread.told()
