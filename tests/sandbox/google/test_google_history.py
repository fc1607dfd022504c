"""What people do with their mail shows in Gmail's history, and history wears out."""

from __future__ import annotations

from typing import Any

import pytest
from googleapiclient.errors import HttpError

from sandbox.google.witness import Witness


def mailbox_of(witness: Witness, do: str, to: str | None = None) -> tuple[str, str]:
    """The mailbox of the timeline's first event of a kind, and the event's instant."""
    from leakwatch.sandbox.world.generate import generate

    world = generate("small", witness.world["seed"])
    event = next(e for e in world.timeline if e["do"] == do and (to is None or e.get("to") == to))
    return event["mailbox"], event["at"]


def go_to(witness: Witness, instant: str) -> None:
    witness.running.control("POST", "/clock", {"to": instant})


def kinds(records: list[dict[str, Any]]) -> list[str]:
    return [key for record in records for key in record if key not in {"id", "messages"}]


def test_nothing_new_gives_an_answer_without_records(witness: Witness) -> None:
    gmail = witness.gmail()
    start = gmail.users().getProfile(userId="me").execute()["historyId"]
    answer = gmail.users().history().list(userId="me", startHistoryId=start).execute()
    assert answer == {"historyId": start}


def test_new_mail_is_added_in_order_and_pages_give_each_record_once(witness: Witness) -> None:
    gmail = witness.gmail()
    start = gmail.users().getProfile(userId="me").execute()["historyId"]
    before = gmail.users().getProfile(userId="me").execute()["messagesTotal"]
    witness.advance(days=8)
    whole, after = witness.all_history(gmail, start)
    paged, after_paged = witness.all_history(gmail, start, maxResults=1)
    assert paged == whole
    assert after == after_paged == gmail.users().getProfile(userId="me").execute()["historyId"]
    numbers = [int(record["id"]) for record in whole]
    assert numbers == sorted(numbers)
    assert min(numbers) > int(start)
    added = [entry["message"]["id"] for record in whole for entry in record.get("messagesAdded", [])]
    gone = [entry["message"]["id"] for record in whole for entry in record.get("messagesDeleted", [])]
    assert len(added) - len(gone) == gmail.users().getProfile(userId="me").execute()["messagesTotal"] - before
    for record in whole:
        typed = [value for key, value in record.items() if key.startswith(("messages", "labels")) and key != "messages"]
        assert [{"id": e["message"]["id"], "threadId": e["message"]["threadId"]} for e in typed[0]] == record[
            "messages"
        ]


def test_every_autosave_of_a_draft_is_a_new_message_and_sending_is_one_more(witness: Witness) -> None:
    box, _ = mailbox_of(witness, "draft")
    gmail = witness.gmail(box)
    start = gmail.users().getProfile(userId="me").execute()["historyId"]
    go_to(witness, "2026-03-05T06:35:00Z")
    records, following = witness.all_history(gmail, start)
    drafts = [
        entry["message"]["id"]
        for record in records
        for entry in record.get("messagesAdded", [])
        if "DRAFT" in entry["message"]["labelIds"]
    ]
    assert len(set(drafts)) == 3
    deleted = [entry["message"]["id"] for record in records for entry in record.get("messagesDeleted", [])]
    assert deleted == drafts[:-1]
    with pytest.raises(HttpError) as caught:
        gmail.users().messages().get(userId="me", id=drafts[0]).execute()
    assert caught.value.resp.status == 404

    go_to(witness, "2026-03-05T06:45:00Z")
    records, _ = witness.all_history(gmail, following)
    deleted = [entry["message"]["id"] for record in records for entry in record.get("messagesDeleted", [])]
    sent = [
        e["message"]
        for record in records
        for e in record.get("messagesAdded", [])
        if "SENT" in e["message"]["labelIds"]
    ]
    assert deleted == drafts[-1:]
    assert len(sent) == 1
    assert sent[0]["id"] not in drafts


def test_spam_that_is_rescued_shows_as_a_removed_label(witness: Witness) -> None:
    box, at = mailbox_of(witness, "move", "not_spam")
    gmail = witness.gmail(box)
    start = gmail.users().getProfile(userId="me").execute()["historyId"]
    spam = gmail.users().messages().list(userId="me", labelIds=["SPAM"]).execute()["messages"]
    go_to(witness, at)
    records, _ = witness.all_history(gmail, start, historyTypes=["labelRemoved"])
    assert set(kinds(records)) == {"labelsRemoved"}
    entry = records[-1]["labelsRemoved"][0]
    assert entry["labelIds"] == ["SPAM"]
    assert entry["message"]["id"] in {item["id"] for item in spam}
    assert "SPAM" not in gmail.users().messages().get(userId="me", id=entry["message"]["id"]).execute()["labelIds"]


def test_the_bin_is_a_label_and_deleting_is_not(witness: Witness) -> None:
    box, at = mailbox_of(witness, "move", "trash")
    gmail = witness.gmail(box)
    start = gmail.users().getProfile(userId="me").execute()["historyId"]
    go_to(witness, at)
    records, _ = witness.all_history(gmail, start, labelId="TRASH")
    assert kinds(records)[-1] == "labelsAdded"
    trashed = records[-1]["labelsAdded"][0]
    assert "TRASH" in trashed["labelIds"]
    assert "TRASH" in gmail.users().messages().get(userId="me", id=trashed["message"]["id"]).execute()["labelIds"]

    box, at = mailbox_of(witness, "move", "delete")
    gmail = witness.gmail(box)
    start = gmail.users().getProfile(userId="me").execute()["historyId"]
    go_to(witness, max(at, witness.running.control("GET", "/clock")["now"]))
    records, _ = witness.all_history(gmail, start, historyTypes=["messageDeleted"])
    if records:
        gone = records[-1]["messagesDeleted"][0]["message"]["id"]
        with pytest.raises(HttpError):
            gmail.users().messages().get(userId="me", id=gone).execute()


def test_expired_history_is_a_plain_404(witness: Witness) -> None:
    gmail = witness.gmail()
    start = gmail.users().getProfile(userId="me").execute()["historyId"]
    witness.running.control("POST", "/history/expire", {"mailbox": witness.rep})
    with pytest.raises(HttpError, match="Requested entity was not found") as caught:
        gmail.users().history().list(userId="me", startHistoryId=start).execute()
    assert caught.value.resp.status == 404
    fresh = gmail.users().getProfile(userId="me").execute()["historyId"]
    assert gmail.users().history().list(userId="me", startHistoryId=fresh).execute()["historyId"] == fresh


def test_history_wears_out_after_the_days_that_were_set(witness: Witness) -> None:
    gmail = witness.gmail()
    start = gmail.users().getProfile(userId="me").execute()["historyId"]
    witness.running.control("POST", "/history/expire", {"days": 7})
    try:
        witness.advance(days=5)
        assert witness.all_history(gmail, start)[0]
        witness.advance(days=8)
        with pytest.raises(HttpError) as caught:
            gmail.users().history().list(userId="me", startHistoryId=start).execute()
        assert caught.value.resp.status == 404
    finally:
        witness.running.control("POST", "/history/expire", {"days": 30})


@pytest.mark.parametrize(("start", "status"), [("x", 400), ("99999999999", 404)])
def test_a_start_that_never_was_is_refused(witness: Witness, start: str, status: int) -> None:
    with pytest.raises(HttpError) as caught:
        witness.gmail().users().history().list(userId="me", startHistoryId=start).execute()
    assert caught.value.resp.status == status


def test_an_empty_page_may_have_a_next_page(witness: Witness) -> None:
    gmail = witness.gmail()
    start = gmail.users().getProfile(userId="me").execute()["historyId"]
    witness.advance(days=6)
    whole, _ = witness.all_history(gmail, start)
    rule = {"service": "google", "match": "/history", "do": "empty_page", "times": 2}
    witness.running.control("POST", "/faults", rule)
    first = gmail.users().history().list(userId="me", startHistoryId=start).execute()
    assert "history" not in first
    assert first["nextPageToken"]
    assert witness.all_history(gmail, start)[0] == whole
    listed = gmail.users().messages().list(userId="me").execute()["messages"]
    rule = {"service": "google", "match": r"/messages\?", "do": "empty_page", "times": 1}
    witness.running.control("POST", "/faults", rule)
    empty = gmail.users().messages().list(userId="me").execute()
    assert "messages" not in empty
    following = gmail.users().messages().list(userId="me", pageToken=empty["nextPageToken"]).execute()
    assert following["messages"] == listed


def test_a_suspended_user_is_shut_out_at_once(witness: Witness) -> None:
    gmail = witness.gmail()
    gmail.users().getProfile(userId="me").execute()
    witness.running.control("POST", "/accounts", {"address": witness.rep, "suspended": True})
    with pytest.raises(Exception, match="Account disabled"):
        gmail.users().getProfile(userId="me").execute()
