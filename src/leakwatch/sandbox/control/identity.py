"""Logging in: sessions, refresh tokens, apps, users.

GET  /sessions                  living sessions, and families of refresh tokens, without the tokens themselves
POST /sessions/expire           every access token is refused from now on, or with {"service"} those of "salesforce" or
                                "google" alone. For the org's also: those of one "session" (as GET names it), "token"
                                or "user"; only after so many more API calls ("after_calls": n); refresh tokens as
                                well ("refresh": true)
GET  /apps  POST /apps          connected apps, without their secrets; {"client_id", ...}: set up otherwise
POST /users                     {"user", "locked"?, "api"?}: lock a user, take the API away (false), or undo it
POST /org/api                   {"enabled"}: switch the REST API of the whole org off or on
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from leakwatch.sandbox.control.desk import Body, Route
from leakwatch.sandbox.google.service import GoogleService
from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.identity.apps import App
from leakwatch.sandbox.org.identity.authority import EVERYBODY, Barred
from leakwatch.sandbox.org.identity.sessions import Session
from leakwatch.sandbox.stage import StageError

_WHICH = ("session", "token", "user")
_SECRETS = ("secret", "certificate")


def sessions(org: Org) -> Body:
    """Who is logged in."""
    return {"sessions": org.sessions.as_json(), "refresh_tokens": org.identity.refresh_tokens.as_json()}


def expire(org: Org, google: GoogleService, body: Body) -> Body:
    """End sessions, now or after some calls; how many of the org's sessions that meets."""
    _only(body, "service", *_WHICH, "after_calls", "refresh")
    service = body.get("service")
    if service not in (None, "salesforce", "google"):
        raise StageError("service must be salesforce or google")
    narrowed = set(body) - {"service"}
    if service == "google" and narrowed:
        raise StageError(f"{', '.join(sorted(narrowed))}: for the org's sessions only")
    met = 0
    if service != "google":
        which = _which(org, body)
        calls = body.get("after_calls", 0)
        if type(calls) is not int or calls < 0:
            raise StageError("after_calls must be a number of calls")
        met = org.sessions.close_after(calls, which) if calls else org.sessions.close(which)
        if body.get("refresh"):
            org.identity.refresh_tokens.expire_all(_user(org, body["user"]) if "user" in body else None)
    if service != "salesforce" and not narrowed:
        google.tokens.expire_all()
    return {"sessions": met}


def _which(org: Org, body: Body) -> Callable[[Session], bool]:
    given = [name for name in _WHICH if name in body]
    if len(given) > 1:
        raise StageError("say one of session, token and user")
    if not given:
        return lambda _: True
    value = body[given[0]]
    if given[0] == "user":
        user_id = _user(org, value)
        return lambda one: one.user_id == user_id
    known = [one for one in org.sessions.living() if value in (one.name, one.token)]
    if not known:
        raise StageError(f"there is no living session {value!r}")
    return lambda one: one.token == known[0].token


def apps(org: Org) -> Body:
    """The connected apps."""
    return {"apps": [_shown(app) for app in org.identity.apps.all()]}


def change_app(org: Org, body: Body) -> Body:
    """Set up an app otherwise."""
    changes = dict(body)
    return _shown(org.identity.apps.change(str(changes.pop("client_id", "")), changes))


def _shown(app: App) -> Body:
    return {name: value for name, value in asdict(app).items() if name not in _SECRETS}


def change_user(org: Org, body: Body) -> Body:
    """Lock a user or take the API away, or undo it."""
    _only(body, "user", "locked", "api")
    user_id = _user(org, body.get("user"))
    wanted: list[tuple[Barred, bool]] = []
    if "locked" in body:
        wanted.append(("login", _truth(body, "locked")))
    if "api" in body:
        wanted.append(("api", not _truth(body, "api")))
    if not wanted:
        raise StageError("say locked or api, true or false")
    for what, barred in wanted:
        org.identity.bar(what, user_id, barred=barred)
    locked, no_api = org.identity.is_barred("login", user_id), org.identity.is_barred("api", user_id)
    return {"id": user_id, "locked": locked, "api": not no_api}


def switch_api(org: Org, body: Body) -> Body:
    """Switch the org's REST API off or on."""
    _only(body, "enabled")
    enabled = _truth(body, "enabled")
    org.identity.bar("api", EVERYBODY, barred=not enabled)
    return {"enabled": enabled}


def _user(org: Org, given: Any) -> str:
    """The id of a user named by username or id."""
    if isinstance(given, str):
        found = org.store.find("User", org.schema.objects["User"].fields["Username"], given)
        row = found[0] if found else org.get("User", given)
        if row is not None:
            return str(row["Id"])
    raise StageError(f"there is no user {given!r}")


def _truth(body: Body, name: str) -> bool:
    value = body.get(name)
    if not isinstance(value, bool):
        raise StageError(f"{name} must be true or false")
    return value


def _only(body: Body, *known: str) -> None:
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise StageError(f"{', '.join(unknown)}: not known here; what is: {', '.join(known)}")


ROUTES: list[Route] = [
    ("GET", "/sessions", lambda desk, _call: sessions(desk.stage.org)),
    ("POST", "/sessions/expire", lambda desk, call: expire(desk.stage.org, desk.google, call.body)),
    ("GET", "/apps", lambda desk, _call: apps(desk.stage.org)),
    ("POST", "/apps", lambda desk, call: change_app(desk.stage.org, call.body)),
    ("POST", "/users", lambda desk, call: change_user(desk.stage.org, call.body)),
    ("POST", "/org/api", lambda desk, call: switch_api(desk.stage.org, call.body)),
]
