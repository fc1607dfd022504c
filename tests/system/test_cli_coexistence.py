"""Beside another tool that writes mail and syncs events: what `sync` adopts, and what `doctor` says of the loop."""

from __future__ import annotations

from typing import Any

from system.cli_stage import Desk


def with_calendars(desk: Desk) -> None:
    google = desk.company.sandbox.info["google"]
    desk.change("google", calendar=True, calendar_url=google["calendar_url"].removesuffix("/calendar/v3/"))
    desk.change("writes", meetings=True, capture=True)
    desk.change("capture", backfill_days=5)


def checks(desk: Desk, code: int) -> dict[str, dict[str, Any]]:
    said = desk.run("doctor", "--json")
    assert said.code == code, said
    return {check["name"]: check for check in said.data}


def test_another_tools_mail_and_events_are_adopted_and_a_loop_stops_the_events_until_the_admin_decides(
    fresh: Desk,
) -> None:
    with_calendars(fresh)
    control = fresh.company.control
    told = fresh.run("sync", "--dry-run", "--json").data
    first = next(op for op in told["operations"] if op["sobject"] == "EmailMessage")
    identifier = first["fields"]["MessageIdentifier"]
    there = {"MessageIdentifier": identifier, "Status": "3", "MessageDate": first["fields"]["MessageDate"]}
    control("POST", "/org/rows", {"sobject": "EmailMessage", "rows": [there]})
    licence = {"MasterLabel": "Standard Einstein Activity Capture User", "UsedLicenses": 12, "Status": "Active"}
    control("POST", "/org/rows", {"sobject": "PermissionSetLicense", "rows": [licence]})
    package = {"NamespacePrefix": "cal", "Status": "Active"}
    control("POST", "/org/rows", {"sobject": "PackageLicense", "rows": [package]})
    said = fresh.run("sync")
    assert said.code == 0, said
    assert "already there by another tool, adopted: 1" in said.out
    rows = fresh.soql("SELECT Leakwatch_Key__c FROM EmailMessage WHERE MessageIdentifier = '" + identifier + "'")
    assert [row["Leakwatch_Key__c"] for row in rows] == [None]
    assert "adopted" in fresh.run("explain", identifier).out
    written = fresh.soql("SELECT Id FROM Event WHERE Leakwatch_Key__c LIKE 'lw1:e:%'")
    assert written
    carried = control("POST", "/calendar/sync", {"direction": "both", "marks": True})["carried"]
    assert carried["to_calendar"] >= len(written)
    said = fresh.run("sync")
    assert "No Event is written until capture.calendar_loop says" in said.out
    assert len(fresh.soql("SELECT Id FROM Event WHERE Leakwatch_Key__c LIKE 'lw1:e:%'")) == len(written)
    found = checks(fresh, 1)
    assert found["calendar loop"]["state"] == "bad"
    assert "Installed packages, one of which may be that tool: cal." in found["calendar loop"]["words"]
    assert "Standard Einstein Activity Capture User (12 users)" in found["Einstein Activity Capture"]["words"]
    assert "of the same owner, time and subject" in found["doubled Events"]["words"]
