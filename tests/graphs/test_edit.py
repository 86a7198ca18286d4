"""An edit set, and its graph for Studio, in this process: what is searched, edited, refused, held out, and what goes on."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from searchinstruct_graph.agents.edit_context import EditContext
from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.database import connect
from searchinstruct_graph.datasets.export import question_key
from searchinstruct_graph.datasets.ledger import EditRecord, read_probes
from searchinstruct_graph.datasets.rows import Rejection, Row
from searchinstruct_graph.errors import ProviderError, SearchInstructError, UsageError
from searchinstruct_graph.graphs.edit import MOST_FACTS, build_edit
from searchinstruct_graph.graphs.edit import graph as edit_graph
from searchinstruct_graph.graphs.editing import EditHappened, EditResult, edit
from searchinstruct_graph.integrations.edit_dataset import edit_set
from tests.support.extractive import extractive
from tests.support.scripted_llm import ChatRequest, Script, ScriptedLLM, slow, status
from tests.support.town import CARRIED, FACTS, write_facts, write_town

Start = Callable[[Script], ScriptedLLM]

MAYOR, TOLL, LIBRARIAN, FERRY, TWIN = FACTS


@pytest.fixture
def town(tmp_path: Path) -> str:
    """The almanac of the town."""
    return write_town(tmp_path / "town")


def settings(corpus: str, **more: Any) -> EditContext:
    """A small edit set by the offline model, or another."""
    return EditContext(**{"corpus": [corpus], "wordings": 6, **more})


async def run(folder: Path, context: EditContext, *facts: dict[str, Any], **more: Any) -> EditResult:
    """Begin a run with these facts, or with all of the town's, or go on with it."""
    return await edit([], folder, context, records=facts or FACTS, **more)


class Kept:
    """Everything that a run's ledger says."""

    def __init__(self, folder: Path) -> None:
        with closing(connect(folder / ledgers.NAME, readonly=True)) as db:
            self.rows: list[Row] = list(ledgers.read_rows(db))
            self.rejections: list[Rejection] = list(ledgers.read_rejections(db))
            self.edits: list[EditRecord] = list(ledgers.read_edits(db))
            self.probes = read_probes(folder)
            self.pool = db.execute("SELECT wave, segment FROM pool ORDER BY wave").fetchall()
            self.calls = db.execute("SELECT count(*) FROM calls").fetchone()[0]

    def told(self) -> tuple[Any, ...]:
        """What may differ neither by the clock nor by a kill."""
        rows = [{name: value for name, value in row.items() if name not in ("usage", "sources")} for row in self.rows]
        probes = [{name: value for name, value in each.items() if name != "sources"} for each in self.probes]
        refused = [(each["reason"], each["instruction"], each["detail"]) for each in self.rejections]
        return rows, probes, refused, self.edits, self.pool

    def reasons(self) -> dict[str, int]:
        """Why facts were refused."""
        return dict(Counter(each["reason"] for each in self.edits if each["reason"]))


def scripted(schema: str, reply: Callable[[ChatRequest], object]) -> Callable[[ChatRequest], object]:
    """A provider that answers as the offline model does, but for one schema."""
    return lambda request: reply(request) if request.schema == schema else extractive(request)


# What is searched: nothing is made of a fact that no page carries.


async def test_only_what_a_page_carries_is_taught_and_rows_say_where_it_stands(tmp_path: Path, town: str) -> None:
    outcome = await run(tmp_path / "run", settings(town))
    kept = Kept(tmp_path / "run")
    assert (outcome["ended"], outcome["accepted"]) == ("facts", len(kept.rows))
    assert kept.reasons() == {"contradicted": 1, "no_evidence": 1}
    assert {row["origin"]["edit"]["new"] for row in kept.rows} == set(CARRIED)
    for row in kept.rows:
        told = row["origin"]["edit"]
        (rejected,) = row["rejected"]
        assert rejected["reason"] == "stale"
        assert told["old"].removeprefix("the ") in rejected["answer"]
        assert told["new"] in row["answer"]
        assert told["old"] not in row["answer"]
        assert 0 < (told["change"] or 0) <= 0.5
        (span,) = told["spans"]
        assert row["answer"][slice(*span)] in told["new"]
        assert all(statement["support"] >= 0.7 for statement in row["statements"])
        for source in row["sources"]:
            text = Path(source["uri"]).read_text(encoding="utf-8")
            assert all(text[quote["start"] : quote["end"]] == quote["text"] for quote in source["quotes"])
    assert len({row["instruction"] for row in kept.rows}) == len(kept.rows)
    # A refused fact is in the rejections, with what was read.
    refused = {each["reason"]: each for each in kept.rejections if each["reason"] in kept.reasons()}
    assert "Maud Sellick" in refused["contradicted"]["detail"]
    assert any("library" in source["uri"] for source in refused["contradicted"]["sources"])
    assert refused["no_evidence"]["origin"]["operation"] == "edit"
    assert kept.calls == 0


async def test_a_new_object_that_stands_there_about_somebody_else_is_no_evidence(tmp_path: Path, town: str) -> None:
    other = {"subject": "Brackwater Hollow", "relation": "mayor", "old": "Nobody", "new": "Ines Arkwright"}
    await run(tmp_path / "run", settings(town), other)
    assert set(Kept(tmp_path / "run").reasons()) <= {"ambiguous", "no_evidence"}
    assert Kept(tmp_path / "run").rows == []


async def test_a_version_number_is_not_found_in_a_longer_one(tmp_path: Path, town: str) -> None:
    (Path(town) / "tool.md").write_text("The latest version of Loomwork is 3.11.\n")
    tool = {"subject": "Loomwork", "relation": "latest version"}
    await run(tmp_path / "wrong", settings(town), {**tool, "old": "3.0", "new": "3.1"})
    assert Kept(tmp_path / "wrong").rows == []
    await run(tmp_path / "right", settings(town), {**tool, "old": "3.1", "new": "3.11"})
    rows = Kept(tmp_path / "right").rows
    assert rows
    assert all("3.11" in row["answer"] and "3.11" not in row["rejected"][0]["answer"] for row in rows)


# Probes.


async def test_probes_ask_what_follows_and_what_stays_and_none_is_a_row(tmp_path: Path, town: str) -> None:
    outcome = await run(tmp_path / "run", settings(town))
    kept = Kept(tmp_path / "run")
    written = [json.loads(line) for line in Path(outcome["probes"]).read_text(encoding="utf-8").splitlines()]
    assert written == kept.probes
    by_kind = Counter(each["kind"] for each in kept.probes)
    assert outcome["edits"]["probes"] == by_kind
    assert by_kind["efficacy"] == 3
    assert by_kind["generality"] >= 3
    assert by_kind["portability"] >= 3
    assert by_kind["locality"] >= 1
    trained = {question_key(row["instruction"]) for row in kept.rows}
    assert not trained & {question_key(each["question"]) for each in kept.probes}
    facts = {each["fact"]["id"]: each["fact"] for each in kept.edits if not each["reason"]}
    for each in kept.probes:
        fact = facts[each["fact"]]
        if each["kind"] in ("efficacy", "generality"):
            assert (each["answer"], each["stale"]) == (fact["new"], fact["old"])
        if each["kind"] == "locality":
            assert not any(side in each["answer"] for side in (fact["old"], fact["new"]))
        for source in each["sources"]:
            text = Path(source["uri"]).read_text(encoding="utf-8")
            assert all(text[quote["start"] : quote["end"]] == quote["text"] for quote in source["quotes"])
    assert any(each["question"] == MAYOR["unchanged"][0]["question"] for each in kept.probes)


async def test_what_another_fact_changes_is_no_locality_of_this_one(tmp_path: Path, town: str) -> None:
    asked = {"question": "What is the toll of the Alder Bridge?", "answer": "5 crowns"}
    mayor = {**MAYOR, "unchanged": [asked]}
    (Path(town) / "town.md").write_text(
        "Ines Arkwright is the mayor of Veldmoor. The toll of the Alder Bridge is 5 crowns.\n"
    )
    await run(tmp_path / "run", settings(town), mayor, TOLL)
    kept = Kept(tmp_path / "run")
    assert not any(each["kind"] == "locality" and "toll" in each["question"].lower() for each in kept.probes)
    assert ["locality", asked["question"], "changed_by_another_fact"] in kept.edits[0]["dropped"]
    assert any(row["instruction"] == asked["question"] for row in kept.rows)


# The clock, and what a run is made of.


@pytest.mark.parametrize("workers", [1, 5])
async def test_rows_do_not_depend_on_how_many_facts_are_under_way(
    tmp_path: Path, town: str, scripted_llm: Start, workers: int
) -> None:
    await run(tmp_path / "offline", settings(town))
    waits = iter(range(1_000))
    scripted_llm(lambda request: slow(0.02 * (next(waits) % 3), extractive(request)))
    await run(tmp_path / "run", settings(town, model="openai:scripted", concurrency=workers))
    one, other = Kept(tmp_path / "offline"), Kept(tmp_path / "run")
    assert [row["instruction"] for row in one.rows] == [row["instruction"] for row in other.rows]
    assert [row["answer"] for row in one.rows] == [row["answer"] for row in other.rows]
    assert [each["id"] for each in one.probes] == [each["id"] for each in other.probes]
    assert one.edits == other.edits


async def test_a_run_is_what_its_facts_and_settings_are(tmp_path: Path, town: str) -> None:
    await run(tmp_path / "run", settings(town))
    before = Kept(tmp_path / "run").told()
    happened: list[EditHappened] = []
    again = await run(tmp_path / "run", settings(town, concurrency=2), tell=happened.append)
    assert again["ended"] == "facts"
    assert Kept(tmp_path / "run").told() == before
    assert happened[0].text.endswith("5 facts, 5 of them done")
    with pytest.raises(UsageError, match=r"facts: .* → "):
        await run(tmp_path / "run", settings(town), MAYOR)
    with pytest.raises(UsageError, match=r"settings\.max_change"):
        await run(tmp_path / "run", settings(town, max_change=0.4))
    await run(tmp_path / "run", settings(town), MAYOR, new_run=True)
    assert len(Kept(tmp_path / "run").edits) == 1
    assert Kept(tmp_path / "run.1").told() == before


async def test_facts_come_from_files_as_well(tmp_path: Path, town: str) -> None:
    (tmp_path / "facts.csv").write_text(
        "Subject,Relation,Old Object,New Object,As of\nVeldmoor,mayor,Tobias Renn,Ines Arkwright,2024\n"
    )
    file = write_facts(tmp_path / "more.jsonl", [TOLL])
    await edit([str(tmp_path / "facts.csv"), file], tmp_path / "run", settings(town))
    assert [each["fact"]["new"] for each in Kept(tmp_path / "run").edits] == ["Ines Arkwright", "5 crowns"]


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([], "--facts FILE"),
        ([{"subject": "Veldmoor", "relation": "mayor"}], "record 1: the fact has no new"),
        ([{**MAYOR, "new": "tobias renn"}], "nothing has changed"),
        ([MAYOR, {**MAYOR, "new": "Orla Finch"}], "conflicts with"),
    ],
)
async def test_facts_that_cannot_be_are_refused_before_anything_is_written(
    tmp_path: Path, town: str, records: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        await edit([], tmp_path / "run", settings(town), records=records)
    assert not (tmp_path / "run").exists()


# The edit: as little as it takes, and once more with the fault named.


async def test_an_edit_that_changes_too_much_is_tried_again_with_the_fault_named(
    tmp_path: Path, town: str, scripted_llm: Start
) -> None:
    def rambling(request: ChatRequest) -> object:
        if request.tag("problem"):
            return extractive(request)
        return {
            "text": "As everybody in the valley knows by now, it is Ines Arkwright who runs the place.",
            "quotes": [1],
        }

    llm = scripted_llm(scripted("RevisedAnswer", rambling))
    await run(tmp_path / "run", settings(town, model="openai:scripted"), MAYOR)
    kept = Kept(tmp_path / "run")
    told = [each.tag("problem") for each in llm.calls("RevisedAnswer")]
    assert sorted({bool(each) for each in told}) == [False, True]
    assert all("at most 50%" in each for each in told if each)
    assert kept.edits[0]["reason"] == ""
    assert {row["critic"]["rounds"] for row in kept.rows} == {2}
    assert all((row["origin"]["edit"]["change"] or 1) <= 0.5 for row in kept.rows)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("As everybody in the valley knows by now, it is Ines Arkwright who runs this old place.", "change_too_large"),
        ("The mayor of Veldmoor is Tobias Renn, and Ines Arkwright.", "old_object_kept"),
        ("The mayor of Veldmoor is Orla Finch.", "new_object_missing"),
        ("The mayor of Veldmoor is Ines Arkwright, an astronaut.", "unsupported"),
        ("", "not_corrected"),
    ],
)
async def test_an_edit_that_stays_wrong_makes_nothing(
    tmp_path: Path, town: str, scripted_llm: Start, text: str, reason: str
) -> None:
    llm = scripted_llm(scripted("RevisedAnswer", lambda request: {"text": text, "quotes": [1]}))
    outcome = await run(tmp_path / "run", settings(town, model="openai:scripted"), MAYOR)
    kept = Kept(tmp_path / "run")
    assert kept.reasons() == {reason: 1}
    assert (kept.rows, kept.probes, outcome["probes"]) == ([], [], "")
    (refused,) = kept.rejections
    assert refused["reason"] == reason
    assert refused["sources"]
    # Probes are not paid for when there is nothing to probe.
    assert llm.calls("PortabilityProbes") == []


async def test_what_the_critic_does_not_find_in_the_quotes_makes_nothing(
    tmp_path: Path, town: str, scripted_llm: Start
) -> None:
    def doubting(request: ChatRequest) -> object:
        count = len(request.tags("statement"))
        judged = [{"statement": n, "support": 0.1, "problem": "The quotes do not say it."} for n in range(1, count + 1)]
        return {"statements": judged}

    llm = scripted_llm(scripted("SupportReport", doubting))
    await run(tmp_path / "run", settings(town, model="openai:scripted"), MAYOR)
    assert Kept(tmp_path / "run").reasons() == {"unsupported": 1}
    assert any("The quotes do not say it." in each.tag("problem") for each in llm.calls("RevisedAnswer"))


async def test_a_long_stale_answer_keeps_every_sentence_that_has_not_changed(tmp_path: Path, town: str) -> None:
    stale = "Veldmoor lies on the Lune. The mayor of Veldmoor is Tobias Renn. It is a lovely place to visit in spring."
    await run(tmp_path / "run", settings(town), {**MAYOR, "stale": stale})
    kept = Kept(tmp_path / "run")
    assert kept.rows
    for row in kept.rows:
        assert row["rejected"][0]["answer"] == stale
        assert row["answer"] == stale.replace("Tobias Renn", "Ines Arkwright")
        # What was changed rests on quotes; the rest is the model's own and is not vouched for.
        assert [statement["text"] for statement in row["statements"]] == ["The mayor of Veldmoor is Ines Arkwright."]


# The model that is to be corrected.


async def test_the_stale_answer_is_what_the_corrected_model_says(
    tmp_path: Path, town: str, scripted_llm: Start
) -> None:
    said = "It is Tobias Renn who is the mayor of Veldmoor."
    llm = scripted_llm(scripted("Response", lambda request: {"response": said}))
    await run(tmp_path / "run", settings(town, stale_model="openai:old"), MAYOR)
    kept = Kept(tmp_path / "run")
    assert {each.body["model"] for each in llm.calls()} == {"old"}
    assert kept.rows
    assert {row["rejected"][0]["answer"] for row in kept.rows} == {said}
    assert {row["answer"] for row in kept.rows} == {said.replace("Tobias Renn", "Ines Arkwright")}
    assert kept.rows[0]["models"]["stale"] == "openai:old"


async def test_what_the_model_knows_already_has_no_rejected_half(
    tmp_path: Path, town: str, scripted_llm: Start
) -> None:
    scripted_llm(scripted("Response", lambda request: {"response": "It is Ines Arkwright."}))
    outcome = await run(tmp_path / "run", settings(town, stale_model="openai:old"), MAYOR)
    kept = Kept(tmp_path / "run")
    assert kept.rows
    assert all(row["rejected"] == [] and "Ines Arkwright" in row["answer"] for row in kept.rows)
    assert (outcome["edits"]["pairs"], outcome["edits"]["sft_only"]) == (0, len(kept.rows))
    assert outcome["edits"]["notes"] == {"already_known": 1}
    assert outcome["edits"]["change"] is None


async def test_a_model_that_says_nothing_is_corrected_in_the_words_of_the_old_object(
    tmp_path: Path, town: str, scripted_llm: Start
) -> None:
    scripted_llm(scripted("Response", lambda request: {"response": ""}))
    outcome = await run(tmp_path / "run", settings(town, stale_model="openai:old"), MAYOR)
    assert outcome["edits"]["notes"] == {"stale_model_silent": 1}
    assert outcome["edits"]["pairs"] == outcome["accepted"] > 0


async def test_without_an_old_object_there_is_nothing_to_reject(tmp_path: Path, town: str) -> None:
    outcome = await run(tmp_path / "run", settings(town), {**MAYOR, "old": ""}, TOLL)
    kept = Kept(tmp_path / "run")
    assert outcome["edits"]["notes"] == {"no_stale_answer": 1}
    bare = [row for row in kept.rows if row["origin"]["edit"]["subject"] == "Veldmoor"]
    assert bare
    assert all(row["rejected"] == [] and row["origin"]["edit"]["change"] is None for row in bare)
    assert 0 < outcome["edits"]["pairs"] < len(kept.rows)


# Rules that any row must pass.


async def test_held_out_questions_and_purged_sources_are_kept_out(tmp_path: Path, town: str) -> None:
    (tmp_path / "bench.jsonl").write_text(json.dumps({"question": "Who is the mayor of Veldmoor?"}) + "\n")
    await run(tmp_path / "run", settings(town, decontaminate=[str(tmp_path / "bench.jsonl")]), MAYOR)
    kept = Kept(tmp_path / "run")
    assert "Who is the mayor of Veldmoor?" not in [row["instruction"] for row in kept.rows]
    assert "contaminated" in {each["reason"] for each in kept.rejections}


async def test_a_fact_without_a_wording_in_the_language_asked_for_has_no_row_and_no_probe(
    tmp_path: Path, town: str, scripted_llm: Start
) -> None:
    long = "Would you kindly tell me which person is the mayor of Veldmoor these days, for I have been away for years?"
    worded = {"questions": [{"text": long, "form": "direct"}], "held_out": "", "paraphrases": []}
    scripted_llm(scripted("Wordings", lambda request: worded))
    await run(tmp_path / "run", settings(town, language="de", model="openai:scripted"), MAYOR)
    kept = Kept(tmp_path / "run")
    assert kept.reasons() == {"no_row": 1}
    assert "language" in {each["reason"] for each in kept.rejections}
    assert (kept.rows, kept.probes) == ([], [])


# Providers that fail.


async def test_a_provider_that_is_down_stops_the_run_which_then_goes_on(
    tmp_path: Path, town: str, scripted_llm: Start
) -> None:
    down = [True]
    scripted_llm(lambda request: status(400, "down for repairs") if down[0] else extractive(request))
    with pytest.raises(SearchInstructError, match=r"facts in a row failed, the last: .*down for repairs"):
        await run(tmp_path / "run", settings(town, model="openai:scripted"))
    assert Kept(tmp_path / "run").edits == []
    down[0] = False
    await run(tmp_path / "run", settings(town, model="openai:scripted"))
    assert Kept(tmp_path / "run").reasons() == {"contradicted": 1, "no_evidence": 1}


async def test_a_provider_that_refuses_for_good_is_told_and_nothing_is_lost(
    tmp_path: Path, town: str, scripted_llm: Start
) -> None:
    calls = Counter[str]()

    def credit(request: ChatRequest) -> object:
        calls["all"] += 1
        return status(401, "no credit") if calls["all"] == 25 else extractive(request)

    scripted_llm(credit)
    with pytest.raises(ProviderError):
        await run(tmp_path / "run", settings(town, model="openai:scripted", concurrency=1))
    before = Kept(tmp_path / "run")
    assert before.edits or before.calls
    await run(tmp_path / "run", settings(town, model="openai:scripted", concurrency=1))
    after = Kept(tmp_path / "run")
    assert after.edits[: len(before.edits)] == before.edits
    assert after.rows[: len(before.rows)] == before.rows
    assert len(after.edits) == len(FACTS)


# The graph for Studio.


async def test_the_graph_gives_what_the_batch_gives(tmp_path: Path, town: str) -> None:
    await run(tmp_path / "run", settings(town))
    kept = Kept(tmp_path / "run")
    seen: list[str] = []
    result: Any = None
    modes: Any = {"stream_mode": ["custom", "values"], "subgraphs": True}
    async for place, mode, part in edit_graph.astream({"facts": FACTS}, context=settings(town), **modes):
        if mode == "custom":
            seen.append(part["message"])
        elif not place:
            result = part
    assert [row["instruction"] for row in result["rows"]] == [row["instruction"] for row in kept.rows]
    assert [row["answer"] for row in result["rows"]] == [row["answer"] for row in kept.rows]
    assert [each["id"] for each in result["probes"]] == [each["id"] for each in kept.probes]
    assert {each["reason"] for each in result["rejections"]} == {each["reason"] for each in kept.rejections}
    assert [each["reason"] for each in result["outcomes"]] == [each["reason"] for each in kept.edits]
    assert result["usage"]["model_calls"] > 0
    assert any("no evidence" in line for line in seen)


async def test_the_graph_takes_one_fact_and_a_thread_takes_another(town: str) -> None:
    graph = build_edit(InMemorySaver())
    thread: Any = {"configurable": {"thread_id": "1"}}
    first = await graph.ainvoke({"fact": MAYOR}, thread, context=settings(town))
    assert set(first) == {"rows", "rejections", "probes", "outcomes", "usage"}
    assert {row["origin"]["edit"]["new"] for row in first["rows"]} == {"Ines Arkwright"}
    second = await graph.ainvoke({"facts": [TOLL]}, thread, context=settings(town))
    assert {row["origin"]["edit"]["new"] for row in second["rows"]} == {"5 crowns"}
    assert second["usage"]["model_calls"] <= first["usage"]["model_calls"] + 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "give `facts`"),
        ({"facts": "Veldmoor"}, "give `facts`"),
        ({"facts": [{"subject": "Veldmoor"}]}, "fact 1: the fact has no relation"),
        ({"facts": [MAYOR] * (MOST_FACTS + 1)}, "searchinstruct edit"),
    ],
)
async def test_the_graph_says_what_is_wrong_with_its_input(town: str, given: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        await edit_graph.ainvoke(given, context=settings(town))


async def test_a_fact_that_the_provider_fails_is_one_outcome_of_the_graph(town: str, scripted_llm: Start) -> None:
    scripted_llm(lambda request: status(400, "too odd") if "Alder" in request.user else extractive(request))
    result = await edit_graph.ainvoke({"facts": [TOLL, FERRY]}, context=settings(town, model="openai:scripted"))
    assert [each["reason"] for each in result["outcomes"]] == ["provider_failed", ""]
    assert result["rows"]


# From Python.


def test_an_edit_set_is_a_dataset(tmp_path: Path, town: str) -> None:
    dataset = edit_set(FACTS, tmp_path / "run", corpus=[town], wordings=4)
    assert set(dataset.column_names) >= {"prompt", "chosen", "rejected"}
    assert any("Ines Arkwright" in text for text in dataset["chosen"])
    assert (tmp_path / "run" / "exports" / "probes.jsonl").exists()
    with pytest.raises(UsageError, match="no row was accepted"):
        edit_set([TWIN], tmp_path / "none", corpus=[town])
    with pytest.raises(UsageError, match="take the format messages"):
        edit_set([{**MAYOR, "old": ""}], tmp_path / "bare", corpus=[town])


def test_an_interrupted_run_leaves_whole_facts(tmp_path: Path, town: str) -> None:
    drains: list[Callable[[], None]] = []

    def told(happened: EditHappened) -> None:
        if happened.kind == "fact":
            drains[0]()

    stopped = asyncio.run(run(tmp_path / "run", settings(town, concurrency=1), tell=told, stop=drains.append))
    assert stopped["ended"] == "stopped"
    assert 1 <= len(Kept(tmp_path / "run").edits) < len(FACTS)
    asyncio.run(run(tmp_path / "run", settings(town)))
    asyncio.run(run(tmp_path / "whole", settings(town)))
    assert Kept(tmp_path / "run").told() == Kept(tmp_path / "whole").told()
