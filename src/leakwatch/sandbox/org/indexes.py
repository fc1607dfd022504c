"""The indexes of an object's table: what Salesforce itself indexes, and what makes long answers quick to begin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from leakwatch.sandbox.org.schema import ACTIVITY_OBJECTS, Field, SObject


def quote(name: str) -> str:
    """An SQL identifier (some objects are called `Group` and `Case`)."""
    return f'"{name}"'


def folded(field: Field) -> bool:
    """Whether its values are compared without regard to case."""
    return field.is_text and not field.can("V")


_NO_INDEX = ("Id", "CreatedById", "LastModifiedById")
_STAMPS = ("CreatedDate", "SystemModstamp")


def of_field(one: SObject, field: Field) -> Iterator[str]:
    """As the real service has them: keys, lookups, creation and modification (its "indexed fields").

    The flags that hide a row stand in each, so that counting and listing the ids of a filter reads no rows; the
    id comes before them, so that rows of one value are in the order of their ids. None may begin with IsDeleted:
    the planner would take it for the filter that nearly every row passes, and sort, where it should walk the rows
    in their order.
    """
    key = field.can("I") or field.can("X") or field.can("Q")
    if field.name in _NO_INDEX or not (key or field.type == "reference" or field.name in _STAMPS):
        return
    yield f"CREATE INDEX {quote(f'{one.name}_{field.name}')} ON {quote(one.name)} ({_columns(one, [_compared(field)])})"


def of_object(one: SObject) -> Iterator[str]:
    """The index of the living rows, and the narrow ones.

    The first has the ids of rows that `query` shows, so that counting all of them, and listing their ids, reads no
    rows. Written with IS, it serves only what is written so (`alive_ids`): for others the planner had better read
    the table. The flags are columns of it, because SQLite before 3.42 looks them up in the row otherwise.
    """
    if alive_flags(one):
        name = quote(f"{one.name}_alive")
        yield f"CREATE INDEX {name} ON {quote(one.name)} ({_columns(one, [])}) WHERE {_alive_test(one)}"
    for narrow in NARROW.get(one.name, ()):
        by = [_compared(one.fields[name]) for name in narrow.by]
        # an expression alone would not spare SQLite before 3.41 the look at the row
        beside = [quote(name) for name in (*narrow.by, *narrow.beside) if quote(name) not in by]
        columns = ", ".join((_columns(one, by), *beside))
        name = quote(f"{one.name}_narrow_{narrow.by[0]}")
        yield f"CREATE INDEX {name} ON {quote(one.name)} ({columns}) WHERE NOT {quote('Id')} IS ''"


def _columns(one: SObject, first: Iterable[str]) -> str:
    return ", ".join((*first, *map(quote, ("Id", *alive_flags(one)))))


def _compared(field: Field) -> str:
    return f"sf_fold({quote(field.name)})" if folded(field) else quote(field.name)


# -- narrow ones ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Narrow:
    """An index that answers from itself which rows pass a filter: by these fields, looking at those `beside` too."""

    by: tuple[str, ...]
    beside: tuple[str, ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """All that can be asked of it, beside the id and the flags that hide a row."""
        return frozenset((*self.by, *self.beside))


NARROW: dict[str, tuple[Narrow, ...]] = {
    "Opportunity": (Narrow(("IsClosed", "CloseDate"), ("SystemModstamp", "Amount")), Narrow(("Amount",)),
                    Narrow(("StageName",))),
    "Task": (Narrow(("IsClosed", "ActivityDate")),),
    "Event": (Narrow(("StartDateTime",)),),
}  # fmt: skip
"""What nearly everybody filters or sorts these by, and Salesforce has no index for.

Most rows may pass such a filter. Reading the rows one by one that an index of it finds would take longer than reading
all in their order, and the planner, which knows nothing of how many there are, would do so. Hence these are indexes of
part of the rows (of all, but SQLite does not know that): it takes them for a statement that names the same part, and
one that looks at fields outside of the index does not (`has_narrow`).
"""


def has_narrow(one: SObject, names: Iterable[str]) -> bool:
    """Whether a narrow index has all these fields; then a statement should say that the id is not empty."""
    asked = frozenset(names) - {"Id", *alive_flags(one)}
    return any(asked <= narrow.columns for narrow in NARROW.get(one.name, ()) if asked)


# -- living rows ----------------------------------------------------------------------------------------


def _alive_test(one: SObject) -> str:
    return " AND ".join(f"{quote(name)} IS 0" for name in alive_flags(one)) or "1"


def alive_ids(one: SObject, what: str) -> str:
    """A SELECT of `what` (`Id`, `COUNT(*)`) over the rows that `query` shows, fast for any number of them."""
    return f"SELECT {what} FROM {quote(one.name)} WHERE {_alive_test(one)}"


def alive_flags(one: SObject) -> tuple[str, ...]:
    """The fields that hide a row from `query`: the recycle bin's, and for activities the archive's."""
    archived = ("IsArchived",) if one.name in ACTIVITY_OBJECTS else ()
    return tuple(name for name in ("IsDeleted", *archived) if name in one.fields)
