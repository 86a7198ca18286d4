"""Rewards of pairs, and what is expected of clusters whose pairs are few."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.selection.rewards import (
    EPSILON,
    KEPT,
    LEAST_PAIRS,
    REWARDS,
    Cells,
    Coverage,
    Estimates,
    Matrix,
    Points,
    Reward,
    Similarity,
    Transport,
    reward_of,
)
from searchinstruct_graph.selection.transport import transport_distance

DRAW = np.random.default_rng


def unit(rows: object) -> Matrix:
    vectors = np.asarray(rows, dtype=np.float64)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), dtype=np.float32)


def around(centre: int, count: int, seed: int, noise: float = 0.5) -> Matrix:
    """`count` unit vectors around an axis of 16 dimensions."""
    rows = DRAW(seed).normal(scale=noise / 4, size=(count, 16))
    rows[:, centre] += 1
    return unit(rows)


def at_angle(*cosines: float) -> Matrix:
    """Vectors whose cosines to (1, 0) are given."""
    return unit(np.array([[c, np.sqrt(1 - c * c)] for c in cosines]).reshape(-1, 2))


def nowhere(count: int) -> Cells:
    return np.full(count, -1, dtype=np.int64)


def points(vectors: Matrix, cells: Cells | None = None) -> Points:
    return Points(vectors, nowhere(len(vectors)) if cells is None else cells)


AXIS = at_angle(1.0)


class TestTransport:
    def test_is_the_negative_distance(self) -> None:
        target, pairs = around(0, 20, 1), around(1, 12, 2)
        assert Transport(target)(pairs, nowhere(12), DRAW(0)) == pytest.approx(-transport_distance(pairs, target))

    def test_nearer_pairs_are_worth_more(self) -> None:
        reward = Transport(around(0, 40, 1))
        near, far = (reward(around(centre, 40, 5), nowhere(40), DRAW(0)) for centre in (0, 3))
        assert near is not None
        assert far is not None
        assert near > far + 0.3

    def test_few_pairs_are_not_believed(self) -> None:
        reward = Transport(around(0, 10, 1))
        assert reward(around(0, 4, 2), nowhere(4), DRAW(0)) is None
        assert reward(around(0, 5, 2), nowhere(5), DRAW(0)) is not None
        assert Transport(around(0, 10, 1), least=1)(around(0, 0, 2), nowhere(0), DRAW(0)) is None

    @pytest.mark.parametrize("debiased", [False, True])
    def test_many_pairs_do_not_look_better_than_few(self, debiased: bool) -> None:
        reward = Transport(around(0, 60, 1), draws=20, debiased=debiased)
        few = [reward(around(2, 32, seed), nowhere(32), DRAW(seed)) for seed in range(10, 30)]
        many = [reward(around(2, 400, seed), nowhere(400), DRAW(seed)) for seed in range(40, 50)]
        whole = -transport_distance(around(2, 400, 40), around(0, 60, 1))
        mean_few, mean_many = np.mean(np.array(few, float)), np.mean(np.array(many, float))
        assert mean_many == pytest.approx(mean_few, abs=0.004)
        if not debiased:
            # What equal sizes are for: the whole set is nearer only because it is larger.
            assert whole > mean_few + 0.004

    def test_the_divergence_is_the_one_of_transport_distance(self) -> None:
        pairs, target = around(1, 20, 2), around(0, 40, 1)
        expected = -transport_distance(pairs, target, debiased=True, epsilon=EPSILON)
        assert Transport(target, debiased=True)(pairs, nowhere(20), DRAW(0)) == pytest.approx(expected)
        assert Transport(target, debiased=True)(target[:20], nowhere(20), DRAW(0)) == pytest.approx(0, abs=0.02)

    def test_the_same_draw_gives_the_same_number(self) -> None:
        reward, pairs = Transport(around(0, 40, 1)), around(1, 100, 2)
        assert reward(pairs, nowhere(100), DRAW(7)) == reward(pairs, nowhere(100), DRAW(7))

    def test_a_large_target_is_represented(self) -> None:
        assert len(Transport(around(0, 2_000, 1)).target) == 256


class TestSimilarity:
    def test_is_the_mean_cosine_to_the_centroid(self) -> None:
        reward = Similarity(AXIS)
        assert reward(at_angle(1.0, 0.5, 0.0), nowhere(3), DRAW(0)) == pytest.approx(0.5)
        assert reward(at_angle(), nowhere(0), DRAW(0)) is None

    def test_a_target_without_a_direction_is_worth_nothing(self) -> None:
        assert Similarity(unit([[1, 0], [-1, 0]]))(AXIS, nowhere(1), DRAW(0)) == 0.0


class TestCoverage:
    def test_is_the_mean_of_the_holes_left(self) -> None:
        reward = Coverage(np.array([10.0, 5.0, 0.0]))
        assert reward(AXIS, np.array([0, 1, 2, -1]), DRAW(0)) == pytest.approx((1 + 0.5 + 0 + 0) / 4)

    def test_holes_fill_and_never_below_zero(self) -> None:
        reward = Coverage(np.array([4.0, 1.0]))
        assert reward.landed(np.array([0, 0, 1, 1, -1]))
        assert reward.left.tolist() == [2.0, 0.0]
        assert reward(AXIS, np.array([0]), DRAW(0)) == pytest.approx(0.5)
        assert not reward.landed(np.array([-1]))

    def test_no_holes_at_all(self) -> None:
        assert Coverage(np.zeros(3))(AXIS, np.array([1]), DRAW(0)) == 0.0
        assert Coverage(np.zeros(0))(AXIS, np.array([-1]), DRAW(0)) == 0.0

    def test_what_was_handed_in_is_not_changed(self) -> None:
        holes = np.array([3.0])
        Coverage(holes).landed(np.array([0]))
        assert holes.tolist() == [3.0]


class TestByName:
    @pytest.mark.parametrize("name", REWARDS)
    @pytest.mark.parametrize("least", [1, LEAST_PAIRS])
    def test_is_the_reward_of_that_name(self, name: str, least: int) -> None:
        target, pairs, cells = around(0, 20, 1), around(1, 8, 2), np.array([0, 1, 1, -1, 0, 0, 1, 1])
        reward = reward_of(name, target, np.array([4.0, 2.0]), least)
        expected = {
            "transport": -transport_distance(pairs, target),
            "divergence": -transport_distance(pairs, target, debiased=True, epsilon=EPSILON),
            "similarity": float((pairs @ unit(target.mean(axis=0))).mean()),
            "coverage": (3 * 4 + 4 * 2) / (8 * 4),
        }[name]
        assert reward(pairs, cells, DRAW(0)) == pytest.approx(expected, abs=1e-6)
        assert reward(pairs[:least], cells[:least], DRAW(0)) is not None
        assert reward(pairs[: least - 1], cells[: least - 1], DRAW(0)) is None

    def test_five_pairs_are_the_fewest_that_are_believed(self) -> None:
        for name in REWARDS:
            reward = reward_of(name, around(0, 20, 1), np.ones(1))
            assert reward(around(0, 4, 2), np.zeros(4, np.int64), DRAW(0)) is None
            assert reward(around(0, 5, 2), np.zeros(5, np.int64), DRAW(0)) is not None

    def test_what_cannot_be_made_is_refused(self) -> None:
        with pytest.raises(UsageError, match="reward is 'price': give one of 'transport', "):
            reward_of("price", AXIS)
        with pytest.raises(UsageError, match="needs holes"):
            reward_of("coverage", AXIS)


def estimates(reward: Reward, sizes: list[int], stand_ins: list[Matrix] | None = None, **more: object) -> Estimates:
    ins = None if stand_ins is None else [points(vectors) for vectors in stand_ins]
    return Estimates(reward, sizes, ins, wide=2, **more)  # type: ignore[arg-type]


class TestMeanPrior:
    def test_an_unknown_arm_is_worth_the_mean_of_the_known(self) -> None:
        held = estimates(Similarity(AXIS), [5, 5, 5])
        assert held.values().tolist() == [0, 0, 0]
        held.land(0, points(at_angle(0.8)), 1, 0)
        held.land(2, points(at_angle(0.2, 0.2)), 1, 0)
        assert_allclose(held.values(), [0.8, 0.5, 0.2], atol=1e-6)
        assert held.known().tolist() == [True, False, True]

    def test_the_reward_is_that_of_all_pairs_of_the_arm(self) -> None:
        held = estimates(Similarity(AXIS), [5])
        assert held.land(0, points(at_angle(0.9)), 1, 0) == pytest.approx(0.9)
        assert held.land(0, points(at_angle(0.1, 0.2)), 1, 0) == pytest.approx(0.4)

    def test_the_latest_pairs_are_kept(self) -> None:
        held = estimates(Similarity(AXIS), [5])
        held.land(0, points(at_angle(0.9)), 1, 0)
        assert held.land(0, points(at_angle(*[0.3] * KEPT)), 1, 0) == pytest.approx(0.3)
        assert held.records[0].extracted == KEPT + 1


class TestDocumentPrior:
    def test_documents_speak_where_no_pair_does(self) -> None:
        held = estimates(Similarity(AXIS), [5, 5], [at_angle(0.7, 0.5), at_angle(0.2)])
        assert_allclose(held.values(), [0.6, 0.2], atol=1e-6)

    def test_what_all_arms_have_in_common_moves_the_untried_too(self) -> None:
        held = estimates(Similarity(AXIS), [5, 5], [at_angle(0.7), at_angle(0.2)], weight=8.0)
        held.land(0, points(at_angle(*[0.5] * 4)), 2, 0)
        # Pairs fall 0.2 short of their documents in the only arm that is known: so they will in the other.
        assert_allclose(held.values(), [0.5, 0.0], atol=1e-6)

    def test_pairs_outweigh_the_documents_as_they_come(self) -> None:
        seen = []
        for count in (2, 8, 64):
            held = estimates(Similarity(AXIS), [50, 50], [at_angle(0.5), at_angle(0.5)], weight=8.0)
            held.land(0, points(at_angle(*[0.9] * count)), 4, 0)
            held.land(1, points(at_angle(*[0.5] * count)), 4, 0)
            expected = 0.5 + (8 * 0.2 + count * np.array([0.4, 0.0])) / (8 + count)
            assert_allclose(held.values(), expected, atol=1e-6)
            seen.append(held.values()[0] - held.values()[1])
        assert seen == sorted(seen)

    def test_sets_of_one_size_are_compared(self) -> None:
        """Pairs just like the documents say nothing new, though their distance is larger for being fewer."""
        ins = [points(around(2, 32, 3)), points(around(3, 32, 4))]
        held = Estimates(Transport(around(0, 60, 1), least=1), [99, 99], ins, wide=16, weight=8.0)
        before = held.values()
        held.land(0, points(ins[0].vectors[:3]), 3, 0)
        assert_allclose(held.values(), before, atol=1e-6)

    def test_an_arm_without_stand_ins_is_worth_the_mean(self) -> None:
        held = estimates(Similarity(AXIS), [5, 0, 5], [at_angle(0.6), at_angle(), at_angle(0.2)])
        assert_allclose(held.values(), [0.6, 0.4, 0.2], atol=1e-6)


class TestYield:
    def test_empty_documents_take_from_an_advantage(self) -> None:
        held = estimates(Similarity(AXIS), [10, 10, 10])
        held.land(0, points(at_angle(0.8, 0.8)), 4, 0)
        held.land(1, points(at_angle(0.8, 0.8)), 12, 8)
        held.land(2, points(at_angle(0.2)), 4, 2)
        weight, overall = Estimates.YIELD_WEIGHT, 0.5
        # The first gives more pairs than the pool, and gains nothing by it.
        shares = np.array([1, (4 + weight * overall) / (12 + weight) / overall, 1])
        assert shares[1] < 1
        assert_allclose(held.values(), 0.2 + shares * np.array([0.6, 0.6, 0.0]), atol=1e-6)

    def test_a_pull_without_pairs_is_learnt_from(self) -> None:
        held = estimates(Similarity(AXIS), [10, 10], [at_angle(0.8), at_angle(0.2)])
        held.land(1, points(at_angle(0.2)), 1, 0)
        before = held.values()
        assert held.land(0, points(at_angle()), 6, 6) is None
        after = held.values()
        assert before[0] == pytest.approx(0.8)
        # Its share of documents with pairs is none of six, and the pool's for as many as the weight.
        assert after[0] == pytest.approx(0.2 + 0.6 * Estimates.YIELD_WEIGHT / (6 + Estimates.YIELD_WEIGHT))
        assert after[1] == pytest.approx(before[1])

    def test_nothing_is_taken_while_no_document_gave_a_pair(self) -> None:
        held = estimates(Similarity(AXIS), [10, 10], [at_angle(0.8), at_angle(0.2)])
        held.land(0, points(at_angle()), 6, 6)
        assert_allclose(held.values(), [0.8, 0.2], atol=1e-6)


class TestSharing:
    near = np.array([[True, True, False], [True, True, False], [False, False, True]])

    def test_neighbours_receive_the_reward(self) -> None:
        held = estimates(Similarity(AXIS), [5, 5, 5], neighbours=self.near)
        held.land(0, points(at_angle(0.8)), 1, 0)
        assert held.known().tolist() == [True, True, False]
        assert_allclose(held.values(), [0.8, 0.8, 0.8], atol=1e-6)
        held.land(1, points(at_angle(0.4)), 1, 0)
        held.land(2, points(at_angle(0.1)), 1, 0)
        assert_allclose(held.values(), [0.6, 0.6, 0.1], atol=1e-6)


class TestMovingRewards:
    def test_every_arm_is_measured_anew_as_holes_fill(self) -> None:
        held = estimates(Coverage(np.array([2.0, 2.0])), [5, 5])
        held.land(0, points(AXIS, np.array([0])), 1, 0)
        assert held.values()[0] == pytest.approx(0.5)
        held.land(1, points(np.repeat(AXIS, 2, axis=0), np.array([0, 1])), 1, 0)
        assert [record.seen for record in held.records] == [0.0, 0.25]
