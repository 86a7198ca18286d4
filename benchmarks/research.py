"""Every figure of the research machine in one table: search, answers beside the plain loop, indexing, start-up.

    python -m benchmarks.research --data FOLDER [--only answers] [--limit 60] [--seed 0] [--out benchmarks/results]

FOLDER holds the evaluation sets (see `answer_sets.py` for which). Writes `research.json` with every figure and every
question's outcome beside the printed table.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
os.environ["SEARCHINSTRUCT_MODEL"] = "offline"

from rich.console import Console
from rich.table import Table

from benchmarks import answers, indexing, injection, overhead, pages, retrieval, startup

PARTS: dict[str, Any] = {
    "retrieval": retrieval,
    "answers": answers,
    "indexing": indexing,
    "startup": startup,
    "pages": pages,
    "injection": injection,
    "overhead": overhead,
}


def missed(row: dict[str, Any]) -> bool:
    """Whether a figure is on the wrong side of its target; `most` marks targets that are upper bounds."""
    if row.get("target") is None or row.get("value") is None:
        return False
    return bool(row["value"] > row["target"]) if row.get("most") else bool(round(row["value"], 4) < row["target"])


def table(rows: list[dict[str, Any]]) -> Table:
    """The figures, missed targets marked."""
    drawn = Table(
        title=f"SearchInstruct Graph, offline extractive model, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    for column in ("part", "what", "data", "arm"):
        drawn.add_column(column)
    drawn.add_column("value", justify="right")
    drawn.add_column("target", justify="right")
    for row in rows:
        bound = "" if row.get("target") is None else f"{'<=' if row.get('most') else '>='} {row['target']:g}"
        value = "" if row.get("value") is None else f"{row['value']:.3f}"
        drawn.add_row(
            row["part"], row["what"], row["data"], row.get("arm", ""), value + (" !" if missed(row) else ""), bound
        )
    return drawn


def main() -> None:
    """Run the parts asked for, print the table, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", action="append", choices=list(PARTS), help="run this part alone; may be repeated")
    parser.add_argument("--limit", type=int, default=0, help="questions a set; 0 takes all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    chosen = parser.parse_args()
    rows: list[dict[str, Any]] = []
    figures: dict[str, Any] = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "seed": chosen.seed,
        "limit": chosen.limit,
    }
    for name in chosen.only or PARTS:
        run = PARTS[name].run
        options = {"limit": chosen.limit} if "limit" in inspect.signature(run).parameters else {}
        began = time.perf_counter()
        found = run(chosen.data, chosen.seed, **options)
        figures[name] = {**found, "seconds": round(time.perf_counter() - began, 1)}
        rows += [{"part": name, **row} for row in found["rows"]]
    Console(width=160).print(table(rows))
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "research.json").write_text(json.dumps(figures, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
