"""Rows as a world brings them: system fields and defaults filled in, nothing checked, no automation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from leakwatch.sandbox.org import defaults, ids, values
from leakwatch.sandbox.org.engine import Engine
from leakwatch.sandbox.org.errors import bad
from leakwatch.sandbox.org.indexes import quote
from leakwatch.sandbox.org.schema import SObject
from leakwatch.sandbox.org.store import Store


def make_room(store: Store, sobject: SObject) -> None:
    """Take away the rows that the org brought along, where a world's own replace them; the first time only."""
    if sobject.name in defaults.REPLACEABLE and store.note(f"seeded:{sobject.name}") is None:
        store.execute(f"DELETE FROM {quote(sobject.name)}")
        store.set_note(f"seeded:{sobject.name}", "yes")


def load(engine: Engine, sobject: SObject, rows: Iterable[Mapping[str, Any]]) -> int:
    """Add rows as they are and return how many; the caller holds the transaction. Raises OrgError for no column."""
    fields = sobject.fields
    blank = {
        one.name: int(bool(one.default)) if one.type == "boolean" else one.default for one in sobject.stored_fields
    }
    derive = engine.rules(sobject).derive
    system = engine.settings.system_user_id
    now = engine.now()

    def full(raw: Mapping[str, Any]) -> dict[str, Any]:
        unknown = [name for name in raw if name not in fields or not fields[name].stored]
        if unknown:
            raise bad("INVALID_FIELD", f"No such column '{unknown[0]}' on sobject of type {sobject.name}")
        row = blank | {name: values.seeded(fields[name], value) for name, value in raw.items()}
        if row.get("Id") is None:
            row["Id"] = engine.store.next_id(sobject.prefix, ids.SEEDED_POD)
        created = row.get("CreatedDate") or now
        modified = row.get("LastModifiedDate") or created
        row["CreatedDate"], row["LastModifiedDate"] = created, modified
        row["SystemModstamp"] = row.get("SystemModstamp") or modified
        creator = row.get("CreatedById") or row.get("OwnerId") or system
        row["CreatedById"] = creator
        row["LastModifiedById"] = row.get("LastModifiedById") or creator
        row["OwnerId"] = row.get("OwnerId") or creator
        if derive is not None:
            derive(engine, row)
        return row

    return engine.store.insert_many(sobject, map(full, rows))
