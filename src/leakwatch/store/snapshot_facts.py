"""Small questions to a published snapshot, asked outside the rules: who works here, what was deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from leakwatch.core.report_inputs import Note
from leakwatch.model import Snapshot, Text
from leakwatch.store.mirror_meanings import STANDARD_USER
from leakwatch.store.snapshots import open_snapshot


@dataclass(frozen=True, slots=True)
class UserFact:
    """One Salesforce user as mirrored."""

    user_id: str
    username: str
    name: str
    email: str
    is_active: bool
    manager_id: str | None
    user_type: str = ""  # Salesforce's UserType; empty where it is not known

    @property
    def is_ours(self) -> bool:
        """Whether this is one of our own people, as far as Salesforce says (see `STANDARD_USER`)."""
        return self.user_type in ("", STANDARD_USER)


def users(snapshot: Snapshot) -> list[UserFact]:
    """Return every mirrored user, inactive ones too; none if the object could not be read.

    What an export leaves out is empty, and who is not said to be inactive counts as active.
    """
    names = ("id", "username", "name", "email", "is_active", "manager_id", "user_type")
    there = {str(row[0]) for row in _ask(snapshot, "DESCRIBE sf_user")}
    asked = ", ".join(name if name in there else f"NULL AS {name}" for name in names)
    rows = _ask(snapshot, f"SELECT {asked} FROM sf_user ORDER BY id") if "id" in there else []  # noqa: S608  own names
    return [
        UserFact(
            str(row[0]),
            str(row[1] or ""),
            str(row[2] or ""),
            str(row[3] or "").lower(),
            row[4] is not False,
            row[5],
            str(row[6] or ""),
        )
        for row in rows
    ]


def deleted_ids(snapshot: Snapshot, table: str, ids: Sequence[str]) -> frozenset[str]:
    """Return those of `ids` that `table` (a mirror table's own name) shows as deleted."""
    if not ids:
        return frozenset()
    query = f"SELECT id FROM {table} WHERE is_deleted AND id IN (SELECT unnest(?::VARCHAR[]))"  # noqa: S608
    return frozenset(str(row[0]) for row in _ask_if_there(snapshot, query, list(ids)))


def closed_after(snapshot: Snapshot, day: date) -> int:
    """Return how many deals came into their final stage after `day` (in the org's time zone); 0 if nobody can tell."""
    query = "SELECT count(*) FROM sf_opportunity WHERE stage_meaning <> 'open' AND stage_changed_on > ?"
    rows = _ask_if_there(snapshot, query, day)
    return int(rows[0][0]) if rows else 0


def organization_name(snapshot: Snapshot) -> str:
    """Return the company's name, or an empty text."""
    rows = _ask_if_there(snapshot, "SELECT name FROM sf_organization LIMIT 1")
    return str(rows[0][0] or "") if rows else ""


def account_names(snapshot: Snapshot, ids: Iterable[str | None]) -> dict[str, str]:
    """Return account id -> name for those of `ids` that the mirror knows by name."""
    wanted = sorted({one for one in ids if one})
    if not wanted:
        return {}
    query = "SELECT id, name FROM sf_account WHERE name <> '' AND id IN (SELECT unnest(?::VARCHAR[]))"
    return {str(row[0]): str(row[1]) for row in _ask_if_there(snapshot, query, wanted)}


def notes(snapshot: Snapshot) -> tuple[Note, ...]:
    """Return what had to be assumed when the snapshot was built."""
    rows = _ask(snapshot, "SELECT code, level, en, tr FROM lw_notes ORDER BY table_name, code, en")
    return tuple(
        Note(code, Text(en, tr), "warning" if level == "warning" else "assumption") for code, level, en, tr in rows
    )


def _ask(snapshot: Snapshot, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return the rows of `query`; none if the mirror lacks the table, because the org does not show it."""
    with open_snapshot(Path(snapshot.path)) as connection:
        try:
            return connection.execute(query, list(values)).fetchall()
        except duckdb.CatalogException:
            return []


def _ask_if_there(snapshot: Snapshot, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return the rows of `query`; none if the mirror lacks the table or one of its columns."""
    try:
        return _ask(snapshot, query, *values)
    except duckdb.BinderException:
        return []
