"""`searchinstruct extract`: pairs like given examples out of a pile of documents, for a fraction of the reading."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from searchinstruct_graph.agents.extract_context import ExtractContext
from searchinstruct_graph.cli.display import as_json
from searchinstruct_graph.cli.extract_display import ExtractDisplay, show_estimate, show_outcome
from searchinstruct_graph.cli.running import AsJson, NewRun, RunFolder, carried_out, leave_with, tried
from searchinstruct_graph.cli.settings import with_settings
from searchinstruct_graph.errors import UsageError

TRIAL = 10
"""Documents that a dry run reads."""


def extract(
    run_folder: RunFolder = None,
    examples: Annotated[
        list[str] | None,
        typer.Option(
            "--examples",
            metavar="FILE",
            help="Pairs of question and answer like those wanted, 50 to 1,000: JSONL, JSON, CSV, XLSX, Parquet; - reads "
            "standard input. May be repeated.",
            show_default=False,
        ),
    ] = None,
    new_run: NewRun = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=f"Read {TRIAL}, throw them away, and extrapolate calls, cost and time.")
    ] = False,
    json_: AsJson = False,
    **settings: Any,
) -> None:
    """Read the documents of a pile that give pairs like the examples; the same command again goes on where it stopped."""
    context = ExtractContext(**{name: value for name, value in settings.items() if value is not None})
    files = list(examples or [])
    if not files and not context.cover:
        raise UsageError("an extraction needs pairs to look for; give some with --examples FILE")
    if dry_run:
        _try(files, context, json_)
        return
    if not run_folder:
        raise UsageError("an extraction needs a folder; name one with --run DIR")
    from searchinstruct_graph.graphs.extraction import extract as extract_run

    display, folder = ExtractDisplay(quiet=json_), Path(run_folder)
    outcome = carried_out(
        lambda stop: extract_run(files, folder, context, new_run=new_run, tell=display.tell, stop=stop), display, folder
    )
    if json_:
        typer.echo(as_json(outcome))
    else:
        show_outcome(outcome)
    short = outcome["ended"] == "max_cost" or (outcome["target"] or 0) > outcome["accepted"]
    leave_with(outcome["ended"] == "stopped", short, folder)


def _try(files: list[str], context: ExtractContext, json_: bool) -> None:
    from searchinstruct_graph.graphs.estimate import estimate_reading
    from searchinstruct_graph.graphs.extraction import extract as extract_run

    display = ExtractDisplay(quiet=json_)
    # Random documents need no clusters; chosen ones come after a warm-up that a trial cannot afford.
    trial = replace(context, baseline="random", reward="transport", target=None)
    outcome = tried(
        lambda folder, stop: extract_run(files, folder, trial, tell=display.tell, stop=stop, documents=TRIAL), display
    )
    told = estimate_reading(outcome, context)
    if json_:
        typer.echo(as_json(told))
    else:
        show_estimate(told)


command = with_settings(extract, ExtractContext)
