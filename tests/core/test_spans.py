"""Spans of time in words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leakwatch.core.spans import in_words


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=119), "119 minutes"),
        (timedelta(minutes=120), "2 hours"),
        (timedelta(hours=47), "47 hours"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=40), "40 days"),
    ],
)
def test_a_span_is_said_in_the_unit_of_which_it_holds_at_least_two(span: timedelta, words: str) -> None:
    assert in_words(span) == words


def test_a_clock_that_is_behind_makes_no_negative_age() -> None:
    assert in_words(timedelta(seconds=-5)) == "less than a minute"
