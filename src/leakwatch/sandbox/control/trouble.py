"""What is to go wrong.

GET  /faults  POST /faults      one rule or {"rules": [...]}; see faults.py
DELETE /faults                  drop them all (?seed=N throws the dice anew)
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from leakwatch.sandbox.control.desk import Body, Call, Desk, Route
from leakwatch.sandbox.faults import Rule


def get_faults(desk: Desk, _call: Call) -> Any:
    """The rules in force with their counters."""
    return {"rules": [{f.name: getattr(rule, f.name) for f in fields(rule)} for rule in desk.book.rules]}


def post_faults(desk: Desk, call: Call) -> Any:
    """Add rules."""
    listing: list[Body] = call.body["rules"] if set(call.body) == {"rules"} else [call.body]
    rules = [Rule.from_json(item) for item in listing]
    for rule in rules:
        desk.book.add(rule)
    return {"rules": len(desk.book.rules)}


def delete_faults(desk: Desk, call: Call) -> Any:
    """Drop all rules."""
    desk.book.clear(int(call.query.get("seed", "0")))
    return {}


ROUTES: list[Route] = [
    ("GET", "/faults", get_faults),
    ("POST", "/faults", post_faults),
    ("DELETE", "/faults", delete_faults),
]
