"""The program `searchinstruct`: its commands, its exit codes, its one-line errors.

Exit codes: 0 done (an honest abstention is an answer), 1 failed, 2 wrong usage, 3 fewer rows than
asked (or a check or a figure that did not hold), 130 interrupted and resumable.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated

import typer

from searchinstruct_graph.cli import (
    ask,
    build,
    edit,
    export,
    extract,
    index,
    mcp,
    runs,
    search,
    train_retriever,
    triplets,
    verify,
)
from searchinstruct_graph.cli import eval as eval_
from searchinstruct_graph.cli.display import plain
from searchinstruct_graph.errors import SearchInstructError, UsageError

DEBUG_VARIABLE = "SEARCHINSTRUCT_DEBUG"

app = typer.Typer(
    name="searchinstruct",
    help="Answers and training data whose every statement is traced to a verified quote.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from searchinstruct_graph import __version__

        typer.echo(f"searchinstruct {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def options(
    invocation: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Answers and training data whose every statement is traced to a verified quote."""
    if invocation.invoked_subcommand is None:
        typer.echo(invocation.get_help(), err=True)
        raise typer.Exit(2)
    try:
        os.getcwd()
    except OSError as error:
        raise UsageError("the folder that you are in no longer exists; go to another one") from error


app.command("ask")(ask.ask)
app.command("build")(build.command)
app.command("extract")(extract.command)
app.command("edit")(edit.command)
app.command("triplets")(triplets.command)
app.command("train-retriever")(train_retriever.train_retriever)
app.command("status")(runs.status)
app.command("export")(export.export)
app.command("report")(export.report)
app.command("verify")(verify.verify)
app.command("eval")(eval_.command)
app.command("doctor")(runs.doctor)
app.command("purge")(runs.purge)
app.command("index")(index.index)
app.command("search")(search.search)
app.command("mcp")(mcp.mcp)


def main() -> None:
    """Run the program; every foreseeable fault is one line on standard error."""
    # Checkpoints are read back in strict mode, which LangGraph decides when it is imported.
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a letter shows `?`; the answer is not lost for it.
            stream.reconfigure(errors="replace")
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except SearchInstructError as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        _fail(str(error), 2 if isinstance(error, UsageError) else 1)
    except BrokenPipeError:
        # The reader of our output has gone; python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except typer.Abort:
        _fail("aborted", 130)
    except Exception as error:
        if explain := getattr(error, "format_message", None):
            # The command line itself is wrong: a flag, a value, a missing argument.
            _fail(f"{explain()} (see searchinstruct --help)", 2)
        if os.environ.get(DEBUG_VARIABLE):
            raise
        _fail(f"unexpected {type(error).__name__}: {error} (set {DEBUG_VARIABLE}=1 to see where)", 1)


def _fail(message: str, code: int) -> None:
    typer.echo(f"error: {plain(' '.join(message.split()))}", err=True)
    sys.exit(code)
