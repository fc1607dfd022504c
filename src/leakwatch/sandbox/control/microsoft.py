"""Microsoft 365: the tenant's switches, its application and users, limits, delta tokens; and mail of either provider.

GET  /microsoft/settings  POST      the tenant's settings and switches; see microsoft/settings.py
GET  /microsoft/limits    POST      {"profile": "real"|"generous"|"off"} or single limits; see microsoft/limits.py
POST /microsoft/throttle            {"mailbox", "seconds"}: refuse its requests that long (0: no more)
GET  /microsoft/application  POST   credentials, permissions, which mailboxes it may see; see microsoft/consent.py
POST /microsoft/users               {"address", ...}: set properties of a user, such as "accountEnabled": false, or
                                    "mailbox": "cloud"|"on_premises"|"none"
POST /microsoft/delta/expire        {"mailbox"?}: all delta tokens given so far are too old
POST /microsoft/tokens/expire       all access tokens given so far are refused
POST /mail/deliver                  a mail as in a world file ("from", "to", "subject", ...), delivered now; its copies
                                    by mailbox. "id" and "at" may be left out
POST /mail/move                     {"mailbox", "message_id", "to"}: a verb of the world's `move`, or at Microsoft the
                                    path of a folder, such as "Inbox/Customers" (made where it is missing)
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from leakwatch.sandbox.clock import format_instant
from leakwatch.sandbox.control.desk import Call, Desk, Route
from leakwatch.sandbox.microsoft.limits import Limits
from leakwatch.sandbox.stage import StageError
from leakwatch.sandbox.world import letters
from leakwatch.sandbox.world.model import MAIL_KEYS, MOVES


def get_settings(desk: Desk, _call: Call) -> Any:
    """How the tenant is set up."""
    return asdict(desk.graph.settings.now)


def post_settings(desk: Desk, call: Call) -> Any:
    """Set it up otherwise."""
    return asdict(desk.graph.settings.change(call.body))


def get_limits(desk: Desk, _call: Call) -> Any:
    """What is throttled."""
    return desk.graph.throttle.limits.as_json()


def post_limits(desk: Desk, call: Call) -> Any:
    """Throttle otherwise; what was used is forgotten."""
    changes = dict(call.body)
    profile = changes.pop("profile", None)
    limits = Limits.profile(str(profile)) if profile else desk.graph.throttle.limits
    known = {one.name for one in fields(Limits)}
    for name, value in changes.items():
        if name not in known or type(value) is not int or value < 0:
            raise StageError(f"{name}: no limit, or no whole number from 0 on; limits: {', '.join(sorted(known))}")
        setattr(limits, name, value)
    desk.graph.throttle.limits = limits
    desk.graph.throttle.reset()
    return limits.as_json()


def post_throttle(desk: Desk, call: Call) -> Any:
    """Throttle one mailbox for a while."""
    mailbox, seconds = str(call.body["mailbox"]).lower(), float(call.body["seconds"])
    if not desk.stage.post.microsoft.has(mailbox):
        raise StageError(f"there is no mailbox {mailbox} at Microsoft")
    throttle = desk.graph.throttle
    throttle.paused[mailbox] = throttle.now() + seconds
    return {"mailbox": mailbox, "seconds": seconds}


def get_application(desk: Desk, _call: Call) -> Any:
    """The application as it stands."""
    return asdict(desk.graph.consent.application)


def post_application(desk: Desk, call: Call) -> Any:
    """Change the application."""
    return asdict(desk.graph.consent.change(call.body))


def post_user(desk: Desk, call: Call) -> Any:
    """Change a user."""
    changes = dict(call.body)
    address = str(changes.pop("address", ""))
    try:
        return desk.graph.tenant.change(address, changes)
    except KeyError as error:
        raise StageError(f"nobody at Microsoft has the address {address!r}") from error


def post_expire_deltas(desk: Desk, call: Call) -> Any:
    """Make delta tokens too old."""
    mailbox = call.body.get("mailbox")
    if mailbox is not None and not desk.stage.post.microsoft.has(str(mailbox)):
        raise StageError(f"there is no mailbox {mailbox} at Microsoft")
    desk.graph.expire_deltas(None if mailbox is None else str(mailbox).lower())
    return {}


def post_expire_tokens(desk: Desk, _call: Call) -> Any:
    """Refuse access tokens."""
    desk.graph.entra.expire_all()
    return {}


def post_deliver(desk: Desk, call: Call) -> Any:
    """Deliver a mail now."""
    unknown = sorted(set(call.body) - {"id", "at", "from", "to", "subject", *MAIL_KEYS})
    if unknown:
        raise StageError(f"a mail has no key {unknown[0]!r}")
    stage = desk.stage
    now = stage.clock.now()
    number = desk.graph.exchange.mailboxes.store.db.execute("SELECT count(*) FROM blob").fetchone()[0]
    mail = {"id": f"control{number}", "at": format_instant(now), "to": []} | call.body
    return {"mailboxes": stage.post.deliver(letters.build(mail, stage.world), now)}


def post_move(desk: Desk, call: Call) -> Any:
    """Move a mail in one mailbox."""
    mailbox, wanted = str(call.body["mailbox"]).lower(), str(call.body["to"])
    provider = desk.stage.post.of(mailbox)
    found = provider.find(mailbox, str(call.body["message_id"]).strip("<>"))
    if not found:
        raise StageError(f"{mailbox} has no mail {call.body['message_id']}")
    if wanted not in MOVES and provider is not desk.stage.post.microsoft:
        raise StageError(f"to must be one of {', '.join(MOVES)}")
    provider.move(mailbox, found[-1], wanted)
    return {"message": found[-1]}


ROUTES: list[Route] = [
    ("GET", "/microsoft/settings", get_settings),
    ("POST", "/microsoft/settings", post_settings),
    ("GET", "/microsoft/limits", get_limits),
    ("POST", "/microsoft/limits", post_limits),
    ("POST", "/microsoft/throttle", post_throttle),
    ("GET", "/microsoft/application", get_application),
    ("POST", "/microsoft/application", post_application),
    ("POST", "/microsoft/users", post_user),
    ("POST", "/microsoft/delta/expire", post_expire_deltas),
    ("POST", "/microsoft/tokens/expire", post_expire_tokens),
    ("POST", "/mail/deliver", post_deliver),
    ("POST", "/mail/move", post_move),
]
