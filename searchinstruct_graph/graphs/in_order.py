"""Numbered pieces of work, done side by side and committed in their order: facts of an edit set, pairs of a triplets run.

Replies of calls are kept until their piece is committed. So what a run gives depends neither on the clock nor on kills.
"""

from __future__ import annotations

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections import Counter
from typing import Generic, Literal, TypeVar

from searchinstruct_graph.agents.calls import keeping_calls
from searchinstruct_graph.agents.context import RunContext
from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.ledger import Ledger
from searchinstruct_graph.errors import SearchInstructError
from searchinstruct_graph.graphs.answering import Unanswered
from searchinstruct_graph.graphs.outage import HeardCalls, Provider
from searchinstruct_graph.graphs.purse import Calls, MoneySpent, Purse

T = TypeVar("T")

ATTEMPTS = 3
"""Times that a piece is tried while the provider fails."""

AHEAD = 8
"""Pieces, for each in flight, that may be done while an earlier one is not: they wait in memory."""

Stopped = Literal["all", "target", "max_cost", "stopped", "trial"]
"""`all`: every piece is done; `trial`: so many as were to be tried."""


class InOrder(ABC, Generic[T]):
    """A run at work. `noun` is what one piece is called in the ledger's calls ("fact"), `most` ends it after so many."""

    def __init__(
        self, ledger: Ledger, db: sqlite3.Connection, context: RunContext, noun: str, most: int | None
    ) -> None:
        self.ledger, self.db, self.concurrency, self._noun, self._most = ledger, db, context.concurrency, noun, most
        self.purse = Purse(context.max_cost, *ledgers.read_money(db))
        self.calls = Calls(ledger, context.concurrency, self.purse)
        self.provider = Provider(f"{noun}s")
        self.stop = asyncio.Event()
        self.landed: dict[int, T] = {}
        self.next_begun = self.next_commit = self.first = 0
        self.reasons: Counter[str] = Counter()
        self.spent = ledgers.total(ledgers.read_spending(db).values())

    @property
    @abstractmethod
    def count(self) -> int:
        """How many pieces there are."""

    @property
    @abstractmethod
    def full(self) -> bool:
        """Whether nothing more is wanted."""

    @abstractmethod
    async def piece(self, number: int) -> T:
        """Work on a piece. Raises Unanswered when the provider failed, which says nothing about the piece."""

    @abstractmethod
    def given_up(self, number: int, why: str) -> T:
        """The outcome of a piece that a failing provider left undone."""

    @abstractmethod
    async def settle(self, number: int, outcome: T) -> str:
        """Decide about a piece and commit it; returns the reason of its refusal, empty when it was not refused."""

    @abstractmethod
    def settled(self, number: int, outcome: T, reason: str) -> None:
        """Tell of a piece that is committed."""

    @abstractmethod
    def failed(self, number: int, why: str) -> None:
        """Tell of a piece on which the provider failed."""

    async def reopened(self) -> None:
        """Decide first about what a smaller target left over. There may be nothing of the kind."""

    def begin_at(self, number: int) -> None:
        """Go on with piece `number`: those before it are committed."""
        self.next_begun = self.first = self.next_commit = number

    async def go(self) -> Stopped:
        """Work until every piece is done, or no more is wanted."""
        running: dict[asyncio.Task[T], int] = {}
        try:
            await self.reopened()
            return await self._work(running)
        finally:
            await self.calls.end(running)

    async def _work(self, running: dict[asyncio.Task[T], int]) -> Stopped:
        fatal: BaseException | None = None
        while True:
            await self._commit()
            if self.full:
                return "target"
            wanted = fatal is None and not self.stop.is_set() and not self.purse.empty
            while wanted and self.next_begun < self._end() and len(running) < self.concurrency:
                if self.next_begun - self.next_commit >= AHEAD * self.concurrency:
                    break
                running[asyncio.create_task(self._tried(self.next_begun))] = self.next_begun
                self.next_begun += 1
            if not running:
                if fatal:
                    raise fatal
                return self._ended()
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                number = running.pop(task)
                try:
                    self.landed[number] = task.result()
                except MoneySpent:
                    # The piece waits for a larger purse; what was asked for it so far is kept.
                    pass
                except SearchInstructError as error:
                    fatal = fatal or error

    def _end(self) -> int:
        """The number of the piece after the last that is to be worked on."""
        return self.count if self._most is None else min(self.count, self.first + self._most)

    def _ended(self) -> Stopped:
        if self.next_commit >= self.count:
            return "all"
        if self.purse.empty:
            return "max_cost"
        return "trial" if self.next_commit >= self._end() else "stopped"

    async def _tried(self, number: int) -> T:
        with (
            self.provider.reading(number) as failed,
            keeping_calls(HeardCalls(self.calls, f"{self._noun}:{number}", self.provider)),
        ):
            for _ in range(ATTEMPTS):
                try:
                    return await self.piece(number)
                except Unanswered as error:
                    self.failed(number, str(error))
                    failed(error)
                    last = str(error)
            await self.provider.to_blame(number)
        return self.given_up(number, last)

    async def _commit(self) -> None:
        """Commit the pieces that have landed, in their order, as far as there is no gap and more is wanted."""
        while self.next_commit in self.landed and not self.full:
            number = self.next_commit
            outcome = self.landed.pop(number)
            reason = await self.settle(number, outcome)
            self.next_commit += 1
            if reason:
                self.reasons[reason] += 1
            self.spent = ledgers.total(ledgers.read_spending(self.db).values())
            self.settled(number, outcome, reason)
