"""A set of triplets as a function call: what `searchinstruct triplets` does, and a `datasets.Dataset` back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchinstruct_graph.agents.triplet_context import TripletContext
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.contrasting import TripletHappened, contrast
from searchinstruct_graph.integrations.loading import load_triplets, require_datasets
from searchinstruct_graph.models.loops import finished

if TYPE_CHECKING:
    from datasets import Dataset


async def atriplet_set(
    pairs: str | Path | Sequence[Mapping[str, Any]] | None,
    run: str | Path,
    *,
    on_progress: Callable[[TripletHappened], None] = lambda happened: None,
    **settings: Any,
) -> Dataset:
    """Make triplets of query–passage pairs in the folder `run`, or go on with the run that is there, and return them.

    Args:
        pairs: A file of pairs, or records with query and passage and, where known, uri, title, family. None: the passages of
            `corpus`, for each of which a query is written.
        run: Folder of the run; the same call again resumes it.
        on_progress: Hears of every step.
        settings: Fields of `TripletContext`: `corpus`, `model`, `validator_model`, `target`, `least_score`, `max_cost`, ...

    Returns:
        The triplets as a `datasets.Dataset` (extra `datasets`): the seven published fields, `id`, `family`, `kind`, `origins`,
        `uris`, `scores`, `models`.

    Raises:
        UsageError: an argument is wrong, nothing was kept, or the extra is not installed.
        ProviderError: a provider refuses every further call; what was made is kept.
    """
    require_datasets()
    if pairs is not None and not isinstance(pairs, str | Path) and not pairs:
        raise UsageError("pairs is an empty list; give pairs, or None to take the passages of corpus")
    files, records = ((str(pairs),), ()) if isinstance(pairs, str | Path) else ((), tuple(pairs or ()))
    outcome = await contrast(files, run, TripletContext(**settings), records=records, tell=on_progress)
    if not outcome["accepted"]:
        raise UsageError(f"no triplet was kept ({outcome['triplets']['reasons']}); see: searchinstruct status {run}")
    return await asyncio.to_thread(load_triplets, Path(outcome["run"]))


def triplet_set(
    pairs: str | Path | Sequence[Mapping[str, Any]] | None,
    run: str | Path,
    *,
    on_progress: Callable[[TripletHappened], None] = lambda happened: None,
    **settings: Any,
) -> Dataset:
    """`atriplet_set` for code without an event loop, or inside of one (a notebook): see there."""
    return finished(atriplet_set(pairs, run, on_progress=on_progress, **settings))
