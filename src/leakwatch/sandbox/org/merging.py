"""Merging records: one is kept, up to two others go, what hangs on them is the kept one's (SOAP guide, merge()).

No REST call merges records, so this is not reached over REST: the control API does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leakwatch.sandbox.org import deletion, ids
from leakwatch.sandbox.org.automation import last_activity
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.engine import Engine, Row
from leakwatch.sandbox.org.errors import bad
from leakwatch.sandbox.org.schema import Field, SObject

MOST = 2
"""Records that can be merged into another in one call."""
_ONE_OF_A_PAIR = ("AccountContactRelation", "CampaignMember", "EventRelation", "TaskRelation")
"""Children of which there is one for each pair of parents; the second goes (that it goes so is unverified)."""
_STAYS_BEHIND = ("FeedItem", "FeedComment")
"""With field history, what goes with the merged record instead of moving (unverified)."""


def merge(
    engine: Engine, name: str, master_id: str, others: Sequence[str], fields: Mapping[str, Any], caller: Caller
) -> dict[str, Any]:
    """Merge records into `master_id`, in one transaction; SOAP's MergeResult, without its errors.

    `fields` are set in the kept record, as in an update: what of the others is to survive.

    Raises:
        OrgError: What an update or a deletion is refused with, and for requests that no merge is.
    """
    sobject = engine.object(name)
    if "mergeable" not in sobject.on:
        raise bad("INVALID_TYPE_FOR_OPERATION", f"entity type {sobject.name} does not support merge")  # salesforcer issue 102
    gone = [ids.normalise(one) or one for one in others]
    if not 1 <= len(set(gone)) == len(gone) <= MOST or ids.normalise(master_id) in gone:
        # the limit is documented, the code and the words are unverified
        raise bad("INVALID_ARGUMENT", f"a record is merged with one or {MOST} other records")
    with engine.store.transaction():
        master = engine.living(sobject, master_id)
        rows = [engine.living(sobject, one) for one in gone]
        if any(row.get("IsConverted") for row in (master, *rows)):
            raise bad("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        _check_persons(sobject, master, rows)
        pairs = [(sobject, row["Id"], master["Id"]) for row in rows]
        if master.get("PersonContactId"):  # what hangs on the contact of a merged person is the kept one's too
            contacts = engine.schema.objects["Contact"]
            pairs += [(contacts, row["PersonContactId"], master["PersonContactId"]) for row in rows]
        moved = [one for of, old, new in pairs for one in _hand_over(engine, of, old, new, gone, caller)]
        for row in rows:
            engine.store.update(sobject.name, row["Id"], {"MasterRecordId": master["Id"]})
            if row.get("PersonContactId"):
                engine.store.update("Contact", row["PersonContactId"], {"MasterRecordId": master["PersonContactId"]})
            engine.drop(sobject, row, caller, direct=True)
        engine.update(sobject.name, master["Id"], fields, caller)
        for of, kept in {(of.name, new) for of, _, new in pairs}:
            engine.store.update(of, kept, {"LastActivityDate": last_activity.last_activity(engine, kept)})
    return {"id": master["Id"], "success": True, "mergedRecordIds": gone, "updatedRelatedIds": sorted(set(moved))}


def _check_persons(sobject: SObject, master: Row, rows: Sequence[Row]) -> None:
    """Person accounts are merged with each other only (help, "Considerations for Using Person Accounts").

    The code and the words are unverified.
    """
    kinds = {bool(row.get("IsPersonAccount")) for row in (master, *rows)}
    if len(kinds) > 1:
        raise bad("INVALID_PERSON_ACCOUNT_OPERATION", "Person accounts can only be merged with person accounts")
    if kinds == {True} and sobject.name == "Contact":
        raise bad("INVALID_PERSON_ACCOUNT_OPERATION", "Contacts of person accounts can't be merged; merge the accounts")


def _hand_over(engine: Engine, sobject: SObject, old: str, new: str, gone: Sequence[str], caller: Caller) -> list[str]:
    """Make everything that points to `old` point to `new`; the ids of what was moved.

    Automation does not see it (Apex guide, "Triggers and Merge Statements": no triggers fire for reparented
    records); that SystemModstamp moves and LastModifiedDate stays is unverified.
    """
    moved: list[str] = []
    for child, field in deletion.links_to(engine, sobject):
        if child.name.endswith("History") or child.name in _STAYS_BEHIND or field.name == "MasterRecordId":
            continue
        for row in engine.store.find(child.name, field, old):
            if row["Id"] in gone or (
                child.name == "Contact" and row.get("IsPersonAccount") and field.name == "AccountId"
            ):
                continue
            if child.name in _ONE_OF_A_PAIR and _has_twin(engine, child, field, row, new):
                engine.drop(child, row, caller)
                continue
            target = None if row["Id"] == new else new  # no record is its own parent
            stamp = {"SystemModstamp": engine.now()} if "SystemModstamp" in child.fields else {}
            engine.store.update(child.name, row["Id"], {field.name: target, **stamp})
            moved.append(row["Id"])
    return moved


def _has_twin(engine: Engine, child: SObject, field: Field, row: Row, new: str) -> bool:
    """Whether the kept record has a child that joins it to the same other record."""
    others = [one.name for one in child.stored_fields if one.can("c") and one.name != field.name and row.get(one.name)]
    return any(one[others[0]] == row[others[0]] for one in engine.store.find(child.name, field, new) if others)
