"""What every training has in common; what needs torch is tested with the trainings."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.finetuning import (
    alone,
    as_embedded,
    input_digest,
    needed,
    placed,
    read_record,
    weights_digest,
    write_record,
    written_whole,
)


def test_a_missing_package_names_purpose_and_extra() -> None:
    with pytest.raises(UsageError, match=r"a test needs the package no_such_module: pip install .*\[train\]"):
        needed("no_such_module", "a test")


def test_texts_as_models_get_them() -> None:
    assert as_embedded("a\nb \ud800") == "a b ?"


class TestDigests:
    def test_everything_counts(self) -> None:
        first = input_digest(["base", {"rate": 1}], iter(["a", "b"]))
        assert first == input_digest(["base", {"rate": 1}], iter(["a", "b"]))
        others = [
            input_digest(["base", {"rate": 2}], iter(["a", "b"])),
            input_digest(["base", {"rate": 1}], iter(["ab", ""])),
            input_digest(["base", {"rate": 1}], iter(["b", "a"])),
            input_digest(["base", {"rate": 1}], iter(["a", "\ud800"])),
        ]
        assert len({first, *others}) == 5

    def test_of_weights_alone(self, tmp_path: Path) -> None:
        (tmp_path / "part").mkdir()
        (tmp_path / "part" / "model.safetensors").write_bytes(b"1")
        before = weights_digest(tmp_path)
        (tmp_path / "README.md").write_text("told")
        assert weights_digest(tmp_path) == before
        (tmp_path / "part" / "model.safetensors").write_bytes(b"2")
        assert weights_digest(tmp_path) != before


class TestFolders:
    def test_where_a_folder_goes(self, tmp_path: Path) -> None:
        assert placed(tmp_path / "a" / ".." / "b") == tmp_path / "b"
        with pytest.raises(UsageError, match="no folder that can be written"):
            placed("/")

    def test_whole_or_not_at_all(self, tmp_path: Path) -> None:
        out = tmp_path / "deep" / "out"
        with pytest.raises(ZeroDivisionError), written_whole(out) as draft:
            (draft / str(1 / 0)).write_text("x")
        assert list((tmp_path / "deep").iterdir()) == []
        (tmp_path / "deep" / ".out.part").mkdir()
        (tmp_path / "deep" / ".out.part" / "junk").write_text("of a kill")
        with written_whole(out) as draft:
            (draft / "whole").write_text("x")
            assert not out.exists()
        assert [path.name for path in out.iterdir()] == ["whole"]
        with pytest.raises(UsageError, match="cannot be written"), written_whole(out) as draft:
            (draft / "other").write_text("y")
        assert [path.name for path in out.iterdir()] == ["whole"]
        with pytest.raises(UsageError, match="cannot be written"), written_whole(out / "whole" / "in a file"):
            pass

    def test_one_process_at_a_time(self, tmp_path: Path) -> None:
        work, out = tmp_path / "work", tmp_path / "out"
        with alone(work, out):
            # A lock is the open file's, so a second one of the same process meets it as well.
            with pytest.raises(UsageError, match="is being trained by another process"), alone(work, out):
                pass
            assert work.is_dir()
        with alone(work, out):
            pass
        (tmp_path / "file").write_text("")
        with pytest.raises(UsageError, match="cannot be written"), alone(tmp_path / "file" / "work", tmp_path / "out"):
            pass

    def test_records(self, tmp_path: Path) -> None:
        path = tmp_path / "record.json"
        with pytest.raises(UsageError, match=r"holds no thing \(record.json\)"):
            read_record(path, ["name"], "thing")
        write_record(path, {"fingerprint": "f", "name": "کتاب \ud800"})
        assert os.fsencode(path.read_text().splitlines()[0]) == b"{"
        assert read_record(path, ["name"], "thing") == {
            "fingerprint": "f",
            "name": "کتاب ?",
            "folder": str(tmp_path),
        }
        for broken in ("[]", "{", json.dumps({"name": 1})):
            path.write_text(broken)
            with pytest.raises(UsageError, match="holds no thing"):
                read_record(path, ["name"], "thing")
