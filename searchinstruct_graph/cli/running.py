"""A command that works on a run: to its end, gently interrupted, or with a line that says how to go on."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import typer

from searchinstruct_graph.cli.interrupts import INTERRUPTED, run_draining
from searchinstruct_graph.cli.run_display import RunDisplay
from searchinstruct_graph.errors import ProviderError, SearchInstructError, UsageError

T = TypeVar("T")

SHORT = 3
"""Exit code of a run that ended with fewer rows than were asked for."""


def _again(folder: Path) -> str:
    return f"resume with the same command; see: searchinstruct status {folder}"


def carried_out(
    work: Callable[[Callable[[Callable[[], None]], None]], Coroutine[Any, Any, T]], display: RunDisplay, folder: Path
) -> T:
    """The outcome of `work` on the run in `folder`; Ctrl-C drains it, twice leaves at once. Errors say how to go on."""
    again = _again(folder)
    try:
        with display:
            return run_draining(work, display.draining, lambda: f"interrupted; what was committed is safe; {again}")
    except ProviderError as error:
        raise ProviderError(f"{error}; when that is mended, {again}") from error
    except UsageError:
        raise
    except SearchInstructError as error:
        raise SearchInstructError(f"{error}; {again}") from error


def leave_with(stopped: bool, short: bool, folder: Path) -> None:
    """Exit as the run ended: interrupted, with fewer rows than asked, or done."""
    if stopped:
        typer.echo(f"interrupted; everything in flight was finished; {_again(folder)}", err=True)
        raise typer.Exit(INTERRUPTED)
    if short:
        raise typer.Exit(SHORT)
