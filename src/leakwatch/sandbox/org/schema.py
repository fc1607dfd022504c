"""What objects and fields the org has: the data files' (see `schema_files`), plus what an admin deployed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from leakwatch.sandbox.org.schema_files import read_field, read_object, standard
from leakwatch.sandbox.org.sobject import (
    ACTIVITY_OBJECTS,
    FEATURES,
    ID_TYPES,
    NUMBER_TYPES,
    SQL_TYPES,
    STRING_TYPES,
    VIRTUAL_TYPES,
    Child,
    Field,
    SObject,
)

__all__ = [
    "ACTIVITY_OBJECTS",
    "FEATURES",
    "ID_TYPES",
    "NUMBER_TYPES",
    "SQL_TYPES",
    "STRING_TYPES",
    "VIRTUAL_TYPES",
    "Child",
    "Field",
    "SObject",
    "Schema",
    "read_field",
    "read_object",
]


class Schema:
    """The objects of one org."""

    def __init__(self, *, multicurrency: bool, currency: str, features: Iterable[str] = ()) -> None:
        switched = frozenset(features) | (frozenset(("multicurrency",)) if multicurrency else frozenset[str]())
        self.key = (switched, currency)
        """Schemas with the same key are the same until something is deployed."""
        self.objects: dict[str, SObject] = dict(standard(switched, currency))
        self._remembered: dict[tuple[str, str], Any] = {}
        self._by_lower = {name.lower(): one for name, one in self.objects.items()}
        self._by_prefix = {one.prefix: one for one in self.objects.values() if one.allows("keyPrefix")}

    def remember(self, what: str, sobject: str, make: Callable[[], Any]) -> Any:
        """What `make` gives, computed once until something is deployed; nobody may change it."""
        key = (what, sobject)
        if key not in self._remembered:
            self._remembered[key] = make()
        return self._remembered[key]

    def find(self, name: str) -> SObject | None:
        """The object of that name, whatever its case."""
        return self._by_lower.get(name.lower())

    def of_id(self, record_id: str) -> SObject | None:
        """The object an id belongs to, by its key prefix."""
        return self._by_prefix.get(record_id[:3])

    def add(self, sobject: str, one: Field) -> None:
        """Add or replace a custom field."""
        target = self.objects[sobject]
        self._put(replace(target, fields=target.fields | {one.name: one}))
        if one.type == "reference":
            for parent in one.refers_to:
                self._adopt(parent, Child(sobject, one.name, one.child_name, one.can("c")))

    def add_object(self, one: SObject) -> None:
        """Add or replace a custom object; activities, feeds and the like can then point to it."""
        self._put(one)
        for name, link in [(other.name, link) for other in self.objects.values() for link in other.fields.values()]:
            if link.can("*") and one.name not in link.refers_to and _takes(name, one):
                self.add(name, replace(link, refers_to=(*link.refers_to, one.name)))
        served = self.objects["QueueSobject"].fields["SobjectType"]
        if "OwnerId" in one.fields and (one.name, one.name) not in served.picklist:
            self.add("QueueSobject", replace(served, picklist=(*served.picklist, (one.name, one.name))))
        for link in one.fields.values():
            if link.type == "reference" and not link.can("k"):
                for parent in link.refers_to:
                    self._adopt(parent, Child(one.name, link.name, link.child_name, link.can("c")))

    def _adopt(self, parent: str, child: Child) -> None:
        target = self.objects[parent]
        others = [one for one in target.children if one[:2] != child[:2]]
        self._put(replace(target, children=tuple(sorted([*others, child], key=lambda one: one[:2]))))

    def _put(self, one: SObject) -> None:
        """Take an object in, in place of the shared or former one of its name."""
        one.index()
        self._remembered.clear()
        self.objects[one.name] = self._by_lower[one.name.lower()] = one
        if one.allows("keyPrefix"):
            self._by_prefix[one.prefix] = one


def _takes(holder: str, one: SObject) -> bool:
    """Whether rows of a custom object can be what activities, mails or posts are about."""
    return "feedEnabled" in one.on if holder in ("FeedItem", "FeedComment") else "activities" in one.marks
