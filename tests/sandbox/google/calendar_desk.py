"""Google's own Python client speaking to the emulated Calendar in this process, without a socket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httplib2
import orjson
from googleapiclient import discovery

from leakwatch.sandbox.clock import VirtualClock
from leakwatch.sandbox.google.calendar import Calendar
from leakwatch.sandbox.google.calendar_quota import CalendarQuota
from leakwatch.sandbox.google.calendar_service import CalendarService
from leakwatch.sandbox.google.calendar_store import CalendarStore
from leakwatch.sandbox.google.directory import Account, Directory
from leakwatch.sandbox.google.gmail import Gmail
from leakwatch.sandbox.google.meetings import Meetings
from leakwatch.sandbox.google.quota import Quota, QuotaSettings
from leakwatch.sandbox.google.service import GoogleService
from leakwatch.sandbox.google.store import MailStore
from leakwatch.sandbox.google.tokens import Grant, ServiceAccount, TokenOffice

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
SCOPE = "https://www.googleapis.com/auth/calendar.events.readonly"
WIDE = "https://www.googleapis.com/auth/calendar.readonly"
ANN, BOB, EVE = "ann@acme.example", "bob@acme.example", "eve@acme.example"
CUSTOMER = "zeynep@musteri.example"


class Desk:
    """A company of three with calendars in Istanbul, and its clock."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(None, START)
        self.mail = MailStore(folder / "google.sqlite", self.clock)
        self.directory = Directory(self.mail)
        for address in (ANN, BOB, EVE):
            name = address.partition("@")[0].capitalize()
            self.directory.put(
                Account(address, name, "Acme", aliases=(f"{name[0].lower()}@acme.example",)), customer="C"
            )
        self.store = CalendarStore(self.mail, "Europe/Istanbul")
        self.meetings = Meetings(self.store, self.directory)
        self.calls: list[str] = []
        self.now = 0.0
        quota = CalendarQuota(now=lambda: self.now)
        self.calendar = CalendarService(Calendar(self.store, self.directory), quota, self.calls.append)
        account = ServiceAccount("robot@project", "1", "", frozenset({SCOPE, WIDE}))
        self.tokens = TokenOffice(account, self.directory, b"secret", audiences=set)
        off = Quota(QuotaSettings.profile("off"))
        self.google = GoogleService(self.directory, Gmail(self.mail), self.calendar, self.tokens, off, "C", [])
        self.empty_page = False

    def api(self, user: str | None = ANN, *scopes: str) -> Any:
        """The official client, as a delegated user."""
        http = _Wire(self, self.tokens.seal(Grant(user, frozenset(scopes or (SCOPE, WIDE)))))
        options = {"api_endpoint": "https://google.invalid/calendar/v3/"}
        return discovery.build("calendar", "v3", http=http, client_options=options)

    def events(self, user: str = ANN, **query: Any) -> list[dict[str, Any]]:
        """All pages of a list."""
        return self.sync(user, **query)[0]

    def sync(self, user: str = ANN, **query: Any) -> tuple[list[dict[str, Any]], str | None]:
        """All pages of a list, and the sync token of the last one."""
        events = self.api(user).events()
        request = events.list(calendarId="primary", **query)
        found: list[dict[str, Any]] = []
        while True:
            answer = request.execute()
            found += answer["items"]
            following = events.list_next(request, answer)
            if following is None:
                return found, answer.get("nextSyncToken")
            assert "nextSyncToken" not in answer
            request = following

    def meet(self, start: str = "2026-03-10T10:00:00+03:00", minutes: int = 60, **more: Any) -> str:
        """A new meeting of Ann's; returns its id."""
        end = (datetime.fromisoformat(start) + timedelta(minutes=minutes)).isoformat()
        body = {"organizer": ANN, "summary": "Görüşme", "start": {"dateTime": start}, "end": {"dateTime": end}}
        return str(self.meetings.create(body | more)["id"])

    def pass_time(self, **step: float) -> None:
        """Move the clock."""
        self.clock.advance(timedelta(**step))


class _Wire:
    """What the client takes for httplib2."""

    def __init__(self, desk: Desk, token: str) -> None:
        self.desk = desk
        self.token = token

    def request(self, uri: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any) -> Any:
        parts = urlsplit(uri)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        reply = self.desk.google.answer(method, target, f"Bearer {self.token}", empty_page=self.desk.empty_page)
        self.desk.empty_page = False
        head = {"status": str(reply.status), "content-type": "application/json; charset=UTF-8"} | reply.headers
        return httplib2.Response(head), orjson.dumps(reply.body)
