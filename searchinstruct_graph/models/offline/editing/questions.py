"""Questions that a fact brings: when they ask about, and as clauses and statements where their grammar is surely known.

People write questions in every way, and a sentence made of a misread one is worse than none. So a question is turned only where
the fact's subject stands in it by its own name, right where the grammar expects it; else it is asked as it is.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from searchinstruct_graph.models.offline.editing.asked import SLOT, Asked, When
from searchinstruct_graph.models.offline.editing.verbs import STRANDED
from searchinstruct_graph.models.offline.grammar import PAST_FORMS, base_form, is_participle, past_of, third
from searchinstruct_graph.text.editing import holds, mentions, surname
from searchinstruct_graph.text.periods import MONTH, time_asked

DATE = rf"(?: (?:the|early|late|mid|{MONTH},?|\d{{4}}|\d{{1,2}}(?!\d),?))"
"""A word of a date, with the blank before it."""
_PAST_TENSE = re.compile(r"\b(?:was|were|did|had)\b", re.IGNORECASE)
_PRESENT_TENSE = re.compile(r"\b(?:is|are|do|does|has|have|can|may|must|will)\b", re.IGNORECASE)
_WRITTEN_PAST = re.compile(r"(?<![\w'’])(?:[a-z]{3,}ed|" + "|".join(sorted(PAST_FORMS)) + r")\b")

_CHOICE = re.compile(r", (?:the |an? )?[\w-]+ or (?:the |an? )?[\w-]+$")
_BE_QUESTION = re.compile(
    r"(who|what|which(?: [\w’'-]+){1,4}?|what(?: [\w’'-]+){1,4}?) (is|are|was|were) (.+)", re.IGNORECASE
)
_DO_QUESTION = re.compile(
    r"((?:(?:in|into|for|by|at|to|with|from|on|under) )?(?:whom?|what|which|how many|how much)(?: [\w’'*\"-]+){0,5}?|where|when)"
    r" (did|does|do|can|could|may|must|should|will|would|is|are|was|were) (.+)",
    re.IGNORECASE,
)
# "She lived in which country": what is asked for stands where the answer will.
_IN_PLACE = re.compile(
    r"((?!(?:who|what|which|where|when|how|why|name)\b)\S.{0,200}? )((?:which|what)(?: [\w’'-]+){1,6})", re.IGNORECASE
)
_ASKING = re.compile(
    r"(?:(?:in|into|for|by|at|to|with|from|on|under|of) )?(?:who|whom|whose|what|which|where|when|how|why)\b"
    r"|(?:is|are|was|were|do|does|did|can|may|has|have)\b",
    re.IGNORECASE,
)
# "What position did she assume?": assumed Minister is no English.
_ROLE = re.compile(r"\b(?:position|rank|title|role|job|post|office|function|occupation|profession)\b", re.IGNORECASE)
_LONG = 8
"""Words of a subject after which a clause puts its verb first: nobody waits that long for it."""


class Turned(NamedTuple):
    """A question as a clause, and as a statement with a place for its answer; empty where that is not surely known."""

    embedded: str = ""
    statement: str = ""
    named: str = ""


def is_asking(text: str) -> bool:
    """Whether a text opens as a question does."""
    return bool(_ASKING.match(text))


def inside_question(core: str) -> str:
    """A question as it stands after a colon or comma."""
    return core[0].lower() + core[1:] if is_asking(core) else core


def when_asked(question: str) -> When:
    """The time that a question asks about, and whether it speaks of the past."""
    if not question:
        return When()
    tail = time_asked(question)
    past = _PAST_TENSE.search(question) or (_WRITTEN_PAST.search(question) and not _PRESENT_TENSE.search(question))
    closed = re.search(r"\d{4}.*\b(?:to|until|and)\b.*\d{4}", tail)
    return When(tail, bool(past or closed))


def names_answer(asked: Asked) -> bool:
    """Whether the question names the new object and not the old one as well: it asks for something else than the fact."""
    return holds(asked.question, asked.new, asked.old) and not (
        asked.old and holds(asked.question, asked.old, asked.new)
    )


def turned(asked: Asked, core: str) -> Turned:
    """`core`, a question without its mark and its time, as a clause and a statement, as far as its grammar is sure."""
    subject = asked.subject
    if found := _BE_QUESTION.fullmatch(core):
        return _turned_be(found.group(1), found.group(2), found.group(3), subject)
    if found := _DO_QUESTION.fullmatch(core):
        return _turned_do(found.group(1), found.group(2), found.group(3), subject)
    parts = core.split()
    if parts and parts[0].lower() in ("who", "what", "which"):
        for at in range(1 if parts[0].lower() == "who" else 2, min(6, len(parts) - 1)):
            if _finite(parts[at]):
                verb = " ".join(parts[at:])
                if not _ends_with(verb, subject):
                    return Turned()
                return Turned(core, f"{SLOT} {verb}", _that(" ".join(parts[:at]), verb))
        return Turned()
    if (found := _IN_PLACE.fullmatch(core)) and (split := _after_subject(found.group(1), subject)):
        before, which = found.group(1).strip(), found.group(2)
        if not _finite(split[1].partition(" ")[0], auxiliaries=True) or _ROLE.search(which):
            return Turned()
        return Turned(f"{which} {before}", f"{before} {SLOT}", _that(which, before))
    return Turned()


def _that(wh: str, clause: str) -> str:
    """What a `which N` question asks for as a noun phrase: "the N that ..."."""
    asking = wh.split()
    noun = len(asking) > 1 and asking[0].lower() in ("which", "what")
    return f"the {' '.join(asking[1:])} that {clause}" if noun else ""


def _finite(word: str, *, auxiliaries: bool = False) -> bool:
    small = word.lower()
    if auxiliaries and small in ("is", "are", "was", "were", "has", "had", "have"):
        return True
    known = small.endswith("ed") or small in PAST_FORMS or (bool(base_form(small)) and small.endswith("s"))
    return small == word and small not in ("had", "did") and known


def _turned_be(wh: str, be: str, rest: str, subject: str) -> Turned:
    first = rest.split()[0].lower()
    if split := _after_subject(rest, subject):
        if not split[1]:
            return Turned(f"{wh} {rest} {be}", f"{rest} {be} {SLOT}")
        clause = f"{split[0]} {be} {split[1]}"
        return Turned(f"{wh} {clause}", f"{clause} {SLOT}", _that(wh, clause))
    if not _ends_with(rest, subject):
        return Turned()
    if is_participle(first):
        return Turned(f"{wh} {be} {rest}", f"{SLOT} {be} {rest}", _that(wh, f"{be} {rest}"))
    if first in ("the", "his", "her", "their", "its") or re.match(r".{1,60}?['’]s? ", rest):
        clause = f"{rest} {be}" if len(rest.split()) <= _LONG else f"{be} {rest}"
        return Turned(f"{wh} {clause}", f"{rest} {be} {SLOT}", rest)
    return Turned(f"{wh} {be} {rest}", f"{SLOT} {be} {rest}", _that(wh, f"{be} {rest}"))


def _turned_do(wh: str, helper: str, rest: str, subject: str) -> Turned:
    split = _after_subject(rest, subject)
    if not split or not split[1] or _ROLE.search(wh):
        return Turned()
    who, verbal = split
    base, _, tail = verbal.partition(" ")
    full = helper.lower() in ("do", "does", "did")
    if not re.fullmatch(r"[a-z]+", base) or (full and (is_participle(base) or base.endswith("ing"))):
        return Turned()
    verb = {"did": past_of(base), "does": third(base), "do": base}.get(helper.lower(), f"{helper} {base}")
    embedded = f"{wh} {who} {verb} {tail}".strip()
    place = wh.lower().split()[0]
    if place in ("where", "when"):
        return Turned(embedded, "")
    if place in STRANDED:
        return Turned(embedded, " ".join(filter(None, [who, verb, tail, place, SLOT])))
    if tail.split(" ")[-1] in STRANDED:
        return Turned(embedded, f"{who} {verb} {tail} {SLOT}", _that(wh, f"{who} {verb} {tail}"))
    return Turned(embedded, f"{who} {verb} {SLOT} {tail}".strip(), _that(wh, f"{who} {verb} {tail}".strip()))


def _after_subject(rest: str, subject: str) -> tuple[str, str] | None:
    """(subject, what follows) of a clause that opens with the fact's subject, be it by the surname; None when it does not."""
    bare = rest.lstrip()
    start = len(rest) - len(bare)
    article = re.match(r"(?:the|The|a|an) ", bare)
    for opening in (start, start + len(article.group()) if article else start):
        for span in mentions(rest, subject):
            if span.start == opening and rest[span.end : span.end + 1] in ("", " "):
                return rest[start : span.end], rest[span.end :].strip()
    return None


def _ends_with(text: str, subject: str) -> bool:
    """Whether a clause ends with the fact's subject by one of its names."""
    spans = mentions(text, subject, surnames=bool(surname(subject)))
    return bool(spans) and not text[spans[-1].end :].strip(" '\"’”")
