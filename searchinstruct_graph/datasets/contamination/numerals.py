"""The numbers of a text, in digits of any script or in words of the languages we meet most."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from searchinstruct_graph.text.compare import numbers
from searchinstruct_graph.text.words import UNSPACED, normal_form

# A dash stands for a word that means something else in another of these languages (elf, once, un), or is two words. Also left
# out: cents, quart. Persian نه is "nine" and "not", Arabic ضعف "double" and "weakness": rarity weighs down what is common.
_UNITS = {
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty",
    "de": "null eins zwei drei vier fünf sechs sieben acht neun zehn - zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn"
    " achtzehn neunzehn zwanzig",
    "fr": "zéro - deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize - - - vingt",
    "es": "cero - dos tres cuatro cinco seis siete ocho nueve diez - doce trece catorce quince dieciséis diecisiete"
    " dieciocho diecinueve veinte",
    "fa": "صفر یک دو سه چهار پنج شش هفت هشت نه ده یازده دوازده سیزده چهارده پانزده شانزده هفده هجده نوزده بیست",
    "ar": "صفر واحد اثنان ثلاثة أربعة خمسة ستة سبعة ثمانية تسعة عشرة - - - - - - - - - عشرون",
}
_TENS = {
    "en": "thirty forty fifty sixty seventy eighty ninety",
    "de": "dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
    "fr": "trente quarante cinquante soixante - - -",
    "es": "treinta cuarenta cincuenta sesenta setenta ochenta noventa",
    "fa": "سی چهل پنجاه شصت هفتاد هشتاد نود",
    "ar": "ثلاثون أربعون خمسون ستون سبعون ثمانون تسعون",
}
_OTHERS = {
    2: "half twice double couple pair hälfte halb zweimal doppelt moitié mitad نیم نصف دوبرابر ضعف اثنين اثنتان مرتين",
    3: "third thirds thrice triple drittel dreimal tercio ثلاث ثلث",
    4: "quarter quarters fourth fourths viertel cuarto أربع ربع",
    5: "fifth fifths fünftel خمس",
    12: "dozen dutzend douzaine docena",
}
_SCALES = {
    100: "hundred hundreds hundert cien ciento صد مئة مائة",
    1_000: "thousand thousands tausend mille mil هزار ألف آلاف",
    1_000_000: "million millions millionen millón millones میلیون مليون",
    1_000_000_000: "billion billions milliarde milliarden milliard میلیارد مليار",
}
_ORDINALS = (
    "sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth"
    " nineteenth twentieth"
)
_ORDINAL_ENDINGS = {"de": ("te", "ten", "ter"), "fa": ("م",)}


def _values() -> dict[str, int]:
    """The value of each number word in normal form; scales are values as well."""
    units = {language: dict(enumerate(listed.split())) for language, listed in _UNITS.items()}
    tens = {language: {10 * n: word for n, word in enumerate(listed.split(), 3)} for language, listed in _TENS.items()}
    named = [(word, value) for listed in (units, tens) for each in listed.values() for value, word in each.items()]
    named += [(word, value) for value, listed in {**_OTHERS, **_SCALES}.items() for word in listed.split()]
    named += [(word, value) for value, word in enumerate(_ORDINALS.split(), 6)]
    for language, endings in _ORDINAL_ENDINGS.items():
        named += [(units[language][value] + ending, value) for value in range(4, 20) for ending in endings]
    ones = {1: "ein", **{value: units["de"][value] for value in range(2, 10)}}
    named += [(f"{ones[n]}und{ten}", value + n) for value, ten in {20: "zwanzig", **tens["de"]}.items() for n in ones]
    return {normal_form(word): value for word, value in named if not word.startswith("-")}


_VALUES = _values()

NUMBER_WORDS = frozenset(_VALUES)
"""What counts as a number in words, in normal form."""

_UNSPACED_RUN = re.compile(f"[{UNSPACED}]+")
_HAN_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "兩": 2}
_HAN_SCALES = {"十": 10, "百": 100, "千": 1_000, "万": 10_000, "萬": 10_000, "亿": 100_000_000, "億": 100_000_000}
_HAN_NUMBER = re.compile("[零〇一二两兩三四五六七八九十百千万萬亿億]+")


def numbers_of(text: str, found: Sequence[str]) -> frozenset[str]:
    """The numbers of `text`, whose `words` are `found`, in digits: `1,200`, `twelve hundred` and 一千二百 are all 1200."""
    if text.isascii():
        held = numbers(text)
    else:
        normal = normal_form(text)
        # A character before a digit would hide it: 共12个.
        held = numbers(_UNSPACED_RUN.sub(" ", normal))
        # 一 alone is mostly an article or part of another word.
        held.update(str(_han(run)) for run in _HAN_NUMBER.findall(normal) if run != "一")
    if not NUMBER_WORDS.isdisjoint(found):
        held.update(_spelled(found))
    return frozenset(held)


def _spelled(found: Sequence[str]) -> set[str]:
    """The numbers in words: `three hundred and twenty five` is 325, `two, three` are two numbers."""
    held: list[int] = []
    run: list[int] = []
    for word in (*found, ""):
        if (value := _VALUES.get(word)) is not None:
            run.append(value)
        elif run and word not in _AND:
            held.extend(_sums(run))
            run = []
    return set(map(str, held))


_AND = frozenset(["and", "und", "y", "et", "و"])


def _sums(values: Sequence[int]) -> Iterator[int]:
    """Neighbouring number words as numbers: 2, 1000, 5, 100 are 2500; 2, 3 are 2 and 3."""
    total, part = 0, values[0]
    for value in values[1:]:
        if part and value in _SCALES:
            part *= value
            if value >= 1_000:
                total, part = total + part, 0
        elif _continues(part, value) or (total and not part):
            part += value
        else:
            yield total + part
            total, part = 0, value
    yield total + part


def _continues(part: int, value: int) -> bool:
    below = part % 100
    return (below >= 20 and below % 10 == 0 and 0 < value < 10) or (part > 0 and below == 0 and 0 < value < 100)


def _han(run: str) -> int:
    """The value of a Chinese numeral: 三百二十五 is 325, 二〇二五 is 2025."""
    if all(character in _HAN_DIGITS for character in run):
        return int("".join(str(_HAN_DIGITS[character]) for character in run[:20]))
    total = part = digit = 0
    for character in run[:20]:
        if character in _HAN_DIGITS:
            digit = _HAN_DIGITS[character]
            continue
        scale = _HAN_SCALES[character]
        if scale >= 10_000:
            total, part, digit = (total + part + digit or 1) * scale, 0, 0
        else:
            part, digit = part + (digit or 1) * scale, 0
    return total + part + digit
