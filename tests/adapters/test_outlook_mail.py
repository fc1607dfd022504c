"""Outlook mail as pages, on the emulated Graph: nothing lost, whatever the tenant does."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, cast

import pytest

from adapters.graph_line import Line
from leakwatch.errors import CursorError, TransientError
from leakwatch.model import Activity, Cursor, CursorPhase, Decision, Direction, Page, Principal
from leakwatch.sandbox.google import mime
from leakwatch.sources import outlook_mail
from leakwatch.sources.gmail import GmailSource
from leakwatch.sources.outlook_mail import OutlookMailSource, OutlookOptions
from sandbox.microsoft.tenant_desk import ANN, BOB, START, ZOE

ANNE = Principal(ANN, "microsoft", "x", "005ANN", "Ann", frozenset({"a@acme.example"}), date(2026, 1, 1))
WINDOW = START - timedelta(days=30)


def source_of(line: Line, **options: Any) -> OutlookMailSource:
    return OutlookMailSource(line.mail, OutlookOptions(**options))


def begin(line: Line, source: OutlookMailSource) -> Cursor:
    return source.first_cursor(ANNE, window_start=WINDOW, now=line.desk.clock.now())


def read(source: OutlookMailSource, cursor: Cursor) -> tuple[list[Page], Cursor]:
    """Page to the end, as the flow does."""
    pages: list[Page] = []
    places = {cursor}
    while True:
        pages.append(source.fetch_page(ANNE, cursor))
        cursor = pages[-1].next_cursor
        if not pages[-1].has_more:
            return pages, cursor
        assert cursor not in places, "goes in circles"
        places.add(cursor)


def told(source: OutlookMailSource, pages: list[Page]) -> dict[str, str]:
    """Subject (or id) of each item -> `mail`, or why not; the last word counts."""
    found: dict[str, str] = {}
    for page in pages:
        for item in page.upserts:
            one = source.to_activity(item, ANNE)
            name = str(item.get("subject") or "no subject")
            found[name] = "mail" if isinstance(one, Activity) else one.reason
        found |= dict.fromkeys(page.removed, "removed")
    return found


def in_delta(line: Line, source: OutlookMailSource) -> Cursor:
    return read(source, begin(line, source))[1]


def test_change_tracking_begins_in_every_folder_before_anything_is_listed(line: Line):
    line.desk.mail(subject="before")
    cursor = begin(line, source_of(line))
    assert "messages.list" not in line.desk.calls
    assert line.desk.calls.count("messages.delta") >= 3
    assert (cursor.phase, cursor.window_start) == (CursorPhase.SNAPSHOT, WINDOW)


def test_the_first_read_brings_every_mail_of_the_window_once_and_ends_in_changes(line: Line):
    for number in range(7):
        line.desk.mail(subject=f"s{number}")
    source = source_of(line, page_size=3)
    pages, cursor = read(source, begin(line, source))
    ids = [str(item["id"]) for page in pages if page.next_cursor.phase is CursorPhase.SNAPSHOT for item in page.upserts]
    assert told(source, pages) == {f"s{number}": "mail" for number in range(7)}
    assert len(ids) == len(set(ids))
    assert cursor.phase is CursorPhase.DELTA


def test_mail_that_comes_while_the_first_read_runs_is_not_lost(line: Line):
    source = source_of(line)
    cursor = begin(line, source)
    line.desk.mail(subject="between")
    page = source.fetch_page(ANNE, cursor)
    line.desk.mail(subject="after")
    pages, _ = read(source, page.next_cursor)
    assert {"between", "after"} <= told(source, [page, *pages]).keys()


def test_what_is_no_mail_is_left_out_with_its_reason(line: Line):
    from sandbox.microsoft.test_graph_mail import INVITATION

    line.desk.mail(**INVITATION)
    for label in ("TRASH", "SPAM", "CHAT"):
        line.desk.mail(subject=label, labels={ANN: [label]})
    report = "multipart/report; report-type=delivery-status"
    line.desk.mail(subject="bounce", headers=[["Content-Type", report]])
    line.desk.exchange.save_draft(ANN, b"From: ann@acme.example\r\nSubject: draft\r\n\r\nx", line.desk.clock.now())
    source = source_of(line)
    reasons = told(source, read(source, begin(line, source))[0])
    assert reasons["TRASH"] == "trash"
    assert reasons["SPAM"] == "spam"
    assert reasons["no subject"] == "chat"
    assert reasons["draft"] == "draft"
    assert reasons[str(INVITATION.get("subject", "Hello"))] == "calendar_invitation"


def test_mail_filed_by_a_rule_and_mail_in_a_folder_made_since_is_found(line: Line):
    source = source_of(line)
    cursor = in_delta(line, source)
    number = line.desk.mail(subject="filed")[ANN]
    line.desk.exchange.move(ANN, number, "Deals/Big")
    pages, cursor = read(source, cursor)
    assert told(source, pages) == {"filed": "mail"}
    pages, _ = read(source, cursor)
    assert not [item for page in pages for item in page.upserts]


def test_a_move_is_no_deletion_the_bin_is_said_and_a_deletion_is_one(line: Line):
    source = source_of(line)
    numbers = [line.desk.mail(subject=name)[ANN] for name in ("kept", "binned", "gone")]
    gone = line.desk.id_of(numbers[2])
    cursor = in_delta(line, source)
    for number, verb in zip(numbers, ("archive", "trash", "delete"), strict=True):
        line.desk.exchange.move(ANN, number, verb)
    assert told(source, read(source, cursor)[0]) == {"kept": "mail", "binned": "trash", gone: "removed"}


def test_an_idle_mailbox_costs_one_page_and_nothing_changes_twice(line: Line):
    source = source_of(line)
    cursor = in_delta(line, source)
    pages, _ = read(source, cursor)
    assert [(page.upserts, page.removed, page.has_more) for page in pages] == [((), (), False)]


@pytest.mark.parametrize(
    "settings", [{"headers_in_delta": "omitted"}, {"delta_updates": "changed"}, {"removed_reason": "by_kind"}]
)
def test_changes_are_whole_whatever_the_tenant_leaves_out(line: Line, settings: dict[str, str]):
    line.desk.graph.settings.change(settings)
    source = source_of(line)
    old = line.desk.mail(subject="old")[ANN]
    cursor = in_delta(line, source)
    line.desk.exchange.move(ANN, old, "read")
    line.desk.mail(subject="new", cc=["cc@customer.example"])
    pages, _ = read(source, cursor)
    assert told(source, pages) == {"old": "mail", "new": "mail"}
    assert all(item["internetMessageHeaders"] for page in pages for item in page.upserts)


def test_a_forgotten_change_token_is_a_cursor_error(line: Line):
    source = source_of(line)
    cursor = in_delta(line, source)
    line.desk.graph.expire_deltas(ANN)
    with pytest.raises(CursorError):
        read(source, cursor)


@pytest.mark.parametrize("token", ["", "1234", "{}", '{"v":2,"folders":[]}', '{"v":1,"folders":[[1]]}'])
def test_a_stored_place_that_cannot_be_read_is_an_error_and_no_fresh_mailbox(line: Line, token: str):
    source = source_of(line)
    with pytest.raises(CursorError):
        source.fetch_page(ANNE, replace(in_delta(line, source), token=token))


def test_a_page_that_takes_too_long_is_asked_for_smaller(line: Line):
    for number in range(12):
        line.desk.mail(subject=f"s{number}")
    line.desk.graph.settings.change({"page_weight": 6})
    source = source_of(line, page_size=20)
    assert len(told(source, read(source, begin(line, source))[0])) == 12


def test_a_window_in_which_fewer_mails_came_than_were_counted_is_read_again_and_never_taken_for_whole(line: Line):
    line.desk.mail(subject="one")
    source = source_of(line)
    window = line.mail.window
    lies = [3, 3, 1]

    def counted(*given: Any) -> dict[str, Any]:
        page = window(*given)
        return page | {"@odata.count": lies.pop(0) if page["value"] and lies else page["@odata.count"]}

    line.mail.window = counted  # type: ignore[method-assign]
    assert told(source, read(source, begin(line, source))[0]) == {"one": "mail"}
    assert not lies
    lies[:] = [3, 3, 3]
    with pytest.raises(TransientError, match="counts 3 mails"):
        read(source, begin(line, source))


def test_a_link_is_replaced_before_the_filter_ends_it_for_good(line: Line, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outlook_mail, "MAX_GIVEN", 4)
    line.desk.graph.settings.change({"delta_cap": 6, "delta_cap_scope": "token"})
    source = source_of(line)
    cursor = in_delta(line, source)
    brought: set[str] = set()
    for round_ in range(12):
        line.desk.clock.advance(timedelta(days=2))
        line.desk.mail(subject=f"s{round_}")
        pages, cursor = read(source, cursor)
        brought |= told(source, pages).keys()
    assert brought == {f"s{n}" for n in range(12)}


def test_a_category_keeps_a_mail_out_or_lets_it_in(line: Line):
    number = line.desk.mail(subject="private")[ANN]
    line.desk.mail(subject="plain")
    line.desk.exchange.relabel(ANN, number, ["leakwatch-off"], [])
    out = source_of(line, opt_out_labels=("Leakwatch-Off",))
    assert told(out, read(out, begin(line, out))[0]) == {"private": "opt_out_label", "plain": "mail"}
    only = source_of(line, only_labels=("leakwatch-off",))
    assert told(only, read(only, begin(line, only))[0]) == {"private": "mail", "plain": "not_labelled"}


# --- the same letter, whoever has the mailbox ---

LETTERS: list[dict[str, Any]] = [
    {"subject": "Angebot für Çağla: 5 €", "cc": ["Cem Öz <cem@customer.example>", BOB]},
    {"sender": "Ann <ann@acme.example>", "to": ZOE, "subject": "Re: Hello", "cc": ["bob@acme.example"]},
    {"sender": "News <news@list.example>", "headers": [["List-Id", "<l.example>"], ["Precedence", "bulk"]]},
]


@pytest.mark.parametrize("letter", LETTERS, ids=lambda one: str(one.get("subject", "bulk")))
def test_the_same_letter_gives_the_same_activity_by_gmail_and_by_graph(line: Line, letter: dict[str, Any]):
    own = letter.get("sender", "").startswith("Ann")
    source = source_of(line)
    line.desk.mail(**letter)
    item = next(page for page in read(source, begin(line, source))[0] if page.upserts).upserts[0]
    by_graph = source.to_activity(item, ANNE)
    raw = line.desk.mailboxes.raw(line.desk.mailboxes.get(ANN, 1))  # type: ignore[arg-type]
    arrived = datetime.fromisoformat(item["receivedDateTime"])
    in_gmail = {
        "id": "1", "labelIds": ["SENT" if own else "INBOX"], "internalDate": str(int(arrived.timestamp() * 1000)),
        "payload": {"headers": [{"name": name, "value": value} for name, value in mime.read_envelope(raw).headers]},
    }  # fmt: skip
    by_gmail = GmailSource(cast(Any, object())).to_activity(in_gmail, ANNE)
    assert isinstance(by_graph, Activity)
    assert isinstance(by_gmail, Activity)
    assert replace(by_graph, refs=()) == replace(by_gmail, refs=())
    assert by_graph.direction is (Direction.OUTBOUND if own else Direction.INBOUND)


def test_a_sent_copy_without_headers_is_the_same_mail_to_the_same_people(line: Line):
    line.desk.mail(sender="Ann <ann@acme.example>", to=ZOE, subject="Offer", cc=["cem@customer.example"])
    source = source_of(line)
    page = next(one for one in read(source, begin(line, source))[0] if one.upserts)
    whole = source.to_activity(page.upserts[0], ANNE)
    bare = source.to_activity({**page.upserts[0], "internetMessageHeaders": []}, ANNE)
    filed = source.to_activity({**page.upserts[0], "internetMessageHeaders": [], "leakwatchFolder": ""}, ANNE)
    forged = source.to_activity({**page.upserts[0], "leakwatchFolder": ""}, ANNE)
    assert all(isinstance(one, Activity) for one in (whole, bare, filed, forged))
    for one in (bare, filed):
        for name in ("key", "message_id", "sent_at", "subject", "direction", "participants"):
            assert getattr(one, name) == getattr(whole, name)
    assert not isinstance(forged, Decision)
    assert forged.direction is Direction.INBOUND
