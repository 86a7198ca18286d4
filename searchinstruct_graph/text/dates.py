"""Dates as documents and people write them: the days that they may mean."""

from __future__ import annotations

import calendar
import re
from datetime import date
from typing import NamedTuple

from searchinstruct_graph.text.words import normal_form

FIRST_YEAR, LAST_YEAR = 1500, 2199
"""Years that are believed. Years of the Persian and the Islamic calendar are smaller."""

_MONTHS = {
    name: number
    for number, names in enumerate(
        "january jan|february feb|march mar|april apr|may|june jun|july jul|august aug|september sep sept|october oct|"
        "november nov|december dec".split("|"),
        1,
    )
    for name in names.split()
}
_ISO = re.compile(r"(\d{4})-(\d{1,2})(?:-(\d{1,2}))?(?!\d)")
_SLASHED = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})(?!\d)")
_PACKED = re.compile(r"(?:d:)?(\d{4})(\d{2})(\d{2})(?:\d{6}|t|z|$)")
_PIECE = re.compile(r"\d+|[a-z]+")
_LONGEST = 100


class Days(NamedTuple):
    """The days that a date may mean, both included: all of a year when it names a year alone."""

    first: date
    last: date


def days_of(written: str) -> Days | None:
    """The days of `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; None for anything else and for days that no calendar has."""
    parts = written.split("-")
    if not 1 <= len(parts) <= 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    return _days(*map(int, parts))


def _days(year: int, month: int = 0, day: int = 0) -> Days | None:
    if not FIRST_YEAR <= year <= LAST_YEAR or not 0 <= month <= 12:
        return None
    if not month:
        return Days(date(year, 1, 1), date(year, 12, 31))
    longest = calendar.monthrange(year, month)[1]
    if not 0 <= day <= longest:
        return None
    return Days(date(year, month, day or 1), date(year, month, day or longest))


def month_of(word: str) -> int:
    """The number of an English month by its name or its beginning, in normal form; 0 for another word."""
    return _MONTHS.get(word.rstrip("."), 0)


def iso_date(written: str) -> str:
    """A date as metadata write it, as `YYYY-MM-DD`, `YYYY-MM` or `YYYY`; empty where it names no year that is believed.

    Reads ISO 8601, the packed form of PDF, and English names of months; of 03/02/2015, whose halves may mean either, the year.
    """
    plain = normal_form(written[:_LONGEST]).strip()
    for pattern in (_ISO, _SLASHED, _PACKED):
        if found := pattern.match(plain):
            numbers = [int(each) for each in found.groups() if each]
            for count in range(len(numbers), 0, -1):
                if _days(*numbers[:count]):
                    return _written(*numbers[:count])
            return ""
    pieces = _PIECE.findall(plain)
    years = [int(each) for each in pieces if len(each) == 4 and each.isdigit() and _days(int(each))]
    if not years:
        return ""
    year = years[0]
    at = next((place for place, each in enumerate(pieces) if month_of(each)), None)
    if at is None:
        return _written(year)
    beside = [int(each) for each in [*pieces[at + 1 : at + 2], *pieces[max(0, at - 1) : at]] if each.isdigit()]
    day = next((each for each in beside if each < 32), 0)
    month = month_of(pieces[at])
    return _written(year, month, day) if day and _days(year, month, day) else _written(year, month)


def _written(year: int, *rest: int) -> str:
    return "-".join([f"{year:04d}", *(f"{each:02d}" for each in rest)])
