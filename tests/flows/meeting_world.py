"""Two reps' calendars and an org with meetings, in memory, with a real journal and write log in between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from capture_samples import ANN, BOB, NINE
from flows.capture_world import BOT, NOW, LoggedWriter, Org, World
from leakwatch.flows.capture import CaptureDoors, capture
from leakwatch.flows.capture_report import CaptureReport
from leakwatch.model import Verb, WriteOp, WriteResult, WriteStatus
from leakwatch.sources.gmail import GmailSource
from leakwatch.sources.google_calendar import GoogleCalendarSource
from leakwatch.store import capture_tables as tables
from leakwatch.store.database import transaction

TOMORROW = NINE + timedelta(days=1)


class Calendars:
    """Calendars whose every change is one page."""

    def __init__(self) -> None:
        self.changed: dict[str, list[dict[str, Any]]] = {ANN.address: [], BOB.address: []}
        self.failures: dict[str, Exception] = {}

    def put(self, event_id: str, *owners: Any, **changes: Any) -> None:
        for owner in owners or (ANN, BOB):
            event = {
                "id": event_id, "status": "confirmed", "iCalUID": f"{event_id}@x", "summary": "Demo",
                "start": {"dateTime": TOMORROW.isoformat()},
                "end": {"dateTime": (TOMORROW + timedelta(hours=1)).isoformat()},
                "organizer": {"email": ANN.address},
                "attendees": [{"email": ANN.address}, {"email": BOB.address}, {"email": "eve@acme.com"}],
            }  # fmt: skip
            self.changed[owner.address].append(event | changes)

    def changes(self, subject: str, *, sync_token: str | None, page_token: str | None = None) -> Mapping[str, Any]:
        if subject in self.failures:
            raise self.failures[subject]
        items = self.changed[subject]
        return {"items": items[int(sync_token or 0) :], "nextSyncToken": str(len(items))}


class EventOrg:
    """Salesforce's Events and Tasks of meetings, with several people each; mails are another's, if there is one."""

    def __init__(self, mails: Org | None = None) -> None:
        self.mails = mails
        self.events: dict[str, dict[str, Any]] = {}
        self.people: dict[str, list[str]] = {}
        self.zones: dict[str, str] = {}
        self.sent: list[WriteOp] = []
        self.failure = None
        self.calls = 0

    def carry_out(self, op: WriteOp) -> WriteResult:
        if self.mails is not None and (op.sobject.startswith("EmailMessage") or op.key is None):
            return self.mails.carry_out(op)
        self.sent.append(op)
        record_id = op.record_id or f"{'00T' if op.sobject == 'Task' else '00U'}{len(self.sent):015}"
        if op.verb is Verb.DELETE:
            del self.events[record_id]
            return WriteResult(op.op_id, WriteStatus.DONE, record_id)
        row = self.events.setdefault(record_id, {"Id": record_id, "OwnerId": BOT, "CreatedById": BOT})
        listed = f"{op.sobject}WhoIds"
        row.update({name: value for name, value in op.fields.items() if name != listed})
        who = row.get("WhoId")
        if listed in op.fields or "WhoId" in op.fields:
            self.people[record_id] = list(dict.fromkeys([*([who] if who else []), *(op.fields.get(listed) or ())]))
        return WriteResult(op.op_id, WriteStatus.DONE, record_id, created=op.verb is Verb.INSERT)

    def fetch(self, sobject: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        if sobject == "User":
            return {one: {"Id": one, "TimeZoneSidKey": self.zones.get(one)} for one in ids}
        rows = {one: {"LastModifiedById": BOT, **self.events[one]} for one in ids if one in self.events}
        found = {one: {name: row.get(name) for name in fields} for one, row in rows.items()}
        return {**(self.mails.fetch(sobject, ids, fields) if self.mails is not None else {}), **found}

    def related(
        self, sobject: str, field: str, parents: Sequence[str], fields: Sequence[str]
    ) -> Iterable[Mapping[str, Any]]:
        if self.mails is not None and sobject == "EmailMessageRelation":
            yield from self.mails.related(sobject, field, parents, fields)
        for parent in parents:
            for person in self.people.get(parent, ()):
                yield {field: parent, "RelationId": person, "IsWhat": False, "IsParent": True}


class MeetingWorld(World):
    """The capture world with calendars beside the mailboxes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        self.mail = True
        self.calendars = Calendars()
        self.event_org = EventOrg(self.org)
        self.options = replace(self.options, meetings=True)

    @property
    def now(self) -> datetime:
        """When a sync takes place if nobody says when."""
        return NOW

    def sources(self, now: datetime) -> list[Any]:
        """Return what is read at `now`."""
        calendars = GoogleCalendarSource(self.calendars, known=self.journal.ids_under)  # type: ignore[arg-type]
        return [GmailSource(self.gmail, known=self.journal.known_ids), calendars] if self.mail else [calendars]

    def doors(self, now: datetime) -> CaptureDoors:
        """Return what a sync at `now` works through; other worlds put their own in the place of some."""
        return CaptureDoors(
            sources=self.sources(now),
            journal=self.journal,
            address_book=self.book,
            writer=LoggedWriter(self.event_org, self.log),  # type: ignore[arg-type]
            records=self.event_org,
            landed=self.log.done,
            history=self.log.history,
            refusals=self.log.refusals,
        )

    def sync(self, *, now: datetime | None = None, **options: Any) -> CaptureReport:
        moment = now or self.now
        return capture(self.roster, self.doors(moment), self.options, run_id="run", now=moment, **options)

    @property
    def event(self) -> dict[str, Any]:
        (found,) = self.event_org.events.values()
        return found

    def reason(self) -> str:
        """Return why the one meeting in the journal is what it is."""
        with transaction(self.engine) as connection:
            return connection.execute(select(tables.activities.c.reason)).scalar_one()
