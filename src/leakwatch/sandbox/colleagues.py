"""Everybody with a calendar here, whoever keeps it: accounts at Google, users of the Microsoft tenant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from leakwatch.sandbox.google.directory import Directory
from leakwatch.sandbox.microsoft.tenant import Tenant


class Roster(Protocol):
    """What meetings must know of people."""

    def find(self, key: str) -> dict[str, Any] | None:
        """Who has this address or alias: `primaryEmail`, and whether he is `suspended`; None for a stranger."""
        ...

    def all(self) -> list[dict[str, Any]]:
        """Everybody, in the same words."""
        ...


@dataclass(frozen=True, slots=True)
class Colleagues:
    """Both directories."""

    google: Directory
    microsoft: Tenant

    def find(self, key: str) -> dict[str, Any] | None:
        """Who has this address: an account of Google's, or a user of the tenant in the same words, with `exchange`."""
        account = self.google.find(key)
        if account is not None:
            return account
        user = self.microsoft.by_address(key)
        return None if user is None else _person(user)

    def all(self) -> list[dict[str, Any]]:
        """Google's accounts, then the tenant's users."""
        return [*self.google.all(), *(_person(user) for user in self.microsoft.all())]


def _person(user: dict[str, Any]) -> dict[str, Any]:
    return {"primaryEmail": str(user["mail"]).lower(), "suspended": user["mailbox"] != "cloud", "exchange": True}
