"""Encoders trained to obey instructions, beside the controls that say what the instructions were worth.

    python -m benchmarks.triplets --data FOLDER --out ROWS.jsonl
    python -m benchmarks.retriever --triplets ROWS.jsonl --data FOLDER --base MODEL --out WORK --precision bfloat16
    python -m benchmarks.retriever --out WORK                       # the table again, of what WORK holds

Trains the base for each variant and seed: `plain` (the same pairs, instructions blank), `infonce` (passages contrasted),
`inf-embed` (passages and instructions, summed), `attention` (the same, instruction and query joined by attention), `shuffled`
(each query gets another one's instructions). `untrained` is the base. A family of triplets is on one side only: a part is held
out for the table, the same for every variant and seed, and a part of the rest says which weights are kept. Half of the queries
of `msmarco` are mixed in without instructions; the other half, and `cranfield`, tell whether plain retrieval suffers
(`msmarco/{questions,corpus}.jsonl.gz`, `cranfield/{queries,corpus,qrels}.jsonl.gz`).

Needs the extra `train`. Results are kept one file each in WORK, so that a benchmark that was stopped goes on. No key, no network
beyond what the base's name means.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from searchinstruct_graph.models.joining import Join
from searchinstruct_graph.retriever.encoder import Encoder
from searchinstruct_graph.retriever.evaluation import dense, interval, plain_ndcg, triplet_scores
from searchinstruct_graph.retriever.losses import METHODS
from searchinstruct_graph.retriever.measures import PlainSet
from searchinstruct_graph.retriever.rows import (
    Triplet,
    read_triplets,
    shuffled_instructions,
    split_triplets,
    without_instructions,
)
from searchinstruct_graph.retriever.training import TrainingSettings, train_retriever
from searchinstruct_graph.text.words import same_text

VARIANTS = ("untrained", "plain", "infonce", "inf-embed", "attention", "shuffled")
CHOSEN_BY = 60
"""Triplets that say which weights are kept."""

PLAIN_SETS = ("msmarco", "cranfield")


class Sides(NamedTuple):
    """Triplets to train on, to choose weights by, and to measure."""

    train: list[Triplet]
    chosen_by: list[Triplet]
    test: list[Triplet]


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _half(text: str) -> bool:
    return hashlib.blake2b(text.encode(), digest_size=1).digest()[0] % 2 == 0


def plain_sets(data: Path) -> tuple[dict[str, PlainSet], list[tuple[str, str]]]:
    """The sets for plain nDCG, and the pairs of msmarco that are trained on."""
    texts = {each["id"]: each["text"] for each in _records(data / "msmarco" / "corpus.jsonl.gz")}
    place = {key: at for at, key in enumerate(texts)}
    asked = [(each["question"], each["gold_id"]) for each in _records(data / "msmarco" / "questions.jsonl.gz")]
    held = [(question, gold) for question, gold in asked if _half(question)]
    web = PlainSet([question for question, _ in held], list(texts.values()), [{place[gold]: 1.0} for _, gold in held])
    folder = data / "cranfield"
    pages = {
        str(each["id"]): f"{each.get('title', '')} {each['text']}".strip()
        for each in _records(folder / "corpus.jsonl.gz")
    }
    number = {key: at for at, key in enumerate(pages)}
    grades: dict[str, dict[int, float]] = {}
    for each in _records(folder / "qrels.jsonl.gz"):
        key = str(each.get("id") or each.get("document_id") or each.get("doc_id"))
        grade = float(each.get("grade", each.get("relevance", 1)))
        if grade > 0 and key in number:
            grades.setdefault(str(each.get("query_id") or each.get("qid")), {})[number[key]] = grade
    queries = [(str(each["id"]), each.get("text") or each["query"]) for each in _records(folder / "queries.jsonl.gz")]
    kept = [(key, text) for key, text in queries if grades.get(key)]
    cranfield = PlainSet([text for _, text in kept], list(pages.values()), [grades[key] for key, _ in kept])
    trained_on = [(question, texts[gold]) for question, gold in asked if not _half(question)]
    return {"msmarco": web, "cranfield": cranfield}, trained_on


def sides(files: Sequence[Path], most: int, measure: int, shown: Sequence[str]) -> Sides:
    """Split the triplets of the files, the same for every variant and seed; up to `most` are trained on. What asks one of the
    queries `shown`, which are trained on without an instruction, is not measured.
    """
    train: list[Triplet] = []
    chosen_by: list[Triplet] = []
    test: list[Triplet] = []
    for path in files:
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        outer = split_triplets(read_triplets(records), 0.25, seed=0)
        inner = split_triplets(outer.train, 0.12, seed=0)
        print(f"{path.name}: {len(records)} triplets, {len(outer.held)} measured, {outer.dropped} dropped for them")
        train, chosen_by = train + inner.train, chosen_by + inner.held
        test += random.Random(0).sample(outer.held, min(measure, len(outer.held)))
    # A share of each file, in a drawn order.
    random.Random(0).shuffle(train)
    random.Random(0).shuffle(chosen_by)
    known = set(map(same_text, shown))
    fresh = [each for each in test if not known & {same_text(each.query_positive), same_text(each.query_negative)}]
    return Sides(train[:most], chosen_by[:CHOSEN_BY], fresh)


def measured(encoder: Encoder, test: Sequence[Triplet], plain: dict[str, PlainSet]) -> dict[str, Any]:
    """Every figure of one encoder, per triplet and per query."""
    score = dense(encoder)
    found = triplet_scores(score, test)
    result: dict[str, Any] = {
        "query": found.query.tolist(),
        "right": found.right.tolist(),
        "first": found.first.tolist(),
        "second": found.second.tolist(),
        "poisoned": found.poisoned.tolist(),
        "obedience": found.obedience.tolist(),
        "reciprocal": (1 / found.before).tolist(),
    }
    for name, each in plain.items():
        result[name] = plain_ndcg(score, each.queries, each.passages, each.relevant).tolist()
    return result


def settings_of(variant: str, seed: int, options: argparse.Namespace) -> TrainingSettings:
    """How a variant is trained."""
    join: Join = "attention" if variant == "attention" else "plain"
    return TrainingSettings(
        contrast=METHODS["infonce" if variant in ("plain", "infonce") else "inf-embed"],
        join=join,
        epochs=options.epochs,
        examples=options.examples,
        rate=options.rate,
        local=options.local,
        plain_ratio=options.plain_ratio,
        pair_tokens=options.pair_tokens,
        passage_tokens=options.passage_tokens,
        precision=options.precision,
        evaluations=1,
        at_once=512,
        seed=seed,
    )


def rows_of(variant: str, rows: Sequence[Triplet], seed: int) -> list[Triplet]:
    """What a variant is trained on."""
    if variant == "plain":
        return without_instructions(rows)
    return shuffled_instructions(rows, seed) if variant == "shuffled" else list(rows)


def train_all(options: argparse.Namespace) -> None:
    """Train and measure whatever WORK does not hold yet."""
    plain, pairs = plain_sets(options.data)
    parts = sides(options.triplets, options.most, options.measure, [query for query, _ in pairs])
    print(f"trained on {len(parts.train)}, weights chosen by {len(parts.chosen_by)}, measured on {len(parts.test)}")
    for seed in options.seeds:
        for variant in options.variants:
            path = options.out / f"{variant}-{seed}.json"
            if path.exists() or (variant == "untrained" and seed != options.seeds[0]):
                continue
            began = time.monotonic()
            folder = options.out / f"{variant}-{seed}"
            base = str(options.base)
            steps: int | None = None
            if variant != "untrained":
                made = train_retriever(
                    base,
                    rows_of(variant, parts.train, seed),
                    folder,
                    held=rows_of(variant, parts.chosen_by, seed) if variant != "plain" else (),
                    plain=pairs,
                    settings=settings_of(variant, seed, options),
                )
                base, steps = str(folder), made.best_step
            trained = time.monotonic() - began
            encoder = Encoder(
                base,
                pair_tokens=options.pair_tokens,
                passage_tokens=options.passage_tokens,
                precision=options.precision,
            )
            found = measured(encoder, parts.test, plain)
            path.write_text(json.dumps({**found, "steps": steps, "seconds": trained, "trained": len(parts.train)}))
            right, obeyed = np.mean(found["right"]), np.mean(found["obedience"])
            print(f"{variant} {seed}: accuracy {right:.3f}, p-MRR {obeyed:.3f}, {trained:.0f} s", flush=True)


def table(out: Path) -> None:
    """Print the figures of every variant, means over seeds, with intervals over queries."""
    held: dict[str, list[dict[str, Any]]] = {}
    for variant in VARIANTS:
        found = [json.loads(path.read_text()) for path in sorted(out.glob(f"{variant}-[0-9]*.json"))]
        if found:
            held[variant] = found
    base = held["untrained"][0]
    query = np.array(base["query"])
    print(
        "| variant | seeds | triplet accuracy | p-MRR × 100 | spread over seeds | over untrained | over plain | MRR | "
        + " | ".join(f"{name} nDCG@10" for name in PLAIN_SETS)
        + " |"
    )
    print("|---" * (8 + len(PLAIN_SETS)) + "|")
    for variant, runs in held.items():
        obeyed = np.mean([run["obedience"] for run in runs], axis=0)
        right = np.mean([run["right"] for run in runs], axis=0)
        each = [100 * float(np.mean(run["obedience"])) for run in runs]
        cells = [variant, str(len(runs)), _cell(interval(right, query), 1, 3), _cell(interval(obeyed, query), 100, 1)]
        cells.append(f"{min(each):.1f} to {max(each):.1f}")
        for other in ("untrained", "plain"):
            if other in held and other != variant:
                rest = np.mean([run["obedience"] for run in held[other]], axis=0)
                cells.append(_cell(interval(obeyed - rest, query), 100, 1, sign="+"))
            else:
                cells.append("")
        cells.append(f"{np.mean([run['reciprocal'] for run in runs]):.3f}")
        for name in PLAIN_SETS:
            mean = np.mean([run[name] for run in runs], axis=0)
            change = interval(mean - np.array(base[name]))
            cells.append(
                f"{mean.mean():.3f}" + ("" if variant == "untrained" else f" ({_cell(change, 100, 1, sign='+')})")
            )
        print("| " + " | ".join(cells) + " |")


def _cell(found: Any, times: float, digits: int, sign: str = "") -> str:
    value, low, high = (f"{times * each:{sign}.{digits}f}" for each in found)
    return f"{value} [{low}, {high}]"


def main() -> None:
    """Train what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triplets", type=Path, nargs="*", default=[], help="files of triplets; none: only the table")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--base")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variants", nargs="*", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--most", type=int, default=400, help="triplets that are trained on")
    parser.add_argument("--measure", type=int, default=150, help="triplets of each file that are measured")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--examples", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--local", type=int, default=2)
    parser.add_argument("--plain-ratio", type=float, default=0.25)
    parser.add_argument("--pair-tokens", type=int, default=64)
    parser.add_argument("--passage-tokens", type=int, default=128)
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.triplets:
        if not options.data or not options.base:
            parser.error("training needs --data and --base")
        train_all(options)
    table(options.out)


if __name__ == "__main__":
    main()
