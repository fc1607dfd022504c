from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.google.witness import Witness
from sandbox.server.harness import Running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One served small world for the tests of a module."""
    server = Running(tmp_path_factory.mktemp("google"), "--world", "small")
    yield server
    server.stop()


@pytest.fixture
def witness(running: Running) -> Iterator[Witness]:
    """The official client, against a state that every test finds fresh."""
    if not (running.folder / "saves" / "fresh").exists():
        running.control("POST", "/save", {"name": "fresh"})
    else:
        running.control("POST", "/restore", {"name": "fresh"})
    running.control("POST", "/quota", {"profile": "generous"})
    running.control("DELETE", "/faults")
    running.control("DELETE", "/ledger")
    one = Witness(running)
    yield one
    one.close()
