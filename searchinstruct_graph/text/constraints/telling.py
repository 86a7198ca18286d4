"""What became of an instruction, in words."""

from __future__ import annotations

from collections.abc import Sequence

from .parts import Applied, Instruction


def account(asked: Instruction) -> list[Applied]:
    """Every part of an instruction, with nothing counted yet: constraints, then what is left, then what is contradictory."""
    return [
        *(Applied(text=each.text, kind=each.kind, applied=True, dropped=0, unknown=0) for each in asked.constraints),
        *(Applied(text=each, kind="meaning", applied=False, dropped=0, unknown=0) for each in asked.left),
        *(
            Applied(text=each, kind="contradiction", applied=False, dropped=0, unknown=0)
            for each in asked.contradictory
        ),
    ]


def constraint_lines(constraints: Sequence[Applied]) -> list[str]:
    """A line for each part of an instruction: what code checked and what it left out, and what it did not check."""
    return [_line(each) for each in constraints]


def _line(told: Applied) -> str:
    text = " ".join(told["text"].split())
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    if told["applied"]:
        left_out = f"{told['dropped']:,} source{'s' * (told['dropped'] != 1)} left out"
        return (
            f"checked “{text}” ({told['kind']}): {left_out}, {told['unknown']:,} without a known {_KNOWN[told['kind']]}"
        )
    if told["kind"] == "contradiction":
        return f"not applied, it excludes another part of the instruction: “{text}”"
    return f"left to meaning: “{text}”"


_SHOWN = 200
_KNOWN = {
    "date": "date", "host": "address", "path": "place", "type": "type", "language": "language", "length": "length"
}  # fmt: skip
