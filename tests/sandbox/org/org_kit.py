"""What the org's tests share: a clock, a small company's ids, a logged-in client."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.rest import build_app

with warnings.catch_warnings():  # it announces another HTTP library for its future
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

NOW = datetime(2026, 3, 2, 9, 0, 30, 250_000, tzinfo=UTC)
PROJECT_FIELD = """<?xml version="1.0" encoding="UTF-8"?>
<CustomField xmlns="http://soap.sforce.com/2006/04/metadata">
    <fullName>Leakwatch_Key__c</fullName>
    <caseSensitive>true</caseSensitive>
    <externalId>true</externalId>
    <label>Leakwatch Key</label>
    <length>64</length>
    <required>false</required>
    <type>Text</type>
    <unique>true</unique>
</CustomField>
"""


@dataclass
class Clock:
    """Business time that moves when told."""

    moment: datetime = NOW

    def now(self) -> datetime:
        return self.moment

    def advance(self, **step: float) -> None:
        self.moment += timedelta(**step)


@dataclass
class Company:
    """A small company, by name."""

    rep: str
    manager: str
    leaver: str
    queue: str
    account: str
    other_account: str
    contact: str
    colleague: str
    lead: str
    converted: str
    deal: str


class Api:
    """A logged-in REST client over the application itself."""

    root = "/services/data/v66.0"

    def __init__(self, org: Org, user_id: str) -> None:
        self.org = org
        self.http = TestClient(build_app(org, instance_url="https://org.example"), raise_server_exceptions=True)
        self.user_id = user_id
        self.login()

    def login(self) -> None:
        self.http.headers["Authorization"] = f"Bearer {self.org.sessions.open(self.user_id).token}"

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        return self.http.request(method, f"{self.root}/{path}", json=body, **more)

    def get(self, path: str, **params: Any) -> Any:
        return self.call("GET", path, params=params or None)

    def query(self, soql: str, *, resource: str = "query", **headers: str) -> Any:
        return self.call("GET", resource, params={"q": soql}, headers=headers)
