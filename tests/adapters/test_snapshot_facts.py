"""Small questions to a snapshot: what the mirror lacks is no answer, and no error."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from leakwatch.model import Snapshot
from leakwatch.store.snapshot_facts import deleted_ids, notes, organization_name, users

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def snapshot(folder: Path, *statements: str) -> Snapshot:
    path = folder / "s.duckdb"
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return Snapshot("s", str(path), NOON, "00D", {}, {})


def test_of_an_empty_snapshot_nothing_is_known(tmp_path: Path) -> None:
    empty = snapshot(tmp_path)
    assert users(empty) == []
    assert deleted_ids(empty, "sf_lead", ["00Q1"]) == frozenset()
    assert organization_name(empty) == ""
    assert notes(empty) == ()


def test_only_rows_shown_as_deleted_are_deleted_and_without_that_column_none_is_known_to_be(tmp_path: Path) -> None:
    mirrored = snapshot(
        tmp_path,
        "CREATE TABLE sf_lead AS SELECT * FROM (VALUES ('a', true), ('b', false), ('c', true)) AS t (id, is_deleted)",
        "CREATE TABLE sf_contact AS SELECT 'a' AS id",
        "CREATE TABLE sf_organization AS SELECT '00D' AS id",
    )
    assert deleted_ids(mirrored, "sf_lead", ["a", "b"]) == {"a"}
    assert deleted_ids(mirrored, "sf_contact", ["a"]) == frozenset()
    assert organization_name(mirrored) == ""


def test_users_who_cannot_be_read_whole_are_an_error_because_nobody_would_be_on_the_roster(tmp_path: Path) -> None:
    with pytest.raises(duckdb.BinderException):
        users(snapshot(tmp_path, "CREATE TABLE sf_user AS SELECT '005' AS id"))
