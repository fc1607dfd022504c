from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leakwatch.sandbox.keys import Keys
from sandbox.microsoft.tenant_desk import TenantDesk


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """One set of keys for all tests: making RSA keys is what costs."""
    made = Keys(tmp_path_factory.mktemp("keys"))
    made.ensure()
    return made


@pytest.fixture
def desk(tmp_path: Path, keys: Keys) -> Iterator[TenantDesk]:
    one = TenantDesk(tmp_path, keys.client_certificate.read_bytes())
    yield one
    one.close()
