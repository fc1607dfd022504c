"""Writing rows: what a row must satisfy, and what follows from it.

One path for everybody: read what was sent (`sent`), prepare (an object's own rules fill in and refuse), check, store,
settle (what other rows feel of it). Objects' own rules are in `automation`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from leakwatch.sandbox.org import checks, deletion, ids, sent, sharing, values
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.errors import OrgError, bad, not_found
from leakwatch.sandbox.org.schema import ID_TYPES, Field, Schema, SObject
from leakwatch.sandbox.org.settings import OrgSettings
from leakwatch.sandbox.org.store import Store

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """A row being written."""

    sobject: SObject
    row: Row
    """The whole row as it will be; rules write into it."""
    old: Row | None
    given: frozenset[str]
    """What the caller set."""
    caller: Caller
    lists: dict[str, list[str]]
    """Lists of related ids, which are no columns."""

    @property
    def creating(self) -> bool:
        """Whether the row is new."""
        return self.old is None

    def changed(self, *names: str) -> bool:
        """Whether one of these fields is new or different."""
        return self.old is None or any(self.row.get(name) != self.old.get(name) for name in names)


@dataclass(frozen=True, slots=True)
class Rules:
    """An object's own rules; each is optional."""

    prepare: Callable[[Engine, Change], None] | None = None
    settle: Callable[[Engine, Change], None] | None = None
    removed: Callable[[Engine, Row, Caller], None] | None = None
    derive: Callable[[Engine, Row], None] | None = None
    """Fill derived fields of a row, seeded or written, where they are missing."""


def _calm(_point: str, _text: str) -> None:
    """Nothing goes wrong."""


class Engine:
    """Writes rows into one store."""

    def __init__(
        self,
        store: Store,
        schema: Schema,
        settings: OrgSettings,
        now: Callable[[], str],
        rules: Mapping[str, Rules],
        trouble: Callable[[str, str], Any] = _calm,
    ) -> None:
        self.store = store
        self.schema = schema
        self.settings = settings
        self.now = now
        self._rules = rules
        self._trouble = trouble
        self.room_for: Callable[[SObject], None] = lambda _sobject: None
        """Called before a row is added; raises OrgError where there is no storage left."""
        self.declared: Callable[[Engine, Change], None] = lambda _engine, _change: None
        """Called when all else is checked; raises OrgError where a declared rule refuses the row."""
        self.written: Callable[[Engine, Change], None] = lambda _engine, _change: None
        """Called for every row that was written, before its rules settle what follows: keeps field history."""
        self.binned: Callable[[], None] = lambda: None
        """Called when rows went into the recycle bin: sees to its being emptied."""

    def _pass(self, point: str, verb: str, sobject: SObject, *rows: Row) -> AbstractContextManager[None]:
        """Pass a point of `trouble` with the ids of the rows and of all they refer to; in what to write them."""
        links = [field.name for field in sobject.stored_fields if field.type in ID_TYPES]
        found = [row[name] for row in rows for name in links if row.get(name)]
        return self._trouble(point, " ".join([verb, sobject.name, *dict.fromkeys(found)])) or nullcontext()

    def rules(self, sobject: SObject) -> Rules:
        """The rules of an object."""
        return self._rules.get(sobject.name, Rules())

    def object(self, name: str) -> SObject:
        """The object of that name, or 404."""
        found = self.schema.find(name)
        if found is None:
            raise OrgError(404, "NOT_FOUND", "The requested resource does not exist")
        return found

    # -- verbs ----------------------------------------------------------------------------------------

    def create(self, name: str, fields: Mapping[str, Any], caller: Caller) -> str:
        """Insert one row; its id."""
        sobject = self.object(name)
        if not sobject.allows("createable"):
            raise bad("INVALID_TYPE_FOR_OPERATION", f"entity type {sobject.name} does not support create")
        with self.store.transaction():
            row, lists = sent.read(self, sobject, fields, sent.CREATE)
            with self._pass("row.write", "create", sobject, row):
                record_id = self.insert(sobject, row, caller, frozenset(row), lists)
                self._pass("row.written", "create", sobject, {"Id": record_id}, row)
            return record_id

    def insert(
        self,
        sobject: SObject,
        row: Row,
        caller: Caller,
        given: frozenset[str] = frozenset(),
        lists: dict[str, list[str]] | None = None,
    ) -> str:
        """Insert a parsed row, with defaults, rules and checks; also for rows that rules make."""
        now = self.now()
        full: Row = {field.name: _default(field) for field in sobject.stored_fields}
        full |= {
            "CreatedDate": now,
            "LastModifiedDate": now,
            "SystemModstamp": now,
            "CreatedById": caller.user_id,
            "LastModifiedById": caller.user_id,
            "OwnerId": caller.user_id,
            "CurrencyIsoCode": caller.currency,
        }
        full = {name: value for name, value in full.items() if name in sobject.fields}
        full |= row
        change = Change(sobject, full, None, given, caller, lists or {})
        self._ready(change)
        self.room_for(sobject)
        full["Id"] = self.store.next_id(sobject.prefix, ids.CREATED_POD)
        self._name(sobject, full)
        self.store.insert(sobject.name, full)
        self._settle(change)
        return str(full["Id"])

    def update(self, name: str, record_id: str, fields: Mapping[str, Any], caller: Caller) -> None:
        """Change one row."""
        sobject = self.object(name)
        if not sobject.allows("updateable"):
            raise bad("INVALID_TYPE_FOR_OPERATION", f"entity type {sobject.name} does not support update")
        with self.store.transaction():
            old = self.living(sobject, record_id)
            row, lists = sent.read(self, sobject, fields, sent.UPDATE)
            sharing.check(self.settings, sobject, old, row, caller)
            with self._pass("row.write", "update", sobject, old, row):
                self.change(sobject, old, row, caller, lists)
                self._pass("row.written", "update", sobject, old, row)

    def show(self, name: str, row: Row) -> None:
        """Store a whole row that was written before and held back; its unique values must be free still."""
        sobject = self.object(name)
        for field in sobject.stored_fields:
            if field.can("Q") and row.get(field.name) is not None:
                checks.unique(self, sobject, row, field)
        self.store.insert(name, row)

    def change(
        self,
        sobject: SObject,
        old: Row,
        changes: Row,
        caller: Caller,
        lists: dict[str, list[str]] | None = None,
        given: frozenset[str] | None = None,
    ) -> None:
        """Apply parsed changes, with rules and checks; rules that change a row give nothing as `given`."""
        stamps = {name: value for name, value in self._stamps(caller).items() if name in sobject.fields}
        full = old | changes | stamps
        change = Change(sobject, full, old, frozenset(changes) if given is None else given, caller, lists or {})
        self._ready(change)
        different = {name: value for name, value in full.items() if value != old.get(name)}
        self.store.update(sobject.name, str(old["Id"]), different)
        self._settle(change)

    def delete(self, name: str, record_id: str, caller: Caller, *, for_good: bool = False) -> None:
        """Delete one row with what hangs on it: into the recycle bin, or for good where there is none or on demand."""
        sobject = self.object(name)
        if not sobject.allows("deletable"):
            raise bad("INVALID_TYPE_FOR_OPERATION", f"entity type {sobject.name} does not support delete")
        with self.store.transaction():
            row = self.living(sobject, record_id)
            with self._pass("row.write", "delete", sobject, row):
                self.drop(sobject, row, caller, direct=True, for_good=for_good)
                self._pass("row.written", "delete", sobject, row)

    def purge(self, name: str, record_id: str, caller: Caller) -> None:
        """Take one row away for good, past the recycle bin or out of it, with what hangs on it."""
        sobject = self.object(name)
        with self.store.transaction():
            row = self.store.get(sobject.name, ids.normalise(record_id) or "")
            if row is None:
                raise not_found()
            if row.get("IsDeleted"):
                deletion.take_out(self, sobject, row)  # its deletion is in the log already
            else:
                self.drop(sobject, row, caller, for_good=True)

    def drop(self, sobject: SObject, row: Row, caller: Caller, *, direct: bool = False, for_good: bool = False) -> None:
        """Delete a known row and its children; see `deletion.drop`."""
        deletion.drop(self, sobject, row, caller, direct=direct, for_good=for_good)

    def _stamps(self, caller: Caller) -> Row:
        now = self.now()
        return {"LastModifiedDate": now, "LastModifiedById": caller.user_id, "SystemModstamp": now}

    def living(self, sobject: SObject, record_id: str) -> Row:
        """A row that is there and not deleted."""
        normal = ids.normalise(record_id)
        row = self.store.get(sobject.name, normal) if normal else None
        if row is None:
            raise OrgError(404, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if row.get("IsDeleted"):
            raise OrgError(404, "ENTITY_IS_DELETED", "entity is deleted")
        return row

    def lookup(self, record_id: str | None) -> Row | None:
        """The living row an id points to, whatever its object."""
        sobject = self.schema.of_id(record_id) if record_id else None
        row = self.store.get(sobject.name, record_id) if sobject and record_id else None
        return None if row is None or row.get("IsDeleted") else row

    # -- checks ---------------------------------------------------------------------------------------

    def _ready(self, change: Change) -> None:
        rules = self.rules(change.sobject)
        if rules.prepare:
            rules.prepare(self, change)
        if rules.derive:
            rules.derive(self, change.row)
        checks.required(change)
        for name in change.given:
            field = change.sobject.fields[name]
            value = change.row.get(name)
            if value is None or not change.changed(name):
                continue
            if field.type == "reference":
                checks.exists(self, field, value)
            if field.name == "RecordTypeId":
                checks.record_type(self, change, field, value)
            if field.name == "CurrencyIsoCode":
                checks.currency(self, field, value)
        if change.changed("OwnerId"):
            checks.owner(self, change)
        self.declared(self, change)
        for field in change.sobject.stored_fields:
            if field.can("Q") and change.row.get(field.name) is not None and change.changed(field.name):
                checks.unique(self, change.sobject, change.row, field)

    def _name(self, sobject: SObject, row: Row) -> None:
        """Give a new row its auto-numbers; a custom object's row without a name is called by its id (15 characters)."""
        for field in sobject.numbered:
            number = self.store.next_number(f"{sobject.name}.{field.name}", field.number_start)
            row[field.name] = values.numbered(field.number_format, number, self.now())
        if sobject.custom and "Name" in row and row["Name"] is None:
            row["Name"] = row["Id"][:15]

    def _settle(self, change: Change) -> None:
        self.written(self, change)
        if settle := self.rules(change.sobject).settle:
            settle(self, change)


def _default(field: Field) -> Any:
    if field.type == "boolean":
        return int(bool(field.default))
    return field.default
