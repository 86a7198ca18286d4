"""How far a response and a reference share their words, in any script: exact match, F1, ROUGE-L, chrF. No model.

Words are those of SQuAD's script (Rajpurkar et al. 2016): in normal form, without punctuation and English articles. A
character of a script without spaces is a word of its own, as in MLQA's script (Lewis et al. 2020).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from searchinstruct_graph.text.words import UNSPACED, normal_form

_ARTICLES = frozenset({"a", "an", "the"})
_PIECE = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")

CHRF_ORDER, CHRF_BETA = 6, 2
"""Longest n-grams of chrF, in characters, and how much more its recall weighs (Popović 2015; sacrebleu's defaults)."""


def answer_words(text: str) -> list[str]:
    """The words that answers are compared by, in order; all words where only articles would be left out."""
    kept = "".join("" if unicodedata.category(ch)[0] == "P" else ch for ch in normal_form(text))
    found = _PIECE.findall(kept)
    return [word for word in found if word not in _ARTICLES] or found


def exact_match(response: str, reference: str) -> float:
    """1 when both have the same words in the same order, else 0."""
    return float(answer_words(response) == answer_words(reference))


def token_f1(response: str, reference: str) -> float:
    """Harmonic mean of the shares of words that are common, 0 to 1 (Rajpurkar et al. 2016)."""
    ours, theirs = answer_words(response), answer_words(reference)
    return _f1(sum((Counter(ours) & Counter(theirs)).values()), len(ours), len(theirs))


def rouge_l(response: str, reference: str) -> float:
    """ROUGE-L (Lin 2004): F1 over the longest common subsequence of words, 0 to 1."""
    ours, theirs = answer_words(response), answer_words(reference)
    return _f1(_common_subsequence(ours, theirs), len(ours), len(theirs))


def contains(text: str, reference: str) -> bool:
    """Whether the reference's words stand in the text, in a row."""
    wanted, held = answer_words(reference), answer_words(text)
    # With a mark around every word, a search in text finds whole words only.
    return bool(wanted) and f"\x00{chr(0).join(wanted)}\x00" in f"\x00{chr(0).join(held)}\x00"


def chrf(response: str, reference: str) -> float:
    """The chrF score (Popović 2015) as sacrebleu computes it, 0 to 1: precision and recall of character n-grams up to
    `CHRF_ORDER`, blanks left out, each the mean over the orders that both texts have, then F with `CHRF_BETA`.
    """
    ours, theirs = "".join(response.split()), "".join(reference.split())
    precisions, recalls = [], []
    for order in range(1, CHRF_ORDER + 1):
        mine, their = _grams(ours, order), _grams(theirs, order)
        if mine and their:
            common = sum((mine & their).values())
            precisions.append(common / mine.total())
            recalls.append(common / their.total())
    if not precisions or not any(precisions):
        return 0.0
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    weight = CHRF_BETA**2
    return (1 + weight) * precision * recall / (weight * precision + recall)


def _f1(common: int, ours: int, theirs: int) -> float:
    if not ours or not theirs:
        return float(ours == theirs)
    return 2 * common / (ours + theirs)


def _grams(text: str, order: int) -> Counter[str]:
    return Counter(text[at : at + order] for at in range(len(text) - order + 1))


def _common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence, a machine word of `other` at a time (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for at, word in enumerate(other):
        places[word] = places.get(word, 0) | 1 << at
    full = (1 << len(other)) - 1
    unmatched = full
    for word in one:
        matched = unmatched & places.get(word, 0)
        unmatched = (unmatched + matched | unmatched - matched) & full
    return len(other) - unmatched.bit_count()
