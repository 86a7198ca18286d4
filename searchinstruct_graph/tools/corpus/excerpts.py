"""Where in one long document to look: its own passages ranked, without an index."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from searchinstruct_graph.models.embeddings import Embedder
from searchinstruct_graph.text.stopwords import language_of
from searchinstruct_graph.text.words import stems

from .chunks import chunks
from .fusion import fuse

MOST_CHUNKS = 2_000
"""Passages of one document that are looked at; together about as many pages of a book."""


def best_spans(text: str, wanted: Sequence[str], embedder: Embedder, count: int) -> list[tuple[int, int]]:
    """The `count` passages of `text` that fit the texts `wanted` best, best first, as half-open spans.

    Words (each weighted by how few passages hold it) and meaning are ranked apart and fused, as in corpus search.
    """
    pieces = chunks(text)[:MOST_CHUNKS]
    asked = " ".join(wanted)
    language = language_of(asked)
    held = [set(stems(text[piece.start : piece.end], language)) for piece in pieces]
    frequency = Counter(stem for stems_held in held for stem in stems_held)
    weights = {
        stem: math.log(1 + len(pieces) / frequency[stem]) for stem in set(stems(asked, language)) if frequency[stem]
    }
    by_words = [sum(weight for stem, weight in weights.items() if stem in stems_held) for stems_held in held]
    vectors = embedder.embed([asked, *(text[piece.start : piece.end] for piece in pieces)])
    by_meaning = (vectors[1:] @ vectors[0]).tolist()
    scores = fuse([_ranked(by_words, 1.0), _ranked(by_meaning, embedder.trust(language))])
    best = sorted(scores, key=lambda number: (-scores[number], number))[:count]
    return [(pieces[number].start, pieces[number].end) for number in best]


def _ranked(scores: Sequence[float], trust: float) -> list[tuple[int, float]]:
    order = sorted(range(len(scores)), key=lambda number: (-scores[number], number))
    return [(number, trust) for number in order if scores[number] > 0]
