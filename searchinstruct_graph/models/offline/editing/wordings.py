"""The question of a fact in many wordings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from searchinstruct_graph.models.offline.editing.asked import Asked, Said, inside, is_english, read, upper
from searchinstruct_graph.models.offline.editing.questions import inside_question, is_asking
from searchinstruct_graph.models.offline.editing.statements import said
from searchinstruct_graph.models.offline.task import Task
from searchinstruct_graph.text.words import words


def wordings(asked: Asked) -> tuple[list[str], list[str]]:
    """(wordings of the question, paraphrases of it), the best first; all take the same sentence for an answer."""
    known = said(asked)
    if not is_english(asked):
        return apart(known.direct), list(known.paraphrases)
    if not known.embedded:
        return _unturned(asked, known)
    first = known.direct[0]
    clause, other = known.embedded, known.other_clause
    subject, asking = inside(asked.subject), clause.split()[0]
    found = [
        *known.direct[:2],
        f"Can you tell me {clause}?",
        f"As of {asked.as_of}, {inside_question(first)}" if asked.as_of and known.current and is_asking(first) else "",
        f"I would like to know {other}.",
        *known.direct[2:4],
        f"{'Name' if asking in ('who', 'which') else 'State'} {known.named}." if known.named else "",
        _after("At the moment", first) if known.current else "",
        f"Do you know {clause}?",
        f"Tell me {other}.",
        f"I am not sure {clause}. Can you help?",
        f"I have read different things about {subject}. {upper(first)}",
        _after("In one sentence", first),
        f"For a short note I need to find out {other}.",
        *known.direct[4:],
        f"A colleague has asked me {clause}. What should I say?",
        _after(f"A question about {subject}", first, ":"),
        _after("Please answer in a full sentence", first, ":"),
        f"I keep forgetting {other}. Could you remind me?",
        _after("Quick question", first, ":"),
        _after(f"Help me with one fact about {subject}, please", first, ":"),
        f"Could you please say {clause}?",
        f"What would you answer when asked {other}?",
        f"Before I go on, I want to be sure {clause}.",
        f"There is one thing that I want to look up, namely {other}.",
        f"{first.removesuffix('?')} now?" if known.current and is_asking(first) else "",
    ]
    others = [
        *known.paraphrases,
        _after(f"Correct me if I am wrong about {subject}", first, ":"),
        f"If you had to explain to a newcomer {other}, what would you say?",
        f"Somebody is mistaken about {subject} and needs to hear {clause}. What do you tell them?",
    ]
    return apart(found), apart(others)


def _after(opening: str, question: str, mark: str = ",") -> str:
    """A question inside of a sentence: run on when it opens as questions do, else as somebody's own words after a colon."""
    if is_asking(question):
        return f"{opening}{mark} {inside_question(question)}"
    return f"{opening}{mark} {question}" if mark == ":" else ""


TOO_NEAR = 0.75
"""Jaccard of word 3-grams from which two wordings are the same but for a word; the pool of a data set draws its line at 0.8."""


def apart(texts: Sequence[str]) -> list[str]:
    """The texts in order, without empty ones and those that are too near an earlier one."""
    kept: list[str] = []
    shapes: list[set[tuple[str, ...]]] = []
    for text in texts:
        told = words(text)
        shape = {tuple(told[at : at + 3]) for at in range(max(1, len(told) - 2))}
        if text and not any(len(shape & other) >= TOO_NEAR * len(shape | other) for other in shapes):
            kept.append(text)
            shapes.append(shape)
    return kept


def _unturned(asked: Asked, known: Said) -> tuple[list[str], list[str]]:
    """Wordings around a question whose grammar is not known, as somebody's own words."""
    question, subject = known.direct[0], inside(asked.subject)
    found = [
        *known.direct,
        f"A question from a reader: {question}",
        f"A question about {subject}: {question}",
        f"Please answer this question: {question}",
        f"Can you answer this? {question}",
        f"Here is something that I would like to know. {question}",
    ]
    return apart(found), [*known.paraphrases, f"Somebody asks: {question} What do you say?"]


def word(task: Task) -> dict[str, Any]:
    """The question of a fact in as many wordings as are wanted, one more that is held out, and paraphrases."""
    count = int(task.attribute("wanted", "questions") or 10)
    more = int(task.attribute("wanted", "paraphrases") or 0)
    found, others = wordings(read(task))
    # The first wording is the plainest: it is trained on, and the next best is held out.
    held = found.pop(min(2, len(found) - 1)) if len(found) > 2 else ""
    questions = [
        {"text": text, "form": "direct" if text.endswith(("?", "？", "؟")) else "statement"} for text in found[:count]
    ]
    return {"questions": questions, "held_out": held, "paraphrases": others[:more]}
