"""The report of a run: its funnel, what its rows are, how diverse, how well supported, from where, at what cost.

`write_report` makes one HTML file for people; `text_summary` the funnel for a terminal.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from searchinstruct_graph.datasets.report.facts import ReportFacts, ReportLimits, ReportUsage
from searchinstruct_graph.datasets.report.summary import text_summary
from searchinstruct_graph.datasets.rows import Rejection, Row
from searchinstruct_graph.datasets.triplets import TripletRow
from searchinstruct_graph.errors import SearchInstructError, UsageError

if TYPE_CHECKING:
    from searchinstruct_graph.datasets.triplet_run import TripletCounts

__all__ = [
    "ReportFacts",
    "ReportLimits",
    "ReportUsage",
    "page_target",
    "text_summary",
    "write_page",
    "write_report",
    "write_triplet_report",
]


def write_report(
    out: str,
    rows: Callable[[], Iterable[Row]],
    rejections: Callable[[], Iterable[Rejection]],
    facts: ReportFacts,
) -> None:
    """Write the report to the file `out`, which is there whole or not at all.

    Rows and rejections are read once; memory does not grow with their number. The same input gives the same page.
    Blocking: call it from a thread.

    Raises:
        UsageError: `out` cannot be a file.
        SearchInstructError: it cannot be written.
    """
    page_target(out)
    # Here, so that a status goes without numpy and the embeddings.
    from searchinstruct_graph.datasets.report.gather import gather_rejections, gather_rows
    from searchinstruct_graph.datasets.report.page import page
    from searchinstruct_graph.datasets.report.probing import probe
    from searchinstruct_graph.models.embeddings import embeddings

    found = gather_rows(rows())
    probed = probe(found.probes.items(), embeddings("wordllama"))
    write_page(out, page(facts, found, gather_rejections(rejections(), found.clusters), probed))


def write_triplet_report(
    out: str,
    rows: Iterable[TripletRow],
    rejections: Iterable[Rejection],
    found: TripletCounts,
    facts: ReportFacts,
) -> None:
    """Write the report of a set of triplets to the file `out`, which is there whole or not at all. Rows and rejections are read
    once. Blocking: call it from a thread.

    Raises as `write_report` does.
    """
    page_target(out)
    from searchinstruct_graph.datasets.report.gather import gather_rejections
    from searchinstruct_graph.datasets.report.triplets import triplet_page
    from searchinstruct_graph.datasets.triplet_measures import measure_triplets

    measured, shown = measure_triplets(rows)
    write_page(out, triplet_page(facts, found, measured, shown, gather_rejections(rejections)))


def write_page(out: str, page: str) -> None:
    """Write a page to the file `out`, which is there whole or not at all.

    Raises:
        UsageError: `out` cannot be a file.
        SearchInstructError: it cannot be written.
    """
    from searchinstruct_graph.datasets.run import write_atomically

    path = page_target(out)
    try:
        write_atomically(path, page)
    except OSError as error:
        raise SearchInstructError(
            f"the report {out} was not written: {error.strerror or error}; mend that and give the command again"
        ) from error


def page_target(out: str) -> Path:
    """The file that `out` means, through links; its folder is made. Raises UsageError when it cannot be one."""
    path = Path(os.path.realpath(out))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A device or a pipe would be replaced by the rename, a folder cannot be.
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{out} is not a regular file; name a file to write the report to")
        if not os.access(path.parent, os.W_OK):
            raise UsageError(f"{out} cannot be written: its folder is not yours; name a file in another")
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}; name a file in a folder that is yours") from error
    return path
