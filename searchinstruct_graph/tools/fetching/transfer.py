"""One GET, limited in every direction while it streams: bytes, inflation, headers. Time is bounded by the caller."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import httpcore

from .urls import Url

MAX_HEADER_BYTES = 64_000
MAX_INFLATION = 100
"""Times its packed size that a body may unpack to, once it is over `_SMALL`."""

_SMALL = 1_000_000
_GZIP = 16 + zlib.MAX_WBITS


class TooLarge(Exception):
    """A limit was passed; the message names it."""


class BadCoding(Exception):
    """The body is packed in a way that was not asked for, or broken."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of one body: as they travel, and unpacked."""

    packed: int = 5_000_000
    unpacked: int = 10_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: headers by lower-case name (the first of each), and the unpacked body."""

    status: int
    headers: dict[str, str]
    body: bytes


async def get(
    pool: httpcore.AsyncConnectionPool,
    url: Url,
    headers: dict[str, str],
    limits: Limits,
    *,
    seconds: float,
    cut: bool = False,
) -> Answer:
    """GET `url`. With `cut`, a body over its limit is cut there instead of refused.

    Bodies of redirects and errors are not read. Raises TooLarge, BadCoding, and whatever httpcore raises.
    """
    target = httpcore.URL(scheme=url.scheme.encode(), host=url.host.encode(), port=url.port, target=url.target.encode())
    host = url.origin.partition("://")[2]
    sent = [(b"Host", host.encode()), *((name.encode(), value.encode()) for name, value in headers.items())]
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
    request = httpcore.Request("GET", target, headers=sent, extensions={"timeout": timeouts})
    try:
        response = await pool.handle_async_request(request)
        try:
            received = _headers(response)
            if response.status != 200:
                return Answer(response.status, received, b"")
            return Answer(200, received, await _body(response, received, limits, cut))
        finally:
            await response.aclose()
    except httpcore.RemoteProtocolError as error:
        # Headers, or lines between chunks, of which h11 has seen no end within its own limit; it says so by a status.
        if getattr(error.__cause__ or error.__context__, "error_status_hint", None) == 431:
            raise TooLarge("headers that do not end") from error
        raise


def _headers(response: httpcore.Response) -> dict[str, str]:
    if sum(len(name) + len(value) for name, value in response.headers) > MAX_HEADER_BYTES:
        raise TooLarge(f"headers of more than {MAX_HEADER_BYTES:,} bytes")
    received: dict[str, str] = {}
    for name, value in response.headers:
        received.setdefault(name.decode("latin-1").lower(), value.decode("utf-8", "replace").strip())
    return received


async def _body(response: httpcore.Response, headers: dict[str, str], limits: Limits, cut: bool) -> bytes:
    coding = headers.get("content-encoding", "").lower() or "identity"
    if coding not in ("identity", "gzip", "x-gzip"):
        raise BadCoding(f"content coding {coding[:40]!r}, which was not asked for")
    declared = headers.get("content-length", "")
    if not cut and declared.isdigit() and int(declared) > limits.packed:
        raise TooLarge(f"{int(declared):,} bytes, the limit is {limits.packed:,}")
    inflate = None if coding == "identity" else zlib.decompressobj(_GZIP)
    packed, body = 0, bytearray()
    async for chunk in response.aiter_stream():
        packed += len(chunk)
        room = min(limits.unpacked, max(_SMALL, packed * MAX_INFLATION)) - len(body)
        piece = chunk
        if inflate is not None:
            # One byte more than there is room for shows that the limit is passed, whatever the rest would unpack to.
            piece, inflate = _inflated(inflate, chunk, room + 1)
        if len(piece) > room or packed > limits.packed:
            if cut:
                return bytes(body + piece[: max(0, room)])
            what = f"packed more than {MAX_INFLATION} times" if len(body) + room < limits.unpacked else ""
            raise TooLarge(what or f"more than {min(limits.packed, limits.unpacked):,} bytes")
        body += piece
    if inflate is not None and not inflate.eof:
        raise BadCoding("gzip data that ends early")
    return bytes(body)


def _inflated(inflate: zlib._Decompress, data: bytes, most: int) -> tuple[bytes, zlib._Decompress]:
    """At most `most` bytes of what `data` unpacks to; a gzip body may have several members."""
    out = bytearray()
    try:
        while data and len(out) < most:
            out += inflate.decompress(data, most - len(out))
            if inflate.eof:
                data = inflate.unused_data
                # Padding after the last member is not another one.
                data = data if data.startswith(b"\x1f\x8b") else b""
                inflate = zlib.decompressobj(_GZIP) if data else inflate
            else:
                data = inflate.unconsumed_tail
    except zlib.error as error:
        raise BadCoding(f"broken gzip data ({error})") from error
    return bytes(out), inflate
