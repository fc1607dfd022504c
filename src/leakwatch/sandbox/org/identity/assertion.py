"""The assertion of the JWT bearer flow (RFC 7523; help, "OAuth 2.0 JWT Bearer Flow"), checked.

Texts are those that clients report; what was wrong with an assertion beyond its audience is not told.
"""

from __future__ import annotations

from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from leakwatch.sandbox.org.identity.apps import App, Apps
from leakwatch.sandbox.org.identity.book import Book
from leakwatch.sandbox.org.identity.errors import invalid_assertion, invalid_grant

#: A second for clocks that are cut to whole seconds.
_ROUNDING = 1


def read(assertion: str, apps: Apps, audiences: tuple[str, ...]) -> tuple[App, dict[str, Any]]:
    """The app that signed an assertion, and its claims; signature and audience are right, times unchecked."""
    try:
        claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
        header = jwt.get_unverified_header(assertion)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise invalid_assertion() from None
    app = apps.known(str(claims.get("iss")))
    if header.get("alg") != "RS256":
        raise invalid_assertion()
    try:
        jwt.decode(
            assertion,
            _public_key(app.certificate),
            algorithms=["RS256"],
            options={
                "verify_exp": False, "verify_aud": False, "verify_nbf": False, "verify_iat": False,
                "verify_jti": False, "verify_sub": False, "verify_iss": False,
            },
        )  # fmt: skip
    except jwt.PyJWTError:
        raise invalid_assertion() from None
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if not any(str(one).rstrip("/") in audiences for one in named):
        raise invalid_grant("audience is invalid")
    return app, claims


def check_times(claims: dict[str, Any], now: float, *, most_ahead: float) -> None:
    """Refuse what has expired, expires too far ahead (seconds), or is not good yet.

    `exp` may be text, as simple-salesforce writes it. How far ahead it may lie is said to be three minutes and
    taken to be five (a setting; unverified). `nbf` is checked without leeway (unverified).
    """
    expires = _seconds(claims.get("exp"))
    if expires <= now or expires > now + most_ahead + _ROUNDING:
        raise invalid_assertion()
    if claims.get("nbf") is not None and _seconds(claims["nbf"]) > now + _ROUNDING:
        raise invalid_assertion()


def use_once(claims: dict[str, Any], app: App, book: Book, now: float) -> None:
    """Refuse a `jti` that came before: optional, but good once where it is given (same page of the help)."""
    name = claims.get("jti")
    if name is None:
        return
    if not isinstance(name, str):
        raise invalid_assertion()
    with book.lock:
        book.run("DELETE FROM assertion WHERE until <= ?", (now,))
        if book.run("SELECT 1 FROM assertion WHERE app = ? AND jti = ?", (app.client_id, name)):
            raise invalid_assertion()
        book.run("INSERT INTO assertion VALUES (?, ?, ?)", (app.client_id, name, _seconds(claims["exp"])))


def _seconds(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise invalid_assertion() from None


def _public_key(pem: str) -> RSAPublicKey:
    raw = pem.encode()
    try:
        key = load_pem_x509_certificate(raw).public_key() if b"BEGIN CERTIFICATE" in raw else load_pem_public_key(raw)
    except ValueError:  # an app without a certificate
        raise invalid_assertion() from None
    if not isinstance(key, RSAPublicKey):
        raise invalid_assertion()
    return key
