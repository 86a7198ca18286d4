"""What a person sees of a training at work, and of the retriever that came out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from searchinstruct_graph.cli.display import console, plain
from searchinstruct_graph.cli.run_display import RunDisplay
from searchinstruct_graph.datasets.report.summary import duration
from searchinstruct_graph.datasets.rows import no_spending

if TYPE_CHECKING:
    from searchinstruct_graph.retriever.saving import TrainedRetriever
    from searchinstruct_graph.retriever.training import TrainingProgress


class TrainingDisplay(RunDisplay):
    """The steps of a training as they are made."""

    def draining(self) -> None:
        """Say that the training is ending gently."""
        self.say("stopping: the step at hand is finished and a checkpoint kept; once more stops at once")

    def note(self, line: str) -> None:
        """Say what a person should know."""
        self.say(line)

    def tell(self, progress: TrainingProgress) -> None:
        """Show a step."""
        line = f"step {progress.step:,} of {progress.steps:,}, loss {progress.loss:.3f}"
        self.advance(progress.step, progress.steps, "steps", no_spending(), {}, line)
        if progress.accuracy is not None:
            self.say(f"step {progress.step:,}: held-out triplet accuracy {100 * progress.accuracy:.1f} %")


def show_trained(trained: TrainedRetriever, folder: Path) -> None:
    """What was trained, what it was measured to do, and how it is used."""
    from rich.table import Table
    from rich.text import Text

    from searchinstruct_graph.retriever.card import measured_rows

    out = console()
    made = "a re-scorer for" if trained.kind == "rescorer" else "trained"
    steps = f", {trained.steps:,} of {trained.planned:,} steps" if trained.kind == "encoder" else ""
    out.print(
        Text(
            plain(f"{made} {trained.base} on {trained.triplets:,} triplets{steps} ({duration(trained.seconds)})"),
            style="green",
        )
    )
    if trained.kind == "encoder" and not trained.best_step:
        out.print(Text("no measurement was better than the base's: its own weights were kept", style="yellow"))
    if trained.measured:
        if not out.is_terminal:
            # Piped text is not folded.
            out.width = 160
        table = Table(box=None, padding=(0, 2, 0, 0))
        for name in (f"on {trained.measured['triplets']:,} held-out triplets, × 100", "before", "after", "gain"):
            table.add_column(name, overflow="fold")
        for row in measured_rows(trained.measured):
            table.add_row(*row)
        out.print(table)
    if trained.join == "attention":
        out.print("search cannot join by attention; see the card for its use from Python")
        return
    shown = plain(str(folder))
    out.print(
        f'next: searchinstruct search "..." --instruction "..." --corpus DIR --embeddings {shown}; card: {shown}/README.md'
    )
