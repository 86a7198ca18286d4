"""What every run that fills a folder does with its ledger before its work begins."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.contamination import Benchmark
from searchinstruct_graph.datasets.ledger import Ledger
from searchinstruct_graph.errors import UsageError


async def resume(
    ledger: Ledger,
    db: sqlite3.Connection,
    place: Path,
    target: int | None,
    last: Mapping[str, Any],
    benchmark: Benchmark | None,
) -> None:
    """Begin a session on the run in `place`: what was left over stands before the pool again when the target (rows; None: no
    limit) is another than that of the `last` options, or something was purged; the held-out questions are noted.

    Raises:
        UsageError: the run has more rows than the target.
    """
    rows = ledgers.read_counts(db)[0] + ledgers.read_triplet_counts(db)[0]
    if target is not None and rows > target:
        raise UsageError(f"{place} has {rows} rows already; --target {target} cannot take some back")
    if (target is None or rows < target) and (
        last.get("target", target) != target or ledgers.read_facts(db).get("reopen")
    ):
        await ledger.reopen_surplus()
    await ledger.begin_session()
    if benchmark is not None:
        await ledger.note("held_out", {"files": sorted(benchmark.files.items()), "items": len(benchmark)})
