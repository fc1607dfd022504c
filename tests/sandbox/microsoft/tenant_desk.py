"""An emulated tenant of three in this process, without a socket: requests go straight to Graph's service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from leakwatch.sandbox.clock import VirtualClock
from leakwatch.sandbox.colleagues import Colleagues
from leakwatch.sandbox.google.calendar_store import CalendarStore
from leakwatch.sandbox.google.directory import Directory
from leakwatch.sandbox.google.meetings import Meetings
from leakwatch.sandbox.google.post import Letter
from leakwatch.sandbox.google.store import MailStore
from leakwatch.sandbox.microsoft import batch, ids
from leakwatch.sandbox.microsoft.app import no_fault
from leakwatch.sandbox.microsoft.call import GraphRequest, Reply
from leakwatch.sandbox.microsoft.consent import CLIENT_ID, Consent
from leakwatch.sandbox.microsoft.exchange import Exchange
from leakwatch.sandbox.microsoft.limits import Limits
from leakwatch.sandbox.microsoft.service import build
from leakwatch.sandbox.microsoft.store import Mailboxes
from leakwatch.sandbox.microsoft.tenant import Person, Tenant
from leakwatch.sandbox.world import letters
from leakwatch.sandbox.world.model import World

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ANN, BOB, OLD = "ann@acme.example", "bob@acme.example", "old@acme.example"
ZOE = "Zoe Outside <zoe@customer.example>"
SECRET = "the-right-secret"
ORIGIN = "https://graph.test"
IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}


class TenantDesk:
    """Ann and Bob have mailboxes in the cloud, Old's is still on the company's own server."""

    def __init__(self, folder: Path, certificate: bytes) -> None:
        self.clock = VirtualClock(None, START)
        self.file = MailStore(folder / "mail.sqlite", self.clock)
        self.mailboxes = Mailboxes(self.file)
        self.tenant = Tenant(self.mailboxes)
        for address, place in ((ANN, "cloud"), (BOB, "cloud"), (OLD, "on_premises")):
            name = address.partition("@")[0]
            person = Person(address, name.capitalize(), "Acme", (f"{name[0]}@acme.example",), mailbox=place)
            self.tenant.put(person)
        self.exchange = Exchange(self.mailboxes, self.tenant)
        self.google = Directory(self.file)
        self.meetings = Meetings(CalendarStore(self.file, "Europe/Istanbul"), Colleagues(self.google, self.tenant))
        self.now = 1_800_000_000.0
        self.consent = Consent(self.file, SECRET, certificate)
        self.calls: list[str] = []
        self.graph = build(
            self.exchange, consent=self.consent, domains=["acme.example"], key=b"key", limits=Limits(),
            calendars=self.meetings.store, counted=self.calls.append, wall=lambda: self.now,
        )  # fmt: skip
        self.graph.throttle.now = lambda: self.now
        self.bearer = self.token()
        self.number = 0

    def close(self) -> None:
        self.file.close()

    # -- asking ------------------------------------------------------------------------------------

    def token(self, **changes: Any) -> str:
        """An Authorization header, after changes of the application."""
        if changes:
            self.consent.change(changes)
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": SECRET}
        form["scope"] = "https://graph.microsoft.com/.default"
        return "Bearer " + self.graph.entra.exchange("acme.example", form, ORIGIN)["access_token"]

    def ask(self, target: str, method: str = "GET", body: Any = None, behaviour: str = "", **headers: str) -> Reply:
        """One request to Graph; `target` from behind `/v1.0`, or a link that Graph gave."""
        if target.startswith("https://"):
            parts = urlsplit(target)
            assert f"{parts.scheme}://{parts.netloc}" == ORIGIN
            target = f"{parts.path}?{parts.query}"
        else:
            target = "/v1.0" + quote(target, safe="/?&=$()'@:,%;")
        given = {"authorization": self.bearer} | {name.lower().replace("_", "-"): v for name, v in headers.items()}
        data = b"" if body is None else json.dumps(body).encode()
        return self.graph.answer(GraphRequest(method, target, given, data, ORIGIN, behaviour))

    def get(self, target: str, **headers: str) -> dict[str, Any]:
        """The body of an answer that must be a good one."""
        reply = self.ask(target, **headers)
        assert reply.status == 200, reply.body
        return reply.body

    def refused(self, target: str, **headers: str) -> tuple[int, str]:
        """Status and code of an answer that must be an error."""
        reply = self.ask(target, **headers)
        return reply.status, reply.body["error"]["code"]

    def pages(self, target: str, **headers: str) -> Iterator[dict[str, Any]]:
        """Page after page, until there is no nextLink."""
        link: str | None = target
        while link:
            page = self.get(link, **headers)
            yield page
            link = page.get("@odata.nextLink")

    def round(self, target: str, **headers: str) -> tuple[list[dict[str, Any]], str]:
        """All that a round of change tracking gives, and its deltaLink."""
        found: list[dict[str, Any]] = []
        link = ""
        for page in self.pages(target, **headers):
            found += page["value"]
            link = page.get("@odata.deltaLink", "")
        return found, link

    def batch(self, requests: list[dict[str, Any]], part_fault: Any = no_fault) -> Reply:
        """A `$batch`, as the application answers it."""
        body = json.dumps({"requests": requests}).encode()
        outer = GraphRequest("POST", "/v1.0/$batch", {"authorization": self.bearer}, body, ORIGIN)

        async def no_pause() -> None:
            return None

        return asyncio.run(batch.play(self.graph, outer, part_fault, no_pause))

    # -- what happens ------------------------------------------------------------------------------

    def mail(self, sender: str = ZOE, to: str = ANN, subject: str = "Hello", **rest: Any) -> dict[str, str]:
        """A mail arrives now, a minute after the last one; the number of its copy by mailbox."""
        self.number += 1
        at = self.clock.advance(timedelta(minutes=1))
        mail = {"id": f"m{self.number}", "at": at.isoformat(), "from": sender, "to": [to], "subject": subject}
        return self.exchange.deliver(self.letter(mail | {"text": f"This is {subject}."} | rest), at)

    def letter(self, mail: dict[str, Any]) -> Letter:
        """A letter of a world's mail."""
        return letters.build(mail, _World())

    def id_of(self, number: str, mailbox: str = ANN, *, immutable: bool = True) -> str:
        """The id that Graph shows of a message now."""
        item = self.mailboxes.get(mailbox, int(number))
        assert item is not None
        guid = self.mailboxes.guid(mailbox)
        return ids.immutable_id(guid, item.id) if immutable else ids.mutable_id(guid, item.folder, item.place)


class _World(World):
    """As much of a world as making letters needs."""

    def __init__(self) -> None:
        super().__init__(
            "w", 1, START, 1, "06:00", {"time_zone": "Europe/Istanbul", "domains": ["acme.example"]},
            [], [], {}, [], [], {}, {}, [], [], [], {},
        )  # fmt: skip
