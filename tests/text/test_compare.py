"""Does one text say what another says?"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.text.compare import (
    CONFLICT_CAP,
    agree,
    conflicts,
    differences,
    negated,
    numbers,
    shared_words,
    support,
)
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


BUILT = "It was built by Mara Denholm in three summers and opened in 1936."


@pytest.mark.parametrize(
    ("claim", "held", "expected"),
    [
        ("It was built by Mara Denholm in three summers.", BUILT, []),
        ("Mara Denholm built it in 3 summers.", BUILT, []),
        ("In 1936 it opened.", BUILT, []),
        ("It opened in 1937.", BUILT, [("number", "1937", "1936")]),
        ("It was built by Mara Denholm in four summers.", BUILT, [("number", "four", "three")]),
        ("It was built by Carla Denholm in three summers.", BUILT, [("name", "Carla", "Mara")]),
        ("It was not built by Mara Denholm.", BUILT, [("negation", "not built", "built")]),
        ("It is allowed here.", "It is not allowed here.", [("negation", "allowed", "not allowed")]),
        ("The door cannot open.", "The door fails to open.", []),
        ("It is not forbidden.", "It is allowed.", []),
        ("Berlin is the capital.", "Paris is the capital.", [("name", "Berlin", "Paris")]),
        ("Of 3 it counts 3, 1 and 2.", "Of 3 it counts 0, 1 and 2.", [("number", "3", "0")]),
        ('The "or" operator ends it.', 'The "and" operator ends it.', [("name", "or", "and")]),
        ('The "not" operator ends it.', 'The "not" operator ends it.', []),
        ("It calls obj.__set__() first.", "It calls obj.__get__() first.", [("name", "__set__", "__get__")]),
        ("大坝于1937年建成。", "大坝于1936年建成。", [("number", "1937", "1936")]),
        ("大坝没有建成。", "大坝于1936年建成。", [("negation", "not 建", "建")]),
        ("پل در سال ۱۳۱۶ ساخته شد", "پل در سال 1315 ساخته شد", [("number", "۱۳۱۶", "1315")]),
        ("پل در سال ۱۳۱۵ ساخته نشد", "پل در سال ۱۳۱۵ ساخته شد", [("negation", "not ساخته", "ساخته")]),
        ("لم يفتح الجسر", "يفتح الجسر", [("negation", "not يفتح", "يفتح")]),
        ("Das Tor wurde nicht geöffnet.", "Das Tor wurde geöffnet.", [("negation", "not geöffnet", "geöffnet")]),
    ],
)
def test_what_differs_is_named_with_what_stands_in_its_place(
    claim: str, held: str, expected: list[tuple[str, str, str]]
) -> None:
    assert [tuple(each) for each in differences(claim, held, language=language_of(claim))] == expected


@pytest.mark.parametrize("piece", ["ab", "钟", "1,"])
def test_a_word_without_an_end_costs_no_more_than_its_length(piece: str) -> None:
    # Where each of its characters looked at all the others, this would take many minutes.
    word = piece * 60_000
    assert differences(word, word) == []


def test_a_name_of_the_context_is_no_difference_and_one_from_nowhere_has_nothing_in_its_place() -> None:
    claim = "The lighthouse of Karvel opened in 1936."
    assert differences(claim, "It opened in 1936.", "Karvel lighthouse") == []
    assert differences(claim, "It opened in 1936.") == [("name", "Karvel", "")]


@given(st.text())
def test_no_text_differs_from_itself(text: str) -> None:
    assert differences(text, text) == []


@given(st.text(), st.text())
def test_shared_words_are_spans_in_order(text: str, other: str) -> None:
    spans = shared_words(text, other)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= two.start for one, two in itertools.pairwise(spans))


def test_shared_words_stand_where_they_are_read() -> None:
    text = "The dams, café-like, are 221 metres high; 大坝高。"
    shared = [text[span.start : span.end] for span in shared_words(text, "a DAM of 221 metres, the cafe\u0301 of 大坝")]
    assert shared == ["dams", "café", "221", "metres", "大坝"]


def test_numbers_are_found_between_letters_of_a_script_without_spaces() -> None:
    assert numbers("大坝于1936年建成，高221米") == {"1936", "221"}
