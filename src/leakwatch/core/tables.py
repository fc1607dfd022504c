"""The mirror's tables: which Salesforce objects and fields are copied, under which names and types. Pure.

This is the contract between the store, which fills the tables, and the rules, which read them: a rule may use exactly
the tables and columns of `MirrorConfig.catalog()`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

Catalog = Mapping[str, Mapping[str, str]]  # table -> column -> SQL type

MONEY_SCALE = 2  # decimals of a currency field whose describe is not at hand
NUMBER_SCALE = 4
MAX_SCALE = 8


class FieldType(StrEnum):
    """How a field's values are kept."""

    ID = "id"
    TEXT = "text"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    MONEY = "money"
    NUMBER = "number"
    INTEGER = "integer"


# Describe `type` -> ours. What is not named here is text (string, picklist, email, phone, url, textarea ...).
_FROM_DESCRIBE: Mapping[str, FieldType] = {
    "id": FieldType.ID,
    "reference": FieldType.ID,
    "boolean": FieldType.BOOLEAN,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "currency": FieldType.MONEY,
    "double": FieldType.NUMBER,
    "percent": FieldType.NUMBER,
    "int": FieldType.INTEGER,
    "long": FieldType.INTEGER,
}


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of an object. `scale` counts decimals, for money and numbers."""

    name: str
    type: FieldType = FieldType.TEXT
    optional: bool = False  # an org may not have it; no problem is made of that
    scale: int | None = None

    @property
    def column(self) -> str:
        """The column's name in the mirror."""
        return snake(self.name)

    @property
    def sql_type(self) -> str:
        """The column's DuckDB type."""
        match self.type:
            case FieldType.BOOLEAN:
                return "BOOLEAN"
            case FieldType.DATE:
                return "DATE"
            case FieldType.DATETIME:
                return "TIMESTAMP"
            case FieldType.INTEGER:
                return "BIGINT"
            case FieldType.MONEY:
                return f"DECIMAL(18,{MONEY_SCALE if self.scale is None else self.scale})"
            case FieldType.NUMBER:
                return f"DECIMAL(18,{NUMBER_SCALE if self.scale is None else self.scale})"
            case _:
                return "VARCHAR"


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """One Salesforce object that the mirror copies."""

    name: str
    fields: tuple[FieldSpec, ...]
    stamp: str | None = None  # field that moves with every change: read incrementally by it; None = read whole
    optional: bool = False
    keys: tuple[str, ...] = ()  # text fields that get a folded `*_key` column
    emails: tuple[str, ...] = ()  # fields by which an address finds this record
    find_emails: bool = False  # so does every other field that describe says is an e-mail address
    domains: tuple[str, ...] = ()  # fields that name its mail domains: a website, a list of domains

    @property
    def table(self) -> str:
        """The table's name in the mirror."""
        return f"sf_{snake(self.name)}"

    def field(self, name: str) -> FieldSpec | None:
        """Return the field called `name` (Salesforce API name), or None."""
        return next((spec for spec in self.fields if spec.name == name), None)


@dataclass(frozen=True, slots=True)
class OpportunityRoles:
    """Which of a company's own fields and labels mean what on deals."""

    reason_fields: tuple[str, ...] = ()
    budget_fields: tuple[str, ...] = ()
    stage_meanings: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    stage_meanings_without_flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, slots=True)
class MirrorConfig:
    """`config/mirror.yaml`, checked."""

    objects: tuple[ObjectSpec, ...]
    opportunity: OpportunityRoles = OpportunityRoles()
    closed_lead_statuses: tuple[str, ...] = ()
    closed_task_statuses: tuple[str, ...] = ()
    last_touch_objects: tuple[str, ...] = ("Lead",)
    keep_snapshots: int = 3

    def object(self, name: str) -> ObjectSpec | None:
        """Return the object called `name` (API name, any case), or None."""
        wanted = name.lower()
        return next((spec for spec in self.objects if spec.name.lower() == wanted), None)

    def catalog(self) -> dict[str, dict[str, str]]:
        """Return every table and column that a rule may use, with its SQL type."""
        tables: dict[str, dict[str, str]] = {}
        for spec in self.objects:
            columns = {item.column: item.sql_type for item in spec.fields}
            for item in spec.fields:
                if item.type is FieldType.DATETIME:
                    columns[epoch_column(item.column)] = "BIGINT"
                    columns[local_date_column(item.column)] = "DATE"
            columns.update({f"{snake(name)}_key": "VARCHAR" for name in spec.keys})
            columns.update(DERIVED.get(spec.name, {}))
            tables[spec.table] = columns
        tables.update({table: dict(columns) for table, columns in GENERATED.items()})
        return tables

    def sources(self, table: str, column: str) -> frozenset[str]:
        """Return the columns of `table` that the mirror makes `column` of: itself, unless it is a derived one."""
        spec = next((item for item in self.objects if item.table == table), None)
        if spec is None:
            return frozenset()
        if spec.name == "Opportunity" and column in ("loss_reason", "budget_amount"):
            roles = self.opportunity
            names = roles.reason_fields if column == "loss_reason" else roles.budget_fields
            return frozenset(snake(name) for name in names)
        for item in spec.fields:
            if item.type is FieldType.DATETIME and column in (
                epoch_column(item.column),
                local_date_column(item.column),
            ):
                return frozenset({item.column})
        return frozenset(_SOURCES.get((spec.name, column), (column,)))

    def label(self, table: str, column: str | None = None) -> str:
        """Return the Salesforce name of a table or column, as a message to people should say it."""
        spec = next((item for item in self.objects if item.table == table), None)
        if spec is None:
            return _MADE_FROM.get(table, table) if column is None else f"{table}.{column}"
        if column is None:
            return spec.name
        roles = {"loss_reason": self.opportunity.reason_fields, "budget_amount": self.opportunity.budget_fields}
        if spec.name == "Opportunity" and roles.get(column):
            return f"{spec.name}.{' / '.join(roles[column])}"
        for item in spec.fields:
            if column in (item.column, epoch_column(item.column), local_date_column(item.column)):
                return f"{spec.name}.{item.name}"
        return f"{spec.name}.{DERIVED_FROM.get((spec.name, column), column)}"


# Columns that the store works out once, so that no rule has to (DESIGN §7).
DERIVED: Mapping[str, Mapping[str, str]] = {
    "Opportunity": {
        "stage_meaning": "VARCHAR",  # open | won | lost | suspended | abandoned; NULL = nobody knows
        "loss_reason": "VARCHAR",
        "stage_changed_on": "DATE",
        "currency": "VARCHAR",
        "budget_amount": "DECIMAL(24,6)",  # 18 digits before the point, as money may have
    },
    "Lead": {
        "status_meaning": "VARCHAR",  # open | closed
        "owner_is_queue": "BOOLEAN",
    },
    "OpportunityLineItem": {
        "list_amount": "DECIMAL(24,6)",  # list price x quantity
        "list_currency": "VARCHAR",
    },
    "OpportunityHistory": {"currency": "VARCHAR"},
    "Task": {"is_done": "BOOLEAN", "is_own_alert": "BOOLEAN"},
}

# Where a derived column comes from, in words of the org, for messages about missing columns.
DERIVED_FROM: Mapping[tuple[str, str], str] = {
    ("Opportunity", "stage_meaning"): "StageName",
    ("Opportunity", "loss_reason"): "opportunity.reason_fields (mirror.yaml)",
    ("Opportunity", "budget_amount"): "opportunity.budget_fields (mirror.yaml)",
    ("Opportunity", "stage_changed_on"): "LastStageChangeDate, CloseDate or LastModifiedDate",
    ("Lead", "status_meaning"): "Status",
    ("Lead", "owner_is_queue"): "OwnerId",
    ("OpportunityLineItem", "list_amount"): "ListPrice or PricebookEntry.UnitPrice, with Quantity",
}

# What a generated table is made from, for messages about its absence.
_MADE_FROM = {"lw_meeting": "Event.ActivityDateTime, Event.WhoId"}

_SOURCES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("Opportunity", "stage_meaning"): ("stage_name", "is_closed", "is_won"),
    ("Opportunity", "stage_changed_on"): ("last_stage_change_date", "close_date", "last_modified_date"),
    ("Opportunity", "currency"): ("currency_iso_code",),
    ("Lead", "status_meaning"): ("status", "is_converted"),
    ("Lead", "owner_is_queue"): ("owner_id",),
    ("OpportunityLineItem", "list_amount"): ("list_price", "quantity"),
    ("OpportunityLineItem", "list_currency"): ("list_price", "quantity", "currency_iso_code"),
    ("OpportunityHistory", "currency"): ("currency_iso_code",),
    ("Task", "is_done"): ("status", "is_closed"),
    ("Task", "is_own_alert"): ("leakwatch_key__c",),
}

GENERATED: Catalog = {
    "lw_last_touch": {"record_id": "VARCHAR", "last_touch_date": "DATE", "touch_source": "VARCHAR"},
    # Held meetings with somebody outside, or on a deal; `record_id` is the Event's.
    "lw_meeting": {
        "record_id": "VARCHAR",
        "owner_id": "VARCHAR",
        "guest_id": "VARCHAR",  # contact or lead
        "guest_name": "VARCHAR",
        "company": "VARCHAR",
        "guests": "BIGINT",  # contacts and leads; 0 where the event names a deal and nobody
        "account_id": "VARCHAR",
        "what_id": "VARCHAR",
        "about_id": "VARCHAR",  # the deal or account, else the guest
        "held_on": "DATE",
        "ended_epoch": "BIGINT",
        "waited_hours": "BIGINT",  # whole working hours from its end to the snapshot
        "followed_up_epoch": "BIGINT",  # first touch since, with the same people or on the same deal
        "followed_up_by": "VARCHAR",  # email | task | event
        "next_meeting_epoch": "BIGINT",  # first meeting still to come
    },
}

# How everybody opens a published snapshot. One process may open a file twice only with the same settings.
SNAPSHOT_SETTINGS: Mapping[str, str] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": "512MB",
}

MEANINGS = ("open", "won", "lost", "suspended", "abandoned")


@lru_cache(maxsize=4_096)  # asked for the same few hundred names, hundreds of times a refresh
def snake(name: str) -> str:
    """Return a Salesforce API name as a column name: `CloseDate` is `close_date`, `Loss_Reason__c` `loss_reason__c`."""
    return "__".join(_snake_part(part) for part in name.split("__")).lower()


def _snake_part(part: str) -> str:
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", part)
    return re.sub("_+", "_", parted)


def epoch_column(column: str) -> str:
    """Return the name of the seconds-since-1970 column beside a datetime column: `created_date` -> `created_epoch`."""
    return f"{_stem(column)}_epoch"


def local_date_column(column: str) -> str:
    """Return the name of the date column beside a datetime column: `created_date` -> `created_date_local`."""
    return f"{_stem(column)}_date_local"


def _stem(column: str) -> str:
    return column.removesuffix("_time").removesuffix("_date")


def wanted_fields(spec: ObjectSpec, describe: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields of `spec` to be read: the configured ones, and e-mail fields if it finds them."""
    names = [item.name for item in spec.fields]
    if spec.find_emails:
        found = (str(item["name"]) for item in describe.get("fields", ()) if item.get("type") == "email")
        names += sorted(set(found) - set(names))
    return names


def fields_from_describe(describe: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, FieldSpec]:
    """Return the fields of `wanted` that an sObject describe has, typed by it (API name -> FieldSpec).

    Needs of each describe field: `name`, `type`, `scale`.
    """
    known: dict[str, Mapping[str, Any]] = {item["name"]: item for item in describe.get("fields", ())}
    found: dict[str, FieldSpec] = {}
    for name in wanted:
        item = known.get(name)
        if item is None:
            continue
        kind = _FROM_DESCRIBE.get(str(item.get("type", "string")), FieldType.TEXT)
        scale = int(item.get("scale") or 0) if kind in (FieldType.MONEY, FieldType.NUMBER) else None
        found[name] = FieldSpec(name, kind, scale=None if scale is None else min(scale, MAX_SCALE))
    return found
