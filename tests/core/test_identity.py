"""One key for one real-world mail; one roster."""

from __future__ import annotations

import re
from datetime import date

import pytest

from leakwatch.core import identity
from leakwatch.core.identity import build_roster, normalise_message_id, references, thread_root


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("<Abc@Example.COM>", "Abc@example.com"),
        ("  <Abc@example.com>\r\n", "Abc@example.com"),
        ("Abc@example.com", "Abc@example.com"),
        ("<a b\tc@example.com>", "abc@example.com"),
        ("<abc@example.com> (added by postmaster@relay)", "abc@example.com"),
        ("<no-domain>", "no-domain"),
    ],
)
def test_a_message_id_has_one_form(written: str, same: str):
    assert normalise_message_id(written) == same


@pytest.mark.parametrize("written", [None, "", "<>", "   ", "<@>"])
def test_an_empty_message_id_counts_as_missing(written: str | None):
    assert normalise_message_id(written) is None


def test_message_ids_that_differ_in_the_case_of_their_local_part_are_different_mails():
    assert identity.mail_key("Abc@x.com") != identity.mail_key("abc@x.com")


def test_a_key_is_the_promised_shape():
    assert re.fullmatch(r"lw1:m:[0-9a-f]{40}", identity.mail_key("abc@x.com"))
    assert re.fullmatch(r"lw1:m:[0-9a-f]{40}", identity.weak_key("whatever"))


def test_a_message_id_of_five_kilobytes_still_has_a_key_of_its_own():
    assert identity.mail_key("a" * 5_000 + "1@x") != identity.mail_key("a" * 5_000 + "2@x")


def test_a_thread_is_named_by_its_root_also_when_the_parent_was_never_seen():
    assert references("<p@x>", "<root@x> <p@x>") == ("root@x", "p@x")
    assert thread_root("me@x", references("<p@x>", "<root@x>\r\n <p@x>")) == "root@x"
    assert thread_root("me@x", references("<p@x>", None)) == "p@x"
    assert thread_root("me@x", references("Your message of Monday", None)) == "me@x"


def test_recipient_order_does_not_change_a_fingerprint_but_a_recipient_does():
    one = identity.fingerprint("a@x.com", "Mon", "Hello", ["b@x.com", "c@x.com"])
    assert one == identity.fingerprint("a@x.com", "Mon", "hello ", ["c@x.com", "b@x.com"])
    assert one != identity.fingerprint("a@x.com", "Mon", "Hello", ["b@x.com"])


USERS = [
    {"Id": "005A", "Email": "Ann@ourco.com", "IsActive": True, "Name": "Ann"},
    {"Id": "005B", "Email": "b.kaya@ourco.com", "IsActive": True, "Name": "Bob"},
    {"Id": "005C", "Email": "cem@ourco.com", "IsActive": False, "Name": "Cem"},
]
DIRECTORY = [
    {"id": "1", "primaryEmail": "ann@ourco.com", "aliases": ["A.Reed@ourco.com"]},
    {"id": "2", "primaryEmail": "bob@ourco.com", "nonEditableAliases": ["b.kaya@ourco.com"]},
    {"id": "3", "primaryEmail": "cem@ourco.com"},
    {"id": "4", "primaryEmail": "dee@ourco.com"},
    {"id": "5", "primaryEmail": "old@ourco.com", "suspended": True},
]


def test_the_roster_holds_whom_directory_and_salesforce_both_know_and_joins_by_alias():
    roster = build_roster(DIRECTORY, USERS, notices={}, notice_for_all=date(2026, 1, 1))
    assert [(person.address, person.salesforce_user_id) for person in roster] == [
        ("ann@ourco.com", "005A"),
        ("bob@ourco.com", "005B"),
    ]
    assert roster[0].aliases == {"a.reed@ourco.com"}


def test_a_notice_for_one_person_beats_the_notice_for_all():
    roster = build_roster(DIRECTORY, USERS, notices={"A.Reed@ourco.com": date(2026, 5, 1)})
    assert [person.notice_date for person in roster] == [date(2026, 5, 1), None]


def test_only_and_exclude_are_read_by_any_address_of_a_person():
    assert [p.address for p in build_roster(DIRECTORY, USERS, notices={}, only=["b.kaya@ourco.com"])] == [
        "bob@ourco.com"
    ]
    assert [p.address for p in build_roster(DIRECTORY, USERS, notices={}, exclude=["a.reed@ourco.com"])] == [
        "bob@ourco.com"
    ]
