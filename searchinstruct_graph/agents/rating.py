"""How well passages of a corpus carry a statement: one number, the sentence that comes closest, and what differs there.

No model but static embeddings. Which passages are looked at is the caller's choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.offline.lens import word_weight
from searchinstruct_graph.text.compare import CONFLICT_CAP, Difference, differences
from searchinstruct_graph.text.sentences import sentences
from searchinstruct_graph.text.stopwords import is_stopword, language_of
from searchinstruct_graph.text.words import stems, words
from searchinstruct_graph.tools.corpus import Passage

RESTATES = 0.75
"""Share of a statement's words from which a sentence is what the statement restates: what differs then contradicts it."""

TOUCHES = 0.5
"""Share from which a word that stands in the place of another one contradicts."""

WEIGHTS = (0.3, 0.3, 0.25, 0.15)
"""How the closest sentence, the three that cover most, shared word pairs and embedding similarity make up a score; equal
shares would do as well (benchmarks/verify.py)."""

TITLE_SHARE = 0.8
"""What a word counts that only the passage's headings hold."""

BEFORE_SHARE = 0.3
"""What a word counts that only the sentence before holds, as the offline model has it."""

CONTRADICTED, UNSEEN = CONFLICT_CAP, 0.75
"""Factors on the score of a statement that differs from its sentence, and of one with a number or name from nowhere."""

SHORT = 4
"""Words up to which an answer is no sentence of its own and is read together with its question."""


@dataclass(frozen=True, slots=True)
class Rating:
    """How well passages carry a claim: `start` and `end` are offsets into the document of `passage`."""

    score: float
    differences: tuple[Difference, ...] = ()
    passage: Passage | None = None
    start: int = 0
    end: int = 0
    considered: tuple[Passage, ...] = field(default=(), repr=False)
    """The passages that come closest, best first."""

    @property
    def text(self) -> str:
        """The sentences of the passage that come closest."""
        found = self.passage
        return found.text[self.start - found.start : self.end - found.start] if found else ""

    @property
    def contradicts(self) -> bool:
        """Whether another number, name or negation stands in the place of the claim's."""
        return any(each.held for each in self.differences)


def _weights(text: str, language: str) -> dict[str, float]:
    """The stems that carry meaning, each with its weight. Not kept: every statement of a dataset is another text."""
    found: dict[str, float] = {}
    for word in words(text):
        if not is_stopword(word):
            stem = stems(word, language)[0]
            found[stem] = max(found.get(stem, 0.0), word_weight(word))
    return found


class _Sentence(NamedTuple):
    start: int
    end: int
    stems: frozenset[str]
    pairs: frozenset[tuple[str, str]]


@lru_cache(maxsize=4_096)
def _read(text: str, language: str) -> tuple[_Sentence, ...]:
    found = []
    for span in sentences(text):
        held = stems(text[span.start : span.end], language)
        found.append(_Sentence(span.start, span.end, frozenset(held), frozenset(pairwise(held))))
    return tuple(found)


class _Window(NamedTuple):
    """A sentence of a passage, and how much of the claim it covers, 0 to 1."""

    share: float
    passage: int
    sentence: int


def rate(claim: str, passages: Sequence[Passage], question: str = "") -> Rating:
    """How far `passages` carry `claim`, 0 to 1, and what differs in the sentence that comes closest.

    Words count by their rarity. The score joins the closest sentence, the three sentences that together cover most,
    shared word pairs and embedding similarity (`WEIGHTS`). A number, name or negation that differs lowers it. A claim of a
    few words is the answer to `question`, whose words must stand there as well.
    """
    if not question or not is_short(claim):
        return _rate_sentence(claim, passages)
    brief = _rate_short(claim, question, passages)
    if brief.score <= CONFLICT_CAP and (sentence := _rate_sentence(claim, passages)).contradicts:
        return sentence
    return brief


def _rate_sentence(claim: str, passages: Sequence[Passage]) -> Rating:
    language = language_of(claim)
    asked = _weights(claim, language)
    whole = sum(asked.values())
    if not passages or not whole:
        return Rating(0.0)
    read = [_read(passage.text, language) for passage in passages]
    windows = sorted(_windows(asked, whole, passages, read, language), reverse=True, key=lambda each: each.share)
    if not windows:
        return Rating(0.0)
    best, found = _closest(claim, windows, passages, read, language)
    chosen = _covering(asked, whole, best, windows, read)
    joined = [_text(passages, read, each) for each in chosen]
    if best.share < RESTATES:
        # Several sentences make up the claim: only what stands in another's place counts against the closest one.
        everything = "\n".join(passage.text for passage in passages)
        found = [each for each in found if each.held and best.share >= TOUCHES]
        found += [each for each in differences(claim, "\n".join(joined), everything, language) if not each.held]
    held = frozenset().union(*(read[each.passage][each.sentence].stems for each in chosen))
    covered = sum(weight for stem, weight in asked.items() if stem in held) / whole
    ours = list(pairwise(stems(claim, language)))
    pairs = frozenset().union(*(read[each.passage][each.sentence].pairs for each in chosen))
    shared = sum(pair in pairs for pair in ours) / len(ours) if ours else best.share
    vectors = embeddings("wordllama").embed([claim, *joined])
    near = max(0.0, float((vectors[1:] @ vectors[0]).max()))
    parts = (best.share, max(covered, best.share), shared, near)
    score = sum(weight * min(1.0, part) for weight, part in zip(WEIGHTS, parts, strict=True))
    differing = tuple(dict.fromkeys(found))
    if any(each.held for each in differing):
        score *= CONTRADICTED
    elif differing:
        score *= UNSEEN if all(each.kind == "name" for each in differing) else CONTRADICTED
    sentence = read[best.passage][best.sentence]
    passage = passages[best.passage]
    order = dict.fromkeys(each.passage for each in (best, *chosen, *windows[:20]))
    return Rating(
        round(score, 4),
        differing,
        passage,
        passage.start + sentence.start,
        passage.start + sentence.end,
        tuple(passages[at] for at in order),
    )


def is_short(claim: str) -> bool:
    """Whether an answer is too short to be a sentence of its own."""
    return len(words(claim)) <= SHORT


def _text(passages: Sequence[Passage], read: Sequence[Sequence[_Sentence]], window: _Window) -> str:
    sentence = read[window.passage][window.sentence]
    return passages[window.passage].text[sentence.start : sentence.end]


def _windows(
    asked: Mapping[str, float],
    whole: float,
    passages: Sequence[Passage],
    read: Sequence[Sequence[_Sentence]],
    language: str,
) -> Iterator[_Window]:
    for number, (passage, found) in enumerate(zip(passages, read, strict=True)):
        above = frozenset(stems(f"{passage.title} {passage.heading}", language))
        before: frozenset[str] = frozenset()
        for at, sentence in enumerate(found):
            share = 0.0
            for stem, weight in asked.items():
                if stem in sentence.stems:
                    share += weight
                elif stem in above:
                    share += weight * TITLE_SHARE
                elif stem in before:
                    share += weight * BEFORE_SHARE
            yield _Window(share / whole, number, at)
            before = sentence.stems


def _closest(
    claim: str,
    windows: Sequence[_Window],
    passages: Sequence[Passage],
    read: Sequence[Sequence[_Sentence]],
    language: str,
) -> tuple[_Window, list[Difference]]:
    """The sentence that the claim restates, with what differs in it: of those that come about as close, the one that differs
    least.
    """
    picked: tuple[_Window, list[Difference]] | None = None
    for window in windows[:4]:
        if window.share < windows[0].share - 0.1:
            break
        passage = passages[window.passage]
        context = f"{passage.title}\n{passage.heading}\n{passage.text}"
        found = differences(claim, _text(passages, read, window), context, language)
        if picked is None or len(found) < len(picked[1]):
            picked = window, found
        if not found:
            break
    assert picked is not None
    return picked


def _covering(
    asked: Mapping[str, float],
    whole: float,
    best: _Window,
    windows: Sequence[_Window],
    read: Sequence[Sequence[_Sentence]],
) -> list[_Window]:
    """`best` and up to two more sentences that add most of what is missing of the claim."""
    chosen = [best]
    missing = {stem: w for stem, w in asked.items() if stem not in read[best.passage][best.sentence].stems}
    for _ in range(2):
        gains = (
            (sum(w for stem, w in missing.items() if stem in read[each.passage][each.sentence].stems), each)
            for each in windows[:60]
        )
        gain, more = max(gains, key=lambda pair: pair[0])
        if gain <= 0.02 * whole:
            break
        chosen.append(more)
        missing = {stem: w for stem, w in missing.items() if stem not in read[more.passage][more.sentence].stems}
    return chosen


def _rate_short(answer: str, question: str, passages: Sequence[Passage]) -> Rating:
    """An answer of a few words: a sentence must hold all of them, and the question's words must stand there too."""
    language = language_of(question)
    given = _weights(answer, language) or dict.fromkeys(stems(answer, language), 1.0)
    asked = {stem: weight for stem, weight in _weights(question, language).items() if stem not in given}
    best = Rating(0.0)
    for passage in passages:
        above = frozenset(stems(f"{passage.title} {passage.heading}", language))
        before: frozenset[str] = frozenset()
        for sentence in _read(passage.text, language):
            held = _share(given, sentence.stems)
            near = _share(asked, sentence.stems | above | before) if asked else 1.0
            score = held * (0.4 + 0.6 * min(1.0, near / RESTATES))
            if held < 1.0:
                score = min(score, CONFLICT_CAP)
            before = sentence.stems
            if score > best.score:
                start, end = passage.start + sentence.start, passage.start + sentence.end
                best = Rating(round(score, 4), (), passage, start, end, (passage,))
    return best


def _share(wanted: Mapping[str, float], held: frozenset[str]) -> float:
    whole = sum(wanted.values())
    return sum(weight for stem, weight in wanted.items() if stem in held) / whole if whole else 0.0
