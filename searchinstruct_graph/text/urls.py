"""Web addresses in running text."""

from __future__ import annotations

import re

_URL = re.compile(r"https?://[^\s\"'<>\\]+", re.IGNORECASE)
_AFTER = ".,;:!?)]}'\""
"""What follows an address in a sentence and does not belong to it."""


def urls_in(text: str) -> list[str]:
    """The web addresses in `text`, in order, each once."""
    return list(dict.fromkeys(found.rstrip(_AFTER) for found in _URL.findall(text)))


def without_urls(text: str) -> str:
    """`text` without the web addresses in it; white space is folded."""
    return " ".join(_URL.sub(" ", text).split())
