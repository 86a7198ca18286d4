"""Fake search services on loopback: Tavily's `/search` and `/extract`, SearxNG's `/search`, over the same pages.

    with SearchServices({"https://a.example/x": ("Title", "text")}) as services:
        monkeypatch.setenv("TAVILY_BASE_URL", services.url)

Pages are ranked by the words of the query that they hold. `faults` are answered first, one a request.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

from searchinstruct_graph.text.words import stems


class Asked(NamedTuple):
    """One request: which service, and what it was given."""

    service: str
    given: dict[str, Any]
    headers: dict[str, str]


class Fault(NamedTuple):
    """An answer that is none."""

    status: int
    body: str = "{}"
    headers: Mapping[str, str] = {}


class SearchServices:
    """Both services on one port; use it as a context manager."""

    def __init__(self, pages: Mapping[str, tuple[str, str]]) -> None:
        self.pages = {url: (title, text, set(stems(f"{title} {text}"))) for url, (title, text) in pages.items()}
        self.published: dict[str, str] = {}
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self._lock = threading.Lock()
        services = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                services._answer(self, self.path.strip("/"), json.loads(body))

            def do_GET(self) -> None:
                query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                services._answer(self, "searxng", query)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def queries(self) -> list[str]:
        """Every query that was sent, in order."""
        return [str(each.given.get("query", each.given.get("q"))) for each in self.asked if each.service != "extract"]

    def ranked(self, query: str, count: int) -> list[str]:
        """The URLs of the best pages."""
        wanted = set(stems(query))
        scores = {url: len(wanted & held) for url, (_, _, held) in self.pages.items()}
        return sorted((url for url in scores if scores[url]), key=lambda url: -scores[url])[:count]

    def _answer(self, handler: BaseHTTPRequestHandler, service: str, given: dict[str, Any]) -> None:
        with self._lock:
            self.asked.append(Asked(service, given, {name.lower(): value for name, value in handler.headers.items()}))
            fault = self.faults.pop(0) if self.faults else None
        if fault:
            self._send(handler, fault.status, fault.body.encode(), fault.headers)
            return
        answer: dict[str, Any]
        if service == "extract":
            urls = [given["urls"]] if isinstance(given["urls"], str) else given["urls"]
            held = [url for url in urls if url in self.pages]
            answer = {
                "results": [
                    {"url": url, "raw_content": f"# {self.pages[url][0]}\n\n{self.pages[url][1]}"} for url in held
                ],
                "failed_results": [{"url": url, "error": "gone"} for url in urls if url not in self.pages],
                "usage": {"credits": 1},
            }
        elif service == "search":
            found = self.ranked(given["query"], given.get("max_results", 5))
            answer = {
                "query": given["query"],
                "results": [
                    {
                        **{"url": url, "title": self.pages[url][0], "content": self.pages[url][1][:200], "score": 0.5},
                        **({"published_date": self.published[url]} if url in self.published else {}),
                    }
                    for url in found
                ],
                "usage": {"credits": 1},
            }
        else:
            found = self.ranked(given["q"], 20)
            answer = {
                "results": [
                    {"url": url, "title": self.pages[url][0], "content": "", "publishedDate": self.published.get(url)}
                    for url in found
                ]
            }
        self._send(handler, 200, json.dumps(answer).encode(), {})

    def _send(self, handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        handler.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)
