"""Mails and meetings that are matched anew, in an emulated org: by our own writer, over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.served_org import Leakwatch, ServedOrg
from capture_samples import ANN
from flows.capture_world import NOW, World
from leakwatch.app.doctoring_check import Check
from leakwatch.app.doctoring_people import people_checks
from leakwatch.config import Settings
from leakwatch.core.newcomers import CreateRules, Kind
from leakwatch.flows.capture import CaptureDoors, capture
from leakwatch.flows.capture_report import CaptureReport
from leakwatch.flows.undo import UndoDoors, UndoReport, undo
from leakwatch.model import Company, DomainAccount, Person
from leakwatch.salesforce.reader import SalesforceReader
from leakwatch.sources.gmail import GmailSource

LATER = NOW + timedelta(hours=1)
ISIK = "ayse@new.com"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedOrg]:
    served = ServedOrg(tmp_path_factory.mktemp("org"))
    with served.served():
        yield served


class Desk(World):
    """A mailbox beside the emulated org, whose rep is Ann."""

    def __init__(self, folder: Path, served: ServedOrg, leakwatch: Leakwatch) -> None:
        super().__init__(folder)
        self.served, self.leakwatch = served, leakwatch
        self.people = {ANN.address: (Person(served.rep, "User", "Ann"),)}
        self.domains["new.com"] = (DomainAccount(served.account),)

    def capture(self, *, now: Any = NOW, run_id: str = "run", **options: Any) -> CaptureReport:  # type: ignore[override]
        doors = CaptureDoors(
            sources=[GmailSource(self.gmail, known=self.journal.known_ids)],
            journal=self.journal,
            address_book=self.book,
            writer=self.leakwatch.writer,
            records=self.leakwatch.reader,
            landed=self.leakwatch.log.done,
            history=self.leakwatch.log.history,
            refusals=self.leakwatch.log.refusals,
        )
        return capture(self.roster, doors, self.options, run_id=run_id, now=now, **options)

    def undo(self, of_run: str) -> UndoReport:
        log, one = self.leakwatch.log, self.leakwatch
        doors = UndoDoors(self.journal, one.writer, one.reader, log.history, log.ops, log.mark_undone, calls=len)
        return undo(of_run, [one.op for one in log.by_run(of_run)], [], doors, run_id="undo", now=LATER, dry_run=False)

    def appear(self, sobject: str = "Contact", **fields: Any) -> str:
        """Somebody enters the stranger in Salesforce."""
        values = {"LastName": "Işık", "FirstName": "Ayşe", "Email": ISIK, **fields}
        made = self.served.org.create(sobject, values, user_id=self.served.rep)
        self.people[ISIK] = (Person(made, sobject, "Ayşe Işık", fields.get("AccountId")),)
        return made

    def row(self, sobject: str, fields: str, where: str = "") -> list[dict[str, Any]]:
        return self.served.org.query(f"SELECT {fields} FROM {sobject} {where}")


@pytest.fixture
def desk(kept: ServedOrg, tmp_path: Path) -> Iterator[Desk]:
    kept.refresh()
    leakwatch = Leakwatch(kept, tmp_path)
    yield Desk(tmp_path, kept, leakwatch)
    leakwatch.close()


def test_who_appears_is_related_to_the_sent_mail_and_named_by_its_task(desk: Desk) -> None:
    desk.gmail.deliver(ANN, "in@new.com", From=ISIK)
    desk.gmail.deliver(ANN, "out@ourco.com", labels=("SENT",), From=ANN.address, To=f"{ISIK}, zed@new.com")
    desk.capture()
    assert desk.row("Task", "WhoId, WhatId") == [{"WhoId": None, "WhatId": desk.served.account}] * 2
    contact = desk.appear(AccountId=desk.served.account)
    calls = desk.leakwatch.client.calls
    report = desk.capture(now=LATER)
    # read: mails, Tasks, relations; written: relations, Tasks
    assert (report.rematched, report.waiting, report.quarantined) == (2, 0, {})
    assert desk.leakwatch.client.calls - calls == 5
    assert desk.row("Task", "WhoId, WhatId") == [{"WhoId": contact, "WhatId": desk.served.account}] * 2
    related = desk.row("EmailMessageRelation", "RelationType, RelationAddress", f"WHERE RelationId = '{contact}'")
    assert sorted(row["RelationType"] for row in related) == ["FromAddress", "ToAddress"]
    assert len(desk.row("EmailMessageRelation", "Id", f"WHERE RelationAddress = '{ISIK}'")) == 2
    assert desk.capture(now=LATER).planned == {}


def test_a_converted_leads_mail_goes_where_salesforce_took_it(desk: Desk) -> None:
    desk.domains.clear()
    lead = desk.appear("Lead", Company="New Ltd. Şti.")
    desk.gmail.deliver(ANN, "in@new.com", From=ISIK)
    desk.capture()
    assert desk.row("Task", "WhoId, WhatId") == [{"WhoId": lead, "WhatId": None}]
    became = desk.served.org.convert_lead(lead, user_id=desk.served.rep)
    contact, account = str(became["contactId"]), str(became["accountId"])
    before = desk.row("Task", "WhoId, WhatId")
    one = Person(lead, "Lead", "Ayşe Işık", account, contact_id=contact, opportunity_id=became["opportunityId"])
    desk.people[ISIK] = (one, Person(contact, "Contact", "Ayşe Işık", account))
    report = desk.capture(now=LATER)
    assert (report.quarantined, report.waiting) == ({}, 0)
    assert desk.row("Task", "WhoId, WhatId") == before
    assert desk.capture(now=LATER).planned == {}


def test_an_answer_that_is_lost_relates_nobody_twice(desk: Desk) -> None:
    desk.gmail.deliver(ANN, "in@new.com", From=ISIK)
    desk.capture()
    contact = desk.appear(AccountId=desk.served.account)
    mails = desk.row("EmailMessage", "Id")
    for row in desk.row("EmailMessageRelation", "Id", f"WHERE RelationAddress = '{ISIK}'"):
        desk.served.org.delete("EmailMessageRelation", row["Id"], user_id=desk.served.bot)
    desk.served.fault(do="reset", effect="after", match="POST .*/composite/sobjects($|\\?)", times=1)
    desk.capture(now=LATER)
    assert desk.served.ledger.faults.total() == 1
    related = desk.row("EmailMessageRelation", "EmailMessageId", f"WHERE RelationId = '{contact}'")
    assert related == [{"EmailMessageId": mails[0]["Id"]}]


def test_undone_the_mail_names_nobody_again_and_stays_so(desk: Desk) -> None:
    desk.gmail.deliver(ANN, "in@new.com", From=ISIK)
    desk.capture()
    contact = desk.appear(AccountId=desk.served.account)
    desk.capture(now=LATER, run_id="anew")
    report = desk.undo("anew")
    assert (report.kept, report.refused, report.waiting) == ([], [], 0)
    assert desk.row("Task", "WhoId, WhatId") == [{"WhoId": None, "WhatId": desk.served.account}]
    assert desk.row("EmailMessageRelation", "Id", f"WHERE RelationId = '{contact}'") == []
    assert desk.capture(now=LATER).planned == {}


# --- people who are entered ---

RULE = {"name": "Same_Name_At_Account", "object": "Contact", "match": ["LastName", "AccountId"]}


def talk(desk: Desk, person: str = f"Ayşe Işık <{ISIK}>", name: str = "a") -> None:
    desk.gmail.deliver(ANN, f"{name}@in", From=person)
    desk.gmail.deliver(ANN, f"{name}@out", labels=("SENT",), From=ANN.address, To=person)


def enter(desk: Desk, kind: Kind, **changes: Any) -> CaptureReport:
    desk.companies[desk.served.account] = Company(desk.served.account, "Acme", desk.served.rep)
    desk.roster = [replace(one, salesforce_user_id=desk.served.rep) for one in desk.roster]
    desk.options = replace(desk.options, create=CreateRules(kind, 20, write=True), **changes)
    desk.capture()
    return desk.capture(now=LATER)


def test_a_contact_is_entered_at_the_account_and_its_mail_is_related_to_it(desk: Desk) -> None:
    talk(desk)
    report = enter(desk, "contact")
    assert (report.written["Contact"], report.quarantined) == (1, {})
    (row,) = desk.row("Contact", "Id, FirstName, LastName, AccountId, OwnerId", f"WHERE Email = '{ISIK}'")
    assert (row["FirstName"], row["LastName"]) == ("Ayşe", "Işık")
    assert (row["AccountId"], row["OwnerId"]) == (desk.served.account, desk.served.rep)
    assert [task["WhoId"] for task in desk.row("Task", "WhoId")] == [row["Id"]] * 2
    assert desk.capture(now=LATER).planned == {}


def test_a_lead_is_entered_and_mail_that_was_nobodys_is_written_for_it(desk: Desk) -> None:
    desk.domains.clear()
    talk(desk)
    assert enter(desk, "lead").written == {"Lead": 1, "EmailMessage": 2}
    (row,) = desk.row("Lead", "Id, LastName, Company, OwnerId")
    assert (row["LastName"], row["Company"], row["OwnerId"]) == ("Işık", "new.com", desk.served.rep)
    assert desk.row("Task", "WhoId, WhatId") == [{"WhoId": row["Id"], "WhatId": None}] * 2


@pytest.mark.parametrize("action", ["block", "allow"])
def test_a_duplicate_rule_has_the_last_word_whether_it_forbids_or_warns(desk: Desk, action: str) -> None:
    desk.appear(AccountId=desk.served.account, Email=None, FirstName="A.")
    desk.people.pop(ISIK)
    desk.served.org.declare({"duplicate_rules": [RULE | {"action": action}]})
    talk(desk)
    assert enter(desk, "contact").quarantined == {"create.DUPLICATES_DETECTED": 1}
    assert desk.row("Contact", "Id", f"WHERE Email = '{ISIK}'") == []
    assert desk.capture(now=LATER).planned == {}
    (refused,) = desk.leakwatch.log.refused()
    assert (refused.code, refused.op.fields["Email"]) == ("DUPLICATES_DETECTED", ISIK)
    found = checks(desk, capture={"create": "contact"}, writes={"create_people": True})
    assert found["People refused"].words == "Salesforce refused 1 by DUPLICATES_DETECTED: not tried again"


def test_whom_somebody_enters_meanwhile_is_not_entered_twice(desk: Desk) -> None:
    talk(desk)
    desk.appear("Lead", Company="New", Email=ISIK.upper())
    desk.people.pop(ISIK)
    assert "Contact" not in enter(desk, "contact").written
    assert desk.row("Contact", "Id", f"WHERE Email = '{ISIK}'") == []


def test_an_answer_that_is_lost_enters_nobody_twice(desk: Desk) -> None:
    talk(desk)
    desk.served.fault(do="reset", effect="after", match="POST .*/composite/sobjects($|\\?)", times=1, after=1)
    enter(desk, "contact")
    assert desk.served.ledger.faults.total() == 1
    assert len(desk.row("Contact", "Id", f"WHERE Email = '{ISIK}'")) == 1


def checks(desk: Desk, *, reader: Any = None, **settings: Any) -> dict[str, Check]:
    reader, log = reader or SalesforceReader(desk.leakwatch.client), desk.leakwatch.log
    model = Settings.model_validate(settings)
    parts = SimpleNamespace(reader=reader, settings=model, write_log=log, mirror_folder=Path("no mirror yet"))
    return {check.name: check for check in people_checks(parts)}  # type: ignore[arg-type]


def test_doctor_says_what_keeps_people_from_being_entered(desk: Desk) -> None:
    assert checks(desk) == {}
    off = checks(desk, capture={"create": "lead"})
    assert (off["Lead"].state, "writes.create_people is off" in off["Lead"].words) == ("note", True)
    on = {"capture": {"create": "contact"}, "writes": {"create_people": True}}
    assert checks(desk, **on)["Contact"].state == "ok"
    unable = SimpleNamespace(describe=lambda sobject: {"createable": False})
    assert checks(desk, reader=unable, **on)["Contact"].state == "bad"
