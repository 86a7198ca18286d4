"""Bytes to characters: byte order mark, UTF-8, declared charset, then detection; binary data is recognised."""

from __future__ import annotations

import codecs
import re

from .charsets import codec_of, encoding_of
from .result import Unreadable

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
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
_ASCII = bytes(range(0x80))
# Shares of a sample above which bytes are no text, or no text of an encoding with a few damaged characters.
_BINARY_SHARE = 0.01
_DAMAGED_SHARE = 0.01
# Share of the characters that have a zero byte in nearly all UTF-16 text; East Asian text declares itself.
_WIDE_SHARE = 0.4


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


def _unmarked_wide(sample: bytes, declared: str | None) -> str | None:
    """UTF-16 without a mark: its zero bytes, if it has any, stand in every second place."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    least = 0 if (declared or "").startswith("utf-16") else len(sample) / 2 * _WIDE_SHARE
    if len(sample) >= 8 and max(even, odd) > least and min(even, odd) <= max(even, odd) * 0.05:
        return "utf-16-le" if odd > even else "utf-16-be"
    return None


def _mended(data: bytes, codec: str) -> str | None:
    """`data` in `codec` with at most 1 % of the characters damaged, or None."""
    text = data.decode(codec, "replace")
    bad = text[:_SAMPLE].count("\ufffd")
    if not bad:
        return text
    high = len(data[:_SAMPLE].translate(None, _ASCII))
    return text if bad <= max(1, min(len(text), _SAMPLE) * _DAMAGED_SHARE) and bad * 4 <= high else None


def _detected(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    return best.encoding if best else None


def decode_text(data: bytes, *, declared: str | None = None) -> str | Unreadable:
    """The characters of `data`, line ends as they stand, without a byte order mark.

    In this order: the byte order mark; UTF-16 that shows itself by its zero bytes; binary data is refused; UTF-8
    without an error; the `declared` charset, then UTF-8, with at most 1 % damaged characters, each replaced by
    U+FFFD; the charset that a statistical detector finds. Text that none of them fits is refused rather than garbled.
    """
    if marked := marked_encoding(data):
        name, skip = marked
        return data[skip:].decode(name, "replace")
    encoding = encoding_of(declared)
    if wide := _unmarked_wide(data[:_SAMPLE], encoding):
        return data.decode(wide, "replace")
    if looks_binary(data):
        return Unreadable("binary", "binary data, not text")
    # What is declared as another encoding and yet is UTF-8 is declared wrongly; only ASCII bytes leave it open.
    open_question = data.isascii() and encoding == "iso-2022-jp"
    if not open_question and (text := _strict_utf8(data)) is not None:
        return text
    for codec in (codec_of(encoding), "utf-8"):
        if codec and not codec.startswith("utf-16") and (text := _mended(data, codec)) is not None:
            return text
    found = _detected(data[:_SAMPLE])
    if found is None:
        return Unreadable("encoding", "neither UTF-8 nor any encoding that could be recognised")
    return data.decode(found, "replace")


def _strict_utf8(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
