"""The contrasts of InF-Embed (Zhuang et al., arXiv 2505.21439, and its published code), as functions of vectors.

A batch has B rows. Row k has u_k, the vector of its query with its instruction, p_k, that of its passage, and v_kj, that of
its query with the instruction of row σ_k(j); all of length 1. With s = 1 / (τ + 1e-4):

    S^P_kj  = s u_k·p_j       other passages
    S^IQ_kj = s p_k·u_j       other queries with their instructions
    S^I_kj  = s p_k·v_kj      the same query with other instructions, v_k0 = u_k

The positive of row k is S_kk = s u_k·p_k in all three. Two ways to put families together:

    univariate     ℓ = −ln e^{S_kk} / ( e^{S_kk} + Σ over all families, over their negatives, e^S )
    multivariate   ℓ = Σ over families  −ln e^{S_kk} / ( e^{S_kk} + Σ over the family's negatives e^S )

Each is a mean over the rows. The published code gathers the rows of all devices for the first two families; here one device
holds the batch. Numbers of equal texts tell what is no negative: what the same words ask for, or say, cannot be wrong.

Torch is needed by whoever calls with tensors; which instructions are drawn is numpy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.errors import UsageError

Family = Literal["P", "IQ", "I"]
Form = Literal["uni", "multi"]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]
Tensor = Any
"""A torch.Tensor: torch is not imported here, and may be missing."""

NEAR = 0.95
"""Cosine from which two instructions say nearly the same; the published code does not look."""
_STEADY = 1e-4
# The published code adds it to the temperature.


class Contrast(NamedTuple):
    """One way to train: which families, and how they are put together."""

    families: tuple[Family, ...]
    form: Form


METHODS: dict[str, Contrast] = {
    "infonce": Contrast(("P",), "uni"),
    "inf-embed": Contrast(("P", "I"), "multi"),
}
"""Contrasts by name. The reviewers of the paper report P and I, summed, as the best of its twelve."""


def checked_contrast(families: Sequence[str], form: str) -> Contrast:
    """The contrast of these names. Raises UsageError for a name that is none, a family named twice, or no family."""
    known = get_args(Family)
    if not families or len(set(families)) != len(families) or not set(families) <= set(known):
        raise UsageError(
            f"contrast {','.join(families)!r}: name each of {', '.join(known)} at most once, and one at least"
        )
    if form not in get_args(Form):
        raise UsageError(f"contrast: the form is 'uni' or 'multi', not {form!r}")
    return Contrast(tuple(family for family in known if family in families), "uni" if form == "uni" else "multi")


def scale(temperature: float) -> float:
    """What cosines are multiplied by: s = 1 / (τ + 1e-4), about 19.96 for τ = .05."""
    return 1.0 / (temperature + _STEADY)


class Negatives(NamedTuple):
    """A family's scores: what must win, and what it must win against."""

    positive: Tensor
    """(B,): S_kk."""
    others: Tensor
    """(B, n): −inf where there is no negative."""


def passage_scores(pairs: Tensor, passages: Tensor, same: Tensor, temperature: float) -> Negatives:
    """S^P of `pairs` u (B, d) and `passages` p (B, d); `same` (B, B), bool: rows whose passages are no negatives of a row.

    The diagonal is taken out of the negatives whatever `same` says.
    """
    return _square(scale(temperature) * (pairs @ passages.T), same)


def pair_scores(pairs: Tensor, passages: Tensor, same: Tensor, temperature: float) -> Negatives:
    """S^IQ of `pairs` u (B, d) and `passages` p (B, d); `same` (B, B), bool: rows whose pairs are no negatives of a row."""
    return _square(scale(temperature) * (passages @ pairs.T), same)


def instruction_scores(pairs: Tensor, passages: Tensor, others: Tensor, kept: Tensor, temperature: float) -> Negatives:
    """S^I of `pairs` u (B, d), `passages` p (B, d) and `others` v (B, M, d); `kept` (B, M), bool: what was really drawn."""
    found = scale(temperature) * (others @ passages.unsqueeze(2)).squeeze(2)
    positive = scale(temperature) * (pairs * passages).sum(1)
    return Negatives(positive, found.masked_fill(~kept, -float("inf")))


def _square(scores: Tensor, same: Tensor) -> Negatives:
    positive = scores.diagonal()
    own = same.clone()
    own.fill_diagonal_(True)
    return Negatives(positive, scores.masked_fill(own, -float("inf")))


def univariate(found: Sequence[Negatives]) -> Tensor:
    """One softmax over the union of the families, the positive counted once; (B,), in nats."""
    positive = found[0].positive
    total = positive
    for family in found:
        total = total.logaddexp(_sum(family))
    return total - positive


def multivariate(found: Sequence[Negatives]) -> Tensor:
    """The sum over the families of a softmax each; (B,), in nats.

    A row without a negative in a family adds nothing there, and the family's mean is over the others: a plain row, which has
    no instruction, does not thin out what the rest learns. So a family's losses are stretched by B over the rows that count.
    """
    total = 0.0 * found[0].positive
    for family in found:
        loss = univariate([family])
        taking_part = (family.others > -float("inf")).any(1).sum().clamp(min=1)
        total = total + loss * (len(loss) / taking_part)
    return total


def _sum(family: Negatives) -> Tensor:
    # The gradient of a logsumexp over nothing but −inf is not a number, so such a row is given a number that weighs nothing.
    nothing = ~(family.others > -float("inf")).any(1, keepdim=True)
    filled = family.others.masked_fill(nothing, -1e4) if family.others.shape[1] else family.positive[:, None] - 1e4
    return filled.logsumexp(1)


def contrastive_loss(
    contrast: Contrast,
    pairs: Tensor,
    passages: Tensor,
    same: Tensor,
    *,
    others: Tensor | None = None,
    kept: Tensor | None = None,
    temperature: float = 0.05,
) -> Tensor:
    """The mean loss of a batch, in nats: a tensor without dimensions.

    `pairs` and `passages` (B, d): unit rows; `same` (B, B) as `no_negatives` makes it; `others` (B, M, d) and `kept` (B, M):
    the drawn instructions, wanted by the family I alone.
    """
    found = []
    for family in contrast.families:
        if family == "P":
            found.append(passage_scores(pairs, passages, same, temperature))
        elif family == "IQ":
            found.append(pair_scores(pairs, passages, same, temperature))
        else:
            assert others is not None
            assert kept is not None
            found.append(instruction_scores(pairs, passages, others, kept, temperature))
    return (univariate if contrast.form == "uni" else multivariate)(found).mean()


def no_negatives(pair: Indices, passage: Indices) -> Mask:
    """Which rows are no negatives of which (B, B): those with the same passage, or with the same query and instruction.

    `pair` and `passage` (B,): numbers that rows of equal text share. The same for S^P and S^IQ. Not in the published code,
    where a passage that stands twice in a batch is pushed away from its own query.
    """
    masked: Mask = (pair[:, None] == pair) | (passage[:, None] == passage)
    np.fill_diagonal(masked, False)
    return masked


def marginal_count(rows: int, div: int = 2) -> int:
    """M = rows / div − 1: how many instructions are drawn for a row of a local batch of so many rows."""
    return max(0, rows // div - 1)


class Drawn(NamedTuple):
    """Which rows lend their instruction to which."""

    rows: Indices
    """(B, M): σ, rows of the batch; 0 where nothing was drawn."""
    kept: Mask
    """(B, M): whether something was drawn."""


def draw_instructions(
    instruction: Indices,
    group: Indices,
    count: int,
    random: np.random.Generator,
    near: Mask | None = None,
) -> Drawn:
    """Marginal sampling: `count` other rows a row, without replacement, out of its own group.

    `instruction` (B,): numbers that rows of equal instruction share, −1 for a row without one; such a row neither lends nor
    borrows, or a plain query would be taught that it is wrong. `group` (B,): the local batch of each row: the published code
    draws from one device's rows, so that a sibling's instruction, the hardest there is, is among few. `near` (B, B): further
    pairs of rows that must not meet. Rows with the row's own instruction are never drawn: the first and the third row of an
    example share theirs.
    """
    allowed = (group[:, None] == group) & (instruction[:, None] != instruction)
    allowed &= (instruction[:, None] >= 0) & (instruction >= 0)
    if near is not None:
        allowed &= ~near
    rows, kept = np.zeros((len(instruction), count), np.int64), np.zeros((len(instruction), count), np.bool_)
    for at, possible in enumerate(allowed):
        found = random.permutation(np.flatnonzero(possible))[:count]
        rows[at, : len(found)] = found
        kept[at, : len(found)] = True
    return Drawn(rows, kept)


def near_instructions(vectors: NDArray[np.float32], example: Indices, least: float = NEAR) -> Mask:
    """Rows of different examples whose instructions' `vectors` (B, d), unit rows, have a cosine of `least` or more; (B, B).

    Never rows of one example: those are known to differ where it matters. `example` (B,).
    """
    close: Mask = (vectors @ vectors.T >= least) & (example[:, None] != example)
    return close
