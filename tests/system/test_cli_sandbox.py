"""`leakwatch sandbox serve`: the same folder is served on the same ports, so that settings made for it stay good."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leakwatch.demo.words import going_on

READY_WITHIN_S = 60.0


def serve(folder: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "leakwatch", "sandbox", "serve", "--dir", str(folder), *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )  # fmt: skip


def card(process: subprocess.Popen[str], folder: Path) -> dict[str, Any]:
    deadline, pause = time.monotonic() + READY_WITHIN_S, threading.Event()
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        if (folder / "sandbox.json").exists():
            return json.loads((folder / "sandbox.json").read_text(encoding="utf-8"))
        pause.wait(0.05)
    process.kill()
    raise AssertionError("the sandbox was not ready in time")


def stop(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


def urls(found: dict[str, Any]) -> tuple[str, str, str]:
    return found["salesforce"]["instance_url"], found["google"]["api_url"], found["control"]["url"]


def test_a_folder_is_served_on_its_ports_again_and_a_taken_port_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    first = serve(folder)
    before = urls(card(first, folder))
    code, out, err = stop(first)
    assert (code, err) == (0, "")
    assert "sandbox ready" in out

    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        taken = somebody.getsockname()[1]
        asked = serve(folder, "--google-port", str(taken))
        _, err = asked.communicate(timeout=READY_WITHIN_S)
        assert asked.returncode == 3
        assert f"port {taken} of 127.0.0.1 can't be opened" in err
        assert "name another one" in err
        assert "Traceback" not in err

    again = serve(folder, "--json", "--info", str(tmp_path / "info.json"))
    found = card(again, folder)
    assert urls(found) == before
    assert json.loads((tmp_path / "info.json").read_text(encoding="utf-8")) == found
    second = serve(folder)
    _, err = second.communicate(timeout=READY_WITHIN_S)
    assert second.returncode == 75
    assert "already serving" in err
    code, out, err = stop(again)
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["salesforce"], told["google"], told["control"]) == before
    org = found["salesforce"]
    assert (told["login"], told["username"], told["info"]) == (
        org["login_url"], org["username"], str(tmp_path / "info.json"),
    )  # fmt: skip
    assert not [name for name in ("access_token", "refresh_token", "client_secret") if org[name] in out]


def going_on_with(monkeypatch: pytest.MonkeyPatch, folder: Path, called: str, *, found: str | None) -> list[str]:
    monkeypatch.setattr(sys, "argv", [called, "demo"])
    monkeypatch.setattr("shutil.which", lambda _: found)
    return going_on(folder / "leakwatch.yaml", datetime(2026, 3, 16, 3, 0, tzinfo=UTC))


def test_a_demo_says_how_to_go_on_with_its_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "leakwatch"
    program.parent.mkdir()
    program.touch()
    folder = tmp_path / "my demo"
    said = going_on_with(monkeypatch, folder, str(program), found=str(program))
    words = [shlex.split(line.partition("  " if line.startswith("To") else "beside it")[2] or line) for line in said]
    assert words[0] == ["leakwatch", "sandbox", "serve", "--dir", str(folder / "sandbox")]
    assert words[1] == [
        "export", f"LEAKWATCH_CONFIG={folder / 'leakwatch.yaml'}", "LEAKWATCH_NOW=2026-03-16T03:00:00Z",
    ]  # fmt: skip
    assert words[2] == ["leakwatch", "status"]


def test_a_demo_names_its_own_program_where_the_shell_would_not_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.touch()
    for found in (None, str(other)):
        said = going_on_with(monkeypatch, tmp_path, ".venv/bin/leakwatch", found=found)
        assert said[2].split() == [".venv/bin/leakwatch", "status"]
    said = going_on_with(monkeypatch, tmp_path, str(tmp_path / "leakwatch" / "__main__.py"), found=None)
    assert said[2].split() == [sys.executable, "-m", "leakwatch", "status"]
