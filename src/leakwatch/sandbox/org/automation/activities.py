"""Tasks, and what tasks and events have in common."""

from __future__ import annotations

from leakwatch.sandbox.org.automation import last_activity, shared
from leakwatch.sandbox.org.engine import Change, Engine, Row, Rules
from leakwatch.sandbox.org.errors import bad, not_emulated


def check_relations(engine: Engine, change: Change) -> None:
    """A lead and a What exclude each other; converted leads cannot be referenced; the account follows."""
    shared.prepare(engine, change)
    row = change.row
    who, what = row.get("WhoId"), row.get("WhatId")
    if change.changed("WhoId", "WhatId") and who and who.startswith("00Q"):
        if what:
            # the code is what clients report; the words are not Salesforce's
            said = "field integrity exception: WhoId, WhatId (a lead cannot be combined with a related record)"
            raise bad("FIELD_INTEGRITY_EXCEPTION", said, "WhoId", "WhatId")
        lead = engine.lookup(who)
        if lead is not None and lead["IsConverted"] and change.changed("WhoId"):
            raise bad("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", "WhoId")
    if change.old is not None and change.old["IsArchived"] and change.changed("WhatId"):
        row["IsArchived"] = 0  # was seen in an org, and is documented nowhere
    if change.changed("WhoId", "WhatId"):
        row["AccountId"] = shared.account_of(engine, who, what)


def refuse_series(change: Change, *fields: str) -> None:
    """A row that would begin a series must not seem to have made one."""
    if change.creating and any(change.row.get(name) for name in fields):
        raise not_emulated(f"recurring {change.sobject.plural.lower()}")


# -- tasks --------------------------------------------------------------------------------------------


def prepare_task(engine: Engine, change: Change) -> None:
    """Closing follows the status; reopening clears the time of completion."""
    refuse_series(change, "IsRecurrence", "RecurrenceRegeneratedType")
    check_relations(engine, change)
    row = change.row
    was_closed = bool(change.old and change.old["IsClosed"])
    derive_task(engine, row)
    if row["IsClosed"] and not was_closed:
        row["CompletedDateTime"] = engine.now()
    elif not row["IsClosed"]:
        row["CompletedDateTime"] = None


def derive_task(engine: Engine, row: Row) -> None:
    """IsClosed by the org's statuses, IsHighPriority by its priorities."""
    row["IsClosed"] = int(_flag(engine, "TaskStatus", row.get("Status"), "IsClosed"))
    row["IsHighPriority"] = int(_flag(engine, "TaskPriority", row.get("Priority"), "IsHighPriority"))


def _flag(engine: Engine, sobject: str, name: str | None, flag: str) -> bool:
    if name is None:
        return False
    found = engine.store.find(sobject, engine.schema.objects[sobject].fields["ApiName"], name)
    return bool(found and found[0][flag])


def settle(engine: Engine, change: Change) -> None:
    """Dates of the records it belongs to, and its relations where activities are shared."""
    last_activity.settle(engine, change)
    shared.settle(engine, change)


TASK = Rules(prepare=prepare_task, derive=derive_task, settle=settle, removed=last_activity.removed)
RULES = {"Task": TASK}
