"""Friendly URLs: `sobjects/Contact/{id}/Account` for a parent, `sobjects/Account/{id}/Contacts` for children.

REST guide, "sObject Relationships".
"""

from __future__ import annotations

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.errors import not_found
from leakwatch.sandbox.org.rest import queries
from leakwatch.sandbox.org.rest.http import Call, Reply
from leakwatch.sandbox.org.rest.records import by_id, rendered, wanted
from leakwatch.sandbox.org.schema import SObject


def is_path(sobject: SObject, key: str) -> bool:
    """Whether the second part of a path is a row's id, not the name of a field."""
    return sobject.find(key) is None and ids.normalise(key) is not None


def read(call: Call, sobject: SObject, record_id: str, name: str) -> Reply:
    """The parent's record, or the children as a query answers them."""
    child = next((one for one in sobject.children if (one.relationship or "").lower() == name.lower()), None)
    if child is None:
        target, parent_id = parent(call, sobject, record_id, name)
        return Reply(body=rendered(call, target, by_id(call.org, target, parent_id), wanted(call, target)))
    row = by_id(call.org, sobject, record_id)
    fields = wanted(call, call.org.engine.object(child.sobject))
    soql = (
        f"SELECT {', '.join(field.name for field in fields)} FROM {child.sobject} WHERE {child.field} = '{row['Id']}'"
    )
    return queries.answer(call, soql)


def parent(call: Call, sobject: SObject, record_id: str, name: str) -> tuple[SObject, str]:
    """Object and id of the row a relationship leads to; raises OrgError 404 where there is none."""
    link = sobject.by_relationship.get(name.lower())
    row = by_id(call.org, sobject, record_id)
    found = row.get(link.name) if link is not None else None
    target = call.org.schema.of_id(found) if found else None
    if target is None:
        raise not_found()
    return target, str(found)
