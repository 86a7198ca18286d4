"""The HTTP client that talks to search services: their addresses come from the person who runs this, not from a page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx

MAX_BYTES = 5_000_000
"""Bytes of one reply; no list of hits is longer."""


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        async for piece in self._stream:
            received += len(piece)
            if received > MAX_BYTES:
                raise httpx.ReadError(f"the reply is longer than {MAX_BYTES:,} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class _BoundedTransport(httpx.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Bounded(response.stream)
        return response


def service_client(base_url: str, headers: dict[str, str] | None = None, **options: Any) -> httpx.AsyncClient:
    """A client whose replies are bounded in bytes. Nothing is packed, so that the bound is on what is read."""
    sent = {"Accept-Encoding": "identity", **(headers or {})}
    transport = _BoundedTransport(trust_env=False)
    return httpx.AsyncClient(base_url=base_url, headers=sent, timeout=30.0, transport=transport, **options)
