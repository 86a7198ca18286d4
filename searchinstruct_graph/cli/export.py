"""`searchinstruct export` and `searchinstruct report`: what is made of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from searchinstruct_graph.cli.runs import Run
from searchinstruct_graph.errors import UsageError


def export(
    run: Run,
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help="messages, alpaca, sharegpt, prompt-completion, chatml, preference, parquet, ragas or rows; probes of an edit "
            "set; triplets or beir (a folder) of triplets.",
        ),
    ] = "messages",
    out: Annotated[
        str | None,
        typer.Option(
            "--out", metavar="FILE", help="Default: in the run's exports/. .gz compresses.", show_default=False
        ),
    ] = None,
    citations: Annotated[bool, typer.Option("--citations", help="Answers carry their [n] markers.")] = False,
    system: Annotated[str, typer.Option("--system", metavar="TEXT", help="A system prompt for every row.")] = "",
    conversational: Annotated[
        bool,
        typer.Option("--conversational", help="Prompts and answers as lists of messages, where a format knows both."),
    ] = False,
    license_: Annotated[
        list[str] | None,
        typer.Option(
            "--license",
            metavar="NAME",
            help="Only rows whose sources all have one of these; `unknown` for none stated.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="FIELD=VALUE", help="Only such rows: method, operation, bloom, kind, language."),
    ] = None,
    without: Annotated[list[str] | None, typer.Option("--without", metavar="FIELD=VALUE", help="No such rows.")] = None,
    split: Annotated[
        str,
        typer.Option("--split", metavar="SHARES", help="Such as train=0.9,test=0.1; a family stays on one side."),
    ] = "",
    seed: Annotated[int, typer.Option("--seed", help="Which families go to which side.")] = 0,
    card: Annotated[bool, typer.Option("--card", help="Write a dataset card, README.md, beside the file.")] = False,
) -> None:
    """Export the accepted rows of RUN for training, evaluation or sharing."""
    from searchinstruct_graph.datasets.export import Selection, parse_filters
    from searchinstruct_graph.datasets.exporting import CARD, Wanted, card_place, export_run, write_card
    from searchinstruct_graph.datasets.formats import BEIR, Shape
    from searchinstruct_graph.datasets.run import EXPORTS
    from searchinstruct_graph.datasets.split import parse_shares

    shape = Shape(citations=citations, system=system, conversational=conversational)
    keep = Selection(licenses=license_ or None, only=parse_filters(only or []), without=parse_filters(without or []))
    wanted = Wanted(format=format_, shape=shape, keep=keep, shares=parse_shares(split) if split else None, seed=seed)
    place = Path(out).parent if out else Path(run) / EXPORTS
    card_at = card_place(Path(run), wanted, Path(out) if out else None)
    if card and (card_at / CARD).exists() and "searchinstruct" not in (card_at / CARD).read_text("utf-8", "replace"):
        raise UsageError(f"{card_at / CARD} exists and is not a card of ours; export into another folder")
    made = export_run(Path(run), wanted, Path(out) if out else None)
    what = "triplets" if format_ == BEIR else "records"
    for manifest in made.values():
        left = ", ".join(f"{count} without: {why}" for why, count in manifest["skipped"].items())
        typer.echo(f"{place / manifest['file']}: {manifest['rows']:,} {what}{f' ({left})' if left else ''}")
    if card:
        typer.echo(str(write_card(Path(run), wanted, made, card_at)))


def report(
    run: Run,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Default: in the run's exports/.", show_default=False)
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="RUN",
            help="Another extraction to compare with, such as a --baseline.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the report of RUN: one HTML file with its funnel, spread, quality, sources, samples and rejections."""
    from searchinstruct_graph.datasets.exporting import report_run

    typer.echo(str(report_run(Path(run), Path(out) if out else None, Path(against) if against else None)))
