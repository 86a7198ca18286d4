"""What a pull found becomes rows and refusals: held against the examples, the pool and the rules, in the order of reading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from searchinstruct_graph.datasets.acceptance import Acceptance
from searchinstruct_graph.datasets.ledger import Answered, Decision, Fault
from searchinstruct_graph.datasets.rows import Method, Rejection, Selected
from searchinstruct_graph.datasets.seeds import question_kind
from searchinstruct_graph.graphs.pairs import FoundPair, ReadDocument
from searchinstruct_graph.graphs.proposing import Candidate
from searchinstruct_graph.graphs.screening import Screen
from searchinstruct_graph.tools.corpus import Section

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from searchinstruct_graph.selection.selector import Landed, Pull


class Examples:
    """Pairs of documents as a method of making instructions; the examples are known to the pool and never answered."""

    method: Method = "equal"

    def shown_only(self, candidate: Candidate) -> bool:
        """Whether a candidate is an example."""
        return candidate.operation == "seed"


class Settled(NamedTuple):
    """A pull's pairs: those that the pool admitted, with their answers and what became of them, and what was refused."""

    answered: list[Answered]
    refused: list[Rejection]
    decisions: list[Decision]
    proposed: int
    landed: Landed


def sound(pairs: Sequence[FoundPair]) -> list[FoundPair]:
    """The pairs that hold: what counts as extracted."""
    return [pair for pair in pairs if pair.outcome["fault"] is None]


def settle(
    pull: Pull,
    documents: Sequence[tuple[Section, ReadDocument]],
    distances: NDArray[np.float32],
    farthest: float | None,
    screen: Screen,
    acceptance: Acceptance,
    land: Callable[[Sequence[bool]], Landed],
) -> Settled:
    """Decide about everything that `documents` gave. `distances` are those of the sound pairs to their nearest example, in
    order; a pair beyond `farthest` is off target. `land` hears of each sound pair whether it became a row, and says what the
    pull has changed.
    """
    wave = pull.number + 1
    left = iter(distances)
    chosen: list[Selected] = []
    candidates: list[tuple[Candidate, FoundPair]] = []
    refused: list[Rejection] = []
    for section, read in documents:
        for pair in read.pairs:
            distance = 2.0 if pair.outcome["fault"] else round(float(next(left)), 4)
            selected = Selected(
                pull=pull.number,
                cluster=pull.cluster,
                transport=None,
                distance=distance,
            )
            if pair.outcome["fault"] is None:
                chosen.append(selected)
            candidate = _candidate(pair, section, selected)
            held = _on_target(pair, distance, farthest)
            if held.outcome["fault"]:
                refused.append(screen.refused(wave, candidate, held.outcome))
            else:
                candidates.append((candidate, held))
    admitted, turned_away = screen.admit(wave, [candidate for candidate, _ in candidates], given=False)
    # Of equal questions the pool admits the first.
    pairs = {candidate.text: pair for candidate, pair in reversed(candidates)}
    answered: list[Answered] = [(instruction, pairs[instruction["text"]].outcome) for instruction in admitted]
    decisions = [acceptance.decide(instruction, outcome) for instruction, outcome in answered]
    rows = {id(each["row"]["origin"].get("selection")) for each in decisions if each["row"]}
    landed = land([id(each) in rows for each in chosen])
    for each in chosen:
        # Rows and rejections hold these very objects.
        each["transport"] = None if landed.distance is None else round(landed.distance, 4)
    return Settled(answered, [*refused, *turned_away], decisions, len(candidates) + len(refused), landed)


def _on_target(pair: FoundPair, distance: float, farthest: float | None) -> FoundPair:
    if pair.outcome["fault"] or farthest is None or distance <= farthest:
        return pair
    detail = f"the nearest example is {distance:.2f} away; {farthest:.2f} is the farthest kept"
    return pair._replace(
        outcome={**pair.outcome, "fault": Fault(reason="off_target", detail=detail, quarantined=False)}
    )


def _candidate(pair: FoundPair, section: Section, selected: Selected) -> Candidate:
    return Candidate(
        text=pair.question,
        operation="extraction",
        parents=[],
        # Pairs of one document stay on one side of a split.
        family=section.uri,
        kind=question_kind(pair.question),
        subtopic="",
        keywords=[],
        bloom=pair.level,
        passages=[f"{section.uri}@{section.start}-{section.end}"],
        selection=selected,
    )
