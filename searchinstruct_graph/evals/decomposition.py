"""Plans against the steps that a person took: which steps are to be looked up, and which of them a plan asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from searchinstruct_graph.models.offline.planning import keywords
from searchinstruct_graph.text.words import words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_REFERENCE = re.compile(r"#(\d{1,2})\b")
_YES_NO = frozenset(
    ("is are was were do does did can could would will should has have had may might must isn doesn don didn").split()
)
_NEW = 3
"""Content words of its own from which a yes-no step over earlier results is still something to look up."""


class Steps(TypedDict):
    """A human decomposition, parted."""

    looked_up: list[str]
    """The steps that something must be found for, each standing alone: a reference to an earlier step is replaced by the
    content words of that step."""
    reasoned: list[str]
    """The steps that only weigh what earlier ones gave ("Is #1 before #2?"), which a planner should not ask for."""


def parted(steps: Sequence[str]) -> Steps:
    """Part the steps of a decomposition in StrategyQA's form, where "#1" is the answer of the first step.

    A yes-no step with references and less than three content words of its own is reasoning; so is one that refers to
    several steps and asks nothing else.
    """
    standing: list[str] = []
    found = Steps(looked_up=[], reasoned=[])
    for step in steps:
        references = [int(number) for number in _REFERENCE.findall(step)]
        told = words(_REFERENCE.sub(" ", step))
        own = words(keywords(_REFERENCE.sub(" ", step)))
        weighs = bool(told) and told[0] in _YES_NO and bool(references)
        if references and (len(own) < (_NEW if weighs else 1) or (weighs and len(set(references)) > 1)):
            found["reasoned"].append(step)
            standing.append(keywords(_REFERENCE.sub(" ", step)))
            continue
        text = _REFERENCE.sub(lambda match: _meant(standing, int(match[1])), step)
        text = " ".join(text.split())
        standing.append(keywords(text))
        found["looked_up"].append(text)
    return found


def _meant(standing: Sequence[str], number: int) -> str:
    return standing[number - 1] if 0 < number <= len(standing) else ""


def cosines(left: Sequence[str], right: Sequence[str], embedding: str) -> NDArray[np.float32]:
    """Cosine of every text of `left` with every one of `right`, [left, right], under the embedder called `embedding`."""
    from searchinstruct_graph.models.embeddings import embeddings

    embedder = embeddings(embedding)
    return embedder.embed(list(left)) @ embedder.embed(list(right)).T


def matched(near: NDArray[np.float32], threshold: float) -> list[tuple[int, int]]:
    """Pairs (row, column), the nearest first, no row or column twice, down to `threshold`: greedy one-to-one matching."""
    import numpy as np

    left = near.astype(np.float64)
    found = []
    while left.size and left.max() >= threshold:
        row, column = (int(at) for at in np.unravel_index(int(left.argmax()), left.shape))
        found.append((row, column))
        left[row, :] = left[:, column] = -2.0
    return found
