"""What can be told about a run from outside: how it stands, whether it is whole, which rows rest on a source."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from typing_extensions import TypedDict

from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.acceptance import Blocked
from searchinstruct_graph.datasets.database import connect, has_table, reading
from searchinstruct_graph.datasets.edit_facts import EditFacts, edit_facts, is_edit
from searchinstruct_graph.datasets.export import check, question_key
from searchinstruct_graph.datasets.ledger import NAME, read_rows
from searchinstruct_graph.datasets.rows import Funnel, Row, Spent
from searchinstruct_graph.datasets.run import EXPORTS, NoDataset, RunFile, holder, read_run
from searchinstruct_graph.datasets.triplet_run import TripletCounts, is_triplets, triplet_counts
from searchinstruct_graph.datasets.triplets import PUBLISHED, triplet_id
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text import digest

RECENT = 200
"""Rows that the rate is taken from."""


class Reading(TypedDict):
    """Documents of an extraction: how many it may read and has read, in how many pulls."""

    budget: int
    read: int
    pulls: int


class RunStatus(TypedDict):
    """How a run stands. `worked_on` names the process that works on it; rate and time left are null without one."""

    run: str
    method: str
    target: int | None
    """Rows wanted; null when an extraction ends with its budget."""
    documents: Reading | None
    """Of an extraction: what it may read, and what it has read."""
    edits: EditFacts | None
    """Of an edit set: its facts, its probes, and how far answers were changed."""
    triplets: TripletCounts | None
    """Of a triplets run: its pairs, what was kept of those that were tried, and why the others were not."""
    worked_on: str | None
    ended: str | None
    funnel: Funnel
    open: int
    """Instructions that wait to be answered, or for an earlier one."""
    spending: dict[str, Spent]
    spent: Spent
    seconds: float
    rows_per_minute: float | None
    seconds_left: float | None


def run_status(folder: Path) -> RunStatus:
    """How the run stands, read without disturbing who works on it. Raises UsageError when `folder` holds no run."""
    run = read_run(folder)
    with reading(folder / NAME) as db:
        funnel = ledgers.read_funnel(db)
        spending = ledgers.read_spending(db)
        facts = ledgers.read_facts(db)
        waiting = db.execute("SELECT count(*) FROM instructions WHERE status IN ('admitted', 'answered')").fetchone()[0]
        worked_on = holder(folder)
        pulls, read = ledgers.read_progress(db)
        edits = edit_facts(db, run) if is_edit(run) else None
        triplets = triplet_counts(db, run) if is_triplets(run) else None
        rate = (
            _rate(db, facts["session"], "triplets" if triplets else "rows")
            if worked_on and "session" in facts
            else None
        )
        now = _since(facts["session"]) if worked_on and "session" in facts else 0.0
    target: int | None = run["options"]["target"]
    budget: int | None = run["options"].get("budget_documents")
    left = _left(funnel["accepted"], target, read, budget)
    if edits is not None and target is None and (done := edits["accepted"] + edits["rejected"]):
        left = (edits["facts"] - done) * funnel["accepted"] / done
    if triplets is not None:
        whole = min(triplets["pairs"], run["options"].get("max_pairs") or triplets["pairs"])
        left = _left(triplets["kept"], target, triplets["tried"], whole)
    return RunStatus(
        run=str(folder),
        method=run["configuration"]["method"],
        target=target,
        documents=None if budget is None else Reading(budget=budget, read=read, pulls=pulls),
        edits=edits,
        triplets=triplets,
        worked_on=worked_on,
        ended=None if worked_on else facts.get("ended"),
        funnel=funnel,
        open=waiting,
        spending=spending,
        spent=ledgers.total(spending.values()),
        seconds=float(facts.get("seconds", 0.0)) + now,
        rows_per_minute=None if rate is None else round(rate * 60, 2),
        seconds_left=None if not rate or left is None else round(left / rate, 1),
    )


def _left(rows: int, target: int | None, read: int, budget: int | None) -> float | None:
    """Rows that are still to come: up to the target, or as many as the rest of the budget gives at the yield so far."""
    wanted = None if target is None else float(max(0, target - rows))
    if budget is None or not read:
        return wanted
    expected = (budget - read) * rows / read
    return expected if wanted is None else min(wanted, expected)


def _since(time: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()


def _rate(db: sqlite3.Connection, session: str, made: Literal["rows", "triplets"]) -> float | None:
    """Rows or triplets a second of the session at work, over the newest ones up to now."""
    newest = f"SELECT committed_at FROM {made} WHERE committed_at >= ? ORDER BY rowid DESC LIMIT ?"  # noqa: S608
    times = [time for (time,) in db.execute(newest, (session, RECENT))]
    seconds = _since(times[-1] if len(times) == RECENT else session)
    return len(times) / seconds if times and seconds > 0 else None


class Finding(NamedTuple):
    """Something that is wrong with a run, and what to do about it."""

    what: str
    todo: str


_WHOLE: tuple[tuple[str, str], ...] = (
    (
        "SELECT count(*) FROM instructions i LEFT JOIN rows r USING (ordinal)"
        " WHERE i.status = 'accepted' AND r.ordinal IS NULL",
        "instructions count as accepted but have no row",
    ),
    (
        "SELECT count(*) FROM rows r JOIN instructions i USING (ordinal) WHERE i.status != 'accepted'",
        "rows belong to instructions that were not accepted",
    ),
    (
        "SELECT count(*) FROM rows r WHERE grounding = 'quotes'"
        " AND quotes != (SELECT count(*) FROM quotes q WHERE q.ordinal = r.ordinal)",
        "rows lack some of their quotes",
    ),
    (
        "SELECT count(*) FROM instructions i LEFT JOIN answers a USING (ordinal)"
        " WHERE i.status IN ('answered', 'surplus') AND a.ordinal IS NULL",
        "instructions count as answered but have no answer",
    ),
)


_WHOLE_EDITS: tuple[tuple[str, str], ...] = (
    (
        "SELECT count(*) FROM probes p LEFT JOIN edits e ON e.id = p.fact WHERE e.id IS NULL",
        "probes are of facts that the ledger does not have",
    ),
    (
        "SELECT count(*) FROM rows r LEFT JOIN edits e ON e.id = json_extract(r.payload, '$.origin.edit.fact')"
        " WHERE json_extract(r.payload, '$.origin.operation') = 'edit' AND e.id IS NULL",
        "rows are of facts that the ledger does not have",
    ),
    (
        "SELECT count(*) FROM edits e WHERE json_extract(e.payload, '$.reason') != '' AND EXISTS"
        " (SELECT 1 FROM probes p WHERE p.fact = e.id AND p.payload IS NOT NULL)",
        "facts were refused and have probes",
    ),
)


def diagnose(folder: Path) -> list[Finding]:
    """Everything that is wrong with a run: its files, its database page by page, its counts, its exports. Raises UsageError
    when `folder` holds an evaluation.
    """
    findings: list[Finding] = []
    try:
        read_run(folder)
    except NoDataset:
        raise
    except UsageError as error:
        findings.append(Finding(str(error), "restore run.json from a copy; the rows can still be salvaged"))
    if not (folder / NAME).is_file():
        return [*findings, Finding(f"{folder / NAME} is missing", "give the build command again to begin anew")]
    salvage = f"searchinstruct doctor {folder} --salvage rows.jsonl"
    try:
        db = connect(folder / NAME, readonly=True)
    except UsageError as error:
        return [*findings, Finding(str(error).split("; try:")[0], salvage)]
    try:
        said = [line for (line,) in db.execute("PRAGMA integrity_check(20)") if line != "ok"]
        findings += [Finding(f"the ledger is damaged: {line}", salvage) for line in said]
        if broken := db.execute("PRAGMA foreign_key_check").fetchmany(5):
            findings.append(Finding(f"{len(broken)} or more records point nowhere: {broken[0]}", salvage))
        for query, what in _WHOLE:
            if count := db.execute(query).fetchone()[0]:
                findings.append(Finding(f"{count} {what}", salvage))
        findings += [Finding(what, salvage) for what in (*_unsound_edits(db), *_unsound_triplets(db))]
        for row in _unsound(db):
            findings.append(Finding(row, salvage))
    except sqlite3.DatabaseError as error:
        findings.append(Finding(f"the ledger is damaged: {error}", salvage))
    finally:
        db.close()
    for path in exported(folder):
        findings += [
            Finding(problem, f"searchinstruct export {folder} ... --out {path}") for problem in check(str(path))
        ]
    return findings


def _unsound_edits(db: sqlite3.Connection) -> Iterator[str]:
    """What is wrong with the facts and probes of an edit set, which an older ledger has no tables for."""
    if not has_table(db, "probes"):
        return
    for query, what in _WHOLE_EDITS:
        if count := db.execute(query).fetchone()[0]:
            yield f"{count} {what}"
    held_out = {question_key(question) for _, question, _ in ledgers.read_held_out(db)}
    asked = db.execute("SELECT json_extract(payload, '$.instruction') FROM rows") if held_out else ()
    if count := sum(question_key(instruction) in held_out for (instruction,) in asked):
        yield f"{count} rows ask what a probe asks"


_WHOLE_TRIPLETS: tuple[tuple[str, str], ...] = (
    (
        "SELECT count(*) FROM triplets WHERE family NOT IN (SELECT family FROM triplet_keys)",
        "triplets are of families that the ledger does not have",
    ),
    (
        "SELECT count(*) FROM triplets JOIN rejections ON rejections.ordinal = triplets.number",
        "pairs have a triplet and a rejection",
    ),
    (
        "SELECT count(*) FROM triplets WHERE number >= (SELECT coalesce(max(value), 0) FROM facts WHERE name = 'tried')",
        "triplets are of pairs that were not tried",
    ),
)


def _unsound_triplets(db: sqlite3.Connection) -> Iterator[str]:
    """What is wrong with the triplets of a run, which an older ledger has no tables for."""
    if not has_table(db, "triplets"):
        return
    for query, what in _WHOLE_TRIPLETS:
        if count := db.execute(query).fetchone()[0]:
            yield f"{count} {what}"
    changed = 0
    for row in ledgers.read_triplets(db):
        texts_there = all(isinstance(row.get(name), str) for name in PUBLISHED)
        changed += not texts_there or triplet_id(row) != row.get("id") or not row.get("models")
    if changed:
        yield f"{changed} triplets are not what their ids say, or lack their provenance"


def _unsound(db: sqlite3.Connection) -> Iterator[str]:
    """Rows that do not say where they come from; at most five."""
    found = 0
    for row in read_rows(db):
        try:
            ledgers.checked_provenance(row)
        except (ValueError, KeyError, TypeError) as error:
            yield str(error)
            found += 1
            if found == 5:
                return


def salvage(folder: Path) -> Iterator[Row]:
    """Every row that can still be read, one by one; damaged ones are passed over."""
    try:
        db = sqlite3.connect(f"{(folder / NAME).absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise UsageError(f"{folder / NAME} cannot be opened: {error}") from error
    with db:
        last = -1
        while True:
            try:
                found = db.execute("SELECT min(ordinal) FROM rows WHERE ordinal > ?", (last,)).fetchone()[0]
            except sqlite3.DatabaseError:
                found = last + 1 if last < _highest(db) else None
            if found is None:
                return
            last = found
            try:
                row = next(read_rows(db, last - 1), None)
            except (sqlite3.DatabaseError, ValueError):
                continue
            if row is not None:
                yield row


def _highest(db: sqlite3.Connection) -> int:
    try:
        return int(db.execute("SELECT max(ordinal) FROM rows").fetchone()[0] or -1)
    except sqlite3.DatabaseError:
        return -1


def exported(folder: Path) -> list[Path]:
    """The exports inside the run's folder."""
    suffix = ".manifest.json"
    return [path.with_name(path.name.removesuffix(suffix)) for path in sorted((folder / EXPORTS).glob(f"*{suffix}"))]


def resting_on(db: sqlite3.Connection, source: str) -> tuple[list[int], list[int]]:
    """(ordinals of instructions, numbers of rejections) that rest on a source, as `Blocked` takes it."""
    blocked = Blocked([source])
    rests = blocked.holds
    rows: dict[int, None] = {}
    for ordinal, uri, sha256 in db.execute("SELECT ordinal, uri, sha256 FROM sources ORDER BY ordinal"):
        if rests(uri, sha256):
            rows[ordinal] = None
    # A question that was written from a page rests on it as much as an answer does.
    for ordinal, uri in db.execute(
        "SELECT ordinal, rtrim(rtrim(value, '0123456789-'), '@') FROM instructions, json_each(origin, '$.passages')"
        " WHERE status IN ('admitted', 'answered', 'accepted', 'surplus') ORDER BY ordinal"
    ):
        if rests(uri, ""):
            rows[ordinal] = None
    numbers = []
    for number, payload in db.execute("SELECT number, payload FROM rejections ORDER BY number"):
        held = json.loads(payload)
        shown = [place.rpartition("@")[0] for place in held["origin"]["passages"]]
        if any(rests(each["uri"], each["sha256"]) for each in held["sources"]) or any(rests(uri, "") for uri in shown):
            numbers.append(number)
    for ordinal, outcome in db.execute("SELECT ordinal, outcome FROM answers ORDER BY ordinal"):
        if any(rests(each["uri"], each["sha256"]) for each in json.loads(outcome)["sources"]):
            rows[ordinal] = None
    return list(rows), numbers


def probes_resting_on(db: sqlite3.Connection, source: str) -> list[int]:
    """The ordinals of the probes of an edit set that rest on a source, as `Blocked` takes it."""
    rests = Blocked([source]).holds
    return [
        ordinal
        for ordinal, _, probe in ledgers.read_held_out(db)
        if probe is not None and any(rests(each["uri"], each["sha256"]) for each in probe["sources"])
    ]


def triplets_resting_on(db: sqlite3.Connection, source: str) -> list[int]:
    """The numbers of the triplets with a passage that stands in a source, as `Blocked` takes it, or is that text by its hash."""
    rests = Blocked([source]).holds
    return [
        number
        for number, payload in (
            db.execute("SELECT number, payload FROM triplets ORDER BY number") if has_table(db, "triplets") else ()
        )
        for row in [json.loads(payload)]
        if any(rests(uri, digest.sha256(row[name])) for name, uri in row["uris"].items())
    ]


def settings_shown(run: RunFile) -> dict[str, Any]:
    """The run's configuration for a reader: flat, without what is empty."""
    shown: dict[str, Any] = {"method": run["configuration"]["method"], **run["configuration"]["settings"]}
    task = run["configuration"]["task"]
    if task:
        shown["task"] = task["description"]
        shown["answer_form"] = task["answer_form"]
    # Hashes: of an extraction what it was to find the like of, and what it read; of an edit set its facts; of a triplets run its
    # pairs, or the passages that it asks about.
    shown |= {
        f"{name}_sha256": run["configuration"][name]
        for name in ("examples", "pile", "facts", "pairs", "passages")
        if name in run["configuration"]
    }
    return {name: value for name, value in shown.items() if value not in ("", None, [], {})}
