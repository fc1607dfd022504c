"""An event as Graph shows it (resource event, and the types that it is made of)."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from leakwatch.sandbox.google.recurrence import is_all_day
from leakwatch.sandbox.microsoft import event_ids, ids
from leakwatch.sandbox.microsoft.diary import Entry
from leakwatch.sandbox.microsoft.message import stamp
from leakwatch.sandbox.microsoft.patterns import patterned
from leakwatch.sandbox.microsoft.time_zones import windows_name

Json = dict[str, Any]

TYPE = "microsoft.graph.event"

#: What is shown where nothing is selected, in Graph's order; `originalStart` of occurrences and exceptions alone.
DEFAULT = (
    "createdDateTime", "lastModifiedDateTime", "changeKey", "categories", "transactionId", "originalStartTimeZone",
    "originalEndTimeZone", "iCalUId", "reminderMinutesBeforeStart", "isReminderOn", "hasAttachments", "subject",
    "bodyPreview", "importance", "sensitivity", "originalStart", "isAllDay", "isCancelled", "isOrganizer",
    "responseRequested", "seriesMasterId", "showAs", "type", "webLink", "onlineMeetingUrl", "isOnlineMeeting",
    "onlineMeetingProvider", "allowNewTimeProposals", "isDraft", "hideAttendees", "recurrence", "responseStatus",
    "body", "start", "end", "location", "locations", "attendees", "organizer", "onlineMeeting",
)  # fmt: skip
SELECTABLE = frozenset(("id", *DEFAULT, "cancelledOccurrences"))

#: "read events of all calendars, except for properties such as body, attachments, and extensions" (permissions
#: reference, Calendars.ReadBasic.All); `bodyPreview` is of the body.
BASIC_HIDES = frozenset({"body", "bodyPreview"})

#: What a thin occurrence of a delta has.
SPARSE = ("seriesMasterId", "type", "start", "end")

#: `DateTimeOffset.MinValue`: never.
_NEVER = "0001-01-01T00:00:00Z"
_RESPONSES = {"accepted": "accepted", "tentative": "tentativelyAccepted", "declined": "declined"}
_TEAMS = "https://teams.microsoft.com/"
_SHOWN = {"outOfOffice": "oof", "workingLocation": "workingElsewhere"}


@dataclass(frozen=True, slots=True)
class EventView:
    """How events are to be shown in one answer."""

    guid: str
    """The mailbox's."""
    home: str
    """IANA name of the mailbox's time zone."""
    zone: ZoneInfo
    zone_name: str
    """The zone of the answer, and what it is called there."""
    cancelled_keys: Callable[[Entry], list[str]]
    """The occurrences of a series that were cancelled, as ends of their names."""
    select: tuple[str, ...] | None = None
    immutable: bool = False
    text_bodies: bool = False
    hidden: frozenset[str] = frozenset()
    typed: bool = False
    own_uids: bool = True
    """Whether occurrences have an iCalUId of their own."""
    shift_days: bool = True

    def id_of(self, name: str) -> str:
        """The id of an event by its name; that of an occurrence is made of its series' and its original start."""
        series, key = split_name(name)
        return event_ids.event_id(self.guid, event_ids.number_of(series), key, immutable=self.immutable)

    def show(self, entry: Entry, *, sparse: bool = False) -> Json:
        """One event; `sparse`: as thin as occurrences are in a delta."""
        body: Json = {"@odata.type": f"#{TYPE}"} if self.typed else {}
        if not sparse:
            body["@odata.etag"] = f'W/"{self.change_key(entry)}"'
        body["id"] = self.id_of(entry.name)
        for name in SPARSE if sparse else (self.select if self.select is not None else DEFAULT):
            if name in self.hidden or (name == "originalStart" and not entry.key):
                continue
            maker = _MAKERS.get(name)
            if maker is not None:
                body[name] = maker(self, entry)
        return body

    def change_key(self, entry: Entry) -> str:
        """The version of an event."""
        return ids.change_key(self.guid, entry.row.change)

    def when(self, given: Json) -> Json:
        """A start or end as Graph writes it, in the zone of the answer (resource dateTimeTimeZone)."""
        if is_all_day(given):
            midnight = datetime.combine(date.fromisoformat(given["date"]), time(), ZoneInfo(self.home))
            local = midnight.astimezone(self.zone) if self.shift_days else midnight
        else:
            local = datetime.fromisoformat(given["dateTime"]).astimezone(self.zone)
        return {"dateTime": local.strftime("%Y-%m-%dT%H:%M:%S.0000000"), "timeZone": self.zone_name}

    def original_zone(self, given: Json) -> str:
        """The zone in which a time was set, by its name at Windows."""
        return windows_name(self.home if is_all_day(given) else given["timeZone"])


_OCCURRENCE = re.compile(r"(.+)_(\d{8}(?:T\d{6}Z)?)")


def split_name(name: str) -> tuple[str, str]:
    """The name of a series and the original start of one of its occurrences, empty for an event by itself."""
    match = _OCCURRENCE.fullmatch(name)
    return (match.group(1), match.group(2)) if match else (name, "")


def join_url(body: Json) -> str | None:
    """The address that a Teams meeting is joined at; None for others."""
    points: list[Json] = (body.get("conferenceData") or {}).get("entryPoints", [])
    urls = [str(point.get("uri", "")) for point in points]
    return next((url for url in urls if url.startswith(_TEAMS)), None)


def _organised(entry: Entry) -> bool:
    return bool(entry.body["organizer"]["email"] == entry.row.calendar)


def _recipient(person: Json) -> Json:
    address = str(person["email"])
    return {"emailAddress": {"name": str(person.get("displayName") or address), "address": address}}


def _attendees(_view: EventView, entry: Entry) -> list[Json]:
    """Who is invited. How others answered is known to the organiser alone; hidden guests see themselves only."""
    found: list[Json] = []
    organised = _organised(entry)
    hidden = entry.body.get("guestsCanSeeOtherGuests", True) is False and not organised
    for guest in entry.body.get("attendees", []):
        own = guest["email"] == entry.row.calendar
        if guest["email"] == entry.body["organizer"]["email"] or (hidden and not own):
            continue
        answer = _RESPONSES.get(guest["responseStatus"]) if organised or own else None
        kind = "resource" if guest.get("resource") else "optional" if guest.get("optional") else "required"
        status = {"response": answer or "none", "time": stamp(entry.row.updated) if answer else _NEVER}
        found.append({"type": kind, "status": status} | _recipient(guest))
    return found


def _own_answer(entry: Entry) -> str:
    if _organised(entry):
        return "organizer"
    own = next((one for one in entry.body.get("attendees", []) if one["email"] == entry.row.calendar), {})
    return _RESPONSES.get(own.get("responseStatus", ""), "notResponded")


def _response(_view: EventView, entry: Entry) -> Json:
    answer = _own_answer(entry)
    answered = answer not in ("organizer", "notResponded")
    return {"response": answer, "time": stamp(entry.row.updated) if answered else _NEVER}


def _show_as(_view: EventView, entry: Entry) -> str:
    body = entry.body
    if body.get("eventType") in _SHOWN:
        return _SHOWN[body["eventType"]]
    if body.get("transparency") == "transparent" or body["status"] == "cancelled":
        return "free"
    unsure = body["status"] == "tentative" or _own_answer(entry) in ("tentativelyAccepted", "notResponded")
    return "tentative" if unsure else "busy"


def _text(entry: Entry) -> str:
    """What the description says, as plain text."""
    given = str(entry.body.get("description") or "")
    return html.unescape(re.sub(r"<[^>]+>", "", given)).strip() if "<" in given else given


def _body(view: EventView, entry: Entry) -> Json:
    """itemBody: HTML unless text is preferred; Outlook makes a page of what was written."""
    if view.text_bodies:
        return {"contentType": "text", "content": _text(entry)}
    given = str(entry.body.get("description") or "")
    if not given:
        return {"contentType": "html", "content": ""}
    inner = given if "<" in given else html.escape(given, quote=False).replace("\n", "<br>\r\n")
    head = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
    page = f"<html>\r\n<head>\r\n{head}\r\n</head>\r\n<body>\r\n{inner}\r\n</body>\r\n</html>\r\n"
    return {"contentType": "html", "content": page}


def _location(_view: EventView, entry: Entry) -> Json:
    place = str(entry.body.get("location") or "")
    named: Json = {"uniqueId": place} if place else {}
    return {"displayName": place, "locationType": "default", "uniqueIdType": "private" if place else "unknown"} | named


def _uid(view: EventView, entry: Entry) -> str:
    uid = str(entry.body["iCalUID"])
    return event_ids.occurrence_uid(uid, entry.key) if entry.key and view.own_uids else uid


def _subject(_view: EventView, entry: Entry) -> str:
    title = str(entry.body.get("summary") or "")
    return f"Canceled: {title}" if entry.body["status"] == "cancelled" else title


def _original_start(view: EventView, entry: Entry) -> str:
    when = entry.body["originalStartTime"]
    if is_all_day(when):
        local = datetime.combine(date.fromisoformat(when["date"]), time(), ZoneInfo(view.home))
    else:
        local = datetime.fromisoformat(when["dateTime"])
    return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cancelled_occurrences(view: EventView, entry: Entry) -> list[str]:
    """Their ids: `OID.` with the series' id and the original date."""
    head = f"OID.{view.id_of(entry.series)}"
    return [f"{head}.{key[:4]}-{key[4:6]}-{key[6:8]}" for key in view.cancelled_keys(entry)]


def _created(_view: EventView, entry: Entry) -> str:
    return datetime.fromisoformat(entry.body["created"]).strftime("%Y-%m-%dT%H:%M:%SZ")


def _online(_view: EventView, entry: Entry) -> Json | None:
    url = join_url(entry.body)
    return {"joinUrl": url} if url else None


_MAKERS: dict[str, Callable[[EventView, Entry], Any]] = {
    "createdDateTime": _created,
    "lastModifiedDateTime": lambda _view, one: stamp(one.row.updated),
    "changeKey": lambda view, one: view.change_key(one),
    "categories": lambda _view, _one: [],
    "transactionId": lambda _view, _one: None,
    "originalStartTimeZone": lambda view, one: view.original_zone(one.body["start"]),
    "originalEndTimeZone": lambda view, one: view.original_zone(one.body["end"]),
    "iCalUId": _uid,
    "reminderMinutesBeforeStart": lambda _view, _one: 15,
    "isReminderOn": lambda _view, _one: True,
    "hasAttachments": lambda _view, one: bool(one.body.get("attachments")),
    "subject": _subject,
    "bodyPreview": lambda _view, one: _text(one)[:255],
    "importance": lambda _view, _one: "normal",
    "sensitivity": lambda _view, one: (
        one.body["visibility"] if one.body.get("visibility") in ("private", "confidential") else "normal"
    ),
    "originalStart": _original_start,
    "isAllDay": lambda _view, one: is_all_day(one.body["start"]),
    "isCancelled": lambda _view, one: one.body["status"] == "cancelled",
    "isOrganizer": lambda _view, one: _organised(one),
    "responseRequested": lambda _view, _one: True,
    "seriesMasterId": lambda view, one: view.id_of(one.series) if one.key else None,
    "showAs": _show_as,
    "type": lambda _view, one: one.kind,
    "webLink": lambda view, one: (
        f"https://outlook.office365.com/owa/?itemid={view.id_of(one.name)}&exvsurl=1&path=/calendar/item"
    ),
    "onlineMeetingUrl": lambda _view, _one: None,
    "isOnlineMeeting": lambda _view, one: join_url(one.body) is not None,
    "onlineMeetingProvider": lambda _view, one: "teamsForBusiness" if join_url(one.body) else "unknown",
    "allowNewTimeProposals": lambda _view, _one: True,
    "isDraft": lambda _view, _one: False,
    "hideAttendees": lambda _view, one: one.body.get("guestsCanSeeOtherGuests", True) is False,
    "recurrence": lambda view, one: patterned(one.body, view.home) if one.kind == "seriesMaster" else None,
    "responseStatus": _response,
    "body": _body,
    "start": lambda view, one: view.when(one.body["start"]),
    "end": lambda view, one: view.when(one.body["end"]),
    "location": _location,
    "locations": lambda view, one: [_location(view, one)] if one.body.get("location") else [],
    "attendees": _attendees,
    "organizer": lambda _view, one: _recipient(one.body["organizer"]),
    "onlineMeeting": _online,
    "cancelledOccurrences": _cancelled_occurrences,
}
