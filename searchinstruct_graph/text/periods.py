"""Times in questions and sentences: the time that a question asks about, and the years from which and to which something held."""

from __future__ import annotations

import re
from typing import NamedTuple

from searchinstruct_graph.text.editing import mentions

MONTH = r"(?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sept?|Oct|Nov|Dec)[a-z]*\.?"
"""A month's name, or the beginning of it."""

_TIME_WORDS = (
    rf"(?: (?:the|early|late|mid|spring|summer|autumn|fall|winter|of|and|to|until|in|season|year|years|now|{MONTH},?"
    r"|\d{4}s?(?:[-–/]\d{2,4})?(?!\d),?|\d{1,2}(?:st|nd|rd|th)?(?!\d),?)(?!\w))+"
)
_PREPOSITION = r"(?:in|from|between|during|after|before|since|until|as of|by|on|around|through)"
_TAIL = re.compile(rf",? ({_PREPOSITION}{_TIME_WORDS})$")
_OPENING = re.compile(rf"(?:in the (?:period|stretch|span) of (?:time )?)?({_PREPOSITION}{_TIME_WORDS})", re.IGNORECASE)
_ANYWHERE = re.compile(
    rf"\b(?:[Ff]rom|[Bb]etween|[Ii]n|[Ss]ince|[Aa]fter|[Dd]uring)(?=[^?]{{0,12}}\d{{4}}){_TIME_WORDS}"
)
_LAST_WORDS = re.compile(r"(?: (?:the|of|and|to|until|in|season|years?|now)|,)+$")


def timed(core: str) -> tuple[str, str]:
    """A question (without its mark) cut into what it asks and the time that it ends or opens with; the time is empty when it
    names none.
    """
    if found := _TAIL.search(core):
        return core[: found.start()], found.group(1)
    found = _OPENING.match(core)
    if found and re.search(r"\d{4}", found.group(1)):
        rest, time = core[found.end() :].lstrip(" ,"), _LAST_WORDS.sub("", found.group(1))
        if rest and (found.group(1).endswith(",") or core[found.end() :].startswith((" ", ","))):
            return rest, time[0].lower() + time[1:]
    return core, ""


def time_asked(question: str) -> str:
    """The time that a question asks about, at its end, its opening, or inside of it ("from 1990 to 1995"); empty without one."""
    core, time = timed(question.rstrip("?.! ").strip())
    if not time and (found := _ANYWHERE.search(core)):
        time = _LAST_WORDS.sub("", found.group())
        time = time[0].lower() + time[1:]
    return time


def without_time(sentence: str, question: str) -> str:
    """A sentence without the time that the question asks about, where it repeats it word by word: what pages can be held to."""
    time = time_asked(question)
    if not time or time.lower() not in sentence.lower():
        return sentence
    cut = re.sub(rf"(?i:,? ?\b{re.escape(time)}\b,?)", "", sentence).strip()
    return cut[:1].upper() + cut[1:] if cut else sentence


# Years.

_YEAR = re.compile(r"(?<!\d)(1\d{3}|20\d{2})(?!\d)")
_DAY = rf"(?:{MONTH}\s+)?(?:\d{{1,2}}(?:st|nd|rd|th)?\s*,?\s*)?(?:{MONTH}\s*,?\s*)?"
_RANGE = re.compile(
    rf"(?<!\d)(?P<start>1\d{{3}}|20\d{{2}})(?!\d)\s*,?\s*(?:–|—|-|to|until|till|and)\s*{_DAY}"
    r"(?P<end>1\d{3}|20\d{2}|present|now|today)(?!\d)"
    rf"|\bsince\s+{_DAY}(?P<since>1\d{{3}}|20\d{{2}})(?!\d)",
    re.IGNORECASE,
)
_AFTER = 60
"""Characters that may stand between a name and the range of years after it."""

_THEN_NAME = re.compile(r"\s*[:–—-]?\s*")
"""What may stand between a range of years and the name after it: "1990–1995: NAME"."""


class Period(NamedTuple):
    """Years, the first and the last; no last one while it lasts."""

    start: int
    end: int | None


def year_of(text: str) -> int | None:
    """The first year (1000 to 2099) in a date; None without one."""
    found = _YEAR.search(text)
    return int(found.group()) if found else None


def fits(period: Period, year: int) -> bool:
    """Whether something that held in that period had begun in `year` and had not yet ended in it, or began and ended in it."""
    return period.start <= year and (period.end is None or year < period.end or period.start == year)


def periods_of(text: str, name: str, besides: str = "") -> list[Period]:
    """The periods that a sentence gives to `name`: of each mention the range of years that is next to it.

    "1990–1995: Ada Moss", "Ada Moss (1990 to 1995)", "Ada Moss, since 1995"; nothing where a single year stands. `besides` is
    as for `mentions`.
    """
    ranges = list(_RANGE.finditer(text))
    if not ranges:
        return []
    found: list[Period] = []
    for span in mentions(text, name, besides):
        before = [each for each in ranges if _THEN_NAME.fullmatch(text, each.end(), max(each.end(), span.start))]
        before = [each for each in before if each.end() <= span.start]
        after = [each for each in ranges if 0 <= each.start() - span.end <= _AFTER]
        if near := (before[-1:] or after[:1]):
            found.append(_period(near[0]))
    return found


def _period(found: re.Match[str]) -> Period:
    if found["since"]:
        return Period(int(found["since"]), None)
    end = found["end"]
    return Period(int(found["start"]), int(end) if end.isdigit() else None)
