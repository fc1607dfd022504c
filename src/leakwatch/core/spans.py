"""Spans of time in plain words, for messages and tables."""

from __future__ import annotations

from datetime import timedelta

_UNITS = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))
FROM_TWO = 2  # below two of a unit the next smaller one says more: "30 hours" rather than "1 day"


def in_words(span: timedelta) -> str:
    """Return `span` in its largest unit of which it holds two, rounded down: "3 days", "30 hours", "1 minute"."""
    for unit, name in _UNITS:
        count = span // unit
        if count >= FROM_TWO:
            return f"{count} {name}s"
    return "1 minute" if span >= _UNITS[-1][0] else "less than a minute"
