"""Which cluster to read next: an upper-confidence bandit over clusters (EQUAL, arXiv 2505.12250)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.errors import UsageError

Values = NDArray[np.float64]

SPREAD = 0.5
"""`alpha="spread"`: the bonus is this many standard deviations of the rewards, so that both are on one scale."""

TRIES = 3
"""Pulls after which an arm that is still unknown has no precedence any more: its documents give next to no pairs."""


class Bandit:
    """Arms with documents left and pulls counted when they are issued; rewards are handed in.

    An arm's score is DS_j = r_j + alpha sqrt(2 ln(sum T) / T_j), EQUAL's with the sign of the reward turned; an arm that
    was never pulled comes before all others, and one without documents left is out of the race.

    alpha: "paper" is 1 / (sum T + 1), which ends exploring almost at once; "spread" (the default) is 0.5 times the
    standard deviation of the rewards of the arms in the race; or a number.

    `left` (arms,) unread documents, `pulls` (arms,) counts to begin with, `neighbours` (arms, arms) which arms are
    counted together with a pulled one (itself included).
    """

    def __init__(
        self,
        left: Sequence[int],
        *,
        pulls: Sequence[float] | Values | None = None,
        alpha: str | float = "spread",
        neighbours: NDArray[np.bool_] | None = None,
    ) -> None:
        checked_alpha(alpha)
        self.left = np.array(left, dtype=np.int64)
        self.pulls = np.zeros(len(self.left)) if pulls is None else np.array(pulls, dtype=np.float64)
        self.alpha, self.neighbours = alpha, neighbours

    def scores(self, rewards: Values) -> Values:
        """The scores of all arms (arms,) for their rewards (arms,); -inf without documents left, inf for T = 0."""
        racing = self.left > 0
        total = float(self.pulls.sum())
        tried = self.pulls > 0
        bonus = np.sqrt(2.0 * math.log(max(total, 1.0)) / np.where(tried, self.pulls, 1.0))
        scores = np.where(tried, rewards + self._weight(rewards[racing], total) * bonus, np.inf)
        return np.where(racing, scores, -np.inf)

    def choose(self, rewards: Values, unknown: NDArray[np.bool_] | None = None) -> int | None:
        """The arm with the highest score; None when every arm is read. Of equals the better reward, then the less pulled.

        Arms marked in `unknown` (arms,), whose reward is a guess, are pulled up to `TRIES` times before any arm is
        pulled a third time.
        """
        racing = self.left > 0
        if not racing.any():
            return None
        scores = self.scores(rewards)
        chosen = int(np.lexsort((self.pulls, -rewards, -scores))[0])
        if unknown is not None and self.pulls[chosen] >= 2:
            waiting = np.flatnonzero(racing & unknown & (self.pulls < TRIES))
            if len(waiting):
                return int(waiting[np.argmin(self.pulls[waiting])])
        return chosen

    def issue(self, arm: int, documents: int) -> None:
        """Count a pull of `documents` documents of the arm, for its neighbours too."""
        self.left[arm] -= documents
        if self.neighbours is None:
            self.pulls[arm] += 1
        else:
            self.pulls[self.neighbours[arm]] += 1

    def _weight(self, rewards: Values, total: float) -> float:
        if self.alpha == "paper":
            return 1.0 / (total + 1.0)
        if self.alpha == "spread":
            return SPREAD * float(rewards.std()) if len(rewards) else 0.0
        return float(self.alpha)


def checked_alpha(alpha: str | float) -> None:
    """Refuse an `alpha` that is neither "paper" nor "spread" nor a number from 0 up; raises UsageError."""
    if alpha in ("paper", "spread"):
        return
    if isinstance(alpha, str) or not math.isfinite(alpha) or alpha < 0:
        raise UsageError(f'alpha is {alpha!r}: give "paper", "spread" or a number from 0 up.')
