"""Vectors of one index generation in an embedded Chroma collection."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

_NAME = "chunks"
_DELETED_AT_ONCE = 1_000
# Chroma's `add` holds the interpreter lock throughout: small batches, so that an event loop in this process can turn.
_ADDED_AT_ONCE = 512
# Chroma's client registry is not thread-safe.
_opening = threading.Lock()


class VectorIndex:
    """Nearest neighbours by cosine. Holds ids and vectors only: texts are in SQLite, where they have offsets."""

    def __init__(self, path: str, *, create: bool = False) -> None:
        import chromadb
        from chromadb.config import Settings

        with _opening:
            self._client: Any = chromadb.PersistentClient(path, settings=Settings(anonymized_telemetry=False))
            if create:
                # ef_search 128 finds what an exhaustive search finds in 99 of 100 top-50 lists.
                self._collection: Any = self._client.create_collection(
                    _NAME,
                    embedding_function=None,
                    configuration={"hnsw": {"space": "cosine", "ef_search": 128}},
                )
            else:
                self._collection = self._client.get_collection(_NAME, embedding_function=None)

    def add(self, keys: Sequence[str], vectors: Vectors) -> None:
        """Store unit vectors (n, d) under new keys."""
        for at in range(0, len(keys), _ADDED_AT_ONCE):
            self._collection.add(
                ids=list(keys[at : at + _ADDED_AT_ONCE]),
                embeddings=vectors[at : at + _ADDED_AT_ONCE],
            )

    def remove(self, keys: Sequence[str]) -> None:
        """Remove vectors by key."""
        for at in range(0, len(keys), _DELETED_AT_ONCE):
            self._collection.delete(ids=list(keys[at : at + _DELETED_AT_ONCE]))

    def nearest(self, vector: Vectors, count: int, among: Sequence[str] | None = None) -> list[tuple[str, float]]:
        """Up to `count` (key, cosine), best first, for one unit vector (d,); `among`: only these keys, at least one."""
        limited: dict[str, Any] = {} if among is None else {"ids": list(among)}
        found = self._collection.query(query_embeddings=[vector], n_results=count, include=["distances"], **limited)
        return [(key, 1.0 - distance) for key, distance in zip(found["ids"][0], found["distances"][0], strict=True)]

    def of(self, keys: Sequence[str]) -> dict[str, Vectors]:
        """The unit vectors (d,) with these keys."""
        if not keys:
            return {}
        found = self._collection.get(ids=list(dict.fromkeys(keys)), include=["embeddings"])
        return dict(zip(found["ids"], found["embeddings"], strict=True))

    def close(self) -> None:
        """Release the files."""
        with _opening:
            self._client.close()
