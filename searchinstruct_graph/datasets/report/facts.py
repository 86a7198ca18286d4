"""What a report is told of a run beside its rows and rejections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NotRequired

from typing_extensions import TypedDict

from searchinstruct_graph.datasets.rows import Funnel, Spent

if TYPE_CHECKING:
    from searchinstruct_graph.datasets.edit_facts import EditFacts
    from searchinstruct_graph.datasets.ledger import EditRecord
    from searchinstruct_graph.datasets.selection_facts import SelectionFacts


class ReportUsage(Spent):
    """What the whole run cost, refused work included."""

    seconds: float | None
    """Working seconds; None when they were not measured."""
    roles: dict[str, Spent]
    """The same by role; empty when it was not kept."""


class ReportLimits(TypedDict):
    """What bounded the run; None: no bound."""

    max_share: float | None
    """Most rows that one file or host may give, as a share of the target, above 0 and up to 1."""
    max_cost_usd: float | None
    max_seconds: float | None


class ReportFacts(TypedDict):
    """A run, as its report tells it."""

    name: str
    funnel: Funnel
    target: int | None
    """Accepted rows that were asked for; None when no number was."""
    settings: dict[str, str]
    models: dict[str, str]
    """Role to model name."""
    versions: dict[str, str]
    usage: ReportUsage
    started: str
    """ISO 8601; empty when not known."""
    finished: str
    """ISO 8601; empty while the run is not finished."""
    contamination: Mapping[str, Any] | None
    """As `contamination.benchmark.report` gives it; None when nothing was held out."""
    corpus_documents: dict[str, int | None]
    """URI to characters (None: not known) of every document of the corpus; empty when rows do not come from one."""
    limits: ReportLimits
    selection: SelectionFacts | None
    """Of an extraction: how it chose what it read."""
    edits: NotRequired[EditFacts]
    """Of an edit set: its facts, changes and probes in numbers."""
    edited: NotRequired[Sequence[EditRecord]]
    """Of an edit set: facts to show with before and after, in their order."""
