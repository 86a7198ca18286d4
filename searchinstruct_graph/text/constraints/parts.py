"""What an instruction is made of once it is read, and what is known of a source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from typing_extensions import TypedDict

Kind = Literal["date", "host", "path", "type", "language", "length"]
Verdict = Literal["inside", "outside", "unknown"]

MOST = 20
"""Constraints that are taken from one instruction, and parts of it that are told one by one."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a source; empty means unknown."""

    uri: str
    published: str = ""
    """`YYYY`, `YYYY-MM` or `YYYY-MM-DD`."""
    language: str = ""
    """ISO 639-1."""
    url: str = ""
    """The web address that a document says it is from; a page of the web is from its URI."""
    text: str = ""
    """What is counted; only read when a length is asked for."""


class Constraint(NamedTuple):
    """One thing that is asked of every source."""

    kind: Kind
    text: str
    """The person's words for it."""
    values: tuple[str, ...]
    """Hosts, folders, types, languages; two ISO days or numbers of words (empty: no bound) for a date and a length."""
    denied: bool = False
    """Sources inside are not wanted."""
    spans: tuple[tuple[int, int], ...] = ()
    """Where those words stand in the instruction."""


class Instruction(NamedTuple):
    """An instruction, read."""

    constraints: list[Constraint]
    left: list[str]
    """What is left to meaning, clause by clause."""
    contradictory: tuple[str, ...] = ()
    """Parts that exclude one another, so that none of them is a constraint."""


class Applied(TypedDict):
    """What became of one part of an instruction in a search."""

    text: str
    kind: str
    """One of `Kind`; `meaning` for what was left to vectors and words, `contradiction` for what excludes another part."""
    applied: bool
    """Whether code checked it."""
    dropped: int
    """Sources known to be outside, which were left out."""
    unknown: int
    """Sources whose metadata do not say; they stand behind those known to be inside."""
