"""Outlook's calendar: views, lists, events, series, and their shapes (resource event, user-list-calendarview)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from leakwatch.sandbox.google.directory import Account
from leakwatch.sandbox.microsoft.event_ids import new_uid, occurrence_uid
from leakwatch.sandbox.microsoft.patterns import patterned
from leakwatch.sandbox.microsoft.time_zones import WINDOWS, windows_name
from sandbox.microsoft.tenant_desk import ANN, BOB, IMMUTABLE, ZOE, TenantDesk

GIL = "gil@acme.example"
ZOE_AT = "zoe@customer.example"
MARCH = "startDateTime=2026-03-01T00:00:00Z&endDateTime=2026-04-01T00:00:00Z"
TEAMS = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_abc%40thread.v2/0"


def at(day: int, hour: int, minutes: int = 60) -> dict[str, Any]:
    """A time in March 2026, on the clocks of Istanbul (three hours before UTC)."""
    text = [f"2026-03-{day:02}T{hour:02}:00:00", f"2026-03-{day:02}T{hour + minutes // 60:02}:{minutes % 60:02}:00"]
    return {
        name: {"dateTime": one, "timeZone": "Europe/Istanbul"} for name, one in zip(("start", "end"), text, strict=True)
    }


def meet(desk: TenantDesk, day: int = 10, hour: int = 10, **more: Any) -> str:
    """Ann invites Bob and Zoe; the event's name."""
    given = {"organizer": ANN, "summary": "Demo", "attendees": [BOB, ZOE]} | at(day, hour) | more
    return str(desk.meetings.create(given)["id"])


def weekly(desk: TenantDesk, **more: Any) -> str:
    """Four Tuesdays at ten, from the third of March on."""
    return meet(desk, 3, 10, recurrence=["RRULE:FREQ=WEEKLY;COUNT=4"], summary="Weekly", **more)


def view(desk: TenantDesk, mailbox: str = ANN, query: str = MARCH, **headers: str) -> list[dict[str, Any]]:
    return desk.get(f"/users/{mailbox}/calendarView?{query}", **headers)["value"]


# -- single events ---------------------------------------------------------------------------------


def test_a_meeting_is_in_the_calendars_of_organiser_and_guest_with_one_ical_uid(desk: TenantDesk) -> None:
    meet(desk)
    (mine,), (his,) = view(desk), view(desk, BOB)
    assert mine["iCalUId"] == his["iCalUId"]
    assert mine["id"] != his["id"]
    assert (mine["isOrganizer"], mine["responseStatus"]["response"]) == (True, "organizer")
    assert (his["isOrganizer"], his["responseStatus"]["response"]) == (False, "notResponded")
    assert his["organizer"] == {"emailAddress": {"name": ANN, "address": ANN}}
    assert mine["start"] == {"dateTime": "2026-03-10T07:00:00.0000000", "timeZone": "UTC"}
    assert (mine["originalStartTimeZone"], mine["type"]) == ("Turkey Standard Time", "singleInstance")
    assert mine["@odata.etag"] == f'W/"{mine["changeKey"]}"'
    assert (mine["showAs"], his["showAs"]) == ("busy", "tentative")


def test_a_meeting_of_google_people_has_googles_uid_at_graph(desk: TenantDesk) -> None:
    desk.google.put(Account(GIL, "Gil", "Acme"), customer="C")
    made = desk.meetings.create({"organizer": GIL, "summary": "Both", "attendees": [ANN]} | at(10, 10))
    assert made["calendars"] == [GIL, ANN]
    assert view(desk)[0]["iCalUId"] == made["iCalUID"] == f"{made['id']}@google.com"


def test_attendees_have_their_kind_and_only_the_organiser_sees_all_answers(desk: TenantDesk) -> None:
    guests = [{"email": BOB, "optional": True}, ZOE_AT, {"email": "room@acme.example", "resource": True}]
    name = meet(desk, attendees=guests)
    desk.meetings.respond(name, ZOE_AT, "accepted")
    desk.meetings.respond(name, BOB, "tentative")
    (mine,), (his,) = view(desk), view(desk, BOB)
    kinds = [(one["emailAddress"]["address"], one["type"]) for one in mine["attendees"]]
    assert kinds == [(BOB, "optional"), (ZOE_AT, "required"), ("room@acme.example", "resource")]
    assert [one["status"]["response"] for one in mine["attendees"]] == ["tentativelyAccepted", "accepted", "none"]
    assert [one["status"]["response"] for one in his["attendees"]] == ["tentativelyAccepted", "none", "none"]
    assert mine["attendees"][2]["status"]["time"] == "0001-01-01T00:00:00Z"


def test_hidden_attendees_see_themselves_alone(desk: TenantDesk) -> None:
    meet(desk, guestsCanSeeOtherGuests=False)
    (mine,), (his,) = view(desk), view(desk, BOB)
    assert (mine["hideAttendees"], len(mine["attendees"])) == (True, 2)
    assert [one["emailAddress"]["address"] for one in his["attendees"]] == [BOB]


def test_what_the_organiser_cancels_stays_with_guests_as_cancelled_and_is_gone_with_himself(desk: TenantDesk) -> None:
    desk.meetings.cancel(meet(desk))
    assert view(desk) == []
    (his,) = view(desk, BOB)
    assert (his["isCancelled"], his["subject"], his["showAs"]) == (True, "Canceled: Demo", "free")
    desk.graph.settings.change({"cancelled_copies": "removed"})
    assert view(desk, BOB) == []


def test_what_a_guest_declines_is_gone_from_his_calendar_and_lives_on_with_the_organiser(desk: TenantDesk) -> None:
    desk.meetings.respond(meet(desk), BOB, "declined")
    assert view(desk, BOB) == []
    assert view(desk)[0]["attendees"][0]["status"]["response"] == "declined"
    desk.graph.settings.change({"declined_copies": "kept"})
    assert view(desk, BOB)[0]["responseStatus"]["response"] == "declined"


def test_a_private_meeting_says_so_to_an_application_that_sees_it_all(desk: TenantDesk) -> None:
    meet(desk, visibility="private", description="Secret", transparency="transparent")
    (mine,) = view(desk)
    assert (mine["sensitivity"], mine["subject"], mine["showAs"]) == ("private", "Demo", "free")


def test_a_teams_meeting_has_its_join_url_and_googles_own_has_none(desk: TenantDesk) -> None:
    point = {"entryPointType": "video", "uri": TEAMS}
    meet(desk, conferenceData={"entryPoints": [point]})
    meet(desk, 11, hangoutLink="https://meet.google.com/x")
    teams, meets = view(desk)
    assert (teams["isOnlineMeeting"], teams["onlineMeetingProvider"]) == (True, "teamsForBusiness")
    assert teams["onlineMeeting"] == {"joinUrl": TEAMS}
    assert (meets["isOnlineMeeting"], meets["onlineMeetingProvider"], meets["onlineMeeting"]) == (
        False, "unknown", None,
    )  # fmt: skip


def test_bodies_are_html_unless_text_is_preferred_and_missing_under_readbasic(desk: TenantDesk) -> None:
    meet(desk, description="A < B\nsecond")
    (mine,) = view(desk)
    assert mine["body"]["contentType"] == "html"
    (plain,) = view(desk, Prefer='outlook.body-content-type="text"')
    assert plain["body"] == {"contentType": "text", "content": "A < B\nsecond"}
    desk.bearer = desk.token(roles=["Calendars.ReadBasic.All"])
    (basic,) = view(desk)
    assert set(mine) - set(basic) == {"body", "bodyPreview"}
    desk.bearer = desk.token(roles=["Mail.Read"])
    assert desk.refused(f"/users/{ANN}/calendarView?{MARCH}") == (403, "ErrorAccessDenied")


def test_times_come_in_the_preferred_zone_by_windows_or_iana_name(desk: TenantDesk) -> None:
    meet(desk)
    for zone in ("Turkey Standard Time", "Europe/Istanbul"):
        reply = desk.ask(f"/users/{ANN}/calendarView?{MARCH}", Prefer=f'outlook.timezone="{zone}"')
        assert reply.body["value"][0]["start"] == {"dateTime": "2026-03-10T10:00:00.0000000", "timeZone": zone}
        assert f'outlook.timezone="{zone}"' in reply.headers["Preference-Applied"]
    path = f"/users/{ANN}/calendarView?{MARCH}"
    assert desk.refused(path, Prefer='outlook.timezone="Nowhere"') == (400, "TimeZoneNotSupportedException")


def test_an_all_day_event_is_midnight_in_its_own_zone_and_shifted_in_another(desk: TenantDesk) -> None:
    meet(desk, start={"date": "2026-03-10"}, end={"date": "2026-03-12"})
    (mine,) = view(desk)
    assert (mine["isAllDay"], mine["start"]["dateTime"][:16]) == (True, "2026-03-09T21:00")
    (home,) = view(desk, Prefer=f'outlook.timezone="{mine["originalStartTimeZone"]}"')
    assert (home["start"]["dateTime"][:16], home["end"]["dateTime"][:16]) == ("2026-03-10T00:00", "2026-03-12T00:00")
    desk.graph.settings.change({"all_day_times": "as_they_are"})
    assert view(desk)[0]["start"]["dateTime"][:16] == "2026-03-10T00:00"


def test_windows_names_of_zones_are_those_of_cldr() -> None:
    from babel.core import get_global

    cldr = get_global("windows_zone_mapping")
    assert {name: cldr[name] for name in WINDOWS if name != "UTC"} == {
        name: zone for name, zone in WINDOWS.items() if name != "UTC"
    }
    assert windows_name("Europe/Kyiv") == "FLE Standard Time"


# -- lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "startDateTime=2026-03-01", "startDateTime=x&endDateTime=y"])
def test_a_calendar_view_wants_its_time_range(desk: TenantDesk, query: str) -> None:
    assert desk.refused(f"/users/{ANN}/calendarView?{query}") == (400, "ErrorInvalidParameter")
    assert desk.refused(f"/users/{ANN}/calendarView/delta?{query}") == (400, "ErrorInvalidParameter")


def test_a_view_has_what_touches_its_range_by_start_in_pages(desk: TenantDesk) -> None:
    for day in (12, 10, 11):
        meet(desk, day, summary=f"d{day}")
    window = "startDateTime=2026-03-10T07:30:00Z&endDateTime=2026-03-12T07:00:00Z"
    pages = list(desk.pages(f"/users/{ANN}/calendarView?{window}&$top=1&$select=subject"))
    assert [[one["subject"] for one in page["value"]] for page in pages] == [["d10"], ["d11"]]
    assert set(pages[0]["value"][0]) == {"@odata.etag", "id", "subject"}


def test_events_are_filtered_and_sorted(desk: TenantDesk) -> None:
    for day in (10, 11):
        meet(desk, day, summary=f"d{day}")
        desk.clock.advance(timedelta(hours=1))
    found = desk.get(f"/users/{ANN}/events?$filter=start/dateTime ge '2026-03-11T00:00'&$select=subject")["value"]
    assert [one["subject"] for one in found] == ["d11"]
    found = desk.get(f"/users/{ANN}/events?$filter=lastModifiedDateTime lt 2026-03-02T08:30:00Z")["value"]
    assert [one["subject"] for one in found] == ["d10"]
    found = desk.get(f"/users/{ANN}/events?$orderby=start/dateTime&$count=true")
    assert ([one["subject"] for one in found["value"]], found["@odata.count"]) == (["d10", "d11"], 2)
    assert desk.refused(f"/users/{ANN}/events?$filter=nothing eq 'x'")[0] == 400


def test_the_one_calendar_is_found_by_its_id_and_another_id_is_not(desk: TenantDesk) -> None:
    meet(desk)
    (calendar,) = desk.get(f"/users/{ANN}/calendars")["value"]
    assert (calendar["isDefaultCalendar"], calendar["owner"]["address"]) == (True, ANN)
    path = f"/users/{ANN}/calendars/{calendar['id']}"
    assert len(desk.get(f"{path}/calendarView?{MARCH}")["value"]) == 1
    assert len(desk.get(f"/users/{ANN}/calendar/events")["value"]) == 1
    assert desk.refused(path.replace(ANN, BOB) + "/events") == (404, "ErrorItemNotFound")


def test_an_event_is_found_by_either_form_of_its_id_and_by_nobody_elses(desk: TenantDesk) -> None:
    meet(desk)
    mutable, immutable = view(desk)[0]["id"], view(desk, **IMMUTABLE)[0]["id"]
    assert mutable != immutable
    for one in (mutable, immutable):
        assert desk.get(f"/users/{ANN}/events/{one}")["subject"] == "Demo"
        assert desk.refused(f"/users/{BOB}/events/{one}") == (404, "ErrorItemNotFound")
    assert desk.refused(f"/users/{ANN}/events/nonsense") == (400, "ErrorInvalidIdMalformed")


# -- series ----------------------------------------------------------------------------------------


def test_lists_have_the_series_and_views_its_occurrences(desk: TenantDesk) -> None:
    weekly(desk)
    (master,) = desk.get(f"/users/{ANN}/events")["value"]
    assert (master["type"], master["seriesMasterId"]) == ("seriesMaster", None)
    assert "originalStart" not in master
    assert master["recurrence"]["pattern"]["daysOfWeek"] == ["tuesday"]
    assert master["recurrence"]["range"] == {
        "type": "numbered", "startDate": "2026-03-03", "endDate": "0001-01-01",
        "recurrenceTimeZone": "Turkey Standard Time", "numberOfOccurrences": 4,
    }  # fmt: skip
    found = view(desk)
    assert [one["type"] for one in found] == ["occurrence"] * 4
    assert {one["seriesMasterId"] for one in found} == {master["id"]}
    assert [one["originalStart"] for one in found[:2]] == ["2026-03-03T07:00:00Z", "2026-03-10T07:00:00Z"]
    assert desk.get(f"/users/{ANN}/events/{found[1]['id']}")["start"] == found[1]["start"]


def test_each_occurrence_has_an_ical_uid_of_its_own_with_its_date(desk: TenantDesk) -> None:
    weekly(desk, iCalUID=new_uid("series"))
    (master,) = desk.get(f"/users/{ANN}/events")["value"]
    uids = [one["iCalUId"] for one in view(desk)]
    assert len({master["iCalUId"], *uids}) == 5
    # 16 bytes of every global object id, then year, month and day (MS-OXOCAL 2.2.1.27)
    assert [uid[32:40] for uid in uids] == ["07EA0303", "07EA030A", "07EA0311", "07EA0318"]
    assert all(uid[:32] + "00000000" + uid[40:] == master["iCalUId"] for uid in uids)
    desk.graph.settings.change({"occurrence_uids": "series"})
    assert {one["iCalUId"] for one in view(desk)} == {master["iCalUId"]}


def test_a_uid_from_elsewhere_is_wrapped_for_its_occurrences() -> None:
    data = bytes.fromhex(occurrence_uid("x@google.com", "20260310T070000Z"))
    assert data[16:20] == bytes.fromhex("07ea030a")
    assert int.from_bytes(data[36:40], "little") == len(data) - 40
    assert data[40:] == b"vCal-Uid\x01\x00\x00\x00x@google.com\x00"


def test_a_moved_occurrence_is_an_exception_with_the_id_and_the_original_start_it_had(desk: TenantDesk) -> None:
    name = weekly(desk)
    before = view(desk)[1]
    desk.meetings.update(name, at(12, 15) | {"summary": "Moved"}, occurrence="2026-03-10T10:00:00+03:00")
    found = view(desk)
    moved = next(one for one in found if one["type"] == "exception")
    assert (moved["id"], moved["originalStart"], moved["iCalUId"]) == (
        before["id"], "2026-03-10T07:00:00Z", before["iCalUId"],
    )  # fmt: skip
    assert (moved["subject"], moved["start"]["dateTime"][:16]) == ("Moved", "2026-03-12T12:00")
    assert [one["type"] for one in found] == ["occurrence", "exception", "occurrence", "occurrence"]


def test_a_cancelled_occurrence_is_told_by_the_series_where_it_is_selected(desk: TenantDesk) -> None:
    name = weekly(desk)
    desk.meetings.cancel(name, occurrence="2026-03-10T10:00:00+03:00")
    assert len(view(desk)) == 3
    (master,) = desk.get(f"/users/{ANN}/events")["value"]
    assert "cancelledOccurrences" not in master
    path = f"/users/{ANN}/events/{master['id']}?$select=cancelledOccurrences"
    assert desk.get(path)["cancelledOccurrences"] == [f"OID.{master['id']}.2026-03-10"]
    assert [one["isCancelled"] for one in view(desk, BOB)] == [False, True, False, False]


def test_instances_are_those_of_one_series_in_the_range(desk: TenantDesk) -> None:
    weekly(desk)
    meet(desk, 11)
    (master,) = (one for one in desk.get(f"/users/{ANN}/events")["value"] if one["type"] == "seriesMaster")
    window = "startDateTime=2026-03-09T00:00:00Z&endDateTime=2026-03-20T00:00:00Z"
    found = desk.get(f"/users/{ANN}/events/{quote(master['id'])}/instances?{window}")["value"]
    assert [one["start"]["dateTime"][:10] for one in found] == ["2026-03-10", "2026-03-17"]


@pytest.mark.parametrize(
    ("rule", "kind", "more"),
    [
        ("FREQ=DAILY;INTERVAL=2", "daily", {"interval": 2}),
        ("FREQ=WEEKLY;BYDAY=MO,WE", "weekly", {"daysOfWeek": ["monday", "wednesday"]}),
        ("FREQ=MONTHLY;BYMONTHDAY=3", "absoluteMonthly", {"dayOfMonth": 3}),
        ("FREQ=MONTHLY;BYDAY=-1FR", "relativeMonthly", {"daysOfWeek": ["friday"], "index": "last"}),
        ("FREQ=MONTHLY;BYDAY=TU;BYSETPOS=1", "relativeMonthly", {"daysOfWeek": ["tuesday"], "index": "first"}),
        ("FREQ=YEARLY", "absoluteYearly", {"month": 3, "dayOfMonth": 3}),
    ],
)
def test_rules_are_outlooks_patterns(rule: str, kind: str, more: dict[str, Any]) -> None:
    found = patterned(at(3, 10) | {"recurrence": [f"RRULE:{rule}"]}, "UTC")
    assert found is not None
    assert found["pattern"]["type"] == kind
    assert {name: found["pattern"][name] for name in more} == more
    assert found["range"]["type"] == "noEnd"
