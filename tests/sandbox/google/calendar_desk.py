"""Google's own Python client speaking to the emulated Calendar in this process, without a socket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
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
from leakwatch.sandbox.google.post import PostOffice
from leakwatch.sandbox.google.pubsub import PubSub
from leakwatch.sandbox.google.pubsub_service import PubSubService
from leakwatch.sandbox.google.quota import Quota, QuotaSettings
from leakwatch.sandbox.google.service import GoogleService
from leakwatch.sandbox.google.store import MailStore
from leakwatch.sandbox.google.tokens import Grant, ServiceAccount, TokenOffice
from leakwatch.sandbox.google.watch import Watches

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
SCOPE = "https://www.googleapis.com/auth/calendar.events.readonly"
WIDE = "https://www.googleapis.com/auth/calendar.readonly"
METADATA = "https://www.googleapis.com/auth/gmail.metadata"
PUBSUB = "https://www.googleapis.com/auth/pubsub"
ANN, BOB, EVE = "ann@acme.example", "bob@acme.example", "eve@acme.example"
CUSTOMER = "zeynep@musteri.example"
PROJECT, ROBOT = "acme-crm", "robot@acme-crm.iam.gserviceaccount.com"


@cache
def _document(name: str) -> dict[str, Any]:
    """The discovery document that ships with Google's client."""
    folder = Path(discovery.__file__).parent / "discovery_cache" / "documents"
    return {**orjson.loads((folder / f"{name}.v1.json").read_bytes()), "rootUrl": "https://google.invalid/"}


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
        account = ServiceAccount(ROBOT, "1", "", frozenset({SCOPE, WIDE}))
        self.tokens = TokenOffice(account, self.directory, b"secret", audiences=set)
        self.quota = Quota(QuotaSettings.profile("off"))
        self.post = PostOffice(self.mail, self.directory)
        self.pubsub = PubSub(self.mail, wall=lambda: self.now)
        self.watches = Watches(self.mail, self.pubsub, PROJECT, now=lambda: self.now)
        push = PubSubService(self.pubsub, PROJECT, ROBOT, self.calls.append)
        self.google = GoogleService(
            self.directory, Gmail(self.mail), self.calendar, self.tokens, self.quota, "C", [], self.watches, push
        )
        self.empty_page = False
        self._services: dict[tuple[str, str | None, tuple[str, ...]], Any] = {}

    def api(self, user: str | None = ANN, *scopes: str) -> Any:
        """The official client, as a delegated user."""
        http = _Wire(self, self.tokens.seal(Grant(user, frozenset(scopes or (SCOPE, WIDE)))))
        options = {"api_endpoint": "https://google.invalid/calendar/v3/"}
        return discovery.build("calendar", "v3", http=http, client_options=options)

    def gmail(self, user: str | None = ANN, *scopes: str) -> Any:
        """Google's client of Gmail, as a delegated user with the scope gmail.metadata."""
        return self._service("gmail", user, scopes or (METADATA,))

    def pubsub_api(self, user: str | None = None, *scopes: str) -> Any:
        """Google's client of Pub/Sub, as the service account itself."""
        return self._service("pubsub", user, scopes or (PUBSUB,)).projects()

    def _service(self, name: str, user: str | None, scopes: tuple[str, ...]) -> Any:
        key = (name, user, scopes)
        if key not in self._services:  # building one takes longer than all that a test does with it
            http = _Wire(self, self.tokens.seal(Grant(user, frozenset(scopes))))
            self._services[key] = discovery.build_from_document(_document(name), http=http)
        return self._services[key]

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
        sent = body.encode() if isinstance(body, str) else body or b""
        bearer = f"Bearer {self.token}"
        reply = self.desk.google.answer(method, target, bearer, empty_page=self.desk.empty_page, sent=sent)
        self.desk.empty_page = False
        head = {"status": str(reply.status), "content-type": "application/json; charset=UTF-8"} | reply.headers
        return httplib2.Response(head), orjson.dumps(reply.body)
