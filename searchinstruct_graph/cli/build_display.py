"""What a person sees of a dataset at work, and of its outcome."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from searchinstruct_graph.cli.display import console, plain
from searchinstruct_graph.datasets.report import ReportUsage, text_summary
from searchinstruct_graph.datasets.report.summary import duration, money

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from searchinstruct_graph.datasets.rows import Funnel, Spent
    from searchinstruct_graph.graphs.build import BuildResult, Happened
    from searchinstruct_graph.graphs.estimate import Estimate

EVERY_SECONDS = 10.0
"""How often plain lines tell of new rows."""


def reasons_line(reasons: dict[str, int], most: int = 4) -> str:
    """The most frequent reasons of rejection."""
    ranked = sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0]))[:most]
    return ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in ranked)


class BuildDisplay:
    """A progress bar on a terminal, plain lines elsewhere; with `quiet`, nothing unless a person is watching."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = console(error=True)
        self._quiet = quiet and not self._console.is_terminal
        self._progress: Progress | None = None
        self._bar: TaskID | None = None
        self._told = 0.0
        self._began: tuple[float, int] | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

            self._progress = Progress(
                SpinnerColumn(),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TextColumn("{task.fields[refused]}", style="dim"),
                console=self._console,
                transient=True,
            )
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.stop()

    def tell(self, happened: Happened) -> None:
        """Show a step of the run."""
        now = time.monotonic()
        if self._began is None:
            self._began = (now, happened.accepted)
        rate = self._rate(now, happened)
        if self._progress:
            if self._bar is None:
                self._bar = self._progress.add_task("rows", total=happened.target, rate="", refused="")
            refused = reasons_line(happened.reasons, 3)
            self._progress.update(
                self._bar,
                completed=happened.accepted,
                rate=rate,
                refused=f"refused: {refused}" if refused else "",
            )
        if happened.kind == "rows":
            if self._progress or self._quiet or now - self._told < EVERY_SECONDS:
                return
            self._told = now
            self._say(f"{happened.accepted} of {happened.target} rows{f', {rate}' if rate else ''}")
        else:
            self._say(happened.text)

    def _rate(self, now: float, happened: Happened) -> str:
        assert self._began is not None
        since, first = self._began
        made, seconds = happened.accepted - first, now - since
        if made < 1 or seconds < 1:
            return ""
        left = (happened.target - happened.accepted) * seconds / made
        cost = happened.spent["cost_usd"]
        spent = f", {money(cost)}" if cost is None or cost > 0 else ""
        return f"{made / seconds * 60:,.0f} rows/min, {duration(left)} left{spent}"

    def draining(self) -> None:
        """Say that the run is ending gently."""
        self._say("stopping: what is in flight is finished and kept; once more stops at once")

    def _say(self, line: str) -> None:
        if not self._quiet:
            from rich.text import Text

            self._console.print(Text(plain(line), style="dim"))


_ENDED = {
    "target": "the target is reached",
    "exhausted": "the sources are exhausted: proposals bring hardly anything new",
    "crowded": "what is left comes from files or levels that have given their share (see --max-share)",
    "seeds": "all seeds are answered",
    "max_waves": "the rounds of proposals are used up",
    "max_cost": "the money is spent",
    "stopped": "stopped",
    "answers": "the trial is over",
}


def show_funnel(funnel: Funnel, target: int, spent: Spent, seconds: float, roles: dict[str, Spent]) -> None:
    """The funnel as it is, why work was refused, and what it cost."""
    from rich.text import Text

    usage = ReportUsage(**spent, seconds=seconds, roles=roles)
    for line in text_summary(funnel, target, usage).splitlines():
        console().print(Text(line))


def show_outcome(outcome: BuildResult) -> None:
    """How the command ended, the funnel, what it cost, and what one can do now."""
    from rich.text import Text

    out = console()
    reached = outcome["accepted"] >= outcome["target"]
    out.print(
        Text(
            f"{outcome['accepted']:,} of {outcome['target']:,} rows: {_ENDED[outcome['ended']]} "
            f"({duration(outcome['seconds'])})",
            style="green" if reached else "yellow",
        )
    )
    show_funnel(outcome["funnel"], outcome["target"], outcome["spent"], outcome["seconds"], outcome["roles"])
    if outcome["accepted"]:
        run = outcome["run"]
        out.print(f"next: searchinstruct export {run} --format messages --out data.jsonl; searchinstruct report {run}")


def show_estimate(told: Estimate) -> None:
    """What a whole run would take, by a trial."""
    from rich.table import Table

    out = console()
    if told["yield"] is None:
        out.print(f"none of {told['trial_answers']} answers became a row, so nothing can be extrapolated")
    rows: list[tuple[str, Any]] = [
        ("answered in the trial", told["trial_answers"]),
        ("became rows", told["trial_rows"]),
        ("answers needed", told["answers"]),
        ("model calls", told["model_calls"]),
        ("tokens in", told["input_tokens"]),
        ("tokens out", told["output_tokens"]),
        ("cost", money(told["cost_usd"])),
        ("time", None if told["seconds"] is None else duration(told["seconds"])),
    ]
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in rows:
        shown = "unknown" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
        table.add_row(name, shown)
    out.print(table)
    out.print(f"extrapolated from {told['trial_answers']} answers to {told['target']:,} rows; a small sample")
