"""Fixtures every test may use."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, settings

from leakwatch.clock import SettableClock

# CI and laptops share the machine with other work: a slow example is not a failing one.
settings.register_profile("leakwatch", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
settings.load_profile("leakwatch")


@pytest.fixture
def clock() -> SettableClock:
    """A clock that stands at a Monday noon in Istanbul until moved."""
    return SettableClock(datetime(2026, 11, 23, 9, 0, tzinfo=UTC))
