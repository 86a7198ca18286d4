"""An instruction as tokens: the words of `text.words`, and the symbols that carry meaning (`C++`, `C#`, `1+2`, `5 €`)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from searchinstruct_graph.text.words import words

# Punctuation by Unicode that is an operator where it stands between the right neighbours.
_OPERATOR = re.compile(r"(?<=\w)#|(?<=\w)\s?\*\s?(?=\w)|(?<=\d)\s?[-/–]\s?(?=\d)|(?<![\w-])-(?=\d)|(?<=\d)\s?%")
_MARK = re.compile(r"[^\w\s.,:;?!'\"()\[\]]")

SYMBOL = "sym"
"""How a token that stands for a symbol begins: `sym2b` is a plus sign. A word because `words` must keep it."""


@lru_cache(maxsize=4_096)
def _symbol(mark: str) -> str:
    kept = mark == "^" or unicodedata.category(mark) in ("Sm", "Sc", "So")
    return f" {SYMBOL}{ord(mark):x} " if kept else mark


def marked(text: str) -> str:
    """`text` under NFKC, with each symbol that carries meaning written as a word of its own."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    if not _MARK.search(text):
        return text
    text = _OPERATOR.sub(lambda found: f" {SYMBOL}{ord(found[0].strip().replace('–', '-')):x} ", text)
    return _MARK.sub(lambda found: _symbol(found[0]), text)


def tokens(text: str) -> list[str]:
    """The tokens of `text` in order; a text without any (`???`) is one token, itself without white space around."""
    return words(marked(text)) or [unicodedata.normalize("NFKC", text).casefold().strip()]
