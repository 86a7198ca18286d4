"""Queries under a changed instruction, and the documents that have to fall for it: what p-MRR is measured on.

A query says its changed instruction itself, or two queries have one text and two instructions: then each is the other's change,
as FollowIR's queries `301-og` and `301-changed` are. What falls is named by the query (`fallen`), or follows from judgements:
the documents that are relevant under its own instruction and not under the changed one. Triplets say both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from searchinstruct_graph.datasets.records import value_of
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.passages import listed, passage_name
from searchinstruct_graph.evals.retrieval import relevant
from searchinstruct_graph.retriever.rows import Triplet

CHANGED = ("changed_instruction", "instruction_changed")
CHANGED_GRADE = ("changed_grade", "changed_score", "grade_changed", "score_changed")
_FALLEN = ("fallen", "fallen_ids", "must_fall")

Judged = Mapping[str, Mapping[str, float]]
"""Query id to documents with their grades."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A query and the grades of the documents judged for it."""

    id: str
    text: str
    grades: dict[str, float]
    instruction: str = ""
    changed: str = ""
    """The changed instruction; empty: there is none."""
    fallen: list[str] = field(default_factory=list)
    """Documents that are relevant under `instruction` and not under `changed`."""


def changed_instruction(fields: Mapping[str, Any]) -> str:
    """The changed instruction that a record of a query brings; empty for none."""
    said = value_of(fields, *CHANGED)
    return said.strip() if isinstance(said, str) else ""


def named_fallen(fields: Mapping[str, Any]) -> list[str]:
    """The documents that a record of a query says to fall."""
    return [str(each) for each in listed(value_of(fields, *_FALLEN)) if isinstance(each, str | int | float)]


def with_fallen(queries: Sequence[SearchQuery], judged: Judged, name: str) -> list[SearchQuery]:
    """The queries, each with what falls under its changed instruction. `judged` are the grades under changed instructions.

    Raises:
        UsageError: a changed instruction of which nothing says what falls, a document that is to fall and was not relevant, or
            judgements under an instruction that no query has; the message begins with `name`.
    """
    if lost := [query for query in queries if query.fallen and not query.changed]:
        raise UsageError(f"{name}: query {lost[0].id} has documents that fall, and no {CHANGED[0]} for which; add it")
    for query in queries:
        if never := sorted(set(query.fallen) - relevant(query.grades)):
            raise UsageError(
                f"{name}: query {query.id} says that document {never[0]} falls, which is not judged relevant under its own "
                "instruction; judge it, or take it out"
            )
    if any(query.changed for query in queries):
        others = {(query.text, query.instruction): query.grades for query in queries}
        return [_fallen(query, judged, others, name) for query in queries]
    if unasked := sorted(judged.keys() & {query.id for query in queries}):
        raise UsageError(
            f"{name}: query {unasked[0]} is judged under a changed instruction, and its record has no {CHANGED[0]}; add it"
        )
    return _twins(queries)


def _fallen(query: SearchQuery, judged: Judged, others: Mapping[tuple[str, str], Any], name: str) -> SearchQuery:
    if not query.changed or query.fallen:
        return query
    changed = judged.get(query.id, others.get((query.text, query.changed)))
    if changed is None:
        raise UsageError(
            f"{name}: query {query.id} has a changed instruction, and nothing says which documents it makes non-relevant; give "
            f"the query `{_FALLEN[0]}`, a list of ids, or judgements under it ({CHANGED_GRADE[0]})"
        )
    return replace(query, fallen=_no_longer(query.grades, changed))


def _twins(queries: Sequence[SearchQuery]) -> list[SearchQuery]:
    """Queries that share their text with exactly one other, under another instruction, are each other's change.

    Of more than two it is not known which changes which, and a document that is not judged need not be non-relevant.
    """
    same: dict[str, list[SearchQuery]] = {}
    for query in queries:
        same.setdefault(query.text, []).append(query)
    found = []
    for query in queries:
        others = [other for other in same[query.text] if other is not query]
        if len(others) == 1 and others[0].instruction and query.instruction not in ("", others[0].instruction):
            (other,) = others
            query = replace(query, changed=other.instruction, fallen=_no_longer(query.grades, other.grades))
        found.append(query)
    return found


def _no_longer(grades: Mapping[str, float], changed: Mapping[str, float]) -> list[str]:
    return sorted(relevant(grades) - relevant(changed))


def triplet_queries(triplets: Iterable[tuple[str, Triplet]]) -> tuple[list[dict[str, str]], list[SearchQuery]]:
    """The passages of (id, triplet), each once, as records of a corpus, and the right query of each triplet.

    Its own passage is relevant and falls under the poisoned instruction; both hard negatives are judged non-relevant.
    """
    documents: dict[str, str] = {}
    queries = []
    for name, triplet in triplets:
        texts = (triplet.document_positive, *triplet.hard_negatives)
        right, *wrong = (documents.setdefault(text, passage_name(text)) for text in texts)
        grades = {right: 1.0, **dict.fromkeys(wrong, 0.0)}
        asked = SearchQuery(
            name, triplet.query_positive, grades, triplet.instruction_positive, triplet.instruction_negative, [right]
        )
        queries.append(asked)
    return [{"id": name, "title": "", "text": text} for text, name in documents.items()], queries
