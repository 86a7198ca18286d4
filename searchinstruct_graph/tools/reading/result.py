"""The two outcomes of reading bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Reason = Literal[
    "binary",
    "encoding",
    "empty",
    "encrypted",
    "broken",
    "no_text",
    "too_long",
    "timeout",
    "memory",
]


@dataclass(frozen=True, slots=True)
class Reading:
    """Text as a person would read it. Headings stand as Markdown headings (`## Like this`)."""

    text: str
    title: str = ""
    """From the document's own metadata or first heading; empty when it has none."""
    language: str | None = None
    """As declared by the document, not detected."""
    published: str = ""
    """`YYYY`, `YYYY-MM` or `YYYY-MM-DD`, as the document's own metadata say; empty when they do not."""
    note: str = ""
    """What was left out, for people; empty when nothing was."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why bytes gave no text."""

    reason: Reason
    detail: str
    """For people: completes the sentence "skipped: ..."."""
