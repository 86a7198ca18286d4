"""Answers to questions: right, grounded, cited, or honestly withheld.

A case with a `response` is scored as it is; any other question is answered by the graph. What is withheld is no wrong
answer: metrics of the answer's text do not apply to it, and `answered` and `withheld` say how often that happens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from searchinstruct_graph.evals.answering import fields_of, researched, same_document
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.overlap import chrf, contains, exact_match, rouge_l, token_f1
from searchinstruct_graph.evals.questions import corpus_of, question_cases
from searchinstruct_graph.evals.suite import Case, Measure, Metric, Sample, Score, Suite, mean_of, scored
from searchinstruct_graph.text.compare import agree, support
from searchinstruct_graph.text.sentences import sentences
from searchinstruct_graph.text.stopwords import language_of

JUDGED = (
    "faithfulness",
    "answer_relevancy",
    "context_precision",
    "context_recall",
    "factual_correctness",
    "noise_sensitivity",
)


async def make(case: Case, context: EvalContext) -> Sample:
    """The graph's answer; nothing where the data brings a response."""
    given = case["given"]
    if "response" in given:
        return {}
    result, _ = await researched(given["user_input"], context.research(corpus=await corpus_of(case["group"], context)))
    made = fields_of(result)
    return made if "failure" in made else {**made, "abstained": not made["response"]}


def offline(name: str, of: Callable[[Sample, EvalContext], Score], *needs: str) -> Metric:
    """A metric that asks no model, from a plain function."""

    async def score(sample: Sample, context: EvalContext) -> Score:
        return of(sample, context)

    return Metric(name, "offline", score, needs)


def best_of(name: str, compare: Callable[[str, str], float]) -> Metric:
    """The response against the reference that it comes closest to."""

    def of(sample: Sample, _: EvalContext) -> Score:
        values = {reference: float(compare(sample["response"], reference)) for reference in sample["references"]}
        best = max(values, key=lambda reference: values[reference])
        return scored(values[best], f"beside the reference: {best[:300]}")

    return offline(name, of, "response", "references")


def same_answer(response: str, reference: str) -> bool:
    """Whether both say the same, in the language of the reference."""
    return agree(response, reference, language_of(reference))


def statements_of(sample: Sample) -> list[tuple[str, list[str]]]:
    """The statements of a response with the texts that they rest on: their own quotes, else all contexts."""
    if "statements" in sample:
        return [(each["text"], each["quotes"]) for each in sample["statements"]]
    text = sample["response"]
    found = (text[span.start : span.end].strip() for span in sentences(text))
    return [(each, sample["retrieved_contexts"]) for each in found if each]


def grounded(sample: Sample, context: EvalContext) -> Score:
    """Share of the statements whose texts carry them by `min_support`."""
    found = statements_of(sample)
    if not found:
        return scored(None, "the response says nothing")
    weak = [text for text, texts in found if support(text, texts, language_of(text)) < context.min_support]
    return scored(1 - len(weak) / len(found), f"not carried: {' | '.join(weak)[:500]}" if weak else "")


def answer_cited(sample: Sample, _: EvalContext) -> Score:
    """1 when a reference answer stands in a text that the answer rests on."""
    held = [ref for ref in sample["references"] if any(contains(text, ref) for text in sample["retrieved_contexts"])]
    return scored(bool(held), f"found: {held[0][:300]}" if held else "")


def matched(names: Sequence[str], gold: Sequence[str]) -> tuple[int, int]:
    """(how many of `names` are gold documents, how many gold documents are among `names`)."""
    return (
        sum(any(same_document(name, each) for each in gold) for name in names),
        sum(any(same_document(name, each) for name in names) for each in gold),
    )


def share_gold(field: str) -> Callable[[Sample, EvalContext], Score]:
    """Share of the documents in `field` that are gold."""

    def of(sample: Sample, _: EvalContext) -> Score:
        hits, _found = matched(sample[field], sample["gold"])
        return scored(hits / len(sample[field]), f"{hits} of {len(sample[field])} documents")

    return of


def share_found(field: str) -> Callable[[Sample, EvalContext], Score]:
    """Share of the gold documents that are in `field`."""

    def of(sample: Sample, _: EvalContext) -> Score:
        _hits, found = matched(sample[field], sample["gold"])
        missing = [each for each in sample["gold"] if not any(same_document(name, each) for name in sample[field])]
        return scored(found / len(sample["gold"]), f"not there: {', '.join(missing)[:300]}" if missing else "")

    return of


def answered(sample: Sample, _: EvalContext) -> Score:
    """1 when a question that can be answered was answered."""
    if not sample["answerable"]:
        return scored(None, "the question cannot be answered")
    return scored(not sample["abstained"], _said(sample))


def withheld(sample: Sample, _: EvalContext) -> Score:
    """1 when a question that cannot be answered was not answered."""
    if sample["answerable"]:
        return scored(None, "the question can be answered")
    return scored(bool(sample["abstained"]), _said(sample))


def _said(sample: Sample) -> str:
    ended = f"{sample['status']}, {sample['stop_reason']}: " if "status" in sample else ""
    return f"{ended}{sample['response'] or sample.get('said', 'nothing')}"[:500]


OFFLINE = (
    best_of("exact_match", exact_match),
    best_of("token_f1", token_f1),
    best_of("answer_contained", contains),
    best_of("rouge_l", rouge_l),
    best_of("chrf", chrf),
    best_of("agreement", same_answer),
    offline("answer_cited", answer_cited, "response", "references", "retrieved_contexts"),
    offline("groundedness", grounded, "response", "retrieved_contexts"),
    offline("citation_precision", share_gold("cited"), "response", "gold", "cited"),
    offline("citation_recall", share_found("cited"), "response", "gold", "cited"),
    offline("page_precision", share_gold("read"), "gold", "read"),
    offline("page_recall", share_found("read"), "gold", "read"),
    offline("answered", answered, "abstained"),
    offline("withheld", withheld, "abstained"),
)


def _metrics(context: EvalContext) -> tuple[Metric, ...]:
    if not context.judge:
        return OFFLINE
    from searchinstruct_graph.evals.ragas.judging import judge_metrics

    return (*OFFLINE, *judge_metrics(context, *JUDGED))


def _measures(context: EvalContext) -> tuple[Measure, ...]:
    found = tuple(mean_of(metric.name) for metric in OFFLINE)
    if not context.judge:
        return found
    from searchinstruct_graph.evals.ragas.judging import judge_measures

    return (*found, *judge_measures(context, *JUDGED))


SUITE = Suite(
    name="answers",
    summary="answers to questions, given or made by the graph: right, grounded, cited, or honestly withheld",
    read=question_cases,
    metrics=_metrics,
    measures=_measures,
    make=make,
)
