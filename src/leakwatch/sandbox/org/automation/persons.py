"""Person accounts: only an org's fields for them exist; writing one is named as not emulated."""

from __future__ import annotations

from leakwatch.sandbox.org.engine import Change, Engine, Rules
from leakwatch.sandbox.org.errors import bad, not_emulated

_PARTS = ("FirstName", "LastName", "Salutation")


def prepare(engine: Engine, change: Change) -> None:
    """With person accounts Name is nillable, since a person's is made of its parts: a company's must be given."""
    if not engine.settings.person_accounts:
        return
    if any(change.row.get(name) for name in _PARTS):
        raise not_emulated("writing a person account")
    if not change.row.get("Name"):
        raise bad("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", "Name")


RULES = {"Account": Rules(prepare=prepare)}
