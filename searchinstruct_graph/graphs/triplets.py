"""A small set of triplets as a state machine, to be watched in Studio; `contrasting` makes large ones with the same parts.

    START → take → contrast (one a pair, in parallel: write → poison → find → validate) → settle → END

Pairs are settled in the order in which they were given, whichever came first.
"""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Annotated, Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Overwrite, Send
from typing_extensions import TypedDict

from searchinstruct_graph.agents.context import setting
from searchinstruct_graph.agents.progress import Step, progress
from searchinstruct_graph.agents.triplet_context import TripletContext
from searchinstruct_graph.datasets.contamination import Benchmark
from searchinstruct_graph.datasets.ledger import encoded
from searchinstruct_graph.datasets.pairs import TripletPair
from searchinstruct_graph.datasets.triplets import TripletRow, only_denies, triplet_asked
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs import contrast
from searchinstruct_graph.graphs.answering import Unanswered
from searchinstruct_graph.graphs.contrast import Finder, Material, PairOutcome, failed_outcome, looked_at, standing
from searchinstruct_graph.graphs.contrast_inputs import (
    Given,
    check,
    material_of,
    open_passages,
    passages_of,
    read_given,
)
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.limits import Allowance, shares
from searchinstruct_graph.models.usage import Usage, add_usage, join_usage, no_usage
from searchinstruct_graph.text.digest import sha256
from searchinstruct_graph.tools.corpus import Corpus
from searchinstruct_graph.tools.corpus.language import detect

MOST_PAIRS = 30
"""Pairs that a graph takes; `searchinstruct triplets` has no such bound."""

MOST_OPEN = 4
"""Corpora, with the pairs beside them, that a process keeps at hand."""


class TripletsInput(TypedDict, total=False):
    """What triplets are made of: `pairs` (objects with `query` and `passage`, and where known `uri`, `title`, `family`), or one
    `pair`; without either so many `passages` of the corpus, for each of which a query is written.
    """

    pairs: list[dict[str, Any]]
    pair: dict[str, Any]
    passages: int


class TripletsOutput(TypedDict):
    """The triplets, what became of every pair, and what it cost."""

    triplets: list[TripletRow]
    outcomes: list[PairOutcome]
    """In the order of the pairs; one with a `reason` gave no triplet."""
    usage: Annotated[Usage, add_usage]


class Contrasted(TypedDict):
    """What one branch hands back."""

    number: int
    outcome: PairOutcome


class TripletsState(TripletsInput, TripletsOutput):
    """The whole memory of a small set of triplets."""

    asked: list[TripletPair]
    contrasted: Annotated[list[Contrasted], operator.add]


class ContrastTask(TypedDict):
    """What one branch is sent."""

    number: int
    asked: TripletPair
    beside: list[TripletPair]
    """The pairs that people gave, this one among them: material for its poisons."""
    max_cost: float | None


class ContrastState(ContrastTask):
    """A branch at work."""

    outcome: PairOutcome
    contrasted: Annotated[list[Contrasted], operator.add]


class ContrastOutput(TypedDict):
    """What a branch reports."""

    contrasted: Annotated[list[Contrasted], operator.add]


@dataclass(frozen=True, kw_only=True)
class _Branch(TripletContext):
    """The settings of one branch: it may spend its part of the money."""

    part: float | None = setting(None, "US dollars that the branch may spend.")

    def limits(self) -> Allowance:
        return {**super().limits(), "cost_usd": self.part}


def _settings(runtime: Runtime[TripletContext]) -> TripletContext:
    return runtime.context or TripletContext()


def _of_branch(context: TripletContext, part: float | None) -> TripletContext:
    return _Branch(**{spec.name: getattr(context, spec.name) for spec in fields(TripletContext)}, part=part)


_at_hand: dict[str, tuple[Corpus | None, Material | None]] = {}


async def _open(
    context: TripletContext, pairs: Sequence[TripletPair], *, refresh: bool = False
) -> tuple[Corpus | None, Material | None]:
    """The corpus, and what the given pairs are to each other; brought up to date when `refresh` is set, else as this process
    knows them, if it does.
    """
    key = sha256(encoded([context.corpus, context.embeddings, context.index, pairs]))
    if refresh or key not in _at_hand:
        corpus = await open_passages(context)
        embedder = await asyncio.to_thread(embeddings, context.embeddings)
        material = await asyncio.to_thread(material_of, Given(pairs, None, ()), embedder)
        _at_hand[key] = corpus, material
        while len(_at_hand) > MOST_OPEN:
            del _at_hand[next(iter(_at_hand))]
    return _at_hand[key]


async def _given(state: TripletsState, context: TripletContext) -> list[TripletPair]:
    records: object = state.get("pairs") or ([state["pair"]] if state.get("pair") else [])
    if not isinstance(records, list) or not all(isinstance(each, Mapping) for each in records):
        raise UsageError("give `pairs`, a list of objects with query and passage; or one `pair`")
    if not records and not context.corpus:
        raise UsageError("give `pairs`, or one `pair`, or name documents with the setting `corpus`")
    count: object = state.get("passages", 10)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise UsageError(
            f"`passages` is how many passages of the corpus are taken, a whole number from 1, not {count!r}"
        )
    if (wanted := len(records) or count) > MOST_PAIRS:
        raise UsageError(
            f"the graph takes at most {MOST_PAIRS} pairs or passages, not {wanted:,}; use: searchinstruct triplets"
        )
    return await asyncio.to_thread(read_given, (), records, context)


async def take(state: TripletsState, runtime: Runtime[TripletContext]) -> dict[str, Any]:
    """Check pairs and settings before a model is asked; without pairs, draw passages of the corpus."""
    context = _settings(runtime)
    asked = await _given(state, context)
    await asyncio.to_thread(check, context)
    # The language model is read from a file, which may not happen on the event loop later on.
    await asyncio.to_thread(detect, ["language"])
    corpus, _ = await _open(context, asked, refresh=True)
    if corpus is not None and not asked:
        drawn = await passages_of(corpus, context.seed)
        asked = [drawn.pair(number) for number in range(min(len(drawn), state.get("passages", 10)))]
    runtime.stream_writer(progress("prepare", f"{len(asked)} pairs are tried"))
    return {
        "asked": asked,
        "contrasted": Overwrite([]),
        "triplets": [],
        "outcomes": [],
        "usage": Overwrite(no_usage()),
    }


def to_pairs(state: TripletsState, runtime: Runtime[TripletContext]) -> list[Send]:
    """One branch a pair, each with its part of the money."""
    context, asked = _settings(runtime), state["asked"]
    money = shares({**context.limits(), "cost_usd": context.max_cost}, len(asked))
    beside = [pair for pair in asked if pair["query"]]
    return [
        Send("contrast", ContrastTask(number=number, asked=pair, beside=beside, max_cost=part["cost_usd"]))
        for number, (pair, part) in enumerate(zip(asked, money, strict=True))
    ]


_Step = Callable[[PairOutcome, TripletContext, Finder, int], Awaitable[PairOutcome]]


async def _stepped(state: ContrastState, runtime: Runtime[TripletContext], *steps: _Step) -> dict[str, Any]:
    """Take a branch some steps further, and say how far it came."""
    context = _of_branch(_settings(runtime), state["max_cost"])
    outcome = state.get("outcome") or await asyncio.to_thread(looked_at, state["asked"], context)
    seed = context.seed + state["number"]
    try:
        if not outcome["reason"]:
            outcome = await contrast.word_query(outcome, context, seed)
        corpus, material = await _open(context, state["beside"])
        finder = Finder(outcome["pair"], context, corpus, material)
        for step in steps:
            outcome = await step(outcome, context, finder, seed)
        searched = add_usage(outcome["usage"], {**no_usage(), "searches": finder.searches})
        return {"outcome": {**outcome, "usage": searched}}
    except Unanswered as error:
        return {"outcome": {**failed_outcome(outcome["pair"], str(error)), "usage": outcome["usage"]}}


def _tell(state: ContrastState, made: dict[str, Any], runtime: Runtime[TripletContext], step: Step, said: str) -> None:
    outcome: PairOutcome = made["outcome"]
    name = outcome["pair"]["query"][:80] or f"passage {state['number']}"
    told = outcome["reason"].replace("_", " ") or said
    runtime.stream_writer(progress(step, f"{name}: {told}", number=state["number"]))


async def write(state: ContrastState, runtime: Runtime[TripletContext]) -> dict[str, Any]:
    """Write the query, where there is none, and the instruction."""
    made = await _stepped(state, runtime, contrast.instruct)
    _tell(state, made, runtime, "write", made["outcome"]["texts"].get("instruction_positive", ""))
    return made


async def poison(state: ContrastState, runtime: Runtime[TripletContext]) -> dict[str, Any]:
    """Make the instruction subtly wrong for the passage, then the query."""
    made = await _stepped(state, runtime, contrast.poison)
    texts = made["outcome"]["texts"]
    _tell(
        state,
        made,
        runtime,
        "propose",
        f"{texts.get('instruction_negative', '')} / {texts.get('query_negative', '')}",
    )
    return made


async def find(state: ContrastState, runtime: Runtime[TripletContext]) -> dict[str, Any]:
    """Look for the two hard negatives, and write what is not there."""
    made = await _stepped(state, runtime, contrast.find_negatives)
    _tell(state, made, runtime, "search", " and ".join(made["outcome"]["origins"].values()))
    return made


async def validate(state: ContrastState, runtime: Runtime[TripletContext]) -> dict[str, Any]:
    """Check the triplet in code, then ask the validator its five questions."""
    made = await _stepped(state, runtime, _checked)
    _tell(state, made, runtime, "critique", "all five questions hold")
    return made


async def _checked(outcome: PairOutcome, context: TripletContext, finder: Finder, seed: int) -> PairOutcome:
    return await contrast.check(outcome, context)


def going_on(following: str) -> Callable[[ContrastState], str]:
    """To the step that follows, or out of it when the pair was refused."""

    def chosen(state: ContrastState) -> str:
        return "hand_back" if state["outcome"]["reason"] else following

    return chosen


def hand_back(state: ContrastState) -> dict[str, Any]:
    """Report the branch."""
    return {"contrasted": [Contrasted(number=state["number"], outcome=state["outcome"])]}


async def settle(state: TripletsState, runtime: Runtime[TripletContext]) -> dict[str, Any]:
    """Hold every triplet against those before it, in the order of pairs."""
    context = _settings(runtime)
    embedder = await asyncio.to_thread(embeddings, context.embeddings)
    benchmark = await asyncio.to_thread(Benchmark.load_any, context.decontaminate, embedder)
    made = await asyncio.to_thread(_settled, state, context, benchmark)
    runtime.stream_writer(
        progress("collect", f"{len(made['triplets'])} of {len(made['outcomes'])} pairs gave a triplet")
    )
    return {**made, "contrasted": Overwrite([])}


def _settled(state: TripletsState, context: TripletContext, benchmark: Benchmark | None) -> dict[str, Any]:
    # A thread that goes on may have been handed a branch twice.
    told = {each["number"]: each["outcome"] for each in state["contrasted"]}
    kept: list[TripletRow] = []
    outcomes: list[PairOutcome] = []
    for number in range(len(state["asked"])):
        outcome = standing(
            told[number],
            benchmark=benchmark,
            known=lambda row: triplet_asked(row) in map(triplet_asked, kept),
            accepted=len(kept),
            denying=sum(map(only_denies, kept)),
            share=context.negation_share,
        )
        outcomes.append(outcome)
        if outcome["triplet"] is not None:
            kept.append(outcome["triplet"])
    given = [each["pair"]["family"] for each in outcomes if each["triplet"] is not None]
    named = [
        {**row, "family": name} for row, name in zip(kept, _joined([row["family"] for row in kept], given), strict=True)
    ]
    return {
        "triplets": named,
        "outcomes": outcomes,
        "usage": join_usage([each["usage"] for each in outcomes]),
    }


def _joined(names: Sequence[str], given: Sequence[str]) -> list[str]:
    """The families of rows by their queries, put together where people gave rows the same one."""
    found = list(names)
    for family in filter(None, given):
        held = {name for name, other in zip(found, given, strict=True) if other == family}
        found = [min(held) if name in held else name for name in found]
    return found


_STEPS: tuple[tuple[str, Any], ...] = (("write", write), ("poison", poison), ("find", find), ("validate", validate))


def _build_branch() -> Any:
    """One pair: write → poison → find → validate, or less when it is refused on the way."""
    builder = StateGraph(
        ContrastState, context_schema=TripletContext, input_schema=ContrastTask, output_schema=ContrastOutput
    )
    for name, node in _STEPS:
        builder.add_node(name, node)
    builder.add_node("hand_back", hand_back)
    builder.add_edge(START, "write")
    for (name, _), (following, _) in pairwise(_STEPS):
        builder.add_conditional_edges(name, going_on(following), [following, "hand_back"])
    builder.add_edge("validate", "hand_back")
    builder.add_edge("hand_back", END)
    return builder.compile(name="contrast")


def build_triplets(checkpointer: BaseCheckpointSaver[Any] | None = None) -> Any:
    """Query–passage pairs → triplets, compiled; with a checkpointer, threads can be resumed."""
    builder = StateGraph(
        TripletsState, context_schema=TripletContext, input_schema=TripletsInput, output_schema=TripletsOutput
    )
    builder.add_node("take", take)
    builder.add_node("contrast", _build_branch())
    builder.add_node("settle", settle)
    builder.add_edge(START, "take")
    builder.add_conditional_edges("take", to_pairs, ["contrast"])
    builder.add_edge("contrast", "settle")
    builder.add_edge("settle", END)
    return builder.compile(checkpointer=checkpointer, name="triplets")


graph = build_triplets()
