"""What an object and a field of the org are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

STRING_TYPES = frozenset(
    ("string", "picklist", "multipicklist", "textarea", "email", "phone", "url", "combobox", "encryptedstring")
)
ID_TYPES = frozenset(("id", "reference"))
NUMBER_TYPES = frozenset(("int", "double", "currency", "percent"))
SQL_TYPES = {"boolean": "INTEGER", "int": "INTEGER", "double": "REAL", "currency": "REAL", "percent": "REAL"} | {
    "anyType": "BLOB"  # numbers stay numbers
}
VIRTUAL_TYPES = frozenset(("junction", "address"))
"""Types that no column of their own holds: lists of related people, and compound addresses."""

ACTIVITY_OBJECTS = ("Task", "Event")
FEATURES = ("multicurrency", "person_accounts", "shared_activities")
"""What an org may have switched on, and the data files ask for in `needs` and `fields_with`."""


class Child(NamedTuple):
    """A child relationship, as its parent sees it."""

    sobject: str
    field: str
    relationship: str | None
    cascade: bool


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
    values_from: str | None = None
    """The object whose rows are the picklist's values."""
    child_name: str | None = None
    """What the parent calls the child relationship that this reference makes."""
    extra: tuple[tuple[str, Any], ...] = ()
    """Attributes of describe that are neither computed nor flags, by describe's own names."""
    number_format: str = ""
    """How an auto-number is written, such as `A-{0000}`."""
    number_start: int = 1
    tracked: bool = False
    """Whether the object's history keeps its changes."""
    unknown: frozenset[str] = frozenset()
    """Attributes that no source states, by describe's own names; what stands there is a guess."""

    def can(self, flag: str) -> bool:
        """Whether the flag with this letter is set."""
        return flag in self.flags

    @property
    def custom(self) -> bool:
        """Whether an admin added it; to contacts, and person accounts show it as `__pc`."""
        return self.name.endswith(("__c", "__pc"))

    @property
    def stored(self) -> bool:
        """Whether a column holds it."""
        return self.type not in VIRTUAL_TYPES

    @property
    def polymorphic(self) -> bool:
        """Whether it may point to rows of several objects."""
        return len(self.refers_to) > 1 or self.can("P")

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
    children: tuple[Child, ...] = ()
    on: frozenset[str] = frozenset()
    """Object flags that are on although most objects have them off."""
    marks: frozenset[str] = frozenset()
    """How rows behave: `auditFields` may be set on insert, `hardDeleted` rows skip the recycle bin when deleted
    by themselves, `noCurrency` rows carry no CurrencyIsoCode, `activities` may be related to tasks and events."""
    scopes: tuple[tuple[str, str], ...] = ()
    """`supportedScopes` as (name, label)."""
    urls: tuple[str, ...] = ()
    """Keys of describe's `urls` beyond the usual ones."""
    unknown: frozenset[str] = frozenset()
    """Attributes of the object that no source states."""
    associated: tuple[str, str] | None = None
    """`associateEntityType` and `associateParentEntity`: what kind of companion it is, and whose."""
    by_lower: dict[str, Field] = field(default_factory=dict[str, Field])
    by_relationship: dict[str, Field] = field(default_factory=dict[str, Field])
    name_field: str | None = None
    """The field that names a row: `Name` of most, CaseNumber of a case, Subject of an activity."""
    numbered: tuple[Field, ...] = ()
    """The auto-number fields."""
    stored_fields: tuple[Field, ...] = ()
    """The fields that have a column."""
    hidden: frozenset[str] = frozenset()
    """Names of fields that no caller may see (field-level security)."""

    def __post_init__(self) -> None:
        self.index()

    def index(self) -> None:
        """Rebuild the look-ups after a field came."""
        self.name_field = next((one.name for one in self.fields.values() if one.can("N")), None)
        self.stored_fields = tuple(one for one in self.fields.values() if one.stored)
        self.numbered = tuple(one for one in self.fields.values() if one.can("a"))
        self.by_lower = {name.lower(): one for name, one in self.fields.items()}
        self.by_relationship = {one.relationship.lower(): one for one in self.fields.values() if one.relationship}

    def find(self, name: str) -> Field | None:
        """The field of that name, whatever its case."""
        return self.by_lower.get(name.lower())

    def visible(self, name: str) -> Field | None:
        """The field of that name, whatever its case, where callers may see it."""
        found = self.find(name)
        return None if found is None or found.name in self.hidden else found

    @property
    def visible_fields(self) -> list[Field]:
        """The fields that callers may see."""
        return [one for one in self.fields.values() if one.name not in self.hidden]

    @property
    def custom(self) -> bool:
        """Whether an admin made it."""
        return self.name.endswith("__c")

    def allows(self, verb: str) -> bool:
        """Whether the object flag (createable, updateable, ...) is on."""
        return verb not in self.off

    @property
    def has_bin(self) -> bool:
        """Whether deleted rows stay, marked, in the recycle bin."""
        return "IsDeleted" in self.fields
