"""Which final answers are the same: each is read to a key, and equal keys are equal answers.

A relation between two answers would not be transitive: "5 km" and "5 miles" both agree with "5". So the answers to one
question are read together. What states its unit is exact. A bare number is then read in the unit that most of the
answers state; when two units are stated equally often, bare numbers stay among themselves. The keys depend on the
answers, not on their order, and equality of keys is an equivalence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from searchinstruct_graph.text.answers.dates import clock, date
from searchinstruct_graph.text.answers.expressions import Value, rational, scaled
from searchinstruct_graph.text.answers.plain import SET_CLOSE, SET_OPEN, plain
from searchinstruct_graph.text.answers.quantities import Quantity, quantity, quantity_of_plain
from searchinstruct_graph.text.answers.units import PERCENT, Unit
from searchinstruct_graph.text.words import normal_form

Key = tuple[object, ...]


@dataclass(frozen=True)
class Reading:
    """One answer by itself: its key, the unit it states if any, and its value when it is a bare number."""

    key: Key
    unit: Unit | None = None
    bare: Value | None = None


_QUOTES = re.compile("['’‘`´\"“”«»„*]")
_STOPS = re.compile(r"(?<!\d)\.|\.(?!\d)")
_MARKS = re.compile(r"(?<!\d),|,(?!\d)|[;:!?()\[\]{}_،؛؟。、，！？「」『』（）…—–]|-(?!\d)|(?<=\w)-")
_ARTICLES = frozenset("a an the der die das le la les el los las il lo gli".split())
_LETTERS_BETWEEN = re.compile(r"\\(?:text|textbf|mathrm)\s*\{([^{}]*)\}")
_ZERO_LED = re.compile(r"0\d")
_SPACE = re.compile(r"\s+")


def words_key(text: str) -> Key:
    """Free text without case, quotes, punctuation between words, and its leading article (`the` anywhere)."""
    folded = normal_form(_LETTERS_BETWEEN.sub(r"\1", text))
    words = _MARKS.sub(" ", _STOPS.sub("", _QUOTES.sub("", folded))).split()
    if len(words) > 1 and words[0] in _ARTICLES:
        words = words[1:]
    kept = [word for word in words if word != "the"] or words
    return ("words", *kept) if kept else ("raw", text.strip())


def _sized(found: Quantity) -> Reading:
    if found.unit is None:
        return Reading(("quantity", "", found.value), bare=found.value)
    return Reading(("quantity", found.unit.dimension, scaled(found.value, found.unit.factor)), unit=found.unit)


def number_reading(answer: str) -> Reading:
    """An answer that should be a number, or a time of day."""
    found = quantity(answer)
    return _sized(found) if found else Reading(clock(answer) or words_key(answer))


_NESTED = 4
_BRACKETS = {"(": ")", "[": "]", "{": "}", SET_OPEN: SET_CLOSE}


def _elements(text: str) -> list[str]:
    """`text` cut at commas and semicolons outside brackets."""
    depth, start = 0, 0
    found: list[str] = []
    for at, character in enumerate(text):
        if character in _BRACKETS:
            depth += 1
        elif character in _BRACKETS.values():
            depth -= 1
        elif character in ",;،、，" and depth == 0:
            found.append(text[start:at])
            start = at + 1
    return [*found, text[start:]]


def _enclosed(text: str) -> bool:
    """Whether the bracket that opens `text` is closed by its last character (intervals mix their brackets)."""
    depth = 0
    for at, character in enumerate(text):
        depth += (character in _BRACKETS) - (character in _BRACKETS.values())
        if depth <= 0:
            return depth == 0 and at == len(text) - 1 and at > 0
    return False


def _sequence(text: str, variables: bool, depth: int = 0) -> Key | None:
    """A tuple, interval or set of plain text: elements compared one by one, those of a set in any order."""
    if depth > _NESTED or not _enclosed(text):
        return None
    parts = _elements(text[1:-1])
    if len(parts) < 2 and text[0] != SET_OPEN:
        return None
    found = [_element(part, variables, depth + 1) for part in parts]
    if text[0] in "{" + SET_OPEN:
        return ("set", frozenset(found))
    return ("sequence", text[0] + text[-1], *found)


def _element(text: str, variables: bool, depth: int = 0) -> Key:
    text = text.strip()
    inner = _sequence(text, variables, depth)
    if inner is not None:
        return inner
    found = quantity_of_plain(text, nouns=False, variables=variables)
    return _sized(found).key if found else words_key(text)


_GROUPED = re.compile(r"[^,]*\d{1,3}(?:,\d{3})+(?!\d)[^,]*")


def boxed_reading(answer: str) -> Reading:
    """An answer of competition mathematics: numbers, expressions with variables, tuples, sets, lists, words.

    A comma that does not group thousands separates the elements of a list, whose order counts.
    """
    text = plain(answer[:2_000])
    if (sequence := _sequence(text, variables=True)) is not None:
        return Reading(sequence)
    if "," in text and not _GROUPED.fullmatch(text) and len(parts := _elements(text)) > 1:
        return Reading(("sequence", "", *(_element(part, True) for part in parts)))
    found = quantity_of_plain(text, nouns=True, variables=True)
    if found is not None:
        return _sized(found)
    # Unread mathematics keeps its signs and case: only spaces mean nothing.
    return Reading(("raw", _SPACE.sub("", text)) if re.search(r"[\\^=<>+*/|]", text) else words_key(text))


def text_reading(answer: str) -> Reading:
    """A short free answer: a date, a time, a number with or without a unit, a tuple, or words."""
    shown = answer.strip()
    if key := date(shown) or clock(shown):
        return Reading(key)
    text = plain(shown[:2_000])
    if (sequence := _sequence(text, variables=False)) is not None:
        return Reading(sequence)
    found = None if _ZERO_LED.match(text) else quantity_of_plain(text, nouns=False, variables=False)
    return _sized(found) if found else Reading(words_key(shown))


def exact_reading(answer: str) -> Reading:
    """A letter or one of a few words: equal in any case."""
    return Reading(("word", normal_form(answer).strip()))


def units_stated(readings: Sequence[Reading]) -> list[tuple[Unit, int]]:
    """The units that readings state and how often, most often first."""
    return Counter(reading.unit for reading in readings if reading.unit is not None).most_common()


def keys(readings: Sequence[Reading]) -> list[Key]:
    """The keys of readings of one question's answers: bare numbers read in the unit that most of the others state.

    Of percentages a bare number has the value when it is one that is stated (0.5 is 50 %), and else, above 1, the
    number in front of the sign (50 is 50 %); up to 1 it is always the value, so 0.5 is never 0.5 %.
    """
    stated = units_stated(readings)
    if not stated or (len(stated) > 1 and stated[0][1] == stated[1][1]):
        return [reading.key for reading in readings]
    unit = stated[0][0]
    if unit != PERCENT:
        return [_in_unit(reading, unit) for reading in readings]
    percentages = {reading.key for reading in readings if reading.unit == PERCENT}
    return [_as_percentage(reading, percentages) for reading in readings]


def _in_unit(reading: Reading, unit: Unit) -> Key:
    return reading.key if reading.bare is None else ("quantity", unit.dimension, scaled(reading.bare, unit.factor))


def above_one(value: Value) -> bool:
    """Whether a bare value can be the number in front of a percent sign rather than the share itself."""
    number = rational(value)
    return number is not None and abs(number) > 1


def hundredth(value: Value) -> Value:
    """What a number in front of a percent sign is worth."""
    return scaled(value, Fraction(1, 100))


def _as_percentage(reading: Reading, percentages: set[Key]) -> Key:
    if reading.bare is None or reading.key in percentages or not above_one(reading.bare):
        return reading.key
    worth: Key = ("quantity", "", hundredth(reading.bare))
    return worth if worth in percentages else reading.key
