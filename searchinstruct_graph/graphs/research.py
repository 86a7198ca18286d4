"""The research machine.

    START → plan → review → investigate (one a sub-question, in parallel) → gather → write → critique
          → reanswer (one a sample, in parallel) → decide → accept | write | investigate | plan | abstain → END

Nodes stand in the order in which they run; each returns only what it changes. The verdict is computed in
`agents.critic.decide`; `decide` here only routes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Overwrite, Send, interrupt

from searchinstruct_graph.agents import critic
from searchinstruct_graph.agents.context import ResearchContext, settings
from searchinstruct_graph.agents.evidence import Reading
from searchinstruct_graph.agents.planner import make_plan, reviewed_plan
from searchinstruct_graph.agents.progress import progress
from searchinstruct_graph.agents.sources import Connections, web_providers
from searchinstruct_graph.agents.writer import shown_quotes, write_answer
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.result import compose
from searchinstruct_graph.graphs.searcher import build_searcher
from searchinstruct_graph.graphs.state import (
    Branch,
    RefusedDraft,
    ResearchInput,
    ResearchOutput,
    ResearchState,
    SampleTask,
    SearcherInput,
)
from searchinstruct_graph.models.limits import Allowance, remaining, reserve, shares, spent
from searchinstruct_graph.models.usage import ProviderUsage, join_usage, no_usage
from searchinstruct_graph.tools.fetching import SafeFetcher
from searchinstruct_graph.tools.search import SearchProvider

ResearchGraph = CompiledStateGraph[ResearchState, ResearchContext, ResearchInput, ResearchOutput]

TURNS, TURN_CHARS = 6, 1_000
"""How much of a chat the planner sees: messages before the question, and characters of each."""

QUESTION_CHARS = 8_000
"""Longest question, in characters."""


def _left(state: ResearchState, context: ResearchContext) -> Allowance:
    return remaining(context.limits(), state.get("usage") or no_usage())


def _meant(state: ResearchState) -> str:
    """The question as it stands alone: what continues a chat is answered as the planner has restated it."""
    return state["plan"]["restatement"] if state["earlier"] else state["question"]


def _for_search(left: Allowance, context: ResearchContext) -> Allowance:
    """What searching may spend: the rest is kept back, so that a spent budget still ends in a checked answer."""
    return reserve(left, model_calls=2 + context.samples, part=0.2)


def fresh_start(question: str, context: ResearchContext) -> dict[str, Any]:
    """What a new question on an old thread must not inherit."""
    empty: dict[str, Any] = {
        key: Overwrite([])
        for key in (
            "evidence",
            "read",
            "constraints",
            "tried",
            "windows",
            "readings",
            "branches",
            "samples",
            "sample_usage",
            "problems",
            "refused",
        )
    }
    return {
        **empty,
        "asked": question,
        "draft": [],
        "doubts": [],
        "failed": None,
        "round": 0,
        "known": 0,
        "countdown": critic.Countdown(rewrite=1, search_more=context.max_rounds - 1, replan=1),
    }


def newest_question(state: ResearchState) -> tuple[object, str, list[str]]:
    """What is asked, the id of the message that asks it (or the last that was heard), and the chat before it.

    A `question` that is not the one worked on comes first; otherwise the newest human message, unless it was heard.
    """
    question, heard = state.get("question"), state.get("heard", "")
    chat = state.get("messages") or []
    at = max((n for n, message in enumerate(chat) if isinstance(message, HumanMessage)), default=None)
    if at is None or (question is not None and question != state.get("asked")):
        return question, heard if at is None else str(chat[at].id), []
    if str(chat[at].id) == heard:
        return question, heard, state.get("earlier", [])
    spoken = [message for message in chat[:at] if isinstance(message, HumanMessage | AIMessage)]
    earlier = [f"{message.type}: {message.text.strip()[:TURN_CHARS]}" for message in spoken if message.text.strip()]
    return chat[at].text, str(chat[at].id), earlier[-TURNS:]


def checked_question(question: object) -> str:
    """The question, trimmed. Raises UsageError when it is blank, not text, or too long."""
    if question is None:
        raise UsageError("there is no question; give `question`, or `messages` with one from a person")
    if not isinstance(question, str):
        raise UsageError(f"the question must be text, not {type(question).__name__}")
    # A lone surrogate cannot be stored or sent as UTF-8.
    text = question.encode("utf-8", "replace").decode("utf-8").replace("\x00", " ").strip()
    if not text:
        raise UsageError('the question is empty; ask something, such as "What does the with statement do?"')
    if len(text) > QUESTION_CHARS:
        raise UsageError(f"the question has {len(text):,} characters; at most {QUESTION_CHARS:,} are taken")
    return text


async def plan(state: ResearchState, runtime: Runtime[ResearchContext]) -> dict[str, Any]:
    """Plan the question, or plan it anew after a round that found nothing."""
    context = settings(runtime)
    said, heard, earlier = newest_question(state)
    question = checked_question(said)
    judgement = state.get("judgement")
    again = judgement is not None and judgement["verdict"] == "replan" and state.get("asked") == question
    failed = [part["text"] for part in state["plan"]["sub_questions"]] if again else []
    allowance = _left(state, context) if again else context.limits()
    made, usage, problem = await make_plan(question, context, allowance, failed=failed, earlier=earlier)
    parts = made["sub_questions"]
    runtime.stream_writer(
        progress(
            "plan",
            f"planned {len(parts)} sub-question{'s' * (len(parts) != 1)}",
            sub_questions=[p["text"] for p in parts],
        )
    )
    update: dict[str, Any] = {} if again else fresh_start(question, context)
    if problem:
        update["problems"] = [problem] if again else Overwrite([problem])
    return {
        **update,
        "question": question,
        "heard": heard,
        "earlier": earlier,
        "plan": made,
        "usage": usage if again else Overwrite(usage),
        "investigate": list(range(1, len(parts) + 1)),
    }


async def _plan_with_web(state: ResearchState, runtime: Runtime[ResearchContext]) -> dict[str, Any]:
    """`plan`, once it is known that the web providers of the settings are set up."""
    web_providers(settings(runtime))
    return await plan(state, runtime)


def review(state: ResearchState, runtime: Runtime[ResearchContext]) -> dict[str, Any]:
    """Stop for a person when asked to. Nothing with an effect may stand before `interrupt`: the node runs again."""
    context = settings(runtime)
    if not context.review_plan:
        return {}
    asked: dict[str, Any] = {"question": state["question"], "plan": state["plan"]}
    while True:
        answer = interrupt(asked)
        try:
            edited = reviewed_plan(answer, state["plan"], context.max_sub_questions)
            break
        except ValueError as error:
            # Asked again with the reason: an answer that does not fit must not cost the thread.
            asked = {**asked, "error": " ".join(str(error).split())[:500]}
    return {"plan": edited, "investigate": list(range(1, len(edited["sub_questions"]) + 1))}


def to_searchers(state: ResearchState, runtime: Runtime[ResearchContext]) -> list[Send] | Literal["gather"]:
    """One searcher a sub-question under investigation, each with an equal part of what is left after the reserve."""
    context = settings(runtime)
    left = _for_search(_left(state, context), context)
    if spent(left):
        return "gather"
    # A branch that may not search or read would only cost calls.
    numbers = state["investigate"][: min(left["searches"], left["pages"])]
    parts = shares(left, len(numbers)) if numbers else []
    return [
        Send(
            "investigate",
            SearcherInput(
                number=number,
                question=state["question"],
                sub_question=state["plan"]["sub_questions"][number - 1],
                allowance=part,
                evidence=state["evidence"],
                tried=state["tried"],
                windows=state["windows"],
            ),
        )
        for number, part in zip(numbers, parts, strict=True)
    ] or "gather"


def gather(state: ResearchState) -> dict[str, Any]:
    """Join the searchers: statuses into the plan, parallel costs into the account."""
    branches: dict[int, Branch] = {branch["number"]: branch for branch in state["branches"]}
    parts = [
        {**part, "status": branches[n]["status"], "missing": branches[n]["missing"]} if n in branches else part
        for n, part in enumerate(state["plan"]["sub_questions"], 1)
    ]
    return {
        "plan": {**state["plan"], "sub_questions": parts},
        "usage": join_usage([branch["usage"] for branch in state["branches"]]),
        "branches": Overwrite([]),
        "gained": len(state["evidence"]) > state["known"],
        "known": len(state["evidence"]),
    }


async def write(state: ResearchState, runtime: Runtime[ResearchContext]) -> dict[str, Any]:
    """Draft the answer from the quotes; with none there is nothing to write."""
    context = settings(runtime)
    shown = shown_quotes(state["evidence"], state["plan"])
    cleared = {"shown": shown, "samples": Overwrite([]), "sample_usage": Overwrite([]), "round": state["round"] + 1}
    if not shown:
        return {**cleared, "draft": [], "failed": None}
    draft, usage, failed = await write_answer(
        _meant(state), state["plan"], shown, state["doubts"], context, _left(state, context)
    )
    drafted = f"drafted {len(draft)} statement{'s' * (len(draft) != 1)}"
    runtime.stream_writer(progress("write", failed or drafted, statements=len(draft)))
    return {**cleared, "draft": draft, "failed": failed, "usage": usage, "problems": [failed] if failed else []}


async def critique(state: ResearchState, runtime: Runtime[ResearchContext]) -> dict[str, Any]:
    """Gates and support. Re-answers are drawn only for a draft that passes both: they cost the most."""
    context, draft = settings(runtime), state["draft"]
    if not draft or state["failed"]:
        return {"doubts": []}
    left_out: list[str] = []
    if state["countdown"]["rewrite"] <= 0 and context.samples:
        # What code refuses once more does not cost the rest: the re-answers tell whether that is still the answer.
        draft, left_out = critic.without_refused(draft, state["shown"])
    gated = critic.gate_problems(draft, state["shown"])
    judged, doubts, usage, failed = await critic.judge_support(
        draft, state["shown"], gated, context, _left(state, context)
    )
    runtime.stream_writer(
        progress(
            "critique",
            failed
            or (
                f"doubts {len(doubts)} of {len(draft)} statements"
                if doubts
                else "every statement is carried by its quotes"
            ),
            problems=doubts,
            support=[statement["support"] for statement in judged],
        )
    )
    return {
        "draft": judged,
        "doubts": doubts,
        "failed": failed,
        "usage": usage,
        "problems": [*left_out, *([failed] if failed else [])],
    }


def to_samples(state: ResearchState, runtime: Runtime[ResearchContext]) -> list[Send] | Literal["decide"]:
    """Independent re-answers, unless the draft has failed already."""
    context = settings(runtime)
    left = _left(state, context)
    samples = min(context.samples, left["model_calls"])
    if not state["draft"] or state["doubts"] or state["failed"] or not samples:
        return "decide"
    parts = shares(left, samples)
    text = " ".join(statement["text"] for statement in state["draft"])
    return [
        Send(
            "reanswer",
            SampleTask(number=n, question=_meant(state), draft_text=text, shown=state["shown"], allowance=part),
        )
        for n, part in enumerate(parts, 1)
    ]


async def reanswer(state: SampleTask, runtime: Runtime[ResearchContext]) -> dict[str, Any]:
    """Answer again without seeing the draft; code compares the two."""
    sample, usage = await critic.reanswer(
        state["question"], state["draft_text"], state["shown"], state["number"], settings(runtime), state["allowance"]
    )
    said = sample["failure"] or ("agrees" if sample["agrees"] else "differs" if sample["answer"] else "finds no answer")
    runtime.stream_writer(
        progress("reanswer", f"re-answer {state['number']}: {said}", sample=state["number"], agrees=sample["agrees"])
    )
    return {"samples": [sample], "sample_usage": [usage]}


def unread(readings: Sequence[Reading]) -> str | None:
    """Why nothing could be read, when every page failed; None as soon as one was read."""
    failed = [reading["detail"] for reading in readings if reading["status"] == "failed"]
    return failed[-1] if failed and len(failed) == len(readings) else None


def unsearched(providers: Mapping[str, ProviderUsage]) -> str | None:
    """Which search providers failed, when every query to every one of them did; None as soon as one was answered."""
    failed = [name for name, account in providers.items() if account["failed"] == account["searches"]]
    return ", ".join(failed) if failed and len(failed) == len(providers) else None


def decide(state: ResearchState, runtime: Runtime[ResearchContext]) -> dict[str, Any]:
    """Turn the critic's numbers into a verdict and prepare what it asks for."""
    context = settings(runtime)
    drawn = join_usage(state["sample_usage"])
    left = remaining(_left(state, context), drawn)
    parts = state["plan"]["sub_questions"]
    open_parts = [n for n, part in enumerate(parts, 1) if part["status"] != "sufficient"]
    judgement = critic.decide(
        statements=state["draft"],
        doubts=state["doubts"],
        samples=state["samples"],
        failed=state["failed"],
        has_evidence=bool(state["shown"]),
        gained=state["gained"],
        missing=[point for part in parts for point in part["missing"]],
        countdown=state["countdown"],
        context=context,
        exhausted=spent(left),
        unsearchable=spent(_for_search(left, context)),
        unread=unread(state["readings"]),
        unsearched=unsearched((state.get("usage") or no_usage())["providers"]),
    )
    verdict = judgement["verdict"]
    runtime.stream_writer(
        progress(
            "verdict", f"{verdict}: {judgement['cause'] or judgement['reason']}", verdict=verdict, round=state["round"]
        )
    )
    update: dict[str, Any] = {"judgement": judgement, "usage": drawn, "sample_usage": Overwrite([])}
    if verdict != "accept" and state["draft"]:
        text = " ".join(statement["text"] for statement in state["draft"])
        reason = "; ".join(dict.fromkeys(filter(None, [judgement["cause"], *state["doubts"]])))
        update["refused"] = [RefusedDraft(text=text, reason=reason or judgement["reason"])]
    if verdict in ("rewrite", "search_more", "replan"):
        update["countdown"] = {**state["countdown"], verdict: state["countdown"][verdict] - 1}
    if verdict == "search_more":
        targets = open_parts or list(range(1, len(parts) + 1))
        update["investigate"] = targets
        update["plan"] = critic.retargeted(state["plan"], targets, judgement["missing"])
    return update


ROUTES = {"accept": "accept", "abstain": "abstain", "rewrite": "write", "replan": "plan"}


def route(state: ResearchState, runtime: Runtime[ResearchContext]) -> str | list[Send]:
    """Where the verdict leads."""
    verdict = state["judgement"]["verdict"]
    return to_searchers(state, runtime) if verdict == "search_more" else ROUTES[verdict]


def accept(state: ResearchState, runtime: Runtime[ResearchContext]) -> ResearchOutput:
    """The draft stands: it is the answer."""
    return _finish(state, runtime, accepted=True)


def abstain(state: ResearchState, runtime: Runtime[ResearchContext]) -> ResearchOutput:
    """No answer is invented: say what is supported, what is not, and why the run ended."""
    return _finish(state, runtime, accepted=False)


def _finish(state: ResearchState, runtime: Runtime[ResearchContext], *, accepted: bool) -> ResearchOutput:
    result = compose(state, settings(runtime), accepted=accepted)
    if state.get("messages"):
        result["messages"] = [AIMessage(result["answer"])]
    runtime.stream_writer(progress("result", f"{result['status']} ({result['stop_reason']})", status=result["status"]))
    return result


def build_graph(
    checkpointer: BaseCheckpointSaver[Any] | None = None,
    *,
    providers: Sequence[SearchProvider] = (),
    fetcher: SafeFetcher | None = None,
) -> ResearchGraph:
    """The research machine, compiled. With a checkpointer, threads can be interrupted, resumed and rewound.

    `providers` are searched beside the context's `corpus`, in place of the web providers of the settings; `fetcher`
    reads pages in place of the usual one.
    """
    connections = Connections(tuple(providers), fetcher)
    builder = StateGraph(
        ResearchState, context_schema=ResearchContext, input_schema=ResearchInput, output_schema=ResearchOutput
    )
    builder.add_node("plan", plan if providers else _plan_with_web)
    builder.add_node("review", review)
    builder.add_node("investigate", build_searcher(connections))
    builder.add_node("gather", gather)
    builder.add_node("write", write)
    builder.add_node("critique", critique)
    builder.add_node("reanswer", reanswer)
    builder.add_node("decide", decide)
    builder.add_node("accept", accept)
    builder.add_node("abstain", abstain)
    builder.add_edge(START, "plan")
    builder.add_edge("plan", "review")
    builder.add_conditional_edges("review", to_searchers, ["investigate", "gather"])
    builder.add_edge("investigate", "gather")
    builder.add_edge("gather", "write")
    builder.add_edge("write", "critique")
    builder.add_conditional_edges("critique", to_samples, ["reanswer", "decide"])
    builder.add_edge("reanswer", "decide")
    builder.add_conditional_edges("decide", route, ["accept", "abstain", "write", "plan", "investigate", "gather"])
    builder.add_edge("accept", END)
    builder.add_edge("abstain", END)
    return builder.compile(checkpointer=checkpointer, name="research")


graph = build_graph()
