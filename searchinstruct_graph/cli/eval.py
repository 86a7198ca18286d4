"""`searchinstruct eval`: figures with intervals about answers, datasets, retrieval, the critic, ... and whether they hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from searchinstruct_graph.cli.display import as_json, console, plain
from searchinstruct_graph.cli.eval_display import EvalDisplay, show_comparison, show_result, show_suites
from searchinstruct_graph.cli.running import SHORT, AsJson, NewRun, RunFolder, carried_out, leave_with
from searchinstruct_graph.cli.settings import with_settings
from searchinstruct_graph.errors import ProviderError, UsageError
from searchinstruct_graph.evals.context import EvalContext

if TYPE_CHECKING:
    from searchinstruct_graph.evals.result import EvalResult


def evaluate(
    suite: Annotated[
        str | None, typer.Argument(help="What is evaluated; without it, the suites are listed.", show_default=False)
    ] = None,
    run_folder: RunFolder = None,
    new_run: NewRun = False,
    at_least: Annotated[
        list[str] | None,
        typer.Option(
            "--at-least",
            metavar="MEASURE=VALUE",
            help="Exit with 3 when a measure is lower, or has missing cases. May be repeated.",
            show_default=False,
        ),
    ] = None,
    at_most: Annotated[
        list[str] | None,
        typer.Option(
            "--at-most",
            metavar="MEASURE=VALUE",
            help="Exit with 3 when a measure is higher, or has missing cases. May be repeated.",
            show_default=False,
        ),
    ] = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--compare",
            metavar="A B",
            help="Set two evaluations beside each other: folders, or result files.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Write the page to FILE as well.", show_default=False)
    ] = None,
    json_: AsJson = False,
    **settings: Any,
) -> None:
    """Score cases by a suite, with 95 % intervals; the same command again goes on where it stopped."""
    given = {name: value for name, value in settings.items() if value is not None}
    if html is not None:
        from searchinstruct_graph.datasets.report import page_target

        page_target(html)
    if compare is not None:
        if suite is not None or given or run_folder or at_least or at_most:
            raise UsageError("--compare takes two evaluations, --html and --json, and nothing else")
        _compare(*compare, html, json_)
        return
    if suite is None:
        if given or run_folder:
            raise UsageError("name what is evaluated: searchinstruct eval SUITE; searchinstruct eval lists the suites")
        show_suites()
        return
    _evaluate(suite, EvalContext(**given), run_folder, new_run, _asked(at_least), _asked(at_most), html, json_)


def _evaluate(
    suite: str,
    context: EvalContext,
    run_folder: str | None,
    new_run: bool,
    at_least: dict[str, float],
    at_most: dict[str, float],
    html: str | None,
    json_: bool,
) -> None:
    from searchinstruct_graph.evals.running import evaluate as work
    from searchinstruct_graph.evals.suites import one_of, suite_named

    chosen = suite_named(suite)
    names = [measure.name for measure in chosen.measures(context)]
    for name in (*at_least, *at_most):
        if name not in names:
            raise UsageError(f"the suite {suite} has no measure {name!r}; {one_of(name, names)}")
    display = EvalDisplay(quiet=json_)
    result = carried_out(
        lambda stop: work(chosen, context, run_folder, new_run=new_run, tell=display.tell, stop=stop), display, None
    )
    if html is not None:
        from searchinstruct_graph.evals.page import write_page

        write_page(result["folder"], html)
    if result["ended"] == "provider_down":
        done = f"{result['scored']:,} of {result['cases']:,} cases are reached"
        raise ProviderError(f"the provider is down ({result['note']}); {done}; resume with the same command")
    if json_:
        typer.echo(as_json(result))
    else:
        show_result(result)
        if html is not None:
            console().print(f"page: {html}", soft_wrap=True)
    leave_with(result["ended"] == "stopped", False, None)
    short = _told_short(result, at_least, at_most)
    if short or result["ended"] == "max_cost":
        raise typer.Exit(SHORT)


def _asked(given: Sequence[str] | None) -> dict[str, float]:
    """What measures must hold, by name."""
    found: dict[str, float] = {}
    for each in given or ():
        name, _, value = each.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UsageError(f"{each!r} is no measure with a value; write it as MEASURE=0.8")
        found[name.strip().replace(" ", "_")] = number
    return found


def _told_short(result: EvalResult, at_least: dict[str, float], at_most: dict[str, float]) -> bool:
    """Say, a line each, which measures do not hold what was asked; whether there are any."""
    from searchinstruct_graph.evals.result import figure, shortfall

    told = [shortfall(figure(result, name), at_least=value) for name, value in at_least.items()]
    told += [shortfall(figure(result, name), at_most=value) for name, value in at_most.items()]
    for line in filter(None, told):
        typer.echo(f"not held: {plain(line)}", err=True)
    return any(told)


def _compare(a: str, b: str, html: str | None, json_: bool) -> None:
    from searchinstruct_graph.evals.comparison import compare, write_comparison

    found = compare(a, b)
    if html is not None:
        write_comparison(found, html)
    if json_:
        typer.echo(as_json(found))
        return
    show_comparison(found)
    if html is not None:
        console().print(f"page: {html}", soft_wrap=True)


command = with_settings(evaluate, EvalContext)
