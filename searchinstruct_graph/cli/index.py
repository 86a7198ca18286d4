"""`searchinstruct index`: bring the index of one or more sources up to date."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from searchinstruct_graph.cli.display import Narrator, as_json, console, plain
from searchinstruct_graph.cli.interrupts import run


def index(
    sources: Annotated[
        list[str], typer.Argument(metavar="URI...", help="`pydoc:`, files, folders or URLs.", show_default=False)
    ],
    index_dir: Annotated[
        str | None,
        typer.Option(
            "--index", metavar="DIR", help="Folder of the index; default: the user's cache.", show_default=False
        ),
    ] = None,
    embeddings: Annotated[
        str, typer.Option("--embeddings", metavar="NAME", help="Embeddings, such as `wordllama` or `openai:...`.")
    ] = "wordllama",
    json_: Annotated[bool, typer.Option("--json", help="Print the account as JSON.")] = False,
) -> None:
    """Read, cut and embed what changed in each source since the last time; nothing else is touched."""
    from searchinstruct_graph.tools.corpus import Corpus, IndexProgress

    with Narrator(quiet=json_) as narrator:

        def tell(progress: IndexProgress) -> None:
            waiting = "waiting for another process that writes " if progress.phase == "waiting" else ""
            narrator.doing(
                f"{waiting}{progress.source}: {progress.documents} documents, {progress.chunks} chunks ({progress.phase})"
            )

        narrator.doing("looking for what changed")
        opening = Corpus.open(sources, embedding=embeddings, index_dir=index_dir, on_progress=tell)
        corpus = run(opening, lambda: "interrupted; the index is as it was, the same command goes on")
    if json_:
        typer.echo(as_json([asdict(report) for report in corpus.report]))
        return
    out = console()
    for report in corpus.report:
        out.print(
            plain(
                f"{report.source}: {report.documents} documents, {report.chunks} chunks "
                f"({report.added} added, {report.changed} changed, {report.removed} removed, {report.unchanged} unchanged)"
            ),
            soft_wrap=True,
        )
        for uri, reason in report.skipped[:10]:
            out.print(plain(f"  skipped {uri}: {reason}"), soft_wrap=True)
        if len(report.skipped) > 10:
            out.print(f"  and {len(report.skipped) - 10} more skipped")
