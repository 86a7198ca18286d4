"""An extraction as a function call: what `searchinstruct extract` does, and a `datasets.Dataset` back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchinstruct_graph.agents.extract_context import ExtractContext
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.extraction import ExtractHappened, extract
from searchinstruct_graph.integrations.loading import load_rows, require_datasets
from searchinstruct_graph.models.loops import finished

if TYPE_CHECKING:
    from datasets import Dataset


async def aextract_dataset(
    *,
    run: str | Path,
    examples: str | Path | Sequence[tuple[str, str]] = (),
    format: str = "messages",
    on_progress: Callable[[ExtractHappened], None] = lambda happened: None,
    **settings: Any,
) -> Dataset:
    """Extract pairs like the examples from a pile of documents into the folder `run`, or go on with the run that is there, and
    return its accepted rows.

    Args:
        run: Folder of the run; the same call again resumes it.
        examples: A file of question-answer pairs, or (question, answer) tuples; 10 at least, better 50 to 1,000.
        format: An export format with columns, such as `messages`, `alpaca`, `ragas` or `parquet`.
        on_progress: Hears of every step.
        settings: Fields of `ExtractContext`: `corpus`, `budget_documents`, `model`, `target`, `max_cost`, ...

    Returns:
        The rows as a `datasets.Dataset` (extra `datasets`).

    Raises:
        UsageError: an argument is wrong, nothing was accepted, or the extra is not installed.
        ProviderError: a provider refuses every further call; what was made is kept.
    """
    require_datasets()
    files, pairs = ((str(examples),), ()) if isinstance(examples, str | Path) else ((), tuple(examples))
    outcome = await extract(files, run, ExtractContext(**settings), pairs=pairs, tell=on_progress)
    if not outcome["accepted"]:
        raise UsageError(f"no row was accepted ({outcome['funnel']['reasons']}); see: searchinstruct status {run}")
    return await asyncio.to_thread(load_rows, Path(outcome["run"]), format)


def extract_dataset(
    *,
    run: str | Path,
    examples: str | Path | Sequence[tuple[str, str]] = (),
    format: str = "messages",
    on_progress: Callable[[ExtractHappened], None] = lambda happened: None,
    **settings: Any,
) -> Dataset:
    """`aextract_dataset` for code without an event loop, or inside of one (a notebook): see there."""
    return finished(aextract_dataset(run=run, examples=examples, format=format, on_progress=on_progress, **settings))
