"""Retries: only what time can mend, as long as the service asks, never for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leakwatch.clients.retry import RetryPolicy, parse_retry_after
from leakwatch.errors import AuthError, RecordError, TransientError, UnknownOutcomeError

NOW = datetime(2026, 1, 5, 10, 0, 0, tzinfo=UTC)


class Failing:
    """Raises the given errors in turn, then returns "done"."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def test_a_transient_failure_is_retried_until_it_works():
    waits: list[float] = []
    request = Failing(TransientError("a"), TransientError("b"))
    assert RetryPolicy(waits.append).call(request, what="messages.list") == "done"
    assert request.calls == 3
    assert len(waits) == 2


def test_the_service_is_left_alone_as_long_as_it_asked():
    waits: list[float] = []
    request = Failing(TransientError("slow", retry_after=timedelta(seconds=42)))
    RetryPolicy(waits.append).call(request, what="x")
    assert 42 <= waits[0] <= 43


def test_a_wish_beyond_the_cap_is_not_waited_for():
    waits: list[float] = []
    request = Failing(TransientError("slow", retry_after=timedelta(days=1)))
    with pytest.raises(TransientError):
        RetryPolicy(waits.append).call(request, what="x")
    assert waits == []
    assert request.calls == 1


def test_after_the_last_attempt_the_services_own_error_comes_through():
    request = Failing(*[TransientError(f"failure {n}") for n in range(9)])
    with pytest.raises(TransientError, match="failure 2"):
        RetryPolicy(lambda _s: None, attempts=3).call(request, what="x")
    assert request.calls == 3


@pytest.mark.parametrize(
    "error", [AuthError("no"), RecordError("bad", code="X"), UnknownOutcomeError("lost"), KeyError()]
)
def test_what_time_cannot_mend_is_raised_at_once(error: Exception):
    request = Failing(error)
    with pytest.raises(type(error)):
        RetryPolicy(lambda _s: None).call(request, what="x")
    assert request.calls == 1


def test_waits_grow_but_stay_under_their_bound():
    waits: list[float] = []
    request = Failing(*[TransientError("x") for _ in range(11)])
    RetryPolicy(waits.append, attempts=12, longest_backoff_s=8).call(request, what="x")
    assert all(0 <= wait <= 8 for wait in waits)


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "30"}, "", 30),
        ({"retry-after": " 2 "}, "", 2),
        ({"Retry-After": "Mon, 05 Jan 2026 10:02:00 GMT"}, "", 120),
        ({"Retry-After": "Mon, 05 Jan 2026 09:00:00 GMT"}, "", 0),
        ({}, '{"message": "User-rate limit exceeded.  Retry after 2026-01-05T10:15:00.500Z"}', 900.5),
        ({}, "Retry after 2026-01-05T09:00:00Z", 0),
        ({"Retry-After": "soon"}, "Retry after 2026-01-05T10:00:07Z", 7),
        ({"Retry-After": "86400"}, "", 86400),
    ],
)
def test_a_wish_to_be_left_alone_is_read(headers: dict[str, str], body: str, seconds: float):
    assert parse_retry_after(headers, body, now=NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("headers", "body"),
    [({}, ""), ({"Retry-After": "-5"}, ""), ({"Retry-After": ""}, ""), ({}, "Retry after 2026-13-45T99:00:00Z")],
)
def test_nonsense_counts_as_no_wish(headers: dict[str, str], body: str):
    assert parse_retry_after(headers, body, now=NOW) is None
