"""One evaluation: cases are drawn, made, scored and kept as they come; killed at any point, it goes on where it was."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, cast

from searchinstruct_graph.agents.calls import keeping_calls
from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.database import connect, reading
from searchinstruct_graph.datasets.ledger import Ledger
from searchinstruct_graph.datasets.rows import Spent
from searchinstruct_graph.datasets.run import (
    PAGE,
    RESULT,
    RunFile,
    fingerprint,
    held,
    open_run,
    refuse_strangers,
    run_folder,
    set_aside,
    stored_run,
    write_atomically,
)
from searchinstruct_graph.errors import SearchInstructError, UsageError
from searchinstruct_graph.evals.context import OPTIONS, EvalContext
from searchinstruct_graph.evals.result import FORMAT, Column, Ended, EvalResult, column, failures_of, figures
from searchinstruct_graph.evals.suite import Case, Item, Metric, Sample, Score, Suite, Taken, failed, scored
from searchinstruct_graph.evals.suites import suite_named
from searchinstruct_graph.graphs.purse import Calls, MoneySpent, Purse, RunCalls
from searchinstruct_graph.models.chat import check_model, resolve_model
from searchinstruct_graph.models.loops import finished
from searchinstruct_graph.models.prices import require_price
from searchinstruct_graph.models.usage import Usage
from searchinstruct_graph.text.digest import sha256

DOWN = 8
"""Cases in a row of which a call failed and none was answered: then the provider is down, not the cases are bad."""

_OUTAGE = ("provider", "timeout")


class EvalHappened(NamedTuple):
    """Something that a person may want to see."""

    text: str
    done: int
    whole: int
    failures: dict[str, int]
    spent: Spent


def drawn(cases: Iterable[Case], limit: int, seed: int) -> list[Case]:
    """At most `limit` cases (0: all), each as likely as any other, in the order of the data; equal cases once.

    Reservoir sampling (Vitter 1985, algorithm R): memory holds `limit` cases, however many there are.
    """
    random_, kept, seen = random.Random(seed), list[tuple[int, Case]](), set[str]()
    for case in cases:
        if case["id"] in seen:
            continue
        seen.add(case["id"])
        number = len(seen) - 1
        if not limit or len(kept) < limit:
            kept.append((number, case))
        elif (place := random_.randint(0, number)) < limit:
            kept[place] = (number, case)
    return [case for _, case in sorted(kept, key=lambda each: each[0])]


def configuration(suite: Suite, context: EvalContext, cases: list[Case]) -> dict[str, Any]:
    """What determines the scores: a resumed evaluation must have the same."""
    settings = {
        spec.name: getattr(context, spec.name)
        for spec in fields(context)
        if spec.name not in (*OPTIONS, "data", "model", "judge")
    }
    return {
        "evaluation": suite.name,
        "model": resolve_model(context.model),
        "judge": resolve_model(context.judge) if context.judge else "",
        "cases": {"count": len(cases), "sha256": sha256("".join(case["id"] for case in cases))},
        "settings": settings,
    }


class _Evaluation:
    """The work of one process on an evaluation."""

    def __init__(
        self,
        suite: Suite,
        cases: list[Case],
        ledger: Ledger,
        db: Any,
        context: EvalContext,
        tell: Callable[[EvalHappened], None],
    ) -> None:
        self.suite, self.cases, self.ledger, self.db, self.context, self.tell = suite, cases, ledger, db, context, tell
        self.metrics = suite.metrics(context)
        self.purse = Purse(context.max_cost, *ledgers.read_money(db))
        self.calls = Calls(ledger, context.concurrency, self.purse)
        self.stop = asyncio.Event()
        self.columns: dict[str, Column] = {}
        self.failures: Counter[str] = Counter()
        self.wrong: dict[str, list[str]] = {}
        self.reached = 0
        self.failing = 0
        self.note = ""

    async def go(self) -> Ended:
        """Score until all cases are, or no more can be."""
        kept: dict[str, Item] = {item["id"]: item for item in ledgers.read_evaluated(self.db)}
        left: list[tuple[int, Case, Item | None]] = []
        for number, case in enumerate(self.cases):
            before = kept.get(case["id"])
            if before is not None:
                self._count(before)
            if before is None or self._missing(before):
                left.append((number, case, before))
        self.reached = len(self.cases) - len(left)
        self.tell(self._happened(f"{len(self.cases):,} cases, {len(left):,} to score"))
        kept.clear()
        work, running = iter(left), set[asyncio.Task[None]]()
        fatal: BaseException | None = None
        down = False
        try:
            while True:
                while not (fatal or down or self.stop.is_set() or self.purse.empty):
                    if len(running) >= self.context.concurrency or (next_ := next(work, None)) is None:
                        break
                    running.add(asyncio.create_task(self._case(*next_)))
                if not running:
                    break
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    try:
                        task.result()
                    except MoneySpent:
                        pass
                    except SearchInstructError as error:
                        fatal = fatal or error
                down = self.failing >= DOWN
        finally:
            await self.calls.end(running)
        if fatal is not None:
            self.note = str(fatal)
            raise fatal
        if down:
            return "provider_down"
        if self.reached == len(self.cases):
            return "done"
        return "max_cost" if self.purse.empty else "stopped"

    def _missing(self, item: Item) -> list[Metric]:
        """The metrics of which a case has no score, or one that something failed for."""
        scores, found = item["scores"], []
        for metric in self.metrics:
            taken = item["metrics"].get(metric.name)
            if (
                taken is None
                or taken["version"] != metric.version
                or any(scores[name]["failure"] for name in taken["scores"])
            ):
                found.append(metric)
        return found

    async def _case(self, number: int, case: Case, before: Item | None) -> None:
        calls = _CaseCalls(self.calls, case["id"])
        with keeping_calls(calls):
            item = await self._item(case, before)
        await self.ledger.keep_evaluated(case["id"], number, dict(item))
        self._count(item)
        self.reached += 1
        outage = [score["reason"] for score in item["scores"].values() if score["failure"] in _OUTAGE]
        if calls.replied or not outage:
            self.failing = 0
        else:
            self.failing += 1
            self.note = outage[-1]
        self.tell(self._happened(""))

    def _count(self, item: Item) -> None:
        """Take an item into the figures, in the place of what an earlier try gave."""
        self.columns[item["id"]] = column(item)
        wrong = failures_of(item)
        self.failures.subtract(self.wrong.pop(item["id"], []))
        self.failures.update(wrong)
        if wrong:
            self.wrong[item["id"]] = wrong

    async def _item(self, case: Case, before: Item | None) -> Item:
        made, scores, metrics = Sample(), dict[str, Score](), dict[str, Taken]()
        wanted = list(self.metrics)
        if before is not None and "failure" not in before["made"]:
            made, scores, metrics = before["made"], before["scores"], before["metrics"]
            wanted = self._missing(before)
        elif self.suite.make is not None:
            made = await self.suite.make(case, self.context)
        sample = {**case["given"], **made}
        for metric in wanted:
            found = await self._score(metric, sample)
            earlier = metrics[metric.name]["scores"] if metric.name in metrics else []
            scores = {**{name: score for name, score in scores.items() if name not in earlier}, **found}
            metrics = {**metrics, metric.name: Taken(version=metric.version, scores=list(found))}
        return Item(id=case["id"], group=case["group"], given=case["given"], made=made, scores=scores, metrics=metrics)

    async def _score(self, metric: Metric, sample: Sample) -> dict[str, Score]:
        names = metric.gives or (metric.name,)
        if not metric.applies(sample):
            return dict.fromkeys(names, scored(None, "is not for this case"))
        if "failure" in sample:
            return dict.fromkeys(names, failed(sample["failure"], sample["reason"]))
        lacking = [name for name in metric.needs if sample.get(name) in (None, "", [])]
        if lacking:
            return dict.fromkeys(names, scored(None, f"needs {', '.join(lacking)}"))
        given = await metric.score(sample, self.context)
        if "value" not in given:
            return given
        whole = cast(Score, given)
        return dict.fromkeys(names, whole) if whole["failure"] else {metric.name: whole}

    def _happened(self, text: str) -> EvalHappened:
        spent = ledgers.total(ledgers.read_spending(self.db).values())
        return EvalHappened(text, self.reached, len(self.cases), dict(+self.failures), spent)


class _CaseCalls(RunCalls):
    """The calls of one case, and whether any was answered."""

    replied = False

    async def save(self, key: str, reply: Any, usage: Usage) -> None:
        """Keep a reply."""
        self.replied = True
        await super().save(key, reply, usage)


def _checked(suite: Suite, context: EvalContext) -> None:
    """Refuse before any work what would only fail later."""
    if context.judge and not suite.judged:
        raise UsageError(f"the suite {suite.name} has no metrics that ask a judge; leave out --judge")
    named = [context.model, *_roles(context).values(), *([context.judge] if context.judge else [])]
    for name in dict.fromkeys(map(resolve_model, named)):
        check_model(name)
        if context.max_cost is not None:
            require_price(name)
    if context.review_plan:
        raise UsageError("review_plan stops every case for a person; leave it out")
    if suite.own_data and context.data:
        raise UsageError(f"the suite {suite.name} brings its own data; leave out --data")
    if not context.data and not suite.own_data:
        raise UsageError(f"there is nothing to score; name data for the suite {suite.name} with --data PATH")


def _roles(context: EvalContext) -> dict[str, str]:
    """The models that are named for single roles."""
    named = {spec.name: getattr(context, spec.name) for spec in fields(context) if spec.name.endswith("_model")}
    return {name.removesuffix("_model"): resolve_model(model) for name, model in named.items() if model}


def default_folder(suite: Suite, settings: dict[str, Any]) -> Path:
    """Where an evaluation is kept that no folder was named for: the same settings, the same folder."""
    return Path("evals") / f"{suite.name}-{fingerprint(settings)[:10]}"


async def evaluate(
    suite: Suite | str,
    context: EvalContext,
    folder: str | Path | None = None,
    *,
    new_run: bool = False,
    tell: Callable[[EvalHappened], None] = lambda happened: None,
    stop: Callable[[Callable[[], None]], None] = lambda drain: None,
) -> EvalResult:
    """Score the cases of `context.data` by a suite, or go on with the evaluation that is in `folder`.

    `tell` hears of every case; `stop` is given a function that ends the evaluation gently. Without a folder it is kept in
    `evals/SUITE-FINGERPRINT`. The result is written to `result.json` there, whatever ended the evaluation.

    Raises:
        UsageError: unknown suite, data of another kind, a model that cannot be used, a folder that holds something else.
        ProviderError: a provider refuses every further call; what was scored is safe, and the same command goes on.
    """
    began = time.monotonic()
    chosen = suite_named(suite) if isinstance(suite, str) else suite
    _checked(chosen, context)
    cases = await asyncio.to_thread(lambda: drawn(chosen.read(context), context.limit, context.seed))
    if not cases:
        raise UsageError(f"{', '.join(context.data) or 'the data'}: holds no case for the suite {chosen.name}")
    settings = configuration(chosen, context, cases)
    place = run_folder(folder) if folder is not None else default_folder(chosen, settings)
    with held(place), ExitStack() as open_parts:
        if new_run:
            set_aside(place)
        refuse_strangers(place)
        options = {**{name: getattr(context, name) for name in OPTIONS}, "data": list(context.data)}
        run = open_run(place, settings, options, version("searchinstruct-graph"))
        ledger = open_parts.enter_context(closing(Ledger(place)))
        db = open_parts.enter_context(closing(connect(ledger.path, readonly=True)))
        await ledger.begin_session()
        work = _Evaluation(chosen, cases, ledger, db, context, tell)
        stop(work.stop.set)
        ended: Ended = "stopped"
        try:
            ended = await work.go()
        except SearchInstructError:
            ended = "provider_down"
            raise
        finally:
            await ledger.end_session(ended, time.monotonic() - began)
            columns = [work.columns[case["id"]] for case in cases if case["id"] in work.columns]
            result = EvalResult(
                format=FORMAT,
                suite=chosen.name,
                folder=str(place),
                created_at=datetime.now(UTC).isoformat(timespec="seconds"),
                version=run["version"],
                model=settings["model"],
                roles=_roles(context),
                judge=settings["judge"],
                data=list(context.data),
                seed=context.seed,
                cases=len(cases),
                scored=len(columns),
                ended=ended,
                note=work.note if ended == "provider_down" else "",
                figures=await asyncio.to_thread(figures, chosen.measures(context), columns, context.seed),
                failures=dict(sorted((+work.failures).items())),
                spent=ledgers.total(ledgers.read_spending(db).values()),
                seconds=round(time.monotonic() - began, 3),
            )
            write_atomically(place / RESULT, json.dumps(result, ensure_ascii=False, indent=2, allow_nan=False))
            await asyncio.to_thread(_write_page, place)
        return result


def _write_page(folder: Path) -> None:
    from searchinstruct_graph.evals.page import write_page

    write_page(folder, folder / PAGE)


def run_eval(
    suite: str,
    folder: str | Path | None = None,
    *,
    new_run: bool = False,
    tell: Callable[[EvalHappened], None] = lambda happened: None,
    **settings: Any,
) -> EvalResult:
    """`evaluate` for code without an event loop, or inside of one (a notebook); `settings` are fields of `EvalContext`."""
    return finished(evaluate(suite, EvalContext(**settings), folder, new_run=new_run, tell=tell))


def evaluated(folder: str | Path) -> tuple[Suite, EvalContext, RunFile]:
    """The suite, the settings and the run of the evaluation in `folder`.

    Raises:
        UsageError: `folder` holds none, or another version wrote it.
    """
    place = run_folder(folder)
    run = stored_run(place)
    if run is None or "evaluation" not in run["configuration"]:
        raise UsageError(f"{folder} is no evaluation; make one with: searchinstruct eval")
    told = run["configuration"]
    try:
        context = EvalContext(data=run["options"]["data"], model=told["model"], judge=told["judge"], **told["settings"])
    except (TypeError, KeyError) as error:
        raise UsageError(f"{folder} was written by another version ({run['version']}): {error}") from error
    return suite_named(told["evaluation"]), context, run


def items(folder: str | Path) -> Iterator[Item]:
    """Every case of the evaluation in `folder` with its scores, in the order of the data."""
    place = run_folder(folder)
    with reading(place / ledgers.NAME) as db:
        yield from ledgers.read_evaluated(db)
