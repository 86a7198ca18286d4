"""`searchinstruct triplets`: query–passage pairs become training data for a retriever that obeys instructions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from searchinstruct_graph.agents.triplet_context import TripletContext
from searchinstruct_graph.cli.display import as_json
from searchinstruct_graph.cli.running import AsJson, NewRun, RunFolder, carried_out, leave_with, tried
from searchinstruct_graph.cli.settings import with_settings
from searchinstruct_graph.cli.triplets_display import TripletDisplay, show_estimate, show_outcome
from searchinstruct_graph.errors import UsageError

TRIAL = 20
"""Pairs that a dry run tries."""


def triplets(
    pairs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PAIRS",
            help="Files of records with query and passage (JSONL, JSON, CSV, XLSX, Parquet); - reads standard input. Without "
            "any, queries are written for the passages of --corpus.",
            show_default=False,
        ),
    ] = None,
    run_folder: RunFolder = None,
    new_run: NewRun = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help=f"Try {TRIAL} pairs, throw them away, and extrapolate calls, cost and time."),
    ] = False,
    json_: AsJson = False,
    **settings: Any,
) -> None:
    """Make triplets: for each pair an instruction, poisoned twins of query and instruction, hard negatives, and a verdict."""
    context = TripletContext(**{name: value for name, value in settings.items() if value is not None})
    files = list(pairs or [])
    if not files and not context.corpus:
        raise UsageError(
            "triplets need query-passage pairs; name files of them, or documents to ask about with --corpus URI"
        )
    if dry_run:
        _try(files, context, json_)
        return
    if not run_folder:
        raise UsageError("triplets need a folder; name one with --run DIR")
    from searchinstruct_graph.graphs.contrast import role_models
    from searchinstruct_graph.graphs.contrasting import contrast
    from searchinstruct_graph.models.chat import OFFLINE

    display, folder = TripletDisplay(quiet=json_), Path(run_folder)
    outcome = carried_out(
        lambda stop: contrast(files, folder, context, new_run=new_run, tell=display.tell, stop=stop), display, folder
    )
    if json_:
        typer.echo(as_json(outcome))
    else:
        show_outcome(outcome, offline=set(role_models(context).values()) == {OFFLINE})
    short = outcome["ended"] == "max_cost" or (outcome["target"] or 1) > outcome["accepted"]
    leave_with(outcome["ended"] == "stopped", short, folder)


def _try(files: list[str], context: TripletContext, json_: bool) -> None:
    from searchinstruct_graph.graphs.contrasting import contrast, estimate_triplets

    display = TripletDisplay(quiet=json_)
    outcome = tried(
        lambda folder, stop: contrast(
            files, folder, replace(context, target=None), tell=display.tell, stop=stop, pairs=TRIAL
        ),
        display,
    )
    told = estimate_triplets(outcome, context.target, context.max_pairs)
    if json_:
        typer.echo(as_json(told))
    else:
        show_estimate(told)


command = with_settings(triplets, TripletContext)
