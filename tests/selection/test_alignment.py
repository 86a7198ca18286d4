from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from searchinstruct_graph.selection.alignment import LEAST_DOCUMENTS, Alignment, align

Matrix = NDArray[np.float64]


def unit(rows: Any) -> Matrix:
    made: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return made


def planted(count: int, seed: int, width: int = 12, noise: float = 0.3) -> tuple[Matrix, Matrix, NDArray[np.int64]]:
    """Documents whose pairs lie where a fixed turn brings them, one to three pairs each."""
    draw = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(99).normal(size=(width, width)))[0]
    documents = unit(draw.normal(size=(count, width)))
    owner = np.sort(np.concatenate([np.arange(count), draw.integers(0, count, count)]))
    pairs = unit(documents[owner] @ turn.T + noise * draw.normal(size=(len(owner), width)) / width**0.5)
    return documents, pairs, owner


def learnt(*known: Any, **options: Any) -> NDArray[np.float32]:
    matrix = align(*known, **options).matrix
    assert matrix is not None
    return matrix


def found(alignment: Alignment, documents: Matrix, pairs: Matrix, owner: NDArray[np.int64]) -> float:
    """Share of the pairs whose nearest document is their own."""
    return float(((alignment.apply(documents) @ pairs.T).argmax(axis=0) == owner).mean())


@pytest.mark.parametrize("ridge", [0.1, 1.0, 25.0])
def test_the_closed_form_solves_the_stacked_least_squares(ridge: float) -> None:
    documents, pairs, owner = planted(80, 1)
    mean = np.array([pairs[owner == k].mean(axis=0) for k in range(80)])
    above = np.concatenate([documents, ridge**0.5 * np.eye(12)])
    beside = np.concatenate([mean, ridge**0.5 * np.eye(12)])
    wanted = np.linalg.lstsq(above, beside, rcond=None)[0].T
    matrix = learnt(documents, pairs, owner, ridge=ridge)
    assert matrix.dtype == np.float32
    assert np.allclose(matrix, wanted, atol=1e-6)


def test_the_map_brings_unseen_documents_to_their_pairs() -> None:
    alignment = align(*planted(200, 1))
    unseen = planted(300, 2)
    assert found(Alignment(None), *unseen) < 0.1
    assert found(alignment, *unseen) > 0.9


def test_a_strong_ridge_is_the_identity() -> None:
    assert np.allclose(learnt(*planted(80, 1), ridge=1e9), np.eye(12), atol=1e-6)


def test_fewer_than_fifty_documents_with_pairs_change_nothing() -> None:
    documents, pairs, owner = planted(200, 1)
    few = owner < LEAST_DOCUMENTS - 1
    assert align(documents, pairs[few], owner[few]).matrix is None
    enough = owner < LEAST_DOCUMENTS
    assert align(documents, pairs[enough], owner[enough]).matrix is not None
    assert align(documents, np.zeros((0, 12)), []).matrix is None
    assert align(documents, [], []).matrix is None


def test_documents_without_pairs_do_not_count() -> None:
    documents, pairs, owner = planted(60, 1)
    more = np.concatenate([planted(40, 5)[0], documents])
    assert np.array_equal(learnt(more, pairs, owner + 40), learnt(documents, pairs, owner))


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_pairs_does_not_matter(mixed: Any) -> None:
    documents, pairs, owner = planted(60, 1)
    order = list(range(len(owner)))
    mixed.shuffle(order)
    assert np.allclose(learnt(documents, pairs[order], owner[order]), learnt(documents, pairs, owner), atol=1e-6)


def test_apply_gives_unit_rows_and_keeps_zero_rows() -> None:
    documents, pairs, owner = planted(60, 1)
    rows = np.concatenate([documents[:4] * 3, np.zeros((1, 12))])
    for alignment in (Alignment(None), align(documents, pairs, owner)):
        mapped = alignment.apply(rows)
        assert mapped.dtype == np.float32
        assert np.allclose(np.linalg.norm(mapped, axis=1), [1, 1, 1, 1, 0], atol=1e-6)
    assert np.allclose(Alignment(None).apply(rows)[:4], documents[:4], atol=1e-6)
    assert alignment.apply(np.zeros((0, 12))).shape == (0, 12)
    with pytest.raises(ValueError, match="learnt on 12"):
        alignment.apply(np.ones((2, 5)))


def test_apply_leaves_its_input_alone() -> None:
    rows = np.full((2, 3), 5, dtype=np.float32)
    Alignment(None).apply(rows)
    assert (rows == 5).all()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"owner": [0] * 4}, "one whole number a pair"),
        ({"owner": [0.0, 1.0, 2.0]}, "one whole number a pair"),
        ({"owner": [0, 1, 60]}, "outside"),
        ({"owner": [0, 1, -1]}, "outside"),
        ({"pairs": np.ones((3, 5))}, "one width"),
        ({"pairs": np.full((3, 12), np.nan)}, "not finite"),
        ({"documents": np.full((60, 12), np.inf)}, "not finite"),
        ({"documents": np.ones(12)}, "one width"),
        ({"ridge": 0.0}, "ridge"),
        ({"ridge": float("nan")}, "ridge"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], what: str) -> None:
    good: dict[str, Any] = {"documents": np.ones((60, 12)), "pairs": np.ones((3, 12)), "owner": [0, 1, 2]}
    align(**good)
    with pytest.raises(ValueError, match=what):
        align(**{**good, **change})
