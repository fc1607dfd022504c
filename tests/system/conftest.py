from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from system.cli_stage import Company, Desk, fresh_desk, later_desk


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """One served small world, with leakwatch's first day done."""
    place = Company(tmp_path_factory.mktemp("company"))
    with place.sandbox:
        place.prepare()
        yield place


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The same company with an org that does not have leakwatch's fields."""
    place = Company(tmp_path_factory.mktemp("bare"), "--no-deploy")
    with place.sandbox:
        place.begin()
        yield place


@pytest.fixture
def fresh(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Nothing was read yet; the first morning."""
    return fresh_desk(company, tmp_path / "desk", monkeypatch)


@pytest.fixture
def desk(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The first day is done; three days later, with news waiting."""
    return later_desk(company, tmp_path / "desk", monkeypatch)
