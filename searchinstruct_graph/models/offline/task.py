"""One call as the offline model's skills see it."""

from __future__ import annotations

from dataclasses import dataclass

from searchinstruct_graph.models.tagged import Tag
from searchinstruct_graph.text.urls import without_urls


@dataclass(frozen=True, slots=True)
class Task:
    """One call: its inputs by name, and how it is to be sampled."""

    inputs: tuple[Tag, ...]
    temperature: float
    seed: int

    def text(self, name: str) -> str:
        """The first input of that name, or nothing; in a question, addresses are no words."""
        text = next((tag.text for tag in self.inputs if tag.name == name), "")
        return (without_urls(text) or text) if name == "question" else text

    def all(self, name: str) -> list[Tag]:
        """Every input of that name, in order."""
        return [tag for tag in self.inputs if tag.name == name]

    def attribute(self, name: str, key: str) -> str:
        """An attribute of the first input of that name, or nothing."""
        return next((tag.attributes.get(key, "") for tag in self.inputs if tag.name == name), "")
