"""What belongs to an event loop: connections, semaphores and clients must not outlive it or cross into another."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class PerLoop(Generic[K, V]):
    """A cache of things that belong to the event loop they were made on, as a client's connections do.

    What belonged to a loop that has ended is let go.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[asyncio.AbstractEventLoop | None, dict[K, V]] = {}

    def here(self) -> dict[K, V]:
        """The running loop's part; outside any loop, one of its own."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        with self._lock:
            if loop not in self._held:
                for ended in [each for each in self._held if each is not None and each.is_closed()]:
                    del self._held[ended]
                self._held[loop] = {}
            return self._held[loop]


async def together(works: Iterable[Coroutine[Any, Any, V]]) -> list[V]:
    """The results of `works`, done side by side, in order. When one raises, the others are cancelled and have ended before
    it is passed on.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def finished(work: Coroutine[Any, Any, V]) -> V:
    """The result of `work`, for callers without `await`; on a thread with a running loop it runs on another thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(contextvars.copy_context().run, asyncio.run, work).result()
