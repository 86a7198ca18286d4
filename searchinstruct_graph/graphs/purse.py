"""A run's calls: kept in its ledger, bounded in number, and paid for out of one purse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from searchinstruct_graph.datasets.failpoints import failpoint
from searchinstruct_graph.datasets.ledger import Ledger
from searchinstruct_graph.models.usage import Usage

T = TypeVar("T")


class MoneySpent(Exception):
    """The next call might cost more than what is left of the run's money."""


class Purse:
    """The run's money. A call may begin only while it and all calls in flight would fit, each taken for the dearest yet.

    Until the price of one call is known, one is made at a time. A call whose cost nobody tells is taken for the dearest.
    """

    def __init__(self, cap: float | None, spent: float = 0.0, dearest: float = 0.0, calls: int = 0) -> None:
        self._cap, self._spent, self._dearest = cap, spent, dearest
        self._known = calls > 0
        self._in_flight = 0
        self._first = asyncio.Lock()
        self.empty = False

    async def begin(self) -> bool:
        """Set a call's price aside; hand what is returned to `end`. Raises MoneySpent when it could cost too much."""
        alone = self._cap is not None and not self._known
        if alone:
            await self._first.acquire()
            if self._known:
                # The price came while this one waited for its turn.
                self._first.release()
                alone = False
        wanted = self._spent + (self._in_flight + 1) * self._dearest
        if self._cap is not None and (wanted > self._cap or self._spent >= self._cap):
            self.empty = True
            if alone:
                self._first.release()
            raise MoneySpent
        self._in_flight += 1
        return alone

    def end(self, alone: bool) -> None:
        """The call is over, and paid for if it was made."""
        self._in_flight -= 1
        if alone:
            self._first.release()

    def pay(self, usage: Usage) -> None:
        """Pay for a call, before its end."""
        cost = usage["cost_usd"]
        if cost is not None:
            self._known = True
            self._dearest = max(self._dearest, cost / max(usage["model_calls"], 1))
        self._spent += self._dearest if cost is None else cost


class Calls:
    """What all calls of a run share: the bound on calls in flight, the purse, and those that nobody waits for any more."""

    def __init__(self, ledger: Ledger, most: int, purse: Purse) -> None:
        self.ledger, self.purse = ledger, purse
        self.gate = asyncio.Semaphore(most)
        self.pending: set[asyncio.Task[Any]] = set()

    async def end(self, work: Iterable[asyncio.Task[Any]]) -> None:
        """Cancel what is still at work, and wait until every call that was begun is over, paid for and kept: whatever has ended
        the run, nothing may call or write after it.
        """
        tasks = list(work)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*self.pending, return_exceptions=True)


class RunCalls:
    """The ledger as the store of the calls of one piece of work."""

    def __init__(self, calls: Calls, scope: str) -> None:
        self._calls, self._scope = calls, scope

    def saved(self, key: str) -> tuple[Any, Usage] | None:
        """The reply of an earlier process."""
        return self._calls.ledger.saved_call(f"{self._scope}:{key}")

    async def make(self, call: Callable[[], Awaitable[T]], keep: Callable[[T], Awaitable[None]]) -> T:
        """Make a call when there is room and money for it, then keep what it gave. Once begun it is never broken off, though
        whoever waits for it be cancelled: the provider has counted it, so it is paid for and kept.

        Raises MoneySpent when it could cost more than is left.
        """
        await self._calls.gate.acquire()
        try:
            alone = await self._calls.purse.begin()
        except BaseException:
            self._calls.gate.release()
            raise
        task = asyncio.ensure_future(self._made(call, keep, alone))
        self._calls.pending.add(task)
        task.add_done_callback(self._calls.pending.discard)
        return await asyncio.shield(task)

    async def _made(self, call: Callable[[], Awaitable[T]], keep: Callable[[T], Awaitable[None]], alone: bool) -> T:
        failpoint("call.before")
        try:
            outcome = await call()
        finally:
            self._calls.purse.end(alone)
            self._calls.gate.release()
        await keep(outcome)
        return outcome

    def paid(self, usage: Usage) -> None:
        """Pay for a call, before another may begin."""
        self._calls.purse.pay(usage)

    async def save(self, key: str, reply: Any, usage: Usage) -> None:
        """Keep a reply; returns when it is on the disk."""
        await self._calls.ledger.save_call(f"{self._scope}:{key}", self._scope, reply, dict(usage))

    async def lost(self, usage: Usage) -> None:
        """Account for a call without a reply."""
        await self._calls.ledger.spend(dict(usage))
