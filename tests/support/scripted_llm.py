"""A scripted OpenAI-compatible server on loopback: real HTTP, replies and faults as the test writes them.

    with ScriptedLLM({"QuestionPlan": {...}, "PageQuotes": lambda request: {...}, "AnswerDraft": [first, second]}) as llm:
        ...  # OPENAI_BASE_URL=llm.base_url OPENAI_API_KEY=anything --model openai:scripted

A script maps a reply schema's title to a reply, a list of replies (the last repeats), or a function of the request.
A reply is an object (sent as the message's JSON), or a fault made by one of the functions below. All requests are kept.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from searchinstruct_graph.models.tagged import Tag, tags


@dataclass(frozen=True)
class ChatRequest:
    """One request as the server got it."""

    body: dict[str, Any]

    @property
    def schema(self) -> str:
        """Title of the reply schema that was asked for; empty for a plain chat."""
        wanted = self.body.get("response_format", {}).get("json_schema", {}).get("name", "")
        if not wanted and self.body.get("tools"):
            wanted = self.body["tools"][0]["function"]["name"]
        return str(wanted)

    @property
    def text(self) -> str:
        """Everything the model was told, joined."""
        return "\n".join(_text(message.get("content")) for message in self.body["messages"])

    @property
    def user(self) -> str:
        """The first user message: the tagged inputs."""
        return next(_text(message["content"]) for message in self.body["messages"] if message["role"] == "user")

    @property
    def seed(self) -> int | None:
        """The sample's seed."""
        return self.body.get("seed")

    @property
    def temperature(self) -> float | None:
        """The sampling temperature."""
        return self.body.get("temperature")

    def tags(self, name: str) -> list[Tag]:
        """Every tagged input of that name."""
        return [tag for tag in tags(self.user) if tag.name == name]

    def tag(self, name: str) -> str:
        """The text of the first tagged input of that name; empty when there is none."""
        return next((tag.text for tag in self.tags(name)), "")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or [])


@dataclass(frozen=True)
class Fault:
    """How the server answers instead of with a plain object."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content: str | None = None
    finish: str = "stop"
    refusal: str | None = None
    body: bytes | None = None
    wait: float = 0.0
    cut: int | None = None
    then: Any = None
    tools: Sequence[tuple[str, Mapping[str, Any]]] = ()


def status(
    code: int, message: str = "scripted fault", *, headers: Mapping[str, str] | None = None, kind: str = ""
) -> Fault:
    """An HTTP error with OpenAI's error object."""
    error = {"error": {"message": message, "type": kind or "scripted", "code": kind or None}}
    return Fault(code, headers or {}, body=json.dumps(error).encode())


def raw(text: str) -> Fault:
    """The message's content, exactly."""
    return Fault(content=text)


def calls(name: str, **arguments: Any) -> Fault:
    """The model calls a tool."""
    return Fault(tools=[(name, arguments)], finish="tool_calls")


def fenced(reply: object) -> Fault:
    """The object in a ```json fence."""
    return raw(f"```json\n{json.dumps(reply)}\n```")


def truncated(reply: object) -> Fault:
    """The object cut off at the output limit."""
    text = json.dumps(reply)
    return Fault(content=text[: len(text) // 2], finish="length")


def whole_but_cut_off(reply: object) -> Fault:
    """Valid JSON whose finish reason says that it was cut off."""
    return Fault(content=json.dumps(reply), finish="length")


def refusal(text: str = "I cannot help with that.") -> Fault:
    """The model refuses."""
    return Fault(content="", refusal=text)


def content_filter() -> Fault:
    """The provider's filter stops the reply."""
    return Fault(content="", finish="content_filter")


def empty() -> Fault:
    """A message without content."""
    return raw("")


def no_choices() -> Fault:
    """A completion without choices."""
    return Fault(
        body=json.dumps({"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": []}).encode()
    )


def html() -> Fault:
    """A proxy's error page under status 200."""
    return Fault(headers={"content-type": "text/html"}, body=b"<html><body>Bad gateway</body></html>")


def hang(seconds: float = 30.0) -> Fault:
    """No answer for so long."""
    return Fault(wait=seconds, body=b"{}")


def slow(seconds: float, then: object) -> Fault:
    """The reply, late."""
    return Fault(wait=seconds, then=then)


def reset(after: int = 0) -> Fault:
    """The connection breaks after so many bytes of the answer."""
    return Fault(content='{"never": "whole"}', cut=after)


Reply = object
Script = Mapping[str, Any] | Callable[[ChatRequest], Reply]


class ScriptedLLM:
    """The server; use it as a context manager. Thread-safe."""

    def __init__(self, script: Script, *, usage: tuple[int, int] = (10, 5)) -> None:
        self.script = script
        self.requests: list[ChatRequest] = []
        self.most_in_flight = 0
        self.unscripted: list[str] = []
        self._usage = usage
        self._in_flight = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def calls(self, schema: str | None = None) -> list[ChatRequest]:
        """The requests so far, of one schema or all."""
        with self._lock:
            return [request for request in self.requests if schema is None or request.schema == schema]

    def counts(self) -> Counter[str]:
        """How many requests asked for each schema."""
        return Counter(request.schema for request in self.calls())

    def _reply(self, request: ChatRequest) -> Reply:
        with self._lock:
            self.requests.append(request)
            seen = sum(earlier.schema == request.schema for earlier in self.requests)
        if callable(self.script):
            return self.script(request)
        if request.schema not in self.script:
            self.unscripted.append(request.schema)
            return status(400, f"the script has no reply for {request.schema!r}")
        scripted = self.script[request.schema]
        if isinstance(scripted, Sequence) and not isinstance(scripted, str | bytes):
            scripted = scripted[min(seen, len(scripted)) - 1]
        return scripted(request) if callable(scripted) else scripted

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body go out apart; without this the second waits for the client's delayed acknowledgement.
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with server._lock:
                    server._in_flight += 1
                    server.most_in_flight = max(server.most_in_flight, server._in_flight)
                try:
                    server._send(self, server._reply(ChatRequest(json.loads(body))))
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True
                finally:
                    with server._lock:
                        server._in_flight -= 1

        return Handler

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        fault = reply if isinstance(reply, Fault) else Fault(content=json.dumps(reply, ensure_ascii=False))
        if fault.wait:
            self._stopping.wait(fault.wait)
        if fault.then is not None:
            self._send(handler, fault.then)
            return
        body = fault.body if fault.body is not None else self._completion(fault)
        handler.send_response(fault.status)
        handler.send_header("content-length", str(len(body)))
        for name, value in {"content-type": "application/json", **fault.headers}.items():
            handler.send_header(name, value)
        if fault.cut is not None:
            handler.end_headers()
            handler.wfile.write(body[: fault.cut])
            handler.wfile.flush()
            # Linger zero makes close send a reset, as a dying proxy does.
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
            handler.close_connection = True
            return
        handler.end_headers()
        handler.wfile.write(body)

    def _completion(self, fault: Fault) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": fault.content, "refusal": fault.refusal}
        if fault.tools:
            message["tool_calls"] = [
                {"id": f"call-{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
                for n, (name, arguments) in enumerate(fault.tools)
            ]
        prompt, completion = self._usage
        return json.dumps(
            {
                "id": "chatcmpl-scripted",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": "scripted",
                "choices": [{"index": 0, "message": message, "finish_reason": fault.finish, "logprobs": None}],
                "usage": {
                    "prompt_tokens": prompt,
                    "completion_tokens": completion,
                    "total_tokens": prompt + completion,
                },
            },
            ensure_ascii=False,
        ).encode("utf-8", "replace")
