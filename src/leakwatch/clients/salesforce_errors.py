"""What Salesforce's refusals mean for us: classified by errorCode, never by HTTP status alone.

Sources: REST API Developer Guide, "Status Codes and Error Responses"; OAuth error bodies of the token endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from leakwatch.clients.retry import LONGEST_WAIT, parse_retry_after
from leakwatch.errors import (
    AuthError,
    BudgetError,
    ConfigError,
    CursorError,
    LeakwatchError,
    NotFoundError,
    RecordError,
    TransientError,
    UnknownOutcomeError,
)

UNAUTHORIZED, NOT_FOUND = 401, 404
TRANSIENT_STATUS = frozenset({406, 408, 420, 429, 500, 502, 503, 504})  # 420: Salesforce Edge
SESSION_REFUSED = "INVALID_SESSION_ID"
_AUTH_CODES = frozenset({"API_CURRENTLY_DISABLED", "API_DISABLED_FOR_ORG", "TXN_SECURITY_METERING_ERROR"})
_RETIRED = frozenset({"GONE", "UNSUPPORTED_API_VERSION"})  # what REST says, and what SOAP does
_TRANSIENT_CODES = frozenset(
    {"SERVER_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT", "UNKNOWN_EXCEPTION"}
)
_TOKEN_HINTS = {
    "user hasn't approved this consumer": "Permit the External Client App for the user of salesforce.username "
    "(permission set or profile), and check that name.",
    "user is not admin approved to access this app": "Assign a permission set or profile of the External Client App "
    "to the user of salesforce.username.",
    "External client app is not installed in this org": "Check that salesforce.login_url leads to the org that has the "
    "External Client App.",
    "invalid assertion": "Check that the app holds the certificate of salesforce.private_key_file.",
    "audience is invalid": "salesforce.audience must be https://login.salesforce.com or https://test.salesforce.com.",
    "client identifier invalid": "Check salesforce.client_id (the app's consumer key).",
    "user is locked": "Unlock the integration user in Setup.",
    "invalid_grant": "Check username, audience and this machine's clock, then run leakwatch doctor.",
}


def translate(
    status: int, body: Any, headers: Mapping[str, str], text: str, *, now: datetime, idempotent: bool
) -> LeakwatchError:
    """Return the error that a refusal stands for, by its errorCode; Retry-After dates count from `now` (aware)."""
    first = _first_error(body)
    code, message = (
        str(first.get("errorCode") or first.get("statusCode") or ""),
        str(first.get("message", "")) or f"HTTP {status}",
    )
    if code == SESSION_REFUSED or (status == UNAUTHORIZED and not code):
        return AuthError(f"the session was refused: {message}", reason=SESSION_REFUSED)
    if code == "REQUEST_LIMIT_EXCEEDED" and "TotalRequests" in message:
        return BudgetError(f"the org's API calls of the last 24 hours are used up: {message}")
    if code in _AUTH_CODES:
        return AuthError(f"{message} ({code})", reason=code)
    if code in _RETIRED:
        return ConfigError(f"salesforce.api_version: this org does not serve it any more ({message}); set a newer one")
    if code == "INVALID_QUERY_LOCATOR":
        return CursorError(message)
    if code in _TRANSIENT_CODES or status in TRANSIENT_STATUS:
        wait = parse_retry_after(headers, text, now=now)
        words = f"Salesforce answered {status} {code}: {message}" if code else f"Salesforce answered {status}"
        if wait is not None and wait > LONGEST_WAIT:
            words += f" and asks to be left alone for {round(wait / timedelta(minutes=1))} minutes"
        untouched = status in (420, 429) or code == "REQUEST_LIMIT_EXCEEDED"
        if idempotent or untouched:
            return TransientError(words, retry_after=wait)
        return UnknownOutcomeError(words, retry_after=wait)
    if code == "NOT_FOUND" or (status == NOT_FOUND and not code):
        return NotFoundError(message)
    return RecordError(message, code=code or str(status), fields=tuple(first.get("fields") or ()))


def token_refused(answer: Mapping[str, Any], status: int) -> AuthError:
    """Return the error for a refusal by the token endpoint, with what to do about it."""
    error, words = str(answer.get("error", status)), str(answer.get("error_description", ""))
    hint = _TOKEN_HINTS.get(words, _TOKEN_HINTS.get(error, "Run leakwatch doctor."))
    return AuthError(
        f"Salesforce refused the integration user: {error}: {words}. Nothing was read or written. {hint}", reason=error
    )


def lost(message: str, idempotent: bool) -> TransientError:
    """Return the error for an answer that did not arrive: harmless to repeat, or of unknown outcome."""
    return TransientError(message) if idempotent else UnknownOutcomeError(message)


def _first_error(body: Any) -> Mapping[str, Any]:
    """Return the first error of a refusal; an action (`actions/...`) tells it inside the result of an input."""
    found: Any = body[0] if isinstance(body, list) and body else body
    first = cast(Mapping[str, Any], found) if isinstance(found, Mapping) else {}
    inner = first.get("errors")
    if "errorCode" not in first and isinstance(inner, list) and inner and isinstance(inner[0], Mapping):
        return cast(Mapping[str, Any], inner[0])
    return first
