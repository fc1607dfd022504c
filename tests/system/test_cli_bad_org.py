"""Services that refuse or can't answer: what a stranger sees, the exit code, and that nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from leakwatch.sandbox.keys import Keys
from system.cli_stage import Desk, Said, invoke


def refused(said: Said, code: int, *words: str) -> None:
    """The command ended with `code`, said each of `words` on standard error and nothing on standard output."""
    assert said.code == code, said
    assert said.out == ""
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.words, said.err


def recovers(desk: Desk) -> None:
    """Once the trouble is over, the same command writes what it would have written, once."""
    desk.company.control("DELETE", "/faults")
    before = len(desk.soql("SELECT Id FROM EmailMessage WHERE Leakwatch_Key__c LIKE 'lw1:m:%'"))
    said = desk.run("sync", "--json")
    assert said.code == 0, said
    after = len(desk.soql("SELECT Id FROM EmailMessage WHERE Leakwatch_Key__c LIKE 'lw1:m:%'"))
    assert after - before == said.data["written"]["EmailMessage"] > 0


# --- Salesforce ---


def test_an_expired_session_is_renewed_without_a_word(desk: Desk) -> None:
    desk.fault(service="salesforce", match="GET .*/query", status=401, times=1)
    said = desk.run("sync", "--quiet")
    assert (said.code, said.err) == (0, "")


def test_a_session_that_stays_refused_exits_with_3_and_recovers(desk: Desk) -> None:
    desk.fault(service="salesforce", match="GET .*/services/data/", status=401)
    refused(desk.run("sync"), 3, "session was refused", "Nothing more was read or written", "leakwatch doctor")
    recovers(desk)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("client_id", "not.the.app", "salesforce.client_id"),
        ("username", "nobody@karadeniz-makine.example", "username"),
        ("audience", "https://elsewhere.example", "salesforce.audience"),
        ("instance_url", "https://other.my.salesforce.com", "salesforce.instance_url pins"),
    ],
)
def test_a_refused_token_names_the_setting_to_look_at(desk: Desk, name: str, value: str, words: str) -> None:
    desk.change("salesforce", **{name: value})
    for verb in ("mirror", "sync", "act"):
        said = desk.run(verb)
        refused(said, 3, words)
        assert "eyJ" not in said.err  # how every JWT begins
    failed = desk.run("runs", "list", "--json").data[:3]
    assert [run["flow"] for run in failed] == ["act", "mirror", "mirror"], "sync begins with the mirror"
    assert all(run["error"].startswith("AuthError: ") and not run["complete"] for run in failed)
    assert desk.writes() == {}


def test_a_key_the_app_does_not_know_is_named_and_not_shown(desk: Desk, tmp_path: Path) -> None:
    other = Keys(tmp_path / "other")
    other.ensure()
    key = next((tmp_path / "other").glob("salesforce*.key"))
    desk.change("salesforce", private_key_file=str(key))
    said = desk.run("mirror")
    refused(said, 3, "salesforce.private_key_file")
    assert "BEGIN" not in said.err


def test_salesforce_answering_503_for_an_hour_exits_with_75_and_nothing_is_lost(desk: Desk) -> None:
    desk.fault(service="salesforce", match="/services/data/", status=503)
    for verb in ("sync", "mirror", "act", "plan"):
        refused(desk.run(verb), 75, "503", "nothing is lost", "run the same command again")
    recovers(desk)


def test_salesforce_failing_only_at_the_writing_keeps_what_was_read(desk: Desk) -> None:
    desk.fault(service="salesforce", match="POST .*/composite/sobjects$", status=503)
    refused(desk.run("sync"), 75, "503", "nothing is lost")
    known = json.loads(invoke("status", "--json").out)["activities"]
    assert known["waiting"] >= 2
    recovers(desk)


def test_an_org_that_cannot_be_reached_exits_with_75(desk: Desk) -> None:
    desk.change("salesforce", login_url="https://localhost:1", instance_url="https://localhost:1")
    refused(desk.run("mirror"), 75, "localhost:1 could not be reached", "nothing is lost")


def test_api_calls_used_up_exit_with_75(desk: Desk) -> None:
    desk.fault(service="salesforce", match="/services/data/", status=403)
    refused(desk.run("sync"), 75, "API calls of the last 24 hours are used up")
    recovers(desk)


def test_the_reserve_of_api_calls_is_left_to_people(desk: Desk) -> None:
    desk.change("salesforce", api_reserve_share="1")
    refused(desk.run("sync"), 75, "to leave the rest to people", "Nothing is lost")
    assert desk.writes() == {}


def test_an_untrusted_certificate_is_told_with_the_setting(desk: Desk) -> None:
    desk.change("salesforce", ca_bundle=None)
    refused(desk.run("mirror"), 3, "TLS certificate", "salesforce.ca_bundle", "can't be switched off")


# --- Google ---


def test_one_mailbox_that_answers_403_is_parked_and_the_others_are_read(desk: Desk) -> None:
    read_before = read_mailboxes(desk)
    body = {"error": {"code": 403, "message": "Delegation denied", "errors": [{"reason": "delegationDenied"}]}}
    desk.fault(service="google", match="GET /gmail/v1/users/.*/history", status=403, body=body, times=1)
    said = desk.run("sync", "--json")
    assert said.code == 0, said
    (one,) = said.data["mailboxes_parked"]
    assert said.data["mailboxes_parked"] == {one: "delegation_denied"}
    assert said.data["mailboxes_read"] == len(read_before) - 1
    assert parked(desk) == {one: "delegation_denied"}
    assert desk.run("sync", "--json").data["mailboxes_read"] == len(read_before)
    assert parked(desk) == {}


def test_a_parked_mailbox_is_told_with_what_to_do(desk: Desk) -> None:
    body = {"error": {"code": 403, "message": "Delegation denied", "errors": [{"reason": "delegationDenied"}]}}
    desk.fault(service="google", match="GET /gmail/v1/users/.*/history", status=403, body=body, times=1)
    said = desk.run("sync")
    (one,) = parked(desk)
    assert f"! {one}: parked: delegation_denied" in said.out
    assert "leakwatch doctor" in said.out


def test_a_mailbox_that_cannot_answer_now_exits_with_75_after_the_others_were_read(desk: Desk) -> None:
    everybody = len(read_mailboxes(desk))
    headers = {"Retry-After": "7200"}
    desk.fault(service="google", match="GET /gmail/v1/users/.*/history", status=503, headers=headers, times=1)
    said = desk.run("sync")
    assert said.code == 75
    assert f"mailboxes read: {everybody - 1};" in said.out
    assert said.out.count("not read to the end") == 1
    assert "again later" in said.err
    assert desk.run("sync", "--json").data["mailboxes_read"] == everybody


def read_mailboxes(desk: Desk) -> list[str]:
    mailboxes = desk.run("status", "--json").data["mailboxes"]
    return [entry["principal"] for entry in mailboxes if entry["read_at"]]


def parked(desk: Desk) -> dict[str, str]:
    mailboxes = desk.run("status", "--json").data["mailboxes"]
    return {entry["principal"]: entry["parked_reason"] for entry in mailboxes if entry["parked_reason"]}


def test_a_service_account_without_delegation_exits_with_3(desk: Desk) -> None:
    body = {"error": "unauthorized_client", "error_description": "Client is unauthorized to retrieve access tokens."}
    desk.fault(service="google", match="POST /token", status=401, body=body)
    refused(desk.run("sync"), 3, "unauthorized_client", "Domain-wide delegation")


def test_a_directory_that_refuses_the_admin_exits_with_3(desk: Desk) -> None:
    desk.change("google", admin_email="samuel.norwood@karadeniz-makine.example")
    refused(desk.run("sync"), 3, "google.admin_email (samuel.norwood", "Nothing was read")


def test_a_mailbox_nobody_has_is_named(desk: Desk) -> None:
    refused(desk.run("sync", "--mailbox", "ghost@karadeniz-makine.example"), 2, "ghost@", "leakwatch doctor")
    assert desk.run("sync", "--mailbox", desk.mailboxes()[0].upper()).code == 0, "no mail system tells letters' cases"


# --- this machine ---


def test_a_second_process_on_the_same_store_exits_with_75(desk: Desk) -> None:
    with FileLock(desk.folder / "state" / "run.lock"):
        for verb in ("mirror", "sync", "audit", "act"):
            refused(desk.run(verb), 75, "another leakwatch process works on this store", "Nothing was done")
        assert desk.run("status").code == 0  # looking is always possible
    recovers(desk)


@pytest.mark.parametrize(
    ("service", "match"), [("salesforce", "GET .*/queryAll"), ("google", "GET /gmail/v1/users/.*/history")]
)
def test_ctrl_c_exits_with_130_at_once_and_the_same_command_goes_on(desk: Desk, service: str, match: str) -> None:
    desk.fault(service=service, match=match, do="delay", delay_ms=60_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "leakwatch", "sync"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )  # fmt: skip
    desk.company.wait_for(lambda: desk.company.control("GET", "/ledger")["faults"].get(f"{service} delay"))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130, err
    assert out == ""
    assert "interrupted" in err
    assert "Traceback" not in err
    recovers(desk)


def test_a_fault_of_our_own_is_told_without_a_traceback(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("no such thing")

    monkeypatch.setattr("leakwatch.app.looking.status_of", broken)
    refused(desk.run("status"), 1, "a fault of leakwatch itself: KeyError", "LEAKWATCH_TRACEBACK=1")
    monkeypatch.setenv("LEAKWATCH_TRACEBACK", "1")
    with pytest.raises(KeyError):
        desk.run("status")
