"""A judge over HTTP that answers ragas' schemas by plain rules, so that the numbers mean something.

A statement follows from a text that holds most of its words and all of its numbers; an answer is split at its sentences; a
goal is reached when the end says most of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from searchinstruct_graph.text.compare import coverage, numbers
from searchinstruct_graph.text.sentences import sentences
from tests.support.extractive import extractive
from tests.support.scripted_llm import ChatRequest

MOST = 0.6
"""Share of a statement's words that a text must hold."""


def asked(request: ChatRequest) -> dict[str, Any]:
    """The input of a prompt of ragas."""
    given: dict[str, Any] = json.loads(request.user.rpartition("\ninput: ")[2].rpartition("\nOutput:")[0])
    return given


def split(text: str) -> list[str]:
    """The sentences of a text."""
    found = (text[span.start : span.end].strip() for span in sentences(text))
    return [each for each in found if each]


def follows(statement: str, text: str) -> int:
    """1 when the text holds the statement's numbers and most of its words."""
    return int(numbers(statement) <= numbers(text) and coverage(statement, [text]) >= MOST)


def _verdicts(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "statements": [
            {"statement": each, "reason": "its words", "verdict": follows(each, given["context"])}
            for each in given["statements"]
        ]
    }


def _goal(given: dict[str, Any]) -> dict[str, Any]:
    said = given["workflow"].splitlines()
    people = [line.partition(": ")[2] for line in said if line.startswith("Human: ")]
    return {"user_goal": people[0], "end_state": said[-1].partition(": ")[2] or said[-1]}


RULES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "StatementGeneratorOutput": lambda given: {"statements": split(given.get("answer") or given["text"])},
    "ClaimDecompositionOutput": lambda given: {"claims": split(given["response"])},
    "NLIStatementOutput": _verdicts,
    "StatementFaithfulnessOutput": _verdicts,
    "AnswerRelevanceOutput": lambda given: {
        "question": given["response"],
        "noncommittal": int("do not know" in given["response"]),
    },
    "ContextPrecisionOutput": lambda given: {
        "reason": "its words",
        "verdict": follows(given["answer"], given["context"]),
    },
    "ContextRecallOutput": lambda given: {
        "classifications": [
            {"statement": each, "reason": "its words", "attributed": follows(each, given["context"])}
            for each in split(given["answer"])
        ]
    },
    "WorkflowOutput": _goal,
    "CompareOutcomeOutput": lambda given: {
        "reason": "its words",
        "verdict": str(follows(given["desired_outcome"], given["arrived_outcome"])),
    },
}


def judge(request: ChatRequest) -> object:
    """The judge's reply; for the agents' own schemas, the offline model's."""
    return RULES[request.schema](asked(request)) if request.schema in RULES else extractive(request)
