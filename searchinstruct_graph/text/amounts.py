"""Numbers with their units, and dates, as they stand in running text: what two texts must share to say the same of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import NamedTuple

from searchinstruct_graph.text.answers.dates import date
from searchinstruct_graph.text.answers.units import SCALES, Unit, leading_unit
from searchinstruct_graph.text.compare import numbers
from searchinstruct_graph.text.words import UNSPACED, normal_form

ROUNDING = 0.01
"""Relative distance up to which an amount in another unit is the same one, rounded: 5 miles are 8 km."""

_AMOUNT = re.compile(
    rf"([$€£¥₹₩]\s?)?(?:(?<![\w.])|(?<=[{UNSPACED}]))(\d+(?:[.,]\d+)*)(?=(?:[\s-]?([^\d,;()\n]{{0,40}}))?)"
)
_DATES = tuple(
    re.compile(rf"(?<!\d){form}(?!\d)")
    for form in (
        r"\d{4}(?:[-/.]\d{1,2}[-/.]\d{1,2}|\s?年\s?\d{1,2}\s?月(?:\s?\d{1,2}\s?日)?)",
        r"\d{1,2}(?:st|nd|rd|th|\.)?\s(?:of\s|de\s)?[^\W\d_]{3,12}\.?,?(?:\s(?:of\s|de\s)?\d{4})?",
        r"[^\W\d_]{3,12}\.?\s\d{1,2}(?:st|nd|rd|th)?(?:,?\s\d{4})?",
        r"[^\W\d_]{3,12}\.?,?\s\d{4}",
    )
)
_IS_UNSPACED = re.compile(rf"[{UNSPACED}]")
_NO_UNIT = frozenset(["in", "a", "an"])
"""Symbols that are words of running text."""
_LONGEST_UNSPACED = 4


class Amount(NamedTuple):
    """A number in digits with the unit behind it, or the currency sign before it."""

    number: str
    """As `compare.numbers` gives it."""
    value: Fraction
    """In the base unit of its dimension; as written without one."""
    dimension: str = ""
    """Empty without a unit."""
    unit: str = ""
    """Its symbol; empty without one."""
    scale: str = ""
    """The word that multiplies it, as written; empty without one."""

    @property
    def written(self) -> str:
        """Number, scale word and unit."""
        return " ".join(part for part in (self.number, self.scale, self.unit) if part)

    def agrees(self, other: Amount) -> bool:
        """Whether both may be one: equal in one dimension, or the same number where one names no unit or no scale.

        In another unit a rounded value will do (`ROUNDING`).
        """
        if not self.dimension or not other.dimension:
            if self.scale and other.scale and self.dimension == other.dimension:
                return self.value == other.value
            return self.number == other.number or self.value == other.value
        if self.dimension != other.dimension:
            return False
        if self.number == other.number or self.value == other.value:
            return self.value == other.value
        return abs(self.value - other.value) <= max(abs(self.value), abs(other.value)) * Fraction(ROUNDING)


def amounts(text: str) -> list[Amount]:
    """The numbers of `text` in digits, in order, scale words ("2 million") applied and units read."""
    found: list[Amount] = []
    for match in _AMOUNT.finditer(text):
        number = next(iter(numbers(match[2])), None)
        if number is None or not re.fullmatch(r"\d+(?:\.\d+)?", number) or len(number) > 40:
            continue
        scale, behind = _scale(match[3] or "")
        value = Fraction(number) * (SCALES[normal_form(scale)] if scale else 1)
        # A number of four digits before 年 is a year of the calendar.
        calendar = behind.startswith("年") and len(number) == 4
        unit = _unit(match[1]) if match[1] else None if calendar else _unit(behind)
        if unit is None:
            found.append(Amount(number, value, scale=scale))
        else:
            found.append(Amount(number, value * unit.factor, unit.dimension or unit.name, unit.name, scale))
    return found


def _scale(behind: str) -> tuple[str, str]:
    """The scale word that a number's tail begins with, or nothing, and what follows it."""
    if _IS_UNSPACED.match(behind):
        return (behind[0], behind[1:]) if behind[0] in SCALES else ("", behind)
    first, _, rest = behind.partition(" ")
    word = first.rstrip(".,")
    return (word, rest) if normal_form(word) in SCALES else ("", behind)


def _unit(text: str) -> Unit | None:
    spaced = " ".join(text.split()).rstrip(".。!?")
    if _IS_UNSPACED.match(spaced):
        heads = (spaced[:size] for size in range(min(_LONGEST_UNSPACED, len(spaced)), 0, -1))
        found = next((unit for head in heads if (unit := leading_unit(head))), None)
    else:
        found = leading_unit(spaced) if spaced and spaced.split(" ")[0] not in _NO_UNIT else None
    return found[0] if found else None


def same_amount(claimed: Amount, held: Sequence[Amount]) -> bool | None:
    """Whether one of `held` is the claimed amount; None when none of them has its number, its value or its dimension."""
    near = [
        each
        for each in held
        if each.number == claimed.number
        or (each.dimension and each.dimension == claimed.dimension)
        or (each.value == claimed.value and not each.dimension and not claimed.dimension)
    ]
    return any(claimed.agrees(each) for each in near) if near else None


class Moment(NamedTuple):
    """A calendar date; a part that is not said is 0."""

    year: int
    month: int
    day: int

    @property
    def written(self) -> str:
        """As in `1859-05-31`, parts that are not said left out."""
        return "-".join(f"{part:02}" for part in self if part)

    def agrees(self, other: Moment) -> bool:
        """Whether no part that both say differs, and they share one."""
        both = [(one, two) for one, two in zip(self, other, strict=True) if one and two]
        return bool(both) and all(one == two for one, two in both)


def moments(text: str) -> list[Moment]:
    """The dates of `text` that name a month, each once: `31 May 1859`, `May 1859`, `1859-05-31`, `1859年5月31日`."""
    found: list[Moment] = []
    for match in (match for form in _DATES for match in form.finditer(text)):
        key = date(" ".join(match.group().split()))
        if key and (parts := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", key[-1])):
            found.append(Moment(*map(int, parts.groups())))
    return list(dict.fromkeys(found))


def other_date(claimed: Sequence[Moment], held: Sequence[Moment]) -> Moment | None:
    """A claimed date that none of the held ones agrees with, where dates are held at all."""
    return next((each for each in claimed if held and not any(each.agrees(other) for other in held)), None)


def dated_numbers(claimed: Sequence[Moment], held: Collection[Moment]) -> set[str]:
    """The numbers of claimed dates that a held date agrees with: they need not stand there in digits."""
    agreed = [each for each in claimed if any(each.agrees(other) for other in held)]
    return {str(part) for each in agreed for part in each if part}
