"""Query–passage pairs as a person keeps them: what triplets are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict

from searchinstruct_graph.datasets.records import read_records, value_of
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.digest import sha256
from searchinstruct_graph.text.words import same_text, words

FIELDS = {
    "query": ("query", "query_positive", "question", "anchor"),
    "passage": ("passage", "document", "document_positive", "positive", "text", "answer"),
    "uri": ("uri", "url", "source"),
    "title": ("title",),
    "family": ("family", "group"),
}
"""The names under which a record's parts are looked for, in this order."""

MOST_CHARS = {"query": 1_000, "passage": 100_000, "title": 1_000, "uri": 2_000, "family": 500}


class TripletPair(TypedDict):
    """A query with a passage that answers it."""

    query: str
    """Empty when one is yet to be written for the passage."""
    passage: str
    uri: str
    """Where the passage stands; empty when it is not told."""
    title: str
    family: str
    """Pairs of one family (of one disease, one product, one document) stay on one side of a split, and show each other's
    passages to their writers; empty: pairs belong together by their queries alone."""


def read_pairs(files: Sequence[str], records: Sequence[Mapping[str, Any]] = ()) -> list[TripletPair]:
    """The pairs of the files and of the records, in order, each once; see `pair_of` for the names of their fields.

    Raises:
        UsageError: a file cannot be read, or a record is no pair; the message names the file and the record.
    """
    return distinct(_given(files, records))


def _given(files: Sequence[str], records: Sequence[Mapping[str, Any]]) -> Iterator[TripletPair]:
    for file in files:
        for record in read_records(file):
            yield pair_of(record.data, record.where)
    for number, data in enumerate(records, 1):
        yield pair_of(data, f"record {number}")


def pair_of(data: Mapping[str, Any], where: str) -> TripletPair:
    """The pair that a record states under the names that published data sets use: query, question or anchor; passage, document,
    positive, text or answer; and, where it has them, title, uri and family.

    Raises:
        UsageError: the query or the passage is missing, says nothing, is no text, or is too long.
    """
    found = {
        name: _text(value_of(data, *names), f"{where}: {name}", MOST_CHARS[name]) for name, names in FIELDS.items()
    }
    for name in ("query", "passage"):
        if not words(found[name]):
            held = ", ".join(sorted(map(str, data))[:8]) or "nothing"
            raise UsageError(
                f"{where}: no {name}: a pair needs a text under one of {', '.join(FIELDS[name])}; this record has {held}"
            )
    return TripletPair(
        query=" ".join(found["query"].split()),
        passage=found["passage"],
        uri=found["uri"],
        title=found["title"],
        family=found["family"],
    )


def _text(value: Any, where: str, most: int) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise UsageError(f"{where} must be one text, not {str(value)[:60]!r}; write one record for each pair")
    # A lone surrogate, which no store accepts, may come from a caller's record; files are read without.
    text = value.strip().encode("utf-8", "replace").decode()
    if len(text) > most:
        raise UsageError(f"{where} has {len(text):,} characters, at most {most:,} may be; cut it into passages")
    return text


def distinct(pairs: Iterable[TripletPair]) -> list[TripletPair]:
    """The pairs in order, each once: a query and its passage up to case, punctuation and white space."""
    kept: dict[str, TripletPair] = {}
    for pair in pairs:
        kept.setdefault(pair_id(pair), pair)
    return list(kept.values())


def pair_id(pair: TripletPair) -> str:
    """The id of a pair: the same whatever its case, punctuation and white space."""
    return sha256(f"{same_text(pair['query'])}\n{same_text(pair['passage'])}")[:32]
