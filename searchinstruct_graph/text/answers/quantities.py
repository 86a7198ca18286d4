"""Numbers as answers write them: signs, fractions, percentages, currencies, units, scale words, words for numbers."""

from __future__ import annotations

import re
from typing import NamedTuple

from searchinstruct_graph.text.answers.expressions import Value, constant, expression, scaled
from searchinstruct_graph.text.answers.plain import plain, ungrouped
from searchinstruct_graph.text.answers.units import BEFORE, SCALES, Unit, leading_unit
from searchinstruct_graph.text.words import UNSPACED, normal_form


class Quantity(NamedTuple):
    """An exact value as written, and the unit it was written in (None: none was stated)."""

    value: Value
    unit: Unit | None


_STOPS = " .;:!?*_`،。"
_HEDGE = re.compile(
    r"(?:about|approximately|approx\.?|around|roughly|exactly|only|just|حدود|تقريبا|تقریبا|约|大约|≈|~|=)\s*", re.I
)
_NAMED = re.compile(r"[a-zA-Zπθ](?:\([a-z]\))?\s*=\s*(?=[^=]+\Z)")
_NUMBER = re.compile(r"(?:\\(?:frac|sqrt)(?![a-zA-Z])|(?<=\d)[eE][+-]?\d|[\d.,'^*/+\-(){}\[\]π ])+")
_MEASURED = re.compile(r"-?\d[\d.,]* (?:m|g|s|h|L|J|N|V|W)")  # "5 m" is five metres even where "5m" is a product
_REMARK = re.compile(r"(?<=[^+*/^(-])\s\([^()]*\)\Z")
_RANGE = re.compile(r"\d[\d.,]*(?:\s?-\s?\d[\d.,]*)+")
_PER_HUNDRED = re.compile(r"百分之\s*(?=\d)")
_WORDS = re.compile(rf"[^\W\d_]+(?:['-][^\W\d_]+)*|[{UNSPACED}]+")
_ASIDES = 8
_OTHERWISE = frozenset("or not if unless versus vs to".split())
_ONES = """zero one two three four five six seven eight nine ten eleven twelve
thirteen fourteen fifteen sixteen seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SPELLED = {word: n for n, word in enumerate(_ONES.split())} | {word: 10 * n for n, word in enumerate(_TENS.split(), 2)}
_BIG = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9}


def _spelled(text: str) -> tuple[int, str] | None:
    """The English number word or words that `text` begins with, and what follows."""
    pieces = text.split(" ")
    total, group, at = 0, 0, 0
    while at < len(pieces):
        parts = pieces[at].lower().split("-")
        if all(part in _SPELLED for part in parts):
            said = sum(_SPELLED[part] for part in parts)
            # "one two" is no three: ones may follow tens, and what is under a hundred may follow hundreds.
            if at and group % 100 and not (group % 10 == 0 and group % 100 > 10 and 0 < said < 10):
                return None
            group += said
        elif at and parts == ["hundred"]:
            group *= 100
        elif at and parts[0] in _BIG and len(parts) == 1:
            total, group = total + group * _BIG[parts[0]], 0
        elif not (
            at and parts == ["and"] and at + 1 < len(pieces) and pieces[at + 1].lower().split("-")[0] in _SPELLED
        ):
            break
        at += 1
    return (total + group, " ".join(pieces[at:])) if at else None


def _amount(text: str, variables: bool) -> tuple[Value, str] | None:
    """The number at the head of plain text, scale words applied, and what follows it."""
    found = _NUMBER.match(text)
    if found is None:
        spelled = _spelled(text)
        return (constant(spelled[0]), spelled[1]) if spelled else None
    number, rest = found[0], text[found.end() :]
    if rest and number.rstrip().endswith("/"):  # 5/day
        number, rest = number.rstrip()[:-1], "per " + rest
    if _RANGE.fullmatch(number.strip()):  # 10-12 is no subtraction
        return None
    value = expression(ungrouped(number.strip().rstrip(".,")), variables)
    if value is None:
        return None
    rest = rest.strip()
    while rest:
        first = rest.split(" ")[0]
        word = next((w for w in (first, first[:2], first[:1]) if _scales(w, first)), "")
        if not word:
            break
        value, rest = scaled(value, SCALES[normal_form(word)]), rest[len(word) :].strip()
    return value, rest


def _scales(word: str, whole: str) -> bool:
    """Whether `word` is a scale word: all of the `whole` word, or its head in a script without spaces (5万元)."""
    return normal_form(word) in SCALES and (word == whole or word[0] >= "\u2e80")


def _is_noun(text: str) -> bool:
    """Whether what follows a number only names what was counted: a few words, no number, no other choice."""
    found = _WORDS.findall(text)
    return bool(found) and len(found) <= _ASIDES and not any(c.isdigit() for c in text) and not _OTHERWISE & set(found)


def quantity(text: str, nouns: bool = True, variables: bool = False) -> Quantity | None:
    """The quantity that all of `text` is, or None.

    `nouns`: whether words that are no unit may follow ("18 eggs a day" is 18). `variables`: whether single letters are
    variables. Amounts of one dimension in a row add up ("1 hour 30 minutes"); "per ..." behind a unit is dropped.
    """
    return quantity_of_plain(plain(text), nouns, variables)


def quantity_of_plain(text: str, nouns: bool, variables: bool) -> Quantity | None:
    """`quantity` of text that is `plain` already."""
    text = text.rstrip(_STOPS).lstrip(" ;:!?*_`،。")
    if len(text) > 300:
        return None
    text = _NAMED.sub("", text, count=1) if "=" in text else text
    text = _HEDGE.sub("", text, count=1) if (hedge := _HEDGE.match(text)) and hedge.end() < len(text) else text
    if variables and not _MEASURED.fullmatch(text) and (value := expression(ungrouped(text), True)) is not None:
        return Quantity(value, None)
    text = _REMARK.sub("", text)
    percent = _PER_HUNDRED.match(text)
    text = text[percent.end() :] + " %" if percent else text
    sign, body = ("-", text[1:].lstrip()) if text[:1] == "-" else ("", text[1:].lstrip() if text[:1] == "+" else text)
    unit: Unit | None = None
    for currency in BEFORE:
        if body.startswith(currency):
            unit = _known(currency)
            body = body[len(currency) :].lstrip(" .")
            if body[:1] == "-":
                sign, body = "-", body[1:].lstrip()
            break
    found = _amount(sign + body if body[:1] not in "+-" else body, variables)
    if found is None:
        return None
    value, rest = found
    total = value
    after = leading_unit(rest)
    if after is not None:
        if unit is None or after[0].dimension == unit.dimension:
            unit = after[0]
        elif not nouns:
            return None
        rest = after[1]
        more = _further(rest, unit)
        if more is not None:
            return Quantity(_sum(total, more), unit)
    rated = unit is not None and rest.startswith(("per ", "/", "a ", "an ", "each")) and not any(map(str.isdigit, rest))
    return Quantity(total, unit) if not rest or rated or (nouns and _is_noun(rest)) else None


def _known(symbol: str) -> Unit:
    found = leading_unit(symbol)
    assert found is not None
    return found[0]


def _sum(one: Value, other: Value) -> Value:
    total = dict(one)
    for product, coefficient in other:
        total[product] = total.get(product, coefficient * 0) + coefficient
    return tuple(sorted((product, coefficient) for product, coefficient in total.items() if coefficient))


def _further(rest: str, unit: Unit) -> Value | None:
    """The rest of an amount in several units ("30 minutes" of "1 hour 30 minutes"), in `unit`; None when it is none."""
    rest = rest.removeprefix(",").strip().removeprefix("and ").strip()
    if not rest[:1].isdigit():
        return None
    found = _amount(rest, False)
    after = leading_unit(found[1]) if found else None
    if found is None or after is None or after[0].dimension != unit.dimension or after[0].factor >= unit.factor:
        return None
    value = scaled(found[0], after[0].factor / unit.factor)
    if not after[1]:
        return value
    more = _further(after[1], after[0])
    return None if more is None else _sum(value, scaled(more, after[0].factor / unit.factor))


_SENTENCE = re.compile(r"(?<=[^\W_])[.;!?] |[。；！？؟]")
_ASSIGNED = re.compile(r"\b[a-zA-Z]\s?=")
_PAIR = re.compile(r"\d[\d.,]*\s?[-:]\s?\d[\d.,]*(?: [^\d\W]+){0,3}\.?")  # a ratio, a range, a time of day
_RUN = re.compile(r"(?:US)?[$€£¥₹]?\s?[-+]?\d+(?:[.,' /]\d+)*")


def _first_sentence(text: str) -> str:
    """`text` up to the end of the sentence that holds its first digit; all of it without one ("approx. 5. So it is.")."""
    digit = re.search(r"\d", text)
    stop = _SENTENCE.search(text, digit.start()) if digit else None
    return text[: stop.start()] if stop else text


def quantity_within(text: str, nouns: bool = True) -> str | None:
    """The part of `text` that states its one quantity: all of it, what follows the last `=`, or the only number in a
    sentence with the words behind it. A ratio or a range counts as one. None when there is none, or several.
    """
    shown = _first_sentence(plain(text[:1_000])).rstrip(_STOPS).lstrip(" ;:!?*_`،。")[:300]
    if len(_ASSIGNED.findall(shown)) > 1:
        return None
    for candidate in (shown, _REMARK.sub("", shown), shown.rpartition("=")[2].strip()):
        if candidate and quantity_of_plain(candidate, nouns, False) is not None:
            return candidate
    shown = _REMARK.sub("", shown.rpartition("=")[2].strip())
    if _PAIR.fullmatch(shown):
        return shown
    runs = list(_RUN.finditer(shown))
    if len(runs) != 1:
        return None
    tail = shown[runs[0].start() :].strip()
    for candidate in (tail, *(" ".join(tail.split(" ")[:count]) for count in (3, 2, 1))):
        if quantity_of_plain(candidate, nouns, False) is not None:
            return candidate.rstrip(_STOPS)
    return None
