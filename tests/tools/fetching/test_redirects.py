"""Every hop is checked like the first, and there are not many of them."""

import pytest

from searchinstruct_graph.tools.fetching import FetchedPage, Unfetched
from searchinstruct_graph.tools.fetching.fetcher import MAX_REDIRECTS
from tests.support.web import Page, Request, ScriptedWeb, redirect


@pytest.mark.parametrize(
    "location",
    ["http://10.0.0.1/", "http://169.254.169.254/latest/", "http://[fd00:ec2::254]/", "http://intern.example/"],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_to_a_private_address(web: ScriptedWeb, location: str, status: int) -> None:
    for host in ("10.0.0.1", "169.254.169.254", "fd00:ec2::254"):
        web.addresses[host] = [host]
    web.addresses["intern.example"] = ["192.168.1.1"]
    web.pages = {"a.example/": redirect(location, status)}
    result = await web.fetcher(ports=[80, *web.ports.values()]).fetch(web.url("a.example/"))
    assert isinstance(result, Unfetched)
    assert result.problem == "address"
    assert web.asked() == ["a.example/"]


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://a.example/x",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "data:text/html,hello",
        "javascript:alert(1)",
        "ws://a.example/",
        "http://user:pass@b.example/",
        "http://b.example\\@a.example/",
        "//",
        "http://[::1",
        "/" + "x" * 3_000,
        "",
        None,
    ],
)
async def test_to_what_is_no_page(web: ScriptedWeb, location: str | None) -> None:
    web.pages = {"a.example/": Page(status=302) if location is None else redirect(location)}
    result = await web.fetcher().fetch(web.url("a.example/"))
    assert isinstance(result, Unfetched)
    assert result.problem == "redirect"
    assert set(web.resolved) == {"a.example"}


@pytest.mark.parametrize(
    ("location", "leads"),
    [("/b", "/b"), ("b", "/d/b"), ("../b", "/b"), ("?b", "/d/a?b"), ("b#part", "/d/b"), ("é", "/d/%C3%A9")],
)
async def test_relative(web: ScriptedWeb, location: str, leads: str) -> None:
    web.pages = {"a.example/d/a": redirect(location.encode().decode("latin-1")), f"a.example{leads}": Page("text")}
    result = await web.fetcher().fetch(web.url("a.example/d/a"))
    assert isinstance(result, FetchedPage)
    assert result.url == web.url(f"a.example{leads}")
    assert result.chain == (web.url("a.example/d/a"), result.url)


async def test_across_hosts_and_up_to_https(web: ScriptedWeb) -> None:
    web.pages = {"a.example/": redirect(web.url("b.example/x", "https")), "b.example/x": "<p>text</p>"}
    result = await web.fetcher().fetch(web.url("a.example/"))
    assert isinstance(result, FetchedPage)
    assert (result.url, result.body) == (web.url("b.example/x", "https"), b"<p>text</p>")
    assert [(each.scheme, each.host) for each in web.requests if each.path != "/robots.txt"] == [
        ("http", "a.example"),
        ("https", "b.example"),
    ]


async def test_never_down_from_https(web: ScriptedWeb) -> None:
    web.pages = {"a.example/": redirect(web.url("a.example/x")), "a.example/x": "text"}
    result = await web.fetcher().fetch(web.url("a.example/", "https"))
    assert isinstance(result, Unfetched)
    assert result.problem == "redirect"
    assert "https to http" in result.detail
    assert web.asked() == ["a.example/"]


@pytest.mark.parametrize("circle", [["/a"], ["/b", "/a"], ["/b", "/c", "/b"], ["/b", "/a#x"]])
async def test_in_a_circle(web: ScriptedWeb, circle: list[str]) -> None:
    places = ["/a", *(place.partition("#")[0] for place in circle)]
    web.pages = {f"a.example{here}": redirect(there) for here, there in zip(places, circle, strict=False)}
    result = await web.fetcher().fetch(web.url("a.example/a"))
    assert isinstance(result, Unfetched)
    assert (result.problem, result.detail) == ("redirect", "redirected in a circle")
    assert len(web.asked()) <= 3


@pytest.mark.parametrize("hops", [MAX_REDIRECTS, MAX_REDIRECTS + 1, 20])
async def test_many_hops(web: ScriptedWeb, hops: int) -> None:
    def pages(request: Request) -> Page:
        if not request.path.startswith("/n"):
            return Page(status=404)
        number = int(request.path[2:])
        return Page("text") if number == hops else redirect(f"/n{number + 1}")

    web.pages = pages
    result = await web.fetcher().fetch(web.url("a.example/n0"))
    assert len(web.asked()) == MAX_REDIRECTS + 1
    if hops == MAX_REDIRECTS:
        assert isinstance(result, FetchedPage)
        assert len(result.chain) == MAX_REDIRECTS + 1
    else:
        assert isinstance(result, Unfetched)
        assert result.problem == "redirect"


async def test_the_redirect_of_a_page_is_not_read(web: ScriptedWeb) -> None:
    """A body of a redirect or an error is nobody's page, however large."""
    web.pages = {
        "a.example/": Page(b"x" * 6_000_000, status=302, headers={"location": "/b"}),
        "a.example/b": Page(b"x" * 6_000_000, status=503),
    }
    result = await web.fetcher().fetch(web.url("a.example/"))
    assert isinstance(result, Unfetched)
    assert (result.problem, result.detail) == ("status", "status 503")


@pytest.mark.parametrize("status", [204, 206, 300, 304, 400, 401, 403, 404, 410, 429, 451, 500, 503, 999])
async def test_statuses_without_a_page(web: ScriptedWeb, status: int) -> None:
    web.pages = {"a.example/": Page(status=status)}
    result = await web.fetcher().fetch(web.url("a.example/"))
    assert isinstance(result, Unfetched)
    assert (result.problem, result.detail) == ("status", f"status {status}")
