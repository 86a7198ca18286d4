"""Triplets to train and to measure a retriever on, from runs and from files, with what is known of where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.database import reading
from searchinstruct_graph.datasets.records import read_records
from searchinstruct_graph.datasets.run import read_run
from searchinstruct_graph.datasets.triplet_run import is_triplets
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.retriever.rows import Triplet, triplet_of
from searchinstruct_graph.retriever.saving import Source
from searchinstruct_graph.text.digest import file_sha256


class GivenTriplets(NamedTuple):
    """Everything that runs and files hold, each triplet once, in order."""

    triplets: list[Triplet]
    families: list[str]
    """Of each triplet: the name of what must stay on one side of a split; one of its own where none is told."""
    sources: list[Source]
    repeated: int
    """Triplets that were there before, word for word."""


def read_given_triplets(places: Sequence[str]) -> GivenTriplets:
    """Read folders of `searchinstruct triplets`, and files of records with the published field names (JSONL, Parquet, ...).

    Raises:
        UsageError: a place cannot be read, is a run of another kind, holds no triplet, or a record is none; the message names
            the file and the record.
    """
    found: dict[Triplet, str] = {}
    sources: list[Source] = []
    repeated = 0
    for place in places:
        path = Path(place)
        source, held = (_run if path.is_dir() else _file)(path)
        count = 0
        for triplet, family in held:
            count += 1
            if triplet in found:
                repeated += 1
                continue
            found[triplet] = family or f"\0{len(found)}"
        if not count:
            raise UsageError(f"{place} holds no triplets; make some with: searchinstruct triplets")
        sources.append({**source, "triplets": count})
    return GivenTriplets(list(found), list(found.values()), sources, repeated)


_Held = Iterator[tuple[Triplet, str]]


def _run(folder: Path) -> tuple[Source, _Held]:
    run = read_run(folder)
    if not is_triplets(run):
        raise UsageError(
            f"{folder} is a run of another kind ({run['configuration'].get('method')}) and holds no triplets; "
            "make some with: searchinstruct triplets"
        )
    with reading(folder / ledgers.NAME) as db:
        # At once: the ledger stays open no longer than its reading takes.
        rows: list[Mapping[str, Any]] = [*ledgers.read_triplets(db)]
        tries = ledgers.read_tried(db)
    name = folder.resolve().name
    source = Source(name=name, fingerprint=run["fingerprint"], triplets=0, tries=tries)
    return source, ((triplet_of(row, f"{name}: triplet {at}"), row["family"]) for at, row in enumerate(rows, 1))


def _file(path: Path) -> tuple[Source, _Held]:
    if not path.exists():
        raise UsageError(f"{path} is no folder of a run and no file; name one that searchinstruct triplets has made")
    source = Source(name=path.name, fingerprint=file_sha256(str(path)), triplets=0, tries=None)
    return source, ((triplet_of(record.data, record.where), _family(record.data)) for record in read_records(str(path)))


def _family(data: Mapping[str, Any]) -> str:
    family = data.get("family")
    return str(family).strip() if isinstance(family, str | int) else ""
