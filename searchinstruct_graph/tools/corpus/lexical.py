"""Words of one index generation: bm25s arrays, stemmed by the corpus's language."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from searchinstruct_graph.text.words import stems

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_VOCABULARY = "vocabulary.json"
_ROWS = "chunks.npy"
K1, B = 1.5, 0.75


class WordIndex:
    """BM25 (Lucene's variant) over the chunks of one generation."""

    def __init__(self, folder: str, language: str) -> None:
        import numpy as np

        self._language = language
        with open(os.path.join(folder, _VOCABULARY), encoding="utf-8") as handle:
            self._vocabulary: dict[str, int] = json.load(handle)
        self._chunks: NDArray[np.int64] = np.load(os.path.join(folder, _ROWS), mmap_mode="r")
        self._bm25 = _load(folder) if self._vocabulary else None
        self._frequencies = np.diff(self._bm25.scores["indptr"]) if self._bm25 else np.zeros(0, dtype=np.int64)

    def allowed(self, outside: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which rows are none of the chunks with the ids `outside`; (rows,)."""
        import numpy as np

        return ~np.isin(self._chunks, outside)

    def best(self, query: str, count: int, allowed: NDArray[np.bool_] | None = None) -> list[tuple[int, float]]:
        """Up to `count` (chunk id, share of the query found), best first, of the rows that are `allowed`.

        The share is the BM25 score over the score of an ideal chunk that holds every word of the query; words that
        the corpus lacks count as the rarest. Shares of different indexes can be compared.
        """
        import numpy as np

        tokens = list(dict.fromkeys(stems(query, self._language)))
        total = len(self._chunks)
        if not total or self._bm25 is None:
            return []
        ids = [self._vocabulary[token] for token in tokens if token in self._vocabulary]
        if not ids:
            return []
        unknown = len(tokens) - len(ids)
        idf = [_idf(total, int(self._frequencies[token])) for token in ids]
        ideal = (sum(idf) + unknown * _idf(total, 0)) * (K1 + 1) / 2
        scores = self._bm25.get_scores_from_ids(ids)
        if allowed is not None:
            scores = np.where(allowed, scores, 0.0)
        count = min(count, total)
        # More than `count` candidates, so that ties at the border are broken by chunk order and not by chance.
        border = np.partition(scores, total - count)[total - count]
        rows = np.flatnonzero(scores >= max(border, np.finfo(np.float32).tiny))
        order = rows[np.lexsort((rows, -scores[rows]))][:count]
        return [(int(self._chunks[row]), float(scores[row]) / ideal) for row in order]


def _idf(total: int, frequency: int) -> float:
    return math.log(1 + (total - frequency + 0.5) / (frequency + 0.5))


def _load(folder: str) -> Any:
    import bm25s

    return bm25s.BM25.load(folder, mmap=True, load_vocab=False, show_progress=False)


def build_word_index(folder: str, texts: Iterable[tuple[int, str]], language: str) -> None:
    """Write the index of (chunk id, text) pairs into `folder`."""
    import bm25s
    import numpy as np

    vocabulary: dict[str, int] = {}
    chunk_ids: list[int] = []
    rows: list[NDArray[np.int32]] = []
    for chunk_id, text in texts:
        chunk_ids.append(chunk_id)
        ids = [vocabulary.setdefault(token, len(vocabulary)) for token in stems(text, language)]
        rows.append(np.array(ids, dtype=np.int32))
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, _VOCABULARY), "w", encoding="utf-8") as handle:
        json.dump(vocabulary, handle)
    np.save(os.path.join(folder, _ROWS), np.array(chunk_ids, dtype=np.int64))
    if vocabulary:
        model = bm25s.BM25(k1=K1, b=B, method="lucene")
        model.index(
            ([row.tolist() for row in rows], vocabulary),
            create_empty_token=False,
            show_progress=False,
        )
        model.save(folder, show_progress=False)
