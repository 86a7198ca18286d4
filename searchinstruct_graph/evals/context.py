"""The settings of an evaluation: those of research, which make what is scored, and who judges it."""

from __future__ import annotations

from dataclasses import dataclass, fields

from searchinstruct_graph.agents.context import ResearchContext, Role, setting

OPTIONS = ("concurrency", "max_cost", "index")
"""Settings that may change between two commands on one evaluation: they do not change a score."""


@dataclass(frozen=True, kw_only=True)
class EvalContext(ResearchContext):
    """Static settings of an evaluation. The limits of research hold for every case, `max_cost` for the whole evaluation.

    Raises:
        UsageError: a value is out of its range; the message names the field and the range.
    """

    data: list[str] = setting(
        [], "What is scored: a folder or file of cases, a run, or a ragas dataset; which, depends on the suite."
    )
    judge: str = setting(
        "",
        "Chat model that judges, as `model` is named. Empty: only metrics that need no model.",
    )
    limit: int = setting(1_000, "Cases scored, drawn by `seed`; 0: all.", ge=0)
    seed: int = setting(0, "Seed of the drawn cases and of the intervals.", ge=0, le=2**31)
    concurrency: int = setting(8, "Cases and model calls in flight at the same time.", ge=1, le=2_000)
    max_cost: float | None = setting(
        None, "US dollars in the whole evaluation, a hard stop; needs known prices. Empty: no limit.", ge=1e-6
    )

    def model_for(self, role: Role) -> str | None:
        """As everywhere; the judge's is `judge`."""
        return self.judge if role == "judge" else super().model_for(role)

    def research(self, **changes: object) -> ResearchContext:
        """The settings of one question of the case: the evaluation's money is in its purse."""
        own = {spec.name: getattr(self, spec.name) for spec in fields(ResearchContext)}
        return ResearchContext(**{**own, "max_cost": None, **changes})
