"""A searchable corpus over files, folders and the Python reference: vectors and words, incremental, crash-safe."""

from __future__ import annotations

from .corpus import Corpus, is_page
from .pile import Pile, PileProgress
from .results import IndexProgress, Passage, SourceReport
from .snapshot import PileSource, Section
from .sources import PYDOC

__all__ = [
    "PYDOC",
    "Corpus",
    "IndexProgress",
    "Passage",
    "Pile",
    "PileProgress",
    "PileSource",
    "Section",
    "SourceReport",
    "is_page",
]
