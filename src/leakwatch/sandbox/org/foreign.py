"""Rows found by a key instead of by their id: external ids and idLookup fields, also as references in a written row.

`{"Account": {"Ext__c": "A-1"}}` in place of `{"AccountId": "001..."}` (REST guide, "Upserting Records and
Associating with an External ID").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.errors import bad
from leakwatch.sandbox.org.schema import Field, Schema, SObject
from leakwatch.sandbox.org.store import Store

Row = dict[str, Any]


def is_key(field: Field) -> bool:
    """Whether rows can be found by this field."""
    return field.can("X") or field.can("I")


def matches(store: Store, sobject: SObject, field: Field, value: str) -> list[Row]:
    """The living rows with this key, oldest id first."""
    if field.name == "Id":
        normal = ids.normalise(value)
        row = store.get(sobject.name, normal) if normal else None
        return [row] if row is not None and not row.get("IsDeleted") else []
    return store.find(sobject.name, field, value)


def referred(store: Store, schema: Schema, link: Field, value: Any) -> str | None:
    """The id of the row that a relationship in a body names by its key; None clears the reference.

    Raises OrgError. The texts are Salesforce's but for the last two, which are unverified.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise bad("JSON_PARSER_ERROR", f"Cannot deserialize instance of {link.relationship} from {value!r}")
    target = _target(schema, link, value)
    named = {name: key for name, key in value.items() if name != "attributes"}
    name, key = next(iter(named.items()), ("", None))
    field = target.find(name)
    if field is None or not is_key(field):
        said = f"Field name provided, {name} does not match an External ID, Salesforce Id, or indexed field for "
        raise bad("INVALID_FIELD", said + target.name)
    if len(named) > 1:
        raise bad("INVALID_FIELD", f"More than one field is given for the reference {link.relationship}")
    found = [] if key is None else matches(store, target, field, str(key).strip())
    if not found:
        said = f"Foreign key external ID: {key} not found for field {field.name} in entity {target.name}"
        raise bad("INVALID_FIELD", said)
    if len(found) > 1:
        raise bad("DUPLICATE_EXTERNAL_ID", several(field, found), field.name)
    return str(found[0]["Id"])


def several(field: Field, found: list[Row]) -> str:
    """What is said about a key that more than one row has."""
    listed = ", ".join(str(row["Id"]) for row in found)
    return f"{field.name}: more than one record found for external id field: [{listed}]"


def _target(schema: Schema, link: Field, value: Mapping[str, Any]) -> SObject:
    """The object that is meant: the field's only one, or the one that `attributes` names."""
    attributes = value.get("attributes")
    kind = attributes.get("type") if isinstance(attributes, Mapping) else None
    wanted = kind or (link.refers_to[0] if len(link.refers_to) == 1 else "")
    target = schema.find(str(wanted))
    if target is None or target.name not in link.refers_to:
        raise bad("INVALID_FIELD", f"{link.relationship}: the type of the reference is not given or not possible")
    return target
