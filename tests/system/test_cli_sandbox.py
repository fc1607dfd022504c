"""`leakwatch sandbox serve`: the same folder is served on the same ports, so that settings made for it stay good."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
        assert asked.returncode == 1
        assert f"port {taken} of 127.0.0.1 can't be opened" in err
        assert "name another one" in err
        assert "Traceback" not in err

    again = serve(folder, "--json")
    assert urls(card(again, folder)) == before
    second = serve(folder)
    _, err = second.communicate(timeout=READY_WITHIN_S)
    assert second.returncode == 1
    assert "already serving" in err
    code, out, err = stop(again)
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["salesforce"], told["google"], told["control"]) == before
    assert told["info"] == str(folder / "sandbox.json")


def test_a_demo_says_how_to_go_on_with_its_sandbox(tmp_path: Path) -> None:
    said = "\n".join(going_on(tmp_path / "demo" / "leakwatch.yaml", datetime(2026, 3, 16, 3, 0, tzinfo=UTC)))
    assert f"leakwatch sandbox serve --dir {tmp_path / 'demo' / 'sandbox'}" in said
    assert f"LEAKWATCH_CONFIG={tmp_path / 'demo' / 'leakwatch.yaml'}" in said
    assert "LEAKWATCH_NOW=2026-03-16T03:00:00Z" in said
