"""EmailMessage: who it was sent to, and the Task that Salesforce makes for it (Enhanced Email on)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from leakwatch.sandbox.org import values
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.engine import Change, Engine, Row, Rules
from leakwatch.sandbox.org.errors import bad
from leakwatch.sandbox.org.soql.special import JUNCTIONS
from leakwatch.sandbox.org.written import is_email

ADDRESSES = (*JUNCTIONS.values(), "FromAddress")
"""Fields with addresses of people without a record; relation types are called the same."""
SENT, DRAFT = "3", "5"


def prepare(engine: Engine, change: Change) -> None:
    """What a message may be, and what of it may change later."""
    row = change.row
    if change.old is not None:
        _refuse_late_changes(change)
    else:
        _check_new(engine, change)
    if row.get("TextBody") is None and row.get("HtmlBody"):
        row["TextBody"] = _plain(row["HtmlBody"])[:32000]


def _check_new(engine: Engine, change: Change) -> None:
    row = change.row
    answered = engine.lookup(row.get("ReplyToEmailMessageId"))
    if answered is not None and answered["Status"] == DRAFT:
        # the rule is documented, the code and the words are unverified
        raise bad("FIELD_INTEGRITY_EXCEPTION", "A draft cannot be replied to", "ReplyToEmailMessageId")
    case_mail = row.get("ParentId") is not None
    if row.get("ActivityId") is not None and not case_mail:
        # "can only be specified for emails on cases" (Object Reference); the code is what clients report
        raise bad("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", "ActivityId")
    if not case_mail and row.get("Status") != SENT:
        # only 3 (Sent) is documented for mail outside of cases; the refusal's code and words are unverified
        said = "Status: emails that are not on a case can only have the status 3 (Sent)"
        raise bad("FIELD_INTEGRITY_EXCEPTION", said, "Status")
    if case_mail:
        row["RelatedToId"] = row.get("RelatedToId") or row["ParentId"]
        if row["RelatedToId"] != row["ParentId"]:
            raise bad("FIELD_INTEGRITY_EXCEPTION", "ParentId and RelatedToId must be the same", "RelatedToId")
    if row.get("RelatedToId") and (_first_person(row, change.lists) or "").startswith("00Q"):
        # unverified: the Task could not carry both a lead and a What, so the message is refused
        said = "field integrity exception: RelatedToId (a lead cannot be combined with a related record)"
        raise bad("FIELD_INTEGRITY_EXCEPTION", said, "RelatedToId")
    if row.get("MessageDate") is None:
        row["MessageDate"] = engine.now()


def _refuse_late_changes(change: Change) -> None:
    """What of a mail can change later (Object Reference, EmailMessage); the codes and words are unverified.

    Of a draft everything but visibility and status; of a sent mail visibility, custom fields, and where a client
    manages it what it is related to. The status goes from New to Read only.
    """
    old = change.old or {}
    draft = old["Status"] == DRAFT
    for name in sorted(change.given):
        if change.sobject.fields[name].custom or not change.changed(name):
            continue
        if name == "Status":
            allowed = (old["Status"], change.row["Status"]) == ("0", "1")
        elif name == "RelatedToId":
            allowed = draft or bool(old["IsClientManaged"])
        else:
            allowed = draft is (name != "IsExternallyVisible")
        if not allowed:
            said = f"Only drafts can be updated; {name} of a sent email is read-only"
            raise bad("INSUFFICIENT_ACCESS_OR_READONLY", said if not draft else f"{name} is read-only", name)
    if old["ParentId"] and change.row.get("RelatedToId") != change.row.get("ParentId"):
        raise bad("FIELD_INTEGRITY_EXCEPTION", "ParentId and RelatedToId must be the same", "RelatedToId")
    if change.lists and not draft:
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


def _first_person(row: Row, lists: Mapping[str, list[str]]) -> str | None:
    """The contact or lead that the Task names: of the recipients, or for incoming mail of the sender."""
    people = [one for name in JUNCTIONS for one in lists.get(name, ())]
    sender = row.get("FromId")
    order = [sender, *people] if row.get("Incoming") else [*people, sender]
    return next((one for one in order if one and one.startswith(("003", "00Q"))), None)


def settle(engine: Engine, change: Change) -> None:
    """Relations for everybody named by id, and the Task."""
    row = change.row
    if change.old is not None:
        _follow(engine, change, change.old)
        return
    _relate(engine, change)
    if row["Status"] != DRAFT and not row.get("ActivityId"):
        _make_task(engine, change, change.lists)


def _make_task(engine: Engine, change: Change, lists: Mapping[str, list[str]]) -> None:
    row = change.row
    task: Row = {
        "TaskSubtype": "Email",
        "Status": _closed_status(engine),
        "Subject": (row.get("Subject") or "")[:255] or None,
        "ActivityDate": values.local_date(row["MessageDate"], change.caller.zone),
        "WhoId": _first_person(row, lists),
        "WhatId": row.get("RelatedToId"),
        "OwnerId": _task_owner(engine, change),
        "Description": (row.get("TextBody") or "")[:32000] or None,
    }
    task_id = engine.insert(engine.schema.objects["Task"], task, change.caller)
    engine.store.update("EmailMessage", row["Id"], {"ActivityId": task_id})
    row["ActivityId"] = task_id


def _follow(engine: Engine, change: Change, old: Row) -> None:
    """A draft's people are replaced list by list; the Task stays with what the mail is related to, or is made anew."""
    row = change.row
    fields = engine.schema.objects["EmailMessageRelation"].fields
    by_id = {kind for name, kind in JUNCTIONS.items() if name in change.lists}
    by_address = {kind for kind in ADDRESSES if change.changed(kind)}
    for relation in engine.store.find("EmailMessageRelation", fields["EmailMessageId"], row["Id"]):
        if relation["RelationType"] in (by_id if relation["RelationId"] else by_address):
            engine.drop(engine.schema.objects["EmailMessageRelation"], relation, change.caller)
    _relate(engine, change)
    task = engine.lookup(row.get("ActivityId"))
    if task is None:
        return
    if engine.settings.email_task_on_update == "remade":
        engine.drop(engine.schema.objects["Task"], task, change.caller)
        _make_task(engine, change, _lists(engine, row))
    elif row["RelatedToId"] != old["RelatedToId"]:
        changes: Row = {"WhatId": row["RelatedToId"]}
        engine.change(engine.schema.objects["Task"], task, changes, change.caller, given=frozenset())


def _lists(engine: Engine, row: Row) -> dict[str, list[str]]:
    """The people of a mail that is there, by the lists they were given in."""
    fields = engine.schema.objects["EmailMessageRelation"].fields
    relations = engine.store.find("EmailMessageRelation", fields["EmailMessageId"], row["Id"])
    return {
        name: [one["RelationId"] for one in relations if one["RelationType"] == kind and one["RelationId"]]
        for name, kind in JUNCTIONS.items()
    }


def _relate(engine: Engine, change: Change) -> None:
    """A relation for everybody named by id, and by address only for the others.

    That addresses make relations of their own is unverified; that such relations exist is documented.
    """
    relations = engine.schema.objects["EmailMessageRelation"]
    named = [(kind, one, None) for name, kind in JUNCTIONS.items() for one in change.lists.get(name, ())]
    sender = change.row.get("FromId")
    if change.creating and sender:
        named.append(("FromAddress", sender, change.row.get("FromAddress")))
    for kind, person, address in named:
        row: Row = {"EmailMessageId": change.row["Id"], "RelationId": person, "RelationType": kind}
        engine.insert(relations, row | {"RelationAddress": address}, change.caller)
    for kind in ADDRESSES:
        text = change.row.get(kind)
        if not text or not change.changed(kind) or (kind == "FromAddress" and sender):
            continue
        for address in dict.fromkeys(re.split(r"[;,]\s*|\s+", text.strip("; ,"))):
            if is_email(address):
                bare: Row = {"EmailMessageId": change.row["Id"], "RelationAddress": address, "RelationType": kind}
                engine.insert(relations, bare, change.caller)


def prepare_relation(engine: Engine, change: Change) -> None:
    """A relation names somebody, by id or by address; of one known by id the rest follows."""
    row = change.row
    person = engine.lookup(row.get("RelationId"))
    if person is None and row.get("RelationAddress") is None:
        # the code and the words are unverified
        raise bad("REQUIRED_FIELD_MISSING", "Required fields are missing: [RelationAddress]", "RelationAddress")
    target = engine.schema.of_id(row["RelationId"]) if row.get("RelationId") else None
    row["RelationObjectType"] = target.name if target else None
    if person is not None and (row.get("RelationAddress") is None or not change.creating):
        row["RelationAddress"] = person["Email"]


def _closed_status(engine: Engine) -> str:
    """The first of the org's closed statuses (help, "Considerations for Using Enhanced Email")."""
    sql = "SELECT ApiName FROM TaskStatus WHERE IsClosed = 1 ORDER BY SortOrder LIMIT 1"
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
RULES = {"EmailMessage": EMAIL_MESSAGE, "EmailMessageRelation": Rules(prepare=prepare_relation)}
