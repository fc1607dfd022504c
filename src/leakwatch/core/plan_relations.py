"""Whom a written mail is related to besides: people whom a later copy of it named, or whom the CRM knows by now. Pure.

An EmailMessage is inserted with its people, and afterwards only its relations can be added to: what we wrote once we do
not write again (a person may have deleted it), and nothing is ever taken away, for a mail never loses a recipient.
Source: Object Reference v63, "EmailMessageRelation" (create; of its fields RelationId alone can be changed).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from leakwatch.core.plan import insert_op_id
from leakwatch.model import Match, Verb, WriteOp, Written

RELATION = "EmailMessageRelation"
PARENT = "EmailMessageId"
RELATION_FIELDS = (PARENT, "RelationId", "RelationType", "RelationAddress")
_TYPES = {"FromId": "FromAddress", "ToIds": "ToAddress", "CcIds": "CcAddress"}
_REASON = "Another copy of the mail, or the CRM by now, knows one more of its people."


def missing_people(op: WriteOp, written: Written) -> dict[str, str]:
    """Return record id -> relation type of those whom `op` would name and the mail was not `written` with."""
    before = {one for name in _TYPES for one in _ids(written.fields.get(name))}
    wanted = {one: kind for name, kind in reversed(_TYPES.items()) for one in _ids(op.fields.get(name))}
    return {one: kind for one, kind in wanted.items() if one not in before}


def _ids(value: Any) -> Sequence[str]:
    if not value:
        return ()
    return (value,) if isinstance(value, str) else value


def plan_relations(
    op: WriteOp, match: Match, missing: Mapping[str, str], mail_id: str, rows: Iterable[Mapping[str, Any]]
) -> list[WriteOp]:
    """Return the writes that relate a mail to those who are `missing`, in order of their ids.

    Whoever is related already is left as they are; where there is a relation with the bare address, it gets the record.

    Args:
        op: the write that would make the mail now.
        match: how it matches now.
        missing: see `missing_people`.
        mail_id: the EmailMessage.
        rows: its relations as they are now (`Id` and `RELATION_FIELDS`).
    """
    there = list(rows)
    known = {row.get("RelationId") for row in there}
    bare = {(row.get("RelationType"), str(row.get("RelationAddress") or "").lower()): row for row in there
            if not row.get("RelationId")}  # fmt: skip
    found: list[WriteOp] = []
    for record in sorted(missing.keys() - known):
        kind = missing[record]
        addresses = sorted(address for address, one in match.addresses.items() if one == record)
        row = next((bare[kind, one] for one in addresses if (kind, one) in bare), None)
        fields: dict[str, Any] = {"RelationId": record}
        if row is None:
            fields |= {PARENT: mail_id, "RelationType": kind}
            fields |= {"RelationAddress": addresses[0]} if addresses else {}
        found.append(
            WriteOp(
                op_id=f"{match.activity_key}|relation|{record}",
                sobject=RELATION,
                verb=Verb.INSERT if row is None else Verb.UPDATE,
                key=None,
                fields=fields,
                reason=_REASON,
                record_id=str(row["Id"]) if row is not None else None,
                account_id=op.account_id,
                prior={"RelationId": None} if row is not None else {},
                after=insert_op_id(match.activity_key),
            )
        )
    return found
