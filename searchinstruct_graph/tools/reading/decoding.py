"""Bytes to characters: byte order mark, declared charset, UTF-8, then detection; binary data is recognised."""

from __future__ import annotations

import codecs
import re

from .result import Unreadable

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What pages call themselves and what browsers read them as (WHATWG Encoding, the labels that differ from Python's).
_BROWSER_NAMES = {
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "x-cp1252": "cp1252",
    "x-mac-cyrillic": "mac-cyrillic",
    "utf8": "utf-8",
    "unicode": "utf-16-le",
}
_NEVER_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MAGIC = (
    b"%PDF-",
    b"PK\x03\x04",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"\x7fELF",
    b"\x1f\x8b",
    b"SQLite format 3",
)
_SAMPLE = 65_536
# Shares of a sample above which bytes are no text, or no UTF-8 with a few damaged characters.
_BINARY_SHARE = 0.01
_DAMAGED_SHARE = 0.01


def looks_binary(data: bytes) -> bool:
    """Whether `data` (its beginning will do) is something else than text in a byte-oriented encoding."""
    if data.startswith(_MAGIC):
        return True
    sample = data[:_SAMPLE]
    return len(_NEVER_TEXT.findall(sample)) > len(sample) * _BINARY_SHARE


def marked_encoding(data: bytes) -> tuple[str, int] | None:
    """The encoding that a byte order mark names, and the mark's length."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name, len(mark)
    return None


def _unmarked_wide(sample: bytes) -> str | None:
    """UTF-16 without a mark: text of few scripts has nearly all its zero bytes in every second place."""
    if len(sample) < 8 or b"\x00" not in sample:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) / 2
    if odd > half * 0.4 and even < half * 0.05:
        return "utf-16-le"
    if even > half * 0.4 and odd < half * 0.05:
        return "utf-16-be"
    return None


def known_encoding(label: str | None) -> str | None:
    """Python's codec for a charset label as browsers understand it; None when there is no such text encoding."""
    if not label:
        return None
    name = label.strip().strip("\"'").lower()
    name = _BROWSER_NAMES.get(name, name)
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    return info.name if info._is_text_encoding else None


def _detected(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    return best.encoding if best else None


def decode_text(data: bytes, *, declared: str | None = None) -> str | Unreadable:
    """The characters of `data`, line ends as they stand, without a byte order mark.

    In this order: the byte order mark; UTF-16 that shows itself by its zero bytes; binary data is refused; the
    `declared` charset where it decodes without error; UTF-8; UTF-8 with at most 1 % damaged characters, each replaced
    by U+FFFD; the charset that a statistical detector finds. Text that none of them fits is refused rather than
    garbled.
    """
    if marked := marked_encoding(data):
        name, skip = marked
        return data[skip:].decode(name, "replace")
    if wide := _unmarked_wide(data[:_SAMPLE]):
        return data.decode(wide, "replace")
    if looks_binary(data):
        return Unreadable("binary", "binary data, not text")
    for encoding in (known_encoding(declared), "utf-8"):
        if encoding:
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                continue
    damaged = data.decode("utf-8", "replace")
    high = sum(1 for byte in data[:_SAMPLE] if byte >= 0x80)
    bad = damaged[:_SAMPLE].count("\ufffd")
    if bad <= max(1, min(len(damaged), _SAMPLE) * _DAMAGED_SHARE) and bad * 4 <= high:
        return damaged
    found = _detected(data[:_SAMPLE])
    if found is None:
        return Unreadable("encoding", "neither UTF-8 nor any encoding that could be recognised")
    return data.decode(found, "replace")
