"""What the offline extractor makes of every document of a universe: read once, kept in a folder outside the repository."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

from benchmarks.datasets import lines
from benchmarks.selection.pools import Document, Pair, Universe
from searchinstruct_graph.agents import extractor
from searchinstruct_graph.agents.context import AgentContext
from searchinstruct_graph.agents.extractor import extract, located, refine
from searchinstruct_graph.models import offline
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.structured import Failure
from searchinstruct_graph.text import standalone
from searchinstruct_graph.text.digest import sha256

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

MOST_PAIRS = 5
"""Pairs asked of one document."""

MEETS = 0.75
"""Cosine from which a true question or answer counts as met by an extracted one."""

_ALLOWANCE = Allowance(model_calls=1_000, tokens=100_000_000, cost_usd=None, searches=0, pages=0, seconds=1_000.0)

CACHE = Path(gettempdir()) / "searchinstruct-selection"


async def _pairs(document: Document, context: AgentContext) -> list[Pair]:
    """What a build would keep of the document: extracted, found in it, and refined."""
    reply = await extract(
        document.text,
        document.title,
        domain="",
        form="",
        count=MOST_PAIRS,
        context=context,
        allowance=_ALLOWANCE,
        seed=0,
    )
    if isinstance(reply, Failure):
        raise RuntimeError(f"{document.id}: {reply.detail}")
    kept = []
    for pair in reply.value.pairs:
        if not located(pair, document.text).quotes:
            continue
        refined = await refine(document.text, document.title, pair, context=context, allowance=_ALLOWANCE)
        if isinstance(refined, Failure):
            raise RuntimeError(f"{document.id}: {refined.detail}")
        if refined.value.verdict != "reject":
            kept.append(Pair(refined.value.question or pair.question, refined.value.answer or pair.answer))
    return kept


def _code() -> str:
    """Changes with the code that extracts."""
    sources = [Path(offline.__file__).parent, Path(extractor.__file__).parent, Path(standalone.__file__).parent]
    files = sorted(path for folder in sources for path in folder.rglob("*.py"))
    return sha256("\n".join(path.read_text(encoding="utf-8") for path in files))


def extracted(universe: Universe, cache: Path = CACHE) -> list[list[Pair]]:
    """The pairs of each document, in order: from the cache, or as the offline model extracts them now."""
    content = "\n".join(f"{document.title}\n{document.text}" for document in universe.documents)
    path = cache / f"{universe.name}-{sha256(_code() + content)[:16]}.jsonl"
    if not path.exists():
        made = asyncio.run(_read(universe.documents))
        cache.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        with draft.open("w", encoding="utf-8") as stream:
            for pairs in made:
                stream.write(json.dumps([[pair.question, pair.answer] for pair in pairs], ensure_ascii=False) + "\n")
        draft.replace(path)
    return [[Pair(*pair) for pair in row] for row in lines(path)]


async def _read(documents: Sequence[Document]) -> list[list[Pair]]:
    context = AgentContext(model="offline")
    return [await _pairs(document, context) for document in documents]


@dataclass
class Extracted:
    """The vectors of a universe's documents (n, 256) and of the pairs that were extracted of them (p, 256)."""

    documents: Vectors
    vectors: Vectors
    pairs_of: list[list[int]]
    """Rows of `vectors` by document."""

    met: list[int]
    """By document, how many of its true pairs an extracted pair meets: in its question or in its answer."""


def embedded(universe: Universe, pairs: Sequence[Sequence[Pair]]) -> Extracted:
    """Everything that is compared, embedded as the product embeds it."""
    embedder = embeddings("wordllama")
    flat = [pair for row in pairs for pair in row]
    ends = list(accumulate(len(row) for row in pairs))
    pairs_of = [list(range(end - len(row), end)) for end, row in zip(ends, pairs, strict=True)]
    documents = embedder.embed([f"{document.title}\n{document.text}" for document in universe.documents])
    vectors = embedder.embed([pair.text for pair in flat])
    met = []
    for document, made in zip(universe.documents, pairs, strict=True):
        close = 0
        if document.true and made:
            asked = embedder.embed([p.question for p in document.true]) @ embedder.embed([p.question for p in made]).T
            told = embedder.embed([p.answer for p in document.true]) @ embedder.embed([p.answer for p in made]).T
            close = int(((asked >= MEETS) | (told >= MEETS)).any(axis=1).sum())
        met.append(close)
    return Extracted(documents, vectors, pairs_of, met)
