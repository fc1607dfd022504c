"""Gmail as pages: nothing lost, nothing fetched twice, no unit wasted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from capture_samples import ANN, NINE
from leakwatch.core.identity import mail_key
from leakwatch.errors import CursorError, TransientError
from leakwatch.model import Activity, Cursor, CursorPhase, Decision, Direction, Outcome, Page, SkipReason
from leakwatch.sources.gmail import GmailOptions, GmailSource

NOW = NINE + timedelta(days=1)
WINDOW = NINE - timedelta(days=90)


def message(
    message_id: str, *, at: datetime = NINE, labels: Sequence[str] = ("INBOX",), **headers: str
) -> dict[str, Any]:
    given = {"From": "eve@acme.com", "To": "ann@ourco.com", "Message-ID": f"<{message_id}@acme.com>", **headers}
    return {
        "id": message_id,
        "labelIds": list(labels),
        "internalDate": str(int(at.timestamp() * 1000)),
        "payload": {"mimeType": "text/plain", "headers": [{"name": k, "value": v} for k, v in given.items()]},
    }


class FakeGmail:
    """A mailbox in memory that counts what it is asked."""

    def __init__(self, *messages: dict[str, Any], can_search: bool = False, history_id: int = 1000) -> None:
        self.messages = {found["id"]: found for found in messages}
        self.can_search = can_search
        self.history_id = history_id
        self.changes: list[dict[str, Any]] = []
        self.page_size = 1_000
        self.fetched: list[str] = []
        self.threads: list[str] = []
        self.no_threads: set[str] = set()  # Gmail fails to give these
        self.searches: list[str | None] = []
        self.label_calls = 0
        self.names = {"inbox": "INBOX", "leakwatch-off": "Label_7"}
        self.calls: list[str] = []

    def profile(self, subject: str) -> Mapping[str, Any]:
        self.calls.append("profile")
        return {"historyId": str(self.history_id)}

    def labels(self, subject: str) -> Mapping[str, str]:
        self.label_calls += 1
        return dict(self.names)

    def list_messages(
        self, subject: str, *, page_token: str | None = None, search: str | None = None, page_size: int = 500
    ) -> Mapping[str, Any]:
        self.calls.append("list")
        self.searches.append(search)
        newest = sorted(self.messages.values(), key=lambda found: -int(found["internalDate"]))
        start = int(page_token or 0)
        size = min(page_size, self.page_size)
        rows = [{name: found[name] for name in ("id", "threadId") if name in found} for found in newest]
        answer: dict[str, Any] = {"messages": rows[start : start + size]}
        if start + size < len(newest):
            answer["nextPageToken"] = str(start + size)
        return answer

    def history(self, subject: str, start: str, *, page_token: str | None = None) -> Mapping[str, Any]:
        self.calls.append(f"history {start} {page_token}")
        if page_token is None and len(self.changes) > 1:
            return {"history": self.changes[:1], "historyId": str(self.history_id), "nextPageToken": "2"}
        return {"history": self.changes[1 if page_token else 0 :], "historyId": str(self.history_id)}

    def get_threads(self, subject: str, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        self.threads += ids
        return [found for found in self.messages.values() if found.get("threadId") in set(ids) - self.no_threads]

    def get_messages(self, subject: str, ids: Sequence[str]) -> tuple[list[Mapping[str, Any]], list[str]]:
        self.fetched += ids
        return [self.messages[one] for one in ids if one in self.messages], [o for o in ids if o not in self.messages]


def read(source: GmailSource, cursor: Cursor) -> tuple[list[str], list[Page]]:
    """Page to the end; return ids brought, and the pages."""
    pages: list[Page] = []
    while True:
        pages.append(source.fetch_page(ANN, cursor))
        cursor = pages[-1].next_cursor
        if not pages[-1].has_more:
            return [str(item["id"]) for page in pages for item in page.upserts], pages


def begin(source: GmailSource) -> Cursor:
    return source.first_cursor(ANN, window_start=WINDOW, now=NOW)


def in_delta(source: GmailSource, token: str = "1000") -> Cursor:
    return replace(begin(source), phase=CursorPhase.DELTA, token=token)


# --- the first read ---


def test_the_change_token_is_taken_before_anything_is_listed():
    gmail = FakeGmail(message("a"))
    source = GmailSource(gmail)
    cursor = begin(source)
    assert gmail.calls == ["profile"]
    assert (cursor.token, cursor.phase, cursor.window_start, cursor.anchored_at) == ("1000", "snapshot", WINDOW, NOW)


def test_a_mailbox_without_a_history_id_is_tried_later():
    gmail = FakeGmail()
    gmail.profile = lambda subject: {}  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        begin(GmailSource(gmail))


def test_the_snapshot_ends_in_changes_since_its_own_beginning():
    gmail = FakeGmail(*[message(f"m{n}", at=NINE - timedelta(hours=n)) for n in range(7)])
    gmail.page_size = 3
    source = GmailSource(gmail)
    ids, pages = read(source, begin(source))
    assert sorted(ids) == sorted(gmail.messages)
    assert [page.next_cursor.phase for page in pages] == ["snapshot", "snapshot", "delta", "delta"]
    assert gmail.calls[-1] == "history 1000 None"


def test_without_search_listing_ends_soon_after_the_window_does():
    recent = [message(f"new{n}", at=NINE - timedelta(days=n)) for n in range(80)]
    old = [message(f"old{n}", at=WINDOW - timedelta(days=1, hours=n)) for n in range(400)]
    gmail = FakeGmail(*recent, *old)
    gmail.page_size = 100
    source = GmailSource(gmail)
    ids, _ = read(source, begin(source))
    assert {f"new{n}" for n in range(80)} <= set(ids)
    assert len(gmail.fetched) <= 80 + 2 * 50
    assert gmail.searches[0] is None


def test_a_recent_mail_between_old_ones_is_still_found():
    days = [*range(40), *range(100, 140)]
    gmail = FakeGmail(*[message(f"m{n}", at=NINE - timedelta(days=day)) for n, day in enumerate(days)])
    listed = gmail.list_messages
    gmail.list_messages = lambda *a, **k: {
        "messages": [*listed(*a, **k)["messages"][60:], *listed(*a, **k)["messages"][:60]]
    }  # type: ignore[method-assign]
    source = GmailSource(gmail)
    ids, _ = read(source, begin(source))
    assert {f"m{n}" for n in range(40)} <= set(ids)


def listing_in(gmail: FakeGmail, order: Sequence[str], *, at_most: int = 500) -> None:
    """Let `gmail` list in this order, some at a time."""

    def list_messages(
        *_given: Any, page_token: str | None = None, page_size: int = 500, **_more: Any
    ) -> dict[str, Any]:
        start, size = int(page_token or 0), min(page_size, at_most)
        answer: dict[str, Any] = {"messages": [{"id": one} for one in order[start : start + size]]}
        return answer | ({"nextPageToken": str(start + size)} if start + size < len(order) else {})

    gmail.list_messages = list_messages  # type: ignore[method-assign]


@pytest.mark.parametrize(("page_size", "at_most"), [(31, 31), (1, 500), (500, 500)])
def test_one_old_mail_out_of_its_place_does_not_end_the_first_read(page_size: int, at_most: int):
    known = [message(f"known{n}", at=NINE - timedelta(hours=n)) for n in range(30)]
    stray = message("stray", at=WINDOW - timedelta(days=900))
    late = [message(f"late{n}", at=NINE - timedelta(days=1, hours=n)) for n in range(60)]
    gmail = FakeGmail(*known, stray, *late)
    listing_in(gmail, [found["id"] for found in (*known, stray, *late)], at_most=at_most)
    options = GmailOptions(page_size=page_size)
    known_ids = frozenset(found["id"] for found in known)
    source = GmailSource(gmail, options, known=lambda _source, _principal, ids: known_ids.intersection(ids))
    ids, _ = read(source, begin(source))
    assert {f"late{n}" for n in range(60)} <= set(ids)


def test_with_search_gmail_leaves_out_what_is_old_or_no_mail():
    gmail = FakeGmail(message("a"), can_search=True)
    source = GmailSource(gmail)
    read(source, begin(source))
    assert gmail.searches == [f"after:{int(WINDOW.timestamp())} -in:chats -in:drafts -in:spam -in:trash"]


def test_what_is_known_is_not_fetched_again():
    gmail = FakeGmail(message("a"), message("b"))
    source = GmailSource(gmail, known=lambda source, principal, ids: frozenset({"a"}) & frozenset(ids))
    ids, _ = read(source, begin(source))
    assert ids == ["b"]
    assert gmail.fetched == ["b"]


def conversations(*sizes: int) -> list[dict[str, Any]]:
    """Conversations t0, t1, ... with so many mails each."""
    return [
        {**message(f"t{thread}m{number}", at=NINE - timedelta(hours=10 * thread + number)), "threadId": f"t{thread}"}
        for thread, size in enumerate(sizes)
        for number in range(size)
    ]


@pytest.mark.parametrize("can_search", [True, False])
def test_a_conversation_with_three_wanted_mails_is_fetched_as_one(can_search: bool):
    gmail = FakeGmail(*conversations(2, 3, 1), can_search=can_search)
    source = GmailSource(gmail, GmailOptions(thread_from=3))
    ids, _ = read(source, begin(source))
    assert gmail.threads == ["t1"]
    assert sorted(gmail.fetched) == ["t0m0", "t0m1", "t2m0"]
    assert sorted(ids) == sorted(gmail.messages)


def test_of_a_conversation_that_is_known_in_part_only_the_rest_counts_and_comes():
    gmail = FakeGmail(*conversations(4, 4))
    known = frozenset({"t0m0", "t0m1", "t1m0"})
    source = GmailSource(gmail, GmailOptions(thread_from=3), known=lambda *_: known)
    ids, _ = read(source, begin(source))
    assert gmail.threads == ["t1"]
    assert sorted(ids) == sorted(set(gmail.messages) - known)


def test_a_conversation_that_gmail_fails_to_give_is_fetched_mail_by_mail():
    gmail = FakeGmail(*conversations(3))
    gmail.no_threads = {"t0"}
    source = GmailSource(gmail, GmailOptions(thread_from=3))
    ids, _ = read(source, begin(source))
    assert sorted(ids) == sorted(gmail.fetched) == ["t0m0", "t0m1", "t0m2"]


def test_an_id_that_vanished_is_named_as_gone():
    gmail = FakeGmail(message("a"), message("b"))
    source = GmailSource(gmail)
    page = gmail.list_messages
    gmail.list_messages = lambda *a, **k: {"messages": [*page(*a, **k)["messages"], {"id": "x"}]}  # type: ignore[method-assign]
    assert source.fetch_page(ANN, begin(source)).gone == ("x",)


# --- changes ---


def added(message_id: str, *labels: str) -> dict[str, Any]:
    return {"messagesAdded": [{"message": {"id": message_id, "labelIds": list(labels)}}]}


def label(kind: str, message_id: str, *labels: str) -> dict[str, Any]:
    return {kind: [{"message": {"id": message_id, "labelIds": []}, "labelIds": list(labels)}]}


def deleted(message_id: str) -> dict[str, Any]:
    return {"messagesDeleted": [{"message": {"id": message_id}}]}


def changes(
    *records: dict[str, Any], gmail: FakeGmail | None = None, **options: Any
) -> tuple[FakeGmail, list[str], list[Page]]:
    box = gmail or FakeGmail(message("a"), message("b"), history_id=2000)
    box.changes = list(records)
    source = GmailSource(box, **options)
    ids, pages = read(source, in_delta(source))
    return box, ids, pages


def test_new_mail_is_fetched_and_the_token_moves_on():
    _, ids, pages = changes(added("a", "INBOX"))
    assert ids == ["a"]
    assert pages[-1].next_cursor.token == "2000"


def test_the_token_moves_only_with_the_last_page():
    _, ids, pages = changes(added("a", "INBOX"), added("b", "INBOX"))
    assert ids == ["a", "b"]
    assert [(page.next_cursor.token, page.next_cursor.page_token) for page in pages] == [("1000", "2"), ("2000", None)]


def test_a_page_without_changes_is_not_the_end():
    _, ids, _ = changes({}, added("b", "INBOX"))
    assert ids == ["b"]


def test_the_untyped_messages_of_a_history_record_are_not_read():
    box, ids, _ = changes({"messages": [{"id": "a", "threadId": "t"}], "labelsAdded": []})
    assert (ids, box.fetched) == ([], [])


def test_drafts_cost_no_fetch_and_are_named_as_drafts():
    box, ids, pages = changes(
        {"messagesAdded": [{"message": {"id": f"d{n}", "labelIds": ["DRAFT"]}} for n in range(5)]}
    )
    assert box.fetched == []
    assert len(ids) == 5
    decision = GmailSource(box).to_activity(pages[0].upserts[0], ANN)
    assert isinstance(decision, Decision)
    assert decision.reason == SkipReason.DRAFT


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (("SPAM", "UNREAD"), SkipReason.SPAM),
        (("CHAT",), SkipReason.CHAT),
        (("TRASH", "INBOX"), SkipReason.TRASH),
        (("SCHEDULED",), SkipReason.SCHEDULED),
    ],
)
def test_what_is_left_out_by_its_label_alone_costs_no_fetch(labels: tuple[str, ...], reason: SkipReason):
    box, ids, pages = changes(added("a", *labels))
    assert (ids, box.fetched) == (["a"], [])
    decision = GmailSource(box).to_activity(pages[0].upserts[0], ANN)
    assert isinstance(decision, Decision)
    assert decision.reason == reason


def test_spam_that_is_taken_out_again_is_fetched_whatever_labels_the_change_shows():
    out = {"labelsRemoved": [{"message": {"id": "a", "labelIds": ["SPAM"]}, "labelIds": ["SPAM"]}]}
    box, _, _ = changes(added("a", "SPAM"), out)
    assert box.fetched == ["a"]


@pytest.mark.parametrize(
    "record",
    [
        label("labelsRemoved", "a", "UNREAD"),
        label("labelsAdded", "a", "STARRED", "CATEGORY_UPDATES"),
        label("labelsAdded", "a", "SPAM"),
        label("labelsAdded", "a", "TRASH"),
        {"messages": [{"id": "a"}]},
    ],
)
def test_label_churn_costs_no_fetch(record: dict[str, Any]):
    box, ids, _ = changes(record)
    assert box.fetched == []
    assert ids == []


@pytest.mark.parametrize("hidden_by", ["SPAM", "TRASH", "SCHEDULED"])
def test_what_comes_back_from_spam_trash_or_the_schedule_is_fetched(hidden_by: str):
    assert changes(label("labelsRemoved", "a", hidden_by))[1] == ["a"]


def test_a_scheduled_mail_that_goes_out_is_fetched():
    assert changes(label("labelsAdded", "a", "SENT"))[1] == ["a"]


def test_a_mail_whose_opt_out_label_is_taken_off_is_fetched():
    options = GmailOptions(opt_out_labels=("Leakwatch-Off",))
    assert changes(label("labelsRemoved", "a", "Label_7"), options=options)[1] == ["a"]
    assert changes(label("labelsRemoved", "a", "Label_8"), options=options)[1] == []


def test_a_mail_that_gets_an_opt_out_label_later_is_named_without_a_fetch_although_it_is_stored():
    options = GmailOptions(opt_out_labels=("Leakwatch-Off",))
    box, _, pages = changes(label("labelsAdded", "a", "Label_7"), options=options)
    (item,) = pages[0].upserts
    found = GmailSource(box).to_activity(item, ANN)
    assert isinstance(found, Decision)
    assert (found.ref.provider_id, found.reason, box.fetched) == ("a", SkipReason.OPT_OUT_LABEL, [])
    assert changes(label("labelsAdded", "a", "Label_8"), options=options)[1] == []


def test_an_opt_out_label_put_on_and_taken_off_again_leaves_the_mail_to_be_fetched():
    options = GmailOptions(opt_out_labels=("Leakwatch-Off",))
    twice = {**label("labelsAdded", "a", "Label_7"), **label("labelsRemoved", "a", "Label_7")}
    box, ids, _ = changes(twice, options=options)
    assert (ids, box.fetched) == (["a"], ["a"])


def test_changes_are_walked_in_order():
    both = {**added("a", "INBOX")}
    assert changes({"messagesAdded": both["messagesAdded"], **deleted("a")})[1] == []
    _, ids, pages = changes({**added("a", "INBOX"), **added("b", "INBOX")}, deleted("b"))
    assert ids == ["b"]
    assert pages[1].removed == ("b",)


def test_a_mail_deleted_before_it_was_fetched_is_skipped_not_an_error():
    _, ids, pages = changes(added("nowhere", "INBOX"))
    assert ids == []
    assert pages[0].gone == ("nowhere",)


def test_a_history_that_went_backwards_is_told():
    source = GmailSource(FakeGmail(history_id=500))
    with pytest.raises(CursorError, match="backwards"):
        source.fetch_page(ANN, in_delta(source))


# --- labels ---


def test_a_mail_with_an_opt_out_label_is_marked_also_when_the_label_is_new():
    gmail = FakeGmail(message("a", labels=("INBOX", "Label_9")), message("b"))
    source = GmailSource(gmail, GmailOptions(opt_out_labels=("Private",)))
    source._ids(ANN, frozenset({"private"}), {"Label_7"})
    gmail.names["private"] = "Label_9"
    page = source.fetch_page(ANN, begin(source))
    found = {str(item["id"]): source.to_activity(item, ANN) for item in page.upserts}
    assert isinstance(found["a"], Decision)
    assert found["a"].reason == SkipReason.OPT_OUT_LABEL
    assert isinstance(found["b"], Activity)


def test_polls_without_a_label_that_a_person_made_ask_for_no_labels():
    gmail = FakeGmail(message("a"), history_id=2000)
    changes(added("a", "INBOX"), label("labelsRemoved", "a", "UNREAD"), gmail=gmail, options=GmailOptions(("off",)))
    assert (gmail.fetched, gmail.label_calls) == (["a"], 0)


def test_a_system_label_can_be_the_opt_out():
    gmail = FakeGmail(message("a", labels=("INBOX", "YELLOW_STAR")))
    source = GmailSource(gmail, GmailOptions(opt_out_labels=("yellow_star",)))
    (item,) = source.fetch_page(ANN, begin(source)).upserts
    found = source.to_activity(item, ANN)
    assert isinstance(found, Decision)
    assert (found.reason, gmail.label_calls) == (SkipReason.OPT_OUT_LABEL, 0)


ONLY = GmailOptions(only_labels=("Deals", "starred"))


def only_labelled(*records: dict[str, Any], stored: Sequence[dict[str, Any]] = ()) -> tuple[FakeGmail, dict[str, str]]:
    """Read these changes where a mail must carry a label; return the mailbox, and what became of each by id."""
    gmail = FakeGmail(*stored)
    gmail.names = {"deals": "Label_3", "other": "Label_4"}
    gmail.changes = list(records)
    source = GmailSource(gmail, ONLY)
    _, pages = read(source, in_delta(source))
    found = [source.to_activity(item, ANN) for page in pages for item in page.upserts]
    return gmail, {
        (one.ref if isinstance(one, Decision) else one.refs[0]).provider_id: (
            str(one.reason) if isinstance(one, Decision) else "captured"
        )
        for one in found
    }


def test_where_a_label_lets_mail_in_nothing_else_is_captured_and_the_rest_costs_no_fetch():
    mails = [message("a", labels=("INBOX", "Label_3")), message("b"), message("c", labels=("STARRED",))]
    changes_ = [added("a", "INBOX", "Label_3"), added("b", "INBOX"), added("c", "STARRED")]
    gmail, fates = only_labelled(*changes_, stored=mails)
    assert fates == {"a": "captured", "b": "not_labelled", "c": "captured"}
    assert sorted(gmail.fetched) == ["a", "c"]


def test_a_mail_that_gets_the_label_later_is_fetched_and_one_that_loses_it_is_named_without_a_fetch():
    lost = {"labelsRemoved": [{"message": {"id": "b", "labelIds": ["INBOX"]}, "labelIds": ["Label_3"]}]}
    kept = {"labelsRemoved": [{"message": {"id": "c", "labelIds": ["STARRED"]}, "labelIds": ["Label_3"]}]}
    mails = [message("a", labels=("Label_3",)), message("b"), message("c", labels=("STARRED",))]
    gmail, fates = only_labelled(label("labelsAdded", "a", "Label_3"), lost, kept, stored=mails)
    assert fates == {"a": "captured", "b": "not_labelled", "c": "captured"}
    assert "b" not in gmail.fetched


@pytest.mark.parametrize("can_search", [True, False])
def test_the_first_read_leaves_out_what_has_no_label_and_searches_for_those_that_have(can_search: bool):
    gmail = FakeGmail(message("a", labels=("Label_3",)), message("b"), can_search=can_search)
    gmail.names = {"deals": "Label_3"}
    source = GmailSource(gmail, ONLY)
    _, pages = read(source, begin(source))
    found = [source.to_activity(item, ANN) for page in pages for item in page.upserts]
    assert [isinstance(one, Activity) for one in found] == [True, False]
    if can_search:
        assert "{label:deals label:starred} -in:chats" in (gmail.searches[0] or "")


def test_without_opt_out_labels_no_labels_are_asked_for():
    gmail = FakeGmail(message("a", labels=("INBOX", "Label_9")))
    source = GmailSource(gmail)
    read(source, begin(source))
    assert gmail.label_calls == 0


# --- one mail ---


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (("DRAFT",), SkipReason.DRAFT),
        (("SPAM",), SkipReason.SPAM),
        (("TRASH", "SENT"), SkipReason.TRASH),
        (("CHAT",), SkipReason.CHAT),
        (("SCHEDULED",), SkipReason.SCHEDULED),
    ],
)
def test_what_is_no_mail_or_not_sent_yet_is_skipped_with_its_reason(labels: tuple[str, ...], reason: SkipReason):
    found = GmailSource(FakeGmail()).to_activity(message("a", labels=labels), ANN)
    assert isinstance(found, Decision)
    assert (found.outcome, found.reason) == (Outcome.SKIPPED, reason)
    assert found.key == mail_key("a@acme.com")


def test_a_sent_mail_is_outbound_and_timed_by_the_server():
    sent = message(
        "a", labels=("SENT",), From="Ann <ann@ourco.com>", To="eve@acme.com", Date="Thu, 1 Jan 1998 00:00:00 +0000"
    )
    found = GmailSource(FakeGmail()).to_activity(sent, ANN)
    assert isinstance(found, Activity)
    assert (found.direction, found.start) == (Direction.OUTBOUND, NINE)


@pytest.mark.parametrize("labels", [["INBOX"], ["SENT"]], ids=["received", "sent"])
def test_an_invitation_among_the_alternatives_is_none_of_ours_but_an_attached_calendar_file_is(labels: list[str]):
    invitation = message("a", labels=labels)
    invitation["payload"]["mimeType"] = "multipart/mixed"
    invitation["payload"]["parts"] = [
        {"mimeType": "multipart/alternative", "parts": [{"mimeType": "text/plain"}, {"mimeType": "text/calendar"}]}
    ]
    found = GmailSource(FakeGmail()).to_activity(invitation, ANN)
    assert isinstance(found, Decision)
    assert found.reason == SkipReason.CALENDAR_INVITATION
    forwarded = message("b")
    forwarded["payload"]["mimeType"] = "multipart/mixed"
    forwarded["payload"]["parts"] = [{"mimeType": "text/plain"}, {"mimeType": "text/calendar", "filename": "trip.ics"}]
    assert isinstance(GmailSource(FakeGmail()).to_activity(forwarded, ANN), Activity)


def test_parts_nested_without_end_do_no_harm():
    deep = message("a")
    part: dict[str, Any] = {"mimeType": "multipart/mixed", "parts": []}
    for _ in range(5_000):
        part = {"mimeType": "multipart/mixed", "parts": [part]}
    deep["payload"]["parts"] = [part]
    assert isinstance(GmailSource(FakeGmail()).to_activity(deep, ANN), Activity)


@pytest.mark.parametrize("value", ["x", "", "-99999999999999999", "99999999999999999999", None])
def test_an_odd_server_date_falls_back_to_the_header(value: object):
    odd = message("a", Date="Wed, 01 Jul 2026 12:00:00 +0300")
    odd["internalDate"] = value
    found = GmailSource(FakeGmail()).to_activity(odd, ANN)
    assert isinstance(found, Activity)
    assert found.start == datetime(2026, 7, 1, 9, tzinfo=UTC)


def test_an_item_without_headers_is_quarantined():
    found = GmailSource(FakeGmail()).to_activity({"id": "a", "labelIds": ["INBOX"]}, ANN)
    assert isinstance(found, Decision)
    assert found.outcome == Outcome.QUARANTINED


def test_a_mail_that_gmail_can_not_give_is_quarantined_with_its_own_reason_and_not_taken_for_gone():
    found = GmailSource(FakeGmail()).to_activity({"id": "broken"}, ANN)
    assert isinstance(found, Decision)
    assert (found.outcome, found.reason) == (Outcome.QUARANTINED, SkipReason.NOT_GIVEN)
