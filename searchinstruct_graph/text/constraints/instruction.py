"""A whole instruction: what metadata decide of it, what is left, and which parts exclude one another."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import date

from .clauses import Token, sentences
from .lexicon import FILLERS, OPENS, TELLING
from .parts import MOST, Constraint, Instruction, Kind
from .reading import Clause


def read_constraints(instruction: str, today: date) -> Instruction:
    """Take an instruction apart into what metadata decide and what is left; `today` is what "the last 5 years" end with."""
    found: list[Constraint] = []
    clauses: list[list[Token]] = []
    for sentence in sentences(instruction):
        tells = any(token.word in TELLING for clause in sentence for token in clause)
        for clause, following in zip(sentence, [*sentence[1:], []], strict=True):
            opens = bool(following) and following[0].word in OPENS
            found += Clause(instruction, clause, today, tells or opens).read()[: MOST - len(found)]
            clauses.append(clause)
    excluding = _contradictory(found)
    kept = [each for each in found if each not in excluding]
    rests = (without(instruction, clause, [each for each in found if _within(each, clause)]) for clause in clauses)
    left = [each for each in rests if any(map(str.isalnum, each))]
    if len(left) > MOST:
        left[MOST - 1 :] = [", ".join(left[MOST - 1 :])]
    return Instruction(kept, left, tuple(dict.fromkeys(each.text for each in excluding)))


def _contradictory(found: Sequence[Constraint]) -> list[Constraint]:
    """The constraints that leave no source together: those of one kind that have nothing in common."""
    excluding = []
    for kind in dict.fromkeys(each.kind for each in found):
        alike = [each for each in found if each.kind == kind]
        if len(alike) > 1 and _exclude(kind, alike):
            excluding += alike
    return excluding


def _exclude(kind: Kind, alike: Sequence[Constraint]) -> bool:
    wanted = [set(each.values) for each in alike if not each.denied]
    refused = {value for each in alike if each.denied for value in each.values}
    if kind in ("date", "length"):
        bounds = [_range(each) for each in alike if not each.denied or "" in each.values]
        return max(first for first, _ in bounds) > min(last for _, last in bounds) if bounds else False
    if kind in ("host", "path"):
        # One may lie inside another.
        apart = any(not _nested(one, other) for one in wanted for other in wanted)
        return apart or any(refused & each for each in wanted)
    return bool(wanted) and not set.intersection(*wanted) - refused


def _range(constraint: Constraint) -> tuple[float, float]:
    """First and last day or number of words that a constraint lets through; one that is denied is open at one end."""
    first, last = (
        (date.fromisoformat(value).toordinal() if constraint.kind == "date" else int(value)) if value else None
        for value in constraint.values
    )
    if constraint.denied:
        first, last = (last + 1 if last is not None else None), (first - 1 if first is not None else None)
    return -math.inf if first is None else first, math.inf if last is None else last


def _nested(some: Iterable[str], others: Iterable[str]) -> bool:
    """Whether a host or folder of some is, or lies inside, one of others, or the other way round."""
    return any(
        one == other or one.endswith(f".{other}") or other.endswith(f".{one}") or one.startswith(other) or other.startswith(one)
        for one in some
        for other in others
    )  # fmt: skip


def without(instruction: str, clause: Sequence[Token], taken: Sequence[Constraint]) -> str:
    """A clause without what was taken out of it; empty when no word of weight is left."""
    spans = [span for each in taken for span in each.spans]
    rest = [token for token in clause if not any(start <= token.start < end for start, end in spans)]
    if all(token.word in FILLERS for token in rest):
        return ""
    return " ".join(instruction[token.start : token.end] for token in rest)


def undecided(instruction: str, decided: Sequence[Constraint]) -> str:
    """The instruction without the words of constraints that metadata have decided for every source."""
    if not decided:
        return instruction
    told = [
        rest for sentence in sentences(instruction) for clause in sentence
        if (rest := without(instruction, clause, [each for each in decided if _within(each, clause)]))
    ]  # fmt: skip
    return ", ".join(told)


def _within(constraint: Constraint, clause: Sequence[Token]) -> bool:
    return bool(clause) and clause[0].start <= constraint.spans[0][0] < clause[-1].end
