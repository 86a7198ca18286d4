"""Bringing the index of one source up to date: what changed is read, cut, embedded and replaced, nothing else."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.embeddings import Embedder, shown_name

from .chunks import chunks
from .generations import (
    FORMAT,
    Manifest,
    begin_generation,
    generation_path,
    publish,
    read_manifest,
    writing,
)
from .language import UNDETERMINED, detect
from .lexical import build_word_index
from .loaders import Loaded, Skipped, load
from .results import IndexProgress, SourceReport
from .sources import Entry, Source, scan
from .store import DocumentRow, NewChunk, Store, document_digest
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
            source = source if source.fetched else scan(source.given, time.time_ns())
            if report := _unchanged(source, home, manifest) or _only_touched(source, home, manifest):
                return manifest, report
        return _write(source, home, manifest, embedder, progress)


def _checked(manifest: Manifest | None, home: str, embedder: Embedder) -> Manifest | None:
    if manifest and manifest.embedding != embedder.name:
        if shown_name(manifest.embedding) == shown_name(embedder.name):
            raise UsageError(
                f"the index in {home} was made with another retriever than {shown_name(embedder.name)} holds by now; "
                "name another --index folder, or delete that one"
            )
        raise UsageError(
            f"the index in {home} was made with the embedding {manifest.embedding!r}, not {embedder.name!r}; "
            f"use --embeddings {shown_name(manifest.embedding)}, another --index folder, or delete that one"
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


def _only_touched(source: Source, home: str, manifest: Manifest) -> SourceReport | None:
    """A report when files have new stamps and the documents that the index has already; remembers the stamps.

    Stops reading at the first difference. The stamps go into the live generation in one transaction: readers do not
    look at them, and no copy is needed.
    """
    store = Store(os.path.join(generation_path(home, manifest.generation), DOCUMENTS))
    try:
        known = store.files()
        if set(known) != {entry.key for entry in source.entries}:
            return None
        touched = [entry for entry in source.entries if known[entry.key] != (entry.stamp, True)]
        for entry in touched:
            before = store.digests(entry.key)
            reasons = store.skipped_in(entry.key)
            for found in load(entry):
                if isinstance(found, Skipped):
                    if not reasons or reasons.pop(0) != (found.key, found.reason):
                        return None
                elif (row := before.pop(found.key, None)) is None or row[1] != _digest(found):
                    return None
            if before or reasons:
                return None
        store.begin()
        for entry in touched:
            store.set_file(entry.key, entry.stamp, entry.settled)
        store.commit()
        return _report(source, store, manifest, _Changes())
    finally:
        store.close()


def _digest(found: Loaded) -> str:
    return document_digest(_sha256(found.text), found.title, found.license, found.published, found.language, found.url)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


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
    source: Source,
    home: str,
    old: Manifest | None,
    embedder: Embedder,
    progress: Progress,
) -> tuple[Manifest, SourceReport]:
    number, folder = begin_generation(home, old)
    store = Store(os.path.join(folder, DOCUMENTS), draft=True, create=old is None)
    vectors = VectorIndex(os.path.join(folder, VECTORS), create=old is None)
    try:
        store.begin()
        before = (set(store.files()), store.skipped())
        writer = _Writer(source, store, vectors, embedder, progress, old.language if old else None)
        changes = writer.run()
        documents, count = store.counts()
        if not documents:
            raise UsageError(_nothing_readable(source, store))
        touched = changes.added or changes.changed or changes.removed or old is None
        if old and not touched and before == (set(store.files()), store.skipped()):
            # Only the files' stamps moved: note them where readers look, and let the generation stand.
            _restamp(source, os.path.join(generation_path(home, old.generation), DOCUMENTS))
            shutil.rmtree(folder, ignore_errors=True)
            return old, _report(source, store, old, changes)
        language = detect(store.sample(200, 500)) if touched or old is None else old.language
        if touched:
            progress(IndexProgress(source.given, "words", documents, count))
            texts = ((row.id, embedded_text(row.title, row.heading, row.text)) for row in store.every_chunk())
            build_word_index(os.path.join(folder, WORDS), texts, language)
        store.commit()
        manifest = Manifest(
            FORMAT,
            number,
            source.identity,
            embedder.name,
            embedder.dimensions,
            language,
            documents,
            count,
        )
        report = _report(source, store, manifest, changes)
    finally:
        store.close()
        vectors.close()
    publish(home, manifest, folder)
    progress(IndexProgress(source.given, "done", documents, count))
    return manifest, report


def _restamp(source: Source, path: str) -> None:
    store = Store(path)
    try:
        store.begin()
        for entry in source.entries:
            store.set_file(entry.key, entry.stamp, entry.settled)
        store.commit()
    finally:
        store.close()


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
        self._waiting: list[tuple[str, DocumentRow, list[NewChunk]]] = []
        self._waiting_chunks = 0
        self._seen = self._cut = 0
        self._told = 0.0

    def run(self) -> _Changes:
        known = self._store.files()
        for entry in self._source.entries:
            stamp, settled = known.pop(entry.key, ("", False))
            if stamp != entry.stamp or not settled:
                self._file(entry)
        for gone in known:
            self._remove([id_ for id_, _ in self._store.digests(gone).values()])
            self._store.forget_file(gone)
        self._flush()
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
        if before and before[1] == _digest(found):
            return
        if before:
            self._store.remove_documents([before[0]])
            self._changes.changed += 1
        else:
            self._changes.added += 1
        if self._language is None:
            # Only sentence borders depend on it here; the first document speaks for the rest.
            self._language = detect([found.text])
        row = DocumentRow(
            found.key,
            found.title,
            found.text,
            _sha256(found.text),
            found.license,
            self._now,
            found.published,
            found.language,
            found.url,
        )
        cut = self._chunks(found)
        self._waiting.append((entry.key, row, cut))
        self._cut += len(cut)
        self._waiting_chunks += len(cut)
        if self._waiting_chunks >= _EMBED_AT_ONCE:
            self._flush()
        if time.monotonic() - self._told > _PROGRESS_EVERY_SECONDS:
            self._told = time.monotonic()
            self._progress(IndexProgress(self._source.given, "reading", self._seen, self._cut))

    def _chunks(self, found: Loaded) -> list[NewChunk]:
        language = "en" if self._language in (None, UNDETERMINED) else self._language
        cut = []
        for start, end, heading in chunks(found.text, language or "en"):
            text = embedded_text(found.title, heading, found.text[start:end])
            cut.append(NewChunk(start, end, heading, _sha256(text)[:32], text))
        return cut

    def _flush(self) -> None:
        """Store what has gathered, embed what is new of it, and hand it to Chroma.

        No threads: Chroma's `add` holds the interpreter lock for its whole work, so that nothing would overlap.
        """
        fresh = self._store.add(self._waiting)
        self._waiting, self._waiting_chunks = [], 0
        for at in range(0, len(fresh), _EMBED_AT_ONCE):
            batch = fresh[at : at + _EMBED_AT_ONCE]
            rows = self._embedder.embed([text for _, text in batch])
            self._changes.embedded += len(batch)
            self._vectors.add([key for key, _ in batch], rows)
