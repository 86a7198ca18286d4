"""Each agent alone, so that one role can be tried and debugged in Studio with an input that a person can type.

The nodes are the research machine's own; what stands around them only fills the state that they expect.
"""

from __future__ import annotations

from typing import Annotated, Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Overwrite
from typing_extensions import TypedDict

from searchinstruct_graph.agents.context import ResearchContext, settings
from searchinstruct_graph.agents.critic import Judgement, Sample
from searchinstruct_graph.agents.evidence import Plan, Quote, Statement, merge_quotes
from searchinstruct_graph.agents.planner import plain_plan
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs import research
from searchinstruct_graph.graphs.searcher import build_searcher
from searchinstruct_graph.graphs.state import ResearchInput, ResearchState
from searchinstruct_graph.models.usage import Usage, add_usage, no_usage
from searchinstruct_graph.text.digest import sha256


class PlannerOutput(TypedDict):
    """The plan, and what it cost."""

    plan: Plan
    problems: list[str]
    usage: Annotated[Usage, add_usage]


class SearcherOutput(TypedDict):
    """The quotes that were found, what was read, and whether it was enough (the status in the plan's only part)."""

    plan: Plan
    evidence: Annotated[list[Quote], merge_quotes]
    read: list[str]
    problems: list[str]
    usage: Annotated[Usage, add_usage]


class WriterInput(TypedDict):
    """A question, and the texts of the quotes to answer it from."""

    question: str
    quotes: list[str]


class WriterOutput(TypedDict):
    """The draft: statements with the numbers (from 1) of their quotes."""

    draft: list[Statement]
    problems: list[str]
    usage: Annotated[Usage, add_usage]


class GivenStatement(TypedDict):
    """A statement to be checked, and the numbers (from 1) of the quotes that should carry it."""

    text: str
    quotes: list[int]


class CriticInput(TypedDict):
    """A question, quotes, and the draft to hold against them."""

    question: str
    quotes: list[str]
    statements: list[GivenStatement]


class CriticOutput(TypedDict):
    """The draft with its support, what is wrong with it, the re-answers, and the verdict."""

    draft: list[Statement]
    doubts: list[str]
    samples: list[Sample]
    judgement: Judgement
    usage: Annotated[Usage, add_usage]


class RoleState(ResearchState):
    """The research machine's memory, and what a person gave in its place."""

    quotes: list[str]


def _graph(output: type[Any], given: type[Any] = ResearchInput) -> StateGraph[RoleState, ResearchContext, Any, Any]:
    return StateGraph(RoleState, context_schema=ResearchContext, input_schema=given, output_schema=output)


def ask_plainly(state: RoleState, runtime: Runtime[ResearchContext]) -> dict[str, Any]:
    """Take the question as it stands for the only part of the plan."""
    said, heard, _ = research.newest_question(state)
    question = research.checked_question(said)
    return {
        **research.fresh_start(question, settings(runtime)),
        "question": question,
        "heard": heard,
        "earlier": [],
        "plan": plain_plan(question),
        "investigate": [1],
        "usage": Overwrite(no_usage()),
    }


def take_quotes(state: RoleState, runtime: Runtime[ResearchContext]) -> dict[str, Any]:
    """Take the question and the given texts as evidence, each as a page of its own."""
    given: object = state.get("quotes")
    if not isinstance(given, list) or not given or not all(isinstance(text, str) and text.strip() for text in given):
        raise UsageError("there are no quotes; give `quotes`, a list of texts to answer from")
    quotes = [
        Quote(
            uri=f"given:{number}",
            title="",
            text=text,
            start=0,
            end=len(text),
            sha256=sha256(text),
            retrieved_at="",
            license=None,
            points=[[1, 1]],
        )
        for number, text in enumerate(state["quotes"], 1)
    ]
    return {**ask_plainly(state, runtime), "evidence": Overwrite(quotes), "shown": quotes}


def take_draft(state: RoleState, runtime: Runtime[ResearchContext]) -> dict[str, Any]:
    """Take the given statements for the writer's draft."""
    given: Any = state.get("statements")
    if not isinstance(given, list) or not all(
        isinstance(each, dict) and isinstance(each.get("text"), str) and isinstance(each.get("quotes"), list)
        for each in given
    ):
        raise UsageError(
            "give `statements`: a list of objects with text, and quotes, the numbers of the quotes that carry it"
        )
    draft = [Statement(text=each["text"], quotes=list(each["quotes"]), support=0.0) for each in given]
    return {**take_quotes(state, runtime), "draft": draft, "round": 1, "gained": False}


def build_planner() -> Any:
    """Question → plan; with `review_plan` it stops for a person."""
    graph = _graph(PlannerOutput)
    graph.add_node("plan", research.plan)
    graph.add_node("review", research.review)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "review")
    graph.add_edge("review", END)
    return graph.compile(name="planner")


def build_searcher_role() -> Any:
    """Question → quotes, without a plan: one searcher goes round until the evidence suffices."""
    graph = _graph(SearcherOutput)
    graph.add_node("ask_plainly", ask_plainly)
    graph.add_node("investigate", build_searcher())
    graph.add_node("gather", research.gather)
    graph.add_edge(START, "ask_plainly")
    graph.add_conditional_edges("ask_plainly", research.to_searchers, ["investigate", "gather"])
    graph.add_edge("investigate", "gather")
    graph.add_edge("gather", END)
    return graph.compile(name="searcher")


def build_writer() -> Any:
    """Question and quotes → draft."""
    graph = _graph(WriterOutput, WriterInput)
    graph.add_node("take_quotes", take_quotes)
    graph.add_node("write", research.write)
    graph.add_edge(START, "take_quotes")
    graph.add_edge("take_quotes", "write")
    graph.add_edge("write", END)
    return graph.compile(name="writer")


def build_critic() -> Any:
    """Question, quotes and draft → support, re-answers and a verdict."""
    graph = _graph(CriticOutput, CriticInput)
    graph.add_node("take_draft", take_draft)
    graph.add_node("critique", research.critique)
    graph.add_node("reanswer", research.reanswer)
    graph.add_node("decide", research.decide)
    graph.add_edge(START, "take_draft")
    graph.add_edge("take_draft", "critique")
    graph.add_conditional_edges("critique", research.to_samples, ["reanswer", "decide"])
    graph.add_edge("reanswer", "decide")
    graph.add_edge("decide", END)
    return graph.compile(name="critic")


planner = build_planner()
searcher = build_searcher_role()
writer = build_writer()
critic = build_critic()
