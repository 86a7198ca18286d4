"""The skills of the extractor: pairs of a question and the document's own sentences as its answer. Extractive like the rest.

Questions and answers that stand as such in a document are found in any script. Everything else (sections, commands, procedures,
statements) is asked in English and only of English text: no pair is better than a wrong one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from searchinstruct_graph.models.offline.pairs.health import topic_cues
from searchinstruct_graph.models.offline.pairs.page import ENGLISH, Draft, Page
from searchinstruct_graph.models.offline.pairs.sections import asked_in_text, commands, procedures, sections
from searchinstruct_graph.models.offline.pairs.statements import statements, study_questions
from searchinstruct_graph.models.offline.task import Task
from searchinstruct_graph.text.sentences import Span
from searchinstruct_graph.text.standalone import faults
from searchinstruct_graph.text.stopwords import is_stopword
from searchinstruct_graph.text.words import words

FITTING = 0.6
"""Quality from which a pair is handed on."""

NEAR_TIE = 0.1
"""Pairs whose quality differs by less are near-ties: a call's seed chooses among them at a temperature above 0."""


def drafts(text: str, title: str = "") -> list[Draft]:
    """Every pair that the rules find in a document, in the order of the rules; the same span may be asked about twice."""
    page = Page(text, title)
    found = list(asked_in_text(page))
    if page.english >= ENGLISH / 4:
        found += commands(page)
    if page.english >= ENGLISH:
        found += sections(page)
        found += procedures(page)
        found += topic_cues(page)
        found += statements(page)
        found += study_questions(page)
    return found


# Choosing.


def extract(task: Task) -> dict[str, Any]:
    """The best pairs of the document, at most as many as wanted, each asking about another part of it, in its order."""
    page = next(iter(task.all("document")), None)
    if page is None:
        return {"pairs": []}
    count = int(task.attribute("wanted", "count") or 5)
    wanted = f"{task.text('domain')} {task.text('form')}"
    chosen = choose(page.text, drafts(page.text, page.attributes.get("title", "")), count, wanted, task)
    pairs = [
        {
            "question": draft.question,
            "answer": draft.answer,
            "evidence": _evidence(page.text, draft.span),
            "level": draft.level,
        }
        for draft in sorted(chosen, key=lambda draft: draft.span)
    ]
    return {"pairs": pairs}


LONGEST_QUOTE = 1_200
"""Characters of one piece of evidence."""


def _evidence(text: str, span: Span) -> list[str]:
    return [text[span.start : span.end][:LONGEST_QUOTE]]


def choose(text: str, found: Sequence[Draft], count: int, wanted: str, task: Task) -> list[Draft]:
    """The best drafts whose evidence does not overlap and whose questions differ; none that has a fault."""
    draw = random.Random(task.seed)
    shake = NEAR_TIE * min(1.0, task.temperature)
    kinship = {word for word in words(wanted) if not is_stopword(word)}
    ranked = sorted(
        (
            (draft.quality + _kin(draft, kinship) + draw.uniform(-shake, shake), -at, draft)
            for at, draft in enumerate(found)
            if draft.quality >= FITTING
        ),
        key=lambda entry: entry[:2],
        reverse=True,
    )
    chosen: list[Draft] = []
    known: set[str] = set()
    for _, _, draft in ranked:
        if len(chosen) == count:
            break
        key = " ".join(word for word in words(draft.question) if word not in _ARTICLES)
        if key in known or any(_overlap(draft.span, other.span) for other in chosen):
            continue
        if len(draft.question) > 300 or faults(draft.question, draft.answer, _evidence(text, draft.span)):
            continue
        known.add(key)
        chosen.append(replace(draft))
    return chosen


_ARTICLES = frozenset("a an the".split())


def _kin(draft: Draft, wanted: set[str]) -> float:
    """Up to .1 for a draft that shares words with the domain or form that pairs are wanted for."""
    if not wanted:
        return 0.0
    return 0.1 * min(1.0, len(wanted & set(words(f"{draft.question} {draft.answer}"))) / 3)


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def refine(task: Task) -> dict[str, Any]:
    """Keep a pair that stands alone and is carried by evidence that stands in the document, else reject it."""
    document = task.text("document")
    question = next((tag.text for tag in task.all("question")), "")
    answer = task.text("answer")
    folded = " ".join(document.split())
    quotes = [tag.text for tag in task.all("evidence") if " ".join(tag.text.split()) in folded]
    reason = faults(question, answer, quotes) if quotes else "the evidence does not stand in the document"
    if reason:
        return {"verdict": "reject", "question": "", "answer": "", "evidence": [], "reason": reason[:1_000]}
    return {"verdict": "keep", "question": question, "answer": answer, "evidence": quotes, "reason": ""}


SKILLS: dict[str, Callable[[Task], dict[str, Any]]] = {"ExtractedPairs": extract, "RefinedPair": refine}
