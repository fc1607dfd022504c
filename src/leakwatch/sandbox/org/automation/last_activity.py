"""LastActivityDate: the latest day of an event, or due day of a closed task, on a record (salesforce.md, 5.4)."""

from __future__ import annotations

from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.engine import Change, Engine, Row
from leakwatch.sandbox.org.indexes import quote

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
    _keep(engine, sobject.name, parent, last)


def _keep(engine: Engine, sobject: str, parent: Row, last: str | None) -> None:
    if last != parent["LastActivityDate"]:
        engine.store.update(sobject, parent["Id"], {"LastActivityDate": last, "SystemModstamp": engine.now()})


def refresh(engine: Engine, parent_id: str) -> None:
    """Bring one record's LastActivityDate up to date with the activities there are."""
    sobject = engine.schema.of_id(parent_id)
    parent = engine.lookup(parent_id)
    if sobject is None or parent is None or "LastActivityDate" not in sobject.fields:
        return
    _keep(engine, sobject.name, parent, last_activity(engine, parent_id))


def last_activity(engine: Engine, parent_id: str) -> str | None:
    """LastActivityDate computed anew."""
    found = [f"SELECT MAX(day) AS day FROM ({days} = ?)" for days in _every(engine)]
    sql = f"SELECT MAX(day) FROM ({' UNION ALL '.join(found)})"
    return engine.store.execute(sql, (parent_id,) * len(found)).fetchone()[0]


def recompute(engine: Engine) -> None:
    """Set LastActivityDate of every record from the activities there are, in few statements; no stamp moves."""
    store = engine.store
    every = " UNION ALL ".join(f"{days} IS NOT NULL" for days in _every(engine))
    store.execute("DROP TABLE IF EXISTS temp._last_activity")
    store.execute("CREATE TEMP TABLE _last_activity (id TEXT PRIMARY KEY, day TEXT) WITHOUT ROWID")
    store.execute(f"INSERT INTO _last_activity SELECT id, MAX(day) FROM ({every}) GROUP BY id")
    for name, one in engine.schema.objects.items():
        if "LastActivityDate" in one.fields:
            found = f"(SELECT day FROM _last_activity AS a WHERE a.id = {quote(name)}.Id)"
            store.execute(f"UPDATE {quote(name)} SET LastActivityDate = {found} WHERE LastActivityDate IS NOT {found}")
    store.execute("DROP TABLE temp._last_activity")


def _every(engine: Engine) -> list[str]:
    """The days of activities by parent, each up to where the condition on the parent's id goes on."""
    found = [
        f"SELECT {link} AS id, ActivityDate AS day FROM {name} WHERE {counts} AND {link}"
        for name, counts in _COUNTS.items()
        for link in LINKS
    ]
    if engine.settings.shared_activities:
        found += [
            f"SELECT r.RelationId AS id, a.ActivityDate AS day FROM {name}WhoRelation AS r "
            f"JOIN (SELECT * FROM {name} WHERE {counts}) AS a ON a.Id = r.{name}Id WHERE r.RelationId"
            for name, counts in _COUNTS.items()
        ]
    return found
