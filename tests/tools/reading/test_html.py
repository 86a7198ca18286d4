import pytest

from searchinstruct_graph.tools.reading import Reading, Unreadable, read_html

BODY = " ".join(f"The river of chapter {number} runs past the old mill and the new bridge." for number in range(20))


def page(inner: str, head: str = "") -> bytes:
    body = f"<article><h1>Rivers</h1><p>{BODY}</p>{inner}</article>"
    return f"<html><head><title>Mills</title>{head}</head><body>{body}</body></html>".encode()


def text_of(data: bytes) -> str:
    found = read_html(data)
    assert isinstance(found, Reading), found
    return found.text


@pytest.mark.parametrize(
    "hidden",
    [
        '<p style="display:none">SECRET</p>',
        '<p style="DISPLAY : NONE !important">SECRET</p>',
        '<p style="visibility:hidden">SECRET</p>',
        '<p style="font-size:0px">SECRET</p>',
        '<p style="opacity:0">SECRET</p>',
        '<p style="position:absolute;left:-9999px">SECRET</p>',
        '<p style="text-indent:-5000px">SECRET</p>',
        '<p aria-hidden="true">SECRET</p>',
        "<p hidden>SECRET</p>",
        "<!-- SECRET -->",
        "<template><p>SECRET</p></template>",
        "<noscript><p>SECRET</p></noscript>",
        "<script>var a = 'SECRET'</script>",
        "<svg><text>SECRET</text></svg>",
        '<div style="height:0;overflow:hidden"><p>SECRET</p></div>',
        '<p class="ghost">SECRET</p>',
    ],
)
def test_what_a_reader_cannot_see_is_not_read(hidden: str) -> None:
    text = text_of(
        page(
            hidden + "<p>And so the visible end of the story comes.</p>",
            "<style>.ghost{display:none}</style>",
        )
    )
    assert "SECRET" not in text
    assert "chapter 19" in text


def test_visible_styles_are_kept() -> None:
    inner = (
        '<p style="font-size:0.9em;opacity:0.5;margin-left:-10px">This paragraph is small, pale and visible to all.</p>'
    )
    assert "small, pale and visible" in text_of(page(inner))


def test_invisible_characters_go_and_headings_stay() -> None:
    text = text_of(
        page("<h2>A \u200b\U000e0041hidden tag</h2><p>Text under the second heading, long enough to stay.</p>")
    )
    assert "## A hidden tag" in text
    assert "\U000e0041" not in text


def test_a_page_without_main_content_gives_its_visible_text() -> None:
    found = read_html(b"<html><body><nav>Menu</nav><div>Only five words of text</div></body></html>")
    assert isinstance(found, Reading)
    assert found.text == "Only five words of text"


def test_charset_from_the_meta_element() -> None:
    data = '<html><head><meta charset="windows-1251"></head><body><p>Привет, мир</p></body></html>'.encode("cp1251")
    assert "Привет, мир" in text_of(data)


def test_title_and_language() -> None:
    found = read_html(b"<html lang=de><head><title> Ein \n Titel </title></head><body><p>Hallo Welt</p></body></html>")
    assert isinstance(found, Reading)
    assert (found.title, found.language) == ("Ein Titel", "de")


@pytest.mark.parametrize("data", [b"", b"<html></html>", b"<p hidden>x</p>", b"<!-- only -->"])
def test_a_page_without_text_says_so(data: bytes) -> None:
    assert isinstance(read_html(data), Unreadable)


def test_deep_nesting_does_not_crash() -> None:
    assert read_html(b"<div>" * 50_000 + b"deep" + b"</div>" * 50_000) is not None
