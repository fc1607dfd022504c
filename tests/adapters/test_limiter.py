"""The limiter never lets more than the quota through in any minute, and obeys shared pauses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakwatch.clients.limiter import GMAIL_2026, GMAIL_GRANDFATHERED, Limiter, Quota
from leakwatch.clock import SettableClock
from leakwatch.errors import TransientError

START = datetime(2026, 7, 1, 9, tzinfo=UTC)


def make(per_principal: int = 100, per_project: int = 1_000) -> tuple[Limiter, SettableClock]:
    clock = SettableClock(START)
    quota = Quota(per_principal, per_project, {"get": 20, "list": 5})
    return Limiter(clock, {"google": quota}), clock


def test_calls_within_the_quota_do_not_wait():
    limiter, clock = make()
    for _ in range(5):
        limiter.acquire("google", "ann", "get")
    assert clock.monotonic() == 0


def test_a_call_beyond_the_quota_waits_until_the_minute_has_passed():
    limiter, clock = make()
    limiter.acquire("google", "ann", "get", count=5)
    limiter.acquire("google", "ann", "list")
    assert 60 <= clock.monotonic() <= 62


def test_one_mailbox_at_its_limit_does_not_hold_up_another():
    limiter, clock = make()
    limiter.acquire("google", "ann", "get", count=5)
    limiter.acquire("google", "bob", "get", count=5)
    assert clock.monotonic() == 0


def test_the_project_quota_holds_across_mailboxes():
    limiter, clock = make(per_principal=100, per_project=150)
    limiter.acquire("google", "ann", "get", count=5)
    limiter.acquire("google", "bob", "get", count=5)
    assert clock.monotonic() >= 60


def test_a_batch_larger_than_the_quota_goes_through_on_an_empty_minute_instead_of_never():
    limiter, clock = make(per_principal=100)
    limiter.acquire("google", "ann", "list")
    limiter.acquire("google", "ann", "get", count=50)
    assert clock.monotonic() >= 60


def test_a_pause_is_shared_by_every_later_call_of_that_mailbox():
    limiter, clock = make()
    limiter.pause("google", "ann", timedelta(seconds=30))
    limiter.acquire("google", "bob", "list")
    assert clock.monotonic() == 0
    limiter.acquire("google", "ann", "list")
    assert clock.monotonic() == pytest.approx(30)


def test_a_pause_of_the_project_holds_everybody():
    limiter, clock = make()
    limiter.pause("google", None, timedelta(seconds=10))
    limiter.acquire("google", "bob", "list")
    assert clock.monotonic() == pytest.approx(10)


def test_a_shorter_pause_does_not_cut_a_longer_one():
    limiter, clock = make()
    limiter.pause("google", "ann", timedelta(seconds=30))
    limiter.pause("google", "ann", timedelta(seconds=5))
    limiter.acquire("google", "ann", "list")
    assert clock.monotonic() == pytest.approx(30)


def test_a_day_long_pause_is_handed_back_instead_of_slept():
    limiter, clock = make()
    limiter.pause("google", "ann", timedelta(days=1))
    with pytest.raises(TransientError) as caught:
        limiter.acquire("google", "ann", "list")
    assert caught.value.retry_after == timedelta(days=1)
    assert clock.monotonic() == 0


@given(st.lists(st.tuples(st.integers(1, 90), st.floats(0, 40)), max_size=40))
def test_in_no_minute_more_than_the_quota_is_spent(calls: list[tuple[int, float]]):
    clock = SettableClock(START)
    limiter = Limiter(clock, {"google": Quota(100, 10**9, {"unit": 1})})
    spends: list[tuple[float, int]] = []
    for units, idle in calls:
        clock.sleep(idle)
        limiter.acquire("google", "ann", "unit", count=units)
        spends.append((clock.monotonic(), units))
    for start, _ in spends:
        assert sum(units for at, units in spends if start <= at < start + 60) <= 100


def test_the_tables_price_a_get_at_20_for_new_and_5_for_old_projects():
    assert (GMAIL_2026.cost("messages.get"), GMAIL_2026.per_principal_minute) == (20, 6_000)
    assert (GMAIL_GRANDFATHERED.cost("messages.get"), GMAIL_GRANDFATHERED.per_principal_minute) == (5, 15_000)


def test_units_and_calls_are_counted():
    limiter, _ = make()
    limiter.acquire("google", "ann", "get", count=2)
    limiter.acquire("google", "bob", "list")
    assert limiter.spent() == {"google": 45}
    assert limiter.calls() == {"get": 2, "list": 1}


@pytest.mark.parametrize("quota", [GMAIL_2026, GMAIL_GRANDFATHERED])
def test_a_conversation_is_cheaper_as_one_from_three_mails_on_by_either_price_list(quota: Quota):
    limiter = Limiter(SettableClock(START), {"google": quota})
    assert limiter.cheaper_from("google", "threads.get", "messages.get") == 3
