"""Refresh tokens with rotation: each is good once, and using an old one again ends the whole family.

That a used token which comes back revokes the tokens made from it is how Salesforce's help describes rotation
("Manage OAuth Access Policies", refresh token rotation); that there is no time of grace is unverified.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from leakwatch.sandbox.org.identity.book import Book
from leakwatch.sandbox.org.identity.errors import EXPIRED_TOKEN, invalid_grant
from leakwatch.sandbox.org.identity.sessions import Sessions

_PREFIX = "5Aep861"  # what refresh tokens of the real service begin with


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """One token; `state` is active, used or revoked."""

    token: str
    family: str
    user_id: str
    app: str
    scope: str
    issued: float
    state: str


class RefreshTokens:
    """All refresh tokens of the org, used and revoked ones too."""

    def __init__(self, book: Book, sessions: Sessions) -> None:
        self._book = book
        self._sessions = sessions

    def issue(self, user_id: str, app: str, scope: str, *, family: str = "") -> RefreshToken:
        """A new token; without a family it founds one."""
        token = f"{_PREFIX}{secrets.token_urlsafe(48)}"
        values = (token, family or secrets.token_hex(6), user_id, app, scope, self._sessions.wall_clock(), "active")
        self._book.run("INSERT INTO refresh VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        return RefreshToken(*values)

    def find(self, token: str) -> RefreshToken | None:
        """The token, whatever its state."""
        rows = self._book.run("SELECT * FROM refresh WHERE token = ?", (token,))
        return RefreshToken(**dict(rows[0])) if rows else None

    def take(self, token: str, app: str) -> RefreshToken:
        """An active token of an app; a used one revokes its family, and all others are refused alike."""
        found = self.find(token)
        if found is None or found.app != app:
            raise invalid_grant(EXPIRED_TOKEN)
        if found.state == "used":
            self.revoke_family(found.family)
        if found.state != "active":
            raise invalid_grant(EXPIRED_TOKEN)
        return found

    def rotate(self, token: RefreshToken) -> RefreshToken:
        """The token's successor; the token itself is used up."""
        with self._book.lock:
            self._book.run("UPDATE refresh SET state = 'used' WHERE token = ?", (token.token,))
            return self.issue(token.user_id, token.app, token.scope, family=token.family)

    def revoke_family(self, family: str) -> None:
        """End every token of a family, and the sessions opened with them."""
        with self._book.lock:
            self._book.run("UPDATE refresh SET state = 'revoked' WHERE family = ?", (family,))
            self._sessions.close(lambda one: one.family == family)

    def expire_all(self, user_id: str | None = None) -> None:
        """End every active token, or those of one user; their sessions go on, as when a policy lets tokens lapse."""
        whose, values = ("", ()) if user_id is None else (" AND user_id = ?", (user_id,))
        self._book.run(f"UPDATE refresh SET state = 'revoked' WHERE state = 'active'{whose}", values)

    def as_json(self) -> list[dict[str, Any]]:
        """Every family with the number of its tokens by state."""
        rows = self._book.run(
            "SELECT family, user_id, app, scope, SUM(state = 'active') AS active, SUM(state = 'used') AS used, "
            "SUM(state = 'revoked') AS revoked FROM refresh GROUP BY family ORDER BY MIN(issued)"
        )
        return [dict(row) for row in rows]
