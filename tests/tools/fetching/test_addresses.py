"""Only public addresses are dialled, however they are written and whenever the answer of the resolver changes."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpcore
import pytest

from searchinstruct_graph.tools.fetching import SafeFetcher, Unfetched
from searchinstruct_graph.tools.fetching.addresses import is_public
from searchinstruct_graph.tools.fetching.network import GuardedBackend, RefusedAddress, system_resolver
from tests.support.web import ScriptedWeb

LOOPBACK = ["127.0.0.1", "127.255.255.254", "::1"]
V4 = (
    "0.0.0.0 0.1.2.3 255.255.255.255 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 169.254.169.254 "
    "100.64.0.1 100.100.100.200 100.127.255.255 168.63.129.16 192.88.99.1 192.0.0.8 192.0.2.1 198.18.0.1 198.51.100.1 "
    "203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1"
).split()
V6 = (
    ":: ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::808:808 "
    "64:ff9b:1::7f00:1 100::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001::1 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 "
    "2002:7f00:1:: 2002:808:808::1 3fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 ff0e::1"
).split()
PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert is_public(address)
    assert is_public(address, loopback=True)


@pytest.mark.parametrize("address", [*V4, *V6])
def test_addresses_that_are_never_public(address: str) -> None:
    assert not is_public(address)
    assert not is_public(address, loopback=True)


def test_loopback_needs_its_switch() -> None:
    for address in LOOPBACK:
        assert not is_public(address)
        assert is_public(address, loopback=True)


ZONES = ["fe80::1%eth0", "fe80::1%1", "::1%lo", "2606:4700:4700::1111%eth0", "8.8.8.8%1"]


@pytest.mark.parametrize(
    "text", [*ZONES, "", "localhost", "127.1", "010.8.8.8", "8.8.8.8 ", "[::1]", "8.8.8.8:80", "8.8.8.8/32"]
)
def test_what_is_no_plain_address_is_not_public(text: str) -> None:
    assert not is_public(text)
    assert not is_public(text, loopback=True)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("address", [*LOOPBACK, *V4, *V6])
async def test_a_literal_is_refused_before_anything_is_dialled(scheme: str, address: str, dialled: list[Any]) -> None:
    host = f"[{address}]" if ":" in address else address
    result = await SafeFetcher(cache=False).fetch(f"{scheme}://{host}/")
    assert isinstance(result, Unfetched)
    assert result.problem == "address"
    assert dialled == []


@pytest.mark.parametrize("zone", ["fe80::1%eth0", "fe80::1%25eth0", "::1%25lo", "2606:4700:4700::1111%251"])
async def test_zone_ids_are_refused(zone: str, dialled: list[Any]) -> None:
    result = await SafeFetcher(cache=False).fetch(f"http://[{zone}]/")
    assert isinstance(result, Unfetched)
    assert result.problem == "url"
    assert dialled == []


# As inet_aton and IDNA read them, all of these are 127.0.0.1, 0.0.0.0 or the metadata service.
SPELLINGS = (
    "2130706433 0x7f000001 0X7F.1 0177.0.0.1 017700000001 127.1 127.0.1 0 ①②⑦.⓪.⓪.① １２７.０.０.１ 127。0。0。1 127.0.0.1. "
    "localhost LOCALHOST LocalHost. 2852039166 0xA9FEA9FE ①⑥⑨.②⑤④.①⑥⑨.②⑤④ [::FFFF:127.0.0.1] [0:0:0:0:0:0:0:1]"
).split()


@pytest.mark.parametrize("host", SPELLINGS)
async def test_other_spellings_of_private_addresses(host: str, dialled: list[Any]) -> None:
    result = await SafeFetcher(cache=False).fetch(f"http://{host}/latest/meta-data/")
    assert isinstance(result, Unfetched)
    assert result.problem == "address"
    assert dialled == []


async def test_the_spy_sees_what_is_dialled(web: ScriptedWeb, dialled: list[Any]) -> None:
    web.pages = {"a.example/": "text"}
    assert not isinstance(await web.fetcher(own_sites=["a.example"]).fetch(web.url("a.example/")), Unfetched)
    assert dialled == ["127.0.0.1"]


@pytest.mark.parametrize("loopback", [False, True])
@pytest.mark.parametrize(
    "answer",
    [
        ["93.184.216.34", "10.0.0.1"],
        ["10.0.0.1", "93.184.216.34"],
        ["2606:4700:4700::1111", "169.254.169.254"],
        ["93.184.216.34", "fd00:ec2::254"],
        ["93.184.216.34", "::ffff:10.0.0.1"],
        ["93.184.216.34", "fe80::1%eth0"],
        ["93.184.216.34", "not an address"],
    ],
)
async def test_one_private_address_among_public_ones(answer: list[str], loopback: bool, dialled: list[Any]) -> None:
    async def resolver(host: str, port: int) -> Sequence[str]:
        return answer

    result = await SafeFetcher(resolver=resolver, allow_loopback=loopback, cache=False).fetch("http://a.example/")
    assert isinstance(result, Unfetched)
    assert result.problem == "address"
    assert dialled == []


async def test_rebinding_the_checked_address_is_the_dialled_one(web: ScriptedWeb, dialled: list[Any]) -> None:
    """A name that is public when it is checked and loopback when it is asked again."""
    answers = iter([["93.184.216.34"], ["127.0.0.1"], ["127.0.0.1"]])
    web.addresses["a.example"] = lambda: next(answers)
    web.pages = {"a.example/": "secret"}
    fetcher = web.fetcher(allow_loopback=False, own_sites=["a.example"])
    first = await fetcher.fetch(web.url("a.example/"))
    assert isinstance(first, Unfetched)
    assert (first.problem, dialled, web.resolved) == ("network", ["93.184.216.34"], ["a.example"])
    second = await fetcher.fetch(web.url("a.example/"))
    assert isinstance(second, Unfetched)
    assert second.problem == "address"
    assert dialled == ["93.184.216.34"]
    assert web.requests == []


async def test_rebinding_between_robots_and_page(web: ScriptedWeb, dialled: list[Any]) -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    web.addresses["a.example"] = lambda: next(answers)
    web.pages = {"a.example/": "secret"}
    result = await web.fetcher().fetch(web.url("a.example/"))
    assert isinstance(result, Unfetched)
    assert result.problem == "address"
    assert dialled == ["127.0.0.1"]
    assert web.asked() == []


async def test_every_checked_address_is_tried_in_turn(dialled: list[Any]) -> None:
    async def resolver(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34", "2606:4700:4700::1111"]

    result = await SafeFetcher(resolver=resolver, own_sites=["a.example"], cache=False).fetch("http://a.example/")
    assert isinstance(result, Unfetched)
    assert result.problem == "network"
    assert dialled == ["93.184.216.34", "2606:4700:4700::1111"]


@pytest.mark.parametrize("reached", [("10.0.0.1", 80), ("8.8.4.4", 80), None])
async def test_an_address_that_was_not_checked_is_hung_up_on(reached: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream(httpcore.AsyncNetworkStream):
        closed = False

        def get_extra_info(self, info: str) -> Any:
            return reached if info == "server_addr" else None

        async def aclose(self) -> None:
            self.closed = True

    stream = Stream()

    async def connect(*_: Any, **__: Any) -> Stream:
        return stream

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
    backend = GuardedBackend(system_resolver, frozenset((80,)), loopback=False)
    with pytest.raises(RefusedAddress, match="not checked"):
        await backend.connect_tcp("8.8.8.8", 80)
    assert stream.closed


async def test_no_local_sockets() -> None:
    with pytest.raises(RefusedAddress):
        await GuardedBackend(system_resolver, frozenset((80,)), loopback=True).connect_unix_socket("/run/docker.sock")


@pytest.mark.parametrize("port", [22, 25, 6379, 8080, 65_535])
async def test_other_ports_are_refused(port: int, dialled: list[Any]) -> None:
    result = await SafeFetcher(cache=False, own_sites=["8.8.8.8"]).fetch(f"http://8.8.8.8:{port}/")
    assert isinstance(result, Unfetched)
    assert result.problem == "address"
    assert str(port) in result.detail
    assert dialled == []


@pytest.mark.parametrize("error", [OSError("no such host"), UnicodeError("label too long"), None])
async def test_names_that_lead_nowhere(error: Exception | None, dialled: list[Any]) -> None:
    async def resolver(host: str, port: int) -> Sequence[str]:
        if error:
            raise error
        return []

    result = await SafeFetcher(resolver=resolver, cache=False).fetch("http://a.example/")
    assert isinstance(result, Unfetched)
    assert result.problem == "network"
    assert dialled == []


async def test_a_resolver_that_hangs_is_cut_off() -> None:
    async def resolver(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    fetcher = SafeFetcher(resolver=resolver, own_sites=["a.example"], seconds=0.3, cache=False)
    async with asyncio.timeout(2):
        result = await fetcher.fetch("http://a.example/")
    assert isinstance(result, Unfetched)
    assert result.problem == "timeout"
