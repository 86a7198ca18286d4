"""The extraction: pulls of documents out of a pile, chosen by what earlier ones gave, and committed whole, in order.

A pull is chosen from what was known a fixed number of pulls ago, so neither the clock nor a kill changes what is read.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from typing_extensions import TypedDict

from searchinstruct_graph.agents.calls import keeping_calls
from searchinstruct_graph.agents.extract_context import OPTIONS, ExtractContext
from searchinstruct_graph.agents.sources import fetcher_for
from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.acceptance import Acceptance, Blocked
from searchinstruct_graph.datasets.contamination import Benchmark
from searchinstruct_graph.datasets.coverage import Holes
from searchinstruct_graph.datasets.database import connect
from searchinstruct_graph.datasets.ledger import Ledger, PullRecord
from searchinstruct_graph.datasets.pair_vectors import packed
from searchinstruct_graph.datasets.pool import Pool
from searchinstruct_graph.datasets.rows import Funnel, Spent, no_spending
from searchinstruct_graph.datasets.run import (
    PILE,
    RunFile,
    held,
    open_run,
    refuse_strangers,
    run_folder,
    set_aside,
    stored_run,
)
from searchinstruct_graph.datasets.seeds import Seed
from searchinstruct_graph.errors import SearchInstructError, UsageError
from searchinstruct_graph.graphs.answering import Unanswered
from searchinstruct_graph.graphs.choosing import Chooser, as_pair
from searchinstruct_graph.graphs.extract_inputs import (
    budget_of,
    check,
    check_sources,
    configuration,
    covered,
    extraction_rules,
    form_of,
    prompt_versions,
    read_examples,
)
from searchinstruct_graph.graphs.outage import HeardCalls, Provider
from searchinstruct_graph.graphs.pairs import ReadDocument, read_document
from searchinstruct_graph.graphs.proposing import given
from searchinstruct_graph.graphs.purse import Calls, MoneySpent, Purse
from searchinstruct_graph.graphs.resuming import resume
from searchinstruct_graph.graphs.screening import Screen
from searchinstruct_graph.graphs.settling import Examples, settle, sound
from searchinstruct_graph.models.embeddings import Embedder, embeddings
from searchinstruct_graph.models.loops import together
from searchinstruct_graph.models.usage import no_usage
from searchinstruct_graph.tools.corpus import Section
from searchinstruct_graph.tools.corpus.language import detect
from searchinstruct_graph.tools.corpus.pile import Pile, PileProgress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from searchinstruct_graph.selection.selector import Landed, Pull
    from searchinstruct_graph.selection.tuning import TuningProgress

ATTEMPTS = 3
"""Times that a document is read while the provider fails."""

Ended = Literal["target", "budget", "exhausted", "max_cost", "stopped", "documents"]
"""`exhausted`: the whole pile is read; `documents`: a trial is over."""


class ExtractResult(TypedDict):
    """How a run stands when the command ends."""

    run: str
    ended: Ended
    target: int | None
    accepted: int
    documents: int
    """In the pile."""
    budget: int
    read: int
    """Documents read, with or without a pair."""
    pulls: int
    clusters: int | None
    funnel: Funnel
    spent: Spent
    roles: dict[str, Spent]
    seconds: float
    piling: float
    """Of these, the seconds until the documents were read and had their vectors."""
    selecting: float
    """Of these, the seconds that choosing took: replay, clusters, rewards."""


class ExtractHappened(NamedTuple):
    """Something to tell: a step, and how far the run is."""

    kind: Literal["start", "note", "clusters", "pull"]
    text: str
    read: int
    budget: int
    accepted: int
    reasons: dict[str, int]
    spent: Spent


class _Read(NamedTuple):
    """A pull whose documents are read, before it is committed."""

    documents: list[tuple[Section, ReadDocument]]
    texts: list[str]
    vectors: NDArray[np.float32]
    """Of the pairs that hold, in order; float16 values, as they are kept."""


class _Extraction:
    """A run at work."""

    def __init__(
        self,
        ledger: Ledger,
        db: sqlite3.Connection,
        run: RunFile,
        place: Path,
        pile: Pile,
        examples: Sequence[Seed],
        holes: Holes | None,
        embedder: Embedder,
        benchmark: Benchmark | None,
        context: ExtractContext,
        tell: Callable[[ExtractHappened], None],
        documents: int | None,
    ) -> None:
        self.ledger, self.db, self.run, self.place = ledger, db, run, place
        self.pile, self.embedder = pile, embedder
        self.context, self.tell, self.examples, self.holes = context, tell, examples, holes
        self.most_documents = documents
        self.form = form_of(examples)
        self.budget = int(run["options"]["budget_documents"])
        self.pool = Pool(embedder, lambda ordinal: ledgers.read_text(db, ordinal))
        self.screen = Screen(context, Examples(), run["fingerprint"], self.pool, benchmark)
        facts = ledgers.read_facts(db)
        self.blocked = Blocked(facts.get("purged", []))
        self.kept_target = facts.get("target")
        rules = extraction_rules(context, run["fingerprint"])
        versions = {"searchinstruct-graph": run["version"], **prompt_versions()}
        told = partial(ledgers.has_answer, db)
        self.acceptance = Acceptance(rules, run["configuration"]["models"], versions, told, self.blocked)
        self.purse = Purse(context.max_cost, *ledgers.read_money(db))
        self.calls = Calls(ledger, context.concurrency, self.purse)
        self.stop = asyncio.Event()
        self.landed: dict[int, tuple[Pull, _Read]] = {}
        self.next_commit = self.next_wave = 0
        self.last = -1
        self.read = self.read_here = self.pulls = 0
        self.provider = Provider("documents")
        self.spent_all = False
        self.reasons: Counter[str] = Counter()
        self.spent = ledgers.total(ledgers.read_spending(db).values())
        self.selecting = 0.0
        self.chooser: Chooser

    # Taking up what an earlier process has done.

    def restore(self) -> None:
        """Read the ledger, and let the selector choose again what it has chosen."""
        began = time.perf_counter()
        detect(["language"])
        self.chooser = Chooser(
            self.pile,
            self.examples,
            self.embedder,
            self.context,
            self.budget,
            planned=int(self.run["configuration"]["settings"]["planned_documents"]),
            target=self.kept_target,
            holes=self.holes,
            folder=self.place,
        )
        self.acceptance.resume(*ledgers.read_counts(self.db))
        self.pool.load(segment for (segment,) in self.db.execute("SELECT segment FROM pool ORDER BY wave"))
        waves = ledgers.read_waves(self.db)
        self.next_wave = len(waves)
        self.last = waves[-1]["last"] if waves else -1
        self.reasons.update(ledgers.read_funnel(self.db)["reasons"])
        self.pulls, self.read = self.chooser.replay(ledgers.read_pulls(self.db), ledgers.read_clusters(self.db))
        self.next_commit = self.pulls
        self.selecting += time.perf_counter() - began

    # The loop.

    async def go(self) -> Ended:
        """Read until the budget is spent, or no more can be had."""
        running: dict[asyncio.Task[_Read], Pull] = {}
        try:
            if not self.next_wave:
                await self._know_examples()
            await self._reopened()
            return await self._work(running)
        finally:
            await self.calls.end(running)

    async def _work(self, running: dict[asyncio.Task[_Read], Pull]) -> Ended:
        fatal: BaseException | None = None
        nothing_left = False
        while True:
            await self._commit()
            if self.acceptance.full:
                return "target"
            wanted = fatal is None and not self.stop.is_set() and not self.spent_all and self._left_to_try(running) != 0
            while wanted and not nothing_left and len(running) < self.context.pulls_in_flight:
                if self.chooser.selector.needs_clusters():
                    if running:
                        break
                    await self._clusters()
                if not self.chooser.selector.ready():
                    break
                pull = self._timed(partial(self.chooser.selector.next, self._left_to_try(running)))
                if pull is None:
                    nothing_left = True
                    break
                running[asyncio.create_task(self._pull(pull))] = pull
                wanted = self._left_to_try(running) != 0
            if not running:
                if fatal:
                    raise fatal
                return self._ended()
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                pull = running.pop(task)
                try:
                    self.landed[pull.number] = (pull, task.result())
                except MoneySpent:
                    # The pull waits for a larger purse; what was asked for it so far is kept.
                    self.spent_all = True
                except SearchInstructError as error:
                    fatal = fatal or error

    def _left_to_try(self, running: dict[asyncio.Task[_Read], Pull]) -> int | None:
        """Documents that a trial may still read; None when this is none."""
        if self.most_documents is None:
            return None
        under_way = [*running.values(), *(pull for pull, _ in self.landed.values())]
        return max(0, self.most_documents - self.read_here - sum(len(pull.documents) for pull in under_way))

    def _ended(self) -> Ended:
        if self.spent_all:
            return "max_cost"
        if self.read >= min(self.budget, len(self.pile)):
            return "exhausted" if self.read >= len(self.pile) else "budget"
        if self.most_documents is not None and self.read_here >= self.most_documents:
            return "documents"
        return "stopped"

    def _timed(self, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        try:
            return work()
        finally:
            self.selecting += time.perf_counter() - began

    async def _clusters(self) -> None:
        """Between warm-up and choice: tune the encoder if asked to, align, and cluster."""
        began = time.perf_counter()
        seen: list[PullRecord] = []
        if self.context.tune:
            self.tell(self._happened("note", "tuning the encoder on the pairs of the warm-up"))
            told = partial(self._tuning, asyncio.get_running_loop())
            seen = await asyncio.to_thread(self.chooser.tune, list(ledgers.read_pulls(self.db)), told)
        selector = self.chooser.selector
        await asyncio.to_thread(selector.form_clusters)
        target = self.chooser.kept_target() if self.context.tune else None
        await self.ledger.keep_clusters(selector.clusters_state(), seen, target)
        self.selecting += time.perf_counter() - began
        self.tell(self._happened("clusters", f"{self.chooser.clusters:,} clusters of {len(self.pile):,} documents"))

    def _tuning(self, loop: asyncio.AbstractEventLoop, done: TuningProgress) -> None:
        text = f"tuning: step {done.step} of {done.steps}, loss {done.loss:.3f}"
        loop.call_soon_threadsafe(self.tell, self._happened("note", text))

    # Steps.

    async def _know_examples(self) -> None:
        """The examples are wave 0: the pool knows them, so no pair repeats one."""
        candidates = [given(seed) for seed in self.examples]
        admitted, _ = await asyncio.to_thread(partial(self.screen.admit, 0, candidates, given=True))
        self.last = admitted[-1]["ordinal"] if admitted else -1
        await self.ledger.commit_wave(
            0,
            [(i["ordinal"], i["id"], i["text"], i["status"], i["origin"]) for i in admitted],
            [],
            self.pool.segment(),
            proposed=len(admitted),
            last=self.last,
        )
        self.next_wave = 1

    async def _reopened(self) -> None:
        """Rows that a smaller target left over, decided about first."""
        waiting = list(ledgers.read_answered(self.db))
        if waiting:
            await self.ledger.decide([self.acceptance.decide(instruction, outcome) for instruction, outcome in waiting])
            self.acceptance.committed()

    async def _pull(self, pull: Pull) -> _Read:
        with keeping_calls(HeardCalls(self.calls, f"pull:{pull.number}", self.provider)):
            found = await together(self._document(index) for index in pull.documents)
        pairs = [pair for _, each in found for pair in sound(each.pairs)]
        texts = [as_pair(pair.question, pair.outcome["answer"]) for pair in pairs]
        vectors = await asyncio.to_thread(self.chooser.vectors, texts)
        return _Read(found, texts, vectors)

    async def _document(self, index: int) -> tuple[Section, ReadDocument]:
        section = self.pile.section(index)
        if self.blocked.holds(section.uri, section.sha256):
            return section, ReadDocument([], "purged: a purged source is not read", no_usage())
        with self.provider.reading(index) as failed:
            for _ in range(ATTEMPTS):
                try:
                    return section, await read_document(section, self.form, self.context)
                except Unanswered as error:
                    self.tell(self._happened("note", f"{section.uri} was not read: {error}"))
                    failed(error)
                    last = str(error)
            await self.provider.to_blame(index)
        return section, ReadDocument([], last, no_usage())

    async def _commit(self) -> None:
        """Commit the pulls that have landed, in the order of their numbers, as far as there is no gap and rows are wanted."""
        while self.next_commit in self.landed and not self.acceptance.full:
            pull, read = self.landed.pop(self.next_commit)
            await self._commit_one(pull, read)
            self.next_commit += 1

    async def _commit_one(self, pull: Pull, read: _Read) -> None:
        found = [(section.index, pair) for section, each in read.documents for pair in sound(each.pairs)]
        record = PullRecord(
            number=pull.number,
            cluster=pull.cluster,
            documents=list(pull.documents),
            owners=[index for index, _ in found],
            cells=[],
            vectors=packed(read.vectors),
            # What a tuned encoder will learn from.
            texts=read.texts if self.context.tune and pull.cluster is None else [],
            distance=None,
            reward=None,
            failures=[
                [section.index, each.failure.partition(":")[0]] for section, each in read.documents if each.failure
            ],
            note="",
        )

        def land(rows: Sequence[bool]) -> Landed:
            """What the pull has changed: a cell is filled by pairs that became rows alone."""
            began = time.perf_counter()
            cells = self.chooser.cells(read.vectors, [pair.level for _, pair in found])
            record["cells"] = [cell if row else -1 for cell, row in zip(cells, rows, strict=True)] if cells else []
            landed = self.chooser.land(pull, read.vectors, record["owners"], record["cells"])
            record["distance"], record["reward"] = landed.distance, landed.reward
            self.selecting += time.perf_counter() - began
            return landed

        distances = self.chooser.distances(read.vectors)
        made = await asyncio.to_thread(
            settle, pull, read.documents, distances, self.chooser.farthest, self.screen, self.acceptance, land
        )
        notes = [f"{section.uri}: {each.failure}" for section, each in read.documents if each.failure]
        record["note"] = "; ".join(notes)[:2_000]
        self.last = made.answered[-1][0]["ordinal"] if made.answered else self.last
        segment = self.pool.segment()
        await self.ledger.commit_pull(
            record, made.answered, made.refused, made.decisions, segment, proposed=made.proposed, last=self.last
        )
        self.acceptance.committed()
        refusals = [*made.refused, *(each["rejection"] for each in made.decisions if each["rejection"])]
        self.reasons.update(each["reason"] for each in refusals)
        self.read += len(pull.documents)
        self.read_here += len(pull.documents)
        self.pulls += 1
        self.spent = ledgers.total(ledgers.read_spending(self.db).values())
        self.tell(self._happened("pull", f"pull {pull.number}: {len(found)} pairs of {len(pull.documents)} documents"))

    def _happened(self, kind: Literal["start", "note", "clusters", "pull"], text: str) -> ExtractHappened:
        return ExtractHappened(
            kind, text, self.read, self.budget, self.acceptance.accepted, dict(self.reasons), self.spent
        )


def _piling(tell: Callable[[ExtractHappened], None], made: PileProgress) -> None:
    """Tell how far the reading of the pile is; it is done in another thread."""
    if made.phase == "done":
        return
    text = {
        "waiting": "waiting for the process that reads the documents",
        "reading": f"{made.documents:,} documents read from {made.source}",
        "embedding": f"{made.embedded:,} of {made.sections:,} have their vector",
    }[made.phase]
    tell(ExtractHappened("note", text, 0, 1, 0, {}, no_spending()))


async def extract(
    examples: Sequence[str],
    folder: str | Path,
    context: ExtractContext,
    *,
    pairs: Sequence[tuple[str, str]] = (),
    new_run: bool = False,
    tell: Callable[[ExtractHappened], None] = lambda happened: None,
    stop: Callable[[Callable[[], None]], None] = lambda drain: None,
    documents: int | None = None,
) -> ExtractResult:
    """Extract pairs like the examples (files, or `pairs` of question and answer) from a pile of documents into the run
    folder `folder`, or go on with the run that is there.

    `tell` hears of every step; `stop` is given a function that ends the run gently. `documents` ends it after so many.

    Raises:
        UsageError: the inputs are wrong, the folder holds another run, another process works on it.
        ProviderError: a provider refuses every further call. SearchInstructError: it fails for too long, the disk is full.
        What was committed is safe, and the same command goes on.
    """
    began = time.monotonic()
    place = run_folder(folder)
    await asyncio.to_thread(check, context)
    holes = await asyncio.to_thread(covered, context, None if new_run else place) if context.cover else None
    if holes is not None and context.reward != "coverage" and (examples or pairs):
        raise UsageError(
            "cover is for the reward coverage, or its rows are the examples; leave out cover or the examples"
        )
    wanted = await asyncio.to_thread(read_examples, examples, pairs, holes)
    with held(place), ExitStack() as open_parts:
        embedder = await asyncio.to_thread(embeddings, context.embeddings)
        benchmark = await asyncio.to_thread(Benchmark.load_any, context.decontaminate, embedder)
        if new_run:
            # Nothing is set aside for documents that are not there.
            await asyncio.to_thread(check_sources, context.corpus)
            if set_aside(place) is None:
                # Documents that were read for a run that never began.
                await asyncio.to_thread(shutil.rmtree, place / PILE, ignore_errors=True)
        refuse_strangers(place)
        pile = await Pile.open(
            context.corpus,
            place / PILE,
            embedder=embedder,
            section_chars=context.section_chars,
            on_progress=partial(_piling, tell),
            fetcher=fetcher_for(context),
        )
        piled = time.monotonic() - began
        before = stored_run(place)
        last = before["options"] if before else {}
        budget = budget_of(context, len(pile), last.get("budget_documents"))
        planned = before["configuration"]["settings"].get("planned_documents") if before else None
        settings = configuration(wanted, holes, pile, planned or budget, context)
        options = {**{name: getattr(context, name) for name in OPTIONS}, "budget_documents": budget}
        run = open_run(place, settings, options, version("searchinstruct-graph"))
        ledger = open_parts.enter_context(closing(Ledger(place)))
        db = open_parts.enter_context(closing(connect(ledger.path, readonly=True)))
        _, read = ledgers.read_progress(db)
        if read > budget:
            raise UsageError(f"{place} has read {read} documents already; --budget-documents {budget} is less")
        await resume(ledger, db, place, context.target, last, benchmark)
        await ledger.note("pile", {"documents": sum(each.documents for each in pile.report), "sections": len(pile)})
        if holes is not None:
            await ledger.note("covered", holes.kept())
        filled = holes if context.reward == "coverage" else None
        work = _Extraction(ledger, db, run, place, pile, wanted, filled, embedder, benchmark, context, tell, documents)
        await asyncio.to_thread(work.restore)
        if work.kept_target is None:
            # What the selection computes with must be the same for ever, whatever an embedder gives another time.
            await ledger.note("target", work.chooser.kept_target())
        stop(work.stop.set)
        tell(work._happened("start", f"run {place}: {len(pile):,} documents, {budget:,} may be read"))
        ended: Ended | Literal["failed"] = "failed"
        try:
            ended = await work.go()
        finally:
            await ledger.end_session(ended, time.monotonic() - began)
        return ExtractResult(
            run=str(place),
            ended=ended,
            target=context.target,
            accepted=work.acceptance.accepted,
            documents=len(pile),
            budget=budget,
            read=work.read,
            pulls=work.pulls,
            clusters=work.chooser.clusters or None,
            funnel=ledgers.read_funnel(db),
            spent=ledgers.total(ledgers.read_spending(db).values()),
            roles=ledgers.read_spending(db),
            seconds=round(time.monotonic() - began, 3),
            piling=round(piled, 3),
            selecting=round(work.selecting, 3),
        )
