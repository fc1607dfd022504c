"""Google Workspace: its quota, its history, its accounts.

GET  /quota  POST /quota        Gmail's quota: {"profile": "real"|"legacy"|"generous"|"off"} or single settings
POST /history/expire            {"mailbox"?, "days"?}: forget Gmail history, or set how long it is kept
POST /accounts                  {"address", "suspended"}: suspend a Google account or let it back in
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from leakwatch.sandbox.control.desk import Call, Desk, Route
from leakwatch.sandbox.google.quota import PROFILES, QuotaSettings
from leakwatch.sandbox.stage import StageError


def get_quota(desk: Desk, _call: Call) -> Any:
    """Gmail's quota settings."""
    return desk.google.quota.settings.as_json()


def post_quota(desk: Desk, call: Call) -> Any:
    """Change Gmail's quota settings; the buckets are filled."""
    quota = desk.google.quota
    changes = dict(call.body)
    profile = changes.pop("profile", None)
    if profile is not None and profile not in PROFILES:
        raise StageError(f"profile must be one of {', '.join(PROFILES)}")
    settings = QuotaSettings.profile(profile) if profile else quota.settings
    known = {item.name for item in fields(QuotaSettings)}
    for name, value in changes.items():
        if name not in known:
            raise StageError(f"unknown quota setting {name!r}")
        setattr(settings, name, value)
    quota.settings = settings
    quota.reset()
    return settings.as_json()


def post_history(desk: Desk, call: Call) -> Any:
    """Expire Gmail history."""
    gmail = desk.google.gmail
    if "days" in call.body:
        gmail.history_days = int(call.body["days"])
    else:
        desk.stage.store.expire_history(call.body.get("mailbox"))
    return {"days": gmail.history_days}


def post_account(desk: Desk, call: Call) -> Any:
    """Suspend a Google account or let it back in."""
    try:
        desk.stage.directory.suspend(str(call.body["address"]), suspended=bool(call.body["suspended"]))
    except KeyError as error:
        raise StageError(f"no such account, or no 'suspended' given: {error}") from error
    return {}


ROUTES: list[Route] = [
    ("GET", "/quota", get_quota),
    ("POST", "/quota", post_quota),
    ("POST", "/history/expire", post_history),
    ("POST", "/accounts", post_account),
]
