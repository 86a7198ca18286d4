"""Which documents to read next, so that what is extracted resembles a target: EQUAL's loop as a plain state machine.

The caller asks `next()` for a pull, extracts pairs of its documents, and hands their vectors to `land()`. No clock, no
models, no threads: choices follow from the settings, the vectors and the landed pairs alone, so a killed run is
restored by replaying its pulls.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, get_args
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.selection.alignment import Alignment, align
from searchinstruct_graph.selection.bandit import Bandit, checked_alpha
from searchinstruct_graph.selection.clusters import Clusters, cluster, gaussian_distances
from searchinstruct_graph.selection.rewards import (
    KEPT,
    LEAST_PAIRS,
    REWARDS,
    Cells,
    Estimates,
    Matrix,
    Points,
    Prior,
    Transport,
    Values,
    reward_of,
)

DECISIONS = 200
"""About how many pulls a budget is spent in: a pull is ⌈budget / 200⌉ documents. EQUAL does not say how many a pull reads."""

MAX_WARMUP = 0.3

STAND_INS = 32
"""Documents of a cluster whose aligned vectors stand for the pairs that it would give."""

NEAREST_TARGETS = 5
"""Target pairs whose mean cosine says how near a document is to a target of many subjects."""

CHUNK = 4_096
"""Documents that are aligned at once, while the target has no more than `WIDEST` pairs; fewer beyond."""

WIDEST = 1_024

BASELINES = ("", "random", "all")
ORDERS = ("random", "nearest")


@dataclass(frozen=True, kw_only=True)
class SelectionSettings:
    """How documents are chosen."""

    budget: int
    """Documents read in all, the warm-up's among them."""
    clusters: int | None = None
    """Clusters; by default after the number of documents (`clusters_wanted`)."""
    warmup: float = 0.05
    """Share of the budget that is read at random first, 0 to 0.3."""
    alpha: str | float = "spread"
    """Weight of exploring: see `Bandit`."""
    reward: str = "transport"
    """What pairs are worth: `transport` (the paper's distance to the target), `divergence` (the Sinkhorn divergence from it),
    `similarity` (to its centroid), `coverage` (of the holes)."""
    prior: Prior = "documents"
    """What is expected of an arm before its pairs tell. `documents`: its documents' aligned vectors stand for them, as
    one pull (T begins at 1), so a cluster that promises nothing need never be tried. `mean`: the mean of the known
    rewards, and every arm with fewer than five pairs is tried, up to three times, before any is pulled a third time."""
    order: str = "nearest"
    """Which documents of an arm come first: `nearest` to the target by their aligned vectors, or `random` as in the paper."""
    neighbours: float = 0.0
    """Arms whose squared 2-Wasserstein distance is at most this share rewards and counts; 0 shares nothing."""
    in_flight: int = 8
    """Pull n is chosen knowing what the pulls up to n - in_flight gave, whenever the others land."""
    seed: int = 0
    baseline: str = ""
    """`random` or `all` (in order) reads the same budget in the same batches without choosing."""
    planned: int | None = None
    """The budget that batches and warm-up are made for, when the run began with another one."""


class Pull(NamedTuple):
    """Documents to be read together; `cluster` is None in the warm-up and in a baseline."""

    number: int
    cluster: int | None
    documents: list[int]


class Landed(NamedTuple):
    """What a pull changed: the distance of its cluster's pairs to the target, and their reward; None when not known."""

    number: int
    cluster: int | None
    distance: float | None
    reward: float | None


class ArmSummary(TypedDict):
    """One cluster for a report. `distance` is null while there are fewer than five pairs."""

    cluster: int
    size: int
    read: int
    pulls: float
    pairs: int
    reward: float
    distance: float | None
    centroid: list[float]


class _Pairs(NamedTuple):
    vectors: Matrix
    owner: NDArray[np.int64]
    cells: Cells


class Selector:
    """Issues pulls until the budget is spent or everything is read.

    `vectors` (n, d): unit vectors of the documents, an array or a memmap, zeros for a text without a known token.
    `target` (m, d): unit vectors of the pairs to resemble. `holes` (cells,): how many pairs every cell lacks, for the
    coverage reward.

    Raises UsageError for settings that cannot be followed.
    """

    def __init__(
        self,
        vectors: Matrix,
        target: Matrix,
        settings: SelectionSettings,
        *,
        holes: NDArray[np.floating] | None = None,
    ) -> None:
        _check(vectors, target, settings, holes)
        self.vectors, self.target, self.settings = vectors, np.asarray(target, dtype=np.float32), settings
        self._holes = holes
        documents = np.arange(len(vectors))
        self._sequence = documents if settings.baseline == "all" else self._draw(0).permutation(documents)
        self.total = min(settings.budget, len(vectors))
        planned = settings.planned or settings.budget
        self.per_pull = max(1, math.ceil(planned / DECISIONS))
        warmup = 0 if settings.baseline else int(settings.warmup * planned + 1e-9) // self.per_pull
        self.warmup_pulls = min(warmup, math.ceil(self.total / self.per_pull))
        self._pulls: list[Pull] = []
        self._issued = 0
        self._settled = 0
        """Pulls that have landed: the first so many."""
        self._warm: list[_Pairs] = []
        self._clusters: Clusters | None = None
        self._alignment: Alignment | None = None
        self._arms: _Arms | None = None

    def ready(self) -> bool:
        """Whether `next()` may be called: enough pulls have landed, and the clusters are there when they are needed."""
        number = len(self._pulls)
        if self._settled < number - self.settings.in_flight + 1:
            return False
        if self.settings.baseline or number < self.warmup_pulls or self._issued >= self.total:
            return True
        return self._settled >= self.warmup_pulls and self._clusters is not None

    def next(self, most: int | None = None) -> Pull | None:
        """Issue the next pull, of `most` documents at most; None when the budget is spent or nothing is unread. RuntimeError
        while not `ready()`.
        """
        if not self.ready():
            raise RuntimeError(
                "No pull can be chosen yet: earlier ones have not landed, or the clusters are not formed."
            )
        room = min(self.per_pull, self.total - self._issued, *([] if most is None else [most]))
        if room <= 0:
            return None
        number = len(self._pulls)
        if self.settings.baseline or number < self.warmup_pulls:
            chosen, documents = None, self._sequence[self._issued : self._issued + room].tolist()
        else:
            arms = self._formed()
            chosen = arms.choose(number)
            if chosen is None:
                return None
            documents = arms.take(chosen, room)
        pull = Pull(number, chosen, documents)
        self._pulls.append(pull)
        self._issued += len(documents)
        return pull

    def land(self, number: int, vectors: Matrix, owner: Sequence[int], cells: Sequence[int] | None = None) -> Landed:
        """Hand in the pairs of pull `number`, the earliest that has not landed: vectors (p, d), the document of each (p,),
        its cell (p,) if cells count.

        Raises ValueError for any other pull, and for pairs that do not fit it; nothing has landed then.
        """
        if number != self._settled or number >= len(self._pulls):
            raise ValueError(f"Pull {number} cannot land: {self._expected()}.")
        pull = self._pulls[number]
        pairs = self._checked_pairs(pull, vectors, owner, cells)
        self._settled += 1
        if pull.cluster is not None:
            with _one_thread():
                return self._formed().land(pull, pairs)
        if number < self.warmup_pulls:
            self._warm.append(pairs)
        return Landed(number, None, None, None)

    def needs_clusters(self) -> bool:
        """Whether the warm-up has landed and the next pull waits for `form_clusters()` or `restore_clusters()`."""
        waiting = not self.settings.baseline and self._clusters is None and self._settled >= self.warmup_pulls
        return waiting and self._issued < self.total

    def form_clusters(self) -> None:
        """Learn the alignment from the warm-up's pairs and cluster the aligned documents. Heavy: call it in a thread."""
        if not self.needs_clusters():
            raise RuntimeError("The clusters are formed once, after the warm-up has landed.")
        read = np.array(sorted(document for pull in self._pulls for document in pull.documents), dtype=np.int64)
        pairs = _joined(self._warm, self.vectors.shape[1])
        self._alignment = align(np.asarray(self.vectors[read]), pairs.vectors, np.searchsorted(read, pairs.owner))
        self._clusters = cluster(
            self.vectors, self.settings.clusters, self.settings.seed, transform=self._alignment.apply
        )
        self._formed()

    def clusters_state(self) -> bytes:
        """The clusters and the alignment, to be kept with the run."""
        if self._clusters is None or self._alignment is None:
            raise RuntimeError("There are no clusters to keep yet.")
        matrix = self._alignment.matrix
        out = io.BytesIO()
        np.savez(
            out,
            labels=self._clusters.labels,
            centroids=self._clusters.centroids,
            spreads=self._clusters.spreads,
            matrix=np.zeros((0, 0), np.float32) if matrix is None else matrix,
        )
        return out.getvalue()

    def restore_clusters(self, state: bytes) -> None:
        """Take the clusters of an earlier process instead of forming them; at any time before the first pull that needs them.

        Raises UsageError for a state that is not of these documents.
        """
        if self._arms is not None:
            raise RuntimeError("The clusters are in use already.")
        try:
            with np.load(io.BytesIO(state), allow_pickle=False) as kept:
                labels, centroids, spreads, matrix = (
                    kept[name] for name in ("labels", "centroids", "spreads", "matrix")
                )
        except (ValueError, KeyError, OSError, EOFError, BadZipFile) as problem:
            raise UsageError("The saved clusters cannot be read: begin the run anew.") from problem
        wide = self.vectors.shape[1]
        fits = labels.shape == (len(self.vectors),) and centroids.ndim == 2 and centroids.shape[1] == wide
        if not fits or spreads.shape != centroids.shape or matrix.shape not in ((0, 0), (wide, wide)):
            raise UsageError("The saved clusters belong to other documents: begin the run anew.")
        self._clusters = Clusters(labels, centroids, spreads)
        self._alignment = Alignment(matrix if matrix.size else None)

    @property
    def labels(self) -> NDArray[np.int32] | None:
        """The cluster of every document (n,); None before there are clusters."""
        return None if self._clusters is None else self._clusters.labels

    def summary(self) -> list[ArmSummary]:
        """Every cluster with what was read of it and what it is worth by all that has landed; empty before the clusters."""
        if self._arms is None:
            return []
        with _one_thread():
            return self._arms.summary()

    def _draw(self, *purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, *purpose])

    def _checked_pairs(self, pull: Pull, vectors: Matrix, owner: Sequence[int], cells: Sequence[int] | None) -> _Pairs:
        rows = np.asarray(vectors, dtype=np.float32)
        if not len(owner):
            rows = rows.reshape(0, self.vectors.shape[1])
        if rows.shape != (len(owner), self.vectors.shape[1]):
            raise ValueError(f"Pull {pull.number}: vectors of the shape {rows.shape} for {len(owner)} pairs.")
        if not np.isfinite(rows).all():
            raise ValueError(f"Pull {pull.number}: a pair's vector holds a number that is not finite.")
        owners = np.asarray(owner, dtype=np.int64).reshape(-1)
        if not np.isin(owners, pull.documents).all():
            raise ValueError(f"Pull {pull.number}: a pair's document is not one of the pull's.")
        places = np.full(len(owners), -1, dtype=np.int64) if cells is None else np.asarray(cells, dtype=np.int64)
        if places.shape != owners.shape:
            raise ValueError(f"Pull {pull.number}: {len(places)} cells for {len(owners)} pairs.")
        if self._holes is not None and len(places) and places.max() >= len(self._holes):
            raise ValueError(f"Pull {pull.number}: a pair's cell is not one of the {len(self._holes)}.")
        return _Pairs(rows, owners, places)

    def _expected(self) -> str:
        if self._settled < len(self._pulls):
            return f"pulls land in the order of their numbers, and {self._settled} is the next"
        return "every pull that was issued has landed"

    def _formed(self) -> _Arms:
        if self._arms is None:
            assert self._clusters is not None
            assert self._alignment is not None
            with _one_thread():
                self._arms = _Arms(self, self._clusters, self._alignment, self._warm)
            self._warm = []
        return self._arms


class _Arms:
    """The bandit's part of a run: arms, the order in which they are read, and their rewards after every pull."""

    def __init__(self, run: Selector, clusters: Clusters, alignment: Alignment, warm: Sequence[_Pairs]) -> None:
        self.settings = settings = run.settings
        self.first = len(run._pulls)
        read = np.array([document for pull in run._pulls for document in pull.documents], dtype=np.int64)
        self.vectors, self.target, self.clusters, self.alignment = run.vectors, run.target, clusters, alignment
        # For reports alone, where a little noise does no harm.
        self.exact = Transport(run.target, draws=2) if len(run.target) else None
        members = _members(run, clusters, alignment)
        self.unread = [documents[~np.isin(documents, read)] for documents in members]
        self.taken = [0] * len(members)
        neighbours = gaussian_distances(clusters) <= settings.neighbours if settings.neighbours > 0 else None
        pairs = _joined(warm, run.vectors.shape[1])
        self.placed = _placed(run.vectors, pairs, alignment) if settings.reward == "coverage" else None
        self.estimates = Estimates(
            # Where documents stand in, few pairs weigh little; where they do not, five are the fewest that are believed.
            reward_of(settings.reward, run.target, run._holes, 1 if settings.prior == "documents" else LEAST_PAIRS),
            [len(documents) for documents in members],
            [self._stand_ins(documents[:STAND_INS]) for documents in members]
            if settings.prior == "documents"
            else None,
            wide=run.vectors.shape[1],
            neighbours=neighbours,
            seed=settings.seed,
        )
        home = clusters.labels[pairs.owner]
        for arm in np.unique(clusters.labels[read]).tolist():
            mine = _Pairs(*(column[home == arm] for column in pairs))
            self._learn(arm, mine, read[clusters.labels[read] == arm])
        tried = np.ones(len(members)) if settings.prior == "documents" else self.estimates.known().astype(np.float64)
        self.bandit = Bandit([len(u) for u in self.unread], pulls=tried, alpha=settings.alpha, neighbours=neighbours)
        self.views = {self.first - 1: self._view()}
        """What is known by the pulls up to a number; only those that a later choice may need."""

    def choose(self, number: int) -> int | None:
        """The arm for pull `number`."""
        known = max(self.first - 1, number - self.settings.in_flight)
        for old in [n for n in self.views if n < known]:
            del self.views[old]
        return self.bandit.choose(*self.views[known])

    def take(self, arm: int, room: int) -> list[int]:
        """The next documents of the arm, at most `room`."""
        at = self.taken[arm]
        documents: list[int] = self.unread[arm][at : at + room].tolist()
        self.taken[arm] += len(documents)
        self.bandit.issue(arm, len(documents))
        return documents

    def land(self, pull: Pull, pairs: _Pairs) -> Landed:
        """Learn from a pull."""
        assert pull.cluster is not None
        reward = self._learn(pull.cluster, pairs, pull.documents)
        self.views[pull.number] = self._view()
        return Landed(pull.number, pull.cluster, self._distance(pull.cluster), reward)

    def summary(self) -> list[ArmSummary]:
        """One entry a cluster."""
        values = self.estimates.values()
        return [
            ArmSummary(
                cluster=arm,
                size=record.size,
                read=record.read,
                pulls=float(self.bandit.pulls[arm]),
                pairs=record.extracted,
                reward=float(values[arm]),
                distance=self._distance(arm),
                centroid=self.clusters.centroids[arm].tolist(),
            )
            for arm, record in enumerate(self.estimates.records)
        ]

    def _learn(self, arm: int, pairs: _Pairs, read: Sequence[int] | NDArray[np.int64]) -> float | None:
        empty = len(read) - len(np.unique(pairs.owner))
        return self.estimates.land(arm, Points(pairs.vectors, pairs.cells), len(read), empty)

    def _stand_ins(self, documents: NDArray[np.int64]) -> Points:
        """Aligned vectors of documents; where cells count, of those near a pair that has one, in the nearest's cell."""
        aligned = self.alignment.apply(np.asarray(self.vectors[documents]))
        placed = self.placed
        if placed is None:
            return Points(aligned, np.full(len(documents), -1, dtype=np.int64))
        cosines = aligned @ placed.vectors.T
        near = cosines.max(axis=1, initial=-1.0) >= placed.near
        return Points(aligned[near], placed.cells[cosines[near].argmax(axis=1)] if near.any() else placed.cells[:0])

    def _view(self) -> tuple[Values, NDArray[np.bool_] | None]:
        """The arms' expected rewards, and which are mere guesses; a documents' promise is none."""
        return self.estimates.values(), None if self.settings.prior == "documents" else ~self.estimates.known()

    def _distance(self, arm: int) -> float | None:
        record = self.estimates.records[arm]
        if self.exact is None:
            return None
        if self.settings.reward == "transport" and record.extracted >= LEAST_PAIRS:
            return None if record.seen is None else -record.seen
        reward = self.exact(*record.pairs, np.random.default_rng([self.settings.seed, 6, arm, record.extracted]))
        return None if reward is None else -reward


def _one_thread() -> AbstractContextManager[object]:
    """Small products on one thread: several threads wait for each other a hundred times as long as they work."""
    limited: AbstractContextManager[object] = _thread_pools().limit(limits=1, user_api="blas")
    return limited


@lru_cache(maxsize=1)
def _thread_pools() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _members(run: Selector, clusters: Clusters, alignment: Alignment) -> list[NDArray[np.int64]]:
    """The documents of every arm, in reading order."""
    order = run._draw(1).permutation(np.arange(len(run.vectors)))
    if run.settings.order == "nearest" and len(run.target):
        # Equals stay in random order.
        order = order[np.argsort(-_closeness(run, alignment)[order], kind="stable")]
    labels = clusters.labels[order]
    sizes = np.bincount(labels, minlength=len(clusters.centroids))
    return np.split(order[np.argsort(labels, kind="stable")], np.cumsum(sizes)[:-1])


def _closeness(run: Selector, alignment: Alignment) -> NDArray[np.float32]:
    """Mean cosine of each document's aligned vector to the nearest few target pairs (n,); in chunks of `CHUNK` × `WIDEST`
    cosines at most, since all may not fit.
    """
    few = min(NEAREST_TARGETS, len(run.target))
    step = max(1, CHUNK * WIDEST // max(WIDEST, len(run.target)))
    parts = []
    for at in range(0, len(run.vectors), step):
        cosines = alignment.apply(np.asarray(run.vectors[at : at + step])) @ run.target.T
        cosines.partition(-few, axis=1)
        parts.append(cosines[:, -few:].mean(axis=1))
    return np.concatenate(parts)


class _Placed(NamedTuple):
    """Pairs with a cell, and the cosine from which a document is near one."""

    vectors: Matrix
    cells: Cells
    near: float


def _placed(vectors: Matrix, pairs: _Pairs, alignment: Alignment) -> _Placed:
    """The pairs that have a cell; near is what nine of ten of them are to their own document."""
    rows = np.flatnonzero(pairs.cells >= 0)[:KEPT]
    own = alignment.apply(np.asarray(vectors[pairs.owner[rows]]))
    cosines = np.einsum("pd,pd->p", own, pairs.vectors[rows])
    return _Placed(pairs.vectors[rows], pairs.cells[rows], float(np.quantile(cosines, 0.1)) if len(rows) else 1.0)


def _joined(parts: Sequence[_Pairs], wide: int) -> _Pairs:
    none = _Pairs(np.zeros((0, wide), np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64))
    return _Pairs(*(np.concatenate(column) for column in zip(none, *parts, strict=True)))


def _check(vectors: Matrix, target: Matrix, settings: SelectionSettings, holes: NDArray[np.floating] | None) -> None:
    checked_alpha(settings.alpha)
    for name, value, least in (
        ("budget", settings.budget, 1),
        ("in_flight", settings.in_flight, 1),
        ("seed", settings.seed, 0),
    ):
        if value < least:
            raise UsageError(f"{name} is {value}: give a whole number from {least} up.")
    if settings.clusters is not None and settings.clusters < 1:
        raise UsageError(f"clusters is {settings.clusters}: give a whole number from 1 up.")
    if not 0 <= settings.warmup <= MAX_WARMUP:
        raise UsageError(f"warmup is {settings.warmup}: give a share of the budget from 0 to {MAX_WARMUP}.")
    if not settings.neighbours >= 0:
        raise UsageError(f"neighbours is {settings.neighbours}: give a squared distance from 0 up.")
    for name, chosen, known in (
        ("reward", settings.reward, REWARDS),
        ("prior", settings.prior, get_args(Prior)),
        ("order", settings.order, ORDERS),
        ("baseline", settings.baseline, BASELINES),
    ):
        if chosen not in known:
            raise UsageError(f"{name} is {chosen!r}: give one of {', '.join(repr(one) for one in known)}.")
    if vectors.ndim != 2:
        raise UsageError(f"The documents' vectors have {vectors.ndim} dimensions: give one row a document.")
    if settings.baseline:
        return
    if settings.reward == "coverage" and holes is None:
        raise UsageError("The coverage reward needs holes: give the number of pairs that every cell lacks.")
    if settings.reward != "coverage" and not len(target):
        raise UsageError("There is no target: give pairs that the extracted ones should resemble, or a baseline.")
    if len(target) and target.shape[1:] != vectors.shape[1:]:
        raise UsageError(
            f"Target vectors {target.shape} and document vectors {vectors.shape} differ in length: use one embedding model."
        )
    if not np.isfinite(target).all():
        raise UsageError("A target vector holds a number that is not finite: embed the target anew.")
