"""Search sets: a corpus, queries, and which documents are relevant to each, in the shapes in which they are published.

* `corpus` records {id, text, title}, `queries` records {id, query | question | text}, judgements as records
  {query_id, doc_id, grade} or as lines of TREC's and BEIR's tables; the three files are told apart by their fields.
* Questions that name their own relevant documents: {question, gold_id | gold_ids | ...}.
* Questions that carry their passage: {question, context}; the passages of all of them are the corpus.

Queries of which no document was judged are left out, as trec_eval does. A query may have an `instruction`; a file
{query, instruction} gives further queries, one an instruction.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from searchinstruct_graph.datasets.records import Record, context_of, question_of, read_records
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.files import first, folders, stem
from searchinstruct_graph.evals.passages import gold_of, grade, kept, passage_name, passage_of, passages_in

_ID = ("id", "_id", "qid", "query_id", "docid", "doc_id")
_QUERY_ID = ("query_id", "query-id", "qid", "topic")
_DOCUMENT_ID = ("doc_id", "corpus-id", "corpus_id", "docid", "document_id")
_GRADE = ("grade", "score", "relevance", "label")
_LISTS = (".txt", ".qrels", ".trec")
_TABLES = (".tsv", *_LISTS)
_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".parquet", ".xlsx", *_TABLES)
_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A query and the grades of the documents judged for it."""

    id: str
    text: str
    grades: dict[str, float]
    instruction: str = ""


@dataclass(frozen=True, slots=True)
class SearchSet:
    """Queries over one corpus."""

    name: str
    corpus: list[str]
    """Sources as `Corpus.open` takes them; empty: the corpus is named elsewhere."""
    queries: list[SearchQuery]
    instructed: list[SearchQuery] = field(default_factory=list)
    """The same queries under instructions out of a file of their own."""


def read_search_sets(data: Sequence[str], index: str | None = None) -> list[SearchSet]:
    """The search sets in `data`; a folder may hold several. What has to be written as a corpus is kept as `kept` says.

    Raises:
        UsageError: a place holds none, or its parts do not fit together; the message names the file.
    """
    return [found for name, paths in folders(data, _SUFFIXES) for found in _sets(name, paths, index)]


@dataclass(slots=True)
class _Parts:
    """The files of a folder, by what their first records hold."""

    texts: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    instructions: list[str] = field(default_factory=list)
    carrying: list[str] = field(default_factory=list)
    judged: dict[str, dict[str, float]] = field(default_factory=dict)


def _sets(name: str, paths: Sequence[str], index: str | None) -> list[SearchSet]:
    parts = _sorted(paths)
    corpus = [path for path in parts.texts if not _asks(path, parts)]
    asking = [*parts.queries, *(path for path in parts.texts if path not in corpus)]
    queries = [query for path in asking for query in _queries(path, parts.judged)]
    found = []
    if queries:
        instructed = [query for path in parts.instructions for query in _instructed(path, queries)]
        found.append(SearchSet(name, [_source(path, index) for path in corpus], queries, instructed))
    several = len(found) + len(parts.carrying) > 1
    found += [_carried(f"{name}/{stem(path)}" if several else name, path, index) for path in parts.carrying]
    if not found:
        seen = ", ".join(f"{os.path.basename(path)} ({', '.join(first(path)) or 'no records'})" for path in paths[:5])
        raise UsageError(
            f"{name}: no queries with known relevant documents; found {seen or 'no files of records'}; wanted queries and "
            "judgements {query_id, doc_id, grade}, or questions with gold_ids, or questions with their context"
        )
    return found


def _sorted(paths: Sequence[str]) -> _Parts:
    parts = _Parts()
    for path in paths:
        table = _judgements(path)
        if table is not None:
            for query, document, grade in table:
                parts.judged.setdefault(query, {})[document] = grade
            continue
        fields = {} if path.lower().removesuffix(".gz").endswith(_LISTS) else first(path)
        if not fields:
            continue
        text = isinstance(fields.get("text"), str) or isinstance(fields.get("abstract"), str | list)
        asked = any(isinstance(fields.get(key), str) for key in ("query", "question"))
        if "instruction" in fields and asked and not gold_of(fields):
            parts.instructions.append(path)
        elif "facet" in fields or "qid" in fields or (asked and (gold_of(fields) or not context_of(fields))):
            parts.queries.append(path)
        elif asked:
            parts.carrying.append(path)
        elif text:
            parts.texts.append(path)
    if not parts.judged:
        # Without judgements only questions that name their documents can be scored.
        parts.queries = [path for path in parts.queries if gold_of(first(path))]
    return parts


def _judgements(path: str) -> list[tuple[str, str, float]] | None:
    """(query, document, grade) of a file of judgements; None when it is something else."""
    if path.lower().removesuffix(".gz").endswith(_TABLES):
        return _table(path)
    fields = first(path)
    if _value(fields, _QUERY_ID) is None or _value(fields, _DOCUMENT_ID) is None:
        return None
    found = []
    for record in read_records(path):
        query, document = _value(record.data, _QUERY_ID), _value(record.data, _DOCUMENT_ID)
        graded = _value(record.data, _GRADE)
        found.append((str(query), str(document), grade("1" if graded is None else graded, record.where)))
    return found


def _table(path: str) -> list[tuple[str, str, float]] | None:
    """A table "query document grade" or TREC's "query 0 document grade", with or without a head; None: another table."""
    opened = gzip.open if path.lower().endswith(".gz") else open
    found: list[tuple[str, str, float]] = []
    try:
        with opened(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                cells = line.split("\t") if "\t" in line else line.split()
                if not line.strip() or (number == 1 and len(cells) in (3, 4) and not _number(cells[-1])):
                    continue
                if len(cells) not in (3, 4) or not _number(cells[-1]):
                    if not found:
                        return None
                    raise UsageError(f"{path}:{number}: not a judgement; wanted query, document and grade")
                found.append((cells[0].strip(), cells[-2].strip(), grade(cells[-1], f"{path}:{number}")))
    except UnicodeDecodeError:
        return None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    return found or None


def _number(text: str) -> bool:
    return text.strip().removeprefix("-").replace(".", "", 1).isdigit()


def _value(fields: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _asks(path: str, parts: _Parts) -> bool:
    """Whether a file of bare texts holds queries: its ids are the judged queries', and not the judged documents'."""
    if not parts.judged or "title" in first(path):
        return False
    documents = {document for judged in parts.judged.values() for document in judged}
    ids = {_identity(record) for record in read_records(path)}
    if ids >= documents:
        return False
    return bool(ids & parts.judged.keys())


def _identity(record: Record) -> str:
    known = _value(record.data, _ID)
    return str(known) if known is not None else record.where


def _queries(path: str, judged: Mapping[str, dict[str, float]]) -> list[SearchQuery]:
    found = []
    for record in read_records(path):
        text = _query_text(record)
        name = str(_value(record.data, ("qid", *_ID)) or record.where)
        grades = gold_of(record.data) or judged.get(name, {})
        if text and grades:
            found.append(SearchQuery(name, text, grades, _instruction(record.data)))
    return found


def _query_text(record: Record) -> str:
    fields = record.data
    if isinstance(fields.get("query"), str):
        return str(fields["query"]).strip()
    if "abstract" in fields:
        return " ".join(_paper(fields).split())
    return (question_of(record) or str(fields.get("text") or "")).strip()


def _instruction(fields: Mapping[str, Any]) -> str:
    """What is said about the kind of document wanted; a facet of a paper (CSFCube) in words."""
    said = fields.get("instruction")
    if isinstance(said, str) and said.strip():
        return said.strip()
    facet = fields.get("facet")
    return f"papers with a similar {facet}" if isinstance(facet, str) and facet else ""


def _instructed(path: str, queries: Sequence[SearchQuery]) -> list[SearchQuery]:
    """The queries of the set, once an instruction that the file has for them."""
    known = {query.text: query for query in queries}
    found = []
    for record in read_records(path):
        query, said = known.get(_query_text(record)), record.data.get("instruction")
        if query is not None and isinstance(said, str) and said.strip():
            found.append(SearchQuery(_identity(record), query.text, query.grades, said.strip()))
    return found


def _carried(name: str, path: str, index: str | None) -> SearchSet:
    """Questions over the passages that they carry."""
    queries = []
    for record in read_records(path):
        passage, text = passage_of(record.data), _query_text(record)
        if passage and text:
            grades = {passage_name(passage): 1.0}
            queries.append(SearchQuery(_identity(record), text, grades, _instruction(record.data)))
    if not queries:
        raise UsageError(f"{path}: no question with its context")
    return SearchSet(name, [kept(passages_in(path), index)], queries)


def _source(path: str, index: str | None) -> str:
    """The corpus file itself where the product can read its records, else a copy in the records that it reads."""
    fields = first(path)
    if path.lower().endswith(_LINES) and isinstance(fields.get("text"), str) and fields.get("id") is not None:
        return os.path.abspath(path)
    documents = (
        {"id": _identity(record), "title": str(record.data.get("title") or ""), "text": _document(record.data)}
        for record in read_records(path)
    )
    return kept(documents, index)


def _document(fields: Mapping[str, Any]) -> str:
    return fields["text"] if isinstance(fields.get("text"), str) else _paper(fields)


def _paper(fields: Mapping[str, Any]) -> str:
    """Title and abstract; an abstract may be sentences, or pairs of a label and a sentence."""
    abstract = fields.get("abstract")
    parts = abstract if isinstance(abstract, list) else [abstract]
    sentences = [str(part[-1] if isinstance(part, list) and part else part) for part in parts if part]
    return "\n".join([str(fields.get("title") or ""), " ".join(sentences)]).strip()
