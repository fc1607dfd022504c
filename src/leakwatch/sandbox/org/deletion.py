"""Deleting rows: what goes along, what forbids it, what lets go, and the recycle bin.

What the describe attributes of a child relationship say is what happens: with `cascadeDelete` the child goes along,
with `restrictedDelete` it keeps its parent from being deleted. Every other lookup that may be empty lets go: it is
cleared at once (Apex guide, "Referential Integrity When Deleting and Restoring Records": undeleting restores
associations that have not been replaced). That clearing moves no stamp of the child is unverified.

Deleted rows stay in the recycle bin for 15 days (the same chapter); the delete log outlives them. Rows that were
seeded as deleted have no moment of deletion and stay. Undelete is no REST call and is not emulated.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from leakwatch.sandbox.org import values
from leakwatch.sandbox.org.agenda import Facts, deed
from leakwatch.sandbox.org.errors import OrgError, bad
from leakwatch.sandbox.org.indexes import quote
from leakwatch.sandbox.org.schema import Field, SObject

if TYPE_CHECKING:
    from leakwatch.sandbox.org.caller import Caller
    from leakwatch.sandbox.org.engine import Engine
    from leakwatch.sandbox.org.facade import Org

Row = dict[str, Any]
BIN_DAYS = 15
_EMPTYING = "bin.empty"
_EMPTIED, _NEXT = "bin.emptied", "bin.next"
_KEPT = ("MasterRecordId", "OpportunityLineItemId")
"""Lookups that go on pointing to a record that is deleted: the first (unverified), and the second for as long as
the rules of its object need it (`automation.quote_sync`)."""
_UNDONE = (None, "Draft", "InApproval")
"""Status codes of contracts and orders that can be deleted (Object Reference, Contract and Order)."""


class Doomed(NamedTuple):
    """A row that is to be deleted."""

    sobject: SObject
    row: Row


class _Link(NamedTuple):
    """A field of a child that points to the object."""

    child: SObject
    field: Field


def drop(
    engine: Engine, sobject: SObject, row: Row, caller: Caller, *, direct: bool = False, for_good: bool = False
) -> None:
    """Delete a known row and what goes along with it, into the recycle bin where there is one.

    Args:
        engine: The org's engine, in a transaction.
        sobject: The row's object.
        row: The row, living.
        caller: Who deletes.
        direct: Whether this row is what the caller named; some objects are hard-deleted then.
        for_good: Whether the bin is passed by.

    Raises:
        OrgError: DELETE_FAILED where another record forbids it.
    """
    doomed = list(_closure(engine, sobject, row, deleted=for_good))
    _refuse(engine, doomed)
    now = engine.now()
    for i, (one, each) in enumerate(doomed):
        hard = for_good or not one.has_bin or (direct and i == 0 and "hardDeleted" in one.marks)
        if hard:
            engine.store.remove(one.name, each["Id"])
        else:
            # that a deletion stamps LastModifiedDate too is unverified
            stamps = {
                "IsDeleted": 1,
                "LastModifiedDate": now,
                "LastModifiedById": caller.user_id,
                "SystemModstamp": now,
            }
            engine.store.update(one.name, each["Id"], {name: new for name, new in stamps.items() if name in one.fields})
        if not each.get("IsDeleted"):
            engine.store.execute("INSERT OR REPLACE INTO _deleted VALUES (?, ?, ?)", (one.name, each["Id"], now))
    _let_go(engine, doomed, deleted=for_good)
    for one, each in doomed:
        removed = engine.rules(one).removed
        if removed and not each.get("IsDeleted"):
            removed(engine, each, caller)
    if not for_good:
        engine.binned()


def take_out(engine: Engine, sobject: SObject, row: Row) -> None:
    """Take a deleted row out of the recycle bin for good, with the deleted rows that went along with it."""
    doomed = [one for one in _closure(engine, sobject, row, deleted=True) if one.row.get("IsDeleted")]
    for one, each in doomed:
        engine.store.remove(one.name, each["Id"])
    _let_go(engine, doomed, deleted=True)


# -- what a deletion touches ------------------------------------------------------------------------------


def links_to(engine: Engine, sobject: SObject) -> list[_Link]:
    """The fields of all objects that may point to rows of this one."""
    return engine.schema.remember(
        "links_to",
        sobject.name,
        lambda: [
            _Link(one, field)
            for one in engine.schema.objects.values()
            for field in one.stored_fields
            if field.type == "reference" and sobject.name in field.refers_to
        ],
    )


def _closure(engine: Engine, sobject: SObject, row: Row, *, deleted: bool) -> Iterator[Doomed]:
    """The row and everything that goes along, each once, parents first."""
    seen = {row["Id"]}
    waiting = [Doomed(sobject, row)]
    while waiting:
        one = waiting.pop(0)
        yield one
        for child, field in links_to(engine, one.sobject):
            if field.can("c"):
                for each in engine.store.find(child.name, field, one.row["Id"], deleted=deleted):
                    if each["Id"] not in seen:
                        seen.add(each["Id"])
                        waiting.append(Doomed(child, each))


def _let_go(engine: Engine, doomed: Iterable[Doomed], *, deleted: bool) -> None:
    """Clear the lookups that point to rows which went."""
    gone: dict[str, list[str]] = {}
    for one, row in doomed:
        gone.setdefault(one.name, []).append(row["Id"])
    for name, found in gone.items():
        listed = json.dumps(found)
        for child, field in links_to(engine, engine.schema.objects[name]):
            if field.can("c") or not field.can("n") or field.name in _KEPT:
                continue
            alive = " AND IsDeleted = 0" if child.has_bin and not deleted else ""
            sql = (
                f"UPDATE {quote(child.name)} SET {quote(field.name)} = NULL "
                f"WHERE {quote(field.name)} IN (SELECT value FROM json_each(?)){alive}"
            )
            engine.store.execute(sql, (listed,))


# -- what forbids a deletion ------------------------------------------------------------------------------


def _refuse(engine: Engine, doomed: list[Doomed]) -> None:
    """Raise DELETE_FAILED for the first of the rows that others hold.

    Two texts are Salesforce's (reported by clients: a contact with cases, an account with won deals), line break at
    the end included; that the first obstacle alone is told, and won deals before others, is unverified.
    """
    going = {row["Id"] for _, row in doomed}
    for one, row in doomed:
        if row.get("IsDeleted"):
            continue
        if one.name == "Account":
            _no_won_deals(engine, one, row)
        if row.get("IsPersonAccount") and one.name == "Contact" and row["AccountId"] not in going:
            # that it goes with its account only is documented, the code and the words are unverified
            said = "The contact of a person account can't be deleted; delete the account"
            raise bad("INVALID_PERSON_ACCOUNT_OPERATION", said)
        if _is_active(engine, one, row):  # the rule is documented, the words are unverified
            raise _failed(one, row, "it is activated")
        for child, field in links_to(engine, one):
            if field.can("d"):
                held = [
                    each
                    for each in engine.store.find(child.name, field, row["Id"])
                    if each["Id"] not in going or _is_active(engine, child, each)
                ]
                if held:
                    what = child.plural.lower()
                    raise _failed(one, row, f"it is associated with the following {what}.", child, held)


def _no_won_deals(engine: Engine, sobject: SObject, row: Row) -> None:
    deals = engine.schema.objects["Opportunity"]
    won = [deal for deal in engine.store.find("Opportunity", deals.fields["AccountId"], row["Id"]) if deal["IsWon"]]
    if won:
        why = (
            "some opportunities in that account were closed won. "
            "The opportunities that could not be deleted are shown below."
        )
        raise _failed(sobject, row, why, deals, won)


def _is_active(engine: Engine, sobject: SObject, row: Row) -> bool:
    """Whether a contract or an order was activated."""
    if sobject.name not in ("Contract", "Order"):
        return False
    table = engine.schema.objects[f"{sobject.name}Status"]
    known = engine.store.find(table.name, table.fields["ApiName"], row.get("Status"))
    return (known[0]["StatusCode"] if known else row.get("StatusCode")) not in _UNDONE


def _failed(sobject: SObject, row: Row, why: str, of: SObject | None = None, others: Iterable[Row] = ()) -> OrgError:
    names = ", ".join(_called(of, other) for other in others) if of else ""
    said = f"Your attempt to delete {_called(sobject, row)} could not be completed because {why}"
    return bad("DELETE_FAILED", f"{said}: {names}\n" if names else said)


def _called(sobject: SObject, row: Row) -> str:
    name = str(row.get(sobject.name_field or "Id") or row["Id"])
    return f"{row['Salutation']} {name}" if row.get("Salutation") else name


# -- the recycle bin --------------------------------------------------------------------------------------


def watch_bin(org: Org) -> None:
    """See to it that the bin will be emptied: called when something was put into it."""
    if not org.store.note(_NEXT):
        _empty_next(org, org.now_text())


def _empty_next(org: Org, deleted_at: str) -> None:
    """Put down the emptying in which a row deleted at that time leaves: the first midnight (UTC) after its 15 days.

    That Salesforce's own is daily is unverified.
    """
    over = values.instant_of(deleted_at) + timedelta(days=BIN_DAYS + 1)
    due = over.replace(hour=0, minute=0, second=0)
    org.store.set_note(_NEXT, values.instant_text(due))
    org.agenda.add(_EMPTYING, {}, at=due)


@deed(_EMPTYING)
def empty_bin(org: Org, _facts: Facts) -> None:
    """Take out what has been in the bin for 15 days."""
    until = values.instant_text(org.clock.now() - timedelta(days=BIN_DAYS))
    sql = "SELECT sobject, id FROM _deleted WHERE at > ? AND at <= ? ORDER BY at, id"
    for name, record_id in org.store.execute(sql, (org.store.note(_EMPTIED) or "", until)).fetchall():
        sobject = org.schema.find(name)
        row = org.store.get(name, record_id) if sobject else None
        if sobject is not None and row is not None and row.get("IsDeleted"):
            take_out(org.engine, sobject, row)
    org.store.set_note(_EMPTIED, until)
    org.storage.forget()
    left = org.store.execute("SELECT MIN(at) FROM _deleted WHERE at > ?", (until,)).fetchone()[0]
    org.store.set_note(_NEXT, "")
    if left is not None:
        _empty_next(org, left)
