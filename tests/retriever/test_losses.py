"""The contrasts against a slow reference of loops, golden values and numeric gradients; what is drawn, without torch."""

from __future__ import annotations

import importlib.util
import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.retriever.losses import (
    METHODS,
    Contrast,
    Drawn,
    Family,
    Form,
    checked_contrast,
    contrastive_loss,
    draw_instructions,
    marginal_count,
    near_instructions,
    no_negatives,
    scale,
)

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the extra train")
FAMILIES: tuple[Family, ...] = ("P", "IQ", "I")
EVERY = [
    Contrast(families, form)
    for size in (1, 2, 3)
    for families in combinations(FAMILIES, size)
    for form in ("uni", "multi")
]

Floats = NDArray[np.float64]


class Drawing:
    """A batch of random unit vectors, with rows of equal texts."""

    def __init__(self, rows: int, width: int = 7, drawn: int = 4, seed: int = 0) -> None:
        random = np.random.default_rng(seed)

        def unit(*shape: int) -> Floats:
            drawn = random.normal(size=shape)
            found: Floats = drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)
            return found

        self.pairs, self.passages, self.others = unit(rows, width), unit(rows, width), unit(rows, drawn, width)
        self.same = no_negatives(random.integers(0, rows, rows), random.integers(0, rows, rows))
        self.kept = random.random((rows, drawn)) < 0.7
        # A row to which nothing could be lent.
        self.kept[0] = False


def reference(batch: Drawing, contrast: Contrast, temperature: float) -> float:
    """The formulas as they stand, row by row."""
    s = 1 / (temperature + 1e-4)
    families: dict[str, list[float]] = {family: [] for family in contrast.families}
    whole = []
    for k in range(len(batch.pairs)):
        u, p = batch.pairs[k], batch.passages[k]
        right = math.exp(s * float(u @ p))
        negatives: dict[str, list[float]] = {
            "P": [s * float(u @ other) for j, other in enumerate(batch.passages) if j != k and not batch.same[k, j]],
            "IQ": [s * float(p @ other) for j, other in enumerate(batch.pairs) if j != k and not batch.same[k, j]],
            "I": [s * float(p @ other) for j, other in enumerate(batch.others[k]) if batch.kept[k, j]],
        }
        for family in contrast.families:
            if negatives[family]:
                wrong = sum(math.exp(score) for score in negatives[family])
                families[family].append(-math.log(right / (right + wrong)))
        every = [math.exp(score) for family in contrast.families for score in negatives[family]]
        whole.append(-math.log(right / (right + sum(every))))
    if contrast.form == "uni":
        return sum(whole) / len(whole)
    return sum(sum(losses) / len(losses) for losses in families.values())


def measured(batch: Drawing, contrast: Contrast, temperature: float = 0.05) -> float:
    torch = pytest.importorskip("torch")
    return float(
        contrastive_loss(
            contrast,
            torch.tensor(batch.pairs),
            torch.tensor(batch.passages),
            torch.tensor(batch.same),
            others=torch.tensor(batch.others),
            kept=torch.tensor(batch.kept),
            temperature=temperature,
        )
    )


def golden() -> Drawing:
    """Two rows in the plane whose scores are known: u₁·p₁ = .6, u₁·p₂ = 0, u₂·p₁ = .8, u₂·p₂ = 1, p₁·v₁ = −.6, p₂·v₂ = 0."""
    batch = Drawing(2, 2, 1)
    batch.pairs, batch.passages = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.6, 0.8], [0.0, 1.0]])
    batch.others = np.array([[[-1.0, 0.0]], [[1.0, 0.0]]])
    batch.same, batch.kept = np.zeros((2, 2), bool), np.ones((2, 1), bool)
    return batch


@needs_torch
class TestLoss:
    @pytest.mark.parametrize("contrast", EVERY, ids=lambda each: f"{each.form}-{','.join(each.families)}")
    @pytest.mark.parametrize("temperature", [0.05, 0.7])
    def test_agreement_with_the_reference(self, contrast: Contrast, temperature: float) -> None:
        for seed in range(5):
            batch = Drawing(9, seed=seed)
            assert measured(batch, contrast, temperature) == pytest.approx(
                reference(batch, contrast, temperature), rel=1e-9
            )

    @pytest.mark.parametrize(
        ("families", "form", "wanted"),
        [
            (("P",), "uni", (math.log1p(math.exp(-0.6)) + math.log1p(math.exp(-0.2))) / 2),
            (("IQ",), "uni", (math.log1p(math.exp(0.2)) + math.log1p(math.exp(-1.0))) / 2),
            (("I",), "uni", (math.log1p(math.exp(-1.2)) + math.log1p(math.exp(-1.0))) / 2),
            (
                ("P", "I"),
                "uni",
                (math.log1p(math.exp(-0.6) + math.exp(-1.2)) + math.log1p(math.exp(-0.2) + math.exp(-1.0))) / 2,
            ),
            (
                ("P", "I"),
                "multi",
                (
                    math.log1p(math.exp(-0.6))
                    + math.log1p(math.exp(-0.2))
                    + math.log1p(math.exp(-1.2))
                    + math.log1p(math.exp(-1.0))
                )
                / 2,
            ),
        ],
    )
    def test_golden_values(self, families: tuple[Family, ...], form: Form, wanted: float) -> None:
        assert measured(golden(), Contrast(families, form), 1.0 - 1e-4) == pytest.approx(wanted, rel=1e-12)

    @pytest.mark.parametrize("contrast", EVERY, ids=lambda each: f"{each.form}-{','.join(each.families)}")
    def test_gradients(self, contrast: Contrast) -> None:
        torch = pytest.importorskip("torch")
        batch = Drawing(5, 3, 2, seed=3)
        same, kept = torch.tensor(batch.same), torch.tensor(batch.kept)

        def loss(pairs: Any, passages: Any, others: Any) -> Any:
            return contrastive_loss(contrast, pairs, passages, same, others=others, kept=kept, temperature=0.3)

        inputs = [torch.tensor(each, requires_grad=True) for each in (batch.pairs, batch.passages, batch.others)]
        assert torch.autograd.gradcheck(loss, inputs)

    @pytest.mark.parametrize("contrast", EVERY, ids=lambda each: f"{each.form}-{','.join(each.families)}")
    def test_a_row_without_negatives_has_a_gradient_of_zero(self, contrast: Contrast) -> None:
        torch = pytest.importorskip("torch")
        batch = Drawing(3, 4, 2)
        batch.same[:], batch.kept[:] = True, False
        pairs = torch.tensor(batch.pairs, dtype=torch.float32, requires_grad=True)
        loss = contrastive_loss(
            contrast,
            pairs,
            torch.tensor(batch.passages, dtype=torch.float32),
            torch.tensor(batch.same),
            others=torch.tensor(batch.others, dtype=torch.float32),
            kept=torch.tensor(batch.kept),
        )
        loss.backward()
        assert float(loss.detach()) == 0.0
        assert not pairs.grad.any()

    def test_the_diagonal_is_never_a_negative(self) -> None:
        batch = golden()
        apart = measured(batch, METHODS["inf-embed"])
        np.fill_diagonal(batch.same, True)
        assert measured(batch, METHODS["inf-embed"]) == apart


def test_names_of_contrasts() -> None:
    assert checked_contrast(["I", "P"], "multi") == METHODS["inf-embed"]
    assert checked_contrast(["P"], "uni") == METHODS["infonce"]
    for families, form in (([], "uni"), (["P", "P"], "uni"), (["Q"], "uni"), (["P"], "sum")):
        with pytest.raises(UsageError, match="contrast"):
            checked_contrast(families, form)


def test_the_scale_of_the_published_code() -> None:
    assert scale(0.05) == pytest.approx(19.96, abs=0.001)


def test_equal_passages_and_equal_pairs_are_no_negatives() -> None:
    masked = no_negatives(np.array([0, 0, 1, 2]), np.array([5, 6, 6, 7]))
    assert masked.astype(int).tolist() == [[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_how_many_instructions_are_borrowed() -> None:
    assert [marginal_count(rows) for rows in (12, 96, 3, 1)] == [5, 47, 0, 0]
    assert marginal_count(12, 4) == 2


class TestDrawing:
    # Two groups of two triplets, instructions as in their rows (I⁺, I⁻, I⁺), and two plain rows.
    INSTRUCTION = np.array([0, 1, 0, 2, 3, 2, 0, 4, 0, 5, 6, 5, -1, -1])
    GROUP = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, -1, -1])

    def drawn(self, count: int, seed: int = 0, near: NDArray[np.bool_] | None = None) -> Drawn:
        return draw_instructions(self.INSTRUCTION, self.GROUP, count, np.random.default_rng(seed), near)

    def test_own_group_other_instruction_no_row_twice(self) -> None:
        met: set[tuple[int, int]] = set()
        for seed in range(40):
            rows, kept = self.drawn(3, seed)
            for at in range(12):
                lenders = rows[at][kept[at]].tolist()
                assert len(lenders) == len(set(lenders)) == 3
                assert {self.GROUP[lender] for lender in lenders} == {self.GROUP[at]}
                assert self.INSTRUCTION[at] not in self.INSTRUCTION[lenders]
                met.update((at, lender) for lender in lenders)
        assert len(met) == 2 * (4 * 4 + 2 * 5)

    def test_plain_rows_neither_lend_nor_borrow(self) -> None:
        rows, kept = self.drawn(20)
        assert not kept[12:].any()
        assert not np.isin(rows[kept], [12, 13]).any()

    def test_what_is_left_is_drawn_when_it_is_less_than_wanted(self) -> None:
        rows, kept = self.drawn(20)
        assert kept.sum(1).tolist() == [4, 5, 4, 4, 5, 4, 4, 5, 4, 4, 5, 4, 0, 0]
        assert sorted(rows[0][kept[0]].tolist()) == [1, 3, 4, 5]
        assert self.drawn(0).rows.shape == (14, 0)

    def test_a_seed_draws_the_same(self) -> None:
        assert np.array_equal(self.drawn(3, 1).rows, self.drawn(3, 1).rows)
        assert not np.array_equal(self.drawn(3, 1).rows, self.drawn(3, 2).rows)

    def test_near_instructions_are_left_out(self) -> None:
        vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.6, 0.8], [0.96, 0.28]], np.float32)
        near = near_instructions(vectors, np.array([0, 0, 1, 1]))
        assert near.astype(int).tolist() == [[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0], [1, 1, 0, 0]]
        far = np.zeros((14, 14), bool)
        far[0, 1] = True
        rows, kept = self.drawn(20, near=far)
        assert sorted(rows[0][kept[0]].tolist()) == [3, 4, 5]
