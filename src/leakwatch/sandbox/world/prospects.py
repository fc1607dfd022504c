"""Leads that nobody touches, leads that somebody just touched, and leads of every day.

Boundary, for an audit on local date A: stale when the last touch is on A - 30 or before.
"""

from __future__ import annotations

from typing import Any

from leakwatch.sandbox.world import names
from leakwatch.sandbox.world.builder import DAYS, Builder, Person
from leakwatch.sandbox.world.model import Json

STALE_DAYS = 30
STALE = "lead_stale"

#: The oldest last touch that is still fresh on the last day.
FRESH = DAYS - STALE_DAYS + 1

OPEN = ("Open - Not Contacted", "Working - Contacted", "Görüşülüyor")


class Prospects:
    """Makes leads."""

    def __init__(self, build: Builder) -> None:
        self.build = build

    def lead(
        self,
        created: int,
        *,
        hour: int = 10,
        minute: int = 0,
        status: str | None = None,
        owner: str | None = None,
        deleted: bool = False,
        **fields: Any,
    ) -> Person:
        """A lead as it stands at the start."""
        build = self.build
        number = build.number("lead")
        turkish = number % 2 == 0
        first, last = names.person(2_000 + number, turkish=turkish)
        firm, _, _ = names.firm(500 + number)
        email = f"{names.ascii_word(first)}.{names.ascii_word(last)}@lead{number}.example"
        person = Person(f"@lead:{number}", f"{first} {last}", email, turkish=turkish)
        values: Json = {
            "FirstName": first,
            "LastName": last,
            "Company": firm,
            "Email": email,
            "Status": status or OPEN[number % len(OPEN)],
        }
        extra: Json = {"deleted": True} if deleted else {}
        who = owner or build.seller(number)["ref"]
        build.record(person.ref, "Lead", values | fields, created=build.at(created, hour, minute), owner=who, **extra)
        return person

    def owner(self, ref: str) -> str:
        """Who owns a lead."""
        return str(self.build.find(ref)["owner"])

    def task(self, lead: Person, done: str | None, *, due: int | None = None, status: str = "Completed") -> str:
        """A Task on a lead: completed at an instant, or with only a due date, or open."""
        build = self.build
        fields: Json = {"Subject": "Telefon görüşmesi", "WhoId": lead.ref, "Status": status, "Priority": "Normal"}
        if status == "Completed":
            fields["CompletedDateTime"] = done
        if due is not None:
            fields["ActivityDate"] = build.iso(due)
        owner = self.owner(lead.ref)
        who = "@user:rep1" if owner.startswith("@queue:") else owner
        return build.record(
            f"@task:{build.number('task')}", "Task", fields, created=done or build.at(-50, 9), owner=who
        )

    def event(self, lead: Person, day: int) -> str:
        """A meeting of one hour with a lead."""
        build = self.build
        fields: Json = {
            "Subject": "Tanışma toplantısı",
            "WhoId": lead.ref,
            "StartDateTime": build.at(day, 14),
            "EndDateTime": build.at(day, 15),
            "DurationInMinutes": 60,
            "ActivityDate": build.iso(day),
        }
        key = f"@event:{build.number('event')}"
        return build.record(key, "Event", fields, created=build.at(-45, 9), owner=self.owner(lead.ref))


def stale(prospects: Prospects) -> None:
    """Leads that were forgotten, before the first day and during the play."""
    build = prospects.build

    def forgotten(lead: Person, touched: int, why: str, until: str | None = None) -> Person:
        build.finding(STALE, lead.ref, build.at(touched + STALE_DAYS, 0), until, why)
        return lead

    forgotten(prospects.lead(-60), -60, "two months, nothing at all")
    forgotten(prospects.lead(-30, hour=23, minute=30), -30, "exactly 30 days on the first day")
    lead = forgotten(prospects.lead(-200), -31, "a call 31 days ago")
    prospects.task(lead, build.at(-31, 16), due=-31)
    lead = forgotten(prospects.lead(-90), -45, "a closed task with a due date only")
    prospects.task(lead, None, due=-45)
    lead = forgotten(prospects.lead(-70), -70, "an open task is no touch")
    prospects.task(lead, None, due=3, status="Not Started")
    lead = forgotten(prospects.lead(-80), -80, "a meeting that is still to come is no touch")
    prospects.event(lead, DAYS + 6)
    forgotten(prospects.lead(-50, owner="@queue:web"), -50, "in the queue, nobody owns it")
    forgotten(prospects.lead(-30, hour=0, minute=30), -30, "exactly 30 days by local date, 31 by UTC")
    mended = build.office_hours(3)
    lead = forgotten(prospects.lead(-75), -75, "baseline, called on day 3", mended)
    _call(prospects, lead, mended)
    _stale_during(prospects, forgotten)


def _call(prospects: Prospects, lead: Person, at: str) -> None:
    """A rep logs a call as a completed Task."""
    build = prospects.build
    fields: Json = {"Subject": "Arama", "WhoId": lead.ref, "Status": "Completed", "Priority": "Normal"}
    fields["TaskSubtype"] = "Call"
    who = prospects.owner(lead.ref)
    key = f"@task:{build.number('task')}"
    build.play(at, "create", ref=key, object="Task", by=who, fields=fields | {"OwnerId": who})


def _stale_during(prospects: Prospects, forgotten: Any) -> None:
    build = prospects.build
    forgotten(prospects.lead(-29), -29, "new on day 1, nobody touches it")
    mended = build.office_hours(5)
    lead = forgotten(prospects.lead(-27), -27, "new on day 3, mailed on day 5", mended)
    build.mails.append(
        {
            "id": f"mend{build.number('mend')}",
            "at": mended,
            "from": _mailbox(build, prospects.owner(lead.ref)),
            "to": [lead.mailbox],
            "subject": "Görüşmemiz hakkında",
            "text": "Merhaba, geç dönüşüm için kusura bakmayın. Bu hafta görüşebilir miyiz?",
        }
    )
    build.captures.append(_written_to_lead(build, build.mails[-1], lead, prospects.owner(lead.ref)))
    mended = build.office_hours(6)
    lead = forgotten(prospects.lead(-26), -26, "new on day 4, called on day 6", mended)
    _call(prospects, lead, mended)
    lead = forgotten(prospects.lead(-25), -25, "new on day 5; on day 7 the alert is closed and nothing mended")
    who = prospects.owner(lead.ref)
    build.play(build.office_hours(7), "complete_alert_task", record=lead.ref, by=who, rule=STALE)
    forgotten(prospects.lead(-24, owner="@queue:web"), -24, "new on day 6, in the queue")
    mended = build.office_hours(9)
    lead = forgotten(prospects.lead(-23), -23, "new on day 7, given up on day 9", mended)
    who = prospects.owner(lead.ref)
    build.play(mended, "update", record=lead.ref, by=who, fields={"Status": "Olumsuz"})


def _mailbox(build: Builder, ref: str) -> str:
    user = next(user for user in build.users if user["ref"] == ref)
    return f"{user['first_name']} {user['last_name']} <{user['email']}>"


def _written_to_lead(build: Builder, mail: Json, lead: Person, owner: str) -> Json:
    key = f"{mail['id']}.{build.seed}@mail.{mail['from'].rpartition('@')[2].rstrip('>')}"
    body: Json = {"message_id": key, "expect": "written", "who": [lead.ref], "what": None, "owner": owner}
    return body | {"from": mail["at"]}


def decoys(prospects: Prospects) -> None:
    """Leads that look forgotten and are not."""
    build = prospects.build
    build.decoy(STALE, prospects.lead(FRESH).ref, "29 days on the last day")
    lead = prospects.lead(FRESH, hour=0, minute=30)
    build.decoy(STALE, lead.ref, "29 days on the last day by local date, 30 by UTC")
    lead = prospects.lead(-90)
    prospects.task(lead, build.at(FRESH, 0, 30), due=-60)
    build.decoy(STALE, lead.ref, "the task was due long ago and completed lately")
    lead = prospects.lead(-90)
    prospects.event(lead, FRESH)
    build.decoy(STALE, lead.ref, "a meeting 29 days before the last day")
    lead = prospects.lead(-95)
    prospects.event(lead, 2)
    prospects.task(lead, build.at(-20, 11), due=-20)
    build.decoy(STALE, lead.ref, "called 20 days ago, met on day 2")
    lead = prospects.lead(-300, status="Closed - Converted", IsConverted=True, ConvertedDate=build.iso(-200))
    build.decoy(STALE, lead.ref, "converted")
    build.decoy(STALE, prospects.lead(-120, status="Olumsuz").ref, "given up: its status is closed")
    build.decoy(STALE, prospects.lead(-120, deleted=True).ref, "in the recycle bin")
    lead = prospects.lead(-110)
    _logged_mail(prospects, lead, -12)
    build.decoy(STALE, lead.ref, "mailed 12 days ago, logged by the mail add-in")
    for _ in range(3):
        lead = prospects.lead(-build.dice.randint(60, 150))
        build.mail_leads.append(lead)
        build.decoy(STALE, lead.ref, "old, and in correspondence with us")


def _logged_mail(prospects: Prospects, lead: Person, day: int) -> None:
    """An EmailMessage that another product wrote, with its relation to the lead."""
    build = prospects.build
    key = f"@mail:{build.number('logged')}"
    at = build.at(day, 11)
    fields: Json = {
        "Subject": "Teklif",
        "Status": "3",
        "Incoming": False,
        "MessageDate": at,
        "FromAddress": build.seller(0)["email"],
        "ToAddress": lead.email,
    }
    build.record(key, "EmailMessage", fields, created=at)
    relation: Json = {"EmailMessageId": key, "RelationId": lead.ref, "RelationType": "ToAddress"}
    relation["RelationAddress"] = lead.email
    build.record(f"@emr:{build.number('relation')}", "EmailMessageRelation", relation, created=at)


def everyday(prospects: Prospects, until: int) -> None:
    """Sound leads, until there are `until` leads in all."""
    build = prospects.build
    for _ in range(until):
        if build.count("Lead") >= until:
            return
        turn = build.dice.random()
        if turn < 0.55:
            prospects.lead(-build.dice.randint(0, -FRESH - 1), hour=9)
        elif turn < 0.75:
            lead = prospects.lead(-build.dice.randint(40, 200))
            prospects.task(lead, build.at(-build.dice.randint(1, -FRESH - 1), 15), due=-1)
        elif turn < 0.9:
            prospects.lead(-build.dice.randint(20, 300), status="Olumsuz")
        else:
            build.mail_leads.append(prospects.lead(-build.dice.randint(20, 100)))
