"""HTTPS through the guard, and surroundings that have no say in it."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from searchinstruct_graph.tools.fetching import FetchedPage, SafeFetcher, Unfetched
from tests.support.web import Page, ScriptedWeb, redirect


class WrongCertificates(ScriptedWeb):
    """Shows the certificate of a.example under every name."""

    def certificate_for(self, name: str) -> str:
        return "a.example"


async def test_the_name_is_the_hosts(web: ScriptedWeb) -> None:
    web.pages = {"a.example/x": "<p>text</p>", "xn--bcher-kva.example/": "<p>more</p>"}
    fetcher = web.fetcher(own_sites=["a.example", "xn--bcher-kva.example"])
    for place in ("a.example/x", "bücher.example/"):
        assert isinstance(await fetcher.fetch(web.url(place, "https")), FetchedPage)
    assert web.handshakes == ["a.example", "xn--bcher-kva.example"]
    assert [(each.scheme, each.headers["host"]) for each in web.requests] == [
        ("https", f"{host}:{web.ports['https']}") for host in web.handshakes
    ]


async def test_an_address_for_a_host(web: ScriptedWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "certificate_for", lambda name: "127.0.0.1")
    web.pages = {"127.0.0.1/": "<p>text</p>"}
    assert isinstance(await web.fetcher().fetch(web.url("127.0.0.1/", "https")), FetchedPage)
    monkeypatch.setattr(web, "certificate_for", lambda name: "127.0.0.2")
    result = await web.fetcher().fetch(web.url("127.0.0.1/", "https"))
    assert isinstance(result, Unfetched)
    assert result.problem == "tls"


async def test_certificates_that_do_not_fit() -> None:
    with WrongCertificates({"b.example/": "text"}) as web:
        result = await web.fetcher(own_sites=["b.example"]).fetch(web.url("b.example/", "https"))
        assert isinstance(result, Unfetched)
        assert result.problem == "tls"
        assert "a.example" in result.detail or "mismatch" in result.detail.lower()
        assert web.handshakes == ["b.example"]
        assert web.requests == []


@pytest.mark.parametrize("robots", [True, False])
async def test_an_unknown_authority(web: ScriptedWeb, robots: bool) -> None:
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trustme.CA().configure_trust(stranger)
    web.pages = {"a.example/": "text"}
    for context in (stranger, ssl.create_default_context()):
        fetcher = web.fetcher(ssl_context=context, own_sites=[] if robots else ["a.example"])
        result = await fetcher.fetch(web.url("a.example/", "https"))
        assert isinstance(result, Unfetched)
        assert result.problem == "tls"
    assert web.requests == []


async def test_plain_text_under_https() -> None:
    class Plain(ScriptedWeb):
        def _wrapped(self, connection: socket.socket) -> socket.socket:
            connection.sendall(Page("text").rendered())
            return connection

    with Plain({}) as web:
        result = await web.fetcher(own_sites=["a.example"]).fetch(web.url("a.example/", "https"))
    assert isinstance(result, Unfetched)
    assert result.problem == "tls"


async def test_two_hosts_on_one_address_are_two_handshakes(web: ScriptedWeb) -> None:
    names = ["a.example", "b.example"]
    web.pages = {f"{name}/": f"<p>{name}</p>" for name in names}
    fetcher = web.fetcher(own_sites=names)
    for name in names:
        assert isinstance(await fetcher.fetch(web.url(f"{name}/", "https")), FetchedPage)
    assert web.handshakes == names


async def test_a_redirect_to_another_host_on_the_address_is_another_handshake() -> None:
    names = ["a.example", "b.example"]
    with ScriptedWeb({}) as web:
        web.pages = {"a.example/": redirect(web.url("b.example/", "https")), "b.example/": "text"}
        assert isinstance(await web.fetcher(own_sites=names).fetch(web.url("a.example/", "https")), FetchedPage)
        assert web.handshakes == names
    with WrongCertificates({}) as web:
        web.pages = {"a.example/": redirect(web.url("b.example/", "https")), "b.example/": "text"}
        result = await web.fetcher(own_sites=names).fetch(web.url("a.example/", "https"))
        assert isinstance(result, Unfetched)
        assert result.problem == "tls"
        assert web.asked() == ["a.example/"]


async def test_surroundings_change_nothing(web: ScriptedWeb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = tmp_path / "authority.pem"
    web.authority.cert_pem.write_to_path(str(authority))
    (tmp_path / ".netrc").write_text("default login me password secret\nmachine a.example login me password secret\n")
    with ScriptedWeb({}) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.ports['http']}")
            monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{proxy.ports['http']}")
        monkeypatch.setenv("NO_PROXY", "b.example")
        monkeypatch.setenv("no_proxy", "b.example")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        monkeypatch.setenv("LANGCHAIN_ENV", "local_test")

        names = ["a.example", "b.example"]
        web.pages = {f"{name}/": f"<p>{name}</p>" for name in names}
        fetcher = web.fetcher()
        for name in names:
            for scheme in ("http", "https"):
                assert isinstance(await fetcher.fetch(web.url(f"{name}/", scheme)), FetchedPage)
        assert web.asked() == ["a.example/", "a.example/", "b.example/", "b.example/"]
        assert not any("authorization" in each.headers or "cookie" in each.headers for each in web.requests)

        # The usual authorities are Python's own list, not whom the environment names.
        usual = SafeFetcher(resolver=web.resolver, allow_loopback=True, ports=web.ports.values(), cache=False)
        result = await usual.fetch(web.url("a.example/", "https"))
        assert isinstance(result, Unfetched)
        assert result.problem == "tls"

        # langchain-core lets these through when LANGCHAIN_ENV says so.
        asked = len(web.requests)
        strict = web.fetcher(allow_loopback=False)
        for name in ("testserver", "test-server-1", "localhost", "local.example", "127.0.0.1"):
            result = await strict.fetch(web.url(f"{name}/"))
            assert isinstance(result, Unfetched)
            assert result.problem == "address"
        assert len(web.requests) == asked
        assert proxy.requests == []
        assert proxy.handshakes == []


def test_one_fetcher_on_two_event_loops(web: ScriptedWeb) -> None:
    web.pages = {"a.example/": "<p>text</p>"}
    fetcher = web.fetcher()
    for _ in range(2):
        assert isinstance(asyncio.run(fetcher.fetch(web.url("a.example/", "https"))), FetchedPage)
