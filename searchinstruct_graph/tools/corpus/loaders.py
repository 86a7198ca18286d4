"""From a file to documents: text, HTML and PDF give one each, JSONL one a record, `pydoc:` one a topic."""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any, NamedTuple

from searchinstruct_graph.text.dates import iso_date
from searchinstruct_graph.tools.reading import Reading, Unreadable, decode_text, read_html, read_pdf

from .language import language_code
from .limits import max_file_bytes, max_records_bytes, over_limit
from .outline import headings
from .sources import Entry, _why, is_page

# A file of a million bad lines is one mistake, not a million messages.
_MAX_REASONS = 100
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_DATES = (
    "published",
    "published_at",
    "date_published",
    "publication_date",
    "pubdate",
    "pub_date",
    "date",
    "issued",
    "year",
)
_TONGUES = ("language", "lang")
_ADDRESSES = ("url", "source_url", "canonical_url")
_FIELD = re.compile(
    rf"^(title|license|licence|{'|'.join((*_DATES, *_TONGUES, *_ADDRESSES))}):[ \t]*(.+?)[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_LONGEST_TITLE = 300
_LONGEST_ADDRESS = 2_000


class Loaded(NamedTuple):
    """A document before it gets a URI."""

    key: str
    """`Entry.key`, for a record followed by `#` and its id."""
    title: str
    text: str
    license: str | None
    published: str = ""
    language: str = ""
    url: str = ""


class Skipped(NamedTuple):
    """Something that gave no document."""

    key: str
    reason: str


def load(entry: Entry) -> Iterator[Loaded | Skipped]:
    """The documents of one file, in order. Never raises for what the file holds."""
    try:
        if entry.kind == "pydoc":
            yield from _topics()
        elif entry.page:
            page = entry.page
            yield Loaded(
                entry.key, _title(page.title), page.text, page.license, page.published, page.language, page.url
            )
        elif entry.kind == "records":
            yield from _records(entry)
        else:
            yield _file(entry)
    except OSError as error:
        yield Skipped(entry.key, _why(error))


def clean(text: str) -> str:
    r"""Line ends as `\n`, lone surrogates as U+FFFD: what SQLite, hashes and JSON writers accept."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _open(path: str) -> IO[bytes]:
    # O_NONBLOCK: should the path have become a FIFO since it was listed, opening it must not hang.
    return os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb", 1 << 20)


def _topics() -> Iterator[Loaded]:
    from pydoc_data.topics import topics

    for topic in sorted(topics):
        text = clean(topics[topic]).strip("\n")
        if text:
            outline = headings(text)
            first = outline[0].text if outline and not text[: outline[0].start].strip() else ""
            yield Loaded(topic, _title(first) or topic, text, "PSF-2.0")


def _file(entry: Entry) -> Loaded | Skipped:
    limit = max_file_bytes()
    with _open(entry.path) as handle:
        length = os.fstat(handle.fileno()).st_size
        if length > limit:
            return Skipped(entry.key, over_limit(length))
        data = handle.read(limit + 1)
    if len(data) > limit:
        return Skipped(entry.key, over_limit(len(data)))
    found = _read(entry, data)
    if isinstance(found, Unreadable):
        return Skipped(entry.key, found.detail)
    text, fields = _without_front_matter(clean(found.text))
    if not text.strip():
        return Skipped(entry.key, "empty")
    stem = os.path.basename(entry.key or entry.path)
    stem = os.path.splitext(stem)[0] or stem
    title = fields.get("title") or found.title or _first_heading(text) or clean(stem)
    return Loaded(
        entry.key,
        _title(title),
        text,
        fields.get("license") or fields.get("licence"),
        _published(fields) or found.published,
        _language(fields) or language_code(found.language or ""),
        _address(fields),
    )


def _read(entry: Entry, data: bytes) -> Reading | Unreadable:
    kind = entry.kind
    if kind == "unknown" or data.startswith(b"%PDF-"):
        start = data[:512].lstrip().lower()
        kind = (
            "pdf"
            if start.startswith(b"%pdf-")
            else "html"
            if start.startswith((b"<!doctype html", b"<html"))
            else "text"
        )
    if kind == "pdf":
        return read_pdf(data)
    if kind == "html":
        return read_html(data)
    text = decode_text(data)
    return text if isinstance(text, Unreadable) else Reading(text)


def _without_front_matter(text: str) -> tuple[str, dict[str, str]]:
    """The text after a YAML header, and what the header says of title, licence, date, language and address."""
    found = _FRONT_MATTER.match(text)
    if not found:
        return text, {}
    fields = {name.lower(): value.strip("\"'") for name, value in _FIELD.findall(found.group(1))}
    return text[found.end() :], fields


def _first_heading(text: str) -> str:
    # Headings far down belong to a part of the text, not to the whole.
    outline = headings(text[:4000])
    return outline[0].text if outline else ""


def _title(title: str) -> str:
    plain = " ".join("".join(ch if ch >= " " and ch != "\x7f" else " " for ch in clean(title)).split())
    return plain if len(plain) <= _LONGEST_TITLE else plain[: _LONGEST_TITLE - 1] + "…"


def _records(entry: Entry) -> Iterator[Loaded | Skipped]:
    seen: set[str] = set()
    refused = 0
    for number, line in _lines(entry):
        if isinstance(line, Skipped):
            yield line
            return
        if not line.strip():
            continue
        record = _record(entry, number, line)
        if isinstance(record, Loaded) and record.key in seen:
            record = Skipped(record.key, f"line {number}: this id stands in the file already")
        if isinstance(record, Skipped):
            refused += 1
            if refused <= _MAX_REASONS:
                yield record
            continue
        seen.add(record.key)
        yield record
    if refused > _MAX_REASONS:
        yield Skipped(entry.key, f"and {refused - _MAX_REASONS} more records like these")
    elif not seen and not refused:
        yield Skipped(entry.key, "empty")


def _lines(entry: Entry) -> Iterator[tuple[int, bytes | Skipped]]:
    """Numbered lines of a JSONL file, unpacked, each and all of bounded length."""
    longest, budget = max_file_bytes(), max_records_bytes()
    with _open(entry.path) as raw:
        packed = raw.peek(2)[:2] == b"\x1f\x8b" if hasattr(raw, "peek") else False
        lines: IO[bytes] = gzip.open(raw) if packed else raw  # type: ignore[assignment]  # noqa: SIM115
        number = 0
        while True:
            number += 1
            try:
                line = lines.readline(longest + 1)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                yield (
                    number,
                    Skipped(entry.key, f"broken gzip data after line {number - 1} ({error})"),
                )
                return
            if not line:
                return
            budget -= len(line)
            if len(line) > longest:
                yield (
                    number,
                    Skipped(
                        entry.key,
                        f"line {number} and the rest: {over_limit(len(line))}",
                    ),
                )
                return
            if budget < 0:
                yield (
                    number,
                    Skipped(
                        entry.key,
                        f"line {number} and the rest: {over_limit(max_records_bytes())}",
                    ),
                )
                return
            yield number, line


def _record(entry: Entry, number: int, line: bytes) -> Loaded | Skipped:
    place = f"{entry.key}#{number}"
    try:
        record: Any = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return Skipped(place, "invalid UTF-8")
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else "not JSON"
        return Skipped(place, why)
    if not isinstance(record, dict):
        return Skipped(place, "not a JSON object with a text")
    text = record.get("text")
    if not isinstance(text, str) or not text.strip():
        return Skipped(place, "no text in it")
    identity = record.get("id")
    known = isinstance(identity, str | int) and not isinstance(identity, bool) and str(identity).strip()
    title = record.get("title")
    license_ = record.get("license")
    text = clean(text)
    return Loaded(
        f"{entry.key}#{clean(str(identity)) if known else number}",
        _title(title) if isinstance(title, str) and title.strip() else _title(_first_heading(text)),
        text,
        clean(license_) if isinstance(license_, str) else None,
        _published(record),
        _language(record),
        _address(record),
    )


def _published(fields: Mapping[str, Any]) -> str:
    """The first date among the fields that can be read."""
    told = [fields.get(name) for name in _DATES]
    given = [str(value) for value in told if isinstance(value, str | int) and not isinstance(value, bool)]
    return next(filter(None, map(iso_date, given)), "")


def _language(fields: Mapping[str, Any]) -> str:
    told = [fields.get(name) for name in _TONGUES]
    return next(filter(None, (language_code(value) for value in told if isinstance(value, str))), "")


def _address(fields: Mapping[str, Any]) -> str:
    told = [fields.get(name) for name in _ADDRESSES]
    given = [clean(value).strip() for value in told if isinstance(value, str)]
    return next((each for each in given if len(each) < _LONGEST_ADDRESS and is_page(each)), "")
