"""`doctor`: each prerequisite that is not met is one check with its fix, and its exit code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from system.cli_stage import Company, Desk, fresh_desk


def examined(desk: Desk, code: int) -> dict[str, dict[str, Any]]:
    """The checks by name; every bad one has a fix."""
    said = desk.run("doctor", "--json")
    assert said.code == code, said
    for check in said.data:
        assert check["words"]
        if check["state"] == "bad":
            assert check["fix"], check
    return {check["name"]: check for check in said.data}


def test_a_good_org_has_nothing_to_mend_and_nothing_is_written(fresh: Desk) -> None:
    org = fresh.dump()
    checks = examined(fresh, 0)
    assert {check["state"] for check in checks.values()} <= {"ok", "note"}
    assert checks["Salesforce token"]["state"] == "ok"
    assert checks["sample mailbox"]["state"] == "ok"
    assert "the first sync reads those of" in checks["sample mailbox"]["words"]
    assert fresh.dump() == org
    assert not fresh.writes()
    said = fresh.run("doctor")
    assert said.out.splitlines()[-1] == f"all {len(said.out.splitlines()) - 1 - said.out.count('-> ')} checks passed"


def test_employees_without_a_notice_are_noted_with_the_setting(fresh: Desk) -> None:
    noted = [
        check for check in fresh.run("doctor", "--json").data if check["name"] == "notice" and check["state"] == "note"
    ]
    told = set(fresh.mailboxes())
    assert noted
    assert not {check["words"].split(":")[0] for check in noted} & told
    assert all("capture.notices" in check["fix"] for check in noted)


def test_missing_credentials_are_each_a_check_and_google_is_looked_at_all_the_same(fresh: Desk) -> None:
    fresh.change("salesforce", client_id="", username="")
    said = fresh.run("doctor", "--json")
    assert said.code == 3
    words = " ".join(check["words"] for check in said.data if check["state"] == "bad")
    assert "salesforce.client_id" in words
    assert "salesforce.username" in words
    assert any(check["name"] == "rules" and check["state"] == "ok" for check in said.data)


@pytest.mark.parametrize(
    ("fault", "name", "code"),
    [
        ({"service": "salesforce", "match": "/services/data/", "status": 503}, "Salesforce", 75),
        ({"service": "salesforce", "match": "/services/data/", "status": 401}, "Salesforce", 3),
        ({"service": "salesforce", "match": "/services/data/", "status": 403}, "Salesforce", 75),
        ({"service": "google", "match": "/admin/directory", "status": 503}, "Google", 75),
        (
            {"service": "google", "match": "POST /token", "status": 401, "body": {"error": "unauthorized_client"}},
            "Google",
            3,
        ),
    ],
)
def test_a_service_that_fails_is_one_bad_check_and_the_other_service_is_examined(
    fresh: Desk, fault: Mapping[str, Any], name: str, code: int
) -> None:
    fresh.fault(**fault)
    checks = examined(fresh, code)
    assert checks[name]["state"] == "bad"
    assert [check["name"] for check in checks.values() if check["state"] == "bad"] == [name], "nobody else is blamed"
    if name == "Google":
        assert checks["Salesforce token"]["state"] == "ok"
    else:
        assert checks["Directory"]["state"] == "ok"
        assert "Salesforce" in checks["mailboxes"]["words"]


def test_a_mailbox_that_refuses_is_told_with_delegation_as_the_fix(fresh: Desk) -> None:
    body = {"error": {"code": 403, "message": "Delegation denied", "errors": [{"reason": "delegationDenied"}]}}
    fresh.fault(service="google", match="/profile", status=403, body=body)
    checks = examined(fresh, 3)
    assert checks["sample mailbox"]["state"] == "bad"
    assert "domain-wide delegation" in checks["sample mailbox"]["fix"]


def test_an_org_without_our_fields_is_bad_while_writes_are_on_and_a_note_while_they_are_off(
    bare: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = fresh_desk(bare, tmp_path / "desk", monkeypatch)
    checks = examined(desk, 1)
    for name in ("Task.Leakwatch_Key__c", "EmailMessage.Leakwatch_Key__c"):
        assert checks[name]["state"] == "bad"
        assert "Deploy the salesforce/ folder" in checks[name]["fix"]
    desk.change("writes", capture=False, salesforce_task=False, chatter_post=False)
    checks = examined(desk, 0)
    assert checks["Task.Leakwatch_Key__c"]["state"] == "note"


def test_a_clock_that_is_wrong_and_a_zone_that_is_not_the_orgs_are_noted(fresh: Desk) -> None:
    from datetime import timedelta

    fresh.change("company", time_zone="Europe/London", domains=[])
    fresh.go_to(fresh.now + timedelta(hours=3))
    checks = examined(fresh, 3)
    assert checks["clock"]["state"] == "note"
    assert "Europe/Istanbul" in checks["time zone"]["fix"]
    assert checks["company.domains"]["state"] == "bad"


def test_a_key_file_that_others_may_read_is_bad_with_the_command_that_mends_it(fresh: Desk, tmp_path: Path) -> None:
    key = tmp_path / "copy.key"
    key.write_bytes(Path(fresh.settings["salesforce"]["private_key_file"]).read_bytes())
    key.chmod(0o640)
    fresh.change("salesforce", private_key_file=str(key))
    checks = examined(fresh, 3)
    assert f"chmod 600 {key}" in checks["Salesforce"]["words"]


def test_no_mailbox_source_is_a_note(fresh: Desk) -> None:
    fresh.change("google", enabled=False)
    checks = examined(fresh, 0)
    assert checks["Google"]["state"] == "note"
    assert "google.enabled" in checks["Google"]["fix"]
