"""The tenant's users as Entra keeps them, and whose mailbox an address means."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leakwatch.sandbox.clock import format_instant
from leakwatch.sandbox.microsoft.consent import TENANT_ID, guid
from leakwatch.sandbox.microsoft.store import Mailboxes

SCHEMA = "CREATE TABLE IF NOT EXISTS ms_user(id TEXT PRIMARY KEY, upn TEXT UNIQUE, mailbox TEXT, body TEXT);"

#: Where a user's mail is: in Exchange Online, still on the company's own Exchange, or nowhere (no licence).
PLACES = ("cloud", "on_premises", "none")

#: Office 365 E3 (licensing service plans reference).
SKU = "6fd2c87f-b296-42f0-b197-1e91e994b900"


@dataclass(frozen=True, slots=True)
class Person:
    """A user to be created."""

    address: str
    given_name: str
    surname: str
    aliases: tuple[str, ...] = ()
    upn: str | None = None
    """Name to sign in; None: the address."""
    title: str | None = None
    mailbox: str = "cloud"
    guest: bool = False
    time_zone: str = "UTC"
    language: str = "en-US"
    created: datetime | None = None


class Tenant:
    """Everybody of the tenant, kept with the mailboxes."""

    def __init__(self, mailboxes: Mailboxes) -> None:
        self.mailboxes = mailboxes
        self.store = mailboxes.store
        self.db = mailboxes.db
        self._index: dict[str, dict[str, Any]] | None = None
        self.store.define(SCHEMA)

    def forget(self) -> None:
        """Drop what is remembered of the file: it was written or restored."""
        self._index = None

    def put(self, person: Person) -> None:
        """Create or replace a user, with a mailbox where it is in the cloud."""
        body = _body(person)
        with self.store.writing():
            row = (body["id"], body["userPrincipalName"].lower(), person.mailbox, json.dumps(body, ensure_ascii=False))
            self.db.execute("INSERT OR REPLACE INTO ms_user VALUES (?, ?, ?, ?)", row)
            if person.mailbox == "cloud":
                self.mailboxes.open(person.address.lower())
        self.forget()

    def all(self) -> list[dict[str, Any]]:
        """Bodies of all users by their name to sign in; `mailbox` is where their mail is."""
        rows = self.db.execute("SELECT body, mailbox FROM ms_user ORDER BY upn")
        return [json.loads(body) | {"mailbox": mailbox} for body, mailbox in rows]

    def find(self, key: str) -> dict[str, Any] | None:
        """The user with this id or name to sign in; mail addresses do not count, as at Graph."""
        return self._found().get(key.lower())

    def by_address(self, address: str) -> dict[str, Any] | None:
        """The user whom a mail address belongs to."""
        return self._found().get(f"smtp:{address.lower()}")

    def _found(self) -> dict[str, dict[str, Any]]:
        if self._index is None:
            self._index = {
                name.lower(): body
                for body in self.all()
                for name in (body["id"], body["userPrincipalName"], *body["proxyAddresses"])
            }
        return self._index

    def mailbox_of(self, address: str) -> str | None:
        """The mailbox that mail to this address lands in: alias and plus tag resolved. Disabled users get mail too."""
        local, at, domain = address.lower().partition("@")
        for candidate in (address.lower(), f"{local.split('+', 1)[0]}{at}{domain}"):
            body = self.by_address(candidate)
            if body is not None:
                return str(body["mail"]).lower() if body["mailbox"] == "cloud" else None
        return None

    def change(self, address: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Set properties of a user, or `mailbox`; raises KeyError and ValueError."""
        body = self.by_address(address)
        if body is None:
            raise KeyError(address)
        unknown = sorted(set(changes) - set(body))
        if unknown or changes.get("mailbox", "cloud") not in PLACES:
            raise ValueError(f"not known of a user: {', '.join(unknown) or changes['mailbox']}")
        after = body | changes
        mailbox = after.pop("mailbox")
        if "mailbox" in changes:
            after["assignedLicenses"] = [{"disabledPlans": [], "skuId": SKU}] if mailbox == "cloud" else []
        with self.store.writing():
            row = (json.dumps(after, ensure_ascii=False), mailbox, body["id"])
            self.db.execute("UPDATE ms_user SET body = ?, mailbox = ? WHERE id = ?", row)
            if mailbox == "cloud":
                self.mailboxes.open(str(after["mail"]).lower())
        self.forget()
        return after | {"mailbox": mailbox}


def _body(person: Person) -> dict[str, Any]:
    address = person.address.lower()
    upn = (person.upn or person.address).lower()
    licensed = person.mailbox == "cloud" and not person.guest
    return {
        "id": guid("user", TENANT_ID, address),
        "accountEnabled": True,
        "businessPhones": [],
        "companyName": None,
        "createdDateTime": format_instant(person.created) if person.created else None,
        "department": None,
        "displayName": f"{person.given_name} {person.surname}".strip(),
        "employeeId": None,
        "givenName": person.given_name,
        "jobTitle": person.title,
        "mail": address,
        "mailNickname": address.partition("@")[0],
        "mobilePhone": None,
        "officeLocation": None,
        "onPremisesSyncEnabled": True if person.mailbox == "on_premises" else None,
        "otherMails": [],
        "preferredLanguage": person.language,
        "proxyAddresses": [f"SMTP:{address}", *(f"smtp:{alias.lower()}" for alias in person.aliases)],
        "assignedLicenses": [{"disabledPlans": [], "skuId": SKU}] if licensed else [],
        "surname": person.surname,
        "usageLocation": None,
        "userPrincipalName": upn,
        "userType": "Guest" if person.guest else "Member",
        "_time_zone": person.time_zone,
    }
