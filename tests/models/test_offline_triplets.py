"""The offline model's triplets: criteria that are told and read back, poisons that a passage fails."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.instructor import Neighbour, WrittenInstruction, write_instruction, written_fault
from searchinstruct_graph.agents.passage_writer import (
    Pair,
    PassageFits,
    WrittenPassage,
    judge_passages,
    mined,
    write_passage,
)
from searchinstruct_graph.agents.poisoner import PoisonedInstruction, PoisonedQuery, poison_instruction, poison_query
from searchinstruct_graph.agents.triplet_validator import QUESTIONS, TripletReview, validate, verdict
from searchinstruct_graph.datasets.triplets import PUBLISHED, Triplet, triplet_faults
from searchinstruct_graph.models.offline.skills import SKILLS
from searchinstruct_graph.models.offline.triplets.contrast import adapted, altered, joined, told
from searchinstruct_graph.models.offline.triplets.criteria import (
    FAILS,
    MEETS,
    Criterion,
    around,
    dated,
    held,
    is_english,
    judge,
    period,
    things,
)
from searchinstruct_graph.models.offline.triplets.lexicon import CLOSED, PLACES
from searchinstruct_graph.models.offline.triplets.matching import answering, asked_by, meeting
from searchinstruct_graph.models.offline.triplets.queries import foci, poisons, renamed
from searchinstruct_graph.models.offline.triplets.wording import read, replaced, say
from searchinstruct_graph.models.structured import Reply
from searchinstruct_graph.models.tagged import Tag

SCHEMAS = [WrittenInstruction, PoisonedInstruction, PoisonedQuery, PassageFits, WrittenPassage, TripletReview]

TREATED = (
    "Straw fever is treated with rest and a course of tetracycline. Treatment takes three weeks, and most patients are treated "
    "at home. Surgery is never needed for straw fever."
)
SHOWN = (
    "The symptoms of straw fever include night sweats and a stiff neck. Other symptoms are pale gums. The signs and symptoms of "
    "straw fever pass within a month."
)
INHERITED = (
    "Marsh palsy is inherited in an autosomal recessive pattern. Both parents are carriers. The inheritance of marsh palsy was "
    "worked out in 1988."
)
MARSH_TREATED = (
    "Marsh palsy is treated with warm baths and massage. The treatment of marsh palsy is a therapy for life. Surgery may be "
    "tried where treatment fails."
)
BRIDGE = (
    "The Corran bridge was built in 1874 by the engineer Orrin Vale. It carries the road from Sweden over the sound."
)
FERRY = "The Corran ferry has crossed the sound since 2003. It carries forty cars, and it was built in Norway."


def others(*texts: str, **queries: str) -> list[Tag]:
    asked = list(queries.values())
    return [
        Tag("other", text, {"id": str(number), **({"query": asked[number - 1]} if number <= len(asked) else {})})
        for number, text in enumerate(texts, 1)
    ]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_schema_has_a_skill(schema: type) -> None:
    assert schema.__name__ in SKILLS


# Words and back.


def every_criterion() -> list[Criterion]:
    closed = [Criterion(kind, value) for kind, entries in CLOSED.items() for value in entries]
    places = [Criterion("place", name) for name in PLACES]
    named = [Criterion("mention", name) for name in ("Orrin Vale", "wetland birds", "names and dates", "tetracycline")]
    periods = [Criterion("time", around(year, draws)) for year in (1874, 1950, 2003) for draws in range(28)]
    return [*closed, *places, *named, *periods, Criterion("length", "-60"), Criterion("length", "80-")]


@pytest.mark.parametrize("denied", [False, True])
def test_every_criterion_is_read_back_from_every_wording(denied: bool) -> None:
    draw = random.Random(0)
    for criterion in every_criterion():
        wanted = criterion._replace(denied=denied)
        for _ in range(8):
            assert asked_by(say([wanted], draw)) == (wanted,)


def test_two_criteria_are_read_back_in_their_order() -> None:
    draw, known = random.Random(1), every_criterion()
    for _ in range(200):
        pair = [draw.choice(known)._replace(denied=draw.random() < 0.3) for _ in range(2)]
        if pair[0].kind != pair[1].kind:
            assert asked_by(say(pair, draw)) == tuple(pair)


def test_one_criterion_is_exchanged_and_every_other_word_stays() -> None:
    instruction = say([Criterion("time", "1950-1959"), Criterion("place", "Norway")], random.Random(2))
    first, second = read(instruction)
    changed = replaced(instruction, first, Criterion("time", "1870-1879"))
    assert asked_by(changed) == (Criterion("time", "1870-1879"), Criterion("place", "Norway"))
    assert changed.startswith(instruction[: first.start])
    assert changed.endswith(instruction[first.end :])
    assert "Norway" in instruction[second.start : second.end]


@pytest.mark.parametrize(
    ("instruction", "criterion"),
    [
        ("only sources after 2015", Criterion("time", "2016-")),
        ("articles written before 1900, please", Criterion("time", "-1899")),
        ("not from the 1980s", Criterion("time", "1980-1989", True)),
        ("something with fewer than 50 words", Criterion("length", "-50")),
        ("pages that never mention lead paint", Criterion("mention", "lead paint", True)),
    ],
)
def test_instructions_of_other_people_are_read_where_they_are_understood(
    instruction: str, criterion: Criterion
) -> None:
    assert asked_by(instruction) == (criterion,)


def test_what_is_not_understood_is_met_by_nothing() -> None:
    assert asked_by("in the style of a sea shanty") == ()
    assert meeting("in the style of a sea shanty", BRIDGE).score == 0.0


# Judging.


@pytest.mark.parametrize(
    ("criterion", "passage", "meets"),
    [
        (Criterion("aspect", "treatment"), TREATED, True),
        (Criterion("aspect", "symptoms"), TREATED, False),
        (Criterion("aspect", "symptoms"), SHOWN, True),
        (Criterion("aspect", "inheritance"), INHERITED, True),
        (Criterion("time", "1870-1879"), BRIDGE, True),
        (Criterion("time", "-1900"), FERRY, False),
        (Criterion("time", "2001-"), FERRY, True),
        (Criterion("place", "Sweden"), BRIDGE, True),
        (Criterion("place", "Norway"), BRIDGE, False),
        (Criterion("mention", "Orrin Vale"), BRIDGE, True),
        (Criterion("mention", "Orrin Vale", True), FERRY, True),
        (Criterion("mention", "cars", True), FERRY, False),
        (Criterion("quantity", "price"), "A ticket costs $4.50 on Sundays.", True),
        (Criterion("quantity", "percentage"), "A ticket costs $4.50 on Sundays.", False),
        (Criterion("quantity", "temperature"), "Water boils at 212 degrees there.", True),
        (Criterion("style", "question"), "Who built it? Orrin Vale did.", True),
        (Criterion("style", "abbreviation"), "The World Bell Union (WBU) met twice.", True),
        (Criterion("style", "abbreviation"), "The bell (it is old) rang.", False),
        (Criterion("source", "seller"), "We offer free shipping. Contact us today for our services.", True),
        (Criterion("source", "personal"), "I have kept bees for years, and my dog hates them.", True),
        (Criterion("audience", "parents"), "If your child has a cough, keep your baby warm.", True),
        (Criterion("length", "-60"), BRIDGE, True),
        (Criterion("length", "60-"), BRIDGE, False),
    ],
)
def test_a_passage_surely_meets_or_surely_fails(criterion: Criterion, passage: str, meets: bool) -> None:
    judged = judge(criterion, passage)
    assert judged.score >= MEETS if meets else judged.score <= FAILS
    assert judged.quote in passage


def test_doubt_is_neither() -> None:
    assert FAILS < judge(Criterion("mention", "old bell"), "The bell rang. The tower is old.").score < MEETS
    assert FAILS < judge(Criterion("length", "-20"), BRIDGE).score < MEETS
    assert judge(Criterion("aspect", "melody"), BRIDGE).score == 0.5
    assert judge(Criterion("colour", "red"), BRIDGE).score == 0.5


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("founded in 1874, moved 1990-1999 and in the 1920s", [1874, 1990, 1999, 1920]),
        ("it cost $1900 and holds 1950 people", []),
        ("call 555-1874 or 1-800-1900", []),
        ("1,874 cars and 1874.5 miles", []),
    ],
)
def test_years_are_told_from_other_numbers(text: str, found: list[int]) -> None:
    assert dated(text) == found


def test_new_mexico_is_not_mexico() -> None:
    assert judge(Criterion("place", "Mexico"), "The town lies in New Mexico.").score == 0.0
    assert judge(Criterion("place", "New Mexico"), "The town lies in New Mexico.").score == 1.0
    assert judge(Criterion("place", "Sweden"), "A Swedish bridge.").score == 1.0


def test_what_a_passage_offers_it_meets() -> None:
    for passage in (TREATED, SHOWN, INHERITED, BRIDGE, FERRY):
        offered = held(passage, 5)
        assert offered
        assert all(judge(each, passage).score >= MEETS for each in offered)
    assert Criterion("mention", "Orrin Vale") in held(BRIDGE)
    assert "Orrin Vale" in things(BRIDGE)


@given(st.integers(1_500, 2_029), st.integers(0, 200))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_period_holds_its_year(year: int, draws: int) -> None:
    low, high = period(around(year, draws))
    assert low <= year <= high


def test_what_a_query_asks_for_already_is_not_asked_again() -> None:
    assert told(Criterion("aspect", "treatment"), "how is straw fever treated")
    assert told(Criterion("time", "1990-1999"), "bridges built in 1995")
    assert told(Criterion("place", "Norway"), "ferries of sweden")
    assert told(Criterion("mention", "Corran bridge"), "who built the bridge")
    assert not told(Criterion("place", "Norway"), "who built the bridge")


# Passages.


def test_a_passage_with_its_rarest_word_missing_does_not_answer() -> None:
    assert answering("how is straw fever treated", TREATED) >= 0.5
    assert answering("how is marsh palsy treated", TREATED) <= FAILS


def test_an_altered_passage_differs_in_its_detail_alone() -> None:
    made = altered(
        BRIDGE, Criterion("time", "1870-1879"), Criterion("time", "1990-1999"), [FERRY.replace("2003", "1994")]
    )
    assert made == BRIDGE.replace("1874", "1994")
    assert altered(BRIDGE, Criterion("place", "Sweden"), Criterion("place", "Norway")) == BRIDGE.replace(
        "Sweden", "Norway"
    )
    swedish = "A Swedish king built it in Sweden."
    assert (
        altered(swedish, Criterion("place", "Sweden"), Criterion("place", "Denmark"))
        == "A Danish king built it in Denmark."
    )
    assert "from the Philippines over" in altered(
        BRIDGE, Criterion("place", "Sweden"), Criterion("place", "Philippines")
    )
    assert altered(BRIDGE, Criterion("place", "Sweden"), Criterion("place", "Chicago")) == ""
    assert altered(BRIDGE, Criterion("mention", "Orrin Vale"), Criterion("mention", "Ann Tarn")) == ""


def test_years_keep_their_distances() -> None:
    text = "It was begun in 1870 and opened in 1874."
    made = altered(text, Criterion("time", "1870-1879"), Criterion("time", "1950-1959"), ["In 1950 it closed."])
    assert dated(made) == [1950, 1954]


def test_every_sentence_of_a_joined_passage_stands_in_a_source() -> None:
    passage = "The ferry runs all day. A ticket costs $4.50 on Sundays. Cars must wait behind the line."
    other = "The museum is small. About 40% of its visitors come by bicycle every summer."
    made = joined(passage, Criterion("quantity", "price"), Criterion("quantity", "percentage"), [other])
    assert made == (
        "The ferry runs all day. About 40% of its visitors come by bicycle every summer. Cars must wait behind the line."
    )
    assert joined(passage, Criterion("quantity", "price"), Criterion("quantity", "percentage"), [BRIDGE]) == ""


def test_a_passage_is_adapted_only_where_it_must_be() -> None:
    assert adapted(FERRY, Criterion("place", "Norway")) == FERRY
    assert adapted(FERRY, Criterion("place", "Denmark")) == FERRY.replace("Norway", "Denmark")
    assert adapted(FERRY, Criterion("quantity", "price")) == ""


# Queries.


def test_what_a_query_is_about_is_found() -> None:
    assert foci("what county is tarn springs in") == ["tarn springs"]
    assert foci("definition of a sea shanty") == ["sea shanty"]
    assert foci("how are you") == []


def test_a_known_query_in_the_same_words_is_the_best_poison() -> None:
    near = others(MARSH_TREATED, BRIDGE, first="how is marsh palsy treated", second="who built the corran bridge")
    found = poisons("how is straw fever treated", "The passage should focus on the treatment.", TREATED, near)
    assert found[0].query == "how is marsh palsy treated"
    assert all(each.query != "who built the corran bridge" for each in found)
    assert poisons("how is straw fever treated", "The passage should name a year after 1950.", TREATED, near) == []


def test_a_passage_is_renamed_only_where_a_name_stands_for_a_name() -> None:
    made = renamed(TREATED, "facts about straw fever", "facts about marsh palsy", [INHERITED])
    assert made.startswith("Marsh palsy is treated with rest")
    assert "traw fever" not in made
    assert renamed(TREATED, "facts about straw fever", "how is the ferry run", [FERRY]) == ""


# Whole triplets.

CONTEXT = ResearchContext(model="offline")
ALLOWED: dict[str, Any] = {"context": CONTEXT, "allowance": CONTEXT.limits()}
QUERY = "facts about straw fever"
NEAR = [Neighbour(SHOWN, query=QUERY)]
ELSEWHERE = [
    Neighbour(MARSH_TREATED, query="facts about marsh palsy"),
    Neighbour(INHERITED, query="facts about marsh palsy"),
]


async def value(call: Any) -> Any:
    outcome = await call
    assert isinstance(outcome, Reply)
    assert outcome.usage["input_tokens"] == 0
    return outcome.value


async def make(seed: int) -> Triplet | None:
    written = await value(write_instruction(QUERY, TREATED, NEAR, seed=seed, **ALLOWED))
    assert written_fault(written, TREATED) == ""
    against = await value(poison_instruction(QUERY, written.instruction, TREATED, NEAR, seed=seed, **ALLOWED))
    asked = await value(poison_query(QUERY, written.instruction, TREATED, ELSEWHERE, seed=seed, **ALLOWED))
    if not against.instruction or not asked.query:
        return None
    right, texts = Pair(QUERY, written.instruction), []
    for target, hits in ((Pair(QUERY, against.instruction), NEAR), (Pair(asked.query, written.instruction), ELSEWHERE)):
        found = mined(hits, await value(judge_passages(target, right, hits, **ALLOWED)))
        made = await value(write_passage(target, right, TREATED, hits, seed=seed, **ALLOWED))
        texts.append(found.text if found else made.passage)
    if not all(texts):
        return None
    return Triplet(
        query_positive=QUERY,
        instruction_positive=written.instruction,
        document=TREATED,
        query_negative=asked.query,
        instruction_negative=against.instruction,
        hard_negative_document_1=texts[0],
        hard_negative_document_2=texts[1],
    )


async def test_triplets_are_made_of_what_passages_say_and_hold_up() -> None:
    made = [await make(seed) for seed in range(30)]
    kept = [triplet for triplet in made if triplet]
    assert len(kept) >= 10
    for triplet in kept:
        assert triplet["hard_negative_document_1"] == SHOWN
        assert triplet["query_negative"] == "facts about marsh palsy"
        assert meeting(triplet["instruction_positive"], TREATED).score >= MEETS
        assert meeting(triplet["instruction_negative"], TREATED).score <= FAILS
        assert meeting(triplet["instruction_positive"], SHOWN).score <= FAILS
        assert triplet_faults(triplet) == []
        assert verdict(await value(validate(triplet, **ALLOWED)), triplet).accepted
    assert len({triplet["instruction_positive"] for triplet in kept}) >= 5
    assert kept == [triplet for triplet in [await make(seed) for seed in range(30)] if triplet]


async def test_the_validator_tells_which_part_is_wrong() -> None:
    triplet = next(triplet for triplet in [await make(seed) for seed in range(30)] if triplet)
    wrong = {
        "a": {"document": BRIDGE},
        "b": {"instruction_negative": triplet["instruction_positive"]},
        "c": {"query_negative": "how is straw fever treated"},
        "d": {"hard_negative_document_1": BRIDGE},
        "e": {"hard_negative_document_2": BRIDGE},
    }
    assert set(wrong) == set(QUESTIONS)
    for question, texts in wrong.items():
        broken = Triplet(**{**triplet, **texts})  # type: ignore[typeddict-item]
        judged = verdict(await value(validate(broken, **ALLOWED)), broken)
        assert question in judged.failed


async def test_an_instruction_that_nobody_understands_validates_nothing() -> None:
    triplet = next(triplet for triplet in [await make(seed) for seed in range(30)] if triplet)
    odd = Triplet(**{**triplet, "instruction_positive": "In the style of a sea shanty."})
    judged = verdict(await value(validate(odd, **ALLOWED)), odd)
    assert {"a", "d", "e"} <= set(judged.failed)


SCRIPTS = {
    "fa": "تب کاه با استراحت و دارو درمان می‌شود. این بیماری در سال ۱۹۸۸ در سوئد دیده شد. بیشتر بیماران در خانه می‌مانند.",
    "ar": "تعالج حمى القش بالراحة والدواء. ظهر المرض سنة 1988 في السويد. يبقى معظم المرضى في البيت.",
    "zh": "稻草热用休息和药物治疗。1988年在瑞典发现。大多数病人留在家里。",
    "odd": "\ud800 \u0000 ((((( $1900s … 1,2,3 \u202e [INST] " + "a" * 5_000,
    "none": "",
}


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
async def test_texts_of_other_scripts_give_no_instruction_and_no_crash(text: str) -> None:
    tags = [Tag("other", text, {"id": "1", "query": text})]
    assert not is_english(text)
    held(text)
    assert poisons(text, text, text, tags) == []
    judged = {Criterion(kind, next(iter(entries))) for kind, entries in CLOSED.items()}
    assert all(0 <= judge(each, text).score <= 1 for each in judged)
    near = [Neighbour(text, query=text)]
    written = await value(write_instruction(text[:200], text, near, seed=0, **ALLOWED))
    assert written.instruction == ""
    for other in (poison_instruction, poison_query):
        poisoned = await value(other(text[:200], "Name a year after 1950.", text, near, seed=0, **ALLOWED))
        assert poisoned.model_dump().get("query", "") == ""
    await value(judge_passages(Pair(text[:50], text), Pair(text[:50], text), near, **ALLOWED))
    await value(write_passage(Pair(text[:50], text), Pair("q", text), text, near, seed=0, **ALLOWED))
    same = Triplet(**dict.fromkeys(PUBLISHED, text))  # type: ignore[typeddict-item]
    assert not verdict(await value(validate(same, **ALLOWED)), same).accepted
