"""One open generation of one source's index."""

from __future__ import annotations

import math
import os
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from searchinstruct_graph.text.constraints import Constraint
from searchinstruct_graph.tools.reading.document import Document

from .generations import Manifest, generation_path
from .indexing import DOCUMENTS, VECTORS, WORDS
from .language import BEGINNING, spoken
from .lexical import WordIndex
from .sieve import Sieve
from .store import ChunkRow, Store
from .vectors import VectorIndex

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


_SIEVES = 8
_WIDEST = 1_000


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
        self._sieves: dict[tuple[Constraint, ...], Sieve] = {}
        self._rows: weakref.WeakKeyDictionary[Sieve, NDArray[np.bool_]] = weakref.WeakKeyDictionary()
        self._languages: list[str] | None = None
        self._sifting = threading.Lock()
        # A search may still run when a newer generation replaces this one: close when the last user lets go.
        weakref.finalize(self, _close, self.store, self._vectors)

    def by_words(self, query: str, count: int, sieve: Sieve | None = None) -> list[tuple[ChunkRow, float]]:
        """Best chunks by their share of the query's words, best first, outside of what `sieve` drops; see `WordIndex.best`."""
        found = self._words.best(query, count, self._allowed(sieve) if sieve and sieve.outside else None)
        rows = {row.id: row for row in self.store.chunks_by_id([id_ for id_, _ in found])}
        return [(rows[id_], share) for id_, share in found]

    def by_vector(
        self, vector: NDArray[np.float32], count: int, sieve: Sieve | None = None
    ) -> list[tuple[ChunkRow, float]]:
        """Nearest chunks by cosine, best first, outside of what `sieve` drops; chunks of equal text share their vector and
        stand together.
        """
        nearest = dict(self._nearest(vector, min(count, self.manifest.chunks), sieve))
        rows = self.store.chunks_by_vector(list(nearest))
        if sieve:
            rows = [row for row in rows if row.key not in sieve.outside]
        return sorted(
            ((row, nearest[row.vector]) for row in rows),
            key=lambda hit: (-hit[1], hit[0].id),
        )

    def _nearest(self, vector: NDArray[np.float32], count: int, sieve: Sieve | None) -> list[tuple[str, float]]:
        """Keys of the nearest vectors outside of what `sieve` drops, with their cosines."""
        if sieve is None or not sieve.outside:
            return self._vectors.nearest(vector, count)
        count = min(count, len(sieve.vectors))
        if not count:
            return []
        # Most often enough of the nearest remain; asking for these keys alone takes several times as long.
        wide = math.ceil(1.5 * count * self.manifest.chunks / len(sieve.vectors))
        if wide <= _WIDEST:
            found = self._vectors.nearest(vector, min(wide, self.manifest.chunks))
            kept = [(key, cosine) for key, cosine in found if key in sieve.vectors]
            if len(kept) >= count:
                return kept[:count]
        return self._vectors.nearest(vector, count, sorted(sieve.vectors))

    def _allowed(self, sieve: Sieve) -> NDArray[np.bool_]:
        """Which rows of the word index a sieve lets through; remembered with it."""
        found = self._rows.get(sieve)
        if found is None:
            found = self._rows[sieve] = self._words.allowed(sieve.chunks)
        return found

    def vectors(self, rows: Sequence[ChunkRow]) -> list[NDArray[np.float32]]:
        """The stored unit vectors (d,) of chunks."""
        held = self._vectors.of([row.vector for row in rows])
        return [held[row.vector] for row in rows]

    def sieve(self, constraints: tuple[Constraint, ...]) -> Sieve:
        """What constraints make of the documents here; those of the last few searches are kept."""
        with self._sifting:
            if constraints not in self._sieves:
                languages = self._spoken() if any(each.kind == "language" for each in constraints) else None
                self._sieves[constraints] = Sieve.of(self.store, self.prefix, constraints, languages)
                while len(self._sieves) > _SIEVES:
                    del self._sieves[next(iter(self._sieves))]
            return self._sieves[constraints]

    def _spoken(self) -> list[str]:
        """The language of every document, by id; told once, since that takes a quarter of a millisecond each."""
        if self._languages is None:
            self._languages = [spoken(beginning, declared) for *_, declared, _, beginning in self.store.told(BEGINNING)]
        return self._languages

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
        return Document(uri, *row[1:])


def _close(store: Store, vectors: VectorIndex) -> None:
    store.close()
    vectors.close()
