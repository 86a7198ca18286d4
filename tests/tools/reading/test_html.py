import time

import pytest

from searchinstruct_graph.tools.reading import Reading, Unreadable, read_html, tree

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
        '<div class="box"><p class="note">SECRET</p></div>',
        '<p class="sr-only">SECRET</p>',
        '<p style="font-size:1px">SECRET</p>',
        '<p style="font:0/0 a">SECRET</p>',
        '<p style="opacity:.01">SECRET</p>',
        '<p style="opacity:1e-5">SECRET</p>',
        '<p style="font-size:calc(0px)">SECRET</p>',
        '<p style="display:none;display:bogus">SECRET</p>',
        '<p style="display:none!important;display:block">SECRET</p>',
        '<p style="display:block" class="forced">SECRET</p>',
        '<p id="strong" class="weak">SECRET</p>',
        '<p style="d\\69splay/**/:none">SECRET</p>',
        '<p style="color:white">SECRET</p>',
        '<p style="color:#fefefe;background:#fff url(x.png)">SECRET</p>',
        '<p style="color:teal;background-color:teal">SECRET</p>',
        '<div style="background:#000"><p style="color:rgb(0, 0, 0)">SECRET</p></div>',
        '<font color="#FFFFFF">SECRET</font>',
        '<p style="color:transparent">SECRET</p>',
        '<p style="clip:rect(0 0 0 0);position:absolute">SECRET</p>',
        '<p style="clip-path: inset(100%)">SECRET</p>',
        '<p style="transform:scale(0)">SECRET</p>',
        '<p style="width:1px;height:1px;overflow:hidden">SECRET</p>',
        "<p style='display:none'><span style='display:inline'>SECRET</span></p>",
        "<table bgcolor=navy><tr><td style='color:navy'>SECRET</td></tr></table>",
        '<img alt="SECRET" title="SECRET">',
        "<progress>SECRET</progress>",
    ],
)
def test_what_a_reader_cannot_see_is_not_read(hidden: str) -> None:
    text = text_of(
        page(
            hidden + "<p>And so the visible end of the story comes.</p>",
            "<style>/* ; */ .ghost{display:none} @media screen{.box > p.note{visibility:hidden}}"
            ".forced{display:none!important} #strong{display:none} .weak{display:block}</style>",
        )
    )
    assert "SECRET" not in text
    assert "chapter 19" in text


@pytest.mark.parametrize(
    "style",
    [
        "font-size:0.9em;opacity:0.5;margin-left:-10px",
        "color:#fff;background:#123",
        "color:transparent;background-clip:text",
        "display:none;display:block",
        "margin-left:-100%",
        "margin-top:-120px",
        "clip:rect(0, 200px, 100px, 0)",
        "overflow:hidden;width:100%",
        "color:red",
    ],
)
def test_visible_styles_are_kept(style: str) -> None:
    inner = f'<p style="{style}">This paragraph has a style of its own and is visible to all.</p>'
    assert "visible to all" in text_of(page(inner))


@pytest.mark.parametrize(
    "sheet",
    [
        "@media print{.kept{display:none}}",
        ".kept{display:none} .kept.open{display:block}",
        ".elsewhere .kept{display:none}",
        ".kept:hover{display:none}",
        ".kept{background:#222} .kept{color:white}",
        "} .kept{",
    ],
)
def test_sheets_that_leave_an_element_visible(sheet: str) -> None:
    inner = '<p class="kept open">This paragraph stands under a sheet and is visible to all.</p>'
    assert "visible to all" in text_of(page(inner, f"<style>{sheet}</style>"))


def test_a_page_hidden_until_its_script_runs_is_read() -> None:
    assert "chapter 19" in text_of(page("", "<style>body{opacity:0}</style>"))


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


@pytest.mark.parametrize(
    "markup",
    [
        "<!doctype html><title>Bees</title><main><p>Smoke calms the bees.</p></main>",
        "<title>Bees</title><meta charset=utf-8><section>Smoke calms <b>the</b> bees.</section>",
        "<head><title>Bees</title></head><main>Smoke calms the bees.</main>",
        "<html><head><title>Bees</title><style>p {}</style><article>Smoke calms the bees.</article></head></html>",
    ],
)
def test_a_page_may_leave_out_the_tags_of_its_body(markup: str) -> None:
    found = read_html(markup)
    assert isinstance(found, Reading)
    assert (found.text, found.title) == ("Smoke calms the bees.", "Bees")


def test_a_body_that_begins_late_is_one_with_what_came_before() -> None:
    found = read_html("<title>Bees</title><main>one</main><body class=x><p>two</p></body><p>three</p>")
    assert isinstance(found, Reading)
    assert found.text.split() == ["one", "two", "three"]


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


def test_text_after_the_end_of_the_page_is_read() -> None:
    assert text_of(b"<p>one</p></body></html><p>two</p><td>three") == "one\n\ntwo\n\nthree"


def test_what_xml_forbids_does_not_cost_the_page() -> None:
    assert text_of(b'<p class="a&#1;">one &#8;<o:p>two</o:p> <x"y>three</x"y>') == "one two three"


def test_deep_nesting_is_read_down_to_a_limit() -> None:
    found = read_html(b"<p>top</p>" + b"<div>" * 100_000 + b"deep" + b"</div>" * 100_000 + b"<p>end</p>")
    assert isinstance(found, Reading)
    assert found.text == "top\n\nend"
    assert "500 levels" in found.note


def test_text_hidden_below_the_limit_of_nesting_stays_hidden() -> None:
    inner = b"<div>" * 600 + b"<p hidden>SECRET</p>SECRET" + b"</div>" * 600
    assert "SECRET" not in text_of(b"<p>top</p>" + inner)


def test_a_long_page_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MAX_CHARACTERS", 1_000)
    monkeypatch.setattr(tree, "MAX_ELEMENTS", 10)
    long = read_html("<p>" + "word " * 1_000)
    assert isinstance(long, Reading)
    assert len(long.text) < 1_000
    assert long.note == "only the first 1,000 characters read"
    many = read_html("<p>word</p>" * 20)
    assert isinstance(many, Reading)
    assert many.text.count("word") == 8
    assert many.note == "only the first 10 elements read"


@pytest.mark.parametrize(
    "data",
    [
        b"<p>" + b"word " * 600_000,
        b"<p>x" + b" " * 3_000_000 + b"y",
        b"<?xml" + b" " * 3_000_000,
        b"<p " + b" ".join(b"a%d=1" % number for number in range(200_000)) + b">x",
        b"<br hidden>x" * 100_000,
        b"<script></script>x" * 100_000,
        b"<a href=x>x" * 100_000,
        b"<style>" + b"/*" * 1_000_000 + b"</style><p>x",
        b"<style>" + b"{" * 1_000_000 + b"</style><p>x",
        b"<style>" + b".a p .b i{top:0}" * 20_000 + b"</style>" + b"<div>" * 100 + b"<p><i>x" * 5_000,
        b"<p style='clip-path:polygon(" + b"0 0 " * 100_000 + b"'>x",
        b"<p style='transform:" + b"translate(" * 50_000 + b"'>x",
        b"<p style='color:rgba(" + b"," * 100_000 + b"'>x",
        b"<p class='" + b"a " * 1_000_000 + b"'>" + b"<p>x" * 1_000,
        b"<!--" * 500_000,
        b"<meta charset=utf-7>" + b"+ADw-script+AD4-" * 50_000,
        ("<p>" + "word " * 300_000).encode("utf-16"),
        b"<meta charset=utf-16><p>" + b"\xff\xfe\xfd" * 100_000,
    ],
    ids=lambda data: data[:24].decode("latin-1"),
)
def test_hostile_pages_take_a_few_seconds_at_most(data: bytes) -> None:
    read_html(b"<p>warm</p>")
    started = time.process_time()
    assert read_html(data) is not None
    assert time.process_time() - started < 40
