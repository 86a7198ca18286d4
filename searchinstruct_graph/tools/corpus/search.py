"""One query over several open indexes: words and vectors, fused by how far each can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

from ...models.embeddings import Embedder
from .documents import Passage
from .fusion import fuse
from .index import Index
from .store import ChunkRow

_CANDIDATES = 50


def vector_query(query: str, instruction: str) -> str:
    """What is embedded for a query: the query, one space, the instruction."""
    return f"{query} {instruction}" if instruction.strip() else query


def search(indexes: Sequence[Index], embedder: Embedder, query: str, k: int, instruction: str = "") -> list[Passage]:
    """The `k` best passages of all `indexes`, best first; ties in the order of URI and offset."""
    depth = max(_CANDIDATES, 2 * k)
    vector = embedder.embed([vector_query(query, instruction)])[0]
    chunks: dict[tuple[int, int], tuple[Index, ChunkRow]] = {}
    words: list[tuple[float, tuple[int, int]]] = []
    vectors: list[tuple[float, tuple[int, int]]] = []
    for number, index in enumerate(indexes):
        for found, into in ((index.by_words(query, depth)[0], words), (index.by_vector(vector, depth), vectors)):
            for row, score in found:
                chunks[number, row.id] = (index, row)
                into.append((score, (number, row.id)))

    def place(item: tuple[int, int]) -> tuple[str, int]:
        index, row = chunks[item]
        return index.prefix + row.key, row.start

    by_words = [item for _, item in sorted(words, key=lambda hit: (-hit[0], place(hit[1])))[:depth]]
    by_vector = [item for _, item in sorted(vectors, key=lambda hit: (-hit[0], place(hit[1])))[:depth]]
    scores = fuse([(by_words, 1.0), (by_vector, 0.5)])
    best = sorted(scores, key=lambda item: (-scores[item], place(item)))[:k]
    return [_passage(*chunks[item], scores[item]) for item in best]


def _passage(index: Index, row: ChunkRow, score: float) -> Passage:
    return Passage(index.prefix + row.key, row.title, row.heading, row.start, row.end, row.text, score)
