"""Settings, rules, keys and exports that can't be used: one clear message, the right exit code, no traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from leakwatch.errors import BusyError, ConfigError, SafetyError
from leakwatch.store.database import open_engine, transaction
from system.cli_stage import Said, invoke

SECRET = "-----BEGIN PRIVATE KEY-----MIIEvQIBADANBg"
GOOD_ROW = "006000000000001AAA,Deal,Open,100,2026-01-01,false,false,005000000000001AAA"
# A file size limit is a full disk that needs no disk: SQLite is refused a write in the middle of a transaction.
FILLING = """
import resource, sys, typer
from pathlib import Path
from leakwatch.cli.output import handled
from leakwatch.store.database import open_engine, transaction
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    with handled(), transaction(open_engine(Path("var/state.db"))) as connection:
        connection.exec_driver_sql(
            "CREATE TABLE filler AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
            "LIMIT 20000) SELECT hex(randomblob(50)) FROM n"
        )
except typer.Exit as ended:
    sys.exit(ended.exit_code)
"""
COLUMNS = "Id,Name,StageName,Amount,CloseDate,IsClosed,IsWon,OwnerId"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, with nothing from outside."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("LEAKWATCH_"):
            monkeypatch.delenv(name)


def settings(content: str) -> Path:
    path = Path("leakwatch.yaml")
    path.write_text(content, encoding="utf-8")
    return path


def refused(said: Said, code: int, *words: str) -> None:
    """The command ended with `code`, said each of `words` on standard error and nothing on standard output."""
    assert said.code == code, said
    assert said.out == ""
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.words, said.err


# --- settings ---


def test_settings_that_are_not_there_are_named(tmp_path: Path) -> None:
    refused(invoke("status", "-c", "nowhere.yaml"), 3, "nowhere.yaml", "No such file", "Nothing was done", "--config")


def test_settings_that_are_not_yaml_are_placed_by_line() -> None:
    path = settings("store:\n  folder: [unclosed\n")
    refused(invoke("status", "-c", path), 3, "leakwatch.yaml", "line 3", "not valid YAML", "Nothing was done")


def test_settings_that_are_not_utf8_are_said_to_be_so() -> None:
    Path("leakwatch.yaml").write_bytes("company:\n  language: türkçe\n".encode("cp1254"))
    refused(invoke("status"), 3, "not UTF-8", "Save it as UTF-8")


def test_every_unknown_key_is_named_with_the_nearest_known_one() -> None:
    settings("stroe:\n  folder: x\nsalesforce:\n  clientid: abc\n")
    refused(invoke("sync"), 3, "stroe", "'store'", "salesforce.clientid", "'client_id'", "Nothing was done")


def test_a_secret_in_the_wrong_place_is_not_repeated() -> None:
    for content in (f"salesforce: {SECRET!r}\n", f"salesforce:\n  private_key: [{SECRET!r}]\n"):
        settings(content)
        said = invoke("status")
        assert said.code == 3
        assert "MIIEvQ" not in said.err


def test_a_wrong_value_is_shown_beside_what_is_allowed() -> None:
    settings("company:\n  time_zone: Mars/Olympus\n  language: fr\n")
    refused(invoke("status"), 3, "'Mars/Olympus'", "Europe/Istanbul", "'en' or 'tr'")


def test_files_that_settings_name_must_be_there() -> None:
    settings("audit:\n  rules_folder: gone\n  overrides_file: lost.yaml\n")
    refused(invoke("config", "check"), 3, "audit.rules_folder", "audit.overrides_file", "does not exist")
    settings("audit:\n  exceptions_file: lost.yaml\n")
    refused(invoke("config", "check"), 3, "audit.exceptions_file", "does not exist")
    settings("audit:\n  mirror_file: lost.yaml\n")
    refused(invoke("config", "check"), 3, "lost.yaml", "can't be read")


def test_another_time_is_refused_for_a_real_org(monkeypatch: pytest.MonkeyPatch) -> None:
    settings("company:\n  domains: [acme.example]\n")
    monkeypatch.setenv("LEAKWATCH_NOW", "2026-03-02T02:00:00Z")
    refused(invoke("status"), 3, "LEAKWATCH_NOW", "no sandbox", "Unset it")


# --- rules, overrides, exceptions, mirror, jobs ---


def rule_text(old: str = "", new: str = "") -> str:
    from leakwatch.rule_engine import load

    shipped = Path(load.__file__).parents[1] / "rules" / "lead_stale.yaml"
    rule = shipped.read_text(encoding="utf-8").replace("id: lead_stale", "id: my_rule")
    assert old in rule
    return rule.replace(old, new, 1)


def test_a_broken_rule_is_placed_by_file_and_line() -> None:
    Path("rules").mkdir()
    Path("rules/my_rule.yaml").write_text(rule_text("severity:", "sevrity:"), encoding="utf-8")
    settings("audit:\n  rules_folder: rules\n")
    for command in (("config", "check"), ("rules", "list"), ("rules", "test", "rules")):
        refused(invoke(*command), 3, "my_rule.yaml, line", "sevrity", "severity", "Nothing was done")


def test_a_rule_with_bad_sql_is_refused_before_anything_runs() -> None:
    Path("rules").mkdir()
    Path("rules/my_rule.yaml").write_text(rule_text("FROM sf_lead", "FROM sf_leed"), encoding="utf-8")
    settings("audit:\n  rules_folder: rules\n")
    refused(invoke("config", "check"), 3, "my_rule.yaml", "sf_leed")


def test_a_rule_that_is_asked_for_and_not_there_is_named_beside_those_that_are() -> None:
    settings("audit:\n  rules: [lead_stale, lead_stael]\n")
    refused(invoke("config", "check"), 3, "audit.rules", "'lead_stael'", "lead_stale", "opp_close_overdue")


def test_broken_exceptions_are_told_entry_by_entry() -> None:
    Path("exceptions.yaml").write_text(
        "exceptions:\n"
        "  - {rule: lead_stale, record: 00Q000000000001AAA, reason: known, author: A, expires: 2999-01-01}\n"
        "  - {rule: no_such_rule, record: 00Q000000000001AAA, reason: known, author: A, expires: 2026-12-01}\n",
        encoding="utf-8",
    )
    settings("audit:\n  exceptions_file: exceptions.yaml\n")
    refused(invoke("config", "check"), 3, "exceptions.yaml, line 2", "days away", "line 3", "no_such_rule")


def test_a_broken_mirror_file_is_placed_by_line() -> None:
    Path("mirror.yaml").write_text("objects:\n  Opportunity: 5\n", encoding="utf-8")
    settings("audit:\n  mirror_file: mirror.yaml\n")
    refused(invoke("config", "check"), 3, "mirror.yaml, line 2", "objects.Opportunity")


def test_a_broken_job_keeps_the_daemon_from_starting() -> None:
    Path("jobs").mkdir()
    Path("jobs/capture.yaml").write_text('flow: captrue\nschedule: "* * * * *"\n', encoding="utf-8")
    settings("jobs_folder: jobs\n")
    refused(invoke("run"), 3, "capture.yaml, line 1", "captrue")
    refused(invoke("config", "check"), 3, "capture.yaml, line 1")


def test_all_files_at_fault_are_told_at_once() -> None:
    Path("jobs").mkdir()
    Path("jobs/a.yaml").write_text("flow: captrue\n", encoding="utf-8")
    settings("jobs_folder: jobs\naudit:\n  rules: [nope]\nsalesforce:\n  private_key_file: lost.pem\n")
    refused(invoke("config", "check"), 3, "'nope'", "captrue", "lost.pem")


# --- keys ---


def test_a_key_file_that_is_missing_or_open_to_others_is_refused() -> None:
    settings("salesforce:\n  client_id: a\n  username: u\n  private_key_file: key.pem\n")
    refused(invoke("mirror"), 3, "key.pem", "does not exist", "Nothing was done")
    Path("key.pem").write_text(SECRET, encoding="utf-8")
    Path("key.pem").chmod(0o644)
    refused(invoke("mirror"), 3, "can be read by others", "0644", "chmod 600")
    Path("key.pem").chmod(0o600)
    said = invoke("mirror")
    refused(said, 3, "not a usable RSA key")
    assert "MIIEvQ" not in said.err


def test_all_that_is_missing_to_reach_the_org_is_told_at_once() -> None:
    settings("{}\n")
    refused(invoke("mirror"), 3, "salesforce.client_id", "salesforce.username", "salesforce.private_key_file")


def test_a_flow_whose_input_is_missing_says_what_comes_first() -> None:
    settings("{}\n")
    refused(invoke("sync"), 3, "google.enabled", "Nothing was read")
    settings("google: {enabled: true, service_account_file: key.json}\n")
    refused(invoke("sync"), 3, "company.domains", "Nothing was read")
    settings("{}\n")
    for verb in ("audit", "act", "report"):
        refused(invoke(verb), 1, "no mirror yet", "leakwatch mirror", "Nothing was judged")


# --- the state folder ---


def test_a_state_folder_that_cannot_be_made_is_named() -> None:
    Path("file").write_text("", encoding="utf-8")
    settings("store:\n  folder: file/state\n")
    refused(invoke("status"), 3, "file/state", "can't be made", "Nothing was done")
    refused(invoke("run"), 3, "file/state", "Nothing was done")


def test_a_state_file_that_is_none_is_left_as_it_is() -> None:
    Path("var").mkdir()
    content = b"this is no database, but somebody's notes" * 40
    Path("var/state.db").write_bytes(content)
    settings("{}\n")
    refused(invoke("status"), 3, "state.db", "not a state file", "Nothing was done")
    assert Path("var/state.db").read_bytes() == content


def test_a_full_disk_is_named_and_what_was_stored_stays(tmp_path: Path) -> None:
    settings("{}\n")
    assert invoke("status").code == 0
    ended = subprocess.run([sys.executable, "-c", FILLING], capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stderr
    assert "state.db could not be written" in ended.stderr
    assert "kept" in ended.stderr
    assert "Free some space" in ended.stderr
    assert invoke("status").code == 0


def test_a_state_file_that_may_only_be_read_or_is_busy_is_told_apart(tmp_path: Path) -> None:
    import sqlite3

    from leakwatch.store.database import _translate

    for words, kind, said in (
        ("attempt to write a readonly database", ConfigError, "write access"),
        ("unable to open database file", ConfigError, "write access"),
        ("database or disk is full", SafetyError, "Free some space"),
        ("database is locked", BusyError, "try again"),
    ):
        with pytest.raises(kind, match=said):
            _translate(tmp_path / "state.db", sqlite3.OperationalError(words))


def test_an_error_of_the_database_does_not_carry_the_values(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "state.db")
    statement = text("INSERT INTO nowhere VALUES (:subject)")
    with transaction(engine) as connection, pytest.raises(OperationalError, match="no such table") as caught:
        connection.execute(statement, {"subject": "Merger with Contoso"})
    assert "Contoso" not in str(caught.value)
    engine.dispose()


# --- exports ---


def export(**files: str | bytes) -> Path:
    folder = Path("export")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / f"{name}.csv").write_bytes(data)
    return folder


def test_an_empty_folder_says_which_files_were_expected() -> None:
    refused(
        invoke("audit", "--export", export()),
        1,
        "no file of a Salesforce Data Export",
        "Opportunity.csv",
        "Nothing was judged",
    )


def test_an_export_that_is_not_there_is_named() -> None:
    refused(invoke("audit", "--export", "nowhere"), 1, "nowhere", "no such file", "Nothing was judged")


def test_a_zip_that_broke_off_is_to_be_downloaded_again() -> None:
    with zipfile.ZipFile("whole.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Opportunity.csv", "\n".join([COLUMNS, *[GOOD_ROW] * 500]))
    content = Path("whole.zip").read_bytes()
    Path("cut.zip").write_bytes(content[: len(content) // 2])
    refused(invoke("audit", "--export", "cut.zip"), 1, "cut.zip", "not a whole ZIP", "download it again")


def test_bytes_of_no_known_encoding_are_placed_by_line() -> None:
    folder = export(Opportunity=COLUMNS.encode() + b"\n006,\x81\x8d\xff\n")
    refused(invoke("audit", "--export", folder), 1, "Opportunity.csv, line 2", "UTF-8", "Nothing was judged")


def test_a_table_without_ids_is_refused_by_name() -> None:
    folder = export(Opportunity="Opportunity Name,Stage\nDeal,Open\n")
    refused(invoke("audit", "--export", folder), 1, "Opportunity.csv", "no column Id", "API names")


def test_a_missing_column_switches_off_only_the_rules_that_need_it() -> None:
    folder = export(Opportunity=f"{COLUMNS}\n{GOOD_ROW}\n")
    said = invoke("audit", "--export", folder, "--as-of", "2026-06-01", "--json")
    assert said.code == 0, said
    states = {rule["id"]: (rule["status"], rule["reason"]) for rule in said.data["rules"]}
    assert states["opp_close_overdue"][0] == "run"
    assert states["lead_stale"] == ("switched_off", {"en": "not in the data: Lead", "tr": "veride yok: Lead"})
    assert [finding["record_id"] for finding in said.data["findings"]] == ["006000000000001AAA"]


def test_an_export_that_no_rule_can_read_is_no_clean_bill() -> None:
    folder = export(Opportunity="Id,Name\n006000000000001AAA,Deal\n")
    said = invoke("audit", "--export", folder, "--as-of", "2026-06-01", "--json")
    assert said.code == 1
    assert "nothing can be said" in said.words
    assert {rule["status"] for rule in json.loads(said.out)["rules"]} == {"switched_off"}


def test_an_export_without_a_record_is_no_clean_bill_either() -> None:
    said = invoke("audit", "--export", export(Opportunity=f"{COLUMNS}\n"), "--as-of", "2026-06-01", "--json")
    assert said.code == 1
    assert "nothing can be said" in said.words


@pytest.mark.parametrize(
    ("text", "example"), [("31.12.2026", "2026-12-31"), ("12/31/2026", "2026-12-31"), ("2026-13-01", "2026-12-31")]
)
def test_a_day_written_otherwise_is_refused_with_the_form_that_is_taken(text: str, example: str) -> None:
    said = invoke("audit", "--export", "x", "--as-of", text)
    assert said.code == 2
    assert f"'{text}' is no day. Write it as YYYY-MM-DD, such as {example}." in " ".join(said.err.split())


def test_fail_on_tells_findings_at_or_above_it_by_exit_code_4() -> None:
    folder = export(Opportunity=f"{COLUMNS}\n{GOOD_ROW}\n")
    codes = [invoke("audit", "--export", folder, "--as-of", "2026-06-01", "--json", "--fail-on", bound).code
             for bound in ("low", "medium", "high", "critical")]  # fmt: skip
    severity = invoke("audit", "--export", folder, "--as-of", "2026-06-01", "--json").data["findings"][0]["severity"]
    rank = ["low", "medium", "high", "critical"].index(severity)
    assert codes == [4 if index <= rank else 0 for index in range(4)]


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit", "--as-of", "2026-01-01"),
        ("audit", "--fail-on", "huge"),
        ("report", "--language", "fr"),
        ("demo", "--days", "0"),
        ("runs", "list", "--flow", "sink"),
        ("sync", "--nonsense"),
        ("explain",),
        ("nonsense",),
    ],
)
def test_a_command_line_that_makes_no_sense_is_usage_and_exits_with_2(arguments: tuple[str, ...]) -> None:
    said = invoke(*arguments)
    assert said.code == 2
    assert said.out == ""
    assert "--help" in said.err


# --- demo ---


def test_the_demo_touches_no_folder_that_holds_something_else() -> None:
    Path("mine").mkdir()
    Path("mine/work.txt").write_text("keep me", encoding="utf-8")
    refused(invoke("demo", "--folder", "mine"), 3, "mine is not empty", "nothing was touched", "another")
    assert Path("mine/work.txt").read_text(encoding="utf-8") == "keep me"


def test_the_demo_names_a_world_or_mailbox_that_is_not_there() -> None:
    refused(invoke("demo", "--folder", "d1", "--world", "nope"), 3, "nope", "small, medium, large, million or a file")
    refused(invoke("demo", "--folder", "d2", "--mail", "nope.mbox"), 3, "nope.mbox", "mbox file")
