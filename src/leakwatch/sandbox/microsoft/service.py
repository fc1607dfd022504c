"""Microsoft Graph v1.0: what a request must pass before its handler answers, and what every answer carries.

In this order: access token (401), path (400), limits of Graph, whose user, limits of the service behind it (429),
permissions (403), mailbox (404). Used by HTTP and by `$batch`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from urllib.parse import unquote

from leakwatch.sandbox.clock import wall_seconds
from leakwatch.sandbox.google.calendar_store import CalendarStore
from leakwatch.sandbox.microsoft import errors, teams_errors
from leakwatch.sandbox.microsoft.calendar_delta import CalendarDelta
from leakwatch.sandbox.microsoft.calendars import Calendars
from leakwatch.sandbox.microsoft.call import GraphCall, GraphRequest, Prefer, Reply, Route, Workload, segments_of
from leakwatch.sandbox.microsoft.calls import Calls
from leakwatch.sandbox.microsoft.chats import Chats
from leakwatch.sandbox.microsoft.consent import Consent
from leakwatch.sandbox.microsoft.delta import Delta
from leakwatch.sandbox.microsoft.entra import Entra
from leakwatch.sandbox.microsoft.errors import GraphError
from leakwatch.sandbox.microsoft.exchange import Exchange
from leakwatch.sandbox.microsoft.folders import Folders
from leakwatch.sandbox.microsoft.limits import Limits, Throttle
from leakwatch.sandbox.microsoft.mail import Mail
from leakwatch.sandbox.microsoft.odata import Options
from leakwatch.sandbox.microsoft.online_meetings import OnlineMeetings
from leakwatch.sandbox.microsoft.settings import Kept
from leakwatch.sandbox.microsoft.teams_store import TeamsStore
from leakwatch.sandbox.microsoft.tenant import Tenant
from leakwatch.sandbox.microsoft.users import Users

JSON = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
ROOT = "/v1.0"

#: First segments that Graph has and the sandbox has not.
_OTHERS = frozenset(
    ("groups", "sites", "drives", "subscriptions", "communications", "chats", "teams", "directory",
     "organization", "applications", "serviceprincipals", "reports", "security", "auditlogs", "places", "contacts")
)  # fmt: skip


@dataclass(slots=True)
class GraphService:
    """Graph and Entra over one tenant."""

    entra: Entra
    consent: Consent
    tenant: Tenant
    exchange: Exchange
    calendars: CalendarStore
    teams: TeamsStore
    settings: Kept
    throttle: Throttle
    routes: list[Route]
    counted: Callable[[str], None] = lambda _name: None
    wall: Callable[[], float] = wall_seconds

    # -- one request -------------------------------------------------------------------------------

    def answer(self, request: GraphRequest) -> Reply:
        """Answer one call; errors become Graph's bodies. `enter` and `leave` are for who keeps it running."""
        return self.framed(request, self._answer)

    def framed(self, request: GraphRequest, handle: Callable[[GraphRequest], Reply]) -> Reply:
        """What a handler gives or raises, with all that every answer of Graph carries."""
        request_id = str(uuid.uuid4())
        asked = request.headers.get("client-request-id", request_id)
        try:
            reply = handle(request)
            body = reply.body
        except GraphError as error:
            reply = Reply(error.status, None, dict(error.headers))
            body = error.body(self.wall(), request_id, asked)
        reply.body = body
        kind = {"Content-Type": "text/plain" if isinstance(body, str) else JSON}
        common = {
            "Cache-Control": "no-cache",
            "request-id": request_id,
            "client-request-id": asked,
            "x-ms-ags-diagnostic": json.dumps(
                {"ServerInfo": {"DataCenter": "Sandbox", "Slice": "E", "Ring": "5", "RoleInstance": "SB1"}}
            ),
            "OData-Version": "4.0",
            "Date": formatdate(self.wall(), usegmt=True),
        }
        reply.headers = common | kind | reply.headers
        return reply

    def _answer(self, request: GraphRequest) -> Reply:
        caller = self.entra.open(request.headers.get("authorization", ""))
        path, _, query = request.target.partition("?")
        if path != ROOT and not path.startswith(ROOT + "/"):
            if path.startswith("/beta"):
                raise errors.not_emulated("beta")
            raise errors.bad_request(f"Invalid version: {path.strip('/').partition('/')[0]}")
        path = path[len(ROOT) :]
        self.throttle.charge_global(caller.app_id)
        route, keys = self._route(request.method, path)
        self.counted(route.name)
        prefer = Prefer.read(request.headers.get("prefer", ""))
        call = GraphCall(request, caller, keys, Options.read(query), prefer, path=path)
        self._admit(call, route)
        reply = route.handler(call)
        headers = dict(call.headers)
        if call.applied:
            headers["Preference-Applied"] = ", ".join(call.applied)
        if route.workload is Workload.DIRECTORY:
            headers["x-ms-resource-unit"] = str(self._units(call, route))
        reply.headers = headers | reply.headers
        return reply

    def _route(self, method: str, path: str) -> tuple[Route, list[str]]:
        segments = [one for one in segments_of(path) if one]
        if not segments or segments[0].lower() == "me":
            raise errors.no_signed_in_user() if segments else errors.no_segment("")
        if segments[-1].lower() == "delta" and len(segments) == 2:
            raise errors.not_emulated(f"change tracking of {segments[0]}")
        fitting = [(route, keys) for route in self.routes if (keys := route.match(segments)) is not None]
        # A named segment is meant before a key: users/$count is no user.
        fitting.sort(key=lambda pair: pair[0].pattern.count("{}"))
        for route, keys in fitting:
            if route.method == method:
                return route, keys
        if fitting:
            raise errors.not_emulated(f"{method} {path}") if method != "GET" else errors.method_not_allowed()
        first = segments[0].lower()
        if first in _OTHERS or (first == "users" and len(segments) > 2):
            raise errors.not_emulated(f"{method} {path}")
        raise errors.no_segment(segments[0])

    # -- who may -----------------------------------------------------------------------------------

    def _admit(self, call: GraphCall, route: Route) -> None:
        """Limits, permissions and mailbox, in the order of the services' own."""
        of_user = route.pattern.startswith("users/{}")
        directory, teams = route.workload is Workload.DIRECTORY, route.workload is Workload.TEAMS
        if directory:
            self.throttle.charge_directory(call.caller.app_id, self._units(call, route))
        elif of_user:
            call.user = self.tenant.find(call.keys[0])
            if call.user is not None and not teams:
                self.throttle.charge_mailbox(call.caller.app_id, call.mailbox)
        application = self.consent.application
        roles = call.caller.roles
        if call.user is not None and route.workload is Workload.EXCHANGE:
            roles |= application.scoped_roles(call.mailbox)
        call.permissions = roles & frozenset(route.permissions)
        if not call.permissions and teams:
            raise teams_errors.missing_role(route.permissions, call.caller.roles)
        if not call.permissions:
            raise errors.unprivileged() if directory else errors.denied()
        if directory or not of_user or route.workload is not Workload.EXCHANGE:
            return
        if call.user is None:
            raise errors.invalid_user(call.keys[0])
        if not application.allowed_into(call.mailbox):
            raise errors.policy_denied()
        if call.user["mailbox"] != "cloud":
            raise errors.no_mailbox()

    @staticmethod
    def _units(call: GraphCall, route: Route) -> int:
        return max(1, route.units - (1 if call.options.get("select") is not None else 0))

    # -- requests at once --------------------------------------------------------------------------

    def place_of(self, request: GraphRequest) -> str | None:
        """Where a request counts among those that run at once; None for what Exchange does not see."""
        path = request.target.partition("?")[0]
        parts = [unquote(part) for part in segments_of(path.removeprefix(ROOT))]
        if len(parts) < 3 or parts[0].lower() != "users" or parts[2].lower() in ("chats", "onlinemeetings"):
            return None
        user = self.tenant.find(parts[1])
        if user is None:
            return None
        return "app" if self.settings.now.concurrency_scope == "app" else str(user["mail"]).lower()

    def enter(self, request: GraphRequest) -> tuple[str | None, Reply | None]:
        """Begin a request: where it counts, and the refusal where four run there already."""
        place = self.place_of(request)
        if place is None:
            return None, None
        try:
            self.throttle.enter(place)
        except GraphError as error:
            request_id = str(uuid.uuid4())
            body = error.body(self.wall(), request_id, request.headers.get("client-request-id", request_id))
            headers = {"Content-Type": JSON, "request-id": request_id} | error.headers
            return None, Reply(error.status, body, headers)
        return place, None

    def leave(self, place: str | None) -> None:
        """End a request."""
        if place is not None:
            self.throttle.leave(place)

    def expire_deltas(self, mailbox: str | None = None) -> None:
        """Refuse all delta tokens that were given so far."""
        mailboxes = self.exchange.mailboxes
        mailboxes.expire_deltas(mailbox)
        for address in [mailbox] if mailbox else mailboxes.addresses():
            self.calendars.expire(address)


def build(
    exchange: Exchange,
    *,
    consent: Consent,
    domains: list[str],
    key: bytes,
    limits: Limits,
    calendars: CalendarStore | None = None,
    counted: Callable[[str], None] = lambda _name: None,
    wall: Callable[[], float] = wall_seconds,
) -> GraphService:
    """The whole of Graph over these mailboxes.

    Args:
        exchange: The mailboxes and the tenant's users.
        consent: The application.
        domains: The tenant's verified domains; each names it as its GUID does.
        key: Signs access tokens and delta tokens.
        limits: What is throttled.
        calendars: The calendars of everybody, Google's too; None: those in the mailboxes' file, with days in UTC.
        counted: Is told the name of each operation.
        wall: Wall time in seconds since the epoch.
    """
    mailboxes, tenant = exchange.mailboxes, exchange.tenant
    settings = Kept(mailboxes.store)
    mail = Mail(mailboxes, settings)
    kept = calendars or CalendarStore(mailboxes.store, "UTC")
    diaries = Calendars(mailboxes, kept, settings)
    teams = TeamsStore(mailboxes.store, tenant)
    routes = [
        *Users(tenant).routes(),
        *Folders(mailboxes).routes(),
        *Delta(mail, key + b"delta").routes(),
        *mail.routes(),
        *CalendarDelta(diaries, key + b"calendar").routes(),
        *diaries.routes(),
        *Calls(teams, key + b"calls").routes(),
        *OnlineMeetings(teams, kept, consent).routes(),
        *Chats(teams, settings, key + b"chats").routes(),
    ]
    entra = Entra(consent, domains, key + b"access", wall=wall)
    return GraphService(
        entra, consent, tenant, exchange, kept, teams, settings, Throttle(limits), routes, counted, wall
    )
