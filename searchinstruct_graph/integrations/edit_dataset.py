"""An edit set as a function call: what `searchinstruct edit` does, and a `datasets.Dataset` back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchinstruct_graph.agents.edit_context import EditContext
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.editing import EditHappened, edit
from searchinstruct_graph.integrations.loading import load_rows, require_datasets
from searchinstruct_graph.models.loops import finished

if TYPE_CHECKING:
    from datasets import Dataset


async def aedit_set(
    facts: str | Path | Sequence[Mapping[str, Any]],
    run: str | Path,
    *,
    format: str = "preference",
    on_progress: Callable[[EditHappened], None] = lambda happened: None,
    **settings: Any,
) -> Dataset:
    """Make an edit set of changed facts in the folder `run`, or go on with the run that is there, and return its rows.

    The probes, which are in no row, are in the run's `exports/probes.jsonl`.

    Args:
        facts: A file of facts, or records with subject, relation, old, new and, where known, as_of, source, question,
            unchanged, stale.
        run: Folder of the run; the same call again resumes it.
        format: An export format with columns: `preference` (prompt, chosen, rejected), `messages`, `alpaca`, ...
        on_progress: Hears of every step.
        settings: Fields of `EditContext`: `corpus`, `web`, `model`, `wordings`, `max_change`, `stale_model`, `max_cost`, ...

    Returns:
        The rows as a `datasets.Dataset` (extra `datasets`).

    Raises:
        UsageError: an argument is wrong, nothing was accepted, or the extra is not installed.
        ProviderError: a provider refuses every further call; what was made is kept.
    """
    require_datasets()
    files, records = ((str(facts),), ()) if isinstance(facts, str | Path) else ((), tuple(facts))
    outcome = await edit(files, run, EditContext(**settings), records=records, tell=on_progress)
    if not outcome["accepted"]:
        raise UsageError(f"no row was accepted ({outcome['edits']['reasons']}); see: searchinstruct status {run}")
    if format == "preference" and not outcome["edits"]["pairs"]:
        raise UsageError("no row has a rejected answer, so there are no pairs; take the format messages")
    return await asyncio.to_thread(load_rows, Path(outcome["run"]), format)


def edit_set(
    facts: str | Path | Sequence[Mapping[str, Any]],
    run: str | Path,
    *,
    format: str = "preference",
    on_progress: Callable[[EditHappened], None] = lambda happened: None,
    **settings: Any,
) -> Dataset:
    """`aedit_set` for code without an event loop, or inside of one (a notebook): see there."""
    return finished(aedit_set(facts, run, format=format, on_progress=on_progress, **settings))
