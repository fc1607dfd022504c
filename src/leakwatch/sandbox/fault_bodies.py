"""What Google and Microsoft answer with a status, in the shape of the API that was called: for faults."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import orjson

from leakwatch.sandbox.clock import wall_seconds
from leakwatch.sandbox.google import calendar_errors, errors, pubsub_errors
from leakwatch.sandbox.google.calendar_service import ROOT as CALENDAR_ROOT
from leakwatch.sandbox.google.pubsub_service import ROOT as PUBSUB_ROOT
from leakwatch.sandbox.microsoft import errors as graph_errors


def microsoft_answer(
    status: int, retry_after: float | None, call: str, headers: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    """The usual answer of Graph or, for its paths, of Entra's token endpoint."""
    request_id, now = str(uuid.uuid4()), wall_seconds()
    if "/oauth2/" in call or "openid-configuration" in call:
        text = "A transient error has occurred. Please try again."
        refused = graph_errors.TokenError(status, "temporarily_unavailable", 90033, text)
        wait = {} if retry_after is None else {"Retry-After": str(round(retry_after))}
        return status, headers | wait, orjson.dumps(refused.body(now, request_id, request_id))
    error = graph_errors.of_status(status, retry_after)
    ids = {"request-id": request_id, "client-request-id": request_id}
    return status, ids | error.headers | headers, orjson.dumps(error.body(now, request_id, request_id))


def google_error(status: int, retry_after: float | None, call: str = "") -> errors.GoogleError:
    """Google's usual body for a status, in the shape of the API that was called."""
    if f" {CALENDAR_ROOT}" in call:
        return calendar_errors.of_status(status)
    if f" {PUBSUB_ROOT}" in call:
        return pubsub_errors.of_status(status)
    if status == 401:
        return errors.unauthenticated()
    if status == 403:
        return errors.quota_exceeded("userRateLimitExceeded")
    if status == 429:
        moment = datetime.fromtimestamp(wall_seconds(), UTC) + timedelta(seconds=retry_after or 1)
        text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return errors.user_rate_limited(text)
    if status == 404:
        return errors.not_found()
    if status == 503:
        return errors.GoogleError(503, "The service is currently unavailable.", "backendError")
    return errors.GoogleError(status, "Internal error encountered.", "backendError")
