"""A searchable corpus over files, folders and the Python reference: vectors and words, incremental, crash-safe."""

from __future__ import annotations

from .corpus import Corpus
from .listing import Listing
from .pile import Pile, PileProgress
from .results import IndexProgress, Passage, SourceReport
from .search import Searched
from .snapshot import PileSource, Section
from .sources import PYDOC, is_page

__all__ = [
    "PYDOC",
    "Corpus",
    "IndexProgress",
    "Listing",
    "Passage",
    "Pile",
    "PileProgress",
    "PileSource",
    "Searched",
    "Section",
    "SourceReport",
    "is_page",
]
