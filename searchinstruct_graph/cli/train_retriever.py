"""`searchinstruct train-retriever`: a retriever that obeys instructions, out of triplets."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from searchinstruct_graph.cli.display import as_json
from searchinstruct_graph.cli.interrupts import INTERRUPTED, run_draining
from searchinstruct_graph.cli.running import AsJson, Drain
from searchinstruct_graph.cli.train_display import TrainingDisplay, show_trained

if TYPE_CHECKING:
    from searchinstruct_graph.retriever.losses import Contrast
    from searchinstruct_graph.retriever.saving import TrainedRetriever

_ENCODERS = "Encoders only."


def train_retriever(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Folders of `searchinstruct triplets`, or files of the published fields: JSONL, JSONL.gz, Parquet.",
            show_default=False,
        ),
    ],
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Folder of the retriever, for --embeddings.", show_default=False)
    ],
    base: Annotated[
        str,
        typer.Option(
            "--base",
            metavar="NAME",
            help="`wordllama`: a re-scorer for the static vectors, without torch; or a sentence encoder's name or folder (extra "
            "`train`).",
        ),
    ] = "wordllama",
    method: Annotated[
        Literal["infonce", "inf-embed"] | None,
        typer.Option(
            "--method",
            help=f"What is contrasted: passages, or passages and instructions. {_ENCODERS} Default: inf-embed.",
            show_default=False,
        ),
    ] = None,
    families: Annotated[
        str | None,
        typer.Option(
            "--families",
            metavar="P,IQ,I",
            help="Contrasts instead of a method: passages, queries with instructions, instructions.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[
        Literal["uni", "multi"] | None,
        typer.Option("--form", help="One softmax over all contrasts, or one for each.", show_default=False),
    ] = None,
    join: Annotated[
        Literal["plain", "labelled", "attention"] | None,
        typer.Option(
            "--join",
            help=f"How query and instruction come together; search cannot use attention. {_ENCODERS} Default: plain.",
            show_default=False,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", help=f"Rounds through the triplets. {_ENCODERS} Default: 2.", show_default=False),
    ] = None,
    examples: Annotated[
        int | None, typer.Option("--examples", help=f"Triplets a step. {_ENCODERS} Default: 32.", show_default=False)
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", help=f"Peak learning rate. {_ENCODERS} Default: 2e-5.", show_default=False)
    ] = None,
    lora: Annotated[
        int | None,
        typer.Option(
            "--lora",
            metavar="RANK",
            help=f"Train low-rank additions of this rank, not the weights. {_ENCODERS}",
            show_default=False,
        ),
    ] = None,
    plain: Annotated[
        str | None,
        typer.Option(
            "--plain",
            metavar="FILE",
            help=f"Queries with passages and no instruction, to be mixed in and, held out, measured on. {_ENCODERS}",
            show_default=False,
        ),
    ] = None,
    plain_ratio: Annotated[
        float | None,
        typer.Option(
            "--plain-ratio",
            help="Plain rows for each row of a triplet; 0: they are only measured on. Default: 0.5 with --plain.",
            show_default=False,
        ),
    ] = None,
    hold_out: Annotated[
        float, typer.Option("--hold-out", help="Share of triplets and plain queries to measure on; 0: none.")
    ] = 0.1,
    pair_tokens: Annotated[
        int | None,
        typer.Option(
            "--pair-tokens", help=f"Tokens of query and instruction. {_ENCODERS} Default: 256.", show_default=False
        ),
    ] = None,
    passage_tokens: Annotated[
        int | None,
        typer.Option("--passage-tokens", help=f"Tokens of a passage. {_ENCODERS} Default: 512.", show_default=False),
    ] = None,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"] | None,
        typer.Option(
            "--precision", help=f"In what is computed; auto: bfloat16 on a GPU. {_ENCODERS}", show_default=False
        ),
    ] = None,
    at_once: Annotated[
        int | None,
        typer.Option(
            "--at-once",
            help=f"Texts in memory together; not the loss. {_ENCODERS} Default: 8 on a CPU, 64 on a GPU.",
            show_default=False,
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            "--patience",
            help=f"Measurements without a better one that end it. {_ENCODERS} Default: 4.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the split and of everything that training draws.")] = 42,
    json_: AsJson = False,
) -> None:
    """Train a retriever that obeys instructions; the same command again goes on where it stopped."""
    from searchinstruct_graph.integrations.train_retriever import STATIC
    from searchinstruct_graph.integrations.train_retriever import train_retriever as train
    from searchinstruct_graph.retriever.training import TrainingStopped

    given = {
        "contrast": _contrast(method, families, form),
        "join": join,
        "epochs": epochs,
        "examples": examples,
        "rate": rate,
        "lora": lora,
        "plain_ratio": plain_ratio,
        "pair_tokens": pair_tokens,
        "passage_tokens": passage_tokens,
        "precision": precision,
        "at_once": at_once,
        "patience": patience,
    }
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    display = TrainingDisplay(quiet=json_)
    ending = threading.Event()

    async def work(drain: Drain) -> TrainedRetriever:
        if base != STATIC:
            # A re-scorer takes seconds and has no steps: it is left at once, and made anew.
            drain(ending.set)
        return await asyncio.to_thread(
            train,
            runs,
            out,
            base=base,
            plain=plain,
            hold_out=hold_out,
            seed=seed,
            on_progress=display.tell,
            on_note=display.note,
            stop=ending.is_set,
            **settings,
        )

    again = "resume with the same command"
    try:
        with display:
            trained = run_draining(work, display.draining, lambda: f"interrupted; what was kept is safe; {again}")
    except TrainingStopped as stopped:
        typer.echo(f"interrupted: {stopped}; {again}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if json_:
        typer.echo(as_json(asdict(trained)))
    else:
        show_trained(trained, Path(out))


def _contrast(method: str | None, families: str | None, form: str | None) -> Contrast | None:
    """What the options ask to be contrasted; None when they say nothing."""
    from searchinstruct_graph.errors import UsageError
    from searchinstruct_graph.retriever.losses import METHODS, checked_contrast

    if method is None and families is None and form is None:
        return None
    if method is not None and families is not None:
        raise UsageError("--method and --families both say what is contrasted; leave one of them out")
    whole = METHODS[method or "inf-embed"]
    named = [name.strip() for name in families.split(",")] if families is not None else whole.families
    return checked_contrast(named, form or whole.form)
