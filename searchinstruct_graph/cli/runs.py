"""`searchinstruct status`, `doctor` and `purge`: commands on a run that is there."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from searchinstruct_graph.cli.display import as_json, console, plain
from searchinstruct_graph.cli.edit_display import edit_lines
from searchinstruct_graph.cli.run_display import show_funnel
from searchinstruct_graph.cli.triplets_display import triplet_lines, usage_lines
from searchinstruct_graph.datasets.report.summary import duration, money
from searchinstruct_graph.errors import UsageError

if TYPE_CHECKING:
    from searchinstruct_graph.datasets.inspection import RunStatus

Run = Annotated[str, typer.Argument(metavar="RUN", help="Folder of the run.")]

EVERY_SECONDS = 1.0


def status(
    run: Run,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every second until nobody works on it.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the status as one JSON object.")] = False,
) -> None:
    """Show how a run stands: rows, rate, time left, cost, and why work was rejected. Works while it is being built."""
    from searchinstruct_graph.datasets.inspection import run_status

    told = run_status(Path(run))
    if json_:
        typer.echo(as_json(told))
        return
    if watch and console().is_terminal:
        _watch(Path(run), told)
        return
    _show(told)


def _watch(folder: Path, told: RunStatus) -> None:
    from rich.live import Live
    from rich.text import Text

    from searchinstruct_graph.datasets.inspection import run_status

    with Live(console=console(), refresh_per_second=2) as live:
        while True:
            live.update(Text("\n".join(_lines(told))))
            if told["worked_on"] is None:
                break
            time.sleep(EVERY_SECONDS)
            told = run_status(folder)
    _funnel(told)


def _funnel(told: RunStatus) -> None:
    if told["triplets"] is not None:
        for line in usage_lines(told["spent"], told["seconds"], told["spending"], told["triplets"]["kept"]):
            console().print(line)
        return
    extracted = told["documents"] is not None
    show_funnel(told["funnel"], told["target"], told["spent"], told["seconds"], told["spending"], extracted=extracted)


def _lines(told: RunStatus) -> list[str]:
    rows, target = told["funnel"]["accepted"], told["target"]
    wanted = "" if target is None else f" of {target:,}"
    made, method = ("rows", f" ({told['method']})") if told["triplets"] is None else ("triplets", "")
    lines = [f"{plain(told['run'])}: {rows:,}{wanted} {made}{method}"]
    if (triplets := told["triplets"]) is not None:
        lines += triplet_lines(triplets)
    if (edits := told["edits"]) is not None:
        lines += edit_lines(edits)
    if (documents := told["documents"]) is not None:
        lines.append(f"{documents['read']:,} of {documents['budget']:,} documents read in {documents['pulls']:,} pulls")
    if told["worked_on"]:
        rate, left = told["rows_per_minute"], told["seconds_left"]
        speed = "" if rate is None else f", {rate:,.0f} {made}/min"
        until = "" if left is None else f", {duration(left)} left"
        waiting = "" if triplets is not None else f"; {told['open']:,} instructions wait"
        lines.append(f"{told['worked_on']} works on it{speed}{until}{waiting}")
    else:
        lines.append(
            f"nobody works on it; {'ended: ' + told['ended'] if told['ended'] else 'it did not end by itself'}"
        )
    return lines


def _show(told: RunStatus) -> None:
    from rich.table import Table

    out = console()
    for line in _lines(told):
        out.print(line)
    _funnel(told)
    if len(told["spending"]) > 1:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for name in ("role", "calls", "tokens in", "tokens out", "cost"):
            table.add_column(name, justify="left" if name == "role" else "right", header_style="dim")
        for role, part in told["spending"].items():
            if part["model_calls"]:
                counts = (part["model_calls"], part["input_tokens"], part["output_tokens"])
                table.add_row(role, *(f"{count:,}" for count in counts), money(part["cost_usd"]))
        out.print(table)


def doctor(
    run: Run,
    salvage: Annotated[
        str | None,
        typer.Option("--salvage", metavar="FILE", help="Write every row that can still be read to FILE (JSONL)."),
    ] = None,
) -> None:
    """Look for damage: files, database pages, provenance, counts, exports. Exit code 1 when something is wrong."""
    from searchinstruct_graph.datasets import inspection

    folder = Path(run)
    if not folder.is_dir():
        raise UsageError(f"{run} is not a folder; name the folder of a run")
    if salvage is not None:
        if Path(salvage).exists():
            raise UsageError(f"{salvage} exists; name another file")
        count = 0
        try:
            with Path(salvage).open("w", encoding="utf-8") as file:
                for row in inspection.salvage(folder):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                    count += 1
        except OSError as error:
            raise UsageError(f"{salvage} cannot be written: {error.strerror or error}") from error
        typer.echo(f"{count} rows are in {salvage}")
        return
    findings = inspection.diagnose(folder)
    for finding in findings:
        typer.echo(f"{plain(finding.what)}\n  do: {plain(finding.todo)}")
    if findings:
        raise typer.Exit(1)
    told = inspection.run_status(folder)
    made = "rows" if told["triplets"] is None else "triplets"
    typer.echo(f"{run} is sound: {told['funnel']['accepted']} {made}, every one with its provenance")


def purge(
    run: Run,
    source: Annotated[
        str,
        typer.Option(
            "--source", metavar="URI", help="A page, a file, a folder, a host, or the SHA-256 of a page's text."
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove every row that rests on a source, make the run's exports anew, and let nothing rest on it again."""
    from searchinstruct_graph.datasets import inspection
    from searchinstruct_graph.datasets.database import reading
    from searchinstruct_graph.datasets.edit_facts import is_edit
    from searchinstruct_graph.datasets.ledger import NAME
    from searchinstruct_graph.datasets.run import held, read_run
    from searchinstruct_graph.datasets.triplet_run import is_triplets

    folder = Path(run)
    run_file = read_run(folder)
    with reading(folder / NAME) as db:
        ordinals, rejections = inspection.resting_on(db, source)
        probes = inspection.probes_resting_on(db, source)
        triplets = inspection.triplets_resting_on(db, source)
    made = "triplets" if is_triplets(run_file) else "rows"
    count = len(triplets) if is_triplets(run_file) else len(ordinals)
    what = f"{count} {made}" + (f" and {len(probes)} probes" if probes else "")
    if (count or probes) and not yes and not typer.confirm(f"remove {what} that rest on {plain(source)}?", err=True):
        raise typer.Abort
    with held(folder):
        gone = asyncio.run(_purge(folder, ordinals, rejections, probes, triplets, source))
    if not count and not rejections and not probes:
        typer.echo(f"nothing in {run} rests on {plain(source)}; from now on nothing may")
        return
    from searchinstruct_graph.datasets.exporting import rebuild

    exports = rebuild(folder)
    removed = [f"{count} {made}", *([f"{gone} probes"] if gone else []), f"{len(rejections)} rejections"]
    filled = (
        "facts that rested on it are not edited again; a new run edits them from other sources"
        if is_edit(run_file)
        else "their pairs are not tried again; a new run tries them with other passages"
        if is_triplets(run_file)
        else "the command that made it fills the gap from other sources (an extraction whose budget is spent, with a larger "
        "one)"
    )
    typer.echo(f"removed {', '.join(removed[:-1])} and {removed[-1]}; {exports} exports were made anew; {filled}")


async def _purge(
    folder: Path, ordinals: list[int], rejections: list[int], probes: list[int], triplets: list[int], source: str
) -> int:
    """Purge them and let nothing rest on the source again; returns how many probes went."""
    from searchinstruct_graph.datasets.database import reading
    from searchinstruct_graph.datasets.ledger import NAME, Ledger, read_facts

    ledger = Ledger(folder)
    try:
        with reading(folder / NAME) as db:
            known = read_facts(db).get("purged", [])
        await ledger.note("purged", list(dict.fromkeys([*known, source])))
        gone = await ledger.purge(ordinals, probes, triplets)
        await ledger.remove_rejections(rejections)
        return gone
    finally:
        ledger.close()
