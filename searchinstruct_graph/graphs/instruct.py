"""A small dataset as a state machine, to be watched in Studio; `build` makes large ones from the same parts.

    START → prepare → propose → answer (one an instruction, in parallel) → collect → propose | END

The state is the ledger here: what the next wave may know is computed from it, as `build` computes it from its own.
"""

from __future__ import annotations

import asyncio
import operator
from collections import Counter
from dataclasses import replace
from typing import Annotated, Any, Literal

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Overwrite, Send
from typing_extensions import TypedDict

from searchinstruct_graph.agents.build_context import BuildContext
from searchinstruct_graph.agents.progress import progress
from searchinstruct_graph.agents.sources import open_corpus
from searchinstruct_graph.datasets.acceptance import Acceptance
from searchinstruct_graph.datasets.contamination import Benchmark
from searchinstruct_graph.datasets.ledger import Instruction, Outcome, WaveStatistics, answer_key
from searchinstruct_graph.datasets.pool import Pool
from searchinstruct_graph.datasets.rows import Rejection, Row
from searchinstruct_graph.datasets.seeds import Seed, seed_of
from searchinstruct_graph.datasets.tasks import Task, read_task
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.answering import (
    Unanswered,
    answer,
    grounded,
    nothing_answered,
    prompt_versions,
    role_models,
)
from searchinstruct_graph.graphs.build import check_models
from searchinstruct_graph.graphs.proposing import Candidate, History, Proposer, SeedProposer, TaskProposer
from searchinstruct_graph.graphs.research import build_graph as build_research
from searchinstruct_graph.graphs.screening import Screen, rules_for
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.usage import Usage, add_usage, no_usage
from searchinstruct_graph.text.digest import sha256

MOST_ROWS = 200
"""Rows that a graph holds in its state; `searchinstruct build` has no such bound."""

MOST_WAVES = 20


class InstructInput(TypedDict, total=False):
    """What a dataset is made from: seed questions, or a task in a sentence."""

    seeds: list[str]
    task: str


class InstructOutput(TypedDict):
    """The accepted rows, what was refused and why, and what it cost."""

    rows: list[Row]
    rejections: list[Rejection]
    usage: Annotated[Usage, add_usage]


class Answered(TypedDict):
    """One instruction's answer."""

    ordinal: int
    outcome: Outcome


class InstructState(InstructInput, InstructOutput):
    """The whole memory of a small dataset."""

    made_of: InstructInput
    """What the thread was last asked for."""
    keywords: list[str]
    instructions: list[Instruction]
    waves: list[WaveStatistics]
    answers: Annotated[list[Answered], operator.add]
    decided: dict[str, str]


class AnswerTask(TypedDict):
    """What one answering branch is sent."""

    instruction: Instruction
    task: str
    max_cost: float | None


def _settings(runtime: Runtime[BuildContext]) -> BuildContext:
    return runtime.context or BuildContext(target=10)


def _inputs(state: InstructInput) -> tuple[list[Seed], Task | None]:
    seeds, task = state.get("seeds") or [], (state.get("task") or "").strip()
    if bool(seeds) == bool(task):
        raise UsageError("give either `seeds`, a list of questions, or `task`, a sentence; not both and not neither")
    return [seed_of(text) for text in seeds], read_task(task) if task else None


def _given(state: InstructState) -> InstructInput:
    """What is asked for now: on a thread with a past, a task after seeds (or seeds after a task) takes their place."""
    given = InstructInput(seeds=state.get("seeds") or [], task=state.get("task") or "")
    last = state.get("made_of")
    if last and given["seeds"] and given["task"]:
        if given["seeds"] == last.get("seeds"):
            return {**given, "seeds": []}
        if given["task"] == last.get("task"):
            return {**given, "task": ""}
    return given


def _salt(state: InstructInput) -> str:
    return sha256(f"{state.get('seeds')}\n{state.get('task')}")


async def _proposer(state: InstructState, context: BuildContext) -> Proposer:
    seeds, task = _inputs(state)
    corpus = await open_corpus(context) if grounded(context) else None
    made: Proposer
    if task is not None:
        made = TaskProposer(task, context, corpus, _salt(state))
    else:
        made = SeedProposer(seeds, [], context, corpus, _salt(state))
    made.restore(state["keywords"])
    made.learn(state["instructions"])
    return made


def prepare(state: InstructState, runtime: Runtime[BuildContext]) -> dict[str, Any]:
    """Check the input and the settings before a model is asked."""
    context = _settings(runtime)
    given = _given(state)
    _inputs(given)
    check_models(context)
    if context.target > MOST_ROWS:
        raise UsageError(f"the graph makes at most {MOST_ROWS} rows; for {context.target} use: searchinstruct build")
    return {
        **given,
        "made_of": given,
        "rows": [],
        "rejections": [],
        "keywords": [],
        "instructions": [],
        "waves": [],
        "answers": Overwrite([]),
        "decided": {},
        "usage": Overwrite(no_usage()),
    }


async def propose(state: InstructState, runtime: Runtime[BuildContext]) -> dict[str, Any]:
    """One wave: the seeds first, then what the method makes."""
    context, wave = _settings(runtime), len(state["waves"])
    proposer = await _proposer(state, context)
    keywords = state["keywords"]
    candidates: list[Candidate]
    spent = no_usage()
    if wave == 0:
        candidates = proposer.seeds()
    else:
        proposed = await proposer.propose(wave, _history(state))
        candidates = proposed.candidates
        spent = add_usage(proposed.for_keywords, proposed.usage)
        keywords = [keyword for keyword, _ in proposed.keywords] or keywords
    known = [instruction["text"] for instruction in state["instructions"]]
    admitted, refused = await asyncio.to_thread(_screened, context, proposer, _salt(state), wave, candidates, known)
    last = admitted[-1]["ordinal"] if admitted else state["waves"][-1]["last"] if state["waves"] else -1
    runtime.stream_writer(
        progress("propose", f"wave {wave}: {len(admitted)} of {len(candidates)} instructions are new")
    )
    return {
        "usage": spent,
        "keywords": keywords,
        "instructions": [*state["instructions"], *admitted],
        "rejections": [*state["rejections"], *refused],
        "waves": [
            *state["waves"],
            WaveStatistics(wave=wave, proposed=len(candidates), admitted=len(admitted), last=last),
        ],
    }


def _screened(
    context: BuildContext, proposer: Proposer, salt: str, wave: int, candidates: list[Candidate], known: list[str]
) -> tuple[list[Instruction], list[Rejection]]:
    embedder = embeddings(context.embeddings)
    pool = Pool(embedder, known.__getitem__)
    pool.add(known)
    benchmark = Benchmark.load_any(context.decontaminate, embedder)
    return Screen(context, proposer, salt, pool, benchmark).admit(wave, candidates, given=wave == 0)


def _history(state: InstructState) -> History:
    history = History()
    for instruction in state["instructions"]:
        origin = instruction["origin"]
        history.kinds[origin["kind"]] += 1
        if (became := state["decided"].get(instruction["id"])) is not None:
            history.decided[origin["bloom"]] += 1
            history.accepted[origin["bloom"]] += became == "accepted"
    return history


def to_answers(state: InstructState, runtime: Runtime[BuildContext]) -> list[Send] | Literal["collect"]:
    """One branch an instruction that is to be answered, as many at once as the settings allow and the target still needs."""
    context = _settings(runtime)
    wanted = max(1, min(context.concurrency, 2 * (context.target - len(state["rows"]))))
    left = None if context.max_cost is None else context.max_cost - (state["usage"]["cost_usd"] or 0.0)
    if left is not None and left <= 0:
        return "collect"
    some = _unanswered(state)[:wanted]
    part = None if left is None else left / max(1, len(some))
    tasks = [Send("answer", AnswerTask(instruction=i, task=state.get("task") or "", max_cost=part)) for i in some]
    return tasks or "collect"


def _unanswered(state: InstructState) -> list[Instruction]:
    return [i for i in state["instructions"] if i["status"] == "admitted" and i["id"] not in state["decided"]]


_research = build_research()


async def answer_one(state: AnswerTask, runtime: Runtime[BuildContext]) -> dict[str, Any]:
    """Answer one instruction with the research machine, or from the model's memory when there are no sources."""
    context = replace(_settings(runtime), max_cost=state["max_cost"])
    task = read_task(state["task"]) if state["task"].strip() else None
    form, options = (task["answer_form"], task["options"]) if task else ("open", [])
    text = state["instruction"]["text"]
    try:
        outcome, usage = await answer(text, form, options, context, _research)
    except Unanswered as error:
        outcome, usage = nothing_answered(str(error)), no_usage()
    became = outcome["fault"]["reason"] if outcome["fault"] else "answered"
    runtime.stream_writer(progress("answer", f"{became}: {text}"))
    return {"answers": [Answered(ordinal=state["instruction"]["ordinal"], outcome=outcome)], "usage": usage}


async def collect(state: InstructState, runtime: Runtime[BuildContext]) -> dict[str, Any]:
    """Decide about the wave's answers in the order of instructions."""
    context = _settings(runtime)
    _, task = _inputs(state)
    told = {answer_key(row["answer"], row["statements"]) for row in state["rows"]}
    versions = {"searchinstruct-graph": _version(), **prompt_versions()}
    corpus = await open_corpus(context, refresh=False) if grounded(context) else None
    sizes = dict(await asyncio.to_thread(corpus.documents)) if corpus else {}
    rules = rules_for(context, _salt(state), task is not None, corpus, sizes)
    acceptance = Acceptance(rules, role_models(context), versions, told.__contains__)
    levels = Counter(row["origin"]["bloom"] for row in state["rows"])
    sources = Counter(row["sources"][0]["uri"] for row in state["rows"] if row["sources"])
    acceptance.resume(len(state["rows"]), levels, sources)
    by_ordinal = {instruction["ordinal"]: instruction for instruction in state["instructions"]}
    rows, rejections, decided = list(state["rows"]), list(state["rejections"]), dict(state["decided"])
    for entry in sorted(state["answers"], key=lambda each: each["ordinal"]):
        instruction = by_ordinal[entry["ordinal"]]
        decision = acceptance.decide(instruction, entry["outcome"])
        if decision["row"]:
            rows.append(decision["row"])
        if decision["rejection"]:
            rejections.append(decision["rejection"])
        decided[instruction["id"]] = (
            "accepted" if decision["row"] else "rejected" if decision["rejection"] else "surplus"
        )
    runtime.stream_writer(progress("collect", f"{len(rows)} of {context.target} rows"))
    return {"rows": rows, "rejections": rejections, "decided": decided, "answers": Overwrite([])}


def go_on(state: InstructState, runtime: Runtime[BuildContext]) -> list[Send] | Literal["propose", "__end__"]:
    """The next answers, then another wave, unless there are enough rows, no money, or nothing new comes."""
    context, waves = _settings(runtime), state["waves"]
    if len(state["rows"]) >= context.target:
        return "__end__"
    if context.max_cost is not None and (state["usage"]["cost_usd"] or 0.0) >= context.max_cost:
        return "__end__"
    if _unanswered(state):
        tasks = to_answers(state, runtime)
        return "__end__" if tasks == "collect" else tasks
    most = context.max_waves if context.max_waves is not None else MOST_WAVES
    barren = len(waves) > 3 and all(wave["admitted"] == 0 for wave in waves[-3:])
    only_seeds = bool(state.get("seeds")) and not context.expand
    return "__end__" if len(waves) > most or barren or only_seeds else "propose"


def _version() -> str:
    from importlib.metadata import version

    return version("searchinstruct-graph")


def build_instruct(checkpointer: BaseCheckpointSaver[Any] | None = None) -> Any:
    """Seeds or a task → rows, compiled; with a checkpointer, threads can be interrupted and resumed."""
    builder = StateGraph(
        InstructState, context_schema=BuildContext, input_schema=InstructInput, output_schema=InstructOutput
    )
    builder.add_node("prepare", prepare)
    builder.add_node("propose", propose)
    builder.add_node("answer", answer_one)
    builder.add_node("collect", collect)
    builder.add_edge(START, "prepare")
    builder.add_edge("prepare", "propose")
    builder.add_conditional_edges("propose", to_answers, ["answer", "collect"])
    builder.add_edge("answer", "collect")
    builder.add_conditional_edges("collect", go_on, ["answer", "propose", END])
    return builder.compile(checkpointer=checkpointer, name="instruct")


graph = build_instruct()
