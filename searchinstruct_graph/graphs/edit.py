"""A small edit set as a state machine, to be watched in Studio; `editing` makes large ones with the same parts.

    START → prepare → revise (one a fact, in parallel: verify → reword → correct → ask around) → settle → END

Facts are settled in the order in which they were given, whichever came first.
"""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated, Any, Literal

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Overwrite, Send
from typing_extensions import TypedDict

from searchinstruct_graph.agents.edit_context import EditContext
from searchinstruct_graph.agents.prober import Wording
from searchinstruct_graph.agents.progress import progress
from searchinstruct_graph.datasets.acceptance import Acceptance
from searchinstruct_graph.datasets.contamination import Benchmark
from searchinstruct_graph.datasets.facts import Fact, Probe, distinct, fact_of
from searchinstruct_graph.datasets.probes import FactPool
from searchinstruct_graph.datasets.rows import Rejection, Row
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.answering import Unanswered
from searchinstruct_graph.graphs.edit_inputs import check, edit_rules, prompt_versions, role_models
from searchinstruct_graph.graphs.evidence_of_facts import Evidence, gather_evidence
from searchinstruct_graph.graphs.revising import (
    Correction,
    FactOutcome,
    ask_around,
    correct,
    failed_outcome,
    outcome_of,
    reword,
)
from searchinstruct_graph.graphs.screening import Screen
from searchinstruct_graph.graphs.searcher import build_searcher
from searchinstruct_graph.graphs.settling_facts import Facts, settle_fact
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.limits import remaining, shares
from searchinstruct_graph.models.usage import Usage, add_usage, join_usage, no_usage
from searchinstruct_graph.tools.corpus.language import detect

MOST_FACTS = 50
"""Facts that a graph takes; `searchinstruct edit` has no such bound."""


class EditInput(TypedDict, total=False):
    """What has changed: facts with `subject`, `relation`, `old` and `new`, and where known `as_of`, `question`, `unchanged`,
    `stale`; or one `fact`.
    """

    facts: list[dict[str, Any]]
    fact: dict[str, Any]


class FactState(TypedDict):
    """What became of a fact, and how its answer was edited."""

    fact: Fact
    reason: str
    detail: str
    before: str
    after: str
    change: float | None
    rows: int
    probes: int


class EditOutput(TypedDict):
    """The accepted rows, what was refused and why, the probes that are held out, and what it cost."""

    rows: list[Row]
    rejections: list[Rejection]
    probes: list[Probe]
    outcomes: list[FactState]
    usage: Annotated[Usage, add_usage]


class RevisedFact(TypedDict):
    """What one branch hands back."""

    number: int
    evidence: Evidence | None
    wordings: list[Wording]
    corrections: list[Correction]
    probes: list[Probe]
    dropped: list[list[str]]
    failure: str
    usage: Usage


class EditState(EditInput, EditOutput):
    """The whole memory of a small edit set."""

    asked: list[Fact]
    revised: Annotated[list[RevisedFact], operator.add]


class ReviseTask(TypedDict):
    """What one branch is sent."""

    number: int
    fact: Fact
    max_cost: float | None


class ReviseState(ReviseTask):
    """A branch at work."""

    evidence: Evidence
    wordings: list[Wording]
    corrections: list[Correction]
    probes: list[Probe]
    dropped: list[list[str]]
    failure: str
    usage: Annotated[Usage, add_usage]
    revised: Annotated[list[RevisedFact], operator.add]


class ReviseOutput(TypedDict):
    """What a branch reports."""

    revised: Annotated[list[RevisedFact], operator.add]


_searcher = build_searcher()


def _settings(runtime: Runtime[EditContext]) -> EditContext:
    return runtime.context or EditContext()


def _given(state: EditState) -> list[Fact]:
    facts: object = state.get("facts") or ([state["fact"]] if state.get("fact") else [])
    if not isinstance(facts, list) or not facts or not all(isinstance(each, Mapping) for each in facts):
        raise UsageError("give `facts`, a list of objects with subject, relation, old and new; or one `fact`")
    if len(facts) > MOST_FACTS:
        raise UsageError(f"the graph takes at most {MOST_FACTS} facts, not {len(facts):,}; use: searchinstruct edit")
    return distinct(fact_of(each, f"fact {number}") for number, each in enumerate(facts, 1))


async def prepare(state: EditState, runtime: Runtime[EditContext]) -> dict[str, Any]:
    """Check the facts and the settings before a model is asked."""
    context = _settings(runtime)
    asked = _given(state)
    await asyncio.to_thread(check, context)
    # The language model is read from a file, which may not happen on the event loop later on.
    await asyncio.to_thread(detect, ["language"])
    runtime.stream_writer(progress("prepare", f"{len(asked)} facts have changed"))
    return {
        "asked": asked,
        "revised": Overwrite([]),
        "rows": [],
        "rejections": [],
        "probes": [],
        "outcomes": [],
        "usage": Overwrite(no_usage()),
    }


def to_facts(state: EditState, runtime: Runtime[EditContext]) -> list[Send]:
    """One branch a fact, each with its part of the money."""
    parts = shares(_settings(runtime).limits(), len(state["asked"]))
    return [
        Send("revise", ReviseTask(number=number, fact=fact, max_cost=part["cost_usd"]))
        for number, (fact, part) in enumerate(zip(state["asked"], parts, strict=True))
    ]


def _left(state: ReviseState, context: EditContext) -> Any:
    limits = {**context.limits(), "cost_usd": state["max_cost"]}
    return remaining(limits, state.get("usage") or no_usage())  # type: ignore[arg-type]


async def verify(state: ReviseState, runtime: Runtime[EditContext]) -> dict[str, Any]:
    """Search for a page that carries the new state."""
    context = _settings(runtime)
    try:
        evidence, usage = await gather_evidence(state["fact"], context, _searcher, _left(state, context))
    except Unanswered as error:
        return {"failure": str(error)}
    said = evidence["reason"].replace("_", " ") or f"{evidence['carrying']} quotes carry it"
    runtime.stream_writer(progress("assess", f"{state['fact']['subject']}: {said}", number=state["number"]))
    return {"evidence": evidence, "failure": "", "usage": usage}


def verified(state: ReviseState) -> Literal["word", "hand_back"]:
    """Go on with a fact that a page carries."""
    return "hand_back" if state["failure"] or state["evidence"]["reason"] else "word"


async def word(state: ReviseState, runtime: Runtime[EditContext]) -> dict[str, Any]:
    """Word the fact's question in many ways, some of which are held out."""
    context = _settings(runtime)
    try:
        wordings, usage = await reword(state["fact"], context, _left(state, context))
    except Unanswered as error:
        return {"failure": str(error), "wordings": []}
    runtime.stream_writer(progress("propose", f"{state['fact']['subject']}: {len(wordings)} wordings"))
    return {"wordings": wordings, "usage": usage}


async def edit(state: ReviseState, runtime: Runtime[EditContext]) -> dict[str, Any]:
    """Edit the stale answer as little as the new state asks for, and let the critic look at it."""
    context = _settings(runtime)
    trained = [each for each in state["wordings"] if each["use"] == "train"]
    if state["failure"]:
        return {"corrections": []}
    try:
        made, usage = await correct(state["fact"], trained, state["evidence"], context, _left(state, context))
    except Unanswered as error:
        return {"failure": str(error), "corrections": []}
    for each in made:
        share = "" if each["change"] is None else f", {each['change']:.0%} changed"
        said = each["reason"].replace("_", " ") or f"{each['text'][:120]}{share}"
        runtime.stream_writer(progress("write", f"{state['fact']['subject']}: {said}", number=state["number"]))
    return {"corrections": made, "usage": usage}


def edited(state: ReviseState) -> Literal["probe", "hand_back"]:
    """Ask for probes of what could be corrected."""
    good = any(not each["reason"] for each in state["corrections"])
    return "probe" if good and not state["failure"] else "hand_back"


async def probe(state: ReviseState, runtime: Runtime[EditContext]) -> dict[str, Any]:
    """Ask what else must be so now, and what must have stayed as it was."""
    context = _settings(runtime)
    try:
        probes, dropped, usage = await ask_around(
            state["fact"],
            state["wordings"],
            state["corrections"],
            state["evidence"],
            context,
            _left(state, context),
        )
    except Unanswered as error:
        return {"failure": str(error)}
    runtime.stream_writer(progress("propose", f"{state['fact']['subject']}: {len(probes)} probes"))
    return {"probes": probes, "dropped": dropped, "usage": usage}


def hand_back(state: ReviseState) -> dict[str, Any]:
    """Report the branch."""
    told = RevisedFact(
        number=state["number"],
        evidence=state.get("evidence"),
        wordings=state.get("wordings") or [],
        corrections=state.get("corrections") or [],
        probes=state.get("probes") or [],
        dropped=state.get("dropped") or [],
        failure=state["failure"],
        usage=state.get("usage") or no_usage(),
    )
    return {"revised": [told]}


def _outcome(fact: Fact, told: RevisedFact) -> FactOutcome:
    if told["failure"] or told["evidence"] is None:
        return failed_outcome(fact, told["failure"])
    return outcome_of(
        fact,
        told["wordings"],
        told["evidence"],
        told["corrections"],
        told["probes"],
        told["dropped"],
        told["usage"],
    )


async def settle(state: EditState, runtime: Runtime[EditContext]) -> dict[str, Any]:
    """Hold everything against the rules and what is held out, fact by fact in their order."""
    context = _settings(runtime)
    embedder = await asyncio.to_thread(embeddings, context.embeddings)
    made = await asyncio.to_thread(_settled, state, context, embedder)
    runtime.stream_writer(progress("collect", f"{len(made['rows'])} rows, {len(made['probes'])} probes"))
    return {**made, "revised": Overwrite([])}


def _settled(state: EditState, context: EditContext, embedder: Any) -> dict[str, Any]:
    texts: dict[int, str] = {}
    pool = FactPool(embedder, texts.__getitem__)
    benchmark = Benchmark.load_any(context.decontaminate, embedder)
    screen = Screen(context, Facts(), "", pool, benchmark)
    versions = {"searchinstruct-graph": version("searchinstruct-graph"), **prompt_versions()}
    acceptance = Acceptance(edit_rules(context, ""), role_models(context), versions)
    rows: list[Row] = []
    rejections: list[Rejection] = []
    probes: list[Probe] = []
    outcomes: list[FactState] = []
    # A thread that goes on may have been handed a branch twice.
    told = {each["number"]: each for each in state["revised"]}
    for number, fact in enumerate(state["asked"]):
        made = settle_fact(number, _outcome(fact, told[number]), state["asked"], screen, pool, acceptance, context)
        texts.update((instruction["ordinal"], instruction["text"]) for instruction, _ in made.answered)
        texts.update((ordinal, each["question"]) for ordinal, each in made.probes)
        of_fact = [each["row"] for each in made.decisions if each["row"]]
        rows += of_fact
        rejections += [*made.refused, *(each["rejection"] for each in made.decisions if each["rejection"])]
        probes += [each for _, each in made.probes]
        outcomes.append(
            FactState(
                fact=fact,
                reason=made.edit["reason"],
                detail=made.edit["detail"],
                before=made.edit["before"],
                after=made.edit["after"],
                change=made.edit["change"],
                rows=len(of_fact),
                probes=len(made.probes),
            )
        )
    usage = join_usage([each["usage"] for each in told.values()])
    return {"rows": rows, "rejections": rejections, "probes": probes, "outcomes": outcomes, "usage": usage}


def _build_branch() -> Any:
    """One fact: verify → word → edit → probe, or less when the fact does not stand."""
    builder = StateGraph(ReviseState, context_schema=EditContext, input_schema=ReviseTask, output_schema=ReviseOutput)
    builder.add_node("verify", verify)
    builder.add_node("word", word)
    builder.add_node("edit", edit)
    builder.add_node("probe", probe)
    builder.add_node("hand_back", hand_back)
    builder.add_edge(START, "verify")
    builder.add_conditional_edges("verify", verified, ["word", "hand_back"])
    builder.add_edge("word", "edit")
    builder.add_conditional_edges("edit", edited, ["probe", "hand_back"])
    builder.add_edge("probe", "hand_back")
    builder.add_edge("hand_back", END)
    return builder.compile(name="revise")


def build_edit(checkpointer: BaseCheckpointSaver[Any] | None = None) -> Any:
    """Changed facts → preference rows and probes, compiled; with a checkpointer, threads can be resumed."""
    builder = StateGraph(EditState, context_schema=EditContext, input_schema=EditInput, output_schema=EditOutput)
    builder.add_node("prepare", prepare)
    builder.add_node("revise", _build_branch())
    builder.add_node("settle", settle)
    builder.add_edge(START, "prepare")
    builder.add_conditional_edges("prepare", to_facts, ["revise"])
    builder.add_edge("revise", "settle")
    builder.add_edge("settle", END)
    return builder.compile(checkpointer=checkpointer, name="edit")


graph = build_edit()
