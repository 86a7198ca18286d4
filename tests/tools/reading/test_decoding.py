import pytest

from searchinstruct_graph.tools.reading import Unreadable, decode_text

GERMAN = "Die Straße führt über die Brücke nach Köln und weiter nach Düsseldorf. " * 4


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"],
)
def test_the_usual_encodings_are_found(encoding: str) -> None:
    assert decode_text(GERMAN.encode(encoding)) == GERMAN


def test_a_declared_charset_is_believed_when_it_fits() -> None:
    assert decode_text("Привет".encode("koi8-r"), declared="KOI8-R") == "Привет"
    assert decode_text("Grüße".encode(), declared="us-ascii-nonsense") == "Grüße"


def test_a_damaged_character_does_not_cost_the_text() -> None:
    data = ("Grüße aus Köln. " * 50).encode() + b"\xff" + " Ende ä".encode()
    text = decode_text(data)
    assert isinstance(text, str)
    assert text.count("\ufffd") == 1
    assert text.startswith("Grüße aus Köln")


@pytest.mark.parametrize(
    "data",
    [
        bytes(range(256)) * 20,
        b"\x7fELF\x02\x01",
        b"\x89PNG\r\n\x1a\n123",
        b"PK\x03\x04abc",
    ],
)
def test_binary_data_is_refused(data: bytes) -> None:
    found = decode_text(data)
    assert isinstance(found, Unreadable)
    assert found.reason == "binary"


def test_empty_is_empty() -> None:
    assert decode_text(b"") == ""
