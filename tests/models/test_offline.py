"""The offline model: LangChain's interface over sentences that are chosen, never written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from searchinstruct_graph.agents.critic import Reanswer, SupportReport
from searchinstruct_graph.agents.planner import QuestionPlan
from searchinstruct_graph.agents.reader import PageQuotes
from searchinstruct_graph.agents.searcher import Sufficiency
from searchinstruct_graph.agents.writer import AnswerDraft
from searchinstruct_graph.models.offline import OfflineChatModel
from searchinstruct_graph.models.offline.names import names
from searchinstruct_graph.models.offline.skills import SKILLS
from searchinstruct_graph.models.tagged import Inputs

SCHEMAS: list[type[BaseModel]] = [QuestionPlan, PageQuotes, Sufficiency, AnswerDraft, SupportReport, Reanswer]

PAGE = (
    "Orrin Vale was a clockmaker. He was born in Tarn in 1742 and died in 1803. "
    "His shop made ship's clocks. The shop closed in 1810 because steel had become too dear."
)


def fill(schema: type[BaseModel], inputs: Inputs, **sampling: Any) -> Any:
    model = OfflineChatModel().with_structured_output(schema, **sampling)
    return model.invoke([("system", "rules"), ("user", str(inputs))])


def quoted(*texts: str, question: str) -> Inputs:
    inputs = Inputs().add("question", question)
    for number, text in enumerate(texts, 1):
        inputs.add("quote", text, id=number, title="Orrin Vale")
    return inputs


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_schema_of_the_agents_is_known_and_filled(schema: type[BaseModel]) -> None:
    inputs = quoted("Orrin Vale was born in 1742.", question="When was Orrin Vale born?")
    inputs.add("point", "his birth", id=1).add("page", PAGE, title="Orrin Vale").add(
        "statement", "Born in 1742.", id=1, quotes="1"
    )
    assert isinstance(fill(schema, inputs), schema)
    raw = OfflineChatModel().with_structured_output(schema.model_json_schema(), include_raw=True).invoke(str(inputs))
    assert schema.model_validate(raw["parsed"])
    assert raw["raw"].usage_metadata["total_tokens"] == 0
    assert schema.__name__ in SKILLS


def test_an_unknown_schema_is_refused_in_one_line() -> None:
    class Poem(BaseModel):
        """A poem."""

        verse: str

    with pytest.raises(ValueError, match="extractive"):
        OfflineChatModel().with_structured_output(Poem)


@pytest.mark.parametrize(
    ("question", "held"),
    [
        ("When was Orrin Vale born?", "1742"),
        ("Why did the shop of Orrin Vale close?", "steel"),
        ("What did the shop of Orrin Vale make?", "ship's clocks"),
    ],
)
def test_reading_copies_the_sentence_that_answers(question: str, held: str) -> None:
    found = fill(
        PageQuotes,
        Inputs().add("question", question).add("point", question, id=1).add("page", PAGE, title="Orrin Vale"),
    )
    assert found.relevant == "yes"
    assert held in found.quotes[0].text
    assert all(quote.text in PAGE for quote in found.quotes)


def test_a_page_about_something_else_gives_nothing() -> None:
    inputs = Inputs().add("question", "When was Orrin Vale born?").add("point", "birth", id=1)
    found = fill(PageQuotes, inputs.add("page", "Bread rises when yeast makes gas. Bake it hot.", title="Bread"))
    assert found.quotes == []
    assert found.relevant == "no"


@pytest.mark.parametrize(
    ("question", "page", "held"),
    [
        ("Wann wurde die Brücke von Tarn gebaut?", "Die Brücke von Tarn wurde 1867 gebaut. Sie ist aus Stein.", "1867"),
        ("塔恩桥是什么时候建成的？", "塔恩桥建成于1867年。桥上有三个灯塔。", "1867"),
        ("متى بني جسر تارن؟", "بني جسر تارن عام 1867. الجسر من الحجر.", "1867"),
        ("پل تارن چه سالی ساخته شد؟", "پل تارن در سال ۱۸۶۷ ساخته شد. این پل سنگی است.", "۱۸۶۷"),
    ],
)
def test_other_scripts_are_read(question: str, page: str, held: str) -> None:
    found = fill(PageQuotes, Inputs().add("question", question).add("point", question, id=1).add("page", page))
    assert held in found.quotes[0].text


def test_it_says_so_when_the_quotes_are_silent() -> None:
    inputs = quoted("Orrin Vale was a clockmaker.", question="What was the name of Orrin Vale's daughter's dog?")
    assert fill(AnswerDraft, inputs).statements == []
    assert fill(Reanswer, inputs).answerable is False


def test_missing_links_become_queries_by_name() -> None:
    question = "When was the author of The Salt Road born?"
    inputs = Inputs().add("question", question).add("point", question, id=1)
    inputs.add("quote", "The Salt Road is a novel written by Ilse Marden.", id=1, title="The Salt Road")
    found = fill(Sufficiency, inputs.add("tried", question, id=1))
    assert not found.sufficient
    assert any("Ilse Marden" in query for query in found.next_queries)


def test_comparisons_ask_for_both_sides_and_two_questions_become_two() -> None:
    compared = fill(QuestionPlan, Inputs().add("question", "Which is older, Tarn Bridge or Usk Bridge?"))
    queries = " ".join(compared.sub_questions[0].queries)
    assert "Tarn Bridge" in queries
    assert "Usk Bridge" in queries
    both = fill(QuestionPlan, Inputs().add("question", "What does yield do and when is StopIteration raised?"))
    assert len(both.sub_questions) == 2


def test_a_draft_says_nothing_that_its_quotes_do_not_say() -> None:
    texts = ("* Orrin Vale was born in Tarn in 1742.", "Orrin Vale was born\nin the year 1742, in winter.")
    draft = fill(AnswerDraft, quoted(*texts, question="When was Orrin Vale born?"))
    assert draft.statements
    for statement in draft.statements:
        assert any(statement.text in " ".join(texts[number - 1].split()) for number in statement.quotes)


def test_samples_differ_only_between_near_ties() -> None:
    near = ("Orrin Vale was born in 1742 in Tarn.", "Orrin Vale was born in 1742 at Tarn.", "Clocks tick.")
    inputs = quoted(*near, question="When was Orrin Vale born?")
    cold = {fill(Reanswer, inputs, temperature=0.0, seed=seed).answer for seed in range(8)}
    warm = {fill(Reanswer, inputs, temperature=1.0, seed=seed).answer for seed in range(8)}
    assert len(cold) == 1
    assert warm == set(near[:2])


def test_plain_conversation_is_answered_from_the_conversation() -> None:
    model = OfflineChatModel()
    asked = f"{PAGE}\n\nWhen did the shop close?"
    said = model.invoke(asked)
    assert "1810" in said.text
    assert all(sentence.strip() in " ".join(PAGE.split()) for sentence in said.text.split("  "))
    assert "".join(chunk.text for chunk in model.stream(asked)) == said.text
    assert [message.text for message in model.batch([asked, "Who is the king?"])][1] == "The text does not say."
    assert model.invoke("").text == "The text does not say."


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60), st.text(max_size=200), st.sampled_from(SCHEMAS))
def test_no_text_makes_it_stumble(question: str, page: str, schema: type[BaseModel]) -> None:
    inputs = Inputs().add("question", question).add("point", question, id=1).add("page", page, title=question)
    inputs.add("quote", page, id=1, title=question).add("statement", page, id=1, quotes="1")
    reply = OfflineChatModel().invoke(str(inputs), reply_schema=schema.__name__)
    assert isinstance(json.loads(reply.text), dict)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The film was directed by Edward L. Cahn in 1933.", "Edward L. Cahn"),
        ("He wrote “The Salt Road” there.", "The Salt Road"),
        ("It belongs to the University of Tarn.", "University of Tarn"),
        ("Call `functools.partial` first.", "functools.partial"),
    ],
)
def test_names_are_seen(text: str, found: str) -> None:
    assert found in names(text)


def judged(statement: str, *quotes: tuple[str, str]) -> float:
    """The support of a statement by all these quotes, each with the title of its page."""
    inputs = Inputs().add("statement", statement, id=1, quotes=",".join(str(at + 1) for at in range(len(quotes))))
    for number, (text, title) in enumerate(quotes, 1):
        inputs.add("quote", text, id=number, title=title)
    found: float = fill(SupportReport, inputs).statements[0].support
    return found


def test_the_title_of_a_page_says_whom_its_pronouns_stand_for() -> None:
    quote = "In 1790 he was elected warden of the guild of clockmakers."
    said = "Orrin Vale was elected warden of the guild of clockmakers."
    assert judged(said, (quote, "Orrin Vale")) >= 0.7 > judged(said, (quote, ""))
    # Somebody else's page speaks of somebody else.
    assert judged(said, (quote, "Mara Venn")) < 0.7
    assert judged("Mara Venn was elected warden of the guild of clockmakers.", (quote, "Orrin Vale")) < 0.7


def test_a_list_item_stands_under_the_heading_that_is_cited_beside_it() -> None:
    item, heading, title = "- 1979–1984: Leif Nilsen", "Commanders of the regiment", "The Sund Rangers"
    said = "The commander of the Sund Rangers was Leif Nilsen."
    assert judged(said, (item, title), (heading, title)) >= 0.7 > judged(said, (item, title))
    # A heading of another page is none of this list.
    assert judged(said, (item, title), (heading, "The Haldern Guards")) < 0.7
