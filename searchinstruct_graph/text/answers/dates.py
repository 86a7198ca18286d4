"""Calendar dates and times of day as short answers write them."""

from __future__ import annotations

import re

from searchinstruct_graph.text.answers.plain import plain
from searchinstruct_graph.text.words import normal_form

# One line a language; a month's spellings are joined by `/`.
_MONTHS = """
january february march april may june july august september october november december
jan feb mar apr may jun jul aug sep/sept oct nov dec
januar/jänner februar märz april mai juni juli august september oktober/okt november dezember/dez
janvier février mars avril mai juin juillet août septembre octobre novembre décembre
enero febrero marzo abril mayo junio julio agosto septiembre/setiembre octubre noviembre diciembre
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
января февраля марта апреля мая июня июля августа сентября октября ноября декабря
январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь
يناير فبراير مارس أبريل/ابريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر
ژانویه فوریه مارس آوریل مه/می ژوئن ژوئیه/جولای اوت/آگوست سپتامبر اکتبر نوامبر دسامبر
"""
_MONTH = {
    normal_form(name): number
    for line in _MONTHS.strip().splitlines()
    for number, names in enumerate(line.split(), 1)
    for name in names.split("/")
}
_WEEKDAY = re.compile(
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun)\.?,? (?=.)"
)
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th|er|º|ª)\b|(?<=\d)\.(?= )")
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:t00:00(?::00)?z?)?")
_SLASHED = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})")
_HAN = re.compile(r"(\d{1,4})\s?年(?:\s?(\d{1,2})\s?月(?:\s?(\d{1,2})\s?日)?)?")
_CLOCK = re.compile(r"(\d{1,2})(?:[:.](\d{2}))? ?(a\.?m\.?|p\.?m\.?)|(\d{1,2}):(\d{2})(?::00)?(?: ?(?:uhr|h))?")
_NUMBER = re.compile(r"\d{1,4}")

Key = tuple[str, ...]


def _date(year: int, month: int, day: int) -> Key | None:
    return ("date", f"{year:04}-{month:02}-{day:02}") if month <= 12 and day <= 31 else None


def _numeric(text: str) -> Key | None:
    if found := _ISO.fullmatch(text):
        return _date(*map(int, found.groups()))
    if found := _HAN.fullmatch(text):
        return _date(*(int(part or 0) for part in found.groups())) if found[2] else None
    found = _SLASHED.fullmatch(text)
    if found is None:
        return None
    one, two, year = int(found[1]), int(found[3]), int(found[4])
    if one > 12 or found[2] == ".":
        return _date(year, two, one)
    if two > 12 or one == two:
        return _date(year, one, two)
    return ("date", f"{one}/{two}/{year}")  # month or day first: equal only to what is written in the same order


def date(text: str) -> Key | None:
    """A key that equal dates share: `2 January 1958`, `Jan 2nd, 1958`, `1958-01-02`, `1958年1月2日`; None when it is none.

    Month and year, or day and month, may stand alone; a bare year is a number. `01/02/1958` says its order only where
    one part is over 12, so it equals just itself.
    """
    folded = normal_form(plain(text[:80])).strip(" .,;")
    if found := _WEEKDAY.match(folded):
        folded = folded[found.end() :]
    if (numeric := _numeric(folded)) is not None:
        return numeric
    parts = _ORDINAL.sub("", folded).replace(",", " ").split()
    parts = [part for part in parts if part not in ("of", "the", "de", "del")]
    months = [part for part in parts if part.rstrip(".") in _MONTH]
    numbers = [part for part in parts if _NUMBER.fullmatch(part)]
    if len(months) != 1 or not 1 <= len(numbers) <= 2 or len(parts) != 1 + len(numbers):
        return None
    month = _MONTH[months[0].rstrip(".")]
    if len(numbers) == 1:
        number = int(numbers[0])
        return _date(0, month, number) if number <= 31 and len(numbers[0]) < 3 else _date(number, month, 0)
    year, day = (int(n) for n in sorted(numbers, key=len, reverse=True))
    return _date(year, month, day) if len(numbers[0]) != len(numbers[1]) else None


def clock(text: str) -> Key | None:
    """A key that equal times of day share: `7:30 PM` and `19:30`; None when it is none."""
    found = _CLOCK.fullmatch(normal_form(plain(text[:40])).strip())
    if found is None:
        return None
    hour, minute = int(found[1] or found[4]), int(found[2] or found[5] or 0)
    if found[3]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found[3][0] == "p" else 0)
    return ("clock", f"{hour:02}:{minute:02}") if hour < 24 and minute < 60 else None
