import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.web import ScriptedWeb


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every address that any code of this process connects to. What is not loopback is recorded and fails."""
    seen: list[Any] = []
    connect = socket.socket.connect

    def spy(self: socket.socket, address: Any) -> None:
        seen.append(address[0] if isinstance(address, tuple) else address)
        if seen[-1] not in ("127.0.0.1", "::1"):
            raise ConnectionRefusedError("not in a test")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", spy)
    return seen


@pytest.fixture
def web() -> Iterator[ScriptedWeb]:
    """A web without pages; tests put theirs into `web.pages`."""
    with ScriptedWeb({}) as running:
        running.pages = {}
        yield running


@pytest.fixture
def pages_folder(tmp_path: Path) -> Path:
    """Where a test keeps its pages."""
    return tmp_path / "pages"
