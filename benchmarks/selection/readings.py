"""What is read of a pool within a budget, in which order, and what that brought."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks.selection import rivals
from benchmarks.selection.extracted import Extracted
from benchmarks.selection.pools import Task, Universe
from searchinstruct_graph.selection.selector import SelectionSettings, Selector
from searchinstruct_graph.selection.transport import EXACT_CELLS, transport_distance

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

ON_TARGET = 50
"""Pairs of the target's kind that a person wants."""

CALL = 0.2
"""Seconds of one call to a model; reading a document takes at least one."""

NEAREST, BM25 = ("nearest to the centroid", "nearest to a pair"), ("BM25, best score", "BM25, in turn")
RANDOM, SELECTED = "random", "selected"

Result = TypeVar("Result")


@dataclass
class Scene:
    """A task in numbers; every index is one into the task's pool."""

    universe: Universe
    task: Task
    made: Extracted
    target: Vectors
    documents: Vectors
    pairs_of: list[list[int]]
    """Rows of `made.vectors` by document."""

    is_kind: NDArray[np.bool_]
    true_of: list[int]
    """True pairs by document."""

    met_of: list[int]
    """True pairs by document that an extracted pair of it meets."""

    @property
    def expected(self) -> float:
        """The share of a random reading that is of the target's kind."""
        return float(self.is_kind.mean())


def scene(universe: Universe, made: Extracted, task: Task, target: Vectors) -> Scene:
    """The numbers of a task out of those of its universe."""
    import numpy as np

    of_target = [universe.documents[at].kind == task.target for at in task.pool]
    return Scene(
        universe,
        task,
        made,
        target,
        made.documents[task.pool],
        [made.pairs_of[at] for at in task.pool],
        np.array(of_target),
        [len(universe.documents[at].true) if own else 0 for at, own in zip(task.pool, of_target, strict=True)],
        [made.met[at] if own else 0 for at, own in zip(task.pool, of_target, strict=True)],
    )


@dataclass
class Reading:
    """Documents in the order in which they were read, and the seconds that choosing them took."""

    order: list[int]
    seconds: float = 0.0


def selected(scene: Scene, settings: SelectionSettings) -> Reading:
    """Runs the product's selector; a document that is read gives the pairs that were extracted of it beforehand.

    Its seconds are those of the processor, of all threads, so that other work on the machine does not count.
    """
    import numpy as np

    spent = 0.0

    def timed(work: Callable[..., Result], *given: Any) -> Result:
        nonlocal spent
        start = time.process_time()
        result = work(*given)
        spent += time.process_time() - start
        return result

    selector = timed(Selector, scene.documents, scene.target, settings)
    order: list[int] = []
    in_flight: deque[tuple[int, list[int]]] = deque()
    issuing = True
    while issuing or in_flight:
        if timed(selector.needs_clusters):
            timed(selector.form_clusters)
        elif issuing and timed(selector.ready):
            pull = timed(selector.next)
            if pull is None:
                issuing = False
            else:
                order += pull.documents
                in_flight.append((pull.number, pull.documents))
        else:
            number, documents = in_flight.popleft()
            rows = [(at, row) for at in documents for row in scene.pairs_of[at]]
            vectors = scene.made.vectors[[row for _, row in rows]]
            timed(selector.land, number, vectors, np.array([at for at, _ in rows], dtype=np.int64), None)
    return Reading(order, spent)


def rival_readings(scene: Scene, stemmed: Sequence[Sequence[str]], budget: int, seed: int) -> dict[str, Reading]:
    """Every rival's reading within the budget."""
    orders = {
        RANDOM: rivals.by_chance(len(scene.documents), seed),
        NEAREST[0]: rivals.by_centroid(scene.documents, scene.target),
        NEAREST[1]: rivals.by_nearest(scene.documents, scene.target),
        **rivals.by_words(stemmed, [pair.question for pair in scene.task.pairs]),
    }
    return {name: Reading(order[:budget].tolist()) for name, order in orders.items()}


def pairs_read(scene: Scene, order: Sequence[int]) -> list[int]:
    """Rows of the pairs that the documents gave, in order."""
    return [row for at in order for row in scene.pairs_of[at]]


def documents_for_pairs(scene: Scene, order: Sequence[int], wanted: int = ON_TARGET) -> int | None:
    """How many documents were read until `wanted` pairs came from documents of the target's kind; None if too few did."""
    found = 0
    for count, at in enumerate(order, 1):
        if scene.is_kind[at]:
            found += len(scene.pairs_of[at])
            if found >= wanted:
                return count
    return None


def by_chance_for_pairs(scene: Scene, seed: int, times: int = 25) -> float:
    """The mean of the same over random orders of the whole pool; infinite when the pool holds too few."""
    needed = [
        documents_for_pairs(scene, rivals.by_chance(len(scene.documents), 1_000 * seed + n).tolist())
        for n in range(times)
    ]
    return sum(count if count else float("inf") for count in needed) / times


def distance(scene: Scene, order: Sequence[int], count: int, seed: int) -> float:
    """Transport distance to the target of `count` of the pairs that were read, taken at random."""
    import numpy as np

    rows = pairs_read(scene, order)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:count])
    return transport_distance(scene.made.vectors[np.array(rows)[chosen]], scene.target)


def sameness(scene: Scene, order: Sequence[int]) -> float:
    """Mean cosine between two different pairs that were read."""
    vectors = scene.made.vectors[pairs_read(scene, order)]
    n = len(vectors)
    total = vectors.sum(axis=0)
    return float((total @ total - (vectors * vectors).sum()) / (n * (n - 1))) if n > 1 else float("nan")


def measured(scene: Scene, reading: Reading, chance: Reading, seed: int) -> dict[str, Any]:
    """The numbers of one reading; `chance` is the random one of the same budget."""
    budget = len(chance.order)
    own = scene.is_kind[reading.order]
    best = min(budget, scene.task.of_kind)
    # As many pairs as exact transport takes: of fewer cells than that the distance is no approximation.
    exact = EXACT_CELLS // len(scene.target)
    count = min(exact, len(pairs_read(scene, reading.order)), len(pairs_read(scene, chance.order)))
    return {
        "documents": len(reading.order),
        "pairs": len(pairs_read(scene, reading.order)),
        "share": float(own.mean()),
        "times random": float(own.mean()) / scene.expected,
        "times random, by quarter": [
            float(own[len(own) * quarter // 4 : len(own) * (quarter + 1) // 4].mean()) / scene.expected
            for quarter in range(4)
        ],
        "regret": 1 - int(own.sum()) / best,
        "documents for 50": documents_for_pairs(scene, reading.order),
        "true pairs carried": sum(scene.true_of[at] for at in reading.order),
        "true pairs met": sum(scene.met_of[at] for at in reading.order),
        "distance": distance(scene, reading.order, count, seed),
        "distance of random": distance(scene, chance.order, count, seed),
        "sameness": sameness(scene, reading.order),
        "seconds": reading.seconds,
        "seconds of calls": CALL * len(reading.order),
    }
