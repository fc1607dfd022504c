"""Fixtures every test may use."""

from __future__ import annotations

import gc
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, settings

import quick_state
from leakwatch.clock import SettableClock

quick_state.install()
gc.set_threshold(50_000, 20, 100)  # a test process holds a million objects: to look through them took a tenth of it

# CI and laptops share the machine with other work: a slow example is not a failing one.
settings.register_profile("leakwatch", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
settings.load_profile("leakwatch")


@pytest.fixture
def clock() -> SettableClock:
    """A clock that stands at a Monday noon in Istanbul until moved."""
    return SettableClock(datetime(2026, 11, 23, 9, 0, tzinfo=UTC))
