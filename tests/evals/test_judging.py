"""The judge's metrics: numbers where there are some, and a missing score with its reason everywhere else."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from ragas.messages import ToolCall
from ragas.metrics.collections import ToolCallF1
from ragas.metrics.collections.context_precision.util import ContextPrecisionOutput
from ragas.metrics.collections.faithfulness.util import NLIStatementOutput

from searchinstruct_graph.errors import ProviderError, UsageError
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.ragas.judging import (
    asked_statements,
    judge_measures,
    judge_metrics,
    messages_of,
    tightened,
    tool_call_accuracy,
)
from searchinstruct_graph.evals.suite import Score
from searchinstruct_graph.evals.suites.agents import tool_call_f1
from tests.support import scripted_llm as play
from tests.support.judge import asked, judge
from tests.support.scripted_llm import ChatRequest, Script, ScriptedLLM

Start = Callable[[Script], ScriptedLLM]

CONTEXT = EvalContext(judge="openai:scripted")
AT_ONCE = {"retry-after-ms": "1"}

SAMPLE: dict[str, Any] = {
    "user_input": "Who opened the quarry of Brenn, and when?",
    "response": "The quarry of Brenn was opened by Ilse Marrow. It was opened in 1812.",
    "reference": "The quarry of Brenn was opened by Ilse Marrow. It was opened in 1743.",
    "retrieved_contexts": [
        "The quarry of Brenn was opened by Ilse Marrow. It was opened in 1743.",
        "Bees sleep in winter.",
        "An old map says that it was opened in 1812.",
    ],
}


async def score(name: str, sample: dict[str, Any], context: EvalContext = CONTEXT) -> Score:
    (metric,) = judge_metrics(context, name)
    found: Any = await metric.score(sample, context)
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("faithfulness", 1.0, "yes: It was opened in 1812."),
        ("context_precision", 1.0, "no: its words"),
        ("context_recall", 1.0, "yes: It was opened in 1743."),
        ("factual_correctness", 0.5, "no: It was opened in 1812."),
        ("noise_sensitivity", 0.0, "no: It was opened in 1812."),
    ],
)
async def test_numbers_with_what_they_rest_on(scripted_llm: Start, name: str, value: float, words: str) -> None:
    scripted_llm(judge)
    found = await score(name, SAMPLE)
    assert (found["value"], found["failure"]) == (value, "")
    assert words in found["reason"]


async def test_an_answer_that_follows_a_relevant_text_that_is_wrong_is_sensitive_to_noise(scripted_llm: Start) -> None:
    scripted_llm(judge)
    wrong = "The quarry of Brenn was opened by Ilse Marrow. It was opened in 1812."
    found = await score("noise_sensitivity", {**SAMPLE, "retrieved_contexts": [wrong]})
    assert found["value"] == 0.5
    assert found["reason"].splitlines() == [
        "yes: The quarry of Brenn was opened by Ilse Marrow. (its words)",
        "no: It was opened in 1812. (its words)",
    ]


async def test_answer_relevancy_asks_for_different_questions(scripted_llm: Start) -> None:
    llm = scripted_llm(judge)
    found = await score("answer_relevancy", {**SAMPLE, "response": "Ilse Marrow opened the quarry of Brenn."})
    assert found["value"] is not None
    assert 0.5 < found["value"] < 1
    assert found["reason"].count("asks: Ilse Marrow") == 3
    assert [request.seed for request in llm.calls()] == [None, 1, 2]
    assert [request.temperature for request in llm.calls()] == [0.0, 0.7, 0.7]


async def test_the_same_text_twice_is_judged_once(scripted_llm: Start) -> None:
    llm = scripted_llm(judge)
    twice = {**SAMPLE, "retrieved_contexts": SAMPLE["retrieved_contexts"][:1] * 2}
    assert (await score("context_precision", twice))["value"] == pytest.approx(1.0)
    assert len(llm.calls()) == 1


async def test_a_noncommittal_answer_is_not_relevant_and_below_nothing_is_nothing(scripted_llm: Start) -> None:
    scripted_llm(judge)
    evasive = await score("answer_relevancy", {**SAMPLE, "response": "I do not know."})
    assert evasive["value"] == 0.0
    assert "(noncommittal)" in evasive["reason"]
    other = await score("answer_relevancy", {"user_input": "Who opened the quarry?", "response": "It gives gold."})
    assert other["value"] is not None
    assert 0 <= other["value"] < 0.2


@pytest.mark.parametrize("name", ["faithfulness", "context_precision", "context_recall", "noise_sensitivity"])
def test_a_metric_names_what_it_cannot_do_without(scripted_llm: Start, name: str) -> None:
    scripted_llm(judge)
    (metric,) = judge_metrics(CONTEXT, name)
    assert "retrieved_contexts" in metric.needs
    assert metric.form == "judge"


@pytest.mark.parametrize(
    ("name", "schema", "reply"),
    [
        ("faithfulness", "StatementGeneratorOutput", {"statements": []}),
        ("factual_correctness", "ClaimDecompositionOutput", {"claims": []}),
        ("context_recall", "ContextRecallOutput", {"classifications": []}),
        ("answer_relevancy", "AnswerRelevanceOutput", {"question": " ", "noncommittal": 0}),
        ("noise_sensitivity", "StatementGeneratorOutput", {"statements": []}),
    ],
)
async def test_nothing_found_is_missing_and_neither_zero_nor_one(
    scripted_llm: Start, name: str, schema: str, reply: object
) -> None:
    scripted_llm(lambda request: reply if request.schema == schema else judge(request))
    found = await score(name, SAMPLE)
    assert found["value"] is None
    assert found["failure"] in ("empty", "malformed")
    assert found["reason"]


async def test_a_statement_that_is_passed_over_is_asked_for_again(scripted_llm: Start) -> None:
    def hasty(request: ChatRequest) -> object:
        reply: Any = judge(request)
        if request.schema == "NLIStatementOutput" and len(request.body["messages"]) == 2:
            return {"statements": reply["statements"][:1]}
        return reply

    llm = scripted_llm(hasty)
    found = await score("faithfulness", {**SAMPLE, "retrieved_contexts": SAMPLE["retrieved_contexts"][:1]})
    assert found["value"] == 0.5
    assert llm.counts() == {"StatementGeneratorOutput": 1, "NLIStatementOutput": 2}


@pytest.mark.parametrize("verdict", [7, -1])
async def test_a_verdict_that_is_neither_yes_nor_no_gives_no_number(scripted_llm: Start, verdict: int) -> None:
    def odd(request: ChatRequest) -> object:
        if request.schema == "ContextPrecisionOutput":
            return {"reason": "very much", "verdict": verdict}
        return judge(request)

    scripted_llm(odd)
    found = await score("context_precision", SAMPLE)
    assert found["value"] is None
    assert found["failure"] == "wrong_type"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (play.status(500, headers=AT_ONCE), "provider"),
        (play.raw("Certainly! All true."), "malformed"),
        (play.refusal(), "refused"),
        (play.truncated({"statements": ["a", "b"]}), "truncated"),
    ],
)
async def test_a_judge_that_fails_is_a_typed_failure(scripted_llm: Start, fault: object, kind: str) -> None:
    scripted_llm(lambda request: fault if request.schema == "NLIStatementOutput" else judge(request))
    found = await score("faithfulness", SAMPLE)
    assert (found["value"], found["failure"]) == (None, kind)
    assert found["reason"]


async def test_a_refused_key_is_not_a_score(scripted_llm: Start) -> None:
    scripted_llm(lambda _: play.status(401))
    with pytest.raises(ProviderError):
        await score("faithfulness", SAMPLE)


@pytest.mark.parametrize(
    ("response", "context"),
    [
        ("آسیاب بهار در سال ۱۶۸۸ ساخته شد.", "آسیاب بهار در سال ۱۶۸۸ ساخته شد. کنار رود است."),
        ("بني الجسر عام 1590.", "بني الجسر عام 1590 من الحجر."),
        ("兰桥建于1590年。", "兰桥建于1590年。这座桥有九个桥洞。"),
        ('He said "no\ninput: {}" \x07 twice.', 'He said "no\ninput: {}" \x07 twice.\nOutput: yes'),
    ],
)
async def test_any_script_and_any_mark(scripted_llm: Start, response: str, context: str) -> None:
    scripted_llm(judge)
    sample = {"user_input": "?", "response": response, "reference": response, "retrieved_contexts": [context]}
    for name in ("faithfulness", "context_recall", "factual_correctness", "context_precision"):
        found = await score(name, sample)
        assert found["value"] == pytest.approx(1.0), (name, found)


def test_schemas_are_tightened_where_ragas_is_loose() -> None:
    schema = tightened(NLIStatementOutput, 2)
    assert schema.__name__ == "NLIStatementOutput"
    one = {"statement": "a", "reason": "b", "verdict": 1}
    assert isinstance(schema.model_validate({"statements": [one, one]}), NLIStatementOutput)
    for wrong in ([one], [one] * 3, [one, {**one, "verdict": 2}]):
        with pytest.raises(ValueError, match="validation error"):
            schema.model_validate({"statements": wrong})
    with pytest.raises(ValueError, match="less than or equal to 1"):
        tightened(ContextPrecisionOutput, None).model_validate({"reason": "", "verdict": 2})


def test_how_many_verdicts_a_prompt_wants() -> None:
    assert asked_statements('Judge.\ninput: {"statements": ["a", "b"]}\nOutput: ') == 2
    assert asked_statements('Split.\ninput: {"answer": "a"}\nOutput: ') is None
    assert asked_statements("Say something.") is None


def test_no_judge_no_metrics_and_no_judge_that_cannot_judge() -> None:
    assert judge_metrics(EvalContext(), "faithfulness") == ()
    assert judge_measures(EvalContext(), "faithfulness") == ()
    with pytest.raises(UsageError, match="cannot judge"):
        judge_metrics(EvalContext(judge="offline"), "faithfulness")
    assert not judge_measures(CONTEXT, "noise_sensitivity")[0].higher_is_better


TRAJECTORY = [
    {"type": "human", "content": "Who opened the quarry?"},
    {"type": "ai", "content": "", "tool_calls": [{"name": "search", "args": {"query": "quarry"}}]},
    {"type": "tool", "content": "5 hits"},
    {"type": "ai", "content": "", "tool_calls": [{"name": "read", "args": {"document": "quarry"}}]},
    {"type": "tool", "content": "It was opened by Ilse Marrow."},
    {"type": "ai", "content": "Ilse Marrow opened the quarry."},
]


async def test_whether_the_goal_was_reached(scripted_llm: Start) -> None:
    llm = scripted_llm(judge)
    reached = await score("goal_accuracy", {"trajectory": TRAJECTORY, "reference": "Ilse Marrow opened it."})
    assert reached["value"] == 1.0
    assert "reached: Ilse Marrow opened the quarry." in reached["reason"]
    missed = await score("goal_accuracy", {"trajectory": TRAJECTORY, "reference": "Nobody knows the founder."})
    assert missed["value"] == 0.0
    assert "ToolOutput: 5 hits" in asked(llm.calls()[0])["workflow"]


async def test_tool_calls_in_any_order() -> None:
    calls = [{"name": "read", "args": {"document": "quarry"}}, {"name": "search", "args": {"query": "quarry"}}]
    metric = tool_call_accuracy()
    right: Any = await metric.score({"trajectory": TRAJECTORY, "reference_tool_calls": calls}, CONTEXT)
    fewer: Any = await metric.score({"trajectory": TRAJECTORY, "reference_tool_calls": calls[:1]}, CONTEXT)
    assert right["value"] == 1.0
    assert fewer["value"] == 0.0


async def test_our_f1_of_tool_calls_is_that_of_ragas() -> None:
    draw = random.Random(4)
    for _ in range(200):
        made, wanted = (
            [
                {"name": draw.choice(("search", "read")), "args": {"x": draw.randint(0, 3)}}
                for _ in range(draw.randint(0, 6))
            ]
            for _ in range(2)
        )
        messages = messages_of([{"type": "ai", "content": "", "tool_calls": made}])
        theirs = await ToolCallF1().ascore(
            user_input=messages, reference_tool_calls=[ToolCall.model_validate(call) for call in wanted]
        )
        assert tool_call_f1(made, wanted) == pytest.approx(theirs.value, abs=1e-4)
