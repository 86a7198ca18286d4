"""Texts as the support score reads them: sentences, their words as stems and numbers, and vectors of single words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from searchinstruct_graph.models.embeddings import embeddings, word_rarity
from searchinstruct_graph.text.compare import NUMBER, SPELLED, loose_numbers, numbers
from searchinstruct_graph.text.sentences import sentences
from searchinstruct_graph.text.stopwords import is_stopword
from searchinstruct_graph.text.words import normal_form, stems, words

if TYPE_CHECKING:
    from searchinstruct_graph.models.embeddings import Vectors

_NUMERAL = "#"
_SEASON = re.compile(r"(?<!\d)(1\d|20)(\d\d)[-–](\d\d)(?![\d-])")
"""Years that share their century: 2018-19. """


class Sentence(NamedTuple):
    """A sentence with its offsets. Numbers stand in `content` and `held` as `#` and their value."""

    start: int
    end: int
    text: str
    content: tuple[str, ...]
    """The stems that carry meaning, in order, and the numbers."""
    forms: tuple[str, ...]
    """The words behind the stems of `content`, numbers left out."""
    held: frozenset[str]
    terms: tuple[str, ...]
    """All stems and numbers, function words too."""
    phrases: frozenset[tuple[str, str]]
    """Neighbours among the terms."""


def full_years(text: str) -> str:
    """`text` with the second year of a span written in full: 2018-2019 for 2018-19."""
    return _SEASON.sub(r"\1\2-\1\3", text)


def is_number(term: str) -> bool:
    """Whether a term is a number."""
    return term.startswith(_NUMERAL)


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """The words of `text` and its numbers, in order, each with whether it is a number; `1,200` is one."""
    normal = full_years(normal_form(text))
    at = 0
    for found in NUMBER.finditer(normal):
        yield from ((word, False) for word in words(normal[at : found.start()]))
        yield from ((f"{_NUMERAL}{value}", True) for value in numbers(found.group()))
        at = found.end()
    yield from ((word, False) for word in words(normal[at:]))


def read_sentence(text: str, language: str, start: int = 0) -> Sentence:
    """One sentence of a text, where it begins at `start`."""
    everything: list[str] = []
    content: list[str] = []
    forms: list[str] = []
    for word, numeral in _tokens(text):
        if numeral or word in SPELLED:
            term = word if numeral else f"{_NUMERAL}{SPELLED[word]}"
            everything.append(term)
            content.append(term)
            continue
        stem = stems(word, language)[0]
        everything.append(stem)
        if not is_stopword(word):
            content.append(stem)
            forms.append(word.partition("'")[0] or word)
    return Sentence(
        start,
        start + len(text),
        text,
        tuple(content),
        tuple(forms),
        frozenset([*everything, *(f"{_NUMERAL}{value}" for value in loose_numbers(text))]),
        tuple(everything),
        frozenset(pairwise(everything)),
    )


@lru_cache(maxsize=4_096)
def read_text(text: str, language: str) -> tuple[Sentence, ...]:
    """The sentences of a text."""
    return tuple(read_sentence(text[span.start : span.end], language, span.start) for span in sentences(text))


MOST_WEIGHT = 20.0
"""Weight of the rarest words."""


@lru_cache(maxsize=100_000)
def word_weight(word: str) -> float:
    """How much a word tells, from 0.1 to `MOST_WEIGHT`: the norm of its embedding, pieces added up."""
    return min(MOST_WEIGHT, max(0.1, word_rarity(word)))


@lru_cache(maxsize=16_384)
def word_vector(word: str) -> Vectors:
    """The unit vector of a single word, of length 256; zeros for one without a known token."""
    found: Vectors = embeddings("wordllama").embed([word])[0]
    return found
