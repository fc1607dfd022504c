"""Errors in the Calendar API's shape: `errors` with domain, reason and message, `code`, `message`; no `status`.

The bodies are those of Google's guide "Handle API errors" (calendar/api/guides/errors) where it has them.
"""

from __future__ import annotations

from typing import Any

from leakwatch.sandbox.google.errors import GoogleError, unauthenticated


class CalendarError(GoogleError):
    """An error of the Calendar API; `location` names the parameter at fault."""

    def __init__(
        self, status: int, message: str, reason: str, *, domain: str = "calendar", location: str | None = None
    ) -> None:
        super().__init__(status, message, reason, domain=domain)
        inner: dict[str, Any] = {"domain": domain, "reason": reason, "message": message}
        if location is not None:
            inner |= {"locationType": "parameter", "location": location}
        self.body = {"error": {"errors": [inner], "code": status, "message": message}}


def full_sync_required() -> CalendarError:
    """410: the sync token is expired, was invalidated or was never one."""
    text = "Sync token is no longer valid, a full sync is required."
    return CalendarError(410, text, "fullSyncRequired", location="syncToken")


def updated_min_too_long_ago() -> CalendarError:
    """410: `updatedMin` lies further back than deleted events are kept."""
    text = "The requested minimum modification time lies too far in the past."
    return CalendarError(410, text, "updatedMinTooLongAgo", location="updatedMin")


def sync_token_with_restrictions() -> CalendarError:
    """400: a parameter that may not stand beside a sync token (message and reason as users report them)."""
    text = "Sync token cannot be used with other request restrictions."
    return CalendarError(400, text, "syncTokenWithRequestRestrictions", location="syncToken")


def time_range_empty() -> CalendarError:
    """400: `timeMin` is not before `timeMax`."""
    return CalendarError(400, "The specified time range is empty.", "timeRangeEmpty", location="timeMax")


def ordering_not_available() -> CalendarError:
    """400: `orderBy=startTime` without `singleEvents=true`. The reason is *unverified*, the message reported."""
    text = "The requested ordering is not available for the particular query."
    return CalendarError(400, text, "orderingNotAvailable", location="orderBy")


def bad_request() -> CalendarError:
    """400 without a word why: what a timestamp without its offset gets."""
    return CalendarError(400, "Bad Request", "badRequest", domain="global")


def invalid_value(name: str, value: str, wanted: str) -> CalendarError:
    """400: a parameter that has no such value."""
    text = f"Invalid value '{value}'. Values must {wanted}"
    return CalendarError(400, text, "invalidParameter", domain="global", location=name)


def not_found() -> CalendarError:
    """404: no such calendar, or the user may not see it; no such event."""
    return CalendarError(404, "Not Found", "notFound", domain="global")


def not_a_calendar_user() -> CalendarError:
    """403: the Calendar service is switched off for the user."""
    return CalendarError(403, "The user must be signed up for Google Calendar.", "notACalendarUser")


def not_emulated(method: str) -> GoogleError:
    """501: a method that Google has and the sandbox does not play."""
    return GoogleError(501, f"The sandbox does not emulate calendar {method}.", "notEmulated", domain="sandbox")


def user_rate_limited(status: int) -> CalendarError:
    """403 or 429: more requests a minute than one user may make."""
    return CalendarError(status, "User Rate Limit Exceeded", "userRateLimitExceeded", domain="usageLimits")


def rate_limited(status: int) -> CalendarError:
    """403 or 429: more requests a minute than the project may make."""
    return CalendarError(status, "Rate Limit Exceeded", "rateLimitExceeded", domain="usageLimits")


def usage_limits_exceeded() -> CalendarError:
    """403: more requests a day than the project may make."""
    return CalendarError(403, "Calendar usage limits exceeded.", "quotaExceeded", domain="usageLimits")


def of_status(status: int) -> GoogleError:
    """The usual body of a status, for faults on demand; of 401 it is the one that all services share."""
    if status == 401:
        return unauthenticated()
    known = {
        400: bad_request(),
        403: user_rate_limited(403),
        404: not_found(),
        410: full_sync_required(),
        429: rate_limited(429),
        500: CalendarError(500, "Backend Error", "backendError", domain="global"),
    }
    return known.get(status) or CalendarError(status, "Backend Error", "backendError", domain="global")
