"""The tenant's application: credentials, what an admin consented to, and which mailboxes it may see."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from leakwatch.sandbox.google.store import MailStore

#: The tenant and the application of every sandbox; Entra gives GUIDs.
TENANT_ID = "5a7d0b0e-3c1f-4e52-9c1a-6f2f7d9b4c10"
CLIENT_ID = "c2f0a6a4-8f0d-4d0b-a9f4-1e6b7d3c5a20"
OBJECT_ID = "0b8f7c1d-5a42-4a3e-8d57-93c1b6e4f830"

#: What an admin consents to for leakwatch: mail, calendars, Teams and the directory, reading only.
DEFAULT_ROLES = (
    "User.Read.All", "Mail.Read", "MailboxSettings.Read", "Calendars.Read", "CallRecords.Read.All",
    "OnlineMeetings.Read.All", "OnlineMeetingArtifact.Read.All", "Chat.Read.All",
)  # fmt: skip

SCHEMA = "CREATE TABLE IF NOT EXISTS ms_application(id TEXT PRIMARY KEY, body TEXT);"


@dataclass(slots=True)
class Application:
    """One app registration with its service principal."""

    app_id: str = CLIENT_ID
    name: str = "leakwatch"
    roles: list[str] = field(default_factory=lambda: list(DEFAULT_ROLES))
    """Application permissions with admin consent: they come with each new token, not with one that is out."""
    enabled: bool = True
    secret_expired: bool = False
    certificate_registered: bool = True
    denied_mailboxes: list[str] = field(default_factory=list[str])
    """Addresses that an application access policy keeps it out of."""
    only_mailboxes: list[str] | None = None
    """Addresses that such a policy lets it into, if it restricts to some (New-ApplicationAccessPolicy)."""
    exchange_roles: dict[str, list[str] | None] = field(default_factory=dict[str, list[str] | None])
    """RBAC for Applications: permissions that no token shows, each with the addresses in its scope (null: all)."""
    meeting_organisers: list[str] | None = None
    """Addresses of those whose online meetings a policy of Teams lets it see (null: everybody's, `-Global`)."""

    def allowed_into(self, mailbox: str) -> bool:
        """Whether no application access policy forbids this mailbox."""
        return mailbox not in self.denied_mailboxes and (self.only_mailboxes is None or mailbox in self.only_mailboxes)

    def scoped_roles(self, mailbox: str) -> frozenset[str]:
        """What Exchange itself grants for this mailbox."""
        return frozenset(
            role for role, scope in self.exchange_roles.items() if scope is None or mailbox in scope
        )  # fmt: skip


class Consent:
    """The one application, kept with the mailboxes."""

    def __init__(self, store: MailStore, secret: str, certificate: bytes) -> None:
        """`certificate` is PEM; `secret` the client secret that is good."""
        self.store = store
        self.secret = secret
        found = x509.load_pem_x509_certificate(certificate)
        self.public_key: Any = found.public_key()
        self.thumbprints = {"x5t": found.fingerprint(hashes.SHA1()), "x5t#S256": found.fingerprint(hashes.SHA256())}  # noqa: S303 - Entra's own name of a key
        store.define(SCHEMA)

    @property
    def application(self) -> Application:
        """The application as it stands."""
        row = self.store.db.execute("SELECT body FROM ms_application WHERE id = ?", (CLIENT_ID,)).fetchone()
        return Application(**json.loads(row[0])) if row else Application()

    def change(self, changes: dict[str, Any]) -> Application:
        """Set some of it anew; raises ValueError for what an application has not."""
        known = asdict(self.application)
        unknown = sorted(set(changes) - set(known) | set(changes) & {"app_id"})
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: not known of an application; known: {', '.join(known)}")
        body = known | changes
        with self.store.writing():
            row = (CLIENT_ID, json.dumps(body))
            self.store.db.execute("INSERT OR REPLACE INTO ms_application VALUES (?, ?)", row)
        return Application(**body)


def guid(*parts: str) -> str:
    """A GUID that follows from names, so that the same world has the same ids."""
    digits = hashlib.sha256("\x00".join(parts).encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"
