"""Counting what clients ask of the sandbox: calls per service and endpoint."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_VERSION = re.compile(r"/v\d+\.\d+")
_RECORD_ID = re.compile(r"(?<=/)[0-9a-zA-Z]{3}[0-9a-zA-Z]{9}[0-9a-zA-Z]{3}(?:[0-9A-Z]{3})?(?=[/?.]|$)")
_LOCATOR = re.compile(r"(?<=/query/)[^/?]+|(?<=/queryAll/)[^/?]+")
_EXTERNAL = re.compile(r"(/sobjects/[^/]+/[^/]+__c)/[^/?]+")


def salesforce_endpoint(method: str, path: str) -> str:
    """`POST /services/data/v{n}/composite/sobjects`: the path without versions, ids and locators."""
    short = _VERSION.sub("/v{n}", path)
    short = _LOCATOR.sub("{locator}", short)
    short = _EXTERNAL.sub(r"\1/{value}", short)
    return f"{method} {_RECORD_ID.sub('{id}', short)}"


@dataclass(slots=True)
class Ledger:
    """Counters by service; requests are what went over the wire, parts what a Google batch held."""

    requests: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    methods: Counter[str] = field(default_factory=Counter[str])
    faults: Counter[str] = field(default_factory=Counter[str])

    def request(self, service: str, endpoint: str) -> None:
        """Count one HTTP request."""
        self.requests.setdefault(service, Counter()).update([endpoint])

    def method(self, name: str) -> None:
        """Count one Google API method, alone or inside a batch."""
        self.methods.update([name])

    def fault(self, service: str, what: str) -> None:
        """Count one fault played."""
        self.faults.update([f"{service} {what}"])

    def as_json(self) -> dict[str, Any]:
        """All counters."""
        return {
            "requests": {service: dict(sorted(counts.items())) for service, counts in self.requests.items()},
            "totals": {service: counts.total() for service, counts in self.requests.items()},
            "google_methods": dict(sorted(self.methods.items())),
            "faults": dict(sorted(self.faults.items())),
        }

    def reset(self) -> None:
        """Start counting again."""
        self.requests.clear()
        self.methods.clear()
        self.faults.clear()
