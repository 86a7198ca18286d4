"""What a person sees of a triplets run at work, and of its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from searchinstruct_graph.cli.display import console, plain
from searchinstruct_graph.cli.run_display import RunDisplay, reasons_line, show_trial
from searchinstruct_graph.datasets.report import ReportUsage
from searchinstruct_graph.datasets.report.summary import cost_lines, duration, percent

if TYPE_CHECKING:
    from searchinstruct_graph.datasets.rows import Spent
    from searchinstruct_graph.datasets.triplet_run import TripletCounts
    from searchinstruct_graph.graphs.contrasting import TripletEstimate, TripletHappened, TripletResult

MOST_REASONS = 8


class TripletDisplay(RunDisplay):
    """The pairs of a run as they are tried."""

    refused = "not kept"

    def tell(self, happened: TripletHappened) -> None:
        """Show a step of the run."""
        if happened.kind == "pair":
            line = f"{happened.done:,} of {happened.pairs:,} pairs tried, {happened.accepted:,} triplets"
            self.advance(happened.done, happened.pairs, "pairs", happened.spent, happened.reasons, line)
        else:
            self.say(happened.text)


_ENDED = {
    "pairs": "every pair was tried",
    "target": "the target is reached",
    "max_cost": "the money is spent",
    "stopped": "stopped",
    "trial": "the trial is over",
}


def triplet_lines(found: TripletCounts) -> list[str]:
    """What was kept of the tries, why the rest was not, and what the triplets are, as lines for a terminal."""
    kept, left = found["kept"], found["tried"] - found["kept"]
    lines = [
        f"{found['tried']:,} of {found['pairs']:,} pairs tried: {kept:,} kept ({percent(kept, found['tried'])}), {left:,} not"
    ]
    if found["reasons"]:
        rest = sum(found["reasons"].values()) - sum(sorted(found["reasons"].values(), reverse=True)[:MOST_REASONS])
        more = f", {rest:,} for other reasons" if rest else ""
        lines.append(f"not kept: {plain(reasons_line(found['reasons'], MOST_REASONS))}{more}")
    if kept:
        kinds = ", ".join(f"{count:,} {plain(kind)}" for kind, count in list(found["kinds"].items())[:MOST_REASONS])
        lines.append(f"instructions by what they narrow: {kinds}")
        lines.append(
            f"hard negatives: {found['found']:,} found, {found['written']:,} written; {found['denying']:,} poisoned by a "
            f"negation alone; {found['families']:,} families"
        )
    return lines


def usage_lines(spent: Spent, seconds: float, roles: dict[str, Spent], kept: int) -> list[str]:
    """What a run has cost, as lines for a terminal."""
    return cost_lines(ReportUsage(**spent, seconds=seconds, roles=roles), kept, "a triplet")


def show_outcome(outcome: TripletResult, *, offline: bool = False) -> None:
    """How the command ended, what was kept of the tries, what it cost, and what one can do now. `offline`: no language model
    has worked.
    """
    from rich.text import Text

    out, kept, found = console(), outcome["accepted"], outcome["triplets"]
    wanted = "" if outcome["target"] is None else f" of {outcome['target']:,}"
    good = outcome["ended"] in ("target", "pairs") and kept > 0
    ended = _ENDED[outcome["ended"]]
    if outcome["ended"] == "pairs" and found["tried"] < found["pairs"]:
        ended = f"{found['tried']:,} pairs were tried, as --max-pairs says"
    out.print(
        Text(
            f"{kept:,}{wanted} triplets: {ended} ({duration(outcome['seconds'])})",
            style="green" if good else "yellow",
        )
    )
    for line in triplet_lines(found):
        out.print(Text(line))
    if found["tried"] and not kept and offline:
        out.print("the offline model reads English alone and knows few kinds of instruction: name another with --model")
    for line in usage_lines(outcome["spent"], outcome["seconds"], outcome["roles"], kept):
        out.print(Text(line))
    if kept:
        run = outcome["run"]
        out.print(
            f"next: searchinstruct export {run} --format triplets --out triplets.jsonl; searchinstruct report {run}"
        )


def show_estimate(told: TripletEstimate) -> None:
    """What a whole run would take, by a trial."""
    if told["tries"] is None:
        console().print(f"none of {told['trial_pairs']} pairs became a triplet, so nothing can be extrapolated")
    show_trial(
        [
            ("pairs", told["pairs"]),
            ("tried", told["trial_pairs"]),
            ("kept of these", told["trial_kept"]),
            ("pairs to try", told["tries"]),
            ("triplets expected", told["kept"]),
        ],
        told,
        f"extrapolated from the first {told['trial_pairs']} pairs; a small sample",
    )
