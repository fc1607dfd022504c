"""One theatre for each test process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from system.crash.scenes import Story, live_through
from system.crash.theatre import Theatre


@pytest.fixture(scope="session")
def lived() -> Iterator[tuple[Theatre, Story]]:
    """A theatre in which the undisturbed story was played, with that story."""
    with Theatre() as theatre:
        yield theatre, live_through(theatre)


@pytest.fixture
def theatre(lived: tuple[Theatre, Story]) -> Theatre:
    return lived[0]


@pytest.fixture
def story(lived: tuple[Theatre, Story]) -> Story:
    return lived[1]
