"""A searchable corpus over files, folders and the Python reference: vectors and words, incremental, crash-safe."""

from __future__ import annotations

from .corpus import Corpus, is_page
from .results import IndexProgress, Passage, SourceReport
from .sources import PYDOC

__all__ = ["PYDOC", "Corpus", "IndexProgress", "Passage", "SourceReport", "is_page"]
