"""A dataset as a function call: what `searchinstruct build` does, and a `datasets.Dataset` back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchinstruct_graph.agents.build_context import BuildContext
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.build import Happened, Sources, build
from searchinstruct_graph.integrations.loading import load_rows, require_datasets
from searchinstruct_graph.models.loops import finished

if TYPE_CHECKING:
    from datasets import Dataset

_log = logging.getLogger("searchinstruct_graph")


async def abuild_dataset(
    *,
    run: str | Path,
    seeds: str | Path | Sequence[str] = (),
    task: str = "",
    focus: str | Path = "",
    format: str = "messages",
    on_progress: Callable[[Happened], None] = lambda happened: None,
    **settings: Any,
) -> Dataset:
    """Build a dataset in the folder `run`, or go on with the one that is there, and return its accepted rows.

    Args:
        run: Folder of the run; the same call again resumes it, with a larger `target` extends it.
        seeds: A file of seed questions, or the questions themselves.
        task: A sentence about the task, or the path of a YAML task file; instead of seeds.
        focus: A file of failed questions of an evaluation, shown as seeds and never answered.
        format: An export format with columns, such as `messages`, `alpaca`, `preference`, `ragas` or `parquet`.
        on_progress: Hears of every step.
        settings: Fields of `BuildContext`: `corpus`, `web`, `model`, `target`, `samples`, `max_cost`, ...

    Returns:
        The rows as a `datasets.Dataset` (extra `datasets`). When there are fewer than `target`, a warning is logged and
        `searchinstruct status RUN` says why.

    Raises:
        UsageError: an argument is wrong, nothing was accepted, or the extra is not installed.
        ProviderError: a provider refuses every further call; what was made is kept.
    """
    require_datasets()
    files, questions = ((str(seeds),), ()) if isinstance(seeds, str | Path) else ((), tuple(seeds))
    sources = Sources(files, task, (str(focus),) if focus else (), questions)
    outcome = await build(sources, run, BuildContext(**settings), tell=on_progress)
    if not outcome["accepted"]:
        raise UsageError(f"no row was accepted ({outcome['funnel']['reasons']}); see: searchinstruct status {run}")
    if outcome["accepted"] < outcome["target"]:
        _log.warning("%s of %s rows: the run ended as %s", outcome["accepted"], outcome["target"], outcome["ended"])
    return await asyncio.to_thread(load_rows, Path(outcome["run"]), format)


def build_dataset(
    *,
    run: str | Path,
    seeds: str | Path | Sequence[str] = (),
    task: str = "",
    focus: str | Path = "",
    format: str = "messages",
    on_progress: Callable[[Happened], None] = lambda happened: None,
    **settings: Any,
) -> Dataset:
    """`abuild_dataset` for code without an event loop, or inside of one (a notebook): see there."""
    work = abuild_dataset(
        run=run, seeds=seeds, task=task, focus=focus, format=format, on_progress=on_progress, **settings
    )
    return finished(work)
