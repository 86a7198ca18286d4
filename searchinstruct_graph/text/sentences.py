"""Sentences with their offsets, in any script."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

import sentencex

# A line break ends a sentence only where prose cannot run on: blank lines, list items, headings, table rows.
_HARD_BREAK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*+•]|\d+[.)]|#{1,6}|\||>)\s)|\r|\f")


class Span(NamedTuple):
    """A half-open slice of a text, in Unicode code points."""

    start: int
    end: int


def trimmed(text: str, start: int, end: int) -> Span | None:
    """The span without the white space at its ends; None when nothing is left."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, end) if start < end else None


LONGEST_BLOCK = 20_000
"""Characters that the splitter gets at once: on runs of marks its time grows with the square of the length."""

_LONGEST_WORD = 1_000


def _blocks(text: str) -> list[Span]:
    edges = [0, *(found.start() for found in _HARD_BREAK.finditer(text)), len(text)]
    return [span for start, end in itertools.pairwise(edges) for span in _bounded(text, start, end)]


def _bounded(text: str, start: int, end: int) -> Iterator[Span]:
    """The block in pieces of bounded length, cut between words where there is white space to cut at."""
    while end - start > LONGEST_BLOCK:
        full = start + LONGEST_BLOCK
        space = max(text.rfind(mark, full - _LONGEST_WORD, full) for mark in " \n\t")
        stop = space if space > start else full
        yield Span(start, stop)
        start = stop
    if start < end:
        yield Span(start, end)


def sentences(text: str, language: str = "en") -> list[Span]:
    """Split `text` into sentence spans, in order, without surrounding whitespace.

    Spans never overlap and cover every non-blank character. `language` is an ISO 639-1 code whose
    abbreviations the splitter knows; an unknown code falls back to the rules common to all scripts.
    """
    spans: list[Span] = []
    # The splitter takes what UTF-8 can carry; a lone surrogate becomes one character, so offsets hold.
    encodable = text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
    for block in _blocks(text):
        piece = encodable[block.start : block.end]
        at = block.start
        for sentence in sentencex.segment(language, piece):
            span = trimmed(text, at, at + len(sentence))
            at += len(sentence)
            if span is not None:
                spans.append(span)
        rest = trimmed(text, at, block.end)
        if rest is not None:
            spans.append(rest)
    return spans
