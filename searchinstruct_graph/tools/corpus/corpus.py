"""The corpus: one search and one reading over all the sources of a run."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.embeddings import SearchEmbedder, embeddings
from searchinstruct_graph.tools.reading.document import Document

from .generations import Manifest
from .index import Index
from .indexing import update
from .listing import Listing
from .results import IndexProgress, Passage, SourceReport
from .search import Searched, search
from .sources import Source, is_page, page_source, scan

if TYPE_CHECKING:
    from searchinstruct_graph.tools.fetching import SafeFetcher

HOME_VARIABLE = "SEARCHINSTRUCT_HOME"


class Corpus:
    """Indexed sources, open for search. Made by `Corpus.open`; safe to share among tasks."""

    def __init__(
        self,
        indexes: Sequence[Index],
        embedder: SearchEmbedder,
        report: Sequence[SourceReport],
    ) -> None:
        self._indexes = list(indexes)
        self._embedder = embedder
        self.report = list(report)

    @classmethod
    async def open(
        cls,
        sources: Sequence[str],
        *,
        embedding: str = "wordllama",
        index_dir: str | None = None,
        on_progress: Callable[[IndexProgress], None] | None = None,
        fetcher: SafeFetcher | None = None,
    ) -> Corpus:
        """Bring the index of every source up to date and open it.

        `sources` are paths of files or folders, URLs of pages (fetched by `fetcher`), or `pydoc:`.
        Indexes live in `index_dir`, by default in the user's cache folder or `SEARCHINSTRUCT_HOME`. `on_progress` is
        called from another thread. Opening unchanged sources again in the same process is a matter of checking their
        files' stamps.

        Raises UsageError for a source that is missing, unreadable or empty, for an unknown embedding, and for an
        index in `index_dir` that another embedding made.
        """
        pages = await _fetched([source for source in sources if is_page(source)], fetcher)
        return await asyncio.to_thread(_open, list(sources), embedding, index_dir, on_progress or _silent, pages)

    async def search(self, query: str, k: int = 10, *, instruction: str = "") -> list[Passage]:
        """The `k` passages that fit `query` best, best first, over all sources; see `find`."""
        return (await self.find(query, k, instruction=instruction)).passages

    async def find(self, query: str, k: int = 10, *, instruction: str = "") -> Searched:
        """The `k` passages that fit `query` best, best first, over all sources, and what was made of the instruction.

        `instruction` says in words what kind of passage is wanted: what documents say of themselves (when they were published,
        where, in which language) is checked in code, the rest steers the order. Raises UsageError for a blank query.
        """
        if not query.strip():
            raise UsageError("the search query is empty; say what to look for")
        return await asyncio.to_thread(search, self._indexes, self._embedder, query, k, instruction)

    async def read(self, uri: str) -> Document:
        """The document at `uri`. Raises KeyError when no source has it."""
        return await asyncio.to_thread(self._read, uri)

    async def listing(self) -> Listing:
        """Its passages one by one, in an order that depends on nothing but what they say and where they stand."""
        return await asyncio.to_thread(Listing, self._indexes)

    def documents(self) -> list[tuple[str, int]]:
        """(URI, characters) of every document, in the order of the sources."""
        return [(index.prefix + key, size) for index in self._indexes for key, size in index.documents()]

    def _read(self, uri: str) -> Document:
        for index in self._indexes:
            if found := index.read(uri):
                return found
        raise KeyError(uri)


async def _fetched(urls: list[str], fetcher: SafeFetcher | None) -> dict[str, Document]:
    """The pages that were named as sources. Raises UsageError when one cannot be read."""
    if not urls:
        return {}
    from searchinstruct_graph.tools.fetching import SafeFetcher, Unfetched

    reader = fetcher or SafeFetcher()
    pages: dict[str, Document] = {}
    for url, page in zip(urls, await asyncio.gather(*map(reader.read, urls)), strict=True):
        if isinstance(page, Unfetched):
            raise UsageError(f"corpus {url!r} cannot be read: {page.detail}")
        pages[url] = page
    return pages


def _silent(_: IndexProgress) -> None:
    return None


def _home(source: Source, embedding: str, index_dir: str | None) -> str:
    """Folder of a source's index. In the default place embeddings get folders of their own and cannot clash."""
    if index_dir:
        return os.path.join(os.path.realpath(os.path.expanduser(index_dir)), source.folder_name)
    import platformdirs

    base = os.environ.get(HOME_VARIABLE) or platformdirs.user_cache_dir("searchinstruct")
    # Of a trained encoder's folder the end tells it apart: it is a digest.
    folder = "".join(ch if ch.isalnum() or ch in "-_." else "_" for ch in embedding)[-100:]
    return os.path.join(
        os.path.realpath(os.path.expanduser(base)),
        "indexes",
        folder,
        source.folder_name,
    )


MOST_WARM = 64
"""Indexes that a process keeps open; one that is still searched closes when its last user lets go."""

_warm: dict[tuple[str, str], Index] = {}
_homes: dict[str, threading.Lock] = {}
_registry = threading.Lock()


def _open(
    sources: list[str],
    embedding: str,
    index_dir: str | None,
    progress: Callable[[IndexProgress], None],
    pages: dict[str, Document],
) -> Corpus:
    if not sources:
        raise UsageError("no corpus was named; give a file, a folder, a URL or pydoc:")
    with ThreadPoolExecutor(1, "searchinstruct-embedder") as pool:
        loading = pool.submit(embeddings, embedding)
        scanned: dict[str, Source] = {}
        for given in sources:
            source = page_source(given, pages[given]) if given in pages else scan(given, time.time_ns())
            scanned.setdefault(source.identity, source)
        embedder = loading.result()
        opened = [
            _one(source, _home(source, embedder.name, index_dir), embedder, progress) for source in scanned.values()
        ]
    return Corpus([index for index, _ in opened], embedder, [report for _, report in opened])


def _one(
    source: Source,
    home: str,
    embedder: SearchEmbedder,
    progress: Callable[[IndexProgress], None],
) -> tuple[Index, SourceReport]:
    with _registry:
        lock = _homes.setdefault(home, threading.Lock())
    with lock:
        manifest, report = _updated(source, home, embedder, progress)
        place = (home, source.prefix)
        index = _warm.get(place)
        if index is None or index.manifest != manifest:
            index = _warm[place] = Index(source.prefix, home, manifest)
            while len(_warm) > MOST_WARM:
                del _warm[next(iter(_warm))]
        return index, report


def _updated(
    source: Source, home: str, embedder: SearchEmbedder, progress: Callable[[IndexProgress], None]
) -> tuple[Manifest, SourceReport]:
    """Bring the index up to date; one that is damaged is made anew, since all of it comes from the source."""
    try:
        try:
            return update(source, home, embedder, progress)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            shutil.rmtree(home, ignore_errors=True)
            for place in [each for each in _warm if each[0] == home]:
                del _warm[place]
            return update(source, home, embedder, progress)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"the index in {home} cannot be written: {reason}; free space there, or use --index DIR"
        ) from error
