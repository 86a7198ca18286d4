"""The validator of a triplet: five yes/no questions with quoted reasons and scores; the verdict is computed here.

Follows InF-IR (arXiv 2505.21439), where a stronger model than the writer's validates; so it can be given a model of its own. The
criteria and cut-offs of the method are not published; these are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import Field

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt, Schema, ask_model
from searchinstruct_graph.agents.context import AgentContext
from searchinstruct_graph.agents.evidence import locate
from searchinstruct_graph.datasets.triplets import Triplet, TripletLimits
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.structured import Failure, Reply
from searchinstruct_graph.models.tagged import Inputs

Question = Literal["a", "b", "c", "d", "e"]
QUESTIONS: tuple[Question, ...] = get_args(Question)

_PASSAGE: dict[Question, Literal["document", "hard_negative_document_1", "hard_negative_document_2"]] = {
    "a": "document",
    "b": "document",
    "c": "document",
    "d": "hard_negative_document_1",
    "e": "hard_negative_document_2",
}
"""Which passage a question is about, and so where its quote must stand."""


class TripletAnswer(Schema):
    """The answer to one of the five questions."""

    question: Question
    holds: bool
    score: float = Field(ge=0, le=1, description="How surely it holds: 0 surely not, 1 surely.")
    quote: str = Field(
        max_length=2_000, description="Copied from the passage in question; empty for what it does not say."
    )
    reason: str = Field(max_length=1_000, description="Why, in one sentence.")


class TripletReview(Schema):
    """The answers to the five questions, each once."""

    answers: list[TripletAnswer] = Field(max_length=10)


VALIDATE = Prompt(
    "validate_triplet",
    1,
    f"""You check training data for a search engine: two <query>s, two <instruction>s and three <passage>s, all numbered.
Answer five questions with yes or no. A passage satisfies an instruction when it meets every criterion of it, as the
words of the passage show; what it does not say it does not satisfy, and an exclusion is satisfied by saying nothing
of it.
(a) Does passage 1 answer query 1 and satisfy instruction 1?
(b) Is passage 1 on topic for query 1, and does it violate instruction 2?
(c) Does passage 1 fail to answer query 2 as instruction 1 wants it?
(d) Does passage 2 answer query 1 and satisfy instruction 2, and does it violate instruction 1?
(e) Does passage 3 answer query 2 and satisfy instruction 1, and does it fail to answer query 1?
Each yes needs all parts of its question. Judge each alone, by the passages alone, with no knowledge of your own; many
of these were written to look right and are not. Give every answer a score (0: surely no, 1: surely yes), a quote
copied character by character from the passage that it is about (empty when it rests on what the passage does not
say), and the reason.
{DATA_RULE}""",
)


@dataclass(frozen=True, slots=True)
class TripletVerdict:
    """What the validator said, as code counts it."""

    accepted: bool
    scores: dict[str, float | None]
    """By question; null where there was no usable answer."""
    reasons: dict[str, str]
    failed: tuple[Question, ...]
    """The questions that did not hold, in order."""


async def validate(triplet: Triplet, *, context: AgentContext, allowance: Allowance) -> Reply[TripletReview] | Failure:
    """Ask the five questions about one triplet."""
    inputs = Inputs()
    inputs.add_numbered("query", (triplet["query_positive"], triplet["query_negative"]))
    inputs.add_numbered("instruction", (triplet["instruction_positive"], triplet["instruction_negative"]))
    # Whole: an exclusion may be violated by the last sentence.
    inputs.add_numbered(
        "passage", (triplet["document"], triplet["hard_negative_document_1"], triplet["hard_negative_document_2"])
    )
    return await ask_model(context, "validator", VALIDATE, inputs, TripletReview, allowance=allowance)


def verdict(review: TripletReview, triplet: Triplet, limits: TripletLimits | None = None) -> TripletVerdict:
    """Accept a triplet when every question holds, with a score of at least `least_score` and a quote that is real.

    A question that was answered twice counts with its lower score, one that was not answered has none. A quote that does not
    stand in its passage makes its answer void: the question fails, and there is no score in it. A no counts with its score or
    what is left of it to 1, whichever is lower, since some give how sure they are of the no.
    """
    least = (limits or TripletLimits()).least_score
    scores: dict[str, float | None] = dict.fromkeys(QUESTIONS)
    reasons: dict[str, str] = dict.fromkeys(QUESTIONS, "not answered")
    denied: dict[str, str] = {}
    for answer in review.answers:
        question, quote = answer.question, " ".join(answer.quote.split())
        if quote and locate(answer.quote, triplet[_PASSAGE[question]]) is None:
            denied.setdefault(question, f"the quote does not stand in its passage: {quote[:120]!r}")
            continue
        score, reason = answer.score, answer.reason or quote
        if not answer.holds:
            score, reason = min(score, 1 - score), f"no: {reason}"
            denied.setdefault(question, reason)
        if (known := scores[question]) is None or score < known:
            scores[question], reasons[question] = score, reason
    failed = tuple(each for each in QUESTIONS if each in denied or (given := scores[each]) is None or given < least)
    return TripletVerdict(not failed, scores, {**reasons, **denied}, failed)
