"""Words as search and comparison see them: one normal form for every script.

Latin, Cyrillic, Greek and the like are case-folded and stemmed (Snowball); Arabic and Persian letters are
unified; scripts written without spaces (Chinese, Japanese, Thai, ...) become overlapping character bigrams,
because two adjacent characters carry about as much meaning there as a word does elsewhere.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import Stemmer

# Thai, Lao, Tibetan, Myanmar, Khmer, kana, and the Han blocks with their extensions.
UNSPACED = (
    "\u0e01-\u0e4e\u0e81-\u0ecd\u0f40-\u0fbc\u1000-\u1049\u1050-\u109f\u1780-\u17d3"
    "\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""The inside of a regular-expression class: characters of scripts that put no spaces between words."""

# `\w` leaves out vowel signs and other combining marks, without which Indic and Thai words fall to pieces.
_SIGNS = "\u0300-\u036f\u0900-\u0963\u0966-\u0df3" + UNSPACED
_WORD = re.compile(rf"[\w{_SIGNS}]+(?:'[\w{_SIGNS}]+)*")
_ASCII_WORD = re.compile(r"[a-z0-9_]+(?:'[a-z0-9_]+)*")
_RUN = re.compile(rf"[{UNSPACED}]+|[^{UNSPACED}]+")
_FIRST_UNSPACED = "\u0e01"
_IS_UNSPACED = re.compile(rf"[{UNSPACED}]")
# French l'eau, Italian un'idea, Irish O'Brien: the letters before the apostrophe are a word of their own.
_ELISION = re.compile(r"\b(\w{1,2})'(?=\w\w)")

# Arabic vowel marks and lengthener, Hebrew points, zero-width joiners, soft hyphen: not what people type in a query.
_MARKS = re.compile("[\u064b-\u065f\u0670\u0640\u0591-\u05bd\u05bf-\u05c7\u200b-\u200f\u2060\ufeff\u00ad]")
_LETTERS = str.maketrans(
    {
        "أ": "ا",
        "إ": "ا",
        "آ": "ا",
        "ٱ": "ا",
        "ى": "ي",
        "ی": "ي",
        "ک": "ك",
        "ة": "ه",
        "ۀ": "ه",
        "ؤ": "و",
        "ئ": "ي",
        "’": "'",
        **{chr(0x0660 + digit): str(digit) for digit in range(10)},
        **{chr(0x06F0 + digit): str(digit) for digit in range(10)},
    }
)


def normal_form(text: str) -> str:
    """NFKC and case-folded; Arabic and Persian letters and digits unified, vowel marks and joiners removed."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _MARKS.sub("", folded).translate(_LETTERS)


def _bigrams(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] if len(run) > 1 else [run]


def words(text: str) -> list[str]:
    """The words of `text` in normal form, in order; runs of a script without spaces give their character bigrams."""
    normal = normal_form(text)
    if "'" in normal:
        normal = _ELISION.sub(r"\1 ", normal)
    if normal.isascii():
        return _ASCII_WORD.findall(normal)
    found: list[str] = []
    for word in _WORD.findall(normal):
        if max(word) < _FIRST_UNSPACED:
            found.append(word)
            continue
        for run in _RUN.findall(word):
            if _IS_UNSPACED.match(run):
                found.extend(_bigrams(run))
            else:
                found.append(run)
    return found


@lru_cache(maxsize=32)
def _stemmer(language: str) -> Stemmer.Stemmer | None:
    import Stemmer

    try:
        return Stemmer.Stemmer(language)
    except KeyError:
        return None


def stems(text: str, language: str = "en") -> list[str]:
    """`words` of `text`, each reduced to its Snowball stem in `language` (ISO 639-1; unknown: left whole)."""
    stemmer = _stemmer(language)
    found = words(text)
    return stemmer.stemWords(found) if stemmer else found


def same_text(text: str) -> str:
    """What two texts have in common when they are one: their words in normal form, without punctuation. A text without any word
    stands for itself.
    """
    return " ".join(words(text)) or " ".join(normal_form(text).split())
