"""Triplets for a training, out of files; runs are read by tests of the whole path."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph.datasets.run import open_run
from searchinstruct_graph.datasets.training_triplets import read_given_triplets
from searchinstruct_graph.errors import UsageError
from tests.support.manners import manners

ROWS: list[dict[str, Any]] = [each._asdict() for each in manners(["bridge"])]


def written(path: Path, rows: list[dict[str, Any]]) -> str:
    text = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return str(path)


def test_files_with_their_families_and_prints(tmp_path: Path) -> None:
    published = [{**row, "document": row["document_positive"], "document_positive": None} for row in ROWS[:3]]
    one = written(tmp_path / "one.jsonl.gz", [{**ROWS[0], "family": "a"}, {**ROWS[1], "family": 7}, ROWS[2]])
    with_document = [{k: v for k, v in row.items() if v is not None} for row in published]
    other = written(tmp_path / "other.jsonl", [*with_document, ROWS[3]])
    found = read_given_triplets([one, other])
    assert found.triplets == manners(["bridge"])[:4]
    assert found.repeated == 3
    assert found.families[:2] == ["a", "7"]
    assert len(set(found.families)) == 4
    assert found.sources == [
        {
            "name": name,
            "fingerprint": hashlib.sha256((tmp_path / name).read_bytes()).hexdigest(),
            "triplets": count,
            "tries": None,
        }
        for name, count in (("one.jsonl.gz", 3), ("other.jsonl", 4))
    ]


def test_what_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"bad\.jsonl:2: query_negative is no text"):
        read_given_triplets([written(tmp_path / "bad.jsonl", [ROWS[0], {**ROWS[1], "query_negative": 3}])])
    with pytest.raises(UsageError, match=r"empty\.jsonl holds no triplets"):
        read_given_triplets([written(tmp_path / "empty.jsonl", [])])
    with pytest.raises(UsageError, match="no folder of a run and no file"):
        read_given_triplets([str(tmp_path / "nowhere")])
    with pytest.raises(UsageError, match="is not a run"):
        read_given_triplets([str(tmp_path)])
    (tmp_path / "run").mkdir()
    open_run(tmp_path / "run", {"method": "seeds"}, {}, "0")
    with pytest.raises(UsageError, match=r"another kind \(seeds\) and holds no triplets"):
        read_given_triplets([str(tmp_path / "run")])
