"""Shared activities: several people on one task or event (Object Reference, Task, TaskRelation, EventRelation).

Where the org has them, WhoId is the first of TaskWhoIds or EventWhoIds, and the people and the one other record of
an activity are relations: rows of TaskRelation, or of EventRelation with IsParent. Whichever is written, the other
follows. TaskWhoRelation and EventWhoRelation, which list the people alone, have the ids of these rows. A child event
has no relations. Deleting the first contact still takes the activity along, as describe's `cascadeDelete` says; that
another is promoted then too is possible, and unverified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from leakwatch.sandbox.org.automation import last_activity
from leakwatch.sandbox.org.caller import Caller, caller_of
from leakwatch.sandbox.org.engine import Change, Engine, Row, Rules
from leakwatch.sandbox.org.errors import OrgError, bad
from leakwatch.sandbox.org.schema import ACTIVITY_OBJECTS, Field, SObject
from leakwatch.sandbox.org.store import row_dict

MOST_CONTACTS = 50
_LEAD, _PEOPLE = "00Q", ("003", "00Q")
_RULE_MADE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Kind:
    """The objects around one of the two kinds of activity."""

    activity: SObject
    relation: SObject
    people: SObject
    link: Field
    """The relation's field that names the activity."""

    @property
    def listed(self) -> str:
        """The list of people on the activity."""
        return f"{self.activity.name}WhoIds"


def _kind(engine: Engine, activity: str) -> _Kind:
    objects = engine.schema.objects
    relation = objects[f"{activity}Relation"]
    return _Kind(objects[activity], relation, objects[f"{activity}WhoRelation"], relation.fields[f"{activity}Id"])


def _refuse(message: str, *fields: str) -> OrgError:
    # the rules are documented, code and words are unverified
    return bad("FIELD_INTEGRITY_EXCEPTION", message, *fields)


def is_person(record_id: str) -> bool:
    """Whether an activity can name the record as its Who."""
    return record_id.startswith(_PEOPLE)


def account_of(engine: Engine, who: str | None, what: str | None) -> str | None:
    """AccountId: of the What if it is an account or has one, else of the contact (Object Reference, Task).

    A custom object has one where it is a detail of accounts.
    """
    if what and what.startswith("001"):
        return what
    sobject = engine.schema.of_id(what) if what else None
    target = engine.lookup(what)
    if sobject is not None and target is not None:
        if sobject.name in ("Opportunity", "Contract"):
            return target["AccountId"]
        masters = (one.name for one in sobject.stored_fields if sobject.custom and one.can("c"))
        for name in masters:
            if sobject.fields[name].refers_to == ("Account",):
                return target[name]
    contact = engine.lookup(who) if who and who.startswith("003") else None
    return contact["AccountId"] if contact else None


# -- the activity -----------------------------------------------------------------------------------------


def prepare(engine: Engine, change: Change) -> None:
    """Find out whom the activity will name: they stand in `lists` then, the first of them in WhoId."""
    row = change.row
    if not engine.settings.shared_activities or row.get("IsChild"):
        return
    kind = _kind(engine, change.sobject.name)
    wanted = _wanted(engine, kind, change)
    if wanted is not None:
        _refuse_mixture(wanted, kind.listed)
        change.lists[kind.listed] = wanted
        row |= {"WhoId": wanted[0] if wanted else None, "WhoCount": len(wanted)}
    row["WhatCount"] = int(row.get("WhatId") is not None)


def _wanted(engine: Engine, kind: _Kind, change: Change) -> list[str] | None:
    """Everybody the activity will name, the first first; None where nothing is said of them.

    Documented are: the first of the list leads unless WhoId says otherwise, a WhoId that is not in the list joins
    it, without WhoId somebody of the list leads, without a list WhoId is all there is. Unverified is that a new
    WhoId alone leaves the former one on the list, which is how "added" is read.
    """
    who, given = change.row.get("WhoId"), change.lists.get(kind.listed)
    if given:
        named = change.creating or "WhoId" in change.given
        return list(dict.fromkeys([who, *given] if named and who else given))
    if given is not None:
        return [who] if who else []
    if change.old is None:
        return [who] if who else []
    if not change.changed("WhoId"):
        return None
    before = people(engine, kind, change.old)
    if who is None:
        return [one for one in before if one != change.old["WhoId"]]
    stay = not any(one.startswith(_LEAD) for one in (who, *before))
    return list(dict.fromkeys([who, *before])) if stay else [who]


def _refuse_mixture(wanted: list[str], field: str) -> None:
    if len(wanted) > 1 and any(one.startswith(_LEAD) for one in wanted):
        raise _refuse(f"{field}: an activity is related to one lead or to contacts", field)
    if len(wanted) > MOST_CONTACTS:
        raise _refuse(f"{field}: an activity is related to at most {MOST_CONTACTS} contacts", field)


def people(engine: Engine, kind: _Kind, activity: Row) -> list[str]:
    """The ids of the contacts, or of the lead, of an activity; the one in WhoId first."""
    found = [one["RelationId"] for one in _parents(engine, kind, activity["Id"]) if not one["IsWhat"]]
    return sorted(found, key=lambda one: one != activity["WhoId"])


def _parents(engine: Engine, kind: _Kind, activity_id: str) -> list[Row]:
    rows = engine.store.find(kind.relation.name, kind.link, activity_id)
    return [one for one in rows if one.get("IsParent", 1)]


def settle(engine: Engine, change: Change) -> None:
    """Bring the relations in step with the activity."""
    if not engine.settings.shared_activities or change.row.get("IsChild"):
        return
    kind = _kind(engine, change.sobject.name)
    wanted = change.lists.get(kind.listed)
    if wanted is not None:
        _relate(engine, kind, change, wanted, is_what=False)
        _recount(engine, kind, change.row["Id"])
    if change.changed("WhatId"):
        _relate(engine, kind, change, [change.row["WhatId"]] if change.row["WhatId"] else [], is_what=True)
    for one in people(engine, kind, change.row)[1:]:
        last_activity.refresh(engine, one)  # that the others' date moves as well is unverified


def relate_seeded(engine: Engine) -> None:
    """Make the relations of activities that were seeded without any."""
    system = caller_of(engine.settings.system_user_id, None, engine.settings)
    for name in ACTIVITY_OBJECTS if engine.settings.shared_activities else ():
        kind = _kind(engine, name)
        bare = f"Id NOT IN (SELECT {name}Id FROM {name}Relation) AND COALESCE(WhoId, WhatId) IS NOT NULL"
        child = " AND IsChild = 0" if name == "Event" else ""
        sql = f"SELECT * FROM {name} WHERE IsDeleted = 0 AND {bare}{child} ORDER BY Id"
        for row in engine.store.execute(sql).fetchall():
            change = Change(kind.activity, row_dict(row), None, _RULE_MADE, system, {})
            counts = {"WhoCount": int(row["WhoId"] is not None), "WhatCount": int(row["WhatId"] is not None)}
            engine.store.update(name, row["Id"], counts)
            _relate(engine, kind, change, [row["WhoId"]] if row["WhoId"] else [], is_what=False)
            _relate(engine, kind, change, [row["WhatId"]] if row["WhatId"] else [], is_what=True)


def _relate(engine: Engine, kind: _Kind, change: Change, wanted: list[str], *, is_what: bool) -> None:
    rows = engine.store.find(kind.relation.name, kind.link, change.row["Id"])
    for row in rows:
        if row["RelationId"] not in wanted and bool(row["IsWhat"]) is is_what and row.get("IsParent", 1):
            if row.get("IsInvitee"):
                engine.change(kind.relation, row, {"IsParent": 0}, change.caller, given=_RULE_MADE)
            else:
                engine.drop(kind.relation, row, change.caller, direct=True)
    known = {row["RelationId"]: row for row in rows}
    parent: Row = {"IsWhat": int(is_what)} | ({"IsParent": 1} if "IsParent" in kind.relation.fields else {})
    for one in wanted:
        row = known.get(one)
        if row is None:
            engine.insert(kind.relation, {kind.link.name: change.row["Id"], "RelationId": one} | parent, change.caller)
        elif not row.get("IsParent", 1):
            engine.change(kind.relation, row, parent, change.caller, given=_RULE_MADE)


def _recount(engine: Engine, kind: _Kind, activity_id: str) -> None:
    activity = engine.lookup(activity_id)
    count = sum(not one["IsWhat"] for one in _parents(engine, kind, activity_id))
    if activity is not None and activity["WhoCount"] != count:
        engine.store.update(kind.activity.name, activity_id, {"WhoCount": count})


# -- the relations ----------------------------------------------------------------------------------------


def prepare_relation(engine: Engine, change: Change) -> None:
    """Check and fill in a relation that a caller writes; one that follows from the activity is right as it is."""
    kind = _kind(engine, change.sobject.name.removesuffix("Relation"))
    row, target = change.row, change.row.get("RelationId")
    if target is None:
        return
    row["AccountId"] = account_of(engine, target if is_person(target) else None, target)
    if not change.given:
        return
    is_what = not is_person(target) and not target.startswith("005")
    if change.creating:
        _fill_in(change, is_what=is_what)
    if row.get("IsParent", 1) and not (is_what or is_person(target)):
        raise _refuse("Only contacts, leads and other records can be the parent of an activity", "IsParent")
    if row.get("IsParent", 1) and bool(row["IsWhat"]) is not is_what:
        raise _refuse(f"IsWhat must be {str(is_what).lower()} for {target}", "IsWhat")
    activity = engine.lookup(row.get(kind.link.name))
    if activity is not None and _joins(change):
        _refuse_joining(engine, kind, activity, target, is_what=is_what)


def _fill_in(change: Change, *, is_what: bool) -> None:
    """Flags that were not set (Object Reference, EventRelation, "Insert an invitee relation").

    That a record which can only be the What becomes it by default is unverified.
    """
    row, given = change.row, change.given
    if "IsWhat" not in given:
        row["IsWhat"] = int(is_what)
    if "IsParent" in row and "IsParent" not in given:
        row["IsParent"] = int(is_what)
    if "IsInvitee" in row and "IsInvitee" not in given:
        row["IsInvitee"] = int(not row["IsParent"])


def _refuse_joining(engine: Engine, kind: _Kind, activity: Row, target: str, *, is_what: bool) -> None:
    if any(one["RelationId"] == target for one in _parents(engine, kind, activity["Id"])):
        said = "duplicate value found: <unknown> duplicates value on record with id: <unknown>"
        raise bad("DUPLICATE_VALUE", said)
    if not is_what:
        _refuse_mixture([*people(engine, kind, activity), target], "RelationId")
    elif activity["WhatId"]:
        raise _refuse("An activity is related to one record besides its people", "RelationId")


def _joins(change: Change) -> bool:
    """Whether the relation names somebody on the activity from now on."""
    return bool(change.row.get("IsParent", 1)) and not (change.old is not None and change.old.get("IsParent", 1))


def settle_relation(engine: Engine, change: Change) -> None:
    """Bring the activity in step with a relation that a caller wrote, and the list of people with any."""
    kind = _kind(engine, change.sobject.name.removesuffix("Relation"))
    row = change.row
    if change.old is not None and change.old.get("IsParent") and not row["IsParent"]:
        _part(engine, kind, row, change.caller)
    if not _joins(change):
        return
    if not row["IsWhat"]:
        _list(engine, kind, row)
    activity = engine.lookup(row[kind.link.name])
    if change.given and activity is not None:
        changes: Row = {"WhatId": row["RelationId"]} if row["IsWhat"] else {}
        _follow(engine, kind, activity, changes, change.caller)


def _list(engine: Engine, kind: _Kind, row: Row) -> None:
    target = engine.schema.of_id(row["RelationId"])
    shown: dict[str, Any] = row | {"Type": target.name if target else None}
    engine.store.insert(kind.people.name, {name: shown[name] for name in kind.people.fields})


def removed_relation(engine: Engine, row: Row, caller: Caller) -> None:
    """Whoever is not related any more is not named either; if it was the first, another one is promoted."""
    found = engine.schema.of_id(row["Id"])
    if found is not None and row.get("IsParent", 1):
        _part(engine, _kind(engine, found.name.removesuffix("Relation")), row, caller)


def _part(engine: Engine, kind: _Kind, row: Row, caller: Caller) -> None:
    engine.store.remove(kind.people.name, row["Id"])
    if not row["IsWhat"]:
        last_activity.refresh(engine, row["RelationId"])
    activity = engine.lookup(row[kind.link.name])
    if activity is None:
        return
    if row["IsWhat"] and activity["WhatId"] == row["RelationId"]:
        _follow(engine, kind, activity, {"WhatId": None}, caller)
    elif activity["WhoId"] == row["RelationId"]:
        _follow(engine, kind, activity, {}, caller)
    else:
        _recount(engine, kind, activity["Id"])


def _follow(engine: Engine, kind: _Kind, activity: Row, changes: Row, caller: Caller) -> None:
    """Change an activity to what its relations say; that this stamps it as modified is unverified."""
    listed = people(engine, kind, activity)
    changes |= {"WhoId": listed[0] if listed else None}
    engine.change(kind.activity, activity, changes, caller, {kind.listed: listed}, _RULE_MADE)


RULES = {"TaskRelation": Rules(prepare=prepare_relation, settle=settle_relation, removed=removed_relation)}
