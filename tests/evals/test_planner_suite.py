"""Plans against the steps that a person took."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.decomposition import matched, parted
from searchinstruct_graph.evals.result import EvalResult, figure
from searchinstruct_graph.evals.running import evaluate, items
from searchinstruct_graph.evals.suites.planner import distinct
from tests.support.scripted_llm import Script, ScriptedLLM, refusal

ASKED = {
    "question": "Did the founder of the Osel bell live before the Tarn bridge was built?",
    "decomposition": [
        "Who was the founder of the Osel bell?",
        "When did #1 live?",
        "When was the Tarn bridge built?",
        "Is #2 before #3?",
    ],
}


def score(tmp_path: Path, rows: list[dict[str, Any]], model: str = "offline", name: str = "steps") -> EvalResult:
    file = tmp_path / f"{name}.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return asyncio.run(evaluate("planner", EvalContext(data=[str(file)], model=model), tmp_path / "evaluation"))


def value(result: EvalResult, measure: str) -> float:
    found = figure(result, measure)["value"]
    assert found is not None
    return found


def planned(*parts: str) -> dict[str, Any]:
    return {
        "restatement": ASKED["question"],
        "sub_questions": [{"text": part, "queries": [part], "requires": [part]} for part in parts],
    }


def test_references_are_resolved_and_reasoning_is_left_out() -> None:
    found = parted(list(ASKED["decomposition"]))
    assert found["looked_up"] == [
        "Who was the founder of the Osel bell?",
        "When did founder Osel bell live?",
        "When was the Tarn bridge built?",
    ]
    assert found["reasoned"] == ["Is #2 before #3?"]
    assert parted(["Are there lakes in Osel?", "Do #1 freeze over in a northern winter?"])["reasoned"] == []
    assert parted(["What is #9?"])["looked_up"] in ([], ["What is ?"])


def test_matching_is_one_to_one_and_greedy() -> None:
    near = np.asarray([[0.9, 0.8], [0.85, 0.1], [0.2, 0.3]], dtype=np.float32)
    assert matched(near, 0.4) == [(0, 0)]
    assert matched(near, 0.05) == [(0, 0), (2, 1)]
    assert matched(near, 0.95) == []
    assert distinct(["A b", "ac", "a b"]) == ["A b", "ac"]


def test_a_plan_of_the_human_steps_covers_them(tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]) -> None:
    found = parted(list(ASKED["decomposition"]))["looked_up"]
    scripted_llm({"QuestionPlan": planned(*found)})
    result = score(tmp_path, [ASKED], "openai:scripted")
    for measure in (
        "steps_covered",
        "steps_asked",
        "steps_matched",
        "precision",
        "best_cosine",
        "nearer_than_question",
    ):
        assert value(result, measure) == pytest.approx(1.0, abs=1e-3)
    assert value(result, "sub_questions") == value(result, "human_steps") == 3
    assert value(result, "count_error") == 0
    assert value(result, "repeats") == 0
    assert value(result, "question_matched") == pytest.approx(1 / 3, abs=1e-4)


def test_a_plan_about_something_else_covers_nothing(
    tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]
) -> None:
    scripted_llm({"QuestionPlan": planned("Which yeast raises rye bread?", "How do chess openings differ?")})
    result = score(tmp_path, [ASKED], "openai:scripted")
    assert value(result, "steps_covered") == 0
    assert value(result, "precision") == 0
    assert value(result, "nearer_than_question") == 0


def test_the_question_as_its_own_plan_equals_the_baseline(
    tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]
) -> None:
    scripted_llm({"QuestionPlan": planned(str(ASKED["question"]))})
    result = score(tmp_path, [ASKED], "openai:scripted")
    assert value(result, "steps_matched") == value(result, "question_matched")
    assert value(result, "best_cosine") == pytest.approx(value(result, "question_cosine"))
    assert value(result, "repeats") == 1
    assert value(result, "nearer_than_question") == 0


def test_the_offline_planner_asks_for_more_than_the_question_does(tmp_path: Path) -> None:
    rows = [
        {"question": "Is the Osel mill older than the Tarn bridge?", "decomposition": [
            "How old is the Osel mill?", "How old is the Tarn bridge?", "Is #1 greater than #2?"]},
        {"question": "Did Ida Torn ever see a steam engine?", "decomposition": [
            "When did Ida Torn live?", "When was the steam engine invented?", "Is #2 before #1?"]},
        {"question": "Could eels live in the Osel weir?", "decomposition": [
            "What water do eels need to live?", "What is the water of the Osel weir like?", "Does #2 fit #1?"]},
    ]  # fmt: skip
    result = score(tmp_path, rows)
    assert value(result, "steps_matched") == 1.0
    assert value(result, "question_matched") == pytest.approx(0.5)
    assert value(result, "best_cosine") > value(result, "question_cosine") + 0.1


def test_reasoning_in_sentences_is_steps_without_its_conclusion(tmp_path: Path) -> None:
    row = {
        "question": "When was the founder of the Osel bell born?",
        "reasoning": "The Osel bell was founded by Ida Torn. Ida Torn was born in 1702. Thus, it was 1702.",
    }
    score(tmp_path, [row])
    (item,) = items(tmp_path / "evaluation")
    assert item["given"]["steps"] == ["The Osel bell was founded by Ida Torn.", "Ida Torn was born in 1702."]


def test_other_scripts_are_planned_and_scored(tmp_path: Path) -> None:
    rows = [
        {
            "question": "آیا پل تارن پیش از آسیاب ساخته شد؟",
            "decomposition": ["پل تارن کی ساخته شد؟", "آسیاب کی ساخته شد؟"],
        },
        {"question": "塔恩桥比磨坊更古老吗？", "decomposition": ["塔恩桥建于何时？", "磨坊建于何时？"]},
    ]
    result = score(tmp_path, rows)
    assert result["scored"] == 2
    assert value(result, "steps_matched") == pytest.approx(0.5)


def test_a_planner_that_fails_leaves_no_score(tmp_path: Path, scripted_llm: Callable[[Script], ScriptedLLM]) -> None:
    scripted_llm({"QuestionPlan": refusal()})
    result = score(tmp_path, [ASKED], "openai:scripted")
    assert set(result["failures"]) == {"refused"}
    found = figure(result, "steps_matched")
    assert (found["value"], found["missing"]) == (None, 1)


def test_data_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="steps: no questions with steps"):
        score(tmp_path, [{"question": "Who?", "answer": "Ida"}])
    with pytest.raises(UsageError, match=r"steps.jsonl:1: decomposition must be a list"):
        score(tmp_path, [{"question": "Who?", "decomposition": "one"}])
