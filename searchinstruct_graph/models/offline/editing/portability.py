"""What follows from a fact: yes or no, the fact asked backwards, what was before, what quotes say of the new object."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from searchinstruct_graph.models.offline.editing.asked import (
    LAST_RESORT,
    SLOT,
    Asked,
    Said,
    inside,
    is_english,
    put,
    read,
    spelled_out,
    upper,
)
from searchinstruct_graph.models.offline.editing.nouns import ALREADY_NOW
from searchinstruct_graph.models.offline.editing.questions import when_asked
from searchinstruct_graph.models.offline.editing.statements import said, stated
from searchinstruct_graph.models.offline.editing.verbs import name_like, phrase
from searchinstruct_graph.models.offline.extracting import drafts
from searchinstruct_graph.models.offline.grammar import is_plural
from searchinstruct_graph.models.offline.task import Task
from searchinstruct_graph.models.tagged import Tag
from searchinstruct_graph.text.editing import aliases, fitted, holds, is_past, replaced

HOPS = 2
"""Questions about the new object itself."""


def portability(task: Task) -> dict[str, Any]:
    """Yes-or-no questions about both objects, the fact asked backwards, what was before, and what the quotes say of the new
    object; each only where a quote carries the answer.
    """
    asked, quotes = read(task), task.all("quote")
    of_new = [tag for tag in quotes if holds(tag.text, asked.new, asked.old)]
    if not of_new:
        return {"probes": []}
    naming_both = [tag for tag in of_new if holds(tag.text, asked.subject)] or of_new
    numbers = [int(tag.attributes["id"]) for tag in naming_both][:3]
    known = said(asked)
    found: list[dict[str, Any]] = []
    if is_english(asked) and known.statements[0] != LAST_RESORT:
        found += _yes_or_no(asked, known, quotes, numbers)
        found += _backwards(asked, known, numbers)
        found += _before(asked, known, quotes)
        found += _hops(asked, known, of_new)
    return {"probes": found}


def _probe(
    kind: str, question: str, answer: str, stale: str, other: Sequence[str], quotes: Sequence[int]
) -> dict[str, Any]:
    return {
        "kind": kind,
        "question": upper(question),
        "answer": answer,
        "stale": stale,
        "aliases": list(other),
        "quotes": list(quotes),
    }


def _yes_or_no(asked: Asked, known: Said, quotes: Sequence[Tag], numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
    now = stated(asked, asked.new)
    if asked.old and excludes(asked, [tag.text for tag in quotes]):
        yield _probe("confirm", _still(asked, known), f"No. {now}", "Yes", ["No"], numbers)
    question = f"is it correct that {_clause(asked, known, asked.new)}?"
    yield _probe("confirm", question, f"Yes. {now}", "No" if asked.old else "", ["Yes"], numbers)


_SEVERAL = re.compile(
    r"\b(?:member|part|presenter|host|co-host|employer|operator|occupant|tenant|partner|author|writer|performer|actor|award|product"
    r"|sponsor|language|instrument|child|founder|citizen|spokes\w+|label|residence|broadcaster|genre|school|educated|studies"
    r"|supports?|works?|worked|teaches|knows|uses?|speaks?|accepts?|allows?|includes?|contains?|offers?|provides?|has|may|can|could)\b",
    re.IGNORECASE,
)
_ONLY = re.compile(r"\b(?:only|nothing|none|no|alone|never|solely|exclusively|disabled|enabled)\b", re.IGNORECASE)


def excludes(asked: Asked, evidence: Sequence[str]) -> bool:
    """Whether the new object leaves no room for the old one, so that "is it still so?" is to be answered with no: the old one
    is "only" or a number, a quote speaks of it as over, or the relation has one object at a time (a capital, not an employer).
    """
    relation = spelled_out(asked.relation)
    if _ONLY.search(asked.old) or _ONLY.search(asked.new):
        return True
    if re.search(r"\d", asked.old) and re.search(r"\d", asked.new):
        return True
    if any(holds(text, asked.old, asked.new) and is_past(text) for text in evidence):
        return True
    return not _SEVERAL.search(relation) and not (is_plural(relation) and phrase(relation, asked.subject) is None)


def _still(asked: Asked, known: Said) -> str:
    """Whether the old object still is it, as a question."""
    relation, subject, old = spelled_out(asked.relation), inside(asked.subject), inside(asked.old)
    if asked.question or (not known.current and ALREADY_NOW.match(relation) is None):
        return f"is it true that {_clause(asked, known, asked.old)}?"
    if told := phrase(relation, asked.subject):
        return f"{' '.join(filter(None, [told.helper, subject, 'still', told.base, told.rest]))} {old}?"
    if known.statements[0].startswith(upper(f"the {relation} of")):
        return f"{'are' if is_plural(relation) else 'is'} the {relation} of {subject} still {old}?"
    return f"is it still true that {_clause(asked, known, asked.old)}?"


def _clause(asked: Asked, known: Said, value: str) -> str:
    """The statement about `value` as it stands inside of a sentence, with the time that the question asks about."""
    form, subject = known.statements[0], inside(asked.subject)
    tail = when_asked(asked.question).tail
    told = f"{put(form, value).rstrip('.')}{f' {tail}' if tail else ''}"
    if form.startswith(SLOT):
        return told if told.startswith(value) else fitted(told, False)
    if told.startswith(upper(subject)):
        return f"{subject}{told[len(subject) :]}"
    return told[0].lower() + told[1:] if told.split()[0] in ("The", "A", "An", "It") else told


def _backwards(asked: Asked, known: Said, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
    relation = spelled_out(asked.relation)
    if asked.question or phrase(relation, asked.subject) or not name_like(asked.new):
        return
    if known.statements[0].startswith(upper(f"the {relation} of")) and not is_plural(relation):
        question = f"what is {inside(asked.new)} the {relation} of?"
        yield _probe("reverse", question, asked.subject, "", aliases(asked.subject)[1:], numbers)


def _before(asked: Asked, known: Said, quotes: Sequence[Tag]) -> Iterator[dict[str, Any]]:
    """What was before, where a quote names the old object."""
    carrying = [int(tag.attributes["id"]) for tag in quotes if asked.old and holds(tag.text, asked.old, asked.new)]
    relation = spelled_out(asked.relation)
    if not carrying or asked.question or not known.current or phrase(relation, asked.subject):
        return
    if ALREADY_NOW.match(relation) or is_plural(relation):
        return
    if not known.statements[0].startswith(upper(f"the {relation} of")):
        return
    subject, new = inside(asked.subject), inside(asked.new)
    if known.direct[0].startswith("Who"):
        question = f"who was the {relation} of {subject} before {new}?"
    else:
        question = f"what was the {relation} of {subject} before it became {new}?"
    yield _probe("before", question, asked.old, "", aliases(asked.old)[1:], carrying[:3])


_WHO_IS = re.compile(r"(?:Who|What) (?:is|was|are|were) \S+(?: [A-Z(]\S*)*\?$")
"""Asked of an unnamed thing, this asks for its name."""


def _hops(asked: Asked, known: Said, quotes: Sequence[Tag]) -> Iterator[dict[str, Any]]:
    """Questions that the quotes answer about the new object, asked about it as what the fact makes it."""
    if not known.named or not known.current or not name_like(asked.new):
        return
    told: set[str] = set()
    for tag in quotes:
        for draft in drafts(tag.text, tag.attributes.get("title", "")):
            if draft.quality < 0.6 or holds(draft.question, asked.subject) or holds(draft.answer, asked.subject):
                continue
            if not holds(draft.question, asked.new) or (
                asked.old and holds(f"{draft.question} {draft.answer}", asked.old)
            ):
                continue
            question = replaced(draft.question, asked.new, known.named)
            if _WHO_IS.match(draft.question):
                continue
            if draft.answer not in told and len(told) < HOPS:
                told.add(draft.answer)
                yield _probe("hop", question, draft.answer, "", [], [int(tag.attributes["id"])])
