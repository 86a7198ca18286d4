"""The pool of instructions of a dataset: says of each new one whether it repeats an earlier one."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.datasets.pool import segments, sketches
from searchinstruct_graph.datasets.pool.family import Family, Found, Sketched
from searchinstruct_graph.datasets.pool.runs import MOST, Words
from searchinstruct_graph.datasets.pool.segments import Columns
from searchinstruct_graph.datasets.pool.tokens import tokens
from searchinstruct_graph.datasets.pool.wording import Wording, may_match, one_subject, swapped, wording
from searchinstruct_graph.errors import UsageError

if TYPE_CHECKING:
    from searchinstruct_graph.models.embeddings import Embedder

Rule = Literal["exact", "minhash", "wording", "embedding"]

CHUNK = 2_048
"""Texts that are looked up at once."""

VERIFIED = 16
"""Most alike candidates of a rule whose texts are fetched and compared in full."""

SIGNATURE_SLACK = 0.2
"""How far below the Jaccard threshold its estimate from 48 MinHash values may lie: 3.5 standard deviations at 0.8."""

LONG = 30
"""Tokens of a long text. In a shorter one a Jaccard of 0.8 leaves room for the one word that matters (`symptoms of hyper
IgM type 1`, `type 2`), so `minhash` asks `wording.one_subject` too; and the mean of static vectors is above 0.92 for two
questions about one thing (`treatments of X`, `causes of X`), so static embeddings are compared of long texts only."""


class Twin(NamedTuple):
    """The earlier text that a text repeats."""

    ordinal: int
    rule: Rule
    similarity: float
    """1 for `exact` and `wording`, Jaccard of word 3-grams for `minhash`, cosine for `embedding`."""


@dataclass
class _Chunk:
    """Texts on their way in, and what is decided about them; row i of all but the vectors belongs to `texts[i]`."""

    texts: Sequence[str]
    tokens: list[list[str]]
    wordings: list[Wording]
    columns: Columns
    embedded: list[int]
    """Rows of the texts that have a vector."""
    vector_of: dict[int, int]
    """Row of the text to row of its vector."""
    first: int
    """Ordinal that the first admitted text gets."""
    admitted: list[int] = field(default_factory=list)
    """Rows, in order of their ordinals."""
    place: dict[int, int] = field(default_factory=dict)
    """Row of an admitted text to its ordinal."""

    def admit(self, row: int) -> int:
        self.place[row] = self.first + len(self.admitted)
        self.admitted.append(row)
        return self.place[row]


class Pool:
    """Finds whether an instruction repeats an earlier one, in at most sixteen million.

    In this order, the first rule that holds decides:

    * `exact`: equal tokens, that is equal after NFKC, case folding, and without white space and punctuation;
    * `minhash`: Jaccard of word 3-grams >= `jaccard`, found by MinHash, checked on the texts;
    * `wording`: the same content words, numbers and kind of question (`wording.wording`), nothing the other way round;
    * `embedding`: cosine >= `cosine`, unless `wording.may_match` objects; with an embedder that is trusted less than words
      are (`Embedder.trust` below 1: static vectors), only where both texts have `LONG` tokens.

    `text_of(ordinal)` must give a stored text. It is asked for few texts, and never for one that was admitted after
    the call of `segment` before the last, so a caller may store texts together with the segment that holds them.

    The same texts in the same order give the same answers in batches of any size, and after `load`.
    """

    def __init__(
        self, embedder: Embedder, text_of: Callable[[int], str], *, jaccard: float = 0.8, cosine: float = 0.92
    ) -> None:
        for name, value in (("jaccard", jaccard), ("cosine", cosine)):
            if not 0 < value <= 1:
                raise UsageError(f"duplicate pool: {name} is {value}; it must lie above 0 and not above 1")
        self._embedder, self._text_of, self._jaccard = embedder, text_of, jaccard
        self._embedded_from = LONG if embedder.trust("en") < 1 else 0
        self._count = 0
        self._dimensions = 0
        self._exact, self._wording = Family(), Family()
        self._minhash = Sketched(sketches.agreement, jaccard - SIGNATURE_SLACK)
        self._simhash = Sketched(sketches.cosines, cosine)
        # Ordinals of the texts that have a vector, by the number of the vector.
        self._embedded = array("L")
        self._unsaved: list[Columns] = []
        self._recent: dict[int, str] = {}
        self._older: dict[int, str] = {}

    def __len__(self) -> int:
        return self._count

    def admit(self, texts: Sequence[str]) -> list[Twin | int]:
        """For each text, in order: its twin among all texts before it, or the ordinal under which it was added."""
        return [outcome for at in range(0, len(texts), CHUNK) for outcome in self._admit_chunk(texts[at : at + CHUNK])]

    def add(self, texts: Sequence[str]) -> None:
        """Add texts without comparing them; they get the next ordinals."""
        for at in range(0, len(texts), CHUNK):
            chunk = self._sketch(texts[at : at + CHUNK])
            self._store(chunk, list(range(len(chunk.texts))))

    def segment(self) -> bytes:
        """All texts added since the last call, as a blob for `load`; the caller keeps it beside the texts."""
        fresh = self._unsaved or [self._sketch([]).columns]
        columns = segments.joined(fresh)
        self._unsaved = []
        self._older, self._recent = self._recent, {}
        return segments.pack(columns, self._count - len(columns.keys), self._embedder.name)

    def load(self, blobs: Iterable[bytes]) -> None:
        """Add what segments hold, in their order. Raises UsageError for one that is damaged, missing, or foreign."""
        if self._unsaved:
            raise UsageError("duplicate pool: segments can only be loaded before texts are added")
        first, first_vector = self._count, len(self._embedded)
        keys: list[Words] = []
        bands: list[NDArray[np.uint32]] = []
        for blob in blobs:
            columns = segments.unpack(blob, self._count, self._embedder.name)
            self._keep(columns)
            # Copies: views would hold on to every blob.
            keys.append(columns.keys.copy())
            bands.append(columns.bands.copy())
        if self._count == first:
            return
        joined = np.concatenate(keys)
        keys.clear()
        self._exact.runs.add(joined[:, :1], first)
        self._wording.runs.add(joined[:, 1:2], first)
        self._minhash.family.runs.add(sketches.salted(np.concatenate(bands), "band"), first)
        bands.clear()
        of_vector = np.array(self._embedded[first_vector:], dtype=np.int64) - first
        codes = np.empty((len(of_vector), sketches.TABLES), dtype=np.uint64)
        for at in range(0, len(codes), CHUNK):
            rows = np.arange(at, min(at + CHUNK, len(codes)))
            codes[rows] = sketches.codes(self._simhash.rows.take(first_vector + rows), joined[of_vector[rows], 2])
        self._simhash.family.runs.add(codes, first_vector)

    # --- one chunk ---

    def _admit_chunk(self, texts: Sequence[str]) -> list[Twin | int]:
        found = [tokens(text) for text in texts]
        exact = np.array([[sketches.text_hash(each)] for each in found], dtype=np.uint64)
        known = self._known(found, exact)
        chunk = self._sketch(texts, found, known)
        columns = chunk.columns
        reworded: list[list[int]] = [[] for _ in texts]
        for row, ordinal in zip(*self._wording.look(columns.keys[:, 1:2], columns.keys[:, 1:2]), strict=True):
            reworded[row].append(int(ordinal))
        bands = sketches.salted(columns.bands, "band")
        near = self._minhash.look(bands, bands, columns.signatures)
        facts = columns.keys[chunk.embedded, 2]
        codes = sketches.codes(columns.vectors, facts)
        meant = self._simhash.look(sketches.codes(columns.vectors, facts, probes=True), codes, columns.vectors)

        outcomes: list[Twin | int] = []
        for row in range(len(texts)):
            twin = (
                known.get(row)
                or self._twin_by_words(chunk, row, near[row], reworded[row])
                or self._twin_by_meaning(chunk, row, meant)
            )
            if twin is None:
                outcomes.append(chunk.admit(row))
                for family in (self._exact, self._wording, self._minhash.family):
                    family.admit(row)
                if row in chunk.vector_of:
                    self._simhash.family.admit(chunk.vector_of[row])
            else:
                outcomes.append(twin)
        self._store(chunk, chunk.admitted)
        return outcomes

    def _known(self, found: list[list[str]], exact: Words) -> dict[int, Twin]:
        """Rows that repeat a stored text word by word: they need no embedding."""
        known: dict[int, Twin] = {}
        for row, ordinal in zip(*(side.tolist() for side in self._exact.look(exact, exact)), strict=True):
            if row not in known and tokens(self._text(ordinal)) == found[row]:
                known[row] = Twin(ordinal, "exact", 1.0)
        return known

    def _twin_by_words(self, chunk: _Chunk, row: int, near: list[Found], reworded: list[int]) -> Twin | None:
        for mate in self._exact.mates(row):
            if chunk.tokens[mate] == chunk.tokens[row]:
                return Twin(chunk.place[mate], "exact", 1.0)
        text, found = chunk.texts[row], chunk.tokens[row]
        mates = ((value, chunk.place[mate]) for value, mate in self._minhash.mates(row))
        for _, ordinal in _most_alike(near, mates):
            other = self._earlier(chunk, ordinal)
            others = tokens(other)
            similarity = sketches.jaccard(found, others)
            if similarity >= self._jaccard and (min(len(found), len(others)) >= LONG or one_subject(text, other)):
                return Twin(ordinal, "minhash", similarity)
        for ordinal in [*reworded, *(chunk.place[mate] for mate in self._wording.mates(row))][:VERIFIED]:
            other = self._earlier(chunk, ordinal)
            if wording(other) == chunk.wordings[row] and not swapped(text, other):
                return Twin(ordinal, "wording", 1.0)
        return None

    def _twin_by_meaning(self, chunk: _Chunk, row: int, meant: list[list[Found]]) -> Twin | None:
        if row not in chunk.vector_of:
            return None
        at = chunk.vector_of[row]
        stored = [(value, self._embedded[number]) for value, number in meant[at]]
        mates = ((value, chunk.place[chunk.embedded[mate]]) for value, mate in self._simhash.mates(at))
        for similarity, ordinal in _most_alike(stored, mates):
            if may_match(chunk.texts[row], self._earlier(chunk, ordinal)):
                return Twin(ordinal, "embedding", similarity)
        return None

    # --- sketches and store ---

    def _sketch(self, texts: Sequence[str], found: list[list[str]] | None = None, known: Container[int] = ()) -> _Chunk:
        found = [tokens(text) for text in texts] if found is None else found
        wordings = [wording(text) for text in texts]
        keys = np.zeros((len(texts), 3), dtype=np.uint64)
        for row, (each, asked) in enumerate(zip(found, wordings, strict=True)):
            keys[row] = (
                sketches.text_hash(each),
                sketches.text_hash([asked.language, *asked.content, "", *asked.numbers]),
                sketches.text_hash(asked.facts),
            )
        values = sketches.minhashes(found)
        embedded = [row for row in range(len(texts)) if row not in known and len(found[row]) >= self._embedded_from]
        flags = np.zeros(len(texts), dtype=np.uint8)
        flags[embedded] = 1
        vectors = self._embed([texts[row] for row in embedded])
        columns = Columns(keys, sketches.band_hashes(values), sketches.signature(values), flags, vectors)
        vector_of = {row: at for at, row in enumerate(embedded)}
        return _Chunk(texts, found, wordings, columns, embedded, vector_of, self._count)

    def _embed(self, texts: Sequence[str]) -> NDArray[np.int8]:
        if not texts:
            return np.zeros((0, self._dimensions), dtype=np.int8)
        vectors = sketches.quantized(self._embedder.embed(texts))
        self._dimensions = self._dimensions or vectors.shape[1]
        if vectors.shape[1] != self._dimensions:
            raise UsageError(
                f"duplicate pool: embedding {self._embedder.name!r} gives {vectors.shape[1]} dimensions, the pool has "
                f"{self._dimensions}; continue with the embedding that the dataset began with"
            )
        return vectors

    def _store(self, chunk: _Chunk, rows: list[int]) -> None:
        if not rows:
            return
        if self._count + len(rows) > MOST:
            raise UsageError(f"duplicate pool: more than {MOST:,} instructions; make several datasets")
        vectors = [chunk.vector_of[row] for row in rows if row in chunk.vector_of]
        columns = chunk.columns.of(rows, vectors)
        first, first_vector = self._count, len(self._embedded)
        self._exact.runs.add(columns.keys[:, :1], first)
        self._wording.runs.add(columns.keys[:, 1:2], first)
        self._minhash.family.runs.add(sketches.salted(columns.bands, "band"), first)
        facts = columns.keys[np.flatnonzero(columns.embedded), 2]
        self._simhash.family.runs.add(sketches.codes(columns.vectors, facts), first_vector)
        self._unsaved.append(columns)
        self._recent.update((first + at, chunk.texts[row]) for at, row in enumerate(rows))
        self._keep(columns)

    def _keep(self, columns: Columns) -> None:
        if len(columns.vectors):
            self._dimensions = self._dimensions or columns.vectors.shape[1]
        self._minhash.rows.append(columns.signatures)
        self._simhash.rows.append(columns.vectors)
        self._embedded.extend((self._count + np.flatnonzero(columns.embedded)).tolist())
        self._count += len(columns.keys)

    def _earlier(self, chunk: _Chunk, ordinal: int) -> str:
        return chunk.texts[chunk.admitted[ordinal - chunk.first]] if ordinal >= chunk.first else self._text(ordinal)

    def _text(self, ordinal: int) -> str:
        for held in (self._recent, self._older):
            if ordinal in held:
                return held[ordinal]
        return self._text_of(ordinal)


def _most_alike(stored: Iterable[Found], mates: Iterable[Found]) -> list[Found]:
    return sorted([*stored, *mates], key=lambda found: (-found[0], found[1]))[:VERIFIED]
