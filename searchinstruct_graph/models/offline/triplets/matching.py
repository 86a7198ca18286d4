"""Does a passage answer a query, and does it meet an instruction? Scores from 0 (surely not) to 1, .5 where it tips over."""

from __future__ import annotations

from functools import lru_cache

from searchinstruct_graph.models.offline.choose import ANSWERS, answer_score, candidates, chain
from searchinstruct_graph.models.offline.frames import unframed
from searchinstruct_graph.models.offline.lens import terms, weight_of
from searchinstruct_graph.models.offline.triplets.criteria import Criterion, Judged, judge
from searchinstruct_graph.models.offline.triplets.wording import read
from searchinstruct_graph.models.tagged import Tag
from searchinstruct_graph.text.sentences import sentences
from searchinstruct_graph.text.stopwords import language_of
from searchinstruct_graph.text.words import normal_form

DOUBT = 0.4
"""Width of the scores around `ANSWERS` within which an answer is neither sure nor surely missing."""

COVERED = 0.7
"""Share of a query's weight that an answering passage holds, .5 where it tips over: a passage that lacks a query's rarest word
is about something else."""

_FRAME = frozenset("fact facts information know learn more overview should tell one".split())
"""Words that only say that somebody wants to know."""

QUOTE_CHARS = 1_200


@lru_cache(maxsize=65_536)
def answering(query: str, passage: str, title: str = "") -> float:
    """How surely a passage as a whole answers a query: .5 where the offline model begins to answer."""
    plain = " ".join(word for word in query.split() if normal_form(word) not in _FRAME) or query
    whole = candidates(plain, [Tag("quote", passage, {"id": "1", "title": title})])
    if not whole:
        return 0.0
    score = (answer_score(plain, chain(plain, whole)) - ANSWERS) / DOUBT
    held = whole[0].look.covered
    covered = (weight_of(held, plain) - COVERED) / (1 - COVERED) / 2
    if any(stem not in held for stem in _rarest(plain)):
        covered = min(covered, ABOUT_ELSE - 0.5)
    return min(1.0, max(0.0, 0.5 + min(score, covered)))


ABOUT_ELSE = 0.2
"""Score of a passage that lacks the rarest word of the query at most."""


def _rarest(query: str) -> list[str]:
    weights = terms(unframed(query), language_of(query))
    return [stem for stem, weight in weights.items() if weight >= 0.95 * max(weights.values())]


def answer_quote(query: str, passage: str) -> str:
    """The sentence of a passage that answers best; empty when it says nothing."""
    spans = sentences(passage)
    tags = [
        Tag("quote", passage[span.start : span.end], {"id": str(number), "title": ""})
        for number, span in enumerate(spans[:200], 1)
    ]
    ranked = candidates(query, tags)
    return ranked[0].text[:QUOTE_CHARS] if ranked else ""


@lru_cache(maxsize=16_384)
def asked_by(instruction: str) -> tuple[Criterion, ...]:
    """The criteria that an instruction names; empty when it is not understood."""
    return tuple(said.criterion for said in read(instruction))


def meeting(instruction: str, passage: str) -> Judged:
    """How surely a passage meets every criterion of an instruction, with the words that show the least sure one.

    An instruction that is not understood is met by nothing: 0.
    """
    criteria = asked_by(instruction)
    if not criteria:
        return Judged(0.0, "")
    found = min((judge(each, passage) for each in criteria), key=lambda judged: judged.score)
    return Judged(found.score, found.quote[:QUOTE_CHARS])
