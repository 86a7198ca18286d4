"""The time that a question asks about, and the years that a sentence gives to a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.text.periods import Period, fits, periods_of, time_asked, timed, without_time, year_of


@pytest.mark.parametrize(
    ("question", "time"),
    [
        ("Which team did Kim Fox coach from Jun 2014 to Apr 2016?", "from Jun 2014 to Apr 2016"),
        ("In 1960, where was Kim Fox at school?", "in 1960"),
        ("In the period of time from 1965 to 1966, where was the mill?", "from 1965 to 1966"),
        ("From 2010 to 2011 what college owned the mill?", "from 2010 to 2011"),
        ("What was the seat of the county that lasted from 1856 to 1874 when it was dissolved?", "from 1856 to 1874"),
        ("Who kept the mill between 1999 and 2001?", "between 1999 and 2001"),
        ("Who keeps the mill?", ""),
        ("Which of the 1200 mills is the oldest?", ""),
        ("آسیاب را چه کسی از ۱۳۹۰ نگه می‌دارد؟", ""),
    ],
)
def test_the_time_that_is_asked_about(question: str, time: str) -> None:
    assert time_asked(question) == time


def test_a_time_at_the_end_or_the_opening_is_cut_off_and_one_inside_stays() -> None:
    assert timed("Who kept the mill from 1990 to 1995") == ("Who kept the mill", "from 1990 to 1995")
    assert timed("In 1990, who kept the mill") == ("who kept the mill", "in 1990")
    inside = "Who kept from 1990 to 1995 the mill"
    assert timed(inside) == (inside, "")


def test_a_statement_is_freed_of_the_time_that_its_question_gives() -> None:
    question = "Who kept the mill from 1990 to 1995?"
    assert without_time("From 1990 to 1995, Ada kept the mill.", question) == "Ada kept the mill."
    assert without_time("Ada kept the mill from 1990 to 1995.", question) == "Ada kept the mill."
    # Another time is the statement's own.
    assert without_time("Ada kept the mill from 1991.", question) == "Ada kept the mill from 1991."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- 1975–1979 : Ada Moss", [Period(1975, 1979)]),
        ("- Ada Moss (2013 to 2021)", [Period(2013, 2021)]),
        ("Ada Moss, since 2001", [Period(2001, None)]),
        ("Ada Moss (2019–present)", [Period(2019, None)]),
        ("Ada Moss (from May 22, 2004, to December 24, 2008)", [Period(2004, 2008)]),
        ("Jan Pike (1961–1967), Ada Moss (1967–1969) and Lia Berg (1969-1976)", [Period(1967, 1969)]),
        ("Ada Moss came in 1990.", []),
        (
            "Jan Pike kept the mill from 1990 to 1995, and long after that it went to somebody of the name of Ada Moss.",
            [],
        ),
    ],
)
def test_the_years_that_a_sentence_gives_to_a_name(text: str, expected: list[Period]) -> None:
    assert periods_of(text, "Ada Moss") == expected


def test_who_ends_in_a_year_does_not_begin_in_it() -> None:
    assert fits(Period(1967, 1969), 1967)
    assert fits(Period(1967, 1969), 1968)
    assert not fits(Period(1967, 1969), 1969)
    assert fits(Period(1969, 1969), 1969)
    assert fits(Period(1969, None), 2020)
    assert not fits(Period(1969, None), 1968)


def test_the_year_of_a_date() -> None:
    assert year_of("Jun 2014") == 2014
    assert year_of("Python 3.11") is None
    assert year_of("item 12014") is None


@given(st.text(max_size=80), st.text(max_size=20))
def test_no_text_is_too_odd(text: str, name: str) -> None:
    assert isinstance(time_asked(text), str)
    assert isinstance(without_time(text, text), str)
    assert isinstance(periods_of(text, name), list)
