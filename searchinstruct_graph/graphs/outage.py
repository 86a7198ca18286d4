"""Telling a piece of work (a document, a fact) that the provider cannot take from a provider that is down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

from searchinstruct_graph.errors import SearchInstructError
from searchinstruct_graph.graphs.answering import Unanswered
from searchinstruct_graph.graphs.purse import Calls, RunCalls
from searchinstruct_graph.models.usage import Usage

DOWN = 5
"""Pieces in work that have all failed since the provider's last reply: then it is down, not they are bad. Two are enough before
its first.
"""

ALONE = 2
"""Pieces in a row that are given up while no other is in work that could tell whether the provider is down."""


class Provider:
    """Tells a piece of work that the provider cannot take from a provider that is down, by what becomes of the others that are
    in work. Of the former the run makes a note; for the latter it waits. `noun` is what the pieces are called ("documents").
    """

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._replies = self._alone = 0
        self._since: dict[int, int] = {}
        """Of each piece in work: the provider's replies when it was begun."""
        self._failed: set[int] = set()
        """Those of them that have failed since the last reply."""
        self._turn = asyncio.Event()
        self._last: Unanswered | None = None
        self._down: SearchInstructError | None = None

    @contextmanager
    def reading(self, index: int) -> Iterator[Callable[[Unanswered], None]]:
        """While a piece is in work; gives what is to be told of each failure, which raises when the provider is down."""
        self._since[index] = self._replies
        try:
            yield partial(self._fail, index)
        finally:
            del self._since[index]
            self._failed.discard(index)
            self._wake()

    def heard(self) -> None:
        """The provider has replied."""
        self._replies += 1
        self._alone = 0
        self._failed.clear()
        self._wake()

    async def to_blame(self, index: int) -> None:
        """Wait until it is known that the piece is at fault. Raises SearchInstructError when the provider is down."""
        while self._replies == self._since[index]:
            if self._down:
                raise self._down
            if self._failed.issuperset(self._since):
                # Nobody is left who could tell.
                self._alone += 1
                if self._alone > ALONE:
                    self._stop(f"{self._alone} {self._noun} in a row failed")
                return
            await self._turn.wait()

    def _fail(self, index: int, error: Unanswered) -> None:
        self._failed.add(index)
        self._last = error
        enough = len(self._failed) >= (DOWN if self._replies else 2) and self._failed.issuperset(self._since)
        if self._down or enough:
            self._stop(f"{len(self._failed)} {self._noun} in a row failed")
        self._wake()

    def _stop(self, what: str) -> NoReturn:
        self._down = self._down or SearchInstructError(f"{what}, the last: {self._last}")
        self._wake()
        raise self._down

    def _wake(self) -> None:
        self._turn.set()
        self._turn = asyncio.Event()


class HeardCalls(RunCalls):
    """Calls of a pull, whose replies are a sign that the provider is there; replies of an earlier process are none."""

    def __init__(self, calls: Calls, scope: str, provider: Provider) -> None:
        super().__init__(calls, scope)
        self._provider = provider

    async def save(self, key: str, reply: Any, usage: Usage) -> None:
        """Keep a reply."""
        self._provider.heard()
        await super().save(key, reply, usage)
