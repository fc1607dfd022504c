"""Leads and users, and what contacts have in common with them."""

from __future__ import annotations

from leakwatch.sandbox.org.automation import campaigns
from leakwatch.sandbox.org.engine import Change, Engine, Row, Rules
from leakwatch.sandbox.org.errors import bad


def derive_name(_engine: Engine, row: Row) -> None:
    """A person's Name is made of the parts (the salutation is not in it)."""
    row["Name"] = " ".join(part for part in (row.get("FirstName"), row.get("LastName")) if part) or None


def refuse_converted(_engine: Engine, change: Change) -> None:
    """A converted lead is read-only without the permission to edit converted leads."""
    if change.old is not None and change.old["IsConverted"]:
        raise bad("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")


def carry_lead(engine: Engine, change: Change) -> None:
    """Campaigns show the lead as it is."""
    if not change.creating:
        campaigns.carry(engine, change.row, "LeadId")


def carry_contact(engine: Engine, change: Change) -> None:
    """Campaigns show the contact as it is."""
    if not change.creating:
        campaigns.carry(engine, change.row, "ContactId")


PERSON = Rules(derive=derive_name)
LEAD = Rules(prepare=refuse_converted, derive=derive_name, settle=carry_lead)
RULES = {"User": PERSON, "Lead": LEAD}
