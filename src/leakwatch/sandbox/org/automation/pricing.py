"""What the lines of deals, quotes and orders have in common: a price book's entry, and totals."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from leakwatch.sandbox.org.engine import Change, Engine, Row
from leakwatch.sandbox.org.errors import bad

_CENT = Decimal("0.01")
_ISO = "CurrencyIsoCode"


@dataclass(frozen=True, slots=True)
class Parent:
    """What the lines hang on."""

    sobject: str
    link: str
    called: str
    takes_book: bool
    """Whether one without a price book takes that of its first line."""


def money(value: float) -> float:
    """An amount in the two decimals of currency fields, half up."""
    return float(Decimal(str(value)).quantize(_CENT, ROUND_HALF_UP))


def prepare_line(engine: Engine, change: Change, parent_kind: Parent) -> None:
    """A line takes product, prices and currency from its entry, which must be of its parent's price book."""
    row = change.row
    entry = engine.lookup(row.get("PricebookEntryId"))
    parent = engine.lookup(row.get(parent_kind.link))
    if entry is not None and parent is not None and change.changed("PricebookEntryId"):
        _check_entry(engine, parent_kind, parent, entry)
    if entry is not None:
        row["Product2Id"] = entry["Product2Id"]
        row["ListPrice"] = entry["UnitPrice"]
    if parent is not None and _ISO in row and _ISO in parent:
        if _ISO in change.given and row[_ISO] != parent[_ISO]:
            # that the two must match is documented, the words are unverified
            said = f"field integrity exception: {_ISO} (must be the currency of the {parent_kind.called})"
            raise bad("FIELD_INTEGRITY_EXCEPTION", said, _ISO)
        row[_ISO] = parent[_ISO]


def _check_entry(engine: Engine, kind: Parent, parent: Row, entry: Row) -> None:
    if not entry["IsActive"]:
        raise _mismatch("pricebook entry is inactive")  # the words are unverified
    if _ISO in entry and entry[_ISO] != parent[_ISO]:
        # the rule is documented, the words are unverified
        raise _mismatch(f"currency of the pricebook entry is different from the one of the {kind.called}")
    book = parent.get("Pricebook2Id")
    if book is None and kind.takes_book:
        found = engine.lookup(entry["Pricebook2Id"])
        if found is not None and found["IsActive"]:
            engine.store.update(kind.sobject, parent["Id"], {"Pricebook2Id": found["Id"]})
            return
    if book != entry["Pricebook2Id"]:
        raise _mismatch(f"pricebook entry is in a different pricebook than the one assigned to the {kind.called}")


def _mismatch(said: str) -> Exception:
    whole = f"field integrity exception: PricebookEntryId ({said})"
    return bad("FIELD_INTEGRITY_EXCEPTION", whole, "PricebookEntryId")


def keep_book(change: Change, lines: bool, called: str) -> None:
    """With lines, neither price book nor currency changes."""
    fixed = [name for name in ("Pricebook2Id", _ISO) if name in change.row and change.changed(name)]
    if change.old is not None and lines and fixed:
        # that it is refused is documented, the words are unverified
        said = f"field integrity exception: {fixed[0]} (cannot be changed while the {called} has products)"
        raise bad("FIELD_INTEGRITY_EXCEPTION", said, fixed[0])


def totals(row: Row) -> Row:
    """Subtotal and total of a line: quantity times sales price, less the discount."""
    quantity, price = row.get("Quantity"), row.get("UnitPrice")
    if quantity is None or price is None:
        return {}
    whole = quantity * price
    return {"Subtotal": money(whole), "TotalPrice": money(whole * (1 - (row.get("Discount") or 0) / 100))}
