"""Field history: a row for each change of a tracked field (Object Reference, OpportunityFieldHistory, CaseHistory).

Tracked are the fields that `OrgSettings.field_history` names, and custom fields deployed with `trackHistory`.
Objects of which nothing is tracked keep no history at all. That rows are kept for 18 months only is not emulated.
"""

from __future__ import annotations

from typing import Any

from leakwatch.sandbox.org.engine import Change, Engine, Row
from leakwatch.sandbox.org.schema import Field, SObject

MAX_VALUE = 255
"""Characters that OldValue and NewValue keep (Object Reference, CaseHistory)."""
_OBJECTS = {"Opportunity": "OpportunityFieldHistory"}
"""History objects that are not called after the usual pattern."""
_DATA_TYPES = {
    "boolean": "Boolean",
    "currency": "Currency",
    "date": "DateOnly",
    "datetime": "DateTime",
    "double": "Double",
    "int": "Double",
    "percent": "Percent",
    "picklist": "DynamicEnum",
    "reference": "EntityId",
    "textarea": "TextArea",
}


def history_object(engine: Engine, sobject: SObject) -> SObject | None:
    """The object that keeps the history of another one."""
    name = f"{sobject.name.removesuffix('c')}History" if sobject.custom else f"{sobject.name}History"
    return engine.schema.objects.get(_OBJECTS.get(sobject.name, name))


def tracked(engine: Engine, sobject: SObject) -> list[Field]:
    """The fields whose changes are kept, by name."""
    named = engine.settings.field_history.get(sobject.name, [])
    deployed = engine.schema.remember(
        "tracked", sobject.name, lambda: [one.name for one in sobject.fields.values() if one.tracked]
    )
    if not named and not deployed:
        return []
    return [sobject.fields[name] for name in sorted({*named, *deployed}) if name in sobject.fields]


def record(engine: Engine, change: Change) -> None:
    """Keep what a written row changed; for a new row only that it was created."""
    fields = tracked(engine, change.sobject)
    if not fields:
        return
    if change.old is None:
        note(engine, change, "created", "Text")  # this data type is unverified
        return
    for field in fields:
        before, after = change.old.get(field.name), change.row.get(field.name)
        if before != after:
            for kind, old, new in _values(engine, field, before, after):
                note(engine, change, _called(field), kind, old, new)


def note(engine: Engine, change: Change, field: str, kind: str, old: Any = None, new: Any = None) -> None:
    """Add one row of history to the changed row, if its object keeps any."""
    target = history_object(engine, change.sobject)
    if target is None or not tracked(engine, change.sobject):
        return
    link = next(one.name for one in target.fields.values() if one.type == "reference" and one.can("c"))
    row: Row = {link: change.row["Id"], "Field": field, "DataType": kind, "OldValue": old, "NewValue": new}
    engine.insert(target, row, change.caller)


def _called(field: Field) -> str:
    """`Owner` for OwnerId, and so on: standard lookups stand by the name of their relationship."""
    return field.name if field.custom or not field.relationship else field.relationship


def _values(engine: Engine, field: Field, before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    """(data type, old, new): of a lookup both its names and its ids, of long text only that it changed."""
    kind = _DATA_TYPES.get(field.type, "Text")
    if field.type == "reference":
        return [("Text", _name(engine, before), _name(engine, after)), (kind, before, after)]
    if field.type == "textarea" and field.length > MAX_VALUE:
        return [(kind, None, None)]
    return [(kind, _kept(field, before), _kept(field, after))]


def _kept(field: Field, value: Any) -> Any:
    if field.type == "boolean" and value is not None:
        return "true" if value else "false"  # as text: a column has no booleans of its own, unverified
    return value[:MAX_VALUE] if isinstance(value, str) else value


def _name(engine: Engine, record_id: str | None) -> str | None:
    sobject = engine.schema.of_id(record_id) if record_id else None
    row = engine.store.get(sobject.name, record_id) if sobject and record_id else None
    name = next((row[key] for key in ("Name", "CaseNumber", "Subject") if row and row.get(key)), None)
    return None if name is None else str(name)[:MAX_VALUE]
