"""Facts that have changed, as a person states them: what was so, what is so now, and since when."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from typing_extensions import TypedDict

from searchinstruct_graph.datasets.records import read_records, value_of
from searchinstruct_graph.datasets.rows import RowSource
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.digest import sha256
from searchinstruct_graph.text.words import normal_form

LONGEST = {"subject": 300, "relation": 300, "old": 500, "new": 500, "as_of": 100, "question": 2_000, "stale": 20_000}
"""Characters that a field may have."""


class Unchanged(TypedDict):
    """A question whose answer must stay as it is; the answer is empty when the file gives none."""

    question: str
    answer: str


class Fact(TypedDict):
    """A statement about the world that has become another: `subject` has `relation` to `new`, no longer to `old`."""

    id: str
    """First 16 hex digits of the SHA-256 over subject, relation, old and new object and date in normal form."""
    subject: str
    relation: str
    """A noun ("chief executive", "default encoding"), a verb phrase ("plays for", "was owned by"), or any label when there is
    a question."""
    old: str
    """What was so; empty when it is not known, and then there is nothing to prefer the new answer to."""
    new: str
    as_of: str
    """When the new object held, in words (`2024`, `Python 3.11`, `1 May 2025`); empty when not stated."""
    source: str
    """Where the person has the fact from; not read, kept for people."""
    question: str
    """The question in the person's own words; empty when it is to be made of subject and relation."""
    stale: str
    """The outdated answer to be corrected; empty when it is to be asked of a model or written from the old object."""
    unchanged: list[Unchanged]


ProbeKind = Literal["efficacy", "generality", "portability", "locality"]
"""What a probe asks of a corrected model: the fact itself in held-out words, the fact paraphrased, what follows from it, or
what must have stayed as it was (the names of Meng et al. 2022 and Yao et al. 2023)."""


class Probe(TypedDict):
    """A held-out question about a fact or beside it. Never a training row."""

    id: str
    """First 16 hex digits of the SHA-256 over fact, kind and question in normal form."""
    fact: str
    kind: ProbeKind
    question: str
    answer: str
    """What a corrected model must say; of locality: what any model must go on saying."""
    stale: str
    """What an uncorrected model says; empty for locality, and where that is not known."""
    aliases: list[str]
    """Other forms of the answer that are as good."""
    sources: list[RowSource]
    """The quotes that carry the answer; may be empty for efficacy and generality, whose evidence is the fact's rows'."""


_NAMES: dict[str, tuple[str, ...]] = {
    "subject": ("subject", "entity", "subject_label", "s", "topic"),
    "relation": ("relation", "property", "predicate", "attribute", "relation_label", "r"),
    "old": ("old", "old_object", "object_old", "old_value", "old_answer", "before", "previous", "target_true", "was"),
    "new": (
        "new",
        "new_object",
        "object_new",
        "new_value",
        "new_answer",
        "after",
        "object",
        "current",
        "target_new",
        "now",
    ),
    "as_of": ("as_of", "asof", "date", "since", "valid_from", "version", "time"),
    "source": ("source", "url", "uri", "reference", "link"),
    "question": ("question", "prompt", "query"),
    "stale": ("stale", "stale_answer", "outdated", "outdated_answer", "wrong_answer"),
}
_UNCHANGED = ("unchanged", "locality", "must_stay", "same")


def read_facts(paths: Sequence[str], limit: int | None = None) -> list[Fact]:
    """The facts of some files in order, each once; any format of `datasets.records`, `-` is standard input.

    Raises:
        UsageError: a file that cannot be read or has no facts; a record without subject, relation (unless it has a question)
            or new object, or whose old and new object are the same; two facts that conflict (`distinct`); with its place.
    """
    if not paths:
        raise UsageError("no file of facts is named; give one with --facts")
    found: list[tuple[Fact, str]] = []
    for path in paths:
        before = len(found)
        for record in read_records(path):
            if limit is not None and len(found) >= limit:
                return _distinct(found)
            found.append((fact_of(record.data, record.where), record.where))
        if len(found) == before and (limit is None or before < limit):
            raise UsageError(f"{path}: no facts in it; give records with the columns subject, relation, old and new")
    return _distinct(found)


def fact_of(data: Mapping[str, Any], where: str) -> Fact:
    """The fact of one record; column names are compared without case, blanks, dashes and underscores.

    Raises:
        UsageError: as `read_facts`; `where` names the record in the message.
    """
    fields = {name: _text(value_of(data, *names)) for name, names in _NAMES.items()}
    if fields["question"] and not fields["relation"]:
        fields["relation"] = fields["question"]
    for name in ("subject", "relation", "new"):
        if not fields[name]:
            columns = ", ".join(str(key)[:40] for key in list(data)[:8])
            raise UsageError(
                f"{where}: the fact has no {name} (columns: {columns}); name it in the column {name!r}, "
                "beside subject, relation, old and new"
            )
    for name, most in LONGEST.items():
        if len(fields[name]) > most:
            raise UsageError(f"{where}: {name} has {len(fields[name]):,} characters; the limit is {most:,}")
    if _folded(fields["old"]) == _folded(fields["new"]):
        raise UsageError(
            f"{where}: the old object and the new one are both {fields['new'][:80]!r}; nothing has changed, so leave the fact out"
        )
    return Fact(
        id=fact_id(fields["subject"], fields["relation"], fields["old"], fields["new"], fields["as_of"]),
        subject=fields["subject"],
        relation=fields["relation"],
        old=fields["old"],
        new=fields["new"],
        as_of=fields["as_of"],
        source=fields["source"],
        question=fields["question"],
        stale=fields["stale"],
        unchanged=_unchanged(value_of(data, *_UNCHANGED), where),
    )


def fact_id(subject: str, relation: str, old: str, new: str, as_of: str) -> str:
    """The id of a fact: the same whatever its case, white space and Unicode composition."""
    return sha256("\n".join(_folded(part) for part in (subject, relation, old, new, as_of)))[:16]


def probe_id(fact: str, kind: ProbeKind, question: str) -> str:
    """The id of a probe of a fact."""
    return sha256("\n".join((fact, kind, _folded(question))))[:16]


def distinct(facts: Iterable[Fact]) -> list[Fact]:
    """The facts in order, each once.

    Raises:
        UsageError: two facts answer one question (same subject, relation and question) with different new objects: rows that
            teach both would contradict each other.
    """
    return _distinct((fact, f"fact {number}") for number, fact in enumerate(facts, 1))


def _distinct(facts: Iterable[tuple[Fact, str]]) -> list[Fact]:
    kept: dict[str, Fact] = {}
    first: dict[tuple[str, ...], tuple[Fact, str]] = {}
    for fact, where in facts:
        slot = tuple(_folded(text) for text in (fact["subject"], fact["relation"], fact["question"]))
        other, place = first.setdefault(slot, (fact, where))
        if _folded(other["new"]) != _folded(fact["new"]):
            raise UsageError(
                f"{where}: the new object {fact['new'][:80]!r} conflicts with {other['new'][:80]!r} of {place}, for the same "
                f"subject {fact['subject'][:80]!r} and relation {fact['relation'][:80]!r}; keep the one that holds now"
            )
        kept.setdefault(fact["id"], fact)
    return list(kept.values())


def _folded(text: str) -> str:
    return " ".join(normal_form(text).split())


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, Mapping):
        value = value_of(value, "text", "label", "value", "str", "name")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""


def _unchanged(value: Any, where: str) -> list[Unchanged]:
    """The questions whose answers must stay: texts, or records of question and answer; one alone needs no list."""
    if isinstance(value, str):
        value = _cell(value, where)
    given = value if isinstance(value, list) else [] if value is None else [value]
    found: list[Unchanged] = []
    for entry in given:
        if isinstance(entry, Mapping):
            question = _text(value_of(entry, "question", "prompt", "query"))
            answer = _text(value_of(entry, "answer", "answers", "ground_truth", "output"))
        else:
            question, answer = _text(entry), ""
        if not question:
            raise UsageError(
                f"{where}: unchanged holds {str(entry)[:80]!r}; give questions, or records with question and answer"
            )
        found.append(Unchanged(question=question, answer=answer))
    return found


def _cell(text: str, where: str) -> Any:
    """The questions in one cell of a table: JSON, else one a line."""
    if not text.lstrip().startswith(("[", "{")):
        return [line for line in text.splitlines() if line.strip()]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"{where}: unchanged is no valid JSON: {text[:80]!r}; or write one question a line") from None
