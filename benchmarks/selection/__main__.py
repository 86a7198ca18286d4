"""Does the selector spend its budget on the documents that give pairs like the target's, and at what cost of its own?

    python -m benchmarks.selection --data FOLDER [--pool mixed|near] [--seeds 5] [--settings JSON] [--json]

FOLDER holds `pubmedqa`, `cranfield`, `msmarco`, `qed-nq`, `tldr-pages`, `peps` and `medquad`. Every document is read once by
the offline extractor and kept in a temporary folder; the selector then runs on what was extracted, as it would in a build.
A seed draws the target anew, the pool without the target's documents, and the selector's own chances. Beside it stand a random
reading and rivals that only rank documents: nearest to the target's centroid or to its nearest pair, and BM25 with the
target's questions. JSON is an object of `SelectionSettings` fields, such as {"alpha": "paper"}.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.selection.extracted import MEETS, embedded, extracted
from benchmarks.selection.pools import TARGETS, UNIVERSES, Universe, task
from benchmarks.selection.readings import (
    BM25,
    ON_TARGET,
    RANDOM,
    SELECTED,
    by_chance_for_pairs,
    measured,
    rival_readings,
    scene,
    selected,
)
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.selection.selector import SelectionSettings
from searchinstruct_graph.text.words import stems

BUDGETS = (0.05, 0.10)

WANTED = {"mixed": {"pubmedqa": 5.0, "qed": 3.0, "msmarco": 3.0}, "near": dict.fromkeys(TARGETS["near"], 2.0)}
"""The share on the kind that the selector should reach, in times random."""


def load_libraries() -> None:
    """Import what selecting needs before seconds are counted: a process does it once, however long it runs."""
    for name in ("ot", "sklearn.cluster", "scipy.linalg"):
        importlib.import_module(name)


def rows(universe: Universe, seeds: int, settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One record a target, budget, seed and way of reading."""
    load_libraries()
    made = embedded(universe, extracted(universe))
    words = [stems(f"{document.title}\n{document.text}", "en") for document in universe.documents]
    for target in TARGETS[universe.name]:
        for seed in range(seeds):
            drawn = task(universe, target, seed)
            seen = scene(universe, made, drawn, embeddings().embed([pair.text for pair in drawn.pairs]))
            needed = by_chance_for_pairs(seen, seed)
            for share in BUDGETS:
                budget = round(share * len(drawn.pool))
                readings = rival_readings(seen, [words[at] for at in drawn.pool], budget, seed)
                own = SelectionSettings(**{"budget": budget, "seed": seed, **settings})
                readings = {SELECTED: selected(seen, own), **readings}
                for name, reading in readings.items():
                    yield {
                        "pool": universe.name,
                        "target": target,
                        "of kind": drawn.of_kind,
                        "in pool": len(drawn.pool),
                        "budget": share,
                        "seed": seed,
                        "way": name,
                        "documents for 50 by chance": needed,
                        **measured(seen, reading, readings[RANDOM], seed),
                    }


def mean_and_deviation(values: Sequence[float], digits: int = 2) -> str:
    """`mean ± standard deviation` over the seeds."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.fmean(values):.{digits}f} ± {spread:.{digits}f}"


def _without_the_worse(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Only the better of the two ways to rank by BM25, by the mean over everything that is shown."""
    means = {
        name: statistics.fmean(row["times random"] for row in found if row["way"] == name)
        for name in BM25
        if any(row["way"] == name for row in found)
    }
    worse = {name for name in means if means[name] < max(means.values())}
    return [row for row in found if row["way"] not in worse]


def _needed(group: Sequence[dict[str, Any]]) -> str:
    """Documents read until the wanted pairs were there, and how many times fewer than by chance."""
    counts = [row["documents for 50"] for row in group]
    if None in counts:
        return f"in {len(counts) - counts.count(None)} of {len(counts)}"
    times = statistics.fmean(
        row["documents for 50 by chance"] / count for row, count in zip(group, counts, strict=True)
    )
    return (
        f"{statistics.fmean(counts):.0f} ({times:.1f} x)" if math.isfinite(times) else f"{statistics.fmean(counts):.0f}"
    )


def table(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The lines of what was measured, one a target, budget and way, over the seeds."""
    heads = (
        "times random",
        "share",
        "regret",
        "to 50 pairs",
        "distance",
        "(random)",
        "below",
        "same",
        "true met/doc",
        "carried",
    )
    yield f"{'':24}" + "".join(f"{head:>15}" for head in heads)
    keys = dict.fromkeys((row["target"], row["budget"]) for row in found)
    for target, budget in keys:
        here = [row for row in found if (row["target"], row["budget"]) == (target, budget)]
        kinds = f"{statistics.fmean(row['of kind'] for row in here):.0f} of {here[0]['in pool']}"
        yield f"{target}, {budget:.0%}: {kinds} documents are of the kind"
        for way in dict.fromkeys(row["way"] for row in here):
            group = [row for row in here if row["way"] == way]

            def each(name: str, group: Sequence[dict[str, Any]] = group) -> list[float]:
                return [float(row[name]) for row in group]

            below = sum(row["distance"] < row["distance of random"] for row in group)
            cells = [
                mean_and_deviation(each("times random")),
                f"{statistics.fmean(each('share')):.3f}",
                f"{statistics.fmean(each('regret')):.3f}",
                _needed(group),
                f"{statistics.fmean(each('distance')):.3f}",
                f"{statistics.fmean(each('distance of random')):.3f}",
                "" if way == RANDOM else f"{below} of {len(group)}",
                f"{statistics.fmean(each('sameness')):.3f}",
                f"{statistics.fmean(row['true pairs met'] / row['documents'] for row in group):.2f}",
                f"{statistics.fmean(row['true pairs carried'] / row['documents'] for row in group):.2f}",
            ]
            yield f"  {way:22}" + "".join(f"{cell:>15}" for cell in cells)


def verdicts(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Each wanted figure, and whether it was reached."""
    own = [row for row in found if row["way"] == SELECTED]
    for target, budget in dict.fromkeys((row["target"], row["budget"]) for row in own):
        group = [row for row in own if (row["target"], row["budget"]) == (target, budget)]
        wanted = WANTED[group[0]["pool"]][target]
        got = statistics.fmean(row["times random"] for row in group)
        below = sum(row["distance"] < row["distance of random"] for row in group)
        cost = max(row["seconds"] / row["seconds of calls"] for row in group)
        yield (
            f"  {target:10} {budget:4.0%}  {got:5.2f} x random, wanted {wanted:.0f}: {'yes' if got >= wanted else 'NO':3}"
            f"  nearer than random in {below} of {len(group)}: {'yes' if below == len(group) else 'NO':3}"
            f"  own work at most {cost:.2%} of the calls: {'yes' if cost < 0.02 else 'NO'}"
        )


def main() -> None:
    """Print the tables, or every record as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pool", choices=sorted(UNIVERSES), help="both when left out")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--settings", type=json.loads, default={}, help="fields of SelectionSettings as JSON")
    parser.add_argument("--json", action="store_true", help="one record a line instead of the tables")
    given = parser.parse_args()
    for name in [given.pool] if given.pool else sorted(UNIVERSES):
        universe = UNIVERSES[name](given.data)
        found = []
        for row in rows(universe, given.seeds, given.settings):
            found.append(row)
            if given.json:
                print(json.dumps(row), flush=True)
        if not given.json:
            print(f"\n{name}: {len(universe.documents)} documents, {given.seeds} seeds; mean ± standard deviation")
            print(
                f"(to {ON_TARGET} pairs: documents for {ON_TARGET} pairs of the kind, n of m: only in so many seeds;\n"
                f"true met: cosine of an extracted pair >= {MEETS} in question or answer; same: mean cosine of the pairs)"
            )
            print("\n".join(table(_without_the_worse(found))))
            print("\n".join(verdicts(found)))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
