"""How the offline model looks at a sentence: which of the question's words it holds, how rare they are, how near its
meaning is, and whether it holds the kind of thing that is asked for.

A word's weight is the norm of its static embedding: training leaves frequent words near the origin, so the norm
serves as an inverse document frequency that needs no corpus.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.offline.frames import unframed
from searchinstruct_graph.models.support.reading import word_weight
from searchinstruct_graph.text.sentences import Span, sentences
from searchinstruct_graph.text.stopwords import is_stopword, language_of
from searchinstruct_graph.text.words import normal_form, stems, words

Kind = Literal["date", "number", "name", "meaning", "any"]

TITLE_SHARE = 0.6
"""What a question word counts when only the page's title holds it."""

NEIGHBOUR_SHARE = 0.3
"""What a question word counts when only the sentence before holds it."""

MEANING_SHARE = 0.3
"""What embedding similarity adds to word coverage (chosen on held-out reading questions, as the kind's bonus was)."""

KIND_BONUS = 0.15
"""What it adds that the sentence holds a date, number or name when one is asked for."""

FRAGMENT_LOSS = 0.3
"""What a fragment loses: a sentence that says nothing beyond the question's own words, or only points elsewhere."""

_SUBJECT_WEIGHT = 10.0

_MENTIONED = re.compile(
    r"\b(?:the|a|an)\s+(for|if|with|while|in|is|and|or|not|as|from|by|do|can|will|this|self|all|any|some)\s+"
    r"(?=statement|keyword|operator|clause|loop|command|function|expression|module)|[\"'`“](\w{2,12})[\"'`”]",
    re.IGNORECASE,
)
_POINTER = re.compile(r"^\W*(?:see\b|see also\b|for example\b|note\b\W*$|vgl\.|siehe\b)", re.IGNORECASE)
_COPULA = re.compile(
    r"\b(?:is|are|means?|refers?|defines?|used|allows?|lets?|called|denotes?|ist|sind|bedeutet|heißt)\b", re.IGNORECASE
)

_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        "date",
        re.compile(
            r"\b(?:when|(?:what|which) (?:year|date|day|month|century|decade)|wann|quand|cuándo)\b"
            r"|متى|چه سال|什么时候|何时|哪一年|哪年"
        ),
    ),
    (
        "number",
        re.compile(
            r"\bhow (?:many|much|long|old|tall|high|far|big|large|often|fast|deep|wide|heavy)\b"
            r"|\b(?:what|which) (?:percent|percentage|number|amount|population)\b"
            r"|\bwie (?:viele?|lange|hoch|groß)\b|\bcombien\b|\bcuánt[oa]s?\b|كم|چند|多少|几"
        ),
    ),
    (
        "meaning",
        re.compile(
            r"^(?:what (?:is|are|does|do)\b(?! the (?:name|capital|population))|was (?:ist|sind|macht|bedeutet)\b"
            r"|define\b|explain\b)|\bmean\b"
        ),
    ),
    (
        "name",
        re.compile(
            r"\b(?:who|whom|whose|where|wer|wem|wen|wo|qui|où|quién|dónde)\b"
            r"|\b(?:what|which) (?:city|country|state|place|county|town|continent|region|person|company|team|album|film|song"
            r"|book)\b"
        ),
    ),
)
_DATE = re.compile(
    r"\b\d{3,4}\b|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|century|centuries"
    r"|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b"
    r"|世纪|年|月|قرن|عام|سنة|سال|jahrhundert|januar|februar|märz|juni|juli|oktober|dezember"
)
_NUMBER_WORD = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|million|billion|half|third"
    r"|quarter|once|twice|ein|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|hundert|tausend)\b|[一二三四五六七八九十百千万亿]"
    r"|[٠-٩۰-۹]"
)
_CAPITAL = re.compile(r"\b[A-ZÀ-ÖØ-ÞА-Я][\w’'.-]*")
_YEAR = re.compile(r"\b(1[0-9]{3}|20[0-9]{2})\b")


@lru_cache(maxsize=20_000)
def terms(text: str, language: str) -> dict[str, float]:
    """The stems that carry meaning, in `language`, each with its weight; do not change the returned dict.

    A function word right after an article or in quotation marks is the subject ("the with statement"), so it counts.
    """
    found: dict[str, float] = {}
    named = {word for match in _MENTIONED.findall(text) for word in words(" ".join(match))}
    for word in words(text):
        if not is_stopword(word) or word in named:
            stem = stems(word, language)[0]
            found[stem] = max(found.get(stem, 0.0), word_weight(word), _SUBJECT_WEIGHT if word in named else 0.0)
    return found


def kind_asked(question: str) -> Kind:
    """What kind of thing the question asks for, from its question words."""
    folded = normal_form(question)
    return next((kind for kind, pattern in _KINDS if pattern.search(folded)), "any")


def holds_kind(kind: Kind, sentence: str, asked: dict[str, float], language: str) -> bool:
    """Whether the sentence holds a thing of that kind that the question does not already name."""
    if kind == "date":
        return bool(_DATE.search(normal_form(sentence)))
    if kind == "number":
        return bool(_NUMBER_WORD.search(normal_form(sentence)))
    if kind == "name":
        names = [name for name in _CAPITAL.findall(sentence) if not is_stopword(normal_form(name))]
        return (
            any(stem not in asked for name in names for stem in stems(name, language))
            if _CAPITAL.search(sentence)
            else not sentence.isascii()
        )
    if kind == "meaning":
        opening = set(stems(" ".join(sentence.split()[:5]), language))
        return bool(opening & set(asked)) and bool(_COPULA.search(sentence))
    return True


def fragment(sentence: str, held: dict[str, float], asked: dict[str, float]) -> bool:
    """Whether the sentence adds nothing to the question's words, or only points to another place."""
    return (len(held.keys() - asked.keys()) < 2 and not _DATE.search(normal_form(sentence))) or bool(
        _POINTER.search(sentence)
    )


def years(text: str) -> list[int]:
    """The years (1000 to 2099) named in digits, in order."""
    return [int(year) for year in _YEAR.findall(text)]


@dataclass(frozen=True, slots=True)
class Look:
    """A sentence as seen from a question. `covered` are the question's stems that the sentence or its context holds."""

    span: Span
    score: float
    covered: frozenset[str]
    inside: frozenset[str]


def look(question: str, text: str, title: str = "", spans: Sequence[Span] | None = None) -> list[Look]:
    """Score every sentence of `text` (or every given span) against `question`; higher answers better, about 0 to 1.45."""
    spans = sentences(text) if spans is None else spans
    if not spans:
        return []
    language = language_of(question)
    asked = terms(unframed(question), language)
    whole = sum(asked.values()) or 1.0
    pieces = [text[span.start : span.end] for span in spans]
    held = [terms(piece, language) for piece in pieces]
    in_title = terms(title, language)
    vectors = embeddings("wordllama").embed([question, *pieces])
    near = vectors[1:] @ vectors[0]
    kind = kind_asked(question)
    looks: list[Look] = []
    for at, (span, piece) in enumerate(zip(spans, pieces, strict=True)):
        span_years = years(piece)
        covered, inside, got = set(), set(), 0.0
        for stem, weight in asked.items():
            if stem in held[at] or _year_inside(stem, span_years):
                got += weight
                inside.add(stem)
                covered.add(stem)
            elif stem in in_title:
                got += weight * TITLE_SHARE
                covered.add(stem)
            elif at and stem in held[at - 1]:
                got += weight * NEIGHBOUR_SHARE
                covered.add(stem)
        score = got / whole + MEANING_SHARE * float(near[at]) + KIND_BONUS * holds_kind(kind, piece, asked, language)
        if fragment(piece, held[at], asked):
            score -= FRAGMENT_LOSS
        looks.append(Look(span, score, frozenset(covered), frozenset(inside)))
    return looks


def _year_inside(stem: str, span_years: Sequence[int]) -> bool:
    # "from 1990 to 1999" answers for 1995 although 1995 is not written.
    return len(stem) == 4 and stem.isdigit() and len(span_years) > 1 and min(span_years) <= int(stem) <= max(span_years)


def weight_of(stems_held: frozenset[str] | set[str], question: str) -> float:
    """Share of the question's weight that these stems make up, 0 to 1."""
    asked = terms(unframed(question), language_of(question))
    return sum(asked[stem] for stem in stems_held if stem in asked) / (sum(asked.values()) or 1.0)
