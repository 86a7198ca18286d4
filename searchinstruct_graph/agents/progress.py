"""Progress events: what the graphs say on LangGraph's `custom` stream while they work, one event a step."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

Step = Literal[
    "index",
    "plan",
    "search",
    "read",
    "assess",
    "write",
    "critique",
    "reanswer",
    "verdict",
    "result",
    "propose",
    "answer",
    "collect",
    "prepare",
    "choose",
]


class Progress(TypedDict):
    """One step of a run, for people and for machines.

    `message` is one plain line. `data` holds the step's numbers and names, all JSON:
    plan {sub_questions}; search {query, hits, new}; read {uri, title, quotes, dropped}; assess {sufficient, missing};
    write {statements}; critique {problems, support}; reanswer {sample, agrees}; verdict {verdict, round}; result {status}.
    A dataset's graph adds propose, answer and collect, without data.
    """

    version: Literal[1]
    step: Step
    message: str
    data: dict[str, Any]


def progress(step: Step, message: str, **data: Any) -> Progress:
    """Build an event; `data` must be JSON-serialisable."""
    return Progress(version=1, step=step, message=message, data=data)
