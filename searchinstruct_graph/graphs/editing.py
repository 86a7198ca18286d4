"""The edit set: facts that have changed, worked on side by side, and committed whole, in the order of their files.

A fact's rows and probes are committed in one transaction; replies of calls are kept until then. So what a run gives depends
neither on the clock nor on kills.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

from typing_extensions import TypedDict

from searchinstruct_graph.agents.edit_context import OPTIONS, EditContext
from searchinstruct_graph.agents.sources import open_corpus
from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.acceptance import Acceptance, Blocked
from searchinstruct_graph.datasets.contamination import Benchmark
from searchinstruct_graph.datasets.database import connect
from searchinstruct_graph.datasets.edit_facts import EditFacts, edit_facts
from searchinstruct_graph.datasets.exporting import Wanted, export_run
from searchinstruct_graph.datasets.facts import Fact, distinct, fact_of, read_facts
from searchinstruct_graph.datasets.formats import PROBES
from searchinstruct_graph.datasets.ledger import Ledger
from searchinstruct_graph.datasets.probes import FactPool
from searchinstruct_graph.datasets.rows import Funnel, Spent
from searchinstruct_graph.datasets.run import EXPORTS, RunFile, held, open_run, run_folder, set_aside, stored_run
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.edit_inputs import check, configuration, edit_rules, prompt_versions, role_models
from searchinstruct_graph.graphs.in_order import InOrder
from searchinstruct_graph.graphs.resuming import resume
from searchinstruct_graph.graphs.revising import FactOutcome, failed_outcome, revise_fact
from searchinstruct_graph.graphs.screening import Screen
from searchinstruct_graph.graphs.searcher import build_searcher
from searchinstruct_graph.graphs.settling_facts import Facts, settle_fact
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.tools.corpus.language import detect

Ended = Literal["facts", "target", "max_cost", "stopped", "trial"]
"""`facts`: every one is done; `trial`: so many as were to be tried."""


class EditResult(TypedDict):
    """How a run stands when the command ends."""

    run: str
    ended: Ended
    target: int | None
    accepted: int
    """Rows."""
    edits: EditFacts
    probes: str
    """The file that the probes were written to; empty when there are none."""
    funnel: Funnel
    spent: Spent
    roles: dict[str, Spent]
    seconds: float
    starting: float
    """Of these, the seconds until the work began: sources, index, ledger."""


class EditHappened(NamedTuple):
    """Something to tell: a step, and how far the run is."""

    kind: Literal["start", "note", "fact"]
    text: str
    done: int
    facts: int
    accepted: int
    reasons: dict[str, int]
    spent: Spent


class _Edits(InOrder[FactOutcome]):
    """A run at work."""

    def __init__(
        self,
        ledger: Ledger,
        db: sqlite3.Connection,
        run: RunFile,
        facts: Sequence[Fact],
        pool: FactPool,
        benchmark: Benchmark | None,
        context: EditContext,
        tell: Callable[[EditHappened], None],
        most: int | None,
    ) -> None:
        super().__init__(ledger, db, context, "fact", most)
        self.facts, self.pool, self.context, self.tell = facts, pool, context, tell
        self.blocked = Blocked(ledgers.read_facts(db).get("purged", []))
        self.screen = Screen(context, Facts(), run["fingerprint"], pool, benchmark)
        rules = edit_rules(context, run["fingerprint"])
        versions = {"searchinstruct-graph": run["version"], **prompt_versions()}
        self.acceptance = Acceptance(rules, role_models(context), versions, blocked=self.blocked)
        # The run's money is in the purse; a fact's own settings know no limit of it.
        self.fact_context = replace(context, max_cost=None)
        self.searcher = build_searcher()
        self.told = ""
        """What became of the fact that was committed last, in words."""

    @property
    def count(self) -> int:
        return len(self.facts)

    @property
    def full(self) -> bool:
        return self.acceptance.full

    def restore(self) -> None:
        """Read what an earlier process has done."""
        # Loads its tables here, in a thread, and not while calls wait for it.
        detect(["language"])
        self.acceptance.resume(*ledgers.read_counts(self.db))
        self.pool.load(segment for (segment,) in self.db.execute("SELECT segment FROM pool ORDER BY wave"))
        self.pool.knows_held_out(ordinal for ordinal, _, _ in ledgers.read_held_out(self.db))
        done = 0
        for edit in ledgers.read_edits(self.db):
            done = edit["number"] + 1
            if edit["reason"]:
                self.reasons[edit["reason"]] += 1
        self.begin_at(done)

    async def reopened(self) -> None:
        """Rows that a smaller target left over, decided about first."""
        decisions = []
        for instruction, outcome in list(ledgers.read_answered(self.db)):
            decisions.append(self.acceptance.decide(instruction, outcome))
            # Rows of one fact have one answer, which is no sign of a duplicate.
            self.acceptance.committed()
        if decisions:
            await self.ledger.decide(decisions)

    async def piece(self, number: int) -> FactOutcome:
        return await revise_fact(self.facts[number], self.fact_context, self.searcher, self.blocked)

    def given_up(self, number: int, why: str) -> FactOutcome:
        return failed_outcome(self.facts[number], why)

    async def settle(self, number: int, outcome: FactOutcome) -> str:
        made = await asyncio.to_thread(
            settle_fact,
            number,
            outcome,
            self.facts,
            self.screen,
            self.pool,
            self.acceptance,
            self.context,
        )
        await self.ledger.commit_fact(
            made.edit,
            made.answered,
            made.refused,
            made.decisions,
            made.probes,
            self.pool.segment(),
            proposed=made.proposed,
            last=len(self.pool) - 1,
            usage={"searches": outcome.usage["searches"], "pages": outcome.usage["pages"]},
        )
        rows = sum(each["row"] is not None for each in made.decisions)
        self.told = made.edit["reason"].replace("_", " ") or f"{rows} rows, {len(made.probes)} probes"
        return made.edit["reason"]

    def settled(self, number: int, outcome: FactOutcome, reason: str) -> None:
        self.tell(self.happened("fact", f"{named(outcome.fact)}: {self.told}"))

    def failed(self, number: int, why: str) -> None:
        self.tell(self.happened("note", f"{named(self.facts[number])}: not done: {why}"))

    def happened(self, kind: Literal["start", "note", "fact"], text: str) -> EditHappened:
        """Something to tell, with how far the run is."""
        reasons, rows = dict(self.reasons), self.acceptance.accepted
        return EditHappened(kind, text, self.next_commit, len(self.facts), rows, reasons, self.spent)


def named(fact: Fact) -> str:
    """A fact in a few words, for whoever watches."""
    return f"{fact['subject'][:60]}, {fact['relation'][:60]}"


def read_changed(files: Sequence[str], records: Sequence[Mapping[str, Any]]) -> list[Fact]:
    """The facts of the files and of the records, in order. Raises UsageError as `read_facts` does, and when there are none."""
    found = read_facts(files) if files else []
    found += [fact_of(record, f"record {number}") for number, record in enumerate(records, 1)]
    if not found:
        raise UsageError("an edit set needs facts that have changed; give some with --facts FILE")
    return distinct(found)


async def edit(
    files: Sequence[str],
    folder: str | Path,
    context: EditContext,
    *,
    records: Sequence[Mapping[str, Any]] = (),
    new_run: bool = False,
    tell: Callable[[EditHappened], None] = lambda happened: None,
    stop: Callable[[Callable[[], None]], None] = lambda drain: None,
    facts: int | None = None,
) -> EditResult:
    """Make an edit set of changed facts (files, or `records` of their fields) in the run folder `folder`, or go on with the run
    that is there.

    `tell` hears of every step; `stop` is given a function that ends the run gently. `facts` ends it after so many.

    Raises:
        UsageError: the inputs are wrong, the folder holds another run, another process works on it.
        ProviderError: a provider refuses every further call. SearchInstructError: it fails for too long, the disk is full.
        What was committed is safe, and the same command goes on.
    """
    began = time.monotonic()
    place = run_folder(folder)
    wanted = await asyncio.to_thread(read_changed, files, records)
    await asyncio.to_thread(check, context)
    with held(place), ExitStack() as open_parts:
        # Everything that may be wrong with the inputs shows before the folder becomes a run.
        await open_corpus(context)
        embedder = await asyncio.to_thread(embeddings, context.embeddings)
        benchmark = await asyncio.to_thread(Benchmark.load_any, context.decontaminate, embedder)
        if new_run:
            set_aside(place)
        before = stored_run(place)
        options = {name: getattr(context, name) for name in OPTIONS}
        run = open_run(place, configuration(wanted, context), options, version("searchinstruct-graph"))
        ledger = open_parts.enter_context(closing(Ledger(place)))
        db = open_parts.enter_context(closing(connect(ledger.path, readonly=True)))
        await resume(ledger, db, place, context.target, before["options"] if before else {}, benchmark)
        pool = FactPool(embedder, lambda ordinal: ledgers.read_text(db, ordinal))
        work = _Edits(ledger, db, run, wanted, pool, benchmark, context, tell, facts)
        await asyncio.to_thread(work.restore)
        stop(work.stop.set)
        tell(work.happened("start", f"run {place}: {len(wanted):,} facts, {work.next_commit:,} of them done"))
        starting = time.monotonic() - began
        ended: Ended | Literal["failed"] = "failed"
        try:
            stopped = await work.go()
            ended = "facts" if stopped == "all" else stopped
        finally:
            await ledger.end_session(ended, time.monotonic() - began)
        written = await asyncio.to_thread(_write_probes, place)
        return EditResult(
            run=str(place),
            ended=ended,
            target=context.target,
            accepted=work.acceptance.accepted,
            edits=edit_facts(db, run),
            probes=written,
            funnel=ledgers.read_funnel(db),
            spent=ledgers.total(ledgers.read_spending(db).values()),
            roles=ledgers.read_spending(db),
            seconds=round(time.monotonic() - began, 3),
            starting=round(starting, 3),
        )


def _write_probes(place: Path) -> str:
    """Write the run's probes to its `exports/`; returns the file, empty when there are none."""
    if not ledgers.read_probes(place):
        return ""
    export_run(place, Wanted(format=PROBES))
    return str(place / EXPORTS / f"{PROBES}.jsonl")


class EditEstimate(TypedDict):
    """A trial of an edit set and what all facts would come to; null for a cost that is not known."""

    facts: int
    trial_facts: int
    trial_accepted: int
    trial_rows: int
    rows: int
    probes: int
    model_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    seconds: float


def estimate_edits(trial: EditResult) -> EditEstimate:
    """What all facts would take: everything scales by facts, but the start is paid once."""
    found, spent = trial["edits"], trial["spent"]
    tried = found["accepted"] + found["rejected"]
    times = found["facts"] / max(1, tried)
    return EditEstimate(
        facts=found["facts"],
        trial_facts=tried,
        trial_accepted=found["accepted"],
        trial_rows=trial["accepted"],
        rows=round(trial["accepted"] * times),
        probes=round(sum(found["probes"].values()) * times),
        model_calls=round(spent["model_calls"] * times),
        input_tokens=round(spent["input_tokens"] * times),
        output_tokens=round(spent["output_tokens"] * times),
        cost_usd=None if spent["cost_usd"] is None else round(spent["cost_usd"] * times, 4),
        seconds=round(trial["starting"] + (trial["seconds"] - trial["starting"]) * times, 1),
    )
