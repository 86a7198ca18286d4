"""Bringing the index of one source up to date: what changed is read, cut, embedded and replaced, nothing else."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from ...errors import UsageError
from ...models.embeddings import Embedder
from .chunks import chunks
from .documents import IndexProgress, SourceReport
from .generations import FORMAT, Manifest, begin_generation, generation_path, publish, read_manifest, writing
from .language import UNDETERMINED, detect
from .lexical import build_word_index
from .loaders import Loaded, Skipped, load
from .sources import Entry, Source, scan
from .store import DocumentRow, Store, document_digest
from .vectors import VectorIndex

DOCUMENTS, VECTORS, WORDS = "documents.sqlite", "vectors", "words"
_EMBED_AT_ONCE = 2_048
_PROGRESS_EVERY_SECONDS = 0.2

Progress = Callable[[IndexProgress], None]


@dataclass(slots=True)
class _Changes:
    added: int = 0
    changed: int = 0
    removed: int = 0
    embedded: int = 0


def embedded_text(title: str, heading: str, text: str) -> str:
    """What stands for a chunk in both halves of the index: its title, the headings above it, itself."""
    path = [step for step in heading.split(" > ") if step and step != title]
    above = " > ".join(([title] if title else []) + path)
    start = text[: len(above) + 8].lstrip("#=-~* \n")
    return text if not above or start.startswith(above) else f"{above}\n{text}"


def update(source: Source, home: str, embedder: Embedder, progress: Progress) -> tuple[Manifest, SourceReport]:
    """Make the index in `home` agree with `source`; returns its manifest and the account of what was done.

    Unchanged sources cost one `stat` a file. A second writer waits for the first. Raises UsageError when the index
    was made with another embedding, or when the source holds nothing readable.
    """
    manifest = _checked(read_manifest(home), home, embedder)
    if manifest and (report := _unchanged(source, home, manifest)):
        return manifest, report
    with writing(home) as waiting:
        for _ in waiting:
            progress(IndexProgress(source.given, "waiting", 0, 0))
        # Another process may have done the work meanwhile.
        manifest = _checked(read_manifest(home), home, embedder)
        if manifest:
            source = scan(source.given, time.time_ns())
            if report := _unchanged(source, home, manifest):
                return manifest, report
        return _write(source, home, manifest, embedder, progress)


def _checked(manifest: Manifest | None, home: str, embedder: Embedder) -> Manifest | None:
    if manifest and manifest.embedding != embedder.name:
        raise UsageError(
            f"the index in {home} was made with the embedding {manifest.embedding!r}, not {embedder.name!r}; "
            f"use --embedding {manifest.embedding}, another --index folder, or delete that one"
        )
    if manifest and not os.path.isfile(os.path.join(generation_path(home, manifest.generation), DOCUMENTS)):
        return None
    return manifest


def _unchanged(source: Source, home: str, manifest: Manifest) -> SourceReport | None:
    """A report when the stamps say that nothing changed."""
    store = Store(os.path.join(generation_path(home, manifest.generation), DOCUMENTS))
    try:
        known = store.files()
        if len(known) != len(source.entries):
            return None
        for entry in source.entries:
            stamp, settled = known.get(entry.key, ("", False))
            if stamp != entry.stamp or not settled:
                return None
        return _report(source, store, manifest, _Changes())
    finally:
        store.close()


def _report(source: Source, store: Store, manifest: Manifest, changes: _Changes) -> SourceReport:
    skipped = [(source.prefix + key, reason) for key, reason in [*store.skipped(), *source.skipped]]
    return SourceReport(
        source=source.given,
        documents=manifest.documents,
        chunks=manifest.chunks,
        added=changes.added,
        changed=changes.changed,
        removed=changes.removed,
        unchanged=manifest.documents - changes.added - changes.changed,
        language=manifest.language,
        embedding=manifest.embedding,
        embedded=changes.embedded,
        skipped=skipped,
    )


def _write(
    source: Source, home: str, old: Manifest | None, embedder: Embedder, progress: Progress
) -> tuple[Manifest, SourceReport]:
    number, folder = begin_generation(home, old)
    store = Store(os.path.join(folder, DOCUMENTS), create=old is None)
    vectors = VectorIndex(os.path.join(folder, VECTORS), create=old is None)
    try:
        store.begin()
        writer = _Writer(source, store, vectors, embedder, progress, old.language if old else None)
        changes = writer.run()
        documents, count = store.counts()
        if not documents:
            raise UsageError(_nothing_readable(source, store))
        touched = changes.added or changes.changed or changes.removed or old is None
        language = detect(store.sample(200, 500)) if touched or old is None else old.language
        if touched:
            progress(IndexProgress(source.given, "words", documents, count))
            texts = ((row.id, embedded_text(row.title, row.heading, row.text)) for row in store.every_chunk())
            build_word_index(os.path.join(folder, WORDS), texts, language)
        store.commit()
        manifest = Manifest(
            FORMAT, number, source.identity, embedder.name, embedder.dimensions, language, documents, count
        )
        report = _report(source, store, manifest, changes)
    finally:
        store.close()
        vectors.close()
    publish(home, manifest, folder)
    progress(IndexProgress(source.given, "done", documents, count))
    return manifest, report


def _nothing_readable(source: Source, store: Store) -> str:
    reasons = [*store.skipped(), *source.skipped]
    if not reasons:
        return f"corpus {source.given!r} is empty: nothing to read in it"
    key, reason = reasons[0]
    if len(reasons) == 1 and not key:
        return f"corpus {source.given!r} cannot be read: {reason}"
    return (
        f"corpus {source.given!r} holds nothing readable: {len(reasons)} skipped, the first is "
        f"{source.prefix + key!r} ({reason})"
    )


class _Writer:
    """One run over the files of a source, writing into an open store and vector index."""

    def __init__(
        self,
        source: Source,
        store: Store,
        vectors: VectorIndex,
        embedder: Embedder,
        progress: Progress,
        language: str | None,
    ) -> None:
        self._source = source
        self._store = store
        self._vectors = vectors
        self._embedder = embedder
        self._progress = progress
        self._language = language
        self._changes = _Changes()
        self._now = datetime.now(UTC).isoformat(timespec="seconds")
        self._keys: list[str] = []
        self._texts: list[str] = []
        self._adding: Future[None] | None = None
        self._seen = self._cut = 0
        self._told = 0.0

    def run(self) -> _Changes:
        known = self._store.files()
        # Embedding the next batch overlaps with Chroma taking the last one: both spend their time outside the GIL.
        with ThreadPoolExecutor(1, "searchinstruct-vectors") as self._pool:
            for entry in self._source.entries:
                stamp, settled = known.pop(entry.key, ("", False))
                if stamp != entry.stamp or not settled:
                    self._file(entry)
            for gone in known:
                self._remove([id_ for id_, _ in self._store.digests(gone).values()])
                self._store.forget_file(gone)
            self._flush()
            self._join()
        self._vectors.remove(self._store.take_orphans())
        return self._changes

    def _file(self, entry: Entry) -> None:
        before = self._store.digests(entry.key)
        self._store.clear_skipped(entry.key)
        for found in load(entry):
            if isinstance(found, Skipped):
                self._store.skip(entry.key, found.key, found.reason)
                continue
            self._document(entry, found, before.pop(found.key, None))
        self._remove([id_ for id_, _ in before.values()])
        self._store.set_file(entry.key, entry.stamp, entry.settled)

    def _remove(self, ids: list[int]) -> None:
        self._store.remove_documents(ids)
        self._changes.removed += len(ids)

    def _document(self, entry: Entry, found: Loaded, before: tuple[int, str] | None) -> None:
        self._seen += 1
        sha256 = hashlib.sha256(found.text.encode("utf-8", "surrogatepass")).hexdigest()
        if before and before[1] == document_digest(sha256, found.title, found.license):
            return
        if before:
            self._store.remove_documents([before[0]])
            self._changes.changed += 1
        else:
            self._changes.added += 1
        if self._language is None:
            # Only sentence borders depend on it here; the first document speaks for the rest.
            self._language = detect([found.text])
        row = DocumentRow(found.key, found.title, found.text, sha256, found.license, self._now)
        document = self._store.add_document(entry.key, row)
        language = "en" if self._language == UNDETERMINED else self._language
        for start, end, heading in chunks(found.text, language):
            text = embedded_text(found.title, heading, found.text[start:end])
            key = hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]
            self._cut += 1
            if self._store.add_chunk(document, start, end, heading, key):
                self._keys.append(key)
                self._texts.append(text)
                if len(self._keys) >= _EMBED_AT_ONCE:
                    self._flush()
        if time.monotonic() - self._told > _PROGRESS_EVERY_SECONDS:
            self._told = time.monotonic()
            self._progress(IndexProgress(self._source.given, "reading", self._seen, self._cut))

    def _flush(self) -> None:
        """Embed what has gathered and hand it to Chroma; waits for the batch before."""
        if not self._keys:
            return
        keys, rows = self._keys, self._embedder.embed(self._texts)
        self._keys, self._texts = [], []
        self._changes.embedded += len(keys)
        self._join()
        self._adding = self._pool.submit(self._vectors.add, keys, rows)

    def _join(self) -> None:
        if self._adding:
            self._adding.result()
            self._adding = None
