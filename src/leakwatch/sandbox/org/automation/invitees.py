"""Who is invited to an event, and the copy of it in each invited user's calendar (Object Reference, EventRelation).

Without shared activities the relations of an event are its invitees only; with them (see `shared`) those with
IsInvitee. Contacts and leads get no copy.
"""

from __future__ import annotations

from leakwatch.sandbox.org.automation import last_activity, shared
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.engine import Change, Engine, Row, Rules
from leakwatch.sandbox.org.errors import bad

MAX_INVITEES = 1000
_COPIED = (
    *("Subject", "Location", "IsAllDayEvent", "ActivityDateTime", "ActivityDate", "DurationInMinutes"),
    *("StartDateTime", "EndDateTime", "EndDate", "Description", "WhoId", "WhatId", "AccountId", "IsPrivate"),
)
"""What an invitee's copy shares with the event. That custom fields are not copied is unverified."""
_GROUP = {"IsGroupEvent": 1, "GroupEventType": "1"}
_ALONE = {"IsGroupEvent": 0, "GroupEventType": "0"}


def prepare(engine: Engine, change: Change) -> None:
    """Nobody is invited to a copy, nobody twice, and no more than 1,000; codes and words are unverified."""
    row, old = change.row, change.old
    event = engine.lookup(row["EventId"]) if row.get("EventId") else None
    if old is not None and change.changed("RelationId"):
        raise bad("FIELD_INTEGRITY_EXCEPTION", "The invitee of a relation cannot be changed", "RelationId")
    if old is None and event is not None:
        if event["IsChild"]:
            raise bad("FIELD_INTEGRITY_EXCEPTION", "Relations cannot be created for a child event", "EventId")
        others = _relations(engine, event["Id"])
        if any(one["RelationId"] == row.get("RelationId") for one in others):
            said = "duplicate value found: <unknown> duplicates value on record with id: <unknown>"
            raise bad("DUPLICATE_VALUE", said)
    if engine.settings.shared_activities:
        shared.prepare_relation(engine, change)
    if event is not None and _invites(change) and len(_invitees(engine, event["Id"])) >= MAX_INVITEES:
        raise bad("LIMIT_EXCEEDED", f"An event can have at most {MAX_INVITEES} invitees", "EventId")
    row["Status"] = row.get("Status") or "New"
    answered = row["Status"] != "New" and change.changed("Status")
    if answered and "RespondedDate" not in change.given:
        row["RespondedDate"] = engine.now()  # that answering by API stamps it is unverified


def settle(engine: Engine, change: Change) -> None:
    """A first invitee makes it a group event; a user gets a copy."""
    if engine.settings.shared_activities:
        shared.settle_relation(engine, change)
    event = engine.lookup(change.row["EventId"])
    if event is None:
        return
    if change.old is not None and _is_invitee(change.old) and not _is_invitee(change.row):
        _uninvite(engine, change.row, change.caller)
    if not _invites(change):
        return
    if not event["IsGroupEvent"]:
        engine.store.update("Event", event["Id"], _GROUP | {"SystemModstamp": engine.now()})
    invitee = change.row["RelationId"]
    if invitee.startswith("005") and invitee != event["OwnerId"]:
        copy: Row = {name: event[name] for name in (*_COPIED, "ShowAs", "EventSubtype")}
        copy |= {"OwnerId": invitee, "IsChild": 1, **_GROUP}
        copy_id = engine.insert(engine.schema.objects["Event"], copy, change.caller)
        engine.store.set_note(_key(change.row["Id"]), copy_id)


def removed(engine: Engine, row: Row, caller: Caller) -> None:
    """Who is not invited any more loses the copy; without anybody it is no group event."""
    if engine.settings.shared_activities:
        shared.removed_relation(engine, row, caller)
    if _is_invitee(row):
        _uninvite(engine, row, caller)


def _uninvite(engine: Engine, row: Row, caller: Caller) -> None:
    copy = _copy(engine, row)
    if copy is not None:
        engine.drop(engine.schema.objects["Event"], copy, caller)
    if engine.lookup(row["EventId"]) is not None and not _invitees(engine, row["EventId"]):
        engine.store.update("Event", row["EventId"], _ALONE | {"SystemModstamp": engine.now()})


def carry(engine: Engine, change: Change) -> None:
    """Carry a changed event over to the copies of those invited."""
    if not change.row["IsGroupEvent"] or change.row["IsChild"] or not change.changed(*_COPIED):
        return
    stamps = {name: change.row[name] for name in ("LastModifiedDate", "LastModifiedById", "SystemModstamp")}
    for relation in _invitees(engine, change.row["Id"]):
        copy = _copy(engine, relation)
        if copy is not None:
            changes = {name: change.row[name] for name in _COPIED} | stamps
            engine.store.update("Event", copy["Id"], changes)
            carried = Change(change.sobject, copy | changes, copy, frozenset(), change.caller, {})
            last_activity.settle(engine, carried)


def _relations(engine: Engine, event_id: str) -> list[Row]:
    return engine.store.find("EventRelation", engine.schema.objects["EventRelation"].fields["EventId"], event_id)


def _invitees(engine: Engine, event_id: str) -> list[Row]:
    return [one for one in _relations(engine, event_id) if _is_invitee(one)]


def _is_invitee(relation: Row) -> bool:
    """Whether the relation invites somebody: without shared activities each does."""
    return bool(relation.get("IsInvitee", 1))


def _invites(change: Change) -> bool:
    return _is_invitee(change.row) and not (change.old is not None and _is_invitee(change.old))


def _copy(engine: Engine, relation: Row) -> Row | None:
    """The copy that a relation made: no field of the API links the two, so the org's own notes do."""
    return engine.lookup(engine.store.note(_key(relation["Id"])))


def _key(relation_id: str) -> str:
    return f"invitee_copy:{relation_id}"


RULES = {"EventRelation": Rules(prepare=prepare, settle=settle, removed=removed)}
