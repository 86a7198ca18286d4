"""How a triplets run stands, in numbers: what was tried, what was kept and why the rest was not; for status and displays."""

from __future__ import annotations

import sqlite3

from typing_extensions import TypedDict

from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.database import has_table
from searchinstruct_graph.datasets.run import RunFile

METHOD = "triplets"


class TripletCounts(TypedDict):
    """A triplets run in numbers."""

    pairs: int
    """That the run has: those of its files, or the passages of its corpus."""
    tried: int
    kept: int
    """Tries that gave a triplet, which is still there."""
    reasons: dict[str, int]
    """Why the others did not, most frequent first."""
    stages: dict[str, int]
    """Where they stopped, most frequent first."""
    kinds: dict[str, int]
    """What the instructions of triplets narrow by, most frequent first."""
    found: int
    """Hard negatives that were found among the passages."""
    written: int
    """Hard negatives that were written."""
    denying: int
    """Triplets whose poison only adds or drops a negation."""
    families: int
    """Groups of triplets that stay on one side of a split."""


def is_triplets(run: RunFile) -> bool:
    """Whether the run makes triplets."""
    return bool(run["configuration"]["method"] == METHOD)


def triplet_counts(db: sqlite3.Connection, run: RunFile) -> TripletCounts:
    """The run in numbers, from its ledger; memory does not grow with it."""
    kept, denying = ledgers.read_triplet_counts(db)
    there = has_table(db, "triplets")
    origins = _counted(
        db, "SELECT value, count(*) FROM triplets, json_each(payload, '$.origins') GROUP BY 1" if there else ""
    )
    families = db.execute("SELECT count(DISTINCT family) FROM triplets").fetchone()[0] if there else 0
    return TripletCounts(
        pairs=run["configuration"]["pair_count"],
        tried=ledgers.read_tried(db),
        kept=kept,
        reasons=ledgers.read_reasons(db),
        stages=_counted(db, "SELECT stage, count(*) FROM rejections GROUP BY 1"),
        kinds=_counted(
            db, "SELECT json_extract(payload, '$.kind'), count(*) FROM triplets GROUP BY 1" if there else ""
        ),
        found=origins.get("found", 0),
        written=origins.get("written", 0),
        denying=denying,
        families=families,
    )


def _counted(db: sqlite3.Connection, query: str) -> dict[str, int]:
    """What the query counts, most frequent first."""
    found = db.execute(query).fetchall() if query else []
    return dict(sorted(found, key=lambda entry: (-entry[1], entry[0])))
