"""Questions that one statement of fact answers whole: findings, quantities, dates, definitions, comparisons. English only.

Beside `asking`, whose questions go to a search, these are asked by somebody who has never seen the page and come with the
sentence as their answer. So a subject must name something by itself, and what a study only counts of its own
patients is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from searchinstruct_graph.models.offline.asking import asks_of
from searchinstruct_graph.models.offline.grammar import points_elsewhere
from searchinstruct_graph.models.offline.pairs.facts import FACTS
from searchinstruct_graph.models.offline.pairs.phrases import (
    FRONT,
    INSERTED,
    NOTHING_KNOWN,
    OWN,
    STATISTICS,
    Found,
    Vocabulary,
    lowered,
    names_itself,
    telling,
)
from searchinstruct_graph.models.offline.pairs.relations import RELATIONS


def findings(sentence: str, known: Vocabulary = NOTHING_KNOWN) -> Iterator[Found]:
    """The questions that the statement `sentence` (see `plain`) answers whole."""
    bare = STATISTICS.sub("", INSERTED.sub("", sentence)).strip().rstrip(". ")
    body = _BOTH.sub("", lowered(FRONT.sub("", bare), known))
    for rule in _RULES:
        for found in rule(body):
            question = _ARTICLE.sub(_with_n, found.question.replace(" ,", ",").replace("``", "`"))
            size = len(question.split())
            least = 1 if _WHAT_IS.match(question) else 2
            if (
                3 <= size <= 32
                and question.count("(") == question.count(")")
                and telling(question) >= least
                and not MARKS.search(question)
            ):
                fitted = f"{question[0].upper()}{question[1:]}" if question[0].islower() else question
                yield found._replace(question=fitted, quality=found.quality - max(0, size - 18) * 0.02)


_BOTH = re.compile(r"^both (?=.{2,60} and )")
MARKS = re.compile(r"[*<>=±:]|\d ?%|\bin \d+ (?:patients|cases|women|men|children)\b")

_ARTICLE = re.compile(
    r"\ban? (?=independent|important|increase|improvement|association|interaction|[bcdfgjklmnpqrstvwyz])"
)


def _with_n(found: re.Match[str]) -> str:
    after = found.string[found.end() : found.end() + 1]
    return "an " if after in "aeio" else "a "


_WHAT_IS = re.compile(r"(?:what|who) (?:is|are|was|were) ", re.IGNORECASE)


# What `asking` makes, where it is a question that one sentence answers whole.

_KEPT = (
    (re.compile(r"what (?:is|are) (?:the difference between .+|.+ used for)\?", re.IGNORECASE), 0.95),
    (re.compile(r"why ", re.IGNORECASE), 1.0),
    (re.compile(r"what happens (?:if|when) ", re.IGNORECASE), 0.85),
    (re.compile(r"when (?:is|are|can|should|must|do|does|will) ", re.IGNORECASE), 0.8),
    (re.compile(r"how (?:is|are|can|does|do) ", re.IGNORECASE), 0.85),
    (re.compile(r"what (?:do|does|did|will) ", re.IGNORECASE), 0.75),
    (re.compile(r"what should be used when ", re.IGNORECASE), 0.85),
)  # fmt: skip

_DOES = re.compile(r"What (?:do|does|did|will) (?P<subject>.+) (?P<verb>[a-z]+)\?$")

_POOR_VERBS = frozenset(
    """
    make need take perform give have find get keep show see go do want try seem become remain come lead help let mean exist
    appear represent indicate suggest
    support use report result process record effect allow
    """.split()
)

_VAGUE_HOW = re.compile(
    r"(?:How|When) (?:is|are|was|were|can|does|do) .+ (?:presented|given|made|obtained|described|represented"
    r"|discussed|used|considered|reported|performed"
    r"|provided|analy[sz]ed|evaluated|assessed|compared|collected|recruited|included|studied|examined"
    r"|investigated|required|small|large|done|noted)\?$"
)


def _object_follows(asked: re.Match[str], body: str) -> bool:
    """Whether the verb of "what does X do?" is one in the sentence: an article or a number comes right after it."""
    return bool(
        re.search(
            rf"\b{asked['verb'][:-1]}\w{{0,3}} (?:an?|the|all|every|each|no|only|both|several|many|more"
            r"|multiple|various|different|two|three|four|five|\d+)\b",
            body,
        )
    )


def _asked(body: str) -> Iterator[Found]:
    sentence = f"{body}."
    if points_elsewhere(sentence) or OWN.search(sentence) or len(body.split()) > 42:
        return
    if re.match(
        r"as |(?:in order )?to .*\b(?:was|were)\b|.*\b(?:was|were|been) .*\b(?:in order|so as) to\b",
        body,
        re.IGNORECASE,
    ) or re.search(r" (?:is|are) when |\bbefore\b.*\bwhen\b", body):
        return
    for ask in asks_of(sentence):
        asked = ask.question
        if asked.startswith("How can one "):
            goal = asked.removeprefix("How can one ").rstrip("?")
            if (
                telling(goal) >= 2
                and not OWN.search(goal)
                and len(goal.split()) <= 14
                and not re.match(r"(?:have|be|make|do)\b", goal)
            ):
                yield Found(f"how do you {goal}?", "apply", 0.9)
            continue
        worth = next((worth for shape, worth in _KEPT if shape.match(asked)), 0.0)
        if (
            not worth
            or telling(asked) < 2
            or re.match(r"Regarding|Why (?:have|has|had)\b", asked)
            or _VAGUE_HOW.match(asked)
        ):
            continue
        if asked.startswith("When ") and telling(asked) < 3:
            continue
        if re.match(r"What happens|When ", asked) and re.search(r",|\b(?:was|were)\b", asked):
            continue
        if does := _DOES.match(asked):
            if does["verb"] in _POOR_VERBS or not names_itself(does["subject"]) or not _object_follows(does, body):
                continue
        elif re.match(r"What (?:do|does|did|will) ", asked):
            continue
        yield Found(asked, ask.level, worth * min(1.0, ask.quality + 0.1))


_RULES = (*RELATIONS, *FACTS, _asked)
