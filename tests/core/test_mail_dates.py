"""The Date header: the usual form is read by a short way, which must say the same as the standard library's."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from leakwatch.core.mail import _date, plausible

day_names = st.sampled_from(["", "Tue, ", "Xyz, ", "Tue ", "tue, ", "Salı, "])
months = st.sampled_from(["Jan", "Feb", "Mar", "Sep", "Dec", "mar", "March", "Foo", ""])
years = st.sampled_from(["2026", "1999", "26", "0099", "1000", "2999", "9999", "20260"])
times = st.builds("{:02d}:{:02d}:{:02d}".format, st.integers(0, 24), st.integers(0, 60), st.integers(0, 61))
zones = st.one_of(
    st.builds("{}{:02d}{:02d}".format, st.sampled_from("+-"), st.integers(0, 25), st.integers(0, 99)),
    st.sampled_from(["GMT", "EST", "", "+300", "+0300 (+03)", "+0000 (UTC)", "-0700 (PDT)", "+0000 (", "٣", "-0000 "]),
)
dates = st.builds("{}{} {} {} {} {}".format, day_names, st.integers(0, 32), months, years, times, zones)


def by_the_book(value: str) -> datetime | None:
    """What the standard library makes of a date, if a mail can carry it."""
    try:
        moment = parsedate_to_datetime(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if plausible(moment) else None


@settings(max_examples=200, deadline=None)
@given(dates)
def test_any_date_is_read_as_the_standard_library_reads_it(value: str):
    assert _date(value) == by_the_book(value)


def test_the_usual_date_of_an_unusual_zone_is_brought_to_utc():
    assert _date("Tue, 31 Mar 2026 23:30:05 -0545 (NPT)") == datetime(2026, 4, 1, 5, 15, 5, tzinfo=UTC)
    assert _date("1 Apr 2026 00:10:00 +0300") == datetime(2026, 3, 31, 21, 10, tzinfo=UTC)
