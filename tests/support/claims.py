"""Statements about an invented harbour with their evidence, labelled as published sets are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

TOWERS = (
    ("Aldrin", 1873, 41), ("Brennik", 1881, 37), ("Corvel", 1894, 52), ("Dunmoor", 1902, 29), ("Estrand", 1911, 63),
    ("Fallow", 1926, 48), ("Grenvik", 1933, 55), ("Hollin", 1948, 34), ("Istra", 1957, 71), ("Jarrow", 1964, 46),
)  # fmt: skip
"""Name, year and height of every tower."""


def evidence(name: str, year: int, height: int) -> list[str]:
    """What is known of a tower."""
    return [
        f"The tower of {name} was finished in {year} by masons from the valley.",
        f"It is {height} metres high and carries a white lamp.",
    ]


def claims() -> list[dict[str, object]]:
    """Two statements of every tower: one that its evidence says, one with another year."""
    found: list[dict[str, object]] = []
    for name, year, height in TOWERS:
        said = f"The tower of {name} was finished in {year}."
        found.append({"claim": said, "label": "supported", "evidence": evidence(name, year, height)})
        wrong = f"The tower of {name} was finished in {year + 13}."
        found.append({"claim": wrong, "label": "not_supported", "evidence": evidence(name, year, height)})
    return found


def pairs() -> list[dict[str, object]]:
    """A question on every tower with a right and a wrong answer."""
    return [
        {
            "id": f"tower-{number}",
            "knowledge": " ".join(evidence(name, year, height)),
            "question": f"How high is the tower of {name}?",
            "right_answer": f"The tower of {name} is {height} metres high.",
            "hallucinated_answer": f"The tower of {name} is {height + 20} metres high.",
        }
        for number, (name, year, height) in enumerate(TOWERS)
    ]


def write_lines(path: Path, records: Sequence[Mapping[str, object]]) -> str:
    """Records as JSONL; returns the path."""
    path.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records), encoding="utf-8")
    return str(path)
