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
    published: str = ""
    """When it was published as it says itself: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; empty when it does not say."""
    language: str = ""
    """ISO 639-1, as it says itself; empty when it does not say."""
    url: str = ""
    """The web address that a record says it is from; empty for pages of the web, whose URI it is."""
