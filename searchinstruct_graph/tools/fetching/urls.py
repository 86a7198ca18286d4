"""One strict reading of a URL, so that the host that is checked is the host that is dialled.

Parsers differ in what they forgive; we forgive nothing that they differ in: backslashes, white space, control
characters, credentials and percent-encoded hosts are refused before anything is looked up.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urljoin

LONGEST = 2_048
"""Most characters of a URL."""

DEFAULT_PORTS = {"http": 80, "https": 443}
_SHAPE = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?:#.*)?"
)
_REFUSED = re.compile(r"[\x00-\x20\x7f\\\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ud800-\udfff]")
_HOST = re.compile(r"(?=.{1,253}\Z)(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
# Query parameters that follow the reader, not the page (the short list that every tracker uses).
_TRACKING = re.compile(
    r"(?:utm_\w+|gclid|dclid|fbclid|msclkid|yclid|mc_cid|mc_eid|igshid|_hs(?:enc|mi))", re.IGNORECASE
)
_SAFE = "!$&'()*+,;=:@/~%-._"


class BadUrl(ValueError):
    """Text that is not a URL we would open; the message says why."""


@dataclass(frozen=True, slots=True)
class Url:
    """A URL taken apart. `host` is lower-case ASCII (IPv6 without brackets); `target` is path and query, encoded."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        """Scheme, host and port, the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}")

    def __str__(self) -> str:
        return self.origin + self.target


def parse_url(text: str) -> Url:
    """Take `text` apart; a fragment is dropped. Raises BadUrl for anything that parsers could read in two ways."""
    if len(text) > LONGEST:
        raise BadUrl(f"longer than {LONGEST} characters")
    if _REFUSED.search(text):
        raise BadUrl("holds white space, a control character or a backslash")
    found = _SHAPE.fullmatch(text)
    if not found:
        raise BadUrl("not an absolute URL such as https://example.org/page")
    scheme = found["scheme"].lower()
    if scheme not in DEFAULT_PORTS:
        raise BadUrl(f"scheme {scheme[:20]!r} is not read; http and https are")
    host, port = _host_and_port(found["authority"])
    path = _without_dots(found["path"] or "/")
    query = found["query"] or ""
    target = quote(path, safe=_SAFE) + ("?" + quote(query[1:], safe=_SAFE + "?[]|") if query else "")
    return Url(scheme, host, DEFAULT_PORTS[scheme] if port is None else port, target)


def _host_and_port(authority: str) -> tuple[str, int | None]:
    if "@" in authority:
        raise BadUrl("holds a user name or password")
    host, port = authority, ""
    if authority.startswith("["):
        inside, bracket, rest = authority[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise BadUrl("has a broken IPv6 address")
        try:
            # A zone id would choose an interface of this machine.
            host = str(ipaddress.IPv6Address(inside)) if "%" not in inside else ""
        except ValueError:
            host = ""
        if not host:
            raise BadUrl("has a broken IPv6 address")
        return host, _port(rest[1:])
    if ":" in authority:
        host, _, port = authority.rpartition(":")
    return _host(host), _port(port)


def _port(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65_536):
        raise BadUrl("has a bad port")
    return int(text)


def _host(text: str) -> str:
    name = text
    if not name.isascii():
        import idna

        try:
            name = idna.encode(text, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise BadUrl("has a host that is no name") from error
    name = name.lower()
    name = name[:-1] if name.endswith(".") else name
    if not _HOST.fullmatch(name):
        raise BadUrl("has a host that is no name" if text else "has no host")
    return name


def _without_dots(path: str) -> str:
    """The path with `.` and `..` segments resolved (RFC 3986, section 5.2.4)."""
    kept: list[str] = []
    parts = path.split("/")
    for number, part in enumerate(parts):
        plain = part.replace("%2e", ".").replace("%2E", ".")
        if plain == "..":
            if len(kept) > 1:
                kept.pop()
        elif plain != ".":
            kept.append(part)
            continue
        if number == len(parts) - 1:
            kept.append("")
    return "/".join(kept) or "/"


def join_url(base: Url, reference: str) -> Url:
    """Where `reference`, a link or a Location header on the page at `base`, leads. Raises BadUrl."""
    if len(reference) > LONGEST or _REFUSED.search(reference):
        raise BadUrl("holds white space, a control character or a backslash, or is too long")
    try:
        return parse_url(urljoin(str(base), reference))
    except BadUrl:
        raise
    except ValueError as error:
        raise BadUrl("cannot be resolved") from error


def canonical_url(text: str) -> str:
    """What makes two URLs the same page: no fragment, default port, tracking parameters or trailing slash.

    A URI that is no web address (`pydoc:with`, a path) is its own canonical form.
    """
    try:
        url = parse_url(text)
    except BadUrl:
        return text
    path, mark, query = url.target.partition("?")
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if not _TRACKING.fullmatch(name)]
    host = url.host.removeprefix("www.")
    return f"{host}:{url.port if url.port not in (80, 443) else ''}{path.rstrip('/')}{mark and '?'}{urlencode(kept)}".rstrip(
        "?"
    )


def is_web(uri: str) -> bool:
    """Whether `uri` is meant as a web address."""
    return uri[:8].lower().startswith(("http://", "https://"))
