"""The token endpoint of Google: a service account's JWT for an access token. In wall time.

Access tokens are sealed (HMAC) instead of stored, so restarting the sandbox loses none.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt

from leakwatch.sandbox.clock import wall_seconds
from leakwatch.sandbox.google.directory import Directory
from leakwatch.sandbox.google.errors import TokenError, unauthenticated

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"

#: google-auth signs this audience whatever the key file's token_uri says.
GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"

#: "The expiration time of the assertion ... maximum of 1 hour after the issued time."
ASSERTION_LIFE = 3600

#: Clocks may differ by this much (seconds); Google documents no figure, its error speaks of "reasonable".
SKEW = 300

#: Google's answer says 3599.
TOKEN_LIFE = 3599


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token allows: as whom, and which scopes."""

    subject: str | None
    scopes: frozenset[str]


@dataclass(slots=True)
class ServiceAccount:
    """The one service account of the sandbox's project."""

    email: str
    client_id: str
    public_key: str
    scopes: frozenset[str]
    """The scopes that the Workspace admin delegated domain-wide."""


class TokenOffice:
    """Mints and reads access tokens."""

    def __init__(
        self,
        account: ServiceAccount,
        directory: Directory,
        secret: bytes,
        *,
        audiences: Callable[[], set[str]],
        wall: Callable[[], float] = wall_seconds,
    ) -> None:
        self.account = account
        self.directory = directory
        self.audiences = audiences
        self.wall = wall
        self.minted: dict[str, int] = {}
        self.not_before = 0.0
        self._secret = secret

    def exchange(self, form: dict[str, str]) -> dict[str, Any]:
        """Answer `POST /token`."""
        if form.get("grant_type") != GRANT:
            name = form.get("grant_type", "")
            raise TokenError(400, "unsupported_grant_type", f"Invalid grant_type: {name}")
        assertion = form.get("assertion", "")
        if not assertion:
            raise TokenError(400, "invalid_request", "Missing required parameter: assertion")
        claims = self._verified(assertion)
        scopes = frozenset(str(claims.get("scope", "")).split())
        if not scopes:
            raise TokenError(400, "invalid_scope", "Empty or missing scope not allowed.")
        subject = self._subject(claims, scopes)
        self.minted[subject or self.account.email] = self.minted.get(subject or self.account.email, 0) + 1
        return {
            "access_token": self.seal(Grant(subject, scopes)),
            "expires_in": TOKEN_LIFE,
            "token_type": "Bearer",
        }

    def _verified(self, assertion: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                assertion,
                self.account.public_key,
                algorithms=["RS256"],
                options={"verify_exp": False, "verify_iat": False, "verify_aud": False, "verify_nbf": False},
            )
        except jwt.InvalidSignatureError as error:
            raise TokenError(400, "invalid_grant", "Invalid JWT Signature.") from error
        except jwt.PyJWTError as error:
            raise TokenError(400, "invalid_grant", "Invalid JWT: Failed to parse the assertion.") from error
        if claims.get("iss") != self.account.email:
            raise TokenError(400, "invalid_grant", "Invalid grant: account not found")
        audience = claims.get("aud")
        if audience != GOOGLE_AUDIENCE and audience not in self.audiences():
            raise TokenError(400, "invalid_grant", "Invalid JWT: Audience is not the token endpoint.")
        self._check_times(claims)
        return claims

    def _check_times(self, claims: dict[str, Any]) -> None:
        now = self.wall()
        try:
            issued, expires = float(claims["iat"]), float(claims["exp"])
        except (KeyError, TypeError, ValueError):
            issued, expires = 0.0, 0.0
        too_long = expires - issued > ASSERTION_LIFE
        if too_long or expires < now - SKEW or not now - ASSERTION_LIFE - SKEW <= issued <= now + SKEW:
            raise TokenError(
                400,
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
                "Check your iat and exp values in the JWT claim.",
            )

    def _subject(self, claims: dict[str, Any], scopes: frozenset[str]) -> str | None:
        wanted = claims.get("sub")
        if wanted is None or wanted == self.account.email:
            return None
        body = self.directory.find(str(wanted))
        if body is None:
            raise TokenError(400, "invalid_grant", "Invalid email or User ID")
        if not scopes <= self.account.scopes:
            raise TokenError(
                401,
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, or client not "
                "authorized for any of the scopes requested.",
            )
        if body["suspended"]:
            raise TokenError(400, "invalid_grant", "Account disabled")
        return str(body["primaryEmail"])

    def seal(self, grant: Grant) -> str:
        """An access token for this grant."""
        now = self.wall()
        body = {"s": grant.subject, "c": sorted(grant.scopes), "i": now, "e": now + TOKEN_LIFE}
        text = base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")
        return f"ya29.{text}.{self._mac(text)}"

    def _mac(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()[:32]

    def open(self, header: str) -> Grant:
        """Read an Authorization header; 401 for what was never minted, expired or was withdrawn."""
        scheme, _, token = header.partition(" ")
        pieces = token.strip().split(".")
        if scheme.lower() != "bearer" or len(pieces) != 3 or pieces[0] != "ya29":
            raise unauthenticated()
        if not hmac.compare_digest(self._mac(pieces[1]).encode(), pieces[2].encode()):
            raise unauthenticated()
        body = json.loads(base64.urlsafe_b64decode(pieces[1] + "=" * (-len(pieces[1]) % 4)))
        if body["e"] <= self.wall() or body["i"] < self.not_before:
            raise unauthenticated()
        subject = body["s"]
        account = self.directory.find(subject) if subject else None
        if subject and (account is None or account["suspended"]):
            raise unauthenticated()
        return Grant(subject, frozenset(body["c"]))

    def expire_all(self) -> None:
        """Refuse every token minted so far."""
        self.not_before = self.wall()
