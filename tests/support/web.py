"""A scripted web on loopback: HTTP and HTTPS, many host names, pages and faults as the test writes them.

    with ScriptedWeb({"a.example/x": "<p>text</p>", "a.example/gone": Page(status=404)}) as web:
        fetcher = web.fetcher()
        await fetcher.read(web.url("a.example/x"))

Host names resolve by `web.resolver`, never by the system's. Certificates come from a test authority, one a host, chosen
by SNI. Everything that was asked is in `web.requests`; what was dialled is in `web.handshakes`.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import trustme

from searchinstruct_graph.tools.fetching import SafeFetcher


@dataclass(frozen=True)
class Page:
    """One answer. `raw` replaces everything; `act` is given the socket and does what it likes."""

    body: str | bytes = b""
    status: int = 200
    type: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    act: Callable[[socket.socket, threading.Event], None] | None = None

    def rendered(self) -> bytes:
        """The bytes on the wire."""
        if self.raw is not None:
            return self.raw
        body = self.body.encode() if isinstance(self.body, str) else self.body
        lines = {"content-type": self.type, "content-length": str(len(body)), "connection": "close", **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        return f"HTTP/1.1 {self.status} Scripted\r\n{head}\r\n".encode("latin-1") + body


class Request(NamedTuple):
    """What one client asked."""

    scheme: str
    host: str
    path: str
    headers: dict[str, str]


def redirect(location: str, status: int = 302) -> Page:
    """Somewhere else."""
    return Page(status=status, headers={"location": location})


def gzipped(body: bytes, type_: str = "text/html") -> Page:
    """A packed page."""
    return Page(gzip.compress(body), type=type_, headers={"content-encoding": "gzip"})


class Silent:
    """A page that never answers, and what its server sees of the client."""

    def __init__(self, first: bytes = b"") -> None:
        self.first = first
        self.asked = threading.Event()
        self.closed = threading.Event()
        self.page = Page(act=self.act)

    def act(self, connection: socket.socket, stopping: threading.Event) -> None:
        """Send the start of an answer, then wait for the client to go."""
        connection.sendall(self.first)
        self.asked.set()
        try:
            while connection.recv(65_536):
                pass
        except ConnectionResetError:
            pass
        self.closed.set()


async def wait_for(event: threading.Event, seconds: float = 3.0) -> bool:
    """Whether `event` is set in time; the event loop goes on meanwhile."""
    return await asyncio.to_thread(event.wait, seconds)


Pages = Mapping[str, Any] | Callable[[Request], Any]


class ScriptedWeb:
    """The servers; use it as a context manager. `pages` maps `host/path` to a Page, text, or a function of the request."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.requests: list[Request] = []
        self.handshakes: list[str] = []
        self.resolved: list[str] = []
        self.addresses: dict[str, Sequence[str] | Callable[[], Sequence[str]]] = {}
        self.authority = trustme.CA()
        self._certificates: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self._servers = {scheme: self._server(scheme) for scheme in ("http", "https")}
        self.ports = {scheme: int(server.server_address[1]) for scheme, server in self._servers.items()}

    def __enter__(self) -> Self:
        for server in self._servers.values():
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    def url(self, place: str, scheme: str = "http") -> str:
        """The address of `host/path`."""
        host, slash, path = place.partition("/")
        return f"{scheme}://{host}:{self.ports[scheme]}{slash}{path}"

    def asked(self) -> list[str]:
        """`host/path` of every request so far, robots.txt left out."""
        with self._lock:
            return [f"{each.host}{each.path}" for each in self.requests if each.path != "/robots.txt"]

    async def resolver(self, host: str, port: int) -> Sequence[str]:
        """Every name leads here, unless the test gave it other addresses."""
        self.resolved.append(host)
        given = self.addresses.get(host, ["127.0.0.1"])
        return given() if callable(given) else given

    def trust(self) -> ssl.SSLContext:
        """A context that trusts the test authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        return context

    def fetcher(self, *, cache: Path | bool = False, own_sites: Iterable[str] = (), **options: Any) -> SafeFetcher:
        """A fetcher that may reach this web."""
        return SafeFetcher(
            resolver=options.pop("resolver", self.resolver),
            allow_loopback=options.pop("allow_loopback", True),
            ports=options.pop("ports", self.ports.values()),
            ssl_context=options.pop("ssl_context", None) or self.trust(),
            cache=cache,
            own_sites=own_sites,
            **options,
        )

    def _answer(self, request: Request) -> Page:
        if callable(self.pages):
            found = self.pages(request)
        else:
            found = self.pages.get(f"{request.host}{request.path}", Page("not here", status=404))
            found = found(request) if callable(found) else found
        return found if isinstance(found, Page) else Page(found)

    def _context(self, name: str) -> ssl.SSLContext:
        if name not in self._certificates:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.authority.issue_cert(name).configure_cert(context)
            self._certificates[name] = context
        return self._certificates[name]

    def _server(self, scheme: str) -> socketserver.ThreadingTCPServer:
        web = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                connection: socket.socket = self.request
                connection.settimeout(30)
                try:
                    if scheme == "https":
                        connection = web._wrapped(connection)
                    web._serve(scheme, connection)
                except (OSError, ssl.SSLError):
                    pass
                finally:
                    connection.close()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        return Server(("127.0.0.1", 0), Handler)

    def _wrapped(self, connection: socket.socket) -> socket.socket:
        def named(tls: ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
            with self._lock:
                self.handshakes.append(name or "")
            tls.context = self._context(self.certificate_for(name or "unnamed.example"))

        context = self._context("unnamed.example")
        context.sni_callback = named  # type: ignore[assignment]
        return context.wrap_socket(connection, server_side=True)

    def certificate_for(self, name: str) -> str:
        """The name on the certificate that a host shows; tests override it to show a wrong one."""
        return name

    def _serve(self, scheme: str, connection: socket.socket) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            piece = connection.recv(65_536)
            if not piece:
                return
            received += piece
        first, *lines = received.split(b"\r\n\r\n", 1)[0].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        request = Request(scheme, headers["host"].rpartition(":")[0] or headers["host"], first.split(" ")[1], headers)
        with self._lock:
            self.requests.append(request)
        page = self._answer(request)
        if page.act:
            page.act(connection, self.stopping)
        else:
            connection.sendall(page.rendered())
