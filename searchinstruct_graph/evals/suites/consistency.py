"""Consistency: does agreement among samples tell right answers from wrong ones?

A case is a question whose answer has a fixed form (yes or no, maybe, a number, a choice). `samples` answers are drawn from the
model under test, all of them, and voted on as a dataset's are (`datasets.voting`); records that hold their own `samples` are
voted on as they stand. A vote is accepted when the largest group reaches `min_agreement`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from searchinstruct_graph.agents.respondent import QuotedText, respond
from searchinstruct_graph.datasets.records import Record, answer_of, question_of, read_records
from searchinstruct_graph.datasets.voting import tally
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.files import first, folders, stem
from searchinstruct_graph.evals.numbers import auroc
from searchinstruct_graph.evals.suite import Case, Measure, Metric, Sample, Score, Suite, case, mean_of, scored
from searchinstruct_graph.models.chat import OFFLINE, resolve_model
from searchinstruct_graph.text.answers import Form, final_answer, same_answer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST = 3
"""Samples of which a vote is taken at least."""

SCORES = ("right", "agreement", "accepted", "answered", "split", "wrong_majority")
"""What a vote is scored by."""

BARE = 60
"""Characters of the longest sample that is taken for a bare answer."""

_OPTION = re.compile(r"^\s*\(?([A-J])[).]\s+(\S.*)$", re.MULTILINE)
_LISTED = re.compile(r"^\s*-\s+(\S.*?)\s*$", re.MULTILINE)
_PASSAGES = ("contexts", "context", "facts", "retrieved_contexts")
_ANSWER = ("final_decision", "decision", "target", "gold", "answer", "reference", "label")


def read(context: EvalContext) -> Iterator[Case]:
    """One case a question.

    Raises:
        UsageError: answers of the data have no fixed form (the message names file and line), or the extractive model would have
            to give one: it can only quote.
    """
    quotes = resolve_model(context.model_for("respondent")) == OFFLINE
    for each in questions(context):
        if quotes and "samples" not in each["given"]:
            raise UsageError(
                f"{each['group']}: the offline model is extractive and gives no final answers to vote on; name a chat model "
                "with --model, or give records with their samples"
            )
        yield each


def questions(context: EvalContext) -> Iterator[Case]:
    """One case a question, whoever is to answer it. Raises UsageError for data whose answers have no fixed form."""
    if context.samples < FEWEST:
        raise UsageError(f"samples: a vote needs at least {FEWEST}, not {context.samples}")
    for name, paths in folders(context.data):
        fitting = [path for path in paths if _fits(first(path))]
        if not fitting:
            seen = ", ".join(first(paths[0])) if paths else "no files of records"
            raise UsageError(
                f"{name}: no questions with an answer in a fixed form (yes, no, maybe, a number, a choice); found {seen}"
            )
        for path in fitting:
            group = name if len(fitting) == 1 else f"{name}/{stem(path)}"
            for record in read_records(path):
                yield case(group, _given(record))


def _fits(fields: Mapping[str, Any]) -> bool:
    try:
        return bool(fields) and bool(_given(Record("", dict(fields))))
    except UsageError:
        return False


def _given(record: Record) -> Sample:
    """The parts of a record. Raises UsageError when its question is missing or its answer has no fixed form."""
    question, gold = question_of(record), _gold(record)
    if not question or gold is None:
        raise UsageError(f"{record.where}: wanted a question and its answer, found {', '.join(map(str, record.data))}")
    options = _options(record.data, question)
    form = form_of(gold, options)
    if form is None:
        raise UsageError(f"{record.where}: the answer {gold[:60]!r} is neither yes, no, maybe, a number nor a choice")
    if form == "choice":
        gold = gold.strip("() .").upper()
    given: Sample = {"user_input": question, "reference": gold, "form": form, "options": options}
    passages: Any = next((record.data[name] for name in _PASSAGES if record.data.get(name)), [])
    texts = [passages] if isinstance(passages, str) else [text for text in passages if isinstance(text, str)]
    if texts:
        given["retrieved_contexts"] = texts
    samples = record.data.get("samples")
    if isinstance(samples, list) and samples:
        given["samples"] = [None if text is None else str(text) for text in samples]
    return given


def _gold(record: Record) -> str | None:
    known = next((record.data[name] for name in _ANSWER if record.data.get(name) is not None), None)
    if isinstance(known, bool):
        return "yes" if known else "no"
    told = str(known) if isinstance(known, str | int | float) else answer_of(record)
    # GSM8K's answers end in "#### 18" after the solution.
    return told.rpartition("####")[2].strip() if told else None


def _options(fields: Mapping[str, Any], question: str) -> list[str]:
    """The options of a choice, in order: of the record, or as its question lists them."""
    given = fields.get("options") or fields.get("choices")
    if isinstance(given, list) and all(isinstance(text, str) for text in given):
        return given
    lettered = [text.strip() for _, text in _OPTION.findall(question)]
    if len(lettered) > 1:
        return lettered
    return _LISTED.findall(question.rpartition("Options:")[2]) if "Options:" in question else []


def form_of(gold: str, options: Sequence[str]) -> Form | None:
    """The form that an answer has by itself; None when it is free text."""
    said = gold.strip().casefold().strip(".")
    if options and re.fullmatch(r"\(?[A-J]\)?\.?", gold.strip()):
        return "choice"
    if said in ("yes", "no"):
        return "yes_no"
    if said == "maybe":
        return "yes_no_maybe"
    if said in [option.casefold() for option in options]:
        return "text"
    return "number" if re.fullmatch(r"[-+$€£]?\s?\d[\d,. ]*%?", gold.strip()) else None


async def make(given: Case, context: EvalContext) -> Sample:
    """The responses of the model under test, `context.samples` of them; those that the data has, where it has some."""
    sample = given["given"]
    form = asked_form(sample, given["group"], context)
    if "samples" in sample:
        return {"responses": [as_response(text, form) for text in sample["samples"]], "asked_form": form}
    research = context.research()
    quotes = [QuotedText(text=text, title="") for text in sample.get("retrieved_contexts", [])]
    # A threshold of 1 draws every sample: the share of a vote that ends early is not that of all.
    made = await respond(sample["user_input"], form, sample["options"], quotes, research, research.limits(), 1.0)
    if made["failure"]:
        kind, _, reason = made["failure"].partition(": ")
        return {"failure": kind, "reason": reason or kind}
    return {"responses": made["responses"], "asked_form": form}


def as_response(text: str | None, form: Form) -> str | None:
    """A sample of the data as a response: a bare answer ("yes") gets the last line that its form asks for."""
    if text is None or "\n" in text or ":" in text or len(text) > BARE:
        return text
    label = "Final answer" if form in ("number", "text") else "Answer"
    return f"{label}: {text}" if text.strip() else text


_maybe: dict[tuple[str, ...], set[str]] = {}


def asked_form(sample: Sample, group: str, context: EvalContext) -> Form:
    """The form in which a question is asked: where some answer of its group is `maybe`, every yes-no question allows it."""
    form: Form = sample["form"]
    if form != "yes_no":
        return form
    key = tuple(context.data)
    if key not in _maybe:
        _maybe.clear()
        _maybe[key] = {each["group"] for each in questions(context) if each["given"]["form"] == "yes_no_maybe"}
    return "yes_no_maybe" if group in _maybe[key] else "yes_no"


async def vote_scores(sample: Sample, context: EvalContext) -> dict[str, Score]:
    """The vote over the responses: what won, by how much, whether it is right and whether it would be kept."""
    form: Form = sample["asked_form"]
    answers = [
        None if text is None else "" if not text.strip() else final_answer(text, form, sample["options"])
        for text in sample["responses"]
    ]
    vote = tally(answers, form)
    right = vote.majority is not None and same_answer(vote.majority, sample["reference"], form)
    accepted = vote.holds(context.min_agreement)
    counts = " / ".join(f"{answers[group[0]]}: {len(group)}" for group in vote.groups) or "no answer in the form"
    reason = f"{counts}; right is {sample['reference']}"
    found: dict[str, float | None] = {
        "right": right,
        "agreement": vote.share,
        "accepted": accepted,
        "answered": bool(vote.groups),
        "split": len(vote.groups) > 1 and not accepted,
        "wrong_majority": bool(vote.groups) and not right,
    }
    return {name: scored(value, reason) for name, value in found.items()}


def _of_accepted(values: NDArray[np.float64]) -> float | None:
    kept = values[values[:, 1] == 1, 0]
    return float(kept.mean()) if len(kept) else None


def _of_refused(values: NDArray[np.float64]) -> float | None:
    refused = values[values[:, 1] == 0, 0]
    return float(refused.mean()) if len(refused) else None


def _let_through(values: NDArray[np.float64]) -> float | None:
    """Share of the wrong majorities that are accepted."""
    wrong = values[values[:, 0] == 1, 1]
    return float(wrong.mean()) if len(wrong) else None


def _ranked(values: NDArray[np.float64]) -> float | None:
    return auroc(values[:, 1].tolist(), values[:, 0].tolist())


def metrics(context: EvalContext) -> tuple[Metric, ...]:
    """One vote gives all of them."""
    return (Metric("vote", "offline", vote_scores, needs=("responses", "asked_form"), gives=SCORES),)


def measures(context: EvalContext) -> tuple[Measure, ...]:
    """Accuracy of all, of accepted and of refused votes; the share accepted; wrong majorities that were accepted of all wrong
    ones; AUROC of agreement against rightness; split votes; questions that any sample answered.
    """
    return (
        Measure("accuracy", "offline", ("right",), lambda values: float(values.mean())),
        Measure("accuracy_accepted", "offline", ("right", "accepted"), _of_accepted),
        Measure("accuracy_refused", "offline", ("right", "accepted"), _of_refused),
        mean_of("accepted"),
        Measure("wrong_accepted", "offline", ("wrong_majority", "accepted"), _let_through, higher_is_better=False),
        Measure("agreement_auroc", "offline", ("right", "agreement"), _ranked),
        mean_of("agreement"),
        mean_of("split", higher_is_better=False),
        mean_of("answered"),
    )


SUITE = Suite(
    name="consistency",
    summary="whether votes tell right majorities from wrong and split ones",
    read=read,
    metrics=metrics,
    measures=measures,
    make=make,
    judged=False,
)
