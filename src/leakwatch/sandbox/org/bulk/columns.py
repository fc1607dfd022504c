"""The columns of an uploaded file: which field each is, and what its text means.

An empty value leaves the field alone, `#N/A` makes it null. `Account.Ext__c` finds the parent by an external id,
`User:Owner.Ext__c` one of several possible ones (Bulk API 2.0 guide, "Relationship Fields in a Header Row").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from leakwatch.sandbox.org import values
from leakwatch.sandbox.org.bulk.csv_io import CsvError
from leakwatch.sandbox.org.errors import OrgError, bad
from leakwatch.sandbox.org.foreign import is_key, matches, several
from leakwatch.sandbox.org.schema import NUMBER_TYPES, Field, Schema, SObject
from leakwatch.sandbox.org.store import Store

NULL = "#N/A"
_TRUE, _FALSE = ("yes", "y", "true", "on", "1"), ("no", "n", "false", "off", "0")


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    place: int
    field: Field
    parents: tuple[tuple[SObject, Field], ...] = ()
    """Where the value is an external id: the objects it may be of, with their field."""


def read_header(schema: Schema, sobject: SObject, header: Sequence[str]) -> list[Column]:
    """What the columns are; raises CsvError for one that is nothing, in the words that jobs fail with."""
    found: list[Column] = []
    seen: set[str] = set()
    for place, name in enumerate(header):
        column = _column(schema, sobject, place, name)
        if column is None:
            raise CsvError(f"InvalidBatch : Field name not found : {name}")
        if column.field.name in seen:
            raise CsvError(f"InvalidBatch : Duplicate field name : {name}")  # words unverified
        seen.add(column.field.name)
        found.append(column)
    return found


def _column(schema: Schema, sobject: SObject, place: int, name: str) -> Column | None:
    path, _, key = name.rpartition(".")
    if not path:
        field = sobject.find(name)
        # that lists of related ids cannot be loaded is unverified
        return Column(place, field) if field is not None and field.stored else None
    kind, _, relationship = path.rpartition(":")
    link = sobject.by_relationship.get(relationship.lower())
    if link is None or link.type != "reference":
        return None
    if link.polymorphic and not kind:
        return None
    keys: list[tuple[SObject, Field]] = []
    for one in link.refers_to:
        parent = schema.find(one) if not kind or one.lower() == kind.lower() else None
        field = parent.find(key) if parent is not None else None
        if parent is not None and field is not None and is_key(field):
            keys.append((parent, field))
    return Column(place, link, tuple(keys)) if keys else None


def fields_of(store: Store, columns: Sequence[Column], record: Sequence[str]) -> dict[str, Any]:
    """What a record sets, as a written row has it; raises OrgError for text that is no value of its field."""
    row: dict[str, Any] = {}
    for one in columns:
        text = record[one.place] if one.place < len(record) else ""
        if text == NULL:
            row[one.field.name] = None
        elif text:
            row[one.field.name] = _parent(store, one, text) if one.parents else _value(one, text)
    return row


def _parent(store: Store, column: Column, text: str) -> str:
    found = [row for sobject, field in column.parents for row in matches(store, sobject, field, text)]
    sobject, field = column.parents[0]
    if not found:
        said = f"Foreign key external ID: {text} not found for field {field.name} in entity {sobject.name}"
        raise bad("INVALID_FIELD", said)
    if len(found) > 1:
        raise bad("DUPLICATE_EXTERNAL_ID", several(field, found), field.name)
    return str(found[0]["Id"])


def _value(column: Column, text: str) -> Any:
    field = column.field
    if field.type == "boolean":
        word = text.lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise _no_value(column, text, "xsd:boolean")
    if field.type == "int":
        return _checked(column, text, "xsd:int", lambda one: _is_number(one) and float(one).is_integer())
    if field.type in NUMBER_TYPES:
        return _checked(column, text, "xsd:double", _is_number)
    if field.type == "date":
        return _checked(column, text, "xsd:date", lambda one: values.parse_date(one) is not None)
    if field.type == "datetime":
        return _checked(column, text, "xsd:dateTime", lambda one: values.parse_instant(one) is not None)
    if field.type == "time":
        return _checked(column, text, "xsd:time", lambda one: values.parse_time(one) is not None)
    return text


def _checked(column: Column, text: str, kind: str, test: Callable[[str], bool]) -> str:
    if not test(text):
        raise _no_value(column, text, kind)
    return text


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def _no_value(column: Column, text: str, kind: str) -> OrgError:
    """As jobs report it; that columns are counted from 0 is unverified."""
    said = f"Failed to deserialize field at col {column.place}. Due to, '{text}' is not a valid value for the type"
    return bad("INVALID_FIELD", f"{said} {kind}", column.field.name)
