"""Criteria that can be checked in a passage, and whether it meets them: nothing but cues, so doubt is a score in between."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from searchinstruct_graph.models.offline.lens import terms
from searchinstruct_graph.models.offline.names import names
from searchinstruct_graph.models.offline.pairs.page import ENGLISH, Page
from searchinstruct_graph.models.offline.teaching import noun_phrases
from searchinstruct_graph.models.offline.triplets.lexicon import ASPECTS, CLOSED, PLACES, Entry
from searchinstruct_graph.models.support.reading import word_weight
from searchinstruct_graph.models.tagged import Tag
from searchinstruct_graph.text.sentences import sentences
from searchinstruct_graph.text.stopwords import is_stopword
from searchinstruct_graph.text.words import normal_form, words

MEETS, FAILS = 0.7, 0.3
"""Scores from which a passage surely meets a criterion, and up to which it surely does not."""

FIRST_YEAR, LAST_YEAR = 1000, 2099
"""Ends of a period that is open."""

YEAR = re.compile(
    r"(?:(?<![\w$£€#.,/-])|(?<=\b\d{4}-))(?:1[5-9]\d\d|20[0-2]\d)(?=s?\b)(?![.,]\d|%|-(?!(?:1[5-9]|20)\d\d\b)\d{3,4}\b"
    r"|s? (?:feet|foot|miles|people|square|calories|mg|km|kg|lbs|pounds|students|employees|acres|residents|inhabitants|words)\b)"
)
"""A year as a page names it; other numbers of four digits are mostly told apart by what stands around them."""

LENGTHS = (40, 60, 80, 120)
"""Numbers of words that lengths are asked for in."""

_LONGEST = 20_000


class Criterion(NamedTuple):
    """One thing that is asked of a passage.

    `value` is a name in the lexicon (aspect, source, style, audience, quantity), a place, a period `1990-1999`, a length
    `-60` or `60-` in words, or the thing that must be mentioned. `denied`: it must not be so.
    """

    kind: str
    value: str
    denied: bool = False


class Judged(NamedTuple):
    """How far a passage meets a criterion, 0 to 1, and its words that show it (empty when none do)."""

    score: float
    quote: str


def is_english(text: str) -> bool:
    """Whether the rules here understand the text."""
    return Page(text[:2_000], "").english >= ENGLISH / 2


@lru_cache(maxsize=4_096)
def _pieces(text: str) -> tuple[str, ...]:
    return tuple(text[span.start : span.end] for span in sentences(text[:_LONGEST]))


def judge(criterion: Criterion, text: str) -> Judged:
    """Whether `text` meets `criterion`. An unknown kind or value is met by nothing and denied by nothing: .5."""
    found = _judged(criterion.kind, criterion.value, text)
    if not criterion.denied:
        return found
    return Judged(1.0 - found.score, "" if found.score <= FAILS else found.quote)


@lru_cache(maxsize=65_536)
def _judged(kind: str, value: str, text: str) -> Judged:
    if kind == "aspect" and value in ASPECTS:
        return _focus(value, text)
    if kind in CLOSED:
        entry = CLOSED[kind].get(value)
        return _by_cues(entry, text) if entry else Judged(0.5, "")
    if kind == "time":
        low, high = period(value)
        return _holding(text, lambda piece: any(low <= year <= high for year in dated(piece)))
    if kind == "place":
        pattern = place_pattern(value)
        return _holding(text, lambda piece: bool(pattern.search(piece)))
    if kind == "mention":
        return _mentioned(value, text)
    if kind == "length":
        count, (low, high) = len(words(text)), period(value, 0, 1_000_000)
        # Within a tenth of the bound nobody counts.
        edge = low if low else high
        return Judged(0.5 if abs(count - edge) <= 0.1 * edge else float(low <= count <= high), "")
    return Judged(0.5, "")


def _holding(text: str, holds: object) -> Judged:
    assert callable(holds)
    piece = next((piece for piece in _pieces(text) if holds(piece)), "")
    return Judged(float(bool(piece)), piece)


def _by_cues(entry: Entry, text: str) -> Judged:
    """Two strong cues, or one with a weak one, decide; a strong cue in the first sentence counts twice."""
    if entry.weak is None:
        return _holding(text, lambda piece: bool(entry.strong.search(piece)))
    strong = weak = 0
    quote = ""
    for at, piece in enumerate(_pieces(text)):
        hits = len({found.group().lower() for found in entry.strong.finditer(piece)})
        strong += hits + (at == 0 and hits > 0)
        weak += len({found.group().lower() for found in entry.weak.finditer(piece)})
        if hits and not quote:
            quote = piece
    return Judged(min(1.0, 0.35 * strong + 0.15 * min(weak, 2)) if strong else min(0.3, 0.15 * weak), quote)


def dated(text: str) -> list[int]:
    """The years that a text names, in order."""
    return [int(found) for found in YEAR.findall(text)]


FOCUS, RIVAL = 0.34, 0.8
"""Share of sentences that an aspect needs, and its least part of the share of the strongest one; on 1,500 labelled medical
answers 74 % of labels are met, and 93, 88 and 84 % of the passages said to be about symptoms, treatment, inheritance are."""


@lru_cache(maxsize=4_096)
def _aspects(text: str) -> dict[str, tuple[float, int]]:
    """Of each aspect the share of sentences with a strong cue (the first counts twice), and how many have a weak one."""
    pieces = _pieces(text)
    found: dict[str, tuple[float, int]] = {}
    for name, entry in ASPECTS.items():
        strong = [bool(entry.strong.search(piece)) for piece in pieces]
        weak = sum(bool(entry.weak and entry.weak.search(piece)) for piece in pieces)
        found[name] = ((sum(strong) + any(strong[:1])) / (len(pieces) + 1), weak)
    return found


def _focus(value: str, text: str) -> Judged:
    """A passage is about an aspect when enough of its sentences are and no other aspect is clearly stronger."""
    shares = _aspects(text)
    share, weak = shares[value]
    if not share:
        return Judged(min(FAILS, 0.15 * weak), "")
    quote = next(piece for piece in _pieces(text) if ASPECTS[value].strong.search(piece))
    ahead = share >= RIVAL * max(each for each, _ in shares.values())
    return Judged(min(1.0, 0.7 + share - FOCUS) if share >= FOCUS and ahead else 0.5, quote)


def period(value: str, first: int = FIRST_YEAR, last: int = LAST_YEAR) -> tuple[int, int]:
    """The two ends, both included, of `1990-1999`, `-1950` or `2006-`."""
    low, _, high = value.partition("-")
    return int(low) if low else first, int(high) if high else last


@lru_cache(maxsize=1_024)
def place_pattern(value: str) -> re.Pattern[str]:
    """The words that name a place."""
    spelled = PLACES.get(value, ("", (value,)))[1]
    # New Mexico is not Mexico, and New England not England.
    return re.compile(rf"(?<!\w)(?<!New )(?<!North )(?<!South )(?<!West )(?:{'|'.join(map(re.escape, spelled))})(?!\w)")


def _mentioned(value: str, text: str) -> Judged:
    wanted = set(terms(value, "en")) or set(words(value))
    for piece in _pieces(text):
        if wanted and wanted <= set(terms(piece, "en")) | set(words(piece)):
            return Judged(1.0, piece)
    # The same words in different sentences: neither mentioned nor left out.
    return Judged(0.5 if wanted and wanted <= set(terms(text[:_LONGEST], "en")) else 0.0, "")


# What a passage offers.


def held(text: str, draws: int = 0) -> list[Criterion]:
    """What can be asked of a passage that surely meets it: its periods, places, figures, kinds of text, aspects and names.

    `draws` (any number) chooses how periods are cut.
    """
    return [each for each in _offered(text, draws) if judge(each, text).score >= MEETS]


def _offered(text: str, draws: int) -> Iterator[Criterion]:
    for kind, entries in CLOSED.items():
        for value in entries:
            yield Criterion(kind, value)
    for year in sorted(set(dated(text[:_LONGEST]))):
        yield Criterion("time", around(year, draws + year))
    for place in PLACES:
        if place in text:
            yield Criterion("place", place)
    for thing in things(text):
        yield Criterion("mention", thing)
    count = len(words(text))
    for length in LENGTHS:
        yield Criterion("length", f"-{length}" if count < length else f"{length}-")


def around(year: int, draws: int) -> str:
    """A period that holds `year`: its decade, some years to both sides, or one end open; `draws` chooses."""
    way, shift = draws % 4, 1 + draws // 4 % 7
    if way == 0:
        return f"{year // 10 * 10}-{year // 10 * 10 + 9}"
    if way == 1:
        return f"{year - shift}-{year + 8 - shift}"
    return f"{year - shift}-" if way == 2 else f"-{year + shift}"


_CALENDAR = re.compile(
    r"^(?:January|February|March|April|May|June|July|August|September|October|November|December|Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)"
)
TELLING = 11.0
"""Mean weight of the words of a noun phrase from which it is worth asking for (`lens.word_weight`)."""

_PLACE_NAMES = frozenset(word for _, spelled in PLACES.values() for word in spelled)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z' -]*[A-Za-z]")


@lru_cache(maxsize=4_096)
def things(text: str) -> tuple[str, ...]:
    """What a passage can be asked to mention: names inside of sentences, then noun phrases that tell much; at most 12."""
    kept: dict[str, str] = {}
    sample = text[:_LONGEST]
    for name in names(sample):
        inside = re.search(rf"[a-z,] {re.escape(name)}(?!\w)", sample)
        # What the passage also writes small is a word, and no name.
        small = " " not in name and re.search(rf"(?<!\w){re.escape(name.lower())}(?!\w)", sample)
        if inside and not small and name not in _PLACE_NAMES and _askable(name) and not _CALENDAR.match(name):
            kept.setdefault(normal_form(name), name)
    for phrase in noun_phrases([Tag("passage", sample)])[:6]:
        parts = phrase.split()
        telling = sum(map(word_weight, parts)) / len(parts) >= TELLING
        if telling and len(parts) < 3 and _askable(phrase):
            kept.setdefault(normal_form(phrase), phrase)
    return tuple(list(kept.values())[:12])


def _askable(name: str) -> bool:
    parts = name.split()
    return (
        1 <= len(parts) <= 3
        and 4 <= len(name) <= 40
        and bool(_PLAIN.fullmatch(name))
        and not name.isupper()
        and not is_stopword(normal_form(parts[0]))
        and not is_stopword(normal_form(parts[-1]))
    )
