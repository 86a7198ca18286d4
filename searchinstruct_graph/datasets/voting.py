"""Self-consistency: keep a question when independent samples of its answer agree (DS²-Instruct, stage E).

    agreement(q) = max_a |{i : a_i = a}| / n        keep q when agreement(q) >= threshold

n counts every response that was not empty: one whose final answer cannot be read has abstained, and counts against.
Agreement is not truth: samples may share a misconception, and an easy question scores 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.answers import Form, answer_keys, read_answer
from searchinstruct_graph.text.answers.ballot import Key, Reading, above_one, hundredth, keys, units_stated
from searchinstruct_graph.text.answers.expressions import Value
from searchinstruct_graph.text.answers.units import PERCENT
from searchinstruct_graph.text.compare import agree, negated, numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from searchinstruct_graph.models.embeddings import Embedder

TEMPERATURES = (0.7, 0.8, 0.9)
"""What DS²-Instruct samples with, in turn."""

CLOSENESS = 0.8
"""Cosine from which two open answers are linked; chosen with benchmarks/voting.py."""

MOST_OPEN = 32
"""Open answers that are compared at most: the search for the largest group is exponential in the worst case."""


@dataclass(frozen=True)
class Tally:
    """The outcome of a vote over answers 0 .. n - 1."""

    majority: str | None
    """The chosen answer as it was written; None when every sample abstained."""
    share: float
    """Size of the largest group over all responses that were not empty, 0 to 1; 0 without any."""
    index: int
    """The sample whose response is kept; -1 without a majority. Of a closed form the first that has the majority's
    answer, of an open one the member nearest its group's centre.
    """
    groups: list[list[int]]
    """Indices of the samples with equal answers, largest group first, then the group met first."""

    def holds(self, threshold: float) -> bool:
        """Whether the majority reaches `threshold`, which is inclusive."""
        return self.index >= 0 and self.share >= threshold


def temperatures(k: int) -> list[float]:
    """The sampling temperatures of `k` samples: 0.7, 0.8, 0.9, 0.7, ..."""
    return [TEMPERATURES[number % len(TEMPERATURES)] for number in range(k)]


def _given(answers: Sequence[str | None]) -> tuple[list[int], list[str], int]:
    """Indices and texts of the answers that were given, and how many responses were not empty."""
    found = [(index, answer) for index, answer in enumerate(answers) if answer is not None and answer.strip()]
    responses = sum(answer is None or bool(answer.strip()) for answer in answers)
    return [index for index, _ in found], [answer for _, answer in found], responses


def _grouped(places: Sequence[int], found: Sequence[Key]) -> list[list[int]]:
    groups: dict[Key, list[int]] = {}
    for place, key in zip(places, found, strict=True):
        groups.setdefault(key, []).append(place)
    return sorted(groups.values(), key=lambda group: (-len(group), group[0]))


def tally(answers: Sequence[str | None], form: Form) -> Tally:
    """The vote over final answers of one `form`. None has abstained and counts in the share; an empty string was an empty
    response and does not. Ties go to the answer met first.

    The groups are the classes of `text.answers.answer_keys`, and so depend on the answers alone; their order decides
    ties and which sample stands for a group.
    """
    places, given, responses = _given(answers)
    groups = _grouped(places, answer_keys(given, form))
    if not groups:
        return Tally(None, 0.0, -1, [])
    first = groups[0][0]
    return Tally(answers[first], len(groups[0]) / responses, first, groups)


def _checked(threshold: float) -> None:
    if not 0 < threshold <= 1:
        raise UsageError(f"vote threshold {threshold}: must be over 0 and at most 1, such as 0.6")


def decided(answers: Sequence[str | None], total: int, threshold: float, form: Form) -> bool:
    """Whether no further answers, up to `total` in all, can change the outcome of `tally`: that the row is refused, or
    that it is kept with the same sample as its answer.

    True when the majority is sure of the threshold and of its lead, or when no answer can reach the threshold. Where
    a unit that is yet to be stated could change how bare numbers are read, it waits. Whoever stops early tallies what
    was drawn: the share then differs from that of all samples, the decision does not.
    """
    _checked(threshold)
    left = total - len(answers)
    if left <= 0:
        return True
    places, given, responses = _given(answers)
    readings = [read_answer(answer, form) for answer in given]
    groups = _grouped(places, keys(readings))
    settled = _settled(readings, left)
    largest = (len(groups[0]) if groups else 0) if settled else _bound(readings)
    if (largest + left) / (responses + left) < threshold:
        return True
    if not settled or not groups or largest / (responses + left) < threshold or largest < left:
        return False
    return all((-largest, groups[0][0]) < (-len(group) - left, group[0]) for group in groups[1:])


def _unitable(values: set[Value]) -> bool:
    """Whether a percentage could unite two of these bare numbers, one being the other's hundredth."""
    return any(above_one(value) and hundredth(value) in values for value in values)


def _settled(readings: Sequence[Reading], left: int) -> bool:
    """Whether `left` further answers cannot regroup these: no bare number among them is open to another unit."""
    bare = {reading.bare for reading in readings if reading.bare is not None}
    if not bare:
        return True
    stated = units_stated(readings)
    if not stated:  # a unit would join bare numbers of one value to new answers only
        return not _unitable(bare)
    (unit, most), second = stated[0], stated[1][1] if len(stated) > 1 else 0
    return most > second + left and (unit != PERCENT or not any(map(above_one, bare)))


def _bound(readings: Sequence[Reading]) -> int:
    """No group of these readings can become larger than this, whatever unit the bare numbers are read in: what states its
    unit, with the bare numbers of one value, or of two that a percentage unites.
    """
    exact = Counter(reading.key for reading in readings if reading.bare is None)
    bare: Counter[Value] = Counter()
    for reading in readings:
        if reading.bare is not None:
            bare[reading.bare] += 1
            if above_one(reading.bare):
                bare[hundredth(reading.bare)] += 1
    return max(exact.values(), default=0) + max(bare.values(), default=0)


def _linked(one: str, other: str, cosine: float, closeness: float, language: str) -> bool:
    """Whether two open answers say the same: by their words or their embeddings, unless numbers or a negation conflict."""
    left, right = numbers(one), numbers(other)
    if left and right and not (left <= right or right <= left):
        return False
    if agree(one, other, language):
        return True
    return cosine >= closeness and negated(one) == negated(other)


def _largest_group(free: set[int], links: Sequence[set[int]], cosines: NDArray[np.float32]) -> list[int]:
    """The largest set of `free` answers that are all linked with one another; of several the closest, then the first.

    Bron and Kerbosch with a pivot: every maximal group is seen once.
    """
    best: tuple[int, float, list[int]] = (0, 0.0, [])

    def grow(group: list[int], candidates: set[int], done: set[int]) -> None:
        nonlocal best
        if not candidates and not done:
            members = sorted(group)
            closeness = round(float(sum(cosines[i, j] for i, j in combinations(members, 2))), 6)
            if not best[2] or (len(members), closeness, [-m for m in members]) > (
                best[0],
                best[1],
                [-m for m in best[2]],
            ):
                best = (len(members), closeness, members)
            return
        pivot = max(sorted(candidates | done), key=lambda vertex: len(links[vertex] & candidates))
        for vertex in sorted(candidates - links[pivot]):
            grow([*group, vertex], candidates & links[vertex], done & links[vertex])
            candidates = candidates - {vertex}
            done = done | {vertex}

    grow([], free, set())
    return best[2]


def open_vote(
    answers: Sequence[str | None],
    embedder: Embedder,
    *,
    closeness: float = CLOSENESS,
    language: str = "en",
) -> Tally:
    """The vote over free answers, which have no exact one (None: abstained; an empty string: an empty response).

    Two answers are linked when `text.compare.agree` says so or their cosine reaches `closeness`; numbers that conflict
    or a negation on one side only forbid the link that embeddings would make. Links are not transitive, so a group is
    a set in which every two are linked: a chain of small differences unites nothing. The largest is taken first, then
    the largest of what is left; of groups of one size the closest one. Groups do not depend on the order of the
    answers, except between groups of equal size and closeness. The index is the member nearest its group's centre.

    Raises UsageError for more than 32 answers.
    """
    import numpy as np

    places, given, responses = _given(answers)
    if len(given) > MOST_OPEN:
        raise UsageError(f"a vote over {len(given)} open answers: at most {MOST_OPEN}; draw fewer samples")
    if not given:
        return Tally(None, 0.0, -1, [])
    vectors = embedder.embed(given)
    cosines = vectors @ vectors.T
    links: list[set[int]] = [set() for _ in given]
    for i, j in combinations(range(len(given)), 2):
        if _linked(given[i], given[j], float(cosines[i, j]), closeness, language):
            links[i].add(j)
            links[j].add(i)
    groups: list[list[int]] = []
    free = set(range(len(given)))
    while free:
        groups.append(_largest_group(free, [linked & free for linked in links], cosines))
        free -= set(groups[-1])
    nearness = vectors[groups[0]] @ np.mean(vectors[groups[0]], axis=0)
    index = places[groups[0][int(np.argmax(np.round(nearness, 6)))]]
    found = [[places[member] for member in group] for group in groups]
    return Tally(answers[index], len(found[0]) / responses, index, found)
