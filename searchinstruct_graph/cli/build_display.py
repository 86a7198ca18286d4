"""What a person sees of a dataset at work, and of its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from searchinstruct_graph.cli.display import console
from searchinstruct_graph.cli.run_display import RunDisplay, show_funnel, show_trial
from searchinstruct_graph.datasets.report.summary import duration

if TYPE_CHECKING:
    from searchinstruct_graph.graphs.build import BuildResult, Happened
    from searchinstruct_graph.graphs.estimate import Estimate


class BuildDisplay(RunDisplay):
    """The rows of a build as they come."""

    def tell(self, happened: Happened) -> None:
        """Show a step of the run."""
        line = f"{happened.accepted} of {happened.target} rows" if happened.kind == "rows" else ""
        self.advance(happened.accepted, happened.target, "rows", happened.spent, happened.reasons, line)
        if happened.kind != "rows":
            self.say(happened.text)


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
    if told["yield"] is None:
        console().print(f"none of {told['trial_answers']} answers became a row, so nothing can be extrapolated")
    show_trial(
        [
            ("answered in the trial", told["trial_answers"]),
            ("became rows", told["trial_rows"]),
            ("answers needed", told["answers"]),
        ],
        told,
        f"extrapolated from {told['trial_answers']} answers to {told['target']:,} rows; a small sample",
    )
