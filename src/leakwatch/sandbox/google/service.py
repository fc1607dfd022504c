"""Which Google method a path means, who may call it, and what it costs. Used by HTTP and by batches."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qs, unquote

import orjson

from leakwatch.sandbox.google import errors
from leakwatch.sandbox.google.calendar_service import ROOT as CALENDAR_ROOT
from leakwatch.sandbox.google.calendar_service import CalendarService
from leakwatch.sandbox.google.directory import SCOPE_ALIAS, SCOPE_USER, Directory
from leakwatch.sandbox.google.fields import select
from leakwatch.sandbox.google.gmail import Call, Gmail
from leakwatch.sandbox.google.pubsub_service import ROOT as PUBSUB_ROOT
from leakwatch.sandbox.google.pubsub_service import PubSubService
from leakwatch.sandbox.google.quota import Quota
from leakwatch.sandbox.google.tokens import Grant, TokenOffice
from leakwatch.sandbox.google.watch import Watches

_AUTH = "https://www.googleapis.com/auth/"
_READ = frozenset(
    {f"{_AUTH}gmail.readonly", f"{_AUTH}gmail.metadata", f"{_AUTH}gmail.modify", "https://mail.google.com/"}
)
_LABELS = _READ | {f"{_AUTH}gmail.labels"}

#: Writing methods of Gmail: nobody delegates their scopes here, so they are refused as Google refuses them.
_WRITES = re.compile(r"/gmail/v1/users/[^/]+/(messages|drafts|threads|labels|settings)")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before it is put on a wire."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class _Route:
    name: str
    pattern: re.Pattern[str]
    scopes: frozenset[str]
    verb: str = "GET"


def _route(name: str, pattern: str, scopes: frozenset[str], verb: str = "GET") -> _Route:
    return _Route(name, re.compile(pattern), scopes, verb)


_USER = r"/gmail/v1/users/(?P<user>[^/]+)"
ROUTES = (
    _route("getProfile", rf"{_USER}/profile", _READ),
    _route("messages.list", rf"{_USER}/messages", _READ),
    _route("messages.get", rf"{_USER}/messages/(?P<key>[^/]+)", _READ),
    _route("threads.list", rf"{_USER}/threads", _READ),
    _route("threads.get", rf"{_USER}/threads/(?P<key>[^/]+)", _READ),
    _route("history.list", rf"{_USER}/history", _READ),
    _route("labels.list", rf"{_USER}/labels", _LABELS),
    _route("labels.get", rf"{_USER}/labels/(?P<key>[^/]+)", _LABELS),
    _route("watch", rf"{_USER}/watch", _READ, "POST"),
    _route("stop", rf"{_USER}/stop", _READ, "POST"),
    _route("directory.users.list", r"/admin/directory/v1/users", SCOPE_USER),
    _route("directory.users.get", r"/admin/directory/v1/users/(?P<key>[^/]+)", SCOPE_USER),
    _route("directory.aliases.list", r"/admin/directory/v1/users/(?P<key>[^/]+)/aliases", SCOPE_ALIAS),
)


def method_of(path: str) -> tuple[_Route, dict[str, str]] | None:
    """The method behind a path, with the values in it."""
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match:
            return route, {name: unquote(value) for name, value in match.groupdict().items()}
    return None


@dataclass(slots=True)
class GoogleService:
    """Directory, Gmail, Calendar and Pub/Sub over one store."""

    directory: Directory
    gmail: Gmail
    calendar: CalendarService
    tokens: TokenOffice
    quota: Quota
    customer: str
    domains: list[str]
    watches: Watches
    pubsub: PubSubService
    counted: Callable[[str], None] = lambda _name: None

    def answer(
        self, method: str, target: str, authorization: str, *, empty_page: bool = False, sent: bytes = b""
    ) -> Reply:
        """Answer one call; `target` is path and query, `sent` the body. Errors become Google's bodies."""
        path, _, query_text = target.partition("?")
        query = parse_qs(query_text, keep_blank_values=True)
        try:
            body = self._answer(method, path, query, authorization, empty_page=empty_page, sent=sent)
            mask = query.get("fields")
            return Reply(204 if path.endswith("/stop") else 200, select(body, mask[-1]) if mask else body)
        except errors.GoogleError as error:
            return Reply(error.status, error.body, error.headers)

    def _answer(
        self,
        method: str,
        path: str,
        query: dict[str, list[str]],
        authorization: str,
        *,
        empty_page: bool,
        sent: bytes,
    ) -> dict[str, Any]:
        grant = self.tokens.open(authorization)
        if path.startswith(PUBSUB_ROOT):
            return self.pubsub.answer(method, path, _json_object(sent), grant)
        if path.startswith(CALENDAR_ROOT):
            return self.calendar.answer(method, path, query, grant, empty_page=empty_page)
        found = method_of(path)
        if found is None or method != found[0].verb:
            if _WRITES.match(path) or found is not None:
                raise errors.insufficient_scope("gmail.googleapis.com", f"{method} {path}")
            raise errors.not_found("Not Found")
        route, values = found
        self.counted(route.name)
        if not grant.scopes & route.scopes:
            service = "admin" if route.name.startswith("directory.") else "gmail"
            raise errors.insufficient_scope(f"{service}.googleapis.com", route.name)
        if route.name.startswith("directory."):
            return self._directory(route.name, values, query, grant)
        return self._gmail(route.name, values, query, grant, empty_page=empty_page, sent=sent)

    def _directory(
        self, name: str, values: dict[str, str], query: dict[str, list[str]], grant: Grant
    ) -> dict[str, Any]:
        asker = self.directory.find(grant.subject or "")
        if asker is None or not asker["isAdmin"]:
            raise errors.forbidden("Not Authorized to access this resource/api")
        if name == "directory.users.list":
            flat = {key: items[-1] for key, items in query.items()}
            return self.directory.list_users(flat, customer=self.customer, domains=self.domains)
        if name == "directory.users.get":
            return self.directory.get_user(values["key"])
        return self.directory.list_aliases(values["key"])

    def _gmail(
        self,
        name: str,
        values: dict[str, str],
        query: dict[str, list[str]],
        grant: Grant,
        *,
        empty_page: bool,
        sent: bytes,
    ) -> dict[str, Any]:
        if grant.subject is None:
            raise errors.precondition_failed()
        wanted = values["user"].lower()
        account = self.directory.find(grant.subject)
        if account is None:
            raise errors.unauthenticated()
        own = {"me", account["primaryEmail"], *account["aliases"]}
        if wanted not in own:
            raise errors.forbidden(f"Delegation denied for {grant.subject}")
        if not account["isMailboxSetup"]:
            raise errors.mail_not_enabled()
        self.quota.charge(grant.subject, name)
        if name == "watch":
            return self.watches.watch(grant.subject, _json_object(sent))
        if name == "stop":
            self.watches.stop(grant.subject)
            return {}
        call = Call(grant.subject, query, grant.scopes, values.get("key", ""), empty_page)
        handlers: dict[str, Callable[[Call], dict[str, Any]]] = {
            "getProfile": self.gmail.get_profile,
            "messages.list": self.gmail.list_messages,
            "messages.get": self.gmail.get_message,
            "threads.list": self.gmail.list_threads,
            "threads.get": self.gmail.get_thread,
            "history.list": self.gmail.list_history,
            "labels.list": self.gmail.list_labels,
            "labels.get": self.gmail.get_label,
        }
        return handlers[name](call)


def _json_object(sent: bytes) -> dict[str, Any]:
    """The body of a call that wants JSON; none at all is an empty object."""
    if not sent.strip():
        return {}
    try:
        found: Any = orjson.loads(sent)
    except orjson.JSONDecodeError as error:
        raise errors.invalid("Invalid JSON payload received. Parsing terminated before end of input.") from error
    if not isinstance(found, dict):
        raise errors.invalid('Invalid JSON payload received. Unknown name "": Root element must be a message.')
    return cast(dict[str, Any], found)
