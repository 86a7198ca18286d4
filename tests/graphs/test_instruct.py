"""The small dataset as a graph, and the dataset as a function call, against a scripted provider over HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from searchinstruct_graph import BuildContext, UsageError, abuild_dataset, build_dataset, instruct_graph
from searchinstruct_graph.graphs.build import Happened
from searchinstruct_graph.graphs.instruct import build_instruct
from searchinstruct_graph.graphs.roles import critic, writer
from tests.support.extractive import extractive
from tests.support.scripted_llm import ChatRequest, Script, ScriptedLLM
from tests.support.valley import SEEDS, TASK, write_valley

Start = Callable[[Script], ScriptedLLM]


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "corpus": [write_valley(folder / "valley")],
        "index": str(folder / "index"),
        "model": "openai:scripted",
        "samples": 2,
        "target": 6,
        **more,
    }


@pytest.mark.parametrize("made_of", [{"seeds": SEEDS}, {"task": TASK}])
async def test_the_graph_makes_a_small_dataset(scripted_llm: Start, tmp_path: Path, made_of: dict[str, Any]) -> None:
    llm = scripted_llm(extractive)
    result = await instruct_graph.ainvoke(made_of, context=BuildContext(**settings(tmp_path)))
    rows = result["rows"]
    assert len(rows) == 6
    for row in rows:
        page = Path(row["sources"][0]["uri"]).read_text(encoding="utf-8")
        quote = row["sources"][0]["quotes"][0]
        assert page[quote["start"] : quote["end"]] == quote["text"]
    assert len({row["instruction"] for row in rows}) == 6
    assert result["usage"]["model_calls"] <= len(llm.calls())
    assert set(result) == {"rows", "rejections", "usage"}


async def test_a_thread_takes_a_task_after_seeds(scripted_llm: Start, tmp_path: Path) -> None:
    scripted_llm(extractive)
    graph = build_instruct(InMemorySaver())
    context = BuildContext(**settings(tmp_path, target=2))
    config: Any = {"configurable": {"thread_id": "t"}}
    first = await graph.ainvoke({"seeds": SEEDS}, config, context=context)
    assert {row["origin"]["method"] for row in first["rows"]} == {"searchinstruct"}
    second = await graph.ainvoke({"task": TASK}, config, context=context)
    assert {row["origin"]["method"] for row in second["rows"]} == {"ds2-instruct"}


async def test_what_is_wrong_is_told_before_a_model_is_asked(scripted_llm: Start, tmp_path: Path) -> None:
    llm = scripted_llm(extractive)
    context = BuildContext(**settings(tmp_path))
    wrongs: list[dict[str, Any]] = [{}, {"seeds": SEEDS, "task": TASK}, {"seeds": []}]
    for wrong in wrongs:
        with pytest.raises(UsageError, match="either `seeds`"):
            await instruct_graph.ainvoke(wrong, context=context)
    with pytest.raises(UsageError, match="at most 200"):
        await instruct_graph.ainvoke({"task": TASK}, context=BuildContext(**settings(tmp_path, target=201)))
    with pytest.raises(UsageError, match="review_plan"):
        BuildContext(review_plan=True)
    assert not llm.calls()


async def test_a_function_call_gives_a_dataset_and_goes_on_with_it(scripted_llm: Start, tmp_path: Path) -> None:
    llm = scripted_llm(extractive)
    heard: list[Happened] = []
    given = settings(tmp_path)
    made = await abuild_dataset(seeds=SEEDS, run=tmp_path / "run", on_progress=heard.append, **given)
    assert made.num_rows == 6
    assert [turn["role"] for turn in made[0]["messages"]] == ["user", "assistant"]
    assert heard[-1].accepted == 6
    asked = len(llm.calls())
    more = await abuild_dataset(seeds=SEEDS, run=tmp_path / "run", format="alpaca", **{**given, "target": 8})
    assert more.num_rows == 8
    assert more["instruction"][:6] == [each["messages"][0]["content"] for each in made]
    assert len(llm.calls()) > asked


def test_the_same_without_an_event_loop_and_inside_of_one(scripted_llm: Start, tmp_path: Path) -> None:
    scripted_llm(extractive)
    given = settings(tmp_path, target=3)
    assert build_dataset(task=TASK, run=tmp_path / "run", **given).num_rows == 3

    async def notebook() -> int:
        return int(build_dataset(task=TASK, run=tmp_path / "run", **given).num_rows)

    assert asyncio.run(notebook()) == 3


def test_a_shortfall_is_logged_and_nothing_at_all_is_an_error(
    scripted_llm: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scripted_llm(extractive)
    given = settings(tmp_path, expand=False, target=50)
    with caplog.at_level(logging.WARNING, "searchinstruct_graph"):
        made = build_dataset(seeds=SEEDS, run=tmp_path / "run", **given)
    assert 0 < made.num_rows <= len(SEEDS)
    assert "ended as seeds" in caplog.text
    with pytest.raises(UsageError, match="no row was accepted"):
        build_dataset(seeds=["What does the moon cost?"], run=tmp_path / "other", **given)


@pytest.mark.parametrize(
    ("graph", "wrong", "said"),
    [
        (writer, {"question": "What?", "quotes": "one text"}, "`quotes`, a list of texts"),
        (writer, {"question": "What?", "quotes": [3]}, "`quotes`, a list of texts"),
        (critic, {"question": "What?", "quotes": ["a"], "statements": ["b"]}, "`statements`: a list of objects"),
        (critic, {"question": "What?", "quotes": ["a"]}, "`statements`: a list of objects"),
    ],
)
async def test_an_agent_alone_says_what_it_wants(graph: Any, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        await graph.ainvoke(wrong)


NUMBERS = iter(range(1_000))


def counting(request: ChatRequest) -> object:
    """A provider with a memory of its own: five samples, three of which agree."""
    if request.schema == "Keywords":
        return {"keywords": ["addition", "subtraction"]}
    if request.schema == "WrittenQuestion":
        number = next(NUMBERS)
        return {
            "question": f"A miller has {number} sacks of rye and buys {number + 3} more. How many sacks has he now?"
        }
    assert request.schema == "Response"
    number = int(request.tag("question").split()[3])
    right = f"{number} + {number + 3} sacks. Final answer: {2 * number + 3}"
    wrong = f"I count. Final answer: {2 * number + 4}"
    return {"response": wrong if request.seed in (2, 4) else right}


async def test_without_sources_the_samples_vote_and_the_row_keeps_their_answers(
    scripted_llm: Start, tmp_path: Path
) -> None:
    llm = scripted_llm(counting)
    (tmp_path / "task.yaml").write_text("domain: Arithmetic\ndescription: Sums of sacks\nanswer_form: number\n")
    made = await abuild_dataset(
        task=str(tmp_path / "task.yaml"),
        run=tmp_path / "run",
        format="parquet",
        model="openai:scripted",
        samples=5,
        target=12,
    )
    assert made.num_rows == 12
    row = made[0]
    assert (row["grounding"], row["sources"]) == ("none", [])
    assert row["vote"]["rule"] == "number"
    assert row["vote"]["agreement"] == pytest.approx(0.6)
    assert len(row["vote"]["answers"]) == 5
    assert row["answer"].endswith(f"Final answer: {row['vote']['majority']}")
    assert "Final answer" not in row["instruction"]
    assert row["rejected"][0]["reason"].startswith("outvoted")
    form = llm.calls("Response")[0].tag("form")
    assert "Final answer:" in form
    assert {request.temperature for request in llm.calls("Response")} == {0.7, 0.8, 0.9}
