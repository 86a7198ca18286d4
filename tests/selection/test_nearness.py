"""How near is near enough: the same number in chunks as by hand, in bounded memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from searchinstruct_graph.selection import nearness
from searchinstruct_graph.selection.nearness import farthest_kept, nearest_distances
from searchinstruct_graph.selection.rewards import Matrix


def rows(count: int, wide: int = 8, seed: int = 0) -> Matrix:
    made = np.random.default_rng(seed).normal(size=(count, wide))
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), dtype=np.float32)


def by_hand(target: Matrix, share: float) -> float:
    nearest = [
        min(1.0 - float(one @ other) for at, other in enumerate(target) if at != own) for own, one in enumerate(target)
    ]
    return float(np.quantile(nearest, share))


@pytest.mark.parametrize("chunk", [1, 7, 40, 41, 1_024])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95, 1.0])
def test_farthest_kept_is_the_quantile_of_the_nearest_others(
    chunk: int, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearness, "CHUNK", chunk)
    target = rows(41)
    assert farthest_kept(target, share) == pytest.approx(by_hand(target, share), abs=1e-6)


def test_a_row_is_not_its_own_nearest_and_a_copy_is() -> None:
    target = np.eye(4, dtype=np.float32)
    assert farthest_kept(target, 0.0) == pytest.approx(1.0)
    assert farthest_kept(np.repeat(target, 2, axis=0), 1.0) == pytest.approx(0.0, abs=1e-6)


def test_memory_is_linear_in_the_target() -> None:
    target = rows(9_000)
    tracemalloc.start()
    try:
        farthest_kept(target, 0.95)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * 4 * nearness.CHUNK * len(target)


def test_distances_are_to_the_nearest() -> None:
    target = np.eye(3, dtype=np.float32)
    pairs = np.array([[1, 0, 0], [0.6, 0.8, 0], [-1, 0, 0], [0, 0, 0]], dtype=np.float32)
    assert nearest_distances(pairs, target) == pytest.approx([0.0, 0.2, 1.0, 1.0], abs=1e-6)
    assert nearest_distances(-target[:1], target[:1]) == pytest.approx([2.0])
    assert nearest_distances(pairs[:0], target).shape == (0,)
