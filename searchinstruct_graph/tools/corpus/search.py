"""One query over several open indexes: words and vectors, fused by how far each can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

from searchinstruct_graph.models.embeddings import Embedder

from .fusion import fuse
from .index import Index
from .results import Passage
from .store import ChunkRow

_CANDIDATES = 50
_Place = tuple[str, int, int]
"""URI, offset and number of the index: what breaks ties, so that results do not depend on the order of arrival."""


def vector_query(query: str, instruction: str) -> str:
    """What is embedded for a query: the query, one space, the instruction."""
    return f"{query} {instruction}" if instruction.strip() else query


def search(
    indexes: Sequence[Index],
    embedder: Embedder,
    query: str,
    k: int,
    instruction: str = "",
) -> list[Passage]:
    """The `k` best passages of all `indexes`, best first; ties in the order of URI and offset."""
    if k < 1:
        return []
    depth = max(_CANDIDATES, 2 * k)
    vector = embedder.embed([vector_query(query, instruction)])[0]
    chunks: dict[_Place, tuple[Index, ChunkRow]] = {}
    words: list[tuple[float, _Place]] = []
    vectors: list[tuple[float, _Place]] = []
    for number, index in enumerate(indexes):
        halves = (
            (index.by_words(query, depth), words),
            (index.by_vector(vector, depth), vectors),
        )
        for found, hits in halves:
            for row, score in found:
                place = (index.prefix + row.key, row.start, number)
                chunks[place] = (index, row)
                hits.append((score, place))

    trust = [embedder.trust(index.manifest.language) for index in indexes]
    scores = fuse(
        [
            [(place, 1.0) for place in _ranked(words, depth)],
            [(place, trust[place[2]]) for place in _ranked(vectors, depth)],
        ]
    )
    best = sorted(scores, key=lambda place: (-scores[place], place))[:k]
    return [_passage(*chunks[place], scores[place]) for place in best]


def _ranked(hits: list[tuple[float, _Place]], count: int) -> list[_Place]:
    # Scores of one half are comparable between indexes: shares of the query here, cosines there.
    return [place for _, place in sorted(hits, key=lambda hit: (-hit[0], hit[1]))[:count]]


def _passage(index: Index, row: ChunkRow, score: float) -> Passage:
    return Passage(
        index.prefix + row.key,
        row.title,
        row.heading,
        row.start,
        row.end,
        row.text,
        score,
    )
