"""One pass over the rows and one over the rejections: counts and samples whose memory does not grow with their number."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Generic, NamedTuple, TypeVar, get_args

from searchinstruct_graph.datasets.acceptance import source_unit
from searchinstruct_graph.datasets.formats import licence_of
from searchinstruct_graph.datasets.rows import BLOOM, Operation, Origin, Rejection, Row
from searchinstruct_graph.text.words import words

T = TypeVar("T")

PROBED = 2_000
"""Instructions that diversity is measured on."""
SHOWN = 10
"""Rows that are shown in full."""
SHOWN_REJECTIONS = 5
"""Rejections that are shown of each reason."""
PRIVATE = frozenset(["pii", "secret"])
"""Reasons whose texts hold what must not travel with a report."""
LONGEST = 100_000
"""Longer texts count as so many words: lengths have so many different values at most."""

_STRATA = 40
_REASONS = 200
_KEY = 200
"""Characters of a key that are told apart."""


class Tally:
    """Counts by key, in columns; above twice `most` keys, the rarest are let go and their counts kept together."""

    def __init__(self, most: int = 20_000, columns: int = 1) -> None:
        self._most = most
        self._columns = columns
        self.counts: dict[str, list[int]] = {}
        self.others = [0] * columns
        """What was counted for keys that were let go. While all of it is 0, every count is exact."""

    def add(self, key: str, column: int = 0) -> None:
        """Count one more of `key`."""
        held = self.counts.get(key[:_KEY])
        if held is None:
            held = self.counts[key[:_KEY]] = [0] * self._columns
            held[column] = 1
            if len(self.counts) > 2 * self._most:
                self._let_go()
        else:
            held[column] += 1

    def _let_go(self) -> None:
        kept = dict(self._sorted()[: self._most])
        for key, counts in self.counts.items():
            if key not in kept:
                self.others = [a + b for a, b in zip(self.others, counts, strict=True)]
        self.counts = kept

    def _sorted(self) -> list[tuple[str, list[int]]]:
        return sorted(self.counts.items(), key=lambda item: (-sum(item[1]), item[0]))

    def top(self, most: int | None = None) -> list[tuple[str, list[int]]]:
        """The keys that were counted most, with their counts."""
        return self._sorted()[:most]

    def first(self) -> dict[str, int]:
        """Every key with its first column, the largest first."""
        return {key: counts[0] for key, counts in self._sorted()}

    @property
    def exact(self) -> bool:
        """Whether no key was let go."""
        return not any(self.others)


def draw(key: str) -> int:
    """A number that looks drawn, the same for the same key: what samples go by."""
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, key=b"report").digest())


class Sample(Generic[T]):
    """`size` of what is offered, each offer as likely as any other, whatever their order: those with the least draws."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[tuple[int, int, T]] = []
        self._offered = 0

    def offer(self, drawn: int, make: Callable[[], T]) -> None:
        """Take what `make` gives, if it belongs to the sample so far."""
        self._offered += 1
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, (-drawn, -self._offered, make()))
        elif -drawn > self._heap[0][0]:
            heapq.heapreplace(self._heap, (-drawn, -self._offered, make()))

    def items(self) -> list[T]:
        """The sample, the least draw first."""
        return [item for _, _, item in sorted(self._heap, key=lambda entry: (-entry[0], -entry[1]))]


class Probe(NamedTuple):
    """What diversity and the map need of a row."""

    instruction: str
    bloom: str
    kind: str


class Scores:
    """Numbers from 0 to 1 and how many were not taken."""

    def __init__(self) -> None:
        self.counts: Counter[float] = Counter()
        """By the number, to three decimals."""
        self.missing = 0

    def add(self, value: float | None) -> None:
        """Count a number; None and what is no number are missing."""
        if value is None or not math.isfinite(value):
            self.missing += 1
        else:
            self.counts[round(min(max(value, 0.0), 1.0), 3)] += 1


class ClusterWords:
    """The words of what was read, by the cluster that it was chosen from, or the pull where none was chosen.

    Of each, the words of a few pairs are kept: their questions, quotes and titles.
    """

    _PAIRS, _WORDS = 16, 48

    def __init__(self) -> None:
        self._of: dict[tuple[str, int], Sample[tuple[str, frozenset[str]]]] = {}
        self._known: dict[str, str] = {}

    def add(self, made: Row | Rejection) -> None:
        """Take in a pair of an extraction; anything else is passed over."""
        selected = made["origin"].get("selection")
        if selected is None:
            return
        cluster = selected["cluster"]
        key = ("pull", selected["pull"]) if cluster is None else ("cluster", cluster)
        sample = self._of.setdefault(key, Sample(self._PAIRS))
        sample.offer(draw(made["id"]), lambda: (made["origin"]["family"], self._words(made)))

    def _words(self, made: Row | Rejection) -> frozenset[str]:
        texts = [made["instruction"]]
        for source in made["sources"]:
            texts += [source["title"], *(quote["text"] for quote in source["quotes"])]
        found = dict.fromkeys(words(" ".join(text[:2_000] for text in texts)[:4_000]))
        kept = [self._known.setdefault(word, word) for word in found if len(word) > 1 and not word.isdigit()]
        return frozenset(kept[: self._WORDS])

    def telling(self, homes: Mapping[int, int], most: int = 3) -> dict[int, list[str]]:
        """By cluster, the words that set it apart: those with the largest p ln(p / q), p the share of its documents that have
        the word and q that of all. `homes` are the clusters of pulls that were not chosen from one.
        """
        held: dict[int, dict[str, set[str]]] = {}
        for (kind, number), sample in self._of.items():
            cluster = number if kind == "cluster" else homes.get(number)
            if cluster is not None:
                for document, found_words in sample.items():
                    held.setdefault(cluster, {}).setdefault(document, set()).update(found_words)
        everywhere = Counter(word for documents in held.values() for each in documents.values() for word in each)
        count = sum(map(len, held.values()))
        found: dict[int, list[str]] = {}
        for cluster, documents in held.items():
            here = Counter(word for each in documents.values() for word in each)
            scores = {
                word: times / len(documents) * math.log(times / len(documents) / (everywhere[word] / count))
                for word, times in here.items()
                # What only one document says may be a name.
                if times > 1 or len(documents) < 3
            }
            ranked = sorted(scores, key=lambda word: (-scores[word], word))
            found[cluster] = [word for word in ranked if scores[word] > 0][:most]
        return found


OPERATIONS: tuple[str, ...] = get_args(Operation)
LEVELS = (*BLOOM, "")
"""Columns of the keyword map; the last are rows without a level."""


def unit_of(uri: str) -> str:
    """What a share is counted for, as acceptance counts it: a file, or a host of the web."""
    try:
        return source_unit(uri)
    except ValueError:
        return uri


@dataclass
class RowFacts:
    """What one pass over the rows has found."""

    rows: int = 0
    grounded: int = 0
    statements: int = 0
    quotes: int = 0
    pairs: int = 0
    """Rows with a refused answer beside the accepted one."""
    languages: Tally = field(default_factory=Tally)
    methods: Tally = field(default_factory=Tally)
    operations: Tally = field(default_factory=Tally)
    kinds: Tally = field(default_factory=Tally)
    blooms: Tally = field(default_factory=Tally)
    forms: Tally = field(default_factory=lambda: Tally(2_000, len(OPERATIONS)))
    """Question kinds, by operation."""
    keywords: Tally = field(default_factory=lambda: Tally(columns=len(LEVELS)))
    """By Bloom level; a row counts for each of its keywords."""
    units: Tally = field(default_factory=lambda: Tally(100_000, 2))
    """Files and hosts: rows whose first source is of it, and further rows that cite it."""
    licences: Tally = field(default_factory=lambda: Tally(1_000))
    """Rows that cite a page under it."""
    instruction_words: Counter[int] = field(default_factory=Counter)
    answer_words: Counter[int] = field(default_factory=Counter)
    support: Scores = field(default_factory=Scores)
    agreement: Scores = field(default_factory=Scores)
    probes: Sample[Probe] = field(default_factory=lambda: Sample(PROBED))
    strata: dict[tuple[str, ...], tuple[Sample[Row], list[int]]] = field(default_factory=dict)
    clusters: ClusterWords = field(default_factory=ClusterWords)

    def add(self, row: Row) -> None:
        """Take in one row."""
        origin, critic = row["origin"], row["critic"]
        self.rows += 1
        self.grounded += row["grounding"] == "quotes"
        self.statements += len(row["statements"])
        self.quotes += sum(len(source["quotes"]) for source in row["sources"])
        self.pairs += bool(row["rejected"])
        self.languages.add(row["language"] or "und")
        self.methods.add(origin["method"])
        self.operations.add(origin["operation"])
        self.kinds.add(origin["kind"])
        if origin["operation"] in OPERATIONS:
            self.forms.add(origin["kind"], OPERATIONS.index(origin["operation"]))
        self.blooms.add(origin["bloom"])
        level = BLOOM.index(origin["bloom"]) if origin["bloom"] in BLOOM else len(BLOOM)
        for keyword in dict.fromkeys(origin["keywords"]):
            self.keywords.add(keyword, level)
        self.instruction_words[min(len(words(row["instruction"])), LONGEST)] += 1
        self.answer_words[min(len(words(row["answer"])), LONGEST)] += 1
        self.support.add(critic["support"])
        self.agreement.add(critic["agreement"])
        self._cited(row)
        drawn = draw(row["id"])
        self.probes.offer(drawn, lambda: Probe(row["instruction"], origin["bloom"], origin["kind"]))
        self._stratum(row, origin).offer(drawn, lambda: row)
        self.clusters.add(row)

    def _cited(self, row: Row) -> None:
        cited = list(dict.fromkeys(unit_of(source["uri"]) for source in row["sources"]))
        for place, unit in enumerate(cited):
            self.units.add(unit, min(place, 1))
        for licence in {licence_of(source["license"]) for source in row["sources"]}:
            self.licences.add(licence)

    def _stratum(self, row: Row, origin: Origin) -> Sample[Row]:
        key: tuple[str, ...] = (row["language"], row["grounding"], origin["bloom"] or origin["kind"])
        if key not in self.strata and len(self.strata) >= _STRATA:
            key = ()
        sample, count = self.strata.setdefault(key, (Sample(SHOWN), [0]))
        count[0] += 1
        return sample

    def shown(self) -> list[Row]:
        """Rows to show, taken in turn from language × grounding × Bloom level (or kind), the largest stratum first."""
        ordered = sorted(self.strata.items(), key=lambda item: (-item[1][1][0], item[0]))
        queues = [sample.items() for _, (sample, _) in ordered]
        return [queue[turn] for turn in range(SHOWN) for queue in queues if turn < len(queue)][:SHOWN]


def gather_rows(rows: Iterable[Row]) -> RowFacts:
    """Read the rows once."""
    found = RowFacts()
    for row in rows:
        found.add(row)
    return found


@dataclass
class Refused:
    """The rejections of one reason."""

    count: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    examples: Sample[Rejection] = field(default_factory=lambda: Sample(SHOWN_REJECTIONS))


@dataclass
class RejectionFacts:
    """What one pass over the rejections has found, by whether they are quarantined, and reason."""

    reasons: dict[tuple[bool, str], Refused] = field(default_factory=dict)
    clusters: ClusterWords = field(default_factory=ClusterWords)

    def add(self, rejection: Rejection) -> None:
        """Take in one rejection."""
        key = (rejection["quarantined"], rejection["reason"][:_KEY])
        if key not in self.reasons and len(self.reasons) >= _REASONS:
            key = (rejection["quarantined"], "other reasons")
        refused = self.reasons.setdefault(key, Refused())
        refused.count += 1
        refused.stages[rejection["stage"]] += 1
        refused.examples.offer(draw(rejection["id"]), lambda: rejection)
        if rejection["reason"] not in PRIVATE:
            self.clusters.add(rejection)

    def of(self, quarantined: bool) -> list[tuple[str, Refused]]:
        """The reasons on one side, the most frequent first."""
        side = [(reason, refused) for (held, reason), refused in self.reasons.items() if held == quarantined]
        return sorted(side, key=lambda item: (-item[1].count, item[0]))


def gather_rejections(rejections: Iterable[Rejection], clusters: ClusterWords | None = None) -> RejectionFacts:
    """Read the rejections once; what an extraction refused adds to the words of `clusters`."""
    found = RejectionFacts(clusters=clusters or ClusterWords())
    for rejection in rejections:
        found.add(rejection)
    return found


def quantile(counts: Counter[int], share: float) -> int | None:
    """The least length that `share` of the texts do not pass; None without texts."""
    wanted, reached = share * sum(counts.values()), 0
    for value in sorted(counts):
        reached += counts[value]
        if reached >= wanted:
            return value
    return None


def mean(counts: Counter[float] | Counter[int]) -> float | None:
    """The mean of counted numbers; None without any."""
    total = sum(counts.values())
    return sum(value * count for value, count in counts.items()) / total if total else None


class Bar(NamedTuple):
    """One bar of a histogram: from `low` up to, without, `high`; the last has what is higher as well."""

    low: float
    high: float
    rows: int


def length_bars(counts: Counter[int], bars: int = 20) -> list[Bar]:
    """A histogram of lengths whose bars have a round width; the last bar holds the longest hundredth."""
    if not counts:
        return []
    reach = (quantile(counts, 0.99) or 0) + 1
    least = reach / bars
    scale = 10 ** math.floor(math.log10(max(least, 1)))
    width = next(step * scale for step in (1, 2, 5, 10) if step * scale >= least)
    number = max(1, math.ceil(reach / width))
    held = [0] * number
    for length, count in counts.items():
        held[min(length // width, number - 1)] += count
    return [Bar(at * width, (at + 1) * width, count) for at, count in enumerate(held)]


def score_bars(values: Counter[float], low: float = 0.0, bars: int = 10) -> list[Bar]:
    """A histogram from `low` to 1 in `bars` equal parts; 1 itself stands in the last."""
    held = [0] * bars
    width = (1 - low) / bars
    for value, count in values.items():
        # A hair more, so that 0.7 does not fall below 0.7.
        held[min(max(int((value - low) / width + 1e-9), 0), bars - 1)] += count
    return [Bar(low + at * width, low + (at + 1) * width, count) for at, count in enumerate(held)]


def counted(values: Sequence[float]) -> Counter[float]:
    """Numbers counted to three decimals."""
    return Counter(round(value, 3) for value in values)
