"""A million synthetic rows through screening, the pool, the ledger and an export: time, memory, sizes, and a resume.

    python -m benchmarks.million [--rows 1000000] [--folder DIR]

Everything but the models is the product's own: the same waves, decisions and commits as `searchinstruct build`, with
instructions and answers made here.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import tempfile
import time
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from searchinstruct_graph.agents.build_context import BuildContext
from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.acceptance import Acceptance, Rules
from searchinstruct_graph.datasets.database import connect, reading
from searchinstruct_graph.datasets.export import export
from searchinstruct_graph.datasets.ledger import Decision, Ledger, Outcome
from searchinstruct_graph.datasets.pool import Pool
from searchinstruct_graph.datasets.rows import no_spending
from searchinstruct_graph.graphs.proposing import Candidate, SeedProposer
from searchinstruct_graph.graphs.screening import Screen
from searchinstruct_graph.models.embeddings import embeddings

WAVE = 5_000

THINGS = (
    "ferry bridge mill tower garden stove ledger harbour lantern orchard quarry forge library tunnel granary aqueduct cellar "
    "beacon causeway dairy kiln lathe pulley reservoir sluice tannery vineyard windlass armoury bakery"
).split()
DEEDS = "repaired painted measured inspected closed rebuilt sold flooded insured photographed mapped lit guarded cleaned".split()
PLACES = "Aune Brask Corvel Dunmar Elster Fenwick Galt Hollin Istra Jorvik Kelda Lorne Marrow Nesk Orrin Pell".split()


def instruction(number: int, draw: random.Random) -> str:
    """A question of its own; about one in fifty repeats an earlier one in other letters."""
    if number and draw.random() < 0.02:
        return instruction(number - 1 - draw.randrange(min(number, 1_000)), random.Random(number)).upper()
    own = random.Random(number * 7_919 + 13)
    name = "".join(own.choice("bcdfghklmnprstvz") + own.choice("aeiou") for _ in range(4)).capitalize()
    return (
        f"Why was the {own.choice(THINGS)} of {name} near {own.choice(PLACES)} {own.choice(DEEDS)} "
        f"in {own.randrange(1200, 2000)} before the {own.choice(THINGS)} of {own.choice(PLACES)}?"
    )


def outcome(number: int) -> Outcome:
    """An answer of two statements from one page."""
    first, second = f"The work of record {number} was ordered by the council.", f"It was paid with {number + 7} coins."
    uri = f"/archive/{number % 5_000}.md"
    quotes = [
        {"text": first, "start": 10, "end": 10 + len(first)},
        {"text": second, "start": 90, "end": 90 + len(second)},
    ]
    return Outcome(
        answer=f"{first} {second}",
        language="en",
        grounding="quotes",
        statements=[
            {"text": first, "citations": [1], "quotes": [[1, 0]], "support": 1.0},
            {"text": second, "citations": [1], "quotes": [[1, 1]], "support": 1.0},
        ],
        sources=[
            {
                "id": 1,
                "uri": uri,
                "title": f"Record {number % 5_000}",
                "retrieved_at": "2026-01-01T00:00:00+00:00",
                "sha256": sha256(uri.encode()).hexdigest(),
                "license": "CC0-1.0",
                "quotes": quotes,  # type: ignore[typeddict-item]
            }
        ],
        critic={
            "verdict": "accept",
            "confidence": 0.97,
            "support": 1.0,
            "agreement": 1.0,
            "samples": 5,
            "rounds": 1,
            "problems": [],
        },
        vote=None,
        rejected=[],
        usage=no_spending(),
        fault=None,
    )


def peak() -> str:
    """The largest memory of this process so far."""
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"


async def fill(folder: Path, rows: int) -> None:
    """Waves of instructions, answers and decisions, until there are so many rows."""
    context = BuildContext(target=rows)
    proposer = SeedProposer([], [], context, None, "million")
    ledger = Ledger(folder)
    embedder = embeddings()
    db = connect(ledger.path, readonly=True)
    pool = Pool(embedder, lambda ordinal: ledgers.read_text(db, ordinal))
    screen = Screen(context, proposer, "million", pool)
    rules = Rules(rows, "million", "", False, 0.05, 5_000, {})
    acceptance = Acceptance(
        rules, {"writer": "synthetic"}, {"searchinstruct-graph": "0"}, lambda key: ledgers.has_answer(db, key)
    )
    draw, began, number, wave = random.Random(0), time.monotonic(), 0, 0
    spent = {"screen": 0.0, "commit": 0.0}
    while not acceptance.full:
        candidates = [
            Candidate(instruction(number + n, draw), "new", [], "", "why", "", [], "", []) for n in range(WAVE)
        ]
        number += WAVE
        at = time.monotonic()
        admitted, refused = screen.admit(wave, candidates, given=False)
        spent["screen"] += time.monotonic() - at
        at = time.monotonic()
        last = admitted[-1]["ordinal"] if admitted else -1
        await ledger.commit_wave(
            wave,
            [(i["ordinal"], i["id"], i["text"], i["status"], i["origin"]) for i in admitted],
            refused,
            pool.segment(),
            proposed=len(candidates),
            last=last,
        )
        answers = {i["ordinal"]: outcome(i["ordinal"]) for i in admitted}
        await asyncio.gather(*(ledger.commit_answer(ordinal, made) for ordinal, made in answers.items()))
        decisions: list[Decision] = [acceptance.decide(i, answers[i["ordinal"]]) for i in admitted]
        await ledger.decide(decisions)
        acceptance.committed()
        spent["commit"] += time.monotonic() - at
        wave += 1
        if wave % 20 == 0:
            print(f"{acceptance.accepted:,} rows, {time.monotonic() - began:.0f} s, {peak()}", flush=True)
    seconds = time.monotonic() - began
    print(
        f"filled: {acceptance.accepted:,} rows of {number:,} proposals in {seconds:.0f} s ({acceptance.accepted / seconds:,.0f} "
        f"rows/s; screening and pool {spent['screen']:.0f} s, ledger {spent['commit']:.0f} s), peak {peak()}"
    )
    db.close()
    ledger.close()


def resume(folder: Path) -> None:
    """What a resumed run does before its first call: the ledger, the pool, the counts, every instruction."""
    began = time.monotonic()
    ledger = Ledger(folder)
    with closing(connect(ledger.path, readonly=True)) as db:
        pool = Pool(embeddings(), lambda ordinal: ledgers.read_text(db, ordinal))
        pool.load(segment for (segment,) in db.execute("SELECT segment FROM pool ORDER BY wave"))
        ledgers.read_counts(db)
        count = sum(1 for _ in ledgers.read_instructions(db))
        ledgers.read_funnel(db)
    ledger.close()
    print(f"resume: {count:,} instructions and the pool in {time.monotonic() - began:.1f} s, peak {peak()}")


def main() -> None:
    """Fill, resume, export; print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", choices=["fill", "resume", "export"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if given.only in (None, "fill"):
            asyncio.run(fill(folder, given.rows))
        if given.only in (None, "resume"):
            resume(folder)
        if given.only in (None, "export"):
            for name, suffix in (("messages", "jsonl"), ("parquet", "parquet")):
                began, out = time.monotonic(), folder / f"{name}.{suffix}"
                with reading(folder / ledgers.NAME) as db:
                    made = export(ledgers.read_rows(db), name, str(out))
                seconds = time.monotonic() - began
                print(
                    f"export {name}: {made['rows']:,} records, {made['bytes'] / 1e6:,.0f} MB in {seconds:.0f} s "
                    f"({made['rows'] / seconds:,.0f}/s), peak {peak()}"
                )
        print(f"ledger: {(folder / ledgers.NAME).stat().st_size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
