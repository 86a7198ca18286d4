"""The numbers that need embeddings: taken once from the sample of instructions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from searchinstruct_graph.datasets.diversity import (
    Neighbour,
    distinct,
    embedded,
    mean_cosine,
    nearest,
    on_a_map,
    vendi_score,
)
from searchinstruct_graph.datasets.report.gather import Probe
from searchinstruct_graph.text.words import words

if TYPE_CHECKING:
    from searchinstruct_graph.datasets.diversity import Indices
    from searchinstruct_graph.models.embeddings import Embedder

MAPPED = 1_500
"""Instructions that stand on the map."""

_LONGEST = 8_000
"""Characters of an instruction that are embedded."""


class Measures(TypedDict):
    """Diversity of the sample; None where there are too few texts."""

    embedded: int
    """Texts of the sample that have a vector."""
    distinct: list[float | None]
    """distinct-1, -2 and -3."""
    mean_cosine: float | None
    vendi: float | None


@dataclass(frozen=True)
class Probed:
    """What was found about the sample of instructions."""

    probes: Sequence[Probe]
    kept: Indices
    """Which probes have a vector; `nearest` and `placed` are of these."""
    measures: Measures
    nearest: list[Neighbour]
    placed: list[tuple[tuple[float, float], Probe]]
    """Places on the map."""

    def text(self, row: int) -> str:
        """The instruction of a row of the vectors."""
        return self.probes[int(self.kept[row])].instruction


def probe(probes: Sequence[Probe], embedder: Embedder) -> Probed:
    """Measure a sample of instructions."""
    texts = [each.instruction[:_LONGEST] for each in probes]
    found = [words(text) for text in texts]
    kept, vectors = embedded(texts, embedder)
    mapped = on_a_map(vectors[:MAPPED])
    return Probed(
        probes=probes,
        kept=kept,
        measures=Measures(
            embedded=len(kept),
            distinct=[distinct(found, n) for n in (1, 2, 3)],
            mean_cosine=mean_cosine(vectors),
            vendi=vendi_score(vectors),
        ),
        nearest=nearest(vectors),
        placed=[((float(x), float(y)), probes[int(at)]) for (x, y), at in zip(mapped, kept, strict=False)],
    )
