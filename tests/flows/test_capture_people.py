"""People who talk with us and are not in Salesforce: entered there if that is wanted, and only if they really do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from capture_samples import ANN, NINE
from flows.capture_world import NOW, World
from flows.meeting_world import MeetingWorld
from leakwatch.core.newcomers import CreateRules, Kind
from leakwatch.model import Company, DomainAccount, Person

LATER = NOW + timedelta(hours=1)
ISIK = '"Ayşe Işık" <ayse@new.com>'


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    found.domains["new.com"] = (DomainAccount("001NEW"),)
    found.companies["001NEW"] = Company("001NEW", "New Ltd. Şti.", "005OWNER")
    yield found
    found.engine.dispose()


def wanting(world: World, kind: Kind = "contact", *, limit: int = 20, write: bool = True) -> None:
    world.options = replace(world.options, create=CreateRules(kind, limit, write))


def talk(world: World, person: str = ISIK, name: str = "a") -> None:
    """They wrote to Ann, and she answered."""
    world.gmail.deliver(ANN, f"{name}@in", From=person)
    world.gmail.deliver(ANN, f"{name}@out", labels=("SENT",), From=ANN.address, To=person)


def entered(world: World) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "Id"} for row in world.org.people]


def test_nobody_is_entered_unless_it_is_wanted(world: World) -> None:
    talk(world)
    for _ in range(2):
        world.capture()
    wanting(world, write=False)
    world.capture(now=LATER)
    assert world.org.people == []


def test_who_wrote_and_was_written_to_is_entered_at_their_companys_account_and_given_their_mail(world: World) -> None:
    talk(world)
    world.capture()
    wanting(world)
    report = world.capture(now=LATER)
    made = {
        "LastName": "Işık",
        "FirstName": "Ayşe",
        "Email": "ayse@new.com",
        "AccountId": "001NEW",
        "OwnerId": "005ANN",
    }
    assert entered(world) == [made]
    assert report.written["Contact"] == 1
    assert {task["WhoId"] for task in world.org.tasks.values()} == {world.org.people[0]["Id"]}
    assert report.rematched == 2
    assert world.capture(now=LATER).planned == {}


def test_a_dry_run_shows_who_would_be_entered_and_why_and_enters_nobody(world: World) -> None:
    talk(world)
    world.capture()
    wanting(world, write=False)
    (op,) = world.capture(now=LATER, dry_run=True).operations
    assert (op.sobject, op.fields["Email"]) == ("Contact", "ayse@new.com")
    assert op.reason.startswith("Not in Salesforce, and talks with us: 1 received, 1 sent. The mail domain belongs to")
    assert world.org.people == []


@pytest.mark.parametrize("sent", [True, False])
def test_who_only_wrote_or_was_only_written_to_is_not(world: World, sent: bool) -> None:
    if sent:
        world.gmail.deliver(ANN, "a@out", labels=("SENT",), From=ANN.address, To=ISIK)
    else:
        world.gmail.deliver(ANN, "a@in", From=ISIK)
    wanting(world)
    for _ in range(2):
        world.capture()
    assert world.org.people == []


@pytest.mark.parametrize(
    "address",
    [
        "info@new.com", "satis-tr@new.com", "no-reply@new.com", "ayse@gmail.com", "ayse@nowhere.com", "x@lawyer.com",
        "eve@never.com",
    ],
)  # fmt: skip
def test_roles_free_mail_unknown_companies_and_who_is_kept_out_are_not(world: World, address: str) -> None:
    world.domains |= dict.fromkeys(("gmail.com", "lawyer.com", "never.com"), (DomainAccount("001NEW"),))
    world.options = replace(world.options, never_match=("never.com",))
    talk(world, address)
    wanting(world)
    for _ in range(2):
        world.capture()
    assert world.org.people == []


def test_a_newsletter_and_a_circular_are_no_talk(world: World) -> None:
    many = ", ".join([ISIK, *(f"p{number}@x.com" for number in range(10))])
    world.gmail.deliver(ANN, "a@in", From=ISIK)
    world.gmail.deliver(ANN, "a@out", labels=("SENT",), From=ANN.address, To=many)
    world.gmail.deliver(ANN, "b@in", From='"Bo Li" <bo@new.com>', List_Unsubscribe="<https://new.com/x>")
    world.gmail.deliver(ANN, "b@out", labels=("SENT",), From=ANN.address, To="bo@new.com")
    wanting(world)
    for _ in range(2):
        world.capture()
    assert world.org.people == []


def test_who_was_met_is_entered_and_who_declined_or_is_to_be_met_is_not(tmp_path: Path) -> None:
    world = MeetingWorld(tmp_path)
    world.domains["new.com"] = (DomainAccount("001NEW"),)
    world.companies["001NEW"] = Company("001NEW", "New", None)
    came = [{"email": ANN.address}, {"email": "ayse@new.com", "displayName": "Ayşe Işık"}]
    came.append({"email": "no@new.com", "responseStatus": "declined"})
    past = {"dateTime": (NINE - timedelta(days=1)).isoformat()}
    world.calendars.put("m", ANN, attendees=came, start=past, end=past)
    world.calendars.put("n", ANN, attendees=[{"email": ANN.address}, {"email": "soon@new.com"}])
    wanting(world, write=False)
    world.event_org.related = lambda *asked: []  # type: ignore[attr-defined]
    world.sync()
    assert [op.fields["Email"] for op in world.sync(now=LATER, dry_run=True).operations] == ["ayse@new.com"]
    world.engine.dispose()


def test_a_lead_gets_the_companys_name_or_its_domain(world: World) -> None:
    talk(world)
    talk(world, '"Bo Li" <bo@mail.other.co.uk>', "b")
    talk(world, '"Ad Hoc" <ad@gmail.com>', "c")
    world.capture()
    wanting(world, "lead")
    world.capture(now=LATER)
    assert {row["LastName"]: row["Company"] for row in world.org.people} == {
        "Işık": "New Ltd. Şti.",
        "Li": "other.co.uk",
    }
    li = next(row["Id"] for row in world.org.people if row["LastName"] == "Li")
    # The mails of somebody unknown are theirs now; what has an account gets no lead beside it.
    assert sorted(str(task["WhoId"]) for task in world.org.tasks.values()) == sorted([li, li, "None", "None"])


def test_no_more_than_the_limit_a_run_and_those_with_the_most_mail_first(world: World) -> None:
    for number in range(3):
        talk(world, f"p{number}.q@new.com", f"m{number}")
    talk(world, "p2.q@new.com", "more")
    world.capture()
    wanting(world, limit=2)
    seen = []
    for _ in range(3):
        world.capture(now=LATER)
        seen.append([row["Email"] for row in world.org.people])
    assert [len(one) for one in seen] == [2, 3, 3]
    assert seen[0][0] == "p2.q@new.com"


def test_who_is_in_salesforce_by_now_is_not_entered_however_the_address_is_spelled(world: World) -> None:
    talk(world)
    world.capture()
    world.org.people.append({"Id": "003THERE", "Email": "Ayse@NEW.com"})
    wanting(world)
    world.capture(now=LATER)
    assert len(world.org.people) == 1


def test_a_refused_person_is_told_with_salesforces_reason_and_not_tried_again(world: World) -> None:
    talk(world)
    world.capture()
    wanting(world)
    world.org.refuse["Contact"] = "DUPLICATES_DETECTED"
    assert world.capture(now=LATER).quarantined == {"create.DUPLICATES_DETECTED": 1}
    world.org.refuse.clear()
    again = world.capture(now=LATER)
    assert (again.quarantined, world.org.people) == ({}, [])


def test_who_was_entered_is_not_entered_again_while_the_mirror_is_older_nor_once_it_knows(world: World) -> None:
    talk(world)
    world.capture()
    wanting(world)
    world.capture(now=LATER)
    world.org.people[0]["Email"] = "changed@by.somebody"
    talk(world, ISIK, "b")
    world.capture(now=LATER)
    assert len(world.org.people) == 1
    assert {task["WhoId"] for task in world.org.tasks.values()} == {world.org.people[0]["Id"]}
    world.people["ayse@new.com"] = (Person(world.org.people[0]["Id"], "Contact", "Ayşe Işık", "001NEW"),)
    world.capture(now=LATER)
    assert len(world.org.people) == 1


def test_who_was_entered_and_deleted_by_a_person_is_neither_entered_again_nor_named(world: World) -> None:
    talk(world)
    world.capture()
    wanting(world)
    world.capture(now=LATER)
    world.org.people.clear()
    talk(world, ISIK, "b")
    report = world.capture(now=LATER)
    assert world.org.people == []
    assert report.written == {"EmailMessage": 2}
    assert [task["WhoId"] for task in world.org.tasks.values()][2:] == [None, None]
