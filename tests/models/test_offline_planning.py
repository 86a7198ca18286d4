"""How the offline model takes a question apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.agents.planner import QuestionPlan
from searchinstruct_graph.models.offline import OfflineChatModel
from searchinstruct_graph.models.offline.planning import (
    LONGEST,
    implied_instruction,
    implied_questions,
    keywords,
    subjects,
)
from searchinstruct_graph.models.tagged import Inputs


def plan(question: str, *failed: str) -> QuestionPlan:
    inputs = Inputs().add("question", question)
    inputs.add_numbered("failed", failed)
    found = OfflineChatModel().with_structured_output(QuestionPlan).invoke(str(inputs))
    assert isinstance(found, QuestionPlan)
    return found


def texts(question: str) -> list[str]:
    return [part["text"] for part in implied_questions(question)]


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("Is the Osel mill taller than the Tarn bridge?", ["How tall is Osel mill?", "How tall is Tarn bridge?"]),
        ("Was peat burned during the Osel winter war?", ["When was peat burned?", "When was Osel winter war?"]),
        ("Can eels survive in the Osel weir?", ["eels", "Osel weir"]),
        ("Did Ida Torn admire Orrin Vale?", ["Ida Torn and admire", "Orrin Vale"]),
        ("Would Ida Torn's bell fit in the Tarn theatre?", ["Ida Torn's bell", "Tarn theatre"]),
        ("Hypothetically, could a heron carry a brick?", ["heron", "brick"]),
        ("Does Osel have more lakes than Tarn?", ["How many lakes does Osel have?", "How many lakes does Tarn have?"]),
    ],
)
def test_a_yes_no_question_becomes_one_question_a_thing(question: str, wanted: list[str]) -> None:
    found = texts(question)
    assert len(found) == len(wanted)
    for text, part in zip(found, wanted, strict=True):
        assert part in text


def test_what_two_are_compared_by_is_asked_of_each() -> None:
    found = implied_questions("Do Osel and Tarn have the same currency?")
    assert [part["text"] for part in found] == [
        "What is known about Osel and currency?",
        "What is known about Tarn and currency?",
    ]


def test_the_question_itself_is_still_searched_once() -> None:
    question = "Did Ida Torn admire Orrin Vale?"
    queries = [query for part in plan(question).sub_questions for query in part.queries]
    assert queries.count(question) == 1
    # A page that answers as a whole is to be quoted for that, and the search goes on until there is one.
    assert plan(question).sub_questions[0].requires[0] == question
    assert all(len(part.queries) <= 3 for part in plan(question).sub_questions)


@pytest.mark.parametrize(
    "question",
    [
        "When was Orrin Vale born?",
        "Which is older, Tarn Bridge or Usk Bridge?",
        "Is it raining?",
        "What does yield do and when is StopIteration raised?",
        "Wurde die Brücke von Tarn vor der Mühle von Osel gebaut?",
        "آیا پل تارن پیش از آسیاب ساخته شد؟",
        "هل بني جسر تارن قبل الطاحونة؟",
        "塔恩桥比磨坊更古老吗？",
        "Is " + "the bell of Osel and the weir of Tarn " * 20 + "old?",
    ],
)
def test_other_questions_are_left_as_they_are(question: str) -> None:
    assert implied_questions(question) == []
    assert len(question) <= LONGEST or len(plan(question).sub_questions) == 1


def test_after_a_failure_the_question_is_asked_as_a_whole_in_other_terms() -> None:
    question = "Did Ida Torn admire Orrin Vale?"
    (part,) = plan(question, "What is known about Ida Torn and admire?").sub_questions
    assert part.text == question
    assert keywords(question) in part.queries


def test_subjects_are_what_the_clause_says_and_verbs_are_told_apart() -> None:
    assert subjects("the keeper of the mill sell peat to Tarn", supported=True) == (
        ["keeper of the mill", "peat", "Tarn"],
        ["sell"],
    )
    assert subjects("Ida Torn's bell made of bronze", supported=False)[0] == ["Ida Torn's bell", "bronze"]


@given(st.text(max_size=200))
def test_nothing_breaks_it(text: str) -> None:
    for question in (text, f"Is {text} older than the mill?", f"Did {text}"):
        for part in implied_questions(question):
            assert part["text"]
            assert 1 <= len(part["queries"]) <= 3
            assert part["requires"]


def test_a_long_question_costs_no_more_than_its_length() -> None:
    assert plan("Is " + "a" * 5_000 + "?").sub_questions
    assert plan("Did " + "A b " * 1_500 + "?").sub_questions


@pytest.mark.parametrize(
    ("question", "instruction"),
    [
        ("What do studies since 2015 say about the Osel mill?", "studies since 2015"),
        ("What do studies published after 2015 say about eels?", "studies published after 2015"),
        ("What do German sources say about the flood of Tarn?", "German sources"),
        ("According to articles on docs.example.org, what is a sluice?", "articles on docs.example.org"),
        ("How does a sluice work, for beginners?", "for beginners"),
        ("How do I open a sluice without using a winch?", "without using a winch"),
    ],
)
def test_what_a_question_asks_of_its_sources(question: str, instruction: str) -> None:
    assert implied_instruction(question) == instruction
    assert {part.instruction for part in plan(question).sub_questions} == {instruction}


@pytest.mark.parametrize(
    "question",
    [
        "Who built the Osel mill?",
        "What was built between 1990 and 1999?",
        "What has changed at the Osel mill since 2015?",
        "Why was the page on docs.example.org written anew?",
        "What is the word for eel in German?",
        "What article was published in 1937?",
        "What did Ida Torn publish after 1915?",
        "Which animals live without water?",
        "Which exercises are good for children?",
        "Who decides on the pay of teachers?",
        "¿Qué ha cambiado desde 2015?",
        "since 2015 " * 100,
    ],
)
def test_a_question_that_asks_nothing_of_its_sources(question: str) -> None:
    assert implied_instruction(question) == ""
