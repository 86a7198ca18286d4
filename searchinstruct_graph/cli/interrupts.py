"""Ctrl-C and SIGTERM: cancel the work, say what can be resumed, leave at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import typer

T = TypeVar("T")

INTERRUPTED = 130


def leave(message: str) -> None:
    """End the process with exit code 130 after one line on standard error."""
    # The terminal has just echoed ^C where the cursor stood.
    typer.echo(f"\n{message}" if sys.stderr.isatty() else message, err=True)
    sys.stdout.flush()
    sys.stderr.flush()
    # A thread that reads or embeds cannot be cancelled, and asyncio would wait for it. Nothing is lost without it:
    # checkpoints are written as they come, and an index is replaced only when it is whole.
    os._exit(INTERRUPTED)


def run_draining(
    work: Callable[[Callable[[Callable[[], None]], None]], Coroutine[Any, Any, T]],
    draining: Callable[[], None],
    interrupted: Callable[[], str],
) -> T:
    """Run work that can end gently. It is given a function to which it hands its drain: the first SIGINT or SIGTERM calls
    that (and `draining`, which says so), the second leaves at once with the line that `interrupted` gives.
    """

    async def watched() -> T:
        loop = asyncio.get_running_loop()
        drains: list[Callable[[], None]] = []
        task = asyncio.ensure_future(work(drains.append))
        heard = 0

        def signalled() -> None:
            nonlocal heard
            heard += 1
            if heard > 1 or not drains:
                task.cancel()
                leave(interrupted())
            drains[0]()
            draining()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, signalled)
        return await task

    return asyncio.run(watched())


def run(work: Coroutine[Any, Any, T], interrupted: Callable[[], str]) -> T:
    """Run `work` to its end; on SIGINT or SIGTERM cancel it and leave with the line that `interrupted` gives."""

    async def watched() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            leave(interrupted())
            raise

    return asyncio.run(watched())
