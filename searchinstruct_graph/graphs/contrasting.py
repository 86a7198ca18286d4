"""The triplets run: query–passage pairs, worked on side by side, committed in their order, each with its triplet or why not."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

from typing_extensions import TypedDict

from searchinstruct_graph.agents.triplet_context import OPTIONS, TripletContext
from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.acceptance import Blocked
from searchinstruct_graph.datasets.contamination import Benchmark
from searchinstruct_graph.datasets.database import connect
from searchinstruct_graph.datasets.ledger import Ledger
from searchinstruct_graph.datasets.pairs import pair_id
from searchinstruct_graph.datasets.rows import Origin, RefusedTriplet, Rejection, RowSource, Spent
from searchinstruct_graph.datasets.run import held, open_run, run_folder, set_aside, stored_run
from searchinstruct_graph.datasets.triplet_run import TripletCounts, triplet_counts
from searchinstruct_graph.datasets.triplets import only_denies, query_family
from searchinstruct_graph.graphs.answering import spent_on
from searchinstruct_graph.graphs.contrast import (
    Material,
    PairOutcome,
    begun,
    failed_outcome,
    held_out,
    make_triplet,
    refused,
    standing,
)
from searchinstruct_graph.graphs.contrast_inputs import (
    Given,
    check,
    configuration,
    material_of,
    open_passages,
    passages_of,
    read_given,
)
from searchinstruct_graph.graphs.in_order import InOrder
from searchinstruct_graph.graphs.resuming import resume
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.text.digest import sha256
from searchinstruct_graph.tools.corpus import Corpus
from searchinstruct_graph.tools.corpus.language import detect

Ended = Literal["pairs", "target", "max_cost", "stopped", "trial"]
"""`pairs`: every one was tried; `trial`: so many as were to be tried."""


class TripletResult(TypedDict):
    """How a run stands when the command ends."""

    run: str
    ended: Ended
    target: int | None
    accepted: int
    """Triplets."""
    triplets: TripletCounts
    spent: Spent
    roles: dict[str, Spent]
    seconds: float
    starting: float
    """Of these, the seconds until the work began: pairs, index, ledger."""


class TripletHappened(NamedTuple):
    """Something to tell: a step, and how far the run is."""

    kind: Literal["start", "note", "pair"]
    text: str
    done: int
    pairs: int
    accepted: int
    reasons: dict[str, int]
    spent: Spent


class _Contrasts(InOrder[PairOutcome]):
    """A run at work."""

    def __init__(
        self,
        ledger: Ledger,
        db: sqlite3.Connection,
        given: Given,
        corpus: Corpus | None,
        material: Material | None,
        benchmark: Benchmark | None,
        context: TripletContext,
        tell: Callable[[TripletHappened], None],
        most: int | None,
    ) -> None:
        super().__init__(ledger, db, context, "pair", most)
        self.given, self.corpus, self.material, self.benchmark = given, corpus, material, benchmark
        self.context, self.tell = context, tell
        self.blocked = Blocked(ledgers.read_facts(db).get("purged", []))
        # The run's money is in the purse; a pair's own settings know no limit of it.
        self.pair_context = replace(context, max_cost=None)
        self.accepted = self.denying = 0

    @property
    def count(self) -> int:
        return min(len(self.given), self.context.max_pairs or len(self.given))

    @property
    def full(self) -> bool:
        return self.context.target is not None and self.accepted >= self.context.target

    def restore(self) -> None:
        """Read what an earlier process has done."""
        # Loads its tables here, in a thread, and not while calls wait for it.
        detect(["language"])
        self.accepted, self.denying = ledgers.read_triplet_counts(self.db)
        self.reasons.update(ledgers.read_reasons(self.db))
        self.begin_at(ledgers.read_tried(self.db))

    async def piece(self, number: int) -> PairOutcome:
        pair = await asyncio.to_thread(self.given.pair, number)
        if pair["query"] and (match := await asyncio.to_thread(held_out, self.benchmark, pair["query"])):
            return refused(begun(pair), "pair", "contaminated", match)
        return await make_triplet(
            pair,
            self.pair_context,
            self.corpus,
            self.material,
            seed=self.context.seed + number,
            blocked=self.blocked,
        )

    def given_up(self, number: int, why: str) -> PairOutcome:
        return failed_outcome(self.given.pair(number), why)

    async def settle(self, number: int, outcome: PairOutcome) -> str:
        outcome = await asyncio.to_thread(
            standing,
            outcome,
            benchmark=self.benchmark,
            known=lambda row: ledgers.has_triplet(self.db, row),
            accepted=self.accepted,
            denying=self.denying,
            share=self.context.negation_share,
        )
        row, pair = outcome["triplet"], outcome["pair"]
        keys = [query_family(row["query_positive"])] if row else []
        if row and pair["family"]:
            keys.append(sha256(f"family\n{pair['family']}"))
        rejection = None if row else _rejection(number, outcome)
        usage = {"searches": outcome["usage"]["searches"], "pages": outcome["usage"]["pages"]}
        await self.ledger.commit_triplet(number, row, rejection, keys, usage)
        if row is not None:
            self.accepted += 1
            self.denying += only_denies(row)
        return outcome["reason"]

    def settled(self, number: int, outcome: PairOutcome, reason: str) -> None:
        told = reason.replace("_", " ") or "a triplet"
        self.tell(self.happened("pair", f"{_named(outcome, number)}: {told}"))

    def failed(self, number: int, why: str) -> None:
        self.tell(self.happened("note", f"pair {number}: not done: {why}"))

    def happened(self, kind: Literal["start", "note", "pair"], text: str) -> TripletHappened:
        """Something to tell, with how far the run is."""
        return TripletHappened(kind, text, self.next_commit, self.count, self.accepted, dict(self.reasons), self.spent)


def _named(outcome: PairOutcome, number: int) -> str:
    """A pair in a few words, for whoever watches."""
    return outcome["pair"]["query"][:80] or f"passage {number}"


def _rejection(number: int, outcome: PairOutcome) -> Rejection:
    pair, texts = outcome["pair"], outcome["texts"]
    family = pair["family"] or (query_family(pair["query"]) if pair["query"] else "")
    sources = [
        _source(at, uri, texts.get(name, ""), pair["title"] if name == "document" else "")
        for at, (name, uri) in enumerate(outcome["uris"].items(), 1)
    ]
    return Rejection(
        id=pair_id(pair),
        instruction=pair["query"],
        stage=outcome["stage"] or "acceptance",
        reason=outcome["reason"],
        detail=outcome["detail"],
        quarantined=outcome["quarantined"],
        answer=texts.get("document", ""),
        statements=[],
        sources=sources,
        scores=outcome["scores"],
        origin=Origin(
            method="inf-ir",
            operation="contrast",
            parents=[],
            family=family,
            kind=outcome["kind"],
            subtopic="",
            keywords=[],
            bloom="",
            passages=[],
            wave=number + 1,
        ),
        usage=spent_on(outcome["usage"]),
        triplet=RefusedTriplet(
            texts=texts,
            kind=outcome["kind"],
            origins=dict(outcome["origins"]),
            uris=outcome["uris"],
            reasons=outcome["reasons"],
        ),
    )


def _source(number: int, uri: str, text: str, title: str) -> RowSource:
    return RowSource(id=number, uri=uri, title=title, retrieved_at="", sha256=sha256(text), license=None, quotes=[])


async def contrast(
    files: Sequence[str],
    folder: str | Path,
    context: TripletContext,
    *,
    records: Sequence[Mapping[str, Any]] = (),
    new_run: bool = False,
    tell: Callable[[TripletHappened], None] = lambda happened: None,
    stop: Callable[[Callable[[], None]], None] = lambda request: None,
    pairs: int | None = None,
) -> TripletResult:
    """Make triplets of the pairs in `files` and `records`, or without any of the passages of the corpus, in the run `folder`;
    resume the run that is there.

    `tell` hears of every step; `stop` is given a function that ends the run gently. `pairs` ends it after so many.

    Raises:
        UsageError: the inputs are wrong, the folder holds another run, another process works on it.
        ProviderError: a provider refuses every further call. SearchInstructError: it fails for too long, the disk is full.
        What was committed is safe, and the same command goes on.
    """
    began = time.monotonic()
    place = run_folder(folder)
    wanted = await asyncio.to_thread(read_given, files, records, context)
    await asyncio.to_thread(check, context)
    with held(place), ExitStack() as open_parts:
        # Everything that may be wrong with the inputs shows before the folder becomes a run.
        corpus = await open_passages(context)
        embedder = await asyncio.to_thread(embeddings, context.embeddings)
        benchmark = await asyncio.to_thread(Benchmark.load_any, context.decontaminate, embedder)
        given = Given(wanted, None, ())
        if corpus is not None and not wanted:
            given = await passages_of(corpus, context.seed)
        if new_run:
            set_aside(place)
        before = stored_run(place)
        options = {name: getattr(context, name) for name in OPTIONS}
        run = open_run(place, configuration(given, context), options, version("searchinstruct-graph"))
        ledger = open_parts.enter_context(closing(Ledger(place)))
        db = open_parts.enter_context(closing(connect(ledger.path, readonly=True)))
        await resume(ledger, db, place, context.target, before["options"] if before else {}, benchmark)
        material = await asyncio.to_thread(material_of, given, embedder)
        work = _Contrasts(ledger, db, given, corpus, material, benchmark, context, tell, pairs)
        await asyncio.to_thread(work.restore)
        stop(work.stop.set)
        tell(work.happened("start", f"run {place}: {len(given):,} pairs, {work.next_commit:,} of them tried"))
        starting = time.monotonic() - began
        ended: Ended | Literal["failed"] = "failed"
        try:
            stopped = await work.go()
            ended = "pairs" if stopped == "all" else stopped
        finally:
            await ledger.end_session(ended, time.monotonic() - began)
        return TripletResult(
            run=str(place),
            ended=ended,
            target=context.target,
            accepted=work.accepted,
            triplets=triplet_counts(db, run),
            spent=ledgers.total(ledgers.read_spending(db).values()),
            roles=ledgers.read_spending(db),
            seconds=round(time.monotonic() - began, 3),
            starting=round(starting, 3),
        )


class TripletEstimate(TypedDict):
    """A trial of a triplets run and what all pairs, or the target, would come to; null where the trial says nothing, and for a
    cost that is not known.
    """

    pairs: int
    target: int | None
    trial_pairs: int
    trial_kept: int
    tries: int | None
    """Pairs that would be tried: all, or as many as the target needs."""
    kept: int | None
    model_calls: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    seconds: float | None


def estimate_triplets(trial: TripletResult, target: int | None, max_pairs: int | None) -> TripletEstimate:
    """What the whole run would take: everything scales by pairs, but the start is paid once. `target` and `max_pairs` are those
    of the run, which end it earlier.
    """
    found, spent = trial["triplets"], trial["spent"]
    tried, kept = found["tried"], found["kept"]
    tries: int | None = min(found["pairs"], max_pairs or found["pairs"])
    if target is not None:
        tries = min(tries or 0, math.ceil(target * tried / kept)) if kept else None
    told = TripletEstimate(
        pairs=found["pairs"],
        target=target,
        trial_pairs=tried,
        trial_kept=kept,
        tries=tries,
        kept=None,
        model_calls=None,
        input_tokens=None,
        output_tokens=None,
        cost_usd=None,
        seconds=None,
    )
    if tries is None or not tried:
        return told
    times = tries / tried
    return {
        **told,
        "kept": round(kept * times),
        "model_calls": round(spent["model_calls"] * times),
        "input_tokens": round(spent["input_tokens"] * times),
        "output_tokens": round(spent["output_tokens"] * times),
        "cost_usd": None if spent["cost_usd"] is None else round(spent["cost_usd"] * times, 4),
        "seconds": round(trial["starting"] + (trial["seconds"] - trial["starting"]) * times, 1),
    }
