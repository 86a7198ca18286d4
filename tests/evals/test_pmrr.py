"""p-MRR: golden values, its properties, the definition word by word, and mteb's own function."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.retrieval import obedience, ordered, p_mrr
from searchinstruct_graph.retriever.evaluation import obeyed


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [(1, 4, 0.75), (4, 1, -0.75), (7, 7, 0.0), (2, 3, 1 / 3), (1, 2, 0.5), (2, 1, -0.5), (99, 100, 0.01)],
)
def test_golden_values(before: int, after: int, wanted: float) -> None:
    assert float(obeyed(before, after)) == pytest.approx(wanted)


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_falling_is_good_and_rising_is_as_bad(before: int, after: int) -> None:
    there, back = float(obeyed(before, after)), float(obeyed(after, before))
    assert there == pytest.approx(-back)
    assert -1 < there < 1
    assert (there > 0) == (after > before)


def test_a_rank_below_one_is_refused() -> None:
    with pytest.raises(UsageError, match="counted from 1"):
        obeyed([1, 2], [3, 0])


def ranked(*documents: str) -> dict[str, float]:
    return {document: float(-place) for place, document in enumerate(documents)}


def test_the_mean_is_taken_within_a_query_first() -> None:
    original = {"one": ranked("a", "x", "y", "b"), "two": ranked("c", "x")}
    changed = {"one": ranked("b", "x", "y", "a"), "two": ranked("x", "c")}
    found = p_mrr(original, changed, {"one": ["a", "b"], "two": ["c"]})
    assert found.queries == {"one": pytest.approx(0.0), "two": pytest.approx(0.5)}
    assert found.value == pytest.approx(0.25)
    assert found.skipped == []


def test_a_missing_document_stands_behind_the_last() -> None:
    original = {"q": ranked("a", "b", "c")}
    assert p_mrr(original, {"q": ranked("b", "c")}, {"q": ["a"]}).value == pytest.approx(1 - 1 / 3)
    assert p_mrr({"q": ranked("b")}, original, {"q": ["a"]}).value == pytest.approx(1 / 2 - 1)
    assert p_mrr({"q": {}}, {"q": {}}, {"q": ["a"]}).value == 0.0


def test_what_cannot_be_measured_is_named() -> None:
    runs = {"q": ranked("a", "b"), "r": ranked("a")}
    found = p_mrr(runs, {"q": ranked("b", "a")}, {"q": ["a"], "r": ["a"], "s": ["a"]})
    assert (found.value, found.skipped) == (0.5, ["r", "s"])
    assert p_mrr(runs, runs, {"q": []}) == (None, {}, ["q"])
    assert p_mrr({}, {}, {}).value is None


def test_rankings_do_instead_of_runs() -> None:
    assert obedience(["a", "b"], ["b", "c", "a"], {"a"}) == pytest.approx(1 - 1 / 3)
    assert obedience(["a"], ["a"], []) is None


def test_ties_do_not_depend_on_the_order_of_insertion() -> None:
    assert ordered({"b": 1.0, "a": 1.0, "c": 2.0}) == ordered({"a": 1.0, "c": 2.0, "b": 1.0}) == ["c", "b", "a"]


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(UsageError, match="'b' is not a number"):
        p_mrr({"q": {"a": 1.0, "b": math.nan}}, {"q": {"a": 1.0}}, {"q": ["a"]})


def slow(
    original: dict[str, dict[str, float]], changed: dict[str, dict[str, float]], fallen: dict[str, list[str]]
) -> float:
    """The definition word by word: reciprocal ranks, one document at a time."""

    def reciprocal(scores: dict[str, float], document: str) -> float:
        if document not in scores:
            return 1 / (len(scores) + 1)
        own = (scores[document], document)
        return 1 / (1 + sum((score, other) > own for other, score in scores.items()))

    means = []
    for query, documents in fallen.items():
        values = []
        for document in documents:
            first, second = reciprocal(original[query], document), reciprocal(changed[query], document)
            values.append(first / second - 1 if first <= second else 1 - second / first)
        means.append(sum(values) / len(values))
    return sum(means) / len(means)


DOCUMENTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3).map(float), min_size=1)


@given(
    st.lists(st.tuples(DOCUMENTS, DOCUMENTS, st.sets(st.sampled_from("abcdefgh"), min_size=1)), min_size=1, max_size=5)
)
def test_agreement_with_the_definition(
    drawn: list[tuple[dict[str, float], dict[str, float], set[str]]],
) -> None:
    original = {str(at): each[0] for at, each in enumerate(drawn)}
    changed = {str(at): each[1] for at, each in enumerate(drawn)}
    fallen = {str(at): sorted(each[2]) for at, each in enumerate(drawn)}
    assert p_mrr(original, changed, fallen).value == pytest.approx(slow(original, changed, fallen), abs=1e-12)


@given(
    st.lists(st.tuples(DOCUMENTS, DOCUMENTS, st.sets(st.sampled_from("abcdefgh"), min_size=1)), min_size=1, max_size=5)
)
@settings(max_examples=25)
def test_agreement_with_mteb(drawn: list[tuple[dict[str, float], dict[str, float], set[str]]]) -> None:
    """Compared with mteb 2.26.24, `calculate_pmrr`, also where scores are equal and documents missing."""
    metrics = pytest.importorskip("mteb._evaluators.retrieval_metrics")
    original = {f"{at}-og": each[0] for at, each in enumerate(drawn)}
    changed = {f"{at}-changed": each[1] for at, each in enumerate(drawn)}
    fallen = {str(at): sorted(each[2]) for at, each in enumerate(drawn)}
    ours = p_mrr(
        {str(at): each[0] for at, each in enumerate(drawn)}, {str(at): each[1] for at, each in enumerate(drawn)}, fallen
    )
    assert ours.value == pytest.approx(metrics.calculate_pmrr(original, changed, fallen), abs=1e-12)
