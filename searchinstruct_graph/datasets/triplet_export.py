"""Triplets to files: one record a triplet under the published names, or BEIR's folder.

BEIR's layout (its wiki, "Load your custom dataset"): `corpus.jsonl` {_id, title, text}, `queries.jsonl` {_id, text} and
`qrels/<split>.tsv` with the head `query-id corpus-id score`; MTEB and the Hugging Face Hub want the judgements as
`qrels/<split>.jsonl` beside them, since `datasets` reads one kind of file a folder. Here a query is a query with its
instruction, so a triplet gives three: (Q⁺, I⁺), (Q⁺, I⁻) and (Q⁻, I⁺). Each is judged with its own passage (1) and with the
others of its triplet (0). Equal texts are one document and equal pairs one query, whose judgements are put together; a passage
that fits in one triplet is nowhere judged as failing that query.

Sides are drawn by family. A triplet whose poisoned query is another side's query would show which passage fits it: it is left
out of the larger of the two sides, and counted. Blocking: call it from a thread.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from typing_extensions import TypedDict

from searchinstruct_graph.datasets.export import (
    PLAIN,
    Draft,
    Manifest,
    created_by,
    digest_of,
    export_records,
    json_line,
    manifest_path,
    parts,
    split_name,
    write_manifest,
)
from searchinstruct_graph.datasets.failpoints import failpoint
from searchinstruct_graph.datasets.formats import BEIR, TRIPLETS
from searchinstruct_graph.datasets.split import assign
from searchinstruct_graph.datasets.triplets import Triplet, TripletRow, query_family
from searchinstruct_graph.errors import SearchInstructError, UsageError
from searchinstruct_graph.text.digest import sha256

SHARES = {"train": 0.9, "test": 0.1}
"""Sides of a BEIR folder when none are named."""

HEAD = "query-id\tcorpus-id\tscore\n"

Side = Literal["positive", "instruction", "query"]
"""Which of a triplet's three queries: the right one, or the one whose instruction, or query, was poisoned."""


class BeirQuery(TypedDict):
    """A line of `queries.jsonl`. `text` and `instruction` stand apart, so that whoever searches may join them."""

    _id: str
    text: str
    instruction: str
    changed_instruction: str
    """Of a right query its poisoned instruction, for p-MRR; else empty."""
    metadata: dict[str, str]
    """`triplet` that it was first met in, and its `side` there."""


class Judged(NamedTuple):
    """A query with the passages of its triplet: the one that fits it, and those that do not."""

    query: BeirQuery
    fitting: str
    failing: tuple[str, ...]


def export_triplets(
    rows: Iterable[TripletRow], out: str, *, shares: Mapping[str, float] | None = None, seed: int = 0
) -> dict[str, Manifest]:
    """Write one record a triplet to the file `out`, or with `shares` to one file a side; returns the manifests by side (`train`
    without shares). `rows` are read twice with shares, so an iterator will not do there.

    Raises:
        UsageError: the file's name makes no sense, or there are fewer families than sides.
        SearchInstructError: a file cannot be written.
    """
    if not shares:
        return {"train": export_records(rows, TRIPLETS, {"": out}, lambda row: "", PLAIN, lambda row: None, {})[""]}
    outs = {side: split_name(out, side) for side in shares}
    told = {"split": dict(shares), "seed": seed}
    drawn = sides(rows, shares, seed)
    return export_records(rows, TRIPLETS, outs, drawn.side, PLAIN, drawn.refusal, told)


class Sided(NamedTuple):
    """Which side a row is on, and why it is left out of it (None: it is not)."""

    side: Callable[[Any], str]
    refusal: Callable[[Any], str | None]


CROSSING = "poisoned query asked on another side"


def sides(rows: Iterable[TripletRow], shares: Mapping[str, float], seed: int) -> Sided:
    """Draw the sides of `rows` by family; of each row a digest is held.

    Raises:
        UsageError: there are fewer families than sides.
    """
    asked: dict[str, str] = {}
    try:
        found = assign(_asked(rows, asked), shares, seed)
    except UsageError:
        raise UsageError(
            f"the triplets cannot be split into {', '.join(shares)}: those of one query or one family stay together, and there "
            "are fewer such families than sides; name one side, as in --split test=1, or make more triplets"
        ) from None
    yielding = sorted(shares, key=lambda side: -shares[side])

    def side(row: TripletRow) -> str:
        try:
            return found(row["family"])
        except KeyError:
            raise SearchInstructError("Triplets were added while they were exported; export them again.") from None

    def refusal(row: TripletRow) -> str | None:
        other = asked.get(query_family(row["query_negative"]))
        crossing = other is not None and yielding.index(side(row)) < yielding.index(found(other))
        return CROSSING if crossing else None

    return Sided(side, refusal)


def _asked(rows: Iterable[TripletRow], asked: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The family and the query of every row; `asked` gets the family of each query."""
    for row in rows:
        asked[query_family(row["query_positive"])] = row["family"]
        yield row["family"], row["query_positive"]


def judged(row: Triplet, triplet: str = "") -> tuple[Judged, Judged, Judged]:
    """The three queries of a triplet, each with its passages; `triplet` is its id."""
    right, first, second = row["document"], row["hard_negative_document_1"], row["hard_negative_document_2"]
    query, instruction = row["query_positive"], row["instruction_positive"]
    changed = row["instruction_negative"]
    return (
        Judged(_query(query, instruction, changed, "positive", triplet), right, (first, second)),
        Judged(_query(query, changed, "", "instruction", triplet), first, (right, second)),
        Judged(_query(row["query_negative"], instruction, "", "query", triplet), second, (right, first)),
    )


def _query(text: str, instruction: str, changed: str, side: Side, triplet: str) -> BeirQuery:
    return BeirQuery(
        _id=_name("q", text, instruction),
        text=text,
        instruction=instruction,
        changed_instruction=changed,
        metadata={"triplet": triplet, "side": side},
    )


def _name(kind: str, *texts: str) -> str:
    """An id made of texts: equal texts have equal ids, in whatever export."""
    return f"{kind}-{sha256(json.dumps(texts))[:32]}"


class _Known:
    """What is written already, and which passages fit which query; a digest each."""

    def __init__(self, rows: Iterable[TripletRow]) -> None:
        self._seen: set[bytes] = set()
        self._fitting = {_digest(each.query["_id"], each.fitting) for row in rows for each in judged(row)}

    def new(self, *names: str) -> bool:
        """Whether this is met for the first time."""
        key = _digest(*names)
        return key not in self._seen and not self._seen.add(key)  # type: ignore[func-returns-value]

    def fits(self, query: str, passage: str) -> bool:
        """Whether any triplet says that the passage fits the query."""
        return _digest(query, passage) in self._fitting


def _digest(*names: str) -> bytes:
    return hashlib.blake2b("\0".join(names).encode("utf-8", "replace"), digest_size=12).digest()


def export_beir(
    rows: Iterable[TripletRow], out: str, *, shares: Mapping[str, float] | None = None, seed: int = 0
) -> Manifest:
    """Write BEIR's folder to `out` and return its manifest, which stands beside it; its `rows` are triplets. `rows` are read
    three times; of each of their texts a digest is held. Other files of the folder stay, but `qrels/` of the export before.

    Raises:
        UsageError: `out` cannot be a folder, or there are fewer families than sides.
        SearchInstructError: a file cannot be written.
    """
    place = _folder(out)
    wanted = dict(shares or SHARES)
    told = {"split": wanted, "seed": seed}
    drawn = sides(rows, wanted, seed)
    known = _Known(rows)
    skipped: Counter[str] = Counter()
    names = parts({"format": BEIR, "options": told})
    drafts: dict[str, Draft] = {}
    count = 0
    try:
        for name in names:
            drafts[name] = Draft(os.path.join(place, name))
        judgements = {side: (drafts[f"qrels/{side}.tsv"], drafts[f"qrels/{side}.jsonl"]) for side in wanted}
        for table, _ in judgements.values():
            table.write(HEAD.encode())
        for row in rows:
            if reason := drawn.refusal(row):
                skipped[reason] += 1
                continue
            count += 1
            _write(row, drafts["corpus.jsonl"], drafts["queries.jsonl"], judgements[drawn.side(row)], known)
            failpoint("export.half")
        for draft in drafts.values():
            draft.finish()
        failpoint("export.written")
        _clear(place, names)
        for draft in drafts.values():
            draft.publish()
        failpoint("export.renamed")
    except BaseException:
        for draft in drafts.values():
            draft.discard()
        raise
    size, digest = digest_of((draft.size, draft.sha256) for draft in drafts.values())
    manifest = Manifest(
        file=os.path.basename(place),
        format=BEIR,
        rows=count,
        bytes=size,
        sha256=digest,
        skipped=dict(skipped),
        options=told,
        created_by=created_by(),
    )
    write_manifest(manifest, place)
    return manifest


def _folder(out: str) -> str:
    place = os.path.realpath(out)
    if os.path.splitext(place)[1] in (".jsonl", ".json", ".ndjson", ".parquet", ".gz", ".tsv", ".csv", ".xlsx"):
        raise UsageError(f"{out}: the format {BEIR} is a folder; give it a name without a suffix")
    if os.path.exists(place) and not os.path.isdir(place):
        raise UsageError(f"{out} is a file, and the format {BEIR} is a folder; name another")
    return place


def _write(row: TripletRow, corpus: Draft, queries: Draft, judgements: tuple[Draft, Draft], known: _Known) -> None:
    """Write what is new in a triplet: passages, queries, judgements."""
    for query, fitting, failing in judged(row, row["id"]):
        name = query["_id"]
        if known.new(name):
            queries.write(json_line(query))
        for passage, score in ((fitting, 1), *((text, 0) for text in failing)):
            document = _name("d", passage)
            if known.new(document):
                corpus.write(json_line({"_id": document, "title": "", "text": passage}))
            if (score or not known.fits(name, passage)) and known.new(name, document):
                table, records = judgements
                table.write(f"{name}\t{document}\t{score}\n".encode())
                records.write(json_line({"query-id": name, "corpus-id": document, "score": score}))


def _clear(place: str, names: Iterable[str]) -> None:
    """Take away the manifest of the export before, and its judgements of sides that are no more: without a manifest nothing is
    vouched for.
    """
    try:
        with open(manifest_path(place), encoding="utf-8") as handle:
            before = parts(json.load(handle))
    except (OSError, ValueError, KeyError, TypeError):
        before = []
    for path in (manifest_path(place), *(os.path.join(place, name) for name in before if name not in names)):
        with suppress(OSError):
            os.unlink(path)
