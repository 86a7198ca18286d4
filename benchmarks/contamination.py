"""Decontamination: recall on planted copies and on rewordings of held-out questions, false alarms, speed.

    python -m benchmarks.contamination --data FOLDER [--fit]

FOLDER holds `gsm8k-decontamination` (test questions with a rewording each, training questions that are no copies) and,
for false alarms elsewhere, `strategyqa`, `medquad`, `instruction-seeds` and `xquad`. `--fit` fits the rule's weights
anew on random halves of the rewordings and reports the other halves.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets import lines
from searchinstruct_graph.datasets.contamination import Benchmark
from searchinstruct_graph.datasets.contamination.meaning import COSINE, NAMES, NUMBERS, RARE, THRESHOLD, Meaning
from searchinstruct_graph.datasets.contamination.numerals import NUMBER_WORDS
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.text.words import words

Array = NDArray[np.float64]

PRODUCT = np.array([COSINE, NUMBERS, NAMES, RARE, -THRESHOLD])
NEAREST = 8
SPLITS = 6
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
FALSE_ALARMS = 0.002
"""The share of false alarms, on the halves that were fitted, at which fitted weights are compared."""

_NUMBER = re.compile(r"\d+(?:[.,/:]\d+)*")


def unnumbered(text: str) -> str:
    """The question with every number, in digits or words, as `some`."""
    return " ".join(
        "some" if words(word)[-1:] and words(word)[-1] in NUMBER_WORDS else word
        for word in _NUMBER.sub("some", text).split()
    )


VIEWS: dict[str, Callable[[str], str]] = {
    "as they are": str,
    "lower case": str.lower,
    "without numbers": unnumbered,
    "neither": lambda text: unnumbered(text).lower(),
}


def benchmark(questions: Sequence[str]) -> Benchmark:
    return Benchmark([("held-out", number, text) for number, text in enumerate(questions, 1)], embeddings())


def caught(held_out: Benchmark, texts: Sequence[str]) -> float:
    return sum(match is not None for match in held_out.match_many(texts)) / len(texts)


# The planted kinds ----------------------------------------------------------------------------------------------------


def squeezed(text: str) -> str:
    """Another case, other white space, no punctuation."""
    return "  " + re.sub(r"[^\w\s]", "", text).upper().replace(" ", "\t\n ") + " "


def embedded(text: str) -> str:
    """The question inside a longer one."""
    return (
        f"My niece brought this home from school and I am stuck. {text} Explain every step, and check the result twice."
    )


# Sets -----------------------------------------------------------------------------------------------------------------


def questions_of(data: Path) -> Iterator[tuple[str, list[str]]]:
    """Sets of questions, each different from the others up to case and punctuation."""

    def distinct(texts: Iterator[str]) -> list[str]:
        return list({" ".join(words(text)): text for text in texts}.values())

    medquad = (pair["question"] for record in lines(data / "medquad/documents.jsonl.gz") for pair in record["qa"])
    yield "MedQuAD, every third", distinct(medquad)[::3]
    yield "StrategyQA", distinct(record["question"] for record in lines(data / "strategyqa/strategyqa.jsonl.gz"))
    yield "NQ open", distinct(record["question"] for record in lines(data / "instruction-seeds/nq_open.jsonl.gz"))
    for language in ("en", "de", "ar", "zh"):
        found = lines(data / f"xquad/xquad.{language}.jsonl.gz")
        yield f"XQuAD {language}", distinct(record["question"] for record in found)
    tourism = (data / "seeds/tourism_fa.txt").read_text(encoding="utf-8").splitlines()
    yield "tourism, Persian", distinct(line for line in tourism if line.strip())


def halves_alarmed(questions: Sequence[str]) -> tuple[float, list[tuple[str, str]]]:
    """Share of one random half that is said to repeat one of the other, and the pairs."""
    shuffled = random.Random(0).sample(questions, len(questions))
    half = len(shuffled) // 2
    matches = benchmark(shuffled[:half]).match_many(shuffled[half:])
    pairs = [(text, match.text) for text, match in zip(shuffled[half:], matches, strict=True) if match]
    return len(pairs) / (len(shuffled) - half), pairs


# Fitting --------------------------------------------------------------------------------------------------------------


def evidence(held_out: Sequence[str], texts: Sequence[str]) -> list[list[tuple[int, list[float]]]]:
    """For each text: its nearest items by cosine, with what the rule sees in each, and 1 for the constant."""
    meaning = Meaning(held_out, [words(text) for text in held_out], embeddings())
    cosines = meaning.cosines(texts)
    found: list[list[tuple[int, list[float]]]] = []
    for row, text in enumerate(texts):
        weighed = meaning.weighed(text, words(text))
        nearest = np.argsort(-cosines[row])[:NEAREST].tolist()
        each = [(item, meaning.evidence(weighed, item, float(cosines[row, item]))) for item in nearest]
        found.append([(item, [e.cosine, e.numbers, e.names, float(np.log1p(e.rare)), 1.0]) for item, e in each])
    return found


def fitted(features: Array, labels: Array, penalty: float = 1e-3) -> Array:
    """Ridge-penalised logistic regression with both classes weighing alike, by Newton's method."""
    spread = features.std(axis=0)
    constant = spread == 0
    scale = np.where(constant, 1.0, spread)
    z = features / scale
    weight = np.where(labels == 1, 0.5 / labels.sum(), 0.5 / (1 - labels).sum())
    ridge = penalty * np.diag(np.where(constant, 1e-6, 1.0))
    solution = np.zeros(features.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-z @ solution))
        gradient = z.T @ (weight * (p - labels)) + ridge @ solution
        solution -= np.linalg.solve((z * (weight * p * (1 - p))[:, None]).T @ z + ridge, gradient)
    return np.asarray(solution / scale)


def best(weights: Array, candidates: Sequence[tuple[int, list[float]]]) -> float:
    return max((float(weights @ np.array(features)) for _, features in candidates), default=-np.inf)


def fit(tests: Sequence[str], rewordings: Sequence[str], train: Sequence[str], others: Sequence[Sequence[str]]) -> None:
    seen = {
        name: (evidence([view(t) for t in tests], [view(r) for r in rewordings]),
               evidence([view(t) for t in tests], [view(t) for t in train]))
        for name, view in VIEWS.items()
    }  # fmt: skip
    hard = []
    for questions in others:
        shuffled = random.Random(0).sample(list(questions), len(questions))
        hard.extend(evidence(shuffled[: len(shuffled) // 2], shuffled[len(shuffled) // 2 :]))
    print("\nWeights fitted on half of the rewordings and training questions, measured on the other half:")
    for seed in range(SPLITS):
        order = np.random.default_rng(seed)
        copies, clean, also = (order.permutation(len(each)) for each in (rewordings, train, hard))
        rows: list[tuple[list[float], bool]] = []
        for reworded, other in seen.values():
            rows += [(f, item == n) for n in copies[::2].tolist() for item, f in reworded[n]]
            rows += [(f, False) for n in clean[::2].tolist() for _, f in other[n]]
        rows += [(f, False) for n in also[::2].tolist() for _, f in hard[n]]
        weights = fitted(np.array([f for f, _ in rows]), np.array([float(label) for _, label in rows]))
        alarms = np.array([best(weights, other[n]) for _, other in seen.values() for n in clean[::2].tolist()])
        weights[-1] -= np.quantile(alarms, 1 - FALSE_ALARMS)
        line = []
        for kind, used in (("fitted", weights), ("product", PRODUCT)):
            for name, (reworded, other) in seen.items():
                recall = np.mean([best(used, reworded[n]) > 0 for n in copies[1::2].tolist()])
                alarmed = np.mean([best(used, other[n]) > 0 for n in clean[1::2].tolist()])
                line.append(f"{kind}, {name}: {recall:.3f} at {100 * alarmed:.2f} %")
            alarmed = np.mean([best(used, hard[n]) > 0 for n in also[1::2].tolist()])
            line.append(f"{kind}, other sets: {100 * alarmed:.2f} %")
        print(f"  split {seed}: weights {weights.round(2).tolist()}")
        print(*(f"    {each}" for each in line), sep="\n")


# Report ---------------------------------------------------------------------------------------------------------------


def speed(tests: Sequence[str], texts: Sequence[str], items: int, count: int) -> str:
    """Texts a second of processor time against `items` items, made of the questions by changing their numbers."""
    rng = random.Random(1)
    digits = re.compile(r"\d")

    def varied(text: str) -> str:
        return digits.sub(lambda _: str(rng.randint(1, 9)), text)

    held_out = benchmark([varied(tests[n % len(tests)]) if n >= len(tests) else tests[n] for n in range(items)])
    many = [varied(texts[n % len(texts)]) for n in range(count)]
    held_out.match_many(many[:512])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    processor, clock = time.process_time(), time.perf_counter()
    held_out.match_many(many)
    processor, clock = time.process_time() - processor, time.perf_counter() - clock
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    size = len(held_out)
    rates = f"{count / processor:,.0f} texts a second of processor time ({count / clock:,.0f} of clock)"
    return f"{rates}, {size} items, +{grown:.0f} MB"


def records(path: Path) -> list[dict[str, Any]]:
    return list(lines(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--speed", action="store_true", help="only measure the speed")
    parser.add_argument("--show", action="store_true", help="print the false alarms")
    arguments = parser.parse_args()
    folder = arguments.data / "gsm8k-decontamination"
    pairs = records(folder / "test_with_rephrased.jsonl.gz")
    tests = [pair["question"] for pair in pairs]
    rewordings = [pair["rephrased"].removeprefix("Question:").split("\nAnswer:")[0].strip() for pair in pairs]
    train = [record["question"] for record in records(folder / "train_sample.jsonl.gz")]
    if arguments.speed:
        for items, count in ((1_319, 20_000), (1_319, 40_000), (10_000, 10_000)):
            print(speed(tests, train, items, count))
        return
    held_out = benchmark(tests)
    for name, texts in (
        ("verbatim", tests),
        ("case, punctuation, white space", [squeezed(text) for text in tests]),
        ("inside a longer question", [embedded(text) for text in tests]),
        ("reworded", rewordings),
        ("reworded, with its answer", [pair["rephrased"] for pair in pairs]),
    ):
        print(f"recall, {name}: {caught(held_out, texts):.4f}")
    print(f"false alarms, training questions: {100 * caught(held_out, train):.2f} %")
    swapped = benchmark(train)
    print(f"false alarms, test questions against the training questions: {100 * caught(swapped, tests):.2f} %")
    others = list(questions_of(arguments.data))
    for name, questions in others:
        share, alarms = halves_alarmed(questions)
        against = caught(held_out, questions)
        print(
            f"{name} ({len(questions)}): half against half {100 * share:.2f} %, against the tests {100 * against:.2f} %"
        )
        if arguments.show:
            print(*(f"    {one}\n    = {other}" for one, other in alarms[:12]), sep="\n")
    if arguments.fit:
        fit(tests, rewordings, train, [questions for name, questions in others if name.startswith(("Med", "Str"))])
    command = [sys.executable, "-m", "benchmarks.contamination", "--data", str(arguments.data), "--speed"]
    subprocess.run(command, check=True, env=os.environ | ONE_THREAD)


if __name__ == "__main__":
    main()
