import io
import time

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from searchinstruct_graph.tools.reading import Reading, Unreadable, read_pdf


def make(*pages: str, title: str = "", password: str = "") -> bytes:
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for text in pages:
        page = writer.add_blank_page(300, 300)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    if title:
        writer.add_metadata({"/Title": title, "/CreationDate": "D:20150302101500+01'00'"})
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_text_and_title() -> None:
    found = read_pdf(make("The first page", "The second page", title="A paper"))
    assert isinstance(found, Reading)
    assert found.text == "The first page\n\nThe second page"
    assert found.title == "A paper"
    assert found.published == "2015-03-02"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (make("secret", password="pass"), "encrypted"),
        (make(""), "no_text"),
        (b"%PDF-1.7\nnothing of a PDF follows", "broken"),
        (b"plain text", "broken"),
        (make("cut off")[:200], "broken"),
    ],
)
def test_unreadable_files_say_why(data: bytes, reason: str) -> None:
    found = read_pdf(data)
    assert isinstance(found, Unreadable)
    assert found.reason == reason
    assert "\n" not in found.detail


def test_pages_beyond_the_limit_are_noted() -> None:
    found = read_pdf(make("one", "two", "three"), max_pages=2)
    assert isinstance(found, Reading)
    assert "three" not in found.text
    assert found.note == "1 of 3 pages not read"


def test_a_slow_file_is_killed() -> None:
    started = time.monotonic()
    found = read_pdf(make("x"), timeout_seconds=0.05)
    assert isinstance(found, Unreadable)
    assert found.reason == "timeout"
    assert time.monotonic() - started < 5


def test_a_greedy_file_dies_in_its_own_process() -> None:
    found = read_pdf(make("x"), memory_bytes=40_000_000)
    assert isinstance(found, Unreadable)
