"""What can be counted when a statement is held against evidence: shares from 0 to 1, each with the way it points.

Everything is measured around one sentence of the evidence (the anchor), with up to two more that say what it leaves open,
and over the whole. Numbers are compared as numbers and never by resemblance, so a number that stands nowhere cannot raise
what speaks for the statement, nor lower what speaks against it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from searchinstruct_graph.models.support.reading import (
    MOST_WEIGHT,
    Sentence,
    full_years,
    is_number,
    read_sentence,
    read_text,
    word_vector,
    word_weight,
)
from searchinstruct_graph.text import amounts as said
from searchinstruct_graph.text import polarity
from searchinstruct_graph.text.compare import Difference, differences, name_stems, numbers
from searchinstruct_graph.text.sentences import sentences
from searchinstruct_graph.text.stopwords import is_stopword, language_of
from searchinstruct_graph.text.words import stems, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

NUMBER_WEIGHT = 10.0
"""What a number weighs among words, which weigh 0.1 to 20 by rarity: every number the same."""

TITLE_SHARE, BEFORE_SHARE = 0.8, 0.3
"""What a word counts that only the headings, or only the sentence before, hold."""

ASKED_SHARE = 0.25
"""What a word of an answer weighs that its question holds already."""

RESTATES, TOUCHES = 0.75, 0.5
"""Share of a statement from which a sentence is what it restates, so that every difference counts; and from which a word
that stands in the place of another one counts."""

AS_CLOSE = 0.1
"""Sentences whose shares are not further apart come about as close."""

KIN = 0.3
"""Cosine of two words' vectors from which they resemble each other."""

ANCHORS = 4
"""Sentences tried as anchor by each of the orders (coverage, coverage without numbers, resemblance)."""

SHORT = 4
"""Words up to which a statement is an answer and no sentence of its own."""

_AT_ONCE = 256
"""Words of a claim that are held against all words of the evidence at a time, which bounds the memory."""

_WORTH_ADDING = 0.02
"""Share of the statement that a further sentence must add."""


class Piece(NamedTuple):
    """A text of the evidence, with the headings it stands under."""

    text: str
    above: str = ""


class Features(NamedTuple):
    """The counts, 0 to 1. `FOR` speak for the statement, the others against it."""

    sentence: float
    """Its words and numbers, by rarity, that the anchor holds."""
    whole: float
    """... that all of the evidence holds."""
    kin: float
    """Its words that all of the evidence holds or resembles (cosine of static word vectors)."""
    phrases: float
    """Its neighbouring words that stand as neighbours in the anchor or the sentences that complete it."""
    about: float
    """The question's words, beyond its own, that the anchor, its headings or the sentence before hold; 1 without a question."""
    numbers: float
    """Its numbers that anchor and completing sentences do not hold."""
    names: float
    """Its names, identifiers and quoted words that the anchor does not hold."""
    novel: float
    """The most telling word that the anchor neither holds nor resembles."""
    differs: float
    """1 when a number, date, unit, name or negation is another one than in the anchor, or when it points the other way (an
    opposite word, two names in each other's place); 0 or 1."""
    unseen: float
    """1 when a name stands nowhere in the evidence; 0 or 1."""
    talk: float
    """1 when it is a question or speaks of "I" and "you", and the evidence does not; 0 or 1."""


FOR = ("sentence", "whole", "kin", "phrases", "about")
"""Features that speak for the statement; the others speak against it."""


class Reading(NamedTuple):
    """The statement held against one anchor."""

    features: Features
    piece: int
    """Which piece of the evidence the anchor is in."""
    sentence: Sentence
    differences: tuple[Difference, ...]
    pieces: tuple[int, ...]
    """The pieces of the anchor and of the sentences that complete it."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """The statement, as it is compared."""

    text: str
    language: str
    content: tuple[str, ...]
    """Its stems that carry meaning, and its numbers."""
    phrases: tuple[tuple[str, str], ...]
    forms: Mapping[str, str]
    """Its stems without numbers, each with its word."""
    weights: Numbers
    """One a form; small for what the question says already."""
    rarity: Numbers
    """One a form."""
    numbers: tuple[str, ...]
    digits: frozenset[str]
    """Those of its numbers that it writes in digits."""
    names: tuple[str, ...]
    amounts: tuple[said.Amount, ...]
    moments: tuple[said.Moment, ...]
    asked: Mapping[str, float]
    """What the question holds beside, with its weight."""
    talks: frozenset[str]
    in_words: float
    in_all: float


_INTERJECTION = re.compile(
    r"^\W*(?:(?:yes|yeah|yep|no|nope|well|ok|okay|oh|sure|not really|ja|nein|oui|non|sí|بله|آری|نعم|是的)\b\W*)+(?=\w)",
    re.IGNORECASE,
)
_TALK = frozenset("i me my mine we us our you your yours ich du wir ihr je tu nous vous yo tú".split())


def _read_claim(text: str, question: str) -> _Claim:
    import numpy as np

    bare = full_years(_INTERJECTION.sub("", text))
    language = language_of(question if question and is_short(bare) else bare)
    read = read_sentence(bare, language)
    forms = dict(zip((term for term in read.content if not is_number(term)), read.forms, strict=True))
    rarity = weights = np.array([word_weight(word) for word in forms.values()])
    known = set(stems(question, language)) if question else set[str]()
    if any(stem not in known for stem in forms):
        weights = weights * np.array([ASKED_SHARE if stem in known else 1.0 for stem in forms])
    asked = {
        stem: word_weight(word)
        for word, stem in zip(words(question), stems(question, language), strict=True)
        if not is_stopword(word) and stem not in forms
    }
    held = tuple(term for term in read.content if is_number(term))
    in_words = float(weights.sum())
    return _Claim(
        text=bare,
        language=language,
        content=read.content,
        phrases=tuple(_phrases(bare, language)),
        forms=forms,
        weights=weights,
        rarity=rarity,
        numbers=held,
        digits=frozenset(f"#{value}" for value in numbers(bare)),
        names=tuple(name_stems(bare, language)),
        amounts=tuple(said.amounts(bare)),
        moments=tuple(said.moments(bare)),
        asked=asked,
        talks=frozenset(words(bare)) & _TALK,
        in_words=in_words or 1.0,
        in_all=in_words + NUMBER_WEIGHT * len(held),
    )


def is_short(claim: str) -> bool:
    """Whether an answer is too short to be a sentence of its own."""
    return len(words(claim)) <= SHORT


def _phrases(text: str, language: str) -> Iterator[tuple[str, str]]:
    for span in sentences(text):
        yield from pairwise(read_sentence(text[span.start : span.end], language).terms)


class _Evidence(NamedTuple):
    """All sentences, and what each holds of the claim: one row a sentence."""

    sentences: Sequence[Sentence]
    piece_of: Sequence[int]
    above: Sequence[frozenset[str]]
    hard: Numbers
    """(sentences, forms): 1 for a word that stands there, less where only headings or the sentence before hold it."""
    soft: Numbers
    """(sentences, forms): also what resembles."""
    stated: Numbers
    """(sentences, numbers): 1 for a number that stands there."""


def _read_evidence(ours: _Claim, evidence: Sequence[Piece]) -> _Evidence:
    import numpy as np

    found: list[Sentence] = []
    piece_of: list[int] = []
    above: list[frozenset[str]] = []
    hard: list[list[float]] = []
    for number, piece in enumerate(evidence):
        above.append(frozenset(stems(piece.above, ours.language)))
        before: frozenset[str] = frozenset()
        for sentence in read_text(piece.text, ours.language):
            found.append(sentence)
            piece_of.append(number)
            hard.append([_held(stem, sentence.held, above[number], before) for stem in ours.forms])
            before = sentence.held
    rows = np.array(hard, dtype=np.float64).reshape(len(found), len(ours.forms))
    stated = [[float(number in sentence.held) for number in ours.numbers] for sentence in found]
    open_still = {number for at, number in enumerate(ours.numbers) if not any(row[at] for row in stated)}
    if open_still & ours.digits and (ours.moments or any(each.dimension or each.scale for each in ours.amounts)):
        # In another unit, or as another way to write the date.
        for row, sentence in zip(stated, found, strict=True):
            excused = _excused(ours, [sentence])
            row[:] = [held or float(number in excused) for number, held in zip(ours.numbers, row, strict=True)]
    return _Evidence(
        found,
        piece_of,
        above,
        rows,
        np.maximum(rows, _resemblance(ours, found)),
        np.array(stated, dtype=np.float64).reshape(len(found), len(ours.numbers)),
    )


def _held(stem: str, here: frozenset[str], above: frozenset[str], before: frozenset[str]) -> float:
    return 1.0 if stem in here else TITLE_SHARE if stem in above else BEFORE_SHARE if stem in before else 0.0


def _resemblance(ours: _Claim, found: Sequence[Sentence]) -> Numbers:
    """(sentences, forms): how far the closest word of each sentence resembles each word of the claim."""
    import numpy as np

    best = np.zeros((len(found), len(ours.forms)))
    places = {form: at for at, form in enumerate(dict.fromkeys(form for each in found for form in each.forms))}
    if not places or not ours.forms:
        return best
    held = np.stack([word_vector(form) for form in places])
    mine = np.stack([word_vector(form) for form in ours.forms.values()])
    columns = [[places[form] for form in each.forms] for each in found]
    for start in range(0, len(mine), _AT_ONCE):
        alike = np.clip((mine[start : start + _AT_ONCE] @ held.T - KIN) / (1 - KIN), 0.0, 1.0)
        for row, own in enumerate(columns):
            if own:
                best[row, start : start + _AT_ONCE] = alike[:, own].max(axis=1)
    return best


class Outline(NamedTuple):
    """An anchor before it is compared word by word: `features` are as if nothing differed."""

    features: Features
    anchor: int
    chosen: tuple[int, ...]
    """The sentences: the anchor, and those that complete it."""


class Held:
    """A statement held against evidence: the anchors that may carry it, cheap counts first.

    A statement of a few words is the answer to `question`, whose words then count little in it.
    """

    def __init__(self, claim: str, evidence: Sequence[Piece], question: str = "") -> None:
        import numpy as np

        self._ours = ours = _read_claim(claim, question)
        self._theirs = theirs = _read_evidence(ours, evidence)
        self._everything = "\n".join(f"{piece.above}\n{piece.text}" for piece in evidence)
        self._evidence = evidence
        self._read: dict[int, Reading] = {}
        self.outlines: list[Outline] = []
        if not theirs.sentences or not ours.in_all:
            return
        in_words = theirs.hard @ ours.weights / ours.in_words
        covered = (theirs.hard @ ours.weights + theirs.stated.sum(axis=1) * NUMBER_WEIGHT) / ours.in_all
        orders = (covered, in_words, theirs.soft @ ours.weights / ours.in_words)
        anchors = dict.fromkeys(int(at) for order in orders for at in np.argsort(-order, kind="stable")[:ANCHORS])
        self._restated = _restated(ours, theirs)
        stated = theirs.stated.max(axis=0)
        pairs = zip(ours.numbers, stated, strict=True)
        self._unstated = {each for each, found in pairs if not found and each in ours.digits}
        whole = float(theirs.hard.max(axis=0) @ ours.weights + stated.sum() * NUMBER_WEIGHT) / ours.in_all
        kin = float(theirs.soft.max(axis=0) @ ours.weights) / ours.in_words if ours.forms else whole
        talk = polarity.asks(claim) or bool(ours.talks and ours.talks - set(words(self._everything)))
        for anchor in anchors:
            chosen = _completed(anchor, ours, theirs)
            parts = [theirs.sentences[at] for at in chosen]
            share = float(covered[anchor])
            features = Features(
                sentence=share,
                whole=whole,
                kin=kin,
                phrases=_share(ours.phrases, frozenset().union(*(part.phrases for part in parts)), share),
                about=_about(ours, anchor, theirs),
                numbers=_missing(ours, parts),
                names=1 - _share(ours.names, parts[0].held | theirs.above[theirs.piece_of[anchor]], 1.0),
                novel=_novel(ours, theirs.soft[anchor]),
                differs=0.0,
                unseen=0.0,
                talk=float(talk),
            )
            self.outlines.append(Outline(features, anchor, tuple(chosen)))

    def piece_of(self, outline: Outline) -> int:
        """Which piece of the evidence the outline's anchor is in."""
        return self._theirs.piece_of[outline.anchor]

    @cached_property
    def contradiction(self) -> Reading | None:
        """The sentence that says otherwise, where the sentences that come closest all do; else None.

        A sentence that only touches the statement does not take back what the one says that it restates.
        """
        shares = [(float(self._restated[each.anchor]), -at) for at, each in enumerate(self.outlines)]
        top = max(shares, default=(0.0, 0))[0]
        if top < TOUCHES:
            return None
        close = [self.outlines[-at] for share, at in sorted(shares, reverse=True) if share >= top - AS_CLOSE]
        found = [self.compared(each) for each in close[:ANCHORS]]
        if not all(each.features.differs and any(d.held for d in each.differences) for each in found):
            return None
        return min(found, key=lambda each: len(each.differences))

    def read(self, outline: Outline) -> Reading:
        """The outline with what differs, from its own anchor or from the sentence that says otherwise."""
        found = self.compared(outline)
        if self.contradiction is None or found.features.differs:
            return found
        return found._replace(features=found.features._replace(differs=1.0))

    def compared(self, outline: Outline) -> Reading:
        """The outline with what differs between the statement and its own anchor."""
        if outline.anchor not in self._read:
            self._read[outline.anchor] = self._compared(outline)
        return self._read[outline.anchor]

    def _compared(self, outline: Outline) -> Reading:
        ours, theirs = self._ours, self._theirs
        sentence = theirs.sentences[outline.anchor]
        parts = [theirs.sentences[at] for at in outline.chosen]
        share = float(self._restated[outline.anchor])
        own = self._evidence[theirs.piece_of[outline.anchor]]
        found = _differences(ours, sentence, parts, (f"{own.above}\n{own.text}", self._everything), share)
        found += [Difference("number", each[1:], "") for each in self._unstated - _excused(ours, parts)]
        if not found and share >= TOUCHES and (turned := _opposed(ours, sentence)):
            found.append(turned)
        differs = any(each.held or each.kind != "name" for each in found)
        unseen = any(each.kind == "name" and not each.held for each in found)
        return Reading(
            outline.features._replace(differs=float(differs), unseen=float(unseen)),
            theirs.piece_of[outline.anchor],
            sentence,
            tuple(dict.fromkeys(found)),
            tuple(dict.fromkeys(theirs.piece_of[at] for at in outline.chosen)),
        )


def readings(claim: str, evidence: Sequence[Piece], question: str = "") -> list[Reading]:
    """The statement held against each sentence that may carry it; empty without words or evidence."""
    held = Held(claim, evidence, question)
    return [held.read(outline) for outline in held.outlines]


def _restated(ours: _Claim, theirs: _Evidence) -> Numbers:
    """(sentences): share of the claim that each holds, with the words of the question in full."""
    whole = float(ours.rarity.sum()) + NUMBER_WEIGHT * len(ours.numbers)
    found: Numbers = (theirs.hard @ ours.rarity + theirs.stated.sum(axis=1) * NUMBER_WEIGHT) / whole
    return found


def _completed(anchor: int, ours: _Claim, theirs: _Evidence) -> list[int]:
    """The anchor and up to two more sentences that add most of what it leaves open."""
    import numpy as np

    chosen = [anchor]
    soft, stated = theirs.soft[anchor], theirs.stated[anchor]
    for _ in range(2):
        gain = np.maximum(theirs.soft - soft, 0.0) @ ours.weights
        gain += np.maximum(theirs.stated - stated, 0.0).sum(axis=1) * NUMBER_WEIGHT
        more = int(gain.argmax())
        if gain[more] <= _WORTH_ADDING * ours.in_all:
            break
        chosen.append(more)
        soft, stated = np.maximum(soft, theirs.soft[more]), np.maximum(stated, theirs.stated[more])
    return chosen


def _missing(ours: _Claim, parts: Sequence[Sentence]) -> float:
    """Share of the claim's numbers that these sentences do not hold."""
    missing = [each for each in ours.numbers if not any(each in part.held for part in parts)]
    return len(set(missing) - _excused(ours, parts)) / len(ours.numbers) if missing else 0.0


def _excused(ours: _Claim, parts: Sequence[Sentence]) -> set[str]:
    """Numbers of the claim that need not stand there in digits: the same date or amount is written in another way."""
    if not ours.amounts:
        return set()
    joined = " ".join(part.text for part in parts)
    dated = said.dated_numbers(ours.moments, said.moments(joined)) if ours.moments else set()
    held = said.amounts(joined)
    return {f"#{each}" for each in dated} | {f"#{a.number}" for a in ours.amounts if said.same_amount(a, held)}


def _differences(
    ours: _Claim, sentence: Sentence, parts: Sequence[Sentence], around: tuple[str, str], share: float
) -> list[Difference]:
    """What differs between the claim and the sentence it restates; where it only touches it, what stands in its place.

    `around` is the anchor's own text with its headings, and all of the evidence. Where several sentences make up the claim, a
    number that differs from one of them must stand in none.
    """
    own, everything = around
    found = differences(ours.text, full_years(sentence.text), own if share >= RESTATES else everything, ours.language)
    if share >= RESTATES and any(each.kind == "name" and not each.held for each in found):
        anywhere = set(stems(everything, ours.language))
        found = [
            each for each in found if each.held or each.kind != "name" or not _stands(each.claimed, anywhere, ours)
        ]
    excused = {number[1:] for number in _excused(ours, [sentence] if share >= RESTATES else parts)}
    found = [each for each in found if each.kind != "number" or not numbers(each.claimed) & excused]
    if share < RESTATES:
        found = [each for each in found if (each.held and share >= TOUCHES) or (each.kind == "name" and not each.held)]
    if not ours.amounts:
        return found
    held = said.amounts(sentence.text)
    for amount in ours.amounts:
        if said.same_amount(amount, held) is False and f"#{amount.number}" in sentence.held:
            found.append(Difference("number", amount.written, _other(amount, held)))
    moments = said.moments(sentence.text) if ours.moments else []
    if (date := said.other_date(ours.moments, moments)) and share >= TOUCHES:
        found.append(Difference("number", date.written, moments[0].written))
    return found


def _stands(name: str, anywhere: set[str], ours: _Claim) -> bool:
    return all(stem in anywhere for stem in stems(name, ours.language))


def _other(claimed: said.Amount, amounts: Sequence[said.Amount]) -> str:
    return next((each.written for each in amounts if each.number == claimed.number), "")


def _opposed(ours: _Claim, sentence: Sentence) -> Difference | None:
    """Where claim and sentence point in opposite ways, although no number, name or negation differs."""
    if names := polarity.swapped(ours.text, sentence.text, ours.language):
        return Difference("opposite", *names)
    if found := polarity.opposed(ours.text, sentence.text) or polarity.contrary(ours.content, sentence.content):
        return Difference("opposite", *found)
    return None


_T = TypeVar("_T")


def _share(wanted: Sequence[_T], held: Collection[_T], otherwise: float) -> float:
    return sum(each in held for each in wanted) / len(wanted) if wanted else otherwise


def _about(ours: _Claim, anchor: int, theirs: _Evidence) -> float:
    number = theirs.piece_of[anchor]
    near = theirs.sentences[anchor].held | theirs.above[number]
    if anchor and theirs.piece_of[anchor - 1] == number:
        near |= theirs.sentences[anchor - 1].held
    whole = sum(ours.asked.values())
    return sum(weight for stem, weight in ours.asked.items() if stem in near) / whole if whole else 1.0


def _novel(ours: _Claim, soft: Numbers) -> float:
    return float(((1 - soft) * ours.weights).max()) / MOST_WEIGHT if ours.forms else 0.0
