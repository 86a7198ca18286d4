"""Search sets: a corpus, queries, and which documents are relevant to each, in the shapes in which they are published.

* `corpus` records {id, text, title}, `queries` records {id, query | question | text}, judgements as records
  {query_id, doc_id, grade} or as lines of TREC's and BEIR's tables; the three files are told apart by their fields.
* Questions that name their own relevant documents: {question, gold_id | gold_ids | ...}.
* Questions that carry their passage: {question, context}; the passages of all of them are the corpus.
* Triplets: a file of the published fields, or a run of `searchinstruct triplets`; their passages are the corpus.

Queries of which no document was judged are left out, as trec_eval does. Of judgements called train, dev and test in one folder
the test side alone is read, as BEIR's loaders do. A query may have an `instruction`; a file {query, instruction} of other ids
than the judged ones gives further queries, one an instruction. What falls under a `changed_instruction` is in `changed`.
Judgements under changed instructions are fields of records (`changed_grade`), tables whose last column is headed
`changed_score`, or files whose name ends with `changed`: tables of numbers have nothing else to be told by.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.database import reading
from searchinstruct_graph.datasets.records import Record, context_of, question_of, read_records, value_of
from searchinstruct_graph.datasets.run import read_run, run_folder
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.changed import (
    CHANGED_GRADE,
    SearchQuery,
    changed_instruction,
    named_fallen,
    triplet_queries,
    with_fallen,
)
from searchinstruct_graph.evals.files import first, folders, is_run, stem
from searchinstruct_graph.evals.passages import gold_of, grade, kept, passage_name, passage_of, passages_in
from searchinstruct_graph.retriever.rows import Triplet, read_triplets

_ID = ("id", "_id", "qid", "query_id", "docid", "doc_id")
_QUERY_ID = ("query_id", "query-id", "qid", "topic")
_DOCUMENT_ID = ("doc_id", "corpus-id", "corpus_id", "docid", "document_id")
_GRADE = ("grade", "score", "relevance", "label")
_LISTS = (".txt", ".qrels", ".trec")
_TABLES = (".tsv", *_LISTS)
_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".parquet", ".xlsx", *_TABLES)
_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_SIDES = ("train", "dev", "validation")


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
    runs = {stem(place): place for place in map(os.path.expanduser, data) if is_run(place)}
    found = []
    for name, paths in folders(data, _SUFFIXES):
        found += [_run(name, runs[name], index)] if name in runs else _sets(name, paths, index)
    return found


@dataclass(slots=True)
class _Parts:
    """The files of a folder, by what their first records hold."""

    texts: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    instructions: list[str] = field(default_factory=list)
    carrying: list[str] = field(default_factory=list)
    triplets: list[str] = field(default_factory=list)
    judged: dict[str, dict[str, float]] = field(default_factory=dict)
    changed: dict[str, dict[str, float]] = field(default_factory=dict)


def _sets(name: str, paths: Sequence[str], index: str | None) -> list[SearchSet]:
    parts = _sorted(paths)
    corpus = [path for path in parts.texts if not _asks(path, parts)]
    asking = [*parts.queries, *(path for path in parts.texts if path not in corpus)]
    queries = with_fallen([query for path in asking for query in _queries(path, parts.judged)], parts.changed, name)
    found = []
    if queries:
        instructed = [query for path in parts.instructions for query in _instructed(path, queries)]
        found.append(SearchSet(name, [_source(path, index) for path in corpus], queries, instructed))
    several = len(found) + len(parts.carrying) + len(parts.triplets) > 1
    for read, paths_ in ((_carried, parts.carrying), (_contrasted, parts.triplets)):
        found += [read(f"{name}/{stem(path)}" if several else name, path, index) for path in paths_]
    if not found:
        seen = ", ".join(f"{os.path.basename(path)} ({', '.join(first(path)) or 'no records'})" for path in paths[:5])
        raise UsageError(
            f"{name}: no queries with known relevant documents; found {seen or 'no files of records'}; wanted queries and "
            "judgements {query_id, doc_id, grade}, or questions with gold_ids, or questions with their context, or triplets"
        )
    return found


def _sorted(paths: Sequence[str]) -> _Parts:
    parts = _Parts()
    for path in _measured(paths):
        judged = _judgements(path)
        if judged is not None:
            for each in judged:
                for grades, given in ((parts.judged, each.grade), (parts.changed, each.changed)):
                    if given is not None:
                        grades.setdefault(each.query, {})[each.document] = given
            continue
        fields = {} if _is(path, _LISTS) else first(path)
        if not fields:
            continue
        text = isinstance(fields.get("text"), str) or isinstance(fields.get("abstract"), str | list)
        asked = any(isinstance(fields.get(key), str) for key in ("query", "question"))
        if "query_positive" in fields and "instruction_negative" in fields:
            parts.triplets.append(path)
        elif "instruction" in fields and asked and not gold_of(fields):
            parts.instructions.append(path)
        elif "facet" in fields or "qid" in fields or (asked and (gold_of(fields) or not context_of(fields))):
            parts.queries.append(path)
        elif asked:
            parts.carrying.append(path)
        elif text:
            parts.texts.append(path)
    own = [path for path in parts.instructions if _identity(_head(path)) in parts.judged]
    parts.queries += own
    parts.instructions = [path for path in parts.instructions if path not in own]
    if not parts.judged:
        # Without judgements only questions that name their documents can be scored.
        parts.queries = [path for path in parts.queries if gold_of(first(path))]
    return parts


def _measured(paths: Sequence[str]) -> list[str]:
    """The files without judgements of other sides than `test`, where that side is there."""
    tests = {os.path.dirname(path) for path in paths if stem(path) == "test" and _is(path, _TABLES)}
    return [path for path in paths if not (os.path.dirname(path) in tests and stem(path) in _SIDES)]


def _is(path: str, suffixes: tuple[str, ...]) -> bool:
    return path.lower().removesuffix(".gz").endswith(suffixes)


def _head(path: str) -> Record:
    return next(iter(read_records(path)))


class _Judgement(NamedTuple):
    """What somebody says of a document for a query, under its own instruction, the changed one, or both."""

    query: str
    document: str
    grade: float | None
    changed: float | None


def _judgements(path: str) -> list[_Judgement] | None:
    """The judgements of a file; None when it is something else."""
    changed = stem(path).lower().endswith("changed")
    if _is(path, _TABLES):
        return _table(path, changed)
    fields = first(path)
    if _value(fields, _QUERY_ID) is None or _value(fields, _DOCUMENT_ID) is None:
        return None
    found = []
    for record in read_records(path):
        query, document = str(_value(record.data, _QUERY_ID)), str(_value(record.data, _DOCUMENT_ID))
        given = _grade(record, _value(record.data, _GRADE)), _grade(record, value_of(record, *CHANGED_GRADE))
        own, after = (1.0, None) if given == (None, None) else given
        found.append(_Judgement(query, document, None, own) if changed else _Judgement(query, document, own, after))
    return found


def _grade(record: Record, value: Any) -> float | None:
    return None if value is None else grade(value, record.where)


def _table(path: str, changed: bool) -> list[_Judgement] | None:
    """A table "query document grade" or TREC's "query 0 document grade", with or without a head; None: another table."""
    opened = gzip.open if path.lower().endswith(".gz") else open
    found: list[_Judgement] = []
    try:
        with opened(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                cells = line.split("\t") if "\t" in line else line.split()
                if not line.strip():
                    continue
                if number == 1 and len(cells) in (3, 4) and not _number(cells[-1]):
                    changed = changed or cells[-1].strip().lower().replace("-", "_") in CHANGED_GRADE
                    continue
                if len(cells) not in (3, 4) or not _number(cells[-1]):
                    if not found:
                        return None
                    raise UsageError(f"{path}:{number}: not a judgement; wanted query, document and grade")
                given = grade(cells[-1], f"{path}:{number}")
                query, document = cells[0].strip(), cells[-2].strip()
                found.append(_Judgement(query, document, None if changed else given, given if changed else None))
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
            said, changed = _instruction(record.data), changed_instruction(record.data)
            found.append(SearchQuery(name, text, grades, said, changed, named_fallen(record.data)))
    return found


def _query_text(record: Record) -> str:
    fields = record.data
    if isinstance(fields.get("query"), str):
        return str(fields["query"]).strip()
    if "abstract" in fields:
        return " ".join(_paper(fields).split())
    if isinstance(fields.get("text"), str) and not isinstance(fields.get("question"), str):
        # An instruction beside it is no question.
        return str(fields["text"]).strip()
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


def _run(name: str, place: str, index: str | None) -> SearchSet:
    """The triplets of a run."""
    folder = run_folder(place)
    # Refuses an evaluation, which is kept in such a folder too.
    read_run(folder)
    with reading(folder / ledgers.NAME) as db:
        documents, queries = triplet_queries(
            (row["id"], triplet) for row in ledgers.read_triplets(db) for triplet in read_triplets([row])
        )
    if not queries:
        raise UsageError(f"{place}: is a run without triplets; retrieval is scored on those of searchinstruct triplets")
    return SearchSet(name, [kept(documents, index)], queries)


def _contrasted(name: str, path: str, index: str | None) -> SearchSet:
    """The right queries of a file of triplets over the passages of all of them."""
    documents, queries = triplet_queries(
        (_identity(record), triplet) for record in read_records(path) for triplet in _triplet(record)
    )
    return SearchSet(name, [kept(documents, index)], queries)


def _triplet(record: Record) -> list[Triplet]:
    try:
        return read_triplets([record.data])
    except UsageError as error:
        raise UsageError(f"{record.where}: {str(error).removeprefix('triplet 1: ')}") from None


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
