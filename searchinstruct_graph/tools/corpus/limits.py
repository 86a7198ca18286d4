"""How much one file may hold, so that a mistaken path costs a message and not the machine's memory."""

from __future__ import annotations

import os

from searchinstruct_graph.errors import UsageError

VARIABLE = "SEARCHINSTRUCT_MAX_FILE_MB"
_DEFAULT_MB = 64
# A record is a document, a file of records a corpus: it is streamed, so it may be longer than what must fit in memory.
_RECORDS_FACTOR = 64


def max_file_bytes() -> int:
    """Longest text, HTML or PDF file that is read, and longest JSONL line: 64 MB or SEARCHINSTRUCT_MAX_FILE_MB."""
    value = os.environ.get(VARIABLE, "").strip()
    if not value:
        return _DEFAULT_MB * 1_000_000
    try:
        megabytes = float(value)
    except ValueError:
        megabytes = 0.0
    if not 0 < megabytes < 1e6:
        raise UsageError(f"{VARIABLE}={value!r} is not a positive number of megabytes")
    return int(megabytes * 1_000_000)


def max_records_bytes() -> int:
    """Longest JSONL file, unpacked: 64 times `max_file_bytes` (4 GB by default)."""
    return max_file_bytes() * _RECORDS_FACTOR


def over_limit(size: int) -> str:
    """The reason a file of `size` bytes is not read, and the way to have it read."""
    megabytes = -(-size // 1_000_000)
    limit = max_file_bytes() / 1_000_000
    return f"{megabytes} MB is over the limit of {limit:g} MB for one file; set {VARIABLE}={megabytes} to read it"
