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


def files(desk: Desk) -> dict[str, bytes]:
    """Everything on disk but the state file, in which a dry run leaves that it ran."""
    found = (path for path in desk.folder.rglob("*") if path.is_file() and not path.name.startswith("state.db"))
    return {str(path): path.read_bytes() for path in found}


def test_a_dry_run_counts_what_the_next_refresh_reads_and_stores_none_of_it(desk: Desk) -> None:
    before = files(desk)
    planned = desk.run("mirror", "--dry-run", "--json").data
    assert files(desk) == before
    desk.company.control("DELETE", "/ledger")
    read = desk.run("mirror", "--json").data
    assert [table["rows"] or 0 for table in planned["tables"]] == [table["rows"] for table in read["tables"]]
    calls = desk.company.control("GET", "/ledger")["requests"]["salesforce"]
    besides = 4  # the token, and three calls that find out about the org
    assert planned["calls"] == sum(calls.values()) - besides


def test_a_dry_run_of_the_report_names_its_files_and_writes_none(desk: Desk) -> None:
    before = files(desk)
    said = desk.run("report", "--dry-run")
    assert said.code == 0
    assert files(desk) == before
    named = [line.split(": ", 1)[1] for line in said.err.splitlines() if line.startswith("would write: ")]
    assert desk.run("report").out == said.out
    written = sorted(path for path in files(desk) if path not in before)
    assert written == sorted(named)
