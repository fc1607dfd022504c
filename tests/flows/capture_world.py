"""Two reps' mailboxes and an org, in memory, with a real journal in between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from capture_samples import ANN, BOB, NINE
from leakwatch import faultpoints
from leakwatch.app.planning import Plan, PlannedOnly
from leakwatch.core.privacy import PrivacyRules
from leakwatch.errors import CursorError, LeakwatchError
from leakwatch.flows.capture import CaptureDoors, CaptureOptions, capture
from leakwatch.flows.capture_report import CaptureReport
from leakwatch.model import (
    AddressBook,
    Company,
    DomainAccount,
    OpenOpportunity,
    Person,
    Principal,
    WriteOp,
    WriteResult,
    WriteStatus,
)
from leakwatch.sources.gmail import GmailSource
from leakwatch.store.database import metadata, open_engine
from leakwatch.store.journal import SqlJournal
from leakwatch.store.write_log import SqlWriteLog

NOW = NINE + timedelta(hours=3)
BOT = "005BOT"
EVE = Person("003EVE", "Contact", "Eve Adams", "001ACME")
OPTIONS = CaptureOptions(company_domains=("ourco.com",), privacy=PrivacyRules(never_log=("lawyer.com",)), round_size=3)


class Mailboxes:
    """A Gmail with several people, paged two by two."""

    can_search = False

    def __init__(self) -> None:
        self.boxes: dict[str, list[dict[str, Any]]] = {ANN.address: [], BOB.address: []}
        self.failures: dict[str, LeakwatchError] = {}
        self.forgotten: set[str] = set()
        self.broken: set[str] = set()  # ids that Gmail fails to give
        self.circles = False  # the list's last page names the first as the next one
        self.stutters = False  # each page names everything twice
        self.fetched = 0
        self.opened: list[str] = []

    def deliver(self, owner: Principal, message_id: str, *, labels: Sequence[str] = ("INBOX",), **headers: str) -> None:
        given = {"Message-ID": f"<{message_id}>", "From": "eve@acme.com", "To": owner.address, "Subject": "Offer"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        at = given.pop("at", "")
        received = datetime.fromisoformat(at) if at else NINE
        box = self.boxes[owner.address]
        box.append(
            {
                "id": f"{owner.address}-{len(box)}",
                "labelIds": list(labels),
                "internalDate": str(int(received.timestamp() * 1000)),
                "payload": {"headers": [{"name": name, "value": value} for name, value in given.items()]},
            }
        )

    def profile(self, subject: str) -> Mapping[str, Any]:
        self._open(subject)
        return {"historyId": str(len(self.boxes[subject]))}

    def labels(self, subject: str) -> Mapping[str, str]:
        return {}

    def list_messages(
        self, subject: str, *, page_token: str | None = None, search: str | None = None, page_size: int = 500
    ) -> Mapping[str, Any]:
        self._open(subject)
        start, newest = int(page_token or 0), self.boxes[subject][::-1]
        named = newest[start : start + 2] * (1 + self.stutters)
        answer: dict[str, Any] = {"messages": [{"id": one["id"]} for one in named]}
        following = start + 2 if start + 2 < len(newest) else None
        if following is None and self.circles:
            following = 0
        return answer | ({"nextPageToken": str(following)} if following is not None else {})

    def history(self, subject: str, start: str, *, page_token: str | None = None) -> Mapping[str, Any]:
        self._open(subject)
        if subject in self.forgotten:
            self.forgotten.discard(subject)
            raise CursorError("too old")
        place = int(page_token or start)
        box = self.boxes[subject]
        named = box[place : place + 2] * (1 + self.stutters)
        records = [{"messagesAdded": [{"message": {"id": one["id"]}}]} for one in named]
        answer: dict[str, Any] = {"history": records, "historyId": str(len(box))}
        return answer | ({"nextPageToken": str(place + 2)} if place + 2 < len(box) else {})

    def get_messages(self, subject: str, ids: Sequence[str]) -> tuple[list[Mapping[str, Any]], list[str]]:
        self.fetched += len(ids)
        by_id = {one["id"]: {"id": one["id"]} if one["id"] in self.broken else one for one in self.boxes[subject]}
        return [by_id[one] for one in ids if one in by_id], [one for one in ids if one not in by_id]

    def ask_again(self, subject: str, ids: Sequence[str]) -> tuple[list[Mapping[str, Any]], list[str]]:
        return self.get_messages(subject, [one for one in ids if one not in self.broken])

    def _open(self, subject: str) -> None:
        self.opened.append(subject)
        if subject in self.failures:
            raise self.failures[subject]


@dataclass
class Org:
    """Salesforce, as far as capture sees it: unique keys, Tasks made by themselves."""

    mails: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])  # key -> fields
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    relations: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])  # of EmailMessages
    people: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])  # contacts and leads, made or there
    refuse: dict[str, str] = field(default_factory=dict[str, str])  # part of a subject -> error code
    delay: set[str] = field(default_factory=set[str])
    calls: int = 0
    failure: LeakwatchError | None = None

    def state(self) -> Any:
        return (
            sorted((key, str(sorted(row.items()))) for key, row in self.mails.items()),
            sorted((row["key"], row["OwnerId"]) for row in self.tasks.values()),
        )

    def carry_out(self, op: WriteOp) -> WriteResult:
        for part, code in self.refuse.items():
            if part in str(op.fields.get("Subject", "")) or part == op.sobject:
                return WriteResult(op.op_id, WriteStatus.REFUSED, code=code, message="not like this")
        if op.sobject in self.delay:
            return WriteResult(op.op_id, WriteStatus.RETRY, code="UNABLE_TO_LOCK_ROW")
        if op.sobject in ("Contact", "Lead"):
            self.people.append({"Id": f"{'003' if op.sobject == 'Contact' else '00Q'}{len(self.people)}", **op.fields})
            return WriteResult(op.op_id, WriteStatus.DONE, self.people[-1]["Id"], created=True)
        if op.sobject == "EmailMessageRelation":
            row = {"Id": op.record_id or f"0CZ{len(self.relations):015}", **op.fields}
            self.relations[row["Id"]] = {**self.relations.get(row["Id"], {}), **row}
            return WriteResult(op.op_id, WriteStatus.DONE, row["Id"], created=op.record_id is None)
        if op.sobject == "Task" and op.record_id is not None:
            self.tasks[op.record_id] |= op.fields
            return WriteResult(op.op_id, WriteStatus.DONE, op.record_id)
        assert op.key is not None
        if op.key in self.mails:
            return WriteResult(op.op_id, WriteStatus.ALREADY_THERE, self.mails[op.key]["Id"])
        record_id, task_id = f"02s{op.key[-15:]}", f"00T{op.key[-15:]}"
        if op.sobject == "Task":  # written as one
            record_id = task_id
        self.mails[op.key] = {**op.fields, "Id": record_id, "ActivityId": task_id}
        self._relate(record_id, op.fields)
        owner = op.fields.get("OwnerId", BOT)
        self.tasks[task_id] = {"Id": task_id, "OwnerId": owner, "CreatedById": BOT, "key": op.key}
        self.tasks[task_id] |= {"WhoId": _first_person(op.fields), "WhatId": op.fields.get("RelatedToId")}
        return WriteResult(op.op_id, WriteStatus.DONE, record_id, created=True)

    def _relate(self, mail_id: str, fields: Mapping[str, Any]) -> None:
        """Relate a new mail to whom it names, as Salesforce does."""
        named = [("FromAddress", fields.get("FromId"), None)]
        for name, kind in (("ToIds", "ToAddress"), ("CcIds", "CcAddress")):
            named += [(kind, one, None) for one in fields.get(name) or ()]
            named += [(kind, None, one) for one in (fields.get(kind) or "").split("; ")]
        for kind, record, address in named:
            if record or address:
                row = {
                    "EmailMessageId": mail_id,
                    "RelationId": record,
                    "RelationType": kind,
                    "RelationAddress": address,
                }
                row_id = f"0CZ{len(self.relations):015}"
                self.relations[row_id] = {"Id": row_id, **row}

    def related(
        self, sobject: str, field: str, parents: Sequence[str], fields: Sequence[str]
    ) -> Iterable[Mapping[str, Any]]:
        self.calls += 1
        rows = self.people if field == "Email" else self.relations.values()
        return [row for row in rows if str(row[field]).lower() in {one.lower() for one in parents}]

    def fetch(self, sobject: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        self.calls += 1
        tables = {"Task": self.tasks.values(), "Contact": self.people, "Lead": self.people}
        rows: Iterable[dict[str, Any]] = tables.get(sobject, self.mails.values())
        return {row["Id"]: {name: row.get(name) for name in fields} for row in rows if row["Id"] in set(ids)}


def _first_person(fields: Mapping[str, Any]) -> str | None:
    """Return whom a new mail's Task is about, as Salesforce chooses."""
    people = [fields.get("WhoId"), fields.get("FromId"), *(fields.get("ToIds") or ()), *(fields.get("CcIds") or ())]
    return next((one for one in people if one and one.startswith(("003", "00Q"))), None)


class LoggedWriter:
    """Writes to the org with the log around it, as the real writer does."""

    def __init__(self, org: Org, log: SqlWriteLog) -> None:
        self._org = org
        self._log = log

    def apply(self, ops: Sequence[WriteOp], *, run_id: str) -> Sequence[WriteResult]:
        if self._org.failure is not None:
            raise self._org.failure
        done = self._log.done([op.op_id for op in ops])
        pending = [op for op in ops if op.op_id not in done]
        if pending:
            self._org.calls += 1
            self._log.begin(run_id, pending, now=NOW)
            faultpoints.reach("test_writer.before_send")
            results = [self._org.carry_out(op) for op in pending]
            faultpoints.reach("test_writer.after_send")
            self._log.finish(results, now=NOW)
        else:
            results = []
        known = [WriteResult(op_id, WriteStatus.ALREADY_THERE, record) for op_id, record in done.items()]
        return [*results, *known]


class World:
    """Everything a capture needs, over one journal file."""

    def __init__(self, folder: Path) -> None:
        self.engine: Engine = open_engine(folder / "state.db", durable=False)
        metadata.create_all(self.engine)
        self.journal = SqlJournal(self.engine)
        self.log = SqlWriteLog(self.engine)
        self.gmail = Mailboxes()
        self.org = Org()
        self.people: dict[str, tuple[Person, ...]] = {
            "eve@acme.com": (EVE,),
            "ann@ourco.com": (Person("005ANN", "User", "Ann Reed"),),
            "bob@ourco.com": (Person("005BOB", "User", "Bob Kaya"),),
        }
        self.deals: dict[str, tuple[OpenOpportunity, ...]] = {}
        self.domains: dict[str, tuple[DomainAccount, ...]] = {}
        self.companies: dict[str, Company] = {}
        self.snapshot = "snapshot 1"
        self.state = ""  # of its people; empty: not known
        self.plan: Plan | None = None  # lets through only what it holds
        self.roster: list[Principal] = [ANN, BOB]
        self.options = OPTIONS

    def book(self, addresses: Iterable[str], deals: Iterable[str] = ()) -> AddressBook:
        known = {one: self.people[one] for one in addresses if one in self.people}
        return AddressBook(known, self.deals, self.snapshot, self.domains, self.companies)

    def capture(self, *, now: datetime = NOW, run_id: str = "run", full: bool = False, **options: Any) -> CaptureReport:
        known = self.journal.settled_ids if full else self.journal.known_ids
        writer = LoggedWriter(self.org, self.log)
        doors = CaptureDoors(
            sources=[GmailSource(self.gmail, known=known)],
            journal=self.journal,
            address_book=self.book,
            writer=writer if self.plan is None else PlannedOnly(writer, self.plan),
            records=self.org,
            landed=self.log.done,
            history=self.log.history,
            refusals=self.log.refusals,
            people_state=lambda: self.state,
        )
        return capture(self.roster, doors, self.options, run_id=run_id, now=now, full=full, **options)


def fill(world: World) -> None:
    """Deliver what the reps of the stories have: a shared mail, a reply, strangers, exclusions."""
    gmail = world.gmail
    for owner in (ANN, BOB):
        gmail.deliver(owner, "both@acme.com", To="ann@ourco.com, bob@ourco.com")
    gmail.deliver(ANN, "reply@ourco.com", labels=("SENT",), From="ann@ourco.com", To="eve@acme.com", Cc="bob@ourco.com")
    gmail.deliver(BOB, "reply@ourco.com", From="ann@ourco.com", To="eve@acme.com", Cc="bob@ourco.com")
    gmail.deliver(ANN, "stranger@x.com", From="zoe@nowhere.com")
    gmail.deliver(ANN, "intern@ourco.com", From="bob@ourco.com")
    gmail.deliver(BOB, "legal@lawyer.com", From="x@lawyer.com", Cc="eve@acme.com")
    for number in range(5):
        gmail.deliver(BOB, f"more{number}@acme.com", Subject=f"More {number}")


def without_notice(principal: Principal) -> Principal:
    return replace(principal, notice_date=None)
