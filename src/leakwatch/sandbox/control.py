"""The control API: what only a playwright may do. Own port, own bearer token, JSON.

GET  /clock                     {"now"}
POST /clock                     {"to": ISO} or {"advance_seconds": n}: plays what is due, in order
GET  /truth                     findings, decoys and captures as of the clock
GET  /world                     who and what there is: people, meanings, ids by reference
GET  /ledger  DELETE /ledger    calls by service and endpoint, rows asked to be written, quota units
GET  /org/dump                  the org's records (?labels=true: {"rows", "labels"}, the label of each new id)
GET  /org/settings  POST        how the org is set up, its probe switches too; see org/settings.py
GET  /org/usage                 allocations used in 24 hours, requests running, what records weigh
GET  /org/notifications         the custom notifications that were sent
GET  /org/rules  POST           {"validation_rules", "duplicate_rules"}: the admin's; see docs/world-format.md
POST /org/rows                  {"sobject", "rows"}: rows as they are; with an old SystemModstamp: committed late
POST /org/purge                 {"sobject", "ids"}: deleted for good, past the recycle bin or out of it
GET  /rows/{sobject}/{id}       one row of the org as it is, deleted or not
POST /leads/convert             {"lead", "user", ...}: convert a lead, with the options of org/automation/conversion.py
POST /merge                     {"sobject", "master", "merged": [one or two ids], "fields"?, "user"}: merge records
POST /save  POST /restore       {"name"}: the whole state
POST /reset                     back to the world as it was seeded; no faults, an empty ledger; sessions, apps and
                                settings stay
GET  /faults  POST /faults      one rule or {"rules": [...]}; see faults.py
DELETE /faults                  drop them all (?seed=N throws the dice anew)
/sessions /apps /users /org/api logging in: see control_identity.py
GET  /quota  POST /quota        Gmail's quota: {"profile": "real"|"legacy"|"generous"|"off"} or single settings
POST /history/expire            {"mailbox"?, "days"?}: forget Gmail history, or set how long it is kept
POST /accounts                  {"address", "suspended"}: suspend a Google account or let it back in
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any, cast

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from leakwatch.sandbox import control_identity
from leakwatch.sandbox.clock import ClockError, format_instant, parse_instant
from leakwatch.sandbox.faults import FaultBook, FaultError, Rule
from leakwatch.sandbox.google.quota import PROFILES, QuotaSettings
from leakwatch.sandbox.google.service import GoogleService
from leakwatch.sandbox.ledger import Ledger
from leakwatch.sandbox.org import notifications
from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.stage import Stage, StageError
from leakwatch.sandbox.world.expect import truth_now, world_card

Body = dict[str, Any]
Handler = Callable[[Request, Body], Any]


@dataclass(slots=True)
class Desk:
    """Everything the control API can reach."""

    stage: Stage
    google: GoogleService
    book: FaultBook
    ledger: Ledger
    token: str

    # -- clock -------------------------------------------------------------------------------------

    def get_clock(self, _request: Request, _body: Body) -> Any:
        """The virtual instant."""
        return {"now": format_instant(self.stage.clock.now())}

    def post_clock(self, _request: Request, body: Body) -> Any:
        """Move the clock; says what was played."""
        if set(body) == {"to"}:
            target = parse_instant(body["to"])
        elif set(body) == {"advance_seconds"} and isinstance(body["advance_seconds"], int | float):
            if body["advance_seconds"] < 0:
                raise StageError("the clock does not go back; restore a saved state instead")
            target = self.stage.clock.now() + timedelta(seconds=body["advance_seconds"])
        else:
            raise StageError('say {"to": "2026-03-03T03:00:00Z"} or {"advance_seconds": 86400}')
        played = self.stage.play_until(target)
        return {"now": format_instant(self.stage.clock.now()), "played": played}

    # -- reading -----------------------------------------------------------------------------------

    def get_truth(self, _request: Request, _body: Body) -> Any:
        """What ought to be found, by now."""
        body = truth_now(self.stage.world, self.stage.clock.now(), self.stage.player.refs)
        return body | {"mail_import": self.stage.mail_import}

    def get_world(self, _request: Request, _body: Body) -> Any:
        """People, meanings, ids."""
        card = world_card(self.stage.world, self.stage.player.refs)
        return card | {"mail_import": self.stage.mail_import}

    def get_ledger(self, _request: Request, _body: Body) -> Any:
        """What clients have asked for so far."""
        return self.ledger.as_json() | {
            "salesforce_rows": dict(sorted(self.stage.org.attempts.items())),
            "google_units": dict(sorted(self.google.quota.units.items())),
            "google_tokens_minted": dict(sorted(self.google.tokens.minted.items())),
        }

    def delete_ledger(self, _request: Request, _body: Body) -> Any:
        """Count from zero."""
        self.ledger.reset()
        self.stage.org.attempts.clear()
        self.google.quota.reset()
        self.google.tokens.minted.clear()
        return {}

    def get_dump(self, request: Request, _body: Body) -> Any:
        """The org's records, as the org dumps itself."""
        rows, labels = self.stage.org.labelled_dump()
        return {"rows": rows, "labels": labels} if request.query_params.get("labels") == "true" else rows

    def get_settings(self, _request: Request, _body: Body) -> Any:
        """How the org is set up."""
        return asdict(self.stage.org.settings)

    def post_settings(self, _request: Request, body: Body) -> Any:
        """Set up the running org otherwise."""
        self.stage.org.change_settings(body)
        return asdict(self.stage.org.settings)

    def get_usage(self, _request: Request, _body: Body) -> Any:
        """How much of its allocations the org has used."""
        org = self.stage.org
        return {
            "api_calls": org.calls_used(),
            "used": org.meters.as_json(),
            "running": org.running.count(),
            "storage_bytes": org.storage.used(),
            "storage": org.storage.by_object(),
        }

    def get_notifications(self, _request: Request, _body: Body) -> Any:
        """The outbox of custom notifications."""
        return {"notifications": notifications.outbox(self.stage.org)}

    def get_rules(self, _request: Request, _body: Body) -> Any:
        """The declared rules."""
        return self.stage.org.declared.as_json()

    def post_rules(self, _request: Request, body: Body) -> Any:
        """Declare rules anew; the kind that is not given stays."""
        return self.stage.org.declare(body)

    def post_rows(self, _request: Request, body: Body) -> Any:
        """Add rows as they are."""
        return {"added": self.stage.org.seed(str(body["sobject"]), cast(list[Body], body["rows"]))}

    def get_row(self, request: Request, _body: Body) -> Any:
        """One row."""
        given = request.path_params
        row = self.stage.org.get(given["sobject"], given["id"])
        if row is None:
            raise StageError(f"there is no {given['sobject']} {given['id']}")
        return row

    def post_purge(self, _request: Request, body: Body) -> Any:
        """Delete rows for good."""
        self.stage.org.purge(str(body["sobject"]), cast(list[str], body["ids"]))
        return {"purged": len(body["ids"])}

    def post_convert(self, _request: Request, body: Body) -> Any:
        """Convert a lead as a user."""
        options = {name: value for name, value in body.items() if name not in ("lead", "user")}
        return self.stage.org.convert_lead(str(body["lead"]), user_id=str(body["user"]), **options)

    def post_merge(self, _request: Request, body: Body) -> Any:
        """Merge records as a user."""
        merged, fields = cast(list[str], body["merged"]), cast(Body, body.get("fields", {}))
        return self.stage.org.merge(
            str(body["sobject"]), str(body["master"]), merged, fields, user_id=str(body["user"])
        )

    # -- state -------------------------------------------------------------------------------------

    def post_save(self, _request: Request, body: Body) -> Any:
        """Keep the state under a name."""
        self.stage.save(str(body.get("name", "")))
        return {"saved": body["name"]}

    def post_restore(self, _request: Request, body: Body) -> Any:
        """Take up a kept state."""
        self.stage.restore(str(body.get("name", "")))
        return {"restored": body["name"], "now": format_instant(self.stage.clock.now())}

    def post_reset(self, _request: Request, _body: Body) -> Any:
        """Go back to the world as it was seeded."""
        self.stage.reset()
        self.book.clear(self.stage.world.seed)
        self.delete_ledger(_request, {})
        return {"now": format_instant(self.stage.clock.now())}

    # -- trouble -----------------------------------------------------------------------------------

    def get_faults(self, _request: Request, _body: Body) -> Any:
        """The rules in force with their counters."""
        return {"rules": [{f.name: getattr(rule, f.name) for f in fields(rule)} for rule in self.book.rules]}

    def post_faults(self, _request: Request, body: Body) -> Any:
        """Add rules."""
        listing: list[Body] = body["rules"] if set(body) == {"rules"} else [body]
        rules = [Rule.from_json(item) for item in listing]
        for rule in rules:
            self.book.add(rule)
        return {"rules": len(self.book.rules)}

    def delete_faults(self, request: Request, _body: Body) -> Any:
        """Drop all rules."""
        self.book.clear(int(request.query_params.get("seed", "0")))
        return {}

    def get_quota(self, _request: Request, _body: Body) -> Any:
        """Gmail's quota settings."""
        return self.google.quota.settings.as_json()

    def post_quota(self, _request: Request, body: Body) -> Any:
        """Change Gmail's quota settings; the buckets are filled."""
        changes = dict(body)
        profile = changes.pop("profile", None)
        if profile is not None and profile not in PROFILES:
            raise StageError(f"profile must be one of {', '.join(PROFILES)}")
        settings = QuotaSettings.profile(profile) if profile else self.google.quota.settings
        known = {item.name for item in fields(QuotaSettings)}
        for name, value in changes.items():
            if name not in known:
                raise StageError(f"unknown quota setting {name!r}")
            setattr(settings, name, value)
        self.google.quota.settings = settings
        self.google.quota.reset()
        return settings.as_json()

    def post_history(self, _request: Request, body: Body) -> Any:
        """Expire Gmail history."""
        if "days" in body:
            self.google.gmail.history_days = int(body["days"])
        else:
            self.stage.store.expire_history(body.get("mailbox"))
        return {"days": self.google.gmail.history_days}

    def post_account(self, _request: Request, body: Body) -> Any:
        """Suspend a Google account or let it back in."""
        try:
            self.stage.directory.suspend(str(body["address"]), suspended=bool(body["suspended"]))
        except KeyError as error:
            raise StageError(f"no such account, or no 'suspended' given: {error}") from error
        return {}


def build_app(desk: Desk) -> Starlette:
    """The control API's application."""
    routes = [
        ("GET", "/clock", desk.get_clock),
        ("POST", "/clock", desk.post_clock),
        ("GET", "/truth", desk.get_truth),
        ("GET", "/world", desk.get_world),
        ("GET", "/ledger", desk.get_ledger),
        ("DELETE", "/ledger", desk.delete_ledger),
        ("GET", "/org/dump", desk.get_dump),
        ("GET", "/org/settings", desk.get_settings),
        ("POST", "/org/settings", desk.post_settings),
        ("GET", "/org/usage", desk.get_usage),
        ("GET", "/org/notifications", desk.get_notifications),
        ("GET", "/org/rules", desk.get_rules),
        ("POST", "/org/rules", desk.post_rules),
        ("POST", "/org/rows", desk.post_rows),
        ("POST", "/org/purge", desk.post_purge),
        ("POST", "/leads/convert", desk.post_convert),
        ("POST", "/merge", desk.post_merge),
        ("POST", "/save", desk.post_save),
        ("POST", "/restore", desk.post_restore),
        ("GET", "/faults", desk.get_faults),
        ("POST", "/faults", desk.post_faults),
        ("DELETE", "/faults", desk.delete_faults),
        ("GET", "/rows/{sobject}/{id}", desk.get_row),
        ("POST", "/reset", desk.post_reset),
        *_identity(desk),
        ("GET", "/quota", desk.get_quota),
        ("POST", "/quota", desk.post_quota),
        ("POST", "/history/expire", desk.post_history),
        ("POST", "/accounts", desk.post_account),
    ]
    return Starlette(routes=[Route(path, _endpoint(desk, handler), methods=[verb]) for verb, path, handler in routes])


def _identity(desk: Desk) -> list[tuple[str, str, Handler]]:
    """The routes of `control_identity`."""
    org, google = desk.stage.org, desk.google
    return [
        ("GET", "/sessions", lambda _request, _body: control_identity.sessions(org)),
        ("POST", "/sessions/expire", lambda _request, body: control_identity.expire(org, google, body)),
        ("GET", "/apps", lambda _request, _body: control_identity.apps(org)),
        ("POST", "/apps", lambda _request, body: control_identity.change_app(org, body)),
        ("POST", "/users", lambda _request, body: control_identity.change_user(org, body)),
        ("POST", "/org/api", lambda _request, body: control_identity.switch_api(org, body)),
    ]


def _endpoint(desk: Desk, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {desk.token}".encode()):
            return _answer(401, {"error": "the control API wants the bearer token of sandbox.json"})
        try:
            text = await request.body()
            body = orjson.loads(text) if text.strip() else {}
            if not isinstance(body, dict):
                raise StageError("the body must be a JSON object")
            return _answer(200, handler(request, cast(Body, body)))
        except (StageError, FaultError, ClockError, OrgError, KeyError, TypeError, ValueError) as error:
            return _answer(400, {"error": str(error)})

    return endpoint


def _answer(status: int, body: Any) -> Response:
    content = orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS)
    return Response(content, status, {"Content-Type": "application/json"})
