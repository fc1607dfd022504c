"""What a snapshot takes over from the last one: the same as if everything had been worked out again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from leakwatch.core.tables import MirrorConfig
from leakwatch.store import mirror as mirror_module
from leakwatch.store.mirror import Mirror
from leakwatch.store.mirror_derive import DeriveSettings
from leakwatch.store.mirror_people import PEOPLE_TABLES
from leakwatch.store.snapshots import open_snapshot
from mirror_data import ISTANBUL, NOON, fields_of, shipped_config

ORG = "00D000000000001AAA"
PASSING = {"lw_snapshot", "lw_recipes"}  # a snapshot's own id, and versions drawn by chance

START: dict[str, list[dict[str, Any]]] = {
    "Account": [
        {"Id": "001000000000001AAA", "Name": "Şirket A.Ş.", "Website": "https://sirket.com.tr", "OwnerId": "005A"},
        {"Id": "001000000000002AAA", "Name": "Acme", "Website": None, "OwnerId": "005A"},
    ],
    "Contact": [
        {"Id": "003000000000001AAA", "Name": "Ali", "Email": "ali@sirket.com.tr", "AccountId": "001000000000001AAA"}
    ],
    "Lead": [
        {
            "Id": "00Q000000000001AAA",
            "Name": "Ayşe",
            "Status": "Yeni",
            "IsConverted": False,
            "OwnerId": "00G000000000001AAA",
        }
    ],
    "LeadStatus": [{"Id": "01J000000000001AAA", "ApiName": "Yeni", "MasterLabel": "Yeni", "IsConverted": False}],
    "Opportunity": [
        {
            "Id": "006000000000001AAA",
            "Name": "Deal",
            "AccountId": "001000000000001AAA",
            "StageName": "Faz 7",
            "Amount": 10.5,
            "CloseDate": "2026-04-02",
            "LastModifiedDate": "2026-03-30T10:00:00.000+0000",
            "SystemModstamp": "2026-03-30T10:00:00.000+0000",
        }
    ],
    "OpportunityStage": [
        {"Id": "01J000000000002AAA", "ApiName": "Faz 7", "MasterLabel": "Faz 7", "IsClosed": False, "IsWon": False}
    ],
    "Task": [
        {"Id": "00T000000000001AAA", "Status": "Bitti", "WhoId": "003000000000001AAA", "ActivityDate": "2026-03-30"}
    ],
    "TaskStatus": [{"Id": "01J000000000003AAA", "ApiName": "Bitti", "MasterLabel": "Bitti", "IsClosed": True}],
    "User": [
        {"Id": "005000000000001AAA", "Name": "Rep", "Email": "rep@us.com", "IsActive": True, "UserType": "Standard"}
    ],
}
Content = dict[str, list[str]]


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    with Mirror(tmp_path, shipped_config()) as opened:
        for sobject, rows in START.items():
            store(opened, sobject, *rows)
        yield opened


def store(mirror: Mirror, sobject: str, *rows: dict[str, Any], whole: bool = False) -> None:
    """Merge rows as a refresh does; whole: they are all there is."""
    put = mirror.replace if whole else mirror.merge
    put(sobject, rows, fields=fields_of(shipped_config(), sobject, rows), watermark=NOON)


def published(mirror: Mirror, now: datetime = NOON, settings: DeriveSettings = ISTANBUL) -> tuple[Content, set[str]]:
    """Derive and publish; return each table's rows, sorted, and the notes."""
    notes = mirror.derive(settings, now=now)
    with open_snapshot(Path(mirror.publish(now, ORG).path)) as connection:
        names = [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        content = {
            name: sorted(map(repr, connection.execute(f'SELECT * FROM "{name}"').fetchall()))
            for name in set(names) - PASSING
        }
    return content, {note.code for note in notes}


def contact(number: int, **values: Any) -> dict[str, Any]:
    return {**START["Contact"][0], "Id": f"00300000000000{number}AAA", **values}


CHANGES: dict[str, Callable[[Mirror], object]] = {
    "nothing": lambda _: None,
    "a contact comes": lambda m: store(m, "Contact", contact(2, Email="veli@acme.com", AccountId="001000000000002AAA")),
    "a contact moves": lambda m: store(m, "Contact", contact(1, AccountId="001000000000002AAA")),
    "a website changes": lambda m: store(m, "Account", {**START["Account"][1], "Website": "acme.com"}),
    "a stage is closed": lambda m: store(
        m, "OpportunityStage", {**START["OpportunityStage"][0], "IsClosed": True}, whole=True
    ),
    "a stage goes": lambda m: store(
        m, "OpportunityStage", {**START["OpportunityStage"][0], "ApiName": "Y", "MasterLabel": "Y"}, whole=True
    ),
    "a status is not done any more": lambda m: store(
        m, "TaskStatus", {**START["TaskStatus"][0], "IsClosed": False}, whole=True
    ),
    "a queue comes": lambda m: store(m, "Group", {"Id": "00G000000000001AAA", "Type": "Queue"}),
    "a lead status closes": lambda m: store(
        m, "LeadStatus", {**START["LeadStatus"][0], "IsConverted": True}, whole=True
    ),
    "a row goes": lambda m: m.delete("Contact", ["003000000000001AAA"]),
    "an object goes": lambda m: m.drop("Group"),
    "a field is hidden": lambda m: store(m, "User", {"Id": "005000000000001AAA", "Email": "rep@us.com"}),
    "doubles are dropped": lambda m: m.drop_doubles("Contact"),
}


# Told at which moment, and of which settings, beside what changed in the org.
MOMENTS: dict[str, tuple[datetime, DeriveSettings]] = {
    "another zone": (NOON, replace(ISTANBUL, time_zone="America/New_York")),
    "another currency": (NOON, replace(ISTANBUL, default_currency="EUR")),
    "an hour later": (NOON + timedelta(hours=1), ISTANBUL),
    "a day later": (NOON + timedelta(days=1), ISTANBUL),
    "after the close date": (NOON + timedelta(days=3), ISTANBUL),
}


def test_whatever_changed_the_next_snapshot_is_as_if_worked_out_anew(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(mirror)
    for what in [*CHANGES, *MOMENTS]:
        CHANGES.get(what, lambda _: None)(mirror)
        now, settings = MOMENTS.get(what, (NOON, ISTANBUL))
        taken_over = published(mirror, now, settings)
        with monkeypatch.context() as patched:
            patched.setattr(mirror_module, "newest_snapshot", lambda _folder: None)
            assert taken_over == published(mirror, now, settings), what


def test_another_mirror_file_is_seen_at_once(mirror: Mirror, tmp_path: Path) -> None:
    published(mirror)
    mirror.close()
    roles = replace(shipped_config().opportunity, stage_meanings={"won": ("Faz 7",)})
    config: MirrorConfig = replace(shipped_config(), opportunity=roles)
    with Mirror(tmp_path, config) as anew:
        rows, _ = published(anew)
    assert "'won'" in rows["sf_opportunity"][0]


def made_anew(mirror: Mirror) -> set[str]:
    """Return the tables that the next derivation works out, by what DuckDB is told to make."""
    told: list[str] = []

    class Listening:
        def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
            self._connection = connection

        def execute(self, sql: str, *values: Any) -> Any:
            told.append(sql)
            return self._connection.execute(sql, *values)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

    quiet = mirror._connection
    mirror._connection = Listening(quiet)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        mirror.derive(ISTANBUL, now=NOON)
    finally:
        mirror._connection = quiet
    mirror.publish(NOON, ORG)
    made = {sql.split('"')[1] for sql in told if sql.startswith('CREATE TABLE next.main."') and "last.main" not in sql}
    return made | {name for name in PEOPLE_TABLES if any(f"CREATE TABLE next.main.{name} (" in sql for sql in told)}


def test_what_did_not_change_is_not_worked_out_again(mirror: Mirror) -> None:
    assert len(made_anew(mirror)) == len(START) + len(PEOPLE_TABLES)
    assert made_anew(mirror) == set()
    store(mirror, "TaskStatus", {**START["TaskStatus"][0], "IsClosed": False}, whole=True)
    assert made_anew(mirror) == {"sf_task_status", "sf_task"}
    store(mirror, "Contact", contact(3))
    assert made_anew(mirror) == {"sf_contact", *PEOPLE_TABLES}


def test_reading_the_same_whole_table_again_changes_nothing(mirror: Mirror) -> None:
    store(mirror, "OpportunityStage", *START["OpportunityStage"], whole=True)
    before = mirror.versions()
    store(mirror, "OpportunityStage", *START["OpportunityStage"], whole=True)
    assert mirror.versions() == before
    assert mirror.ids("OpportunityStage") == {"01J000000000002AAA"}


def test_a_row_that_is_read_again_as_it_is_changes_nothing(mirror: Mirror) -> None:
    before = mirror.versions()
    store(mirror, "Contact", START["Contact"][0])
    assert mirror.versions() == before
    store(mirror, "Contact", START["Contact"][0], contact(2))
    assert mirror.versions()["sf_contact"] != before["sf_contact"]
    assert mirror.ids("Contact") == {"003000000000001AAA", "003000000000002AAA"}


def test_a_last_snapshot_that_is_damaged_or_of_an_earlier_version_is_not_used(mirror: Mirror, tmp_path: Path) -> None:
    before, _ = published(mirror)
    newest = max((tmp_path / "snapshots").glob("*.duckdb"))
    newest.write_bytes(b"no database")
    after, _ = published(mirror)
    assert after == before
    newest = max((tmp_path / "snapshots").glob("*.duckdb"))
    with duckdb.connect(str(newest)) as connection:
        connection.execute("DROP TABLE lw_recipes")
    again, _ = published(mirror)
    assert again == before
