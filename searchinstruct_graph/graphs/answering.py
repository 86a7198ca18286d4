"""One instruction becomes an answer with its provenance, or a fault with its reason: what both the batch and Studio run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from searchinstruct_graph.agents import critic, curriculum, expander, planner, reader, respondent, searcher, writer
from searchinstruct_graph.agents.build_context import BuildContext
from searchinstruct_graph.agents.calls import prompts_in, versions_of
from searchinstruct_graph.agents.respondent import QuotedText, Responses, respond
from searchinstruct_graph.datasets.ledger import Fault, Outcome
from searchinstruct_graph.datasets.rows import Critic, Rejected, RowSource, RowStatement, Spent, Vote, no_spending
from searchinstruct_graph.graphs.research import ResearchGraph
from searchinstruct_graph.graphs.state import ResearchOutput
from searchinstruct_graph.models.chat import resolve_model
from searchinstruct_graph.models.limits import remaining
from searchinstruct_graph.models.usage import Usage, add_usage
from searchinstruct_graph.text.answers import FORMS, Form, final_answer, same_answer

MOST_REJECTED = 4
"""Refused answers that a row keeps."""


class Unanswered(Exception):
    """The provider failed, so nothing can be said about the instruction: it is tried again."""


def grounded(context: BuildContext) -> bool:
    """Whether rows are answered from sources: a dataset has no default corpus."""
    return bool(context.corpus) or context.web


@lru_cache(maxsize=1)
def prompt_versions() -> dict[str, str]:
    """Every prompt that a row may rest on, with its version."""
    found = prompts_in(planner, searcher, reader, writer, critic, expander, curriculum, respondent)
    return versions_of([*found, *curriculum.KEYWORD_PROMPTS.values()])


def role_models(context: BuildContext, *, fixed_form: bool = False) -> dict[str, str]:
    """The model of every role that works on this dataset; answers in a fixed form have their respondent."""
    roles: tuple[str, ...] = ("expander", "planner", "searcher", "writer", "critic")
    if not grounded(context):
        roles = ("expander", "respondent")
    elif fixed_form:
        roles = (*roles, "respondent")
    return {role: resolve_model(context.model_for(role)) for role in roles}  # type: ignore[arg-type]


def spent_on(usage: Usage) -> Spent:
    """A row's account."""
    return Spent(
        model_calls=usage["model_calls"],
        input_tokens=usage["input_tokens"],
        output_tokens=usage["output_tokens"],
        cost_usd=usage["cost_usd"],
        searches=usage["searches"],
        pages=usage["pages"],
    )


async def answer(
    instruction: str, form: Form, options: Sequence[str], context: BuildContext, graph: ResearchGraph
) -> tuple[Outcome, Usage]:
    """Answer one instruction, from sources when the settings name any.

    Raises:
        Unanswered: the model or every search failed, which says nothing about the instruction.
        ProviderError: a provider refuses every further call.
        UsageError: the settings cannot be carried out.
    """
    if not grounded(context):
        return await _from_memory(instruction, form, options, context)
    # A fixed form is voted on afterwards; re-answers in prose would cost as much again.
    settings = replace(context, samples=0) if form != "open" else context
    result: ResearchOutput = await graph.ainvoke({"question": instruction}, context=settings)  # type: ignore[assignment]
    outcome = _researched(result)
    if outcome["fault"] or form == "open":
        return outcome, result["usage"]
    return await _in_form(outcome, result["usage"], instruction, form, options, context)


def language_of_pair(instruction: str, text: str) -> str:
    """The language of a question with its answer."""
    from searchinstruct_graph.tools.corpus.language import detect

    return detect([f"{instruction}\n{text}"])


def _researched(result: ResearchOutput) -> Outcome:
    critique = result["critique"]
    if result["stop_reason"] in ("model_failed", "search_failed"):
        raise Unanswered("; ".join(critique["problems"]) or result["stop_reason"])
    statements: list[RowStatement] = [
        RowStatement(text=s["text"], citations=s["citations"], quotes=s["quotes"], support=s["support"])
        for s in result["statements"]
    ]
    sources = [
        RowSource(
            id=s["id"],
            uri=s["uri"],
            title=s["title"],
            retrieved_at=s["retrieved_at"],
            sha256=s["sha256"],
            license=s["license"],
            quotes=[{"text": q["text"], "start": q["start"], "end": q["end"]} for q in s["quotes"]],
        )
        for s in result["sources"]
    ]
    accepted = result["status"] == "answered"
    refused = [Rejected(answer=draft["text"], reason=draft["reason"]) for draft in critique["refused"]]
    text = " ".join(s["text"] for s in statements)
    fault = None
    if not accepted:
        detail = "; ".join([result["stop_reason"], *critique["problems"]])
        fault = Fault(reason=result["status"], detail=detail[:2_000], quarantined=False)
        text = text or (refused[-1]["answer"] if refused else "")
    return Outcome(
        answer=text,
        language=language_of_pair(result["question"], text),
        grounding="quotes",
        statements=statements,
        sources=sources,
        critic=Critic(
            verdict=critique["verdict"],
            confidence=result["confidence"],
            support=min((s["support"] for s in statements), default=None),
            agreement=critique["agreement"],
            samples=critique["samples"],
            rounds=critique["rounds"],
            problems=critique["problems"],
        ),
        vote=_open_vote(critique["answers"], critique["agreement"]),
        rejected=refused[:MOST_REJECTED] if accepted else refused,
        usage=spent_on(result["usage"]),
        fault=fault,
    )


def _open_vote(answers: Sequence[str | None], agreement: float | None) -> Vote | None:
    """What the critic's re-answers were: the draft is what they are counted for."""
    if agreement is None:
        return None
    return Vote(answers=[a or None for a in answers], majority=None, agreement=agreement, rule="draft", threshold=0.0)


def nothing_answered(why: str) -> Outcome:
    """The outcome of an instruction that a failing provider left without an answer."""
    return Outcome(
        answer="",
        language="und",
        grounding="none",
        statements=[],
        sources=[],
        critic=Critic(
            verdict="abstain", confidence=None, support=None, agreement=None, samples=0, rounds=0, problems=[]
        ),
        vote=None,
        rejected=[],
        usage=no_spending(),
        fault=Fault(reason="provider_failed", detail=why[:2_000], quarantined=False),
    )


async def _from_memory(
    instruction: str, form: Form, options: Sequence[str], context: BuildContext
) -> tuple[Outcome, Usage]:
    made = await respond(instruction, form, options, [], context, context.limits(), context.threshold)
    empty = Outcome(
        answer="",
        language="und",
        grounding="none",
        statements=[],
        sources=[],
        critic=Critic(
            verdict="accept", confidence=None, support=None, agreement=None, samples=0, rounds=1, problems=[]
        ),
        vote=None,
        rejected=[],
        usage=spent_on(made["usage"]),
        fault=None,
    )
    return _settled(empty, made, instruction, form, options, context), made["usage"]


async def _in_form(
    outcome: Outcome, used: Usage, instruction: str, form: Form, options: Sequence[str], context: BuildContext
) -> tuple[Outcome, Usage]:
    """The final answer in the task's form, voted on by samples that see the quotes that carry the statements."""
    quotes = [QuotedText(text=q["text"], title=s["title"]) for s in outcome["sources"] for q in s["quotes"]]
    left = remaining(context.limits(), used)
    made = await respond(instruction, form, options, quotes, context, left, context.threshold)
    usage = add_usage(used, made["usage"])
    return _settled({**outcome, "usage": spent_on(usage)}, made, instruction, form, options, context), usage


def _settled(
    outcome: Outcome, made: Responses, instruction: str, form: Form, options: Sequence[str], context: BuildContext
) -> Outcome:
    """The outcome with the samples' vote: the answer it chose, what it outvoted, or why there is none."""
    if made["failure"]:
        raise Unanswered(made["failure"])
    vote, chosen = made["vote"], made["chosen"]
    numbers: Critic = {**outcome["critic"], "samples": len(made["responses"])}
    fault: Fault | None = None
    rejected: list[Rejected] = []
    if vote is not None:
        numbers["agreement"] = vote["agreement"]
        rejected = _outvoted(made["responses"], vote, form, options)
        if vote["majority"] is None:
            fault = Fault(reason="abstained", detail="no sample gave a final answer", quarantined=False)
        elif vote["agreement"] < vote["threshold"]:
            detail = f"{vote['agreement']:.0%} of {len(vote['answers'])} samples agree on {vote['majority'][:200]!r}"
            fault = Fault(reason="disagreement", detail=detail, quarantined=False)
    elif form != "open" and chosen and final_answer(chosen, form, options) is None:
        fault = Fault(reason="form", detail=f"no final answer in the form {form}", quarantined=False)
    if fault is None and not chosen:
        fault = Fault(reason="abstained", detail="the model left the answer empty", quarantined=False)
    return {
        **outcome,
        "answer": chosen,
        "language": language_of_pair(instruction, chosen),
        "critic": numbers,
        "vote": vote,
        "rejected": [*outcome["rejected"], *rejected][:MOST_REJECTED],
        "fault": fault,
    }


def _outvoted(responses: Sequence[str | None], vote: Vote, form: Form, options: Sequence[str]) -> list[Rejected]:
    """Samples whose final answer is another one than the majority's: for closed forms, where that is plain."""
    majority = vote["majority"]
    if form == "open" or majority is None:
        return []
    told: dict[str, Rejected] = {}
    for text, final in zip(responses, vote["answers"], strict=True):
        if text and final is not None and not same_answer(final, majority, form):
            told.setdefault(final, Rejected(answer=text, reason=f"outvoted: {final} against {majority}"))
    return list(told.values())


def form_suffix(form: Form) -> str:
    """What the prompt says about the form; empty for open answers."""
    return FORMS[form].suffix
