"""A command that works on a run: to its end, gently interrupted, or with a line that says how to go on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from searchinstruct_graph.cli.interrupts import INTERRUPTED, run_draining
from searchinstruct_graph.cli.run_display import RunDisplay
from searchinstruct_graph.errors import ProviderError, SearchInstructError, UsageError

T = TypeVar("T")

SHORT = 3
"""Exit code of a run that ended with fewer rows than were asked for."""


RunFolder = Annotated[
    str | None, typer.Option("--run", metavar="DIR", help="Folder of the run, new or begun.", show_default=False)
]
NewRun = Annotated[bool, typer.Option("--new-run", help="Set the run that is in the folder aside, and begin anew.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the outcome as one JSON object.")]

Drain = Callable[[Callable[[], None]], None]
"""Takes the function that ends a run gently."""


def _again(folder: Path | None) -> str:
    return "resume with the same command" + (f"; see: searchinstruct status {folder}" if folder else "")


def carried_out(work: Callable[[Drain], Coroutine[Any, Any, T]], display: RunDisplay, folder: Path | None) -> T:
    """The outcome of `work` on the run in `folder` (None: one that `status` knows nothing of); Ctrl-C drains it, twice leaves
    at once. Errors say how to go on.
    """
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


def tried(work: Callable[[Path, Drain], Coroutine[Any, Any, T]], display: RunDisplay) -> T:
    """The outcome of a dry run: `work` on a folder that is then thrown away."""
    with tempfile.TemporaryDirectory(prefix="searchinstruct-dry-run-") as folder, display:
        return run_draining(
            lambda stop: work(Path(folder) / "run", stop),
            display.draining,
            lambda: "interrupted; a dry run keeps nothing",
        )


def leave_with(stopped: bool, short: bool, folder: Path | None) -> None:
    """Exit as the run ended: interrupted, with fewer rows than asked, or done."""
    if stopped:
        typer.echo(f"interrupted; everything in flight was finished; {_again(folder)}", err=True)
        raise typer.Exit(INTERRUPTED)
    if short:
        raise typer.Exit(SHORT)
