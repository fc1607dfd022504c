"""EmailMessage: who it was sent to, and the Task that Salesforce makes for it (Enhanced Email on)."""

from __future__ import annotations

from leakwatch.sandbox.org import values
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.engine import Change, Engine, Row, Rules
from leakwatch.sandbox.org.errors import bad
from leakwatch.sandbox.org.soql.special import JUNCTIONS

SENT, DRAFT = "3", "5"


def prepare(engine: Engine, change: Change) -> None:
    """What a message may be, and what of it may change later."""
    row = change.row
    if change.old is not None:
        _refuse_late_changes(change)
        return
    case_mail = row.get("ParentId") is not None
    if row.get("ActivityId") is not None and not case_mail:
        raise bad("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", "ActivityId")
    if not case_mail and row.get("Status") != SENT:
        # only 3 (Sent) is documented for mail outside of cases; the refusal's code and words are unverified
        said = "Status: emails that are not on a case can only have the status 3 (Sent)"
        raise bad("FIELD_INTEGRITY_EXCEPTION", said, "Status")
    if case_mail:
        row["RelatedToId"] = row.get("RelatedToId") or row["ParentId"]
        if row["RelatedToId"] != row["ParentId"]:
            raise bad("FIELD_INTEGRITY_EXCEPTION", "ParentId and RelatedToId must be the same", "RelatedToId")
    if row.get("RelatedToId") and (_first_person(change) or "").startswith("00Q"):
        # unverified: the Task could not carry both a lead and a What, so the message is refused
        said = "field integrity exception: RelatedToId (a lead cannot be combined with a related record)"
        raise bad("FIELD_INTEGRITY_EXCEPTION", said, "RelatedToId")
    if row.get("MessageDate") is None:
        row["MessageDate"] = engine.now()
    if row.get("TextBody") is None and row.get("HtmlBody"):
        row["TextBody"] = _plain(row["HtmlBody"])[:32000]


def _refuse_late_changes(change: Change) -> None:
    """After sending, only IsExternallyVisible and custom fields change (object reference, EmailMessage)."""
    if change.old is None or change.old["Status"] == DRAFT:
        return
    for name in sorted(change.given):
        if name == "IsExternallyVisible" or change.sobject.fields[name].custom:
            continue
        read = name == "Status" and (change.old["Status"], change.row["Status"]) == ("0", "1")
        if not read:
            # which code the real service gives here is unverified
            said = f"Only drafts can be updated; {name} of a sent email is read-only"
            raise bad("INSUFFICIENT_ACCESS_OR_READONLY", said, name)
    if change.lists:
        said = "Only drafts can be updated; the people of a sent email are read-only"
        raise bad("INSUFFICIENT_ACCESS_OR_READONLY", said, *sorted(change.lists))


def _plain(html: str) -> str:
    """TextBody is derived from HtmlBody where it is missing; how exactly is unverified."""
    out: list[str] = []
    inside = False
    for char in html:
        if char == "<":
            inside = True
        elif char == ">":
            inside = False
        elif not inside:
            out.append(char)
    return "".join(out).strip()


def _first_person(change: Change) -> str | None:
    """The contact or lead that the Task names: of the recipients, or for incoming mail of the sender."""
    people = [one for name in JUNCTIONS for one in change.lists.get(name, ())]
    sender = change.row.get("FromId")
    order = [sender, *people] if change.row.get("Incoming") else [*people, sender]
    return next((one for one in order if one and one.startswith(("003", "00Q"))), None)


def settle(engine: Engine, change: Change) -> None:
    """Relations for everybody named by id, and the Task."""
    if not change.creating:
        return
    row = change.row
    _relate(engine, change)
    if row["Status"] == DRAFT or row.get("ActivityId"):
        return
    task: Row = {
        "TaskSubtype": "Email",
        "Status": _closed_status(engine),
        "Subject": (row.get("Subject") or "")[:255] or None,
        "ActivityDate": values.local_date(row["MessageDate"], change.caller.zone),
        "WhoId": _first_person(change),
        "WhatId": row.get("RelatedToId"),
        "OwnerId": _task_owner(engine, change),
        "Description": (row.get("TextBody") or "")[:32000] or None,
    }
    task_id = engine.insert(engine.schema.objects["Task"], task, change.caller)
    engine.store.update("EmailMessage", row["Id"], {"ActivityId": task_id})
    row["ActivityId"] = task_id


def _relate(engine: Engine, change: Change) -> None:
    relations = engine.schema.objects["EmailMessageRelation"]
    named = [(kind, one) for name, kind in JUNCTIONS.items() for one in change.lists.get(name, ())]
    sender = change.row.get("FromId")
    if sender:
        named.append(("FromAddress", sender))
    for kind, person in named:
        target = engine.schema.of_id(person)
        found = engine.lookup(person)
        given = change.row.get("FromAddress") if kind == "FromAddress" else None
        relation: Row = {
            "EmailMessageId": change.row["Id"],
            "RelationId": person,
            "RelationType": kind,
            "RelationAddress": given or (found.get("Email") if found else None),
            "RelationObjectType": target.name if target else None,
        }
        engine.insert(relations, relation, change.caller)


def _closed_status(engine: Engine) -> str:
    """The org's closed status: its standard one where it still exists."""
    sql = "SELECT ApiName FROM TaskStatus WHERE IsClosed = 1 ORDER BY ApiName <> 'Completed', SortOrder LIMIT 1"
    row = engine.store.execute(sql).fetchone()
    return str(row["ApiName"]) if row else "Completed"


def _task_owner(engine: Engine, change: Change) -> str:
    """Probe: the real owner is unverified; the setting says which of the two the sandbox plays."""
    sender = change.row.get("FromId")
    if engine.settings.auto_task_owner == "sender_user" and sender and sender.startswith("005"):
        user = engine.lookup(sender)
        if user is not None and user["IsActive"]:
            return sender
    return change.caller.user_id


def removed(engine: Engine, row: Row, caller: Caller) -> None:
    """Deleting the message deletes its Task."""
    task = engine.lookup(row.get("ActivityId"))
    if task is not None:
        engine.drop(engine.schema.objects["Task"], task, caller)


EMAIL_MESSAGE = Rules(prepare=prepare, settle=settle, removed=removed)
RULES = {"EmailMessage": EMAIL_MESSAGE}
