"""Training a retriever as a function call: what `searchinstruct train-retriever` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from searchinstruct_graph.datasets.pairs import read_pairs
from searchinstruct_graph.datasets.training_triplets import GivenTriplets, read_given_triplets
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.retriever.measures import FEW
from searchinstruct_graph.retriever.rows import PlainSplit, Split, families_of, split_plain, split_triplets
from searchinstruct_graph.retriever.saving import TrainedRetriever, TrainingData
from searchinstruct_graph.retriever.training import TrainingProgress, TrainingSettings
from searchinstruct_graph.text.words import same_text

STATIC = "wordllama"
"""The base whose vectors stay as they are and get a re-scorer."""
HOLD_OUT = 0.1
PLAIN_RATIO = 0.5
"""Plain rows for each row of a triplet, where a file of them is given and nothing else is said."""


def train_retriever(
    triplets: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    base: str = STATIC,
    plain: str | Path | None = None,
    hold_out: float = HOLD_OUT,
    seed: int = 42,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_note: Callable[[str], None] | None = None,
    stop: Callable[[], bool] | None = None,
    **settings: Any,
) -> TrainedRetriever:
    """Train a retriever that obeys instructions, measure it on what is held out, and write it to the folder `out`.

    The same call goes on where an earlier one ended, and hands a finished folder back.

    Args:
        triplets: Folders of `searchinstruct triplets`, or files of records with the published field names.
        out: Folder of the retriever, for `--embeddings` and `ResearchContext(embeddings=...)`.
        base: `wordllama`: a re-scorer for the static vectors, without torch; or a sentence encoder's name or folder, which is
            trained (extra `train`).
        plain: A file of queries with passages and no instruction: `plain_ratio` of them (0.5 unless it is said) are mixed
            in, and some held out, so that the price of obedience is measured. Encoders only.
        hold_out: Share of the triplets, and of the plain queries, that are held out; 0: none, and nothing is measured.
        seed: Of the split, and of everything that training draws.
        on_progress: Hears of every step of an encoder.
        on_note: Hears what a person should know: what was left out, what is cut, what is being done.
        stop: Asked after every step of an encoder whether to stop.
        settings: Fields of `TrainingSettings`: `epochs`, `rate`, `contrast`, `join`, `lora`, ... Encoders only.

    Raises:
        UsageError: an argument is wrong, the extra is missing, or `out` holds something else.
        TrainingStopped: `stop` said so; the checkpoint is kept.
    """
    note = on_note or (lambda line: None)
    base = base.removeprefix("huggingface:").strip()
    chosen = _settings(base, settings, plain is not None, seed)
    given = read_given_triplets([str(each) for each in ([triplets] if isinstance(triplets, str | Path) else triplets)])
    split = _split(given, hold_out, seed)
    pairs = [(pair["query"], pair["passage"]) for pair in read_pairs([str(plain)])] if plain else []
    parts = split_plain(pairs, split, hold_out, seed=seed)
    data = _told(given, split, parts)
    for line in _notes(given, split, data, hold_out):
        note(line)
    if base == STATIC:
        from searchinstruct_graph.models.embeddings import embeddings
        from searchinstruct_graph.retriever.rescoring import train_head

        return train_head(split.train, Path(out), embeddings(base), held=split.held, data=data, on_note=note)
    from searchinstruct_graph.retriever import training

    return training.train_retriever(
        base,
        split.train,
        Path(out),
        held=split.held,
        plain=parts.train,
        held_plain=parts.held,
        settings=chosen,
        data=data,
        on_progress=on_progress,
        on_note=note,
        stop=stop,
    )


def _settings(base: str, settings: dict[str, Any], plain: bool, seed: int) -> TrainingSettings:
    known = {field.name for field in fields(TrainingSettings)} - {"seed"}
    if unknown := sorted(settings.keys() - known):
        raise UsageError(f"training has no setting {unknown[0]!r}; there are {', '.join(sorted(known))}")
    if not base:
        raise UsageError(f"the base is empty; name a sentence encoder, or leave it out for {STATIC}")
    if base == STATIC and (settings or plain):
        what = "plain rows" if plain else sorted(settings)[0].replace("_", "-")
        raise UsageError(
            f"{what}: the re-scorer of {STATIC} is solved for, not trained in steps, and has no such setting; "
            "leave it out, or name a sentence encoder as the base"
        )
    if base.partition(":")[0] in ("openai", "ollama"):
        raise UsageError(f"base {base!r}: its weights are not at hand; name a sentence encoder's folder, or {STATIC}")
    return TrainingSettings(**{"plain_ratio": PLAIN_RATIO if plain else 0.0, **settings, "seed": seed})


def _split(given: GivenTriplets, share: float, seed: int) -> Split:
    if share == 0:
        return Split(given.triplets, [], 0)
    return split_triplets(given.triplets, share, seed=seed, families=given.families)


def _told(given: GivenTriplets, split: Split, plain: PlainSplit) -> TrainingData:
    return TrainingData(
        sources=given.sources,
        families=len(set(families_of(given.triplets, given.families))),
        left_out={
            "triplets that were there before": given.repeated,
            "triplets whose poisoned query is held out": split.dropped,
            "plain rows whose query is one of the triplets held out": plain.dropped,
        },
    )


def _notes(given: GivenTriplets, split: Split, data: TrainingData, share: float) -> list[str]:
    lines = [
        f"{len(split.train):,} triplets to train on, {len(split.held):,} held out, of {data['families']:,} families",
        *(f"left out: {count:,} {what}" for what, count in data["left_out"].items() if count),
    ]
    if share == 0:
        return [*lines, "nothing is held out, so nothing is measured"]
    if len(split.held) < FEW:
        queries = len({same_text(each.query_positive) for each in split.held})
        lines.append(
            f"held out are {len(split.held):,} triplets with {queries:,} queries: few, so the figures say little"
        )
    return lines
