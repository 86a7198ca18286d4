"""A small extraction as a state machine, to be watched in Studio; `extraction` reads large piles with the same parts.

    START → prepare → choose → read (one a document, in parallel) → collect → choose | END

The state holds what every pull found; the selection is computed from it anew, as a resumed run computes it from its ledger.
"""

from __future__ import annotations

import asyncio
import operator
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Overwrite, Send
from typing_extensions import TypedDict

from searchinstruct_graph.agents.extract_context import ExtractContext
from searchinstruct_graph.agents.progress import progress
from searchinstruct_graph.agents.sources import fetcher_for
from searchinstruct_graph.datasets.acceptance import Acceptance
from searchinstruct_graph.datasets.contamination import Benchmark
from searchinstruct_graph.datasets.ledger import PullRecord, answer_key
from searchinstruct_graph.datasets.pair_vectors import packed
from searchinstruct_graph.datasets.pool import Pool
from searchinstruct_graph.datasets.rows import Rejection, Row
from searchinstruct_graph.datasets.seeds import Seed
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.answering import Unanswered
from searchinstruct_graph.graphs.choosing import Chooser, as_pair
from searchinstruct_graph.graphs.extract_inputs import (
    budget_of,
    check,
    extraction_rules,
    form_of,
    prompt_versions,
    read_examples,
)
from searchinstruct_graph.graphs.pairs import FoundPair, ReadDocument, read_document
from searchinstruct_graph.graphs.screening import Screen
from searchinstruct_graph.graphs.settling import Examples, settle, sound
from searchinstruct_graph.models.chat import resolve_model
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.loops import PerLoop
from searchinstruct_graph.models.usage import Usage, add_usage, no_usage
from searchinstruct_graph.tools.corpus import PYDOC
from searchinstruct_graph.tools.corpus.language import detect
from searchinstruct_graph.tools.corpus.pile import Pile

if TYPE_CHECKING:
    from searchinstruct_graph.graphs.choosing import Vectors
    from searchinstruct_graph.selection.selector import Landed, Pull

MOST_DOCUMENTS, MOST_IN_PILE = 200, 20_000
"""Documents that a graph reads, and that it chooses among; `searchinstruct extract` has no such bounds."""


class Example(TypedDict):
    """A pair like those wanted."""

    question: str
    answer: str


class ExtractInput(TypedDict):
    """What pairs are wanted: 10 or more examples, better 50."""

    examples: list[Example]


class PullState(TypedDict):
    """A pull whose documents are read."""

    number: int
    cluster: int | None
    uris: list[str]
    pairs: int
    distance: float | None
    """Optimal transport from all pairs of the cluster to the examples."""


class ExtractOutput(TypedDict):
    """The accepted rows, what was refused and why, how documents were chosen, and what it cost."""

    rows: list[Row]
    rejections: list[Rejection]
    pulls: list[PullState]
    usage: Annotated[Usage, add_usage]


class ReadState(TypedDict):
    """What one document gave."""

    pull: int
    document: int
    pairs: list[list[Any]]
    """Question, Bloom level and outcome of each."""
    failure: str


class ExtractState(ExtractInput, ExtractOutput):
    """The whole memory of a small extraction."""

    pile: str
    """Hash of the documents: what a thread goes on with must be what it began with."""
    target: dict[str, Any]
    """The examples' vectors, as the selection computes with them."""
    clusters: str
    """As the selection keeps them, in base64."""
    chosen: list[list[Any]]
    """Pulls that are under way: number, cluster, documents."""
    records: list[list[Any]]
    """Pulls that the selection is replayed from: number, cluster, documents, owners of the pairs, their vectors in base64."""
    admitted: list[str]
    """Questions that the pool knows, whatever became of them."""
    reads: Annotated[list[ReadState], operator.add]


class ReadTask(TypedDict):
    """What one reading branch is sent."""

    pile: str
    pull: int
    document: int
    form: str
    max_cost: float | None


_piles: dict[str, tuple[Pile, tempfile.TemporaryDirectory[str]]] = {}
"""Of each hash: documents as this process has read them. Threads go on with what they began with."""

MOST_PILES = 8

_reading: PerLoop[str, asyncio.Lock] = PerLoop()


async def _read_pile(context: ExtractContext) -> Pile:
    """Read the documents as they are now."""
    # The language model is read from a file, which may not happen on the event loop later on.
    await asyncio.to_thread(detect, ["language"])
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="searchinstruct-pile-")
    embedder = await asyncio.to_thread(embeddings, context.embeddings)
    pile = await Pile.open(
        context.corpus,
        Path(folder.name),
        embedder=embedder,
        section_chars=context.section_chars,
        fetcher=fetcher_for(context),
    )
    if pile.sha256 in _piles:
        await asyncio.to_thread(folder.cleanup)
        return _piles[pile.sha256][0]
    _piles[pile.sha256] = (pile, folder)
    while len(_piles) > MOST_PILES:
        _, old = _piles.pop(next(iter(_piles)))
        await asyncio.to_thread(old.cleanup)
    return pile


async def _pile_of(pile: str, context: ExtractContext) -> Pile:
    """The documents whose hash is `pile`. Raises UsageError when they are not at hand, and the corpus holds others by now."""
    # Branches of a thread that goes on in a new process want the same documents at the same time.
    async with _reading.here().setdefault(pile, asyncio.Lock()):
        found = _piles[pile][0] if pile in _piles else await _read_pile(context)
    if found.sha256 != pile:
        raise UsageError("the documents have changed since this thread began; begin another thread")
    return found


def _settings(runtime: Runtime[ExtractContext]) -> ExtractContext:
    context = runtime.context or ExtractContext(corpus=[PYDOC])
    return context if context.corpus else replace(context, corpus=[PYDOC])


def _examples(state: ExtractInput) -> list[Seed]:
    try:
        pairs = [(each["question"], each.get("answer", "")) for each in state.get("examples") or []]
    except (TypeError, KeyError):
        raise UsageError("`examples` is a list of objects with `question` and `answer`") from None
    return read_examples([], pairs, None)


async def prepare(state: ExtractState, runtime: Runtime[ExtractContext]) -> dict[str, Any]:
    """Check the input and the settings, and read the documents, before a model is asked."""
    context = _settings(runtime)
    _examples(state)
    await asyncio.to_thread(check, context)
    if context.tune:
        raise UsageError("the graph has no folder for a tuned encoder; use: searchinstruct extract --tune")
    if context.reward == "coverage":
        raise UsageError("the graph has no run to cover; use: searchinstruct extract --reward coverage --cover RUN")
    pile = await _read_pile(context)
    if len(pile) > MOST_IN_PILE:
        raise UsageError(
            f"the graph chooses among at most {MOST_IN_PILE:,} documents, and there are {len(pile):,}; use: "
            "searchinstruct extract"
        )
    if budget_of(context, len(pile)) > MOST_DOCUMENTS:
        raise UsageError(
            f"the graph reads at most {MOST_DOCUMENTS} documents; set budget_documents, or use: searchinstruct extract"
        )
    runtime.stream_writer(progress("prepare", f"{len(pile)} documents, {budget_of(context, len(pile))} may be read"))
    embedder = embeddings(context.embeddings)
    chooser = await asyncio.to_thread(Chooser, pile, _examples(state), embedder, context, budget_of(context, len(pile)))
    return {
        "pile": pile.sha256,
        "target": chooser.kept_target(),
        "clusters": "",
        "chosen": [],
        "reads": Overwrite([]),
        "rows": [],
        "rejections": [],
        "admitted": [],
        "pulls": [],
        "records": [],
        "usage": Overwrite(no_usage()),
    }


async def _chooser(state: ExtractState, runtime: Runtime[ExtractContext]) -> Chooser:
    """The selection as it was after the pulls that the state holds."""
    context = _settings(runtime)
    pile = await _pile_of(state["pile"], context)
    return await asyncio.to_thread(_replayed, state, context, pile)


def _replayed(state: ExtractState, context: ExtractContext, pile: Pile) -> Chooser:
    budget, embedder = budget_of(context, len(pile)), embeddings(context.embeddings)
    chooser = Chooser(pile, _examples(state), embedder, context, budget, target=state["target"])
    records = [_record(*kept) for kept in state["records"]]
    chooser.replay(records, b64decode(state["clusters"]) if state["clusters"] else None)
    return chooser


def _record(number: int, cluster: int | None, documents: list[int], owners: list[int], vectors: str) -> PullRecord:
    return PullRecord(
        number=number,
        cluster=cluster,
        documents=documents,
        owners=owners,
        cells=[],
        texts=[],
        failures=[],
        vectors=b64decode(vectors),
        distance=None,
        reward=None,
        note="",
    )


async def choose(state: ExtractState, runtime: Runtime[ExtractContext]) -> dict[str, Any]:
    """The next pulls: as many as may be under way."""
    chooser = await _chooser(state, runtime)
    selector = chooser.selector
    formed: dict[str, str] = {}
    if selector.needs_clusters():
        await asyncio.to_thread(selector.form_clusters)
        formed = {"clusters": b64encode(selector.clusters_state()).decode()}
        runtime.stream_writer(progress("choose", f"{chooser.clusters} clusters"))
    chosen: list[list[Any]] = []
    while selector.ready() and (pull := selector.next()) is not None:
        chosen.append([pull.number, pull.cluster, pull.documents])
    runtime.stream_writer(progress("choose", f"{sum(len(each[2]) for each in chosen)} documents are to be read"))
    return {"chosen": chosen, **formed}


def to_documents(state: ExtractState, runtime: Runtime[ExtractContext]) -> list[Send] | Literal["__end__"]:
    """One branch a document, each with its part of the money that is left."""
    form, most = form_of(_examples(state)), _settings(runtime).max_cost
    chosen = [(number, document) for number, _, documents in state["chosen"] for document in documents]
    part = None if most is None else max(0.0, most - (state["usage"]["cost_usd"] or 0.0)) / max(1, len(chosen))
    tasks = [
        Send("read", ReadTask(pile=state["pile"], pull=number, document=document, form=form, max_cost=part))
        for number, document in chosen
    ]
    return tasks or "__end__"


async def read(state: ReadTask, runtime: Runtime[ExtractContext]) -> dict[str, Any]:
    """Read one document."""
    context = _settings(runtime)
    pile = await _pile_of(state["pile"], context)
    section = await asyncio.to_thread(pile.section, state["document"])
    try:
        allowance: Allowance = {**context.limits(), "cost_usd": state["max_cost"]}
        found = await read_document(section, state["form"], context, allowance)
    except Unanswered as error:
        found = ReadDocument([], str(error), no_usage())
    runtime.stream_writer(progress("read", f"{len(sound(found.pairs))} pairs: {section.title or section.uri}"))
    pairs = [[pair.question, pair.level, pair.outcome] for pair in found.pairs]
    told = ReadState(pull=state["pull"], document=state["document"], pairs=pairs, failure=found.failure)
    return {"reads": [told], "usage": found.usage}


async def collect(state: ExtractState, runtime: Runtime[ExtractContext]) -> dict[str, Any]:
    """Decide about what the pulls found, in the order of their numbers."""
    chooser = await _chooser(state, runtime)
    return await asyncio.to_thread(_collected, state, chooser, runtime)


def _collected(state: ExtractState, chooser: Chooser, runtime: Runtime[ExtractContext]) -> dict[str, Any]:
    context, selector = chooser.context, chooser.selector
    known = [*(seed["text"] for seed in _examples(state)), *state["admitted"]]
    admitted = list(state["admitted"])
    pool = Pool(chooser.embedder, known.__getitem__)
    pool.add(known)
    benchmark = Benchmark.load_any(context.decontaminate, chooser.embedder)
    screen = Screen(context, Examples(), state["pile"], pool, benchmark)
    told = {answer_key(row["answer"], row["statements"]) for row in state["rows"]}
    models = {"extractor": resolve_model(context.model_for("extractor"))}
    versions = {"searchinstruct-graph": version("searchinstruct-graph"), **prompt_versions()}
    acceptance = Acceptance(extraction_rules(context, state["pile"]), models, versions, told.__contains__)
    acceptance.resume(len(state["rows"]), {}, {})
    found = {each["document"]: each for each in state["reads"]}
    rows, rejections = list(state["rows"]), list(state["rejections"])
    pulls, records = list(state["pulls"]), list(state["records"])
    for number, cluster, documents in state["chosen"]:
        pull = selector.next()
        assert pull is not None
        assert (pull.number, pull.cluster, pull.documents) == (number, cluster, documents)
        reads = [(chooser.pile.section(index), _read_again(found[index])) for index in documents]
        pairs = [(index, pair) for index, (_, each) in zip(documents, reads, strict=True) for pair in sound(each.pairs)]
        vectors = chooser.vectors([as_pair(pair.question, pair.outcome["answer"]) for _, pair in pairs])
        owners = [index for index, _ in pairs]
        distances = chooser.distances(vectors)
        land = partial(_landed, chooser, pull, vectors, owners)
        made = settle(pull, reads, distances, chooser.farthest, screen, acceptance, land)
        admitted += [instruction["text"] for instruction, _ in made.answered]
        rejections += [*made.refused, *(each["rejection"] for each in made.decisions if each["rejection"])]
        rows += [each["row"] for each in made.decisions if each["row"]]
        uris = [section.uri for section, _ in reads]
        pulls.append(
            PullState(number=number, cluster=cluster, uris=uris, pairs=len(pairs), distance=made.landed.distance)
        )
        records.append([number, cluster, documents, owners, b64encode(packed(vectors)).decode()])
    runtime.stream_writer(progress("collect", f"{len(rows)} rows of {len(pulls)} pulls"))
    return {
        "rows": rows,
        "rejections": rejections,
        "admitted": admitted,
        "pulls": pulls,
        "records": records,
        "chosen": [],
        "reads": Overwrite([]),
    }


def _landed(chooser: Chooser, pull: Pull, vectors: Vectors, owners: list[int], rows: Sequence[bool]) -> Landed:
    return chooser.land(pull, vectors, owners, [])


def _read_again(told: ReadState) -> ReadDocument:
    return ReadDocument([FoundPair(*pair) for pair in told["pairs"]], told["failure"], no_usage())


def go_on(state: ExtractState, runtime: Runtime[ExtractContext]) -> Literal["choose", "__end__"]:
    """Choose again, until there are enough rows or no money; an empty choice ends the run as well."""
    context = _settings(runtime)
    if context.target is not None and len(state["rows"]) >= context.target:
        return "__end__"
    if context.max_cost is not None and (state["usage"]["cost_usd"] or 0.0) >= context.max_cost:
        return "__end__"
    return "choose"


def build_extract(checkpointer: BaseCheckpointSaver[Any] | None = None) -> Any:
    """Example pairs → rows of the documents that give such pairs, compiled; with a checkpointer, threads can be resumed."""
    builder = StateGraph(
        ExtractState, context_schema=ExtractContext, input_schema=ExtractInput, output_schema=ExtractOutput
    )
    builder.add_node("prepare", prepare)
    builder.add_node("choose", choose)
    builder.add_node("read", read)
    builder.add_node("collect", collect)
    builder.add_edge(START, "prepare")
    builder.add_edge("prepare", "choose")
    builder.add_conditional_edges("choose", to_documents, ["read", END])
    builder.add_edge("read", "collect")
    builder.add_conditional_edges("collect", go_on, ["choose", END])
    return builder.compile(checkpointer=checkpointer, name="extract")


graph = build_extract()
