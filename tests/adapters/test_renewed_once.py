"""Many threads see their token refused at the same moment: one of them fetches a new one, the others use it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from leakwatch.clients.google import _DelegatedCredentials
from leakwatch.clients.retry import RetryPolicy
from leakwatch.clients.salesforce import Connection, SalesforceClient
from leakwatch.clock import SystemClock

THREADS = 50


def at_once(work: Callable[[], object]) -> None:
    """Let many threads begin `work` together, and end with what any of them raised."""
    gate = threading.Barrier(THREADS)

    def one() -> None:
        gate.wait(30)
        work()

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(one) for _ in range(THREADS)]:
            done.result(60)


class Watched(_DelegatedCredentials):
    """Tells when every thread has looked at its token: whoever is to renew it looks first which one was refused."""

    def __init__(self, *arguments: Any) -> None:
        self.all_looked = threading.Event()
        self._counting = threading.Lock()
        self._looked: set[int] = set()  # threads: the one that renews looks a second time
        self._kept: Any = None
        super().__init__(*arguments)

    @property
    def token(self) -> Any:
        kept = self._kept
        with self._counting:
            self._looked.add(threading.get_ident())
            if len(self._looked) >= THREADS:
                self.all_looked.set()
        return kept

    @token.setter
    def token(self, value: Any) -> None:
        self._kept = value


def test_one_token_is_minted_for_many_calls_of_a_mailbox_that_are_refused_together() -> None:
    minted: list[str] = []

    def mint(_request: Any, subject: str, _scopes: str) -> tuple[str, timedelta]:
        assert credentials.all_looked.wait(60)
        minted.append(subject)
        return f"token{len(minted)}", timedelta(hours=1)

    client: Any = SimpleNamespace(mint=mint, wall=SystemClock())
    credentials = Watched(client, "ann@ourco.com", ("scope",))
    at_once(lambda: credentials.refresh(None))
    assert minted == ["ann@ourco.com"]
    assert credentials.token == "token1"


def test_one_login_serves_many_calls_whose_session_is_refused_together() -> None:
    connection = Connection("https://login.example", None, "https://login.example", "app", "bot@ourco.com", "key")
    client = SalesforceClient(connection, wall=SystemClock(), retry=RetryPolicy(lambda _seconds: None))
    logins: list[int] = []
    client._login = lambda: logins.append(1)  # type: ignore[method-assign,return-value]
    at_once(lambda: client._refresh(0))
    assert logins == [1]
    assert client._generation == 1
