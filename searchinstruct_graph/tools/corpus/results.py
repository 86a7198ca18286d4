"""What a corpus hands out beside its documents: passages, and the account of an indexing run."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Passage:
    """A search hit: `text == document.text[start:end]` of the document at `uri`."""

    uri: str
    title: str
    heading: str
    """The headings above the passage, outermost first, joined by ` > `; empty when there are none."""
    start: int
    end: int
    text: str
    score: float
    """Fused rank score: higher is better, comparable within one search only."""


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """Something that happened while an index was brought up to date."""

    source: str
    phase: str
    """`waiting` (another process writes), `reading`, `words`, `done`."""
    documents: int
    """Documents seen so far in this run."""
    chunks: int
    """Chunks of changed documents so far."""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What a source holds, and what the last `Corpus.open` did to its index."""

    source: str
    documents: int
    chunks: int
    added: int
    changed: int
    removed: int
    unchanged: int
    language: str
    """ISO 639-1 code that most of the text is in; `und` when undetermined."""
    embedding: str
    embedded: int = 0
    """Chunks whose vectors were computed in this run; all others were reused."""
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """(URI, reason) of everything that could not be read."""
