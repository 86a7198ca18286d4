"""Seeds for a person to pick from: subtopics of a domain, then questions of different kinds on each (SearchInstruct's
human-and-model way of making seeds).
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path

from searchinstruct_graph.agents.build_context import BuildContext
from searchinstruct_graph.agents.expander import suggest_questions, suggest_subtopics
from searchinstruct_graph.agents.sources import open_corpus
from searchinstruct_graph.datasets.run import write_atomically
from searchinstruct_graph.datasets.seeds import Seed, seed_of
from searchinstruct_graph.errors import SearchInstructError, UsageError
from searchinstruct_graph.graphs.answering import grounded
from searchinstruct_graph.models.loops import together
from searchinstruct_graph.models.structured import Failure

SUBTOPICS = 30
"""Subtopics asked for: the paper's annotators had more than 30 categories a domain."""

PER_SUBTOPIC = 6


async def suggest_seeds(
    domain: str, context: BuildContext, *, subtopics: int = SUBTOPICS, per_subtopic: int = PER_SUBTOPIC
) -> list[Seed]:
    """Suggested seeds, in the order of subtopics, none twice.

    Raises:
        SearchInstructError: the model failed, or suggested nothing.
    """
    corpus = await open_corpus(context) if grounded(context) else None
    pages = await corpus.search(domain, 40) if corpus else []
    reply = await suggest_subtopics(domain, subtopics, pages, context, context.limits())
    if isinstance(reply, Failure):
        raise SearchInstructError(f"no subtopics were suggested: {reply.kind}: {reply.detail}")
    gate = asyncio.Semaphore(context.concurrency)

    async def about(subtopic: str) -> list[Seed]:
        async with gate:
            found = await corpus.search(f"{subtopic} {domain}", 6) if corpus else []
            said = await suggest_questions(domain, subtopic, per_subtopic, found, context, context.limits())
        if isinstance(said, Failure):
            return []
        return [
            seed_of(" ".join(question.text.split()), kind=question.kind, subtopic=subtopic)
            for question in said.value.questions
        ]

    parts = await together(map(about, reply.value.subtopics))
    found = {seed["id"]: seed for part in reversed(parts) for seed in reversed(part)}
    seeds = [seed for part in parts for seed in part if found[seed["id"]] is seed]
    if not seeds:
        raise SearchInstructError("the model suggested no question; try another model, or name a corpus (--corpus URI)")
    return seeds


def write_suggestions(seeds: list[Seed], path: Path) -> None:
    """Write the suggestions as CSV or JSONL, by the file's suffix; the columns are those that seed files may have.

    Raises:
        UsageError: the file exists, has another suffix, or cannot be written.
    """
    if path.exists():
        raise UsageError(f"{path} exists; name another file, so that nobody's choice is overwritten")
    rows = [{"question": seed["text"], "type": seed["kind"], "subtopic": seed["subtopic"]} for seed in seeds]
    if path.suffix == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, ["question", "type", "subtopic"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        content = text.getvalue()
    elif path.suffix in (".jsonl", ".ndjson"):
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    else:
        raise UsageError(
            f"suggestions are written as .csv or .jsonl, not {path.suffix or 'without a suffix'!r}: {path}"
        )
    try:
        write_atomically(path, content)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error
