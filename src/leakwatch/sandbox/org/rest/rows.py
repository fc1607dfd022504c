"""Single rows: create, read, change, delete, by id or by external id."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.errors import bad, not_found
from leakwatch.sandbox.org.foreign import is_key, matches
from leakwatch.sandbox.org.rest import relationships
from leakwatch.sandbox.org.rest.headers import last_modified, modified, writer
from leakwatch.sandbox.org.rest.http import Call, Reply, router
from leakwatch.sandbox.org.rest.records import by_id, rendered, wanted
from leakwatch.sandbox.org.schema import Field, SObject

CREATED_BODY_SINCE = 46.0
_LIKE_A_HOST = re.compile(r"@.*\.[A-Za-z]{2,4}\Z")
_NOT_A_ROW = r"(?!(?:describe|updated|deleted|listviews|layouts|quickActions|defaultValues)(?:/|\Z))"
_ROW = rf"sobjects/(?P<sobject>\w+)/{_NOT_A_ROW}(?P<record_id>[^/]+)"
_KEY = rf"sobjects/(?P<sobject>\w+)/{_NOT_A_ROW}(?P<key>\w+)/(?!password/?\Z)(?P<value>[^/]+)"


@router.on("POST", r"sobjects/(?P<sobject>\w+)")
def create(call: Call, sobject: str) -> Reply:
    """Insert."""
    record_id = call.org.create(sobject, call.json_object(), user_id=writer(call))
    return created(call, sobject, record_id)


def created(call: Call, sobject: str, record_id: str, **more: Any) -> Reply:
    """The answer to an insert."""
    location = {"Location": f"{call.root}/sobjects/{sobject}/{record_id}"}
    return Reply(201, {"id": record_id, "success": True, "errors": [], **more}, location)


@router.on("POST", r"sobjects/(?P<sobject>\w+)/[Ii]d")
def create_without_key(call: Call, sobject: str) -> Reply:
    """Insert, in the form of an upsert by an Id that is not known yet (REST guide, since v37)."""
    record_id = call.org.create(sobject, call.json_object(), user_id=writer(call))
    return created(call, sobject, record_id, **_was_created(call))


@router.on("GET", _ROW)
def read(call: Call, sobject: str, record_id: str) -> Reply:
    """One row."""
    one = call.org.engine.object(sobject)
    row = by_id(call.org, one, record_id)
    if not modified(call, row):
        return Reply(304)
    return Reply(body=rendered(call, one, row, wanted(call, one)), headers=last_modified(row))


def _object_of(call: Call, sobject: str, record_id: str) -> SObject:
    """The object, in whose table an id of another one is not looked for: NOT_FOUND, as a client reports of DELETE."""
    one = call.org.engine.object(sobject)
    normal = ids.normalise(record_id)
    if normal is not None and call.org.schema.of_id(normal) not in (None, one):
        raise not_found()
    return one


@router.on("PATCH", _ROW)
def change(call: Call, sobject: str, record_id: str) -> Reply:
    """Update."""
    body = call.json_object()
    one = _object_of(call, sobject, record_id)
    modified(call, call.org.store.get(one.name, ids.normalise(record_id) or "") or {})
    if any(name.lower() == "id" for name in body):
        raise bad("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
    call.org.update(sobject, record_id, body, user_id=writer(call))
    return Reply(204)


@router.on("DELETE", _ROW)
def delete(call: Call, sobject: str, record_id: str) -> Reply:
    """Delete."""
    one = _object_of(call, sobject, record_id)
    modified(call, call.org.store.get(one.name, ids.normalise(record_id) or "") or {})
    call.org.delete(sobject, record_id, user_id=writer(call))
    return Reply(204)


@router.on("GET", _KEY)
def read_by_key(call: Call, sobject: str, key: str, value: str) -> Reply:
    """One row by external id, or what a relationship of a row leads to."""
    one = call.org.engine.object(sobject)
    if relationships.is_path(one, key):
        return relationships.read(call, one, key, value)
    found = matches(call.org.store, one, key_field(one, key), unquote(value))
    if len(found) > 1:
        return _several(call, one, found)
    if not found:
        raise not_found()
    return Reply(body=rendered(call, one, found[0], wanted(call, one)))


@router.on("DELETE", _KEY)
def delete_by_key(call: Call, sobject: str, key: str, value: str) -> Reply:
    """Delete by external id, or the parent that a relationship leads to."""
    one = call.org.engine.object(sobject)
    if relationships.is_path(one, key):
        target, record_id = relationships.parent(call, one, key, value)
        return delete(call, target.name, record_id)
    found = matches(call.org.store, one, key_field(one, key), unquote(value))
    if len(found) > 1:
        return _several(call, one, found)
    if not found:
        raise not_found()
    return delete(call, one.name, found[0]["Id"])


@router.on("PATCH", _KEY)
def upsert(call: Call, sobject: str, key: str, value: str) -> Reply:
    """Update the row with this external id, or insert it; or update the parent a relationship leads to."""
    value = unquote(value)
    if (source := call.org.engine.object(sobject)) and relationships.is_path(source, key):
        target, record_id = relationships.parent(call, source, key, value)
        return change(call, target.name, record_id)
    if _LIKE_A_HOST.search(value):
        # values that end like a host name are not found by the real service (REST guide, "Upsert")
        raise not_found()
    one = call.org.engine.object(sobject)
    field = key_field(one, key)
    body = call.json_object()
    for name in body:
        if name.lower() in (field.name.lower(), "id"):
            raise bad("INVALID_FIELD", f"The {name} field should not be specified in the sobject data.")
    found = matches(call.org.store, one, field, value)
    if len(found) > 1:
        return _several(call, one, found)
    if found:
        call.org.update(one.name, found[0]["Id"], body, user_id=writer(call))
        if not _was_created(call):
            return Reply(204)
        return Reply(200, {"id": found[0]["Id"], "success": True, "errors": [], "created": False})
    if field.name == "Id" or call.query.get("updateOnly", "").lower() == "true":
        raise not_found()
    record_id = call.org.create(one.name, {**body, field.name: value}, user_id=writer(call))
    return created(call, one.name, record_id, **_was_created(call))


def _was_created(call: Call) -> dict[str, Any]:
    return {"created": True} if float(call.version) >= CREATED_BODY_SINCE else {}


def key_field(sobject: SObject, key: str) -> Field:
    """The field rows are found by: an external id or another lookup field."""
    field = sobject.visible(key)
    if field is None or not is_key(field):
        raise not_found(f"Provided external ID field does not exist or is not accessible: {key}")
    return field


def _several(call: Call, sobject: SObject, found: Sequence[Mapping[str, Any]]) -> Reply:
    return Reply(300, [f"{call.root}/sobjects/{sobject.name}/{row['Id']}" for row in found])
