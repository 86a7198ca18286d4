"""The support score of a statement, with the sentence that decides it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from searchinstruct_graph.models.support.calibration import Calibration, calibration
from searchinstruct_graph.models.support.features import Features, Held, Piece, Reading, is_short
from searchinstruct_graph.text.compare import Difference

DIFFERS, UNSEEN = 0.5, 0.8
"""Factors on the probability of a statement that differs from the sentence it restates (it stays below the threshold), and
of one with a name from nowhere."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """How far evidence carries a statement. `start` and `end` are offsets into the text of `piece`."""

    score: float
    """0 to 1 on the graph's scale, where `compare.ENOUGH` is enough (`Calibration.support`)."""
    probability: float
    """That people call it supported, as far as counts tell; 1 for a verbatim part."""
    differences: tuple[Difference, ...] = ()
    piece: int | None = None
    """Which piece of the evidence holds the sentence that comes closest; None without one."""
    start: int = 0
    end: int = 0
    pieces: tuple[int, ...] = ()
    """The pieces that come close, best first."""
    features: Features | None = None
    """None for a verbatim part, which needs no count."""


def assess(claim: str, evidence: Sequence[Piece], question: str = "") -> Assessment:
    """Hold a statement, or the answer to `question`, against evidence.

    The probability that people call the statement supported, as fitted on published sets of judged statements
    (`calibration`), for the sentence of the evidence that speaks for it most; the score is the same on the graph's scale. A
    verbatim part of the evidence scores 1, unless it is only a few words that answer a question; without evidence or words the
    score is 0.
    """
    held = Held(claim, evidence, question)
    verbatim = _verbatim(claim, evidence, question)
    if not held.outlines:
        sure = float(verbatim is not None)
        return Assessment(sure, sure, (), *_whole(verbatim, evidence))
    weighed = calibration()
    # A comparison word by word costs most and can only lower a score: it is made until no other anchor may score higher.
    bounds = sorted(((probability(each.features, weighed), -at) for at, each in enumerate(held.outlines)), reverse=True)
    best: tuple[float, Reading] | None = None
    for bound, at in bounds:
        if best is not None and best[0] >= bound:
            break
        found = held.read(held.outlines[-at])
        chance = probability(found.features, weighed)
        if best is None or chance > best[0]:
            best = chance, found
    assert best is not None
    chance, found = best[0], held.contradiction or best[1]
    order = dict.fromkeys([*found.pieces, *(held.piece_of(held.outlines[-at]) for _, at in bounds)])
    if verbatim is None:
        return Assessment(
            round(weighed.support(chance), 4),
            round(chance, 4),
            found.differences,
            found.piece,
            found.sentence.start,
            found.sentence.end,
            tuple(order),
            found.features,
        )
    inside = found if found.piece == verbatim else None
    start, end = (inside.sentence.start, inside.sentence.end) if inside else (0, len(evidence[verbatim].text))
    return Assessment(1.0, 1.0, (), verbatim, start, end, tuple(dict.fromkeys([verbatim, *order])))


def support(claim: str, evidence: Sequence[str], question: str = "") -> float:
    """`assess` for texts without headings: the score alone."""
    return assess(claim, [Piece(text) for text in evidence], question).score


def probability(features: Features, weighed: Calibration) -> float:
    """The probability that these counts give."""
    total = weighed.intercept + sum(
        weighed.weights[name] * value for name, value in zip(Features._fields, features, strict=True)
    )
    return lowered(features) / (1 + math.exp(-max(-60.0, min(60.0, total))))


def lowered(features: Features) -> float:
    """The factor on what the counts give."""
    return DIFFERS if features.differs else UNSEEN if features.unseen else 1.0


def is_verbatim(claim: str, evidence: Sequence[Piece], question: str = "") -> bool:
    """Whether the claim stands word by word in a piece, and is more than a few words that answer `question`."""
    return _verbatim(claim, evidence, question) is not None


def _verbatim(claim: str, evidence: Sequence[Piece], question: str) -> int | None:
    spaced = " ".join(claim.split())
    if not spaced or (question and is_short(claim)):
        return None
    edge = re.compile(rf"{_boundary(spaced[0], True)}{re.escape(spaced)}{_boundary(spaced[-1], False)}")
    return next((at for at, piece in enumerate(evidence) if edge.search(" ".join(piece.text.split()))), None)


def _boundary(character: str, before: bool) -> str:
    """A word of an alphabet must not go on beyond its ends; scripts without spaces have no such ends."""
    if not character.isalnum() or character >= "\u2e80":
        return ""
    return r"(?<![^\W\u2e80-\uffff])" if before else r"(?![^\W\u2e80-\uffff])"


def _whole(verbatim: int | None, evidence: Sequence[Piece]) -> tuple[int | None, int, int, tuple[int, ...]]:
    return (None, 0, 0, ()) if verbatim is None else (verbatim, 0, len(evidence[verbatim].text), (verbatim,))
