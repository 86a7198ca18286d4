"""How an extraction chose what it read: its pulls and clusters in numbers, for the report and the card.

One pass over the pulls; what is kept of their vectors are samples of bounded size.
"""

from __future__ import annotations

import io
import zipfile
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from typing_extensions import TypedDict

from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.database import reading
from searchinstruct_graph.datasets.ledger import NAME, PullRecord
from searchinstruct_graph.datasets.pair_vectors import from_fact
from searchinstruct_graph.datasets.run import RunFile, read_run
from searchinstruct_graph.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from searchinstruct_graph.selection.rewards import Reward, Transport

    Vectors = NDArray[np.float32]
    Halves = NDArray[np.float16]

METHOD = "equal"

SAMPLE = 32
"""Pairs that a distance is taken from, as a reward is: the more, the later a curve can begin."""

POINTS = 30
"""Points of the curve of distances."""

REWARD_WORDS = {
    "transport": "minus the optimal-transport distance from its pairs to the examples",
    "divergence": "minus the Sinkhorn divergence between its pairs and the examples",
    "similarity": "the mean cosine of its pairs to the examples' centre",
    "coverage": "how much the cells of its pairs still lack in the dataset that is covered",
}
"""What each reward of a cluster is, in words."""

_HELD = 256
"""Pairs that samples are drawn from."""
_DRAWS = 16
_KEPT = 32
"""Pairs of the warm-up that a cluster is known by."""
_NOTES = 10
_OF_CHOICE = frozenset(
    "corpus cover planned_documents reward alpha prior order neighbours clusters warmup pulls_in_flight baseline seed "
    "tune".split()
)
"""Settings of what is read, in which runs that are compared may well differ."""
_SEPARATE = frozenset({"decontaminate", "embeddings"})


class ClusterFacts(TypedDict):
    """One cluster and what was read of it."""

    cluster: int
    size: int
    """Documents in it."""
    read: int
    at_random: int
    """Of those read, the ones of the warm-up."""
    pulls: int
    """How often it was chosen."""
    pairs: int
    """Pairs that held in themselves, whether or not they became rows."""
    reward: float | None
    """By all its pairs; null when it gave none, or too few, or when rewards fall as the run goes on (`coverage`)."""
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
    same_pile: bool
    differences: list[tuple[str, str, str]]
    """What else the runs differ in beside the choice: its name, and what it is in this run and in the other."""
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
    """The cluster with the highest reward; null when none can be compared."""
    regret: list[tuple[int, float]]
    """Documents read, and the regret summed up to there."""
    random_regret: float | None
    """What a document drawn at random out of the clusters that were read is expected to add to the regret."""
    curve: list[tuple[int, float]]
    """Documents read, and the distance of `sample` of all pairs up to there to the examples."""
    chosen_curve: list[tuple[int, float]]
    """The same of the pairs after the warm-up alone."""
    random_distance: float | None
    """The same of the warm-up's pairs: what reading at random gives. Null when they are too few."""
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
    outline = _outline(folder, run)
    beside = _outline(against, other) if against and other else None
    size = _sample_size(outline.pairs if beside is None else min(outline.pairs, beside.pairs))
    found = _gathered(folder, run, outline, size, measured)
    if against and other and beside:
        theirs = _gathered(against, other, beside, size, measured)
        found["against"] = _counterpart(against, theirs, _same_space(folder, against), run, other)
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


def _counterpart(folder: Path, found: SelectionFacts, comparable: bool, run: RunFile, other: RunFile) -> Counterpart:
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
        same_pile=run["configuration"]["pile"] == other["configuration"]["pile"],
        differences=_differences(run["configuration"], other["configuration"]),
        curve=curve,
    )


def _differences(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Settings, models and prompts that two runs differ in, but for those of the choice: name, here, there."""
    found = []
    for part, form in (("models", "model of the {}"), ("prompts", "prompt {}"), ("settings", "{}")):
        one, other = mine.get(part) or {}, theirs.get(part) or {}
        skipped = _OF_CHOICE | _SEPARATE if part == "settings" else frozenset[str]()
        found += [
            (form.format(name), _as_words(one.get(name)), _as_words(other.get(name)))
            for name in sorted({*one, *other} - skipped)
            if one.get(name) != other.get(name)
        ]
    held = [mine.get("held_out") or {}, theirs.get("held_out") or {}]
    if held[0] != held[1]:
        here, there = (_as_words(sorted(Path(file).name for file in files)) for files in held)
        found.append(("held-out files", here, there))
    return found


def _as_words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None or value == "" else str(value)


@dataclass(frozen=True)
class _Outline:
    """How many pairs each pull gave, and how many of the first pulls were the warm-up."""

    upto: list[int]
    """Pairs up to and with each pull."""
    warmup: int

    @property
    def pairs(self) -> int:
        """Pairs in all."""
        return self.upto[-1] if self.upto else 0

    def checkpoints(self, size: int) -> frozenset[int]:
        """Numbers of the pulls after which a distance is taken of `size` pairs: the first that has so many, the last of all,
        about `POINTS` between them, and the last of the warm-up.
        """
        first, last = bisect_left(self.upto, size), len(self.upto) - 1
        if first > last:
            return frozenset()
        steps = min(POINTS - 1, last - first)
        spaced = {first + round(at * (last - first) / max(steps, 1)) for at in range(steps + 1)}
        return frozenset(spaced | ({self.warmup - 1} if first < self.warmup else set()))


def _outline(folder: Path, run: RunFile) -> _Outline:
    baseline = run["configuration"]["settings"].get("baseline")
    with reading(folder / NAME) as db:
        found = db.execute("SELECT json_array_length(owners), cluster IS NULL FROM pulls ORDER BY number").fetchall()
    upto = list(accumulate(pairs for pairs, _ in found))
    return _Outline(upto, 0 if baseline else sum(unchosen for _, unchosen in found))


def _sample_size(pairs: int) -> int:
    """How many pairs distances are taken from, of `pairs` in the run that has the fewest: `SAMPLE`, but no more than half of
    them, so that there is a curve; all when they are too few.
    """
    from searchinstruct_graph.selection.rewards import LEAST_PAIRS

    return min(SAMPLE, max(pairs // 2, min(pairs, LEAST_PAIRS)))


def _gathered(folder: Path, run: RunFile, outline: _Outline, size: int, measured: bool) -> SelectionFacts:
    from threadpoolctl import threadpool_limits

    # Products of small matrices: several threads wait for each other longer than they work.
    with threadpool_limits(limits=1, user_api="blas"):
        return _all_of(folder, run, outline, size, measured)


def _all_of(folder: Path, run: RunFile, outline: _Outline, size: int, measured: bool) -> SelectionFacts:
    settings = run["configuration"]["settings"]
    baseline = settings.get("baseline") or ""
    with reading(folder / NAME) as db:
        facts, spent = ledgers.read_facts(db), ledgers.total(ledgers.read_spending(db).values())
        target = kept_target(facts) if measured else None
        grouping = _grouping(ledgers.read_clusters(db))
        seen = _Pulls(baseline, grouping, _standing(target), size, outline.checkpoints(size))
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
        regret=_regret(seen, clusters, best),
        random_regret=_random_regret(clusters, best),
        curve=seen.curve,
        chosen_curve=seen.chosen_curve,
        random_distance=seen.random_distance,
        sample=size,
        homes=seen.homes,
        against=None,
    )


def kept_target(facts: Mapping[str, Any]) -> Vectors | None:
    """The examples' vectors (n, d) out of a run's facts; None when it has kept none."""
    kept = facts.get("target")
    if not kept:
        return None
    found = from_fact(kept)
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


def _standing(target: Vectors | None) -> Vectors | None:
    """The examples that distances are taken to: as many as can be transported exactly, standing for all."""
    from searchinstruct_graph.selection.rewards import TARGETS
    from searchinstruct_graph.selection.transport import representatives

    if target is None or len(target) <= TARGETS:
        return target
    return target[representatives(target, TARGETS, 0)]


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
    random_distance: float | None = None
    reads: list[_Read] = field(default_factory=list)
    of_cluster: Counter[tuple[int, str]] = field(default_factory=Counter)
    warm: dict[int, list[Vectors]] = field(default_factory=dict)
    """By cluster, some pairs of the warm-up: nothing else is known of a cluster that was not chosen."""

    def __post_init__(self) -> None:
        self._all, self._chosen = _Reservoir(_HELD, 1), _Reservoir(_HELD, 2)

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
        self._failed(pull)
        if pull["cluster"] is not None:
            self.of_cluster[pull["cluster"], "pulls"] += 1
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
            self._measure(at_random)

    def _measure(self, at_random: bool) -> None:
        whole, chosen = self._distance(self._all), self._distance(self._chosen)
        if whole is not None:
            self.curve.append((self.read, whole))
        if chosen is not None:
            self.chosen_curve.append((self.read, chosen))
        if at_random:
            self.random_distance = whole

    def _distance(self, held: _Reservoir) -> float | None:
        """Mean distance of samples of the pairs to the examples; None while there are too few."""
        from searchinstruct_graph.selection.rewards import LEAST_PAIRS
        from searchinstruct_graph.selection.transport import transport_distance

        if self.target is None or self.size < LEAST_PAIRS or held.seen < self.size:
            return None
        if held.width != self.target.shape[1]:
            # Killed while its encoder was tuned: the examples are seen through the new one, the pairs not yet.
            return None
        found = [transport_distance(sample, self.target) for sample in held.samples(self.size)]
        return sum(found) / len(found)

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

    def _failed(self, pull: PullRecord) -> None:
        gave = set(pull["owners"])
        self.failures.update(
            {document: str(kind) for document, kind in pull["failures"] if document not in gave}.values()
        )
        if pull["note"] and len(self.notes) < _NOTES:
            self.notes.append(pull["note"])


def _clusters(
    seen: _Pulls, grouping: _Grouping | None, target: Vectors | None, settings: Mapping[str, Any]
) -> tuple[list[ClusterFacts], tuple[float, float] | None, float | None]:
    """The clusters, where the examples lie on their map, and how much of the variance the map shows."""
    import numpy as np

    if grouping is None:
        return [], None, None
    places, centre, share = _map(grouping.centroids, target)
    sizes = np.bincount(grouping.labels, minlength=len(grouping.centroids))
    measures = None if target is None else _measures(target, settings)
    # What a filled cell is worth falls as the run goes on: rewards of different times cannot be compared.
    falling = settings.get("reward") == "coverage"
    found = []
    for cluster, place in enumerate(places):
        distance = seen.distances.get(cluster)
        reward = None if falling else seen.rewards.get(cluster)
        warm = seen.warm.get(cluster)
        if warm and measures is not None and cluster not in seen.distances:
            reward, distance = _of_warmup(np.stack(warm), measures)
        found.append(
            ClusterFacts(
                cluster=cluster,
                size=int(sizes[cluster]),
                read=seen.of_cluster[cluster, "read"],
                at_random=seen.of_cluster[cluster, "random"],
                pulls=seen.of_cluster[cluster, "pulls"],
                pairs=seen.of_cluster[cluster, "pairs"],
                reward=reward,
                distance=distance,
                place=place,
            )
        )
    return found, centre, share


class _Measures(NamedTuple):
    """The run's own reward, None when it falls as the run goes on, and the exact distance."""

    reward: Reward | None
    near: Transport


def _measures(target: Vectors, settings: Mapping[str, Any]) -> _Measures:
    from searchinstruct_graph.selection.rewards import LEAST_PAIRS, Transport, reward_of

    name = settings.get("reward", "transport")
    least = 1 if settings.get("prior", "documents") == "documents" else LEAST_PAIRS
    return _Measures(None if name == "coverage" else reward_of(name, target, least=least), Transport(target))


def _of_warmup(vectors: Vectors, measures: _Measures) -> tuple[float | None, float | None]:
    """(reward, distance) of a cluster that was never chosen, by its pairs of the warm-up."""
    import numpy as np

    cells, draw = np.full(len(vectors), -1, dtype=np.int64), np.random.default_rng(0)
    near = measures.near(vectors, cells, draw)
    reward = None if measures.reward is None else measures.reward(vectors, cells, draw)
    return reward, None if near is None else -near


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
    from searchinstruct_graph.selection.rewards import LEAST_PAIRS

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


def _random_regret(clusters: Sequence[ClusterFacts], best: int | None) -> float | None:
    """The regret that is expected of a random document: Σ size / n · (r* - r) over the clusters that were read, of n documents
    together. What was never read is not counted as the worst, or choosing well would look better still.
    """
    if best is None:
        return None
    losses = _losses(clusters, best)
    known = [each for each in clusters if each["read"]]
    return sum(each["size"] * losses[each["cluster"]] for each in known) / sum(each["size"] for each in known)


def _lost(pull: _Read, losses: Mapping[int, float]) -> float:
    return sum(losses[cluster] * count for cluster, count in pull.homes.items())


def most_read(clusters: Iterable[ClusterFacts]) -> list[ClusterFacts]:
    """The clusters with the most documents read first; of equals the better ones."""

    def order(each: ClusterFacts) -> tuple[int, float, int]:
        reward = each["reward"]
        return (-each["read"], -(reward if reward is not None else float("-inf")), each["cluster"])

    return sorted(clusters, key=order)
