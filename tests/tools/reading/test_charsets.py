import pytest

from searchinstruct_graph.tools.reading import Reading, decode_text, read_html
from searchinstruct_graph.tools.reading.charsets import codec_of, encoding_of, meta_encoding


@pytest.mark.parametrize(
    ("label", "encoding"),
    [
        ("ISO-8859-1", "windows-1252"),
        (" us-ascii\n", "windows-1252"),
        ('"UTF8"', "utf-8"),
        ("gb2312", "gbk"),
        ("x-sjis", "shift_jis"),
        ("iso-8859-8-i", "iso-8859-8-i"),
        ("utf-7", None),
        ("no-such-charset", None),
        ("", None),
        (None, None),
    ],
)
def test_a_label_means_what_browsers_take_it_for(label: str | None, encoding: str | None) -> None:
    assert encoding_of(label) == encoding


@pytest.mark.parametrize("label", ["x-user-defined", "iso-2022-kr", "iso-8859-8-i", "windows-874", "big5", "mac"])
def test_every_encoding_has_a_codec_or_none_and_never_an_error(label: str) -> None:
    codec = codec_of(encoding_of(label))
    assert codec is None or "plain".encode(codec).decode(codec) == "plain"
    assert decode_text(b"plain", declared=label) == "plain"


@pytest.mark.parametrize(
    ("page", "encoding"),
    [
        (b"<meta charset=koi8-r>", "koi8-r"),
        (b"<META\nCharSet = 'koi8-r' >", "koi8-r"),
        (b"<meta/charset=koi8-r>", "koi8-r"),
        (b"<meta http-equiv=content-type content='text/html; charset=koi8-r'>", "koi8-r"),
        (b"<meta content='text/html; charset=koi8-r'>", None),
        (b"<meta charset=koi8-r", None),
        (b"<metacharset=koi8-r>", None),
        (b"<!-- <meta charset=koi8-r> --><meta charset=big5>", "big5"),
        (b"<p title='<meta charset=koi8-r>'><meta charset=big5>", "big5"),
        (b"<meta charset=bogus><meta charset=big5>", "big5"),
        (b"<meta charset=utf-16>", "utf-8"),
        (b"<meta charset=x-user-defined>", "windows-1252"),
        (b"<script>" + b"x" * 5_000 + b"</script><meta charset=koi8-r>", "koi8-r"),
        (b"<" * 100_000, None),
        (b"<meta " * 20_000, None),
    ],
)
def test_the_declaration_in_a_page_is_found_as_browsers_find_it(page: bytes, encoding: str | None) -> None:
    assert meta_encoding(page) == encoding


def test_the_transport_wins_over_the_page_unless_it_names_nothing() -> None:
    data = "<meta charset=koi8-r><p>Привет, мир</p>".encode("cp1251")
    for charset, expected in (("windows-1251", True), ("nonsense", False), (None, False)):
        found = read_html(data, charset=charset)
        assert isinstance(found, Reading)
        assert (found.text == "Привет, мир") is expected


@pytest.mark.parametrize("declared", ["iso-8859-1", "koi8-r", "utf-16", "shift_jis", "utf-7"])
def test_utf8_under_another_name_is_still_utf8(declared: str) -> None:
    assert decode_text("Grüße aus Köln".encode(), declared=declared) == "Grüße aus Köln"


def test_a_damaged_byte_does_not_cost_the_declared_charset() -> None:
    data = ("Съешь же ещё этих мягких французских булок. " * 20).encode("cp1251") + b"\x98"
    text = decode_text(data, declared="windows-1251")
    assert isinstance(text, str)
    assert text.startswith("Съешь же")
    assert text.endswith("\ufffd")


def test_escapes_in_ascii_bytes_and_utf16_without_a_mark_need_the_declaration() -> None:
    assert decode_text("日本語".encode("iso2022_jp"), declared="iso-2022-jp") == "日本語"
    assert decode_text("<p>日本語の文章です</p>".encode("utf-16-be"), declared="utf-16be") == "<p>日本語の文章です</p>"
