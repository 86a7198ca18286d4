"""The bandit over clusters: the score's golden values, exploring, retiring, sharing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.selection.bandit import Bandit, Values


def rewards(*distances: float) -> Values:
    return -np.array(distances)


def test_score_of_the_published_example() -> None:
    bandit = Bandit([10, 10], pulls=[3, 1], alpha=0.2)
    assert_allclose(bandit.scores(rewards(0.40, 0.45)), [-0.2077, -0.1170], atol=5e-5)
    assert bandit.choose(rewards(0.40, 0.45)) == 1


@pytest.mark.parametrize("alpha", ["paper", "spread", 0.0, 0.2, 3.0])
def test_of_two_pulled_equally_often_the_nearer_is_chosen(alpha: str | float) -> None:
    bandit = Bandit([10, 10], pulls=[4, 4], alpha=alpha)
    assert bandit.choose(rewards(0.5, 0.4)) == 1
    assert bandit.choose(rewards(0.4, 0.5)) == 0


def test_paper_weight_decays_with_the_pulls() -> None:
    bandit = Bandit([10, 10], pulls=[3, 1], alpha="paper")
    bonus = math.sqrt(2 * math.log(4))
    assert_allclose(bandit.scores(np.zeros(2)), [bonus / math.sqrt(3) / 5, bonus / 5])


def test_spread_weight_follows_the_rewards_still_in_the_race() -> None:
    values = np.array([0.0, 1.0, 100.0])
    bandit = Bandit([10, 10, 0], pulls=[1, 1, 2], alpha="spread")
    bonus = math.sqrt(2 * math.log(4))
    assert_allclose(bandit.scores(values)[:2], values[:2] + 0.5 * 0.5 * bonus)
    scaled = Bandit([10, 10, 0], pulls=[1, 1, 2], alpha="spread")
    assert_allclose(scaled.scores(10 * values)[:2], 10 * bandit.scores(values)[:2])


def test_a_number_weighs_as_it_says() -> None:
    low, high = (Bandit([5, 5], pulls=[9, 1], alpha=alpha) for alpha in (0.01, 1.0))
    assert low.choose(rewards(0.2, 0.6)) == 0
    assert high.choose(rewards(0.2, 0.6)) == 1


@pytest.mark.parametrize("alpha", ["paper", "spread", 0.0, 1.0])
def test_untried_arms_come_before_any_third_pull(alpha: str | float) -> None:
    bandit = Bandit([50] * 6, pulls=[1, 0, 1, 0, 0, 0], alpha=alpha)
    values = np.array([0.9, 0.0, 0.1, 0.2, 0.2, 0.1])
    order = []
    for _ in range(4):
        arm = bandit.choose(values)
        assert arm is not None
        bandit.issue(arm, 1)
        order.append(arm)
    assert sorted(order) == [1, 3, 4, 5]
    assert order[:2] == [3, 4]


def test_unknown_arms_are_tried_thrice_before_a_third_pull() -> None:
    bandit = Bandit([50] * 4, alpha=0.0)
    values, unknown = np.array([0.5, 0.9, 0.5, 0.5]), np.array([True, False, False, True])
    order = []
    for _ in range(12):
        arm = bandit.choose(values, unknown)
        assert arm is not None
        bandit.issue(arm, 1)
        order.append(arm)
    assert order == [1, 0, 2, 3, 1, 0, 3, 0, 3, 1, 1, 1]


def test_a_pull_counts_when_it_is_issued() -> None:
    bandit = Bandit([10, 10, 10], pulls=[1, 1, 1], alpha=1.0)
    values = np.zeros(3)
    order = []
    for _ in range(6):
        arm = bandit.choose(values)
        assert arm is not None
        order.append(arm)
        bandit.issue(arm, 2)
    assert order == [0, 1, 2, 0, 1, 2]
    assert bandit.pulls.tolist() == [3, 3, 3]
    assert bandit.left.tolist() == [6, 6, 6]


def test_where_all_are_equal_they_take_turns() -> None:
    bandit = Bandit([9, 9, 9], pulls=[1, 1, 1])
    order = []
    for _ in range(5):
        arm = bandit.choose(np.zeros(3))
        assert arm is not None
        bandit.issue(arm, 1)
        order.append(arm)
    assert order == [0, 1, 2, 0, 1]


def test_an_arm_without_documents_leaves_the_race() -> None:
    bandit = Bandit([2, 4], pulls=[1, 1], alpha=0.0)
    bandit.issue(0, 2)
    assert bandit.choose(np.array([1.0, 0.0])) == 1
    bandit.issue(1, 4)
    assert bandit.choose(np.array([1.0, 0.0])) is None


def test_neighbours_are_counted_together() -> None:
    near = np.array([[True, True, False], [True, True, False], [False, False, True]])
    bandit = Bandit([5, 5, 5], neighbours=near)
    bandit.issue(0, 2)
    assert bandit.pulls.tolist() == [1, 1, 0]
    assert bandit.left.tolist() == [3, 5, 5]


@pytest.mark.parametrize("alpha", ["often", "", -1.0, math.nan, math.inf])
def test_a_weight_that_means_nothing_is_refused(alpha: str | float) -> None:
    with pytest.raises(UsageError, match="alpha"):
        Bandit([1], alpha=alpha)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5), st.floats(-2, 1)), min_size=1, max_size=12),
    st.sampled_from(["paper", "spread", 0.0, 0.7]),
)
def test_the_chosen_arm_has_the_highest_score_and_something_to_read(
    arms: list[tuple[int, int, float]], alpha: str | float
) -> None:
    left, pulls, values = (np.array(column, dtype=np.float64) for column in zip(*arms, strict=True))
    bandit = Bandit(left.astype(int).tolist(), pulls=pulls, alpha=alpha)
    chosen = bandit.choose(values)
    scores = bandit.scores(values)
    assert not np.isnan(scores).any()
    if chosen is None:
        assert not left.any()
        return
    assert left[chosen] > 0
    assert scores[chosen] == scores.max()
    if np.any((pulls == 0) & (left > 0)):
        assert pulls[chosen] == 0
