"""The rows of a run, or of anyone's dataset: do the quotes stand where they are said to, and do they carry the answers?

A row of our own brings statements with quotes; another dataset's answers are split into sentences, which its contexts must
carry. Nothing is taken from the row but its words: scores that its own critic gave stand beside, under names of their own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from searchinstruct_graph.agents.evidence import locate
from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.checks import asked_in, claims_of, exchanges
from searchinstruct_graph.datasets.database import reading
from searchinstruct_graph.datasets.ledger import read_rows
from searchinstruct_graph.datasets.records import read_records
from searchinstruct_graph.datasets.run import read_run, run_folder
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.files import first, folders, is_run, stem
from searchinstruct_graph.evals.overlap import token_f1
from searchinstruct_graph.evals.questions import contexts_of, references
from searchinstruct_graph.evals.suite import Case, Measure, Metric, Sample, Score, Suite, case, failed, mean_of, scored
from searchinstruct_graph.evals.suites.answers import best_of, offline, same_answer
from searchinstruct_graph.text.compare import support
from searchinstruct_graph.text.stopwords import language_of
from searchinstruct_graph.text.words import words
from searchinstruct_graph.tools.corpus import Corpus

JUDGED = ("faithfulness", "answer_relevancy", "factual_correctness")

CRITIC = ("support", "agreement", "confidence")
"""The critic's numbers that a row carries."""


def read(context: EvalContext) -> Iterator[Case]:
    """Every row of `context.data` as a case, streamed.

    Raises:
        UsageError: no data, no row, or a record without a question and an answer.
    """
    if not context.data:
        raise UsageError("nothing to evaluate; name a run or a file of rows with --data")
    for place in context.data:
        yield from _run_rows(place) if is_run(place) else _records(place)


def _run_rows(place: str) -> Iterator[Case]:
    folder = run_folder(place)
    # Refuses an evaluation, which is kept in such a folder too and has no rows.
    read_run(folder)
    with reading(folder / ledgers.NAME) as db:
        for row in read_rows(db):
            yield case(folder.resolve().name, given_of(row))


def _records(place: str) -> Iterator[Case]:
    ((name, paths),) = folders([place])
    if os.path.isdir(place):
        # Beside the rows there may stand other files, such as the manifest of an export.
        paths = [path for path in paths if not _lacking(given_of(first(path)))] or paths[:1]
    for path in paths:
        for record in read_records(path):
            given = given_of(record.data)
            if lacking := _lacking(given):
                named = ", ".join(sorted(map(str, record.data))[:8]) or "nothing"
                raise UsageError(f"{record.where}: has {named} and no {lacking}; a row needs a question and an answer")
            yield case(name if len(paths) == 1 else f"{name}/{stem(path)}", given)


def _lacking(given: Sample) -> str:
    return "" if given["user_input"] and given["response"] else "answer" if given["user_input"] else "question"


def given_of(data: Mapping[str, Any]) -> Sample:
    """What is scored of a row: question and response, the claims of the response with their own quotes, all contexts."""
    response = data.get("response")
    said = [response.strip()] if isinstance(response, str) else [answer for _, answer in exchanges(data)]
    text = "\n\n".join(said)
    asked = data if "response" not in data else {**data, "answer": text}
    claims = [
        {
            "text": claim.text,
            "quotes": [quote for source in claim.sources for quote in source.quotes],
            "cites": bool(claim.sources) or bool(claim.fault),
            "fault": claim.fault,
        }
        for claim in claims_of(asked)
    ]
    sources = _sources(data)
    quoted = [quote["text"] for source in sources for quote in source["quotes"]]
    given: Sample = {
        "user_input": asked_in(data),
        "response": text,
        "retrieved_contexts": quoted or contexts_of(data),
        "claims": claims,
    }
    if data.get("id") is not None:
        given["id"] = str(data["id"])
    if any(source["quotes"] for source in sources):
        given["sources"] = sources
    if isinstance(critic := data.get("critic"), dict):
        given["critic"] = {name: critic.get(name) for name in CRITIC}
    beside = [each for each in references(data) if each != text] if "response" in data else []
    if beside:
        given |= {"reference": beside[0], "references": beside}
    return given


def _sources(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sources of a row of our own with their quotes; none where a record has no such."""
    listed = data.get("sources")
    return [
        {
            "uri": source["uri"],
            "sha256": str(source.get("sha256") or ""),
            "quotes": [quote for quote in source.get("quotes") or [] if isinstance(quote, dict) and _is_text(quote)],
        }
        for source in (listed if isinstance(listed, list) else [])
        if isinstance(source, dict) and isinstance(source.get("uri"), str)
    ]


def _is_text(quote: Mapping[str, Any]) -> bool:
    return isinstance(quote.get("text"), str)


def share(claims: Sequence[Mapping[str, Any]], weak: Sequence[str]) -> Score:
    """Share of the claims that are not among the weak ones."""
    return scored(1 - len(weak) / len(claims), f"not carried: {' | '.join(weak)[:500]}" if weak else "")


def _carried(text: str, texts: Sequence[str], context: EvalContext) -> bool:
    return support(text, texts, language_of(text)) >= context.min_support


def grounded(sample: Sample, context: EvalContext) -> Score:
    """Share of the statements that some context of the row carries by `min_support`."""
    claims = sample["claims"]
    return share(
        claims, [each["text"] for each in claims if not _carried(each["text"], sample["retrieved_contexts"], context)]
    )


def cited(sample: Sample, context: EvalContext) -> Score:
    """Share of the statements that their own citations carry: citation recall of ALCE (Gao et al. 2023)."""
    claims = sample["claims"]
    if not any(each["cites"] for each in claims):
        return scored(None, "no statement cites anything")
    weak = [each["text"] for each in claims if each["fault"] or not _carried(each["text"], each["quotes"], context)]
    return share(claims, weak)


def carried(sample: Sample, _: EvalContext) -> Score:
    """The least support of a statement from the contexts, 0 to 1."""
    values = {
        each["text"]: support(each["text"], sample["retrieved_contexts"], language_of(each["text"]))
        for each in sample["claims"]
    }
    least = min(values, key=lambda text: values[text])
    return scored(values[least], f"least: {least[:500]}")


def length(sample: Sample, _: EvalContext) -> Score:
    """Words of the response."""
    return scored(len(words(sample["response"])))


def critic_number(name: str) -> Metric:
    """A number that the row's own critic gave."""

    def of(sample: Sample, _: EvalContext) -> Score:
        value = sample["critic"][name]
        return scored(value if isinstance(value, int | float) else None, "" if value is not None else "not taken")

    return offline(f"critic_{name}", of, "critic")


class Library:
    """The documents that quotes are looked up in: those of `--corpus`, else those that the runs were made from."""

    def __init__(self, context: EvalContext) -> None:
        self._context = context
        self._lock = asyncio.Lock()
        self._opened: list[Corpus] | None = None
        self._absent = ""

    def _places(self) -> list[list[str]]:
        if self._context.corpus:
            return [list(self._context.corpus)]
        runs = [place for place in self._context.data if is_run(place)]
        found = [read_run(run_folder(place))["configuration"].get("settings", {}).get("corpus") for place in runs]
        return [list(each) for each in found if each]

    async def open(self) -> tuple[list[Corpus], str]:
        """The corpora, and why one is not at hand."""
        async with self._lock:
            if self._opened is None:
                self._opened = []
                for places in self._places():
                    try:
                        self._opened.append(
                            await Corpus.open(places, embedding=self._context.embeddings, index_dir=self._context.index)
                        )
                    except UsageError as error:
                        if self._context.corpus:
                            raise
                        self._absent = str(error)
        return self._opened, self._absent

    async def verbatim(self, sample: Sample, _: EvalContext) -> Score:
        """Share of the quotes that stand in their page, at their place if the page is the one that was quoted."""
        corpora, absent = await self.open()
        if absent:
            return failed("not_found", f"the documents of the run are not at hand ({absent}); name them with --corpus")
        if not corpora:
            return scored(None, "needs the documents; name them with --corpus")
        right, wrong, missing = 0, [], []
        for source in sample["sources"]:
            page = await self._page(source["uri"], corpora)
            if page is None:
                missing.append(source["uri"])
                continue
            for quote in source["quotes"]:
                same = page.sha256 == source["sha256"] and isinstance(quote.get("start"), int)
                stands = (
                    page.text[quote["start"] : quote.get("end")] == quote["text"]
                    if same
                    else await asyncio.to_thread(locate, quote["text"], page.text) is not None
                )
                right += stands
                wrong += [] if stands else [f"{quote['text'][:100]} ({source['uri']})"]
        if not right + len(wrong):
            return failed("not_found", f"not among the documents: {', '.join(missing)[:500]}")
        reason = f"not verbatim: {' | '.join(wrong)}" if wrong else ""
        return scored(right / (right + len(wrong)), reason[:500])

    async def _page(self, uri: str, corpora: Sequence[Corpus]) -> Any:
        for corpus in corpora:
            try:
                return await corpus.read(uri)
            except KeyError:
                continue
        return None


OFFLINE = (
    offline("groundedness", grounded, "claims", "retrieved_contexts"),
    offline("citation_recall", cited, "claims"),
    offline("support", carried, "claims", "retrieved_contexts"),
    best_of("agreement", same_answer),
    best_of("token_f1", token_f1),
    *(critic_number(name) for name in CRITIC),
    offline("answer_words", length, "response"),
)


def _metrics(context: EvalContext) -> tuple[Metric, ...]:
    found = (Metric("verbatim", "offline", Library(context).verbatim, ("sources",)), *OFFLINE)
    if not context.judge:
        return found
    from searchinstruct_graph.evals.ragas.judging import judge_metrics

    return (*found, *judge_metrics(context, *JUDGED))


def _measures(context: EvalContext) -> tuple[Measure, ...]:
    found = (mean_of("verbatim"), *(mean_of(metric.name) for metric in OFFLINE))
    if not context.judge:
        return found
    from searchinstruct_graph.evals.ragas.judging import judge_measures

    return (*found, *judge_measures(context, *JUDGED))


SUITE = Suite(
    name="dataset",
    summary="the rows of a run or of anyone's dataset",
    read=read,
    metrics=_metrics,
    measures=_measures,
)
