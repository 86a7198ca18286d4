"""The folder of a trained retriever: what is in it besides the weights, and how a finished one is recognised.

`retriever.json` tells the product how to use it (`models.joining`), `training.json` what it was made of, `README.md` tells people
(`retriever.card`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.finetuning import read_record, write_record
from searchinstruct_graph.models.joining import Join, Kind
from searchinstruct_graph.retriever.measures import Measured

TRAINING = "training.json"
"""The file in a trained folder that says what it was made of."""
CARD = "README.md"


class Source(TypedDict):
    """Where triplets come from."""

    name: str
    """Name of the run's folder or of the file, without the way to it."""
    fingerprint: str
    """Of a run: that of its configuration; of a file: SHA-256 of its bytes."""
    triplets: int
    tries: int | None
    """Of a run: how many pairs it tried to make a triplet of; None: not told."""


class TrainingData(TypedDict):
    """What was given, and what became of it; for the card."""

    sources: list[Source]
    families: int
    """Groups of triplets that should stay on one side of a split."""
    left_out: dict[str, int]
    """Triplets and plain rows that were not used, by the reason in words."""


@dataclass(frozen=True)
class TrainedRetriever:
    """A folder with a retriever and what its training did."""

    folder: str
    """Absolute path: what `models.embeddings` loads, and, of an encoder, `SentenceTransformer(folder)` and `Encoder(folder)`."""
    kind: Kind
    base: str
    join: Join
    triplets: int
    held: int
    plain: int
    """Plain rows that were mixed in."""
    steps: int
    """Steps that were made; fewer than planned when it ended early. 0 for a re-scorer, which is solved for."""
    planned: int
    best_step: int
    """The step that the saved weights are of; 0: whatever was measured later was worse, and they are the base's."""
    loss_first: float | None
    """Mean loss over the first tenth of the steps, in nats."""
    loss_last: float | None
    """Mean loss over the last tenth."""
    measured: Measured | None
    """Figures on what was held out, before and after; None without anything held out."""
    truncated_pairs: int
    """Queries with instructions that were longer than `pair_tokens`: under the plain join the instruction was cut."""
    truncated_passages: int
    seconds: float
    """Of this process; a training that was killed counts only its last part."""
    digest: str
    """SHA-256 over the weights."""
    data: TrainingData | None
    """Where the triplets come from, and what was left out of them; None: not told."""

    @property
    def accuracy_before(self) -> float | None:
        """Triplet accuracy on what is held out, 0 to 1; None without anything held out."""
        return self.measured and self.measured["before"]["accuracy"]["value"]

    @property
    def accuracy_after(self) -> float | None:
        """The same after the training."""
        return self.measured and self.measured["after"]["accuracy"]["value"]

    @property
    def embedding(self) -> str:
        """The name that `models.embeddings` loads it by."""
        return self.folder


def occupied(out: Path) -> bool:
    """Whether something stands at `out`; an empty folder is nothing."""
    return out.exists() and not (out.is_dir() and not any(out.iterdir()))


def save_record(folder: Path, trained: TrainedRetriever, fingerprint: str, settings: dict[str, Any]) -> None:
    """Write what the retriever in `folder` was made of."""
    write_record(folder / TRAINING, {"fingerprint": fingerprint, "settings": settings, **asdict(trained)})


def trained_retriever(folder: Path) -> TrainedRetriever:
    """What the training returned that wrote `folder`. Raises UsageError when none did."""
    record = _record(Path(folder).absolute())
    return TrainedRetriever(**{name: record[name] for name in TrainedRetriever.__dataclass_fields__})


def found_retriever(out: Path, fingerprint: str) -> TrainedRetriever:
    """The finished retriever in `out`. Raises UsageError when it holds something else, or one made of other input."""
    if _record(out)["fingerprint"] != fingerprint:
        raise UsageError(
            f"{out} holds a retriever trained on other rows or settings; remove it, or give another folder"
        )
    return trained_retriever(out)


def _record(folder: Path) -> dict[str, Any]:
    return read_record(folder / TRAINING, list(TrainedRetriever.__dataclass_fields__), "trained retriever")
