"""What Graph and Entra refuse → leakwatch's errors, by what happens next. One classifier for calls and batch parts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import orjson

from leakwatch.clients.retry import parse_retry_after
from leakwatch.errors import (
    AuthError,
    CursorError,
    LeakwatchError,
    NotFoundError,
    RecordError,
    TransientError,
)

# Codes by which a change token is refused; Graph writes them in either case (concepts/delta-query-overview, errors).
_FORGOTTEN = frozenset({"syncstatenotfound", "syncstateinvalid", "resyncrequired"})
_MAX_WORDS = 300
_POLICY = "access to odata is disabled"
_ADVICE = {
    "token_refused": "The token was not accepted twice: compare microsoft.cloud and microsoft.tenant_id with the app.",
    "insufficient_permissions": "Grant the application permission (Mail.ReadBasic.All or Mail.Read) with admin consent "
    "in Entra, or by RBAC for Applications in Exchange Online; it can take an hour to apply.",
    "policy_enforced": "An application access policy or a management scope of Exchange Online keeps the application "
    "out of this mailbox: add it there (changes take an hour or more), or name it in capture.exclude_mailboxes.",
    "mail_service_not_enabled": "The mailbox has no licence, was deleted, or is still on the company's own Exchange "
    "server; give it one, move it, or name it in capture.exclude_mailboxes.",
    "unknown_user": "Entra has no such user any more; the next sync reads the directory anew.",
    "invalid_client": "Entra does not accept the certificate or secret: it is wrong, expired, or not uploaded to this "
    "app registration. Correct microsoft.certificate_file or microsoft.client_secret.",
    "unauthorized_client": "Compare microsoft.client_id and microsoft.tenant_id with the app registration; it may be "
    "disabled, or not be in this tenant.",
    "unknown_tenant": "Compare microsoft.tenant_id and microsoft.cloud with the tenant.",
}


class PageTooBigError(LeakwatchError):
    """Graph could not make this page in time (504): a smaller one is to be asked for."""


def classify(status: int, headers: Mapping[str, str], body: bytes, *, what: str, now: datetime) -> LeakwatchError:
    """Return the error that an answer with `status` means. `what` names the call, without any address."""
    code, words = error_of(body)
    said = f"Microsoft Graph answered {status} to {what}: {words[:_MAX_WORDS] or code or 'no explanation'}"
    if status == 410 or (status == 400 and code.lower() in _FORGOTTEN):
        return CursorError(said)
    if 300 <= status < 400:
        return TransientError(f"{said}. The redirect was not followed; is a proxy or login page in between?")
    if status in (408, 425, 429) or status >= 500:
        return TransientError(said, retry_after=parse_retry_after(headers, now=now))
    if not code:  # Graph explains every refusal in JSON
        return TransientError(f"{said}. That is no answer of Graph's; is a proxy or login page in between?")
    if status == 401:
        return refusal(said, "token_refused")
    if status == 403:
        return refusal(said, "policy_enforced" if _POLICY in words.lower() else "insufficient_permissions")
    if code == "MailboxNotEnabledForRESTAPI":
        return refusal(said, "mail_service_not_enabled")
    if code in ("ErrorInvalidUser", "Request_ResourceNotFound"):
        return refusal(said, "unknown_user")
    if status == 404:
        return NotFoundError(said)
    return RecordError(said, code=code)


def token_error(found: Mapping[str, Any], status: int, headers: Mapping[str, str], *, now: datetime) -> LeakwatchError:
    """Return the error that a refusal of Entra's token endpoint means.

    Args:
        found: what msal handed on: `error`, `error_description`, `error_codes` (RFC 6749 §5.2 and AADSTS numbers).
        status: HTTP status of the last answer; 0 if there was none.
        headers: its headers.
        now: aware UTC.
    """
    error = str(found.get("error") or "")
    words = str(found.get("error_description") or error).partition(" Trace ID")[0]
    said = f"Entra answered {status or 'nothing'} to the request for a token: {words[:_MAX_WORDS] or 'no explanation'}"
    if status == 429 or status >= 500 or error == "temporarily_unavailable" or not error:
        return TransientError(said, retry_after=parse_retry_after(headers, now=now))
    codes = {str(one) for one in found.get("error_codes") or ()}
    return refusal(said, "unknown_tenant" if "90002" in codes else error)


def refusal(said: str, reason: str) -> AuthError:
    """Return an AuthError with what to do about `reason`."""
    advice = _ADVICE.get(reason, "Check the app registration in Entra (docs/microsoft.md).")
    return AuthError(f"{said.rstrip('.')} ({reason}). {advice}", reason=reason)


def error_of(body: bytes) -> tuple[str, str]:
    """Return (code, message) of an error body (concepts/errors); empty strings if it is none."""
    try:
        parsed: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", ""
    error: Any = cast(Mapping[str, Any], parsed).get("error") if isinstance(parsed, dict) else None
    if not isinstance(error, dict):
        return "", ""
    found = cast(Mapping[str, Any], error)
    return str(found.get("code") or ""), str(found.get("message") or "")
