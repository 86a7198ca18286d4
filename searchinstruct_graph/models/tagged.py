"""The prompt's inputs stand in XML-like tags; this is the one place that writes and reads them.

A tag's name carries a marker drawn anew for every call (`<page-9f3a1c07>`), so text inside a page cannot close its
own tag or open another (spotlighting, arXiv 2403.14720). Chat-template tokens inside are disarmed, character by
character, so that offsets hold and a quote copied from the prompt is still found in the page.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_ROLE_TOKEN = re.compile(r"<\|[^|<>\n]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>", re.IGNORECASE)
_DISARMED = str.maketrans({"<": "‹", ">": "›", "[": "⟦", "]": "⟧", "|": "¦"})
_TAG = re.compile(
    r"<(?P<name>[a-z_]+)-(?P<mark>[0-9a-f]{8})(?P<attributes>(?: [a-z_]+=\"[^\"]*\")*)>\n?(?P<text>.*?)\n?</(?P=name)-(?P=mark)>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r' ([a-z_]+)="([^"]*)"')


def disarm(text: str) -> str:
    """`text` with chat-template tokens made harmless; the length and every offset stay the same."""
    return _ROLE_TOKEN.sub(lambda found: found.group().translate(_DISARMED), text)


def _attribute(value: object) -> str:
    return disarm(str(value)).replace('"', "'").replace("\n", " ").replace("<", "‹").replace(">", "›")


@dataclass(frozen=True, slots=True)
class Tag:
    """One tagged input as it was read back from a prompt."""

    name: str
    text: str
    attributes: dict[str, str] = field(default_factory=dict)


class Inputs:
    """Collects a call's inputs and renders them under one fresh marker."""

    def __init__(self) -> None:
        self._mark = secrets.token_hex(4)
        self._parts: list[str] = []

    def add(self, name: str, text: str, **attributes: object) -> Inputs:
        """Append `<name …>text</name>`; attribute values become one-line strings."""
        shown = "".join(f' {key}="{_attribute(value)}"' for key, value in attributes.items() if value not in (None, ""))
        tag = f"{name}-{self._mark}"
        self._parts.append(f"<{tag}{shown}>\n{disarm(text)}\n</{tag}>")
        return self

    def add_numbered(self, name: str, texts: Iterable[str], start: int = 1) -> Inputs:
        """Append each text under `name` with a running `id`."""
        for number, text in enumerate(texts, start):
            self.add(name, text, id=number)
        return self

    def __str__(self) -> str:
        return "\n".join(self._parts)

    def unmarked(self) -> str:
        """The same without the marker: equal for equal inputs."""
        return str(self).replace(f"-{self._mark}", "")


def tags(prompt: str) -> Iterator[Tag]:
    """The tagged inputs of a rendered prompt, in order. A tag inside another tag's text is not seen: it is data."""
    for found in _TAG.finditer(prompt):
        attributes = dict(_ATTRIBUTE.findall(found["attributes"]))
        yield Tag(found["name"], found["text"], attributes)
