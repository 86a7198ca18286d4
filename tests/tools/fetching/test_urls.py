"""One strict reading of URLs: the host that we check is the host that any other parser would dial."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import urllib3.util
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from searchinstruct_graph.tools.fetching import BadUrl, SafeFetcher, Unfetched, parse_url
from searchinstruct_graph.tools.fetching.urls import LONGEST, join_url

REFUSED = [
    "",
    "http:",
    "http://",
    "http:///etc/passwd",
    "http:a.example",
    "//a.example/",
    "a.example",
    "/etc/passwd",
    "http://:80/",
    "http://?a.example",
    "http://#a.example",
    *(f"{scheme}://a.example/" for scheme in ("ftp", "file", "gopher", "ws", "javascript", "ldap", "dict", "httpx")),
    "file:///etc/passwd",
    "data:text/html,hello",
    "mailto:a@a.example",
    # What parsers read in two ways.
    "http://127.0.0.1:6666\\@1.1.1.1/",
    "http://a.example\\b.example/",
    "http:\\\\a.example/",
    "http://a.example/\\..\\x",
    "http://a@b.example/",
    "http://a:b@b.example/",
    "http://@b.example/",
    "http://a.example@b.example:80/",
    "http://1.1.1.1 &@2.2.2.2# @3.3.3.3/",
    "http://a%2eexample/",
    "http://a.example%2f.b.example/",
    "http://a%00.example/",
    "http://a..example/",
    "http://.a.example/",
    "http://-a.example/",
    "http://a,b.example/",
    "http://a.example;b.example/",
    "http://{a}.example/",
    "http://a．．example/",
    "http://a⁄b.example/",
    "http://a℀.example/",
    "http://a＠b.example/",
    "http://a：80/",
    "http://[::1/",
    "http://::1/",
    "http://[::1]x/",
    "http://[::1]@a.example/",
    "http://[]/",
    "http://[a.example]/",
    "http://[127.0.0.1]/",
    "http://[v1.a]/",
    "http://[fe80::1%eth0]/",
    "http://[fe80::1%25eth0]/",
    f"http://{'a' * 64}.example/",
    f"http://{'a.' * 130}example/",
    *(
        f"http://a.example:{port}/"
        for port in ("0", "65536", "99999", "123456", "-1", "+80", "8 0", "80a", "٨٠", "80:80")
    ),
    *(f"http://a.ex{mark}ample/" for mark in "\t\r\n\0\x0b\x1f \x7f\u00a0\u200b\u2028\u3000\ufeff\ud800\u202e"),
    *(f"http://a.example/x{mark}y" for mark in "\t\r\n\0 \u2029\ud800"),
    " http://a.example/",
    "http://a.example/\n",
    "http://a.example/ HTTP/1.1\r\nHost: b.example",
    "http://a.example/" + "x" * 10_000,
]


@pytest.mark.parametrize("text", REFUSED)
async def test_refused_before_anything_is_looked_up(text: str, dialled: list[Any]) -> None:
    async def resolver(host: str, port: int) -> list[str]:
        raise AssertionError(f"{host} was looked up")

    with pytest.raises(BadUrl):
        parse_url(text)
    result = await SafeFetcher(resolver=resolver, cache=False).fetch(text)
    assert isinstance(result, Unfetched)
    assert (result.url, result.problem) == (text, "url")
    assert "\n" not in result.detail
    assert dialled == []


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("HTTP://A.Example", "http://a.example/"),
        ("https://a.example.:443/", "https://a.example/"),
        ("http://a.example:00080/", "http://a.example/"),
        ("http://a.example:443/", "http://a.example:443/"),
        ("http://a.example:/x", "http://a.example/x"),
        ("http://a.example?q#f", "http://a.example/?q"),
        ("http://a.example#@b.example/", "http://a.example/"),
        ("http://a.example/?u=http://x@b.example/", "http://a.example/?u=http://x@b.example/"),
        ("http://a.example/a/../../b/./c/..", "http://a.example/b/"),
        ("http://a.example/%2e%2E/x", "http://a.example/x"),
        ("http://a.example/naïve path".replace(" ", "%20"), "http://a.example/na%C3%AFve%20path"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://BÜCHER.example/", "http://xn--bcher-kva.example/"),
        ("http://[2606:4700:4700:0:0:0:0:1111]:8080/", "http://[2606:4700:4700::1111]:8080/"),
        ("http://under_score.example/", "http://under_score.example/"),
    ],
)
def test_accepted(text: str, parsed: str) -> None:
    assert str(parse_url(text)) == parsed
    assert str(parse_url(parsed)) == parsed


def test_the_longest_url() -> None:
    start = "http://a.example/"
    assert parse_url(start + "x" * (LONGEST - len(start)))
    with pytest.raises(BadUrl):
        parse_url(start + "x" * (LONGEST - len(start) + 1))


@pytest.mark.parametrize(
    ("reference", "joined"),
    [
        ("x", "http://a.example/d/x"),
        ("../../../x", "http://a.example/x"),
        ("?q", "http://a.example/d/e?q"),
        ("//b.example/x", "http://b.example/x"),
        ("HTTPS://b.example", "https://b.example/"),
        ("é", "http://a.example/d/%C3%A9"),
    ],
)
def test_references(reference: str, joined: str) -> None:
    assert str(join_url(parse_url("http://a.example/d/e"), reference)) == joined


@pytest.mark.parametrize(
    "reference", ["file:///etc/passwd", "/\\b.example", "//a@b.example", "http://[::1", "/\r\nx", "a b", "//a℀b"]
)
def test_references_to_refuse(reference: str) -> None:
    with pytest.raises(BadUrl):
        join_url(parse_url("http://a.example/d/e"), reference)


Place = tuple[str, int | None]


def plain(host: str | None, port: int | None, scheme: str) -> Place:
    """Host and port in one spelling: no brackets, no trailing dot, IDNA, default ports filled in."""
    name = (host or "").strip("[]").lower()
    try:
        name = str(ipaddress.IPv6Address(name))
    except ValueError:
        if not name.isascii():
            name = httpx.URL(f"http://{name}/").raw_host.decode()
    return name.removesuffix("."), port or {"http": 80, "https": 443}.get(scheme.lower())


def other_readings(text: str) -> dict[str, Place]:
    """Where other parsers would go, those that accept `text`."""
    found: dict[str, Place] = {}
    try:
        url = httpx.URL(text)
        found["httpx"] = plain(url.raw_host.decode(), url.port, url.scheme)
    except httpx.InvalidURL:
        pass
    try:
        other = urllib3.util.parse_url(text)
        found["urllib3"] = plain(other.host, other.port, other.scheme or "")
    except (urllib3.exceptions.LocationParseError, httpx.InvalidURL):
        pass
    try:
        split = urlsplit(text)
        found["urllib"] = plain(split.hostname, split.port, split.scheme)
    except (ValueError, httpx.InvalidURL):
        pass
    return found


PIECES = (
    "http:// https:// HTTP:// http: // / \\ @ : # ? % %2e %2f %40 %5c . .. ; & = , + ~ ! $ ' ( ) * | ^ ` { } [ ] "
    "[::1] [::ffff:7f00:1] [fe80::1%25e] a b.example c.example. 127.0.0.1 0x7f.1 2130706433 :80 :443 :8080 :0 :99999 "
    "user:pass@ ü ß ı İ ﬀ ① ｡ 。 ． ／ ： ＠ ＃ xn--bcher-kva xn--a - _ \u00ad \u200d \u0085 \u180e \t \r \n \0 \u2028 \x1b"
).split(" ")
HOSTS = (
    "a b.example c.example. 127.0.0.1 0x7f.1 2130706433 [::1] [::ffff:7f00:1] ü ß ① ｡ xn--bcher-kva xn--a - _ . "
    "\u00ad A İ ﬀ"
).split(" ")
TAILS = [
    "",
    "/",
    ":80",
    ":443/",
    ":0x50",
    "/@b",
    "?@b",
    "#@b",
    "/\\",
    "/..;/",
    "//b.example",
    "/%2f",
    "?http://b",
    "/ü",
    "/\u0085",
    ":8080?[x]|",
]
texts = st.one_of(
    st.builds(
        lambda scheme, host, tail: f"{scheme}://{''.join(host)}{tail}",
        st.sampled_from(["http", "https", "HTTPS"]),
        st.lists(st.sampled_from(HOSTS), min_size=1, max_size=4),
        st.sampled_from(TAILS),
    ),
    st.builds(lambda parts: "http://" + "".join(parts), st.lists(st.sampled_from(PIECES), min_size=1, max_size=9)),
    st.builds(lambda parts: "".join(parts), st.lists(st.sampled_from(PIECES), max_size=9)),
    st.builds(lambda scheme, text: f"{scheme}://{text}", st.sampled_from(["http", "https"]), st.text(max_size=30)),
)


@settings(max_examples=1_500, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(texts)
@example("http://a#@b.example/")
@example("http://a?@b.example/")
@example("http://a/@b.example/")
@example("http://127.0.0.1:80\\@b.example/")
def test_other_parsers_would_go_to_the_same_place(text: str) -> None:
    try:
        ours = parse_url(text)
    except BadUrl:
        return
    place = plain(ours.host, ours.port, ours.scheme)
    assert str(parse_url(str(ours))) == str(ours)
    assert str(ours).isascii()
    assert not set(str(ours)) & set(" \t\r\n\0\\")
    for source in (str(ours), text):
        assert other_readings(source) == dict.fromkeys(other_readings(source), place)
    assert "urllib" in other_readings(str(ours))


def test_the_comparison_can_fail() -> None:
    assert len(set(other_readings("http://127.0.0.1:6666\\@1.1.1.1/").values())) > 1
