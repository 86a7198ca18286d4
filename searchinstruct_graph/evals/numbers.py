"""Numbers that judge a score: how well it ranks, how far it is a probability, what a threshold does. Numpy alone.

Everywhere `scores` and `labels` are sequences of equal length; a label is positive when it is 1 (or True), and every other
label is negative, so that 0.5 ("partly supported") counts as not supported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from searchinstruct_graph.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _arrays(scores: Sequence[float], labels: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    import numpy as np

    values, positive = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64) >= 1.0
    if values.ndim != 1 or values.shape != positive.shape:
        raise UsageError(f"{values.size} scores and {positive.size} labels; give one label for every score")
    if not np.isfinite(values).all():
        raise UsageError("a score is not a finite number; leave out what has no score")
    return values, positive


def auroc(scores: Sequence[float], labels: Sequence[float]) -> float | None:
    """Chance that a positive scores above a negative, ties counted half; None without both.

    The Mann-Whitney U over the number of pairs, by average ranks (Hanley & McNeil 1982).
    """
    import numpy as np

    values, positive = _arrays(scores, labels)
    many, few = int(positive.sum()), int((~positive).sum())
    if not many or not few:
        return None
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * few))


def brier(scores: Sequence[float], labels: Sequence[float]) -> float | None:
    """Mean squared distance of a probability from what happened, 0 to 1 (Brier 1950, two classes); None without scores."""
    values, positive = _arrays(scores, labels)
    return float(((values - positive) ** 2).mean()) if values.size else None


def calibration_error(scores: Sequence[float], labels: Sequence[float], bins: int = 10) -> float | None:
    """Expected calibration error, 0 to 1; None without scores.

    Over `bins` equal widths of [0, 1], the distance between mean score and share of positives, weighted by how many scores
    fall in (Naeini et al. 2015). A score of 1 belongs to the last bin.

    Raises:
        UsageError: a score is outside 0 to 1.
    """
    import numpy as np

    values, positive = _arrays(scores, labels)
    if not values.size:
        return None
    if values.min() < 0 or values.max() > 1:
        raise UsageError("a calibration error needs scores between 0 and 1")
    at = np.minimum((values * bins).astype(int), bins - 1)
    gap = np.bincount(at, weights=values - positive, minlength=bins)
    return float(np.abs(gap).sum() / values.size)


class PrecisionRecall(NamedTuple):
    """What a threshold accepts: shares of the accepted that are positive, and of the positives that are accepted."""

    precision: float | None
    """None when nothing is accepted."""
    recall: float | None
    """None when nothing is positive."""


def precision_recall_at(scores: Sequence[float], labels: Sequence[float], threshold: float) -> PrecisionRecall:
    """Precision and recall of accepting scores of at least `threshold` (van Rijsbergen 1979)."""
    values, positive = _arrays(scores, labels)
    accepted = values >= threshold
    right, taken, wanted = int((accepted & positive).sum()), int(accepted.sum()), int(positive.sum())
    return PrecisionRecall(right / taken if taken else None, right / wanted if wanted else None)


def balanced_accuracy_at(scores: Sequence[float], labels: Sequence[float], threshold: float) -> float | None:
    """Mean of the share of positives at or above `threshold` and of negatives below it (Brodersen et al. 2010).

    None without both kinds.
    """
    values, positive = _arrays(scores, labels)
    if positive.all() or not positive.any():
        return None
    accepted = values >= threshold
    return float((accepted[positive].mean() + (~accepted[~positive]).mean()) / 2)


def f_measure_at(scores: Sequence[float], labels: Sequence[float], threshold: float, beta: float = 1.0) -> float | None:
    """F-measure of accepting scores of at least `threshold`; `beta` below 1 weighs precision more. None without positives.

    (1 + b²) · P · R / (b² · P + R) (van Rijsbergen 1979); 0 when nothing positive is accepted.
    """
    precision, recall = precision_recall_at(scores, labels, threshold)
    if recall is None:
        return None
    if not precision:
        return 0.0
    weight = beta * beta
    return (1 + weight) * precision * recall / (weight * precision + recall)


class Interval(NamedTuple):
    """Where a figure would fall in another sample of the same kind."""

    low: float
    high: float


def auroc_interval(
    scores: Sequence[float], labels: Sequence[float], samples: int = 1_000, seed: int = 0, level: float = 0.95
) -> Interval | None:
    """The bootstrap's percentile interval of `auroc` (Efron 1979), positives and negatives drawn apart; None without both."""
    import numpy as np

    values, positive = _arrays(scores, labels)
    good, bad = values[positive], values[~positive]
    if not good.size or not bad.size:
        return None
    draw = np.random.default_rng(seed)
    labelled = np.concatenate([np.ones(good.size), np.zeros(bad.size)])
    found = []
    for _ in range(samples):
        drawn = np.concatenate([draw.choice(good, good.size), draw.choice(bad, bad.size)])
        found.append(auroc(drawn.tolist(), labelled.tolist()) or 0.0)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def ordered_pairs(scores: Sequence[float], labels: Sequence[float], pairs: Sequence[str]) -> float | None:
    """Share of pairs whose positive scores above its negative, ties counted half; None without a pair.

    `pairs` names the pair of each score; scores without a name are left out, and a name stands for every positive of it
    against every negative of it.
    """
    values, positive = _arrays(scores, labels)
    members: dict[str, list[int]] = {}
    for at, pair in enumerate(pairs):
        if pair:
            members.setdefault(pair, []).append(at)
    won = [
        float(values[one] > values[other]) + float(values[one] == values[other]) / 2
        for found in members.values()
        for one in found
        if positive[one]
        for other in found
        if not positive[other]
    ]
    return sum(won) / len(won) if won else None
