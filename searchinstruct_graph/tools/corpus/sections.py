"""Cutting a long document into sections: runs of whole chunks, as much as one reading takes, from heading to heading."""

from __future__ import annotations

import re
from collections.abc import Iterator

from searchinstruct_graph.text.sentences import Span, trimmed
from searchinstruct_graph.text.words import UNSPACED

from .chunks import chunks
from .outline import headings

RULE = 1
"""Changes with the rule below: sections cut by another rule are other sections."""
_LEAST_FILLED = 1 / 2
# A section ends early at a heading only when it is filled to this share.
_SHORT = 8
# A last section of less than an eighth of the limit joins the one before.

_UNSPACED = re.compile(f"[{UNSPACED}]")


def sections(text: str, limit: int, language: str = "en") -> list[Span]:
    """Cut `text` into spans of at most `limit` code points (the last of at most 9/8 of it).

    They are in order, do not overlap, begin and end with something visible, and hold every visible character. Borders
    are those of `chunks`; of several in the second half of a section, one before a heading is preferred, the outermost
    heading first. Only a chunk over the limit is cut further, at white space, and only a single word over it is cut.
    `language` is the ISO 639-1 code by which sentences are told. A blank text has no section.
    """
    whole = trimmed(text, 0, len(text))
    if whole is None:
        return []
    if whole.end - whole.start <= limit:
        return [whole]
    pieces = [piece for span in _whole_words(text, language) for piece in _within(text, span, limit)]
    levels: dict[int, int] = {}
    for heading in headings(text):
        if block := trimmed(text, heading.start, heading.end):
            levels[block.start] = heading.level
    found = list(_packed(pieces, levels, limit))
    if len(found) > 1:
        before, last = found[-2:]
        if last.end - last.start < limit // _SHORT and last.end - before.start <= limit + limit // _SHORT:
            found[-2:] = [Span(before.start, last.end)]
    return found


def _whole_words(text: str, language: str) -> Iterator[Span]:
    """The chunks of `text`; those between which a word goes on (a very long one, or in a very long block) as one."""
    start = end = -1
    for chunk in chunks(text, language):
        if chunk.start == end and not _UNSPACED.search(text, end - 1, end + 1):
            end = chunk.end
            continue
        if end > start:
            yield Span(start, end)
        start, end = chunk.start, chunk.end
    if end > start:
        yield Span(start, end)


def _within(text: str, span: Span, limit: int) -> Iterator[Span]:
    """The span, in pieces of at most `limit`."""
    start, end = span
    while end - start > limit:
        cut = start + limit
        while cut > start and not text[cut].isspace():
            cut -= 1
        yield from _visible(text, start, cut if cut > start else start + limit)
        start = cut if cut > start else start + limit
        while text[start].isspace():
            start += 1
    yield from _visible(text, start, end)


def _visible(text: str, start: int, end: int) -> Iterator[Span]:
    if span := trimmed(text, start, end):
        yield span


def _packed(pieces: list[Span], levels: dict[int, int], limit: int) -> Iterator[Span]:
    """Neighbouring pieces joined up to `limit`; `levels` has the level of the heading at which a piece begins."""
    first = 0
    while first < len(pieces):
        start, end = pieces[first].start, first + 1
        while end < len(pieces) and pieces[end].end - start <= limit:
            end += 1
        if end < len(pieces):
            borders = [
                (levels[pieces[at].start], -at)
                for at in range(first + 1, end + 1)
                if pieces[at].start in levels and pieces[at - 1].end - start >= limit * _LEAST_FILLED
            ]
            end = -min(borders)[1] if borders else end
        yield Span(start, pieces[end - 1].end)
        first = end
