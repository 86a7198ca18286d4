"""Sentences keep their offsets."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.text.sentences import LONGEST_BLOCK, sentences


def split(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentences(text)]


def test_prose_lists_and_headings_are_split() -> None:
    text = "# Kettle\n\nDr. Lee wrote it in the U.K. in 1990. It runs\nover two lines.\n- first item\n- second item"
    assert split(text) == [
        "# Kettle",
        "Dr. Lee wrote it in the U.K. in 1990.",
        "It runs\nover two lines.",
        "- first item",
        "- second item",
    ]


def test_scripts_without_latin_stops_are_split() -> None:
    assert split("壶能装两升。三分钟烧开！") == ["壶能装两升。", "三分钟烧开！"]
    assert split("هل يغلي الماء؟ نعم.") == ["هل يغلي الماء؟", "نعم."]


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=200))
def test_spans_are_ordered_disjoint_and_lose_no_visible_character(text: str) -> None:
    spans = sentences(text)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
    assert "".join("".join(text[s.start : s.end].split()) for s in spans) == "".join(text.split())


def test_a_text_without_an_end_is_cut_between_words() -> None:
    text = "honeycomb " * 5_000 + "\U0001f41d" * 30_000
    found = sentences(text)
    words = [word for span in found for word in text[span.start : span.end].split()]
    assert words[:5_000] == ["honeycomb"] * 5_000
    assert "".join(words[5_000:]) == "\U0001f41d" * 30_000
    assert all(span.end - span.start <= LONGEST_BLOCK for span in found)
