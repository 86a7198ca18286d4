"""How well does the offline support score tell carried statements from others? On published sets that people have judged.

    python -m benchmarks.support --data FOLDER [--fit] [--out benchmarks/results]

FOLDER is searched for the sets that `searchinstruct_graph.evals.labelled` knows. Every figure of the score is for weights
fitted on all the other sets (leave one set out); FOLIO, whose labels need logic, is read and never fitted. `--fit` fits on
all sets and writes models/support/calibration.json with these figures. Prints AUROC with 95 % bootstrap intervals beside
word overlap (`compare.coverage`) and `compare.support`, whether right answers score above hallucinated ones, refutations
against support, calibration, and what thresholds do.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.labelled import LabelledStatement, read_labelled
from searchinstruct_graph.evals.numbers import (
    auroc,
    auroc_interval,
    balanced_accuracy_at,
    brier,
    calibration_error,
    f_measure_at,
    ordered_pairs,
    precision_recall_at,
)
from searchinstruct_graph.models.support.calibration import CALIBRATION, Calibration, SetQuality
from searchinstruct_graph.models.support.features import FOR, Features, Piece, readings
from searchinstruct_graph.models.support.scoring import is_verbatim, lowered
from searchinstruct_graph.text import compare

UNFITTED = ("folio",)
"""Sets that are scored and never fitted: what follows from several premises is not said in any of them."""

TARGETS = {
    "wice: supported, not supported": 0.87,
    "wice": 0.76,
    "qags_cnndm": 0.82,
    "qags_xsum": 0.66,
    "factcheck": 0.78,
    "scifact": 0.66,
    "begin": 0.96,
    "halueval": 0.90,
}

RIDGE = 0.3
"""Penalty on the squared weights of standardised features."""

PRECISION = 0.75
"""The threshold is the lowest on the grid at which this share of accepted statements is supported, averaged over sets."""

GRID = tuple(round(0.05 * step, 2) for step in range(4, 19))

COMMAND = "python -m benchmarks.support --data FOLDER --fit"

Floats = NDArray[np.float64]
_SIGNS = np.array([1.0 if name in FOR else -1.0 for name in Features._fields])


@dataclass(frozen=True)
class Counted:
    """The statements with their features: a row an anchor."""

    items: list[LabelledStatement]
    rows: Floats
    """(anchors, features)."""
    owner: NDArray[np.int64]
    """Which statement a row belongs to, ascending."""
    verbatim: NDArray[np.bool_]
    sets: NDArray[np.str_]
    labels: Floats

    def among(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Which statements are of these sets."""
        return np.isin(self.sets, list(names))


def count(items: Sequence[LabelledStatement]) -> Counted:
    """Hold every statement against its evidence."""
    rows: list[Features] = []
    owner: list[int] = []
    verbatim: list[bool] = []
    for number, item in enumerate(items):
        pieces = [Piece(text) for text in item["evidence"]]
        found = readings(item["statement"], pieces, item["question"])
        rows += [each.features for each in found] or [_nothing()]
        owner += [number] * max(1, len(found))
        verbatim.append(is_verbatim(item["statement"], pieces, item["question"]))
    return Counted(
        list(items),
        np.array(rows, dtype=np.float64),
        np.array(owner),
        np.array(verbatim),
        np.array([item["set"] for item in items]),
        np.array([item["label"] for item in items]),
    )


def _nothing() -> Features:
    return Features(*(0.0 if name in FOR else 1.0 for name in Features._fields))


def _best(counted: Counted, values: Floats) -> NDArray[np.int64]:
    """The row of each statement whose value is greatest; the first one of equals."""
    order = np.lexsort((-np.arange(len(values)), values, counted.owner))
    last = np.flatnonzero(np.diff(counted.owner[order], append=len(counted.items)))
    return order[last]


def fit(counted: Counted, names: Sequence[str]) -> tuple[Floats, float]:
    """Weights and intercept from these sets.

    A logistic regression with an intercept a set, every set and in it both labels weighing the same, weights of the one sign
    their feature may have, and a ridge; the row of a statement is the one that scores best by the weights of the round
    before. Then slope and intercept that make the score a probability, every set weighing the same (Platt 1999).
    """
    from scipy.optimize import minimize

    training = counted.among(names)
    positive = (counted.labels >= 1.0).astype(np.float64)
    number = np.array([names.index(each) if each in names else 0 for each in counted.sets])
    balanced, natural = np.zeros(len(positive)), np.zeros(len(positive))
    for name in names:
        inside = counted.sets == name
        natural[inside] = 1 / (inside.sum() * len(names))
        for label in (0.0, 1.0):
            alike = inside & (positive == label)
            balanced[alike] = 0.5 / (alike.sum() * len(names))
    size = len(_SIGNS)
    weights = _SIGNS / size
    for _ in range(4):
        features = counted.rows[_best(counted, counted.rows @ weights)] * _SIGNS
        spread = features[training].std(axis=0) + 1e-6
        scaled = (features - features[training].mean(axis=0))[training] / spread
        sets, wanted, mass = number[training], positive[training], balanced[training]

        def loss(
            found: Floats, scaled: Floats = scaled, sets: Any = sets, wanted: Floats = wanted, mass: Floats = mass
        ) -> tuple[float, Floats]:
            total = scaled @ found[:size] + found[size:][sets]
            value = (mass * (np.logaddexp(0, total) - wanted * total)).sum() + RIDGE * (found[:size] ** 2).sum() / 2
            slope = mass * (1 / (1 + np.exp(-total)) - wanted)
            by_set = np.bincount(sets, slope, minlength=len(names))
            return float(value), np.concatenate([scaled.T @ slope + RIDGE * found[:size], by_set])

        bounds = [(0.0, None)] * size + [(None, None)] * len(names)
        solved = minimize(loss, np.zeros(size + len(names)), jac=True, method="L-BFGS-B", bounds=bounds)
        weights = solved.x[:size] / spread * _SIGNS
    raw = (counted.rows @ weights)[_best(counted, counted.rows @ weights)]
    raw, wanted, mass = raw[training], positive[training], natural[training]

    def platt(found: Floats) -> float:
        total = found[0] * raw + found[1]
        return float((mass * (np.logaddexp(0, total) - wanted * total)).sum())

    slope, intercept = minimize(platt, np.array([1.0, 0.0])).x
    return weights * slope, float(intercept)


def scores(counted: Counted, weights: Floats, intercept: float) -> Floats:
    """The score of each statement, as `models.support.assess` computes it."""
    chances = 1 / (1 + np.exp(-(counted.rows @ weights + intercept)))
    chances = chances * np.array([lowered(Features(*row)) for row in counted.rows.tolist()])
    return np.where(counted.verbatim, 1.0, chances[_best(counted, chances)])


def left_out(counted: Counted, names: Sequence[str]) -> Floats:
    """Scores of each set by weights from the others; of the sets that are never fitted, by weights from all."""
    found = scores(counted, *fit(counted, names))
    for name in names:
        alone = counted.sets == name
        found[alone] = scores(counted, *fit(counted, [each for each in names if each != name]))[alone]
    return found


Chosen = tuple[str, NDArray[np.bool_]]


def comparisons(counted: Counted) -> list[Chosen]:
    """What is compared: each set's supported statements against the rest, and two narrower pairs."""
    found: list[Chosen] = [(name, counted.sets == name) for name in dict.fromkeys(counted.sets.tolist())]
    stances = np.array([item["stance"] for item in counted.items])
    if "wice" in counted.sets:
        found.append(("wice: supported, not supported", (counted.sets == "wice") & (counted.labels != 0.5)))
    if "factcheck" in counted.sets:
        told = np.isin(stances, ["completely-support", "refute"])
        found.append(("factcheck: supported, refuted", (counted.sets == "factcheck") & told))
    return found


def ranking(counted: Counted, arms: Mapping[str, Floats]) -> list[dict[str, Any]]:
    """AUROC of every comparison and arm, with its interval, and the share of pairs in the right order."""
    table = []
    for name, inside in comparisons(counted):
        labels = counted.labels[inside].tolist()
        pairs = [item["pair"] for item, kept in zip(counted.items, inside, strict=True) if kept]
        for arm, values in arms.items():
            found = values[inside].tolist()
            table.append(
                {
                    "what": name,
                    "arm": arm,
                    "statements": len(labels),
                    "supported": sum(label >= 1 for label in labels),
                    "auroc": auroc(found, labels),
                    "interval": auroc_interval(found, labels),
                    "pairs": ordered_pairs(found, labels, pairs),
                    "target": TARGETS.get(name) if arm.startswith("score") else None,
                }
            )
    return table


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def thresholds(counted: Counted, values: Floats, names: Sequence[str]) -> list[dict[str, Any]]:
    """For each threshold: precision, recall, balanced accuracy and F0.5, each averaged over the sets."""
    by_set = [(values[counted.sets == name].tolist(), counted.labels[counted.sets == name].tolist()) for name in names]
    measures: dict[str, Callable[[list[float], list[float], float], float | None]] = {
        "precision": lambda found, labels, at: precision_recall_at(found, labels, at).precision,
        "recall": lambda found, labels, at: precision_recall_at(found, labels, at).recall,
        "balanced accuracy": balanced_accuracy_at,
        "F0.5": lambda found, labels, at: f_measure_at(found, labels, at, 0.5),
    }
    return [
        {"threshold": at, **{what: _mean([of(*each, at) for each in by_set]) for what, of in measures.items()}}
        for at in GRID
    ]


def picked(table: Sequence[Mapping[str, Any]]) -> float:
    """The lowest threshold with enough precision."""
    good = [row["threshold"] for row in table if (row["precision"] or 0) >= PRECISION]
    if not good:
        raise UsageError(f"no threshold reaches a precision of {PRECISION}; nothing is written")
    return float(min(good))


def qualities(counted: Counted, values: Floats, names: Sequence[str], threshold: float) -> tuple[SetQuality, ...]:
    """The figures of every set at the threshold."""

    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 4)

    found = []
    for name in names:
        inside = counted.sets == name
        scored, labels = values[inside].tolist(), counted.labels[inside].tolist()
        both = precision_recall_at(scored, labels, threshold)
        found.append(
            SetQuality(
                name=name,
                statements=len(labels),
                supported=sum(label >= 1 for label in labels),
                auroc=rounded(auroc(scored, labels)),
                calibration_error=rounded(calibration_error(scored, labels)),
                brier=rounded(brier(scored, labels)),
                precision=rounded(both.precision),
                recall=rounded(both.recall),
            )
        )
    return tuple(found)


def run(data: Path, refit: bool = False) -> dict[str, Any]:
    """Every figure; with `refit` the calibration file is written."""
    items = read_labelled(data)
    began = time.process_time()
    counted = count(items)
    seconds = time.process_time() - began
    everything = list(dict.fromkeys(counted.sets.tolist()))
    names = [name for name in everything if name not in UNFITTED]
    if len(names) < 2:
        raise UsageError(f"{data}: leaving one set out takes two sets; found {', '.join(everything)}")
    score = left_out(counted, names)
    weights, intercept = fit(counted, names)
    arms = {
        "word overlap": np.array([compare.coverage(each["statement"], each["evidence"]) for each in items]),
        "compare.support": np.array([compare.support(each["statement"], each["evidence"]) for each in items]),
        "score, set left out": score,
        "score, fitted on all": scores(counted, weights, intercept),
    }
    table = thresholds(counted, score, names)
    threshold = picked(table)
    calibrated = Calibration(
        intercept=round(intercept, 4),
        weights=dict(zip(Features._fields, (round(float(each), 4) + 0.0 for each in weights), strict=True)),
        threshold=threshold,
        criterion=f"lowest threshold, in steps of 0.05, at which the precision averaged over the sets is {PRECISION} or more",
        command=COMMAND,
        date=datetime.now(UTC).date().isoformat(),
        sets=qualities(counted, score, everything, threshold),
    )
    if refit:
        CALIBRATION.write_text(calibrated.dump(), encoding="utf-8")
    return {
        "ranking": ranking(counted, arms),
        "thresholds": table,
        "calibration": json.loads(calibrated.dump()),
        "milliseconds": 1_000 * seconds / len(items),
        "scores": [
            {"set": item["set"], "label": item["label"], "stance": item["stance"], "score": round(float(value), 4)}
            for item, value in zip(items, score, strict=True)
        ],
    }


def _told(value: float | None) -> str:
    return "    -" if value is None else f"{value:5.3f}"


def main() -> None:
    """Print the figures; with `--fit` write the calibration, with `--out` every statement's score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the judged sets")
    parser.add_argument("--fit", action="store_true", help="write models/support/calibration.json")
    parser.add_argument("--out", type=Path, default=None, help="folder for support.json")
    chosen = parser.parse_args()
    found = run(chosen.data, chosen.fit)
    for row in found["ranking"]:
        low, high = row["interval"] or (None, None)
        bound = "" if row["target"] is None else f"  (>= {row['target']:g})"
        missed = " !" if row["target"] and (row["auroc"] or 0) < row["target"] else ""
        pairs = "" if row["pairs"] is None else f"  pairs {row['pairs']:.3f}"
        print(
            f"{row['what']:<32} {row['supported']:4d} of {row['statements']:4d}  {row['arm']:<21} AUROC "
            f"{_told(row['auroc'])} [{_told(low)}, {_told(high)}]{pairs}{bound}{missed}"
        )
    print("\nthreshold  precision  recall  balanced accuracy  F0.5   (means over sets, set left out)")
    for row in found["thresholds"]:
        print(
            f"{row['threshold']:9.2f}  " + "  ".join(_told(value) for key, value in row.items() if key != "threshold")
        )
    told = found["calibration"]
    print(f"\nthreshold {told['threshold']}: {told['criterion']}")
    print(f"{'set':<12} statements supported  AUROC  ECE    Brier  precision  recall")
    for each in told["sets"]:
        figures = (each[key] for key in ("auroc", "calibration_error", "brier", "precision", "recall"))
        print(f"{each['name']:<12} {each['statements']:10d} {each['supported']:9d}  " + "  ".join(map(_told, figures)))
    print("intercept", told["intercept"], "weights", told["weights"])
    print(f"{found['milliseconds']:.1f} ms of one core a statement")
    if chosen.out:
        chosen.out.mkdir(parents=True, exist_ok=True)
        (chosen.out / "support.json").write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
