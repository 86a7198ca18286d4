"""Amounts and dates in running text."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.text.amounts import (
    Moment,
    amounts,
    dated_numbers,
    moments,
    other_date,
    same_amount,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is 5 km long.", [("5", Fraction(5_000), "length")]),
        ("a 5-km walk", [("5", Fraction(5_000), "length")]),
        ("It cost $2 million in 1936.", [("2", Fraction(2_000_000), "usd"), ("1936", Fraction(1936), "")]),
        ("12% of 1,200 men", [("12", Fraction(12, 100), "%"), ("1200", Fraction(1200), "")]),
        ("高221米，建于1936年", [("221", Fraction(221), "length"), ("1936", Fraction(1936), "")]),
        ("طول آن ۸۰ متر است", [("80", Fraction(80), "length")]),
        ("5 in total, version 1.2.3, B2", [("5", Fraction(5), "")]),
        ("no digits", []),
    ],
)
def test_numbers_come_with_their_unit(text: str, expected: list[tuple[str, Fraction, str]]) -> None:
    assert [each[:3] for each in amounts(text)] == expected


@pytest.mark.parametrize(
    ("claimed", "held", "same"),
    [
        ("8 km", "5 miles", True),
        ("8 km", "5 miles and 8 rooms", True),
        ("9 km", "5 miles", False),
        ("5 km", "5 miles", False),
        ("5 km", "some 5 of them", True),
        ("5 million people", "5 billion people", False),
        ("5 million people", "5,000,000 people", True),
        ("5 km", "in 1936", None),
    ],
)
def test_amounts_are_compared_in_their_units(claimed: str, held: str, same: bool | None) -> None:
    assert same_amount(amounts(claimed)[0], amounts(held)) is same


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on 31 May 1859", Moment(1859, 5, 31)),
        ("on May 31st, 1859", Moment(1859, 5, 31)),
        ("on 1859-05-31", Moment(1859, 5, 31)),
        ("1859年5月31日", Moment(1859, 5, 31)),
        ("am 31. Mai 1859", Moment(1859, 5, 31)),
        ("in May 1859", Moment(1859, 5, 0)),
        ("every 5 June", Moment(0, 6, 5)),
    ],
)
def test_dates_are_read_however_they_are_written(text: str, expected: Moment) -> None:
    assert expected in moments(text)


def test_a_year_alone_and_a_plain_word_are_no_dates() -> None:
    assert moments("In 1859 some 300 men came in 12 boats.") == []


def test_dates_agree_in_what_both_say() -> None:
    held = moments("It was signed on May 31, 1859.")
    assert other_date(moments("in May 1859"), held) is None
    assert other_date(moments("on 31 July 1859"), held) == Moment(1859, 7, 31)
    assert other_date(moments("on 31 July 1859"), []) is None
    assert dated_numbers(moments("1859-05-31"), held) == {"1859", "5", "31"}
    assert Moment(1859, 5, 31).written == "1859-05-31"


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert all(each.number for each in amounts(text))
    assert all(isinstance(each, Moment) for each in moments(text))
