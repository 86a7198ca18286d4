"""A stretch of the pool as bytes: header, columns, checksum."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.datasets.pool.runs import Words
from searchinstruct_graph.datasets.pool.sketches import BANDS, HASHES
from searchinstruct_graph.errors import UsageError

_MAGIC = b"SIGP"
VERSION = 1
_HEADER = struct.Struct("<4sHHQQQ8s")
_CHECK = 16


class Columns(NamedTuple):
    """What the pool keeps of texts, one row a text."""

    keys: Words
    """Hashes of the normal form, the wording, and its facts: shape (texts, 3)."""
    bands: NDArray[np.uint32]
    """Shape (texts, BANDS)."""
    signatures: NDArray[np.int8]
    """Shape (texts, HASHES)."""
    embedded: NDArray[np.uint8]
    """1 for each text that has a vector: shape (texts,)."""
    vectors: NDArray[np.int8]
    """Shape (texts that have one, dimensions)."""

    def of(self, texts: Sequence[int], vectors: Sequence[int]) -> Columns:
        """The columns of some texts, whose vectors are those of the given numbers."""
        rows = list(texts)
        return Columns(
            self.keys[rows],
            self.bands[rows],
            self.signatures[rows],
            self.embedded[rows],
            self.vectors[list(vectors)],
        )


def joined(parts: Sequence[Columns]) -> Columns:
    """The columns of texts one part after another; at least one part."""
    width = max(part.vectors.shape[1] for part in parts)
    return Columns(
        np.concatenate([part.keys for part in parts]),
        np.concatenate([part.bands for part in parts]),
        np.concatenate([part.signatures for part in parts]),
        np.concatenate([part.embedded for part in parts]),
        # Before the first text that is embedded the number of dimensions is not known.
        np.concatenate([part.vectors.reshape(len(part.vectors), width) for part in parts]),
    )


def _embedder_mark(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=8).digest()


def pack(columns: Columns, first: int, embedder: str) -> bytes:
    """The texts from ordinal `first` on as one blob."""
    count, (vectors, dimensions) = len(columns.keys), columns.vectors.shape
    parts = [
        _HEADER.pack(_MAGIC, VERSION, dimensions, count, vectors, first, _embedder_mark(embedder)),
        columns.keys.astype("<u8").tobytes(),
        columns.bands.astype("<u4").tobytes(),
        columns.signatures.tobytes(),
        columns.embedded.tobytes(),
        columns.vectors.tobytes(),
    ]
    body = b"".join(parts)
    return body + hashlib.blake2b(body, digest_size=_CHECK).digest()


def unpack(blob: bytes, first: int, embedder: str) -> Columns:
    """The columns of a blob that must continue at ordinal `first`; UsageError says what does not fit."""

    def refuse(reason: str) -> UsageError:
        return UsageError(f"duplicate pool: segment at instruction {first} {reason}")

    if len(blob) < _HEADER.size + _CHECK or blob[:4] != _MAGIC:
        raise refuse("is not a pool segment; restore the dataset's file from a copy")
    _, version, dimensions, count, vectors, begin, mark = _HEADER.unpack_from(blob)
    if version != VERSION:
        raise refuse(f"has version {version}, this release reads {VERSION}; use the release that wrote it")
    if len(blob) != _HEADER.size + count * (25 + 4 * BANDS + HASHES) + vectors * dimensions + _CHECK:
        raise refuse("is cut short; restore the dataset's file from a copy")
    if hashlib.blake2b(memoryview(blob)[:-_CHECK], digest_size=_CHECK).digest() != blob[-_CHECK:]:
        raise refuse("is damaged (checksum); restore the dataset's file from a copy")
    if begin != first:
        raise refuse(f"begins at instruction {begin}: give all segments, in order")
    if mark != _embedder_mark(embedder):
        raise refuse(f"was made with another embedding than {embedder!r}; continue with the one the dataset began with")
    at = _HEADER.size
    keys = np.frombuffer(blob, "<u8", count * 3, at).reshape(count, 3)
    at += keys.nbytes
    bands = np.frombuffer(blob, "<u4", count * BANDS, at).reshape(count, BANDS)
    at += bands.nbytes
    signatures = np.frombuffer(blob, np.int8, count * HASHES, at).reshape(count, HASHES)
    at += signatures.nbytes
    embedded = np.frombuffer(blob, np.uint8, count, at)
    at += embedded.nbytes
    held = np.frombuffer(blob, np.int8, vectors * dimensions, at).reshape(vectors, dimensions)
    return Columns(keys, bands, signatures, embedded, held)
