"""The weights of the support score and its threshold, with where they come from: `calibration.json` beside this file.

`python -m benchmarks.support --data FOLDER --fit` writes it from published sets of judged statements.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from searchinstruct_graph.models.support.features import FOR, Features
from searchinstruct_graph.text.compare import ENOUGH

CALIBRATION = Path(__file__).with_name("calibration.json")


@dataclass(frozen=True, slots=True)
class SetQuality:
    """How the score did on one set while the weights were fitted on the others (leave one set out)."""

    name: str
    statements: int
    supported: int
    auroc: float | None
    calibration_error: float | None
    brier: float | None
    precision: float | None
    """At the threshold; None when nothing was accepted."""
    recall: float | None
    """At the threshold."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic model: the probability is 1 / (1 + exp(-(intercept + Σ weight · feature)))."""

    intercept: float
    weights: dict[str, float]
    """By the names of `features.Features`: at least 0 for those that speak for a statement, at most 0 for the others."""
    threshold: float
    """Probability from which a statement counts as supported."""
    criterion: str
    """How the threshold was picked."""
    command: str
    date: str
    sets: tuple[SetQuality, ...]

    def __post_init__(self) -> None:
        wrong = [
            name
            for name, weight in self.weights.items()
            if (weight < 0 and name in FOR) or (weight > 0 and name not in FOR)
        ]
        if set(self.weights) != set(Features._fields) or wrong:
            raise ValueError(
                f"a calibration needs a weight for each of {Features._fields}, of the right sign; {wrong=}"
            )

    def support(self, probability: float) -> float:
        """A probability on the scale of the graph's judges: linear from 0 to `ENOUGH` at the threshold, and from there to 1.

        One setting, `min_support`, then holds for this score and for a language model's judgement, although one is never right
        for both as they stand.
        """
        if probability < self.threshold:
            return ENOUGH * probability / self.threshold
        return ENOUGH + (1 - ENOUGH) * (probability - self.threshold) / (1 - self.threshold)

    def dump(self) -> str:
        """As `calibration.json` holds it."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"


def read_calibration(text: str) -> Calibration:
    """A calibration from its JSON."""
    data: dict[str, Any] = json.loads(text)
    return Calibration(**{**data, "sets": tuple(SetQuality(**each) for each in data["sets"])})


@lru_cache(maxsize=1)
def calibration() -> Calibration:
    """The calibration that this version ships, read once."""
    return read_calibration(CALIBRATION.read_text(encoding="utf-8"))
