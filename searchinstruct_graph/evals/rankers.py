"""Passages in the order of an encoder alone, by the names that `--embeddings` takes: no words, no fusion, no index.

The product's search joins words and vectors; this is its vector half, for benchmarks that compare encoders. A folder that
`train-retriever` saved is joined as it was trained, the attention variant too, and a re-scoring head orders the first passages
of a query with an instruction anew, as it does in the product.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.models.embeddings import SearchEmbedder, embeddings
from searchinstruct_graph.models.joining import joined, saved_retriever
from searchinstruct_graph.models.rescoring import DEPTH, Rescorer, ask
from searchinstruct_graph.retriever.encoder import Encoder, Precision
from searchinstruct_graph.retriever.evaluation import PairEncoder, Vectors

Scores = NDArray[np.float32]
Indices = NDArray[np.int64]


class Plain:
    """An embedder of the product, to which query and instruction are one text."""

    def __init__(self, embedder: SearchEmbedder) -> None:
        self._embedder = embedder

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Passages as unit rows; (n, d)."""
        return self._embedder.embed(texts)

    def embed_pairs(self, queries: Sequence[str], instructions: Sequence[str]) -> Vectors:
        """Queries with their instructions ("" for none) as unit rows; (n, d)."""
        join = self._embedder.join
        return self._embedder.embed([joined(*both, join) for both in zip(queries, instructions, strict=True)])


class Ranker:
    """Scores of passages, higher is better; a `Scorer` of `retriever.evaluation` that embeds the same passages once."""

    def __init__(self, encoder: PairEncoder, head: Rescorer | None = None) -> None:
        self._encoder, self._head = encoder, head
        self._passages: Sequence[str] = ()
        self._vectors: Vectors | None = None

    def __call__(self, queries: Sequence[str], instructions: Sequence[str], passages: Sequence[str]) -> Scores:
        """Scores (n, m) of m passages for n queries with their instructions ("" for none)."""
        return self.scores(queries, instructions, passages)

    def scores(
        self,
        queries: Sequence[str],
        instructions: Sequence[str],
        passages: Sequence[str],
        among: Sequence[Indices] | None = None,
    ) -> Scores:
        """Scores (n, m); with `among`, of each query the passages that it is asked about, the others −inf."""
        if passages is not self._passages or self._vectors is None:
            self._vectors, self._passages = self._encoder.embed(passages), passages
        # A head orders what the query alone has found, as it does in the product.
        told = [""] * len(queries) if self._head else instructions
        found: Scores = self._encoder.embed_pairs(queries, told) @ self._vectors.T
        if among is not None:
            kept = np.full_like(found, -np.inf)
            for row, columns in enumerate(among):
                kept[row, columns] = found[row, columns]
            found = kept
        if self._head is not None:
            for row, (query, instruction) in enumerate(zip(queries, instructions, strict=True)):
                if instruction.strip():
                    self._rescore(found[row], query, instruction, self._head)
        return found

    def _rescore(self, scores: Scores, query: str, instruction: str, head: Rescorer) -> None:
        """Put the first passages in the head's order, above all others."""
        assert self._vectors is not None
        asked = int(np.isfinite(scores).sum())
        first = np.argsort(-scores, kind="stable")[: min(DEPTH, asked)]
        order = head.order(
            ask(query, instruction, self._encoder.embed), [self._passages[at] for at in first], self._vectors[first]
        )
        # Cosines end at 1.
        scores[first[order]] = 1 + np.arange(len(first), 0, -1)


def ranker(name: str, precision: Precision = "auto") -> Ranker:
    """The ranker of `--embeddings NAME`; an encoder in a folder computes in `precision`.

    Raises:
        UsageError: there is no such embedding, its package or key is missing, or a folder holds no retriever.
    """
    if os.path.isdir(name):
        saved = saved_retriever(name)
        if saved.join == "attention" or (saved.kind == "encoder" and precision != "auto"):
            return Ranker(Encoder(name, precision=precision))
    embedder = embeddings(name)
    return Ranker(Plain(embedder), embedder.head())
