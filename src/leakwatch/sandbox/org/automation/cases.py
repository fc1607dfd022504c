"""Cases: closed by their status (Object Reference, Case, CaseStatus)."""

from __future__ import annotations

from leakwatch.sandbox.org.engine import Change, Engine, Row, Rules

_CONTACT = {"ContactEmail": "Email", "ContactPhone": "Phone", "ContactMobile": "MobilePhone", "ContactFax": "Fax"}


def prepare(engine: Engine, change: Change) -> None:
    """The account is the contact's where none is given; closing is stamped, reopening takes the stamp away."""
    row = change.row
    contact = engine.lookup(row.get("ContactId"))
    if change.creating and contact is not None and row.get("AccountId") is None:
        row["AccountId"] = contact["AccountId"]
    was_closed = bool(change.old and change.old["IsClosed"])
    derive(engine, row)
    if row["IsClosed"] and not was_closed:
        row["ClosedDate"] = engine.now()
    elif not row["IsClosed"]:
        row["ClosedDate"] = None


def derive(engine: Engine, row: Row) -> None:
    """Closed or not by the status; how to reach the contact."""
    found = engine.store.find("CaseStatus", engine.schema.objects["CaseStatus"].fields["ApiName"], row.get("Status"))
    if found:
        row["IsClosed"] = int(bool(found[0]["IsClosed"]))
    contact = engine.lookup(row.get("ContactId"))
    row |= {name: contact[theirs] if contact else None for name, theirs in _CONTACT.items()}


RULES = {"Case": Rules(prepare=prepare, derive=derive)}
