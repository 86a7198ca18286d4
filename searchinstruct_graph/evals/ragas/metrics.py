"""Our metrics that need no model, as ragas' own: made with its decorator, for its experiments and evaluation loops."""

from __future__ import annotations

import inspect
from typing import Any, cast

from ragas.metrics import numeric_metric
from ragas.metrics.result import MetricResult

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.questions import references
from searchinstruct_graph.evals.suite import Metric, Sample, Score
from searchinstruct_graph.evals.suites.answers import OFFLINE

_OURS = {metric.name: metric for metric in OFFLINE if not {"gold", "abstained"} & set(metric.needs)}
_THEIRS = {"references": "reference"}
"""Fields that go by another name in ragas' samples."""


def ragas_metric(name: str, *, min_support: float = ResearchContext.min_support) -> Any:
    """A metric of the suite `answers` that needs no model, as a ragas metric with values from 0 to 1.

    `await metric.ascore(response=..., reference=..., retrieved_contexts=[...])` takes the fields that it needs and gives a
    `MetricResult`; where it does not apply, `value` is None and `reason` says why. `min_support` is what `groundedness` asks of
    a statement.

    Raises:
        UsageError: there is no such metric; the message names those there are.
    """
    if name not in _OURS:
        raise UsageError(f"there is no metric {name!r} without a model; use one of {', '.join(_OURS)}")
    metric, context = _OURS[name], EvalContext(min_support=min_support)

    async def score(**fields: Any) -> MetricResult:
        found = cast(Score, await metric.score(_sample(fields), context))
        return MetricResult(value=found["value"], reason=found["reason"] or None)

    # ragas checks what it is given against the signature.
    parameters = [inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY) for each in _fields(metric)]
    score.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return numeric_metric(name=name, allowed_values=(0.0, 1.0))(score)


def _fields(metric: Metric) -> list[str]:
    return [_THEIRS.get(each, each) for each in metric.needs]


def _sample(fields: dict[str, Any]) -> Sample:
    return {**fields, "references": references(fields)} if "reference" in fields else fields
