"""Google Calendar, read: page-sized calls that return Google's own JSON as dicts.

The token of an incremental sync holds only for calls with the very parameters of the first one (Calendar API, "Get
updates efficiently"), so what is listed is fixed here and not left to the caller.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from leakwatch.clients.google import CALENDAR_SCOPE, GoogleClient
from leakwatch.clients.google_services import service
from leakwatch.errors import CursorError, RecordError

PROVIDER = "google_calendar"
PRIMARY = "primary"  # the calendar of whom the token stands for
PAGE_SIZE = 2_500  # the most that events.list and events.instances give at once; 250 if it is not said


class CalendarClient:
    """The primary calendars of people on the roster, through one service account.

    Args:
        client: the transport.
        fields: the event's fields to ask for (partial response); none else is sent over the wire.
    """

    def __init__(self, client: GoogleClient, *, fields: str) -> None:
        self._client = client
        self._events = service("calendar", "v3", f"{client.connection.calendar_url.rstrip('/')}/calendar/v3/").events()
        self._fields = f"items({fields}),nextPageToken,nextSyncToken"

    def changes(self, subject: str, *, sync_token: str | None, page_token: str | None = None) -> dict[str, Any]:
        """Return one page of events.list: everything, or what changed since `sync_token`; masters, not occurrences.

        Raises:
            CursorError: the sync token is too old (410 fullSyncRequired), or a token is not taken.
        """
        options: dict[str, Any] = {"singleEvents": False, "showDeleted": True}
        if sync_token is not None:
            options["syncToken"] = sync_token
        if page_token is not None:
            options["pageToken"] = page_token
        try:
            return self._list(subject, **options)
        except RecordError as error:
            if sync_token is None and page_token is None:
                raise
            raise CursorError(f"the place in the calendar is no longer known ({error})") from error

    def between(self, subject: str, start: datetime, end: datetime, *, page_token: str | None = None) -> dict[str, Any]:
        """Return one page of the occurrences and single events that touch the time from `start` to `end`."""
        options: dict[str, Any] = {"singleEvents": True, "showDeleted": False, **_window(start, end)}
        if page_token is not None:
            options["pageToken"] = page_token
        return self._list(subject, **options)

    def instances(
        self, subject: str, event_id: str, start: datetime, end: datetime, *, page_token: str | None = None
    ) -> dict[str, Any]:
        """Return one page of a series' occurrences that touch the time from `start` to `end`, cancelled ones too.

        Raises:
            NotFoundError: the series is gone.
        """
        options: dict[str, Any] = {"eventId": event_id, "showDeleted": True, **_window(start, end)}
        if page_token is not None:
            options["pageToken"] = page_token
        request = self._events.instances(
            calendarId=PRIMARY, maxResults=PAGE_SIZE, fields=self._fields.removesuffix(",nextSyncToken"), **options
        )
        return self._json(subject, request, "events.instances")

    def _list(self, subject: str, **options: Any) -> dict[str, Any]:
        request = self._events.list(calendarId=PRIMARY, maxResults=PAGE_SIZE, fields=self._fields, **options)
        return self._json(subject, request, "events.list")

    def _json(self, subject: str, request: Any, operation: str) -> dict[str, Any]:
        return self._client.json(
            subject, (CALENDAR_SCOPE,), f"{request.uri}&prettyPrint=false", provider=PROVIDER, operation=operation
        )


def _window(start: datetime, end: datetime) -> dict[str, str]:
    return {"timeMin": _stamp(start), "timeMax": _stamp(end)}


def _stamp(moment: datetime) -> str:
    """Return `moment` as RFC 3339 with its offset, which the API demands."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
