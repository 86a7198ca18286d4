"""Ranking, calibration and thresholds against slow, obvious references."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.errors import UsageError
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

SCORES = [0.9, 0.8, 0.8, 0.4, 0.3, 0.1]
LABELS = [1.0, 1.0, 0.0, 0.5, 1.0, 0.0]


def every_pair(scores: Sequence[float], labels: Sequence[float]) -> float:
    good = [score for score, label in zip(scores, labels, strict=True) if label >= 1]
    bad = [score for score, label in zip(scores, labels, strict=True) if label < 1]
    return sum((one > other) + (one == other) / 2 for one in good for other in bad) / (len(good) * len(bad))


def test_auroc_counts_ties_half_and_partly_as_not() -> None:
    assert auroc(SCORES, LABELS) == pytest.approx(every_pair(SCORES, LABELS)) == pytest.approx(6.5 / 9)
    assert auroc([0.5, 0.5, 0.5], [1, 0, 0]) == 0.5
    assert auroc([1.0, 0.0], [1, 0]) == 1.0
    assert auroc([1.0, 0.0], [0, 1]) == 0.0


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.booleans()), min_size=2, max_size=30))
def test_auroc_is_the_share_of_pairs(drawn: list[tuple[float, bool]]) -> None:
    scores, labels = [score for score, _ in drawn], [float(label) for _, label in drawn]
    found = auroc(scores, labels)
    if len(set(labels)) < 2:
        assert found is None
    else:
        assert found == pytest.approx(every_pair(scores, labels))


def test_what_needs_both_kinds_is_none_without_them() -> None:
    assert auroc([0.1, 0.2], [1, 1]) is None
    assert balanced_accuracy_at([0.1, 0.2], [0, 0], 0.5) is None
    assert auroc_interval([0.1], [1]) is None
    assert (brier([], []), calibration_error([], [])) == (None, None)
    assert f_measure_at([0.3], [0], 0.5) is None


def test_brier_and_calibration_error() -> None:
    assert brier([1.0, 0.0, 0.6], [1, 0, 0]) == pytest.approx(0.36 / 3)
    # Bins of 0.1: [0.05, 0.05] has mean 0.05 and no positive; [0.95, 1.0] mean 0.975 and one of two.
    assert calibration_error([0.05, 0.05, 0.95, 1.0], [0, 0, 1, 0]) == pytest.approx((0.05 + 0.475) / 2)
    assert calibration_error([0.25, 0.25, 0.25, 0.25], [1, 0, 0, 0]) == pytest.approx(0.0)
    assert calibration_error([0.2, 0.4], [0, 1], bins=1) == pytest.approx(0.2)
    with pytest.raises(UsageError, match="between 0 and 1"):
        calibration_error([1.5], [1])


def test_a_threshold_accepts_from_its_own_value_on() -> None:
    assert precision_recall_at(SCORES, LABELS, 0.8) == pytest.approx((2 / 3, 2 / 3))
    assert precision_recall_at(SCORES, LABELS, 0.95) == (None, 0.0)
    assert precision_recall_at([0.5], [0], 0.4) == (0.0, None)
    assert balanced_accuracy_at(SCORES, LABELS, 0.8) == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert f_measure_at([0.9, 0.9, 0.1], [1, 0, 1], 0.5) == pytest.approx(0.5)
    assert f_measure_at([0.9, 0.1, 0.1, 0.1], [1, 1, 1, 1], 0.5, beta=0.5) == pytest.approx(1.25 * 0.25 / (0.25 + 0.25))
    assert f_measure_at(SCORES, LABELS, 0.95) == 0.0


def test_pairs_are_compared_within_themselves() -> None:
    scores, labels = [0.9, 0.2, 0.4, 0.4, 0.1, 0.8, 0.0], [1, 0, 1, 0, 1, 0, 1]
    assert ordered_pairs(scores, labels, ["a", "a", "b", "b", "c", "c", ""]) == pytest.approx(1.5 / 3)
    assert ordered_pairs(scores, labels, [""] * 7) is None


def test_the_interval_holds_the_figure_and_is_the_same_every_time() -> None:
    scores = [math.sin(number) + number / 20 for number in range(40)]
    labels = [float(number % 3 == 0 or number > 30) for number in range(40)]
    found, again = auroc_interval(scores, labels, samples=200), auroc_interval(scores, labels, samples=200)
    value = auroc(scores, labels)
    assert found is not None
    assert value is not None
    assert found == again
    assert found.low < value < found.high


@pytest.mark.parametrize(("scores", "labels"), [([0.1], [1, 0]), ([float("nan")], [1]), ([float("inf")], [0])])
def test_what_cannot_be_compared_is_refused(scores: list[float], labels: list[float]) -> None:
    with pytest.raises(UsageError):
        auroc(scores, labels)
