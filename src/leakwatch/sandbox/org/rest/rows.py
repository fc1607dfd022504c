"""Single rows: create, read, change, delete, by id or by external id."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from leakwatch.sandbox.org import ids, values
from leakwatch.sandbox.org.errors import OrgError, bad, not_found
from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.rest.http import Call, Reply, router
from leakwatch.sandbox.org.schema import Field, SObject
from leakwatch.sandbox.org.soql.scope import unknown_field

CREATED_BODY_SINCE = 46.0
_LIKE_A_HOST = re.compile(r"@.*\.[A-Za-z]{2,4}\Z")
_NOT_A_ROW = r"(?!(?:describe|updated|deleted|listviews|quickActions|defaultValues)(?:/|\Z))"
_ROW = rf"sobjects/(?P<sobject>\w+)/{_NOT_A_ROW}(?P<record_id>[^/]+)"
_KEY = rf"sobjects/(?P<sobject>\w+)/{_NOT_A_ROW}(?P<key>\w+)/(?P<value>[^/]+)"


@router.on("POST", r"sobjects/(?P<sobject>\w+)")
def create(call: Call, sobject: str) -> Reply:
    """Insert."""
    record_id = call.org.create(sobject, call.json_object(), user_id=call.caller)
    return created(call, sobject, record_id)


def created(call: Call, sobject: str, record_id: str, **more: Any) -> Reply:
    """The answer to an insert."""
    location = {"Location": f"{call.root}/sobjects/{sobject}/{record_id}"}
    return Reply(201, {"id": record_id, "success": True, "errors": [], **more}, location)


@router.on("GET", _ROW)
def read(call: Call, sobject: str, record_id: str) -> Reply:
    """One row."""
    one = call.org.engine.object(sobject)
    row = _by_id(call.org, one, record_id)
    return Reply(body=rendered(call, one, row, _wanted(call, one)))


@router.on("PATCH", _ROW)
def change(call: Call, sobject: str, record_id: str) -> Reply:
    """Update."""
    body = call.json_object()
    if any(name.lower() == "id" for name in body):
        raise bad("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
    call.org.update(sobject, record_id, body, user_id=call.caller)
    return Reply(204)


@router.on("DELETE", _ROW)
def delete(call: Call, sobject: str, record_id: str) -> Reply:
    """Delete."""
    call.org.delete(sobject, record_id, user_id=call.caller)
    return Reply(204)


@router.on("GET", _KEY)
def read_by_key(call: Call, sobject: str, key: str, value: str) -> Reply:
    """One row by external id."""
    one = call.org.engine.object(sobject)
    found = matches(call.org, one, key_field(one, key), unquote(value))
    if len(found) > 1:
        return _several(call, one, found)
    if not found:
        raise not_found()
    return Reply(body=rendered(call, one, found[0], _wanted(call, one)))


@router.on("DELETE", _KEY)
def delete_by_key(call: Call, sobject: str, key: str, value: str) -> Reply:
    """Delete by external id."""
    one = call.org.engine.object(sobject)
    found = matches(call.org, one, key_field(one, key), unquote(value))
    if len(found) > 1:
        return _several(call, one, found)
    if not found:
        raise not_found()
    return delete(call, one.name, found[0]["Id"])


@router.on("PATCH", _KEY)
def upsert(call: Call, sobject: str, key: str, value: str) -> Reply:
    """Update the row with this external id, or insert it."""
    value = unquote(value)
    if _LIKE_A_HOST.search(value):
        # values that end like a host name are not found by the real service (REST guide, "Upsert")
        raise not_found()
    one = call.org.engine.object(sobject)
    field = key_field(one, key)
    body = call.json_object()
    for name in body:
        if name.lower() in (field.name.lower(), "id"):
            raise bad("INVALID_FIELD", f"The {name} field should not be specified in the sobject data.")
    found = matches(call.org, one, field, value)
    if len(found) > 1:
        return _several(call, one, found)
    new_style = float(call.version) >= CREATED_BODY_SINCE
    more: dict[str, Any] = {"created": True} if new_style else {}
    if found:
        call.org.update(one.name, found[0]["Id"], body, user_id=call.caller)
        if not new_style:
            return Reply(204)
        return Reply(200, {"id": found[0]["Id"], "success": True, "errors": [], "created": False})
    if field.name == "Id" or call.query.get("updateOnly", "").lower() == "true":
        raise not_found()
    record_id = call.org.create(one.name, {**body, field.name: value}, user_id=call.caller)
    return created(call, one.name, record_id, **more)


def key_field(sobject: SObject, key: str) -> Field:
    """The field rows are found by: an external id or another lookup field."""
    field = sobject.find(key)
    if field is None or not (field.can("X") or field.can("I")):
        raise not_found(f"Provided external ID field does not exist or is not accessible: {key}")
    return field


def matches(org: Org, sobject: SObject, field: Field, value: str) -> list[dict[str, Any]]:
    """The living rows with this key."""
    if field.name == "Id":
        normal = ids.normalise(value)
        row = org.store.get(sobject.name, normal) if normal else None
        return [row] if row is not None and not row.get("IsDeleted") else []
    return org.store.find(sobject.name, field, value)


def _several(call: Call, sobject: SObject, found: Sequence[Mapping[str, Any]]) -> Reply:
    return Reply(300, [f"{call.root}/sobjects/{sobject.name}/{row['Id']}" for row in found])


def _by_id(org: Org, sobject: SObject, record_id: str) -> dict[str, Any]:
    normal = ids.normalise(record_id)
    if normal is None:
        raise not_found(f"Provided external ID field does not exist or is not accessible: {record_id}")
    row = org.store.get(sobject.name, normal)
    if row is None:
        raise not_found()
    if row.get("IsDeleted"):
        raise OrgError(404, "ENTITY_IS_DELETED", "entity is deleted")
    return row


def _wanted(call: Call, sobject: SObject) -> list[Field]:
    asked = [name.strip() for name in call.query.get("fields", "").split(",") if name.strip()]
    if not asked:
        return sobject.stored_fields
    found: list[Field] = []
    for name in asked:
        field = sobject.find(name)
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
