"""An extraction that tunes its encoder: skipped without the extra `train`, and then said in words."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from searchinstruct_graph.agents.extract_context import ExtractContext
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.extraction import extract
from tests.support.coast import EXAMPLES, write_coast
from tests.support.tiny_encoder import needs_training, write_encoder


def context(folder: Path, encoder: str, **more: Any) -> ExtractContext:
    settings: dict[str, Any] = {"budget_documents": 40, "warmup": 0.3, "tune": True}
    return ExtractContext(corpus=[write_coast(folder, 12)], embeddings=encoder, **{**settings, **more})


def read(run: Path) -> tuple[list[Any], list[Any]]:
    """What was pulled, and what became of it."""
    db = sqlite3.connect(run / "ledger.sqlite")
    pulls = db.execute(
        "SELECT number, cluster, documents, vectors, distance, texts FROM pulls ORDER BY number"
    ).fetchall()
    return pulls, db.execute("SELECT id FROM rows ORDER BY ordinal").fetchall()


@needs_training
def test_the_encoder_is_tuned_on_the_warm_up_and_a_resumed_run_sees_through_it(tmp_path: Path) -> None:
    coast = tmp_path / "coast"
    texts = [json.loads(line)["text"] for line in Path(write_coast(coast, 12)).read_text().splitlines()]
    words = {word for text in [*texts, *(part for pair in EXAMPLES for part in pair)] for word in text.split()}
    encoder = "huggingface:" + write_encoder(tmp_path / "tiny", words, 128)
    told = asyncio.run(extract([], tmp_path / "whole", context(coast, encoder), pairs=EXAMPLES))
    assert (told["read"], told["ended"]) == (40, "budget")
    pulls, rows = read(tmp_path / "whole")
    before, tuned = (np.load(tmp_path / "whole" / name) for name in ("pile/vectors.npy", "tuned.npy"))
    assert before.shape == tuned.shape == (48, 32)
    assert not np.allclose(before, tuned)
    assert (tmp_path / "whole" / "encoder" / "tuning.json").is_file()
    assert all(texts == "[]" for *_, texts in pulls)  # the texts are not kept once the encoder has learnt them
    # Stopped in the warm-up, and again after the clusters.
    for documents in (5, 15, None):
        told = asyncio.run(
            extract([], tmp_path / "parts", context(coast, encoder), pairs=EXAMPLES, documents=documents)
        )
    assert told["ended"] == "budget"
    assert read(tmp_path / "parts") == (pulls, rows)


async def test_without_the_packages_or_an_encoder_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be tuned: only huggingface:MODEL"):
        await extract([], tmp_path / "run", context(tmp_path / "coast", "wordllama"), pairs=EXAMPLES)
    if find_spec("sentence_transformers") is None:
        with pytest.raises(UsageError, match=r"pip install 'searchinstruct-graph\[train\]'"):
            await extract([], tmp_path / "run", context(tmp_path / "coast", "huggingface:base"), pairs=EXAMPLES)
    assert not (tmp_path / "run" / "run.json").exists()
