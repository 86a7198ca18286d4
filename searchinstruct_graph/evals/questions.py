"""Questions with what is known of their answers, read from anyone's files; files are recognised by their fields.

Known are records with a question (`question`, `user_input`, `query`, ...) and any of: reference answers (`reference`,
`answer`, `answers`, ...), names of gold documents (`gold_ids`, `paragraph_id`, ...), whether it can be answered
(`answerable`, `is_impossible`), a `response` to score; and pages with `paragraphs` and `questions`. A file of {id, text}
records beside them is their corpus; without one, the passages that the questions were asked about are.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from searchinstruct_graph.datasets.checks import asked_in
from searchinstruct_graph.datasets.records import answer_of, context_of, read_records, value_of
from searchinstruct_graph.datasets.run import RUN
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.files import first, folders, stem
from searchinstruct_graph.evals.labelled import recognised
from searchinstruct_graph.evals.passages import gold_of, kept, listed, passage_name, passage_of, passages_in
from searchinstruct_graph.evals.suite import Case, Sample, case

Role = Literal["questions", "pages", "corpus"]

_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
"""Suffixes of the files that a corpus reads record by record."""
_QUESTION = ("user_input", "question", "query", "instruction", "prompt", "messages", "conversations")
_REFERENCE = ("reference", "references", "answers", "answer", "ground_truth", "ground_truths", "long_answer")
_CALLS = "reference_tool_calls"
_RESPONSE = ("response", "retrieved_contexts")

WANTED = "a question with `reference` or `answer`, gold document ids (`gold_ids`), `answerable`, or a `response`"


@dataclass(frozen=True, slots=True)
class QuestionFile:
    """A file of questions and where they are answered."""

    path: str
    role: Role
    group: str
    corpus: tuple[str, ...]
    """Files of documents beside it; empty: the passages in the records are the documents."""


def role_of(record: Mapping[str, Any]) -> Role | None:
    """What a file is by its first record: questions, pages with questions, a corpus; None for anything else."""
    if isinstance(record.get("questions"), list) and value_of(record, "paragraphs", "text", "context"):
        return "pages"
    if recognised(record):
        return None
    if value_of(record, *_QUESTION) is None:
        return "corpus" if isinstance(record.get("text"), str) and record.get("id") is not None else None
    known = references(record) or gold_of(record) or _answerable(record) is False
    return "questions" if known or "response" in record or _CALLS in record else None


def references(record: Mapping[str, Any]) -> list[str]:
    """The reference answers of a record, as text, without repeats; `answer_of` finds those under other names."""
    value = value_of(record, *_REFERENCE)
    found = list(_texts(value))
    if not found and "response" not in record and (text := answer_of(record)) is not None and value is None:
        found = [text]
    return list(dict.fromkeys(text.strip() for text in found if text.strip()))


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, bool):
        yield "yes" if value else "no"
    elif isinstance(value, str | int | float):
        yield str(value)
    elif isinstance(value, Mapping) and depth < 4:
        yield from _texts(value_of(value, "text", "answer", "value", "content"), depth + 1)
    elif isinstance(value, list) and depth < 4:
        for each in value:
            yield from _texts(each, depth + 1)


def _answerable(record: Mapping[str, Any]) -> bool | None:
    """Whether the question can be answered from its documents; None when the record does not say."""
    if isinstance(told := record.get("answerable"), bool):
        return told
    if isinstance(told := record.get("is_impossible"), bool):
        return not told
    # QED: no sentence of the paragraph entails the answer.
    if record.get("explanation_type") == "none":
        return False
    return False if record.get("answers") == [] else None


def question_files(data: tuple[str, ...]) -> tuple[QuestionFile, ...]:
    """The files of questions among `data`, files and folders, with the corpus that stands beside each.

    Raises:
        UsageError: a place is missing, or holds no questions.
    """
    for place in data:
        if os.path.exists(os.path.join(place, RUN)):
            raise UsageError(f"{place} is a run, not questions; score its rows with: searchinstruct eval dataset")
    # With their stamps, so that a file which was written anew is looked at anew.
    return _question_files(data, tuple(_stamp(path) for _, paths in folders(data) for path in paths))


@lru_cache(maxsize=16)
def _question_files(data: tuple[str, ...], stamps: tuple[str, ...]) -> tuple[QuestionFile, ...]:
    found: list[QuestionFile] = []
    for name, paths in folders(data):
        roles = {path: role_of(first(path)) for path in paths}
        corpus = tuple(path for path, role in roles.items() if role == "corpus" and path.endswith(_LINES))
        asked: list[tuple[str, Role]] = [(path, role) for path, role in roles.items() if role in ("questions", "pages")]
        if not asked:
            raise UsageError(_no_questions(name, paths))
        for path, role in asked:
            group = name if len(asked) == 1 else f"{name}/{stem(path)}"
            found.append(QuestionFile(path, role, group, corpus))
    return tuple(found)


def _no_questions(name: str, paths: Sequence[str]) -> str:
    for path in paths:
        # What cannot be read says so itself.
        record = next(read_records(path), None)
        if record is not None:
            named = ", ".join(sorted(map(str, record.data))[:8])
            return f"{record.where}: has {named}; wanted: {WANTED}"
    return f"{name}: holds no records; wanted: {WANTED}"


def _stamp(path: str) -> str:
    known = os.stat(path)
    return f"{path}:{known.st_size}:{known.st_mtime_ns}"


def question_cases(context: EvalContext, *, responses: bool = True) -> Iterator[Case]:
    """Every question of `context.data` as a case: `user_input`, `references` and `reference` (the first of them), `gold`,
    `answerable`, and where the data has them `response`, `retrieved_contexts`, `reference_tool_calls`, `goal`.

    Without `responses`, those in the data are passed over: every question is to be answered.

    Raises:
        UsageError: no data, data of another kind, a record without a question, or nothing to search for an answer in.
    """
    for file in question_files(tuple(context.data)):
        # Only then are the passages in the records the documents that can be found.
        pooled = not (context.corpus or context.web or file.corpus)
        for record in read_records(file.path):
            data = record.data if responses else {k: v for k, v in record.data.items() if k not in _RESPONSE}
            for given in _page(data, pooled) if file.role == "pages" else [_given(data, pooled)]:
                if not given["user_input"]:
                    named = ", ".join(sorted(map(str, record.data))[:8]) or "nothing"
                    raise UsageError(f"{record.where}: has {named} and no question; wanted: {WANTED}")
                if not all(map(_is_call, given.get(_CALLS, []))):
                    raise UsageError(f"{record.where}: {_CALLS} must be a list of {{name, args}}, as ragas writes them")
                if not ("response" in given or context.corpus or context.web or file.corpus or context_of(record.data)):
                    raise UsageError(
                        f"{record.where}: there is no `response`, and nothing to answer from; give --corpus, or put a "
                        "file of {id, text} records beside the questions"
                    )
                yield case(file.group, given)


def _given(record: Mapping[str, Any], pooled: bool) -> Sample:
    answers, known = references(record), _answerable(record)
    given: Sample = {"user_input": asked_in(record), "answerable": known is not False}
    if (name := record.get("id", record.get("qid"))) is not None:
        given["id"] = str(name)
    if answers:
        given |= {"reference": answers[0], "references": answers}
    if isinstance(record.get("response"), str):
        given["response"] = record["response"].strip()
        given["abstained"] = not given["response"]
        given["retrieved_contexts"] = contexts_of(record)
    if isinstance(calls := record.get(_CALLS), list):
        given[_CALLS] = calls
    if isinstance(goal := record.get("goal"), str) and goal.strip():
        given["goal"] = goal.strip()
    gold = list(gold_of(record))
    if not gold and pooled and "response" not in given and (text := context_of(record)):
        gold = [passage_name(text)]
    if gold:
        given["gold"] = gold
    return given


def _is_call(call: Any) -> bool:
    return isinstance(call, dict) and isinstance(call.get("name"), str) and isinstance(call.get("args"), dict)


def _page(record: Mapping[str, Any], pooled: bool) -> Iterator[Sample]:
    gold = [passage_name(passage_of(record))] if pooled else list(gold_of(record))
    for asked in record["questions"]:
        if isinstance(asked, dict):
            given = _given({key: value for key, value in asked.items() if key != "context"}, False)
            yield {**given, "gold": gold} if gold else given


def contexts_of(record: Mapping[str, Any]) -> list[str]:
    """The texts that a response rests on: `retrieved_contexts`, else the passages of the record."""
    value = value_of(record, "retrieved_contexts", "contexts")
    if value is None:
        value = context_of(record)
    return [text for text in _texts(listed(value)) if text.strip()]


async def corpus_of(group: str, context: EvalContext) -> list[str]:
    """Where the questions of a group are answered: the corpus of the settings, else the files beside them, else a file of
    their own passages, made in the cache.
    """
    if context.corpus or context.web:
        return list(context.corpus)
    return await asyncio.to_thread(_corpus_beside, group, tuple(context.data), context.index or "")


def _corpus_beside(group: str, data: tuple[str, ...], index: str) -> list[str]:
    file = next(each for each in question_files(data) if each.group == group)
    return list(file.corpus) or [_pooled(file, index, _stamp(file.path))]


@lru_cache(maxsize=64)
def _pooled(file: QuestionFile, index: str, stamp: str) -> str:
    """The corpus of the passages that a file of questions carries."""
    return kept(passages_in(file.path), index)
