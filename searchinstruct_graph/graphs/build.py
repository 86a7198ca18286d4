"""The batch: waves of instructions, workers that answer them, and the ledger in which alone a thing has happened.

Proposing, answering and deciding overlap; what a wave may know and the order of decisions are fixed, so a run gives the
same rows with one worker or two hundred, killed or not.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

from typing_extensions import TypedDict

from searchinstruct_graph.agents.build_context import OPTIONS, BuildContext
from searchinstruct_graph.agents.calls import keeping_calls
from searchinstruct_graph.agents.sources import open_corpus, web_providers
from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.acceptance import Acceptance, Blocked
from searchinstruct_graph.datasets.contamination import Benchmark
from searchinstruct_graph.datasets.database import connect
from searchinstruct_graph.datasets.ledger import Decision, Instruction, Ledger, Outcome, WaveStatistics
from searchinstruct_graph.datasets.pool import Pool
from searchinstruct_graph.datasets.rows import Funnel, Spent, no_spending
from searchinstruct_graph.datasets.run import RunFile, held, open_run, run_folder, set_aside, stored_run
from searchinstruct_graph.datasets.seeds import Seed, read_seeds, seed_of
from searchinstruct_graph.datasets.tasks import Task, read_task
from searchinstruct_graph.errors import SearchInstructError, UsageError
from searchinstruct_graph.graphs.answering import (
    Unanswered,
    answer,
    grounded,
    nothing_answered,
    prompt_versions,
    role_models,
    spent_on,
)
from searchinstruct_graph.graphs.proposing import Candidate, History, Proposer, SeedProposer, TaskProposer
from searchinstruct_graph.graphs.purse import Calls, MoneySpent, Purse, RunCalls
from searchinstruct_graph.graphs.research import build_graph, checked_question
from searchinstruct_graph.graphs.resuming import resume
from searchinstruct_graph.graphs.screening import Screen, check_language, rules_for
from searchinstruct_graph.models.chat import OFFLINE, chat_model, resolve_model
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.prices import require_price
from searchinstruct_graph.text.answers import Form
from searchinstruct_graph.text.digest import file_sha256, sha256
from searchinstruct_graph.tools.corpus import Corpus
from searchinstruct_graph.tools.corpus.language import detect

BARREN_WAVES = 3
"""Waves in a row that bring hardly anything new before the sources count as exhausted."""

HARDLY_NEW = 0.1

ATTEMPTS = 3
"""Times that an instruction is tried while the provider fails."""

FAILURES_IN_A_ROW = 5
"""Provider failures without a success between them after which the run stops, or as many as there are calls in flight:
the provider is down. Each has had its retries.
"""

Ended = Literal["target", "exhausted", "crowded", "seeds", "max_waves", "max_cost", "stopped", "answers"]
"""`crowded`: there were good answers, but of files or levels that had given their share; `seeds`: all seeds are answered,
and none were to be expanded.
"""


class BuildResult(TypedDict):
    """How a run stands when the command ends."""

    run: str
    ended: Ended
    target: int
    accepted: int
    funnel: Funnel
    spent: Spent
    roles: dict[str, Spent]
    for_keywords: Spent
    """What finding keywords has cost, once for the whole run."""
    seconds: float
    starting: float
    """Of these, the seconds until the work began: sources, index, ledger."""


class Happened(NamedTuple):
    """Something to tell: a wave or a decision, and how far the run is."""

    kind: Literal["start", "keywords", "wave", "rows", "note"]
    text: str
    accepted: int
    target: int
    reasons: dict[str, int]
    spent: Spent


@dataclass(frozen=True)
class Sources:
    """What instructions are made from: seed files or questions, or a task (a sentence or a YAML file); and files of failed
    questions of an evaluation to focus on.
    """

    seeds: tuple[str, ...] = ()
    task: str = ""
    focus: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


def configuration(
    sources: Sources, seeds: Sequence[Seed], focus: Sequence[Seed], task: Task | None, context: BuildContext
) -> dict[str, Any]:
    """Everything that determines the rows of a run."""
    settings = {name: value for name, value in asdict(context).items() if name not in OPTIONS}
    models = role_models(context, fixed_form=task is not None and task["answer_form"] != "open")
    for name in ("model", *(key for key in settings if key.endswith("_model"))):
        settings.pop(name)
    return {
        "method": "ds2-instruct" if sources.task else "searchinstruct",
        "seeds": sha256(ledgers.encoded(seeds)) if seeds else "",
        "focus": sha256(ledgers.encoded(focus)) if focus else "",
        "task": dict(task) if task else {},
        "held_out": {path: file_sha256(path) for path in context.decontaminate},
        "models": models,
        "prompts": prompt_versions(),
        "settings": settings,
    }


class _Build:
    """A run at work."""

    def __init__(
        self,
        ledger: Ledger,
        db: sqlite3.Connection,
        run: RunFile,
        proposer: Proposer,
        pool: Pool,
        benchmark: Benchmark | None,
        context: BuildContext,
        task: Task | None,
        corpus: Corpus | None,
        tell: Callable[[Happened], None],
        answers: int | None,
    ) -> None:
        self.ledger, self.db, self.run, self.proposer, self.pool = ledger, db, run, proposer, pool
        self.context, self.task, self.tell = context, task, tell
        self.most_answers = answers
        facts = ledgers.read_facts(db)
        rules = rules_for(context, run["fingerprint"], task is not None, corpus, facts.get("documents", {}))
        self.screen = Screen(context, proposer, run["fingerprint"], pool, benchmark)
        versions = {"searchinstruct-graph": run["version"], **prompt_versions()}
        blocked = Blocked(facts.get("purged", []))
        told = partial(ledgers.has_answer, db)
        fixed = task is not None and task["answer_form"] != "open"
        self.acceptance = Acceptance(rules, role_models(context, fixed_form=fixed), versions, told, blocked)
        # The run's money is in the purse; a row's own settings know no limit of it.
        self.row_context = replace(context, max_cost=None)
        self.graph = build_graph()
        self.stop = asyncio.Event()
        self.waves: list[WaveStatistics] = []
        self.tallies: dict[int, tuple[Counter[str], Counter[str], Counter[str]]] = {}
        """Of each wave: instructions, decided ones, accepted ones, by Bloom level."""
        self.kinds: Counter[str] = Counter()
        self.queue: deque[Instruction] = deque()
        self.open: deque[Instruction] = deque()
        """Instructions that nothing was decided about, in order."""
        self.answered: dict[int, Outcome] = {}
        self.good = 0
        """Answers among `answered` that have no fault."""
        self.reasons: Counter[str] = Counter()
        self.attempts: dict[int, tuple[int, int]] = {}
        """Of instructions that the provider failed: how often, and how many answers there were before the first time."""
        self.successes = 0
        self.proposing: asyncio.Task[Any] | None = None
        self.failing = 0
        self.spent = ledgers.total(ledgers.read_spending(db).values())
        # More answers than calls: while one is being committed, another may call.
        self.width = context.concurrency + max(2, context.concurrency // 2)
        self.purse = Purse(context.max_cost, *ledgers.read_money(db))
        self.calls = Calls(ledger, context.concurrency, self.purse)
        self.decided = self.decided_here = 0
        self.barren = self.surplus = 0

    # Taking up what an earlier process has done.

    def restore(self) -> None:
        """Read the ledger: everything that later steps depend on."""
        # Loads its tables here, in a thread, and not at the first answer, when calls would wait for it.
        detect(["language"])
        self.waves = ledgers.read_waves(self.db)
        self.acceptance.resume(*ledgers.read_counts(self.db))
        self.pool.load(segment for (segment,) in self.db.execute("SELECT segment FROM pool ORDER BY wave"))
        self.proposer.restore([k for (k,) in self.db.execute("SELECT keyword FROM keywords ORDER BY position")])
        for instruction in ledgers.read_instructions(self.db):
            self._take(instruction)
        for instruction, outcome in ledgers.read_answered(self.db):
            self._answered(instruction["ordinal"], outcome)
        self.queue = deque(each for each in self.queue if each["ordinal"] not in self.answered)
        self.reasons.update(ledgers.read_funnel(self.db)["reasons"])
        for wave in self.waves[1:]:
            self._count_barren(wave)

    def _take(self, instruction: Instruction) -> None:
        wave, origin, status = instruction["wave"], instruction["origin"], instruction["status"]
        every, decided, accepted = self.tallies.setdefault(wave, (Counter(), Counter(), Counter()))
        every[origin["bloom"]] += 1
        self.kinds[origin["kind"]] += 1
        if status in ("admitted", "answered"):
            self.open.append(instruction)
            self.queue.append(instruction)
        elif status != "shown":
            self.decided += 1
            decided[origin["bloom"]] += 1
            accepted[origin["bloom"]] += status == "accepted"
        self.proposer.learn([instruction])

    def _answered(self, ordinal: int, outcome: Outcome) -> None:
        self.answered[ordinal] = outcome
        self.good += outcome["fault"] is None

    # The loop.

    async def go(self) -> Ended:
        """Work until there are enough rows, or no more can be had."""
        if not self.waves:
            await self._commit_seeds()
        running: dict[asyncio.Task[Any], Instruction] = {}
        try:
            return await self._work(running)
        finally:
            await self.calls.end([*running, *([self.proposing] if self.proposing else [])])

    async def _work(self, running: dict[asyncio.Task[Any], Instruction]) -> Ended:
        fatal: BaseException | None = None
        while True:
            await self._decide()
            ended = self._ended(self.proposing is not None, bool(running))
            if fatal is None and ended is None and not self.stop.is_set():
                if self.proposing is None and len(self.queue) < self.width and self._may_propose():
                    self.proposing = asyncio.create_task(self._wave(len(self.waves)))
                while self.queue and len(running) < self.width and self._wanted(len(running)):
                    instruction = self.queue.popleft()
                    running[asyncio.create_task(self._answer(instruction))] = instruction
            waiting: set[asyncio.Task[Any]] = {*running, *([self.proposing] if self.proposing else [])}
            if not waiting:
                if fatal:
                    raise fatal
                if ended or self.stop.is_set():
                    return ended or "stopped"
                raise AssertionError("nothing is under way and nothing can be begun")
            if ended in ("target", "max_cost", "answers") and self.proposing is not None and not running:
                # What is still being proposed is not needed; its replies are kept, should the target be raised.
                self.proposing.cancel()
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                asked = running.pop(task, None)
                try:
                    task.result()
                    self.failing = 0
                    self.successes += asked is not None
                except asyncio.CancelledError:
                    if task is not self.proposing:
                        raise
                except MoneySpent:
                    # The instruction waits for a larger purse; what was asked for it so far is kept.
                    if asked is not None:
                        self._put_back(asked)
                except Unanswered as error:
                    assert asked is not None
                    fatal = fatal or await self._unanswered(asked, str(error))
                except SearchInstructError as error:
                    fatal = fatal or error
                if task is self.proposing:
                    self.proposing = None

    def _ended(self, proposing: bool, working: bool) -> Ended | None:
        if self.acceptance.full:
            return "target"
        if self.most_answers is not None and self.decided_here >= self.most_answers:
            return "answers"
        if self.purse.empty:
            return "max_cost"
        if self.queue or self.open or proposing or working:
            return None
        if self.context.max_waves is not None and len(self.waves) > self.context.max_waves:
            return "max_waves"
        if not self._exhausted():
            return None
        return "seeds" if not self.context.expand else "crowded" if self.surplus else "exhausted"

    def _exhausted(self) -> bool:
        return self.barren >= BARREN_WAVES or (not self.context.expand and bool(self.waves))

    def _may_propose(self) -> bool:
        if self._exhausted() or (self.context.max_waves is not None and len(self.waves) > self.context.max_waves):
            return False
        # What becomes of the wave before the last must be known, so that a wave does not depend on the clock.
        return len(self.waves) < 2 or not self.open or self.open[0]["ordinal"] > self.waves[-2]["last"]

    def _wanted(self, running: int) -> bool:
        """Whether one more answer is likely to be needed; always when later ones wait for it."""
        if self.answered and self.queue[0]["ordinal"] == self.open[0]["ordinal"]:
            return True
        decided = self.decided
        share = max((self.acceptance.accepted + 1) / (decided + 1), 0.1) if decided > 10 else 1.0
        if self.most_answers is not None and self.decided_here + len(self.answered) + running >= self.most_answers:
            return False
        return self.acceptance.accepted + self.good + running * share < self.context.target

    async def _unanswered(self, instruction: Instruction, why: str) -> SearchInstructError | None:
        """Try again later; give up on the instruction only when others are answered meanwhile, on the run when none is."""
        ordinal = instruction["ordinal"]
        self.failing += 1
        count, before = self.attempts.get(ordinal, (0, self.successes))
        self.attempts[ordinal] = (count + 1, before)
        self.tell(self._happened("note", f"not answered: {why}"))
        if self.failing >= max(FAILURES_IN_A_ROW, self.context.concurrency):
            return SearchInstructError(f"{self.failing} answers in a row failed, the last: {why}")
        if count + 1 < ATTEMPTS or self.successes == before:
            self._put_back(instruction)
            return None
        outcome = nothing_answered(why)
        await self.ledger.commit_answer(ordinal, outcome)
        self._answered(ordinal, outcome)
        return None

    def _put_back(self, instruction: Instruction) -> None:
        """Into its place: what comes first is what later answers wait for."""
        at = bisect_left(self.queue, instruction["ordinal"], key=lambda each: each["ordinal"])
        self.queue.insert(at, instruction)

    # Steps.

    async def _commit_seeds(self) -> None:
        """The given instructions are wave 0."""
        await self._admit(0, self.proposer.seeds(), [], [], seeds=True)

    async def _wave(self, number: int) -> None:
        history = self._history()
        with keeping_calls(RunCalls(self.calls, f"wave:{number}")):
            proposed = await self.proposer.propose(number, history)
        if proposed.keywords:
            await self.ledger.note("for_keywords", spent_on(proposed.for_keywords))
        if proposed.failures and not proposed.candidates:
            raise SearchInstructError(f"no instruction could be proposed: {proposed.failures[-1]}")
        for failure in dict.fromkeys(proposed.failures):
            self.tell(self._happened("note", f"a proposal failed: {failure}"))
        if proposed.keywords:
            self.tell(self._happened("keywords", f"{len(proposed.keywords)} keywords"))
        await self._admit(number, proposed.candidates, proposed.keywords, proposed.failures)

    def _history(self) -> History:
        history = History(kinds=Counter(self.kinds))
        for wave, (every, decided, accepted) in self.tallies.items():
            if wave >= len(self.waves) - 1:
                history.pending += every
            else:
                history.decided += decided
                history.accepted += accepted
        return history

    async def _admit(
        self,
        wave: int,
        candidates: Sequence[Candidate],
        keywords: Sequence[tuple[str, str]],
        failures: Sequence[str],
        *,
        seeds: bool = False,
    ) -> None:
        """Hold candidates against the rules and the pool, and commit the wave."""
        admitted, refused = await asyncio.to_thread(partial(self.screen.admit, wave, candidates, given=seeds))
        last = admitted[-1]["ordinal"] if admitted else self.waves[-1]["last"] if self.waves else -1
        await self.ledger.commit_wave(
            wave,
            [(i["ordinal"], i["id"], i["text"], i["status"], i["origin"]) for i in admitted],
            refused,
            self.pool.segment(),
            proposed=len(candidates),
            last=last,
            note="; ".join(dict.fromkeys(failures))[:2_000],
            keywords=keywords,
        )
        self.waves.append(WaveStatistics(wave=wave, proposed=len(candidates), admitted=len(admitted), last=last))
        for instruction in admitted:
            self._take(instruction)
        self.reasons.update(each["reason"] for each in refused)
        if wave:
            self._count_barren(self.waves[-1])
        if candidates:
            what = "seeds" if seeds else f"wave {wave}"
            self.tell(self._happened("wave", f"{what}: {len(admitted)} of {len(candidates)} instructions are new"))

    def _count_barren(self, wave: WaveStatistics) -> None:
        self.barren = self.barren + 1 if wave["admitted"] < max(1.0, HARDLY_NEW * wave["proposed"]) else 0

    async def _answer(self, instruction: Instruction) -> None:
        ordinal = instruction["ordinal"]
        form: Form = self.task["answer_form"] if self.task else "open"
        options = self.task["options"] if self.task else []
        with keeping_calls(RunCalls(self.calls, f"answer:{ordinal}")):
            outcome, usage = await answer(instruction["text"], form, options, self.row_context, self.graph)
        if usage["searches"] or usage["pages"]:
            await self.ledger.spend({"searches": usage["searches"], "pages": usage["pages"]})
        await self.ledger.commit_answer(ordinal, outcome)
        self._answered(ordinal, outcome)

    async def _decide(self) -> None:
        """Decide about answered instructions in the order of ordinals, as far as there is no gap."""
        decisions: list[Decision] = []
        told: list[str] = []
        while self.open and self.open[0]["ordinal"] in self.answered:
            instruction = self.open.popleft()
            outcome = self.answered.pop(instruction["ordinal"])
            self.good -= outcome["fault"] is None
            decision = self.acceptance.decide(instruction, outcome)
            level = instruction["origin"]["bloom"]
            _, decided, accepted = self.tallies[instruction["wave"]]
            decided[level] += 1
            accepted[level] += decision["row"] is not None
            self.surplus += decision["row"] is None and decision["rejection"] is None
            if decision["rejection"]:
                self.reasons[decision["rejection"]["reason"]] += 1
            decisions.append(decision)
            told.append(instruction["text"])
            self.decided += 1
            self.decided_here += 1
        if not decisions:
            return
        await self.ledger.decide(decisions)
        self.acceptance.committed()
        self.spent = ledgers.total(ledgers.read_spending(self.db).values())
        self.tell(self._happened("rows", told[-1]))

    def _happened(self, kind: Literal["start", "keywords", "wave", "rows", "note"], text: str) -> Happened:
        return Happened(kind, text, self.acceptance.accepted, self.context.target, dict(self.reasons), self.spent)


def checked(sources: Sources, context: BuildContext) -> tuple[list[Seed], list[Seed], Task | None]:
    """Read the inputs and hold the settings against each other, before anything is written.

    Raises:
        UsageError: seeds and task together or neither, an unreadable file, a model that cannot be used.
    """
    if bool(sources.seeds or sources.questions) == bool(sources.task):
        raise UsageError("give either seed questions (--seeds FILE) or a task (--task TEXT), not both and not neither")
    if sources.focus and sources.task:
        raise UsageError("--focus adds failed questions to seeds; give --seeds as well")
    task = read_task(sources.task) if sources.task else None
    seeds = read_seeds(sources.seeds).seeds if sources.seeds else []
    seeds += [seed_of(text) for text in dict.fromkeys(sources.questions)]
    focus = (
        [Seed(**{**seed, "weight": 3.0 * seed["weight"]}) for seed in read_seeds(sources.focus).seeds]
        if sources.focus
        else []
    )
    for seed in [*seeds, *focus]:
        checked_question(seed["text"])
    check_models(context)
    _check_options(sources, task, context)
    return seeds, focus, task


_OF_SEEDS = ("grow", "expand", "answer_seeds", "seeds_per_call", "questions_per_call")
_OF_TASKS = ("pairs", "keywords", "keyword_rounds", "corpus_rounds")


def _check_options(sources: Sources, task: Task | None, context: BuildContext) -> None:
    """Refuse settings that would do nothing here."""
    plain = BuildContext()
    for name in _OF_SEEDS if task else _OF_TASKS:
        if getattr(context, name) != getattr(plain, name):
            other = "seeds, and this run is made from a task" if task else "a task, and this run is made from seeds"
            raise UsageError(f"{name} is a setting of {other}; leave it out")
    if not context.expand and not context.answer_seeds:
        raise UsageError("with neither expand nor answer_seeds there is nothing to answer")
    if task and task["answer_form"] != "open":
        for name in {resolve_model(context.model_for("respondent"))}:
            if name == OFFLINE:
                raise UsageError(
                    f"the offline model is extractive: it cannot answer in the form {task['answer_form']}; name a language "
                    "model (--model NAME, or --respondent-model NAME)"
                )
    check_language(context)


def check_models(context: BuildContext) -> None:
    """Hold the models and search providers of the settings against what is installed, priced and set up.

    Raises:
        UsageError: one cannot be used.
    """
    web_providers(context)
    for name in set(role_models(context).values()):
        chat_model(name)
        if context.max_cost is not None:
            require_price(name)
        if name == OFFLINE and not grounded(context):
            raise UsageError(
                "the offline model is extractive: it answers from sources alone; name some (--corpus URI, such as "
                "pydoc:), or a language model (--model NAME)"
            )


async def build(
    sources: Sources,
    folder: str | Path,
    context: BuildContext,
    *,
    new_run: bool = False,
    tell: Callable[[Happened], None] = lambda happened: None,
    stop: Callable[[Callable[[], None]], None] = lambda drain: None,
    answers: int | None = None,
) -> BuildResult:
    """Build a dataset in the run folder `folder`, or go on with the one that is there.

    `tell` hears of every step; `stop` is given a function that ends the run gently: what is in flight is finished and
    committed. `answers` ends the run after so many decisions.

    Raises:
        UsageError: the inputs are wrong, the folder holds another run, another process works on it.
        ProviderError: a provider refuses every further call. SearchInstructError: it fails for too long, the disk is full.
        What was committed is safe, and the same command goes on.
    """
    began = time.monotonic()
    place = run_folder(folder)
    seeds, focus, task = await asyncio.to_thread(checked, sources, context)
    with held(place), ExitStack() as open_parts:
        # Everything that may be wrong with the inputs shows before the folder becomes a run.
        corpus = await open_corpus(context) if grounded(context) else None
        embedder = await asyncio.to_thread(embeddings, context.embeddings)
        benchmark = await asyncio.to_thread(Benchmark.load_any, context.decontaminate, embedder)
        if new_run:
            set_aside(place)
        settings = configuration(sources, seeds, focus, task, context)
        options = {name: getattr(context, name) for name in OPTIONS}
        before = stored_run(place)
        run = open_run(place, settings, options, version("searchinstruct-graph"))
        ledger = open_parts.enter_context(closing(Ledger(place)))
        db = open_parts.enter_context(closing(connect(ledger.path, readonly=True)))
        salt = run["fingerprint"]
        blocked = Blocked(ledgers.read_facts(db).get("purged", []))
        proposer: Proposer = (
            TaskProposer(task, context, corpus, salt, blocked)
            if task
            else SeedProposer(seeds, focus, context, corpus, salt, blocked)
        )
        pool = Pool(embedder, lambda ordinal: ledgers.read_text(db, ordinal))
        await resume(ledger, db, place, context.target, before["options"] if before else {}, benchmark)
        if corpus is not None:
            await _note_documents(ledger, corpus)
        work = _Build(ledger, db, run, proposer, pool, benchmark, context, task, corpus, tell, answers)
        await asyncio.to_thread(work.restore)
        stop(work.stop.set)
        tell(work._happened("start", f"run {place}"))
        starting = time.monotonic() - began
        ended: Ended | Literal["failed"] = "failed"
        try:
            ended = await work.go()
        finally:
            await ledger.end_session(ended, time.monotonic() - began)
        return BuildResult(
            run=str(place),
            ended=ended,
            target=context.target,
            accepted=work.acceptance.accepted,
            funnel=ledgers.read_funnel(db),
            spent=ledgers.total(ledgers.read_spending(db).values()),
            roles=ledgers.read_spending(db),
            for_keywords=ledgers.read_facts(db).get("for_keywords", no_spending()),
            seconds=round(time.monotonic() - began, 3),
            starting=round(starting, 3),
        )


LISTED = 10_000
"""Documents up to which the report can say which of them gave no row."""


async def _note_documents(ledger: Ledger, corpus: Corpus) -> None:
    """Keep what the card and the report tell of the run's documents."""
    if sum(report.documents for report in corpus.report) <= LISTED:
        await ledger.note("documents", dict(await asyncio.to_thread(corpus.documents)))
