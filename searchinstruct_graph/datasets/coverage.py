"""Where a dataset made from a task has holes: cells of keyword and Bloom level with fewer rows than their even part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.database import reading
from searchinstruct_graph.datasets.rows import BLOOM
from searchinstruct_graph.datasets.run import read_run
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.embeddings import Embedder, embeddings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BELONGS = 0.25
"""Cosine below which a pair is about none of the keywords."""


class Holes:
    """The unmet part of a run's quota. A cell is a keyword and a level: number = keyword × 6 + level."""

    def __init__(
        self, keywords: Sequence[str], counts: Counter[tuple[str, str]], target: int, embedder: Embedder
    ) -> None:
        import numpy as np

        self.keywords = list(keywords)
        self.pairs: list[tuple[str, str]] = []
        """Question and answer of the run's rows."""
        self._vectors = embedder.embed(self.keywords)
        quota = target / (len(self.keywords) * len(BLOOM))
        made = np.array([[counts[keyword, level] for level in BLOOM] for keyword in self.keywords], dtype=np.float64)
        self.open: NDArray[np.float64] = np.maximum(0.0, quota - made).ravel()
        """What every cell lacks, in rows; shape (keywords × 6,)."""

    def cells(self, vectors: NDArray[np.float32], levels: Sequence[str]) -> list[int]:
        """The cell of each pair: that of the keyword nearest to its vector, at its level; -1 for one that is near none."""
        if not len(vectors):
            return []
        cosines = vectors @ self._vectors.T
        nearest = cosines.argmax(axis=1)
        return [
            int(keyword) * len(BLOOM) + BLOOM.index(level) if cosines[row, keyword] >= BELONGS else -1
            for row, (keyword, level) in enumerate(zip(nearest, levels, strict=True))
        ]


def read_holes(folder: Path, embedding: str) -> Holes:
    """The holes of the run in `folder`.

    Raises:
        UsageError: `folder` holds no run, one that was not made from a task, or one whose every cell is full.
    """
    run = read_run(folder)
    if run["configuration"]["method"] != "ds2-instruct":
        raise UsageError(f"{folder} was not made from a task, so it has no quota to cover; name a run of build --task")
    counts: Counter[tuple[str, str]] = Counter()
    pairs = []
    with reading(folder / ledgers.NAME) as db:
        keywords = [keyword for (keyword,) in db.execute("SELECT keyword FROM keywords ORDER BY position")]
        for row in ledgers.read_rows(db):
            counts.update((keyword, row["origin"]["bloom"]) for keyword in row["origin"]["keywords"])
            pairs.append((row["instruction"], row["answer"]))
    if not keywords:
        raise UsageError(f"{folder} has no keywords yet; let it build first")
    holes = Holes(keywords, counts, int(run["options"]["target"]), embeddings(embedding))
    if not holes.open.any():
        raise UsageError(f"{folder} has no holes: every keyword has its rows at every level")
    holes.pairs = pairs
    return holes
