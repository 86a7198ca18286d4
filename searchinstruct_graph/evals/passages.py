"""Documents that come with questions: which of them a question names, and the passages that questions carry as a corpus."""

from __future__ import annotations

import ast
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from searchinstruct_graph.datasets.records import context_of, read_records, value_of
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.digest import sha256

_GOLD = (
    "gold_ids",
    "gold_id",
    "reference_context_ids",
    "relevant_ids",
    "positive_ids",
    "paragraph_id",
    "gold_documents",
    "gold_document",
)


def listed(value: Any) -> list[Any]:
    """A list, also as a table's cell holds it: written as JSON, or as pandas and ragas write it; any other value alone."""
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str) and value.lstrip().startswith("["):
        for read in (json.loads, ast.literal_eval):
            try:
                found = read(value.strip())
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(found, list):
                return found
    return [] if value is None else [value]


def gold_of(record: Mapping[str, Any]) -> dict[str, float]:
    """The documents that a question names as those that answer it, each with its grade: 1 where the record gives none.

    Raises:
        UsageError: a grade is no number.
    """
    named = value_of(record, *_GOLD)
    if isinstance(named, Mapping):
        return {str(document): grade(value, f"relevant document {document}") for document, value in named.items()}
    return {str(document): 1.0 for document in listed(named) if isinstance(document, str | int | float)}


def grade(value: Any, where: str) -> float:
    """A judgement's grade. Raises UsageError, beginning with `where`, for what is no number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(f"{where}: the grade {value!r} is no number") from None


def passage_of(record: Mapping[str, Any]) -> str:
    """The passage that a record carries; empty without one."""
    return context_of(record) or str(value_of(record, "text") or "")


def passage_name(text: str) -> str:
    """The name of a passage that has none of its own: 12 hex digits of its hash."""
    return sha256(text)[:12]


def passages_in(path: str) -> Iterator[dict[str, str]]:
    """The passages that the records of a file carry, each once, as records of a corpus."""
    seen: set[str] = set()
    for record in read_records(path):
        text = passage_of(record.data)
        if text and (name := passage_name(text)) not in seen:
            seen.add(name)
            yield {"id": name, "title": str(value_of(record.data, "title") or ""), "text": text}


def kept(documents: Iterable[Mapping[str, str]], index: str | None = None) -> str:
    """Write documents as a JSONL corpus to the cache (or below `index`), under the hash of what they hold, and say where.

    One at a time, so that a large set costs no memory; the same documents have one place, so that their index is made once.
    """
    import platformdirs

    from searchinstruct_graph.tools.corpus.corpus import HOME_VARIABLE

    home = index or os.environ.get(HOME_VARIABLE) or platformdirs.user_cache_dir("searchinstruct")
    folder = Path(home).expanduser() / "evals"
    folder.mkdir(parents=True, exist_ok=True)
    draft, digest = folder / f".{uuid4().hex}", hashlib.sha256()
    try:
        with draft.open("wb") as stream:
            for document in documents:
                line = (json.dumps(document, ensure_ascii=False) + "\n").encode()
                digest.update(line)
                stream.write(line)
        place = folder / f"{digest.hexdigest()[:16]}.jsonl"
        if not place.exists():
            os.replace(draft, place)
    finally:
        draft.unlink(missing_ok=True)
    return str(place)
