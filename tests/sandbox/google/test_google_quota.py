"""Gmail's quota in units, in wall time that the test holds."""

from __future__ import annotations

import pytest

from leakwatch.sandbox.google.errors import GoogleError
from leakwatch.sandbox.google.quota import PRICES, Quota, QuotaSettings


class Wall:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def quota(profile: str = "real") -> tuple[Quota, Wall]:
    wall = Wall()
    return Quota(QuotaSettings.profile(profile), now=wall, wall=wall), wall


def test_the_new_price_list_allows_five_gets_a_second() -> None:
    one, wall = quota()
    for _ in range(300):
        one.charge("a", "messages.get")
    with pytest.raises(GoogleError) as caught:
        one.charge("a", "messages.get")
    assert caught.value.status == 429
    wall.now += 1.0
    for _ in range(5):
        one.charge("a", "messages.get")
    with pytest.raises(GoogleError):
        one.charge("a", "messages.get")
    assert one.units["a"] == 305 * 20


def test_the_old_price_list_allows_fifty_gets_a_second() -> None:
    one, wall = quota("legacy")
    for _ in range(3_000):
        one.charge("a", "messages.get")
    with pytest.raises(GoogleError):
        one.charge("a", "messages.get")
    wall.now += 1.0
    for _ in range(50):
        one.charge("a", "messages.get")
    assert PRICES["legacy"]["messages.get"] == 5


def test_one_users_use_is_nobody_elses() -> None:
    one, _ = quota()
    for _ in range(150):
        one.charge("a", "threads.get")
    one.charge("b", "threads.get")
    with pytest.raises(GoogleError):
        one.charge("a", "threads.get")


def test_the_429_names_the_instant_in_its_text_and_in_no_header() -> None:
    one, _ = quota()
    for _ in range(300):
        one.charge("a", "messages.get")
    with pytest.raises(GoogleError, match=r"Retry after 1970-01-01T00:16:40\.200Z") as caught:
        one.charge("a", "messages.get")
    assert caught.value.headers == {}
    assert caught.value.body["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert caught.value.body["error"]["errors"][0]["reason"] == "rateLimitExceeded"


def test_a_403_may_mean_slow_down() -> None:
    one, _ = quota()
    one.settings.answer = 403
    for _ in range(300):
        one.charge("a", "messages.get")
    with pytest.raises(GoogleError, match="Quota exceeded for quota metric") as caught:
        one.charge("a", "messages.get")
    assert caught.value.status == 403
    assert caught.value.body["error"]["errors"][0]["domain"] == "usageLimits"


def test_switched_off_it_only_counts() -> None:
    one, _ = quota("off")
    for _ in range(10_000):
        one.charge("a", "threads.get")
        one.enter("a")
    assert one.units["a"] == 400_000


def test_too_many_at_once_are_refused() -> None:
    one, _ = quota()
    one.settings.concurrent_per_user = 2
    one.enter("a")
    one.enter("a")
    with pytest.raises(GoogleError, match="Too many concurrent requests for user"):
        one.enter("a")
    one.leave("a")
    one.enter("a")
