"""In whatever order calendars and mailboxes are read, and however often a page comes, the org ends the same."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from capture_samples import ANN, BOB
from flows.meeting_world import TOMORROW, MeetingWorld
from leakwatch.core.plan import PlanRules
from leakwatch.model import OpenOpportunity, Person, Principal

CEM = replace(BOB, address="cem@ourco.com", provider_id="g3", salesforce_user_id="005CEM", name="Cem Ak")
EVE, ZED, LEA, STRANGER = "eve@acme.com", "zed@else.com", "lea@new.com", "who@nowhere.com"


@dataclass(frozen=True)
class Copy:
    """How one meeting stands in one calendar."""

    meeting: str
    owner: Principal
    guests: tuple[str, ...]
    more: dict[str, Any] = field(default_factory=dict[str, Any])


def hidden(organizer: str) -> dict[str, Any]:
    """A guest's copy in which the other guests are not shown."""
    return {"organizer": {"email": organizer}, "guestsCanSeeOtherGuests": False}


# Each calendar shows the same meetings otherwise: guests left out, other titles, a declined one, one made private.
COPIES = (
    Copy("all", ANN, (ANN.address, BOB.address, EVE, ZED)),
    Copy("all", BOB, (BOB.address, ZED), {"attendeesOmitted": True, "summary": "An old title"}),
    Copy("all", CEM, (CEM.address, ZED), {"attendeesOmitted": True, "visibility": "private"}),
    Copy("theirs", BOB, (BOB.address, ZED), hidden(EVE)),
    Copy("theirs", CEM, (CEM.address, LEA), hidden(EVE)),
    Copy("lead first", ANN, (ANN.address, BOB.address, LEA, EVE)),
    Copy("lead first", BOB, (BOB.address, LEA), {"attendeesOmitted": True}),
    Copy("unknown here", BOB, (BOB.address, STRANGER), {"organizer": {"email": CEM.address}, "attendeesOmitted": True}),
    Copy("unknown here", CEM, (CEM.address, BOB.address, STRANGER, ZED), {"organizer": {"email": CEM.address}}),
    Copy("declined", ANN, (ANN.address, EVE), {"organizer": {"email": EVE}, "declined": True}),
    Copy("declined", BOB, (BOB.address, EVE), {"organizer": {"email": EVE}}),
    *(Copy("off", one, (ANN.address, BOB.address, EVE)) for one in (ANN, BOB)),
    *(Copy("off", one, (), {"status": "cancelled"}) for one in (ANN, BOB)),
    *(Copy("left", one, (ANN.address, BOB.address, EVE)) for one in (ANN, BOB)),
    *(Copy("left", one, (ANN.address, BOB.address)) for one in (ANN, BOB)),
)


def end_state(folder: Path, order: list[int], *, shared: bool, each: bool, twice: bool, as_task: bool) -> Any:
    """Let the copies come in this order, syncing after each or once; return what the org holds of each meeting."""
    world = MeetingWorld(folder)
    world.roster = [ANN, BOB, CEM]
    world.mail = False
    world.calendars.changed[CEM.address] = []
    world.people |= {
        CEM.address: (Person("005CEM", "User", "Cem Ak"),),
        ZED: (Person("003ZED", "Contact", "Zed", "001ELSE"),),
        LEA: (Person("00QLEA", "Lead", "Lea"),),
    }
    world.deals = {"001ACME": (OpenOpportunity("006DEAL", "001ACME", "Deal", "005ANN"),)}
    planning = PlanRules(shared_activities=shared, meetings_as="task" if as_task else "event")
    world.options = replace(world.options, planning=planning)
    now = TOMORROW + timedelta(days=1 if as_task else -1)
    for copy in [COPIES[index] for index in order for _ in range(2 if twice else 1)]:
        put(world, copy, as_task=as_task)
        if each:
            world.sync(now=now)
    world.sync(now=now)
    assert world.sync(now=now).written == {}
    found = {
        row["Leakwatch_Key__c"]: (
            row["Subject"], row["OwnerId"], row.get("WhoId"), row.get("WhatId"), row.get("Description"),
            sorted(world.event_org.people.get(row["Id"], ())),
        )
        for row in world.event_org.events.values()
    }  # fmt: skip
    world.engine.dispose()
    return found


def put(world: MeetingWorld, copy: Copy, *, as_task: bool) -> None:
    more = dict(copy.more)
    answer = "declined" if more.pop("declined", False) else "accepted"
    answers = {one: answer if one == copy.owner.address else "accepted" for one in copy.guests}
    attendees = [{"email": one, "responseStatus": said} for one, said in answers.items()]
    world.calendars.put(copy.meeting, copy.owner, **{"attendees": attendees} | before(as_task) | more)


def before(as_task: bool) -> dict[str, Any]:
    """When the calendar says that it changed: while every meeting was to come."""
    return {"updated": (TOMORROW - timedelta(days=1)).isoformat()} if as_task else {}


ORDER = list(range(len(COPIES)))


def in_turn(order: list[int]) -> list[int]:
    """Return `order` with what became of one meeting in one calendar in the order in which it happened there."""
    places = [(COPIES[index].meeting, COPIES[index].owner.address) for index in order]
    left = {place: sorted(index for index, at in zip(order, places, strict=True) if at == place) for place in places}
    return [left[place].pop(0) for place in places]


@cache
def expected(*, shared: bool, as_task: bool) -> Any:
    with TemporaryDirectory() as folder:
        return end_state(Path(folder), ORDER, shared=shared, each=False, twice=False, as_task=as_task)


@settings(max_examples=5, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.permutations(ORDER), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_every_order_ends_with_the_same_records_that_name_the_same_people(
    order: list[int], shared: bool, each: bool, twice: bool, as_task: bool
):
    wanted = expected(shared=shared, as_task=as_task)
    assert len(wanted) == 5
    with TemporaryDirectory() as folder:
        found = end_state(Path(folder), in_turn(order), shared=shared, each=each, twice=twice, as_task=as_task)
    assert found == wanted
