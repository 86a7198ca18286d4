"""The graph as the target of ragas' experiments: every row that goes in comes out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ragas import Dataset, experiment
from ragas.metrics.collections import Faithfulness

from searchinstruct_graph import ResearchContext, ragas_model, research_target
from searchinstruct_graph.errors import UsageError
from tests.support import scripted_llm as play
from tests.support.judge import judge
from tests.support.quarry import CORPUS, QUESTIONS, write_lines
from tests.support.scripted_llm import ChatRequest, Script, ScriptedLLM

Start = Callable[[Script], ScriptedLLM]


class Asked(BaseModel):
    """A typed row of a data set."""

    user_input: str
    reference: str


def corpus(folder: Path) -> list[str]:
    """The quarry's documents."""
    return [write_lines(folder / "corpus.jsonl", CORPUS)]


async def test_one_line_makes_the_graph_an_experiment(tmp_path: Path) -> None:
    ask: Any = experiment()(research_target(ResearchContext(corpus=corpus(tmp_path), model="offline")))
    done = await ask.arun(Dataset("quarry", backend="inmemory", data=QUESTIONS), name="one")
    rows = {row["id"]: row for row in done}
    assert list(rows) != []
    assert set(rows) == {"1", "2", "3", "4", "5"}
    assert "Ilse Marrow" in rows["1"]["response"]
    assert rows["1"]["reference"] == "Ilse Marrow"
    assert rows["2"]["reference"] == "1612"
    assert rows["4"]["retrieved_contexts"] == ["兰桥建于1590年。"]
    assert (rows["5"]["status"], rows["5"]["response"], rows["5"]["failure"]) == ("insufficient_evidence", "", "")


async def test_rows_that_fail_come_out_as_such(tmp_path: Path) -> None:
    ask: Any = experiment()(research_target(ResearchContext(corpus=corpus(tmp_path), model="offline")))
    rows = [QUESTIONS[0], {"id": "blank", "question": "  "}, {"id": "none"}, {"id": "long", "question": "x" * 9_000}]
    done = {row["id"]: row for row in await ask.arun(Dataset("q", backend="inmemory", data=rows), name="two")}
    assert set(done) == {"1", "blank", "none", "long"}
    assert done["1"]["failure"] == ""
    for name, words in (("blank", "empty"), ("none", "empty"), ("long", "9,000 characters")):
        assert (done[name]["status"], done[name]["failure"]) == ("failed", "usage")
        assert words in done[name]["reason"]


async def test_a_model_that_fails_is_told_apart(
    scripted_llm: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("searchinstruct_graph.models.retry.FIRST_WAIT", 0.001)
    replies: list[object] = [play.raw("no"), play.status(401)]
    state = {"reply": replies[0]}
    scripted_llm(lambda _: state["reply"])
    target = research_target(ResearchContext(corpus=corpus(tmp_path), model="openai:scripted"))
    assert (await target(QUESTIONS[0]))["failure"] == "malformed"
    state["reply"] = replies[1]
    refused = await target(QUESTIONS[0])
    assert (refused["failure"], refused["status"], refused["response"]) == ("provider", "failed", "")
    assert "sk-test" not in refused["reason"]


async def test_no_more_at_once_than_asked(scripted_llm: Start, tmp_path: Path) -> None:
    working: set[str] = set()
    most = 0

    def watch(request: ChatRequest) -> object:
        nonlocal most
        if request.schema == "QuestionPlan":
            working.add(request.tag("question"))
            most = max(most, len(working))
        return judge(request)

    scripted_llm(watch)
    target = research_target(ResearchContext(corpus=corpus(tmp_path), model="openai:scripted"), concurrency=2)

    async def one(row: dict[str, Any]) -> None:
        made = await target(row)
        working.discard(made["user_input"])

    await asyncio.gather(*map(one, QUESTIONS))
    assert most == 2


async def test_inside_of_an_experiment_of_ones_own(scripted_llm: Start, tmp_path: Path) -> None:
    scripted_llm(judge)
    target = research_target(ResearchContext(corpus=corpus(tmp_path), model="offline"))
    metric = Faithfulness(llm=ragas_model("openai:scripted"))

    @experiment()
    async def answers(row: Asked) -> dict[str, Any]:
        made = await target(row)
        told: dict[str, Any] = {name: made[name] for name in ("user_input", "response", "retrieved_contexts")}
        return {**made, "faithfulness": (await metric.ascore(**told)).value}

    rows = [Asked(user_input=str(each["question"]), reference="?") for each in QUESTIONS[:2]]
    data = Dataset("q", backend="inmemory", data_model=Asked, data=rows)
    done = list(await answers.arun(data, name="three"))
    assert [row["faithfulness"] for row in done] == [1.0, 1.0]
    assert len({row["id"] for row in done}) == 2


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        research_target(concurrency=0)
