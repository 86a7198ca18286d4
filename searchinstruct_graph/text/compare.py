"""Does one text say what another says? Word coverage, numbers and negation, compared as such. No model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from searchinstruct_graph.text.sentences import sentences
from searchinstruct_graph.text.stopwords import is_stopword
from searchinstruct_graph.text.words import normal_form, stems, words

_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*")
_NEGATIONS = frozenset(
    normal_form(word)
    for word in [
        "not",
        "no",
        "never",
        "none",
        "nor",
        "neither",
        "without",
        "cannot",
        "n't",
        "nicht",
        "kein",
        "keine",
        "keinen",
        "keiner",
        "nie",
        "ohne",
        "nunca",
        "ningún",
        "jamais",
        "aucun",
        "لا",
        "لم",
        "لن",
        "ليس",
        "ليست",
        "نه",
        "نیست",
        "نبود",
        "هرگز",
        "不",
        "没",
        "没有",
        "无",
        "未",
    ]
)
_NEGATION_CHARACTERS = re.compile("[不没未无]")

CONFLICT_CAP = 0.5
"""Support of a statement that conflicts with its quotes: never enough to be accepted."""

SHARED = 0.2
"""Share of a statement's content words that its quotes must hold, where both are written in one script: a fair
paraphrase keeps its names and numbers at least."""


def numbers(text: str) -> set[str]:
    """The numbers in digits, without thousands separators and trailing zeros: `1,200` and `1200` are one."""
    found: set[str] = set()
    for raw in _NUMBER.findall(normal_form(text)):
        whole = raw
        if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", whole):
            whole = whole.replace(",", "")
        whole = whole.replace(",", ".")
        if whole.count(".") == 1:
            whole = whole.rstrip("0").rstrip(".")
        found.add(whole.lstrip("0") or "0")
    return found


def negated(text: str) -> bool:
    """Whether the text holds a negation word."""
    folded = normal_form(text)
    return any(word in _NEGATIONS or word.endswith(("n't", "n’t")) for word in words(folded)) or bool(
        _NEGATION_CHARACTERS.search(folded)
    )


def content(text: str, language: str = "en") -> list[str]:
    """The stems that carry meaning; when all are function words, all of them."""
    found = words(text)
    kept = [word for word in found if not is_stopword(word)] or found
    return stems(" ".join(kept), language)


def coverage(claim: str, evidence: Sequence[str], language: str = "en") -> float:
    """Share of the claim's content words that stand in the evidence, 0 to 1; an empty claim is covered by nothing."""
    wanted = content(claim, language)
    if not wanted:
        return 0.0
    held = set(stems(" ".join(evidence), language))
    return sum(word in held for word in wanted) / len(wanted)


def script(text: str) -> str:
    """The script most letters of `text` are in, by Unicode block (`latin`, `arabic`, `cjk`, ...); `none` without letters."""
    tally = Counter(_block(letter) for letter in text if letter.isalpha())
    return tally.most_common(1)[0][0] if tally else "none"


def _block(letter: str) -> str:
    point = ord(letter)
    return next((name for end, name in _BLOCKS if point < end), "other")


_BLOCKS = (
    (0x250, "latin"),
    (0x370, "other"),
    (0x400, "greek"),
    (0x530, "cyrillic"),
    (0x590, "other"),
    (0x600, "hebrew"),
    (0x780, "arabic"),
    (0x900, "other"),
    (0xE00, "indic"),
    (0x2E80, "other"),
    (0xA000, "cjk"),
    (0xAC00, "other"),
    (0xD7B0, "hangul"),
)


def denied(text: str, language: str = "en") -> set[str]:
    """The first content word after each negation: what the text says is not so."""
    found: set[str] = set()
    pending = False
    for word in words(text):
        if word in _NEGATIONS or word.endswith(("n't", "n’t")):
            pending = True
        elif pending and not is_stopword(word):
            found.update(stems(word, language))
            pending = False
    return found


def conflicts(claim: str, evidence: Sequence[str]) -> bool:
    """Whether the claim says what its quotes cannot: hardly a word of theirs, a number that none has, or a negation on
    one side only.

    Quotes deny many things beside what a claim takes from them, so a negation in the evidence counts only where the
    sentence that the claim restates (covers 80 % of it) denies a word of the claim.
    """
    spaced = " ".join(claim.split())
    if any(spaced in " ".join(text.split()) for text in evidence):
        return False
    if numbers(claim) - set().union(*map(numbers, evidence)):
        return True
    if coverage(claim, evidence) < SHARED and script(claim) == script(" ".join(evidence)):
        return True
    if negated(claim):
        return not any(map(negated, evidence))
    pieces = [text[span.start : span.end] for text in evidence for span in sentences(text)]
    best = max(pieces, key=lambda piece: coverage(claim, [piece]), default="")
    return coverage(claim, [best]) >= 0.8 and bool(denied(best) & set(content(claim)))


def support(claim: str, evidence: Sequence[str], language: str = "en") -> float:
    """How far `evidence` (the statement's own quotes) carries `claim`, 0 to 1.

    1 for a verbatim part of the evidence; else word coverage, capped at `CONFLICT_CAP` when the claim has a number
    that no quote has, or a negation on one side only.
    """
    if not evidence:
        return 0.0
    joined = [" ".join(text.split()) for text in evidence]
    if (spaced := " ".join(claim.split())) and any(spaced in text for text in joined):
        return 1.0
    score = coverage(claim, joined, language)
    return min(score, CONFLICT_CAP) if conflicts(claim, joined) else score


AGREEMENT = 0.6
"""Share of the shorter answer's content words that the longer one must hold for the two to agree."""


WHOLE_SENTENCE = 20
"""Characters from which an answer that stands verbatim in another is surely the same answer."""


def agree(one: str, other: str, language: str = "en") -> bool:
    """Whether two answers say the same: one's words stand in the other, their numbers do not conflict, nor their negation."""
    brief, full = sorted((" ".join(one.split()), " ".join(other.split())), key=len)
    if len(brief) >= WHOLE_SENTENCE and brief in full:
        return True
    left, right = set(content(one, language)), set(content(other, language))
    if not left or not right:
        return left == right
    if left == right:
        return negated(one) == negated(other)
    numbers_left, numbers_right = numbers(one), numbers(other)
    if numbers_left and numbers_right and not (numbers_left <= numbers_right or numbers_right <= numbers_left):
        return False
    shorter, longer = sorted((left, right), key=len)
    if len(shorter & longer) / len(shorter) < AGREEMENT:
        return False
    return negated(one) == negated(other) or len(shorter) * 2 < len(longer)
