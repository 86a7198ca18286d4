"""How an edit set stands, in numbers: its facts, how far answers were changed, and its probes; for status, report and card."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator

from typing_extensions import TypedDict

from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.facts import Probe, ProbeKind
from searchinstruct_graph.datasets.ledger import EditRecord
from searchinstruct_graph.datasets.run import RunFile

METHOD = "edit"

KINDS: tuple[ProbeKind, ...] = ("efficacy", "generality", "portability", "locality")

BARS = 10
"""Bars of the histogram of change, from 0 to 1."""


SHOWN = 500
"""Facts that a report shows with before and after."""


class EditFacts(TypedDict):
    """An edit set in numbers."""

    facts: int
    """In the run's files."""
    accepted: int
    """Facts that gave rows."""
    rejected: int
    """Facts that were refused as a whole."""
    reasons: dict[str, int]
    """Why, most frequent first."""
    pairs: int
    """Rows with a rejected answer beside the chosen one."""
    sft_only: int
    """Rows without."""
    notes: dict[str, int]
    """Facts by what there is to say of their stale answer: `already_known`, `no_stale_answer`, `stale_model_silent`."""
    change: float | None
    """Mean share of the tokens that an edit inserted or deleted, over the pairs, 0 to 1; null without pairs."""
    most_change: float | None
    changes: list[int]
    """Pairs by that share, in `BARS` equal parts from 0 to 1."""
    probes: dict[str, int]
    """By kind."""
    dropped: dict[str, int]
    """Probes that were not kept, by the reason, most frequent first."""


def is_edit(run: RunFile) -> bool:
    """Whether the run is an edit set."""
    return bool(run["configuration"]["method"] == METHOD)


def edit_facts(db: sqlite3.Connection, run: RunFile) -> EditFacts:
    """The run in numbers, from its ledger."""
    reasons: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    accepted = 0
    for edit in ledgers.read_edits(db):
        if edit["reason"]:
            reasons[edit["reason"]] += 1
        else:
            accepted += 1
            notes[edit["note"]] += 1
        dropped.update(why for _, _, why in edit["dropped"])
    notes.pop("", None)
    pairs = rows = 0
    changes = [0] * BARS
    total, most = 0.0, 0.0
    for change in _changes(db):
        rows += 1
        if change is not None:
            pairs += 1
            total, most = total + change, max(most, change)
            changes[min(int(change * BARS), BARS - 1)] += 1
    return EditFacts(
        facts=run["configuration"]["fact_count"],
        accepted=accepted,
        rejected=reasons.total(),
        reasons=dict(reasons.most_common()),
        pairs=pairs,
        sft_only=rows - pairs,
        notes=dict(notes.most_common()),
        change=total / pairs if pairs else None,
        most_change=most if pairs else None,
        changes=changes,
        probes=by_kind(probe for _, _, probe in ledgers.read_held_out(db) if probe is not None),
        dropped=dict(dropped.most_common()),
    )


def by_kind(probes: Iterable[Probe]) -> dict[str, int]:
    """How many probes there are of each kind, the kinds in their order."""
    counts = Counter(probe["kind"] for probe in probes)
    return {kind: counts[kind] for kind in KINDS}


def _changes(db: sqlite3.Connection) -> Iterator[float | None]:
    """Of each row: how far its answer was changed; None when it has no stale one."""
    query = (
        "SELECT json_extract(payload, '$.origin.edit.change') FROM rows"
        " WHERE json_array_length(payload, '$.rejected') > 0"
        " UNION ALL SELECT NULL FROM rows WHERE json_array_length(payload, '$.rejected') = 0"
    )
    for (change,) in db.execute(query):
        yield change


def edits_shown(db: sqlite3.Connection, most: int) -> list[EditRecord]:
    """The first `most` facts that were worked on, in order, for a table with before and after."""
    found: list[EditRecord] = []
    for edit in ledgers.read_edits(db):
        if len(found) == most:
            break
        found.append(edit)
    return found
