"""The critic holds a draft against its quotes, cheapest check first, and never rewrites a word.

1. Gates in code: every citation exists, every quote is verbatim (held since reading), no URL, markup or role token
   that the evidence lacks.
2. Support: each statement against its own quotes; a model's judgement, capped by what code can see.
3. Self-consistency: independent re-answers from the same evidence that never saw the draft; the share that agrees.

The verdict is computed in code from these numbers, so no page can talk the critic into one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, cast

from pydantic import Field
from typing_extensions import TypedDict

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt, Schema, ask_model
from searchinstruct_graph.agents.context import ResearchContext, Role
from searchinstruct_graph.agents.evidence import Plan, Quote, Statement, SubQuestion
from searchinstruct_graph.agents.writer import add_quotes
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.structured import Failure
from searchinstruct_graph.models.tagged import Inputs
from searchinstruct_graph.models.usage import Usage
from searchinstruct_graph.text import compare

Verdict = Literal["accept", "rewrite", "search_more", "replan", "abstain"]


class StatementSupport(Schema):
    """One statement against its own quotes."""

    statement: int = Field(ge=1)
    support: float = Field(
        ge=0, le=1, description="1: its quotes say all of it; 0: they say none of it or the contrary."
    )
    problem: str = Field(max_length=500, description="What the quotes do not say; empty when they say all.")


class SupportReport(Schema):
    """The judgement on every statement."""

    statements: list[StatementSupport] = Field(max_length=40)


SUPPORT = Prompt(
    "support",
    1,
    f"""You check citations. For every numbered statement judge whether the quotes it cites, and only those, say it:
1 when they state all of it, 0 when they do not state it or state the contrary, in between when a part is missing.
A changed number, date, name or negation means 0. Do not use knowledge of your own. Name what is not carried.
{DATA_RULE}""",
)


class Reanswer(Schema):
    """An independent answer to the question."""

    answerable: bool
    answer: str = Field(max_length=2_000, description="The shortest complete answer; empty when not answerable.")
    quotes: list[int] = Field(max_length=10, description="Numbers of the quotes that state it.")


REANSWER = Prompt(
    "reanswer",
    1,
    f"""Answer the question from the numbered quotes alone, in one sentence or less, and give the numbers of the quotes
that state the answer. When they do not answer it, say that it is not answerable.
{DATA_RULE}""",
)


class Sample(TypedDict):
    """One independent re-answer, or the failure of the call that should have made it."""

    number: int
    answer: str | None
    agrees: bool
    failure: str | None


_FORBIDDEN = re.compile(
    r"https?://\S+|www\.\S+|!?\[[^\]]*\]\([^)]*\)|</?[a-zA-Z][^>]{0,200}>|<\|[^|]{1,40}\|>|\[/?INST\]|data:[\w/+-]+;base64"
    r"|^\s*(?:system|assistant|user)\s*:",
    re.IGNORECASE | re.MULTILINE,
)


def gate_problems(statements: Sequence[Statement], quotes: Sequence[Quote]) -> dict[int, str]:
    """Faults that need no judgement, by statement number (from 1): citations that are missing or do not exist, questions,
    and URLs, markup or role tokens that the cited evidence does not hold.
    """
    problems: dict[int, str] = {}
    for number, statement in enumerate(statements, 1):
        invented = [q for q in statement["quotes"] if not 1 <= q <= len(quotes)]
        if invented:
            problems[number] = f"statement {number} cites quote {invented[0]}, which does not exist"
            continue
        if not statement["quotes"]:
            problems[number] = f"statement {number} cites no quote"
            continue
        if statement["text"].rstrip().endswith(("?", "？", "؟")):
            problems[number] = f"statement {number} is a question"
            continue
        evidence = " ".join(quotes[q - 1]["text"] for q in statement["quotes"])
        for found in _FORBIDDEN.findall(statement["text"]):
            if found not in evidence:
                problems[number] = f"statement {number} holds {found[:60]!r}, which its quotes do not"
                break
    return problems


def cited_texts(statement: Statement, quotes: Sequence[Quote]) -> list[str]:
    """The texts of the quotes that a statement cites and that exist."""
    return [quotes[q - 1]["text"] for q in statement["quotes"] if 1 <= q <= len(quotes)]


def settle_support(
    statements: Sequence[Statement], judged: Sequence[StatementSupport], quotes: Sequence[Quote], gated: dict[int, str]
) -> tuple[list[Statement], dict[int, str]]:
    """Each statement with its support, and the critic's words on those it doubts.

    A gated or unjudged statement has support 0. A judgement is capped by `compare.support` only where code sees a
    number or a negation that the quotes do not share: a model's benevolence cannot lift those.
    """
    scores = {entry.statement: entry for entry in judged}
    settled: list[Statement] = []
    words: dict[int, str] = dict(gated)
    for number, statement in enumerate(statements, 1):
        entry = scores.get(number)
        if number in gated or entry is None:
            words.setdefault(number, f"statement {number} was not judged")
            settled.append({**statement, "support": 0.0})
            continue
        score = entry.support
        if compare.conflicts(statement["text"], cited_texts(statement, quotes)):
            score = min(score, compare.CONFLICT_CAP)
        if entry.problem:
            words[number] = entry.problem
        settled.append({**statement, "support": round(score, 4)})
    return settled, words


def without_refused(statements: Sequence[Statement], quotes: Sequence[Quote]) -> tuple[list[Statement], list[str]]:
    """The statements that code does not refuse (gates, and conflicts with their quotes), and what was said of the others.

    When it refuses all of them, they all stay: then there is nothing to go on with.
    """
    words = gate_problems(statements, quotes)
    for number, statement in enumerate(statements, 1):
        if number not in words and compare.conflicts(statement["text"], cited_texts(statement, quotes)):
            words[number] = f"statement {number} conflicts with its quotes"
    kept = [statement for number, statement in enumerate(statements, 1) if number not in words]
    return (kept, [f"left out: {said}" for said in words.values()]) if kept else (list(statements), [])


async def judge_support(
    statements: Sequence[Statement],
    quotes: Sequence[Quote],
    gated: dict[int, str],
    context: ResearchContext,
    allowance: Allowance,
    role: Role = "critic",
) -> tuple[list[Statement], list[str], Usage, str | None]:
    """Statements with support, the problems found, usage, and the failure of the call if it failed.

    `role` is whose model is asked and whose account it stands in.
    """
    inputs = Inputs()
    for number, statement in enumerate(statements, 1):
        inputs.add("statement", statement["text"], id=number, quotes=",".join(map(str, statement["quotes"])))
    add_quotes(inputs, quotes)
    outcome = await ask_model(context, role, SUPPORT, inputs, SupportReport, allowance=allowance)
    if isinstance(outcome, Failure):
        settled, words = settle_support(statements, [], quotes, gated)
        return settled, list(words.values()), outcome.usage, f"{role}: {outcome.kind}: {outcome.detail}"
    settled, words = settle_support(statements, outcome.value.statements, quotes, gated)
    doubts = [
        words.get(n, f"statement {n} is not carried by its quotes")
        for n, s in enumerate(settled, 1)
        if n in gated or s["support"] < context.min_support
    ]
    return settled, doubts, outcome.usage, None


async def reanswer(
    question: str, draft: str, quotes: Sequence[Quote], number: int, context: ResearchContext, allowance: Allowance
) -> tuple[Sample, Usage]:
    """Independent answer `number` from the same evidence; the model never sees `draft`, code compares it."""
    inputs = add_quotes(Inputs().add("question", question), quotes)
    outcome = await ask_model(
        context, "critic", REANSWER, inputs, Reanswer, allowance=allowance, temperature=context.temperature, seed=number
    )
    if isinstance(outcome, Failure):
        return Sample(number=number, answer=None, agrees=False, failure=outcome.kind), outcome.usage
    answer = outcome.value.answer.strip() if outcome.value.answerable else ""
    return Sample(
        number=number, answer=answer, agrees=bool(answer) and compare.agree(draft, answer), failure=None
    ), outcome.usage


def agreement(samples: Sequence[Sample]) -> float | None:
    """Share of the re-answers that agree with the draft, abstentions counted against it; None when none was given."""
    given = [sample for sample in samples if sample["failure"] is None]
    return sum(sample["agrees"] for sample in given) / len(given) if given else None


class Countdown(TypedDict):
    """How often each kind of second chance may still be taken."""

    rewrite: int
    search_more: int
    replan: int


StopReason = Literal[
    "accepted",
    "no_evidence",
    "no_gain",
    "search_failed",
    "rounds",
    "searches",
    "pages",
    "model_calls",
    "tokens",
    "cost_usd",
    "seconds",
    "model_failed",
]


class Judgement(TypedDict):
    """The verdict; `reason` is the typed stop reason, `cause` says in words what was wrong with the draft, and
    `missing` is what `search_more` should look for.
    """

    verdict: Verdict
    reason: StopReason
    cause: str
    missing: list[str]


_HARD_LIMITS = ("model_calls", "tokens", "cost_usd", "seconds")


def decide(
    *,
    statements: Sequence[Statement],
    doubts: Sequence[str],
    samples: Sequence[Sample],
    failed: str | None,
    has_evidence: bool,
    gained: bool,
    missing: Sequence[str],
    countdown: Countdown,
    context: ResearchContext,
    exhausted: str | None,
    unsearchable: str | None = None,
    unread: str | None = None,
    unsearched: str | None = None,
) -> Judgement:
    """The verdict, from numbers alone: rewrite what the quotes do not carry, search where the samples disagree.

    `failed` names a writer or critic call that failed; `gained` tells whether the last search brought a new quote;
    `missing` is what the searcher still lacks; `exhausted` names a spent limit, if any, `unsearchable` one of which
    only the reserve for the final answer is left; `unread` says why no chosen page at all could be read,
    `unsearched` which providers answered no query.
    """
    hard = exhausted if exhausted in _HARD_LIMITS else None
    no_search = exhausted or unsearchable

    def give_up(reason: str, cause: str) -> Judgement:
        return Judgement(verdict="abstain", reason=cast(StopReason, hard or reason), cause=cause, missing=list(missing))

    def search(wanted: Sequence[str], cause: str) -> Judgement:
        ended = "no_gain" if not gained else "rounds" if countdown["search_more"] <= 0 else no_search
        if ended:
            return give_up(ended, cause)
        return Judgement(verdict="search_more", reason="rounds", cause=cause, missing=list(dict.fromkeys(wanted))[:4])

    def rewrite(cause: str) -> Judgement:
        return Judgement(verdict="rewrite", reason="rounds", cause=cause, missing=[])

    may_rewrite = countdown["rewrite"] > 0 and not hard
    if not has_evidence and unsearched:
        return give_up("search_failed", f"no search was answered: {unsearched}")
    if not has_evidence and unread:
        return give_up("model_failed", f"no page could be read: {unread}")
    if not has_evidence:
        if countdown["replan"] > 0 and not no_search:
            return Judgement(
                verdict="replan", reason="no_evidence", cause="no page gave a quote", missing=list(missing)
            )
        return give_up(no_search if no_search in _HARD_LIMITS else "no_evidence", "no page gave a quote")
    if failed:
        return rewrite(failed) if may_rewrite else give_up("model_failed", failed)
    if not statements:
        return search(missing, "the quotes do not answer the question")
    if doubts:
        if may_rewrite:
            return rewrite("statements that their quotes do not carry")
        weak = [s["text"] for s in statements if s["support"] < context.min_support]
        return search([*missing, *weak], "statements that their quotes do not carry")
    share = agreement(samples)
    if context.samples and share is None:
        return give_up("model_failed", "no independent re-answer could be drawn")
    if share is not None and share < context.min_agreement:
        rivals = [sample["answer"] for sample in samples if sample["answer"] and not sample["agrees"]]
        cause = f"only {share:.0%} of the independent re-answers agree with the draft"
        return search([*rivals, *missing] or [statements[0]["text"]], cause)
    return Judgement(verdict="accept", reason="accepted", cause="", missing=list(missing))


def retargeted(plan: Plan, numbers: Sequence[int], missing: Sequence[str]) -> Plan:
    """The plan with the named sub-questions (from 1) reopened to search for what the critic misses."""
    queries = [" ".join(point.split())[:300] for point in missing if point.strip()][:3]
    parts: list[SubQuestion] = [
        {**part, "queries": queries or part["queries"], "status": "open"} if number in numbers else part
        for number, part in enumerate(plan["sub_questions"], 1)
    ]
    return Plan(restatement=plan["restatement"], sub_questions=parts)
