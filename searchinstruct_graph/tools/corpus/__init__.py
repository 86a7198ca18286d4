"""A searchable corpus over files, folders and the Python reference: vectors and words, incremental, crash-safe."""

from __future__ import annotations

from .corpus import Corpus
from .documents import Document, IndexProgress, Passage, SourceReport

__all__ = ["Corpus", "Document", "IndexProgress", "Passage", "SourceReport"]
