"""The outcomes of fetching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FetchProblem = Literal[
    "url",  # not a URL we would open
    "not_given",  # no search result, page or person gave it
    "address",  # leads to an address or a port that is not the public web's
    "robots",  # the site asks not to be read
    "redirect",  # a loop, too many hops, or from https to http
    "status",  # the server says no
    "type",  # no text, by its header or by its bytes
    "too_large",  # over a limit of bytes, of inflation or of header size
    "timeout",
    "network",
    "tls",
    "unreadable",  # fetched, but no text could be made of it
    "outside",  # read, and known to be outside of what the instruction asks of sources
]


@dataclass(frozen=True, slots=True)
class Unfetched:
    """Why there is no page, as a value: a dead page is an outcome, not an exception."""

    url: str
    problem: FetchProblem
    detail: str
    """One line for people."""


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """Bytes as the server meant them (transfer coding and compression undone), and how they were come by."""

    url: str
    """Where the bytes came from, after redirects."""
    chain: tuple[str, ...]
    """Every URL asked on the way, the first and the last included."""
    content_type: str
    """Media type from the header, lower-case, without parameters; empty when none was sent."""
    charset: str | None
    body: bytes
    fetched_at: str
    """When it was fetched or last found unchanged, ISO 8601 in UTC."""
    etag: str = ""
    last_modified: str = ""
    fresh_until: float = 0.0
    """POSIX time until which the page may be used without asking again."""
    stored: bool = True
    """Whether the server allows the page to be kept."""
