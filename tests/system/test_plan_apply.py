"""`plan` shows what `sync` and `act` would write, op by op; `apply` writes exactly that."""

from __future__ import annotations

import json
import sqlite3
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

from system.cli_stage import Desk

KEYS = "SELECT Id, Leakwatch_Key__c FROM {} WHERE Leakwatch_Key__c LIKE 'lw1:%'"
ALERT = "lw1:f:"
ORG = "00D5e000000LeakEAC"  # of the shipped worlds


def keys(desk: Desk, sobject: str) -> set[str]:
    return {row["Leakwatch_Key__c"] for row in desk.soql(KEYS.format(sobject))}


def posts(desk: Desk) -> int:
    return len(desk.soql("SELECT Id FROM FeedItem"))


def counted(desk: Desk) -> tuple[set[str], set[str], int]:
    """What leakwatch made in the org: mails, alert Tasks, posts."""
    alerts = {key for key in keys(desk, "Task") if key.startswith(ALERT)}
    return keys(desk, "EmailMessage"), alerts, posts(desk)


def planned(desk: Desk, file: Path) -> dict[str, Any]:
    said = desk.run("plan", "-o", file, "--json")
    assert said.code == 0, said
    assert json.loads(file.read_text(encoding="utf-8")) == said.data
    return said.data


def op_ids(plan: dict[str, Any], flow: str) -> list[str]:
    return sorted(write["op_id"] for write in plan["writes"] if write["flow"] == flow)


def written_by(desk: Desk, flow: str) -> list[dict[str, Any]]:
    """The writes of the flow's newest run, without the Tasks that follow from a mail (a plan names them by a note)."""
    (run,) = desk.run("runs", "list", "--flow", flow, "--limit", "1", "--json").data
    writes = desk.run("runs", "show", run["run_id"], "--json").data["writes"]
    return [write for write in writes if write["op"]["after"] is None]


def test_a_plan_writes_nothing_and_shows_op_by_op_what_sync_and_act_then_write(desk: Desk, tmp_path: Path) -> None:
    org, file = desk.dump(), tmp_path / "plan.json"
    file.write_text("an older plan that everybody may read", encoding="utf-8")
    file.chmod(0o644)
    plan = planned(desk, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600  # it holds names and subjects
    assert [path.name for path in tmp_path.iterdir() if "plan" in path.name] == ["plan.json"]
    assert desk.dump() == org
    assert desk.writes() == {}
    assert op_ids(plan, "capture")
    assert op_ids(plan, "act")
    for verb in ("sync", "audit", "act"):
        assert desk.run(verb).code == 0
    for flow in ("capture", "act"):
        written = written_by(desk, flow)
        assert sorted(write["op"]["op_id"] for write in written) == op_ids(plan, flow)
        shown = {write["op_id"]: (write["sobject"], write["verb"], write["fields"]) for write in plan["writes"]}
        for write in written:
            sobject, verb, fields = shown[write["op"]["op_id"]]
            assert (sobject, verb) == (write["op"]["sobject"], write["op"]["verb"])
            assert fields.keys() == write["op"]["fields"].keys()


def test_apply_writes_exactly_the_plan_and_applied_again_writes_nothing(desk: Desk, tmp_path: Path) -> None:
    mails, alerts, feed = counted(desk)
    plan = planned(desk, tmp_path / "plan.json")
    desk.go_to(desk.now + timedelta(minutes=20))
    said = desk.run("apply", tmp_path / "plan.json", "--json")
    assert said.code == 0, said
    applied = said.data
    after_mails, after_alerts, after_feed = counted(desk)
    want = plan["writes"]
    assert len(after_mails - mails) == sum(write["sobject"] == "EmailMessage" for write in want)
    assert len(after_alerts - alerts) == sum(write["flow"] == "act" and write["sobject"] == "Task" for write in want)
    assert after_feed - feed == sum(write["verb"] == "post" for write in want)
    assert desk.mails_there() == desk.mails_due()
    assert (applied["changed"], applied["refused"], applied["no_longer"], applied["unplanned"]) == ([], [], [], 0)
    org = desk.dump()
    again = desk.run("apply", tmp_path / "plan.json", "--json").data
    assert desk.dump() == org
    assert again["written"] == 0
    assert sorted(again["no_longer"]) == sorted(write["op_id"] for write in want)


def test_a_mail_that_arrives_after_the_plan_is_not_written_by_apply_and_then_by_sync(
    desk: Desk, tmp_path: Path
) -> None:
    plan = planned(desk, tmp_path / "plan.json")
    due = desk.mails_due()
    while desk.mails_due() == due:  # the world plays on until somebody writes
        desk.now += timedelta(hours=6)
        desk.company.control("POST", "/clock", {"to": desk.now.isoformat()})
    desk.go_to(desk.now + timedelta(minutes=10))
    applied = desk.run("apply", tmp_path / "plan.json", "--json").data
    assert desk.mails_there() == due
    assert applied["unplanned"] >= 1
    assert len(plan["writes"]) > 0
    assert desk.run("sync").code == 0
    assert desk.mails_there() == desk.mails_due() > due


def test_a_leak_fixed_after_the_plan_is_left_out(desk: Desk, tmp_path: Path) -> None:
    plan = planned(desk, tmp_path / "plan.json")
    late = next(write for write in plan["writes"] if str(write["fields"].get("WhatId", "")).startswith("006"))
    deal = late["fields"]["WhatId"]
    about = [
        w["op_id"] for w in plan["writes"] if deal in (w["fields"].get("WhatId"), w["fields"].get("subjectNameOrId"))
    ]
    fields = {"CloseDate": "2027-01-01"}
    desk.patch_record("Opportunity", deal, **fields)
    applied = desk.run("apply", tmp_path / "plan.json", "--json").data
    assert set(about) & set(applied["no_longer"])
    assert late["op_id"] not in {write["op"]["op_id"] for write in written_by(desk, "act")}
    assert applied["written"] >= len(plan["writes"]) - len(about)


def test_a_write_that_would_differ_from_the_plan_is_named_and_not_written(desk: Desk, tmp_path: Path) -> None:
    plan = planned(desk, tmp_path / "plan.json")
    desk.change("company", language="tr")  # every alert would now have another text than the plan shows
    said = desk.run("apply", tmp_path / "plan.json", "--json")
    assert sorted(said.data["changed"]) == op_ids(plan, "act")
    assert written_by(desk, "act") == []
    assert said.data["written"] > 0  # mails have no language
    said = desk.run("apply", tmp_path / "plan.json")
    assert "differ now from the plan" in said.out
    assert "make a new plan" in said.out


def test_what_apply_held_back_is_no_failure_and_is_sent_by_a_later_run(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    plan = planned(desk, file)
    mine = [write for write in plan["writes"] if write["flow"] == "act"]
    kept = {**plan, "writes": [write for write in plan["writes"] if write["flow"] == "capture"] + mine[:1]}
    file.write_text(json.dumps(kept), encoding="utf-8")  # a reviewer struck the others out
    for _ in range(2):
        assert desk.run("apply", file).code == 0
    status = desk.run("status", "--json").data
    assert status["undelivered"] == len(mine) - 1
    assert status["quarantined"] == 0
    assert tries(desk) == {0, 1}  # one was sent, for the others no try was counted
    _, alerts, feed = counted(desk)
    acted = desk.run("act", "--json").data
    assert acted["failed"] == []
    assert acted["tasks_made"] + acted["posts_made"] == len(mine) - 1
    _, after, feed_after = counted(desk)
    assert len(after - alerts) + feed_after - feed == len(mine) - 1
    assert desk.run("status", "--json").data["undelivered"] == 0


def tries(desk: Desk) -> set[int]:
    """How often leakwatch says it tried each message."""
    with sqlite3.connect(desk.folder / "state" / "state.db") as connection:
        return {row[0] for row in connection.execute("SELECT attempts FROM deliveries")}


def by_hand(**changes: Any) -> str:
    """A plan file as `plan -o` writes it, with one captured mail."""
    write = {"op_id": "lw1:m:0|insert", "flow": "capture", "sobject": "EmailMessage", "verb": "insert", "reason": "",
             "fields": {}, "digest": "", "record_id": None}  # fmt: skip
    plan = {"made_at": "2026-03-05T02:00:00+00:00", "org_id": ORG, "writes": [write], "format": "leakwatch-plan/1"}
    return json.dumps({**plan, "notes": [], **changes})


def test_a_plan_for_another_org_or_of_another_make_is_refused(desk: Desk, tmp_path: Path) -> None:
    file, org = tmp_path / "plan.json", desk.dump()
    for content, code, words in (
        (by_hand(org_id="00D000000000001AAA"), 3, "is for the org 00D000000000001AAA"),
        (by_hand(format="leakwatch-plan/9"), 2, "leakwatch-plan/9"),
        ('{"hello": 1}', 2, "not a plan"),
        ("[]", 2, "not a plan"),
        (by_hand(writes=[{"op_id": 1}]), 2, "not a plan"),
        ("no json", 2, "not a plan"),
    ):
        file.write_text(content, encoding="utf-8")
        said = desk.run("apply", file)
        assert (said.code, said.out) == (code, ""), content
        assert words in said.words
        assert "Nothing was" in said.words
    assert desk.run("apply", tmp_path / "gone.json").code == 2
    assert desk.dump() == org


def test_a_plan_that_cannot_be_saved_is_an_error(desk: Desk, tmp_path: Path) -> None:
    said = desk.run("plan", "-o", tmp_path / "no" / "such" / "folder.json")
    assert (said.code, said.out) == (3, "")
    assert "can't be written" in said.words


def test_a_plan_is_not_applied_while_its_switch_is_off(desk: Desk, tmp_path: Path) -> None:
    desk.change("writes", capture=False)
    said = desk.run("plan")
    first, *rest = said.out.splitlines()
    assert f"writes planned for the org {ORG}" in first
    assert any(line.startswith("  capture: insert EmailMessage: ") for line in rest)
    assert any(line.startswith("  act: insert Task: ") for line in rest)
    assert any(line.startswith("note: writes.capture is off") for line in rest)
    org = desk.dump()
    (tmp_path / "plan.json").write_text(by_hand(), encoding="utf-8")
    said = desk.run("apply", tmp_path / "plan.json")
    assert said.code == 3
    assert "writes.capture" in said.words
    assert "Nothing was written" in said.words
    assert desk.dump() == org
