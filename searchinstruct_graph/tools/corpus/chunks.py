"""Cutting a document into passages of about 150 words that know their offsets.

Cuts fall at headings first, then between blocks (paragraphs, lists, code), then between sentences, and only in a
sentence longer than a whole chunk between words. Never inside a word, unless one "word" is longer than a chunk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from searchinstruct_graph.text.sentences import Span, sentences, trimmed
from searchinstruct_graph.text.words import UNSPACED

from .outline import Heading, headings

TARGET = 160
"""Words a chunk is filled up to."""
LONGEST = 220
"""Words no chunk exceeds; a document up to this long is one chunk."""
_SMALLEST = 40
# A heading does not start a new chunk while the current one is shorter than this many words.

# Chinese needs about 1.6 characters for what English says in a word.
_CHARACTERS_A_WORD = 1.6
# A "word" may be a base64 blob: counted as more than one, and cut when it is longer than this.
_LONGEST_WORD = 200

_UNIT = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]{{1,{_LONGEST_WORD}}}")
_IS_UNSPACED = re.compile(rf"[{UNSPACED}]")
_BLANK_LINE = re.compile(r"\n[ \t\r\f\v]*(?=\n)")


class Chunk(NamedTuple):
    """A slice of a document's text, without surrounding white space."""

    start: int
    end: int
    heading: str
    """Headings above it, outermost first, joined by ` > `."""


def size(text: str, start: int = 0, end: int | None = None) -> float:
    """Length of a slice in words; scripts without spaces count their characters, 1.6 to a word."""
    stop = len(text) if end is None else end
    piece = text[start:stop]
    pieces = piece.split()
    total = len(pieces)
    if (len(piece) > _LONGEST_WORD and max(map(len, pieces), default=0) > _LONGEST_WORD) or (
        not piece.isascii() and _IS_UNSPACED.search(piece)
    ):
        total = sum(1 for _ in _UNIT.finditer(piece))
    else:
        return float(total)
    unspaced = sum(1 for _ in _IS_UNSPACED.finditer(piece))
    return total - unspaced + unspaced / _CHARACTERS_A_WORD


def chunks(text: str, language: str = "en") -> list[Chunk]:
    """Cut `text` into chunks, in order, not overlapping, together holding every non-blank character."""
    outline = headings(text)
    if size(text) <= LONGEST:
        whole = trimmed(text, 0, len(text))
        return [Chunk(*whole, "")] if whole else []
    return list(_packed(text, outline, language))


def _packed(text: str, outline: list[Heading], language: str) -> Iterator[Chunk]:
    """Blocks joined into chunks: greedily up to TARGET, a new one at a heading."""
    path: list[Heading] = []
    start = end = -1
    filled = 0.0
    label = ""
    for heading, block in _blocks(text, outline):
        for piece in _pieces(text, block, language):
            weight = size(text, *piece)
            full = filled + weight > TARGET and filled > 0
            if start >= 0 and (full or (heading and filled >= _SMALLEST)):
                yield Chunk(start, end, label)
                start = -1
            if heading:
                path = [
                    *(above for above in path if above.level < heading.level),
                    heading,
                ]
                heading = None
            if start < 0:
                start, filled, label = (
                    piece.start,
                    0.0,
                    " > ".join(step.text for step in path),
                )
            end = piece.end
            filled += weight
    if start >= 0:
        yield Chunk(start, end, label)


def _blocks(text: str, outline: list[Heading]) -> Iterator[tuple[Heading | None, Span]]:
    """The paragraphs of `text`; a heading is a block of its own and comes with its Heading."""
    at = 0
    for heading in outline:
        yield from ((None, block) for block in _paragraphs(text, at, heading.start))
        block = trimmed(text, heading.start, heading.end)
        if block:
            yield heading, block
        at = heading.end
    yield from ((None, block) for block in _paragraphs(text, at, len(text)))


def _paragraphs(text: str, start: int, end: int) -> Iterator[Span]:
    for found in _BLANK_LINE.finditer(text, start, end):
        block = trimmed(text, start, found.start())
        start = found.end()
        if block:
            yield block
    block = trimmed(text, start, end)
    if block:
        yield block


def _pieces(text: str, block: Span, language: str) -> Iterator[Span]:
    """`block` itself when it fits into a chunk, else its sentences, else runs of words."""
    if size(text, *block) <= TARGET:
        yield block
        return
    for sentence in sentences(text[block.start : block.end], language):
        span = Span(block.start + sentence.start, block.start + sentence.end)
        if size(text, *span) <= LONGEST:
            yield span
        else:
            yield from _word_runs(text, span)


def _word_runs(text: str, span: Span) -> Iterator[Span]:
    start, filled, end = span.start, 0.0, span.start
    for unit in _UNIT.finditer(text, *span):
        # Only white space, a change of script or an over-long word separates units, so every border is a legal cut
        # except that the continuation of a word must stay with it.
        touches = unit.start() == end and end > start
        inside = touches and not (_IS_UNSPACED.match(unit.group()) or _IS_UNSPACED.match(text[end - 1]))
        if filled >= TARGET and (not inside or filled >= LONGEST - 1):
            if piece := trimmed(text, start, end):
                yield piece
            start, filled = unit.start(), 0.0
        end = unit.end()
        filled += 1 / _CHARACTERS_A_WORD if _IS_UNSPACED.match(unit.group()) else 1
    if piece := trimmed(text, start, end):
        yield piece
