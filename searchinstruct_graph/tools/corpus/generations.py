"""An index on disk: immutable generations, one of which is current.

    <home>/<source>/CURRENT            manifest of the current generation (JSON, replaced atomically)
    <home>/<source>/LOCK               held by the one process that writes
    <home>/<source>/gen-000007/        documents.sqlite, vectors/ (Chroma), words/ (bm25s)
    <home>/<source>/gen-000008.tmp/    being written

A writer copies the current generation, changes the copy, syncs it to disk, renames it, and only then points CURRENT
at it. Killed at any moment, it leaves a `.tmp` folder or an unreferenced generation, and readers keep what they have.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

FORMAT = 2
"""Raised when an older index cannot be read any more; such an index is rebuilt."""
_CURRENT = "CURRENT"
_LOCK = "LOCK"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What CURRENT says."""

    format: int
    generation: int
    source: str
    embedding: str
    dimensions: int
    language: str
    documents: int
    chunks: int


def read_manifest(home: str) -> Manifest | None:
    """The manifest in `home`; None when there is none, or one of another format."""
    try:
        with open(os.path.join(home, _CURRENT), encoding="utf-8") as handle:
            fields = json.load(handle)
        return Manifest(**fields) if fields["format"] == FORMAT else None
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError):
        return None


def generation_path(home: str, generation: int) -> str:
    """Folder of a generation."""
    return os.path.join(home, f"gen-{generation:06d}")


def begin_generation(home: str, old: Manifest | None) -> tuple[int, str]:
    """A fresh `.tmp` folder for the next generation, holding a copy of `old` if given. Only under the lock."""
    taken = [0]
    for name in os.listdir(home):
        if name.startswith("gen-") and name.endswith(".tmp"):
            shutil.rmtree(os.path.join(home, name), ignore_errors=True)
        elif name.startswith("gen-") and name[4:].isdigit():
            taken.append(int(name[4:]))
    number = max(taken) + 1
    path = generation_path(home, number) + ".tmp"
    if old:
        shutil.copytree(generation_path(home, old.generation), path)
    else:
        os.makedirs(path)
    return number, path


def publish(home: str, manifest: Manifest, temporary: str) -> None:
    """Make the generation in `temporary` the current one, durably, and delete those nobody reads any more."""
    before = read_manifest(home)
    _sync_tree(temporary)
    os.rename(temporary, generation_path(home, manifest.generation))
    _sync(home)
    draft = os.path.join(home, _CURRENT + ".tmp")
    with open(draft, "w", encoding="utf-8") as handle:
        json.dump(asdict(manifest), handle, indent=1)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(draft, os.path.join(home, _CURRENT))
    _sync(home)
    kept = {manifest.generation, before.generation if before else manifest.generation}
    for name in os.listdir(home):
        if name.startswith("gen-") and name[4:].isdigit() and int(name[4:]) not in kept:
            shutil.rmtree(os.path.join(home, name), ignore_errors=True)


def _sync_tree(root: str) -> None:
    for folder, _, names in os.walk(root):
        for name in names:
            _sync(os.path.join(folder, name))
        _sync(folder)


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def writing(home: str) -> Iterator[Iterator[None]]:
    """Hold the writer's lock of `home`. Yields an iterator that steps once for every second of waiting for it."""
    from filelock import FileLock, Timeout

    os.makedirs(home, exist_ok=True)
    lock = FileLock(os.path.join(home, _LOCK))

    def waiting() -> Iterator[None]:
        while True:
            try:
                lock.acquire(timeout=1.0)
                return
            except Timeout:
                yield

    try:
        yield waiting()
    finally:
        lock.release(force=True)
