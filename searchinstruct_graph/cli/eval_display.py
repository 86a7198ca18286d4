"""What a person sees of an evaluation at work, of its figures, and of two beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from searchinstruct_graph.cli.display import console, plain
from searchinstruct_graph.cli.run_display import RunDisplay
from searchinstruct_graph.datasets.report.summary import duration, money
from searchinstruct_graph.datasets.run import PAGE, RESULT

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from searchinstruct_graph.evals.comparison import Comparison, Difference
    from searchinstruct_graph.evals.result import EvalResult, Figure
    from searchinstruct_graph.evals.running import EvalHappened

_SIDE_BY_SIDE, _MOST_GROUPS = 4, 12
"""Groups that stand beside each other in one table, and up to how many are shown at all."""

_NAME = 26

_COLOURS = {"better": "green", "worse": "red", "": ""}


class EvalDisplay(RunDisplay):
    """The cases of an evaluation as they are scored."""

    refused = "not scored"

    def tell(self, happened: EvalHappened) -> None:
        """Show a case that was scored, or what was said."""
        if happened.text:
            self.say(happened.text)
            return
        line = f"{happened.done:,} of {happened.whole:,} cases"
        self.advance(happened.done, happened.whole, "cases", happened.spent, happened.failures, line)


def show_suites() -> None:
    """The suites, a line each."""
    from searchinstruct_graph.evals.suites import SUITES

    out, wide = console(), max(map(len, SUITES))
    for name, summary in SUITES.items():
        out.print(f"{name:<{wide}}  {summary}")
    out.print("use one: searchinstruct eval SUITE --data PATH", style="dim")


def show_result(result: EvalResult) -> None:
    """How the evaluation ended, its figures, and where they are."""
    from rich.text import Text

    from searchinstruct_graph.evals.result import ended_shown, model_shown, tested_shown

    out = console()
    judge = f"judge {model_shown(result['judge'])}" if result["judge"] else "no judge"
    out.print(
        Text(
            plain(
                f"{result['suite']}: {result['scored']:,} of {result['cases']:,} cases, {tested_shown(result)}, {judge}: "
                f"{ended_shown(result)} ({duration(result['seconds'])})"
            ),
            style="green" if result["ended"] == "done" and not result["failures"] else "yellow",
        )
    )
    for form, title in (("offline", "no model"), ("judge", f"judge: {model_shown(result['judge'])}")):
        figures = [each for each in result["figures"] if each["form"] == form]
        if figures:
            out.print()
            out.print(Text(plain(title), style="bold"))
            _show_figures(out, figures)
    spent = result["spent"]
    out.print()
    if result["failures"]:
        told = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in result["failures"].items())
        out.print(Text(f"failed: {told}; the same command tries them again", style="yellow"))
    if spent["model_calls"]:
        out.print(f"{spent['model_calls']:,} model calls, {money(spent['cost_usd'])}")
    out.print(f"result: {result['folder']}/{RESULT}", soft_wrap=True)
    out.print(f"page: {result['folder']}/{PAGE}", soft_wrap=True)


def _show_figures(out: Console, figures: Sequence[Figure]) -> None:
    from searchinstruct_graph.evals.result import ALL, number_shown

    groups = list(dict.fromkeys(each["group"] for each in figures if each["group"] != ALL))
    whole = [each for each in figures if each["group"] == ALL] if len(groups) > 1 else figures
    table = _table(f"mean of {len(groups)} groups" if len(groups) > 1 else "measure", right=4)
    for name in ("value", "95 % interval", "cases", "missing"):
        table.add_column(name, justify="right", header_style="dim", no_wrap=True)
    for each in whole:
        missing = _styled(f"{each['missing']:,}", "yellow" if each["missing"] else "")
        table.add_row(_name(each), number_shown(each["value"]), _interval(each), f"{each['cases']:,}", missing)
    out.print(table)
    if len(groups) < 2:
        return
    for first in range(0, min(len(groups), _MOST_GROUPS), _SIDE_BY_SIDE):
        _show_groups(out, figures, groups[first : first + _SIDE_BY_SIDE])
    if len(groups) > _MOST_GROUPS:
        out.print(f"and {len(groups) - _MOST_GROUPS} more groups; the page has all of them", style="dim")


def _show_groups(out: Console, figures: Sequence[Figure], groups: Sequence[str]) -> None:
    from searchinstruct_graph.evals.result import number_shown

    held = {(each["measure"], each["group"]): each for each in figures}
    out.print()
    table = _table("by group", right=len(groups))
    for name in groups:
        table.add_column(_tail(name, 12), justify="right", header_style="dim", no_wrap=True)
    for measure in dict.fromkeys(each["measure"] for each in figures):
        row = [held.get((measure, name)) for name in groups]
        told = next((each for each in row if each is not None), None)
        if told is not None:
            cells = [number_shown(each["value"]) if each else "" for each in row]
            table.add_row(_name(told), *cells)
            table.add_row("", *(_styled(_interval(each) if each else "", "dim") for each in row))
    out.print(table)


def _table(head: str, right: int) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2 if right < _SIDE_BY_SIDE else 1, 0, 0))
    table.add_column(head, header_style="dim", max_width=_NAME, overflow="fold")
    return table


def _styled(text: str, style: str) -> Text:
    from rich.text import Text

    return Text(text, style=style)


def _tail(text: str, most: int) -> str:
    """The end of a group's name, where the files of one folder differ."""
    line = " ".join(plain(text).split())
    return line if len(line) <= most else f"…{line[1 - most :]}"


def _name(figure: Figure | Difference) -> str:
    return figure["measure"].replace("_", " ") + ("" if figure["higher_is_better"] else " ↓")


def _interval(figure: Figure | Difference) -> str:
    from searchinstruct_graph.evals.result import number_shown

    low, high = figure["low"], figure["high"]
    if low is None or high is None:
        return "–"
    return f"{number_shown(low)}–{number_shown(high)}" if low >= 0 else f"{number_shown(low)} to {number_shown(high)}"


def show_comparison(found: Comparison) -> None:
    """Two evaluations beside each other: differences with intervals, and what to beware of."""
    from rich.text import Text

    from searchinstruct_graph.evals.comparison import p_shown, side_shown, verdict
    from searchinstruct_graph.evals.result import ALL, number_shown

    out = console()
    out.print(Text(plain(f"{found['suite']}: {found['both']:,} cases in both"), style="bold"))
    for letter, side in (("A", found["a"]), ("B", found["b"])):
        out.print(Text(plain(f"{letter}: {side_shown(side)}")), soft_wrap=True)
    for warning in found["warnings"]:
        out.print(Text(plain(f"beware: {warning}"), style="yellow"), soft_wrap=True)
    groups = {each["group"] for each in found["differences"]} - {ALL}
    whole = [each for each in found["differences"] if len(groups) < 2 or each["group"] == ALL]
    for form, title in (("offline", "no model"), ("judge", "judge")):
        shown = [each for each in whole if each["form"] == form]
        if not shown:
            continue
        out.print()
        table = _table(title, right=_SIDE_BY_SIDE)
        for name in ("A", "B", "B − A", "95 % interval", "p", "better/worse"):
            table.add_column(name, justify="right", header_style="dim", no_wrap=True)
        for each in shown:
            change = each["difference"]
            table.add_row(
                _name(each),
                number_shown(each["a"]),
                number_shown(each["b"]),
                _styled("–" if change is None else f"{change:+.3f}", _COLOURS[verdict(each)]),
                _interval(each),
                p_shown(each["p"]),
                "–" if each["better"] is None else f"{each['better']}/{each['worse']}",
            )
        out.print(table)
    out.print()
    if len(groups) > 1:
        out.print(f"each is the mean over {len(groups)} groups; --json and --html have every group", style="dim")
    out.print(
        f"paired bootstrap over cases, {found['draws']:,} draws; better/worse counts the cases whose own score changed",
        style="dim",
    )
