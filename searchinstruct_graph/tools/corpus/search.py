"""One query over several open indexes: words and vectors, fused by how far each can be trusted, and an instruction obeyed.

An instruction goes three ways. What metadata decide is checked in code: a document known to be outside is left out before
anything is ranked, one of which nobody knows stands behind those known to be inside. What metadata have not decided for every
document goes to the vectors, joined with the query as the encoder was trained; and where the vectors are static ones, to a head
that puts the first passages of the fused list in a new order. Without an instruction nothing of this happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from searchinstruct_graph.models.embeddings import SearchEmbedder
from searchinstruct_graph.models.joining import joined
from searchinstruct_graph.text.constraints import Applied, Instruction, account, read_constraints, undecided

from .fusion import fuse
from .index import Index
from .results import Passage
from .sieve import Sieve
from .store import ChunkRow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from searchinstruct_graph.models.rescoring import Rescorer

_CANDIDATES = 50
DEPTH = 100
"""Passages of the fused list that a head puts in a new order."""
_Place = tuple[str, int, int]
"""URI, offset and number of the index: what breaks ties, so that results do not depend on the order of arrival."""


class _Hit(NamedTuple):
    place: _Place
    held: Index
    row: ChunkRow


class Searched(NamedTuple):
    """What a search found, and what it made of its instruction."""

    passages: list[Passage]
    constraints: list[Applied]


def search(
    indexes: Sequence[Index],
    embedder: SearchEmbedder,
    query: str,
    k: int,
    instruction: str = "",
    today: date | None = None,
) -> Searched:
    """The `k` best passages of all `indexes`, best first; ties in the order of URI and offset.

    `today` is what "the last five years" of an instruction end with; None: this day.
    """
    if k < 1:
        return Searched([], [])
    if not instruction.strip():
        ranked, scores = _fused(indexes, embedder, query, query, max(_CANDIDATES, 2 * k), [None] * len(indexes))
        return Searched(_passages(ranked[:k], scores), [])
    asked = read_constraints(instruction, today or date.today())
    sieves = [index.sieve(tuple(asked.constraints)) if asked.constraints else None for index in indexes]
    told = _account(asked, sieves)
    decided = [each for each, part in zip(asked.constraints, told, strict=False) if not part["unknown"]]
    rest = undecided(instruction, decided)
    # Signs alone ask for nothing.
    rest = rest if any(map(str.isalnum, rest)) else ""
    head = embedder.head() if rest else None
    vector_query = query if head else joined(query, rest, embedder.join)
    depth = max(_CANDIDATES, 2 * k, DEPTH if head else 0)
    ranked, scores = _fused(indexes, embedder, query, vector_query, depth, sieves)
    if head:
        ranked = _obeyed(head, embedder, query, rest, ranked)
    # A stable sort: those known to be inside keep their order, and so do the others.
    ranked.sort(key=lambda hit: _is_unknown(hit, sieves))
    return Searched(_passages(ranked[:k], scores), told)


def _account(asked: Instruction, sieves: Sequence[Sieve | None]) -> list[Applied]:
    """What was checked, with the documents of all indexes counted, and what was left."""
    parts = account(asked)
    for sieve in filter(None, sieves):
        for part, dropped, unknown in zip(parts, sieve.dropped_by, sieve.unknown_to, strict=False):
            part["dropped"] += dropped
            part["unknown"] += unknown
    return parts


def _fused(
    indexes: Sequence[Index],
    embedder: SearchEmbedder,
    query: str,
    vector_query: str,
    depth: int,
    sieves: Sequence[Sieve | None],
) -> tuple[list[_Hit], list[float]]:
    """Hits of all indexes, best first, with the scores that go with their places in the list."""
    vector = embedder.embed([vector_query])[0]
    hits: dict[_Place, _Hit] = {}
    words: list[tuple[float, _Place]] = []
    vectors: list[tuple[float, _Place]] = []
    for number, (index, sieve) in enumerate(zip(indexes, sieves, strict=True)):
        halves = (
            (index.by_words(query, depth, sieve), words),
            (index.by_vector(vector, depth, sieve), vectors),
        )
        for found, ranking in halves:
            for row, score in found:
                place = (index.prefix + row.key, row.start, number)
                hits[place] = _Hit(place, index, row)
                ranking.append((score, place))

    trust = [embedder.trust(index.manifest.language) for index in indexes]
    scores = fuse(
        [
            [(place, 1.0) for place in _ranked(words, depth)],
            [(place, trust[place[2]]) for place in _ranked(vectors, depth)],
        ]
    )
    best = sorted(scores, key=lambda place: (-scores[place], place))
    return [hits[place] for place in best], [scores[place] for place in best]


def _ranked(hits: list[tuple[float, _Place]], count: int) -> list[_Place]:
    # Scores of one half are comparable between indexes: shares of the query here, cosines there.
    return [place for _, place in sorted(hits, key=lambda hit: (-hit[0], hit[1]))[:count]]


def _obeyed(head: Rescorer, embedder: SearchEmbedder, query: str, instruction: str, ranked: list[_Hit]) -> list[_Hit]:
    """The first hits in the order of the head; the others stay behind them."""
    import numpy as np

    from searchinstruct_graph.models.rescoring import ask

    first = ranked[:DEPTH]
    if not first:
        return ranked
    vectors: dict[_Place, NDArray[np.float32]] = {}
    for number in {hit.place[2] for hit in first}:
        own = [hit for hit in first if hit.place[2] == number]
        rows = own[0].held.vectors([hit.row for hit in own])
        vectors.update(zip((hit.place for hit in own), rows, strict=True))
    order = head.order(
        ask(query, instruction, embedder.embed),
        [hit.row.text for hit in first],
        np.stack([vectors[hit.place] for hit in first]),
    )
    return [*(first[at] for at in order), *ranked[DEPTH:]]


def _is_unknown(hit: _Hit, sieves: Sequence[Sieve | None]) -> bool:
    sieve = sieves[hit.place[2]]
    return sieve is not None and hit.row.key in sieve.unknown


def _passages(ranked: Sequence[_Hit], scores: Sequence[float]) -> list[Passage]:
    """The hits as passages; the scores fall with the places, whatever has moved a hit to its place."""
    return [
        Passage(
            hit.held.prefix + hit.row.key,
            hit.row.title,
            hit.row.heading,
            hit.row.start,
            hit.row.end,
            hit.row.text,
            score,
        )
        for hit, score in zip(ranked, scores, strict=False)
    ]
