"""Messages and folders as the documentation of Graph's mail API has them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from leakwatch.sandbox.microsoft.settings import Settings
from sandbox.microsoft.tenant_desk import ANN, BOB, IMMUTABLE, ZOE, TenantDesk

ALL = f"/users/{ANN}/messages"
INBOX = f"/users/{ANN}/mailFolders/inbox/messages"

INVITATION = {
    "subject": "Davet", "mime": "multipart/alternative",
    "parts": [{"type": "text/calendar; method=REQUEST; charset=utf-8", "text": (
        "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:inv@example\r\nLOCATION:Ofis\r\n"
        "DTSTART;TZID=Europe/Istanbul:20260310T110000\r\nDTEND:20260310T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")}],
}  # fmt: skip


def subjects(page: dict[str, Any]) -> list[str]:
    return [one["subject"] for one in page["value"]]


# -- lists -----------------------------------------------------------------------------------------


def test_a_page_has_ten_messages_newest_first_and_its_next_link_carries_the_query(desk: TenantDesk) -> None:
    for number in range(23):
        desk.mail(subject=f"s{number}")
    pages = list(desk.pages(f"{ALL}?$select=subject"))
    assert [len(page["value"]) for page in pages] == [10, 10, 3]
    assert [name for page in pages for name in subjects(page)] == [f"s{number}" for number in reversed(range(23))]
    assert "$skip=10" in pages[0]["@odata.nextLink"]
    assert set(pages[2]["value"][0]) == {"@odata.etag", "id", "subject"}


def test_a_page_is_as_long_as_top_says_up_to_a_thousand(desk: TenantDesk) -> None:
    desk.mail()
    assert len(desk.get(f"{ALL}?$top=1000")["value"]) == 1
    for wrong in ("0", "1001", "-1", "x"):
        assert desk.ask(f"{ALL}?$top={wrong}").status == 400


def test_the_whole_mailbox_has_deleted_items_drafts_and_chats_of_teams_and_no_folder_lists_the_chats(
    desk: TenantDesk,
) -> None:
    moved = desk.mail(subject="binned")
    desk.exchange.move(ANN, moved[ANN], "trash")
    desk.mail(subject="chat", labels={ANN: ["CHAT"]})
    desk.mail(sender=ANN, to="zoe@customer.example", subject="draft", labels={ANN: ["DRAFT"]}, only=[ANN])
    page = desk.get(f"{ALL}?$select=subject,isDraft,internetMessageId,parentFolderId")
    assert subjects(page) == ["draft", "", "binned"]
    assert [one["isDraft"] for one in page["value"]] == [True, False, False]
    assert page["value"][1]["internetMessageId"] is None
    listed = {one["id"] for one in desk.get(f"/users/{ANN}/mailFolders?includeHiddenFolders=true&$top=99")["value"]}
    assert [one["parentFolderId"] in listed for one in page["value"]] == [True, False, True]
    desk.graph.settings.change({"chat_items": "absent"})
    assert subjects(desk.get(f"{ALL}?$select=subject")) == ["draft", "binned"]


def test_a_filter_beside_a_sort_order_must_begin_with_what_is_sorted_by(desk: TenantDesk) -> None:
    desk.mail()
    sender = "from/emailAddress/address eq 'zoe@customer.example'"
    since = "receivedDateTime ge 2026-03-01T00:00:00Z"
    order = "$orderby=receivedDateTime desc"
    assert len(desk.get(f"{ALL}?$filter={since} and {sender}&{order}")["value"]) == 1
    assert len(desk.get(f"{ALL}?$filter={sender}")["value"]) == 1
    for wrong in (sender, f"{sender} and {since}"):
        reply = desk.ask(f"{ALL}?$filter={wrong}&{order}")
        assert (reply.status, reply.body["error"]["code"]) == (400, "InefficientFilter")
        assert reply.body["error"]["message"] == "The restriction or sort order is too complex for this operation."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("receivedDateTime ge 2026-03-02T08:02:00Z and receivedDateTime lt 2026-03-02T08:03:00Z", ["two"]),
        ("receivedDateTime gt 2026-03-02T10:02:00+02:00", ["three"]),
        ("isRead eq true", ["one"]),
        ("not (isRead eq true) and hasAttachments eq false", ["three", "two"]),
        ("startswith(subject, 'T') or contains(subject,'n')", ["three", "two", "one"]),
        ("subject eq 'TWO'", ["two"]),
        ("subject in ('one','three')", ["three", "one"]),
        ("categories/any(c:c eq 'NoCRM')", ["three"]),
        ("internetMessageId eq '<m2.1@mail.customer.example>'", ["two"]),
        ("contains(subject, '%')", []),
    ],
)
def test_messages_are_filtered_by_odatas_language(desk: TenantDesk, text: str, found: list[str]) -> None:
    read = desk.mail(subject="one")
    desk.mail(subject="two")
    labelled = desk.mail(subject="three")
    desk.exchange.move(ANN, read[ANN], "read")
    desk.exchange.relabel(ANN, labelled[ANN], ["NoCRM"], [])
    assert subjects(desk.get(f"{ALL}?$filter={text}&$select=subject")) == found


@pytest.mark.parametrize(
    "query",
    [
        "$select=nothing", "$filter=nothing eq 1", "$filter=subject eq", "$filter=subject eq 'a' and",
        "$filter=receivedDateTime ge 'yesterday'", "$orderby=nothing", "$top=1&$top=2", "$nothing=1", "$count=yes",
    ],
)  # fmt: skip
def test_what_graph_cannot_read_is_a_bad_request(desk: TenantDesk, query: str) -> None:
    assert desk.ask(f"{ALL}?{query}").status == 400


def test_counts_come_beside_a_page_and_as_a_plain_number(desk: TenantDesk) -> None:
    for _ in range(12):
        desk.mail()
    page = desk.get(f"{ALL}?$count=true&$top=5&$filter=isRead eq false")
    assert (page["@odata.count"], len(page["value"])) == (12, 5)
    reply = desk.ask(f"{INBOX}/$count?$filter=isRead eq true")
    assert (reply.body, reply.headers["Content-Type"]) == ("0", "text/plain")


def test_pages_of_whole_messages_that_are_too_big_end_in_504_and_light_ones_do_not(desk: TenantDesk) -> None:
    desk.graph.settings.change({"page_weight": 3})
    for _ in range(5):
        desk.mail()
    reply = desk.ask(f"{ALL}?$top=5")
    assert (reply.status, reply.body["error"]["code"]) == (504, "UnknownError")
    assert desk.ask(f"{ALL}?$top=3").status == 200
    assert desk.ask(f"{ALL}?$top=5&$select=subject").status == 200
    assert desk.ask(f"{ALL}?$top=5&$select=body").status == 504
    assert Settings().page_weight >= 250


def test_mail_that_arrives_while_pages_are_read_shifts_what_skip_counts(desk: TenantDesk) -> None:
    for number in range(4):
        desk.mail(subject=f"s{number}")
    first = desk.get(f"{ALL}?$top=2&$select=subject")
    desk.mail(subject="new")
    second = desk.get(first["@odata.nextLink"])
    assert subjects(first) + subjects(second) == ["s3", "s2", "s2", "s1"]


def test_a_fault_gives_an_empty_page_that_has_a_next_link(desk: TenantDesk) -> None:
    desk.mail()
    page = desk.ask(f"{ALL}?$top=5", behaviour="empty_page").body
    assert page["value"] == []
    assert len(desk.get(page["@odata.nextLink"])["value"]) == 1


# -- single messages -------------------------------------------------------------------------------


def test_headers_and_unique_body_come_only_where_they_are_selected(desk: TenantDesk) -> None:
    number = desk.mail(headers=[["List-Id", "<news.example>"]])[ANN]
    path = f"{ALL}/{desk.id_of(number)}"
    whole = desk.get(path)
    assert {"internetMessageHeaders", "uniqueBody"} & set(whole) == set()
    assert (whole["from"]["emailAddress"]["address"], whole["isRead"]) == ("zoe@customer.example", False)
    headers = desk.get(f"{path}?$select=internetMessageHeaders")["internetMessageHeaders"]
    assert {"name": "List-Id", "value": "<news.example>"} in headers


def test_bodies_are_html_unless_text_is_preferred(desk: TenantDesk) -> None:
    number = desk.mail(text="a < b")[ANN]
    path = f"{ALL}/{desk.id_of(number)}?$select=body"
    assert desk.get(path)["body"]["contentType"] == "html"
    assert "a &lt; b" in desk.get(path)["body"]["content"]
    reply = desk.ask(path, prefer='outlook.body-content-type="text"')
    assert reply.body["body"]["contentType"] == "text"
    assert reply.body["body"]["content"].strip() == "a < b"
    assert reply.headers["Preference-Applied"] == "outlook.body-content-type=text"


def test_mail_read_basic_shows_no_body_no_preview_and_no_mime(desk: TenantDesk) -> None:
    path = f"{ALL}/{desk.id_of(desk.mail()[ANN])}"
    bearer = desk.token(roles=["Mail.ReadBasic.All"])
    shown = desk.get(path, authorization=bearer)
    assert {"body", "bodyPreview", "uniqueBody"} & set(shown) == set()
    assert shown["subject"] == "Hello"
    assert desk.refused(f"{path}/$value", authorization=bearer) == (403, "ErrorAccessDenied")
    assert "body" not in desk.get(f"{path}?$select=subject,body", authorization=bearer)
    desk.graph.settings.change({"basic_select": "denied"})
    assert desk.refused(f"{path}?$select=subject,body", authorization=bearer) == (403, "ErrorAccessDenied")


def test_the_mime_of_a_message_is_what_was_delivered(desk: TenantDesk) -> None:
    reply = desk.ask(f"{ALL}/{desk.id_of(desk.mail()[ANN])}/$value")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/plain")
    assert b"Received: from mx.sandbox.invalid" in reply.body
    assert b"Subject: Hello" in reply.body


def test_an_invitation_is_an_event_message_request_with_its_times_in_utc(desk: TenantDesk) -> None:
    path = f"{ALL}/{desk.id_of(desk.mail(**INVITATION)[ANN])}"
    shown = desk.get(path)
    assert shown["@odata.type"] == "#microsoft.graph.eventMessageRequest"
    assert (shown["meetingMessageType"], shown["type"]) == ("meetingRequest", "singleInstance")
    assert shown["startDateTime"] == {"dateTime": "2026-03-10T08:00:00.0000000", "timeZone": "UTC"}
    assert shown["endDateTime"] == {"dateTime": "2026-03-10T09:00:00.0000000", "timeZone": "UTC"}
    listed = desk.get(f"{ALL}?$select=subject")["value"][0]
    assert set(listed) == {"@odata.type", "@odata.etag", "id", "subject"}
    cast = "microsoft.graph.eventMessage/meetingMessageType"
    assert desk.get(f"{path}?$select={cast}")["meetingMessageType"] == "meetingRequest"


@pytest.mark.parametrize(
    ("method", "state", "kind", "message"),
    [
        ("REPLY", "ACCEPTED", "eventMessageResponse", "meetingAccepted"),
        ("REPLY", "TENTATIVE", "eventMessageResponse", "meetingTenativelyAccepted"),
        ("REPLY", "DECLINED", "eventMessageResponse", "meetingDeclined"),
        ("CANCEL", "NEEDS-ACTION", "eventMessage", "meetingCancelled"),
    ],
)
def test_answers_and_cancellations_are_event_messages_of_their_own(
    desk: TenantDesk, method: str, state: str, kind: str, message: str
) -> None:
    text = f"BEGIN:VCALENDAR\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\nATTENDEE;PARTSTAT={state}:mailto:z@x\r\nEND:VEVENT"
    part = {"type": f"text/calendar; method={method}", "text": text + "\r\nEND:VCALENDAR\r\n"}
    shown = desk.get(f"{ALL}/{desk.id_of(desk.mail(parts=[part])[ANN])}")
    assert (shown["@odata.type"], shown["meetingMessageType"]) == (f"#microsoft.graph.{kind}", message)


def test_a_conversation_shares_its_thread_across_mailboxes_and_its_id_within_one(desk: TenantDesk) -> None:
    desk.mail(sender=ANN, to=f"Bob <{BOB}>", message_id="<root@acme.example>")
    desk.mail(sender=BOB, to=ANN, subject="Re: Hello", references=["<root@acme.example>"])
    select = "?$select=conversationId,conversationIndex"
    ann, bob = (desk.get(f"/users/{one}/messages{select}")["value"] for one in (ANN, BOB))
    assert len({one["conversationId"] for one in ann}) == 1
    assert ann[0]["conversationId"] != bob[0]["conversationId"]
    threads = {base64.b64decode(one["conversationIndex"])[6:22] for one in ann + bob}
    assert len(threads) == 1
    reply, root = (base64.b64decode(one["conversationIndex"]) for one in ann)
    assert (len(root), len(reply)) == (22, 27)
    assert reply.startswith(root)
    assert len(desk.get(f"{ALL}?$filter=conversationId eq '{ann[0]['conversationId']}'")["value"]) == 2


def test_a_sent_mail_is_read_in_sent_items_with_its_bcc_and_the_copy_that_came_is_not(desk: TenantDesk) -> None:
    desk.mail(sender=ANN, to=f"Bob <{BOB}>", bcc=["secret@customer.example"])
    path = "/mailFolders/{}/messages?$select=isRead,bccRecipients"
    sent = desk.get(f"/users/{ANN}{path.format('sentitems')}")["value"][0]
    came = desk.get(f"/users/{BOB}{path.format('inbox')}")["value"][0]
    assert (sent["isRead"], len(sent["bccRecipients"])) == (True, 1)
    assert (came["isRead"], came["bccRecipients"]) == (False, [])


def test_a_mail_to_oneself_is_two_messages_one_sent_and_one_that_came(desk: TenantDesk) -> None:
    desk.mail(sender=ANN, to=ANN)
    assert desk.get(f"{ALL}?$count=true")["@odata.count"] == 2


# -- ids -------------------------------------------------------------------------------------------


def test_a_mutable_id_is_gone_after_a_move_and_the_immutable_one_stays(desk: TenantDesk) -> None:
    number = desk.mail()[ANN]
    mutable, immutable = desk.id_of(number, immutable=False), desk.id_of(number)
    assert desk.get(f"{ALL}?$select=id")["value"][0]["id"] == mutable
    assert desk.get(f"{ALL}?$select=id", **IMMUTABLE)["value"][0]["id"] == immutable
    desk.exchange.move(ANN, number, "archive")
    assert desk.refused(f"{ALL}/{mutable}") == (404, "ErrorItemNotFound")
    assert desk.get(f"{ALL}/{immutable}", **IMMUTABLE)["id"] == immutable
    assert desk.get(f"{ALL}/{immutable}")["id"] == desk.id_of(number, immutable=False) != mutable


def test_the_preference_for_immutable_ids_holds_for_its_own_request_alone_and_is_acknowledged(
    desk: TenantDesk,
) -> None:
    for _ in range(2):
        desk.mail()
    first = desk.ask(f"{ALL}?$top=1&$select=id", **IMMUTABLE)
    assert first.headers["Preference-Applied"] == 'IdType="ImmutableId"'
    second = desk.ask(first.body["@odata.nextLink"])
    assert "Preference-Applied" not in second.headers
    assert first.body["value"][0]["id"].startswith("AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A")
    assert second.body["value"][0]["id"].startswith("AAMkA")


def test_ids_are_translated_from_one_form_to_the_other(desk: TenantDesk) -> None:
    number = desk.mail()[ANN]
    mutable, immutable = desk.id_of(number, immutable=False), desk.id_of(number)
    body = {"inputIds": [mutable, "x"], "sourceIdType": "restId", "targetIdType": "restImmutableEntryId"}
    reply = desk.ask(f"/users/{ANN}/translateExchangeIds", "POST", body)
    first, second = reply.body["value"]
    assert first == {"sourceId": mutable, "targetId": immutable}
    assert second["errorDetails"]["code"] == "ErrorInvalidIdMalformed"


def test_an_id_of_another_mailbox_or_none_at_all_is_refused(desk: TenantDesk) -> None:
    number = desk.mail(to=BOB)[BOB]
    assert desk.refused(f"{ALL}/{desk.id_of(number, BOB)}") == (404, "ErrorItemNotFound")
    assert desk.refused(f"{ALL}/nonsense") == (400, "ErrorInvalidIdMalformed")


# -- folders ---------------------------------------------------------------------------------------


def test_folders_are_listed_by_level_with_their_counts_and_hidden_ones_on_request(desk: TenantDesk) -> None:
    deep = desk.mailboxes.make_folder(ANN, "Inbox/Customers/Big")
    desk.mailboxes.move(ANN, int(desk.mail()[ANN]), deep)
    desk.mail()
    path = f"/users/{ANN}/mailFolders"
    found = {one["displayName"]: one for one in desk.get(path)["value"]}
    assert set(found) == {
        "Archive", "Conversation History", "Deleted Items", "Drafts", "Inbox", "Junk Email", "Outbox", "Sent Items",
    }  # fmt: skip
    inbox = found["Inbox"]
    assert (inbox["totalItemCount"], inbox["unreadItemCount"], inbox["childFolderCount"]) == (1, 1, 1)
    hidden = desk.get(f"{path}?includeHiddenFolders=true")["value"]
    assert [one["displayName"] for one in hidden if one["isHidden"]] == ["Clutter"]
    children = desk.get(f"{path}/inbox/childFolders")["value"]
    assert [one["displayName"] for one in children] == ["Customers"]
    below = desk.get(f"{path}/{children[0]['id']}/childFolders")["value"][0]
    assert (below["displayName"], below["totalItemCount"]) == ("Big", 1)
    assert desk.get(f"{path}/{below['id']}/messages?$count=true")["@odata.count"] == 1


def test_a_folder_is_found_by_its_well_known_name_or_its_id_and_has_one_id_for_good(desk: TenantDesk) -> None:
    path = f"/users/{ANN}/mailFolders"
    plain, preferred = desk.get(f"{path}/SentItems"), desk.get(f"{path}/sentitems", **IMMUTABLE)
    assert plain["id"] == preferred["id"]
    assert desk.get(f"{path}/{plain['id']}")["displayName"] == "Sent Items"
    assert desk.refused(f"{path}/elsewhere") == (400, "ErrorInvalidIdMalformed")
    desk.mail()
    inbox = desk.get(f"{path}/inbox")["id"]
    assert len(desk.get(f"{ALL}?$filter=parentFolderId eq '{inbox}'")["value"]) == 1


def test_a_mail_that_a_rule_files_skips_the_inbox(desk: TenantDesk) -> None:
    desk.mailboxes.make_folder(ANN, "Inbox/Customers")
    desk.mail(labels={ANN: ["Inbox/Customers", "UNREAD"]})
    assert desk.get(INBOX)["value"] == []
    assert desk.get(f"/users/{ANN}/mailFolders/inbox/childFolders")["value"][0]["totalItemCount"] == 1


def test_a_draft_keeps_its_id_while_it_is_written_and_its_immutable_id_when_it_is_sent(desk: TenantDesk) -> None:
    mail = {"id": "d", "from": f"Ann <{ANN}>", "to": [ZOE, BOB], "subject": "Offer", "message_id": "<d@acme.example>"}
    now = desk.clock.now()
    texts = [mail | {"at": now.isoformat(), "text": text} for text in ("first", "second")]
    draft = desk.exchange.save_draft(ANN, desk.letter(texts[0]).raw_own, now)
    assert desk.exchange.save_draft(ANN, desk.letter(texts[1]).raw_own, now, draft) == draft
    shown = desk.get(f"/users/{ANN}/mailFolders/drafts/messages", **IMMUTABLE)["value"]
    assert [(one["isDraft"], "second" in one["body"]["content"]) for one in shown] == [(True, True)]
    sent = desk.exchange.send_draft(ANN, draft, desk.letter(texts[1]), now)
    assert set(sent) == {ANN, BOB}
    after = desk.get(f"/users/{ANN}/mailFolders/sentitems/messages", **IMMUTABLE)["value"][0]
    assert (after["id"], after["isDraft"]) == (shown[0]["id"], False)
