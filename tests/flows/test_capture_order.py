"""Whichever mailbox gets or is read with its copy first, the records end with the same people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture_samples import ANN, BOB
from flows.capture_world import World
from leakwatch.core.plan import PlanRules
from leakwatch.model import Person, Principal

CEM = replace(BOB, address="cem@ourco.com", provider_id="g3", salesforce_user_id="005CEM", name="Cem Ak")
TO_A_LIST = {"To": "partners@acme.com", "Subject": "To a list"}
SENT = {"From": "ann@ourco.com", "To": "eve@acme.com", "Subject": "Sent"}
COPIES: tuple[tuple[Principal, str, dict[str, str]], ...] = (
    *((one, "list@acme.com", TO_A_LIST) for one in (ANN, BOB, CEM)),
    *((one, "named@acme.com", {"To": "cem@ourco.com", "Subject": "To Cem"}) for one in (BOB, CEM)),
    (CEM, "used-twice@acme.com", {"Subject": "The true one", "Date": "Wed, 01 Jul 2026 12:00:00 +0300"}),
    (BOB, "used-twice@acme.com", {"Subject": "The true one", "Date": "Wed, 01 Jul 2026 12:00:00 +0300",
                                  "To": CEM.address}),
    (ANN, "used-twice@acme.com", {"Subject": "Another one", "From": "ege@acme.com",
                                  "Date": "Thu, 02 Jul 2026 12:00:00 +0300"}),
    # A list rewrote one copy's recipients; another came by BCC, which only the sender's own copy shows.
    (ANN, "more@acme.com", {"Subject": "More of us", "To": "ann@ourco.com", "Cc": "ege@acme.com"}),
    (BOB, "more@acme.com", {"Subject": "More of us", "To": "ann@ourco.com"}),
    (ANN, "sent@ourco.com", SENT | {"Bcc": "bob@ourco.com, zoe@acme.com"}),
    (BOB, "sent@ourco.com", SENT),
)  # fmt: skip


def end_state(
    folder: Path, order: list[int], *, mail_as: Any = "email_message", at_once: bool = False, twice: bool = False
) -> list[Any]:
    """Deliver the copies in this order, capturing after each (or once at the end); return who owns what."""
    world = World(folder)
    world.roster = [ANN, BOB, CEM]
    world.gmail.boxes[CEM.address] = []
    world.gmail.stutters = twice
    world.people["cem@ourco.com"] = (Person("005CEM", "User", "Cem Ak"),)
    world.people["ege@acme.com"] = (Person("003EGE", "Contact", "Ege Er", "001ACME"),)
    world.people["zoe@acme.com"] = (Person("003ZOE", "Contact", "Zoe", "001ACME"),)
    world.options = replace(world.options, planning=PlanRules(mail_as=mail_as))
    for index in order:
        owner, message_id, headers = COPIES[index]
        labels = ("SENT",) if headers.get("From") == owner.address else ("INBOX",)
        world.gmail.deliver(owner, message_id, labels=labels, **headers)
        if not at_once:
            world.capture()
    world.capture()
    tasks = world.org.tasks
    people: dict[str, set[str]] = {}
    for row in world.org.relations.values():
        people.setdefault(row["EmailMessageId"], set()).add(row["RelationId"] or row["RelationAddress"])
    found = [
        (row["Subject"], tasks[row["ActivityId"]]["OwnerId"], *sorted(people.get(row["Id"], ())))
        for row in world.org.mails.values()
    ]
    world.engine.dispose()
    return sorted(found)


MAILS = [
    ("Another one", "005ANN", "003EGE", "005ANN"),
    ("More of us", "005ANN", "003EGE", "003EVE", "005ANN"),
    ("Sent", "005ANN", "003EVE", "005ANN"),
    ("The true one", "005CEM", "003EVE", "005CEM"),
    ("To Cem", "005CEM", "003EVE", "005CEM"),
    ("To a list", "005ANN", "003EVE", "partners@acme.com"),
]
AS_TASKS = [mail[:2] for mail in MAILS]  # a Task of a mail has no such relations


@settings(max_examples=8, deadline=None)
@given(st.permutations(range(len(COPIES))), st.sampled_from(["email_message", "task"]), st.booleans())
def test_the_records_belong_to_the_same_reps_and_people_in_every_order_of_arrival(
    order: list[int], mail_as: str, twice: bool
):
    with TemporaryDirectory() as folder:
        found = end_state(Path(folder), order, mail_as=mail_as, twice=twice)
        assert found == (AS_TASKS if mail_as == "task" else MAILS)


@pytest.mark.parametrize("mail_as", ["email_message", "task"])
def test_a_lists_mail_changes_hands_when_an_earlier_mailbox_gets_it_last(tmp_path: Path, mail_as: str):
    wanted = AS_TASKS if mail_as == "task" else MAILS
    assert end_state(tmp_path, [2, 1, 0, 3, 4, 5, 6, 7, 9, 8, 11, 10], mail_as=mail_as) == wanted


def test_read_all_at_once_the_records_belong_to_the_same_reps(tmp_path: Path):
    assert end_state(tmp_path, [2, 1, 0, 3, 4, 7, 6, 5, 9, 8, 11, 10], at_once=True) == MAILS
