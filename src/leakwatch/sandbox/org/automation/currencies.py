"""Rates of exchange that hold from a day on (Object Reference, DatedConversionRate)."""

from __future__ import annotations

from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.engine import Change, Engine, Row, Rules


def settle(engine: Engine, change: Change) -> None:
    """Each rate knows where the next one begins."""
    _link(engine, change.row["IsoCode"])


def removed(engine: Engine, row: Row, _caller: Caller) -> None:
    """The same after a rate went."""
    _link(engine, row["IsoCode"])


def _link(engine: Engine, iso: str) -> None:
    sql = (
        "UPDATE DatedConversionRate AS r SET NextStartDate = (SELECT MIN(n.StartDate) FROM DatedConversionRate AS n "
        "WHERE n.IsoCode = r.IsoCode AND n.StartDate > r.StartDate) WHERE r.IsoCode = ?"
    )
    engine.store.execute(sql, (iso,))


RULES = {"DatedConversionRate": Rules(settle=settle, removed=removed)}
