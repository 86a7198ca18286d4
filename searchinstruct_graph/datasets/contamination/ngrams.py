"""Verbatim repetition: a shared run of words, looked up by a rolling hash for many texts at once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.datasets.contamination.traits import content_stem
from searchinstruct_graph.text.words import normal_form, words

WORDS = 13
"""Words of a shared run that make two texts one, as in Brown et al. 2020 (GPT-3), appendix C."""

SHORTEST = 4
"""An item of fewer words, or of fewer than two content words, may stand in another text by chance."""

SENTENCE = 8
"""An item of fewer words must end where a clause of the text ends: *what is gout* stands in *what is gout of the big toe*."""

COMMON = 10
"""A run of words that more items than these share is their boilerplate, and no sign of one of them."""

_BASE = np.uint64(0x9E3779B97F4A7C15)
# Not the apostrophe, the full stop in a number, or a hyphen: a clause does not end there.
_CLAUSE = re.compile(r"[.!?:;,…،؛؟。！？：；，、।](?!\d)|[\n()\"“”«»「」—–]")


class NGrams:
    """The runs of `WORDS` words of every item, and items of `SHORTEST` words or more as a whole if they are shorter."""

    def __init__(self, items: Sequence[Sequence[str]]) -> None:
        self._items = items
        self._ids: dict[str, int] = {}
        for item in items:
            for word in item:
                self._ids.setdefault(word, len(self._ids) + 1)
        owners: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for number, item in enumerate(items):
            length = min(len(item), WORDS)
            if length == WORDS or (length >= SHORTEST and sum(content_stem(word) != "" for word in item) > 1):
                for key in np.unique(_rolled(self._encoded(item), {length})[length]).tolist():
                    owners[length][key].append(number)
        self._tables: dict[int, tuple[NDArray[np.uint64], NDArray[np.int64]]] = {}
        for length, table in owners.items():
            kept = sorted((key, numbers[0]) for key, numbers in table.items() if len(numbers) <= COMMON)
            keys = np.array([key for key, _ in kept], dtype=np.uint64)
            self._tables[length] = keys, np.array([first for _, first in kept], dtype=np.int64)

    def _encoded(self, found: Sequence[str]) -> NDArray[np.uint64]:
        known = self._ids
        return np.fromiter((known.get(word, 0) for word in found), dtype=np.uint64, count=len(found))

    def find(self, texts: Sequence[str], found: Sequence[Sequence[str]]) -> list[tuple[int, float] | None]:
        """For each text, whose `words` are in `found`: the item it repeats and the share of the item's runs it has."""
        lengths = np.array([len(each) for each in found], dtype=np.int64)
        # One unknown word after each text keeps runs inside it.
        encoded = self._encoded([word for each in found for word in (*each, "")])
        owner = np.repeat(np.arange(len(found)), lengths + 1)
        rolled = _rolled(encoded, set(self._tables))
        unknown = np.concatenate(([0], np.cumsum(encoded == 0)))
        candidates: dict[int, set[int]] = defaultdict(set)
        for length, (keys, firsts) in self._tables.items():
            if not len(keys):
                continue
            starts = np.flatnonzero(unknown[length:] == unknown[:-length])
            wanted = rolled[length][starts]
            at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            hit = keys[at] == wanted
            for text, item in zip(owner[starts[hit]].tolist(), firsts[at[hit]].tolist(), strict=True):
                candidates[text].add(item)
        results: list[tuple[int, float] | None] = [None] * len(texts)
        for text, items in candidates.items():
            shares = [(self._share(item, texts[text], found[text]), -item) for item in items]
            share, item = max(shares)
            if share > 0:
                results[text] = -item, share
        return results

    def _share(self, number: int, text: str, found: Sequence[str]) -> float:
        """Share of the item's runs that stand in the text, word for word: hashes alone may collide."""
        item = self._items[number]
        length = min(len(item), WORDS)
        runs = {tuple(item[at : at + length]) for at in range(len(item) - length + 1)}
        places = [at for at in range(len(found) - length + 1) if tuple(found[at : at + length]) in runs]
        if len(item) < SENTENCE:
            ends = _clause_ends(text)
            places = [at for at in places if at + length in ends]
        return len({tuple(found[at : at + length]) for at in places}) / len(runs)


def _rolled(encoded: NDArray[np.uint64], lengths: set[int]) -> dict[int, NDArray[np.uint64]]:
    """For each length n, the hash of the n words from each position, modulo 2**64; empty where the text is shorter."""
    rolled: dict[int, NDArray[np.uint64]] = {}
    sums, power = np.zeros(len(encoded) + 1, dtype=np.uint64), np.uint64(1)
    with np.errstate(over="ignore"):
        for n in range(1, max(lengths, default=0) + 1):
            count = max(len(encoded) - n + 1, 0)
            sums = sums[:count] + encoded[n - 1 :] * power
            power = power * _BASE
            if n in lengths:
                rolled[n] = sums
    return rolled


def _clause_ends(text: str) -> set[int]:
    """How many words of the text stand before each end of a clause."""
    ends: set[int] = set()
    count = 0
    for clause in _CLAUSE.split(normal_form(text)):
        count += len(words(clause))
        ends.add(count)
    return ends
