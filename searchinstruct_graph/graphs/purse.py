"""A run's calls: kept in its ledger, bounded in number, and paid for out of one purse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from searchinstruct_graph.datasets.failpoints import failpoint
from searchinstruct_graph.datasets.ledger import Ledger
from searchinstruct_graph.models.usage import Usage


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

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Stands around a call. Raises MoneySpent when it could cost more than is left."""
        alone = self._cap is not None and not self._known
        if alone:
            await self._first.acquire()
            if self._known:
                # The price came while this one waited for its turn.
                self._first.release()
                alone = False
        try:
            wanted = self._spent + (self._in_flight + 1) * self._dearest
            if self._cap is not None and (wanted > self._cap or self._spent >= self._cap):
                self.empty = True
                raise MoneySpent
            self._in_flight += 1
            try:
                yield
            finally:
                self._in_flight -= 1
        finally:
            if alone:
                self._first.release()

    def pay(self, usage: Usage) -> None:
        """Pay for a call that was made."""
        cost = usage["cost_usd"]
        if cost is not None:
            self._known = True
            self._dearest = max(self._dearest, cost / max(usage["model_calls"], 1))
        self._spent += self._dearest if cost is None else cost


class RunCalls:
    """The ledger as the store of the calls of one piece of work; the gate and the purse are the run's."""

    def __init__(self, ledger: Ledger, scope: str, gate: asyncio.Semaphore, purse: Purse) -> None:
        self._ledger, self._scope, self._gate, self._purse = ledger, scope, gate, purse

    def saved(self, key: str) -> tuple[Any, Usage] | None:
        """The reply of an earlier process."""
        return self._ledger.saved_call(f"{self._scope}:{key}")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Stands around a call, and around its payment. Raises MoneySpent when it could cost more than is left."""
        async with self._gate, self._purse.call():
            failpoint("call.before")
            yield

    def paid(self, usage: Usage) -> None:
        """Pay, before another call may begin."""
        self._purse.pay(usage)

    async def save(self, key: str, reply: Any, usage: Usage) -> None:
        """Keep a reply; returns when it is on the disk."""
        await self._ledger.save_call(f"{self._scope}:{key}", self._scope, reply, dict(usage))

    async def lost(self, usage: Usage) -> None:
        """Account for a call without a reply."""
        await self._ledger.spend(dict(usage))
