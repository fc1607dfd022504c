"""Whom a meeting's Event names: all its guests who are in Salesforce, kept in step, and never what a person did."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from capture_samples import ANN, BOB
from flows.meeting_world import TOMORROW, MeetingWorld
from leakwatch import faultpoints
from leakwatch.cli.words import capture_lines
from leakwatch.core.plan import PlanRules
from leakwatch.core.plan_meeting import CANCELLED
from leakwatch.core.plan_people import MOST_CONTACTS
from leakwatch.model import OpenOpportunity, Person, Verb

EVE, ZED, LEA, KIM = "eve@acme.com", "zed@acme.com", "lea@new.com", "kim@new.com"
GUESTS = (EVE, ZED)


def guests(*addresses: str) -> dict[str, Any]:
    return {
        "attendees": [{"email": one, "displayName": one[:3].title()} for one in (ANN.address, BOB.address, *addresses)]
    }


@pytest.fixture
def world(tmp_path: Path) -> MeetingWorld:
    found = MeetingWorld(tmp_path)
    found.people |= {
        ZED: (Person("003ZED", "Contact", "Zed", "001ACME"),),
        LEA: (Person("00QLEA", "Lead", "Lea"),),
        KIM: (Person("00QKIM", "Lead", "Kim"),),
    }
    shared(found, on=True)
    return found


def shared(world: MeetingWorld, *, on: bool) -> None:
    world.options = replace(world.options, planning=PlanRules(shared_activities=on))


def named(world: MeetingWorld) -> Sequence[str]:
    """Whom the one Event names, the one in WhoId first."""
    (people,) = [world.event_org.people.get(one, []) for one in world.event_org.events]
    assert (people[0] if people else None) == world.event.get("WhoId")
    return people


def test_an_event_names_every_guest_who_is_in_salesforce_by_the_one_write_that_makes_it(world: MeetingWorld):
    world.calendars.put("m", **guests("nobody@else.com", *GUESTS))
    assert world.sync().written == {"Event": 1}
    assert named(world) == ["003EVE", "003ZED"]
    assert world.sync().written == {}


def test_a_guest_who_comes_later_is_added_and_one_who_is_taken_off_the_list_is_parted_from_it(world: MeetingWorld):
    world.calendars.put("m", **guests(EVE))
    world.sync()
    world.calendars.put("m", **guests(EVE, ZED))
    assert world.sync().written == {"Event.changed": 1}
    assert sorted(named(world)) == ["003EVE", "003ZED"]
    world.calendars.put("m", **guests(ZED))
    assert world.sync().written == {"Event.changed": 1}
    assert named(world) == ["003ZED"]
    world.calendars.put("m", **guests(EVE, ZED))
    world.sync()
    assert sorted(named(world)) == ["003EVE", "003ZED"]


def test_whom_a_person_related_stays_and_whom_a_person_took_away_is_not_named_again(world: MeetingWorld):
    world.calendars.put("m", **guests(EVE, ZED))
    world.sync()
    (event,) = world.event_org.events
    world.event_org.people[event] = ["003EVE", "003THEIRS"]
    world.people["new@acme.com"] = (Person("003NEW", "Contact", "New", "001ACME"),)
    world.calendars.put("m", **guests(EVE, ZED, "new@acme.com"))
    world.sync()
    assert named(world) == ["003EVE", "003THEIRS", "003NEW"]
    world.calendars.put("m", **guests(ZED, "new@acme.com"))
    world.sync()
    assert sorted(named(world)) == ["003NEW", "003THEIRS"]


def test_a_guest_whom_a_person_had_related_before_is_theirs_and_stays_when_taken_off_the_list(world: MeetingWorld):
    world.calendars.put("m", **guests(EVE))
    world.sync()
    (event,) = world.event_org.events
    world.event_org.people[event].append("003ZED")
    world.calendars.put("m", **guests(EVE, ZED), summary="Both")
    assert world.sync().written == {"Event.changed": 1}
    world.calendars.put("m", **guests(EVE), summary="Both")
    world.sync()
    assert named(world) == ["003EVE", "003ZED"]


def test_a_contact_that_is_unknown_for_a_while_stays_while_its_guest_is_on_the_list(world: MeetingWorld):
    world.calendars.put("m", **guests(EVE, ZED))
    world.sync()
    zed = world.people.pop(ZED)
    world.calendars.put("m", **guests(EVE, ZED), summary="Renamed")
    world.sync()
    assert named(world) == ["003EVE", "003ZED"]
    world.people[ZED] = zed
    world.calendars.put("m", **guests(EVE), summary="Renamed")
    world.sync()
    assert named(world) == ["003EVE"]


def test_contacts_are_named_rather_than_a_lead_which_stands_in_the_description(world: MeetingWorld):
    world.calendars.put("m", **guests(LEA, EVE, ZED))
    world.sync()
    assert named(world) == ["003EVE", "003ZED"]
    assert world.event["Description"] == "Also invited: Lea <lea@new.com> (lead)"


def test_a_lead_is_named_alone_and_gives_way_to_the_contact_who_comes_later(world: MeetingWorld):
    world.calendars.put("m", **guests(LEA, KIM))
    world.sync()
    assert (named(world), world.event.get("WhatId")) == (["00QLEA"], None)
    assert world.event["Description"] == "Also invited: Kim <kim@new.com> (lead)"
    world.calendars.put("m", **guests(LEA, KIM, EVE))
    world.sync()
    assert (named(world), world.event["WhatId"]) == (["003EVE"], "001ACME")
    world.calendars.put("m", **guests(LEA))
    world.sync()
    assert (named(world), world.event["WhatId"]) == (["00QLEA"], None)


def test_no_more_contacts_than_salesforce_takes_are_named_and_the_rest_is_written_down(world: MeetingWorld):
    crowd = [f"c{number:02}@acme.com" for number in range(MOST_CONTACTS + 2)]
    world.people |= {one: (Person(f"003{one[:3]}", "Contact", one, "001ACME"),) for one in crowd}
    world.calendars.put("m", **guests(*crowd))
    world.sync()
    assert len(named(world)) == MOST_CONTACTS
    assert world.event["Description"] == "Also invited: C50 <c50@acme.com>, C51 <c51@acme.com>"


def test_without_shared_activities_one_guest_is_named_the_others_are_written_down_and_a_new_first_one_takes_over(
    world: MeetingWorld,
):
    shared(world, on=False)
    world.calendars.put("m", **guests(EVE, ZED))
    world.sync()
    (op,) = world.event_org.sent
    assert "EventWhoIds" not in op.fields
    assert (named(world), world.event["Description"]) == (["003EVE"], "Also invited: Zed <zed@acme.com>")
    world.calendars.put("m", **guests(ZED))
    world.sync()
    assert (named(world), world.event["Description"]) == (["003ZED"], None)
    world.event["WhoId"] = "003THEIRS"
    world.calendars.put("m", **guests(EVE))
    world.sync()
    assert world.event["WhoId"] == "003THEIRS"


def test_an_org_that_gets_shared_activities_gets_the_other_guests_with_the_next_change(world: MeetingWorld):
    shared(world, on=False)
    world.calendars.put("m", **guests(EVE, ZED))
    world.sync()
    shared(world, on=True)
    world.calendars.put("m", **guests(EVE, ZED), summary="Renamed")
    world.sync()
    assert (named(world), world.event["Description"]) == (["003EVE", "003ZED"], None)


def test_a_dry_run_shows_each_guest_who_is_added_and_parted_from_and_what_was_there(world: MeetingWorld):
    world.calendars.put("m", **guests(EVE))
    (op,) = world.sync(dry_run=True).operations
    assert op.fields["WhoId"] == "003EVE"
    world.sync()
    world.calendars.put("m", **guests(ZED))
    (op,) = world.sync(dry_run=True).operations
    assert op.relations == {"EventWhoIds": ["003ZED"]}
    assert op.prior["EventWhoIds"] == ["003EVE"]
    world.sync()
    assert world.event_org.sent[-1] == op


def test_what_is_printed_of_a_dry_run_names_who_comes_and_who_goes(world: MeetingWorld):
    world.calendars.put("m", **guests(EVE, LEA))
    assert "  insert Event with 003EVE: " in "\n".join(capture_lines(world.sync(dry_run=True)))
    world.sync()
    (event,) = world.event_org.events
    world.calendars.put("m", **guests(ZED))
    assert f"  update Event {event} with +003ZED -003EVE: " in "\n".join(capture_lines(world.sync(dry_run=True)))
    world.calendars.put("m", status="cancelled")
    assert f"  delete Event {event}: " in "\n".join(capture_lines(world.sync(dry_run=True)))


def test_relations_that_salesforce_does_not_show_whole_are_left_alone(world: MeetingWorld):
    world.calendars.put("m", **guests(EVE, ZED))
    world.sync()
    (event,) = world.event_org.events
    world.event_org.people[event] = []
    world.calendars.put("m", **guests(EVE), summary="Renamed")
    world.sync()
    assert world.event_org.sent[-1].fields == {"Subject": "Renamed"}


def test_colleagues_are_no_guests_of_the_event(world: MeetingWorld):
    world.calendars.put("m", **guests(EVE))
    world.sync()
    assert not {"005ANN", "005BOB"} & set(named(world))


def test_a_meeting_made_private_names_nobody_and_opened_again_names_all(world: MeetingWorld):
    world.calendars.put("m", **guests(LEA, EVE, ZED))
    world.sync()
    world.calendars.put("m", **guests(EVE, ZED), visibility="private")
    world.sync()
    assert (named(world), world.event["Description"]) == ([], None)
    world.calendars.put("m", **guests(EVE, ZED))
    world.sync()
    assert (named(world), world.event["WhatId"], world.event["Subject"]) == (["003EVE", "003ZED"], "001ACME", "Demo")


def test_a_cancelled_meeting_keeps_the_event_to_which_a_person_related_somebody(world: MeetingWorld):
    world.calendars.put("m", **guests(EVE))
    world.sync()
    (event,) = world.event_org.events
    world.event_org.people[event].append("003THEIRS")
    world.calendars.put("m", status="cancelled")
    assert world.sync().written == {}


def test_a_cancelled_meeting_loses_its_event_although_its_lead_was_converted_meanwhile(world: MeetingWorld):
    world.calendars.put("m", **guests(LEA))
    world.sync()
    (event,) = world.event_org.events
    world.event_org.people[event] = ["003LEA"]
    world.event["WhoId"] = "003LEA"
    world.people[LEA] = (Person("003LEA", "Contact", "Lea", "001NEW"),)
    world.calendars.put("m", status="cancelled")
    assert world.sync().written == {"Event.deleted": 1}


def test_the_deal_it_was_written_for_stays_when_that_is_closed_and_gives_way_while_it_is_open(world: MeetingWorld):
    deal = OpenOpportunity("006DEAL", "001ACME", "Deal", "005ANN", close_date=date(2026, 12, 1))
    world.deals = {"001ACME": (deal,)}
    world.calendars.put("m", **guests(EVE))
    world.sync()
    assert world.event["WhatId"] == "006DEAL"
    world.deals = {}
    world.calendars.put("m", **guests(EVE), summary="Renamed")
    world.sync()
    assert (world.event["WhatId"], world.event["Subject"]) == ("006DEAL", "Renamed")
    world.people["ed@other.com"] = (Person("003ED", "Contact", "Ed", "001OTHER"),)
    world.calendars.put("m", **guests("ed@other.com"))
    world.sync()
    assert world.event["WhatId"] == "001OTHER"


# --- all outside guests leave ---


@pytest.mark.parametrize("left", [(), ("nobody@else.com",)])
def test_a_planned_meeting_that_all_known_guests_left_loses_its_event_and_gets_it_back_with_them(
    world: MeetingWorld, left: tuple[str, ...]
):
    world.calendars.put("m", **guests(EVE))
    world.sync()
    world.calendars.put("m", **guests(*left))
    shown = world.sync(dry_run=True)
    assert [(op.verb, op.reason) for op in shown.operations] == [(Verb.DELETE, CANCELLED)]
    assert world.sync().written == {"Event.deleted": 1}
    assert world.sync().written == {}
    world.calendars.put("m", **guests(EVE))
    assert world.sync().written == {"Event": 1}


def test_a_meeting_that_became_internal_keeps_the_event_that_a_person_changed(world: MeetingWorld):
    world.calendars.put("m", **guests(EVE))
    world.sync()
    world.event["Subject"] = "Call Eve instead"
    world.calendars.put("m", **guests())
    assert world.sync().written == {}


def test_a_meeting_that_was_held_keeps_its_event_when_its_guest_is_taken_off_the_list_afterwards(world: MeetingWorld):
    world.calendars.put("m", **guests(EVE))
    world.sync()
    world.calendars.put("m", **guests())
    assert world.sync(now=TOMORROW + timedelta(days=1)).written == {}
    assert named(world) == ["003EVE"]


def test_of_a_meeting_that_became_internal_nothing_new_is_kept(world: MeetingWorld):
    world.calendars.put("m", **guests(EVE))
    world.sync()
    world.calendars.put("m", **guests(), summary="Secret plan")
    world.sync()
    assert b"Secret plan" not in b"".join(path.read_bytes() for path in world.folder.iterdir())


# --- killed in between ---


class Killed(BaseException):
    """The process ended here."""


def before_the_change(folder: Path) -> MeetingWorld:
    """A meeting and a mail that are written, with other guests and a late copy that the next sync finds."""
    folder.mkdir()
    world = MeetingWorld(folder)
    world.people[ZED] = (Person("003ZED", "Contact", "Zed", "001ACME"),)
    shared(world, on=True)
    world.calendars.put("m", **guests(EVE))
    world.gmail.deliver(BOB, "a@acme.com", To="ann@ourco.com")
    world.sync()
    world.calendars.put("m", **guests(ZED))
    world.gmail.deliver(ANN, "a@acme.com", To="ann@ourco.com", Cc=ZED)
    return world


def points(world: MeetingWorld, kill_at: int | None = None) -> list[str]:
    """Sync, and return the fault points that were passed until the end, or until the one at which it was killed."""
    passed: list[str] = []

    def hook(name: str) -> None:
        passed.append(name)
        if len(passed) - 1 == kill_at:
            raise Killed

    faultpoints.install(hook)
    try:
        with suppress(Killed):
            world.sync()
    finally:
        faultpoints.install(None)
    return passed


def left_behind(world: MeetingWorld) -> Any:
    related = sorted((row["RelationType"], row["RelationId"]) for row in world.org.relations.values())
    return [dict(row) for row in world.event_org.events.values()], world.event_org.people, related


def test_killed_anywhere_in_the_writing_and_run_again_the_people_of_meetings_and_mails_end_as_undisturbed(
    tmp_path: Path,
):
    undisturbed = before_the_change(tmp_path / "undisturbed")
    passed = points(undisturbed)
    assert "capture.after_relations" in passed
    wanted = left_behind(undisturbed)
    assert (list(wanted[1].values()), ("CcAddress", "003ZED") in wanted[2]) == ([["003ZED"]], True)
    for place in range(passed.index("journal.record_matches.before"), len(passed)):
        world = before_the_change(tmp_path / str(place))
        assert points(world, place) == passed[: place + 1]
        world.sync()
        assert left_behind(world) == wanted, passed[place]
        world.engine.dispose()
