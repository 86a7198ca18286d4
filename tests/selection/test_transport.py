from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.optimize import linprog

from searchinstruct_graph.selection.transport import (
    EPSILON,
    EXACT_CELLS,
    MARGINAL_ERROR,
    _pot,
    cosine_costs,
    exact,
    representatives,
    sinkhorn,
    transport_distance,
)

E1, E2, E3 = np.eye(3)
Matrix = NDArray[np.float64]


def unit(rows: Any) -> Matrix:
    made: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return made


def drawn(count: int, seed: int, width: int = 16, lean: float = 1.0) -> Matrix:
    """Directions that lean to one side, so that their cosines are those of texts about one thing."""
    return unit(np.random.default_rng(seed).normal(size=(count, width)) + lean)


def slow(costs: Matrix) -> float:
    """The linear program as it is written in a book."""
    rows, columns = costs.shape
    conditions = [np.kron(np.eye(rows)[k], np.ones(columns)) for k in range(rows)]
    conditions += [np.kron(np.ones(rows), np.eye(columns)[k]) for k in range(columns)]
    mass = [1 / rows] * rows + [1 / columns] * columns
    return float(linprog(costs.ravel(), A_eq=np.array(conditions), b_eq=mass).fun)


def sets(least: int = 1, most: int = 6) -> st.SearchStrategy[Matrix]:
    numbers = st.integers(-8, 8).map(float)
    return st.integers(least, most).flatmap(lambda count: arrays(np.float64, (count, 3), elements=numbers))


@pytest.mark.parametrize("debiased", [False, True])
@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ([E1], [E1], 0.0),
        ([E1, E2, E3], [E3, E1, E2], 0.0),
        ([E1], [E2], 1.0),
        ([E1], [-E1], 2.0),
        ([E1, E1], [E2, E3], 1.0),
    ],
)
def test_distances_known_by_hand(a: Any, b: Any, distance: float, debiased: bool) -> None:
    if debiased and b == [E2, E3]:
        # Half of what parts e2 from e3 is taken off.
        distance = 1 - 0.5 * sinkhorn(cosine_costs(b, b)).dual
    assert transport_distance(a, b, debiased=debiased) == pytest.approx(distance, abs=1e-6)


def test_half_of_the_mass_stays_where_it_is() -> None:
    assert transport_distance([E1, E1], [E1, E2]) == pytest.approx(0.5)


def test_unequal_counts_split_the_mass() -> None:
    # A third stays on e1; the other two thirds of b move by 1.
    assert transport_distance([E1], [E1, E2, E3]) == pytest.approx(2 / 3)
    # Of each half of a, e1 keeps a third and gives a sixth to e3; e2 the same.
    assert transport_distance([E1, E2], [E1, E2, E3]) == pytest.approx(1 / 3)


def test_a_zero_row_costs_one_everywhere() -> None:
    assert cosine_costs([[0.0, 0.0, 0.0]], [E1, -E1, np.zeros(3)]).tolist() == [[1.0, 1.0, 1.0]]
    assert transport_distance([E1, np.zeros(3)], [E1, np.zeros(3)]) == pytest.approx(0.5)
    assert transport_distance([E1, np.zeros(3)], [E1, np.zeros(3)], debiased=True) == 0.0


def test_costs_know_no_length_and_no_rounding() -> None:
    rows = drawn(50, 1, 256).astype(np.float32)
    assert np.abs(np.diagonal(cosine_costs(rows, rows))).max() < 1e-12
    assert np.allclose(cosine_costs(rows * 7, rows[:9] * 0.01), cosine_costs(rows, rows[:9]))
    assert cosine_costs(rows, rows[:9]).shape == (50, 9)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 5), (4, 4), (3, 7), (6, 2)])
def test_both_solvers_agree_with_the_linear_program(rows: int, columns: int) -> None:
    for seed in range(5):
        costs = cosine_costs(drawn(rows, seed, 4), drawn(columns, seed + 50, 4))
        wanted = slow(costs)
        assert exact(costs) == pytest.approx(wanted, abs=1e-9)
        assert sinkhorn(costs, 0.005, 20_000, 1e-6).cost == pytest.approx(wanted, abs=1e-2)


def test_exact_is_the_best_assignment() -> None:
    costs = cosine_costs(drawn(5, 3), drawn(5, 4))
    best = min(sum(costs[k, to] for k, to in enumerate(order)) for order in itertools.permutations(range(5))) / 5
    assert exact(costs) == pytest.approx(best)


def test_sinkhorn_finds_the_plan_of_the_log_domain() -> None:
    costs = cosine_costs(drawn(40, 5), drawn(70, 6))
    ours = sinkhorn(costs, marginal_error=1e-10)
    theirs = _pot().bregman.sinkhorn_log(np.full(40, 1 / 40), np.full(70, 1 / 70), costs, EPSILON, 5_000, 1e-12)
    assert np.allclose(ours.mass, theirs, atol=1e-9)


@pytest.mark.parametrize("epsilon", [1.0, EPSILON, 1e-3, 1e-4])
def test_a_plan_keeps_its_margins_at_any_entropy(epsilon: float) -> None:
    costs = cosine_costs(drawn(30, 7), -drawn(45, 8))
    plan = sinkhorn(costs, epsilon, 200_000)
    assert np.isfinite(plan.mass).all()
    assert plan.mass.min() >= 0
    assert np.allclose(plan.mass.sum(axis=0), 1 / 45)
    assert np.abs(plan.mass.sum(axis=1) - 1 / 30).sum() < MARGINAL_ERROR
    ratio = np.where(plan.mass > 0, plan.mass * 30 * 45, 1.0)
    assert plan.dual == pytest.approx(plan.cost + epsilon * (plan.mass * np.log(ratio)).sum(), abs=1e-3)


def test_sinkhorn_lies_above_the_exact_distance_by_no_more_than_its_entropy() -> None:
    for seed in range(5):
        costs = cosine_costs(drawn(20, seed), drawn(33, seed + 9, lean=0.5))
        assert 0 <= sinkhorn(costs).cost - exact(costs) <= EPSILON * np.log(20)


def test_large_sets_are_solved_with_entropy_and_stay_near() -> None:
    a, b = drawn(256, 1, 32), drawn(257, 2, 32, lean=0.6)
    costs = cosine_costs(a, b)
    assert costs.size > EXACT_CELLS
    assert transport_distance(a, b) == sinkhorn(costs).cost
    assert transport_distance(a[:255], b) == exact(costs[:255])
    assert exact(costs) < transport_distance(a, b) < exact(costs) + 0.1


def test_only_much_entropy_takes_out_some_of_the_bias_of_few_vectors() -> None:
    target = drawn(200, 1, 64)

    def drift(**options: Any) -> float:
        few, many = (
            np.mean([transport_distance(drawn(count, seed, 64), target, **options) for seed in range(10, 20)])
            for count in (32, 100)
        )
        return float(few - many)

    biased = drift()
    assert biased > 0.01
    assert drift(debiased=True) > biased
    assert 0 < drift(debiased=True, epsilon=0.5) < 0.6 * biased


@pytest.mark.parametrize("debiased", [False, True])
def test_of_equal_sizes_the_nearer_kind_is_nearer(debiased: bool) -> None:
    target = drawn(100, 1, 64)
    same, other, opposite = (
        transport_distance(drawn(32, 2, 64, lean=lean), target, debiased=debiased) for lean in (1.0, 0.5, -1.0)
    )
    assert same < other < opposite


@settings(deadline=None)
@given(sets(), sets(), st.randoms(use_true_random=False), st.booleans())
def test_properties(a: Matrix, b: Matrix, mixed: Any, debiased: bool) -> None:
    # The divergence stops at a small error on the margins.
    slack = 2e-3 if debiased else 1e-9
    found = transport_distance(a, b, debiased=debiased)
    assert 0 <= found <= 2
    assert transport_distance(b, a, debiased=debiased) == pytest.approx(found, abs=slack)
    order = list(range(len(a)))
    mixed.shuffle(order)
    assert transport_distance(a[order], b, debiased=debiased) == pytest.approx(found, abs=slack)
    assert transport_distance(np.tile(a, (2, 1)), b, debiased=debiased) == pytest.approx(found, abs=slack)
    assert transport_distance(np.tile(a, (3, 1)), np.tile(b, (2, 1)), debiased=debiased) == pytest.approx(
        found, abs=slack
    )


@settings(deadline=None)
@given(sets(), sets())
def test_the_distance_lies_between_that_of_the_means_and_that_of_chance(a: Matrix, b: Matrix) -> None:
    assume(np.any(a, axis=1).all() and np.any(b, axis=1).all())
    found = transport_distance(a, b)
    assert found <= cosine_costs(a, b).mean() + 1e-9
    # 1 - cos is half the squared distance of unit vectors, and the mean is a convex map of them.
    apart = unit(a).mean(axis=0) - unit(b).mean(axis=0)
    assert found >= apart @ apart / 2 - 1e-9


@settings(deadline=None)
@given(sets())
def test_a_set_is_no_distance_from_itself(a: Matrix) -> None:
    assert transport_distance(a, a, debiased=True) == pytest.approx(0, abs=1e-9)
    assume(np.any(a, axis=1).all())
    assert transport_distance(a, a) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("a", "what"),
    [
        (np.zeros((0, 3)), "at least one row"),
        (np.zeros((3, 0)), "at least one row"),
        (np.zeros(3), "at least one row"),
        ([[1.0, float("nan"), 0.0]], "not finite"),
        ([[1.0, float("inf"), 0.0]], "not finite"),
        ([[1.0, 0.0]], "cannot be compared"),
    ],
)
@pytest.mark.parametrize("debiased", [False, True])
def test_bad_vectors_are_refused(a: Any, what: str, debiased: bool) -> None:
    with pytest.raises(ValueError, match=what):
        transport_distance(a, [E1], debiased=debiased)
    with pytest.raises(ValueError, match=what):
        transport_distance([E1], a, debiased=debiased)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, float("nan")])
def test_entropy_of_no_weight_is_refused(epsilon: float) -> None:
    with pytest.raises(ValueError, match="epsilon"):
        transport_distance([E1], [E1], epsilon=epsilon)


def test_representatives_are_spread_over_the_groups() -> None:
    draw = np.random.default_rng(0)
    group = np.repeat(np.arange(5), [400, 3, 50, 20, 7])
    rows = unit(np.eye(8)[group] + 1e-3 * draw.normal(size=(len(group), 8)))
    for seed in range(10):
        picked = representatives(rows, 5, seed)
        assert set(group[picked]) == set(range(5))
        assert picked.tolist() == sorted(picked)
        assert picked.tolist() == representatives(rows, 5, seed).tolist()
    assert len({tuple(representatives(rows, 5, seed)) for seed in range(10)}) > 1


def test_representatives_are_never_picked_twice() -> None:
    same = np.ones((20, 3))
    assert len(set(representatives(same, 7, 0).tolist())) == 7
    assert len(set(representatives(np.zeros((20, 3)), 7, 0).tolist())) == 7
    two = np.concatenate([same, [E1]])
    assert all(20 in representatives(two, 2, seed) for seed in range(10))
    assert representatives(same, 20, 0).tolist() == representatives(same, 99, 0).tolist() == list(range(20))


def test_representatives_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        representatives([E1], 0, 0)
    with pytest.raises(ValueError, match="at least one row"):
        representatives(np.zeros((0, 3)), 1, 0)
