"""A row found and shown as a record, for the resources that answer with single rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leakwatch.sandbox.org import ids, values
from leakwatch.sandbox.org.errors import OrgError, bad, not_found
from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.rest.http import Call
from leakwatch.sandbox.org.schema import Field, SObject
from leakwatch.sandbox.org.soql.scope import unknown_field


def by_id(org: Org, sobject: SObject, record_id: str) -> dict[str, Any]:
    """A living row; raises OrgError (404)."""
    normal = ids.normalise(record_id)
    if normal is None:
        raise not_found(f"Provided external ID field does not exist or is not accessible: {record_id}")
    row = org.store.get(sobject.name, normal)
    if row is None:
        raise not_found()
    if row.get("IsDeleted"):
        raise OrgError(404, "ENTITY_IS_DELETED", "entity is deleted")
    return row


def wanted(call: Call, sobject: SObject) -> list[Field]:
    """The fields that `?fields=` names, Id among them; all of them without it."""
    asked = [name.strip() for name in call.query.get("fields", "").split(",") if name.strip()]
    if not asked:
        return [one for one in sobject.visible_fields if one.stored]
    found: list[Field] = []
    for name in asked:
        field = sobject.visible(name)
        if field is None:
            raise bad("INVALID_FIELD", unknown_field(name, sobject.name))
        found.append(field)
    by_name = {field.name: field for field in found}
    by_name.setdefault("Id", sobject.fields["Id"])
    return list(by_name.values())


def rendered(call: Call, sobject: SObject, row: Mapping[str, Any], fields: Sequence[Field]) -> dict[str, Any]:
    """A row as a record."""
    url = f"{call.root}/sobjects/{sobject.name}/{row['Id']}"
    return {
        "attributes": {"type": sobject.name, "url": url},
        **{field.name: values.outgoing(field, row.get(field.name)) for field in fields},
    }
