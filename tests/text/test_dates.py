from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.text.dates import days_of, iso_date


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("2015", "2015"),
        ("2015-03", "2015-03"),
        ("2015-03-02T10:00:00Z", "2015-03-02"),
        ("2015/3/2", "2015-03-02"),
        ("D:20150302101500+01'00'", "2015-03-02"),
        ("20150302", "2015-03-02"),
        ("2 March 2015", "2015-03-02"),
        ("March 2nd, 2015", "2015-03-02"),
        ("Mon, 02 Mar 2015 10:00:00 GMT", "2015-03-02"),
        ("Sept. 2015", "2015-09"),
        ("03/02/2015", "2015"),
        ("۲۰۱۵-۰۳-۰۲", "2015-03-02"),
        ("2015-02-31", "2015-02"),
        ("1394-05-01", ""),  # a year of the Persian calendar
        ("yesterday", ""),
        ("12345678901234", ""),
        ("", ""),
    ],
)
def test_dates_as_metadata_write_them(written: str, wanted: str) -> None:
    assert iso_date(written) == wanted


def test_the_days_that_a_date_may_mean() -> None:
    assert days_of("2015") == (date(2015, 1, 1), date(2015, 12, 31))
    assert days_of("2016-02") == (date(2016, 2, 1), date(2016, 2, 29))
    assert days_of("2016-02-03") == (date(2016, 2, 3), date(2016, 2, 3))
    assert [days_of(each) for each in ("", "0", "2016-13", "2016-02-30", "２０１６", "2016-1-1-1", "spring")] == [
        None
    ] * 7


@given(st.text(max_size=120))
def test_any_text(written: str) -> None:
    found = iso_date(written)
    assert found == "" or days_of(found) is not None
