"""What a fact gave becomes rows, refusals and probes: held against the rules, the pool, and everything that is held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from searchinstruct_graph.agents.edit_context import EditContext
from searchinstruct_graph.datasets.acceptance import Acceptance
from searchinstruct_graph.datasets.facts import Fact, Probe
from searchinstruct_graph.datasets.ledger import Answered, Decision, EditRecord, Fault, Instruction, Outcome
from searchinstruct_graph.datasets.probes import FactPool, hold_out
from searchinstruct_graph.datasets.rows import Edited, Method, Rejection
from searchinstruct_graph.datasets.seeds import question_kind
from searchinstruct_graph.graphs.answering import nothing_answered, spent_on
from searchinstruct_graph.graphs.proposing import Candidate
from searchinstruct_graph.graphs.revising import FactOutcome
from searchinstruct_graph.graphs.screening import Screen


class Facts:
    """Facts as a method of making instructions: each wording is answered."""

    method: Method = "searchinstruct"

    def shown_only(self, candidate: Candidate) -> bool:
        """Whether a candidate is only shown: none is."""
        return False


class SettledFact(NamedTuple):
    """A fact as it is committed."""

    edit: EditRecord
    answered: list[Answered]
    refused: list[Rejection]
    decisions: list[Decision]
    probes: list[tuple[int, Probe]]
    proposed: int


def settle_fact(
    number: int,
    outcome: FactOutcome,
    facts: Sequence[Fact],
    screen: Screen,
    pool: FactPool,
    acceptance: Acceptance,
    context: EditContext,
) -> SettledFact:
    """Decide about everything that fact `number` gave. `facts` are all of the run: no probe may rest on one of the others."""
    pool.begin()
    wave, fact = number + 1, outcome.fact
    refused: list[Rejection] = []
    candidates: dict[str, tuple[Candidate, Outcome, Edited]] = {}
    for question, answer, edited in outcome.rows:
        candidate = _candidate(fact, question)
        if answer["fault"] is not None:
            refused.append(_told(screen.refused(wave, candidate, answer), edited))
        else:
            # Of equal wordings the first counts; the pool refuses the others.
            candidates.setdefault(question, (candidate, answer, edited))
    admitted, turned_away = screen.admit(wave, [candidate for candidate, _, _ in candidates.values()], given=False)
    for rejection in turned_away:
        known = candidates.get(rejection["instruction"])
        refused.append(_told(_held_out(rejection, pool), known[2] if known else None))
    answered: list[Answered] = []
    for instruction in admitted:
        _, answer, edited = candidates[instruction["text"]]
        answered.append((_named(instruction, edited), answer))
    decisions = []
    for instruction, answer in answered:
        decisions.append(acceptance.decide(instruction, answer))
        # Wordings of one fact have one answer, which is no sign of a duplicate.
        acceptance.committed()
    edit = _record(number, outcome)
    kept = [each for each in decisions if each["rejection"] is None]
    if not outcome.reason and not kept:
        rejections = [*refused, *(each["rejection"] for each in decisions if each["rejection"])]
        why = ", ".join(dict.fromkeys(each["reason"] for each in rejections))
        edit["reason"], edit["detail"] = "no_row", f"none of its wordings became a row ({why})"
    held: list[tuple[int, Probe]] = []
    if outcome.reason:
        refused.append(screen.refused(wave, _candidate(fact, outcome.question), _refused_outcome(outcome)))
    elif kept:
        held, dropped = hold_out(outcome.probes, pool, facts, context.language)
        edit["dropped"] = [*outcome.dropped, *dropped]
    proposed = len(admitted) + len(refused)
    return SettledFact(edit, answered, refused, decisions, held, proposed)


def _candidate(fact: Fact, question: str) -> Candidate:
    return Candidate(
        text=question,
        operation="edit",
        parents=[],
        # Rows of one fact stay on one side of a split.
        family=fact["id"],
        kind=question_kind(question),
        subtopic="",
        keywords=[],
        bloom="",
        passages=[],
    )


def _named(instruction: Instruction, edited: Edited) -> Instruction:
    """The instruction with its fact."""
    return {**instruction, "origin": {**instruction["origin"], "edit": edited}}


def _told(rejection: Rejection, edited: Edited | None) -> Rejection:
    return rejection if edited is None else {**rejection, "origin": {**rejection["origin"], "edit": edited}}


def _held_out(rejection: Rejection, pool: FactPool) -> Rejection:
    """A refusal as a duplicate, told apart when what it repeats is a probe."""
    twin = pool.twins.get(rejection["instruction"])
    if rejection["reason"] not in ("duplicate", "near_duplicate") or twin is None or not pool.is_held_out(twin):
        return rejection
    detail = f"like what a probe of another fact asks ({twin.rule}, {twin.similarity:.2f})"
    return {**rejection, "reason": "held_out", "detail": detail}


def _refused_outcome(outcome: FactOutcome) -> Outcome:
    """What a refused fact leaves in the rejections: the last try at its answer, what was read, and why it is no row."""
    correction = outcome.correction
    made = nothing_answered(outcome.detail)
    answer = correction["text"] if correction else ""
    return {
        **made,
        "answer": answer,
        "sources": outcome.sources,
        "usage": spent_on(outcome.usage),
        "fault": Fault(reason=outcome.reason, detail=outcome.detail[:2_000], quarantined=False),
    }


def _record(number: int, outcome: FactOutcome) -> EditRecord:
    correction = outcome.correction
    return EditRecord(
        number=number,
        fact=outcome.fact,
        reason=outcome.reason,
        detail=outcome.detail[:2_000],
        question=outcome.question,
        before=correction["before"] if correction else "",
        after=correction["text"] if correction else "",
        change=correction["change"] if correction else None,
        spans=correction["spans"] if correction else [],
        note=correction["note"] if correction else "",
        dropped=outcome.dropped,
    )
