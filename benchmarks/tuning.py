"""What contrastive tuning on the warm-up's pairs does to an encoder: does a document find its own pairs, and how fast?

    python -m benchmarks.tuning --data FOLDER --model PATH [--documents 80] [--held-out 400] [--grid]

FOLDER holds `medquad`: pages of nine NIH sources with the question-answer pairs that people took from them. PATH is a
folder or name that sentence-transformers loads. The pairs of some random documents are the warm-up; other documents,
none of them about a disease that the warm-up has, are embedded before and after. A document is all its answers, so a
pair stands in it word for word: besides the whole pairs, the questions alone are searched for, and the documents by
them. The last measure is what selection lives on: whether the pairs of some documents of a source find its other
documents. Needs the `train` extra.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.selection.tuning import tune_encoder

Vectors = NDArray[np.float32]

GRID: list[dict[str, Any]] = [
    {},
    {"rate": 5e-5},
    {"rate": 5e-5, "epochs": 5},
    {"rate": 2e-4, "epochs": 5},
    {"rate": 5e-5, "epochs": 5, "temperature": 0.02},
]


@dataclass
class Set:
    """Documents with their pairs; `owner` gives each pair's document."""

    documents: list[str]
    sources: list[str]
    questions: list[str]
    pairs: list[str]
    owner: NDArray[np.int64]


class Found(NamedTuple):
    """How early the first right one stands, over all that ask."""

    recall: float
    """Share with a right one first."""
    reciprocal: float
    """Mean reciprocal rank of the first right one."""


def records(data: Path) -> list[dict[str, Any]]:
    lines = gzip.decompress((data / "medquad" / "documents.jsonl.gz").read_bytes()).splitlines()
    return [record for record in map(json.loads, lines) if record["qa"]]


def gathered(chosen: list[dict[str, Any]]) -> Set:
    return Set(
        ["\n".join(pair["answer"] for pair in record["qa"]) for record in chosen],
        [record["source"] for record in chosen],
        [pair["question"] for record in chosen for pair in record["qa"]],
        [f"{pair['question']}\n{pair['answer']}" for record in chosen for pair in record["qa"]],
        np.repeat(np.arange(len(chosen)), [len(record["qa"]) for record in chosen]),
    )


def split(every: list[dict[str, Any]], documents: int, held_out: int, seed: int) -> tuple[Set, Set]:
    rng = random.Random(seed)
    shuffled = rng.sample(every, len(every))
    warmup = shuffled[:documents]
    known = {record["focus"].casefold() for record in warmup}
    rest = [record for record in shuffled[documents:] if record["focus"].casefold() not in known]
    return gathered(warmup), gathered(rest[:held_out])


def ranks(scores: Vectors, right: NDArray[np.bool_]) -> Found:
    """Rows ask, columns are ranked."""
    best = np.where(right, scores, -np.inf).max(axis=1, keepdims=True)
    rank = 1 + (np.where(right, -np.inf, scores) >= best).sum(axis=1)
    return Found(float(np.mean(rank == 1)), float(np.mean(1 / rank)))


def kinds(documents: Vectors, pairs: Vectors, held: Set) -> float:
    """How well documents are told apart by a target: area under the curve, mean over the sources of 8 documents or more.

    The pairs of every other document of a source are the target; its other documents are ranked among those of all other
    sources by their cosine to the target's centroid.
    """
    sources = np.array(held.sources)
    areas = []
    for source in sorted(set(held.sources)):
        own = np.flatnonzero(sources == source)
        if len(own) >= 8:
            scores = documents @ pairs[np.isin(held.owner, own[::2])].mean(axis=0)
            areas.append(np.mean(scores[own[1::2]][:, None] > scores[sources != source][None, :]))
    return float(np.mean(areas))


def measured(model: Any, held: Set) -> tuple[list[Found], float, float]:
    """Document to own pairs, to own questions, question to its document; `kinds`; texts a second."""
    began = time.perf_counter()
    texts = [held.documents, held.pairs, held.questions]
    documents, pairs, questions = (
        model.encode([text.replace("\n", " ") for text in each], normalize_embeddings=True, show_progress_bar=False)
        for each in texts
    )
    pace = sum(map(len, texts)) / (time.perf_counter() - began)
    own = np.arange(len(held.documents))[:, None] == held.owner[None, :]
    found = [
        ranks(documents @ pairs.T, own),
        ranks(documents @ questions.T, own),
        ranks(questions @ documents.T, own.T),
    ]
    return found, kinds(documents, pairs, held), pace


def row(name: str, found: list[Found], area: float, loss: str = "", seconds: str = "") -> None:
    numbers = "  ".join(f"{each.recall:6.3f} {each.reciprocal:6.3f}" for each in found)
    print(f"{name:52} {numbers} {area:6.3f}  {loss:>15} {seconds:>8}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--model", required=True, help="folder or name of the encoder")
    parser.add_argument("--documents", type=int, default=80, help="documents of the warm-up")
    parser.add_argument("--held-out", type=int, default=400, help="documents that it is measured on")
    parser.add_argument("--tokens", type=int, default=512, help="texts are cut to so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--grid", action="store_true", help="other rates, epochs and temperatures too")
    parser.add_argument("--setting", action="append", default=[], help='one more setting, as JSON: {"rate": 5e-5}')
    asked = parser.parse_args()
    library = importlib.import_module("sentence_transformers")
    warmup, held = split(records(asked.data), asked.documents, asked.held_out, asked.seed)
    with tempfile.TemporaryDirectory() as home:
        base = str(Path(home) / "base")
        model = library.SentenceTransformer(asked.model)
        model.max_seq_length = asked.tokens
        model.save(base, create_model_card=False)
        print(
            f"warm-up {len(warmup.documents)} documents, {len(warmup.pairs)} pairs; "
            f"held out {len(held.documents)} documents, {len(held.pairs)} pairs; "
            f"{asked.tokens} tokens; device {model.device}"
        )
        print(
            f"{'':52} {'doc→pair':13}  {'doc→question':13}  {'question→doc':13} {'kind':>6}  {'loss':>15} {'seconds':>8}"
        )
        print(f"{'':52} " + "  ".join(["   R@1    MRR"] * 3) + "    AUC")
        found, area, pace = measured(model, held)
        row("before", found, area)
        for number, setting in enumerate(
            (GRID if asked.grid else GRID[:1]) + [json.loads(one) for one in asked.setting]
        ):
            tuned = tune_encoder(
                base,
                warmup.documents,
                warmup.pairs,
                warmup.owner.tolist(),
                Path(home) / str(number),
                seed=asked.seed,
                **setting,
            )
            found, area, _ = measured(library.SentenceTransformer(tuned.folder), held)
            name = ", ".join(f"{key} {value:g}" for key, value in setting.items()) or "defaults"
            row(
                f"{name} ({tuned.steps} steps)",
                found,
                area,
                f"{tuned.loss_before:.3f} → {tuned.loss_after:.3f}",
                f"{tuned.seconds:.1f}",
            )
        print(f"embedding: {pace:.0f} texts a second")


if __name__ == "__main__":
    main()
