"""How an extraction chose what it read: its pulls and clusters in numbers, for the report and the card.

One pass over the pulls; what is kept of their vectors are samples of bounded size.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import sqlite3
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from typing_extensions import TypedDict

from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.database import reading
from searchinstruct_graph.datasets.ledger import NAME, PullRecord
from searchinstruct_graph.datasets.run import RunFile, read_run
from searchinstruct_graph.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Halves = NDArray[np.float16]

METHOD = "equal"

SAMPLE = 256
"""Vectors a side that a distance is taken from at most: so many are transported exactly."""

LEAST_PAIRS = 5
"""Pairs below which a distance alone is not believed."""

POINTS = 30
"""Points of the curve of distances."""

FIRST = 0.2
"""Share of the pulls that stands for the warm-up of a run without one."""

_DRAWS = 5
_KEPT = 32
"""Pairs of the warm-up that a cluster is known by: as many as a reward is taken from."""
_NOTES = 10


class ClusterFacts(TypedDict):
    """One cluster and what was read of it."""

    cluster: int
    size: int
    """Documents in it."""
    read: int
    at_random: int
    """Of those read, the ones of the warm-up."""
    pairs: int
    """Pairs that held in themselves, whether or not they became rows."""
    reward: float | None
    """By all its pairs; null when it gave none, or too few."""
    distance: float | None
    """Optimal-transport distance from its pairs to the examples, 0 to 2; null when there are too few."""
    place: tuple[float, float]
    """On the map: the first two principal components of the centroids, from -1 to 1."""


class Counterpart(TypedDict):
    """Another run beside this one."""

    name: str
    baseline: str
    documents: int | None
    read: int
    pairs: int
    empty: int
    accepted: int
    off_target: int
    model_calls: int
    cost_usd: float | None
    distance: float | None
    """Of everything it extracted, taken from as many vectors as this run's."""
    comparable: bool
    """Whether both runs see pairs through one encoder; there are no distances otherwise."""
    curve: list[tuple[int, float]]


class SelectionFacts(TypedDict):
    """How an extraction chose, in numbers."""

    baseline: str
    """`random` or `all` when nothing was chosen, else empty."""
    reward: str
    examples: int
    """Pairs that it was to find the like of."""
    documents: int | None
    """In the pile, sections of long ones counted each; null when not known."""
    budget: int
    read: int
    pulls: int
    warmup_pulls: int
    warmup_read: int
    pairs: int
    """Pairs that held in themselves, whether or not they became rows."""
    empty: int
    """Documents read without such a pair."""
    failures: dict[str, int]
    """Of these, documents that could not be asked, by the kind of failure."""
    notes: list[str]
    """The first pulls' notes on such documents."""
    off_target: int
    accepted: int
    model_calls: int
    cost_usd: float | None
    clusters: list[ClusterFacts]
    """In order of their numbers; empty in a baseline and before they are formed."""
    centre: tuple[float, float] | None
    """Where the examples' mean lies on the map."""
    shown_variance: float | None
    """Share of the centroids' variance that the map shows."""
    best: int | None
    """The cluster with the highest reward."""
    regret: list[tuple[int, float]]
    """Documents read, and the regret summed up to there."""
    random_regret: float | None
    """Regret a document in the warm-up."""
    curve: list[tuple[int, float]]
    """Documents read, and the distance of `sample` of all pairs up to there to the examples."""
    chosen_curve: list[tuple[int, float]]
    """The same of the pairs after the warm-up alone."""
    random_distance: float | None
    """The same of the warm-up's pairs: what reading at random gives."""
    sample: int
    """Vectors that every distance of the curves is taken from: distances of sets of one size can be compared."""
    homes: dict[int, int]
    """Of pulls whose documents all belong to one cluster: that cluster."""
    against: Counterpart | None


def is_extraction(run: RunFile) -> bool:
    """Whether the run is an extraction."""
    return bool(run["configuration"]["method"] == METHOD)


def selection_facts(folder: Path, against: Path | None = None, *, measured: bool = True) -> SelectionFacts:
    """How the extraction in `folder` chose, and with `against` how another one fared with the same examples. Without
    `measured`, no distances are taken but those that the run has kept.

    Blocking, about a second for 200 pulls; memory does not grow with the pairs.

    Raises:
        UsageError: a folder holds no extraction, or the two cannot be compared.
    """
    run = _extraction(folder)
    other = _comparable(run, folder, against) if against else None
    size = min(_sample_size(folder, run), _sample_size(against, other) if against and other else SAMPLE)
    found = _gathered(folder, run, size, measured)
    if against and other:
        found["against"] = _counterpart(
            against, _gathered(against, other, size, measured), _same_space(folder, against)
        )
    return found


def _extraction(folder: Path) -> RunFile:
    run = read_run(folder)
    if not is_extraction(run):
        raise UsageError(
            f"{folder} is no extraction, so nothing was selected in it; name a run of searchinstruct extract"
        )
    return run


def _comparable(run: RunFile, folder: Path, against: Path) -> RunFile:
    """The run in `against`. Raises UsageError when its numbers say nothing beside this run's."""
    other = _extraction(against)
    mine, theirs = run["configuration"], other["configuration"]
    if mine["examples"] != theirs["examples"]:
        raise UsageError(f"{against} looked for other examples than {folder}; compare runs of the same --examples")
    if mine["settings"].get("embeddings") != theirs["settings"].get("embeddings"):
        raise UsageError(f"{against} used other embeddings than {folder}; compare runs of the same --embeddings")
    return other


def _same_space(one: Path, other: Path) -> bool:
    """Whether two runs of the same examples have the same vectors of them: one may have tuned its encoder."""
    targets = []
    for folder in (one, other):
        with reading(folder / NAME) as db:
            targets.append(ledgers.read_facts(db).get("target"))
    return targets[0] == targets[1]


def _counterpart(folder: Path, found: SelectionFacts, comparable: bool) -> Counterpart:
    curve = found["curve"] if comparable else []
    return Counterpart(
        name=folder.absolute().name,
        baseline=found["baseline"],
        documents=found["documents"],
        read=found["read"],
        pairs=found["pairs"],
        empty=found["empty"],
        accepted=found["accepted"],
        off_target=found["off_target"],
        model_calls=found["model_calls"],
        cost_usd=found["cost_usd"],
        distance=curve[-1][1] if curve else None,
        comparable=comparable,
        curve=curve,
    )


def _first_pulls(db: sqlite3.Connection, baseline: str) -> tuple[int, int]:
    """(pulls of the warm-up or of what stands for it, all pulls)."""
    pulls, chosen = db.execute("SELECT count(*), min(number) FILTER (WHERE cluster IS NOT NULL) FROM pulls").fetchone()
    if baseline or chosen == 0:
        return max(1, round(FIRST * pulls)), pulls
    return (pulls if chosen is None else chosen), pulls


def _sample_size(folder: Path, run: RunFile) -> int:
    """How many vectors distances are taken from: as many pairs as the warm-up has given, up to `SAMPLE`."""
    with reading(folder / NAME) as db:
        first, _ = _first_pulls(db, run["configuration"]["settings"].get("baseline") or "")
        counted = "SELECT coalesce(sum(json_array_length(owners)), 0) FROM pulls WHERE number < ?"
        return min(SAMPLE, int(db.execute(counted, (first,)).fetchone()[0]))


def _gathered(folder: Path, run: RunFile, size: int, measured: bool) -> SelectionFacts:
    from threadpoolctl import threadpool_limits

    # Products of small matrices: several threads wait for each other longer than they work.
    with threadpool_limits(limits=1, user_api="blas"):
        return _all_of(folder, run, size, measured)


def _all_of(folder: Path, run: RunFile, size: int, measured: bool) -> SelectionFacts:
    settings = run["configuration"]["settings"]
    baseline = settings.get("baseline") or ""
    with reading(folder / NAME) as db:
        facts, spent = ledgers.read_facts(db), ledgers.total(ledgers.read_spending(db).values())
        first, pulls = _first_pulls(db, baseline)
        target = kept_target(facts) if measured else None
        grouping = _grouping(ledgers.read_clusters(db))
        checkpoints = _checkpoints(first, pulls)
        seen = _Pulls(baseline, first, grouping, target, size, checkpoints)
        for pull in ledgers.read_pulls(db):
            seen.add(pull)
        shown = "SELECT count(*) FROM instructions WHERE status = 'shown'"
        off_target = "SELECT count(*) FROM rejections WHERE reason = 'off_target'"
        examples, refused = (int(db.execute(query).fetchone()[0]) for query in (shown, off_target))
        accepted = int(db.execute("SELECT count(*) FROM rows").fetchone()[0])
    documents = facts.get("pile", {}).get("sections")
    clusters, centre, shown_variance = _clusters(seen, grouping, target, settings)
    best = _best(clusters)
    return SelectionFacts(
        baseline=baseline,
        reward=settings.get("reward", "transport"),
        examples=examples,
        documents=len(grouping.labels) if documents is None and grouping else documents,
        budget=run["options"]["budget_documents"],
        read=seen.read,
        pulls=seen.pulls,
        warmup_pulls=seen.warmup_pulls,
        warmup_read=seen.warmup_read,
        pairs=seen.pairs,
        empty=seen.empty,
        failures=dict(seen.failures),
        notes=seen.notes,
        off_target=refused,
        accepted=accepted,
        model_calls=spent["model_calls"],
        cost_usd=spent["cost_usd"],
        clusters=clusters,
        centre=centre,
        shown_variance=shown_variance,
        best=best,
        regret=_regret(seen, clusters, best) if settings.get("reward") != "coverage" else [],
        random_regret=_random_regret(seen, clusters, best) if settings.get("reward") != "coverage" else None,
        curve=seen.curve,
        chosen_curve=seen.chosen_curve,
        random_distance=seen.curve[0][1] if seen.curve and seen.warmup_pulls else None,
        sample=size,
        homes=seen.homes,
        against=None,
    )


def kept_target(facts: Mapping[str, Any]) -> Vectors | None:
    """The examples' vectors (n, d) out of a run's facts; None when it has kept none."""
    import numpy as np

    kept = facts.get("target")
    if not kept:
        return None
    try:
        rows = np.frombuffer(base64.b64decode(kept["vectors"], validate=True), dtype=np.float16)
        found = rows.reshape(-1, kept["dimensions"]).astype(np.float32)
    except (binascii.Error, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"the run's fact `target` cannot be read ({error}); try: searchinstruct doctor") from error
    return found if len(found) else None


@dataclass(frozen=True)
class _Grouping:
    """The clusters as the run has kept them: (n,) labels and (k, d) centroids."""

    labels: NDArray[np.int32]
    centroids: Vectors


def _grouping(state: bytes | None) -> _Grouping | None:
    import numpy as np

    if state is None:
        return None
    try:
        with np.load(io.BytesIO(state), allow_pickle=False) as kept:
            return _Grouping(kept["labels"], kept["centroids"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(f"the run's clusters cannot be read ({error}); try: searchinstruct doctor") from error


def _checkpoints(first: int, pulls: int) -> frozenset[int]:
    """Numbers of the pulls after which a distance is taken: the last of the warm-up, the last of all, and between them."""
    steps = min(POINTS - 1, max(0, pulls - first))
    return frozenset(first - 1 + round(at * (pulls - first) / max(steps, 1)) for at in range(steps + 1))


class _Reservoir:
    """A uniform sample of the rows that were added, at most `most` of them (Vitter 1985, algorithm R)."""

    def __init__(self, most: int, seed: int) -> None:
        import numpy as np

        self.seen, self._most, self._draw = 0, most, np.random.default_rng(seed)
        self._rows: list[Halves] = []

    def add(self, rows: Halves) -> None:
        import numpy as np

        places = self._draw.integers(0, np.arange(self.seen + 1, self.seen + len(rows) + 1))
        for row, place in zip(rows, places, strict=True):
            if len(self._rows) < self._most:
                self._rows.append(row)
            elif place < self._most:
                self._rows[int(place)] = row
        self.seen += len(rows)

    @property
    def width(self) -> int:
        """Numbers of a row; 0 without rows."""
        return len(self._rows[0]) if self._rows else 0

    def samples(self, size: int) -> Iterator[Vectors]:
        """Samples of `size` rows, more than one where there is something to choose."""
        import numpy as np

        for _ in range(1 if size == len(self._rows) else _DRAWS):
            chosen = self._draw.choice(len(self._rows), size, replace=False)
            yield np.stack([self._rows[int(at)] for at in chosen]).astype(np.float32)


@dataclass
class _Read:
    """A pull in short: documents up to and with it, whether it was of the warm-up, and its documents by cluster."""

    upto: int
    at_random: bool
    homes: dict[int, int]


@dataclass
class _Pulls:
    """What one pass over the pulls has found."""

    baseline: str
    first: int
    grouping: _Grouping | None
    target: Vectors | None
    size: int
    checkpoints: frozenset[int]
    pulls: int = 0
    read: int = 0
    warmup_pulls: int = 0
    warmup_read: int = 0
    pairs: int = 0
    empty: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    rewards: dict[int, float] = field(default_factory=dict)
    distances: dict[int, float | None] = field(default_factory=dict)
    homes: dict[int, int] = field(default_factory=dict)
    curve: list[tuple[int, float]] = field(default_factory=list)
    chosen_curve: list[tuple[int, float]] = field(default_factory=list)
    reads: list[_Read] = field(default_factory=list)
    of_cluster: Counter[tuple[int, str]] = field(default_factory=Counter)
    warm: dict[int, list[Vectors]] = field(default_factory=dict)
    """By cluster, some pairs of the warm-up: nothing else is known of a cluster that was not chosen."""

    def __post_init__(self) -> None:
        self._all, self._chosen = _Reservoir(SAMPLE, 1), _Reservoir(SAMPLE, 2)

    def add(self, pull: PullRecord) -> None:
        """Take in one pull."""
        import numpy as np

        documents, owners = pull["documents"], pull["owners"]
        vectors = np.frombuffer(pull["vectors"], dtype=np.float16).reshape(len(owners), -1) if owners else None
        at_random = pull["cluster"] is None and not self.baseline
        self.pulls += 1
        self.read += len(documents)
        self.pairs += len(owners)
        self.empty += len(set(documents) - set(owners))
        self.warmup_pulls += at_random
        self.warmup_read += len(documents) * at_random
        self._noted(pull["note"])
        if pull["cluster"] is not None:
            self.distances[pull["cluster"]] = pull["distance"]
            if pull["reward"] is not None:
                self.rewards[pull["cluster"]] = pull["reward"]
        if self.grouping is not None and not self.baseline:
            self._grouped(pull, at_random, vectors)
        if vectors is not None:
            self._all.add(vectors)
            if pull["cluster"] is not None:
                self._chosen.add(vectors)
        if pull["number"] in self.checkpoints:
            self._measure(self._all, self.curve)
            self._measure(self._chosen, self.chosen_curve)

    def _measure(self, held: _Reservoir, curve: list[tuple[int, float]]) -> None:
        from searchinstruct_graph.selection.transport import transport_distance

        if self.target is None or self.size < LEAST_PAIRS or held.seen < self.size:
            return
        if held.width != self.target.shape[1]:
            # Killed while its encoder was tuned: the examples are seen through the new one, the pairs not yet.
            return
        found = [transport_distance(sample, self.target) for sample in held.samples(self.size)]
        curve.append((self.read, sum(found) / len(found)))

    def _grouped(self, pull: PullRecord, at_random: bool, vectors: Halves | None) -> None:
        assert self.grouping is not None
        labels = self.grouping.labels
        homes = Counter(int(labels[document]) for document in pull["documents"])
        for cluster, count in homes.items():
            self.of_cluster[cluster, "read"] += count
            self.of_cluster[cluster, "random"] += count * at_random
        if len(homes) == 1:
            self.homes[pull["number"]] = next(iter(homes))
        self.reads.append(_Read(self.read, at_random, dict(homes)))
        for row, owner in enumerate(pull["owners"]):
            cluster = int(labels[owner])
            self.of_cluster[cluster, "pairs"] += 1
            if at_random and vectors is not None and len(kept := self.warm.setdefault(cluster, [])) < _KEPT:
                kept.append(vectors[row].astype("float32"))

    def _noted(self, note: str) -> None:
        if not note:
            return
        self.failures.update(_kinds(note))
        if len(self.notes) < _NOTES:
            self.notes.append(note)


@cache
def _failed() -> re.Pattern[str]:
    # Here, because a status needs neither this nor the frameworks that come with it.
    from searchinstruct_graph.models.structured import FailureKind

    return re.compile(rf": ({'|'.join(get_args(FailureKind))}): |: (a purged source is not read)(?=;|$)")


def _kinds(note: str) -> Iterator[str]:
    for kind, purged in _failed().findall(note):
        yield "purged" if purged else kind


def _clusters(
    seen: _Pulls, grouping: _Grouping | None, target: Vectors | None, settings: Mapping[str, Any]
) -> tuple[list[ClusterFacts], tuple[float, float] | None, float | None]:
    """The clusters, where the examples lie on their map, and how much of the variance the map shows."""
    import numpy as np

    if grouping is None:
        return [], None, None
    places, centre, share = _map(grouping.centroids, target)
    sizes = np.bincount(grouping.labels, minlength=len(grouping.centroids))
    found = []
    for cluster, place in enumerate(places):
        distance = seen.distances.get(cluster)
        reward = seen.rewards.get(cluster)
        warm = seen.warm.get(cluster)
        if warm and target is not None and cluster not in seen.distances:
            reward, distance = _of_warmup(np.stack(warm), cluster, target, settings)
        found.append(
            ClusterFacts(
                cluster=cluster,
                size=int(sizes[cluster]),
                read=seen.of_cluster[cluster, "read"],
                at_random=seen.of_cluster[cluster, "random"],
                pairs=seen.of_cluster[cluster, "pairs"],
                reward=reward,
                distance=distance,
                place=place,
            )
        )
    return found, centre, share


def _of_warmup(
    vectors: Vectors, cluster: int, target: Vectors, settings: Mapping[str, Any]
) -> tuple[float | None, float | None]:
    """(reward, distance) of a cluster that was never chosen, by its pairs of the warm-up; the reward as the run takes it."""
    import numpy as np

    from searchinstruct_graph.selection.rewards import Similarity, Transport

    least = 1 if settings.get("prior", "documents") == "documents" else LEAST_PAIRS
    cells = np.zeros(len(vectors), dtype=np.int64)
    near = Transport(target, least=least)(vectors, cells, np.random.default_rng([settings.get("seed", 0), cluster]))
    distance = -near if near is not None and len(vectors) >= LEAST_PAIRS else None
    if settings.get("reward") == "coverage":
        return None, distance
    if settings.get("reward") == "similarity":
        return Similarity(target, least=least)(vectors, cells, np.random.default_rng(0)), distance
    return near, distance


def _map(
    centroids: Vectors, target: Vectors | None
) -> tuple[list[tuple[float, float]], tuple[float, float] | None, float | None]:
    """The centroids (k, d) and the mean of the target on the centroids' first two principal components, both axes on one
    scale, from -1 to 1; and the share of the variance that those components hold.
    """
    import numpy as np

    rows = centroids.astype(np.float64)
    mean = rows.mean(axis=0)
    _, lengths, components = np.linalg.svd(rows - mean, full_matrices=False)
    axes, values = components[:2].T, lengths**2
    # A component's sign is anyone's choice: its largest part is made positive.
    axes = axes * np.where(axes[np.argmax(np.abs(axes), axis=0), np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    points = rows if target is None else np.vstack([rows, target.mean(axis=0, dtype=np.float64)])
    flat = np.zeros((len(points), 2))
    flat[:, : axes.shape[1]] = (points - mean) @ axes
    flat -= (flat.max(axis=0) + flat.min(axis=0)) / 2
    reach = float(np.abs(flat).max(initial=0.0))
    placed = [(float(x), float(y)) for x, y in (flat / reach if reach > 0 else flat)]
    share = float(values[:2].sum() / values.sum()) if values.any() else None
    return placed[: len(rows)], None if target is None else placed[-1], share


def _best(clusters: Sequence[ClusterFacts]) -> int | None:
    """The cluster with the highest reward, among those with enough pairs to believe it when there are any."""
    known = [each for each in clusters if each["reward"] is not None]
    believed = [each for each in known if each["pairs"] >= LEAST_PAIRS] or known
    return max(believed, key=lambda each: each["reward"] or 0.0)["cluster"] if believed else None


def _losses(clusters: Sequence[ClusterFacts], best: int) -> dict[int, float]:
    """By cluster, the regret of a document read from it: r* - r, not below 0; a cluster without a reward counts as the worst."""
    highest = clusters[best]["reward"]
    known = {each["cluster"]: each["reward"] for each in clusters if each["reward"] is not None}
    assert highest is not None
    worst = min(known.values())
    return {each["cluster"]: max(0.0, highest - known.get(each["cluster"], worst)) for each in clusters}


def _regret(seen: _Pulls, clusters: Sequence[ClusterFacts], best: int | None) -> list[tuple[int, float]]:
    """Documents read and the regret summed up to there, pull by pull.

    The regret of a document is r* - r in hindsight: the best cluster's reward less that of the document's own cluster, both
    by everything that was extracted. Rewards as they stood at the pull would rest on sets of differing size.
    """
    if best is None:
        return []
    losses = _losses(clusters, best)
    whole, found = 0.0, [(0, 0.0)]
    for pull in seen.reads:
        whole += _lost(pull, losses)
        found.append((pull.upto, whole))
    return found


def _random_regret(seen: _Pulls, clusters: Sequence[ClusterFacts], best: int | None) -> float | None:
    if best is None or not seen.warmup_read:
        return None
    losses = _losses(clusters, best)
    return sum(_lost(pull, losses) for pull in seen.reads if pull.at_random) / seen.warmup_read


def _lost(pull: _Read, losses: Mapping[int, float]) -> float:
    return sum(losses[cluster] * count for cluster, count in pull.homes.items())


def most_read(clusters: Iterable[ClusterFacts]) -> list[ClusterFacts]:
    """The clusters with the most documents read first; of equals the better ones."""

    def order(each: ClusterFacts) -> tuple[int, float, int]:
        reward = each["reward"]
        return (-each["read"], -(reward if reward is not None else float("-inf")), each["cluster"])

    return sorted(clusters, key=order)
