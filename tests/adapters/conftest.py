"""The emulated Graph as the adapters' tests meet it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.graph_line import Line
from leakwatch.sandbox.keys import Keys
from sandbox.microsoft.tenant_desk import TenantDesk


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """One set of keys for all tests: making RSA keys is what costs."""
    made = Keys(tmp_path_factory.mktemp("keys"))
    made.ensure()
    return made


@pytest.fixture
def line(tmp_path: Path, keys: Keys) -> Iterator[Line]:
    desk = TenantDesk(tmp_path, keys.client_certificate.read_bytes())
    one = Line(desk)
    yield one
    one.graph.close()
    desk.close()
