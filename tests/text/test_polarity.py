"""Which way a sentence points."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.text.polarity import asks, contrary, opposed, swapped
from searchinstruct_graph.text.words import stems


@pytest.mark.parametrize(
    ("claim", "held", "expected"),
    [
        ("Sales rose.", "Sales fell.", ("rose", "fell")),
        ("It opened before the war.", "It opened after the war.", ("before", "after")),
        ("产量增加了", "产量减少了", ("增加", "减少")),
        ("این پل بعد از جنگ باز شد", "این پل قبل از جنگ باز شد", ("بعد", "قبل")),
        ("Sales rose.", "Sales rose, then fell.", None),
        ("Sales rose and fell.", "Sales fell.", None),
        ("Sales rose.", "Sales grew.", None),
        ("The dam is high.", "The dam is tall.", None),
    ],
)
def test_opposite_words(claim: str, held: str, expected: tuple[str, str] | None) -> None:
    assert opposed(claim, held) == expected


def test_a_prefix_that_turns_a_word() -> None:
    assert contrary(stems("an unstable bridge"), stems("a stable bridge")) == ("unstabl", "stabl")
    assert contrary(stems("a stable bridge"), stems("an unstable bridge")) == ("stabl", "unstabl")
    assert contrary(stems("an island in India"), stems("a land")) is None


@pytest.mark.parametrize(
    ("claim", "held", "turned"),
    [
        ("Ann beat Bo in the final.", "In the final Bo beat Ann.", True),
        ("Ann beat Bo in the final.", "In the final Ann beat Bo.", False),
        ("Usk was founded by Arn.", "Arn founded Usk.", False),
        ("Arn was founded by Usk.", "Arn founded Usk.", True),
        ("Iron is heavier than copper.", "Copper is heavier than iron.", True),
        ("Copper is heavier than iron.", "Copper is much heavier than iron.", False),
        ("The goats that monks keep", "The monks keep goats.", False),
        ("Ann went to Usk.", "To Usk went Ann and Ann.", False),
    ],
)
def test_names_in_each_others_place(claim: str, held: str, turned: bool) -> None:
    assert bool(swapped(claim, held)) is turned


@pytest.mark.parametrize(
    ("text", "question"), [("Is it?", True), ("是吗？", True), ("آیا؟", True), ('"Is it?"', True), ("It is.", False)]
)
def test_a_question_is_seen(text: str, question: bool) -> None:
    assert asks(text) is question


@given(st.text())
def test_no_text_is_opposed_to_itself(text: str) -> None:
    assert opposed(text, text) is None
    assert swapped(text, text) is None
