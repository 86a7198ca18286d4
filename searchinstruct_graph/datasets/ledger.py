"""The ledger: the one authority on a run. What is not in it has not happened; what is in it happens only once.

Instructions have an ordinal, the order in which they were proposed. Answers come in whatever order, are kept as they
come, and stand before the pool in the order of ordinals: so a run's rows depend neither on the number of workers nor on
how often it was killed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

from typing_extensions import TypedDict

from searchinstruct_graph.datasets.database import Writer, has_table, reading
from searchinstruct_graph.datasets.facts import Fact, Probe
from searchinstruct_graph.datasets.failpoints import failpoint
from searchinstruct_graph.datasets.rows import (
    Critic,
    Funnel,
    Origin,
    Rejected,
    Rejection,
    Row,
    RowQuote,
    RowSource,
    RowStatement,
    Spent,
    Vote,
    no_spending,
)
from searchinstruct_graph.datasets.triplets import TripletRow, only_denies, triplet_asked
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.digest import sha256
from searchinstruct_graph.text.words import words

NAME = "ledger.sqlite"

TRIED = "tried"
"""The fact about a triplets run: how many of its pairs are done."""

Status = Literal["shown", "admitted", "answered", "accepted", "rejected", "surplus", "purged"]


class Instruction(TypedDict):
    """An instruction of the run. `shown`: a seed that is not answered itself."""

    ordinal: int
    id: str
    text: str
    wave: int
    status: Status
    origin: Origin


class Fault(TypedDict):
    """Why an answer is no row."""

    reason: str
    detail: str
    quarantined: bool


class Outcome(TypedDict):
    """What answering one instruction gave; with a `fault`, whatever there was of an answer."""

    answer: str
    language: str
    grounding: Literal["quotes", "none"]
    statements: list[RowStatement]
    sources: list[RowSource]
    critic: Critic
    vote: Vote | None
    rejected: list[Rejected]
    usage: Spent
    fault: Fault | None


class Decision(TypedDict):
    """What became of an answered instruction; neither a row nor a rejection: surplus."""

    ordinal: int
    row: Row | None
    rejection: Rejection | None


Answered = tuple[Instruction, Outcome]


class PullRecord(TypedDict):
    """A pull of an extraction as it is kept: everything that the choice of later ones depends on."""

    number: int
    cluster: int | None
    documents: list[int]
    """What was read, as indices into the pile."""
    owners: list[int]
    """Of each pair found: the document that it came from."""
    cells: list[int]
    """Of each pair found: its quota cell; empty without a coverage reward."""
    vectors: bytes
    """Of each pair found: its embedding; float16, row after row."""
    texts: list[str]
    """Of each pair found in a warm-up that an encoder will be tuned on: its text; else empty."""
    distance: float | None
    reward: float | None
    failures: list[list[Any]]
    """Of each document that could not be read: its index, and how its call failed (`provider`, `malformed`, ...)."""
    note: str
    """The same in words, cut to what a person reads."""


class EditRecord(TypedDict):
    """A fact of an edit set as it is kept: what became of it, and the edit that its rows teach."""

    number: int
    """Its place among the facts of the run, from 0."""
    fact: Fact
    reason: str
    """Why it was refused as a whole; empty when it was not."""
    detail: str
    question: str
    """The wording that stands for the fact."""
    before: str
    """The stale answer; empty without one."""
    after: str
    """The same answer, edited; without a stale one, the answer as it was written."""
    change: float | None
    """Share of tokens inserted or deleted, 0 to 1; null when nothing was edited."""
    spans: list[list[int]]
    """What changed, as [start, end] in characters of `after`."""
    note: str
    """Why the rows have no rejected half: `already_known`, `no_stale_answer`; or `stale_model_silent`: the model that is to be
    corrected gave no answer, so one was written from the old object."""
    dropped: list[list[str]]
    """Probes that were not kept: kind, question, why."""


class WaveStatistics(TypedDict):
    """One wave: what was proposed in it, what was admitted, and what became of it so far."""

    wave: int
    proposed: int
    admitted: int
    last: int
    """Ordinal of its last instruction; that of the wave before when it has none."""


def encoded(value: Any) -> str:
    """Compact JSON, the same for the same value."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class Ledger:
    """The open ledger of a run that this process works on."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._writer = Writer(self.path)
        self._replies: dict[str, tuple[str, str]] = {}
        with reading(self.path) as db:
            for key, reply, usage in db.execute("SELECT key, reply, usage FROM calls"):
                self._replies[key] = (reply, usage)

    def close(self) -> None:
        """Commit what waits, and close."""
        self._writer.close()

    # Calls: a reply is kept until what it was asked for is committed, so that a kill repeats only what was in flight.

    def saved_call(self, key: str) -> tuple[Any, Any] | None:
        """The (reply, usage) of a call that an earlier process has made; None when it has to be made."""
        kept = self._replies.get(key)
        return (json.loads(kept[0]), json.loads(kept[1])) if kept else None

    async def save_call(self, key: str, scope: str, reply: Any, usage: dict[str, Any]) -> None:
        """Keep a reply of the work called `scope`, and add what it cost to the run's account."""
        failpoint("call.answered")

        def work(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR IGNORE INTO calls VALUES (?, ?, ?, ?)", (key, scope, encoded(reply), encoded(usage)))
            _spend(db, usage)

        await self._writer.write(work)
        failpoint("call.saved")

    async def spend(self, usage: dict[str, Any]) -> None:
        """Add to the run's account what brought no reply (failed calls), or no call (searches, pages)."""
        await self._writer.write(lambda db: _spend(db, usage))

    # Waves of proposals.

    async def commit_wave(
        self,
        wave: int,
        admitted: Sequence[tuple[int, str, str, Status, Origin]],
        refused: Sequence[Rejection],
        segment: bytes,
        *,
        proposed: int,
        last: int,
        note: str = "",
        keywords: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Commit a wave as a whole: its instructions (ordinal, id, text, status, origin), what was refused of it, what the
        pool has learnt from it, and for the first wave the keywords (keyword, origin).
        """
        failpoint("wave.before")

        def work(db: sqlite3.Connection) -> None:
            _wave(db, wave, admitted, refused, segment, proposed, last, note)
            db.executemany("INSERT INTO keywords (keyword, origin) VALUES (?, ?)", keywords)
            db.execute("DELETE FROM calls WHERE scope = ?", (f"wave:{wave}",))

        await self._writer.write(work)
        failpoint("wave.committed")

    # Answers and acceptance.

    async def commit_answer(self, ordinal: int, outcome: Outcome) -> None:
        """Keep an answer; the replies that it was made of are no longer needed."""
        failpoint("answer.before")

        def work(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR IGNORE INTO answers VALUES (?, ?)", (ordinal, encoded(outcome)))
            db.execute(
                "UPDATE instructions SET status = 'answered' WHERE ordinal = ? AND status = 'admitted'", (ordinal,)
            )
            db.execute("DELETE FROM calls WHERE scope = ?", (f"answer:{ordinal}",))

        await self._writer.write(work)
        failpoint("answer.committed")

    async def decide(self, decisions: Sequence[Decision]) -> None:
        """Commit what became of answered instructions. A row without its provenance is refused (ValueError)."""
        failpoint("accept.before")
        _check(decisions)
        await self._writer.write(lambda db: _decide(db, decisions))
        failpoint("accept.committed")

    # Pulls of an extraction: documents read, and everything that was found in them, committed as a whole.

    async def commit_pull(
        self,
        pull: PullRecord,
        admitted: Sequence[Answered],
        refused: Sequence[Rejection],
        decisions: Sequence[Decision],
        segment: bytes,
        *,
        proposed: int,
        last: int,
    ) -> None:
        """Commit a pull: what it read, the pairs that the pool admitted, what was refused, and what became of them. A row
        without its provenance is refused (ValueError).
        """
        failpoint("pull.before")
        _check(decisions)
        wave = pull["number"] + 1
        instructions = [(i["ordinal"], i["id"], i["text"], i["status"], i["origin"]) for i, _ in admitted]

        def work(db: sqlite3.Connection) -> None:
            _wave(db, wave, instructions, refused, segment, proposed, last, pull["note"])
            db.executemany(
                "INSERT INTO answers VALUES (?, ?)", [(i["ordinal"], encoded(outcome)) for i, outcome in admitted]
            )
            _decide(db, decisions)
            db.execute(
                "INSERT INTO pulls (number, cluster, documents, owners, cells, texts, failures, vectors, distance, reward, note)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    pull["number"],
                    pull["cluster"],
                    *(encoded(pull[part]) for part in ("documents", "owners", "cells", "texts", "failures")),
                    pull["vectors"],
                    pull["distance"],
                    pull["reward"],
                    pull["note"],
                ),
            )
            db.execute("DELETE FROM calls WHERE scope = ?", (f"pull:{pull['number']}",))

        await self._writer.write(work)
        failpoint("pull.committed")

    async def keep_clusters(
        self, state: bytes, warmup: Sequence[PullRecord] = (), target: dict[str, Any] | None = None
    ) -> None:
        """Keep the clusters, so that a resumed run has the same ones to the last bit; `warmup` and `target` are pulls and
        examples that are now seen through another encoder.
        """

        def work(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR REPLACE INTO clusters VALUES (0, ?)", (state,))
            db.executemany(
                "UPDATE pulls SET vectors = ?, texts = '[]' WHERE number = ?",
                [(each["vectors"], each["number"]) for each in warmup],
            )
            if target is not None:
                _note(db, "target", target)

        await self._writer.write(work)
        failpoint("clusters.committed")

    # Facts of an edit set: rows and probes of one, committed as a whole.

    async def commit_fact(
        self,
        edit: EditRecord,
        admitted: Sequence[Answered],
        refused: Sequence[Rejection],
        decisions: Sequence[Decision],
        probes: Sequence[tuple[int, Probe]],
        segment: bytes,
        *,
        proposed: int,
        last: int,
        usage: dict[str, Any],
    ) -> None:
        """Commit a fact: what became of it, its wordings that the pool admitted, what was refused, its probes with their
        ordinals in the pool, and what searching for it has cost. A row without its provenance is refused (ValueError).
        """
        failpoint("fact.before")
        _check(decisions)
        number = edit["number"]
        instructions = [(i["ordinal"], i["id"], i["text"], i["status"], i["origin"]) for i, _ in admitted]

        def work(db: sqlite3.Connection) -> None:
            _wave(db, number + 1, instructions, refused, segment, proposed, last, edit["note"])
            db.executemany(
                "INSERT INTO answers VALUES (?, ?)", [(i["ordinal"], encoded(outcome)) for i, outcome in admitted]
            )
            _decide(db, decisions)
            db.execute("INSERT INTO edits VALUES (?, ?, ?, ?)", (number, edit["fact"]["id"], encoded(edit), _now()))
            db.executemany(
                "INSERT INTO probes VALUES (?, ?, ?, ?, ?, ?)",
                [(n, each["id"], each["fact"], each["kind"], each["question"], encoded(each)) for n, each in probes],
            )
            _spend(db, usage)
            db.execute("DELETE FROM calls WHERE scope = ?", (f"fact:{number}",))

        await self._writer.write(work)
        failpoint("fact.committed")

    # Pairs of a triplets run: the triplet of one, or why there is none.

    async def commit_triplet(
        self,
        number: int,
        row: TripletRow | None,
        rejection: Rejection | None,
        keys: Sequence[str],
        usage: dict[str, Any],
    ) -> None:
        """Commit pair `number`: its triplet, or its refusal, and what searching for it has cost. Triplets that share one of the
        `keys` (of their queries, of a family that was given) are one family from here on. A triplet that is there already, or
        one without its provenance, is refused (ValueError).
        """
        failpoint("triplet.before")
        if row is not None and not (row["models"] and row["versions"]):
            raise ValueError(f"triplet {row['id']} lacks its models or versions")

        def work(db: sqlite3.Connection) -> None:
            if row is not None:
                family = _joined(db, keys)
                payload = encoded({name: value for name, value in row.items() if name != "family"})
                values = (number, row["id"], triplet_asked(row), family, int(only_denies(row)), payload, _now())
                try:
                    db.execute("INSERT INTO triplets VALUES (?, ?, ?, ?, ?, ?, ?)", values)
                except sqlite3.IntegrityError as error:
                    raise ValueError(f"triplet {row['id']} is there already: {error}") from error
            if rejection is not None:
                _reject(db, [(number, rejection)])
            _note(db, TRIED, number + 1)
            _spend(db, usage)
            db.execute("DELETE FROM calls WHERE scope = ?", (f"pair:{number}",))

        await self._writer.write(work)
        failpoint("triplet.committed")

    # Evaluations.

    async def keep_evaluated(self, id_: str, number: int, item: dict[str, Any]) -> None:
        """Keep what evaluating case `number` gave, in the place of what an earlier try gave."""
        text = encoded(item)
        await self._writer.write(
            lambda db: db.execute("INSERT OR REPLACE INTO evaluated VALUES (?, ?, ?)", (id_, number, text))
        )
        failpoint("evaluated.committed")

    async def reopen_surplus(self) -> None:
        """Let answers that came after the target stand before the pool again, because the target was raised."""
        await self._writer.write(
            lambda db: db.execute("UPDATE instructions SET status = 'answered' WHERE status = 'surplus'").rowcount
        )

    async def begin_session(self) -> None:
        """A command begins to work: from here on its time counts, and how the last one ended is no longer true."""

        def work(db: sqlite3.Connection) -> None:
            _note(db, "session", _now())
            for name in ("ended", "reopen"):
                db.execute("DELETE FROM facts WHERE name = ?", (name,))

        await self._writer.write(work)

    async def end_session(self, ended: str, seconds: float) -> None:
        """The command is done: how it ended, and its working seconds."""

        def work(db: sqlite3.Connection) -> None:
            _note(db, "ended", ended)
            _note(db, "seconds", float(read_facts(db).get("seconds", 0.0)) + seconds)

        await self._writer.write(work)

    async def note(self, name: str, value: Any) -> None:
        """Keep a fact about the run."""
        await self._writer.write(lambda db: _note(db, name, value))

    async def purge(self, ordinals: Sequence[int], probes: Sequence[int] = (), triplets: Sequence[int] = ()) -> int:
        """Remove rows with their quotes and sources, probes, and triplets; instructions and the probes' questions stay, marked,
        and are not answered again, nor is a pair tried again. A fact of an edit set that loses its last row loses all its probes.
        Returns how many probes went.
        """

        def work(db: sqlite3.Connection) -> int:
            before = db.total_changes
            db.executemany("UPDATE probes SET payload = NULL WHERE ordinal = ?", [(ordinal,) for ordinal in probes])
            gone = db.total_changes - before
            db.executemany("DELETE FROM triplets WHERE number = ?", [(number,) for number in triplets])
            for ordinal in ordinals:
                db.execute("DELETE FROM rows WHERE ordinal = ?", (ordinal,))
                db.execute("DELETE FROM answers WHERE ordinal = ?", (ordinal,))
                db.execute("UPDATE instructions SET status = 'purged' WHERE ordinal = ?", (ordinal,))
            _note(db, "reopen", True)
            return gone + _purge_facts(db, ordinals)

        return await self._writer.write(work)

    async def remove_rejections(self, numbers: Sequence[int]) -> None:
        """Remove rejections that quote a purged source."""
        await self._writer.write(
            lambda db: db.executemany("DELETE FROM rejections WHERE number = ?", [(n,) for n in numbers]).rowcount
        )


def answer_key(answer: str, statements: Sequence[RowStatement] = ()) -> str:
    """What answers share that say the same: a hash of the words of the first statement, which is the direct answer; of the
    whole answer when it has no statements.
    """
    return sha256(" ".join(words(statements[0]["text"] if statements else answer)))[:16]


def checked_provenance(row: Row) -> None:
    """Raise ValueError for a row that does not say where it comes from: every statement of a grounded row names quotes
    that exist, verbatim slices by their length, of sources with a hash.
    """
    sources = {source["id"]: source for source in row["sources"]}
    if not row["instruction"].strip() or not row["answer"].strip() or not row["models"] or not row["versions"]:
        raise ValueError(f"row {row['id']} lacks its instruction, answer, models or versions")
    if row["grounding"] == "none":
        return
    if not row["statements"]:
        raise ValueError(f"row {row['id']} is grounded but has no statements")
    for statement in row["statements"]:
        if not statement["quotes"]:
            raise ValueError(f"row {row['id']} has a statement without a quote: {statement['text'][:80]!r}")
        for number, index in statement["quotes"]:
            if number not in sources or not 0 <= index < len(sources[number]["quotes"]):
                raise ValueError(f"row {row['id']} cites quote {index} of source {number}, which it does not have")
    for source in row["sources"]:
        for quote in source["quotes"]:
            if quote["end"] - quote["start"] != len(quote["text"]):
                raise ValueError(f"row {row['id']} has a quote whose offsets do not fit its text")


def _check(decisions: Iterable[Decision]) -> None:
    for decision in decisions:
        if decision["row"] is not None:
            checked_provenance(decision["row"])


def _wave(
    db: sqlite3.Connection,
    wave: int,
    admitted: Sequence[tuple[int, str, str, Status, Origin]],
    refused: Sequence[Rejection],
    segment: bytes,
    proposed: int,
    last: int,
    note: str,
) -> None:
    db.execute("INSERT INTO waves VALUES (?, ?, ?, ?, ?)", (wave, proposed, len(admitted), last, note))
    db.executemany(
        "INSERT INTO instructions (ordinal, id, text, wave, status, origin) VALUES (?, ?, ?, ?, ?, ?)",
        [(n, id_, text, wave, status, encoded(origin)) for n, id_, text, status, origin in admitted],
    )
    db.execute("INSERT INTO pool VALUES (?, ?)", (wave, segment))
    _reject(db, [(None, each) for each in refused])


def _decide(db: sqlite3.Connection, decisions: Iterable[Decision]) -> None:
    now = _now()
    for decision in decisions:
        ordinal, row, rejection = decision["ordinal"], decision["row"], decision["rejection"]
        status = "accepted" if row else "rejected" if rejection else "surplus"
        db.execute("UPDATE instructions SET status = ? WHERE ordinal = ?", (status, ordinal))
        if row is not None:
            _insert_row(db, ordinal, row, now)
        if rejection is not None:
            _reject(db, [(ordinal, rejection)])
        if row is not None or rejection is not None:
            db.execute("DELETE FROM answers WHERE ordinal = ?", (ordinal,))


def _insert_row(db: sqlite3.Connection, ordinal: int, row: Row, now: str) -> None:
    quotes = [
        (ordinal, source["id"], number, quote["start"], quote["end"], quote["text"])
        for source in row["sources"]
        for number, quote in enumerate(source["quotes"])
    ]
    payload = {key: value for key, value in row.items() if key != "sources"}
    db.execute(
        "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            ordinal,
            row["id"],
            encoded(payload),
            row["grounding"],
            len(quotes),
            answer_key(row["answer"], row["statements"]),
            now,
        ),
    )
    db.executemany(
        "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (ordinal, s["id"], s["uri"], s["title"], s["retrieved_at"], s["sha256"], s["license"])
            for s in row["sources"]
        ],
    )
    db.executemany("INSERT INTO quotes VALUES (?, ?, ?, ?, ?, ?)", quotes)


def _joined(db: sqlite3.Connection, keys: Sequence[str]) -> str:
    """The family of a triplet with these keys: families that share one become one, named by the least of their keys."""
    marks = ", ".join("?" * len(keys))
    known = db.execute(f"SELECT DISTINCT family FROM triplet_keys WHERE key IN ({marks})", tuple(keys)).fetchall()  # noqa: S608
    families = {family for (family,) in known}
    name: str = min({*families, *keys})
    for family in families - {name}:
        db.execute("UPDATE triplets SET family = ? WHERE family = ?", (name, family))
        db.execute("UPDATE triplet_keys SET family = ? WHERE family = ?", (name, family))
    db.executemany("INSERT OR REPLACE INTO triplet_keys VALUES (?, ?)", [(key, name) for key in keys])
    return name


def _note(db: sqlite3.Connection, name: str, value: Any) -> None:
    db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, encoded(value)))


def _reject(db: sqlite3.Connection, rejections: Iterable[tuple[int | None, Rejection]]) -> None:
    now = _now()
    db.executemany(
        "INSERT INTO rejections (id, ordinal, stage, reason, quarantined, payload, committed_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (each["id"], ordinal, each["stage"], each["reason"], int(each["quarantined"]), encoded(each), now)
            for ordinal, each in rejections
        ],
    )


def _purge_facts(db: sqlite3.Connection, ordinals: Iterable[int]) -> int:
    """Mark the facts of these instructions that have no row left, and remove their probes; returns how many."""
    fact = "SELECT json_extract(origin, '$.edit.fact') FROM instructions WHERE ordinal = ?"
    facts = {db.execute(fact, (ordinal,)).fetchone()[0] for ordinal in ordinals} - {None}
    gone = 0
    for id_ in sorted(facts):
        left = "SELECT 1 FROM rows WHERE json_extract(payload, '$.origin.edit.fact') = ? LIMIT 1"
        if db.execute(left, (id_,)).fetchone() is None:
            db.execute(
                "UPDATE edits SET payload = json_set(payload, '$.reason', 'purged', '$.detail', '', '$.before', '',"
                " '$.after', '', '$.change', NULL, '$.spans', json('[]')) WHERE id = ?",
                (id_,),
            )
            removed = "UPDATE probes SET payload = NULL WHERE fact = ? AND payload IS NOT NULL"
            gone += db.execute(removed, (id_,)).rowcount
    return gone


def _spend(db: sqlite3.Connection, usage: dict[str, Any]) -> None:
    parts = {role: {**part, "searches": 0, "pages": 0} for role, part in usage.get("roles", {}).items()}
    if usage.get("searches") or usage.get("pages"):
        empty = {"model_calls": 0, "input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}
        parts["search"] = {**empty, "searches": usage["searches"], "pages": usage["pages"]}
    for role, part in parts.items():
        cost, calls = part["cost_usd"], part["model_calls"]
        db.execute(
            "INSERT INTO spending VALUES (:role, :model_calls, :input_tokens, :output_tokens, :known, :unknown, :dearest,"
            " :searches, :pages)"
            " ON CONFLICT (role) DO UPDATE SET model_calls = model_calls + excluded.model_calls,"
            " input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,"
            " known_usd = known_usd + excluded.known_usd, unknown_calls = unknown_calls + excluded.unknown_calls,"
            " dearest_usd = max(dearest_usd, excluded.dearest_usd),"
            " searches = searches + excluded.searches, pages = pages + excluded.pages",
            {
                "role": role,
                **part,
                "known": cost or 0.0,
                "unknown": calls if cost is None else 0,
                "dearest": (cost or 0.0) / max(calls, 1),
            },
        )


# Reading: any process, at any time.


def read_rows(db: sqlite3.Connection, after: int = -1) -> Iterator[Row]:
    """The accepted rows in the order of their instructions; memory does not grow with their number."""
    sources = db.execute(
        "SELECT ordinal, number, uri, title, retrieved_at, sha256, license FROM sources WHERE ordinal > ?"
        " ORDER BY ordinal, number",
        (after,),
    )
    quotes = db.execute(
        "SELECT ordinal, source, start, stop, text FROM quotes WHERE ordinal > ? ORDER BY ordinal, source, number",
        (after,),
    )
    next_source, next_quote = sources.fetchone(), quotes.fetchone()
    for ordinal, payload in db.execute(
        "SELECT ordinal, payload FROM rows WHERE ordinal > ? ORDER BY ordinal", (after,)
    ):
        held: list[RowSource] = []
        while next_source is not None and next_source[0] == ordinal:
            _, number, uri, title, retrieved_at, sha256, license_ = next_source
            cited: list[RowQuote] = []
            while next_quote is not None and next_quote[:2] == (ordinal, number):
                cited.append(RowQuote(text=next_quote[4], start=next_quote[2], end=next_quote[3]))
                next_quote = quotes.fetchone()
            held.append(
                RowSource(
                    id=number,
                    uri=uri,
                    title=title,
                    retrieved_at=retrieved_at,
                    sha256=sha256,
                    license=license_,
                    quotes=cited,
                )
            )
            next_source = sources.fetchone()
        yield cast(Row, {**json.loads(payload), "sources": held})


def read_rejections(db: sqlite3.Connection) -> Iterator[Rejection]:
    """Everything that was refused, in the order of refusal."""
    for (payload,) in db.execute("SELECT payload FROM rejections ORDER BY number"):
        yield json.loads(payload)


_INSTRUCTION = "ordinal, id, text, wave, status, origin"


def _instruction(ordinal: int, id_: str, text: str, wave: int, status: Status, origin: str) -> Instruction:
    """An instruction out of the columns `_INSTRUCTION`."""
    return Instruction(ordinal=ordinal, id=id_, text=text, wave=wave, status=status, origin=json.loads(origin))


def read_instructions(db: sqlite3.Connection, *statuses: Status) -> Iterator[Instruction]:
    """The instructions in one of these states (none named: all), in order."""
    wanted = f"WHERE status IN ({', '.join('?' * len(statuses))})" if statuses else ""
    for columns in db.execute(f"SELECT {_INSTRUCTION} FROM instructions {wanted} ORDER BY ordinal", statuses):  # noqa: S608
        yield _instruction(*columns)


def read_answered(db: sqlite3.Connection) -> Iterator[tuple[Instruction, Outcome]]:
    """The instructions that are answered but not decided about, with their answers, in order."""
    joined = "instructions JOIN answers USING (ordinal) WHERE status = 'answered'"
    for *columns, outcome in db.execute(f"SELECT {_INSTRUCTION}, outcome FROM {joined} ORDER BY ordinal"):  # noqa: S608
        yield _instruction(*columns), json.loads(outcome)


def read_funnel(db: sqlite3.Connection) -> Funnel:
    """The run's counts; of a triplets run, a try counts as proposed, admitted and answered."""
    proposed = db.execute("SELECT coalesce(sum(proposed), 0), coalesce(sum(admitted), 0) FROM waves").fetchone()
    states = dict(db.execute("SELECT status, count(*) FROM instructions GROUP BY status"))
    reasons = read_reasons(db)
    refused = db.execute("SELECT count(*) FROM rejections WHERE stage = 'proposal'").fetchone()[0]
    quarantined = db.execute("SELECT count(*) FROM rejections WHERE quarantined").fetchone()[0]
    decided = {state: states.get(state, 0) for state in ("answered", "accepted", "rejected", "surplus", "purged")}
    if tried := read_tried(db):
        kept = read_triplet_counts(db)[0]
        return Funnel(
            proposed=tried,
            refused=0,
            admitted=tried,
            answered=tried,
            accepted=kept,
            rejected=tried - kept,
            quarantined=quarantined,
            surplus=0,
            reasons=reasons,
        )
    # Seeds that are only shown are no proposals.
    shown = states.get("shown", 0)
    return Funnel(
        proposed=proposed[0] - shown,
        refused=refused,
        admitted=proposed[1] - shown,
        answered=sum(decided.values()),
        accepted=decided["accepted"],
        rejected=decided["rejected"] + decided["purged"],
        quarantined=quarantined,
        surplus=decided["surplus"],
        reasons=reasons,
    )


def read_reasons(db: sqlite3.Connection) -> dict[str, int]:
    """Refusals and rejections by reason, most frequent first."""
    return dict(db.execute("SELECT reason, count(*) FROM rejections GROUP BY reason ORDER BY count(*) DESC, reason"))


def read_spending(db: sqlite3.Connection) -> dict[str, Spent]:
    """What the run has cost so far, by role; `search` holds searches and pages. One call of unknown cost makes the cost of
    its role unknown.
    """
    return {
        role: Spent(
            model_calls=calls,
            input_tokens=tokens_in,
            output_tokens=tokens_out,
            cost_usd=None if unknown else known,
            searches=searches,
            pages=pages,
        )
        for role, calls, tokens_in, tokens_out, known, unknown, searches, pages in db.execute(
            "SELECT role, model_calls, input_tokens, output_tokens, known_usd, unknown_calls, searches, pages FROM spending"
            " ORDER BY role"
        )
    }


def read_money(db: sqlite3.Connection) -> tuple[float, float, int]:
    """(dollars spent, dollars of the dearest call, calls of known cost); calls of unknown cost are taken for the dearest."""
    known, unknown, dearest, calls = db.execute(
        "SELECT coalesce(sum(known_usd), 0), coalesce(sum(unknown_calls), 0), coalesce(max(dearest_usd), 0),"
        " coalesce(sum(model_calls - unknown_calls), 0) FROM spending"
    ).fetchone()
    return known + unknown * dearest, dearest, calls


def total(spending: Iterable[Spent]) -> Spent:
    """The sum of accounts; unknown money stays unknown."""
    whole = no_spending()
    for part in spending:
        money, more = whole["cost_usd"], part["cost_usd"]
        whole = Spent(
            model_calls=whole["model_calls"] + part["model_calls"],
            input_tokens=whole["input_tokens"] + part["input_tokens"],
            output_tokens=whole["output_tokens"] + part["output_tokens"],
            cost_usd=None if money is None or more is None else money + more,
            searches=whole["searches"] + part["searches"],
            pages=whole["pages"] + part["pages"],
        )
    return whole


def read_waves(db: sqlite3.Connection) -> list[WaveStatistics]:
    """Every committed wave, in order."""
    return [
        WaveStatistics(wave=wave, proposed=proposed, admitted=admitted, last=last)
        for wave, proposed, admitted, last in db.execute(
            "SELECT wave, proposed, admitted, last FROM waves ORDER BY wave"
        )
    ]


def read_pulls(db: sqlite3.Connection) -> Iterator[PullRecord]:
    """The committed pulls of an extraction, in order."""
    columns = "number, cluster, documents, owners, cells, texts, failures, vectors, distance, reward, note"
    for number, cluster, documents, owners, cells, texts, failures, vectors, distance, reward, note in db.execute(
        f"SELECT {columns} FROM pulls ORDER BY number"  # noqa: S608
    ):
        yield PullRecord(
            number=number,
            cluster=cluster,
            documents=json.loads(documents),
            owners=json.loads(owners),
            cells=json.loads(cells),
            vectors=vectors,
            texts=json.loads(texts),
            failures=json.loads(failures),
            distance=distance,
            reward=reward,
            note=note,
        )


def read_progress(db: sqlite3.Connection) -> tuple[int, int]:
    """(pulls, documents read) of an extraction."""
    pulls, documents = db.execute(
        "SELECT count(*), coalesce(sum(json_array_length(documents)), 0) FROM pulls"
    ).fetchone()
    return pulls, documents


def read_clusters(db: sqlite3.Connection) -> bytes | None:
    """The clusters of an extraction as they were kept; None before they are formed."""
    found = db.execute("SELECT state FROM clusters").fetchone()
    return bytes(found[0]) if found else None


def read_edits(db: sqlite3.Connection) -> Iterator[EditRecord]:
    """The facts of an edit set that were worked on, in order; none in a ledger of another kind of run."""
    if has_table(db, "edits"):
        for (payload,) in db.execute("SELECT payload FROM edits ORDER BY number"):
            yield json.loads(payload)


def read_held_out(db: sqlite3.Connection) -> Iterator[tuple[int, str, Probe | None]]:
    """(ordinal in the pool, question, probe) of everything that is held out, in order; None for a probe that was purged."""
    if has_table(db, "probes"):
        for ordinal, question, payload in db.execute("SELECT ordinal, question, payload FROM probes ORDER BY ordinal"):
            yield ordinal, question, json.loads(payload) if payload is not None else None


def read_probes(folder: Path) -> list[Probe]:
    """The probes of the run in `folder`, in the order of its facts; none of another kind of run. Raises UsageError when the
    folder holds no ledger.
    """
    with reading(folder / NAME) as db:
        return [probe for _, _, probe in read_held_out(db) if probe is not None]


def read_triplets(db: sqlite3.Connection, after: int = -1) -> Iterator[TripletRow]:
    """The accepted triplets in the order of their pairs, each with its family as it is known by now; none in a ledger of
    another kind of run. Memory does not grow with their number.
    """
    if has_table(db, "triplets"):
        query = "SELECT payload, family FROM triplets WHERE number > ? ORDER BY number"
        for payload, family in db.execute(query, (after,)):
            yield cast(TripletRow, {**json.loads(payload), "family": family})


def read_tried(db: sqlite3.Connection) -> int:
    """How many pairs of a triplets run are done, with or without a triplet."""
    return int(read_facts(db).get(TRIED, 0))


def read_triplet_counts(db: sqlite3.Connection) -> tuple[int, int]:
    """(triplets, those whose poison only adds or drops a negation)."""
    if not has_table(db, "triplets"):
        return 0, 0
    rows, denying = db.execute("SELECT count(*), coalesce(sum(denying), 0) FROM triplets").fetchone()
    return rows, denying


def has_triplet(db: sqlite3.Connection, row: TripletRow) -> bool:
    """Whether a triplet is there with the same texts, or with the same positive query and instruction."""
    found = "SELECT 1 FROM triplets WHERE id = ? OR asked = ? LIMIT 1"
    return db.execute(found, (row["id"], triplet_asked(row))).fetchone() is not None


def read_evaluated(db: sqlite3.Connection) -> Iterator[Any]:
    """What evaluating each case gave, in the order of cases."""
    for (item,) in db.execute("SELECT item FROM evaluated ORDER BY number, id"):
        yield json.loads(item)


def read_facts(db: sqlite3.Connection) -> dict[str, Any]:
    """The facts that were noted about the run."""
    return {name: json.loads(value) for name, value in db.execute("SELECT name, value FROM facts")}


def read_counts(db: sqlite3.Connection) -> tuple[int, dict[str, int], dict[str, int]]:
    """(rows, rows by Bloom level, rows by the URI of their first source)."""
    rows = db.execute("SELECT count(*) FROM rows").fetchone()[0]
    levels = "SELECT json_extract(origin, '$.bloom'), count(*) FROM instructions WHERE status = 'accepted' GROUP BY 1"
    sources = "SELECT uri, count(*) FROM sources WHERE number = 1 GROUP BY uri"
    return rows, dict(db.execute(levels)), dict(db.execute(sources))


def has_answer(db: sqlite3.Connection, key: str) -> bool:
    """Whether a row has an answer with this `answer_key`."""
    return db.execute("SELECT 1 FROM rows WHERE answer_key = ? LIMIT 1", (key,)).fetchone() is not None


def read_text(db: sqlite3.Connection, ordinal: int) -> str:
    """The text of an instruction, or the question of a probe. Raises UsageError when the ledger does not have it."""
    found = db.execute("SELECT text FROM instructions WHERE ordinal = ?", (ordinal,)).fetchone()
    if found is None and has_table(db, "probes"):
        found = db.execute("SELECT question FROM probes WHERE ordinal = ?", (ordinal,)).fetchone()
    if found is None:
        raise UsageError(f"the ledger has no instruction {ordinal}; try: searchinstruct doctor")
    return str(found[0])
