"""Held-out questions, and which of many texts repeat one of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from typing_extensions import TypedDict

from searchinstruct_graph.datasets.contamination.meaning import Meaning
from searchinstruct_graph.datasets.contamination.ngrams import NGrams
from searchinstruct_graph.datasets.records import question_of, read_records
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.words import UNSPACED, normal_form, words

if TYPE_CHECKING:
    from searchinstruct_graph.models.embeddings import Embedder

Rule = Literal["exact", "normalised", "ngram", "meaning"]
_Finder = Callable[[Sequence[str], Sequence[Sequence[str]]], list[tuple[int, float] | None]]


class Match(NamedTuple):
    """The held-out item that a text repeats, and the strictest rule that says so."""

    rule: Rule
    """`exact`: the same characters; `normalised`: up to case, punctuation and white space; `ngram`: a shared run of 13
    words, or all of a shorter item; `meaning`: the same question in other words."""
    file: str
    line: int
    """Line, or number of the record where the format has no lines, from 1."""
    text: str
    """The item."""
    score: float
    """1 for a copy; the share of the item's runs of words that the text has; the probability of a rewording."""


class _Item(NamedTuple):
    file: str
    line: int
    text: str


class Benchmark:
    """Held-out items that no training instruction may repeat.

    Memory is that of the items (about 5 KB each); texts are worked through in blocks.
    """

    def __init__(self, items: Sequence[tuple[str, int, str]], embedder: Embedder) -> None:
        """Take items as (file, line, text)."""
        self._items: list[_Item] = []
        self._exact: dict[str, int] = {}
        self._normalised: dict[str, int] = {}
        self.files: dict[str, int] = {}
        """How many different items each file brought in."""
        for file, line, text in items:
            stripped = text.strip()
            self.files.setdefault(file, 0)
            key = _key(stripped)
            if not stripped or stripped in self._exact or (key and key in self._normalised):
                continue
            self._exact[stripped] = len(self._items)
            if key:
                self._normalised[key] = len(self._items)
            self.files[file] += 1
            self._items.append(_Item(file, line, stripped))
        found = [words(item.text) for item in self._items]
        self._ngrams = NGrams(found)
        self._meaning = Meaning([item.text for item in self._items], found, embedder)

    @classmethod
    def load_any(cls, paths: Sequence[str], embedder: Embedder) -> Benchmark | None:
        """`load`, or None where no file of held-out questions is named."""
        return cls.load(paths, embedder) if paths else None

    @classmethod
    def load(cls, paths: Sequence[str], embedder: Embedder) -> Benchmark:
        """Read the questions of `paths`: text (one item a line), JSON, JSONL, CSV, XLSX or Parquet.

        Raises:
            UsageError: for a file that cannot be read, or in which no record has a question.
        """
        items: list[tuple[str, int, str]] = []
        for path in dict.fromkeys(paths):
            before = len(items)
            for record in read_records(path):
                question = question_of(record)
                if question and question.strip():
                    items.append((*_place(record.where), question))
            if len(items) == before:
                raise UsageError(f"{path}: no held-out question found; name its column `question`, or put one a line")
        return cls(items, embedder)

    def __len__(self) -> int:
        return len(self._items)

    def match(self, text: str) -> Match | None:
        """The item that `text` repeats, by the strictest rule that finds one; None when it repeats none."""
        return self.match_many([text])[0]

    def match_many(self, texts: Sequence[str]) -> list[Match | None]:
        """`match` of each text, in order, in blocks: a thousand texts cost a fraction of a thousand calls."""
        block = max(16, min(_BLOCK, _CELLS // max(len(self._items), 1)))
        matches: list[Match | None] = []
        for at in range(0, len(texts), block):
            matches.extend(self._match_block([text.strip() for text in texts[at : at + block]]))
        return matches

    def _match_block(self, texts: Sequence[str]) -> list[Match | None]:
        matches = [self._copy(text) for text in texts]
        rows = [row for row, match in enumerate(matches) if match is None and texts[row]]
        found = {row: words(texts[row]) for row in rows}
        finders: list[tuple[Rule, _Finder]] = [("ngram", self._ngrams.find), ("meaning", self._meaning.find)]
        for rule, find in finders:
            rows = [row for row in rows if matches[row] is None]
            if rows and self._items:
                hits = find([texts[row] for row in rows], [found[row] for row in rows])
                for row, hit in zip(rows, hits, strict=True):
                    matches[row] = None if hit is None else self._match(rule, *hit)
        return matches

    def _copy(self, text: str) -> Match | None:
        if (number := self._exact.get(text)) is not None:
            return self._match("exact", number, 1.0)
        number = self._normalised.get(_key(text))
        return None if number is None else self._match("normalised", number, 1.0)

    def _match(self, rule: Rule, number: int, score: float) -> Match:
        item = self._items[number]
        return Match(rule, item.file, item.line, item.text, round(score, 4))


_BLOCK = 512
_CELLS = 1_000_000
"""Pairs of text and item that are compared at once: 4 MB a matrix."""

# Letters, digits and signs: vowel signs and other marks are no word characters to `re`.
_KEPT = rf"\w\u0300-\u036f\u0900-\u0963\u0966-\u0df3{UNSPACED}"
_NOISE = re.compile(rf"[^{_KEPT}]+|_+")
_NOISE_OF_FORMULA = re.compile(rf"[^{_KEPT}+=<>*/^×÷−√∫∑∏≤≥≠]+|_+")
_FORMULA = 40
"""Characters below which an operator makes one formula another."""


def _ascii(noise: re.Pattern[str]) -> dict[int, None]:
    return dict.fromkeys(code for code in range(128) if noise.match(chr(code)))


_ASCII_NOISE, _ASCII_NOISE_OF_FORMULA = _ascii(_NOISE), _ascii(_NOISE_OF_FORMULA)


def _key(text: str) -> str:
    """`text` without case, punctuation and white space."""
    if text.isascii():
        lower = text.lower()
        key = lower.translate(_ASCII_NOISE)
        return key if len(key) >= _FORMULA else lower.translate(_ASCII_NOISE_OF_FORMULA)
    normal = normal_form(text)
    key = _NOISE.sub("", normal)
    return key if len(key) >= _FORMULA else _NOISE_OF_FORMULA.sub("", normal)


def _place(where: str) -> tuple[str, int]:
    found = re.fullmatch(r"(.*)[:#](\d+)", where, re.DOTALL)
    return (found[1], int(found[2])) if found else (where, 0)


class Contamination(TypedDict):
    """What was found among many texts: plain JSON."""

    checked: int
    contaminated: int
    rules: dict[str, int]
    files: dict[str, int]
    matches: list[ContaminatedText]
    """The first ones, in the order of the texts."""


class ContaminatedText(TypedDict):
    """A text that repeats a held-out item."""

    number: int
    """Which of the texts, from 1."""
    text: str
    rule: str
    file: str
    line: int
    item: str
    score: float


RULES: tuple[Rule, ...] = ("exact", "normalised", "ngram", "meaning")


def report(
    texts: Iterable[str], matches: Iterable[Match | None], files: Iterable[str] = (), at_most: int = 1_000
) -> Contamination:
    """Count the `matches` of `texts` by rule and by file (those of `files` even if none matched), and list `at_most` of them."""
    rules: Counter[str] = Counter(dict.fromkeys(RULES, 0))
    by_file: Counter[str] = Counter(dict.fromkeys(files, 0))
    listed: list[ContaminatedText] = []
    checked = 0
    for checked, (text, match) in enumerate(zip(texts, matches, strict=True), 1):
        if match is None:
            continue
        rules[match.rule] += 1
        by_file[match.file] += 1
        if len(listed) < at_most:
            listed.append(
                {
                    "number": checked,
                    "text": text,
                    "rule": match.rule,
                    "file": match.file,
                    "line": match.line,
                    "item": match.text,
                    "score": match.score,
                }
            )
    return {
        "checked": checked,
        "contaminated": sum(rules.values()),
        "rules": dict(rules),
        "files": dict(by_file),
        "matches": listed,
    }
