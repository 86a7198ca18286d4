"""The graph's steps: which pages it opened, which tools it called, whether it reached the goal.

The graph is seen as an agent with two tools, `search` (a `query`) and `read` (a `document`), in ragas' terms.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from searchinstruct_graph.evals.answering import (
    READ,
    SEARCH,
    Message,
    calls_in,
    fields_of,
    researched,
    same_document,
    trajectory,
)
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.questions import corpus_of, question_cases
from searchinstruct_graph.evals.suite import Case, Measure, Metric, Sample, Score, Suite, case, mean_of, scored
from searchinstruct_graph.evals.suites.answers import offline, share_found, share_gold

JUDGED = ("goal_accuracy",)


def read(context: EvalContext) -> Iterator[Case]:
    """Every question as a case; `goal` is the reference where there is one, in the place of an answer.

    Raises:
        UsageError: as `question_cases` does.
    """
    for each in question_cases(context, responses=False):
        given = each["given"]
        if goal := given.get("goal"):
            given = {**given, "reference": goal}
        yield case(each["group"], given)


async def make(each: Case, context: EvalContext) -> Sample:
    """The graph's run: what it answered, and its trajectory with documents under the names that the data gives them."""
    given = each["given"]
    result, events = await researched(
        given["user_input"], context.research(corpus=await corpus_of(each["group"], context))
    )
    made = fields_of(result)
    if "failure" in made:
        return made
    calls = given.get("reference_tool_calls", [])
    wanted = [call["args"].get("document") for call in calls if call["name"] == READ]
    known = [name for name in [*given.get("gold", []), *wanted] if isinstance(name, str)]
    return {
        **made,
        "abstained": not made["response"],
        "trajectory": [_renamed(message, known) for message in trajectory(result, events)],
    }


def _renamed(message: Message, known: Sequence[str]) -> Message:
    for call in message.get("tool_calls", []):
        if call["name"] == READ:
            name = call["args"]["document"]
            call["args"]["document"] = next((each for each in known if same_document(name, each)), name)
    return message


def _frozen(call: Mapping[str, Any]) -> str:
    return json.dumps([call["name"], call["args"]], sort_keys=True, ensure_ascii=False, default=str)


def tool_call_f1(found: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]) -> float:
    """F1 over the sets of calls, names and arguments equal: ragas' ToolCallF1, without ragas."""
    ours, theirs = set(map(_frozen, found)), set(map(_frozen, wanted))
    return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours & theirs else 0.0


def _f1(sample: Sample, _: EvalContext) -> Score:
    ours, theirs = calls_in(sample["trajectory"]), sample["reference_tool_calls"]
    made = set(map(_frozen, ours))
    missing = [call for call in theirs if _frozen(call) not in made]
    told = "; ".join(f"{call['name']} {json.dumps(call['args'], ensure_ascii=False)}" for call in missing)
    return scored(tool_call_f1(ours, theirs), f"not called: {told}"[:500] if missing else "")


def _status(sample: Sample, _: EvalContext) -> Score:
    right = sample["answerable"] != sample["abstained"]
    return scored(right, f"{sample['status']}, {sample['stop_reason']}: {sample['said']}"[:500])


def _count(*names: str) -> Any:
    def of(sample: Sample, _: EvalContext) -> Score:
        return scored(sum(call["name"] in names for call in calls_in(sample["trajectory"])))

    return of


OFFLINE = (
    offline("tool_call_f1", _f1, "trajectory", "reference_tool_calls"),
    offline("gold_opened", share_found("read"), "gold", "read"),
    offline("opened_gold", share_gold("read"), "gold", "read"),
    offline("status_right", _status, "trajectory"),
    offline("searches", _count(SEARCH), "trajectory"),
    offline("pages", _count(READ), "trajectory"),
    offline("steps", _count(SEARCH, READ), "trajectory"),
)

_COSTS = ("searches", "pages", "steps")


def _metrics(context: EvalContext) -> tuple[Metric, ...]:
    if not context.judge:
        return OFFLINE
    from searchinstruct_graph.evals.ragas.judging import judge_metrics, tool_call_accuracy

    return (*OFFLINE, *judge_metrics(context, *JUDGED), tool_call_accuracy())


def _measures(context: EvalContext) -> tuple[Measure, ...]:
    found = tuple(mean_of(metric.name, higher_is_better=metric.name not in _COSTS) for metric in OFFLINE)
    if not context.judge:
        return found
    from searchinstruct_graph.evals.ragas.judging import judge_measures

    return (*found, *judge_measures(context, *JUDGED), mean_of("tool_call_accuracy", "judge"))


SUITE = Suite(
    name="agents",
    summary="the graph's steps: which pages it opened, which tools it called, whether it reached the goal",
    read=read,
    metrics=_metrics,
    measures=_measures,
    make=make,
)
