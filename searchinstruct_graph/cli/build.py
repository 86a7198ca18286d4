"""`searchinstruct build`: a dataset from seed questions or from one sentence about a task."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from searchinstruct_graph.agents.build_context import BuildContext
from searchinstruct_graph.cli.build_display import BuildDisplay, show_estimate, show_outcome
from searchinstruct_graph.cli.display import as_json
from searchinstruct_graph.cli.interrupts import run
from searchinstruct_graph.cli.running import AsJson, NewRun, RunFolder, carried_out, leave_with, tried
from searchinstruct_graph.cli.settings import with_settings
from searchinstruct_graph.errors import UsageError

TRIAL = 10
"""Instructions that a dry run answers."""


def build(
    run_folder: RunFolder = None,
    seeds: Annotated[
        list[str] | None,
        typer.Option(
            "--seeds",
            metavar="FILE",
            help="Seed questions: text, JSON, JSONL, CSV, XLSX, Parquet; - reads standard input. May be repeated.",
            show_default=False,
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task", metavar="TEXT", help="A sentence about the task, or a YAML task file.", show_default=False
        ),
    ] = None,
    focus: Annotated[
        list[str] | None,
        typer.Option(
            "--focus",
            metavar="FILE",
            help="Failed questions of an evaluation: shown as seeds more often, never answered or repeated.",
            show_default=False,
        ),
    ] = None,
    suggest_seeds: Annotated[
        str | None,
        typer.Option(
            "--suggest-seeds",
            metavar="FILE",
            help="Build nothing: write suggested seeds for --task to FILE (.csv, .jsonl), for a person to pick from.",
            show_default=False,
        ),
    ] = None,
    new_run: NewRun = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=f"Answer {TRIAL}, throw them away, and extrapolate calls, cost and time.")
    ] = False,
    json_: AsJson = False,
    **settings: Any,
) -> None:
    """Build a dataset from seeds or a task; the same command again goes on where it stopped."""
    from searchinstruct_graph.graphs.build import Sources

    given = {name: value for name, value in settings.items() if value is not None}
    context = BuildContext(**given)
    sources = Sources(tuple(seeds or ()), task or "", tuple(focus or ()))
    if suggest_seeds is not None:
        if run_folder or seeds or dry_run or json_:
            raise UsageError("--suggest-seeds builds nothing; give it --task and where to search, nothing else")
        _suggest(task or "", suggest_seeds, context)
        return
    if dry_run:
        _try(sources, context, json_)
        return
    if not run_folder:
        raise UsageError("a dataset needs a folder; name one with --run DIR")
    from searchinstruct_graph.graphs.build import build as build_run

    display, folder = BuildDisplay(quiet=json_), Path(run_folder)
    outcome = carried_out(
        lambda stop: build_run(sources, folder, context, new_run=new_run, tell=display.tell, stop=stop), display, folder
    )
    if json_:
        typer.echo(as_json(outcome))
    else:
        show_outcome(outcome)
    leave_with(outcome["ended"] == "stopped", outcome["accepted"] < outcome["target"], folder)


def _try(sources: Any, context: BuildContext, json_: bool) -> None:
    from searchinstruct_graph.graphs.build import build as build_run
    from searchinstruct_graph.graphs.estimate import estimate

    display = BuildDisplay(quiet=json_)
    # A small target makes small waves, so that little is proposed that the trial does not answer.
    trial = replace(context, target=2 * TRIAL)
    outcome = tried(
        lambda folder, stop: build_run(sources, folder, trial, tell=display.tell, stop=stop, answers=TRIAL), display
    )
    told = estimate(outcome, context)
    if json_:
        typer.echo(as_json(told))
    else:
        show_estimate(told)


def _suggest(domain: str, path: str, context: BuildContext) -> None:
    from searchinstruct_graph.datasets.tasks import described, read_task
    from searchinstruct_graph.graphs.suggesting import suggest_seeds, write_suggestions

    if not domain.strip():
        raise UsageError("--suggest-seeds needs the domain in a sentence: --task TEXT")
    told = described(read_task(domain))
    found = run(suggest_seeds(told, context), lambda: "interrupted; nothing was written")
    write_suggestions(found, Path(path))
    subtopics = len({seed["subtopic"] for seed in found})
    typer.echo(
        f"{len(found)} questions on {subtopics} subtopics are in {path}; "
        f"delete what does not fit, then: searchinstruct build --seeds {path} --run DIR",
        err=not sys.stdout.isatty(),
    )


command = with_settings(build, BuildContext, without=("review_plan",))
