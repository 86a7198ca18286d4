"""Figures of a ranking, against values worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.evals.retrieval import (
    average_precision,
    condensed,
    judged_at,
    ndcg_at,
    recall_at,
    reciprocal_rank_at,
)
from searchinstruct_graph.retriever.evaluation import dcg, ndcg

RANKED = ["d1", "d2", "d3", "d4", "d5"]
GRADES = {"d2": 3.0, "d4": 1.0, "d9": 2.0, "d1": 0.0}


def test_recall_counts_relevant_documents_alone() -> None:
    assert recall_at(RANKED, GRADES, 1) == 0
    assert recall_at(RANKED, GRADES, 2) == pytest.approx(1 / 3)
    assert recall_at(RANKED, GRADES, 5) == pytest.approx(2 / 3)


def test_graded_gains_are_discounted_by_rank() -> None:
    # 3 at rank 2, 1 at rank 4; best possible: 3, 2, 1.
    wanted = (3 / math.log2(3) + 1 / math.log2(5)) / (3 + 2 / math.log2(3) + 1 / 2)
    assert ndcg_at(RANKED, GRADES, 5) == pytest.approx(wanted)
    assert wanted == pytest.approx(0.487932, abs=1e-6)
    assert ndcg_at(RANKED, GRADES, 2) == pytest.approx((3 / math.log2(3)) / (3 + 2 / math.log2(3)))
    assert ndcg_at(["d2", "d9", "d4"], GRADES, 10) == 1.0
    assert dcg([(1, 1), (2, 1), (3, 1)]) == pytest.approx(1 + 0.6309297535714575 + 0.5)
    assert ndcg([2, 4, 6, 1], [3, 1, 2, 0], 5) == pytest.approx(wanted)
    assert ndcg([1], [0], 5) is None


def test_the_ideal_is_cut_where_the_ranking_is() -> None:
    many = {f"d{n}": 1.0 for n in range(1, 30)}
    assert ndcg_at([f"d{n}" for n in range(1, 11)], many, 10) == 1.0


def test_reciprocal_rank_looks_for_the_first() -> None:
    assert reciprocal_rank_at(RANKED, GRADES, 10) == 0.5
    assert reciprocal_rank_at(RANKED, GRADES, 1) == 0.0
    assert reciprocal_rank_at([], GRADES, 10) == 0.0


def test_average_precision_divides_by_all_relevant_documents() -> None:
    # Precision 1/2 at rank 2, 2/4 at rank 4, and d9 was not found.
    assert average_precision(RANKED, GRADES) == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert average_precision(["d2", "d9", "d4"], GRADES) == 1.0


def test_what_nobody_has_judged_is_told_apart() -> None:
    assert judged_at(RANKED, GRADES, 5) == pytest.approx(3 / 5)
    assert judged_at([], GRADES, 5) is None
    assert condensed(RANKED, GRADES) == ["d1", "d2", "d4"]


@pytest.mark.parametrize("grades", [{}, {"d1": 0.0}, {"d1": -1.0}])
def test_without_a_relevant_document_there_is_no_figure(grades: dict[str, float]) -> None:
    assert recall_at(RANKED, grades, 5) is None
    assert ndcg_at(RANKED, grades, 5) is None
    assert reciprocal_rank_at(RANKED, grades, 5) is None
    assert average_precision(RANKED, grades) is None


@given(
    st.lists(st.sampled_from("abcdefgh"), unique=True),
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(-1, 3).map(float)),
    st.integers(1, 10),
)
def test_figures_stay_between_nothing_and_all(ranked: list[str], grades: dict[str, float], k: int) -> None:
    figures = (
        recall_at(ranked, grades, k),
        ndcg_at(ranked, grades, k),
        reciprocal_rank_at(ranked, grades, k),
        average_precision(ranked, grades),
    )
    for figure in figures:
        assert figure is None or 0 <= figure <= 1 + 1e-12
    assert len({figure is None for figure in figures}) == 1
