"""One changed fact becomes corrected answers and probes, or a refusal with its reason: what both the batch and Studio run.

    gather_evidence → reword → correct → ask_around, then outcome_of

Nothing is written before a page is found that carries the new state.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from typing_extensions import TypedDict

from searchinstruct_graph.agents.critic import gate_problems, judge_support
from searchinstruct_graph.agents.edit_context import EditContext
from searchinstruct_graph.agents.editor import (
    Revision,
    WordingForm,
    already_known,
    revise,
    stale_answer,
    stale_statement,
    stated,
)
from searchinstruct_graph.agents.evidence import Statement
from searchinstruct_graph.agents.prober import Wording, probe, word_questions
from searchinstruct_graph.agents.sources import Connections
from searchinstruct_graph.datasets.acceptance import Blocked
from searchinstruct_graph.datasets.facts import Fact, Probe, ProbeKind, probe_id
from searchinstruct_graph.datasets.ledger import Fault, Outcome
from searchinstruct_graph.datasets.rows import Critic, Edited, Rejected, RowSource, RowStatement
from searchinstruct_graph.graphs.answering import Unanswered, language_of_pair, spent_on
from searchinstruct_graph.graphs.evidence_of_facts import Evidence, cited, gather_evidence, pieces, question_of
from searchinstruct_graph.graphs.pairs import PASSING
from searchinstruct_graph.graphs.result import numbered
from searchinstruct_graph.graphs.searcher import SearcherGraph
from searchinstruct_graph.models.limits import Allowance, remaining, shares
from searchinstruct_graph.models.loops import together
from searchinstruct_graph.models.usage import Usage, add_usage, join_usage, no_usage
from searchinstruct_graph.text.editing import aliases, holds
from searchinstruct_graph.text.periods import without_time
from searchinstruct_graph.text.sentences import sentences


class Correction(TypedDict):
    """An answer to the wordings of some forms: edited, or written where there was no stale one; with a `reason`, refused."""

    forms: list[WordingForm]
    before: str
    """The stale answer; empty without one."""
    text: str
    change: float | None
    spans: list[list[int]]
    statements: list[Statement]
    """What was changed, sentence by sentence, each with the numbers of its quotes."""
    rounds: int
    note: str
    """Why there is no stale answer (`already_known`, `no_stale_answer`), or it is not the corrected model's own
    (`stale_model_silent`)."""
    reason: str
    detail: str


class FactOutcome(NamedTuple):
    """What working on one fact gave; with a `reason`, neither rows nor probes."""

    fact: Fact
    question: str
    reason: str
    detail: str
    rows: list[tuple[str, Outcome, Edited]]
    """Training wordings, each with its answer and what was edited; those with a fault in the outcome are refused."""
    probes: list[Probe]
    correction: Correction | None
    """The one that stands for the fact."""
    sources: list[RowSource]
    """What was read about it: of a refused fact, why."""
    dropped: list[list[str]]
    """Probes that did not stand the checks: kind, question, why."""
    usage: Usage


# How is it asked?


async def reword(fact: Fact, context: EditContext, allowance: Allowance) -> tuple[list[Wording], Usage]:
    """The wordings of the fact's question, for training and held out. Raises Unanswered when the provider failed."""
    wordings, usage, failure = await word_questions(fact, context.wordings, context, allowance)
    _check(failure)
    return wordings, usage


def _check(failure: str | None) -> str:
    """The failure of a call that says something about the fact; raises Unanswered for one that does not."""
    if failure and failure.split(": ")[1:2] and failure.split(": ")[1] in PASSING:
        raise Unanswered(failure)
    return failure or ""


# What is the answer, and how little of the stale one has to change for it?


class _Stale(NamedTuple):
    """A stale answer and the forms of question that it answers; `note`: why there is none, or not the one that was asked for."""

    forms: list[WordingForm]
    text: str
    note: str


async def correct(
    fact: Fact, wordings: Sequence[Wording], evidence: Evidence, context: EditContext, allowance: Allowance
) -> tuple[list[Correction], Usage]:
    """The corrected answers to the training wordings, one a stale answer. Raises Unanswered when the provider failed."""
    if not wordings:
        return [], no_usage()
    forms = list(dict.fromkeys(each["form"] for each in wordings))
    stales, used = await _stale_answers(fact, forms, evidence, context, allowance)
    parts = shares(remaining(allowance, used), len(stales))
    made = await together(
        _corrected(fact, stale, wordings, evidence, context, part) for stale, part in zip(stales, parts, strict=True)
    )
    return [correction for correction, _ in made], add_usage(used, join_usage([usage for _, usage in made]))


async def _stale_answers(
    fact: Fact, forms: Sequence[WordingForm], evidence: Evidence, context: EditContext, allowance: Allowance
) -> tuple[list[_Stale], Usage]:
    """For each form of question its stale answer: the fact's own, the corrected model's, or written from the old object."""
    used, given = no_usage(), fact["stale"]
    asked = not given and bool(context.stale_model)
    if asked:
        given, used, failure = await stale_answer(fact, question_of(fact), context, allowance)
        _check(failure)
    note = "stale_model_silent" if asked and not given else ""
    if given and already_known(fact, given):
        return [_Stale(list(forms), "", "already_known")], used
    by_text: dict[str, list[WordingForm]] = {}
    for tone, form in enumerate(forms):
        text = given if given and form != "confirm" else stale_statement(fact, form, tone, pieces(evidence))
        by_text.setdefault(text, []).append(form)
    return [_Stale(told, text, note if text else "no_stale_answer") for text, told in by_text.items()], used


_YES_OR_NO = re.compile(r"^\s*(?:yes|no)\b[\s,.;:–—-]*", re.IGNORECASE)


async def _corrected(
    fact: Fact,
    stale: _Stale,
    wordings: Sequence[Wording],
    evidence: Evidence,
    context: EditContext,
    allowance: Allowance,
) -> tuple[Correction, Usage]:
    """The stale answer edited, held against code and the critic, and edited once more when either objects."""
    question = next((each["question"] for each in wordings if each["form"] in stale.forms), question_of(fact))
    if not stale.text:
        text = stated(fact, fact["new"], pieces(evidence))
        whole = Revision(text=text, change=0.0, spans=[], quotes=[], problems=[])
        statements, words, usage = await _judged(fact, whole, evidence, context, allowance)
        return _settled(stale, whole, statements, words, 1), usage
    used, fault = no_usage(), ""
    correction: Correction | None = None
    for attempt in (1, 2):
        revision, usage, failure = await revise(
            question, stale.text, fact, evidence["quotes"], context, remaining(allowance, used), fault
        )
        used = add_usage(used, usage)
        failed = _check(failure)
        if revision is None:
            words = [failed or "not_corrected: the editor found nothing that it could correct"]
            empty = Revision(text="", change=0.0, spans=[], quotes=[], problems=words)
            correction = correction or _settled(stale, empty, [], words, attempt)
            break
        statements, words = [], revision["problems"]
        if not words:
            statements, words, usage = await _judged(fact, revision, evidence, context, remaining(allowance, used))
            used = add_usage(used, usage)
        correction = _settled(stale, revision, statements, words, attempt)
        if not words:
            break
        fault = "; ".join(words)[:1_000]
    assert correction is not None
    return correction, used


async def _judged(
    fact: Fact, revision: Revision, evidence: Evidence, context: EditContext, allowance: Allowance
) -> tuple[list[Statement], list[str], Usage]:
    """The changed statements with their support, and what the critic says against them."""
    statements = statements_of(fact, revision, evidence)
    bare = [Statement(**{**each, "text": claim_of(fact, each["text"])}) for each in statements]
    gated = gate_problems(bare, evidence["quotes"])
    judged, doubts, usage, failure = await judge_support(bare, evidence["quotes"], gated, context, allowance)
    failed = _check(failure)
    settled = [Statement(**{**said, "support": each["support"]}) for said, each in zip(statements, judged, strict=True)]
    words = [failed] if failed else [f"unsupported: {doubt}" for doubt in doubts]
    return settled, words, usage


def statements_of(fact: Fact, revision: Revision, evidence: Evidence) -> list[Statement]:
    """The sentences of an answer that an edit has touched (without an edit, all), with the quotes that they rest on."""
    text = revision["text"]
    whole = [(span.start, span.end) for span in sentences(text)] or [(0, len(text))]
    touched = [
        (start, end)
        for start, end in whole
        if any(start < changed[1] and changed[0] < end for changed in revision["spans"])
        or holds(text[start:end], fact["new"], fact["old"])
    ]
    return [
        Statement(
            text=text[start:end],
            quotes=cited(fact, claim_of(fact, text[start:end]), evidence, revision["quotes"]),
            support=0.0,
        )
        for start, end in touched or whole
    ]


def claim_of(fact: Fact, sentence: str) -> str:
    """What of a changed sentence is held against the quotes: not its yes or no, nor the time that the question asks about, which
    is the person's; pages date a state in their own way, and `dated_otherwise` has looked at that.
    """
    return without_time(_YES_OR_NO.sub("", sentence), fact["question"])


def _settled(
    stale: _Stale, revision: Revision, statements: list[Statement], words: Sequence[str], rounds: int
) -> Correction:
    code, _, detail = (words[0] if words else "").partition(": ")
    return Correction(
        forms=stale.forms,
        before=stale.text,
        text=revision["text"],
        change=revision["change"] if stale.text else None,
        spans=revision["spans"],
        statements=statements,
        rounds=rounds,
        note=stale.note,
        reason="" if not words else code if re.fullmatch(r"[a-z_]+", code) else "unsupported",
        detail="; ".join([detail or code, *words[1:]])[:2_000] if words else "",
    )


# What else must be so, and what must have stayed?


async def ask_around(
    fact: Fact,
    wordings: Sequence[Wording],
    corrections: Sequence[Correction],
    evidence: Evidence,
    context: EditContext,
    allowance: Allowance,
) -> tuple[list[Probe], list[list[str]], Usage]:
    """The probes of a fact, and those that did not stand the checks (kind, question, why). Raises Unanswered when the provider
    failed.
    """
    carrying = evidence["quotes"][: evidence["carrying"]]
    answered = {form: each for each in corrections if not each["reason"] for form in each["forms"]}
    sources = numbered(carrying)[0]
    found = [_held_out(fact, each, answered.get(each["form"]), sources) for each in wordings if each["use"] != "train"]
    made = await probe(fact, evidence["quotes"], context, allowance, evidence["pages"])
    _check(made.failure)
    for draft in made.probes:
        quoted = numbered(draft["quotes"])[0]
        found.append(
            _probe(fact, draft["kind"], draft["question"], draft["answer"], draft["stale"], draft["aliases"], quoted)
        )
    distinct = {each["id"]: each for each in reversed(found)}
    refused = [[kind, said, "unfit"] for kind, _, said in (why.partition(": ") for why in made.refused)]
    return list(reversed(distinct.values())), refused, made.usage


def _held_out(fact: Fact, wording: Wording, answered: Correction | None, sources: list[RowSource]) -> Probe:
    """A held-out wording: what tells a corrected model's answer is the new object; of yes or no, the whole answer."""
    kind: ProbeKind = "efficacy" if wording["use"] == "efficacy" else "generality"
    if wording["form"] == "confirm" and answered is not None:
        return _probe(fact, kind, wording["question"], answered["text"], answered["before"], [fact["new"]], sources)
    others = aliases(fact["new"])[1:]
    return _probe(fact, kind, wording["question"], fact["new"], fact["old"], others, sources)


def _probe(
    fact: Fact,
    kind: ProbeKind,
    question: str,
    answer: str,
    stale: str,
    others: Sequence[str],
    sources: list[RowSource],
) -> Probe:
    return Probe(
        id=probe_id(fact["id"], kind, question),
        fact=fact["id"],
        kind=kind,
        question=question,
        answer=answer,
        stale=stale,
        aliases=list(others),
        sources=sources,
    )


# What comes of it.


def outcome_of(
    fact: Fact,
    wordings: Sequence[Wording],
    evidence: Evidence,
    corrections: Sequence[Correction],
    probes: Sequence[Probe],
    dropped: list[list[str]],
    usage: Usage,
) -> FactOutcome:
    """Rows and probes of the fact, or why there are none. What it all cost is on the account of its first row."""
    question = next((each["question"] for each in wordings if each["use"] == "train"), question_of(fact))
    good = [each for each in corrections if not each["reason"]]
    first = next(iter(good), next(iter(corrections), None))
    sources = numbered(evidence["quotes"])[0]
    # Without a wording there is no correction either.
    if evidence["reason"] or not good:
        reason = evidence["reason"] or (first["reason"] if first else "no_wording")
        detail = evidence["detail"] or (first["detail"] if first else "no wording of its question was made")
        return FactOutcome(fact, question, reason, detail, [], [], first, sources, dropped, usage)
    by_form = {form: each for each in corrections for form in each["forms"]}
    rows: list[tuple[str, Outcome, Edited]] = []
    for wording in (each for each in wordings if each["use"] == "train"):
        correction = by_form[wording["form"]]
        spent = usage if not rows else no_usage()
        rows.append(
            (wording["question"], _row_outcome(wording, correction, evidence, spent), _edited(fact, correction))
        )
    return FactOutcome(fact, question, "", "", rows, list(probes), first, sources, dropped, usage)


def _edited(fact: Fact, correction: Correction) -> Edited:
    return Edited(
        fact=fact["id"],
        subject=fact["subject"],
        relation=fact["relation"],
        old=fact["old"],
        new=fact["new"],
        as_of=fact["as_of"],
        change=correction["change"],
        spans=correction["spans"],
    )


def _row_outcome(wording: Wording, correction: Correction, evidence: Evidence, usage: Usage) -> Outcome:
    numbers = sorted({number for said in correction["statements"] for number in said["quotes"]})
    sources, places = numbered([evidence["quotes"][number - 1] for number in numbers])
    place = dict(zip(numbers, places, strict=True))
    statements = [
        RowStatement(
            text=said["text"],
            citations=sorted({place[number][0] for number in said["quotes"]}),
            quotes=[place[number] for number in said["quotes"]],
            support=said["support"],
        )
        for said in correction["statements"]
    ]
    reason = correction["reason"]
    return Outcome(
        answer=correction["text"],
        language=language_of_pair(wording["question"], correction["text"]),
        grounding="quotes",
        statements=statements,
        sources=sources,
        critic=Critic(
            verdict="reject" if reason else "accept",
            confidence=None,
            support=min((said["support"] for said in statements), default=None),
            agreement=None,
            samples=0,
            rounds=correction["rounds"],
            problems=[correction["detail"]] if reason else [],
        ),
        vote=None,
        rejected=[Rejected(answer=correction["before"], reason="stale")] if correction["before"] else [],
        usage=spent_on(usage),
        fault=Fault(reason=reason, detail=correction["detail"], quarantined=False) if reason else None,
    )


def failed_outcome(fact: Fact, why: str) -> FactOutcome:
    """The outcome of a fact that a failing provider left undone."""
    return FactOutcome(fact, question_of(fact), "provider_failed", why[:2_000], [], [], None, [], [], no_usage())


async def revise_fact(
    fact: Fact,
    context: EditContext,
    searcher: SearcherGraph,
    blocked: Blocked | None = None,
    connections: Connections | None = None,
) -> FactOutcome:
    """Work on one fact, within the limits of the settings.

    Raises:
        Unanswered: the provider failed, which says nothing about the fact.
        ProviderError: it refuses every further call.
    """
    whole = context.limits()
    evidence, used = await gather_evidence(fact, context, searcher, whole, blocked, connections)
    if evidence["reason"]:
        return outcome_of(fact, [], evidence, [], [], [], used)
    wordings, usage = await reword(fact, context, remaining(whole, used))
    used = add_usage(used, usage)
    trained = [each for each in wordings if each["use"] == "train"]
    corrections, usage = await correct(fact, trained, evidence, context, remaining(whole, used))
    used = add_usage(used, usage)
    if all(each["reason"] for each in corrections):
        return outcome_of(fact, wordings, evidence, corrections, [], [], used)
    probes, dropped, usage = await ask_around(fact, wordings, corrections, evidence, context, remaining(whole, used))
    return outcome_of(fact, wordings, evidence, corrections, probes, dropped, add_usage(used, usage))
