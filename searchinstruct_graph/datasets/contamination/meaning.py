"""Rewordings: how much of its meaning, numbers, names and rare words a text shares with each benchmark item.

    score = COSINE * cosine + NUMBERS * numbers + NAMES * names + RARE * ln(1 + rare) - THRESHOLD

and above 0 the two are one question:

* cosine: of the embeddings, less what unrelated texts of that script have in common: 0 for those, 1 for equal texts;
* numbers, names: the shared ones over those of either text, weighted by rarity, 0 to 1; 0.5 where neither has any;
* rare: how many stems and numbers they share, each counted by its rarity, from near 0 (most items have it) to 1.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.datasets.contamination.ngrams import COMMON
from searchinstruct_graph.datasets.contamination.traits import Traits, capitalised, is_unspaced, traits
from searchinstruct_graph.text.compare import script
from searchinstruct_graph.text.words import words

if TYPE_CHECKING:
    from searchinstruct_graph.models.embeddings import Embedder

    Matrix = NDArray[np.float32]

COSINE, NUMBERS, NAMES, RARE, THRESHOLD = 9.0, 5.5, 2.5, 4.5, 19.0
"""A logistic regression on rewordings of GSM8K's test questions and on questions that only resemble each other: as they
are, in lower case, and with their numbers taken out; rounded (benchmarks/contamination.py fits and measures them)."""

READ = 8_000
"""Characters of a text that are compared by meaning; a text that is longer asks more than one thing."""

_FEW = 1_000
"""Fewer items than these tell little about how common a word is: it counts as if it were one of so many."""

_BACKGROUND = {
    "latin": (
        "The weather was fine on the coast yesterday.",
        "Who painted the ceiling of the old chapel?",
        "Der Zug nach Norden fährt jeden Morgen um acht.",
    ),
    "cyrillic": ("Вчера на побережье была хорошая погода.", "Кто расписал потолок старой часовни?"),
    "arabic": (
        "هوای کنار دریا دیروز خوب بود.",
        "من رسم سقف الكنيسة القديمة؟",
        "قطار شمال هر روز صبح ساعت هشت حرکت می‌کند.",
    ),
    "indic": ("कल समुद्र तट पर मौसम अच्छा था।", "पुराने मंदिर की छत किसने रंगी?"),
    "cjk": ("昨天海边的天气很好。", "谁画了老教堂的天花板？", "北に向かう列車は毎朝八時に出ます。"),
    "hangul": ("어제 바닷가 날씨는 좋았다.", "낡은 성당의 천장은 누가 그렸습니까?"),
}
"""Unrelated sentences: what their vectors share, any two texts of the script share, and means nothing."""


class Evidence(NamedTuple):
    """What a text and an item have in common; see the module's head."""

    cosine: float
    numbers: float
    names: float
    rare: float

    @property
    def score(self) -> float:
        """Above 0: one question."""
        shared = RARE * math.log1p(self.rare)
        return COSINE * self.cosine + NUMBERS * self.numbers + NAMES * self.names + shared - THRESHOLD


class _Weighed(NamedTuple):
    """Traits with the sums of their rarities."""

    traits: Traits
    numbers: float
    names: float
    whole: float


class Meaning:
    """The items of a benchmark, ready to be compared with texts by meaning."""

    def __init__(self, items: Sequence[str], found: Sequence[Sequence[str]], embedder: Embedder) -> None:
        self._embedder = embedder
        self._vectors = embedder.embed([item[:READ] for item in items])
        upper: Counter[str] = Counter()
        lower: Counter[str] = Counter()
        for item in items:
            high, low = capitalised(item)
            upper.update(high)
            lower.update(low)
        self._common = frozenset(stem for stem, count in lower.items() if count >= upper[stem])
        held = [traits(item, each) for item, each in zip(items, found, strict=True)]
        self._stems = _holders([each.stems for each in held])
        self._numbers = _holders([each.numbers for each in held])
        self._items = [self._weighed(each) for each in held]
        self._logs = np.array([math.log1p(item.whole) for item in self._items], dtype=np.float32)
        self._scripts = np.array([_script(item) for item in items])
        self._backgrounds = {name: self._background(name) for name in set(self._scripts.tolist()) | set(_BACKGROUND)}

    def _background(self, name: str) -> tuple[Matrix, int]:
        """The sum of the vectors of a script's items and unrelated sentences, and how many they are."""
        rows = self._vectors[self._scripts == name]
        others = self._embedder.embed(_BACKGROUND.get(name, _BACKGROUND["latin"]))
        return rows.sum(axis=0) + others.sum(axis=0), len(rows) + len(others)

    def _stem_weight(self, stem: str) -> float:
        held = self._stems.get(stem)
        weight = held.rarity if held else 1.0
        # Two bigrams share each character of a script without spaces.
        return weight / 2 if is_unspaced(stem) else weight

    def _number_weight(self, number: str) -> float:
        held = self._numbers.get(number)
        return held.rarity if held else 1.0

    def _weighed(self, held: Traits) -> _Weighed:
        held = held._replace(names=held.names - self._common)
        numbers = sum(map(self._number_weight, held.numbers))
        names = sum(map(self._stem_weight, held.names))
        return _Weighed(held, numbers, names, numbers + sum(map(self._stem_weight, held.stems)))

    def weighed(self, text: str, found: Sequence[str]) -> _Weighed:
        """The traits of a text, whose `words` are `found`, as `evidence` takes them."""
        cut = text[:READ]
        return self._weighed(traits(cut, found if len(cut) == len(text) else words(cut)))

    def cosines(self, texts: Sequence[str]) -> Matrix:
        """Cosines, (texts, items) float32, less what unrelated texts of the text's script have in common."""
        vectors = self._embedder.embed([text[:READ] for text in texts])
        cosines = vectors @ self._vectors.T
        scripts = np.array([_script(text) for text in texts])
        for name in set(scripts.tolist()):
            rows = np.flatnonzero(scripts == name)
            total, count = self._backgrounds.get(name, self._backgrounds["latin"])
            # The item itself is no background to its own cosine.
            own = (self._scripts == name).astype(np.float32)
            found = cosines[rows]
            background = ((vectors[rows] @ total)[:, None] - found * own) / (count - own)
            cosines[rows] = (found - background) / np.maximum(1 - background, 0.01)
        return cosines

    def evidence(self, text: _Weighed, item: int, cosine: float) -> Evidence:
        """What a text shares with the item of that number."""
        one, other = text.traits, self._items[item].traits
        shared_numbers = sum(map(self._number_weight, one.numbers & other.numbers))
        either = text.numbers + self._items[item].numbers - shared_numbers
        numbers = shared_numbers / either if either else 0.5
        names = 0.5
        if one.names or other.names:
            both = sum(map(self._stem_weight, one.names & other.names))
            # A name in lower case is still that name.
            shared = sum(map(self._stem_weight, (one.names & other.stems) | (other.names & one.stems)))
            names = shared / (text.names + self._items[item].names - both)
        shared_stems = one.stems & other.stems
        # Numbers alone are no question.
        rare = shared_numbers + sum(map(self._stem_weight, shared_stems)) if shared_stems else 0.0
        return Evidence(cosine, numbers, names, rare)

    def find(self, texts: Sequence[str], found: Sequence[Sequence[str]]) -> list[tuple[int, float] | None]:
        """For each text, whose `words` are in `found`: the item that it rewords and the probability (above 0.5), or None."""
        weighed = [self.weighed(text, each) for text, each in zip(texts, found, strict=True)]
        cosines = self.cosines(texts)
        # Only pairs that full marks for numbers and names could lift over the threshold are looked at one by one.
        wanted = THRESHOLD - NUMBERS - NAMES
        logs = np.array([math.log1p(each.whole) for each in weighed], dtype=np.float32)
        rows, items = np.nonzero(cosines > (wanted - RARE * np.minimum(logs[:, None], self._logs)) / COSINE)
        rare = self._rare_at_most(weighed, rows, items)
        kept = COSINE * cosines[rows, items] + RARE * np.log1p(rare) > wanted - 1e-3
        rows, items = rows[kept], items[kept]
        best: list[tuple[int, float] | None] = [None] * len(texts)
        for row, item, cosine in zip(rows.tolist(), items.tolist(), cosines[rows, items].tolist(), strict=True):
            score = self.evidence(weighed[row], item, cosine).score
            if score > 0 and ((so_far := best[row]) is None or score > so_far[1]):
                best[row] = item, score
        return [match and (match[0], 1 / (1 + math.exp(-match[1]))) for match in best]

    def _rare_at_most(self, texts: Sequence[_Weighed], rows: NDArray[np.int64], items: NDArray[np.int64]) -> Matrix:
        """An upper bound of `Evidence.rare` for each pair of a text and an item."""
        lists: list[NDArray[np.int64]] = []
        weights: list[float] = []
        starts: list[int] = []
        common = np.zeros(len(texts), dtype=np.float32)
        for row, text in enumerate(texts):
            for table, keys in ((self._stems, text.traits.stems), (self._numbers, text.traits.numbers)):
                for key in keys:
                    if (held := table.get(key)) is None:
                        continue
                    if held.items is None:
                        common[row] += held.rarity
                    else:
                        lists.append(held.items)
                        weights.append(held.rarity)
                        starts.append(row * len(self._items))
        if not lists:
            return common[rows]
        sizes = [len(listed) for listed in lists]
        cells = np.repeat(starts, sizes) + np.concatenate(lists)
        shared = np.bincount(cells, np.repeat(weights, sizes), minlength=len(texts) * len(self._items))
        return np.asarray(shared[rows * len(self._items) + items] + common[rows], dtype=np.float32)


class _Held(NamedTuple):
    """A stem or number of the benchmark."""

    rarity: float
    """Inverse document frequency over its largest value: 1 for what a single item has."""
    items: NDArray[np.int64] | None
    """The items that have it; None where they are too many to be worth counting."""


def _holders(held: Sequence[frozenset[str]]) -> dict[str, _Held]:
    owners: dict[str, list[int]] = defaultdict(list)
    for number, keys in enumerate(held):
        for key in keys:
            owners[key].append(number)
    most = max(20, len(held) // 16)
    return {
        key: _Held(
            _rarity(len(numbers), len(held)), np.array(numbers, dtype=np.int64) if len(numbers) <= most else None
        )
        for key, numbers in owners.items()
    }


def _rarity(count: int, items: int) -> float:
    size = max(items, _FEW)
    # What many of few items have, as many of more would have; what a few have may be chance.
    expected = count * size / items if count > COMMON else count
    return math.log(size / expected) / math.log(size)


def _script(text: str) -> str:
    return "latin" if text.isascii() else script(text[:_SCRIPT_CHARACTERS])


_SCRIPT_CHARACTERS = 64
