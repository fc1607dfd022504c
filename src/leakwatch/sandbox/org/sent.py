"""A row as a caller sends it, for writing: names found, values read, references followed.

Each name must be one that the caller may write; what a value must satisfy by its type is `written`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leakwatch.sandbox.org import checks, written
from leakwatch.sandbox.org.errors import bad, no_column
from leakwatch.sandbox.org.foreign import referred
from leakwatch.sandbox.org.schema import Field, SObject
from leakwatch.sandbox.org.settings import OrgSettings

if TYPE_CHECKING:
    from leakwatch.sandbox.org.engine import Engine

CREATE, UPDATE = "C", "U"
"""What is being done, as the flag that a field must have for it."""
AUDIT_FIELDS = ("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById")


def read(
    engine: Engine, sobject: SObject, sent: Mapping[str, Any], verb: str
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The row's fields as they are kept, and its lists of related ids by field; `verb` is `CREATE` or `UPDATE`.

    Raises OrgError for the first name or value that can't be written.
    """
    row: dict[str, Any] = {}
    lists: dict[str, list[str]] = {}
    for name, value in sent.items():
        if name == "attributes":
            continue
        field = sobject.visible(name)
        link = sobject.by_relationship.get(name.lower()) if field is None else None
        if link is not None:
            _writable(engine.settings, sobject, link, verb)
            if any(one.lower() == link.name.lower() for one in sent):
                said = f"Cannot specify both an external ID reference {name} and a salesforce id, {link.name}"
                raise bad("INVALID_FIELD", said)
            row[link.name] = referred(engine.store, engine.schema, link, value)
            continue
        if field is None:
            raise no_column(name, sobject.name)
        _writable(engine.settings, sobject, field, verb)
        if field.type == "junction":
            lists[field.name] = _id_list(engine, field, value)
        else:
            row[field.name] = written.parse(engine.schema, field, value)
            checks.listed(engine, field, row[field.name])
    return row, lists


def _writable(settings: OrgSettings, sobject: SObject, field: Field, verb: str) -> None:
    if field.name == "Id" and verb == CREATE:
        raise bad("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call")
    audit = settings.audit_fields and "auditFields" in sobject.marks and field.name in AUDIT_FIELDS
    if not field.can(verb) and not (audit and verb == CREATE):
        raise bad(
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            f"Unable to create/update fields: {field.name}. Please check the security settings of this "
            "field and verify that it is read/write for your profile or permission set.",
            field.name,
        )


def _id_list(engine: Engine, field: Field, value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad("JSON_PARSER_ERROR", f"Cannot deserialize instance of JunctionIdList from {value!r}")
    found = [written.parse_id(engine.schema, field, one) for one in value]
    for one in found:
        checks.exists(engine, field, one)
    return list(dict.fromkeys(found))
