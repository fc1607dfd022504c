"""Change tracking of messages, as concepts/delta-query-overview and delta-query-messages have it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sandbox.microsoft.tenant_desk import ANN, BOB, IMMUTABLE, ORIGIN, TenantDesk

INBOX = f"/users/{ANN}/mailFolders/inbox/messages/delta"
WHOLE = f"/users/{ANN}/messages/delta"
TWO = {"Prefer": 'odata.maxpagesize=2, IdType="ImmutableId"'}


def told(value: list[dict[str, Any]]) -> list[str]:
    """Each entry in a word: its subject, or why it is removed."""
    return [one["@removed"]["reason"] if "@removed" in one else one.get("subject", "?") for one in value]


def test_a_first_round_gives_everything_once_in_pages_and_ends_with_a_delta_link(desk: TenantDesk) -> None:
    for number in range(5):
        desk.mail(subject=f"s{number}")
    pages = list(desk.pages(f"{INBOX}?$select=subject", **TWO))
    assert [len(page["value"]) for page in pages] == [2, 2, 1]
    assert sorted(told([one for page in pages for one in page["value"]])) == ["s0", "s1", "s2", "s3", "s4"]
    for page in pages:
        assert ("@odata.nextLink" in page) != ("@odata.deltaLink" in page)
        assert page["@odata.context"] == f"{ORIGIN}/v1.0/$metadata#Collection(message)"
    first = pages[0]["value"][0]
    assert set(first) == {"@odata.type", "@odata.etag", "id", "subject"}
    assert first["@odata.type"] == "#microsoft.graph.message"


def test_links_carry_only_a_token_and_the_first_requests_options_are_in_it(desk: TenantDesk) -> None:
    for _ in range(3):
        desk.mail()
    page = desk.get(f"{INBOX}?$select=subject", **TWO)
    assert page["@odata.nextLink"].startswith(f"{ORIGIN}/v1.0{INBOX}?$skiptoken=")
    assert "select" not in page["@odata.nextLink"]
    assert "from" not in desk.get(page["@odata.nextLink"], **TWO)["value"][0]


def test_how_long_a_page_is_goes_by_each_requests_own_preference_and_is_acknowledged(desk: TenantDesk) -> None:
    for _ in range(15):
        desk.mail()
    reply = desk.ask(INBOX, prefer="odata.maxpagesize=2")
    assert reply.headers["Preference-Applied"] == "odata.maxpagesize=2"
    assert len(desk.get(reply.body["@odata.nextLink"])["value"]) == 10


def test_a_later_round_gives_what_came_changed_and_went(desk: TenantDesk) -> None:
    numbers = [desk.mail(subject=f"s{number}")[ANN] for number in range(3)]
    _, link = desk.round(f"{INBOX}?$select=subject,isRead", **IMMUTABLE)
    desk.exchange.move(ANN, numbers[0], "read")
    desk.exchange.move(ANN, numbers[1], "delete")
    desk.mail(subject="new")
    value, after = desk.round(link, **IMMUTABLE)
    assert told(value) == ["s0", "deleted", "new"]
    assert value[0]["isRead"] is True
    assert value[1] == {
        "@odata.type": "#microsoft.graph.message", "id": desk_id(desk, numbers[1]), "@removed": {"reason": "deleted"},
    }  # fmt: skip
    assert desk.round(after, **IMMUTABLE)[0] == []


def desk_id(desk: TenantDesk, number: str) -> str:
    from leakwatch.sandbox.microsoft import ids

    return ids.immutable_id(desk.mailboxes.guid(ANN), int(number))


def test_a_move_is_a_removal_in_one_folder_and_new_in_the_other_with_the_same_immutable_id(desk: TenantDesk) -> None:
    number = desk.mail(subject="deal")[ANN]
    archive = f"/users/{ANN}/mailFolders/archive/messages/delta"
    inbox_link, archive_link = (desk.round(path, **IMMUTABLE)[1] for path in (INBOX, archive))
    desk.exchange.move(ANN, number, "archive")
    left, came = (desk.round(link, **IMMUTABLE)[0] for link in (inbox_link, archive_link))
    assert (told(left), told(came)) == (["deleted"], ["deal"])
    assert left[0]["id"] == came[0]["id"]


def test_a_move_under_mutable_ids_removes_the_old_id_and_brings_another(desk: TenantDesk) -> None:
    number = desk.mail(subject="deal")[ANN]
    old = desk.id_of(number, immutable=False)
    link = desk.round(INBOX)[1]
    desk.exchange.move(ANN, number, "archive")
    assert [one["id"] for one in desk.round(link)[0]] == [old]
    desk.exchange.move(ANN, number, "untrash")
    assert [one["id"] for one in desk.round(link)[0]] != [old]


def test_reasons_of_removals_are_a_switch(desk: TenantDesk) -> None:
    binned, gone = desk.mail()[ANN], desk.mail()[ANN]
    link = desk.round(INBOX)[1]
    desk.exchange.move(ANN, binned, "trash")
    desk.exchange.move(ANN, gone, "delete")
    assert told(desk.round(link)[0]) == ["deleted", "deleted"]
    desk.graph.settings.change({"removed_reason": "by_kind"})
    assert told(desk.round(link)[0]) == ["changed", "deleted"]


def test_what_changes_during_a_round_comes_again_in_the_next_one(desk: TenantDesk) -> None:
    numbers = [desk.mail(subject=f"s{number}")[ANN] for number in range(3)]
    page = desk.get(f"{INBOX}?$select=subject", **TWO)
    for number in numbers:
        desk.exchange.move(ANN, number, "read")
    desk.mail(subject="meanwhile")
    rest, link = desk.round(page["@odata.nextLink"], **TWO)
    later = told(desk.round(link, **IMMUTABLE)[0])
    assert set(later) == {"s0", "s1", "s2", "meanwhile"}
    assert {"s0", "s1", "s2"} <= set(told(page["value"] + rest))


def test_a_mail_is_told_once_in_a_round_however_often_it_changed(desk: TenantDesk) -> None:
    number = desk.mail(subject="busy")[ANN]
    link = desk.round(INBOX)[1]
    for verb in ("read", "unread", "star", "read"):
        desk.exchange.move(ANN, number, verb)
    value = desk.round(link)[0]
    assert told(value) == ["busy"]
    assert (value[0]["isRead"], value[0]["flag"]["flagStatus"]) == (True, "flagged")


def test_changes_may_come_as_the_changed_properties_alone(desk: TenantDesk) -> None:
    number = desk.mail()[ANN]
    link = desk.round(f"{INBOX}?$select=subject,isRead")[1]
    desk.graph.settings.change({"delta_updates": "changed"})
    desk.exchange.move(ANN, number, "read")
    assert set(desk.round(link)[0][0]) == {"@odata.type", "@odata.etag", "id", "isRead"}


@pytest.mark.parametrize(("kind", "later"), [("created", ["new"]), ("updated", ["s0"]), ("deleted", ["deleted"])])
def test_change_type_narrows_later_rounds_and_not_the_first(desk: TenantDesk, kind: str, later: list[str]) -> None:
    numbers = [desk.mail(subject=f"s{number}")[ANN] for number in range(2)]
    first, link = desk.round(f"{INBOX}?changeType={kind}")
    assert len(first) == 2
    desk.exchange.move(ANN, numbers[0], "read")
    desk.exchange.move(ANN, numbers[1], "trash")
    desk.mail(subject="new")
    assert told(desk.round(link)[0]) == later
    assert desk.ask(f"{INBOX}?changeType=moved").status == 400


# -- filters ---------------------------------------------------------------------------------------


def test_a_delta_is_filtered_by_its_received_time_alone_and_sorted_newest_first_or_not_at_all(
    desk: TenantDesk,
) -> None:
    for number in range(3):
        desk.mail(subject=f"s{number}")
    found = desk.round(f"{INBOX}?$filter=receivedDateTime ge 2026-03-02T08:02:00Z&$select=subject")[0]
    assert told(found) == ["s2", "s1"]
    assert told(desk.round(f"{INBOX}?$orderby=receivedDateTime desc&$select=subject")[0]) == ["s2", "s1", "s0"]
    for wrong in (
        "$filter=receivedDateTime lt 2026-03-02T08:02:00Z", "$filter=isRead eq true", "$orderby=subject",
        "$search=x", "$skip=1",
    ):  # fmt: skip
        assert desk.ask(f"{INBOX}?{wrong}").status == 400


def test_a_filtered_delta_ends_after_its_cap_without_a_word(desk: TenantDesk) -> None:
    desk.graph.settings.change({"delta_cap": 3})
    for number in range(5):
        desk.mail(subject=f"s{number}")
    every = "$filter=receivedDateTime ge 2026-03-01T00:00:00Z"
    value, link = desk.round(f"{INBOX}?{every}&$select=subject", **TWO)
    assert told(value) == ["s4", "s3", "s2"]
    assert len(desk.round(INBOX)[0]) == 5
    for number in range(2):
        desk.mail(subject=f"new{number}")
    assert told(desk.round(link, **TWO)[0]) == ["new0", "new1"]


def test_whether_the_cap_is_for_a_round_or_for_the_tokens_life_is_a_switch(desk: TenantDesk) -> None:
    desk.graph.settings.change({"delta_cap": 2, "delta_cap_scope": "token"})
    for _ in range(2):
        desk.mail()
    link = desk.round(f"{INBOX}?$filter=receivedDateTime ge 2026-03-01T00:00:00Z")[1]
    desk.mail(subject="lost")
    assert desk.round(link)[0] == []


def test_old_mail_that_changes_passes_the_filter_later(desk: TenantDesk) -> None:
    old = desk.mail(subject="old")[ANN]
    first, link = desk.round(f"{INBOX}?$filter=receivedDateTime ge 2026-03-02T08:30:00Z&$select=subject")
    assert first == []
    desk.exchange.move(ANN, old, "read")
    assert told(desk.round(link)[0]) == ["old"]
    desk.graph.settings.change({"delta_filters_later": True})
    assert desk.round(link)[0] == []


# -- tokens ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "status", "code", "located"),
    [
        ("410_location", 410, "SyncStateNotFound", True),
        ("410", 410, "SyncStateNotFound", False),
        ("410_resync_required", 410, "resyncRequired", False),
        ("400", 400, "syncStateNotFound", False),
    ],
)
def test_a_token_that_is_too_old_is_refused_in_the_way_of_the_switch(
    desk: TenantDesk, how: str, status: int, code: str, *, located: bool
) -> None:
    desk.graph.settings.change({"expired_delta": how})
    desk.mail()
    link = desk.round(INBOX)[1]
    desk.graph.expire_deltas(ANN)
    reply = desk.ask(link)
    assert (reply.status, reply.body["error"]["code"]) == (status, code)
    assert reply.headers.get("Location") == (f"{ORIGIN}/v1.0{INBOX}?$deltatoken=" if located else None)
    if located:
        assert len(desk.round(reply.headers["Location"])[0]) == 1
    assert "@odata.deltaLink" in desk.get(INBOX)


def test_tokens_can_age_in_the_worlds_time(desk: TenantDesk) -> None:
    link = desk.round(INBOX)[1]
    desk.graph.settings.change({"delta_days": 7})
    desk.clock.advance(timedelta(days=6))
    assert desk.ask(link).status == 200
    desk.clock.advance(timedelta(days=2))
    assert desk.ask(link).status == 410


def test_a_token_is_good_for_its_own_folder_and_mailbox_alone(desk: TenantDesk) -> None:
    token = desk.round(INBOX)[1].partition("?")[2]
    for path in (f"/users/{ANN}/mailFolders/drafts/messages/delta", f"/users/{BOB}/mailFolders/inbox/messages/delta"):
        assert desk.ask(f"{path}?{token}").status == 400
    assert desk.ask(f"{INBOX}?$deltatoken=made-up").status == 400
    assert desk.ask(f"{INBOX}?{token}").status == 200


def test_a_token_outlives_a_restart(desk: TenantDesk) -> None:
    link = desk.round(INBOX)[1]
    desk.mail(subject="new")
    desk.graph.tenant.forget()
    assert told(desk.round(link)[0]) == ["new"]


# -- the whole mailbox -----------------------------------------------------------------------------


def test_the_whole_mailbox_is_tracked_at_once_where_the_switch_lets_it(desk: TenantDesk) -> None:
    number = desk.mail(subject="deal")[ANN]
    desk.mail(sender=ANN, to="zoe@customer.example", subject="sent")
    first, link = desk.round(f"{WHOLE}?$select=subject,parentFolderId", **IMMUTABLE)
    assert sorted(told(first)) == ["deal", "sent"]
    desk.exchange.move(ANN, number, "archive")
    value = desk.round(link, **IMMUTABLE)[0]
    assert told(value) == ["deal"]
    assert value[0]["parentFolderId"] != first[0]["parentFolderId"]
    desk.exchange.move(ANN, number, "delete")
    assert told(desk.round(link, **IMMUTABLE)[0]) == ["deleted"]
    desk.graph.settings.change({"whole_mailbox_delta": "refused"})
    assert desk.ask(WHOLE).status == 400


def test_a_move_in_the_whole_mailbox_takes_the_mutable_id_back_first(desk: TenantDesk) -> None:
    number = desk.mail(subject="deal")[ANN]
    old = desk.id_of(number, immutable=False)
    link = desk.round(WHOLE)[1]
    desk.exchange.move(ANN, number, "archive")
    value = desk.round(link)[0]
    assert [(one["id"], "@removed" in one) for one in value] == [
        (old, True), (desk.id_of(number, immutable=False), False),
    ]  # fmt: skip


# -- faults ----------------------------------------------------------------------------------------


def test_faults_give_empty_pages_repeated_items_and_replays(desk: TenantDesk) -> None:
    desk.mail(subject="a")
    link = desk.round(INBOX)[1]
    desk.mail(subject="b")
    empty = desk.ask(link, behaviour="empty_page").body
    assert (empty["value"], "@odata.deltaLink" in empty) == ([], False)
    assert told(desk.get(empty["@odata.nextLink"])["value"]) == ["b"]
    assert told(desk.ask(link, behaviour="repeat").body["value"]) == ["b", "b"]
    assert told(desk.ask(link, behaviour="replay").body["value"]) == ["a", "b"]


def test_headers_in_a_delta_are_a_switch(desk: TenantDesk) -> None:
    desk.mail()
    path = f"{INBOX}?$select=subject,internetMessageHeaders"
    assert "internetMessageHeaders" in desk.get(path)["value"][0]
    desk.graph.settings.change({"headers_in_delta": "omitted"})
    assert "internetMessageHeaders" not in desk.get(path)["value"][0]
