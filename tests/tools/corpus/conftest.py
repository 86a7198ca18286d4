from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Indexes of a test live and die with it."""
    place = tmp_path / "home"
    monkeypatch.setenv("SEARCHINSTRUCT_HOME", str(place))
    monkeypatch.delenv("SEARCHINSTRUCT_MAX_FILE_MB", raising=False)
    return place


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """An empty folder for documents."""
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder
