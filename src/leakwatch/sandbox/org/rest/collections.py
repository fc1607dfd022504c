"""sObject Collections: up to 200 rows in one call, answered row by row (REST guide, "sObject Collections")."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from itertools import groupby
from typing import Any

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.errors import ROLLED_BACK, OrgError, bad
from leakwatch.sandbox.org.foreign import matches, several
from leakwatch.sandbox.org.indexes import quote
from leakwatch.sandbox.org.rest.headers import writer
from leakwatch.sandbox.org.rest.http import Call, Reply, router
from leakwatch.sandbox.org.rest.rows import key_field
from leakwatch.sandbox.org.schema import Field, SObject

MAX_ROWS = 200
MAX_CHUNKS = 10
MAX_READ = 2000
SETUP_OBJECTS = frozenset(("Group", "GroupMember", "Profile", "QueueSobject", "RecordType", "User", "UserRole"))
"""Objects of Salesforce Setup among those the org has: they are not written together with others."""
_FIELD_PATH = re.compile(r"\w+(?:\.\w+)*\Z")
Row = dict[str, Any]


class _RolledBackError(Exception):
    """One row failed and all were to succeed."""


def _each(call: Call, rows: list[Any], all_or_none: bool, one: Callable[[Any], Row]) -> Reply:
    """Write row by row; with allOrNone one failure undoes all, and says so on each row."""
    answers: list[Row] = []
    store = call.org.store
    try:
        with store.transaction():
            for row in rows:
                try:
                    with store.transaction():
                        answers.append(one(row))
                except OrgError as error:
                    answers.append(_failed(error, row))
            if all_or_none and not all(answer["success"] for answer in answers):
                raise _RolledBackError
    except _RolledBackError:
        answers = [
            _undone(answer, row) if answer["success"] else answer for answer, row in zip(answers, rows, strict=True)
        ]
    return Reply(body=answers)


def _failed(error: OrgError, row: Any) -> Row:
    record_id = row if isinstance(row, str) else _id_of(row)
    # an id that is none of the object is not repeated (REST guide, examples of sObject Collections)
    named = {"id": record_id} if record_id and error.error_code != "MALFORMED_ID" else {}
    return {**named, "success": False, "errors": error.rows()}


def _undone(answer: Row, row: Any) -> Row:
    """A row that went well and was rolled back; an upserted one is answered with its id (REST guide)."""
    undone = _failed(bad("ALL_OR_NONE_OPERATION_ROLLED_BACK", ROLLED_BACK), row)
    return {"id": answer["id"], **undone} if "created" in answer else undone


def _id_of(row: Row) -> str | None:
    value = next((row[name] for name in row if name.lower() == "id"), None)
    return value if isinstance(value, str) else None


def _records(call: Call) -> tuple[list[Row], bool]:
    body = call.json_object()
    rows = body.get("records")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise bad("JSON_PARSER_ERROR", "The request needs a list of records")
    if len(rows) > MAX_ROWS:
        said = f"record limit reached. cannot submit more than {MAX_ROWS} records in this call"
        raise bad("EXCEEDED_ID_LIMIT", said)
    types = [_type_of(row) for row in rows]
    if sum(1 for _ in groupby(types)) > MAX_CHUNKS:
        # the limit is documented, the code is unverified
        said = (
            f"Cannot have more than {MAX_CHUNKS} chunks in a single operation. "
            "Please rearrange the data to reduce chunking."
        )
        raise bad("LIMIT_EXCEEDED", said)
    if len(set(types)) > 1 and (setup := next((kind for kind in types if kind in SETUP_OBJECTS), None)):
        # that the kinds don't mix is documented, that the whole call is refused and how is unverified
        said = f"DML operation on setup object is not permitted together with other objects: {setup}"
        raise bad("MIXED_DML_OPERATION", said)
    return rows, _flag(body.get("allOrNone", False))


def _flag(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def _type_of(row: Row) -> str:
    attributes = row.get("attributes")
    kind = attributes.get("type") if isinstance(attributes, dict) else None
    if not isinstance(kind, str):
        # that the whole call is refused is unverified
        raise bad("INVALID_INPUT", "Every record needs attributes with its type")
    return kind


def _fields(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "attributes" and name.lower() != "id"}


@router.on("POST", r"composite/sobjects")
def create(call: Call) -> Reply:
    """Insert."""
    rows, all_or_none = _records(call)

    def one(row: Row) -> Row:
        sobject = _object(call, _type_of(row))
        if _id_of(row):
            raise bad("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call")
        record_id = call.org.create(sobject.name, _fields(row), user_id=writer(call))
        return {"id": record_id, "success": True, "errors": []}

    return _each(call, rows, all_or_none, one)


@router.on("PATCH", r"composite/sobjects")
def update(call: Call) -> Reply:
    """Update by id."""
    rows, all_or_none = _records(call)
    seen: set[str] = set()

    def one(row: Row) -> Row:
        record_id = _id_of(row)
        if record_id is None:
            raise bad("MISSING_ARGUMENT", "Id not specified in an update call")
        normal = ids.normalise(record_id)
        if normal is None:
            raise bad("MALFORMED_ID", f"malformed id {record_id}", "Id")
        if normal in seen:
            raise bad("DUPLICATE_VALUE", f"Duplicate id in list: {record_id}")  # words unverified
        seen.add(normal)
        sobject = _object(call, _type_of(row))
        if (owner := call.org.schema.of_id(normal)) is None or owner.name != sobject.name:
            raise bad("MALFORMED_ID", f"{sobject.label} ID: id value of incorrect type: {record_id}", "Id")
        call.org.update(sobject.name, normal, _fields(row), user_id=writer(call))
        return {"id": normal, "success": True, "errors": []}

    return _each(call, rows, all_or_none, one)


@router.on("PATCH", r"composite/sobjects/(?P<sobject>\w+)/(?P<key>\w+)")
def upsert(call: Call, sobject: str, key: str) -> Reply:
    """Update or insert by external id; one type only."""
    target = call.org.engine.object(sobject)
    field = key_field(target, key)
    rows, all_or_none = _records(call)
    seen: set[str] = set()
    keys = [_key_of(row, field) for row in rows]
    whole = call.org.settings.repeated_upsert_key == "all_refused"
    repeated = {key for key, times in Counter(keys).items() if key and times > 1} if whole else set[str | None]()

    def one(row: Row) -> Row:
        if _object(call, _type_of(row)).name != target.name:
            raise bad("INVALID_TYPE", f"All records must be of the type {target.name}")
        if field.name != "Id" and _id_of(row) is not None:
            # that record ids are not taken is documented, the words are unverified
            raise bad("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
        value = _key_of(row, field)
        if value is None:
            raise bad("MISSING_ARGUMENT", f"{field.name} not specified")
        if value in seen or value in repeated:
            raise bad("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", field.name)
        seen.add(value)
        fields = {name: given for name, given in _fields(row).items() if name.lower() != field.name.lower()}
        found = matches(call.org.store, target, field, value)
        if len(found) > 1:
            raise OrgError(300, "DUPLICATE_EXTERNAL_ID", several(field, found), [field.name])
        if found:
            call.org.update(target.name, found[0]["Id"], fields, user_id=writer(call))
            return {"id": found[0]["Id"], "success": True, "errors": [], "created": False}
        record_id = call.org.create(target.name, {**fields, field.name: value}, user_id=writer(call))
        return {"id": record_id, "success": True, "errors": [], "created": True}

    return _each(call, rows, all_or_none, one)


def _key_of(row: Row, field: Field) -> str | None:
    """The external id that a row carries, as text."""
    value = next((given for name, given in row.items() if name.lower() == field.name.lower()), None)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).strip() or None


@router.on("DELETE", r"composite/sobjects")
def delete(call: Call) -> Reply:
    """Delete by id, whatever the types."""
    wanted = [one.strip() for one in call.query.get("ids", "").split(",") if one.strip()]
    if not wanted:
        raise bad("MISSING_ARGUMENT", "ids is missing")
    if len(wanted) > MAX_ROWS:
        said = f"record limit reached. cannot submit more than {MAX_ROWS} records in this call"
        raise bad("EXCEEDED_ID_LIMIT", said)

    def one(record_id: str) -> Row:
        normal = ids.normalise(record_id)
        sobject = call.org.schema.of_id(normal) if normal else None
        if normal is None or sobject is None:
            raise bad("MALFORMED_ID", f"malformed id {record_id}")
        call.org.delete(sobject.name, normal, user_id=writer(call))
        return {"id": normal, "success": True, "errors": []}

    return _each(call, wanted, _flag(call.query.get("allOrNone", False)), one)


@router.on("GET", r"composite/sobjects/(?P<sobject>\w+)")
def read(call: Call, sobject: str) -> Reply:
    """Read by ids in the URL."""
    wanted = [one for one in call.query.get("ids", "").split(",") if one]
    fields = [one for one in call.query.get("fields", "").split(",") if one]
    return _read(call, sobject, wanted, fields)


@router.on("POST", r"composite/sobjects/(?P<sobject>\w+)")
def read_many(call: Call, sobject: str) -> Reply:
    """Read by up to 2,000 ids in the body."""
    body = call.json_object()
    wanted, fields = body.get("ids"), body.get("fields")
    if not isinstance(wanted, list) or not isinstance(fields, list):
        raise bad("JSON_PARSER_ERROR", "The request needs lists of ids and fields")
    return _read(call, sobject, [str(one) for one in wanted], [str(one) for one in fields])


def _read(call: Call, name: str, wanted: list[str], fields: list[str]) -> Reply:
    """Records in the order asked for, null for what is not there or no id at all."""
    sobject = call.org.engine.object(name)
    if not wanted or not fields:
        raise bad("MISSING_ARGUMENT", "ids and fields are needed")
    if len(wanted) > MAX_READ:
        said = f"record limit reached. cannot submit more than {MAX_READ} records in this call"
        raise bad("EXCEEDED_ID_LIMIT", said)
    normal = [ids.normalise(one) for one in wanted]
    names = [one.strip() for one in fields]
    for one in names:
        if not _FIELD_PATH.match(one):
            raise bad("INVALID_FIELD", f"No such column '{one}' on sobject of type {sobject.name}")
    alive = " AND IsDeleted = 0" if sobject.has_bin else ""
    sql = f"SELECT Id FROM {quote(sobject.name)} WHERE Id IN (SELECT value FROM json_each(?)){alive}"
    with call.org.store.reading():
        living = [row["Id"] for row in call.org.store.execute(sql, (json.dumps(normal),))]
        records = call.org.queries.known(sobject, living, dict.fromkeys(["Id", *names]), call.caller)
    by_id = {record["Id"]: record for record in records}
    return Reply(body=[by_id.get(one or "") for one in normal])


def _object(call: Call, name: str) -> SObject:
    found = call.org.schema.find(name)
    if found is None:
        raise bad("INVALID_TYPE", f"sObject type '{name}' is not supported.")
    return found
