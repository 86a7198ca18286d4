"""What a person sees of a run at work: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from searchinstruct_graph.cli.display import console, plain
from searchinstruct_graph.datasets.report import ReportUsage, text_summary
from searchinstruct_graph.datasets.report.summary import duration, money

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from searchinstruct_graph.datasets.rows import Funnel, Spent

EVERY_SECONDS = 10.0
"""How often plain lines tell of progress."""


def reasons_line(reasons: dict[str, int], most: int = 4) -> str:
    """The most frequent reasons of rejection."""
    ranked = sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0]))[:most]
    return ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in ranked)


class RunDisplay:
    """A progress bar on a terminal, plain lines elsewhere; with `quiet`, nothing unless a person is watching."""

    refused = "refused"
    """What is said of the work that came to nothing."""

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

    def draining(self) -> None:
        """Say that the run is ending gently."""
        self.say("stopping: what is in flight is finished and kept; once more stops at once")

    def advance(self, done: int, whole: int, unit: str, spent: Spent, reasons: dict[str, int], line: str) -> None:
        """Show that `done` of `whole` units are done; where there is no bar, by `line` and how fast it goes, now and then."""
        now = time.monotonic()
        if self._began is None:
            self._began = (now, done)
        rate = self._rate(now, done, whole, unit, spent)
        if self._progress:
            if self._bar is None:
                self._bar = self._progress.add_task(unit, total=whole, rate="", refused="")
            refused = reasons_line(reasons, 3)
            self._progress.update(
                self._bar, completed=done, rate=rate, refused=f"{self.refused}: {refused}" if refused else ""
            )
        elif line and not self._quiet and now - self._told >= EVERY_SECONDS:
            self._told = now
            self.say(f"{line}{f', {rate}' if rate else ''}")

    def _rate(self, now: float, done: int, whole: int, unit: str, spent: Spent) -> str:
        assert self._began is not None
        since, first = self._began
        made, seconds = done - first, now - since
        if made < 1 or seconds < 1:
            return ""
        cost = spent["cost_usd"]
        paid = f", {money(cost)}" if cost is None or cost > 0 else ""
        return f"{made / seconds * 60:,.0f} {unit}/min, {duration((whole - done) * seconds / made)} left{paid}"

    def say(self, line: str) -> None:
        """A line of its own."""
        if not self._quiet:
            from rich.text import Text

            self._console.print(Text(plain(line), style="dim"))


def show_funnel(
    funnel: Funnel,
    target: int | None,
    spent: Spent,
    seconds: float,
    roles: dict[str, Spent],
    *,
    extracted: bool = False,
) -> None:
    """The funnel as it is, why work was refused, and what it cost."""
    from rich.text import Text

    usage = ReportUsage(**spent, seconds=seconds, roles=roles)
    for line in text_summary(funnel, target, usage, extracted=extracted).splitlines():
        console().print(Text(line))


def show_trial(rows: Sequence[tuple[str, int | None]], told: Mapping[str, Any], note: str) -> None:
    """What a whole run would take, by a trial: `rows` of counts, then the calls, tokens, cost and time that `told` holds; None is
    not known.
    """
    from rich.table import Table

    seconds = told["seconds"]
    shown: list[tuple[str, Any]] = [
        *rows,
        ("model calls", told["model_calls"]),
        ("tokens in", told["input_tokens"]),
        ("tokens out", told["output_tokens"]),
        ("cost", money(told["cost_usd"])),
        ("time", None if seconds is None else duration(seconds)),
    ]
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in shown:
        table.add_row(name, "unknown" if value is None else f"{value:,}" if isinstance(value, int) else str(value))
    console().print(table)
    console().print(note)
