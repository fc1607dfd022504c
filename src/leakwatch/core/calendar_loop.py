"""Signs in the org that another tool handles the Events that leakwatch writes. Pure.

`rows` are Events with `core.adoption.EVENT_FIELDS`. What capture itself sees, copies that came back into calendars, is
in the journal (`flows.capture_adopt`); these are what doctor adds. Decision 0011.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from leakwatch.core.adoption import moment_of, subject_key
from leakwatch.core.identity import MEETING_PREFIX
from leakwatch.model import KEY_FIELD

Row = Mapping[str, Any]

# One user who changes Events of several colleagues is no colleague who mends a meeting: so many Events, of so many.
LEAST_CHANGED, LEAST_OWNERS = 3, 2


def is_ours(row: Row) -> bool:
    """Return whether leakwatch wrote this Event for a meeting."""
    return str(row.get(KEY_FIELD) or "").startswith(MEETING_PREFIX)


def doubled(rows: Iterable[Row]) -> list[tuple[str, str]]:
    """Return (our Event, another) for each Event of ours beside one of another tool, of one owner, time and subject."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        subject = subject_key(str(row.get("Subject") or ""))
        times = tuple(moment_of(row.get(name)) for name in ("StartDateTime", "EndDateTime"))
        if subject and None not in times:
            groups[(row.get("OwnerId"), *times, bool(row.get("IsAllDayEvent")), subject)].append(row)
    found: list[tuple[str, str]] = []
    for group in groups.values():
        ours = sorted(str(row["Id"]) for row in group if is_ours(row))
        others = sorted(str(row["Id"]) for row in group if not row.get(KEY_FIELD))
        if ours and others:
            found.append((ours[0], others[0]))
    return sorted(found)


def changed_by_others(rows: Iterable[Row]) -> Mapping[str, int]:
    """Return user id -> how many Events of ours that user changed last, of users who go over those of several owners.

    Neither the user who wrote an Event nor its owner counts.
    """
    changed: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        who = row.get("LastModifiedById")
        if is_ours(row) and who and who not in (row.get("CreatedById"), row.get("OwnerId")):
            changed[str(who)].append(row)
    return {who: len(some) for who, some in sorted(changed.items()) if _is_tool(some)}


def _is_tool(rows: Sequence[Row]) -> bool:
    return len(rows) >= LEAST_CHANGED and len({row.get("OwnerId") for row in rows}) >= LEAST_OWNERS
