"""A provider over HTTP that answers as the offline model does: real requests, honest replies, any corpus."""

from __future__ import annotations

from searchinstruct_graph.models.offline.skills import SKILLS
from searchinstruct_graph.models.offline.task import Task
from searchinstruct_graph.models.tagged import tags
from tests.support.scripted_llm import ChatRequest, status


def extractive(request: ChatRequest) -> object:
    """The offline model's reply to a request for one of its schemas."""
    if request.schema not in SKILLS:
        return status(400, f"no skill for {request.schema!r}")
    return SKILLS[request.schema](Task(tuple(tags(request.user)), request.temperature or 0.0, request.seed or 0))
