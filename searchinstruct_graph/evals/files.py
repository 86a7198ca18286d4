"""The files that an evaluation's data names: what is in a folder is known by its records, never by its name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from searchinstruct_graph.datasets.records import read_records
from searchinstruct_graph.datasets.run import RUN
from searchinstruct_graph.errors import UsageError

RECORDS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".xlsx")
"""Suffixes of files that hold records; all but the last two may be packed (`.gz`)."""


def stem(path: str | Path) -> str:
    """The name of a file without its suffixes of kind and packing, of a folder as it is."""
    name = os.path.basename(os.path.normpath(path))
    if os.path.isdir(path):
        return name
    return os.path.splitext(name.removesuffix(".gz"))[0] or name


def folders(data: Sequence[str], suffixes: Sequence[str] = RECORDS) -> list[tuple[str, list[str]]]:
    """(name, files of these suffixes) of each place in `data`, in order; a folder's files are its own and those below it.

    Raises:
        UsageError: nothing is named, a place does not exist or cannot be read, or two have one name.
    """
    if not data:
        raise UsageError("nothing to evaluate; name a file or folder with --data")
    found: dict[str, list[str]] = {}
    for place in map(os.path.expanduser, data):
        if not os.path.exists(place):
            raise UsageError(f"data {place!r} does not exist")
        name = stem(place)
        if name in found:
            raise UsageError(f"two places of the data are called {name!r}; rename one, their figures would be mixed")
        found[name] = files_in(place, tuple(suffixes)) if os.path.isdir(place) else [_readable(place)]
    return list(found.items())


def is_run(place: str) -> bool:
    """Whether a folder holds a run."""
    return os.path.exists(os.path.join(place, RUN))


def files_in(place: str, suffixes: tuple[str, ...]) -> list[str]:
    """The files of these suffixes in a folder and below it, packed ones (`.gz`) as well, by name."""
    every = sorted(str(path) for path in Path(place).rglob("*") if path.is_file())
    return [path for path in every if path.lower().removesuffix(".gz").endswith(suffixes)]


def _readable(path: str) -> str:
    """The path, if its first record can be read: what is wrong with a file that was named itself must not be passed over."""
    if path.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson", ".csv", ".parquet", ".xlsx")):
        next(iter(read_records(path)), None)
    return path


def first(path: str) -> dict[str, Any]:
    """The fields of a file's first record; none for a file without records, or one that holds something else."""
    try:
        return next(iter(read_records(path))).data
    except (StopIteration, UsageError):
        return {}
