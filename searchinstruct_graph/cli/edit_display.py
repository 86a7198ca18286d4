"""What a person sees of an edit set at work, and of its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from searchinstruct_graph.cli.display import console, plain
from searchinstruct_graph.cli.run_display import RunDisplay, reasons_line, show_funnel, show_trial
from searchinstruct_graph.datasets.report.summary import duration

if TYPE_CHECKING:
    from searchinstruct_graph.datasets.edit_facts import EditFacts
    from searchinstruct_graph.graphs.editing import EditEstimate, EditHappened, EditResult


class EditDisplay(RunDisplay):
    """The facts of an edit set as they are settled."""

    def tell(self, happened: EditHappened) -> None:
        """Show a step of the run."""
        if happened.kind == "fact":
            line = f"{happened.done:,} of {happened.facts:,} facts, {happened.accepted:,} rows"
            self.advance(happened.done, happened.facts, "facts", happened.spent, happened.reasons, line)
        else:
            self.say(happened.text)


_ENDED = {
    "facts": "every fact is done",
    "target": "the target is reached",
    "max_cost": "the money is spent",
    "stopped": "stopped",
    "trial": "the trial is over",
}


def edit_lines(found: EditFacts) -> list[str]:
    """The facts, changes and probes of an edit set as lines for a terminal."""
    done = found["accepted"] + found["rejected"]
    why = f" ({plain(reasons_line(found['reasons'], 6))})" if found["reasons"] else ""
    lines = [
        f"{done:,} of {found['facts']:,} facts done: {found['accepted']:,} accepted, {found['rejected']:,} rejected{why}"
    ]
    if found["change"] is not None:
        spread = " ".join(f"{count:,}" for count in found["changes"])
        lines.append(
            f"{found['pairs']:,} preference pairs, {found['sft_only']:,} rows without one; an edit changed "
            f"{found['change']:.1%} of the tokens on average, {found['most_change'] or 0.0:.1%} at most (by tenths: {spread})"
        )
    elif found["sft_only"]:
        lines.append(f"no preference pairs, {found['sft_only']:,} rows without one")
    if total := sum(found["probes"].values()):
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in found["probes"].items())
        dropped = f"; not kept: {plain(reasons_line(found['dropped'], 6))}" if found["dropped"] else ""
        lines.append(f"{total:,} probes: {kinds}{dropped}")
    return lines


def show_outcome(outcome: EditResult) -> None:
    """How the command ended, the facts, the funnel, what it cost, and what one can do now."""
    from rich.text import Text

    out = console()
    wanted = "" if outcome["target"] is None else f" of {outcome['target']:,}"
    good = outcome["ended"] in ("target", "facts") and outcome["accepted"] > 0
    out.print(
        Text(
            f"{outcome['accepted']:,}{wanted} rows: {_ENDED[outcome['ended']]} ({duration(outcome['seconds'])})",
            style="green" if good else "yellow",
        )
    )
    for line in edit_lines(outcome["edits"]):
        out.print(Text(line))
    show_funnel(outcome["funnel"], outcome["target"], outcome["spent"], outcome["seconds"], outcome["roles"])
    if outcome["accepted"]:
        run = outcome["run"]
        if outcome["probes"]:
            out.print(Text(f"the probes are in {outcome['probes']}"))
        out.print(
            f"next: searchinstruct export {run} --format preference --out pairs.jsonl; searchinstruct report {run}"
        )


def show_estimate(told: EditEstimate) -> None:
    """What a whole edit set would take, by a trial."""
    show_trial(
        [
            ("facts", told["facts"]),
            ("tried", told["trial_facts"]),
            ("accepted of these", told["trial_accepted"]),
            ("rows expected", told["rows"]),
            ("probes expected", told["probes"]),
        ],
        told,
        f"extrapolated from the first {told['trial_facts']} facts; a small sample",
    )
