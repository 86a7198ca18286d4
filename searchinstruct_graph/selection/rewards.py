"""How much a cluster is worth reading: rewards of extracted pairs, and what is expected of clusters with few or none.

A reward is higher for better pairs. `Estimates` turns it into one number a cluster: what its pairs say, shrunk towards
what its documents promise while the pairs are few.

EQUAL takes the distance of all pairs to all of the target and says nothing of sizes, of clusters without pairs, or of
documents without any. Ours: at most `KEPT` pairs of a cluster against `TARGETS` of the target, so that transport is always
exact; what documents promise in the place of a first reward (`Estimates`); and less for a cluster that gives few pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.selection.transport import cosine_costs, exact, representatives, sinkhorn

Matrix = NDArray[np.float32]
Cells = NDArray[np.int64]
Values = NDArray[np.float64]

Prior = Literal["documents", "mean"]

TARGETS = 256
"""Target pairs that a distance is taken to, picked by k-means++. The first sketch of ours had 1,024; transport is exact up to
256 × 256.
"""

KEPT = 256
"""Pairs of a cluster that are remembered, the latest. The first sketch of ours had 512."""

LEAST_PAIRS = 5
"""Pairs below which a distance alone is not believed. Where documents stand in (`Estimates`), one pair is enough: the promise
outweighs it.
"""

REWARDS = ("transport", "divergence", "similarity", "coverage")
"""The names that `reward_of` knows."""


EPSILON = 0.5
"""Entropy of the divergence. So much of it takes off how widely the target itself is spread, which few pairs cannot match: five
pairs of the target's kind then lie nearer than five of another, which exact distances mix up (benchmarks/selection)."""


class Reward(Protocol):
    """What a set of pairs is worth."""

    def __call__(self, vectors: Matrix, cells: Cells, draw: np.random.Generator) -> float | None:
        """The worth of pairs with unit vectors (p, d) and cells (p,); higher is better, None when too few to tell."""
        ...

    def landed(self, cells: Cells) -> bool:
        """Take note of pairs that have landed; True when rewards given before have changed by it."""
        ...


class Transport:
    """The negative optimal transport distance to the target: r = -OT(pairs, target), between -2 and 0.

    EQUAL (arXiv 2505.12250) writes the distance itself into a score of which the largest is taken; the sign must be
    turned, as its code does. The distance of few points is biased upward, so every set is measured by subsamples of
    one size: the mean over `draws` of them, or the whole set while it is smaller.

    With `debiased`, the Sinkhorn divergence at `EPSILON` in the place of the exact distance (see `transport_distance`).
    """

    def __init__(
        self, target: Matrix, *, size: int = 32, draws: int = 5, least: int = LEAST_PAIRS, debiased: bool = False
    ) -> None:
        self.target = target if len(target) <= TARGETS else target[representatives(target, TARGETS, 0)]
        self.size, self.draws, self.least, self.debiased = size, draws, least, debiased
        self._own = _entropic(cosine_costs(self.target, self.target)) if debiased else 0.0

    def __call__(self, vectors: Matrix, cells: Cells, draw: np.random.Generator) -> float | None:
        """-OT of pairs (p, d); None for fewer than `least`."""
        count = len(vectors)
        if count < max(self.least, 1):
            return None
        if count <= self.size:
            samples = [np.arange(count)]
        else:
            samples = [draw.choice(count, self.size, replace=False) for _ in range(self.draws)]
        return -float(np.mean([self._distance(vectors[rows]) for rows in samples]))

    def _distance(self, vectors: Matrix) -> float:
        costs = cosine_costs(vectors, self.target)
        if not self.debiased:
            return exact(costs)
        return max(0.0, _entropic(costs) - (_entropic(cosine_costs(vectors, vectors)) + self._own) / 2)

    def landed(self, cells: Cells) -> bool:
        """Distances do not depend on what else was read."""
        return False


def _entropic(costs: Values) -> float:
    return sinkhorn(costs, EPSILON).dual


class Similarity:
    """The mean cosine of the pairs to the target's centroid, -1 to 1. Cheap; blind to how the target is spread."""

    def __init__(self, target: Matrix, *, least: int = 1) -> None:
        centre = target.mean(axis=0, dtype=np.float64)
        length = float(np.linalg.norm(centre))
        self.centre = centre / length if length > 0 else centre
        self.least = least

    def __call__(self, vectors: Matrix, cells: Cells, draw: np.random.Generator) -> float | None:
        """The mean cosine of pairs (p, d); None for fewer than `least`."""
        return float((vectors @ self.centre).mean()) if len(vectors) >= max(self.least, 1) else None

    def landed(self, cells: Cells) -> bool:
        """Cosines do not depend on what else was read."""
        return False


class Coverage:
    """How much the pairs' cells still lack: the mean of what is left of each pair's hole, 0 to 1.

    `holes` (cells,) says how many pairs every cell lacks; the largest counts 1, and a pair that lands fills one. A pair
    in no cell (a negative number) is worth nothing.
    """

    def __init__(self, holes: NDArray[np.floating], *, least: int = 1) -> None:
        self.left = np.maximum(np.asarray(holes, dtype=np.float64), 0.0)
        self.largest = float(self.left.max(initial=0.0)) or 1.0
        self.least = least

    def __call__(self, vectors: Matrix, cells: Cells, draw: np.random.Generator) -> float | None:
        """What is left of the holes of pairs in `cells` (p,), 0 to 1; None for fewer than `least`."""
        if len(cells) < max(self.least, 1):
            return None
        return float(self.left[cells[cells >= 0]].sum()) / (len(cells) * self.largest)

    def landed(self, cells: Cells) -> bool:
        """Fill the holes of the pairs' cells."""
        np.subtract.at(self.left, cells[cells >= 0], 1.0)
        np.maximum(self.left, 0.0, out=self.left)
        return bool(np.any(cells >= 0))


def reward_of(name: str, target: Matrix, holes: NDArray[np.floating] | None = None, least: int = LEAST_PAIRS) -> Reward:
    """The reward called `name`, one of `REWARDS`, for a target (m, d) of unit rows; None for fewer than `least` pairs.

    transport: r = -OT; divergence: r = -(the Sinkhorn divergence); similarity: the mean cosine to the target's centroid;
    coverage: of `holes` (cells,), how many pairs every cell lacks.

    Raises UsageError for another name, and for coverage without holes.
    """
    if name == "coverage":
        if holes is None:
            raise UsageError("The coverage reward needs holes: give the number of pairs that every cell lacks.")
        return Coverage(holes, least=least)
    if name == "similarity":
        return Similarity(target, least=least)
    if name in ("transport", "divergence"):
        return Transport(target, least=least, debiased=name == "divergence")
    raise UsageError(f"reward is {name!r}: give one of {', '.join(repr(one) for one in REWARDS)}.")


class Points(NamedTuple):
    """Pairs, or documents that stand for the pairs they would give: unit vectors (p, d) and cells (p,)."""

    vectors: Matrix
    cells: Cells


@dataclass
class Record:
    """What is known of one arm."""

    size: int
    """Documents in the cluster that may be read."""
    pairs: Points
    """The pairs extracted from it, the latest `KEPT`."""
    extracted: int = 0
    """How many pairs it gave in all."""
    read: int = 0
    empty: int = 0
    """Documents read that gave no pair."""
    seen: float | None = None
    """The reward of its pairs."""
    expected: float | None = None
    """The reward of its stand-ins."""
    excess: float = 0.0
    """The reward of its pairs less that of as many stand-ins: two sets of one size."""
    shared: list[float] = field(default_factory=list)
    """Rewards that it received as a neighbour or itself, when rewards are shared."""


class Estimates:
    """The expected reward of every arm, as pairs land.

    Without `stand_ins`: the reward of the arm's pairs; the mean of the known rewards where there is none yet.

    With `stand_ins`, aligned vectors of every arm's documents (s, d): empirical Bayes. What documents promise and what
    their pairs are like differ in a way that is mostly common to all arms. With e_j the reward of the arm's stand-ins,
    n_j its pairs, o_j their reward less that of as many stand-ins (so that sets of one size are compared), and m the
    mean of o over the arms, weighted by n:

        r_j = e_j + (weight m + n_j o_j) / (weight + n_j)

    `weight` is how many pairs the documents' promise counts for; with many pairs r_j is what they say.

    With `neighbours` (arms, arms), the reward of a pull goes to all neighbours of its arm, and an arm that received any
    is worth their mean, as in EQUAL's code.

    A document without a pair costs as much as any other, so an arm that gives fewer pairs than the pool sinks towards the
    worst one. What it is better than that one is kept in the ratio of its share of documents with pairs to the pool's, at
    most 1; its share begins at the pool's, which counts for `YIELD_WEIGHT` documents. More than the pool's earns nothing:
    pages that fill every line with pairs would draw the budget away from the target. EQUAL knows no such discount.
    """

    YIELD_WEIGHT = 64.0
    """Documents that the pool's share of documents with pairs counts for in every arm's own."""

    def __init__(
        self,
        reward: Reward,
        sizes: Sequence[int],
        stand_ins: Sequence[Points] | None = None,
        *,
        wide: int,
        weight: float = 8.0,
        neighbours: NDArray[np.bool_] | None = None,
        seed: int = 0,
    ) -> None:
        self.reward, self.weight, self.neighbours, self.seed = reward, weight, neighbours, seed
        nothing = Points(np.zeros((0, wide), np.float32), np.zeros(0, np.int64))
        self.records = [Record(size, nothing) for size in sizes]
        self.stand_ins = None if stand_ins is None else list(stand_ins)
        for arm in range(0 if stand_ins is None else len(sizes)):
            self._measure_promise(arm, self._draw(arm))

    def land(self, arm: int, points: Points, read: int, empty: int) -> float | None:
        """Note the pairs of one pull of `read` documents, `empty` of which gave none; the reward of the arm's pairs."""
        record = self.records[arm]
        record.pairs = Points(
            np.concatenate([record.pairs.vectors, points.vectors])[-KEPT:],
            np.concatenate([record.pairs.cells, points.cells])[-KEPT:],
        )
        record.extracted += len(points.vectors)
        record.read += read
        record.empty += empty
        if self.reward.landed(points.cells):
            # One generator for all: making them would take longer than measuring.
            draw = np.random.default_rng([self.seed, 6, arm, record.read])
            for each in range(len(self.records)):
                self._measure_promise(each, draw)
                self._measure_pairs(each, draw)
        else:
            self._measure_pairs(arm, self._draw(arm))
        if record.seen is not None and self.neighbours is not None:
            for other in np.flatnonzero(self.neighbours[arm]):
                self.records[other].shared.append(record.seen)
        return record.seen

    def values(self) -> Values:
        """The expected reward of every arm (arms,); zeros while nothing is known of any."""
        promised = self._column("expected")
        values = np.where(np.isnan(promised), self._column("seen"), self._shrunk())
        for arm, record in enumerate(self.records):
            if record.shared:
                values[arm] = np.mean(record.shared)
        known = ~np.isnan(values)
        values[~known] = values[known].mean() if known.any() else 0.0
        return self._earned(values)

    def known(self) -> NDArray[np.bool_]:
        """Which arms have a reward from pairs (arms,)."""
        return np.array([record.seen is not None or bool(record.shared) for record in self.records])

    def _draw(self, arm: int) -> np.random.Generator:
        # Seeded by what is measured, never by when.
        return np.random.default_rng([self.seed, 5, arm, self.records[arm].extracted])

    def _measure_promise(self, arm: int, draw: np.random.Generator) -> None:
        if self.stand_ins is not None:
            self.records[arm].expected = self.reward(*self.stand_ins[arm], draw)

    def _measure_pairs(self, arm: int, draw: np.random.Generator) -> None:
        record = self.records[arm]
        if not record.extracted:
            return
        record.seen, few = self.reward(*record.pairs, draw), None
        if self.stand_ins is not None:
            vectors, cells = self.stand_ins[arm]
            few = self.reward(vectors[: record.extracted], cells[: record.extracted], draw)
        record.excess = 0.0 if record.seen is None or few is None else record.seen - few

    def _shrunk(self) -> Values:
        pairs = np.where(np.isnan(self._column("seen")), 0.0, self._column("extracted"))
        excess = self._column("excess")
        common = float(pairs @ excess / pairs.sum()) if pairs.any() else 0.0
        return self._column("expected") + (self.weight * common + pairs * excess) / (self.weight + pairs)

    def _earned(self, values: Values) -> Values:
        read, empty = self._column("read"), self._column("empty")
        if not read.any():
            return values
        overall = 1.0 - empty.sum() / read.sum()
        if overall == 0:
            return values
        share = (read - empty + self.YIELD_WEIGHT * overall) / (read + self.YIELD_WEIGHT)
        worst = values.min()
        return np.asarray(worst + np.minimum(1.0, share / overall) * (values - worst), dtype=np.float64)

    def _column(self, name: str) -> Values:
        """One number of every record (arms,), NaN for None."""
        return np.array([getattr(record, name) for record in self.records], dtype=np.float64)
