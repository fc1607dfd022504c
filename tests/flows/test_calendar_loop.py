"""A two-way event sync beside leakwatch, both over the emulated org and Google: nothing goes in circles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from flows.capture_world import LoggedWriter
from flows.test_meetings_on_sandbox import REPS, Company
from leakwatch.flows.capture import CaptureDoors
from leakwatch.flows.capture_adopt import LOOP
from leakwatch.flows.capture_report import CaptureReport
from leakwatch.model import KEY_FIELD, Person, Verb, WriteOp, WriteResult, WriteStatus
from leakwatch.salesforce.neighbours import OrgNeighbours
from leakwatch.sandbox.event_sync import EventSync
from leakwatch.sandbox.org.facade import Org
from sandbox.google.calendar_desk import ANN, BOB, CUSTOMER

PROJECT = Path(__file__).parents[2] / "salesforce"
WITH_CUSTOMER = {"attendees": [{"email": CUSTOMER}]}


class RealOrg:
    """The emulated org as capture sees it: Events are written, read back and asked for, without a network."""

    calls = 0
    failure = None

    def __init__(self, org: Org, bot: str) -> None:
        self.org, self.bot = org, bot
        self.queries: list[str] = []

    def carry_out(self, op: WriteOp) -> WriteResult:
        assert op.sobject == "Event"
        record = op.record_id
        if op.verb is Verb.INSERT:
            record = self.org.create("Event", op.fields, user_id=self.bot)
        elif op.verb is Verb.UPDATE:
            self.org.update("Event", str(record), op.fields, user_id=self.bot)
        else:
            self.org.delete("Event", str(record), user_id=self.bot)
        return WriteResult(op.op_id, WriteStatus.DONE, record, created=op.verb is Verb.INSERT)

    def fetch(self, sobject: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        rows = {one: self.org.get(sobject, one) for one in ids}
        return {one: row for one, row in rows.items() if row is not None and not row["IsDeleted"]}

    def has_field(self, sobject: str, field: str) -> bool:
        one = self.org.schema.find(sobject)
        return one is not None and one.visible(field) is not None

    def describe(self, sobject: str) -> Mapping[str, Any]:
        return {"fields": [{"name": one.name} for one in self.org.schema.objects[sobject].visible_fields]}

    def query(self, query: str, *, all_rows: bool = False) -> Iterator[list[Mapping[str, Any]]]:
        self.queries.append(query)
        yield list(self.org.query(query, all_rows=all_rows))


class LoopedCompany(Company):
    """The company, whose org has another tool that syncs Events with the calendars of its reps."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        org = self.org = Org(folder / "org", self.desk.clock)
        org.deploy(PROJECT)
        users = {name: org.new_id("User") for name in ("bot", ANN, BOB)}
        for address, record in users.items():
            one = {"LastName": address, "Alias": address[:8], "Username": f"{address}.x", "Email": address}
            org.seed("User", [{"Id": record, "IsActive": True, **one}])
        account = org.create("Account", {"Name": "Musteri"}, user_id=users["bot"])
        person = {"LastName": "Zeynep", "Email": CUSTOMER, "AccountId": account}
        contact = org.create("Contact", person, user_id=users["bot"])
        self.real = RealOrg(org, users["bot"])
        self.tool = EventSync(org, self.desk.meetings)
        self.people = {
            CUSTOMER: (Person(contact, "Contact", "Zeynep", account),),
            ANN: (Person(users[ANN], "User", "Ann"),),
            BOB: (Person(users[BOB], "User", "Bob"),),
        }
        self.roster = [replace(one, salesforce_user_id=users[one.address]) for one in REPS]
        self.guarded = True

    def doors(self, now: datetime) -> CaptureDoors:
        return replace(
            super().doors(now),
            writer=LoggedWriter(self.real, self.log),  # type: ignore[arg-type]
            records=self.real,
            neighbours=OrgNeighbours(self.real, lambda _: {}, None) if self.guarded else None,  # type: ignore[arg-type]
            adoptions=self.log,
        )

    def hour(self) -> CaptureReport:
        """Leakwatch reads and writes, the other tool has its round, and an hour goes by."""
        report = self.sync()
        self.desk.pass_time(minutes=30)
        self.tool.run()
        self.desk.pass_time(minutes=30)
        return report

    @property
    def events(self) -> list[dict[str, Any]]:
        return self.org.query(f"SELECT Id, {KEY_FIELD}, Subject, OwnerId FROM Event ORDER BY CreatedDate, Id")

    @property
    def ours(self) -> int:
        return sum(row[KEY_FIELD] is not None for row in self.events)


@pytest.fixture
def company(tmp_path: Path) -> Iterator[LoopedCompany]:
    one = LoopedCompany(tmp_path)
    yield one
    one.org.close()


@pytest.mark.parametrize("marks", [False, True])
def test_without_the_guard_one_meeting_becomes_one_more_event_every_hour(company: LoopedCompany, marks: bool):
    company.tool.change({"direction": "both", "marks": marks})
    company.guarded = False
    company.desk.meet(**WITH_CUSTOMER)
    grown: list[int] = []
    for _ in range(4):
        company.hour()
        grown.append(company.ours)
    assert grown == [1, 2, 3, 4]


@pytest.mark.parametrize("marks", [False, True])
@pytest.mark.parametrize("policy", ["refuse", "write"])
def test_with_the_guard_it_stays_one(company: LoopedCompany, marks: bool, policy: Any):
    company.tool.change({"direction": "both", "marks": marks})
    company.options = replace(company.options, calendar_loop=policy)
    company.desk.meet(**WITH_CUSTOMER)
    reports = [company.hour() for _ in range(4)]
    assert company.ours == 1
    copies = [report.skipped.get("copy_of_our_event", 0) if marks else report.held for report in reports]
    assert copies == ([0, 1, 0, 0] if marks else [0, 1, 1, 1])


def test_a_loop_stops_new_events_and_says_so_and_the_admin_who_leaves_them_to_the_tool_gets_each_once(
    company: LoopedCompany,
):
    company.tool.change({"direction": "both"})
    for hour in (10, 11):
        company.desk.meet(f"2026-03-10T{hour}:00:00+03:00", **WITH_CUSTOMER)
    company.hour()
    before = company.ours
    company.desk.meet("2026-03-11T10:00:00+03:00", **WITH_CUSTOMER)
    report = company.hour()  # both Events came back
    assert (report.written, report.held, report.loop) == ({}, 3, LOOP)
    assert company.ours == before == 2
    company.options = replace(company.options, calendar_loop="adopt")
    report = company.hour()
    assert (report.written, len(report.adopted), company.ours) == ({}, 1, 2)


def test_where_the_tool_was_first_its_event_is_adopted_and_none_is_doubled(company: LoopedCompany):
    company.tool.change({"direction": "to_org"})
    company.desk.meet(**WITH_CUSTOMER)
    assert company.tool.run() == {"to_calendar": 0, "to_org": 1}
    report = company.sync()
    (event,) = company.events
    assert (report.written, [op.record_id for op in report.adopted]) == ({}, [event["Id"]])
    assert [query.split(" FROM ")[1].split()[0] for query in company.real.queries] == ["Event"], "one call a round"


def test_a_meeting_that_a_rep_put_into_salesforce_by_hand_is_adopted_when_the_tool_brought_it_to_the_calendar(
    company: LoopedCompany,
):
    company.tool.change({"direction": "both", "marks": True})
    ann, (contact,) = company.roster[0].salesforce_user_id or "", company.people[CUSTOMER]
    times = {"StartDateTime": "2026-03-10T07:00:00Z", "EndDateTime": "2026-03-10T08:00:00Z"}
    by_hand = company.org.create(
        "Event", {"Subject": "Ziyaret", "OwnerId": ann, "WhoId": contact.record_id, **times}, user_id=ann
    )
    company.tool.run()
    report = company.sync()
    assert ([op.record_id for op in report.adopted], report.loop, company.ours) == ([by_hand], "", 0)
