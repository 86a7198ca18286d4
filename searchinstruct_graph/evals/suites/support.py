"""The suite `support`: does the critic's support tell statements that their evidence carries from others, as people judged?

What is scored is the critic of the settings (`model`, `critic_model`; offline without one). A judge is asked to support the
same statements beside it, under measures of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from searchinstruct_graph.agents.context import Role
from searchinstruct_graph.agents.critic import judge_support
from searchinstruct_graph.agents.evidence import Quote, Statement
from searchinstruct_graph.evals import numbers
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.labelled import read_labelled
from searchinstruct_graph.evals.suite import (
    Case,
    Form,
    Measure,
    Metric,
    Sample,
    Score,
    Suite,
    case,
    failed,
    mean_of,
    scored,
)
from searchinstruct_graph.text.digest import sha256

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

REFUTED = frozenset({"refute", "refuted", "refutes", "contradicted", "contradiction", "false"})
"""Labels with which people say that the evidence states the contrary."""


def _read(context: EvalContext) -> Iterator[Case]:
    for place in context.data:
        for each in read_labelled(place):
            yield case(
                each["set"],
                {
                    "user_input": each["question"],
                    "response": each["statement"],
                    "retrieved_contexts": each["evidence"],
                    "label": each["label"],
                    "stance": each["stance"],
                    "pair": each["pair"],
                },
            )


def _quotes(texts: list[str]) -> list[Quote]:
    return [
        Quote(
            uri=f"evidence:{number}", title="", text=text, start=0, end=len(text), sha256=sha256(text),
            retrieved_at="", license=None, points=[],
        )
        for number, text in enumerate(texts, 1)
    ]  # fmt: skip


async def _support(sample: Sample, context: EvalContext, role: Role) -> Score:
    """The support that the critic or the judge gives to the statement, or why it gave none."""
    quotes = _quotes(sample["retrieved_contexts"])
    statement = Statement(text=sample["response"], quotes=list(range(1, len(quotes) + 1)), support=0.0)
    allowance = context.research().limits()
    settled, doubts, _, wrong = await judge_support([statement], quotes, {}, context, allowance, role)
    if wrong is not None:
        _, kind, detail = (*wrong.split(": ", 2), "", "")[:3]
        return failed(kind, detail)
    return scored(settled[0]["support"], "; ".join(doubts))


async def _make(given: Case, context: EvalContext) -> Sample:
    score = await _support(given["given"], context, "critic")
    if score["failure"]:
        return {"failure": score["failure"], "reason": score["reason"]}
    return {"support": score["value"], "doubts": score["reason"]}


def _scores(score: Score, sample: Sample, threshold: float, prefix: str) -> dict[str, Score]:
    """What the measures need of one statement's support."""
    support, label, stance = score["value"] or 0.0, float(sample["label"]), str(sample["stance"])
    happened = float(label >= 1)
    refuted = stance.lower() in REFUTED
    pair = float(int(sha256(sample["pair"])[:12], 16)) if sample["pair"] else None
    return {
        f"{prefix}support": scored(support, score["reason"]),
        f"{prefix}squared_error": scored((support - happened) ** 2, f"people say: {stance}"),
        f"{prefix}refuted_found": scored(float(support < threshold) if refuted else None, f"people say: {stance}"),
        f"_{prefix}label": scored(label),
        f"_{prefix}pair": scored(pair, "" if pair else "belongs to no pair"),
    }


async def _offline(sample: Sample, context: EvalContext) -> dict[str, Score]:
    return _scores(scored(sample["support"], sample["doubts"]), sample, context.min_support, "")


async def _judged(sample: Sample, context: EvalContext) -> Score | dict[str, Score]:
    score = await _support(sample, context, "judge")
    return score if score["failure"] else _scores(score, sample, context.min_support, "judge_")


def _names(prefix: str) -> tuple[str, ...]:
    told = ("support", "squared_error", "refuted_found")
    return (*(f"{prefix}{name}" for name in told), f"_{prefix}label", f"_{prefix}pair")


def _metrics(context: EvalContext) -> tuple[Metric, ...]:
    offline = Metric("support", "offline", _offline, gives=_names(""))
    judge = Metric("judge_support", "judge", _judged, gives=_names("judge_"))
    return (offline, judge) if context.judge else (offline,)


def _of(figure: Callable[[Sequence[float], Sequence[float]], float | None]) -> Callable[[Array], float | None]:
    # Numpy makes arrays of sequences, and takes arrays as they are.
    return lambda values: figure(cast("Sequence[float]", values[:, 0]), cast("Sequence[float]", values[:, 1]))


def _clear(values: Array) -> float | None:
    """AUROC of the supported against those that nothing carries, without the partly supported."""
    return _of(numbers.auroc)(values[values[:, 1] != 0.5])


def _pair_order(values: Array) -> float | None:
    scores, labels, pairs = values.T.tolist()
    return numbers.ordered_pairs(scores, labels, [f"{pair:.0f}" for pair in pairs])


def _measures_of(prefix: str, form: Form, threshold: float) -> tuple[Measure, ...]:
    columns = (f"{prefix}support", f"_{prefix}label")
    return (
        Measure(f"{prefix}auroc", form, columns, _of(numbers.auroc)),
        Measure(f"{prefix}auroc_without_partly", form, columns, _clear),
        Measure(f"{prefix}calibration_error", form, columns, _of(numbers.calibration_error), False),
        # The Brier score (1950, two classes) is the mean of the cases' squared errors.
        Measure(f"{prefix}brier", form, (f"{prefix}squared_error",), lambda values: float(values.mean()), False),
        Measure(
            f"{prefix}precision", form, columns,
            _of(lambda scores, labels: numbers.precision_recall_at(scores, labels, threshold).precision),
        ),
        Measure(
            f"{prefix}recall", form, columns,
            _of(lambda scores, labels: numbers.precision_recall_at(scores, labels, threshold).recall),
        ),
        Measure(
            f"{prefix}balanced_accuracy", form, columns,
            _of(lambda scores, labels: numbers.balanced_accuracy_at(scores, labels, threshold)),
        ),
        Measure(f"{prefix}pair_order", form, (*columns, f"_{prefix}pair"), _pair_order),
        mean_of(f"{prefix}refuted_found", form),
    )  # fmt: skip


def _measures(context: EvalContext) -> tuple[Measure, ...]:
    offline = _measures_of("", "offline", context.min_support)
    return (*offline, *_measures_of("judge_", "judge", context.min_support)) if context.judge else offline


SUITE = Suite(
    name="support",
    summary="the critic's support score against people's judgement",
    read=_read,
    metrics=_metrics,
    measures=_measures,
    make=_make,
)
