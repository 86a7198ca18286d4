"""A text and where it came from: what every tool that reads hands out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """One readable text and where it came from."""

    uri: str
    """As the user spelled the source: `docs/a.md`, `questions.jsonl#7`, `pydoc:assert`."""
    title: str
    text: str
    """The extracted text; every offset counts its code points."""
    sha256: str
    """Of `text` in UTF-8, in hex."""
    license: str | None
    retrieved_at: str
    """When the text was loaded, ISO 8601 in UTC."""
