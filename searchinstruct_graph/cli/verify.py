"""`searchinstruct verify`: are the answers of a dataset carried by these sources? Made for CI."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from searchinstruct_graph.cli.display import Narrator, as_json, console, plain
from searchinstruct_graph.cli.interrupts import run
from searchinstruct_graph.errors import UsageError

if TYPE_CHECKING:
    from searchinstruct_graph.agents.context import ResearchContext
    from searchinstruct_graph.datasets.checks import RowCheck, StatementCheck
    from searchinstruct_graph.datasets.verify_page import VerifyPage
    from searchinstruct_graph.graphs.verify import Tally

FAILED = 3
"""Exit code when fewer rows pass than asked."""

MOST_SHOWN = 40
"""Failing statements shown on the terminal; --html and --json have all."""

_WORDS = 160
_COLOURS = {"contradicted": "red", "miscited": "yellow", "not_found": "bright_black", "supported": "green"}


def verify(
    dataset: Annotated[
        str,
        typer.Argument(
            help="JSON, JSONL, CSV, TSV, XLSX or Parquet: rows of `build`, chats, instructions with outputs, preferences, ragas.",
            show_default=False,
        ),
    ],
    corpus: Annotated[
        list[str],
        typer.Option(
            "--corpus", metavar="URI", help="`pydoc:`, a file, a folder or a URL; may be repeated.", show_default=False
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="`offline` (checks in code) or a chat model that judges support; default: SEARCHINSTRUCT_MODEL or `offline`.",
            show_default=False,
        ),
    ] = None,
    min_pass: Annotated[
        float, typer.Option("--min-pass", metavar="SHARE", help="Share of the rows that must pass, 0 to 1.")
    ] = 1.0,
    min_support: Annotated[
        float, typer.Option("--min-support", metavar="SCORE", help="Support that every statement needs, 0.1 to 1.")
    ] = 0.7,
    json_: Annotated[bool, typer.Option("--json", help="Print every row's check as JSON.")] = False,
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Write a page to look through.", show_default=False)
    ] = None,
    index_dir: Annotated[
        str | None, typer.Option("--index", metavar="DIR", help="Folder of the index.", show_default=False)
    ] = None,
    embeddings: Annotated[
        str, typer.Option("--embeddings", metavar="NAME", help="Embeddings of the index.")
    ] = "wordllama",
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=64, help="Rows checked at once.")] = 4,
    max_cost: Annotated[
        float | None,
        typer.Option(
            "--max-cost", metavar="USD", help="US dollars that the model may cost in all.", show_default=False
        ),
    ] = None,
) -> None:
    """Hold every statement of every answer in DATASET against the corpus. Exit code 3 when too few rows pass."""
    from searchinstruct_graph.agents.context import ResearchContext
    from searchinstruct_graph.models.chat import resolve_model
    from searchinstruct_graph.models.prices import require_price

    if not 0 <= min_pass <= 1:
        raise UsageError(f"--min-pass must be a share between 0 and 1, not {min_pass}")
    context = ResearchContext(
        corpus=corpus,
        model=resolve_model(model),
        embeddings=embeddings,
        index=index_dir,
        min_support=min_support,
        max_cost=max_cost,
    )
    _check_model(context)
    if max_cost is not None and context.model:
        require_price(context.model)
    with Narrator(quiet=json_) as narrator, ExitStack() as stack:
        page = _page(html, dataset)
        if page is not None:
            stack.enter_context(page)
        checked = _Run(dataset, context, concurrency, json_, page, narrator)
        tally = run(checked.go(), checked.interrupted)
        narrator.pause()
        checked.show(tally)
    if tally.stopped or tally.share < min_pass:
        raise typer.Exit(FAILED)


def _check_model(context: ResearchContext) -> None:
    """Refuse a model that cannot be used before an hour of indexing."""
    from searchinstruct_graph.models.chat import chat_model

    chat_model(context.model or "offline")


def _page(path: str | None, dataset: str) -> VerifyPage | None:
    from searchinstruct_graph.datasets.verify_page import VerifyPage

    return None if path is None else VerifyPage(path, dataset)


class _Run:
    """One invocation of `verify`."""

    def __init__(
        self,
        dataset: str,
        context: ResearchContext,
        concurrency: int,
        as_json_: bool,
        page: VerifyPage | None,
        narrator: Narrator,
    ) -> None:
        from searchinstruct_graph.graphs.verify import Tally

        self.dataset, self.context, self.concurrency = dataset, context, concurrency
        self.json, self.page, self.narrator = as_json_, page, narrator
        self.tally = Tally()
        self.failing: list[tuple[RowCheck, StatementCheck | None]] = []
        self.more = 0

    def interrupted(self) -> str:
        """What to say when a person or the system stops the run."""
        self.narrator.pause()
        return f"interrupted after {self.tally.rows} rows, of which {self.tally.passed} pass"

    async def go(self) -> Tally:
        """Check every row; each is told, printed and kept for the table as it comes."""
        from searchinstruct_graph.agents.sources import open_corpus
        from searchinstruct_graph.datasets.records import read_records
        from searchinstruct_graph.graphs.verify import verify_rows

        self.narrator.doing("opening the corpus")
        corpus = await open_corpus(self.context)
        assert corpus is not None
        self.narrator.skipped(corpus.report)
        rows = verify_rows(read_records(self.dataset), corpus, self.context, self.tally, concurrency=self.concurrency)
        async for row in rows:
            self._keep(row)
            self.narrator.doing(f"{self.tally.rows} rows, {self.tally.passed} pass")
        if not self.tally.rows and not self.tally.stopped:
            raise UsageError(f"{self.dataset}: holds no rows")
        if self.page is not None:
            self.page.finish(self.tally.rows, self.tally.passed, self.tally.statements, self._note())
        return self.tally

    def _keep(self, row: RowCheck) -> None:
        if self.page is not None:
            self.page.add(row)
        if self.json:
            # One document, written as it grows: a million rows are not held.
            typer.echo('{"rows": [' if self.tally.rows == 1 else ",")
            typer.echo(as_json(row), nl=False)
        elif not row["passed"]:
            wrong: list[StatementCheck | None] = [s for s in row["statements"] if s["verdict"] != "supported"]
            for statement in wrong or [None]:
                if len(self.failing) < MOST_SHOWN:
                    self.failing.append((row, statement))
                else:
                    self.more += 1

    def _note(self) -> str:
        notes = [f"stopped early: {self.tally.stopped}"] if self.tally.stopped else []
        if self.tally.unchecked:
            notes.append(f"{self.tally.unchecked} of the rows could not be checked")
        return "; ".join(notes)

    def show(self, tally: Tally) -> None:
        """The end of the JSON, or the failing statements and the counts."""
        if self.json:
            typer.echo(('{"rows": [' if not tally.rows else "") + '\n], "summary": ' + as_json(self._summary()) + "}")
            return
        out = console()
        if self.failing:
            self._table(out)
        if self.more:
            out.print(f"and {self.more} more; --html FILE shows all of them")
        counts = ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in tally.statements.items())
        out.print(f"{tally.passed} of {tally.rows} rows pass ({tally.share:.1%}); statements: {counts}")
        if note := self._note():
            out.print(plain(note))
        if tally.usage["model_calls"]:
            cost = tally.usage["cost_usd"]
            out.print(f"{tally.usage['model_calls']} model calls, {'cost unknown' if cost is None else f'${cost:.4f}'}")
        if self.page is not None:
            out.print(plain(f"wrote {self.page.path}"), soft_wrap=True)

    def _summary(self) -> dict[str, Any]:
        tally = self.tally
        return {
            "rows": tally.rows,
            "passed": tally.passed,
            "share": round(tally.share, 4),
            "statements": tally.statements,
            "unchecked": tally.unchecked,
            "stopped": tally.stopped,
            "usage": tally.usage,
        }

    def _table(self, out: Any) -> None:
        from rich.table import Table
        from rich.text import Text

        cells = [_cells(row, statement) for row, statement in self.failing]
        if not out.is_terminal:
            for each in cells:
                out.print(Text("  ".join(part for part in each if part)))
            return
        table = Table(show_lines=True)
        for title, ratio in (("row", 2), ("verdict", 2), ("statement", 5), ("nearest passage", 5)):
            table.add_column(title, ratio=ratio, overflow="fold")
        for (_, statement), (where, verdict, said, reason, passage) in zip(self.failing, cells, strict=True):
            colour = _COLOURS[statement["verdict"]] if statement else "red"
            table.add_row(
                Text(where),
                Text(verdict, style=colour),
                Text(said),
                Text(f"{passage}\n{reason}" if passage else reason),
            )
        out.print(table)


def _cells(row: RowCheck, statement: StatementCheck | None) -> tuple[str, str, str, str, str]:
    """Row, verdict with score, statement, reason, passage: bounded, on one line, without control characters."""
    if statement is None:
        return _cut(row["where"]), "not checked", _cut(row["answer"]), _cut(row["problem"]), ""
    verdict = f"{statement['verdict'].replace('_', ' ')} {statement['score']:.2f}"
    passage = f"{statement['uri']}: {statement['passage']}" if statement["passage"] else ""
    reason = f"({_cut(row['problem'] or statement['reason'])})"
    return _cut(row["where"]), verdict, _cut(statement["text"]), reason, _cut(passage)


def _cut(text: str) -> str:
    line = " ".join(plain(text).split())
    return line if len(line) <= _WORDS else line[: _WORDS - 1] + "…"
