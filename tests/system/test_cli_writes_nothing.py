"""Dry runs, switches that are off, and logs: what must not be written, and where."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from system.cli_stage import Company, Desk, fresh_desk, tables


@pytest.mark.parametrize("verb", ["sync", "audit", "act"])
def test_a_dry_run_stores_nothing_and_writes_nothing(desk: Desk, verb: str) -> None:
    if verb == "act":
        assert desk.run("mirror").code == desk.run("audit").code == 0  # so that there is somebody to tell
    if verb == "audit":
        assert desk.run("mirror").code == 0
    state, org = tables(desk), desk.dump()
    said = desk.run(verb, "--dry-run", "--json")
    assert said.code == 0, said
    assert tables(desk) == state
    assert desk.dump() == org
    assert desk.writes() == {}


def test_a_dry_run_names_what_the_next_run_writes(desk: Desk) -> None:
    planned = desk.run("sync", "--dry-run", "--json").data["operations"]
    assert planned
    org = {row["Id"] for row in mails(desk)}
    assert desk.run("sync").code == 0
    fresh = [row for row in mails(desk) if row["Id"] not in org]
    assert desk.mails_there() == desk.mails_due()
    assert sorted(op["key"] for op in planned) == sorted(row["Leakwatch_Key__c"] for row in fresh)


def test_the_mirror_only_reads(desk: Desk) -> None:
    org = desk.dump()
    assert desk.run("mirror", "--full").code == 0
    assert desk.run("doctor").code == 0
    assert desk.run("report").code == 0
    assert desk.dump() == org
    assert desk.writes() == {}


def test_with_every_write_off_mail_is_read_and_kept_and_the_org_stays_as_it_is(desk: Desk) -> None:
    desk.change("writes", capture=False, salesforce_task=False, chatter_post=False)
    org, missing = desk.dump(), desk.mails_due() - desk.mails_there()
    assert missing
    assert desk.run("sync").code == desk.run("audit").code == 0
    acted = desk.run("act", "--json")
    assert acted.code == 0
    assert {entry["reason"] for entry in acted.data["waiting"]} == {"writes_off"}
    assert desk.dump() == org
    assert desk.writes() == {}
    assert desk.run("status", "--json").data["activities"]["waiting"] >= len(missing)
    desk.change("writes", capture=True)
    desk.company.control("DELETE", "/ledger")
    assert desk.run("sync").code == 0
    assert desk.mails_there() == desk.mails_due()  # nothing was lost, and the journal needed no mailbox for it


def test_running_again_at_once_writes_nothing(desk: Desk) -> None:
    for verb in ("sync", "audit", "act"):
        assert desk.run(verb).code == 0
    org = desk.dump()
    desk.company.control("DELETE", "/ledger")
    for verb in ("sync", "audit", "act"):
        assert desk.run(verb).code == 0
    assert desk.dump() == org
    assert desk.writes() == {}


def test_an_org_without_the_key_field_is_never_written_and_audits_all_the_same(
    bare: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = fresh_desk(bare, tmp_path / "desk", monkeypatch)
    said = desk.run("sync")
    assert (said.code, said.out) == (1, "")
    assert "EmailMessage.Leakwatch_Key__c" in said.words
    assert "Nothing was written" in said.words
    assert "salesforce/" in said.words
    assert desk.run("sync", "--dry-run").code == 0
    assert desk.run("audit").code == 0
    said = desk.run("act")
    assert said.code == 1
    assert "Task.Leakwatch_Key__c" in said.words
    assert desk.writes() == {}


def test_logs_go_to_standard_error_even_before_they_are_set_up() -> None:
    code = "from leakwatch import log; log.get('x').warning('capture.page.fetched', token='abc'); print('data')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "data\n"
    assert "capture.page.fetched" in ended.stderr
    assert "abc" not in ended.stderr


def test_quiet_says_nothing_on_standard_error(desk: Desk) -> None:
    for command in (("sync", "-q"), ("audit", "-q"), ("act", "-q"), ("report", "-q")):
        said = desk.run(*command)
        assert (said.code, said.err) == (0, ""), command


def mails(desk: Desk) -> list[Any]:
    return list(desk.soql("SELECT Id, Leakwatch_Key__c FROM EmailMessage WHERE Leakwatch_Key__c LIKE 'lw1:m:%'"))
