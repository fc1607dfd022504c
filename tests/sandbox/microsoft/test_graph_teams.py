"""Teams: records of calls, online meetings with attendance, chats (callRecord, onlineMeeting, chats-getAllMessages)."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from leakwatch.sandbox.control import teams as control
from leakwatch.sandbox.control.desk import Call
from sandbox.microsoft.tenant_desk import ANN, BOB, TenantDesk
from sandbox.microsoft.test_graph_calendar import TEAMS, ZOE_AT, meet

CALLS = "/communications/callRecords"
PHONE = "+905321234567"


def steer(desk: TenantDesk, path: str, **body: Any) -> Any:
    """One call of the control API's Teams part."""
    handler = next(handler for _, name, handler in control.ROUTES if name == path)
    return handler(cast(Any, SimpleNamespace(graph=desk.graph)), Call(body, {}, {}))


def call(desk: TenantDesk, *people: str, ago_minutes: float = 60, **more: Any) -> str:
    """A quarter of an hour that began so long ago."""
    start = desk.clock.now() - timedelta(minutes=ago_minutes)
    times = {"start": start.isoformat(), "end": (start + timedelta(minutes=15)).isoformat()}
    return str(steer(desk, "/teams/calls", participants=list(people or (ANN, ZOE_AT)), **times, **more)["id"])


# -- call records ----------------------------------------------------------------------------------


def test_a_listed_call_has_no_participants_and_a_single_one_has_them_where_they_are_expanded(desk: TenantDesk) -> None:
    key = call(desk, ANN, ZOE_AT, PHONE)
    (listed,) = desk.get(CALLS)["value"]
    assert (listed["id"], listed["version"], listed["type"]) == (key, 1, "groupCall")
    assert (listed["startDateTime"], listed["endDateTime"]) == ("2026-03-02T07:00:00Z", "2026-03-02T07:15:00Z")
    assert {"participants", "participants_v2", "sessions"} & set(listed) == set()
    one = desk.get(f"{CALLS}/{key}?$expand=participants_v2")
    mine, zoe, phone = one["participants_v2"]
    assert mine["identity"]["user"]["userPrincipalName"] == ANN
    assert zoe["identity"]["user"]["tenantId"] != mine["identity"]["user"]["tenantId"]
    assert (phone["id"], phone["identity"]["user"]) == (PHONE, None)
    assert desk.get(f"{CALLS}/{key}/participants_v2")["value"] == one["participants_v2"]
    expanded = desk.get(f"{CALLS}/{key}?$expand=sessions($expand=segments)")
    assert len(expanded["sessions"]) == 2
    assert expanded["sessions"][0]["segments"][0]["startDateTime"] == one["startDateTime"]


def test_a_record_comes_after_its_call_has_ended_and_later_where_it_is_late(desk: TenantDesk) -> None:
    key = call(desk, ago_minutes=20, late_minutes=120)
    assert desk.get(CALLS)["value"] == []
    assert desk.refused(f"{CALLS}/{key}")[0] == 404
    desk.clock.advance(timedelta(hours=2))
    assert [one["id"] for one in desk.get(CALLS)["value"]] == [key]


def test_a_revised_record_keeps_its_id_and_has_the_next_version(desk: TenantDesk) -> None:
    key = call(desk)
    desk.clock.advance(timedelta(hours=3))
    call(desk, ANN, ZOE_AT, BOB, ago_minutes=240, revises=key)
    (revised,) = desk.get(CALLS)["value"]
    assert (revised["id"], revised["version"]) == (key, 2)
    assert revised["lastModifiedDateTime"] == "2026-03-02T11:00:00Z"
    assert len(desk.get(f"{CALLS}/{key}")["participants"]) == 3


def test_records_are_kept_for_thirty_days_filtered_by_start_and_paged_by_sixty(desk: TenantDesk) -> None:
    for number in range(62):
        call(desk, ago_minutes=60 * 24 * 30 + number - 2)
    recent = call(desk)
    assert len(desk.get(f"{CALLS}?$filter=startDateTime ge 2020-01-01T00:00:00Z")["value"]) == 3
    found = desk.get(f"{CALLS}?$filter=startDateTime ge 2026-03-02T00:00:00Z and startDateTime lt 2026-03-03T00:00:00Z")
    assert [one["id"] for one in found["value"]] == [recent]
    for _ in range(60):
        call(desk)
    assert [len(page["value"]) for page in desk.pages(CALLS)] == [60, 3]
    assert desk.refused(f"{CALLS}?$top=5")[0] == 400


def test_without_the_role_the_answer_names_it(desk: TenantDesk) -> None:
    desk.bearer = desk.token(roles=["Mail.Read"])
    for path, role in ((CALLS, "CallRecords.Read.All"), (f"/users/{ANN}/chats/getAllMessages", "Chat.Read.All")):
        reply = desk.ask(path)
        assert (reply.status, reply.body["error"]["code"]) == (403, "Forbidden")
        assert role in reply.body["error"]["message"]


# -- online meetings -------------------------------------------------------------------------------


def held(desk: TenantDesk) -> str:
    """Ann's Teams meeting took place with Zoe; the path of its reports."""
    meet(desk, 2, conferenceData={"entryPoints": [{"uri": TEAMS}]})
    spans = [["2026-03-02T07:00:00Z", "2026-03-02T07:20:00Z"], ["2026-03-02T07:25:00Z", "2026-03-02T07:30:00Z"]]
    people = [
        {"email": ANN, "role": "Organizer", "joined": spans[:1]}, {"email": ZOE_AT, "name": "Zoe", "joined": spans},
        {"email": None, "name": "somebody", "joined": spans[1:]},
    ]  # fmt: skip
    steer(desk, "/teams/attendance", join_url=TEAMS, attendees=people)
    (meeting,) = desk.get(f"/users/{ANN}/onlineMeetings?$filter=JoinWebUrl eq '{TEAMS.replace('%', '%25')}'")["value"]
    assert (meeting["joinWebUrl"], meeting["subject"]) == (TEAMS, "Demo")
    assert meeting["participants"]["organizer"]["upn"] == ANN
    return f"/users/{ANN}/onlineMeetings/{meeting['id']}/attendanceReports"


def test_a_meeting_is_found_by_its_join_url_and_tells_who_attended_and_how_long(desk: TenantDesk) -> None:
    path = held(desk)
    (report,) = desk.get(path)["value"]
    assert (report["totalParticipantCount"], report["meetingStartDateTime"], report["meetingEndDateTime"]) == (
        3, "2026-03-02T07:00:00Z", "2026-03-02T07:30:00Z",
    )  # fmt: skip
    mine, zoe, nobody = desk.get(f"{path}/{report['id']}/attendanceRecords")["value"]
    assert (mine["role"], mine["emailAddress"], mine["totalAttendanceInSeconds"]) == ("Organizer", ANN, 1200)
    assert (zoe["totalAttendanceInSeconds"], len(zoe["attendanceIntervals"])) == (1500, 2)
    assert (nobody["emailAddress"], nobody["identity"]["displayName"]) == (None, "somebody")
    whole = desk.get(f"{path}/{report['id']}?$expand=attendanceRecords")
    assert whole["attendanceRecords"] == [mine, zoe, nobody]


def test_without_an_application_access_policy_for_the_organiser_nothing_is_told(desk: TenantDesk) -> None:
    path = held(desk)
    desk.consent.change({"meeting_organisers": [BOB]})
    reply = desk.ask(path)
    assert (reply.status, reply.body["error"]["message"]) == (403, "No application access policy found for this app")
    desk.consent.change({"meeting_organisers": [ANN]})
    assert desk.ask(path).status == 200


def test_meetings_are_not_listed_and_are_the_organisers_alone(desk: TenantDesk) -> None:
    held(desk)
    assert desk.refused(f"/users/{ANN}/onlineMeetings") == (400, "BadRequest")
    query = f"onlineMeetings?$filter=JoinWebUrl eq '{TEAMS.replace('%', '%25')}'"
    assert desk.refused(f"/users/{BOB}/{query}") == (403, "Forbidden")
    assert desk.refused(f"/users/{ANN}/onlineMeetings?$filter=JoinWebUrl eq 'https://x'")[0] == 404


# -- chats -----------------------------------------------------------------------------------------


def chatted(desk: TenantDesk, *texts: str) -> tuple[str, list[str]]:
    """Ann, Bob and Zoe chat, a minute after the other; the chat and its messages."""
    chat = steer(desk, "/teams/chats", members=[ANN, BOB, ZOE_AT])["chat"]
    found: list[str] = []
    for text in texts:
        desk.clock.advance(timedelta(minutes=1))
        found.append(steer(desk, "/teams/messages", chat=chat, sender=ZOE_AT, text=text)["message"])
    return chat, found


def test_the_same_message_is_in_every_colleagues_export_with_the_senders_id_but_no_address(desk: TenantDesk) -> None:
    chat, (key,) = chatted(desk, "hello")
    (mine,), (his,) = (desk.get(f"/users/{one}/chats/getAllMessages")["value"] for one in (ANN, BOB))
    assert mine == his
    assert (mine["chatId"], mine["id"], mine["body"]) == (chat, key, {"contentType": "text", "content": "hello"})
    assert mine["from"]["user"]["userIdentityType"] == "federatedUser"
    assert "@" not in str(mine["from"]["user"]["id"])
    members = desk.get(f"/chats/{chat}/members")["value"]
    assert [one["email"] for one in members] == [ANN, BOB, None]
    assert desk.get(f"/chats/{chat}")["chatType"] == "group"


def test_what_the_system_says_is_no_message_of_anybody(desk: TenantDesk) -> None:
    chat, _ = chatted(desk)
    steer(desk, "/teams/messages", chat=chat, text="<systemEventMessage/>")
    (told,) = desk.get(f"/users/{ANN}/chats/getAllMessages")["value"]
    assert (told["messageType"], told["from"], told["eventDetail"] is None) == ("systemEventMessage", None, False)


def test_messages_are_filtered_by_when_they_changed_and_paged(desk: TenantDesk) -> None:
    chatted(desk, "one", "two", "three")
    path = f"/users/{ANN}/chats/getAllMessages?$top=1&$filter=lastModifiedDateTime gt 2026-03-02T08:01:00Z"
    pages = [page["value"][0]["body"]["content"] for page in desk.pages(path)]
    assert pages == ["three", "two"]


def test_changes_of_chats_come_by_delta_and_edits_come_again(desk: TenantDesk) -> None:
    chat, keys = chatted(desk, "one", "two", "three")
    path = f"/users/{ANN}/chats/getAllMessages/delta"
    value, link = desk.round(path, Prefer="odata.maxpagesize=2")
    assert [one["body"]["content"] for one in value] == ["one", "two", "three"]
    assert desk.round(link)[0] == []
    desk.clock.advance(timedelta(minutes=1))
    steer(desk, "/teams/messages", chat=chat, message=keys[0], text="first")
    (edited,), _ = desk.round(link)
    assert (edited["id"], edited["body"]["content"]) == (keys[0], "first")
    assert edited["lastEditedDateTime"] > edited["createdDateTime"]
    assert desk.refused(link.replace(ANN, BOB)) == (400, "SyncStateInvalid")
    desk.clock.advance(timedelta(days=300))
    assert desk.round(path)[0] == []


@pytest.mark.parametrize(
    ("how", "query", "refusal"),
    [("protected", "", (403, "Forbidden")), ("metered", "", (402, "PaymentRequired")),
     ("metered", "?model=B", (402, "PaymentRequired")), ("metered", "?model=A", (403, "Forbidden"))],
)  # fmt: skip
def test_a_tenant_may_want_a_form_a_licence_or_a_subscription(
    desk: TenantDesk, how: str, query: str, refusal: tuple[int, str]
) -> None:
    desk.graph.settings.change({"chat_export": how})
    assert desk.refused(f"/users/{ANN}/chats/getAllMessages{query}") == refusal


def test_control_refuses_what_makes_no_sense_of_teams(desk: TenantDesk) -> None:
    for path, body in (
        ("/teams/calls", {"start": "2026-03-02", "end": "2026-03-01", "participants": [ANN]}),
        ("/teams/calls", {"start": "2026-03-02T00:00Z", "end": "2026-03-01T00:00Z", "participants": [ANN]}),
        ("/teams/attendance", {"join_url": TEAMS, "attendees": [{"email": ANN}]}),
        ("/teams/chats", {"members": [ANN]}), ("/teams/messages", {"chat": "x", "sender": ANN, "text": "y"}),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            steer(desk, path, **body)
    with pytest.raises(TypeError):
        steer(desk, "/teams/chats", nothing=1)
