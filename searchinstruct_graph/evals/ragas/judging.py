"""ragas' metrics as ours: a judge's failure is a failure, what cannot be scored is missing, and a reason says what was seen.

What ragas leaves open is settled here. A metric whose fields are lacking does not apply, where ragas raises (no contexts)
or gives full marks (nothing quoted). No statements, or no question, is a missing score, where ragas gives NaN or 0. A judge
that passes over a statement, or says 2 where 0 or 1 is asked, is asked again, where ragas computes with it.
"""

from __future__ import annotations

import json
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, TypeVar, cast, get_args

from pydantic import BaseModel, Field, create_model
from ragas.messages import AIMessage, HumanMessage, ToolCall, ToolMessage
from ragas.metrics.collections import (
    AgentGoalAccuracyWithReference,
    AnswerRelevancy,
    ContextPrecision,
    ContextRecall,
    FactualCorrectness,
    Faithfulness,
    NoiseSensitivity,
    ToolCallAccuracy,
)

from searchinstruct_graph.errors import SearchInstructError
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.ragas.models import JudgeFailed, RagasModel, ragas_embeddings, ragas_model
from searchinstruct_graph.evals.suite import Form, Measure, Metric, Sample, Score, failed, mean_of, scored
from searchinstruct_graph.models.chat import resolve_model
from searchinstruct_graph.models.structured import Failure
from searchinstruct_graph.models.usage import add_usage

T = TypeVar("T", bound=BaseModel)

SAMPLED = 0.7
"""Temperature of the second and further questions that answer relevancy has the judge write: it compares different ones."""

REASON_CHARS = 2_000
"""Longest reason that is kept of a score."""

_BINARY = ("verdict", "attributed", "noncommittal")
_LISTS = ("statements", "claims", "classifications")


class _Judge(RagasModel):
    """The judge of one score: remembers its replies, for the reason, and holds each to what was asked."""

    def __init__(self, name: str, *, sampled: bool) -> None:
        super().__init__(name)
        self.heard: list[BaseModel] = []
        self._sampled = sampled
        self._replies: dict[tuple[str, int], BaseModel] = {}
        self._put: Counter[str] = Counter()

    async def agenerate(self, prompt: str, response_model: type[T]) -> T:
        """The reply, as `RagasModel.agenerate` gives it."""
        number = self._put[prompt] if self._sampled else 0
        self._put[prompt] += 1
        if (prompt, number) not in self._replies:
            schema = tightened(response_model, asked_statements(prompt))
            outcome = await self.ask(prompt, schema, SAMPLED if number else self.temperature, number or None)
            self.usage = add_usage(self.usage, outcome.usage)
            if isinstance(outcome, Failure):
                raise JudgeFailed(outcome)
            self._replies[prompt, number] = outcome.value
        self.heard.append(self._replies[prompt, number])
        return cast(T, self._replies[prompt, number])


def asked_statements(prompt: str) -> int | None:
    """How many statements a prompt of ragas wants verdicts on; None when it wants none."""
    told = prompt.rpartition("\ninput: ")[2].rpartition("\nOutput:")[0]
    try:
        given = json.loads(told)
    except ValueError:
        return None
    listed = given.get("statements") if isinstance(given, dict) else None
    return len(listed) if isinstance(listed, list) and listed else None


@lru_cache(maxsize=512)
def tightened(schema: type[BaseModel], verdicts: int | None) -> type[BaseModel]:
    """The schema with yes and no as 1 and 0 alone, and exactly as many verdicts as statements were given."""
    fields: dict[str, Any] = {}
    for name, field in schema.model_fields.items():
        inner = next(iter(get_args(field.annotation)), None)
        if name in _BINARY and field.annotation is int:
            fields[name] = (Annotated[int, Field(ge=0, le=1, description=field.description)], ...)
        elif isinstance(inner, type) and issubclass(inner, BaseModel):
            count = verdicts if name == "statements" else None
            item: Any = tightened(inner, None)
            each = Field(description=field.description, min_length=count, max_length=count)
            fields[name] = (Annotated[list[item], each], ...)
    return create_model(schema.__name__, __base__=schema, **fields) if fields else schema


def _lines(heard: Sequence[BaseModel]) -> Iterator[str]:
    """The replies in words: verdicts with their statements and reasons, generated questions, outcomes."""
    for reply in heard:
        told = reply.model_dump()
        for each in [*told.get("statements", []), *told.get("classifications", [])]:
            if isinstance(each, dict):
                yield _verdict(each.get("verdict", each.get("attributed")), each["statement"], each["reason"])
        if "verdict" in told:
            yield _verdict(told["verdict"], "", told["reason"])
        if "noncommittal" in told:
            yield f"asks: {told['question']}" + (" (noncommittal)" if told["noncommittal"] else "")
        if "end_state" in told:
            yield f"reached: {told['end_state']}"


def _verdict(verdict: object, statement: str, reason: str) -> str:
    said = " ".join(f"{statement} ({reason})".split()) if statement else " ".join(reason.split())
    return f"{'yes' if str(verdict) == '1' else 'no'}: {said}"


def reason_of(heard: Sequence[BaseModel]) -> str:
    """What the judge has said, one line a verdict, at most `REASON_CHARS` characters."""
    text = "\n".join(_lines(heard))
    return text if len(text) <= REASON_CHARS else text[: REASON_CHARS - 1] + "…"


def _nothing(heard: Sequence[BaseModel]) -> str:
    """What the judge should have found and did not; empty when it found all."""
    for reply in heard:
        told = reply.model_dump()
        if any(told.get(name) == [] for name in _LISTS):
            return "the judge found no statement to look at"
        if "noncommittal" in told and not told["question"].strip():
            return "the judge wrote no question"
    return ""


@dataclass(frozen=True, slots=True)
class _Spec:
    """One metric of ragas: the fields it takes, and how it is made for a judge."""

    name: str
    needs: tuple[str, ...]
    make: Callable[[_Judge, EvalContext], Any]
    higher_is_better: bool = True
    messages: bool = False
    """Whether it takes a trajectory in place of a question."""
    sampled: bool = False
    """Whether a prompt that is put again wants another reply; else it gets the one that was given."""
    telling: int = 0
    """The reply from which on the replies make up the reason: noise sensitivity asks of every context before."""


_SPECS = {
    spec.name: spec
    for spec in (
        _Spec("faithfulness", ("user_input", "response", "retrieved_contexts"), lambda llm, _: Faithfulness(llm=llm)),
        _Spec(
            "answer_relevancy",
            ("user_input", "response"),
            lambda llm, context: AnswerRelevancy(llm=llm, embeddings=ragas_embeddings(context.embeddings)),
            sampled=True,
        ),
        _Spec(
            "context_precision",
            ("user_input", "reference", "retrieved_contexts"),
            lambda llm, _: ContextPrecision(llm=llm),
        ),
        _Spec(
            "context_recall", ("user_input", "retrieved_contexts", "reference"), lambda llm, _: ContextRecall(llm=llm)
        ),
        _Spec("factual_correctness", ("response", "reference"), lambda llm, _: FactualCorrectness(llm=llm)),
        _Spec(
            "noise_sensitivity",
            ("user_input", "response", "reference", "retrieved_contexts"),
            lambda llm, _: NoiseSensitivity(llm=llm),
            higher_is_better=False,
            telling=-1,
        ),
        _Spec(
            "goal_accuracy",
            ("trajectory", "reference"),
            lambda llm, _: AgentGoalAccuracyWithReference(llm=llm),
            messages=True,
        ),
    )
}


def judge_metrics(context: EvalContext, *names: str) -> tuple[Metric, ...]:
    """The metrics of these names, judged by `context.judge`; none without a judge.

    Raises:
        UsageError: the judge cannot be used.
    """
    if not context.judge:
        return ()
    ragas_model(context.judge)
    return tuple(_metric(_SPECS[name]) for name in names)


def judge_measures(context: EvalContext, *names: str) -> tuple[Measure, ...]:
    """The means of the metrics of these names; none without a judge."""
    if not context.judge:
        return ()
    return tuple(mean_of(name, "judge", higher_is_better=_SPECS[name].higher_is_better) for name in names)


def _metric(spec: _Spec) -> Metric:
    async def score(sample: Sample, context: EvalContext) -> Score:
        model = _Judge(resolve_model(context.judge), sampled=spec.sampled)
        fields = {name: sample[name] for name in spec.needs}
        if spec.messages:
            fields["user_input"] = messages_of(fields.pop("trajectory"))
        return await _scored(spec, spec.make(model, context), fields, model)

    return Metric(spec.name, "judge", score, spec.needs)


async def _scored(spec: _Spec, metric: Any, fields: dict[str, Any], judge: _Judge) -> Score:
    """The score that a metric of ragas gives, or how it failed. Raises what stops the whole evaluation."""
    try:
        value = (await metric.ascore(**fields)).value
    except JudgeFailed as lost:
        return failed(lost.failure.kind, lost.failure.detail)
    except SearchInstructError:
        raise
    except (ValueError, TypeError, IndexError, ArithmeticError) as error:
        return failed("malformed", f"ragas could not score what the judge said: {error}")
    reason = reason_of(judge.heard[spec.telling :])
    if lacking := _nothing(judge.heard):
        return failed("empty", lacking)
    if value is None or math.isnan(value):
        return failed("not_a_number", reason or "ragas gave no number")
    # A cosine may fall a little below 0, a mean a little above 1.
    return scored(min(max(float(value), 0.0), 1.0), reason)


_MESSAGES: dict[str, type[BaseModel]] = {"human": HumanMessage, "ai": AIMessage, "tool": ToolMessage}


def messages_of(trajectory: Sequence[dict[str, Any]]) -> list[HumanMessage | AIMessage | ToolMessage]:
    """A trajectory as ragas' messages."""
    return [cast(Any, _MESSAGES[message["type"]].model_validate(message)) for message in trajectory]


def tool_call_accuracy() -> Metric:
    """Tool-call accuracy as ragas has it, in any order: the graph works on sub-questions side by side. Asks no model."""

    async def score(sample: Sample, _: EvalContext) -> Score:
        wanted = [ToolCall.model_validate(call) for call in sample["reference_tool_calls"]]
        with warnings.catch_warnings():
            # That there are fewer or more calls than wanted is what is being measured.
            warnings.simplefilter("ignore")
            found = await ToolCallAccuracy(strict_order=False).ascore(
                user_input=messages_of(sample["trajectory"]), reference_tool_calls=wanted
            )
        return scored(found.value)

    form: Form = "judge"
    return Metric("tool_call_accuracy", form, score, ("trajectory", "reference_tool_calls"))
