"""The research machine against a scripted provider and a real corpus: the happy path and every way a role can fail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.errors import ProviderError, UsageError
from searchinstruct_graph.graphs.research import build_graph, graph
from searchinstruct_graph.models import retry
from searchinstruct_graph.tools.corpus import Corpus
from tests.support import island
from tests.support import scripted_llm as play
from tests.support.scripted_llm import ChatRequest, Script, ScriptedLLM

Start = Callable[[Script], ScriptedLLM]


@pytest.fixture(autouse=True)
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)


def context(tmp_path: Path, **settings: Any) -> ResearchContext:
    defaults: dict[str, Any] = {
        "corpus": [island.write_island(tmp_path)],
        "index": str(tmp_path / "index"),
        "model": "openai:scripted",
        "hits": 1,
        "samples": 3,
    }
    return ResearchContext(**{**defaults, **settings})


async def ask(settings: ResearchContext) -> dict[str, Any]:
    return dict(await graph.ainvoke({"question": island.QUESTION}, context=settings))


async def check_result(result: dict[str, Any], settings: ResearchContext) -> None:
    """What holds of every result, whatever happened: quotes verbatim at their offsets, citations that exist, JSON."""
    corpus = await Corpus.open(settings.corpus, index_dir=settings.index)
    sources = {source["id"]: source for source in result["sources"]}
    for source in sources.values():
        page = (await corpus.read(source["uri"])).text
        assert hashlib.sha256(page.encode()).hexdigest() == source["sha256"]
        assert source["quotes"]
        assert all(page[quote["start"] : quote["end"]] == quote["text"] for quote in source["quotes"])
        assert source["uri"] in result["read"]
    for statement in result["statements"]:
        assert statement["citations"]
        assert statement["support"] >= settings.min_support
        assert set(statement["citations"]) == {place[0] for place in statement["quotes"]} <= sources.keys()
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert set(result) == {
        "question", "status", "stop_reason", "answer", "confidence", "statements", "sources", "read",
        "constraints", "plan", "critique", "usage",
    }  # fmt: skip


async def test_a_chain_is_followed_over_two_searches_to_a_cited_answer(scripted_llm: Start, tmp_path: Path) -> None:
    llm = scripted_llm(island.honest())
    settings = context(tmp_path)
    result = await ask(settings)
    await check_result(result, settings)
    assert result["status"] == "answered"
    assert result["stop_reason"] == "accepted"
    assert result["answer"] == "The builder, Mara Denholm, was born in 1821. [1] Mara Denholm built the lighthouse. [2]"
    assert [Path(uri).name for uri in result["read"]] == ["lighthouse.md", "denholm.md"]
    assert result["plan"]["sub_questions"][0]["status"] == "sufficient"
    critique = result["critique"]
    assert len(critique.pop("answers")) == 3
    assert critique == {
        "verdict": "accept", "agreement": 1.0, "samples": 3, "rounds": 1, "refused": [], "problems": [],
    }  # fmt: skip
    assert llm.counts() == {
        "QuestionPlan": 1,
        "PageQuotes": 2,
        "Sufficiency": 2,
        "AnswerDraft": 1,
        "SupportReport": 1,
        "Reanswer": 3,
    }
    usage = result["usage"]
    assert (usage["model_calls"], usage["searches"], usage["pages"]) == (10, 2, 2)
    assert (usage["input_tokens"], usage["output_tokens"]) == (100, 50)
    assert {role: used["model_calls"] for role, used in usage["roles"].items()} == {
        "planner": 1, "searcher": 4, "writer": 1, "critic": 4,
    }  # fmt: skip
    assert not llm.unscripted


async def test_each_role_sees_only_what_it_may(scripted_llm: Start, tmp_path: Path) -> None:
    llm = scripted_llm(island.honest())
    await ask(context(tmp_path))
    prose = "forty kilometres"
    assert all(prose not in request.text for request in llm.calls() if request.schema != "PageQuotes")
    assert any(prose in request.text for request in llm.calls("PageQuotes"))
    assert all("Mara Denholm" not in request.text for request in llm.calls("QuestionPlan"))
    assert all("was born in 1821. [" not in r.text and "The builder, Mara" not in r.text for r in llm.calls("Reanswer"))
    assert {request.seed for request in llm.calls("Reanswer")} == {1, 2, 3}
    assert {request.temperature for request in llm.calls("AnswerDraft")} == {0.0}


async def test_a_fabricated_citation_is_sent_back_with_the_reason(scripted_llm: Start, tmp_path: Path) -> None:
    invented = {"statements": [{"text": "She was born in 1821.", "quotes": [9]}]}
    llm = scripted_llm(island.honest(AnswerDraft=[invented, island.write]))
    result = await ask(context(tmp_path))
    assert result["status"] == "answered"
    assert result["critique"]["rounds"] == 2
    assert [draft["text"] for draft in result["critique"]["refused"]] == ["She was born in 1821."]
    assert "cites quote 9" in result["critique"]["refused"][0]["reason"]
    assert "cites quote 9, which does not exist" in llm.calls("AnswerDraft")[1].tag("problem")
    # A draft that fails the gates is not worth samples.
    assert llm.counts()["Reanswer"] == 3


async def test_a_writer_that_only_fabricates_ends_unsupported(scripted_llm: Start, tmp_path: Path) -> None:
    scripted_llm(island.honest(AnswerDraft={"statements": [{"text": "She was born in 1821.", "quotes": [9]}]}))
    settings = context(tmp_path)
    result = await ask(settings)
    await check_result(result, settings)
    assert result["status"] == "unsupported"
    assert result["statements"] == []
    assert result["confidence"] == 0.0
    assert any("does not exist" in problem for problem in result["critique"]["problems"])


async def test_a_quote_altered_by_a_word_is_dropped_and_counted(scripted_llm: Start, tmp_path: Path) -> None:
    def read(request: ChatRequest) -> dict[str, Any]:
        found = island.read(request)
        for quote in found["quotes"]:
            quote["text"] = quote["text"].replace("1821", "1812").replace("three summers", "four summers")
        return found

    scripted_llm(island.honest(PageQuotes=read))
    seen = []
    settings = context(tmp_path)
    async for _, chunk in _custom(settings):
        seen.append(chunk)
    reads = [event for event in seen if event["step"] == "read"]
    assert sum(event["data"]["dropped"] for event in reads) >= 1
    assert sum(event["data"]["quotes"] for event in reads) == 0
    assert seen[-1]["data"]["status"] == "insufficient_evidence"


async def _custom(settings: ResearchContext) -> Any:
    async for namespace, chunk in graph.astream(
        {"question": island.QUESTION}, context=settings, stream_mode="custom", subgraphs=True
    ):
        yield namespace, chunk


async def test_a_statement_whose_number_no_quote_has_is_never_accepted(scripted_llm: Start, tmp_path: Path) -> None:
    def write(request: ChatRequest) -> dict[str, Any]:
        draft = island.write(request)
        for statement in draft["statements"]:
            statement["text"] = statement["text"].replace("1821", "1825")
        return draft

    scripted_llm(island.honest(AnswerDraft=write))
    settings = context(tmp_path)
    result = await ask(settings)
    await check_result(result, settings)
    assert result["status"] == "unsupported"
    assert "1825" not in result["answer"]


async def test_disagreeing_samples_become_a_targeted_query(scripted_llm: Start, tmp_path: Path) -> None:
    drawn = 0

    def reanswer(request: ChatRequest) -> dict[str, Any]:
        nonlocal drawn
        drawn += 1
        return (
            {"answerable": True, "answer": "Born in 1790 in Usk", "quotes": [1]}
            if drawn <= 2
            else island.reanswer(request)
        )

    llm = scripted_llm(island.honest(Reanswer=reanswer))
    result = await ask(context(tmp_path, hits=2))
    tried = {tag.text for request in llm.calls("Sufficiency") for tag in request.tags("tried")}
    assert "Born in 1790 in Usk" in tried
    assert result["critique"]["rounds"] >= 2 or result["stop_reason"] == "no_gain"
    assert len(llm.calls("AnswerDraft")) <= 2


async def test_a_searcher_that_never_has_enough_is_stopped(scripted_llm: Start, tmp_path: Path) -> None:
    asked = 0

    def assess(request: ChatRequest) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {**island.assess(request), "sufficient": False, "missing": ["more"], "next_queries": [f"Karvel {asked}"]}

    llm = scripted_llm(island.honest(Sufficiency=assess))
    result = await ask(context(tmp_path, hits=5, max_rounds=3))
    assert result["status"] == "answered"
    assert result["plan"]["sub_questions"][0]["status"] == "insufficient"
    assert llm.counts()["Sufficiency"] <= 3
    assert result["usage"]["searches"] <= 3


async def test_a_query_is_never_sent_twice_nor_a_page_read_twice(scripted_llm: Start, tmp_path: Path) -> None:
    def assess(request: ChatRequest) -> dict[str, Any]:
        again = ["karvel  LIGHTHOUSE builder", "Karvel lighthouse builder"]
        return {**island.assess(request), "sufficient": False, "next_queries": again}

    llm = scripted_llm(island.honest(Sufficiency=assess))
    result = await ask(context(tmp_path, hits=2))
    queries = [tag.text.casefold() for tag in llm.calls("Sufficiency")[-1].tags("tried")]
    assert "karvel lighthouse builder" in queries
    assert len(queries) == len(set(queries)) == result["usage"]["searches"]
    assert result["usage"]["pages"] == len(result["read"]) == len(set(result["read"])) == llm.counts()["PageQuotes"]


async def test_a_page_of_many_passages_is_read_once(scripted_llm: Start, tmp_path: Path) -> None:
    chapters = [
        f"## Chapter {n}\n\n" + f"The Karvel lighthouse keeper number {n} wrote a diary. " * 20 for n in range(12)
    ]
    corpus = island.write_island(tmp_path, diary="# Karvel lighthouse diary\n\n" + "\n\n".join(chapters))

    def assess(request: ChatRequest) -> dict[str, Any]:
        return {
            **island.assess(request),
            "sufficient": False,
            "next_queries": [f"keeper number {len(request.tags('tried'))}"],
        }

    llm = scripted_llm(island.honest(Sufficiency=assess))
    result = await ask(context(tmp_path, corpus=[corpus], hits=2))
    diaries = [request for request in llm.calls("PageQuotes") if "Chapter 3" in request.tag("page")]
    assert len(diaries) == 1
    assert len(result["read"]) == len(set(result["read"])) == result["usage"]["pages"]


async def test_a_long_page_is_read_around_its_hits_and_further_on_when_asked_again(
    scripted_llm: Start, tmp_path: Path
) -> None:
    filler = "Nothing of note happened on this long and quiet day at sea. " * 60
    text = f"# Log\n\n{island.BUILDER}\n\n{filler}\n\n{island.BORN}\n\n{filler}"
    log = tmp_path / "log.md"
    log.write_text(text, encoding="utf-8")
    llm = scripted_llm(island.honest(QuestionPlan=plan_of("It was built by Mara Denholm in three summers")))
    settings = context(tmp_path, corpus=[str(log)], page_chars=1_500)
    result = await ask(settings)
    await check_result(result, settings)
    assert result["status"] == "answered"
    assert result["read"] == [str(log)]
    assert result["usage"]["pages"] >= 2
    assert all(len("".join(tag.text for tag in request.tags("page"))) <= 1_500 for request in llm.calls("PageQuotes"))


def plan_of(query: str) -> dict[str, Any]:
    made = island.plan(ChatRequest({}))
    made["sub_questions"][0]["queries"] = [query]
    return made


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ("QuestionPlan", play.fenced(island.plan(ChatRequest({})))),
        ("QuestionPlan", play.truncated({"restatement": "x" * 50, "sub_questions": []})),
        ("QuestionPlan", play.raw("Sure! Here is a plan.")),
        ("Sufficiency", play.raw('{"sufficient": "perhaps"}')),
        ("SupportReport", play.empty()),
        ("Reanswer", play.refusal()),
        ("AnswerDraft", play.status(429, headers={"retry-after": "0"})),
        ("AnswerDraft", play.status(500)),
        ("PageQuotes", play.reset()),
        ("PageQuotes", play.html()),
        ("Sufficiency", play.no_choices()),
    ],
)
async def test_one_bad_reply_does_not_cost_the_answer(
    scripted_llm: Start, tmp_path: Path, schema: str, fault: object
) -> None:
    script = island.honest()
    scripted_llm({**script, schema: [fault, script[schema], script[schema], script[schema]]})
    settings = context(tmp_path)
    result = await ask(settings)
    await check_result(result, settings)
    assert result["status"] == "answered"


@pytest.mark.parametrize(
    "schema", ["QuestionPlan", "PageQuotes", "Sufficiency", "AnswerDraft", "SupportReport", "Reanswer"]
)
@pytest.mark.parametrize(
    "fault", [play.raw("nonsense"), play.refusal(), play.truncated({"a": "b"}), play.status(503), play.status(400)]
)
async def test_a_role_that_always_fails_gives_a_typed_end(
    scripted_llm: Start, tmp_path: Path, schema: str, fault: play.Fault
) -> None:
    scripted_llm(island.honest(**{schema: fault}))
    settings = context(tmp_path)
    result = await ask(settings)
    await check_result(result, settings)
    if schema == "PageQuotes":
        # Documents that could not be read are not documents that are silent.
        assert (result["status"], result["stop_reason"]) == ("unsupported", "model_failed")
        assert "the model failed" in result["answer"]
    if schema == "QuestionPlan":
        assert result["plan"]["sub_questions"][0]["text"] == island.QUESTION
    elif schema != "Sufficiency":
        assert result["status"] in ("unsupported", "insufficient_evidence")
    assert any(
        kind in " ".join(result["critique"]["problems"])
        for kind in ("malformed", "refused", "truncated", "provider", "re-answer")
    )


async def test_a_hanging_model_ends_within_the_budget(scripted_llm: Start, tmp_path: Path) -> None:
    scripted_llm(island.honest(AnswerDraft=play.hang()))
    result = await ask(context(tmp_path, max_seconds=2.0))
    assert result["status"] in ("budget_exhausted", "unsupported")
    assert result["statements"] == []


@pytest.mark.parametrize(
    ("limit", "value", "reason"),
    [("max_model_calls", 6, "model_calls"), ("max_tokens", 60, "tokens")],
)
async def test_a_spent_budget_is_a_typed_end(
    scripted_llm: Start, tmp_path: Path, limit: str, value: int, reason: str
) -> None:
    llm = scripted_llm(island.honest())
    settings = context(tmp_path, **{limit: value})
    result = await ask(settings)
    await check_result(result, settings)
    assert result["status"] == "budget_exhausted"
    assert result["stop_reason"] == reason
    if limit == "max_model_calls":
        assert len(llm.calls()) <= value


@pytest.mark.parametrize(("limit", "value"), [("max_searches", 1), ("max_pages", 1)])
async def test_a_spent_search_limit_still_ends_in_an_honest_answer(
    scripted_llm: Start, tmp_path: Path, limit: str, value: int
) -> None:
    scripted_llm(island.honest())
    settings = context(tmp_path, **{limit: value})
    result = await ask(settings)
    await check_result(result, settings)
    assert result["status"] == "insufficient_evidence"
    # The last search that is allowed is read, and the last page too.
    assert result["usage"]["searches" if limit == "max_searches" else "pages"] == value
    assert [Path(uri).name for uri in result["read"]] == ["lighthouse.md"]


async def test_a_budget_smaller_than_the_plan_is_spent_on_its_first_parts(scripted_llm: Start, tmp_path: Path) -> None:
    def plan(request: ChatRequest) -> dict[str, Any]:
        made = island.plan(request)
        other = {"text": "What do goats eat?", "queries": ["goats"], "requires": []}
        return {**made, "sub_questions": [*made["sub_questions"], other]}

    scripted_llm(island.honest(QuestionPlan=plan))
    result = await ask(context(tmp_path, max_pages=1))
    assert result["usage"]["pages"] == 1
    assert [part["status"] for part in result["plan"]["sub_questions"]] == ["insufficient", "open"]


async def test_a_fabricated_citation_is_refused_at_any_threshold(scripted_llm: Start, tmp_path: Path) -> None:
    scripted_llm(island.honest(AnswerDraft={"statements": [{"text": "She was born in 1821.", "quotes": [9]}]}))
    settings = context(tmp_path, min_support=0.1)
    result = await ask(settings)
    await check_result(result, settings)
    assert result["status"] == "unsupported"


async def test_failed_requests_are_counted(scripted_llm: Start, tmp_path: Path) -> None:
    scripted_llm(island.honest(AnswerDraft=play.status(503)))
    result = await ask(context(tmp_path))
    assert result["usage"]["roles"]["writer"]["model_calls"] >= 1
    assert result["usage"]["cost_usd"] is None


async def test_two_sources_are_needed_when_asked_for(scripted_llm: Start, tmp_path: Path) -> None:
    def assess(request: ChatRequest) -> dict[str, Any]:
        held = [int(tag.attributes["id"]) for tag in request.tags("quote")]
        return {
            "sufficient": True,
            "covered": [{"point": 1, "quotes": held}, {"point": 2, "quotes": held}],
            "missing": [],
            "next_queries": [],
        }

    scripted_llm(island.honest(Sufficiency=assess))
    result = await ask(context(tmp_path, min_sources=2))
    assert result["plan"]["sub_questions"][0]["status"] == "insufficient"
    assert "1 more independent source(s)" in result["plan"]["sub_questions"][0]["missing"]


async def test_a_refused_key_stops_the_run_at_once_with_one_line(scripted_llm: Start, tmp_path: Path) -> None:
    llm = scripted_llm(
        island.honest(PageQuotes=play.status(401, "Incorrect API key provided: sk-test-canary-0123456789"))
    )
    with pytest.raises(ProviderError) as caught:
        await ask(context(tmp_path))
    assert "canary" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert llm.counts()["PageQuotes"] == 1


@pytest.mark.parametrize("question", ["", "   \n", "\x00", 7, None])
async def test_no_question_no_work(question: Any) -> None:
    with pytest.raises(UsageError, match="question"):
        await graph.ainvoke({"question": question})


async def test_without_context_the_defaults_hold_and_nothing_needs_a_key() -> None:
    result = await graph.ainvoke({"question": "What does the nonlocal statement do?"})
    assert result["status"] == "answered"
    assert any(source["uri"] == "pydoc:nonlocal" for source in result["sources"])


async def test_progress_is_typed_and_json(scripted_llm: Start, tmp_path: Path) -> None:
    scripted_llm(island.honest())
    events = [chunk async for _, chunk in _custom(context(tmp_path))]
    assert all(event["version"] == 1 and event["message"] and "\n" not in event["message"] for event in events)
    assert json.loads(json.dumps(events)) == events
    assert [event["step"] for event in events if event["step"] != "reanswer"] == [
        "plan", "search", "read", "assess", "search", "read", "assess", "write", "critique", "verdict", "result",
    ]  # fmt: skip


def test_the_settings_are_shown_in_studio() -> None:
    schema = build_graph().get_context_jsonschema()
    assert schema is not None
    assert all(setting.get("description") for setting in schema["properties"].values())
    assert schema["properties"]["max_rounds"]["default"] == 3
