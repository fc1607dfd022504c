"""The mirror against the emulated org: what comes late, what is deleted for good, and what a dry run says before."""

from __future__ import annotations

import duckdb

from system.cli_stage import Desk


def mirrored(desk: Desk, table: str, condition: str = "TRUE") -> set[str]:
    newest = max((desk.folder / "state" / "mirror" / "snapshots").glob("*.duckdb"))
    with duckdb.connect(str(newest), read_only=True) as connection:
        return {row[0] for row in connection.execute(f"SELECT id FROM {table} WHERE {condition}").fetchall()}


def test_what_was_deleted_for_good_leaves_the_mirror_by_the_next_refresh(desk: Desk) -> None:
    assert desk.run("mirror").code == 0
    leads = sorted(mirrored(desk, "sf_lead", "NOT is_deleted"))
    desk.company.control("POST", "/org/purge", {"sobject": "Lead", "ids": leads[:2]})
    desk.company.control("DELETE", "/ledger")
    said = desk.run("mirror", "--json")
    assert {table["sobject"]: table["deleted"] for table in said.data["tables"]}["Lead"] == 2
    assert mirrored(desk, "sf_lead", "NOT is_deleted") == set(leads[2:])
    calls = desk.company.control("GET", "/ledger")["requests"]["salesforce"]
    assert [name for name in calls if "deleted" in name] == [], "all delete logs came in one Composite call"


def test_what_was_committed_late_is_in_the_mirror_by_the_next_refresh(desk: Desk) -> None:
    assert desk.run("mirror").code == 0
    before = desk.company.control("GET", "/clock")["now"]
    desk.company.control("POST", "/clock", {"advance_seconds": 300})
    assert desk.run("mirror").code == 0
    known = mirrored(desk, "sf_lead")
    row = {"LastName": "Late", "Company": "L", "SystemModstamp": before}
    desk.company.control("POST", "/org/rows", {"sobject": "Lead", "rows": [row]})
    desk.company.control("POST", "/clock", {"advance_seconds": 60})
    assert desk.run("mirror").code == 0
    assert len(mirrored(desk, "sf_lead") - known) == 1
