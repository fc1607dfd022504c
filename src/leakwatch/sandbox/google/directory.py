"""The Directory API: who works here, under which addresses; `/admin/directory/v1/users...`."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leakwatch.sandbox.clock import format_instant
from leakwatch.sandbox.google.errors import GoogleError, invalid
from leakwatch.sandbox.google.store import MailStore

SCOPE_USER = frozenset(
    {
        "https://www.googleapis.com/auth/admin.directory.user",
        "https://www.googleapis.com/auth/admin.directory.user.readonly",
    }
)
SCOPE_ALIAS = SCOPE_USER | {
    "https://www.googleapis.com/auth/admin.directory.user.alias",
    "https://www.googleapis.com/auth/admin.directory.user.alias.readonly",
}

#: users.list: default and maximum page size (discovery document admin.directory_v1)
DEFAULT_PAGE, MAX_PAGE = 100, 500


@dataclass(frozen=True, slots=True)
class Account:
    """One Workspace user as the world describes it."""

    address: str
    given_name: str
    family_name: str
    aliases: tuple[str, ...] = ()
    non_editable_aliases: tuple[str, ...] = ()
    admin: bool = False
    suspended: bool = False
    gmail: bool = True
    created: datetime | None = None


class Directory:
    """The accounts of one customer, kept beside the mailboxes."""

    def __init__(self, store: MailStore) -> None:
        self.store = store
        self._index: dict[str, dict[str, Any]] | None = None

    def forget(self) -> None:
        """Drop what is remembered of the file: it was written or restored."""
        self._index = None

    def put(self, account: Account, *, customer: str) -> None:
        """Create or replace an account and open its mailbox where it has one."""
        body = _body(account, customer)
        with self.store.writing():
            self.store.db.execute(
                "INSERT INTO account VALUES (?, ?) ON CONFLICT(address) DO UPDATE SET body = excluded.body",
                (account.address, json.dumps(body, ensure_ascii=False)),
            )
            if account.gmail:
                self.store.open_mailbox(account.address)
        self.forget()

    def all(self) -> list[dict[str, Any]]:
        """All accounts, by address."""
        rows = self.store.db.execute("SELECT body FROM account ORDER BY address")
        return [json.loads(row[0]) for row in rows]

    def find(self, key: str) -> dict[str, Any] | None:
        """The account with this address, alias or id."""
        if self._index is None:
            self._index = {
                name: body
                for body in self.all()
                for name in (
                    body["primaryEmail"], body["id"], *body["aliases"], *body["nonEditableAliases"]
                )
            }  # fmt: skip
        return self._index.get(key.lower())

    def mailbox_of(self, address: str) -> str | None:
        """The mailbox that mail to this address lands in: alias and plus tag resolved."""
        local, at, domain = address.lower().partition("@")
        for candidate in (address.lower(), f"{local.split('+', 1)[0]}{at}{domain}"):
            body = self.find(candidate)
            if body is not None:
                mailbox = str(body["primaryEmail"])
                return mailbox if body["isMailboxSetup"] and not body["suspended"] else None
        return None

    def suspend(self, address: str, *, suspended: bool) -> None:
        """Suspend an account or let it back in."""
        body = self.find(address)
        if body is None:
            raise KeyError(address)
        body["suspended"] = suspended
        body.pop("suspensionReason", None)
        if suspended:
            body["suspensionReason"] = "ADMIN"
        with self.store.writing():
            self.store.db.execute(
                "UPDATE account SET body = ? WHERE address = ?",
                (json.dumps(body, ensure_ascii=False), body["primaryEmail"]),
            )
        self.forget()

    # -- the API -----------------------------------------------------------------------------------

    def list_users(self, query: dict[str, str], *, customer: str, domains: list[str]) -> dict[str, Any]:
        """users.list by customer or by domain."""
        if query.get("customer") not in {None, "my_customer", customer}:
            raise invalid("Invalid Input: customer", "invalid")
        domain = query.get("domain")
        if domain is None and query.get("customer") is None:
            raise GoogleError(400, "Bad Request", "badRequest")
        if domain is not None and domain not in domains:
            raise GoogleError(404, "Domain not found.", "notFound")
        people = [_public(body) for body in self.all() if _matches(body, query.get("query", ""))]
        if domain is not None:
            people = [body for body in people if body["primaryEmail"].endswith(f"@{domain}")]
        if query.get("showDeleted") == "true":
            people = []
        people.sort(key=_order(query.get("orderBy")), reverse=query.get("sortOrder") == "DESCENDING")
        size = page_size(query.get("maxResults"), DEFAULT_PAGE, MAX_PAGE)
        start = read_token(query.get("pageToken"))
        page = people[start : start + size]
        answer: dict[str, Any] = {"kind": "admin#directory#users", "etag": _etag(page)}
        if page:
            answer["users"] = page
        if start + size < len(people):
            answer["nextPageToken"] = write_token(start + size)
        return answer

    def get_user(self, key: str) -> dict[str, Any]:
        """users.get by address, alias or id."""
        body = self.find(key)
        if body is None:
            raise GoogleError(404, "Resource Not Found: userKey", "notFound")
        return _public(body)

    def list_aliases(self, key: str) -> dict[str, Any]:
        """users.aliases.list: only the editable ones, as the API does."""
        body = self.get_user(key)
        aliases = [
            {
                "kind": "admin#directory#alias",
                "id": body["id"],
                "etag": _etag([body["id"], alias]),
                "alias": alias,
                "primaryEmail": body["primaryEmail"],
            }
            for alias in body.get("aliases", [])
        ]
        answer: dict[str, Any] = {"kind": "admin#directory#aliases", "etag": _etag(aliases)}
        return answer | ({"aliases": aliases} if aliases else {})


def _body(account: Account, customer: str) -> dict[str, Any]:
    digest = hashlib.blake2b(account.address.encode(), digest_size=8).digest()
    number = 100_000_000_000_000_000_000 + int.from_bytes(digest) % 10**20  # 21 digits, as Google's ids have
    emails: list[dict[str, Any]] = [{"address": account.address, "primary": True}]
    emails += [{"address": alias} for alias in (*account.aliases, *account.non_editable_aliases)]
    body: dict[str, Any] = {
        "kind": "admin#directory#user",
        "id": str(number),
        "etag": _etag([account.address]),
        "primaryEmail": account.address,
        "name": {
            "givenName": account.given_name,
            "familyName": account.family_name,
            "fullName": f"{account.given_name} {account.family_name}".strip(),
        },
        "isAdmin": account.admin,
        "isDelegatedAdmin": False,
        "creationTime": format_instant(account.created)[:19] + ".000Z" if account.created else None,
        "agreedToTerms": True,
        "suspended": account.suspended,
        "archived": False,
        "changePasswordAtNextLogin": False,
        "ipWhitelisted": False,
        "emails": emails,
        "aliases": list(account.aliases),
        "nonEditableAliases": list(account.non_editable_aliases),
        "customerId": customer,
        "orgUnitPath": "/",
        "isMailboxSetup": account.gmail,
        "isEnrolledIn2Sv": True,
        "isEnforcedIn2Sv": False,
        "includeInGlobalAddressList": True,
    }
    if account.suspended:
        body["suspensionReason"] = "ADMIN"
    return body


def _public(body: dict[str, Any]) -> dict[str, Any]:
    """Leave out what Google leaves out when it is empty."""
    return {key: value for key, value in body.items() if value is not None and value != []}


def _etag(value: object) -> str:
    digest = hashlib.blake2b(json.dumps(value, default=str).encode(), digest_size=12).digest()
    return f'"{base64.urlsafe_b64encode(digest).decode().rstrip("=")}"'


def _order(by: str | None) -> Any:
    fields = {"familyName": ("familyName", "givenName"), "givenName": ("givenName", "familyName")}
    names = fields.get(by or "", ())
    return lambda body: ([body["name"][name].casefold() for name in names], body["primaryEmail"])


def _matches(body: dict[str, Any], query: str) -> bool:
    """The part of the users.list query language that is played: isSuspended, isAdmin, email."""
    for clause in query.split():
        match = re.fullmatch(r"(\w+)([=:])'?([^']*)'?", clause)
        if match is None or match.group(1) not in {"isSuspended", "isAdmin", "email", "orgUnitPath"}:
            raise invalid("Invalid Input: query", "invalid")
        name, operator, value = match.groups()
        if name in {"isSuspended", "isAdmin"}:
            key = {"isSuspended": "suspended", "isAdmin": "isAdmin"}[name]
            if str(body[key]).lower() != value.lower():
                return False
        elif name == "orgUnitPath":
            if body["orgUnitPath"] != value:
                return False
        elif operator == ":" and value.endswith("*"):
            if not body["primaryEmail"].startswith(value[:-1].lower()):
                return False
        elif body["primaryEmail"] != value.lower():
            return False
    return True


def page_size(text: str | None, default: int, most: int) -> int:
    """maxResults: the default without it, the service's maximum above it, 400 for what is no number."""
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,9}", text):
        raise invalid(f"Invalid value at 'max_results' (TYPE_UINT32), \"{text}\"")
    return min(int(text) or default, most)


def write_token(position: int | str) -> str:
    """An opaque page token."""
    return base64.urlsafe_b64encode(f"p:{position}".encode()).decode().rstrip("=")


def read_text_token(token: str) -> str:
    """What `write_token` wrote; 400 for anything else."""
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (ValueError, UnicodeDecodeError) as error:
        raise invalid("Invalid pageToken") from error
    if not text.startswith("p:"):
        raise invalid("Invalid pageToken")
    return text[2:]


def read_token(token: str | None) -> int:
    """A position; 0 without a token."""
    if not token:
        return 0
    text = read_text_token(token)
    if not text.isdigit():
        raise invalid("Invalid pageToken")
    return int(text)
