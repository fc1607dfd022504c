"""Questions to a snapshot that was made of whatever an export had."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from leakwatch.model import Snapshot
from leakwatch.store.snapshot_facts import UserFact, users


def snapshot(folder: Path, statement: str) -> Snapshot:
    path = folder / "snapshot.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(statement)
    return Snapshot("s", str(path), datetime(2026, 3, 2, tzinfo=UTC), "00D", {}, {})


@pytest.mark.parametrize(
    ("columns", "known"),
    [
        ("'005A' AS id, 'Işıl' AS name", UserFact("005A", "", "Işıl", "", True, None)),
        ("'005A' AS id, 'A@B.example' AS email", UserFact("005A", "", "", "a@b.example", True, None)),
        (
            "'005A' AS id, 'u' AS username, 'N' AS name, 'e' AS email, FALSE AS is_active, '005B' AS manager_id",
            UserFact("005A", "u", "N", "e", False, "005B"),
        ),
        ("'005A' AS id, 'CsnOnly' AS user_type", UserFact("005A", "", "", "", True, None, "CsnOnly")),
    ],
)
def test_users_of_an_export_are_known_as_far_as_its_columns_go(tmp_path: Path, columns: str, known: UserFact) -> None:
    assert users(snapshot(tmp_path, f"CREATE TABLE sf_user AS SELECT {columns}")) == [known]


@pytest.mark.parametrize(
    ("user_type", "ours"),
    [("Standard", True), ("", True), ("PowerCustomerSuccess", False), ("CSPLitePortal", False), ("CsnOnly", False)],
)
def test_only_standard_users_are_our_own_people_as_far_as_salesforce_says(user_type: str, ours: bool) -> None:
    assert UserFact("005A", "u", "N", "e", True, None, user_type).is_ours is ours


@pytest.mark.parametrize("statement", ["SELECT 1", "CREATE TABLE sf_user AS SELECT 'Işıl' AS name"])
def test_without_users_or_their_ids_nobody_is_known(tmp_path: Path, statement: str) -> None:
    assert users(snapshot(tmp_path, statement)) == []
