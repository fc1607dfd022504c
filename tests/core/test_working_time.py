"""A company's working days and hours."""

from datetime import date, time

import pytest

from leakwatch.core.working_time import WorkingTime, parse_hours


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2026-11-23", 2, "2026-11-25"),  # Monday
        ("2026-11-26", 2, "2026-11-30"),  # Thursday
        ("2026-11-27", 1, "2026-11-30"),  # Friday
        ("2026-11-28", 1, "2026-11-30"),  # Saturday
        ("2026-11-29", 0, "2026-11-30"),  # Sunday
        ("2026-11-23", 0, "2026-11-23"),
        ("2026-11-23", 10, "2026-12-07"),
    ],
)
def test_working_days_are_monday_to_friday_unless_the_company_says_otherwise(start, days, due):
    assert WorkingTime().add_days(date.fromisoformat(start), days) == date.fromisoformat(due)


def test_holidays_and_other_days_off_are_passed_over():
    saturdays_too = WorkingTime(days=frozenset(range(6)), holidays=frozenset({date(2026, 10, 29)}))
    assert saturdays_too.add_days(date(2026, 10, 28), 1) == date(2026, 10, 30)
    assert saturdays_too.add_days(date(2026, 10, 30), 1) == date(2026, 10, 31)


def test_hours_are_read_from_a_text_and_anything_else_is_refused():
    assert parse_hours("08:30 - 17:00") == (time(8, 30), time(17))
    for wrong in ("", "9-18", "18:00-09:00", "09:00", "09:00-09:00", "09:00+03:00-18:00+03:00", "nine-six"):
        with pytest.raises(ValueError, match="such as 09:00-18:00"):
            parse_hours(wrong)
