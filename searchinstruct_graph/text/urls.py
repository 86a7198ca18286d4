"""Web addresses in running text."""

from __future__ import annotations

import re

_URL = re.compile(r"https?://[^\s\"'<>\\]+", re.IGNORECASE)
_AFTER = ".,;:!?'\"*`"
"""What follows an address in a sentence and does not belong to it."""
_CLOSING = {")": "(", "]": "[", "}": "{"}


def urls_in(text: str) -> list[str]:
    """The web addresses in `text`, in order, each once; a bracket that an address opens itself belongs to it."""
    return list(dict.fromkeys(map(_bare, _URL.findall(text))))


def _bare(found: str) -> str:
    while found:
        last = found[-1]
        unopened = last in _CLOSING and found.count(last) > found.count(_CLOSING[last])
        if last not in _AFTER and not unopened:
            break
        found = found[:-1]
    return found


def without_urls(text: str) -> str:
    """`text` without the web addresses in it; white space is folded."""
    return " ".join(_URL.sub(" ", text).split())
