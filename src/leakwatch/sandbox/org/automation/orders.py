"""Orders with their products, and contracts: what activation needs and forbids (Object Reference, Order, Contract).

The words of FAILED_ACTIVATION and of what an activated record refuses are unverified.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

from leakwatch.sandbox.org.automation import pricing
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.engine import Change, Engine, Row, Rules
from leakwatch.sandbox.org.errors import bad

ACTIVATED = "Activated"
_ORDER = pricing.Parent("Order", "OrderId", "order", takes_book=False)


def _code(engine: Engine, row: Row, statuses: str) -> str:
    """The category of the row's status, `Draft` for one that the org does not know."""
    found = engine.store.find(statuses, engine.schema.objects[statuses].fields["ApiName"], row.get("Status"))
    return str(found[0]["StatusCode"]) if found else "Draft"


def _activate(engine: Engine, change: Change, called: str) -> None:
    """Nothing is created active, and activation changes the status alone."""
    row, old = change.row, change.old
    if row["StatusCode"] != ACTIVATED or (old is not None and old["StatusCode"] == ACTIVATED):
        return
    if old is None:
        said = f"Choose a valid {called} status and save your changes. Ask your admin for details."
        raise bad("FAILED_ACTIVATION", said, "Status")
    others = sorted(name for name in change.given - {"Status"} if change.changed(name))
    if others:
        said = f"Status is the only field that can be updated while the {called} is activated"
        raise bad("FAILED_ACTIVATION", said, *others)
    row["ActivatedDate"], row["ActivatedById"] = engine.now(), change.caller.user_id


# -- orders -------------------------------------------------------------------------------------------


def prepare(engine: Engine, change: Change) -> None:
    """Drafts first; active with products only; account and contract change in drafts only."""
    row, old = change.row, change.old
    row["StatusCode"] = _code(engine, row, "OrderStatus")
    if row.get("EndDate") and row.get("EffectiveDate") and row["EndDate"] < row["EffectiveDate"]:
        raise bad("FIELD_INTEGRITY_EXCEPTION", "The end date of an order cannot be before its start", "EndDate")
    if old is None:
        _activate(engine, change, "order")
        return
    lines = engine.store.find("OrderItem", engine.schema.objects["OrderItem"].fields["OrderId"], old["Id"])
    if row["StatusCode"] == ACTIVATED and old["StatusCode"] != ACTIVATED and not lines:
        raise bad("FAILED_ACTIVATION", "An order must have at least one product.", "Status")
    _activate(engine, change, "order")
    if old["StatusCode"] == ACTIVATED and change.changed("AccountId", "ContractId"):
        said = "Account and contract of an activated order cannot be changed"
        raise bad("FIELD_INTEGRITY_EXCEPTION", said, "AccountId")
    if row["StatusCode"] != ACTIVATED:
        row["ActivatedDate"] = row["ActivatedById"] = None
    pricing.keep_book(change, bool(lines), "order")


def derive(engine: Engine, row: Row) -> None:
    """The category of the status."""
    row["StatusCode"] = _code(engine, row, "OrderStatus")
    row["TotalAmount"] = row.get("TotalAmount") or 0.0


def prepare_line(engine: Engine, change: Change) -> None:
    """Product and list price by the order's price book; the products of an activated order stay."""
    row = change.row
    _draft(engine, row)
    pricing.prepare_line(engine, change, _ORDER)
    if row.get("UnitPrice") is None:
        row["UnitPrice"] = row.get("ListPrice")


def derive_line(_engine: Engine, row: Row) -> None:
    """What the line costs."""
    row["TotalPrice"] = pricing.totals(row).get("TotalPrice")
    row["AvailableQuantity"] = row.get("Quantity")


def settle_line(engine: Engine, change: Change) -> None:
    """The order's amount is the sum of its products."""
    _total(engine, change.row["OrderId"], change.caller)


def removed_line(engine: Engine, row: Row, caller: Caller) -> None:
    """The same after a product went."""
    _draft(engine, row)
    _total(engine, row["OrderId"], caller)


def _draft(engine: Engine, line: Row) -> None:
    order = engine.lookup(line.get("OrderId"))
    if order is not None and order["StatusCode"] == ACTIVATED:
        said = "The products of an activated order cannot be changed"
        raise bad("FIELD_INTEGRITY_EXCEPTION", said, "OrderId")


def _total(engine: Engine, order_id: str, caller: Caller) -> None:
    order = engine.lookup(order_id)
    if order is None:
        return
    sql = "SELECT ROUND(COALESCE(SUM(TotalPrice), 0), 2) FROM OrderItem WHERE OrderId = ? AND IsDeleted = 0"
    (total,) = engine.store.execute(sql, (order_id,)).fetchone()
    engine.change(engine.schema.objects["Order"], order, {"TotalAmount": total}, caller, given=frozenset())


def removed(_engine: Engine, row: Row, _caller: Caller) -> None:
    """An activated order cannot be deleted."""
    if row["StatusCode"] == ACTIVATED:
        raise bad("DELETE_FAILED", "An activated order cannot be deleted")


# -- contracts ----------------------------------------------------------------------------------------


def prepare_contract(engine: Engine, change: Change) -> None:
    """Not created active; once active its status stays."""
    row, old = change.row, change.old
    row["StatusCode"] = _code(engine, row, "ContractStatus")
    if old is not None and old["StatusCode"] == ACTIVATED and row["StatusCode"] != ACTIVATED:
        raise bad("FIELD_INTEGRITY_EXCEPTION", "The status of an activated contract cannot be changed", "Status")
    _activate(engine, change, "contract")


def derive_contract(engine: Engine, row: Row) -> None:
    """A contract ends a day before its term is over: EndDate is StartDate plus ContractTerm months."""
    row["StatusCode"] = _code(engine, row, "ContractStatus")
    start, term = row.get("StartDate"), row.get("ContractTerm")
    row["EndDate"] = _end(date.fromisoformat(start), term).isoformat() if start and term else None


def _end(start: date, months: int) -> date:
    """That a term from the 31st ends with a shorter month's last day is unverified."""
    ahead = start.month - 1 + months
    year, month = start.year + ahead // 12, ahead % 12 + 1
    last = monthrange(year, month)[1]
    return date(year, month, last) if start.day > last else date(year, month, start.day) - timedelta(days=1)


def removed_contract(_engine: Engine, row: Row, _caller: Caller) -> None:
    """An activated contract cannot be deleted."""
    if row["StatusCode"] == ACTIVATED:
        raise bad("DELETE_FAILED", "An activated contract cannot be deleted")


RULES = {
    "Order": Rules(prepare=prepare, derive=derive, removed=removed),
    "OrderItem": Rules(prepare=prepare_line, derive=derive_line, settle=settle_line, removed=removed_line),
    "Contract": Rules(prepare=prepare_contract, derive=derive_contract, removed=removed_contract),
}
