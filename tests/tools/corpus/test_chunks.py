from hypothesis import given, settings
from hypothesis import strategies as st

from searchinstruct_graph.tools.corpus.chunks import LONGEST, chunks, size
from searchinstruct_graph.tools.corpus.outline import headings

PIECES = st.sampled_from(
    [
        "# Top\n",
        "Title\n=====\n",
        "## Sub *x*\n\n",
        "word ",
        "Sentence one. ",
        "\n\n",
        "- item\n",
        "```\n# code\n```\n",
        "中文字符。",
        "ا ب ت ",
        "\r\n",
        "a" * 300,
        "\ufeff",
        "é",
        "😀",
        "| a | b |\n",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(PIECES, st.integers(1, 60)), max_size=25))
def test_chunks_hold_every_visible_character_in_order_and_stay_short(
    parts: list[tuple[str, int]],
) -> None:
    text = "".join(piece * count for piece, count in parts)
    at = 0
    for chunk in chunks(text):
        assert at <= chunk.start < chunk.end <= len(text)
        assert not text[at : chunk.start].strip()
        assert text[chunk.start : chunk.end] == text[chunk.start : chunk.end].strip()
        assert size(text, chunk.start, chunk.end) <= LONGEST + 1
        at = chunk.end
    assert not text[at:].strip()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("abcdefgé", min_size=1, max_size=12), min_size=300, max_size=900))
def test_cuts_never_fall_inside_a_word(words: list[str]) -> None:
    text = " ".join(words)
    found = [text[chunk.start : chunk.end] for chunk in chunks(text)]
    assert len(found) > 1
    assert [word for part in found for word in part.split()] == words


def test_headings_give_the_path_and_code_fences_hide_theirs() -> None:
    text = (
        "# Guide\n\n"
        + "Intro words here. " * 60
        + "\n\n## Install\n\n```\n# not a heading\n```\n\n"
        + "Install words. " * 120
    )
    found = chunks(text)
    assert found[0].heading == "Guide"
    assert found[-1].heading == "Guide > Install"
    assert [heading.text for heading in headings(text)] == ["Guide", "Install"]


def test_underlined_headings_take_levels_in_order_of_appearance() -> None:
    found = headings("*****\nTitle\n*****\n\nText\n\nPart\n====\n\nMore\n\nSection\n-------\n\nx\n\nNext\n====\n")
    assert [(heading.text, heading.level) for heading in found] == [
        ("Title", 1),
        ("Part", 2),
        ("Section", 3),
        ("Next", 2),
    ]


def test_long_sentences_without_spaces_are_cut_between_characters() -> None:
    text = "汉" * 2000
    found = chunks(text, "zh")
    assert len(found) > 4
    assert "".join(text[chunk.start : chunk.end] for chunk in found) == text
