"""`searchinstruct edit`: facts that have changed become preference pairs, and probes of whether a model has learnt them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from searchinstruct_graph.agents.edit_context import EditContext
from searchinstruct_graph.cli.display import as_json
from searchinstruct_graph.cli.edit_display import EditDisplay, show_estimate, show_outcome
from searchinstruct_graph.cli.running import AsJson, NewRun, RunFolder, carried_out, leave_with, tried
from searchinstruct_graph.cli.settings import with_settings
from searchinstruct_graph.errors import UsageError

TRIAL = 5
"""Facts that a dry run works on."""


def edit(
    run_folder: RunFolder = None,
    facts: Annotated[
        list[str] | None,
        typer.Option(
            "--facts",
            metavar="FILE",
            help="Facts that have changed, with subject, relation, old and new: JSONL, JSON, CSV, XLSX, Parquet; - reads "
            "standard input. May be repeated.",
            show_default=False,
        ),
    ] = None,
    new_run: NewRun = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help=f"Try {TRIAL} facts, throw them away, and extrapolate calls, cost and time."),
    ] = False,
    json_: AsJson = False,
    **settings: Any,
) -> None:
    """Make an edit set: search for each changed fact, edit the stale answer as little as it takes, and hold out probes."""
    context = EditContext(**{name: value for name, value in settings.items() if value is not None})
    files = list(facts or [])
    if not files:
        raise UsageError("an edit set needs facts that have changed; give some with --facts FILE")
    if dry_run:
        _try(files, context, json_)
        return
    if not run_folder:
        raise UsageError("an edit set needs a folder; name one with --run DIR")
    from searchinstruct_graph.graphs.editing import edit as edit_run

    display, folder = EditDisplay(quiet=json_), Path(run_folder)
    outcome = carried_out(
        lambda stop: edit_run(files, folder, context, new_run=new_run, tell=display.tell, stop=stop), display, folder
    )
    if json_:
        typer.echo(as_json(outcome))
    else:
        show_outcome(outcome)
    short = outcome["ended"] == "max_cost" or (outcome["target"] or 1) > outcome["accepted"]
    leave_with(outcome["ended"] == "stopped", short, folder)


def _try(files: list[str], context: EditContext, json_: bool) -> None:
    from searchinstruct_graph.graphs.editing import edit as edit_run
    from searchinstruct_graph.graphs.editing import estimate_edits

    display = EditDisplay(quiet=json_)
    outcome = tried(
        lambda folder, stop: edit_run(
            files, folder, replace(context, target=None), tell=display.tell, stop=stop, facts=TRIAL
        ),
        display,
    )
    told = estimate_edits(outcome)
    if json_:
        typer.echo(as_json(told))
    else:
        show_estimate(told)


command = with_settings(edit, EditContext, without=("review_plan",))
