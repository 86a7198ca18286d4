"""The research machine as a LangChain tool, for `create_agent` and anything else that calls tools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException
from pydantic import BaseModel, ConfigDict, Field

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.research import graph as research_graph
from searchinstruct_graph.graphs.state import ResearchOutput
from searchinstruct_graph.models.loops import finished
from searchinstruct_graph.text.constraints import Applied, constraint_lines
from searchinstruct_graph.text.urls import without_urls


class ResearchQuestion(BaseModel):
    """What the tool is asked."""

    question: str = Field(description="One complete question that can be understood without the conversation.")


class ResearchTool(BaseTool):
    """Answers a question from the sources of `context`, with citations; the artifact is the full result as a dict.

    Bad input comes back to the agent as an error message. A provider that refuses every further call raises
    ProviderError: no agent can mend that. Addresses in the question are taken out: a model wrote it, no person gave them.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: str = "research"
    description: str = (
        "Answer a question from trusted sources. Searches, reads and checks; returns an answer whose every statement is "
        "cited with verbatim quotes, or says that the sources do not tell."
    )
    args_schema: Any = ResearchQuestion
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    handle_tool_error: Any = True
    context: ResearchContext = Field(default_factory=ResearchContext)
    graph: Any = Field(
        default=research_graph, description="A graph from `build_research_graph`; the usual one by default."
    )

    def model_post_init(self, _: Any) -> None:
        """Refuse settings that no tool can carry out."""
        if self.context.review_plan:
            raise UsageError("review_plan stops for a person, and a tool has none; leave it out")

    async def _arun(self, question: str, config: RunnableConfig) -> tuple[str, ResearchOutput]:
        try:
            result = await self.graph.ainvoke({"question": without_urls(question)}, config, context=self.context)
        except UsageError as error:
            raise ToolException(str(error)) from error
        return cited(result), result

    def _run(self, question: str, config: RunnableConfig) -> tuple[str, ResearchOutput]:
        return finished(self._arun(question, config))


def cited(result: ResearchOutput) -> str:
    """A result as a model reads it best: the answer, then each source with its quotes."""
    lines = [result["answer"]]
    for source in result["sources"]:
        lines += ["", f"[{source['id']}] {source['title']} ({source['uri']})"]
        lines += [f"> {' '.join(quote['text'].split())}" for quote in source["quotes"]]
    return "\n".join([*lines, *(line for part in limits(result["constraints"]) for line in ("", part))])


def limits(constraints: Sequence[Applied]) -> list[str]:
    """What an instruction asked of the sources and what that left out, as a model reads it; empty when it asked nothing."""
    told = constraint_lines(constraints)
    return ["\n".join(["Limits on the sources:", *(f"- {line}" for line in told)])] if told else []


research_tool = ResearchTool()
