"""The one door to the network: an address is checked and pinned at the moment of connecting.

Checking a name before and letting a client resolve it again leaves a gap in which the answer may change (DNS
rebinding). Here the name is resolved once, every address in the answer is checked, and one of those is dialled.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import httpcore

from .addresses import is_public

RESOLVE_SECONDS = 5.0
"""Longest wait for a name to be resolved."""

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to the IP addresses that answer for it."""


class RefusedAddress(Exception):
    """The host has an address that is not public. The message names it."""


async def system_resolver(host: str, port: int) -> list[str]:
    """The addresses that the system gives for `host`, which may be an IP address in any spelling."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that hangs up when its handshake is cut short; httpcore's own stays open then."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 (httpcore's)
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 (httpcore's)
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's signature)
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """httpcore's network, with the check. TLS is httpcore's own, so name and certificate are the host's."""

    def __init__(self, resolver: Resolver, ports: frozenset[int], *, loopback: bool) -> None:
        self._resolver = resolver
        self._ports = ports
        self._loopback = loopback
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's signature)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to an address of `host` that passed the check. Raises RefusedAddress, else what httpcore raises."""
        if port not in self._ports:
            raise RefusedAddress(f"port {port} is not one of {', '.join(map(str, sorted(self._ports)))}")
        addresses = await self._resolved(host, port)
        failure: Exception | None = None
        for address in addresses:
            try:
                stream = await self._network.connect_tcp(address, port, timeout, None, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            reached = str((stream.get_extra_info("server_addr") or ("",))[0])
            if reached not in addresses:
                await stream.aclose()
                raise RefusedAddress(f"{host} was reached at {reached or 'an unknown address'}, which was not checked")
            return _Stream(stream)
        raise failure or httpcore.ConnectError(f"{host} has no address")

    async def _resolved(self, host: str, port: int) -> list[str]:
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                addresses = list(await self._resolver(host, port))
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} was not resolved within {RESOLVE_SECONDS:g} s") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved") from error
        if not addresses:
            raise httpcore.ConnectError(f"{host} has no address")
        # One private address among public ones is an attack or a mistake; either way the host is refused.
        for address in addresses:
            if not is_public(address, loopback=self._loopback):
                raise RefusedAddress(f"{host} has the address {address}, which is not public")
        return addresses

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's signature)
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never."""
        raise RefusedAddress("local sockets are not the web")

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore asks between attempts."""
        await asyncio.sleep(seconds)
