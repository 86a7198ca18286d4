"""What fetched bytes are, by their header and by their look, and the text in them."""

from __future__ import annotations

import json
import re
from typing import Literal

from searchinstruct_graph.tools.reading import Reading, Unreadable, decode_text, read_html, read_pdf
from searchinstruct_graph.tools.reading.decoding import looks_binary

from .result import FetchedPage

Kind = Literal["html", "pdf", "json", "text"]

_BY_HEADER: dict[str, Kind] = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/pdf": "pdf",
    "application/x-pdf": "pdf",
    "application/json": "json",
    "application/ld+json": "json",
    "text/json": "json",
    "text/plain": "text",
    "text/markdown": "text",
    "text/x-markdown": "text",
    "text/x-rst": "text",
}
# Headers that say nothing; the bytes decide.
_SILENT = frozenset(
    ("", "application/octet-stream", "binary/octet-stream", "application/x-download", "unknown/unknown")
)
_HTML_START = (b"<!doctype html", b"<html", b"<head", b"<body")
_PDF_PAGES = 200
_PDF_SECONDS = 20.0


def kind_of(content_type: str, body: bytes) -> Kind | None:
    """What the page is, where header and bytes agree; None for what is no text or only pretends to be one."""
    start = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    by_header = _BY_HEADER.get(content_type)
    if by_header is None and content_type not in _SILENT:
        return None
    if body[:1024].lstrip().startswith(b"%PDF-"):
        # Servers often send PDF under a header for plain text or for nothing at all; never as a page of HTML.
        return "pdf" if by_header in (None, "pdf", "text") else None
    if by_header == "pdf" or (looks_binary(body) and not _wide(body)):
        return None
    if by_header is None or by_header == "text":
        return "html" if start.startswith(_HTML_START) and by_header is None else "text"
    return by_header


def _wide(body: bytes) -> bool:
    return not isinstance(decode_text(body[:4096]), Unreadable)


def read_content(page: FetchedPage) -> Reading | Unreadable:
    """The text of a page. Blocking, up to some seconds for a large PDF: call it from a thread."""
    kind = kind_of(page.content_type, page.body)
    if kind is None:
        return Unreadable("binary", f"{page.content_type or 'untyped'} data that is no text")
    if kind == "pdf":
        return read_pdf(page.body, max_pages=_PDF_PAGES, timeout_seconds=_PDF_SECONDS)
    if kind == "html":
        return read_html(page.body, charset=page.charset, url=page.url)
    text = decode_text(page.body, declared=page.charset)
    if isinstance(text, Unreadable):
        return text
    return Reading(_indented(text) if kind == "json" else text)


def _indented(text: str) -> str:
    """JSON as a person would lay it out: one value a line, so that a quote can be one line."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=1)
    except (ValueError, RecursionError):
        return text


_LICENSE = re.compile(
    # Bounded, and never over another tag: a page of `<a <a <a` must not cost its square.
    rb"<(?:a|link)\b[^<>]{0,500}?\brel\s{0,5}=\s{0,5}[\"']?license\b[^<>]{0,500}>",
    re.IGNORECASE,
)
_HREF = re.compile(rb"\bhref\s*=\s*[\"']?(https?://[^\"'\s>]{1,300})", re.IGNORECASE)


def license_of(page: FetchedPage) -> str | None:
    """The licence that an HTML page names for itself (`rel=license`), as its URL; None when it names none."""
    for element in _LICENSE.finditer(page.body):
        if found := _HREF.search(element.group()):
            return found[1].decode("ascii", "replace")
    return None
