"""The skills of triplets: write an instruction, poison it, poison the query, find or write a hard negative, validate.

English only: where the rules do not understand the passage, nothing is written. Written passages are the given one with one
detail exchanged; every other word of it stands there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from searchinstruct_graph.models.offline.task import Task
from searchinstruct_graph.models.offline.triplets.asking import write_query
from searchinstruct_graph.models.offline.triplets.contrast import (
    INVENTED,
    MIXED,
    adapted,
    chosen,
    contrasts,
    replacements,
    rewritten,
)
from searchinstruct_graph.models.offline.triplets.criteria import MEETS, Criterion, held, is_english, judge
from searchinstruct_graph.models.offline.triplets.matching import answer_quote, answering, asked_by, meeting
from searchinstruct_graph.models.offline.triplets.queries import SURE, poisons, renamed
from searchinstruct_graph.models.offline.triplets.wording import phrases, read, replaced, say

EXCLUSIONS = 0.3
"""Share of instructions that exclude what the other passages hold."""

SECOND = 0.25
"""Share of instructions with a second criterion, where one holds of the passage and of the others alike."""


def instruct(task: Task) -> dict[str, Any]:
    """A criterion that the passage meets and another passage fails, in words; empty when none tells them apart."""
    query, passage, others = task.text("query"), task.text("passage"), task.all("other")
    draw = random.Random(task.seed)
    contrast = chosen(contrasts(query, passage, others, draw), draw) if is_english(passage) else None
    if contrast is None:
        return {"instruction": "", "kind": "other", "evidence": ""}
    # Nobody asks for a text that does not stay short, or that leaves out a year or name which is nowhere near.
    odd = contrast.mine.kind == "length" or contrast.rank == INVENTED
    odd = odd or (contrast.mine.kind == "mention" and contrast.rank == MIXED)
    exclude = draw.random() < EXCLUSIONS and not odd
    main = contrast.theirs._replace(denied=True) if exclude else contrast.mine
    criteria = [main]
    if draw.random() < SECOND and (more := _shared(contrast.mine, task, draw)):
        criteria.append(more)
    kind = "exclusion" if main.denied else main.kind
    return {"instruction": say(criteria, draw), "kind": kind, "evidence": judge(main, passage).quote[:1_200]}


def _shared(main: Criterion, task: Task, draw: random.Random) -> Criterion | None:
    """A criterion of another kind that the passage meets, and so does another passage that answers the query."""
    query, passage = task.text("query"), task.text("passage")
    near = [other.text for other in task.all("other") if answering(query, other.text) >= 0.5]
    options = [
        each
        for each in held(passage)
        if each.kind not in (main.kind, "mention", "time", "length")
        and any(judge(each, other).score >= MEETS for other in near)
    ]
    return draw.choice(options) if options else None


def poison_instruction(task: Task) -> dict[str, Any]:
    """The instruction with one criterion exchanged for another of its kind that the passage fails."""
    query, instruction, passage = task.text("query"), task.text("instruction"), task.text("passage")
    draw = random.Random(task.seed)
    best: tuple[float, str, str] = (-1.0, "", "")
    for said in read(instruction):
        for new, near in replacements(said.criterion, passage, task.all("other"), query, draw):
            options = phrases(new)
            changed = replaced(instruction, said, new)
            if new == said.criterion or changed == instruction:
                continue
            shown = f"{instruction[said.start : said.end]} → {options[said.form % len(options)]}"
            best = max(best, (near + draw.random(), changed, shown[:500]))
    return {"instruction": best[1], "changed": best[2]}


def poison_query(task: Task) -> dict[str, Any]:
    """The query about something else that another passage answers under the same instruction, else about another name."""
    found = poisons(task.text("query"), task.text("instruction"), task.text("passage"), task.all("other"))
    if not found:
        return {"query": "", "changed": ""}
    best = found[0]
    return {"query": best.query[:1_000], "changed": f"{best.before} → {best.after}"[:500]}


def fit(task: Task) -> dict[str, Any]:
    """How surely each passage answers the target's query, meets its instruction, and fails the avoided pair."""
    target, avoided = task.text("target"), task.text("avoided")
    query, other_query = task.attribute("target", "query"), task.attribute("avoided", "query")
    judged = []
    for tag in task.all("other"):
        met, title = meeting(target, tag.text), tag.attributes.get("title", "")
        fits = min(answering(query, tag.text, title), met.score)
        wrong = max(1 - answering(other_query, tag.text, title), 1 - meeting(avoided, tag.text).score)
        # A pair that shares the query differs by the instruction alone, and the other way round.
        if query == other_query:
            wrong = 1 - meeting(avoided, tag.text).score
        judged.append({"passage": int(tag.attributes["id"]), "fits": fits, "avoids": wrong, "quote": met.quote})
    return {"passages": judged}


def write_passage(task: Task) -> dict[str, Any]:
    """The passage with one detail or one sentence exchanged so that it fits the target; empty where that does not do."""
    target, avoided, passage = task.text("target"), task.text("avoided"), task.text("passage")
    query, other_query = task.attribute("target", "query"), task.attribute("avoided", "query")
    others = [tag.text for tag in task.all("other")]
    if query != other_query:
        return {"passage": _about(query, other_query, target, passage, others)}
    for new, old in zip(asked_by(target), asked_by(avoided), strict=False):
        if new == old:
            continue
        # An exclusion is met by taking out what it names and putting in what the other one excludes.
        mine, theirs = (old, new) if not new.denied else (new._replace(denied=False), old._replace(denied=False))
        made = rewritten(query, passage, mine, theirs, others)
        if made and meeting(target, made).score >= MEETS:
            return {"passage": made}
    return {"passage": ""}


def _about(query: str, original: str, instruction: str, passage: str, others: Sequence[str]) -> str:
    """A passage that answers the query under the instruction: another one with its year or place exchanged, else this one with
    the other name.
    """
    for other in others:
        if answering(query, other) >= SURE and answering(original, other) < 0.5:
            made = other
            for wanted in asked_by(instruction):
                made = made and adapted(made, wanted, (passage,))
            if made and meeting(instruction, made).score >= MEETS and answering(query, made) >= SURE:
                return made
    made = renamed(passage, original, query, others)
    return made if made and meeting(instruction, made).score >= MEETS else ""


def validate(task: Task) -> dict[str, Any]:
    """The five questions, from cues alone: an instruction that is not understood is met by nothing."""
    asked = [tag.text for tag in task.all("query")]
    wanted = [tag.text for tag in task.all("instruction")]
    passages = [tag.text for tag in task.all("passage")]
    if len(asked) < 2 or len(wanted) < 2 or len(passages) < 3:
        return {"answers": []}
    right, first, second = passages[:3]
    met = [[meeting(instruction, passage) for passage in passages] for instruction in wanted]
    known = [bool(asked_by(instruction)) for instruction in wanted]

    def violated(instruction: int, passage: int) -> float:
        return 1 - met[instruction][passage].score if known[instruction] else 0.0

    scores = {
        "a": (min(answering(asked[0], right), met[0][0].score), met[0][0].quote),
        "b": (min(answering(asked[0], right), violated(1, 0)), ""),
        "c": (1 - answering(asked[1], right), ""),
        "d": (min(answering(asked[0], first), met[1][1].score, violated(0, 1)), met[1][1].quote),
        "e": (
            min(answering(asked[1], second), met[0][2].score, 1 - answering(asked[0], second)),
            answer_quote(asked[1], second),
        ),
    }
    answers = [
        {
            "question": question,
            "holds": score >= 0.5,
            "score": round(score, 4),
            "quote": quote,
            "reason": f"cues give {score:.2f}",
        }
        for question, (score, quote) in scores.items()
    ]
    return {"answers": answers}


SKILLS: dict[str, Callable[[Task], dict[str, Any]]] = {
    "PassageFits": fit,
    "PoisonedInstruction": poison_instruction,
    "PoisonedQuery": poison_query,
    "TripletReview": validate,
    "WrittenInstruction": instruct,
    "WrittenPassage": write_passage,
    "WrittenQuery": write_query,
}
