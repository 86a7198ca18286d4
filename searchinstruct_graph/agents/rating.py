"""How well passages of a corpus carry a statement: one number, the sentence that comes closest, and what differs there.

The number is `models.support`'s, the offline critic's own. Which passages are looked at is the caller's choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from searchinstruct_graph.models.support import Piece, assess
from searchinstruct_graph.text.compare import Difference
from searchinstruct_graph.tools.corpus import Passage


@dataclass(frozen=True, slots=True)
class Rating:
    """How well passages carry a claim: `start` and `end` are offsets into the document of `passage`."""

    score: float
    differences: tuple[Difference, ...] = ()
    passage: Passage | None = None
    start: int = 0
    end: int = 0
    considered: tuple[Passage, ...] = field(default=(), repr=False)
    """The passages that come closest, best first."""

    @property
    def text(self) -> str:
        """The sentences of the passage that come closest."""
        found = self.passage
        return found.text[self.start - found.start : self.end - found.start] if found else ""

    @property
    def contradicts(self) -> bool:
        """Whether another number, name, negation or direction stands in the place of the claim's."""
        return any(each.held for each in self.differences)


def rate(claim: str, passages: Sequence[Passage], question: str = "") -> Rating:
    """How far `passages` carry `claim`, the answer to `question` if there is one, 0 to 1, and what differs in the sentence
    that comes closest.

    A word that only the passage's headings hold counts less. A number, name or negation that differs lowers the score.
    """
    found = assess(claim, [Piece(each.text, f"{each.title} {each.heading}".strip()) for each in passages], question)
    if found.piece is None:
        return Rating(0.0)
    passage = passages[found.piece]
    return Rating(
        found.score,
        found.differences,
        passage,
        passage.start + found.start,
        passage.start + found.end,
        tuple(passages[at] for at in found.pieces),
    )
