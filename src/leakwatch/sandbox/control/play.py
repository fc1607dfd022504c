"""The clock, what ought to be found by now, what clients have asked for, and whole states.

GET  /clock                     {"now"}
POST /clock                     {"to": ISO} or {"advance_seconds": n}: plays what is due, in order
GET  /truth                     findings, decoys and captures as of the clock
GET  /world                     who and what there is: people, meanings, ids by reference
GET  /ledger  DELETE /ledger    calls by service and endpoint, rows asked to be written, quota units
POST /save  POST /restore       {"name"}: the whole state
POST /reset                     back to the world as it was seeded; no faults, an empty ledger; sessions, apps and
                                settings stay
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from leakwatch.sandbox.clock import format_instant, parse_instant
from leakwatch.sandbox.control.desk import Call, Desk, Route
from leakwatch.sandbox.stage import StageError
from leakwatch.sandbox.world.expect import truth_now, world_card


def _now(desk: Desk) -> str:
    return format_instant(desk.stage.clock.now())


def get_clock(desk: Desk, _call: Call) -> Any:
    """The virtual instant."""
    return {"now": _now(desk)}


def post_clock(desk: Desk, call: Call) -> Any:
    """Move the clock; says what was played."""
    body = call.body
    if set(body) == {"to"}:
        target = parse_instant(body["to"])
    elif set(body) == {"advance_seconds"} and isinstance(body["advance_seconds"], int | float):
        if body["advance_seconds"] < 0:
            raise StageError("the clock does not go back; restore a saved state instead")
        target = desk.stage.clock.now() + timedelta(seconds=body["advance_seconds"])
    else:
        raise StageError('say {"to": "2026-03-03T03:00:00Z"} or {"advance_seconds": 86400}')
    played = desk.stage.play_until(target)
    return {"now": _now(desk), "played": played}


def get_truth(desk: Desk, _call: Call) -> Any:
    """What ought to be found, by now."""
    stage = desk.stage
    return truth_now(stage.world, stage.clock.now(), stage.player.refs) | {"mail_import": stage.mail_import}


def get_world(desk: Desk, _call: Call) -> Any:
    """People, meanings, ids."""
    return world_card(desk.stage.world, desk.stage.player.refs) | {"mail_import": desk.stage.mail_import}


def get_ledger(desk: Desk, _call: Call) -> Any:
    """What clients have asked for so far."""
    return desk.ledger.as_json() | {
        "salesforce_rows": dict(sorted(desk.stage.org.attempts.items())),
        "google_units": dict(sorted(desk.google.quota.units.items())),
        "calendar_requests": dict(sorted(desk.google.calendar.quota.requests.items())),
        "google_tokens_minted": dict(sorted(desk.google.tokens.minted.items())),
        "graph_requests": dict(sorted(desk.graph.throttle.requests.items())),
        "entra_tokens_minted": dict(sorted(desk.graph.entra.minted.items())),
    }


def delete_ledger(desk: Desk, _call: Call) -> Any:
    """Count from zero."""
    desk.ledger.reset()
    desk.stage.org.attempts.clear()
    desk.google.quota.reset()
    desk.google.calendar.quota.reset()
    desk.google.tokens.minted.clear()
    desk.graph.throttle.reset()
    desk.graph.entra.minted.clear()
    return {}


def post_save(desk: Desk, call: Call) -> Any:
    """Keep the state under a name."""
    desk.stage.save(str(call.body.get("name", "")))
    return {"saved": call.body["name"]}


def post_restore(desk: Desk, call: Call) -> Any:
    """Take up a kept state."""
    desk.stage.restore(str(call.body.get("name", "")))
    return {"restored": call.body["name"], "now": _now(desk)}


def post_reset(desk: Desk, call: Call) -> Any:
    """Go back to the world as it was seeded."""
    desk.stage.reset()
    desk.book.clear(desk.stage.world.seed)
    delete_ledger(desk, call)
    return {"now": _now(desk)}


ROUTES: list[Route] = [
    ("GET", "/clock", get_clock),
    ("POST", "/clock", post_clock),
    ("GET", "/truth", get_truth),
    ("GET", "/world", get_world),
    ("GET", "/ledger", get_ledger),
    ("DELETE", "/ledger", delete_ledger),
    ("POST", "/save", post_save),
    ("POST", "/restore", post_restore),
    ("POST", "/reset", post_reset),
]
