"""Whom Events and Tasks name in Salesforce now, by their relations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from leakwatch.core.meeting_fields import EVENT
from leakwatch.ports import RecordFetcher

_RELATION = ("RelationId", "IsWhat")


def related_people(
    records: RecordFetcher, sobject: str, rows: Iterable[Mapping[str, Any]]
) -> Mapping[str, tuple[str, ...]]:
    """Return record id -> the contacts, or the lead, whom it names, `WhoId` first; its invitees are others.

    Left out are those whose relations are not shown to us whole: their `WhoId` is not among them.

    Args:
        records: reads relations.
        sobject: Event or Task.
        rows: the records, with `Id` and `WhoId`.

    Raises:
        AuthError, TransientError, BudgetError: the org can't be asked. RecordError: it does not show relations.
    """
    leads = {str(row["Id"]): row.get("WhoId") for row in rows}
    named = _relations(records, sobject, list(leads)) if leads else {}
    found: dict[str, tuple[str, ...]] = {}
    for record, lead in leads.items():
        people = sorted(named.get(record, ()))
        if not lead or lead in people:
            found[record] = tuple(dict.fromkeys((*([lead] if lead else []), *people)))
    return found


def _relations(records: RecordFetcher, sobject: str, ids: Sequence[str]) -> dict[str, list[str]]:
    parent = f"{sobject}Id"
    fields = (parent, *_RELATION, *(("IsParent",) if sobject == EVENT else ()))
    found: dict[str, list[str]] = {}
    for row in records.related(f"{sobject}Relation", parent, ids, fields):
        if not row["IsWhat"] and row.get("IsParent", True):
            found.setdefault(str(row[parent]), []).append(str(row["RelationId"]))
    return found
