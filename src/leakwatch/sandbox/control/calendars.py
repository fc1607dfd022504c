"""Calendars: what people do with meetings, whoever keeps them; and of Google's: what wears out, another tool's sync.

POST /calendar/events     {"do": "create", "event": {...}}: see google/meeting_fields.py for its fields
                          With the organiser in a calendar at Microsoft and no "iCalUID", Exchange makes the UID.
                          A Teams meeting: "conferenceData": {"entryPoints": [{"uri": "https://teams.microsoft.com/..."}]}
                          {"do": "update", "event": id, "fields": {...}, "occurrence"?}
                          {"do": "split", "event": id, "occurrence", "fields"}: this and following ones
                          {"do": "transfer", "event": id, "organizer": address}
                          {"do": "cancel", "event": id, "occurrence"?}
                          {"do": "respond", "event": id, "guest": address, "response": "declined", "occurrence"?}
                          {"do": "remove_copy", "event": id, "calendar": address, "occurrence"?}
                          {"do": "set_own", "event": id, "calendar": address, "fields": {"visibility": "private"}}
                          An occurrence is named by its original start: "2026-03-10T10:00:00+03:00" or a date.
POST /calendar/expire     {"calendar"}: its sync tokens answer 410; {"days": n}: how long they live
POST /calendar/share      {"calendar", "reader", "role"}: share it ("none": no more); its sync tokens end
POST /calendar/service    {"calendar", "enabled"}: switch the Calendar service of a user on or off
GET  /calendar/sync       POST /calendar/sync    {"direction": "off"|"to_calendar"|"to_org"|"both", "marks"?}: another
                          tool syncs Events with calendars, now and after each move of the clock; see event_sync.py
GET  /calendar/quota      POST /calendar/quota   {"profile"} or single settings; see google/calendar_quota.py
"""

from __future__ import annotations

from dataclasses import asdict, fields
from email.utils import parseaddr
from typing import Any

from leakwatch.sandbox.control.desk import Body, Call, Desk, Route
from leakwatch.sandbox.google.calendar import ROLES
from leakwatch.sandbox.google.calendar_quota import PROFILES, CalendarQuotaSettings
from leakwatch.sandbox.google.calendar_service import CalendarService
from leakwatch.sandbox.google.meeting_fields import MeetingError
from leakwatch.sandbox.microsoft.event_ids import new_uid

#: Deed -> the keys it takes beside `event`: required, optional.
DEEDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "create": ((), ()),
    "update": (("fields",), ("occurrence",)),
    "split": (("fields", "occurrence"), ()),
    "transfer": (("organizer",), ()),
    "cancel": ((), ("occurrence",)),
    "respond": (("guest", "response"), ("occurrence",)),
    "remove_copy": (("calendar",), ("occurrence",)),
    "set_own": (("calendar", "fields"), ("occurrence",)),
}


def act(desk: Desk, call: Call) -> Any:
    """Do with a meeting what the body says; returns its id, iCalUID and the calendars that changed."""
    meetings, body = desk.stage.meetings, call.body
    deed = str(body.get("do"))
    if deed not in DEEDS:
        raise MeetingError(f"do must be one of {', '.join(DEEDS)}")
    required, optional = DEEDS[deed]
    given = {name: value for name, value in body.items() if name != "do"}
    missing = [name for name in ("event", *required) if name not in given]
    unknown = sorted(set(given) - {"event", *required, *optional})
    if missing or unknown:
        raise MeetingError(f"{deed}: " + (f"needs {missing[0]!r}" if missing else f"has no key {unknown[0]!r}"))
    return getattr(meetings, deed)(**given) if deed != "create" else meetings.create(_with_uid(desk, given["event"]))


def _with_uid(desk: Desk, event: Body) -> Body:
    """A new meeting with Exchange's kind of UID, where its organiser's calendar is there and no UID is given."""
    organiser = parseaddr(str(event.get("organizer")))[1]
    meetings = desk.stage.meetings
    if "iCalUID" in event or "id" in event or not (meetings.directory.find(organiser) or {}).get("exchange"):
        return event
    store = meetings.store.mail
    number = store.db.execute("SELECT count(*) FROM event").fetchone()[0]
    return event | {"iCalUID": new_uid(f"{organiser} {number} {store.clock.now().isoformat()}")}


def _account(service: CalendarService, body: Body) -> str:
    account = service.calendar.directory.find(str(body["calendar"]))
    if account is None:
        raise MeetingError(f"there is no account {body['calendar']!r}")
    return str(account["primaryEmail"])


def expire(desk: Desk, call: Call) -> Any:
    """Make sync tokens worthless, or set how long they live."""
    service, body = desk.google.calendar, call.body
    if "days" in body:
        service.calendar.token_days = int(body["days"])
    else:
        service.calendar.store.expire(_account(service, body))
    return {"days": service.calendar.token_days}


def share(desk: Desk, call: Call) -> Any:
    """Share a calendar."""
    service, body = desk.google.calendar, call.body
    if body["role"] not in (*ROLES[1:], "none"):
        raise MeetingError(f"role must be none or one of {', '.join(ROLES[1:])}")
    reader = _account(service, {"calendar": body["reader"]})
    service.calendar.store.share(_account(service, body), reader, str(body["role"]))
    return {}


def switch(desk: Desk, call: Call) -> Any:
    """Switch somebody's Calendar service."""
    service, body = desk.google.calendar, call.body
    service.calendar.store.switch(_account(service, body), enabled=bool(body["enabled"]))
    return {}


def sync(desk: Desk, _call: Call) -> Any:
    """How the other tool is set up."""
    return asdict(desk.stage.event_sync.setup)


def change_sync(desk: Desk, call: Call) -> Any:
    """Set the other tool up, and let it run once; says what it carried."""
    setup = desk.stage.event_sync.change(call.body)
    return asdict(setup) | {"carried": desk.stage.event_sync.run()}


def quota(desk: Desk, _call: Call) -> Any:
    """The quota's settings."""
    return desk.google.calendar.quota.settings.as_json()


def change_quota(desk: Desk, call: Call) -> Any:
    """Change the quota's settings; what was counted is forgotten."""
    service, body = desk.google.calendar, call.body
    changes = dict(body)
    profile = changes.pop("profile", None)
    if profile is not None and profile not in PROFILES:
        raise MeetingError(f"profile must be one of {', '.join(PROFILES)}")
    settings = CalendarQuotaSettings.profile(profile) if profile else service.quota.settings
    known = {item.name for item in fields(CalendarQuotaSettings)}
    for name, value in changes.items():
        if name not in known:
            raise MeetingError(f"unknown quota setting {name!r}")
        setattr(settings, name, value)
    service.quota.settings = settings
    service.quota.reset()
    return settings.as_json()


ROUTES: list[Route] = [
    ("POST", "/calendar/events", act),
    ("POST", "/calendar/expire", expire),
    ("POST", "/calendar/share", share),
    ("POST", "/calendar/service", switch),
    ("GET", "/calendar/sync", sync),
    ("POST", "/calendar/sync", change_sync),
    ("GET", "/calendar/quota", quota),
    ("POST", "/calendar/quota", change_quota),
]
