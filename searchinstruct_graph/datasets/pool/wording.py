"""What an instruction asks for, whatever its wording: its content words, numbers, and kind of question.

Two rewordings ("How do I close a file in Python?", "In Python, how does one close a file?") share all that; questions
about another thing ("open a file", "in Java", "why", "3 files") do not, however alike their embeddings are. So this is
both a rule of its own and the guard on the embedding rule. Function words, request formulas and question words are
listed for ten languages; other languages are compared word by word, which only finds fewer rewordings.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache, lru_cache
from itertools import product
from typing import NamedTuple

from searchinstruct_graph.datasets.pool.tokens import SYMBOL, marked, tokens
from searchinstruct_graph.datasets.pool.wordlists import (
    ALL_DROPPED,
    CANON,
    EVEN,
    HAN_CANON,
    HAN_PATTERN,
    LATIN,
    PHRASES,
)
from searchinstruct_graph.text.words import UNSPACED, normal_form, stems, words

_UNSPACED = re.compile(f"[{UNSPACED}]")
_KANA = re.compile("[\u3041-\u30ff]")
_ARABIC = re.compile("[\u0600-\u06ff]")
_CYRILLIC = re.compile("[\u0400-\u052f]")
_PERSIAN = re.compile("[پچژگکی]")
_PERSIAN_ENDING = re.compile(r"(?<=\w{3})(?:هايي|هاي|ها|يي|ي)$")
# Snowball leaves the third person of a German verb as it is: funktioniert, schließt.
_GERMAN_ENDING = re.compile(r"(?<=\w{4})(?<![aeiou])t$")
# A lone capital (vitamin A, plan B) and an acronym that spells a function word (WHO, IT, US) are names.
# So is an I that ends a phrase: World War I.
_CAPITAL = re.compile(r"(?<=\w )(?!I\b(?!\s*(?:[.,:;?!)]|$)))([A-Z])\b(?!['’])")
_ACRONYM = re.compile(r"\b[A-Z]{2,}\b")


class Wording(NamedTuple):
    """What a text asks for; two texts of equal `content` and `numbers` ask for the same, if not the other way round."""

    content: tuple[str, ...]
    """Sorted stems of the content words (single characters where a script has no spaces), symbols, and kinds of
    question (`#why`, `#not`, ...), these once each."""
    language: str
    """As guessed from function words; the same question in another language is another instruction."""
    numbers: tuple[str, ...]
    """Tokens with digits and symbols, in order: 15 % of 80 is not 80 % of 15."""

    @property
    def facts(self) -> tuple[str, ...]:
        """What the embedding rule never forgives a difference in: numbers, symbols, why, when, where, negation."""
        return (*self.numbers, *sorted(word for word in self.content if word.startswith("#") and word != "#how"))


def _language(found: list[str], text: str) -> str:
    if _CYRILLIC.search(text):
        return "ru"
    if _ARABIC.search(text):
        return "fa" if _PERSIAN.search(text) else "ar"
    votes = Counter(language for word in found for language in LATIN.get(word, ()))
    # The first of equals is the first in the order of the lists: English.
    return max(CANON, key=lambda language: votes[language])


def _capitals(text: str) -> str:
    if text.isupper():
        return text
    text = _CAPITAL.sub(r"letter\1", text)
    return _ACRONYM.sub(lambda found: f"caps{found[0]}" if found[0].lower() in ALL_DROPPED else found[0], text)


def _stem(word: str, language: str) -> str:
    if language == "fa":
        return _PERSIAN_ENDING.sub("", word)
    stem = " ".join(stems(word, language))
    return _GERMAN_ENDING.sub("", stem) if language == "de" else stem


@cache
def _groups(language: str) -> dict[str, str]:
    """What stands for a stem: the lists hold a word or two of a group, texts also its other forms."""
    listed = ((word, name) for word, name in CANON[language].items() if name.isalpha())
    return {_stem(word, language): _stem(name, language) for word, name in listed}


@lru_cache(maxsize=65_536)
def _name_of(word: str, language: str) -> str:
    """What stands for `word` in a `Wording`; empty for a word that says nothing."""
    listed = CANON[language].get(word, word)
    if not listed or listed.startswith("#"):
        return listed
    stem = _stem(listed, language)
    return _groups(language).get(stem, stem)


def _number(word: str) -> bool:
    return word.startswith(SYMBOL) or any(map(str.isdigit, word))


def wording(text: str) -> Wording:
    """The `Wording` of `text`."""
    text = _capitals(marked(text))
    kinds: set[str] = set()
    han = ""
    if _UNSPACED.search(text):
        han = "ja" if _KANA.search(text) else "zh"
        canon = HAN_CANON[han]

        def replace(found: re.Match[str]) -> str:
            kinds.add(canon[found[0]])
            return " "

        text = _UNSPACED.sub(r" \g<0> ", HAN_PATTERN[han].sub(replace, normal_form(text)))
    found = [part for word in words(text) for part in _parts(word)]
    language = _language(found, text)
    if language in PHRASES:
        joined = " ".join(found)
        for pattern, name in PHRASES[language]:
            joined = pattern.sub(name, joined)
        found = joined.split()
    canon = CANON[language]
    directed = language == "en" and "to" not in found
    content = [_name_of(word, language) for word in found if word != "from" or directed or language != "en"]
    kinds.update(word for word in content if word.startswith("#"))
    content = [word for word in content if word and not word.startswith("#")]
    if "differ" in content:
        kinds.discard("#how")
    kinds.discard("")
    numbers = tuple(number for word in found if _number(number := canon.get(word, word)))
    says = sorted([*content, *kinds] or found or tokens(text))
    return Wording(tuple(says), han or language, numbers)


def _parts(word: str) -> list[str]:
    """`butterfly's` and `what's` without what follows the apostrophe; `don't` as `do` and `n't`."""
    if "'" not in word:
        return [word]
    if word.endswith("n't"):
        return [word[:-3], "n't"]
    head, _, tail = word.partition("'")
    return [head] if tail in ("s", "re", "ll", "ve", "d", "m", "t") else [head, tail]


def _units(text: str) -> list[str]:
    spread = _UNSPACED.sub(r" \g<0> ", marked(text)) if not text.isascii() else marked(text)
    return ["to" if word == "into" else word for word in words(spread)]


def swapped(one: str, other: str) -> bool:
    """Whether two things change places around the same words: Celsius to Fahrenheit, Fahrenheit to Celsius.

    Looks for `x m y` in one text and `y m x` in the other, where x and y have up to four tokens and m up to six that
    are not all mere connectors (`and`, `or`).
    """
    left, right = _units(one), _units(other)
    if len(left) > _LONGEST or len(right) > _LONGEST:
        return False
    for at, begin in product(range(1, len(left)), range(1, len(right))):
        length = 0
        while length < 6 and at + length < len(left) - 1 and begin + length < len(right) - 1:
            if left[at + length] != right[begin + length]:
                break
            length += 1
            if not EVEN.issuperset(left[at : at + length]) and _crossed(left, right, at, begin, length):
                return True
    return False


_LONGEST = 80
"""Tokens beyond which a text says enough in other words: the look for swapped ones is quadratic."""


def _crossed(left: list[str], right: list[str], at: int, begin: int, length: int) -> bool:
    before, after = left[max(0, at - 4) : at], left[at + length : at + length + 4]
    front, back = right[max(0, begin - 4) : begin], right[begin + length : begin + length + 4]

    def meets(head: list[str], tail: list[str]) -> bool:
        return any(head[-size:] == tail[:size] for size in range(1, min(len(head), len(tail)) + 1))

    return before[-1:] != front[-1:] and meets(before, back) and meets(front, after)


_NAME = re.compile(r"(?<=[\w,;:] )[^\W\d_a-z]\w*")


def _named(text: str) -> set[str]:
    return {normal_form(found) for found in _NAME.findall(text) if found[0].isupper() and found != "I"}


def may_match(one: str, other: str) -> bool:
    """Whether alike embeddings of the two texts may be believed.

    Not when their numbers, negation or kind of question differ, when a capitalised name of one is missing in the other,
    or when two things change places.
    """
    return (
        wording(one).facts == wording(other).facts
        and _named(one) <= set(_units(other))
        and _named(other) <= set(_units(one))
        and not swapped(one, other)
    )


def one_subject(one: str, other: str) -> bool:
    """Whether two short texts that share most 3-grams ask about one thing.

    No number, kind of question or negation differs, no content word stands for another one, nothing changes places.
    """
    left, right = wording(one), wording(other)
    mine, yours = Counter(left.content), Counter(right.content)
    return left.facts == right.facts and not (mine - yours and yours - mine) and not swapped(one, other)
