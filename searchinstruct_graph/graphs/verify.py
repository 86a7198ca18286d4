"""A whole dataset held against a corpus: rows are checked side by side and come back in order, a few in memory at a time.

No state machine: rows do not depend on each other and nothing is decided between them, so a bounded window of tasks is
all there is to it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.verifier import check_row
from searchinstruct_graph.datasets.checks import VERDICTS, RowCheck, Verdict
from searchinstruct_graph.datasets.records import Record
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.usage import Usage, add_usage, no_usage
from searchinstruct_graph.tools.corpus import Corpus

CONCURRENCY = 4
"""Rows checked at once."""

_READ_AHEAD = 64


@dataclass(slots=True)
class Tally:
    """What a run has seen so far."""

    rows: int = 0
    passed: int = 0
    statements: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(VERDICTS, 0))
    unchecked: int = 0
    """Rows that could not be checked: no answer, or a model call that failed."""
    usage: Usage = field(default_factory=no_usage)
    stopped: str = ""
    """Why the run ended before the dataset did; empty when it did not."""

    @property
    def share(self) -> float:
        """Share of the rows that pass, 0 to 1; 0 without rows."""
        return self.passed / self.rows if self.rows else 0.0

    def add(self, row: RowCheck) -> None:
        """Count a row."""
        self.rows += 1
        self.passed += row["passed"]
        self.unchecked += bool(row["problem"])
        for statement in row["statements"]:
            self.statements[statement["verdict"]] += 1


async def verify_rows(
    records: Iterable[Record],
    corpus: Corpus,
    context: ResearchContext,
    tally: Tally,
    *,
    concurrency: int = CONCURRENCY,
) -> AsyncIterator[RowCheck]:
    """Check `records` against `corpus`, `concurrency` at a time; rows come in the order of the records.

    Each is counted in `tally` as it comes. `context.max_cost` is for the whole dataset: when it is spent, no further row is
    begun and `tally.stopped` says so; every other limit of the context is one row's.

    Raises:
        ProviderError: the model's provider refuses every further call.
        UsageError: a record cannot be read, or the model's name, key or price is missing.
    """
    ahead = iter(records)
    running: deque[asyncio.Task[tuple[RowCheck, Usage]]] = deque()
    try:
        async for record in _read(ahead):
            while len(running) >= concurrency:
                yield _counted(await running.popleft(), tally)
            allowance = _allowance(context, tally, concurrency)
            if allowance is None:
                tally.stopped = f"max_cost of {context.max_cost} US dollars is spent"
                break
            running.append(asyncio.create_task(check_row(record, corpus, context, allowance)))
        while running:
            yield _counted(await running.popleft(), tally)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _counted(done: tuple[RowCheck, Usage], tally: Tally) -> RowCheck:
    row, usage = done
    tally.add(row)
    tally.usage = add_usage(tally.usage, usage)
    return row


def _allowance(context: ResearchContext, tally: Tally, branches: int) -> Allowance | None:
    """What one row may spend: of the money a share of what is left, so that rows side by side cannot overdraw it."""
    limits = context.limits()
    if context.max_cost is None:
        return limits
    left = context.max_cost - (tally.usage["cost_usd"] or 0.0)
    return {**limits, "cost_usd": left / branches} if left > 0 else None


async def _read(records: Iterator[Record]) -> AsyncIterator[Record]:
    """The records, read in small batches in a thread: a file may be slow."""
    while batch := await asyncio.to_thread(lambda: list(islice(records, _READ_AHEAD))):
        for record in batch:
            yield record
