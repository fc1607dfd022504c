"""Which Calendar method a path means, who may call it, and what the sandbox does not play."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from leakwatch.sandbox.google import calendar_errors
from leakwatch.sandbox.google.calendar import Calendar, Call
from leakwatch.sandbox.google.calendar_query import Parameters
from leakwatch.sandbox.google.calendar_quota import CalendarQuota
from leakwatch.sandbox.google.errors import insufficient_scope, unauthenticated
from leakwatch.sandbox.google.tokens import Grant

ROOT = "/calendar/v3/"

_AUTH = "https://www.googleapis.com/auth/calendar"
_WRITING = frozenset({_AUTH, f"{_AUTH}.events", f"{_AUTH}.events.owned"})

#: The discovery document also names events.freebusy, events.public.readonly and app.created: they show parts of
#: a calendar only, and nobody delegates them here.
_EVENTS = _WRITING | {f"{_AUTH}.readonly", f"{_AUTH}.events.readonly", f"{_AUTH}.events.owned.readonly"}
_LIST = frozenset({_AUTH, f"{_AUTH}.readonly", f"{_AUTH}.calendarlist", f"{_AUTH}.calendarlist.readonly"})
_CALENDARS = frozenset({_AUTH, f"{_AUTH}.readonly", f"{_AUTH}.calendars", f"{_AUTH}.calendars.readonly"})


@dataclass(frozen=True, slots=True)
class _Route:
    name: str
    pattern: re.Pattern[str]
    scopes: frozenset[str]


def _route(name: str, pattern: str, scopes: frozenset[str]) -> _Route:
    return _Route(name, re.compile(ROOT + pattern), scopes)


_ONE = r"calendars/(?P<calendar>[^/]+)"
ROUTES = (
    _route("events.list", f"{_ONE}/events", _EVENTS),
    _route("events.get", rf"{_ONE}/events/(?P<event>[^/]+)", _EVENTS),
    _route("events.instances", rf"{_ONE}/events/(?P<event>[^/]+)/instances", _EVENTS),
    _route("calendarList.list", "users/me/calendarList", _LIST),
    _route("calendarList.get", r"users/me/calendarList/(?P<calendar>[^/]+)", _LIST),
    _route("calendars.get", _ONE, _CALENDARS),
)

#: What Google has beside them (discovery document calendar v3).
_KNOWN = re.compile(rf"{ROOT}(calendars|users/me/(calendarList|settings)|colors|freeBusy|channels)(/.*)?")


@dataclass(slots=True)
class CalendarService:
    """Calendar v3 before the tokens are checked: routes, scopes, quota."""

    calendar: Calendar
    quota: CalendarQuota
    counted: Callable[[str], None]

    def answer(
        self, method: str, path: str, query: dict[str, list[str]], grant: Grant, *, empty_page: bool
    ) -> dict[str, Any]:
        """Answer one call of somebody with a token."""
        found = next(((route, match) for route in ROUTES if (match := route.pattern.fullmatch(path))), None)
        if found is None or method != "GET":
            raise self._refusal(method, path, grant)
        route, match = found
        self.counted(f"calendar.{route.name}")
        if not grant.scopes & route.scopes:
            resource, _, verb = route.name.partition(".")
            name = f"calendar.v3.{resource[0].upper()}{resource[1:]}.{verb.capitalize()}"
            raise insufficient_scope("calendar-json.googleapis.com", name)
        if grant.subject is None:
            # A service account has a calendar of its own at Google; the sandbox's has none.
            raise calendar_errors.not_emulated(f"{route.name} for a service account's own calendar")
        account = self.calendar.directory.find(grant.subject)
        if account is None:
            raise unauthenticated()
        user = str(account["primaryEmail"])
        if not self.calendar.store.state(user)[2]:
            raise calendar_errors.not_a_calendar_user()
        self.quota.charge(user)
        values = {name: unquote(value) for name, value in match.groupdict().items()}
        call = Call(user, values.get("calendar", ""), values.get("event", ""), Parameters(query), empty_page)
        return self._handlers()[route.name](call)

    def _handlers(self) -> dict[str, Callable[[Call], dict[str, Any]]]:
        one = self.calendar
        return {
            "events.list": one.list_events,
            "events.get": one.get_event,
            "events.instances": one.list_instances,
            "calendarList.list": one.list_calendars,
            "calendarList.get": one.get_calendar_entry,
            "calendars.get": one.get_calendar,
        }

    def _refusal(self, method: str, path: str, grant: Grant) -> Exception:
        """What a method gets that is not played: writing ones need a scope, unknown ones do not exist."""
        if not _KNOWN.fullmatch(path):
            return calendar_errors.not_found()
        reads = method == "GET" or path.endswith(("/watch", "/freeBusy", "/stop"))
        if not reads and not grant.scopes & _WRITING:
            return insufficient_scope("calendar-json.googleapis.com", f"{method} {path}")
        return calendar_errors.not_emulated(f"{method} {path.removeprefix(ROOT)}")
