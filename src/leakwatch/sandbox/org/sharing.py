"""Who may change whose activity, where the org is set up to refuse it. By default everybody may change everything.

Both settings are probes: what the real service refuses, and in which words, hangs on the org's activity sharing and
on the owner's place in the role hierarchy.
"""

from __future__ import annotations

from typing import Any

from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.errors import OrgError, bad
from leakwatch.sandbox.org.settings import OrgSettings
from leakwatch.sandbox.org.sobject import ACTIVITY_OBJECTS, SObject

Row = dict[str, Any]


def check(settings: OrgSettings, sobject: SObject, old: Row, changes: Row, caller: Caller) -> None:
    """Raise INSUFFICIENT_ACCESS_OR_READONLY where the caller may not make these changes."""
    if sobject.name not in ACTIVITY_OBJECTS or caller.user_id == settings.system_user_id:
        return
    if not settings.others_activities_editable and old["OwnerId"] != caller.user_id:
        raise _refused()
    given_away = changes.get("OwnerId", old["OwnerId"]) != old["OwnerId"]
    if given_away and old.get("TaskSubtype") == "Email" and not settings.auto_task_owner_changeable:
        raise _refused()


def _refused() -> OrgError:
    return bad("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
