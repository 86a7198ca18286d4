"""What a rewording of a question keeps: its numbers, its names, its content stems. No model, any script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from searchinstruct_graph.datasets.contamination.numerals import NUMBER_WORDS, numbers_of
from searchinstruct_graph.text.stopwords import is_stopword
from searchinstruct_graph.text.words import UNSPACED, stems, words


class Traits(NamedTuple):
    """The numbers, capitalised stems and content stems of a text."""

    numbers: frozenset[str]
    """In digits, `1,200` as `1200`; numbers in words count as well."""
    names: frozenset[str]
    """Stems of the words that stand only with a capital; none in scripts without capitals."""
    stems: frozenset[str]
    """Content stems with the names and without the numbers; character bigrams in scripts without spaces."""


def traits(text: str, found: Sequence[str]) -> Traits:
    """The traits of `text`, whose `words` are `found`."""
    stems_found = frozenset(map(content_stem, found)) - _NOTHING
    return Traits(numbers_of(text, found), _names(text), stems_found)


_NOTHING = frozenset([""])
_FIRST_UNSPACED = "\u0e01"
_UNSPACED = re.compile(f"[{UNSPACED}]")
_TOKEN = re.compile(r"[^\W\d_]\w*(?:['’]\w+)*")
_CACHED = 1 << 15


@lru_cache(maxsize=_CACHED)
def content_stem(word: str) -> str:
    """The stem of a word in normal form; empty for a function word, a number in digits or words, a single letter."""
    if is_stopword(word) or word.isdigit() or word in NUMBER_WORDS:
        return ""
    stem = stems(word)
    # English endings are what Snowball takes off here; another language's words keep theirs, on both sides alike.
    whole = stem[0] if len(stem) == 1 else word
    return whole if len(whole) > 1 or is_unspaced(whole) else ""


def is_unspaced(stem: str) -> bool:
    """Whether a stem is characters of a script without spaces, as it stands in `words`."""
    return stem[0] >= _FIRST_UNSPACED and _UNSPACED.match(stem) is not None


@lru_cache(maxsize=_CACHED)
def _token_stem(token: str) -> str:
    parts = words(token)
    return content_stem(parts[-1]) if parts else ""


def capitalised(text: str) -> tuple[list[str], list[str]]:
    """The stems of the words of `text` that stand with a capital, and of those that do not."""
    upper: list[str] = []
    lower: list[str] = []
    for token in _TOKEN.findall(text):
        (upper if token[0].isupper() else lower).append(_token_stem(token))
    return upper, lower


def _names(text: str) -> frozenset[str]:
    tokens = set(_TOKEN.findall(text))
    upper = [token for token in tokens if token[0].isupper() and token.lower() not in tokens]
    return frozenset(map(_token_stem, upper)) - _NOTHING
