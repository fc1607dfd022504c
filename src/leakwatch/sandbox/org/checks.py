"""What a row must satisfy that no single value shows: references, owners, currencies, unique values.

Each raises `OrgError` with Salesforce's code and text (SOAP API Developer Guide, "StatusCode").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leakwatch.sandbox.org import written
from leakwatch.sandbox.org.errors import bad
from leakwatch.sandbox.org.indexes import folded, quote
from leakwatch.sandbox.org.known_errors import ROW_ERRORS
from leakwatch.sandbox.org.schema import Field, SObject
from leakwatch.sandbox.org.store import shares_index

if TYPE_CHECKING:
    from leakwatch.sandbox.org.engine import Change, Engine


def listed(engine: Engine, field: Field, value: str | None) -> None:
    """A restricted picklist whose values are rows of another object (Order.Status, Contract.Status) takes those."""
    if field.values_from is None or value is None or not field.can("R"):
        return
    known = engine.store.find(field.values_from, engine.schema.objects[field.values_from].fields["ApiName"], value)
    if all(one["ApiName"] != value for one in known):
        raise written.not_listed(field, value)


def required(change: Change) -> None:
    """Refuse a row without what must be there."""
    missing = [
        field.name
        for field in change.sobject.stored_fields
        if not field.can("n")
        and (field.can("C") if change.creating else field.can("U") and field.name in change.given)
        and change.row.get(field.name) is None
    ]
    if missing:
        raise bad("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", *missing)


def exists(engine: Engine, field: Field, record_id: str) -> None:
    """Refuse an id of no row, or of a deleted one."""
    sobject = engine.schema.of_id(record_id)
    row = engine.store.get(sobject.name, record_id) if sobject else None
    if row is None:
        raise bad("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", field.name)
    if row.get("IsDeleted"):
        code = engine.settings.deleted_reference_code
        raise bad(code, ROW_ERRORS[code].message.replace("{id}", record_id), field.name)


def record_type(engine: Engine, change: Change, field: Field, record_id: str) -> None:
    """A record type is an active one of the object (which of them a profile gets is not kept)."""
    kind = engine.store.get("RecordType", record_id)
    if kind is None or kind["SobjectType"] != change.sobject.name or not kind["IsActive"]:
        said = f"{field.label}: this ID value isn't valid for the user: {record_id}"
        raise bad("INVALID_CROSS_REFERENCE_KEY", said, field.name)


def currency(engine: Engine, field: Field, code: str) -> None:
    """Refuse a currency that is not active."""
    known = engine.store.find("CurrencyType", engine.schema.objects["CurrencyType"].fields["IsoCode"], code)
    if not any(one["IsActive"] for one in known):
        raise written.not_listed(field, code)


def owner(engine: Engine, change: Change) -> None:
    """Refuse an inactive owner, and a queue that does not serve the object."""
    owner = change.row.get("OwnerId")
    if owner is None or not change.sobject.fields["OwnerId"].can("C"):
        return
    if owner[:3] == "00G":
        queue = engine.store.get("Group", owner)
        links = engine.store.find("QueueSobject", engine.schema.objects["QueueSobject"].fields["QueueId"], owner)
        served = {link["SobjectType"] for link in links}
        if queue is None or queue["Type"] != "Queue" or change.sobject.name not in served:
            # the words are Salesforce's, the code is unverified
            said = "Queue not associated with this SObject type"
            raise bad("INVALID_CROSS_REFERENCE_KEY", said, "OwnerId")
        return
    user = engine.store.get("User", owner)
    if user is not None and not user["IsActive"]:
        said = f"operation performed with inactive user [{owner}] as owner of {change.sobject.name.lower()}"
        raise bad("INACTIVE_OWNER_OR_USER", said, "OwnerId")


def unique(engine: Engine, sobject: SObject, record: dict[str, Any], field: Field) -> None:
    """Refuse a unique value that another living row has, as the field compares."""
    column = quote(field.name)
    test = f"sf_fold({column}) = sf_fold(?)" if folded(field) else f"{column} = ?"
    shared = shares_index(sobject.name, field) if engine.settings.activity_key_shared else (sobject.name,)
    for name in shared:
        alive = " AND IsDeleted = 0" if engine.schema.objects[name].has_bin else ""
        sql = f"SELECT Id FROM {quote(name)} WHERE {test}{alive} AND Id IS NOT ? LIMIT 1"
        row = engine.store.execute(sql, (record[field.name], record.get("Id"))).fetchone()
        if row is not None:
            told = row["Id"][: engine.settings.duplicate_id_length] or "<unknown>"
            said = f"duplicate value found: {field.name} duplicates value on record with id: {told}"
            raise bad("DUPLICATE_VALUE", said)
