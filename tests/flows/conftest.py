"""What the tests of several flows begin with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.act_company import Company
from leakwatch import faultpoints


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Callable[..., Company]]:
    """Return what makes companies that audit and act, each with a store of its own."""
    made: list[Company] = []

    def make(of: Any = None) -> Company:
        made.append(Company(tmp_path / f"{len(made)}.db", of))
        return made[-1]

    yield make
    for one in made:
        one.engine.dispose()
    faultpoints.install(None)
