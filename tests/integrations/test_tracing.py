"""Tracing: nothing leaves unless it was asked for; LangSmith's and OpenTelemetry's own variables turn it on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

INFO = {
    "version": "0.10",
    "batch_ingest_config": {
        "use_multipart_endpoint": True, "size_limit": 100, "size_limit_bytes": 20_000_000,
        "scale_up_nthreads_limit": 16, "scale_up_qsize_trigger": 1000, "scale_down_nempty_trigger": 4,
    },
}  # fmt: skip


class Collector:
    """Takes whatever a tracer sends."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                collector._take(self, json.dumps(INFO).encode())

            def do_POST(self) -> None:
                collector._take(self, b"{}")

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def _take(self, handler: BaseHTTPRequestHandler, answer: bytes) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        self.received.append((handler.path, body))
        handler.send_response(200)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.close()


def ask(home: Path, **environment: str) -> None:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("LANGSMITH", "LANGCHAIN", "OTEL"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "searchinstruct_graph", "ask", "What does the assert statement do?", "--samples", "1"],
        env={**kept, "SEARCHINSTRUCT_HOME": str(home), "TAVILY_API_KEY": "tvly-canary-0123456789", **environment},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr


def test_without_being_asked_nothing_is_sent(collector: Collector, tmp_path: Path) -> None:
    ask(
        tmp_path,
        LANGSMITH_ENDPOINT=collector.url,
        LANGSMITH_API_KEY="ls-test",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
    )
    assert collector.received == []


def test_langsmith_gets_every_step_and_no_key(collector: Collector, tmp_path: Path) -> None:
    ask(tmp_path, LANGSMITH_TRACING="true", LANGSMITH_ENDPOINT=collector.url, LANGSMITH_API_KEY="ls-test")
    sent = b"".join(body for path, body in collector.received if path.startswith("/runs"))
    for node in ("plan", "investigate", "assess", "write", "critique", "reanswer", "decide"):
        assert f'"{node}"'.encode() in sent
    assert b"tvly-canary" not in sent


def test_opentelemetry_gets_spans(collector: Collector, tmp_path: Path) -> None:
    ask(
        tmp_path,
        LANGSMITH_TRACING="true",
        LANGSMITH_OTEL_ENABLED="true",
        LANGSMITH_OTEL_ONLY="true",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
    )
    sent = b"".join(body for path, body in collector.received if path == "/v1/traces")
    assert b"critique" in sent
    assert b"gen_ai" in sent
    assert {path for path, _ in collector.received} == {"/v1/traces"}
