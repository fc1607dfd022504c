"""Somebody's real mail becomes a mailbox of the company."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.google.witness import Witness
from sandbox.server.harness import Running

MESSAGES = [
    # conversation 0: known
    ("ann@alpha.example", "me@old.example", "<1@a>", "", "Thu, 22 Aug 2002 12:36:23 +0100", "Trip"),
    ("me@old.example", "ann@alpha.example", "<2@o>", "<1@a>", "Thu, 22 Aug 2002 13:00:00 +0100", "Re: Trip"),
    # conversation 1: unknown
    ("bob@beta.example", "me@old.example", "<3@b>", "", "Fri, 23 Aug 2002 09:00:00 -0400", "Hello"),
    # conversation 2: known
    ("cem@gamma.example", "me@old.example", "<4@g>", "", "Sat, 24 Aug 2002 09:00:00 GMT", "Selam"),
    # joins conversation 1 by its reference alone
    ("dan@delta.example", "me@old.example", "<5@d>", "<3@b>", "no date at all", "Re: Hello"),
]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("mbox")
    lines: list[str] = []
    for sender, to, key, parent, date, subject in MESSAGES:
        if key == "<3@b>":
            lines += ["From nobody Thu Aug 22 12:36:23 2002", "", ""]
        lines += [
            f"From {sender} Thu Aug 22 12:36:23 2002",
            f"Delivered-To: {'me@old.example' if sender != to else ''}",
        ]
        lines += [f'From: "{sender.partition("@")[0].title()} Somebody" <{sender}>', f"To: {to}", f"Message-ID: {key}"]
        lines += [f"In-Reply-To: {parent}"] if parent else []
        lines += [f"Date: {date}", f"Subject: {subject}", "", ">From the beach", "", ""]
    (folder / "box.mbox").write_text("\n".join(lines), encoding="ascii")
    server = Running(folder / "box", "--world", "small", "--mail", str(folder / "box.mbox"))
    yield server
    server.stop()


def test_it_tells_what_it_made(imported: Running) -> None:
    told = imported.control("GET", "/world")["mail_import"]
    assert told["messages"] == 5
    assert told["empty"] == 1
    assert [item["number"] for item in told["items"]] == [0, 1, 3, 4, 5]
    assert told["conversations"] == 3
    assert told["known_conversations"] == 2
    assert told["aliases"] == ["me@old.example"]
    assert told["contacts"] == ["ann@alpha.example", "cem@gamma.example"]
    assert [item["conversation"] for item in told["items"]] == [0, 0, 1, 2, 1]
    assert [item["sender_known"] for item in told["items"]] == [True, False, False, True, False]
    assert told["oldest"] == "2002-08-22T11:36:23Z"


def test_the_senders_are_contacts_of_an_account_by_domain(imported: Running) -> None:
    rows = imported.soql("SELECT LastName, Email, Account.Name FROM Contact WHERE Email LIKE '%alpha.example'")
    assert [(row["LastName"], row["Account"]["Name"]) for row in rows] == [("Somebody", "alpha.example (imported)")]
    assert imported.soql("SELECT Id FROM Contact WHERE Email = 'bob@beta.example'") == []


def test_the_mailbox_holds_the_messages_with_their_old_dates(imported: Running) -> None:
    witness = Witness(imported)
    box = imported.control("GET", "/world")["mail_import"]["mailbox"]
    gmail = witness.gmail(box)
    listed = gmail.users().messages().list(userId="me", q="before:2003/01/01").execute()["messages"]
    assert len(listed) == 5
    sent = gmail.users().messages().list(userId="me", labelIds=["SENT"]).execute()["messages"]
    body = gmail.users().messages().get(userId="me", id=sent[0]["id"]).execute()
    assert body["internalDate"] == "1030017600000"
    assert body["snippet"] == "From the beach"
    thread = gmail.users().threads().get(userId="me", id=body["threadId"], format="minimal").execute()
    assert len(thread["messages"]) == 2
    witness.close()


def test_the_owner_is_a_user_of_the_org_and_of_the_directory(imported: Running) -> None:
    box = imported.control("GET", "/world")["mail_import"]["mailbox"]
    assert len(imported.soql(f"SELECT Id FROM User WHERE Email = '{box}'")) == 1
    witness = Witness(imported)
    body = witness.directory().users().get(userKey="me@old.example").execute()
    assert body["primaryEmail"] == box
    witness.close()
