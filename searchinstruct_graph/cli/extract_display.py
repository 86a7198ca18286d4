"""What a person sees of an extraction at work, and of its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from searchinstruct_graph.cli.display import console
from searchinstruct_graph.cli.run_display import RunDisplay, show_funnel, show_trial
from searchinstruct_graph.datasets.report.summary import duration

if TYPE_CHECKING:
    from searchinstruct_graph.graphs.estimate import ReadingEstimate
    from searchinstruct_graph.graphs.extraction import ExtractHappened, ExtractResult


class ExtractDisplay(RunDisplay):
    """The documents of an extraction as they are read."""

    def tell(self, happened: ExtractHappened) -> None:
        """Show a step of the run."""
        if happened.kind == "pull":
            line = f"{happened.read:,} of {happened.budget:,} documents, {happened.accepted:,} rows"
            self.advance(happened.read, happened.budget, "documents", happened.spent, happened.reasons, line)
        else:
            self.say(happened.text)


_ENDED = {
    "target": "the target is reached",
    "budget": "the budget is spent",
    "exhausted": "every document is read",
    "max_cost": "the money is spent",
    "stopped": "stopped",
    "documents": "the trial is over",
}


def show_outcome(outcome: ExtractResult) -> None:
    """How the command ended, the funnel, what it cost, and what one can do now."""
    from rich.text import Text

    out = console()
    wanted = "" if outcome["target"] is None else f" of {outcome['target']:,}"
    out.print(
        Text(
            f"{outcome['accepted']:,}{wanted} rows from {outcome['read']:,} of {outcome['documents']:,} documents: "
            f"{_ENDED[outcome['ended']]} ({duration(outcome['seconds'])})",
            style="green" if outcome["ended"] in ("target", "budget", "exhausted") else "yellow",
        )
    )
    clusters = "" if outcome["clusters"] is None else f", {outcome['clusters']:,} clusters"
    out.print(
        f"{outcome['pulls']:,} pulls{clusters}; of this command the pile took {duration(outcome['piling'])}, "
        f"choosing {duration(outcome['selecting'])}"
    )
    show_funnel(
        outcome["funnel"], outcome["target"], outcome["spent"], outcome["seconds"], outcome["roles"], extracted=True
    )
    if outcome["accepted"]:
        run = outcome["run"]
        out.print(f"next: searchinstruct report {run}; searchinstruct export {run} --format messages --out data.jsonl")


def show_estimate(told: ReadingEstimate) -> None:
    """What a whole extraction would take, by a trial."""
    show_trial(
        [
            ("documents in the pile", told["documents"]),
            ("may be read", told["budget"]),
            ("read in the trial", told["trial_documents"]),
            ("became rows", told["trial_rows"]),
            ("rows expected", told["rows"]),
        ],
        told,
        f"extrapolated from {told['trial_documents']} documents read at random; chosen ones tend to give more rows",
    )
