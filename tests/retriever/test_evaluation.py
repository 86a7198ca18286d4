from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.retriever.evaluation import Vectors, dense, interval, plain_ndcg, ranks, triplet_scores
from searchinstruct_graph.retriever.rows import Triplet

Scores = NDArray[np.floating]

TRIPLETS = [
    Triplet("river", "long", "river long", "hill", "short", "river short", "hill long"),
    Triplet("river", "deep", "river deep", "sea", "wide", "river wide", "sea deep"),
    Triplet("آب", "گرم", "آب گرم", "باد", "سرد", "آب سرد", "باد گرم"),
]


def overlap(queries: Sequence[str], instructions: Sequence[str], passages: Sequence[str]) -> Scores:
    """Words shared with the query count 1, with the instruction 2."""
    return np.array(
        [
            [len({query} & set(text.split())) + 2.0 * len({told} & set(text.split())) for text in passages]
            for query, told in zip(queries, instructions, strict=True)
        ]
    )


def deaf(queries: Sequence[str], instructions: Sequence[str], passages: Sequence[str]) -> Scores:
    """Instructions are not read."""
    return overlap(queries, [""] * len(queries), passages)


def contrary(queries: Sequence[str], instructions: Sequence[str], passages: Sequence[str]) -> Scores:
    return overlap(queries, [""] * len(queries), passages) - 2.0 * (
        overlap(queries, instructions, passages) - overlap(queries, [""] * len(queries), passages)
    )


class TestTriplets:
    def test_one_that_obeys(self) -> None:
        found = triplet_scores(overlap, TRIPLETS)
        assert found.right.all()
        assert found.before.tolist() == [1, 1, 1]
        assert found.accuracy() == (1.0, 1.0, 1.0)
        # (river, short): river short 3 points, then the passages with one word of the two.
        assert (found.after > 1).all()
        assert found.p_mrr().value == pytest.approx(np.mean(1 - 1 / found.after))
        assert found.query.tolist() == [0, 0, 1]

    def test_one_that_does_not_listen(self) -> None:
        found = triplet_scores(deaf, TRIPLETS)
        assert found.p_mrr() == (0.0, 0.0, 0.0)
        assert not found.first.any()
        assert found.second.all()
        assert not found.poisoned.any()
        assert found.accuracy().value == 0.0

    def test_one_that_does_the_opposite(self) -> None:
        assert triplet_scores(contrary, TRIPLETS).p_mrr().value < -0.3

    def test_more_passages_are_in_the_way(self) -> None:
        found = triplet_scores(overlap, TRIPLETS, [f"river long {at}" for at in range(5)])
        assert found.before[0] == 6
        assert found.right.all()

    def test_many_queries_are_scored_in_parts(self) -> None:
        many = [
            Triplet(f"q{at}", f"i{at}", f"q{at} i{at}", f"r{at}", f"j{at}", f"q{at} j{at}", f"r{at} i{at}")
            for at in range(300)
        ]
        found = triplet_scores(overlap, many)
        assert found.right.all()
        assert found.before.tolist() == [1] * 300

    def test_static_vectors(self) -> None:
        class Joined:
            def embed(self, texts: Sequence[str]) -> Vectors:
                return embeddings("wordllama").embed(texts)

            def embed_pairs(self, queries: Sequence[str], instructions: Sequence[str]) -> Vectors:
                return self.embed([f"{one} {other}" for one, other in zip(queries, instructions, strict=True)])

        assert triplet_scores(dense(Joined()), TRIPLETS[:2]).right.all()

    def test_scores_that_are_none(self) -> None:
        with pytest.raises(UsageError, match="no held-out triplets"):
            triplet_scores(overlap, [])
        with pytest.raises(UsageError, match="not finite"):
            triplet_scores(lambda *given: np.full((3, 9), np.nan), TRIPLETS)
        with pytest.raises(UsageError, match=r"\(3, 1\) scores for 3 queries"):
            triplet_scores(lambda *given: np.ones((3, 1)), TRIPLETS)


def test_ranks_and_their_ties() -> None:
    scores = np.array([[3.0, 1.0, 3.0, 2.0]] * 4)
    assert ranks(scores, [0, 1, 2, 3]).tolist() == [2, 4, 1, 3]


class TestPlain:
    def test_against_a_library(self) -> None:
        from sklearn.metrics import ndcg_score

        random = np.random.default_rng(5)
        scores, grades = random.normal(size=(20, 40)), random.integers(0, 3, (20, 40))
        relevant = [{at: float(grade) for at, grade in enumerate(row)} for row in grades]
        queries, passages = [str(at) for at in range(20)], [str(at) for at in range(40)]
        found = plain_ndcg(lambda *given: scores, queries, passages, relevant)
        assert found == pytest.approx(
            [ndcg_score([row], [line], k=10) for row, line in zip(grades, scores, strict=True)]
        )

    def test_only_the_first_k_count(self) -> None:
        scores = np.array([[3.0, 2.0, 1.0]])
        assert plain_ndcg(lambda *given: scores, ["q"], ["a", "b", "c"], [{2: 1.0}], k=2).tolist() == [0.0]
        assert plain_ndcg(lambda *given: scores, ["q"], ["a", "b", "c"], [{1: 1.0}], k=2) == pytest.approx(
            [1 / np.log2(3)]
        )

    def test_a_query_that_nothing_answers(self) -> None:
        with pytest.raises(UsageError, match="query 0 has no relevant passage"):
            plain_ndcg(overlap, ["river"], ["river long"], [{0: 0.0}])
        with pytest.raises(UsageError, match="2 queries, but relevant passages for 1"):
            plain_ndcg(overlap, ["river", "sea"], ["river long"], [{0: 1.0}])


class TestInterval:
    def test_it_covers_what_it_should(self) -> None:
        random = np.random.default_rng(1)
        held = 0
        for _ in range(100):
            found = interval(random.normal(0.3, 1.0, 60), draws=300)
            held += found.low <= 0.3 <= found.high
        assert 88 <= held <= 100

    def test_what_belongs_together_is_drawn_together(self) -> None:
        values = np.repeat([0.0, 1.0] * 10, 20)
        alone, together = interval(values), interval(values, np.repeat(np.arange(20), 20))
        assert alone.value == together.value == 0.5
        assert together.high - together.low > 3 * (alone.high - alone.low)

    def test_a_seed_gives_the_same(self) -> None:
        values = np.arange(30) / 30
        assert interval(values, seed=1) == interval(values, seed=1) != interval(values, seed=2)

    @pytest.mark.parametrize("values", [[], [1.0, float("nan")], [[1.0]]])
    def test_values_that_are_none(self, values: list[float]) -> None:
        with pytest.raises(UsageError, match="needs finite values"):
            interval(values)
