"""Access tokens: the JWT bearer flow and the sessions it opens.

Tokens live by wall time, as the clients' auth libraries do, and are forgotten when the sandbox restarts.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

if TYPE_CHECKING:
    from leakwatch.sandbox.org.facade import Org

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MAX_AHEAD_SECONDS = 300
LOGIN_AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")


class TokenError(Exception):
    """A refusal of the token endpoint, which has a shape of its own."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.status = status
        self.body = {"error": error, "error_description": description}


@dataclass(frozen=True, slots=True)
class Session:
    """Who a token speaks for."""

    token: str
    user_id: str
    app: str
    """The consumer key of the connected app that it was opened for."""
    issued: float
    expires: float


class Sessions:
    """The open sessions of one org."""

    def __init__(self, org: Org, wall_clock: Callable[[], float] = time.time) -> None:
        self._org = org
        self._lock = threading.Lock()
        self._open: dict[str, Session] = {}
        self.wall_clock = wall_clock

    def jwt_bearer(self, assertion: str, audiences: tuple[str, ...]) -> Session:
        """Open a session for a signed assertion (RFC 7523; texts as clients report them)."""
        try:
            claimed: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
            header = jwt.get_unverified_header(assertion)
        except jwt.PyJWTError:
            raise TokenError("invalid_grant", "invalid assertion") from None
        app = self._org.store.execute(
            "SELECT key, usernames FROM _app WHERE client_id = ?", (str(claimed.get("iss")),)
        ).fetchone()
        if app is None:
            raise TokenError("invalid_client_id", "client identifier invalid")
        self._verify(assertion, header, _public_key(app["key"]))
        audience = claimed.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        if not any(str(one).rstrip("/") in audiences for one in named):
            raise TokenError("invalid_grant", "audience is invalid")
        self._check_times(claimed)
        allowed = json.loads(app["usernames"])
        return self._for_user(str(claimed.get("sub") or ""), allowed, str(claimed.get("iss")))

    def _verify(self, assertion: str, header: dict[str, Any], key: RSAPublicKey) -> None:
        if header.get("alg") != "RS256":
            raise TokenError("invalid_grant", "invalid assertion")
        try:
            jwt.decode(
                assertion,
                key,
                algorithms=["RS256"],
                options={"verify_exp": False, "verify_aud": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            raise TokenError("invalid_grant", "invalid assertion") from None

    def _check_times(self, claimed: dict[str, Any]) -> None:
        """`exp` by wall time, at most five minutes ahead (three are said elsewhere: unverified)."""
        try:
            expires = float(claimed["exp"])
        except (KeyError, TypeError, ValueError):
            raise TokenError("invalid_grant", "invalid assertion") from None
        now = self.wall_clock()
        if expires <= now or expires > now + MAX_AHEAD_SECONDS + 1:
            raise TokenError("invalid_grant", "invalid assertion")

    def _for_user(self, username: str, allowed: list[str], app: str) -> Session:
        org = self._org
        found = org.store.find("User", org.schema.objects["User"].fields["Username"], username) if username else []
        if not found or username.casefold() not in allowed:
            raise TokenError("invalid_grant", "user hasn't approved this consumer")
        if not found[0]["IsActive"]:
            # the text for a deactivated user is unverified
            raise TokenError("invalid_grant", "inactive user")
        return self.open(str(found[0]["Id"]), app)

    def open(self, user_id: str, app: str = "") -> Session:
        """A new session for a user of a connected app."""
        now = self.wall_clock()
        token = f"{self._org.settings.org_id[:15]}!{secrets.token_urlsafe(60)}"
        session = Session(token, user_id, app, now, now + self._org.settings.session_seconds)
        with self._lock:
            self._open[token] = session
        return session

    def find(self, token: str) -> Session | None:
        """The living session of a token."""
        with self._lock:
            session = self._open.get(token)
        return session if session is not None and session.expires > self.wall_clock() else None

    def expire(self, token: str) -> None:
        """Close one session."""
        with self._lock:
            self._open.pop(token, None)

    def expire_all(self) -> None:
        """Close every session."""
        with self._lock:
            self._open.clear()


def _public_key(pem: str) -> RSAPublicKey:
    raw = pem.encode()
    key = load_pem_x509_certificate(raw).public_key() if b"BEGIN CERTIFICATE" in raw else load_pem_public_key(raw)
    if not isinstance(key, RSAPublicKey):
        raise TokenError("invalid_grant", "invalid assertion")
    return key
