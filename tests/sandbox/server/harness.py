"""A sandbox in a process of its own, as everybody meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import requests

STARTUP_LIMIT = 20


class Running:
    """One `serve` process; `info` is its sandbox.json."""

    def __init__(self, folder: Path, *arguments: str, wait: bool = True) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "leakwatch.sandbox", "serve", "--dir", str(folder), *arguments]
        source = str(Path(__file__).parents[3] / "src")
        environment = os.environ | {"PYTHONPATH": source}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.info: dict[str, Any] = {}
        if wait:
            self._wait()

    def _wait(self) -> None:
        path = self.folder / "sandbox.json"
        deadline = time.monotonic() + STARTUP_LIMIT
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"serve ended with {self.process.returncode}: {self.process.communicate()}")
            if path.exists():
                card = json.loads(path.read_text(encoding="utf-8"))
                if card["pid"] == self.process.pid:
                    self.info = card
                    self.web = requests.Session()
                    self.web.trust_env = False
                    self.web.verify = card["ca_file"]
                    return
            threading.Event().wait(0.01)
        self.process.kill()
        raise AssertionError("serve was not ready in time")

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A call of the control API that must succeed."""
        answer = self.raw_control(method, path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def raw_control(self, method: str, path: str, body: Any = None) -> requests.Response:
        """A call of the control API."""
        headers = {"Authorization": f"Bearer {self.info['control']['token']}"}
        url = f"{self.info['control']['url']}{path}"
        return self.web.request(method, url, json=body, headers=headers, timeout=20)

    def salesforce(self, path: str, method: str = "GET", body: Any = None) -> requests.Response:
        """A call of the data API with the token of sandbox.json."""
        headers = {"Authorization": f"Bearer {self.info['salesforce']['access_token']}"}
        url = f"{self.info['salesforce']['instance_url']}/services/data/v62.0/{path}"
        return self.web.request(method, url, json=body, headers=headers, timeout=20)

    def soql(self, text: str) -> list[dict[str, Any]]:
        """The records of a query."""
        headers = {"Authorization": f"Bearer {self.info['salesforce']['access_token']}"}
        url = f"{self.info['salesforce']['instance_url']}/services/data/v62.0/query"
        answer = self.web.get(url, params={"q": text}, headers=headers, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()["records"]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the process; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.communicate(timeout=20)
        return self.process.returncode
