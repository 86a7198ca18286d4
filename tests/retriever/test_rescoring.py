"""Training a head over static vectors: its formulas, and the folder that comes out."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.rescoring import FEATURES, ask, features
from searchinstruct_graph.retriever.evaluation import triplet_scores
from searchinstruct_graph.retriever.rescoring import (
    Search,
    fit_weights,
    learn_matrix,
    rescored,
    searches,
    train_head,
    train_rescorer,
)
from searchinstruct_graph.retriever.saving import TRAINING, trained_retriever
from tests.support.manners import THINGS, manners

Vectors = NDArray[np.float32]
NOTHING = np.zeros((256, 256), np.float32)
"""A matrix that has learnt nothing."""


def embed(texts: Sequence[str]) -> Vectors:
    return embeddings("wordllama").embed(texts)


def slow(found: Sequence[Search], weights: NDArray[np.float64], penalty: float, spread: NDArray[np.float64]) -> float:
    total = 0.0
    for each in found:
        scores = [math.exp(float(row @ weights)) for row in each.features.astype(float)]
        total -= math.log(scores[each.right] / sum(scores))
    return total / len(found) + penalty / 2 * float((weights * spread) @ (weights * spread))


class TestHead:
    def test_unseen_queries_are_answered_as_instructed(self) -> None:
        head = train_rescorer(manners(THINGS[:5]), embed)
        held = manners(THINGS[5:])

        def deaf(queries: Sequence[str], told: Sequence[str], passages: Sequence[str]) -> NDArray[np.floating[Any]]:
            return embed(list(queries)) @ embed(list(passages)).T

        before, after = triplet_scores(deaf, held), triplet_scores(rescored(head, embed), held)
        assert before.p_mrr().value == 0.0
        assert after.p_mrr().low > 0.3
        assert (after.first & after.second).mean() > 0.9
        assert (1 / after.before).mean() > (1 / before.before).mean() + 0.2

    def test_it_is_the_minimum_of_the_formula(self) -> None:
        found = searches(manners(THINGS[:3]), embed, learn_matrix(manners(THINGS[3:6]), embed), depth=10)
        weights = fit_weights(found, penalty=0.05)
        centred = np.concatenate([each.features - each.features.mean(axis=0) for each in found]).astype(float)
        spread = centred.std(axis=0)
        least = slow(found, weights, 0.05, spread)
        for at in range(len(FEATURES)):
            for step in (-0.05, 0.05):
                moved = weights.copy()
                moved[at] += step / spread[at] if spread[at] > 1e-9 else 0.0
                assert slow(found, moved, 0.05, spread) >= least - 1e-6

    def test_the_matrix_solves_the_stacked_least_squares(self) -> None:
        triplets = manners(THINGS[:4])
        told, apart = [], []
        for each in triplets:
            right, other = embed([each.document_positive, each.hard_negative_document_1]).astype(float)
            told += list(embed([each.instruction_positive, each.instruction_negative]).astype(float))
            apart += [right - other, other - right]
        above, beside = np.vstack([told, np.sqrt(3) * np.eye(256)]), np.vstack([apart, np.zeros((256, 256))])
        wanted = np.linalg.lstsq(above, beside, rcond=None)[0]
        assert np.allclose(learn_matrix(triplets, embed, ridge=3.0), wanted, atol=1e-5)

    def test_the_matrix_knows_words_that_the_instruction_does_not_have(self) -> None:
        matrix = learn_matrix(manners(THINGS), embed, ridge=1.0)
        passages = ["concerts and singing", "herons", "oak planks"]
        found = features(ask("abbey", "only birds", embed), passages, embed(passages), matrix)[
            :, FEATURES.index("learnt")
        ]
        assert found.argmax() == 1

    def test_every_row_is_a_search_with_its_siblings(self) -> None:
        triplets = manners(THINGS[:2])
        found = searches(triplets, embed, NOTHING, depth=3)
        assert len(found) == 3 * len(triplets)
        assert all(3 <= len(each.features) <= 6 and 0 <= each.right < len(each.features) for each in found)

    def test_nothing_to_train_on(self) -> None:
        with pytest.raises(UsageError, match="on triplets, and there is none"):
            train_rescorer([], embed)
        with pytest.raises(UsageError, match="two passages or more"):
            fit_weights([])
        assert not learn_matrix([], embed).any()

    def test_of_many_triplets_some_are_searched_for(self) -> None:
        triplets = manners()
        few, all_ = (train_rescorer(triplets, embed, most=most) for most in (8, 1_000))
        assert np.array_equal(few.matrix, all_.matrix)
        assert not np.allclose(few.weights, all_.weights)


class TestScorer:
    def test_places_are_the_heads_and_without_an_instruction_the_searchs(self) -> None:
        head = train_rescorer(manners(THINGS[:5]), embed)
        passages = [each.document_positive for each in manners(THINGS[5:])]
        scores = rescored(head, embed)(["tower", "tower"], ["only music", ""], passages)
        assert sorted(-scores[0]) == sorted(-scores[1]) == list(range(1, len(passages) + 1))
        cosines = embed(passages) @ embed(["tower"])[0]
        assert np.argsort(-scores[1]).tolist() == np.argsort(-cosines, kind="stable").tolist()
        asked, first = ask("tower", "only music", embed), np.argsort(-cosines, kind="stable")
        order = head.order(asked, [passages[at] for at in first], embed(passages)[first])
        assert np.argsort(-scores[0]).tolist() == first[order].tolist()


class TestFolder:
    def test_written_whole_measured_and_handed_back(self, tmp_path: Path) -> None:
        train, held = manners(THINGS[:5]), manners(THINGS[5:])
        said: list[str] = []
        made = train_head(train, tmp_path / "out", embeddings("wordllama"), held=held, on_note=said.append)
        assert (made.kind, made.base, made.triplets, made.held) == ("rescorer", "wordllama", 25, 15)
        assert made.measured is not None
        assert made.measured["after"]["p_mrr"]["value"] > made.measured["before"]["p_mrr"]["value"]
        head = embeddings(made.embedding).head()
        assert head is not None
        assert triplet_scores(rescored(head, embed), held).p_mrr().value == pytest.approx(
            made.measured["after"]["p_mrr"]["value"]
        )
        assert len(said) == 2
        assert trained_retriever(tmp_path / "out") == made
        assert train_head(train, tmp_path / "out", embeddings("wordllama"), held=held) == made
        again = train_head(train, tmp_path / "again", embeddings("wordllama"))
        assert (again.digest, again.measured) == (made.digest, None)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "out"]
        with pytest.raises(UsageError, match="trained on other rows or settings"):
            train_head(train[1:], tmp_path / "out", embeddings("wordllama"), held=held)

    def test_what_stands_in_the_way_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "letter.txt").write_text("mine")
        for out in (tmp_path, tmp_path / "letter.txt"):
            with pytest.raises(UsageError, match="holds no trained retriever"):
                train_head(manners(), out, embeddings("wordllama"))
        with pytest.raises(UsageError, match="cannot be written"):
            train_head(manners(), tmp_path / "letter.txt" / "out", embeddings("wordllama"))
        (tmp_path / TRAINING).write_text(json.dumps({"fingerprint": "x"}))
        with pytest.raises(UsageError, match="holds no trained retriever"):
            trained_retriever(tmp_path)
        assert (tmp_path / "letter.txt").read_text() == "mine"
