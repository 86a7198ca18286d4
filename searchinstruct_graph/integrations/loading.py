"""The rows of a run as a `datasets.Dataset`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from searchinstruct_graph.errors import UsageError

if TYPE_CHECKING:
    from datasets import Dataset


def require_datasets() -> None:
    """Raise UsageError, which names the extra, when the package `datasets` is missing."""
    try:
        import datasets  # noqa: F401
    except ImportError as error:
        raise UsageError("a Dataset needs packages: pip install 'searchinstruct-graph[datasets]'") from error


def load_rows(folder: Path, format: str) -> Dataset:
    """The accepted rows of the run in `folder`, in an export format with columns, kept in its `exports/`."""
    from datasets import Dataset

    from searchinstruct_graph.datasets.export import export
    from searchinstruct_graph.datasets.exporting import Rows
    from searchinstruct_graph.datasets.run import EXPORTS

    path = folder / EXPORTS / f"{format}.parquet"
    export(Rows(folder), format, str(path))
    return Dataset.from_parquet(str(path), cache_dir=str(folder / EXPORTS / "cache"))


def load_triplets(folder: Path) -> Dataset:
    """The triplets of the run in `folder`, under their published names, kept in its `exports/`."""
    from datasets import Dataset

    from searchinstruct_graph.datasets.exporting import Wanted, export_run
    from searchinstruct_graph.datasets.formats import TRIPLETS
    from searchinstruct_graph.datasets.run import EXPORTS

    path = folder / EXPORTS / f"{TRIPLETS}.parquet"
    export_run(folder, Wanted(format=TRIPLETS), path)
    return Dataset.from_parquet(str(path), cache_dir=str(folder / EXPORTS / "cache"))
