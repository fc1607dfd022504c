"""Google's refusals → leakwatch's errors, by what happens next. One classifier for every call and batch part."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson

from leakwatch.clients.retry import parse_retry_after
from leakwatch.errors import AuthError, CursorError, LeakwatchError, NotFoundError, RecordError, TransientError

# 403 and 429 with one of these mean "slow down"; any other 403 is about permission (Gmail API, "Resolve errors").
_SLOW_DOWN = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "concurrentLimitExceeded"})
_DAY_OVER = frozenset({"dailyLimitExceeded", "dailyLimitExceededUnreg"})
_DAILY_PAUSE = timedelta(hours=1)  # the quota day ends at midnight Pacific; ask again every hour
_REASONS = {
    "insufficientPermissions": "insufficient_permissions",
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": "insufficient_permissions",
    "accessNotConfigured": "api_not_enabled",
    "SERVICE_DISABLED": "api_not_enabled",
    "domainPolicy": "policy_enforced",
    "delegationDenied": "delegation_denied",
}
_ADVICE = {
    "insufficient_permissions": "Grant the scope to the service account's client id in the Google Admin console "
    "(Security > API controls > Domain-wide delegation).",
    "api_not_enabled": "Enable the Gmail API (and Admin SDK) in the service account's Google Cloud project.",
    "mail_service_not_enabled": "The user has no Gmail licence or the mailbox was never set up; give it one, or put "
    "the address into capture.exclude_mailboxes.",
    "policy_enforced": "A policy of the Workspace admin forbids it; allow the app there.",
    "unauthorized_client": "Add the service account's client id with the Gmail scope under Domain-wide delegation in "
    "the Google Admin console; it can take an hour to apply.",
    "invalid_grant": "The user does not exist or is suspended, the key was deleted, or this machine's clock is wrong.",
}
_MAX_WORDS = 300
_LONG_NUMBER = re.compile(r"\d{6,}")


class ProjectQuotaError(TransientError):
    """What is used up is the whole project's: asking for another mailbox would not help."""


def classify(status: int, headers: Mapping[str, str], body: bytes, *, what: str, now: datetime) -> LeakwatchError:
    """Return the error that an answer with `status` means. `what` names the call, without any address."""
    reason, words = _reason(body)
    said = f"Google answered {status} to {what}: {words[:_MAX_WORDS] or 'no explanation'}"
    wait = parse_retry_after(headers, body.decode("utf-8", "replace"), now=now)
    if status in (403, 429) and reason in _DAY_OVER:
        return ProjectQuotaError(f"{said}. The project's daily quota is used up.", retry_after=wait or _DAILY_PAUSE)
    if 300 <= status < 400:
        return TransientError(f"{said}. The redirect was not followed; is a proxy or login page in between?")
    if status in (408, 425, 429) or status >= 500 or (status == 403 and reason in _SLOW_DOWN):
        return TransientError(said, retry_after=wait)
    if not reason and not _is_googles(body):  # Google's APIs explain every refusal in JSON
        return TransientError(f"{said}. That is no answer of Google's; is a proxy or login page in between?")
    if status in (401, 403):
        short = "token_refused" if status == 401 else _REASONS.get(reason, _snake(reason) or "forbidden")
        return refusal(said, short)
    if status == 400 and reason in ("failedPrecondition", "FAILED_PRECONDITION"):
        enabled = "mail service not enabled" not in words.lower()
        return refusal(said, "precondition_failed" if enabled else "mail_service_not_enabled")
    if status == 404:
        return NotFoundError(said)
    if status == 410 or (status == 400 and "token" in words.lower()):
        return CursorError(said)
    return RecordError(said, code=reason or str(status))


def refusal(said: str, reason: str) -> AuthError:
    """Return an AuthError with what to do about `reason`."""
    advice = _ADVICE.get(reason, "Check the service account's rights in the Google Admin console.")
    return AuthError(f"{said.rstrip('.')} ({reason}). {advice}", reason=reason)


def _is_googles(body: bytes) -> bool:
    """Return whether an error body is one of Google's APIs: a JSON object with `error` in it."""
    try:
        parsed: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(parsed, dict) and "error" in parsed


def _reason(body: bytes) -> tuple[str, str]:
    """Return (reason, message) of an error body; empty strings if it is none."""
    try:
        parsed: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", ""
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if isinstance(error, str):  # token endpoint: RFC 6749 §5.2
        return error, str(parsed.get("error_description") or error)
    if not isinstance(error, dict):
        return "", ""
    words = _LONG_NUMBER.sub("#", str(error.get("message") or ""))
    inner = error.get("errors")
    if isinstance(inner, list) and inner and isinstance(inner[0], dict) and inner[0].get("reason"):
        return str(inner[0]["reason"]), words
    for detail in error.get("details") or ():
        if isinstance(detail, dict) and detail.get("reason"):
            return str(detail["reason"]), words
    return str(error.get("status") or ""), words


def _snake(reason: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", reason).lower()


def token_error(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> LeakwatchError:
    """Return the error that a refusal of the token endpoint means."""
    reason, words = _reason(body)
    said = f"Google's token endpoint answered {status}: {words[:_MAX_WORDS] or reason or 'no explanation'}"
    if status == 429 or status >= 500 or reason in ("slow_down", "temporarily_unavailable", "internal_failure"):
        return TransientError(said, retry_after=parse_retry_after(headers, now=now))
    if 300 <= status < 400 or not reason:
        return TransientError(f"{said}. Is a proxy or login page in between?")
    return refusal(said, reason)
