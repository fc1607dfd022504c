from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.server.harness import Running


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One served small world for the tests of a module."""
    server = Running(tmp_path_factory.mktemp("server"), "--world", "small", "--proxy-port", "0")
    server.control("POST", "/save", {"name": "fresh"})
    yield server
    server.stop()


@pytest.fixture
def running(served: Running) -> Running:
    """The same, fresh for every test."""
    served.control("POST", "/restore", {"name": "fresh"})
    served.control("DELETE", "/faults")
    served.control("DELETE", "/ledger")
    return served
