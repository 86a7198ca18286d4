"""Does one text say what another says?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.text.compare import CONFLICT_CAP, agree, conflicts, negated, numbers, support
from searchinstruct_graph.text.stopwords import language_of

EVIDENCE = ["The dam was finished in 1936 and is 221 metres high.", "It does not flood the upper valley."]


def test_numbers_are_compared_as_numbers() -> None:
    assert numbers("1,200 men, 3.50 metres, 07 and 1932.") == {"1200", "3.5", "7", "1932"}
    assert numbers("no digits") == set()


@pytest.mark.parametrize(
    "text", ["It is not so.", "He isn't here", "Das ist nicht wahr", "这不是真的", "این درست نیست", "ليس كذلك"]
)
def test_negation_is_seen_in_many_languages(text: str) -> None:
    assert negated(text)


@pytest.mark.parametrize("text", ["It is so.", "Das ist wahr", "这是真的", "knotted notes"])
def test_what_is_not_negated_is_not(text: str) -> None:
    assert not negated(text)


def test_a_verbatim_statement_is_fully_supported() -> None:
    assert support(EVIDENCE[0], EVIDENCE) == 1.0
    assert support("It does not flood the upper valley.", EVIDENCE) == 1.0


@pytest.mark.parametrize(
    "claim",
    [
        "The dam was finished in 1937 and is 221 metres high.",
        "The dam was not finished in 1936.",
        "It does flood the upper valley.",
    ],
)
def test_a_changed_number_or_negation_is_capped(claim: str) -> None:
    evidence = EVIDENCE[:1] if "not finished" in claim else EVIDENCE
    assert conflicts(claim, evidence)
    assert support(claim, evidence) <= CONFLICT_CAP


def test_no_evidence_supports_nothing() -> None:
    assert support("Anything.", []) == 0.0
    assert support("The committee met in Oslo.", EVIDENCE) < 0.3


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("The dam was finished in 1936.", "1936", True),
        ("The dam was finished in 1936.", "In 1937", False),
        ("It is safe.", "It is not safe.", False),
        ("Walter Gropius founded the school.", "The school was founded by Walter Gropius", True),
        ("Walter Gropius founded the school.", "Hannes Meyer", False),
    ],
)
def test_agreement_of_two_answers(one: str, other: str, same: bool) -> None:
    assert agree(one, other) is same
    assert agree(other, one) is same


@given(st.text(), st.text())
def test_any_text_gets_a_number_between_0_and_1(claim: str, evidence: str) -> None:
    assert 0.0 <= support(claim, [evidence]) <= 1.0
    assert agree(claim, evidence) == agree(evidence, claim)


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Where does the river rise?", "en"),
        ("Wo entspringt der Fluss und wie lang ist er?", "de"),
        ("Où est née la reine et quand ?", "fr"),
        ("¿Dónde nació la reina y cuándo?", "es"),
        ("متى بني هذا الجسر؟", "ar"),
        ("این پل در چه سالی ساخته شد؟", "fa"),
        ("这座桥是什么时候建成的？", "zh"),
        ("Tarn 1867", "en"),
        ("", "en"),
    ],
)
def test_a_question_shows_its_language(question: str, language: str) -> None:
    assert language_of(question) == language
