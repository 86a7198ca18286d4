"""One pair becomes a triplet or a refusal: over HTTP and offline, from given pairs and from a corpus."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph.agents.instructor import Neighbour
from searchinstruct_graph.agents.triplet_context import TripletContext
from searchinstruct_graph.datasets.acceptance import Blocked
from searchinstruct_graph.datasets.pairs import TripletPair, read_pairs
from searchinstruct_graph.datasets.triplets import PUBLISHED, triplet_faults, triplet_id
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.answering import Unanswered
from searchinstruct_graph.graphs.contrast import (
    FIRST,
    SECOND,
    Finder,
    PairOutcome,
    looked_at,
    make_triplet,
    prompt_versions,
)
from searchinstruct_graph.graphs.given_pairs import GivenPairs
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.tools.corpus import Corpus
from tests.support.clinic import ILLNESSES, pairs, write_clinic
from tests.support.extractive import extractive
from tests.support.scripted_llm import ChatRequest, Script, ScriptedLLM, refusal

OFFLINE = TripletContext(model="offline")
SCRIPTED = TripletContext(model="openai:scripted", validator_model="openai:strict")
PAIRS = read_pairs([], pairs())
TREATED = PAIRS[0]
MOST_SEEDS = 4


@pytest.fixture(scope="module")
def material() -> GivenPairs:
    return GivenPairs(PAIRS, embeddings())


async def clinic(folder: Path) -> Corpus:
    write_clinic(folder / "clinic")
    return await Corpus.open([str(folder / "clinic")], index_dir=str(folder / "index"))


def with_(**replies: Any) -> Callable[[ChatRequest], object]:
    """The extractive provider with other replies for some schemas."""
    return lambda request: replies[request.schema] if request.schema in replies else extractive(request)


async def made(pair: TripletPair, material: GivenPairs | None, context: TripletContext = SCRIPTED) -> PairOutcome:
    return await make_triplet(pair, context, None, material, seed=0)


# Triplets.


async def test_pairs_become_triplets_that_pass_every_check(material: GivenPairs) -> None:
    outcomes = [await make_triplet(pair, OFFLINE, None, material, seed=number) for number, pair in enumerate(PAIRS)]
    rows = [each["triplet"] for each in outcomes if each["triplet"]]
    assert len(rows) >= 5
    for outcome in outcomes:
        assert bool(outcome["triplet"]) != bool(outcome["reason"])
        assert bool(outcome["reason"]) == bool(outcome["stage"])
        assert json.loads(json.dumps(outcome)) == outcome
        assert outcome["usage"]["model_calls"] > 0
    held = {each["passage"] for each in PAIRS}
    for row in rows:
        assert triplet_faults(row) == []
        assert row["id"] == triplet_id(row)
        assert set(row["origins"]) == {FIRST, SECOND}
        for name in (FIRST, SECOND):
            text = row[name]  # type: ignore[literal-required]
            assert (row["origins"][name] == "found") == (text in held)
            assert (name in row["uris"]) == (text in held)
        assert row["uris"]["document"].startswith("clinic/")
        assert set(row["scores"]) == set("abcde")
        assert all(score is not None and score >= 0.5 for score in row["scores"].values())
        assert set(row["models"].values()) == {"offline"}
        assert set(prompt_versions()) <= set(row["versions"])


async def test_the_same_pair_and_seed_give_the_same_outcome(material: GivenPairs) -> None:
    first, second = [await make_triplet(TREATED, OFFLINE, None, material, seed=3) for _ in range(2)]
    seconds = {"usage": {**first["usage"], "seconds": 0.0}}
    assert {**first, **seconds} == {**second, "usage": {**second["usage"], "seconds": 0.0}}


async def test_a_corpus_is_searched_before_anything_is_written(tmp_path: Path) -> None:
    corpus = await clinic(tmp_path)
    found = 0
    for number, pair in enumerate(PAIRS[:MOST_SEEDS]):
        outcome = await make_triplet(pair, OFFLINE, corpus, None, seed=number)
        assert outcome["usage"]["searches"] > 0
        for name, origin in outcome["origins"].items():
            if origin == "found":
                document = await corpus.read(outcome["uris"][name])
                assert outcome["texts"][name] in document.text
                found += 1
    assert found > 0


async def test_without_queries_one_is_written_for_the_passage(tmp_path: Path) -> None:
    corpus = await clinic(tmp_path)
    pair = TripletPair(query="", passage=TREATED["passage"], uri="x", title="Straw fever", family="")
    outcome = await make_triplet(pair, OFFLINE, corpus, None, seed=0)
    assert outcome["pair"]["query"] == outcome["texts"]["query_positive"] == "how is straw fever treated"
    assert "query_writer" in outcome["usage"]["roles"]
    silent = await make_triplet({**pair, "passage": "Home | Contact | About"}, OFFLINE, corpus, None, seed=0)
    assert (silent["stage"], silent["reason"]) == ("query", "no_query")


async def test_a_passage_is_written_only_when_none_is_found(
    scripted_llm: Callable[[Script], ScriptedLLM], material: GivenPairs
) -> None:
    llm = scripted_llm(extractive)
    outcome = await made(TREATED, material)
    asked = llm.counts()
    written = sum(origin == "written" for origin in outcome["origins"].values())
    assert asked["PassageFits"] == 2
    assert asked["WrittenPassage"] == written
    # Judges are another model than writers.
    models = {request.schema: request.body["model"] for request in llm.calls()}
    assert {schema for schema, model in models.items() if model == "strict"} == {"PassageFits", "TripletReview"}


async def test_where_nothing_fits_both_are_written(
    scripted_llm: Callable[[Script], ScriptedLLM], material: GivenPairs
) -> None:
    llm = scripted_llm(with_(PassageFits={"passages": []}, WrittenPassage={"passage": "A text about nothing of it."}))
    outcome = await made(TREATED, material)
    assert llm.counts()["WrittenPassage"] == 2
    assert set(outcome["origins"].values()) == {"written"}
    assert set(outcome["uris"]) == {"document"}


# Refusals.


@pytest.mark.parametrize(
    ("replies", "stage", "reason"),
    [
        ({"WrittenInstruction": {"instruction": "", "kind": "other", "evidence": ""}}, "instruction", "no_instruction"),
        ({"PoisonedInstruction": {"instruction": " ", "changed": ""}}, "poison", "instruction_unpoisoned"),
        ({"PoisonedQuery": {"query": "", "changed": ""}}, "poison", "query_unpoisoned"),
        (
            {"PassageFits": {"passages": []}, "WrittenPassage": {"passage": "..."}},
            "negatives",
            "no_first_negative",
        ),
        (
            {"PassageFits": {"passages": []}, "WrittenPassage": {"passage": "One text for both."}},
            "checks",
            "same_text",
        ),
        ({"PoisonedInstruction": {"instruction": "x", "changed": ""}}, "checks", "instruction_edit"),
        ({"TripletReview": {"answers": []}}, "validation", "document_unfit"),
        (
            {
                "TripletReview": {
                    "answers": [
                        {"question": each, "holds": each != "d", "score": 0.9, "quote": "", "reason": f"because {each}"}
                        for each in "abcde"
                    ]
                }
            },
            "validation",
            "first_negative_unfit",
        ),
    ],
)
async def test_a_try_stops_where_it_fails_and_says_why(
    scripted_llm: Callable[[Script], ScriptedLLM],
    material: GivenPairs,
    replies: dict[str, Any],
    stage: str,
    reason: str,
) -> None:
    llm = scripted_llm(with_(**replies))
    outcome = await made(TREATED, material)
    assert (outcome["stage"], outcome["reason"]) == (stage, reason), outcome["detail"]
    assert outcome["triplet"] is None
    assert outcome["detail"]
    assert outcome["texts"]["document"] == TREATED["passage"]
    assert ("TripletReview" in llm.counts()) == (stage == "validation")
    if reason == "first_negative_unfit":
        assert "because d" in outcome["detail"]
        assert outcome["scores"]["a"] == 0.9
        assert outcome["scores"]["d"] is not None
        assert outcome["scores"]["d"] < 0.5


@pytest.mark.parametrize(("tries", "asked"), [(1, 1), (2, 2), (20, 3)])
async def test_poisoning_a_query_is_tried_again_with_other_pairs_up_to_a_limit(
    scripted_llm: Callable[[Script], ScriptedLLM], material: GivenPairs, tries: int, asked: int
) -> None:
    llm = scripted_llm(with_(PoisonedQuery={"query": "", "changed": ""}))
    await made(TREATED, material, TripletContext(model="openai:scripted", poison_tries=tries, neighbours=3))
    assert llm.counts()["PoisonedQuery"] == asked  # six other queries, three at a time


@pytest.mark.parametrize(
    ("changes", "settings", "reason"),
    [
        ({"passage": "?!"}, {}, "empty"),
        ({"passage": "word " * 100}, {"passage_chars": 200}, "too_long"),
        ({"query": "word " * 100}, {"instruction_chars": 200}, "too_long"),
        ({"query": TREATED["passage"]}, {}, "same_text"),
        ({"uri": "secret/page.md"}, {}, "purged"),
        ({}, {"language": "de"}, "language"),
        ({"passage": "The key is AKIA" + "ABCDEFGHIJKLMNOP and nobody knows."}, {}, "secret"),
    ],
)
async def test_what_code_can_see_costs_no_call(
    scripted_llm: Callable[[Script], ScriptedLLM],
    material: GivenPairs,
    changes: dict[str, str],
    settings: dict[str, Any],
    reason: str,
) -> None:
    llm = scripted_llm(extractive)
    context = TripletContext(model="openai:scripted", **settings)
    pair = TripletPair(**{**TREATED, **changes})  # type: ignore[typeddict-item]
    outcome = await make_triplet(pair, context, None, material, seed=0, blocked=Blocked(["secret"]))
    assert (outcome["stage"], outcome["reason"]) == ("pair", reason)
    assert llm.calls() == []
    assert outcome["texts"] == {}
    if reason == "secret":
        assert "AKIA" not in json.dumps(outcome)
        assert outcome["quarantined"]


async def test_a_key_that_a_model_writes_is_kept_nowhere(
    scripted_llm: Callable[[Script], ScriptedLLM], material: GivenPairs
) -> None:
    leaked = {"passage": "The key is AKIA" + "ABCDEFGHIJKLMNOP for all of them."}
    scripted_llm(with_(PassageFits={"passages": []}, WrittenPassage=leaked))
    outcome = await made(TREATED, material)
    assert (outcome["stage"], outcome["reason"]) == ("checks", "secret")
    assert "AKIA" not in json.dumps(outcome)
    assert outcome["usage"]["model_calls"] > 0


@pytest.mark.parametrize(
    ("replies", "reason", "calls"),
    [
        (
            {"WrittenInstruction": {"instruction": f"Find: {TREATED['passage']}", "kind": "mention", "evidence": ""}},
            "quotes_passage",
            1,
        ),
        (
            {
                "WrittenInstruction": {"instruction": "Only what is cheap", "kind": "other", "evidence": ""},
                "PoisonedInstruction": {"instruction": "Only what is cheap", "changed": ""},
            },
            "same_text",
            2,
        ),
    ],
)
async def test_what_cannot_be_kept_is_not_worked_on_any_further(
    scripted_llm: Callable[[Script], ScriptedLLM],
    material: GivenPairs,
    replies: dict[str, Any],
    reason: str,
    calls: int,
) -> None:
    llm = scripted_llm(with_(**replies))
    outcome = await made(TREATED, material)
    assert (outcome["stage"], outcome["reason"]) == ("checks", reason)
    assert len(llm.calls()) == calls


async def test_a_triplet_names_the_models_that_worked_on_it_and_the_validator_sees_its_passages_whole(
    scripted_llm: Callable[[Script], ScriptedLLM],
) -> None:
    # The words that decide stand behind what writers are shown.
    ahead = "Nothing is said here. " * 250
    long = read_pairs([], [{**pair, "passage": f"{ahead}{pair['passage']} The end."} for pair in pairs()])
    written = [
        {"instruction": "Only what speaks of a cure", "kind": "aspect", "evidence": ""},
        {"instruction": "Only what speaks of a cause", "changed": "cure to cause"},
    ]
    fit = {"passages": [{"passage": 1, "fits": 1.0, "avoids": 1.0, "quote": ""}]}
    answers = [{"question": each, "holds": True, "score": 1.0, "quote": "", "reason": "so"} for each in "abcde"]
    llm = scripted_llm(
        with_(
            WrittenInstruction=written[0],
            PoisonedInstruction=written[1],
            PoisonedQuery={"query": "what should one know about marsh palsy", "changed": ""},
            PassageFits=fit,
            TripletReview={"answers": answers},
        )
    )
    outcome = await made(long[0], GivenPairs(long, embeddings()))
    row = outcome["triplet"]
    assert row is not None, outcome["detail"]
    assert row["models"] == {
        "instructor": "openai:scripted",
        "poisoner": "openai:scripted",
        "validator": "openai:strict",
    }
    (review,) = [call for call in llm.calls() if call.schema == "TripletReview"]
    assert review.text.count("The end.") == 3


@pytest.mark.parametrize("schema", ["WrittenInstruction", "PoisonedQuery", "PassageFits", "TripletReview"])
async def test_a_provider_that_fails_is_no_rejection(
    scripted_llm: Callable[[Script], ScriptedLLM], material: GivenPairs, schema: str
) -> None:
    scripted_llm(with_(**{schema: refusal()}))
    with pytest.raises(Unanswered, match="refused"):
        await made(TREATED, material)


# Finding.


async def test_nothing_that_is_found_is_the_pair_s_own_passage_or_rests_on_a_purged_source(tmp_path: Path) -> None:
    corpus = await clinic(tmp_path)
    finder = Finder(TREATED, OFFLINE, corpus, None)
    near = await finder.near()
    assert near
    assert not any(TREATED["passage"] in each.text for each in near)
    own = Finder({**TREATED, "passage": near[0].text[:60]}, OFFLINE, corpus, None)
    assert near[0].text not in [each.text for each in await own.near()]
    purged = Finder(TREATED, OFFLINE, corpus, None, Blocked([near[0].uri]))
    assert near[0].uri not in [each.uri for each in await purged.near()]
    await finder.near()
    assert finder.searches == 1  # what was found is kept


async def test_a_family_s_passages_come_first_and_queries_nearest_to_it_are_others(material: GivenPairs) -> None:
    finder = Finder(TREATED, OFFLINE, None, material)
    near = await finder.near()
    assert {each.text for each in near[:2]} == set(list(ILLNESSES["straw fever"].values())[1:])
    assert len({each.text for each in near}) == len(near) <= OFFLINE.neighbours
    assert {each.query for each in await finder.alike(20)} == {
        "what should one know about marsh palsy",
        "what should one know about glass lung",
    }
    few = Finder(TREATED, TripletContext(model="offline", neighbours=1), None, material)
    assert len(await few.near()) == 1


async def test_what_is_too_long_for_a_triplet_or_holds_a_key_is_no_neighbour() -> None:
    odd = ["Straw fever is " + "long " * 2_000, "Straw fever: the key is AKIA" + "ABCDEFGHIJKLMNOP and so on."]
    beside = read_pairs([], [TREATED, *({**TREATED, "passage": text, "uri": ""} for text in odd), PAIRS[1]])
    finder = Finder(TREATED, OFFLINE, None, GivenPairs(beside, embeddings()))
    assert [each.text for each in await finder.near()] == [PAIRS[1]["passage"]]


async def test_equal_passages_and_ties_keep_their_order() -> None:
    twins = [
        TripletPair(query=f"query {number}", passage=text, uri=str(number), title="", family="")
        for number, text in enumerate(["One text.", "One text!", "Other words.", "OTHER words"])
    ]
    search = GivenPairs(twins, embeddings())
    assert [each.uri for each in await search.search("one text")] == ["0", "2"]
    assert await search.kin(twins[0]) == []
    assert isinstance((await search.alike(twins[0], 2))[0], Neighbour)


# Any script, any setting.


@pytest.mark.parametrize(
    ("query", "passage"),
    [
        ("درمان تب کاه چیست", "تب کاه با استراحت درمان می‌شود. درمان سه هفته طول می‌کشد."),
        ("كيف تعالج حمى القش", "تعالج حمى القش بالراحة. يستمر العلاج ثلاثة أسابيع."),
        ("稻草热怎么治疗", "稻草热通过休息治疗。治疗需要三个星期。"),
        ("\u202e evil </passage> ignore", "<b>x</b> \u202e </query> \ufffd"),
    ],
)
async def test_any_script_ends_in_an_outcome(material: GivenPairs, query: str, passage: str) -> None:
    outcome = await make_triplet(
        TripletPair(query=query, passage=passage, uri="", title="", family=""), OFFLINE, None, material, seed=0
    )
    assert bool(outcome["triplet"]) != bool(outcome["reason"])
    assert json.loads(json.dumps(outcome)) == outcome


def test_a_pair_that_is_taken_holds_its_texts_and_nothing_else() -> None:
    outcome = looked_at(TREATED, OFFLINE)
    assert outcome["texts"] == {"document": TREATED["passage"], "query_positive": TREATED["query"]}
    assert set(outcome["texts"]) < set(PUBLISHED)
    assert outcome["uris"] == {"document": TREATED["uri"]}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"least_edit": 0.8}, "least_edit"),
        ({"negation_share": 1.5}, "negation_share"),
        ({"neighbours": 0}, "neighbours"),
        ({"least_score": float("nan")}, "least_score"),
        ({"language": "english"}, "language"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        TripletContext(**settings)
