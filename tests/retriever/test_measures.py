"""The table of a trained retriever, and the card that holds it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from searchinstruct_graph.retriever.card import measured_rows, retriever_card
from searchinstruct_graph.retriever.evaluation import TripletScores
from searchinstruct_graph.retriever.measures import Scores, measured, plain_set, scores_of
from searchinstruct_graph.retriever.rows import Triplet
from searchinstruct_graph.retriever.saving import TrainedRetriever, TrainingData
from searchinstruct_graph.retriever.training import TrainingSettings

HELD = [
    Triplet("q", "after 2015", "new", "r", "before 2015", "old", "other"),
    Triplet("q", "for vets", "dense", "r", "for children", "plain", "else"),
]


def obedient(queries: Sequence[str], told: Sequence[str], passages: Sequence[str]) -> NDArray[np.floating[Any]]:
    """Scores that know which passage fits which instruction; without one, the last passage is best."""
    fits = {each.instruction_positive: each.document_positive for each in HELD}
    fits |= {each.instruction_negative: each.hard_negative_document_1 for each in HELD}
    scores = np.zeros((len(queries), len(passages)))
    for at, instruction in enumerate(told):
        scores[at] = np.arange(len(passages)) / 10
        if instruction:
            scores[at, list(passages).index(fits[instruction])] = 9
    return scores


def deaf(queries: Sequence[str], told: Sequence[str], passages: Sequence[str]) -> NDArray[np.floating[Any]]:
    return np.tile(np.arange(len(passages)) / 10, (len(queries), 1))


class TestMeasures:
    def test_a_plain_query_is_one_however_often_it_stands(self) -> None:
        found = plain_set([("What is tea?", "a"), ("what is TEA", "b"), ("milk", "a")], ["c", "b"])
        assert found.queries == ["What is tea?", "milk"]
        assert found.passages == ["a", "b", "c"]
        assert found.relevant == [{0: 1.0, 1: 1.0}, {0: 1.0}]

    def test_the_figures_and_what_was_gained(self) -> None:
        plain = plain_set([("tea", "a"), ("milk", "b")])
        before, after = (scores_of(each, HELD, plain) for each in (deaf, obedient))
        found = measured(before, after)
        assert (found["triplets"], found["queries"], found["plain_queries"]) == (2, 1, 2)
        assert found["after"]["accuracy"]["value"] == 1.0
        assert found["before"]["above_poisoned"]["value"] == found["before"]["p_mrr"]["value"] == 0.0
        for name in ("accuracy", "above_first", "above_second", "above_poisoned", "p_mrr"):
            after_, before_, gain = (found[when][name]["value"] for when in ("after", "before", "gain"))
            assert gain == pytest.approx(after_ - before_)
        # The first of two passages is second.
        expected = (1 / np.log2(3) + 1) / 2
        assert found["after"]["plain_ndcg"] is not None
        assert found["after"]["plain_ndcg"]["value"] == pytest.approx(expected)
        assert found["gain"]["plain_ndcg"] == {"value": 0.0, "low": 0.0, "high": 0.0}

    def test_without_plain_queries_their_figure_is_missing(self) -> None:
        found = measured(scores_of(deaf, HELD), scores_of(obedient, HELD))
        assert found["plain_queries"] == 0
        assert found["after"]["plain_ndcg"] is found["gain"]["plain_ndcg"] is None
        assert [row[0] for row in measured_rows(found)][-1] == "p-MRR"

    def test_intervals_are_drawn_over_queries(self) -> None:
        """Twenty triplets of two queries vary as two do."""
        right = np.repeat([True, False], 10)
        of = TripletScores(np.repeat([0, 1], 10), right, right, right, np.ones(20, int), np.ones(20, int))
        found = measured(Scores(of, None), Scores(of, None))["after"]["accuracy"]
        assert found == {"value": 0.5, "low": 0.0, "high": 1.0}


DATA = TrainingData(
    sources=[
        {"name": "run|*one*", "fingerprint": "f" * 64, "triplets": 8, "tries": 20},
        {"name": "`two`.jsonl", "fingerprint": "e" * 64, "triplets": 2, "tries": None},
    ],
    families=4,
    left_out={"triplets that were there before": 0, "triplets whose poisoned query is held out": 3},
)
TRAINED = TrainedRetriever(
    folder="/home/somebody/out",
    kind="encoder",
    base="maker/base",
    join="plain",
    triplets=10,
    held=2,
    plain=0,
    steps=7,
    planned=12,
    best_step=5,
    loss_first=2.0,
    loss_last=1.0,
    measured=measured(scores_of(deaf, HELD), scores_of(obedient, HELD)),
    truncated_pairs=3,
    truncated_passages=0,
    seconds=1.0,
    digest="d" * 64,
    data=DATA,
)
SETTINGS = {**asdict(TrainingSettings()), "contrast": {"families": ["P", "I"], "form": "multi"}}


def parts(trained: TrainedRetriever) -> tuple[dict[str, Any], str]:
    """Front matter and body of the card."""
    _, front, body = retriever_card(trained, SETTINGS).split("---\n", 2)
    return yaml.safe_load(front), body


class TestCard:
    def test_what_the_card_tells(self) -> None:
        front, body = parts(TRAINED)
        assert front["base_model"] == "maker/base"
        assert front["library_name"] == "sentence-transformers"
        for told in (
            "passages (ℓ_P) and instructions (ℓ_I), each in a softmax of its own",
            "On 2 triplets of 1 queries",
            "| triplet accuracy | 0.0",
            "40 % of 20",
            "not told",
            "| triplets whose poisoned query is held out | 3 |",
            "7 of 12 steps were made, and the weights of step 5 were kept",
            '"rate": 2e-05',
            '"seed": 42',
            "3 queries with instructions of its training were longer than what it reads, and lost the end of the instruction",
            "d" * 64,
            'SentenceTransformer("FOLDER")',
            "--embeddings FOLDER",
            "What was held out are whole families",
            "Few triplets were held out",
            "Which step's weights were kept was decided by triplet accuracy on these triplets",
        ):
            assert told in body, told
        assert "triplets that were there before" not in body
        assert "| made with | version |" in body

    def test_names_are_words_and_ways_on_this_machine_are_not_told(self) -> None:
        front, body = parts(replace(TRAINED, base="/home/somebody/my_base"))
        assert "base_model" not in front
        assert "somebody" not in body
        assert "`my_base`" in body
        assert "run&#124;\\*one\\*" in body

    def test_each_way_of_joining_says_how_it_is_used(self) -> None:
        assert '"a query an instruction"' in parts(TRAINED)[1]
        assert '"Instruct: an instruction\\nQuery: a query"' in parts(replace(TRAINED, join="labelled"))[1]
        attended = parts(replace(TRAINED, join="attention"))[1]
        assert "`--embeddings` refuses it" in attended
        assert "encoder.embed_pairs" in attended
        assert "--embeddings FOLDER" not in attended

    def test_a_re_scorer_and_a_training_without_measures(self) -> None:
        front, body = parts(replace(TRAINED, kind="rescorer", base="wordllama", measured=None, data=None, plain=4))
        assert "library_name" not in front
        assert "Nothing was held out, so nothing was measured." in body
        assert "4 plain queries with passages were mixed in" in body
        assert "SentenceTransformer" not in body
        assert "steps were made" not in body

    def test_a_base_that_nothing_bettered_is_said(self) -> None:
        assert "the base's own weights were kept" in parts(replace(TRAINED, best_step=0))[1]

    def test_the_record_is_plain_json(self) -> None:
        assert TrainedRetriever(**json.loads(json.dumps(asdict(TRAINED)))) == TRAINED
