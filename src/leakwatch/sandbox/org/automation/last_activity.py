"""LastActivityDate: the latest day of an event, or due day of a closed task, on a record (salesforce.md, 5.4)."""

from __future__ import annotations

from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.engine import Change, Engine, Row
from leakwatch.sandbox.org.store import quote

LINKS = ("WhoId", "WhatId", "AccountId")
"""What an activity belongs to."""
_COUNTS = {"Task": "IsDeleted = 0 AND IsClosed = 1", "Event": "IsDeleted = 0"}
"""Which activities count; archived ones do."""


def contribution(row: Row | None, *, is_event: bool) -> str | None:
    """The date an activity gives to LastActivityDate: an event's, or a closed task's due date."""
    if row is None or row.get("IsDeleted") or not (is_event or row.get("IsClosed")):
        return None
    return row.get("ActivityDate")


def _parents(row: Row | None) -> set[str]:
    return {row[name] for name in LINKS if row and row.get(name)}


def settle(engine: Engine, change: Change) -> None:
    """Move LastActivityDate of everything the activity belongs, or belonged, to."""
    is_event = change.sobject.name == "Event"
    new, old = contribution(change.row, is_event=is_event), contribution(change.old, is_event=is_event)
    before, after = _parents(change.old), _parents(change.row)
    for parent in sorted(before | after):
        lost = old if parent in before and (parent not in after or new != old) else None
        gained = new if parent in after else None
        _touch(engine, parent, gained, lost)


def removed(engine: Engine, row: Row, _caller: Caller) -> None:
    """The same after the activity went."""
    lost = row.get("ActivityDate")
    for parent in sorted(_parents(row)):
        _touch(engine, parent, None, lost)


def _touch(engine: Engine, parent_id: str, gained: str | None, lost: str | None) -> None:
    """Bump a parent's LastActivityDate and SystemModstamp; LastModifiedDate stays (help 000387261)."""
    sobject = engine.schema.of_id(parent_id)
    parent = engine.lookup(parent_id)
    if sobject is None or parent is None or "LastActivityDate" not in sobject.fields:
        return
    last = parent["LastActivityDate"]
    if lost is not None and lost == last:
        last = last_activity(engine, parent_id)
    if gained is not None and (last is None or gained > last):
        last = gained
    if last != parent["LastActivityDate"]:
        engine.store.update(sobject.name, parent_id, {"LastActivityDate": last, "SystemModstamp": engine.now()})


def last_activity(engine: Engine, parent_id: str) -> str | None:
    """LastActivityDate computed anew."""
    sql = " UNION ALL ".join(
        f"SELECT MAX(day) AS day FROM ({_days(name, link)} = ?)" for name in _COUNTS for link in LINKS
    )
    found = engine.store.execute(f"SELECT MAX(day) FROM ({sql})", (parent_id,) * len(_COUNTS) * len(LINKS))
    return found.fetchone()[0]


def recompute(engine: Engine) -> None:
    """Set LastActivityDate of every record from the activities there are, in few statements; no stamp moves."""
    store = engine.store
    every = " UNION ALL ".join(f"{_days(name, link)} IS NOT NULL" for name in _COUNTS for link in LINKS)
    store.execute("DROP TABLE IF EXISTS temp._last_activity")
    store.execute("CREATE TEMP TABLE _last_activity (id TEXT PRIMARY KEY, day TEXT) WITHOUT ROWID")
    store.execute(f"INSERT INTO _last_activity SELECT id, MAX(day) FROM ({every}) GROUP BY id")
    for name, one in engine.schema.objects.items():
        if "LastActivityDate" in one.fields:
            found = f"(SELECT day FROM _last_activity AS a WHERE a.id = {quote(name)}.Id)"
            store.execute(f"UPDATE {quote(name)} SET LastActivityDate = {found} WHERE LastActivityDate IS NOT {found}")
    store.execute("DROP TABLE temp._last_activity")


def _days(sobject: str, link: str) -> str:
    """The days by parent, up to where the condition on the link goes on."""
    return f"SELECT {link} AS id, ActivityDate AS day FROM {sobject} WHERE {_COUNTS[sobject]} AND {link}"
