"""Words from elsewhere on a Markdown page: they are shown as they are, and are never markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff\ud800-\udfff]")
_MARKUP = re.compile(r"([\\`*_\[\]~$]|^[#+=-])")
_NUMBERED = re.compile(r"^([0-9]{1,9})([.)])(?= |$)")
_AUTOLINK = re.compile(r"(?i)(https?|ftp|mailto|www)([:.])|@")


def one_line(text: str, most: int = 120) -> str:
    """One line without control, invisible and direction-changing characters, cut to `most` characters."""
    folded = " ".join(_HIDDEN.sub(" ", text).split())
    return folded if len(folded) <= most else folded[: most - 1] + "…"


def escaped(text: str, most: int = 120) -> str:
    """Words that Markdown shows as they are: no markup, no HTML, no link that makes itself."""
    marked = _NUMBERED.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", one_line(text, most)))
    # Readers of tables differ on what a backslash before a bar means.
    shown = html.escape(marked, quote=False).replace("|", "&#124;")
    return _AUTOLINK.sub(lambda found: "&#64;" if found[0] == "@" else f"{found[1]}&#{ord(found[2])};", shown)


class Code(str):
    """Text of a table that is shown as code."""

    __slots__ = ()


def code(text: str) -> str:
    """A code span that its text cannot leave."""
    shown = one_line(text)
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    return f"{fence} {shown} {fence}" if "`" in shown else f"`{shown}`"


def block(text: str, language: str) -> list[str]:
    """A fenced block, as lines, that its text cannot leave."""
    shown = "\n".join(_HIDDEN.sub(" ", line.replace("\t", "    ")) for line in text.split("\n"))
    fence = "`" * max(3, max(map(len, re.findall("`+", shown)), default=0) + 1)
    return [f"{fence}{language}", shown, fence]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A table, as lines; text is escaped, except code spans, and numbers stand right."""
    listed = list(rows)
    right = [bool(listed) and all(isinstance(row[at], int) for row in listed) for at in range(len(head))]
    return [
        f"| {' | '.join(head)} |",
        f"|{'|'.join('---:' if one else '---' for one in right)}|",
        *(f"| {' | '.join(map(_cell, row))} |" for row in listed),
    ]


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Code) and not set(value) & set("|\\"):
        return code(value)
    return escaped(str(value))
