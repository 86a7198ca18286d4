"""A text in a few numbers: MinHash signature (Broder 1997) of its word 3-grams, SimHash codes (Charikar 2002) of its
embedding, and the embedding itself in one byte a dimension.

All arithmetic is on integers, so that a text has the same sketch in every batch, on every machine and numpy version;
the random constants are read from SHAKE-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.datasets.pool.runs import Words

GRAM = 3
BANDS, ROWS = 12, 4
"""MinHash bands and rows: texts with Jaccard s share a band with probability 1 - (1 - s^ROWS)^BANDS, 0.998 at 0.8."""
HASHES = BANDS * ROWS
TABLES, BITS, FLIPS = 12, 20, 6
"""SimHash tables, bits of a code, and how many codes beside its own a text is looked for under: those with one of its
`FLIPS` least certain bits flipped (multi-probe, Lv et al. 2007)."""

_ONE, _TWO, _SHIFT = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB), np.uint64(32)


def _random(label: str, count: int) -> Words:
    return np.frombuffer(hashlib.shake_256(label.encode()).digest(8 * count), dtype="<u8").astype(np.uint64)


def mixed(values: Words) -> Words:
    """The finalizer of SplitMix64: every input bit moves every output bit."""
    values = (values ^ (values >> np.uint64(30))) * _ONE
    values = (values ^ (values >> np.uint64(27))) * _TWO
    return values ^ (values >> np.uint64(31))


@lru_cache(maxsize=65_536)
def _word_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def text_hash(tokens: Sequence[str]) -> int:
    """64 bits that stand for a sequence of tokens."""
    joined = "\x1f".join(tokens).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest(), "little")


def grams(tokens: Sequence[str]) -> set[tuple[str, ...]]:
    """The word 3-grams of a text; the whole text when it is shorter."""
    return {tuple(tokens[at : at + GRAM]) for at in range(max(1, len(tokens) - GRAM + 1))}


def jaccard(one: Sequence[str], other: Sequence[str]) -> float:
    """Jaccard similarity of the 3-grams of two token sequences, 0 to 1."""
    left, right = grams(one), grams(other)
    return len(left & right) / len(left | right)


def minhashes(texts: Sequence[Sequence[str]]) -> NDArray[np.uint32]:
    """The MinHash values of token sequences: shape (texts, HASHES)."""
    if not texts:
        return np.zeros((0, HASHES), dtype=np.uint32)
    padded = [[*map(_word_hash, found), *[0] * (GRAM - len(found))] for found in texts]
    lengths = np.array([len(row) for row in padded])
    flat = np.array([value for row in padded for value in row], dtype=np.uint64)
    gram = mixed(mixed(mixed(flat[:-2]) + flat[1:-1]) + flat[2:])
    ends = np.cumsum(lengths)
    inside = np.ones(len(flat), dtype=bool)
    inside[ends - 1] = inside[ends - 2] = False
    gram = gram[inside[:-2]]
    starts = np.concatenate([[0], np.cumsum(lengths - GRAM + 1)[:-1]])
    values = np.empty((HASHES, len(texts)), dtype=np.uint32)
    multiply, plus = _random("minhash multiply", HASHES) | np.uint64(1), _random("minhash plus", HASHES)
    for at in range(HASHES):
        values[at] = np.minimum.reduceat((gram * multiply[at] + plus[at]) >> _SHIFT, starts)
    return np.ascontiguousarray(values.T)


def signature(values: NDArray[np.uint32]) -> NDArray[np.int8]:
    """One byte of each MinHash value (b-bit minwise hashing, Li and König 2010): equal bytes estimate the Jaccard."""
    return values.astype(np.uint8).view(np.int8)


def agreement(one: NDArray[np.int8], other: NDArray[np.int8]) -> NDArray[np.float64]:
    """Share of equal bytes of each row of `one` with the same row of `other`."""
    shares: NDArray[np.float64] = (one == other).mean(axis=1, dtype=np.float64)
    return shares


def band_hashes(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """One hash of each band of MinHash values: shape (texts, BANDS)."""
    rows = values.reshape(len(values), BANDS, ROWS).astype(np.uint64)
    held = np.zeros(rows.shape[:2], dtype=np.uint64)
    for at in range(ROWS):
        held = mixed(held + rows[:, :, at] + np.uint64(1))
    return (held >> _SHIFT).astype(np.uint32)


def salted(hashes: NDArray[np.uint32] | Words, family: str) -> Words:
    """Hashes of columns, made different from column to column and from family to family."""
    return mixed(hashes.astype(np.uint64) + _random(family, hashes.shape[1])[None, :])


def quantized(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """Vectors with their largest component scaled to 127 and rounded; cosines move by about 0.001."""
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0.0)
    scaled = np.divide(vectors * np.float32(127), largest, out=np.zeros_like(vectors), where=largest > 0)
    rounded: NDArray[np.int8] = np.rint(scaled).astype(np.int8)
    return rounded


def _exact(rows: NDArray[np.int8]) -> NDArray[np.float32] | NDArray[np.float64]:
    # Sums of products of two bytes are exact in float32 up to 1,040 dimensions.
    return rows.astype(np.float32) if rows.shape[1] <= 1_040 else rows.astype(np.float64)


def squared(rows: NDArray[np.int8]) -> NDArray[np.float64]:
    """Squared length of each row."""
    held = _exact(rows)
    sums: NDArray[np.float64] = np.einsum("ij,ij->i", held, held).astype(np.float64)
    return sums


def cosines(one: NDArray[np.int8], other: NDArray[np.int8]) -> NDArray[np.float64]:
    """Cosine of each row of `one` with the same row of `other`; 0 for a row of zeros."""
    dots = np.einsum("ij,ij->i", _exact(one), _exact(other)).astype(np.float64)
    lengths = np.sqrt(squared(one) * squared(other))
    found = np.zeros(len(dots))
    np.divide(dots, lengths, out=found, where=lengths > 0)
    return found


@cache
def _planes(dimensions: int) -> NDArray[np.float32]:
    count = TABLES * BITS
    drawn = hashlib.shake_256(b"simhash planes").digest((dimensions * count + 7) // 8)
    bits = np.unpackbits(np.frombuffer(drawn, dtype=np.uint8))[: dimensions * count]
    return (bits.reshape(count, dimensions).T * np.float32(2) - np.float32(1)).astype(np.float32)


def codes(rows: NDArray[np.int8], facts: Words, *, probes: bool = False) -> Words:
    """SimHash of each row, one a table, joined with the hash of the text's facts: shape (texts, TABLES).

    With `probes`, each code is followed by the `FLIPS` codes that lie nearest: shape (texts, TABLES * (1 + FLIPS)).
    """
    # A sum of bytes with signs is exact in float32 for any number of dimensions we meet.
    projected = (rows.astype(np.float32) @ _planes(rows.shape[1])).reshape(len(rows), TABLES, BITS)
    weights = np.uint64(1) << np.arange(BITS, dtype=np.uint64)
    code = ((projected > 0).astype(np.uint64) * weights).sum(axis=2, dtype=np.uint64)[:, :, None]
    if probes:
        unsure = np.argsort(np.abs(projected), axis=2, kind="stable")[:, :, :FLIPS]
        code = np.concatenate([code, code ^ weights[unsure]], axis=2)
    table = _random("simhash table", TABLES)[None, :, None]
    return mixed(mixed(code + table) + facts[:, None, None]).reshape(len(rows), TABLES * code.shape[2])
