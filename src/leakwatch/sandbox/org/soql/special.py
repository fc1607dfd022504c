"""Selectable fields that no column holds: related people, compound addresses, open activities."""

from __future__ import annotations

from functools import lru_cache

import sqlglot
from sqlglot import exp

from leakwatch.sandbox.org.schema import Field, SObject

JUNCTIONS = {"ToIds": "ToAddress", "CcIds": "CcAddress", "BccIds": "BccAddress"}
"""EmailMessage's lists of people, and the relation type each stands for."""
ADDRESS_PARTS = ("City", "Country", "GeocodeAccuracy", "Latitude", "Longitude", "PostalCode", "State", "Street")

_JUNCTION = (
    "(SELECT json_group_array(r.RelationId) FROM EmailMessageRelation AS r "
    "WHERE r.EmailMessageId = {table}.Id AND r.RelationType = '{kind}' "
    "AND r.RelationId IS NOT NULL AND r.IsDeleted = 0)"
)
_WHO_IDS = (
    "(SELECT CASE WHEN {table}.WhoId IS NULL THEN '[]' WHEN COUNT(*) = 0 THEN json_array({table}.WhoId) "
    "ELSE '[\"' || {table}.WhoId || '\",' || substr(json_group_array(w.RelationId), 2) END "
    "FROM {name}WhoRelation AS w WHERE w.{name}Id = {table}.Id AND w.RelationId <> {table}.WhoId)"
)
"""People of an activity, the first of them first; the order of the others is unverified."""
_OPEN_TASK = "EXISTS (SELECT 1 FROM Task AS a WHERE a.WhatId = {table}.Id AND a.IsClosed = 0 AND a.IsDeleted = 0{more})"
_OPEN_EVENT = (
    " OR EXISTS (SELECT 1 FROM Event AS a WHERE a.WhatId = {table}.Id AND a.IsDeleted = 0 "
    "AND a.ActivityDate >= '{today}')"
)


def special(sobject: SObject, field: Field, table: str, today: str) -> exp.Expr | None:
    """The SQL of such a field, None for one that a column holds."""
    if field.name in ("TaskWhoIds", "EventWhoIds"):
        return _sql(_WHO_IDS.format(table=table, name=sobject.name))
    if field.type == "junction":
        return _sql(_JUNCTION.format(table=table, kind=JUNCTIONS[field.name]))
    if field.type == "address":
        return _sql(_address(sobject, field, table))
    if sobject.name == "Opportunity" and field.name == "HasOpenActivity":
        return _sql((_OPEN_TASK + _OPEN_EVENT).format(table=table, more="", today=today))
    if sobject.name == "Opportunity" and field.name == "HasOverdueTask":
        return _sql(_OPEN_TASK.format(table=table, more=f" AND a.ActivityDate < '{today}'"))
    return None


def _address(sobject: SObject, field: Field, table: str) -> str:
    stem = field.name.removesuffix("Address")
    parts = [part for part in ADDRESS_PARTS if stem + part in sobject.fields]
    pairs = ", ".join(f"'{part[0].lower()}{part[1:]}', {table}.{stem}{part}" for part in parts)
    known = ", ".join(f"{table}.{stem}{part}" for part in parts)
    return f"CASE WHEN COALESCE({known}) IS NULL THEN NULL ELSE json_object({pairs}) END"


@lru_cache(maxsize=256)
def _parsed(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql, dialect="sqlite")


def _sql(sql: str) -> exp.Expr:
    return exp.paren(_parsed(sql).copy(), copy=False)
