"""The plain layout of a document: headings, paragraphs, lists and code, each with its place. For any script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Kind = Literal["heading", "paragraph", "list", "code"]

QUESTION_MARKS = "?\u061f\uff1f\u037e"
"""Marks that end a question: Latin, Arabic, full-width, Greek."""


class Block(NamedTuple):
    """A piece of a document: `text[start:end]`."""

    kind: Kind
    start: int
    end: int


_ITEM = re.compile(r"[ \t]*(?:[-*+•·–]|\(?\d{1,3}[.)]|#\.)[ \t]+\S")
_HASHES = re.compile(r"#{1,6}[ \t]+\S")
_UNDERLINE = re.compile(r"([=\-~^\"'*+#`.:_])\1{2,}[ \t]*$")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_CODE = re.compile(r"(?:[ ]{4,}|\t)\S|[ \t]*(?:>>> |\.\.\. |\$ )|`[^`]+`[ \t]*$")

LOOSE_HEADING = 8
"""Words from which a line without a mark at its end is no heading any more."""


class _Line(NamedTuple):
    text: str
    start: int
    end: int


def _lines(text: str) -> list[_Line]:
    found, at = [], 0
    for line in text.split("\n"):
        found.append(_Line(line, at, at + len(line.rstrip())))
        at += len(line) + 1
    return found


def blocks(text: str) -> list[Block]:
    """The blocks of `text` in order; blank lines and underlines belong to none."""
    return list(_blocks(_lines(text)))


def _blocks(lines: list[_Line]) -> Iterator[Block]:
    at, count = 0, len(lines)
    while at < count:
        line = lines[at]
        if not line.text.strip():
            at += 1
        elif _FENCE.match(line.text):
            end = at + 1
            while end < count and not _FENCE.match(lines[end].text):
                end += 1
            end = min(end, count - 1)
            yield Block("code", line.start, lines[end].end)
            at = end + 1
        elif _is_heading(lines, at):
            yield Block("heading", line.start, line.end)
            at += 2 if at + 1 < count and _underlines(lines[at + 1], line) else 1
        else:
            kind, end = _body(lines, at)
            yield Block(kind, line.start, lines[end - 1].end)
            at = end


def _body(lines: list[_Line], at: int) -> tuple[Kind, int]:
    """The kind of the block that opens at line `at`, and the line after it."""
    first = lines[at].text
    kind: Kind = "list" if _ITEM.match(first) else "code" if _CODE.match(first) else "paragraph"
    end = at + 1
    while end < len(lines):
        line = lines[end].text
        if not line.strip():
            # Items may stand apart from each other, and lines of code too.
            after = lines[end + 1].text if end + 1 < len(lines) else ""
            if (kind == "list" and _ITEM.match(after)) or (kind == "code" and _CODE.match(after) and after[0] in " \t"):
                end += 1
                continue
            break
        if _FENCE.match(line) or (kind != "code" and _is_heading(lines, end)):
            break
        if kind == "paragraph" and _ITEM.match(line):
            break
        if kind == "list" and not _ITEM.match(line) and not line[0].isspace():
            break
        if kind == "code" and not (_CODE.match(line) or line[0].isspace()):
            break
        end += 1
    while not lines[end - 1].text.strip():
        end -= 1
    return kind, end


def _underlines(line: _Line, title: _Line) -> bool:
    return bool(_UNDERLINE.match(line.text)) and len(line.text.strip()) >= len(title.text.strip()) * 0.6


def _is_heading(lines: list[_Line], at: int) -> bool:
    line = lines[at]
    stripped = line.text.strip()
    if not stripped or line.text[0] in " \t" or not any(letter.isalnum() for letter in stripped):
        return False
    if _HASHES.match(line.text):
        return True
    after = lines[at + 1] if at + 1 < len(lines) else None
    if after is not None and len(stripped) <= 120 and _underlines(after, line) and not _ITEM.match(line.text):
        return True
    return _loose(lines, at)


def _loose(lines: list[_Line], at: int) -> bool:
    """Whether a bare line is a heading or a question in front of its text: short, alone, and prose follows."""
    stripped = lines[at].text.strip()
    if at and lines[at - 1].text.strip() and not lines[at - 1].text.rstrip().endswith((".", "\u3002", "\u06d4", "!")):
        return False
    asked = stripped[-1] in QUESTION_MARKS
    if (
        stripped[-1] in ".,;:!\u3002\u060c\uff0c\u06d4\uff1a"
        or _ITEM.match(lines[at].text)
        or _CODE.match(lines[at].text)
    ):
        return False
    if len(stripped) > (200 if asked else 70) or (not asked and len(stripped.split()) > LOOSE_HEADING):
        return False
    following = next((line.text.strip() for line in lines[at + 1 : at + 3] if line.text.strip()), "")
    if asked:
        return bool(following)
    return stripped[0].isupper() and len(following) > len(stripped) + 30


def heading_text(text: str) -> str:
    """A heading without its marks and numbering."""
    bare = text.strip().strip("#").strip(" *_:`")
    return re.sub(r"^(?:\d+(?:\.\d+)*[.)]?|[A-Z]\.)\s+(?=\S)", "", bare)
