"""One open generation of one source's index."""

from __future__ import annotations

import os
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from searchinstruct_graph.tools.reading.document import Document

from .generations import Manifest, generation_path
from .indexing import DOCUMENTS, VECTORS, WORDS
from .lexical import WordIndex
from .store import ChunkRow, Store
from .vectors import VectorIndex

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Index:
    """Search and reading in one generation; immutable, usable from several threads."""

    def __init__(self, prefix: str, home: str, manifest: Manifest) -> None:
        self.prefix = prefix
        self.manifest = manifest
        folder = generation_path(home, manifest.generation)
        self.store = Store(os.path.join(folder, DOCUMENTS))
        # Importing Chroma takes most of a second; words load beside it.
        with ThreadPoolExecutor(1, "searchinstruct-words") as pool:
            words = pool.submit(WordIndex, os.path.join(folder, WORDS), manifest.language)
            self._vectors = VectorIndex(os.path.join(folder, VECTORS))
            self._words = words.result()
        # A search may still run when a newer generation replaces this one: close when the last user lets go.
        weakref.finalize(self, _close, self.store, self._vectors)

    def by_words(self, query: str, count: int) -> list[tuple[ChunkRow, float]]:
        """Best chunks by their share of the query's words, best first; see `WordIndex.best`."""
        found = self._words.best(query, count)
        rows = {row.id: row for row in self.store.chunks_by_id([id_ for id_, _ in found])}
        return [(rows[id_], share) for id_, share in found]

    def by_vector(self, vector: NDArray[np.float32], count: int) -> list[tuple[ChunkRow, float]]:
        """Nearest chunks by cosine, best first; chunks of equal text share their vector and stand together."""
        nearest = dict(self._vectors.nearest(vector, min(count, self.manifest.chunks)))
        rows = self.store.chunks_by_vector(list(nearest))
        return sorted(
            ((row, nearest[row.vector]) for row in rows),
            key=lambda hit: (-hit[1], hit[0].id),
        )

    def documents(self) -> list[tuple[str, int]]:
        """(key, characters) of every document."""
        return self.store.sizes()

    def read(self, uri: str) -> Document | None:
        """The document at `uri`, if it is in this source."""
        if not uri.startswith(self.prefix):
            return None
        row = self.store.document(uri[len(self.prefix) :])
        if row is None:
            return None
        return Document(uri, row.title, row.text, row.sha256, row.license, row.retrieved_at)


def _close(store: Store, vectors: VectorIndex) -> None:
    store.close()
    vectors.close()
