"""The pile: a fixed snapshot of a corpus, cut into sections, with one vector a section and no search index.

    <folder>/documents.sqlite      documents and sections, see snapshot.py
    <folder>/vectors.npy           float32, one unit row a section

Both get their names when they are complete. Killed between the two, the next opening embeds what was read before;
killed while embedding, it goes on after the last batch that is on the disk.
"""

from __future__ import annotations

import asyncio
import io
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from searchinstruct_graph.errors import ProviderError, UsageError
from searchinstruct_graph.models.embeddings import Embedder
from searchinstruct_graph.text.sentences import Span
from searchinstruct_graph.tools.reading.document import Document

from .corpus import _fetched
from .generations import writing
from .indexing import _sha256, embedded_text
from .language import UNDETERMINED, detect
from .loaders import Skipped, clean, load
from .sections import RULE, sections
from .snapshot import NAME, Draft, MadeFrom, PileSource, Section, Snapshot, put
from .sources import Source, is_page, page_source, printable, scan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from searchinstruct_graph.tools.fetching import SafeFetcher

    Vectors = NDArray[np.float32]

SECTION_CHARS = 6_000
"""Code points that a section holds at most: about 1,500 tokens of English."""
VECTORS = "vectors.npy"
_EMBED_AT_ONCE = 2_048
_EMBED_CHARS_AT_ONCE = 1 << 25
_PROGRESS_EVERY_SECONDS = 0.2
_LANGUAGE_SAMPLE = 2_000

T = TypeVar("T")


class PileProgress(NamedTuple):
    """Something that happened while a pile was made."""

    phase: Literal["waiting", "reading", "embedding", "done"]
    """`waiting`: another process makes it."""
    source: str
    """What is being read; empty in the other phases."""
    documents: int
    """Documents read so far, of all sources."""
    sections: int
    """Sections cut so far, of all sources."""
    embedded: int
    """Sections that have their vector."""


Progress = Callable[[PileProgress], None]


class Pile:
    """A snapshot of a corpus as a sequence of sections. Made by `Pile.open`; its reads are safe from any thread."""

    def __init__(self, snapshot: Snapshot, vectors: Vectors) -> None:
        self._snapshot = snapshot
        self.vectors = vectors
        """A read-only memory map, shape (sections, dimensions): unit rows, zeros for a text without a known token."""
        self.sha256 = snapshot.sha256
        """Of URI, text and licence of every document, in order, and of the rule by which they were cut."""
        self.report: list[PileSource] = snapshot.report
        """What each source gave when the pile was made."""
        weakref.finalize(self, snapshot.close)

    @classmethod
    async def open(
        cls,
        sources: Sequence[str],
        folder: Path,
        *,
        embedder: Embedder,
        section_chars: int = SECTION_CHARS,
        on_progress: Progress | None = None,
        fetcher: SafeFetcher | None = None,
    ) -> Pile:
        """Open the pile in `folder`, which is made from `sources` when it is not there yet.

        `sources` are paths of files or folders, URLs of pages (fetched by `fetcher`), or `pydoc:`, read as `Corpus`
        reads them; of documents with the same text the first is kept. A pile that is there is used as it is: the
        sources may have changed since, or gone. Memory does not grow with the number of documents. `on_progress` is
        called from another thread. When cancelled, it returns as soon as nothing is written any more.

        Raises UsageError for a source that is missing, unreadable or empty, for a pile that was made from other
        sources, with another embedding or another `section_chars`, and for a folder that cannot be written;
        ProviderError when the embedding cannot be computed.
        """
        if not sources:
            raise UsageError("no corpus was named; give a file, a folder, a URL or pydoc:")
        if section_chars < 1:
            raise UsageError(f"a section of {section_chars} characters holds nothing; give at least 1")
        made_from = MadeFrom(tuple(map(printable, sources)), embedder.name, section_chars, RULE)
        maker = _Maker(folder, made_from, embedder, on_progress or _silent)
        read = await asyncio.to_thread(maker.is_read)
        if not read or not await asyncio.to_thread(maker.is_embedded):
            pages = {} if read else await _fetched([source for source in sources if is_page(source)], fetcher)
            await _in_thread(lambda stop: maker.make(sources, pages, stop))
        return await asyncio.to_thread(maker.open)

    def __len__(self) -> int:
        return self._snapshot.sections

    def section(self, index: int) -> Section:
        """The section at `index`, counted from 0. Raises IndexError when there is none."""
        return self._snapshot.section(index)

    def document_of(self, index: int) -> Document:
        """The whole document that the section at `index` is from. Raises IndexError when there is none."""
        return self._snapshot.document_of(index)

    def uris(self) -> Iterator[tuple[str, int, int]]:
        """(URI, index of its first section, number of its sections) of every document, in order."""
        return self._snapshot.documents()


def _silent(_: PileProgress) -> None:
    return None


class _Stopped(Exception):
    """Nobody waits for the pile any more."""


async def _in_thread(work: Callable[[threading.Event], T]) -> T:
    """`work` in a thread, given an event that is set on cancellation; returns when the thread has come to its end."""
    stop = threading.Event()
    running = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([running])
        if not running.cancelled():
            # What it raised is of no interest now, and asyncio need not report it.
            running.exception()
        raise


class _Maker:
    """Makes the two files of a pile, each unless it is there."""

    def __init__(self, folder: Path, made_from: MadeFrom, embedder: Embedder, progress: Progress) -> None:
        self._folder = folder
        self._made_from = made_from
        self._embedder = embedder
        self._progress = progress
        self._documents = folder / NAME
        self._vectors = folder / VECTORS
        self._partial = folder / (VECTORS + ".tmp")
        self._now = datetime.now(UTC).isoformat(timespec="seconds")
        self._told = 0.0

    def is_read(self) -> bool:
        """Whether the documents are there. Raises UsageError when they are those of another pile."""
        if not self._documents.exists():
            return False
        snapshot = Snapshot(self._documents)
        snapshot.close()
        self._check(snapshot.made_from)
        return True

    def is_embedded(self) -> bool:
        """Whether documents and vectors are there and belong together."""
        snapshot = Snapshot(self._documents)
        snapshot.close()
        return _mapped(self._vectors, snapshot.sections) is not None

    def open(self) -> Pile:
        """The finished pile."""
        snapshot = Snapshot(self._documents)
        vectors = _mapped(self._vectors, snapshot.sections)
        if vectors is None:
            snapshot.close()
            raise UsageError(f"the vectors of the pile in {self._folder} went while it was opened; open it again")
        return Pile(snapshot, vectors)

    def make(self, sources: Sequence[str], pages: dict[str, Document], stop: threading.Event) -> None:
        """Make what is not there; a second process waits for the first."""
        try:
            with writing(str(self._folder)) as waiting:
                for _ in waiting:
                    _check_stop(stop)
                    self._progress(PileProgress("waiting", "", 0, 0, 0))
                if not self.is_read():
                    # Vectors without their documents are those of a pile that somebody deleted.
                    for orphan in (self._vectors, self._partial):
                        orphan.unlink(missing_ok=True)
                    self._read(_scanned(sources, pages), stop)
                if not self.is_embedded():
                    self._embed(stop)
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(
                f"the pile in {self._folder} cannot be written: {reason}; free space there, or use another folder"
            ) from error

    def _check(self, made_from: MadeFrom) -> None:
        was, now = made_from, self._made_from
        if was.sources != now.sources:
            raise UsageError(
                f"the pile in {self._folder} was made from {_listed(was.sources)}, not from {_listed(now.sources)}; "
                "name the same corpus, or use another folder"
            )
        if was.embedding != now.embedding:
            raise UsageError(
                f"the pile in {self._folder} was made with the embedding {was.embedding!r}, not {now.embedding!r}; "
                f"use --embeddings {was.embedding}, or another folder"
            )
        if was.section_chars != now.section_chars:
            raise UsageError(
                f"the pile in {self._folder} has sections of {was.section_chars} characters, "
                f"not {now.section_chars}; give the same number, or use another folder"
            )

    def _read(self, sources: list[Source], stop: threading.Event) -> None:
        with Draft(self._documents, self._made_from) as draft:
            for number, source in enumerate(sources):
                account = PileSource(printable(source.given))
                for entry in source.entries:
                    for found in load(entry):
                        _check_stop(stop)
                        if isinstance(found, Skipped):
                            account.skipped.append((source.prefix + found.key, found.reason))
                            continue
                        # What a page says is not cleaned by its loader; the database takes what UTF-8 can carry.
                        text = clean(found.text) if entry.page and not _is_encodable(found.text) else found.text
                        retrieved_at = entry.page.retrieved_at if entry.page else self._now
                        document = Document(
                            source.prefix + found.key, found.title, text, _sha256(text), found.license, retrieved_at
                        )
                        self._add(draft, document, account)
                        self._tell(PileProgress("reading", account.given, *draft.counts, 0))
                account.skipped.extend((source.prefix + key, reason) for key, reason in source.skipped)
                if not account.documents and not account.duplicates:
                    raise UsageError(_nothing_readable(source, account))
                draft.close_source(number, account)
            _check_stop(stop)
            draft.publish()

    def _add(self, draft: Draft, document: Document, account: PileSource) -> None:
        if draft.holds(document.sha256):
            account.duplicates += 1
            return
        spans = _cut(document.text, self._made_from.section_chars)
        if not spans:
            account.skipped.append((document.uri, "empty"))
            return
        draft.add(document, spans)
        account.documents += 1
        account.sections += len(spans)

    def _embed(self, stop: threading.Event) -> None:
        """Write the vectors, batch by batch.

        By plain writes: to a memory map, a full disk would be a signal that ends the process, and what was written
        would count as this process's memory.
        """
        snapshot = Snapshot(self._documents)
        try:
            documents = sum(source.documents for source in snapshot.report)
            total, dimensions = snapshot.sections, self._embedder.dimensions
            many = max(1, min(_EMBED_AT_ONCE, _EMBED_CHARS_AT_ONCE // self._made_from.section_chars))
            header = _header(total, dimensions)
            with _opened(self._partial) as file:
                done = _written(file, header, dimensions * 4, many)
                file.seek(len(header) + done * dimensions * 4)
                file.truncate()
                while done < total:
                    _check_stop(stop)
                    texts = [embedded_text(title, "", text) for title, text in snapshot.texts(done, many)]
                    file.write(_rows(self._embedder, texts, dimensions))
                    file.flush()
                    os.fsync(file.fileno())
                    done += len(texts)
                    self._tell(PileProgress("embedding", "", documents, total, done))
            put(self._partial, self._vectors)
            self._progress(PileProgress("done", "", documents, total, total))
        finally:
            snapshot.close()

    def _tell(self, progress: PileProgress) -> None:
        if time.monotonic() - self._told > _PROGRESS_EVERY_SECONDS:
            self._told = time.monotonic()
            self._progress(progress)


def _scanned(sources: Sequence[str], pages: dict[str, Document]) -> list[Source]:
    """What the sources hold, each once, however it is spelled."""
    found: dict[str, Source] = {}
    for given in sources:
        source = page_source(given, pages[given]) if given in pages else scan(given, time.time_ns())
        found.setdefault(source.identity, source)
    return list(found.values())


def _cut(text: str, limit: int) -> list[Span]:
    # The language is of use for sentence borders alone, and those only where a text is cut.
    language = detect([text[:_LANGUAGE_SAMPLE]]) if len(text) > limit else UNDETERMINED
    return sections(text, limit, "en" if language == UNDETERMINED else language)


def _nothing_readable(source: Source, account: PileSource) -> str:
    if not account.skipped:
        return f"corpus {account.given!r} is empty: nothing to read in it"
    uri, reason = account.skipped[0]
    if len(account.skipped) == 1 and uri == source.prefix:
        return f"corpus {account.given!r} cannot be read: {reason}"
    return (
        f"corpus {account.given!r} holds nothing readable: {len(account.skipped)} skipped, "
        f"the first is {uri!r} ({reason})"
    )


def _listed(sources: Sequence[str]) -> str:
    return ", ".join(map(repr, sources))


def _check_stop(stop: threading.Event) -> None:
    if stop.is_set():
        raise _Stopped


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _header(total: int, dimensions: int) -> bytes:
    """The beginning of a `.npy` file of float32, shape (total, dimensions)."""
    import numpy as np

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (total, dimensions)})
    return header.getvalue()


def _opened(path: Path) -> io.BufferedRandom:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")


def _written(file: io.BufferedRandom, header: bytes, width: int, many: int) -> int:
    """How many rows of `width` bytes an earlier process has left on the disk for good; writes the header if none.

    Rows come in batches of `many`, and a batch is begun when the one before is on the disk: all but the last count.
    """
    if file.read(len(header)) == header:
        rows = (os.fstat(file.fileno()).st_size - len(header)) // width
        return max(rows - 1, 0) // many * many
    file.seek(0)
    file.write(header)
    return 0


def _rows(embedder: Embedder, texts: list[str], dimensions: int) -> bytes:
    import numpy as np

    rows = np.ascontiguousarray(embedder.embed(texts), dtype="<f4")
    if rows.shape != (len(texts), dimensions) or not np.isfinite(rows).all():
        raise ProviderError(
            f"embedding {embedder.name!r} gave no {len(texts)} vectors of {dimensions} finite numbers, "
            f"but an array of shape {rows.shape}; use another embedding"
        )
    return rows.tobytes()


def _mapped(path: Path, total: int) -> Vectors | None:
    """The vectors in `path` as a read-only memory map; None when they are not there, or not those of `total` sections."""
    import numpy as np

    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return vectors if vectors.ndim == 2 and len(vectors) == total and vectors.dtype == np.float32 else None
