"""Meetings and late people of mails, from calendars to an emulated org: by our own writer, over the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.served_org import Leakwatch, ServedOrg
from capture_samples import ANN, BOB
from flows.capture_world import NOW
from flows.meeting_world import TOMORROW, MeetingWorld
from leakwatch.app.doctoring import Check, meeting_checks
from leakwatch.config import Settings
from leakwatch.core.plan import PlanRules
from leakwatch.flows.capture import CaptureDoors, capture
from leakwatch.flows.capture_report import CaptureReport
from leakwatch.model import Person
from leakwatch.salesforce.objects import org_facts
from leakwatch.salesforce.reader import SalesforceReader
from leakwatch.sandbox.org.settings import OrgSettings
from leakwatch.sources.gmail import GmailSource
from leakwatch.sources.google_calendar import GoogleCalendarSource

GUESTS = ("eve@acme.com", "zed@acme.com", "ida@acme.com")


class Desk(MeetingWorld):
    """Two calendars, and an org with the guests as contacts."""

    def __init__(self, folder: Path, served: ServedOrg, leakwatch: Leakwatch, **rules: Any) -> None:
        super().__init__(folder)
        self.served, self.leakwatch = served, leakwatch
        org, account = served.org, served.account
        others = [org.new_id("Contact") for _ in GUESTS[1:]]
        org.seed("Contact", [{"Id": one, "LastName": one, "AccountId": account} for one in others])
        self.ids = dict(zip(GUESTS, [served.contact, *others], strict=True))
        self.people |= {one: (Person(self.ids[one], "Contact", one, account),) for one in GUESTS}
        self.people[ANN.address] = (Person(served.rep, "User", "Rep"),)
        self.people.pop(BOB.address)
        self.roster = [replace(one, salesforce_user_id=None) for one in (ANN, BOB)]
        facts = org_facts(leakwatch.reader)
        planning = PlanRules(shared_activities=facts.shared_activities, meeting_type=facts.meeting_task_type, **rules)
        self.options = replace(self.options, planning=planning, round_size=2_000)

    def meet(self, *guests: str, meeting: str = "m", **changes: Any) -> None:
        people = [{"email": one} for one in (ANN.address, BOB.address, *guests)]
        self.calendars.put(meeting, **{"attendees": people} | changes)

    def sync(self, *, now: Any = NOW, **options: Any) -> CaptureReport:
        calendars = GoogleCalendarSource(self.calendars, known=self.journal.ids_under)  # type: ignore[arg-type]
        mail = GmailSource(self.gmail, known=self.journal.known_ids)
        doors = CaptureDoors(
            sources=[mail, calendars] if self.mail else [calendars],
            journal=self.journal,
            address_book=self.book,
            writer=self.leakwatch.writer,
            records=self.leakwatch.reader,
            landed=self.leakwatch.log.done,
            history=self.leakwatch.log.history,
        )
        return capture(self.roster, doors, self.options, run_id="run", now=now, **options)

    def keys(self) -> list[str]:
        return [one.op.key or "" for one in self.leakwatch.log.refused()]

    def named(self, sobject: str = "Event") -> list[str]:
        """Names of the guests of the one record, the one in WhoId first."""
        (row,) = self.served.org.query(f"SELECT Id, WhoId FROM {sobject}")
        flags = " AND IsParent = true AND IsInvitee = false" if sobject == "Event" else ""
        found = self.served.org.query(
            f"SELECT RelationId FROM {sobject}Relation WHERE {sobject}Id = '{row['Id']}' AND IsWhat = false{flags}"
        )
        names = {record: name[:3] for name, record in self.ids.items()}
        people = sorted(found, key=lambda one: (one["RelationId"] != row["WhoId"], names[one["RelationId"]]))
        return [names[one["RelationId"]] for one in people]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedOrg]:
    served = ServedOrg(tmp_path_factory.mktemp("org"), OrgSettings(shared_activities=True))
    with served.served():
        yield served


@pytest.fixture
def make(kept: ServedOrg, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    kept.refresh()
    made: list[Leakwatch] = []

    def one(**rules: Any) -> Desk:
        made.append(Leakwatch(kept, tmp_path))
        return Desk(tmp_path, kept, made[-1], **rules)

    yield one
    for each in made:
        each.close()


def calls(desk: Desk, act: Callable[[], Any]) -> int:
    before = desk.leakwatch.client.calls
    act()
    return desk.leakwatch.client.calls - before


def test_an_event_is_made_with_all_its_guests_by_one_call_and_nobody_is_invited(make: Callable[..., Desk]) -> None:
    desk = make()
    desk.meet(*GUESTS)
    assert calls(desk, desk.sync) == 1
    assert desk.named() == ["eve", "ida", "zed"]
    assert desk.served.org.query("SELECT Id FROM Event WHERE IsChild = true OR IsGroupEvent = true") == []
    assert calls(desk, desk.sync) == 0


def test_guests_come_and_go_and_what_a_person_did_in_salesforce_stays(make: Callable[..., Desk]) -> None:
    desk = make()
    org, rep = desk.served.org, desk.served.rep
    desk.meet("eve@acme.com")
    desk.sync()
    (event,) = org.query("SELECT Id FROM Event")
    org.create(
        "EventRelation", {"EventId": event["Id"], "RelationId": desk.ids["ida@acme.com"], "IsParent": True}, user_id=rep
    )
    desk.meet("eve@acme.com", "zed@acme.com")
    assert calls(desk, desk.sync) == 3  # the record, its relations, the write
    assert desk.named() == ["eve", "ida", "zed"]
    desk.meet("zed@acme.com")
    desk.sync()
    assert desk.named() == ["zed", "ida"]
    (relation,) = org.query(f"SELECT Id FROM EventRelation WHERE RelationId = '{desk.ids['zed@acme.com']}'")
    org.delete("EventRelation", relation["Id"], user_id=rep)
    desk.meet("zed@acme.com", "eve@acme.com")
    desk.sync()
    assert desk.named() == ["ida", "eve"]


def test_invitees_whom_a_person_asked_stay_invited_when_the_guests_change(make: Callable[..., Desk]) -> None:
    desk = make()
    org, rep = desk.served.org, desk.served.rep
    desk.meet("eve@acme.com")
    desk.sync()
    (event,) = org.query("SELECT Id FROM Event")
    org.create("EventRelation", {"EventId": event["Id"], "RelationId": desk.served.bot}, user_id=rep)
    desk.meet("zed@acme.com")
    desk.sync()
    assert org.query("SELECT Id FROM EventRelation WHERE IsInvitee = true") != []
    assert desk.served.org.query("SELECT WhoId FROM Event WHERE IsChild = false") == [
        {"WhoId": desk.ids["zed@acme.com"]}
    ]


def test_a_lost_answer_leaves_the_guests_as_they_are_to_be(make: Callable[..., Desk]) -> None:
    desk = make()
    desk.meet("eve@acme.com")
    desk.sync()
    desk.meet("zed@acme.com", "ida@acme.com")
    desk.served.fault(do="reset", effect="after", match="composite/sobjects$", times=1)
    desk.sync()
    desk.sync()
    assert desk.named() == ["zed", "ida"]


def test_a_private_meeting_names_nobody_any_more(make: Callable[..., Desk]) -> None:
    desk = make()
    desk.meet(*GUESTS)
    desk.sync()
    desk.meet(*GUESTS, visibility="private")
    desk.sync()
    assert desk.named() == []
    assert desk.served.org.query("SELECT WhoId, WhatId FROM Event") == [{"WhoId": None, "WhatId": None}]


def test_a_meeting_that_was_held_is_a_task_with_all_its_guests_on_the_reps_day(make: Callable[..., Desk]) -> None:
    desk = make(meetings_as="task")
    org = desk.served.org
    org.update("User", desk.served.rep, {"TimeZoneSidKey": "Pacific/Auckland"}, user_id=desk.served.rep)
    late = TOMORROW.replace(hour=20)
    times = {"start": {"dateTime": late.isoformat()}, "end": {"dateTime": (late + timedelta(minutes=30)).isoformat()}}
    desk.meet(*GUESTS, **times)
    desk.sync()
    assert org.query("SELECT Id FROM Task") == []
    after = late + timedelta(days=1)
    desk.sync(now=after)
    assert desk.named("Task") == ["eve", "ida", "zed"]
    (task,) = org.query("SELECT ActivityDate, IsClosed, Type, OwnerId, Description FROM Task")
    assert (task["ActivityDate"], task["IsClosed"], task["Type"]) == (
        "2026-07-03",
        True,
        desk.options.planning.meeting_type,
    )
    assert task["OwnerId"] == desk.served.rep
    assert task["Description"] == "Meeting of 30 minutes, 2026-07-03 08:00 to 08:30 (Pacific/Auckland)"
    desk.meet("zed@acme.com", **times)
    desk.sync(now=after)
    assert desk.named("Task") == ["zed"]
    assert desk.sync(now=after).written == {}


def checks(desk: Desk, **settings: Any) -> dict[str, Check]:
    facts = org_facts(SalesforceReader(desk.leakwatch.client))
    chosen = Settings.model_validate({"google": {"calendar": True}, **settings})
    reader, log = SalesforceReader(desk.leakwatch.client), desk.leakwatch.log
    parts = SimpleNamespace(org=facts, reader=reader, settings=chosen, write_log=log)
    return {check.name: check for check in meeting_checks(parts)}  # type: ignore[arg-type]


def test_doctor_says_how_many_guests_an_event_can_name_and_how_to_have_more(make: Callable[..., Desk]) -> None:
    desk = make()
    assert checks(desk)["Shared Activities"].state == "ok"
    with desk.served.settings(hidden_fields=["Event.EventWhoIds"]):
        found = checks(desk)["Shared Activities"]
        assert (found.state, "names one guest" in found.words) == ("note", True)
        assert "Activity Settings" in found.fix
        assert not org_facts(SalesforceReader(desk.leakwatch.client)).shared_activities


def test_events_that_the_integration_user_may_not_make_become_tasks_once_the_admin_says_so(
    make: Callable[..., Desk],
) -> None:
    desk = make()
    no = {"code": "INSUFFICIENT_ACCESS_OR_READONLY", "match": "create Event", "times": 1}
    desk.served.fault(do="row_error", **no)
    desk.meet(*GUESTS)
    assert desk.sync().quarantined == {"INSUFFICIENT_ACCESS_OR_READONLY": 1}
    found = checks(desk)["Event writes"]
    assert ("1 were refused" in found.words, "capture.meetings_as: task" in found.fix) == (True, True)
    desk.options = replace(desk.options, planning=replace(desk.options.planning, meetings_as="task"))
    desk.journal.release_quarantined(desk.keys(), now=NOW)
    assert desk.sync(now=TOMORROW + timedelta(days=1)).written == {"Task": 1}
    assert "Event writes" not in checks(desk)


def test_a_mails_late_people_are_related_once_also_when_the_answer_is_lost(make: Callable[..., Desk]) -> None:
    desk = make()
    desk.gmail.deliver(BOB, "a@acme.com", To="ann@ourco.com", Cc="ida@nowhere.com")
    desk.sync()
    desk.people["ida@nowhere.com"] = desk.people["ida@acme.com"]
    desk.gmail.deliver(ANN, "a@acme.com", To="ann@ourco.com", Cc="ida@nowhere.com, zed@acme.com")
    desk.served.fault(do="reset", effect="after", match="composite/sobjects$", times=1)
    for _ in range(2):
        desk.sync()
    rows = desk.served.org.query("SELECT RelationId, RelationType FROM EmailMessageRelation")
    found = sorted((row["RelationType"], row["RelationId"]) for row in rows)
    wanted: Sequence[tuple[str, str]] = [
        ("CcAddress", desk.ids["ida@acme.com"]),
        ("CcAddress", desk.ids["zed@acme.com"]),
        ("FromAddress", desk.ids["eve@acme.com"]),
        ("ToAddress", desk.served.rep),
    ]
    assert found == sorted(wanted)
