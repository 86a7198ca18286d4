"""The headings of a text: Markdown (`# A`), underlined (reStructuredText, setext), code fences respected."""

from __future__ import annotations

import re
from typing import NamedTuple


class Heading(NamedTuple):
    """A heading line (with its underline) in a text."""

    start: int
    """Offset of the first character of the heading, its overline included."""
    end: int
    """Offset after its last character, its underline included."""
    level: int
    """1 is outermost."""
    text: str


_LINE = re.compile(r"[^\n]*\n?")
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.+?)(?:[ \t]+#+)?[ \t]*$")
_RULE = re.compile(r"([=\-~^\"'`*+#:.<>_])\1{2,}[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_MARKUP = re.compile(r"\[([^\]]*)\]\([^)]*\)|[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}")
_ANY = re.compile(r"^ {0,3}#{1,6}[ \t]|^([=\-~^\"'`*+#:.<>_])\1{2,}[ \t]*\r?$", re.MULTILINE)
# Longer lines are sentences that somebody underlined, not headings.
_LONGEST = 150


def _plain(heading: str) -> str:
    return " ".join(_MARKUP.sub(r"\1", heading).split())


def headings(text: str) -> list[Heading]:
    """The headings of `text`, in order.

    Underlines get their levels in the order in which their characters first appear, as in reStructuredText.
    """
    if not _ANY.search(text):
        return []
    lines = [(found.start(), found.group().rstrip("\r\n")) for found in _LINE.finditer(text) if found.group()]
    found_headings: list[Heading] = []
    levels: dict[tuple[str, bool], int] = {}
    fence = ""
    at = 0
    while at < len(lines):
        start, line = lines[at]
        at += 1
        mark = _FENCE.match(line)
        if fence:
            if mark and mark.group(1).startswith(fence) and not line[mark.end() :].strip():
                fence = ""
            continue
        if mark and not _underlines(lines, at - 1):
            fence = mark.group(1)
            continue
        if atx := _ATX.match(line):
            found_headings.append(Heading(start, start + len(line), len(atx.group(1)), _plain(atx.group(2))))
            continue
        rule = _RULE.match(line)
        if not rule or at < 2 or not _underlines(lines, at - 1):
            continue
        title_start, title = lines[at - 2]
        taken = found_headings[-1].end if found_headings else 0
        if title_start < taken:
            continue
        # The line above may be the underline of the heading before.
        over = at >= 3 and lines[at - 3][0] >= taken and lines[at - 3][1].strip() == line.strip()
        first = lines[at - 3][0] if over else title_start
        level = levels.setdefault((rule.group(1), over), len(levels) + 1)
        found_headings.append(Heading(first, start + len(line), level, _plain(title)))
    return found_headings


def _underlines(lines: list[tuple[int, str]], at: int) -> bool:
    """Whether line `at` is an adornment under a one-line title."""
    rule = lines[at][1]
    if at == 0 or not _RULE.match(rule):
        return False
    title = lines[at - 1][1]
    if not title.strip() or len(title) > _LONGEST or _RULE.match(title) or _ATX.match(title):
        return False
    if len(rule.strip()) < min(len(title.strip()), 40) * 0.6:
        return False
    above = lines[at - 2][1] if at >= 2 else ""
    return not above.strip() or above.strip() == rule.strip()
