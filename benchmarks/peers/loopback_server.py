"""An OpenAI-compatible server that answers every chat call alike after a fixed wait, and a client without a client's work.

Raw asyncio protocols and the least HTTP/1.1 that keep-alive needs, so that neither is what a measurement measures.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple

PROMPT = "Tell one fact. It is for row {row}."
"""What every tool asks; the server knows a row's call by it, and so tells it from a tool's health checks."""

REPLY = {"response": "The ferry to Karvel leaves twice a day."}

_ROW = re.compile(rb"It is for row (\d+)\.")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_COMPLETION = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "scripted",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": json.dumps(REPLY)}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30},
}  # fmt: skip
_MODELS = {"object": "list", "data": [{"id": "scripted", "object": "model", "created": 1, "owned_by": "nobody"}]}


def _response(body: object) -> bytes:
    content = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(content) + content


_ANSWER, _LISTING = _response(_COMPLETION), _response(_MODELS)


@dataclass
class Seen:
    """What reached the server: connections, chat calls, different rows answered, most calls in flight; when the first row's
    call came and when the last row's answer left (`time.monotonic`), and the server's own CPU seconds.
    """

    connections: int = 0
    calls: int = 0
    rows: int = 0
    most_in_flight: int = 0
    first: float = 0.0
    last: float = 0.0
    cpu: float = 0.0


class _State:
    """What the connections share."""

    def __init__(self, latency: float, rows: int, pipe: Connection) -> None:
        self.latency, self.rows, self.pipe = latency, rows, pipe
        self.seen, self.in_flight, self.answered = Seen(), 0, set[bytes]()

    def came(self, row: bytes | None) -> None:
        seen = self.seen
        seen.calls += 1
        self.in_flight += 1
        seen.most_in_flight = max(seen.most_in_flight, self.in_flight)
        if row is not None and not seen.first:
            seen.first = time.monotonic()
            self.pipe.send("first")

    def left(self, row: bytes | None) -> None:
        self.in_flight -= 1
        if row is not None:
            self.answered.add(row)
            self.seen.last = time.monotonic()
            if len(self.answered) == self.rows and self.seen.rows < self.rows:
                self.pipe.send("last")
            self.seen.rows = len(self.answered)

    def told(self) -> None:
        """The starter asks how it went."""
        try:
            self.pipe.recv()
        except EOFError:
            asyncio.get_running_loop().stop()
            return
        self.seen.cpu = time.process_time()
        self.pipe.send(self.seen)


class _Server(asyncio.Protocol):
    """One connection: requests in, answers out, one at a time."""

    def __init__(self, state: _State) -> None:
        self._state, self._buffer = state, b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._state.seen.connections += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._buffer, 0, end)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < whole:
                return
            request, self._buffer = self._buffer[:whole], self._buffer[whole:]
            if request.startswith(b"POST"):
                mark = _ROW.search(request, end)
                row = mark[1] if mark else None
                self._state.came(row)
                self._loop.call_later(self._state.latency, self._answer, row)
            else:
                self._transport.write(_LISTING)

    def _answer(self, row: bytes | None) -> None:
        if not self._transport.is_closing():
            self._transport.write(_ANSWER)
        self._state.left(row)


def _serve(latency: float, rows: int, pipe: Connection) -> None:
    async def listen() -> None:
        loop = asyncio.get_running_loop()
        state = _State(latency, rows, pipe)
        server = await loop.create_server(lambda: _Server(state), "127.0.0.1", 0, backlog=4096)
        pipe.send(server.sockets[0].getsockname()[1])
        loop.add_reader(pipe.fileno(), state.told)
        await server.serve_forever()

    asyncio.run(listen())


class Running(NamedTuple):
    """A server in a process of its own; `pipe` says "first" and "last" as the rows' calls begin and end."""

    port: int
    pipe: Connection

    @property
    def url(self) -> str:
        """Base URL for OpenAI clients."""
        return f"http://127.0.0.1:{self.port}/v1"

    def seen(self) -> Seen:
        """What has reached it so far."""
        self.pipe.send("seen?")
        while True:
            said = self.pipe.recv()
            if isinstance(said, Seen):
                return said


@contextmanager
def serving(latency: float, rows: int) -> Iterator[Running]:
    """A server that answers after `latency` seconds and expects `rows` different rows."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(latency, rows, there), daemon=True)
    process.start()
    try:
        yield Running(here.recv(), here)
    finally:
        process.terminate()
        process.join()


class _Client(asyncio.Protocol):
    """Sends the next request as soon as the answer to the last is here."""

    def __init__(self, requests: Iterator[bytes], done: asyncio.Future[None]) -> None:
        self._requests, self._done, self._got = requests, done, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._got += data
        if len(self._got) >= len(_ANSWER):
            self._got = b""
            self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is not None:
            self._transport.write(request)
            return
        self._transport.close()
        if not self._done.done():
            self._done.set_result(None)


async def load(port: int, rows: int, in_flight: int) -> float:
    """Make one call a row over `in_flight` bare connections. Seconds from the first call to the last answer."""

    def request(row: int) -> bytes:
        body = json.dumps({"model": "scripted", "messages": [{"role": "user", "content": PROMPT.format(row=row)}]})
        return f"POST /v1/chat/completions HTTP/1.1\r\nHost: l\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    loop = asyncio.get_running_loop()
    requests = iter([request(row) for row in range(rows)])
    ends: list[asyncio.Future[None]] = []
    began = time.perf_counter()
    for _ in range(in_flight):
        ends.append(loop.create_future())
        await loop.create_connection(lambda: _Client(requests, ends[-1]), "127.0.0.1", port)
    await asyncio.gather(*ends)
    return time.perf_counter() - began
