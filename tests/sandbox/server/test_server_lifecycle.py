"""Starting, stopping, continuing."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from leakwatch.sandbox.__main__ import main
from sandbox.server.harness import Running


def test_it_starts_serves_over_tls_continues_and_refuses_a_second_one(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    extra = tmp_path / "copy.json"
    first = Running(folder, "--world", "small", "--seed", "3", "--info", str(extra))
    try:
        card = first.info
        assert json.loads(extra.read_text()) == json.loads((folder / "sandbox.json").read_text())
        assert card["world"] == {
            "name": "small",
            "seed": 3,
            "start": "2026-03-02T02:00:00Z",
            "now": "2026-03-02T02:00:00Z",
            "days": 14,
            "time_zone": "Europe/Istanbul",
        }
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(card["google"]["api_url"], timeout=5, verify=True)
        second = Running(folder, "--world", "small", wait=False)
        _, complaint = second.process.communicate(timeout=20)
        assert second.process.returncode == 75
        assert "already serving" in complaint
        first.control("POST", "/clock", {"advance_seconds": 4 * 86_400})
        world = first.control("GET", "/world")["refs"]
        tasks = len(first.soql("SELECT Id FROM Task"))
    finally:
        assert first.stop() == 0
    assert not (folder / "sandbox.json").exists()

    again = Running(folder, "--world", "medium")
    try:
        assert again.info["world"]["name"] == "small"
        assert again.info["world"]["now"] == "2026-03-06T02:00:00Z"
        assert again.control("GET", "/world")["refs"] == world
        assert len(again.soql("SELECT Id FROM Task")) == tasks
        assert again.control("POST", "/clock", {"advance_seconds": 86_400})["played"]
    finally:
        assert again.stop(signal.SIGKILL) == -signal.SIGKILL

    third = Running(folder, "--world", "small")
    try:
        assert third.info["world"]["now"] == "2026-03-07T02:00:00Z"
        assert third.control("POST", "/clock", {"to": "2026-03-07T02:00:00Z"})["played"] == []
    finally:
        assert third.stop(signal.SIGINT) == 0

    reset = Running(folder, "--world", "small", "--seed", "3", "--reset", "--no-deploy")
    try:
        assert reset.info["world"]["now"] == "2026-03-02T02:00:00Z"
        assert reset.info["ca_file"] == card["ca_file"]
        fields = reset.salesforce("sobjects/Task/describe").json()["fields"]
        assert "Leakwatch_Key__c" not in {field["name"] for field in fields}
    finally:
        assert reset.stop() == 0


def test_a_taken_port_is_said_to_be_taken(served: Running, tmp_path: Path) -> None:
    port = served.info["google"]["api_url"].rpartition(":")[2]
    other = Running(tmp_path / "box", "--world", "small", "--google-port", port, wait=False)
    _, complaint = other.process.communicate(timeout=20)
    assert other.process.returncode == 3
    assert complaint.startswith(f"error: port {port} of 127.0.0.1 can't be opened: Address already in use")
    assert "name another one" in complaint


def test_keys_are_for_their_owner_only(served: Running) -> None:
    secret = [*served.folder.glob("*.key"), *served.folder.glob("*.json"), *(served.folder / "keys").iterdir()]
    files = [
        path
        for path in secret
        if path.name in {"sandbox.json", "google-service-account.json"} or path.suffix != ".json"
    ]
    assert len(files) >= 6
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_plain_http_serves_the_org_alone_to_clients_without_a_ca_option(tmp_path: Path) -> None:
    running = Running(tmp_path / "box", "--world", "small", "--insecure-http", "--no-google")
    try:
        assert running.info["google"] is None
        assert running.salesforce("limits").status_code == 200
        assert running.info["salesforce"]["login_url"].startswith("http://")
        assert running.control("GET", "/clock")["now"] == "2026-03-02T02:00:00Z"
    finally:
        assert running.stop() == 0


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, list[str]]:
    """The exit code and what was said on standard error, of a command line that serves nothing."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as end:
        code = int(str(end.code))
    return code, capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["serve", "--dir", "{}/d", "--world", "smal"], 3, "there is no file smal"),
        (["serve", "--dir", "{}/d", "--world", "{}"], 3, "there is no file"),
        (["serve", "--dir", "{}/d", "--world", "{}/w.json"], 3, "users[0]: unknown key 'nmae', did you mean"),
        (["serve", "--dir", "{}/d", "--insecure-http", "--proxy-port", "0"], 3, "--proxy-port needs TLS"),
        (["serve", "--dir", "{}/d", "--info", "{}/none/i.json"], 3, "--info: there is no folder"),
        (["serve", "--dir", "{}/d", "--mail", "{}/none.mbox"], 3, "--mail: there is no file"),
        (["check", "{}/w.json"], 3, "needs the key 'start'"),
    ],
)
def test_a_wrong_argument_or_world_is_explained_with_a_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    world = {"format": "leakwatch-world/1", "users": [{"nmae": "x"}]}
    (tmp_path / "w.json").write_text(json.dumps(world))
    found, said = refused(capsys, *(argument.replace("{}", str(tmp_path)) for argument in arguments))
    assert found == code
    assert any(line.startswith("error: ") and words in line for line in said)
    assert said[-1] == "Nothing was done. Correct this, then run the command again."
    assert not (tmp_path / "d" / "stage.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--world", "small"], "--dir"),
        (["serve", "--dir", "d", "--port", "70000"], "70000 is no port: 0 to 65535"),
        (["serve", "--dir", "d", "--control-port", "-1"], "-1 is no port"),
    ],
)
def test_a_command_line_that_can_not_be_read_is_one_of_usage(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    code, said = refused(capsys, *arguments)
    assert code == 2
    assert words in said[-1]


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    code, said = refused(capsys, "serve", "--dir", tmp_path / "file" / "box")
    assert code == 1
    assert said[0] == f"error: {tmp_path / 'file' / 'box'}: Not a directory"
    assert "Check the path, its permissions" in said[1]


def test_a_folder_of_somebody_else_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "org").mkdir()
    (tmp_path / "world.json").write_text("mine")
    code, said = refused(capsys, "serve", "--dir", tmp_path, "--reset")
    assert code == 3
    assert "is no sandbox's folder, and would lose its world.json, org; name another --dir" in said[0]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["org", "world.json"]


@pytest.mark.parametrize("damage", ["world.json", "stage.json"])
def test_a_state_that_can_not_be_taken_up_is_said_to_be_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    text = (Path(__file__).parents[3] / "docs" / "world-format.md").read_text(encoding="utf-8")
    (tmp_path / "world.json").write_text(text.split("```json\n", 1)[1].split("```", 1)[0], encoding="utf-8")
    for name, body in (("serve.lock", ""), ("stage.json", '{"clock": "2026-03-02T02:00:00Z"}'), (damage, "{}")):
        (tmp_path / name).write_text(body)
    before = (tmp_path / "stage.json").read_bytes()
    code, said = refused(capsys, "serve", "--dir", tmp_path)
    assert code == 3
    assert "can't be taken up" in said[0]
    assert "--reset makes it anew" in said[0]
    assert (tmp_path / "stage.json").read_bytes() == before


def test_a_field_that_no_org_has_names_the_record(tmp_path: Path) -> None:
    source = str(Path(__file__).parents[3] / "src")
    text = (Path(__file__).parents[3] / "docs" / "world-format.md").read_text(encoding="utf-8")
    body = json.loads(text.split("```json\n", 1)[1].split("```", 1)[0])
    body["records"][1]["fields"]["Shoesize"] = 43
    (tmp_path / "w.json").write_text(json.dumps(body))
    command = [sys.executable, "-m", "leakwatch.sandbox", "serve", "--dir", str(tmp_path / "d")]
    done = subprocess.run(
        [*command, "--world", str(tmp_path / "w.json")], capture_output=True, text=True, timeout=20,
        env={"PYTHONPATH": source}, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "records[1] (@con:ann)" in done.stderr
    assert "Shoesize" in done.stderr


def test_the_world_of_the_documentation_plays(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "world-format.md").read_text(encoding="utf-8")
    (tmp_path / "w.json").write_text(text.split("```json\n", 1)[1].split("```", 1)[0], encoding="utf-8")
    running = Running(tmp_path / "box", "--world", str(tmp_path / "w.json"))
    try:
        assert [row["Name"] for row in running.soql("SELECT Name FROM Opportunity WHERE CloseDate < 2026-02-15")]
        played = running.control("POST", "/clock", {"to": "2026-03-06T00:00:00Z"})["played"]
        assert [event["do"] for event in played] == ["mail", "update"]
        assert not running.soql("SELECT Name FROM Opportunity WHERE CloseDate < 2026-02-15")
    finally:
        assert running.stop() == 0
