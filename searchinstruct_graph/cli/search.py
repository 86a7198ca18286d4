"""`searchinstruct search`: the passages that fit a query best."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from searchinstruct_graph.cli.display import Narrator, as_json, console, plain
from searchinstruct_graph.cli.interrupts import run
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.constraints import constraint_lines

if TYPE_CHECKING:
    from searchinstruct_graph.tools.corpus import Searched

_SHOWN = 320


def search(
    query: Annotated[str, typer.Argument(help="What to look for.", show_default=False)],
    corpus: Annotated[
        list[str],
        typer.Option(
            "--corpus", metavar="URI", help="`pydoc:`, a file, a folder or a URL; may be repeated.", show_default=False
        ),
    ],
    count: Annotated[int, typer.Option("-k", min=1, max=1_000, help="Passages to show.")] = 10,
    instruction: Annotated[
        str,
        typer.Option(
            "--instruction",
            help="What kind of passage is wanted, in words, as in 'only sources after 2015, not for experts'. Dates, hosts, "
            "folders, types and languages are checked; the rest steers the order.",
            show_default=False,
        ),
    ] = "",
    index_dir: Annotated[
        str | None, typer.Option("--index", metavar="DIR", help="Folder of the index.", show_default=False)
    ] = None,
    embeddings: Annotated[
        str,
        typer.Option(
            "--embeddings",
            metavar="NAME",
            help="Embeddings of the index: a name, or the folder of a trained retriever.",
        ),
    ] = "wordllama",
    json_: Annotated[bool, typer.Option("--json", help="Print the passages as JSON.")] = False,
) -> None:
    """Search the corpus by words and by meaning; the index is brought up to date first."""
    if not query.strip():
        raise UsageError("the search query is empty; say what to look for")

    async def find() -> Searched:
        from searchinstruct_graph.tools.corpus import Corpus

        opened = await Corpus.open(corpus, embedding=embeddings, index_dir=index_dir)
        narrator.skipped(opened.report)
        return await opened.find(query, count, instruction=instruction)

    with Narrator(quiet=True) as narrator:
        narrator.doing("searching")
        passages, constraints = run(find(), lambda: "interrupted")
    if json_:
        # One shape, with an instruction or without; what was checked is told beside it.
        for line in constraint_lines(constraints):
            narrator.warn(line)
        typer.echo(as_json([asdict(passage) for passage in passages]))
        return
    from rich.text import Text

    out = console()
    for rank, passage in enumerate(passages, 1):
        line = " ".join(plain(passage.text).split())
        where = f"{plain(passage.uri)} ({passage.start}-{passage.end})"
        out.print(
            Text.assemble(
                (f"{rank}. ", "bold"), (plain(passage.heading or passage.title), "bold"), "  ", (where, "cyan")
            )
        )
        out.print(Text("   " + (line if len(line) <= _SHOWN else line[:_SHOWN] + " …")))
    if not passages:
        gone = any(each["dropped"] for each in constraints)
        out.print("nothing found that fits the instruction; widen it, or leave it out" if gone else "nothing found")
    for line in constraint_lines(constraints):
        out.print(Text(plain(line), style="dim"))
