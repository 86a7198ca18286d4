"""What is answered from which quotes: chains of quotes, and whether they answer at all."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from searchinstruct_graph.models.offline.lens import Look, look, terms, weight_of
from searchinstruct_graph.models.offline.names import names
from searchinstruct_graph.models.tagged import Tag
from searchinstruct_graph.text.sentences import Span
from searchinstruct_graph.text.stopwords import language_of
from searchinstruct_graph.text.words import stems

ANSWERS = 0.67
"""Score from which the best quotes count as an answer (README of the offline model: how it was chosen)."""

NEAR_TIE = 0.04
"""Two quotes whose scores differ by less than this are near-ties; a sample drawn at temperature 1 may take either."""

UNNAMED = 0.08
"""What the score of an answer loses when it mentions none of the question's names."""

STATEMENTS = 5
"""Most statements in an answer."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A quote as an answer to the question."""

    number: int
    text: str
    title: str
    look: Look

    @property
    def score(self) -> float:
        """How well it answers alone."""
        return self.look.score


def candidates(question: str, quotes: Sequence[Tag]) -> list[Candidate]:
    """The quotes, best first; equal scores keep their order."""
    found: list[Candidate] = []
    for quote in quotes:
        whole = look(question, quote.text, quote.attributes.get("title", ""), [Span(0, len(quote.text))])
        if whole:
            found.append(
                Candidate(int(quote.attributes["id"]), quote.text, quote.attributes.get("title", ""), whole[0])
            )
    return sorted(found, key=lambda c: (-c.score, c.number))


def shaken(ranked: Sequence[Candidate], temperature: float, seed: int) -> list[Candidate]:
    """The candidates in a seeded order in which only near-ties change places; temperature 0 changes nothing."""
    if temperature <= 0:
        return list(ranked)
    draw = random.Random(seed)
    spread = NEAR_TIE * temperature
    noisy = [(candidate.score + draw.uniform(-spread, spread), candidate) for candidate in ranked]
    return [candidate for _, candidate in sorted(noisy, key=lambda pair: (-pair[0], pair[1].number))]


def links(first: Candidate, second: Candidate, question: str) -> bool:
    """Whether `second` speaks about something that `first` names and the question does not: a step of a chain."""
    language = language_of(question)
    asked = set(terms(question, language))
    about = set(stems(second.title, language)) or set(stems(second.text[:80], language))
    for name in names(first.text):
        told = [stem for stem in terms(name, language) if stem not in asked]
        if told and all(stem in about for stem in told):
            return True
    return False


def chain(question: str, ranked: Sequence[Candidate]) -> list[Candidate]:
    """The best quote, then quotes that its names lead to (or from) and that hold words of the question still missing."""
    if not ranked:
        return []
    picked = [ranked[0]]
    covered = set(ranked[0].look.covered)
    for candidate in ranked[1:12]:
        if len(picked) == STATEMENTS - 1:
            break
        gain = weight_of(candidate.look.inside - covered, question)
        if gain >= 0.1 and any(links(held, candidate, question) or links(candidate, held, question) for held in picked):
            picked.append(candidate)
            covered |= candidate.look.covered
    return picked


def answer_score(question: str, picked: Sequence[Candidate]) -> float:
    """How well a chain answers: the best quote's score, raised by the words that only the linked quotes hold, lowered
    for every name in the question that the whole chain never mentions.
    """
    if not picked:
        return 0.0
    covered: set[str] = set()
    for candidate in picked:
        covered |= candidate.look.covered
    alone = weight_of(picked[0].look.covered, question)
    score = picked[0].score + (weight_of(covered, question) - alone) * 0.8
    named = names(question)
    if named:
        language = language_of(question)
        held = set(stems(" ".join(f"{candidate.title} {candidate.text}" for candidate in picked), language))
        absent = [name for name in named if not set(stems(name, language)) <= held]
        score -= UNNAMED * len(absent) / len(named)
    return score


def answers(question: str, picked: Sequence[Candidate]) -> bool:
    """Whether the chain is good enough to be called an answer."""
    return answer_score(question, picked) >= ANSWERS
