"""Google's error bodies, as its APIs send them.

The shapes are those of public reports (googleapis client issue threads of 2018 to 2026): an `error` object
with `code`, `message`, a list `errors` of `message/domain/reason`, and the canonical `status`. The token
endpoint has another shape: `error` and `error_description`.
"""

from __future__ import annotations

from typing import Any

ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"

#: HTTP status -> canonical code of google.rpc.Code
CANONICAL = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
}


class GoogleError(Exception):
    """An answer that is an error, with the body Google would send."""

    def __init__(
        self,
        status: int,
        message: str,
        reason: str,
        *,
        domain: str = "global",
        canonical: str | None = None,
        short: str | None = None,
        details: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        inner: dict[str, Any] = {"message": short or message, "domain": domain, "reason": reason}
        if reason == "authError":
            inner |= {"location": "Authorization", "locationType": "header"}
        error: dict[str, Any] = {"code": status, "message": message, "errors": [inner]}
        error["status"] = canonical or CANONICAL.get(status, "UNKNOWN")
        if details:
            error["details"] = details
        self.body: dict[str, Any] = {"error": error}


class TokenError(Exception):
    """A refusal of the token endpoint (RFC 6749 §5.2 shape)."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.status = status
        self.body = {"error": error, "error_description": description}


def unauthenticated() -> GoogleError:
    """401: no token, an unknown one or an expired one."""
    return GoogleError(
        401,
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other "
        "valid authentication credential. See https://developers.google.com/identity/sign-in/web/"
        "devconsole-project.",
        "authError",
        short="Invalid Credentials",
        headers={
            "WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"',
        },
    )


def insufficient_scope(service: str, method: str) -> GoogleError:
    """403: the token carries none of the scopes that the method accepts."""
    return GoogleError(
        403,
        "Request had insufficient authentication scopes.",
        "insufficientPermissions",
        short="Insufficient Permission",
        details=[
            {
                "@type": ERROR_INFO,
                "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                "domain": "googleapis.com",
                "metadata": {"service": service, "method": method},
            }
        ],
    )


def forbidden(message: str) -> GoogleError:
    """403 with reason `forbidden`."""
    return GoogleError(403, message, "forbidden")


def not_found(message: str = "Requested entity was not found.") -> GoogleError:
    """404: also the whole of what Gmail says about an expired startHistoryId."""
    return GoogleError(404, message, "notFound")


def invalid(message: str, reason: str = "invalidArgument") -> GoogleError:
    """400: a parameter that Google refuses."""
    return GoogleError(400, message, reason)


def mail_not_enabled() -> GoogleError:
    """400: the user has no Gmail licence or the mailbox was never set up."""
    return GoogleError(400, "Mail service not enabled", "failedPrecondition", canonical="FAILED_PRECONDITION")


def precondition_failed() -> GoogleError:
    """400: a service account's own token, without a delegated user, asks for a mailbox."""
    return GoogleError(400, "Precondition check failed.", "failedPrecondition", canonical="FAILED_PRECONDITION")


def too_many_concurrent() -> GoogleError:
    """429: more requests in flight for one user than Gmail allows."""
    return GoogleError(429, "Too many concurrent requests for user", "rateLimitExceeded")


def user_rate_limited(retry_at: str) -> GoogleError:
    """429 whose only hint is in the text (two blanks before `Retry`, as Gmail writes it)."""
    return GoogleError(429, f"User-rate limit exceeded.  Retry after {retry_at}", "rateLimitExceeded")


def quota_exceeded(reason: str = "rateLimitExceeded", project: str = "1029384756") -> GoogleError:
    """403 that means "slow down" and not "forbidden": only the reason tells."""
    return GoogleError(
        403,
        "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user' of service "
        f"'gmail.googleapis.com' for consumer 'project_number:{project}'.",
        reason,
        domain="usageLimits",
    )
