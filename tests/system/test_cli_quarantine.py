"""An alert that Salesforce refuses: named, counted as not told, and sent once a person has released it."""

from __future__ import annotations

from pathlib import Path

import pytest

from leakwatch.app import planning
from system.cli_stage import Desk, invoke

REFUSAL = [{"message": "Give a reason first", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION"}]


def test_a_refused_alert_is_named_explained_and_sent_after_its_release(desk: Desk) -> None:
    assert desk.run("mirror").code == 0
    assert desk.run("audit").code == 0
    desk.fault(service="salesforce", match="POST .*/composite/sobjects$", status=400, body=REFUSAL)
    said = desk.run("act")
    assert said.code == 1
    assert "quarantine retry" in said.err
    desk.company.control("DELETE", "/faults")
    listed = desk.run("quarantine", "list", "--json").data
    assert listed
    assert {entry["code"] for entry in listed} == {"FIELD_CUSTOM_VALIDATION_EXCEPTION"}
    key = listed[0]["key"]
    assert key in desk.run("quarantine", "list").out
    assert "Give a reason first" in desk.run("explain", key.split(":")[2]).out
    assert desk.run("act", "--json").data["tasks_made"] == 0
    assert desk.run("quarantine", "retry", key, "lw1:f:none").code == 1  # the second key is no quarantined one
    assert desk.run("quarantine", "retry", *[entry["key"] for entry in listed[1:]]).code == 0
    assert desk.run("quarantine", "list", "--json").data == []
    made = desk.run("act", "--json").data
    assert (made["tasks_made"], made["failed"]) == (len(listed), [])


@pytest.mark.parametrize(("refused", "code"), [([], 0), (["lw1:f:1: FIELD_CUSTOM_VALIDATION_EXCEPTION: no"], 1)])
def test_applying_a_plan_fails_when_a_part_of_it_was_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: list[str], code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(planning, "load_plan", lambda file: None)
    monkeypatch.setattr(planning, "apply_plan", lambda parts, plan: planning.Applied(written=1, refused=refused))
    said = invoke("apply", "plan.json")
    assert said.code == code
    assert ("quarantine list" in said.err) is bool(refused)
