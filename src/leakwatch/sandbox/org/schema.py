"""What objects and fields the org has: compact data files, plus what an admin deployed.

Each `schema/<Object>.json` says where its facts come from. The letters in a field's `f` are the describe's
flags: n nillable, C createable, U updateable, F filterable, S sortable, G groupable, A aggregatable,
I idLookup, X externalId, Q unique, D defaultedOnCreate, R restrictedPicklist, K calculated,
V caseSensitive, P polymorphicForeignKey, W permissionable, N nameField.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

STRING_TYPES = frozenset(
    ("string", "picklist", "multipicklist", "textarea", "email", "phone", "url", "combobox", "encryptedstring")
)
ID_TYPES = frozenset(("id", "reference"))
NUMBER_TYPES = frozenset(("int", "double", "currency", "percent"))
SQL_TYPES = {"boolean": "INTEGER", "int": "INTEGER", "double": "REAL", "currency": "REAL", "percent": "REAL"}
VIRTUAL_TYPES = frozenset(("junction", "address"))
"""Types that no column of their own holds: lists of related people, and compound addresses."""

ACTIVITY_OBJECTS = ("Task", "Event")
NOT_MULTICURRENCY = frozenset(
    (
        *("CurrencyType", "RecordType", "Organization", "Profile", "UserRole"),
        *("Group", "GroupMember", "QueueSobject"),
        *("OpportunityStage", "LeadStatus", "TaskStatus", "TaskPriority"),
        *("FeedItem", "EmailMessageRelation", "EventRelation"),
    )
)
"""Objects without a CurrencyIsoCode in multicurrency orgs."""
MULTICURRENCY_ONLY = frozenset(("CurrencyType",))


@dataclass(frozen=True, slots=True)
class Field:
    """One field, as describe tells it."""

    name: str
    type: str
    flags: str = ""
    label: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    refers_to: tuple[str, ...] = ()
    relationship: str | None = None
    default: Any = None
    compound: str | None = None
    picklist: tuple[tuple[str, str], ...] = ()

    def can(self, flag: str) -> bool:
        """Whether the flag with this letter is set."""
        return flag in self.flags

    @property
    def custom(self) -> bool:
        """Whether an admin added it."""
        return self.name.endswith("__c")

    @property
    def stored(self) -> bool:
        """Whether a column holds it."""
        return self.type not in VIRTUAL_TYPES

    @property
    def polymorphic(self) -> bool:
        """Whether it may point to rows of several objects."""
        return len(self.refers_to) > 1

    @property
    def is_text(self) -> bool:
        """Whether its values are compared as text without regard to case."""
        return self.type in STRING_TYPES


@dataclass(slots=True)
class SObject:
    """One object with its fields and its children."""

    name: str
    label: str
    plural: str
    prefix: str
    off: frozenset[str]
    fields: dict[str, Field]
    children: tuple[tuple[str, str, str | None, bool], ...]
    by_lower: dict[str, Field] = field(default_factory=dict[str, Field])
    by_relationship: dict[str, Field] = field(default_factory=dict[str, Field])

    def __post_init__(self) -> None:
        self.index()

    def index(self) -> None:
        """Rebuild the look-ups after a field came."""
        self.by_lower = {name.lower(): one for name, one in self.fields.items()}
        self.by_relationship = {one.relationship.lower(): one for one in self.fields.values() if one.relationship}

    def find(self, name: str) -> Field | None:
        """The field of that name, whatever its case."""
        return self.by_lower.get(name.lower())

    def allows(self, verb: str) -> bool:
        """Whether the object flag (createable, updateable, ...) is on."""
        return verb not in self.off

    @property
    def stored_fields(self) -> list[Field]:
        """The fields that have a column."""
        return [one for one in self.fields.values() if one.stored]

    @property
    def has_bin(self) -> bool:
        """Whether deleted rows stay, marked, in the recycle bin."""
        return "IsDeleted" in self.fields


def label_of(name: str) -> str:
    """The default label of a field: its words apart, `Id` written as Salesforce writes it."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.removesuffix("__c")).replace("_", " ").strip()
    return re.sub(r" Id$", " ID", spaced)


def read_field(raw: dict[str, Any]) -> Field:
    """A field from its compact JSON form."""
    picks = tuple((p, p) if isinstance(p, str) else (p[0], p[1]) for p in raw.get("pick", ()))
    return Field(
        name=raw["n"],
        type=raw["t"],
        flags=raw.get("f", ""),
        label=raw.get("l") or label_of(raw["n"]),
        length=raw.get("len", 0),
        precision=raw.get("p", 0),
        scale=raw.get("s", 0),
        refers_to=tuple(raw.get("ref", ())),
        relationship=raw.get("rel"),
        default=raw.get("def"),
        compound=raw.get("cmp"),
        picklist=picks,
    )


def _read_object(raw: dict[str, Any]) -> SObject:
    fields = [read_field(one) for one in raw["fields"]]
    return SObject(
        name=raw["name"],
        label=raw["label"],
        plural=raw["plural"],
        prefix=raw["prefix"],
        off=frozenset(raw.get("off", ())),
        fields={one.name: one for one in fields},
        children=tuple((c[0], c[1], c[2], c[3]) for c in raw["children"]),
    )


@cache
def _standard() -> dict[str, SObject]:
    folder = resources.files("leakwatch.sandbox.org") / "schema"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".json")), key=lambda f: f.name)
    objects = (_read_object(json.loads(file.read_text(encoding="utf-8"))) for file in files)
    return {one.name: one for one in objects}


class Schema:
    """The objects of one org."""

    def __init__(self, *, multicurrency: bool, currency: str) -> None:
        self.objects = {name: copy.copy(one) for name, one in _standard().items()}
        for name, one in self.objects.items():
            one.fields = dict(one.fields)
            if multicurrency and name not in NOT_MULTICURRENCY:
                one.fields["CurrencyIsoCode"] = _currency_field(currency)
            one.index()
        if multicurrency:
            user = self.objects["User"]
            user.fields["DefaultCurrencyIsoCode"] = replace(_currency_field(currency), name="DefaultCurrencyIsoCode")
            user.index()
        else:
            for name in MULTICURRENCY_ONLY:
                del self.objects[name]
        self._by_lower = {name.lower(): one for name, one in self.objects.items()}
        self._by_prefix = {one.prefix: one for one in self.objects.values()}

    def find(self, name: str) -> SObject | None:
        """The object of that name, whatever its case."""
        return self._by_lower.get(name.lower())

    def of_id(self, record_id: str) -> SObject | None:
        """The object an id belongs to, by its key prefix."""
        return self._by_prefix.get(record_id[:3])

    def add(self, sobject: str, one: Field) -> None:
        """Add or replace a custom field."""
        target = self.objects[sobject]
        target.fields[one.name] = one
        target.index()


def _currency_field(currency: str) -> Field:
    return Field(
        name="CurrencyIsoCode",
        type="picklist",
        flags="nCUFSGADR",
        label="Currency ISO Code",
        length=255,
        default=currency,
    )
