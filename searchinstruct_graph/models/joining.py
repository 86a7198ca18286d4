"""How a query and its instruction become one text, and what a folder that holds a trained retriever says about itself.

* `plain`, the default: the query, one space, the instruction. Whatever embeds texts can do it.
* `labelled`: `Instruct: {instruction}` and `Query: {query}`, a line each, as instruction-tuned encoders are trained.
* `attention`: both apart through the encoder (`retriever.encoder`), which alone can embed such a query.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from searchinstruct_graph.errors import UsageError

Join = Literal["plain", "labelled", "attention"]
Kind = Literal["encoder", "rescorer"]

RECORD = "retriever.json"
"""The file in a saved folder that says what it holds and how queries and instructions are joined."""


class Saved(NamedTuple):
    """What a folder holds."""

    kind: Kind
    """`encoder`: a SentenceTransformer; `rescorer`: a head over the vectors of the embedded default."""
    join: Join


def checked_join(name: str) -> Join:
    """The way of joining of this name. Raises UsageError for any other."""
    for known in get_args(Join):
        if name == known:
            return known  # type: ignore[no-any-return]
    raise UsageError(f"join: {name!r} is none of {', '.join(get_args(Join))}")


def joined(query: str, instruction: str, join: Join = "plain") -> str:
    """The text that stands for a query with its instruction; the query alone without one.

    For `attention` it is the plain one: what an embedder makes of such a query that cannot do better.
    """
    if not instruction.strip():
        return query
    return f"Instruct: {instruction}\nQuery: {query}" if join == "labelled" else f"{query} {instruction}"


def saved_retriever(folder: str | Path) -> Saved:
    """What `folder` holds; an encoder that joins plainly where it says nothing, as for a model that is no folder.

    Raises:
        UsageError: the folder's `retriever.json` cannot be read, or names another kind or way.
    """
    path = Path(folder) / RECORD
    if not path.is_file():
        return Saved("encoder", "plain")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        kind = record.get("kind", "encoder")
        join = record["join"] if kind == "encoder" else record.get("join", "plain")
        if kind not in get_args(Kind) or not isinstance(join, str):
            raise TypeError
        return Saved(kind, checked_join(join))
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        reason = str(error) if isinstance(error, UsageError) else "it is no record of a retriever"
        raise UsageError(f"{path}: {reason}; save the retriever again") from None


def saved_join(folder: str | Path) -> Join:
    """How the encoder in `folder` joins; see `saved_retriever`."""
    return saved_retriever(folder).join
