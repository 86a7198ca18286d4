"""What the offline model makes of a changed fact: wordings that can be read, the smallest correction, what follows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchinstruct_graph.agents.editor import RevisedAnswer
from searchinstruct_graph.agents.prober import PortabilityProbes, Wordings
from searchinstruct_graph.models.offline import OfflineChatModel
from searchinstruct_graph.models.offline.editing.asked import Asked, put
from searchinstruct_graph.models.offline.editing.corrections import corrected
from searchinstruct_graph.models.offline.editing.portability import excludes
from searchinstruct_graph.models.offline.editing.statements import said, stated
from searchinstruct_graph.models.offline.editing.wordings import apart, wordings
from searchinstruct_graph.models.tagged import Inputs
from searchinstruct_graph.text.editing import change, holds


def fill(schema: type[Any], inputs: Inputs) -> Any:
    return OfflineChatModel().with_structured_output(schema).invoke([("system", "rules"), ("user", str(inputs))])


def fact(asked: Asked, *quotes: str) -> Inputs:
    inputs = Inputs().add("subject", asked.subject).add("relation", asked.relation).add("new", asked.new)
    for name in ("old", "as_of", "question"):
        if value := getattr(asked, name):
            inputs.add(name, value)
    for number, quote in enumerate(quotes, 1):
        inputs.add("quote", quote, id=number, title=asked.subject)
    return inputs


CHIEF = Asked("Haldern Ferries", "chief executive", "Ada Moss", "Jan Pike", "2025")

SHAPES = [
    CHIEF,
    Asked("Quill", "latest version", "4.2", "4.1", "May 2025"),
    Asked("quill.ini", "default encoding", "'utf-8'", "the system's encoding"),
    Asked("The Rovers", "head_coach", "Lia Berg", "Kim Fox"),
    Asked("Sund", "ownerOfTheBridge", "the Lund Trust", "the county"),
    Asked("Harbour House", "was owned by", "the Lund Trust", "Max Orr", "1998"),
    Asked("Jo Lind", "plays for", "Haldern United", "Sund FC", "2024"),
    Asked("parse_all()", "is deprecated in", "Quill 4.2", "Quill 5.0"),
    Asked("Jo Lind", "played for", "Haldern United", "Sund FC"),
    Asked("the Blue Line", "located in", "Haldern", "Sund"),
    Asked("Jo Lind", "member of", "the Reform League", "the Harbour League"),
    Asked("tide tables", "may be printed with", "any ink", "only black ink"),
    Asked("Kim Fox", "P54", "Sund FC", "Haldern United", "", "Which team did Kim Fox play for in 2010?"),
    Asked("Rovers", "P286", "Lia Berg", "Kim Fox", "", "Who was the head coach of Rovers between 1999 and 2001?"),
]


@pytest.mark.parametrize("asked", SHAPES, ids=lambda asked: asked.relation)
def test_ten_wordings_and_more_of_every_shape(asked: Asked) -> None:
    found, others = wordings(asked)
    assert len(found) >= 10
    assert len(others) >= 2
    assert apart([*found]) == found
    for text in [*found, *others]:
        assert text[0].isupper() or text.startswith(asked.subject)
        assert text.endswith(("?", "."))
        assert "  " not in text
        assert holds(text, asked.subject)
        assert not holds(text, asked.new)
        assert not holds(text, asked.old)
        # No piece of a relation is taken for a noun that it is not.
        assert not re.search(r"\bthe (?:is|was|are|plays?|played|owned|located|may|P\d+)\b", text)


@pytest.mark.parametrize(
    ("asked", "first", "also"),
    [
        (
            CHIEF,
            "Who is the chief executive of Haldern Ferries?",
            "As of 2025, who is the chief executive of Haldern Ferries?",
        ),
        (SHAPES[1], "What is the latest version of Quill?", "I would like to know what Quill's latest version is."),
        (SHAPES[3], "Who is the head coach of the Rovers?", "Who is the Rovers' head coach?"),
        (SHAPES[5], "Who was Harbour House owned by?", "Who owned Harbour House?"),
        (SHAPES[6], "Which team does Jo Lind play for?", "Name the team that Jo Lind plays for."),
        (
            SHAPES[7],
            "Which Quill version is parse_all() deprecated in?",
            "In which Quill version is parse_all() deprecated?",
        ),
        (SHAPES[8], "Which team did Jo Lind play for?", "Can you tell me which team Jo Lind played for?"),
        (SHAPES[9], "Where is the Blue Line located?", "Do you know where the Blue Line is located?"),
        (SHAPES[11], "What may tide tables be printed with?", "Can you tell me what tide tables may be printed with?"),
        (SHAPES[12], "Which team did Kim Fox play for in 2010?", "In 2010, which team did Kim Fox play for?"),
        (SHAPES[12], "Which team did Kim Fox play for in 2010?", "Name the team that Kim Fox played for in 2010."),
    ],
)
def test_wordings_read_naturally(asked: Asked, first: str, also: str) -> None:
    found, _ = wordings(asked)
    assert found[0] == first
    assert also in found


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (CHIEF, "The chief executive of Haldern Ferries is Ada Moss."),
        (SHAPES[3], "The head coach of the Rovers is Lia Berg."),
        (SHAPES[5], "Harbour House was owned by the Lund Trust."),
        (SHAPES[8], "Jo Lind played for Haldern United."),
        (SHAPES[9], "The Blue Line is located in Haldern."),
        (SHAPES[10], "Jo Lind is a member of the Reform League."),
        (SHAPES[12], "Kim Fox played for Sund FC."),
        (SHAPES[13], "The head coach of Rovers was Lia Berg."),
        (
            Asked("Rye", "P6", "Ada", "", "", "Who led the town of Rye from 1990 to 1995?"),
            "Ada led the town of Rye.",
        ),
        (
            Asked("Kim Fox", "P551", "Sund", "", "", "Kim Fox lived in which town in 1990?"),
            "Kim Fox lived in Sund.",
        ),
        (
            Asked("popping", "order", "reverse order", "", "", "In which order does popping return pairs?"),
            "Popping returns pairs in reverse order.",
        ),
        (
            Asked("literals", "signs", "underscores", "", "", "What is allowed between the digits of literals?"),
            "Underscores are allowed between the digits of literals.",
        ),
    ],
)
def test_the_plain_statement(asked: Asked, sentence: str) -> None:
    assert stated(asked, asked.new) == sentence


def test_tones_differ_and_carry_the_same() -> None:
    told = [stated(CHIEF, CHIEF.new, tone) for tone in range(3)]
    assert len(set(told)) == 3
    assert all(holds(text, "Ada Moss") and holds(text, "Haldern Ferries") for text in told)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Asked("北京", "市长", "李娜", "王伟"), ["北京：市长？"]),
        (Asked("تهران", "شهردار", "آوا", "رضا", "", "شهردار تهران کیست؟"), ["شهردار تهران کیست؟", "تهران: شهردار؟"]),
        (Asked("Haldern", "Bürgermeister", "Ada", "Jan"), ["Haldern: Bürgermeister?"]),
    ],
)
def test_other_languages_get_few_plain_wordings(asked: Asked, expected: list[str]) -> None:
    found, others = wordings(asked)
    assert found == expected
    assert not set(found) & set(others)
    assert holds(stated(asked, asked.new), asked.new)


EVIDENCE = ["Ada Moss has been chief executive of Haldern Ferries since March 2025."]


@pytest.mark.parametrize(
    ("stale", "expected"),
    [
        ("The chief executive of Haldern Ferries is Jan Pike.", "The chief executive of Haldern Ferries is Ada Moss."),
        (
            "Since 2014, Pike has been the chief executive of Haldern Ferries.",
            "Since March 2025, Ada Moss has been the chief executive of Haldern Ferries.",
        ),
        (
            "Haldern Ferries is led by Jan Pike, who took office in 2014. He was born in Sund. It runs nine ships.",
            "Haldern Ferries is led by Ada Moss. It runs nine ships.",
        ),
        (
            "Jan Pike's term as chief executive runs on. Pike founded the ferry museum in 1990.",
            "Ada Moss's term as chief executive runs on. Pike founded the ferry museum in 1990.",
        ),
        ("It is Mr. Jan Pike (since 2019).", "It is Mr. Ada Moss (since March 2025)."),
        (
            "Haldern Ferries runs nine ships. Its chief executive is a man from Sund.",
            "Haldern Ferries runs nine ships. The chief executive of Haldern Ferries is Ada Moss.",
        ),
    ],
)
def test_corrections_change_what_is_wrong_and_no_more(stale: str, expected: str) -> None:
    assert corrected(stale, CHIEF, EVIDENCE) == expected


def test_yes_becomes_no_and_still_goes() -> None:
    asked = CHIEF._replace(question="Is the chief executive of Haldern Ferries still Jan Pike?")
    text = corrected("Yes, the chief executive of Haldern Ferries is still Jan Pike.", asked, EVIDENCE)
    assert text == "No, the chief executive of Haldern Ferries is Ada Moss."


def test_a_verb_agrees_with_what_replaces_its_subject() -> None:
    asked = Asked("a pass", "price", "two coins", "a coin")
    assert corrected("A coin is the price of a pass.", asked, []) == "Two coins are the price of a pass."


def test_a_date_that_nothing_replaces_is_left_out() -> None:
    asked = CHIEF._replace(as_of="")
    text = corrected("The chief executive has been Jan Pike since 2014.", asked, ["Ada Moss is chief executive."])
    assert text == "The chief executive has been Ada Moss."


def test_the_editor_gives_the_quotes_that_name_the_new_object() -> None:
    stale = "The chief executive of Haldern Ferries is Jan Pike."
    inputs = fact(CHIEF, "The ferries are blue.", *EVIDENCE).add("answer", stale)
    reply = fill(RevisedAnswer, inputs)
    assert reply.quotes == [2]
    assert change(stale, reply.text).share == pytest.approx(4 / 20)


def test_without_a_quote_nothing_is_corrected() -> None:
    reply = fill(RevisedAnswer, fact(CHIEF, "The ferries are blue.").add("answer", "It is Jan Pike."))
    assert (reply.text, reply.quotes) == ("", [])


def test_wordings_are_as_many_as_wanted_and_one_is_held_out() -> None:
    reply = fill(Wordings, fact(CHIEF).add("wanted", "wordings", questions=6, paraphrases=2))
    texts = [each.text for each in reply.questions]
    assert len(texts) == 6
    assert len(reply.paraphrases) == 2
    assert reply.held_out
    assert reply.held_out not in texts
    assert {each.form for each in reply.questions} == {"direct", "statement"}
    assert reply.paraphrases[0] == "Who runs Haldern Ferries?"


def test_what_follows_from_a_fact_is_asked_where_quotes_carry_it() -> None:
    quotes = (
        "Ada Moss became chief executive of Haldern Ferries after Jan Pike.",
        "Ada Moss was born in Tarn in 1971.",
        "The ferries are blue.",
    )
    probes = {probe.kind: probe for probe in fill(PortabilityProbes, fact(CHIEF, *quotes)).probes}
    assert set(probes) == {"reverse", "confirm", "before", "hop"}
    assert probes["reverse"].question == "What is Ada Moss the chief executive of?"
    assert probes["reverse"].answer == "Haldern Ferries"
    assert probes["before"].question == "Who was the chief executive of Haldern Ferries before Ada Moss?"
    assert (probes["before"].answer, probes["before"].quotes) == ("Jan Pike", [1])
    assert probes["hop"].question == "When was the chief executive of Haldern Ferries born?"
    assert probes["hop"].quotes == [2]


def test_still_so_is_asked_in_the_shape_of_the_relation() -> None:
    def first(asked: Asked) -> Any:
        return fill(PortabilityProbes, fact(asked, f"{asked.subject} and {asked.new} are on this page.")).probes[0]

    chief = first(CHIEF)
    assert chief.question == "Is the chief executive of Haldern Ferries still Jan Pike?"
    assert chief.answer == "No. The chief executive of Haldern Ferries is Ada Moss."
    assert chief.stale == "Yes"
    assert first(SHAPES[6]).question == "Does Jo Lind still play for Sund FC?"
    assert first(SHAPES[11]).question == "May tide tables still be printed with only black ink?"
    assert first(SHAPES[12]).question == "Is it true that Kim Fox played for Haldern United in 2010?"


def test_no_probe_without_a_quote_on_the_new_object() -> None:
    assert fill(PortabilityProbes, fact(CHIEF, "The ferries are blue.")).probes == []


# What people write.

CLUB = Asked("Lia Berg", "coach of", "Haldern United", "Castra Town", "2014")


def asked(question: str, asked: Asked = CLUB) -> Asked:
    return asked._replace(question=question)


@pytest.mark.parametrize(
    ("fact", "statement"),
    [
        # The subject stands where the grammar expects it: the question is turned.
        (asked("Lia Berg trained what club from 2014 to 2016?"), "Lia Berg trained Haldern United."),
        (asked("Which club was trained by Lia Berg from 2014 to 2016?"), "Haldern United was trained by Lia Berg."),
        # It does not: the sentence is made of subject and relation.
        (asked("What club did the Tarn coach Berg assume from 2014 to 2016?"), "Lia Berg coached Haldern United."),
        (
            asked("In the period of time from 2014 to 2016, who was coached by the woman?"),
            "Lia Berg coached Haldern United.",
        ),
        (asked("The Harbour Club had which person heading it in 1990?"), "Lia Berg coached Haldern United."),
        # It asks for the subject: not the fact, so it is not used.
        (asked("Which coach worked for Haldern United from 2014 to 2016?"), "Lia Berg coached Haldern United."),
        (
            Asked(
                "Jo Lind", "position held", "Minister of Ferries", "", "", "What position did Jo Lind assume in 2020?"
            ),
            "Jo Lind held the position of Minister of Ferries.",
        ),
        (
            Asked("Sund (county)", "capital", "Haldern", "", "", "What was the seat of the county that ended in 1874?"),
            "The capital of Sund was Haldern.",
        ),
        (Asked("Tarn", "P999", "Rye", "", "", "To which of them did Tarn's people say so?"), "The answer is Rye."),
    ],
)
def test_a_question_is_turned_only_where_that_is_sure(fact: Asked, statement: str) -> None:
    assert stated(fact, fact.new) == statement
    for text in [*wordings(fact)[0], *wordings(fact)[1]]:
        # A piece of a misread question stands nowhere but in the question itself.
        whole = fact.question[1:] in text
        assert whole or not re.search(r"\b(?:heading it|assume|the woman|worked for Haldern|say so)\b", text)


def test_wordings_keep_the_time_that_is_asked_about_and_statements_leave_it_to_them() -> None:
    fact = asked("What club did the Tarn coach Berg assume from 2014 to 2016?")
    found, others = wordings(fact)
    assert found[0] == fact.question
    assert "Which team did Lia Berg coach from 2014 to 2016?" in found
    assert "Can you tell me which team Lia Berg coached from 2014 to 2016?" in found
    assert "From 2014 to 2016, which team did Lia Berg coach?" in found
    assert all("2014" in text for text in [*found, *others])
    assert not any("2014" in put(form, fact.new) for form in said(fact).statements)
    assert all(" coaches " not in text for text in [*found, *others])


def test_a_question_whose_grammar_nobody_knows_is_asked_as_it_is() -> None:
    fact = Asked("Tarn", "P999", "Rye", "", "", "To which of them did Tarn's people say so?")
    found, others = wordings(fact)
    assert found[0] == fact.question
    assert f"A question from a reader: {fact.question}" in found
    assert all(text.endswith(fact.question) or fact.question in text for text in [*found, *others])


def test_pages_speak_of_a_relation_in_words_of_their_own() -> None:
    county = Asked("Brindle County", "capital", "Upper Lune", "Port Ash")
    forms = [put(form, county.new) for form in said(county).statements]
    assert forms[0] == "The capital of Brindle County is Upper Lune."
    assert "The county seat of Brindle County is Upper Lune." in forms
    # How it began is as good of the past, and of the past alone.
    lived = Asked("Jo Lind", "residence", "Sund", "Tarn")
    assert not any("moved" in form or "moves" in form for form in said(lived).statements)
    past = said(lived._replace(question="Where was Jo Lind living in 1990?")).statements
    assert any("moved to" in form for form in past)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("the Reform Party", "Dawn", "Jo Lind belongs to Dawn."),
        ("Reform Party", "Dawn", "Jo Lind belongs to Dawn."),
        ("Dawn", "Reform Party", "Jo Lind belongs to the Reform Party."),
        ("Reform Party", "Harbour League", "Jo Lind belongs to the Harbour League."),
    ],
)
def test_names_get_the_article_that_they_ask_for(old: str, new: str, expected: str) -> None:
    fact = Asked("Jo Lind", "belongs to", new, old)
    assert corrected(stated(fact, old), fact, []) == expected
    assert stated(fact, new) == expected


def test_no_sentence_opens_with_a_number_and_nothing_is_their_toll() -> None:
    toll = Asked("the Alder Bridge", "toll", "5 crowns", "3 crowns")
    told = [put(form, toll.new) for form in said(toll).statements] + [text for some in wordings(toll) for text in some]
    assert not any(text[0].isdigit() or " their " in text for text in told)
    assert "Fill in the blank: the toll of the Alder Bridge is ____." in told


@pytest.mark.parametrize(
    ("fact", "evidence", "excluded"),
    [
        (CHIEF, [], True),
        (Asked("Haldern", "capital", "Sund", "Tarn"), [], True),
        (Asked("Haldern", "population", "8,400", "8,100"), [], True),
        (Asked("The Hour", "presenter", "Ada Moss", "Jan Pike"), [], False),
        (Asked("The Hour", "presenter", "Ada Moss", "Jan Pike"), ["Ada Moss replaced Jan Pike."], True),
        (Asked("a table", "may be printed with", "any ink", "red ink"), [], False),
        (Asked("a table", "may be printed with", "any ink", "only red ink"), [], True),
    ],
)
def test_still_is_asked_only_where_the_new_leaves_no_room_for_the_old(
    fact: Asked, evidence: list[str], excluded: bool
) -> None:
    assert excludes(fact, evidence) is excluded


ANYTHING = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=150)
@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_no_text_is_too_odd(subject: str, relation: str, new: str, old: str, question: str) -> None:
    asked = Asked(
        subject.strip() or "x", relation.strip() or "y", new.strip() or "z", old.strip(), "", question.strip()
    )
    assert said(asked).statements
    found, _ = wordings(asked)
    assert found
    assert stated(asked, asked.new, 1)
    assert isinstance(corrected(question, asked, [new]), str)
