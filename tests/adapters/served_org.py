"""An org of the sandbox on a port of this process, and leakwatch's own Salesforce side talking to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from leakwatch.clients.retry import RetryPolicy
from leakwatch.clients.salesforce import Connection, SalesforceClient
from leakwatch.model import KEY_FIELD, Verb, WriteOp
from leakwatch.salesforce.reader import SalesforceReader
from leakwatch.salesforce.writer import SalesforceWriter
from leakwatch.sandbox.fault_play import FaultMiddleware
from leakwatch.sandbox.faults import FaultBook, Rule
from leakwatch.sandbox.keys import Keys
from leakwatch.sandbox.ledger import Ledger
from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.rest import build_app
from leakwatch.sandbox.org.settings import OrgSettings
from leakwatch.sandbox.wire import drop_connection, https_server, listen
from leakwatch.store.database import metadata, open_engine
from leakwatch.store.write_log import SqlWriteLog

PROJECT = Path(__file__).parents[2] / "salesforce"
NINE = datetime(2026, 3, 2, 9, 0, 30, tzinfo=UTC)
CLIENT_ID, USERNAME = "3MVG9consumer", "integration@acme.example"
DEALS = 240  # more than one page of 200


class BusinessClock:
    """The org's time, which moves when told."""

    def __init__(self) -> None:
        self.moment = NINE

    def now(self) -> datetime:
        return self.moment

    def advance(self, **step: float) -> None:
        self.moment += timedelta(**step)


class HastyClock:
    """The machine's time; waiting takes none of it and is written down."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic() + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class ServedOrg:
    """The org with its fault book, and ids of who and what there is."""

    def __init__(self, folder: Path, settings: OrgSettings | None = None) -> None:
        self.folder = folder
        self.clock = BusinessClock()
        self.org = Org(folder / "org", self.clock, settings=settings)
        self.org.deploy(PROJECT)
        self.book, self.ledger = FaultBook(), Ledger()
        self.org.trouble.ask = self._ask
        self.keys = Keys(folder)
        self.keys.ensure()
        self._people()
        self.org.settings.page_size = 200
        self.org.save(folder / "fresh")

    def _ask(self, point: str, text: str) -> Rule | None:
        rule = self.book.take_at(point, text)
        if rule is not None:
            self.ledger.fault("salesforce", rule.do)
        return rule

    def _people(self) -> None:
        self.bot, self.rep = self.org.new_id("User"), self.org.new_id("User")
        for record_id, name in ((self.bot, "integration"), (self.rep, "rep")):
            user = {"LastName": name, "Username": f"{name}@acme.example", "Email": f"{name}@acme.example"}
            self.org.seed("User", [{"Id": record_id, "Alias": name[:8], "IsActive": True, **user}])
        self.account, self.contact = self.org.new_id("Account"), self.org.new_id("Contact")
        self.org.seed("Account", [{"Id": self.account, "Name": "Acme", "OwnerId": self.rep}])
        person = {"LastName": "Adams", "Email": "eve@acme.com", "AccountId": self.account, "OwnerId": self.rep}
        self.org.seed("Contact", [{"Id": self.contact, **person}])
        self.deals = [self.org.new_id("Opportunity") for _ in range(DEALS)]
        deal = {"StageName": "Prospecting", "CloseDate": "2026-05-01", "AccountId": self.account, "OwnerId": self.rep}
        self.org.seed("Opportunity", [{"Id": one, "Name": f"D{one}", "Amount": 100, **deal} for one in self.deals])
        self.org.register_app(CLIENT_ID, self.keys.client_certificate.read_text(), [USERNAME])

    def refresh(self) -> None:
        """As at first: rows, settings, clock; no faults."""
        self.book.clear(7)
        self.ledger.reset()
        self.clock.moment = NINE
        self.org.restore(self.folder / "fresh")
        self.org.sessions.expire_all()

    def fault(self, **rule: Any) -> None:
        """Let something go wrong."""
        self.book.add(Rule.from_json({"service": "salesforce", **rule}))

    @contextmanager
    def settings(self, **changes: Any) -> Iterator[None]:
        """The org set up otherwise for a while."""
        before = {name: getattr(self.org.settings, name) for name in changes}
        self.org.change_settings(changes)
        try:
            yield
        finally:
            self.org.change_settings(before)

    @contextmanager
    def served(self) -> Iterator[None]:
        """Listen."""
        listener = listen(0)
        self.url = f"https://localhost:{listener.getsockname()[1]}"
        app = build_app(self.org, instance_url=self.url, login_hosts=[self.url])
        server = https_server(
            FaultMiddleware(app, "salesforce", self.book, self.ledger, drop_connection), self.keys.server
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.should_exit = server.force_exit = True
            thread.join(10)
            self.org.close()


class Leakwatch:
    """One leakwatch's client, reader and writer, with a write log in a file of its own."""

    def __init__(self, served: ServedOrg, folder: Path, **options: Any) -> None:
        self.wall = HastyClock()
        connection = Connection(
            login_url=served.url,
            instance_url=served.url,
            audience=served.url,
            client_id=CLIENT_ID,
            username=USERNAME,
            private_key=served.keys.client_key.read_text(),
            ca_bundle=served.keys.ca,
            read_timeout_s=options.pop("read_timeout_s", 5.0),
            call_timeout_s=options.pop("call_timeout_s", 60.0),
        )
        self.client = SalesforceClient(connection, wall=self.wall, retry=RetryPolicy(self.wall.sleep))
        self.reader = SalesforceReader(self.client)
        self.engine = open_engine(folder / "state.db", durable=False)
        metadata.create_all(self.engine)
        self.log = SqlWriteLog(self.engine)
        self.writer = SalesforceWriter(self.client, self.reader, self.log, clock=self.wall, **options)

    def close(self) -> None:
        """Let go."""
        self.client.close()
        self.engine.dispose()


def mail(served: ServedOrg, number: int, **fields: Any) -> WriteOp:
    """The write that logs a mail."""
    key = f"lw1:m:{number:040d}"
    values = {
        "Subject": f"mail {number}",
        "MessageDate": NINE,
        "Incoming": True,
        "Status": "3",
        "FromAddress": "eve@acme.com",
        "ToIds": [served.contact],
        "RelatedToId": served.deals[number % DEALS],
    }
    return WriteOp(
        f"{key}|insert", "EmailMessage", Verb.INSERT, key, values | fields, "test", account_id=served.account
    )


def task(served: ServedOrg, number: int, **fields: Any) -> WriteOp:
    """The write that makes a Task for a finding."""
    key = f"lw1:f:{number:040d}"
    values = {"Subject": f"task {number}", "WhatId": served.deals[number], "OwnerId": served.rep, **fields}
    return WriteOp(f"{key}|insert", "Task", Verb.INSERT, key, values, "test")


def post(served: ServedOrg, number: int) -> WriteOp:
    """The write that posts to a deal's feed."""
    values = {"subjectNameOrId": served.deals[number], "text": f"Please look.\n\nlw:{number:08x}"}
    return WriteOp(f"post{number}", "FeedItem", Verb.POST, None, values, "test")


def keys(served: ServedOrg, sobject: str) -> list[str]:
    """Keys of the records that leakwatch made, sorted."""
    found = served.org.query(f"SELECT {KEY_FIELD} FROM {sobject} WHERE {KEY_FIELD} LIKE 'lw1:%'")
    return sorted(row[KEY_FIELD] for row in found)
