"""The sandbox as a demo uses it: started as a program, steered through its control API, met by a settings file."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import requests
import yaml

from leakwatch.config import shipped
from leakwatch.errors import ConfigError, LeakwatchError

MARKER = ".leakwatch-demo"
READY_WITHIN_S = 120.0  # a medium world takes about five seconds; a busy machine may take ten times that
STOP_WITHIN_S = 10.0
CONTROL_TIMEOUT_S = 120.0  # playing two weeks of a large world takes a while

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What to play, and where."""

    folder: Path
    world: str = "small"
    seed: int = 7
    days: int | None = None  # as many as the world says
    language: str = "en"


def prepare(folder: Path) -> None:
    """Empty `folder` for a new demo.

    Raises:
        ConfigError: it holds something that no demo left there; nothing was touched.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).exists():
            raise ConfigError(f"{folder} is not empty and no demo's folder; nothing was touched. Choose another one.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / MARKER).write_text("made by leakwatch demo, which may empty this folder\n", encoding="utf-8")


class Sandbox:
    """A running sandbox. Use as a context manager: it stops the program at the end."""

    def __init__(self, folder: Path, *, world: str, seed: int, mail: Path | None = None) -> None:
        self.folder = folder
        self._command = [
            sys.executable, "-m", "leakwatch.sandbox", "serve", "--dir", str(folder), "--world", world,
            "--seed", str(seed), "--deploy", str(shipped("salesforce")),
        ]  # fmt: skip
        if mail is not None:
            self._command += ["--mail", str(mail)]
        self.info: dict[str, Any] = {}
        self.world: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._log = (self.folder / "serve.log").open("w", encoding="utf-8")
        self._process = subprocess.Popen(
            self._command, stdout=self._log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _wait_until_ready(self) -> None:
        info = self.folder / "sandbox.json"
        deadline = time.monotonic() + READY_WITHIN_S
        while not info.exists():
            code = self._process.poll()
            if code is not None:
                words = (self.folder / "serve.log").read_text(encoding="utf-8").strip()
                problems = [line.removeprefix("error: ") for line in words.splitlines() if line.startswith("error: ")]
                raise ConfigError(problems or words or f"the sandbox ended with {code} before it was ready")
            if time.monotonic() > deadline:
                raise LeakwatchError(f"the sandbox was not ready within {READY_WITHIN_S:.0f} s; see {self._log.name}")
            time.sleep(0.05)
        self.info = json.loads(info.read_text(encoding="utf-8"))
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = self.info["ca_file"]
        self._session.headers["Authorization"] = f"Bearer {self.info['control']['token']}"
        self.world = self._ask("GET", "/world")

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def move_to(self, moment: datetime) -> Mapping[str, Any]:
        """Move the world's clock to `moment` (aware), playing what happens until then; return what was played."""
        return self._ask("POST", "/clock", {"to": moment.isoformat()})

    def truth(self) -> Mapping[str, Any]:
        """Return what ought to be found and captured by now."""
        return self._ask("GET", "/truth")

    def ledger(self) -> Mapping[str, Any]:
        """Return what was asked of the emulated services so far."""
        return self._ask("GET", "/ledger")

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        url = self.info["control"]["url"] + path
        answer = self._session.request(method, url, json=body, timeout=CONTROL_TIMEOUT_S)
        if not answer.ok:
            raise LeakwatchError(f"the sandbox refused {method} {path}: {answer.text[:300]}")
        return cast(dict[str, Any], answer.json())


def write_settings(
    folder: Path,
    sandbox: Sandbox,
    *,
    language: str,
    capture: Mapping[str, Any] | None = None,
    calendars: bool = False,
) -> Path:
    """Write the settings that meet this sandbox, with every switch on; return the settings file.

    `capture` adds settings of that section. `calendars` has them read and meetings written, too.
    """
    info, world = sandbox.info, sandbox.world
    org, google, company = info["salesforce"], info["google"], world["company"]
    people = {person["email"]: person for person in world["users"]}
    notices = {email: person["notice_date"] for email, person in people.items() if person.get("notice_date")}
    imported = world.get("mail_import")
    if imported:
        notices[imported["mailbox"]] = imported["notice_date"]
    revops = next((person["id"] for person in world["users"] if person["role"] == "revops"), None)
    rules = world.get("capture") or {}
    settings: dict[str, Any] = {
        "store": {"folder": "state"},
        "company": {
            "domains": company["domains"],
            "time_zone": company["time_zone"],
            "language": language,
            "currency": company["currency"],
        },
        "salesforce": {
            "login_url": org["login_url"],
            "instance_url": org["instance_url"],
            "audience": org["audience"],
            "client_id": org["client_id"],
            "username": org["username"],
            "private_key_file": org["private_key_file"],
            "ca_bundle": info["ca_file"],
        },
        "google": {
            "enabled": True,
            "service_account_file": google["service_account_file"],
            "admin_email": google["admin_email"],
            "scope": "readonly",
            "gmail_url": google["api_url"],
            "directory_url": google["api_url"],
            "ca_bundle": info["ca_file"],
            "units_per_user_minute": 60_000,  # the sandbox is generous unless told otherwise
            **({"calendar": True, "calendar_url": google["api_url"]} if calendars else {}),
        },
        "capture": {
            "notices": notices,
            "privacy": {
                "never_log": rules.get("blocked", []),
                "subject_markers": rules.get("confidential_markers", []),
                "opt_out_labels": [rules["opt_out_label"]] if rules.get("opt_out_label") else [],
            },
            **(capture or {}),
        },
        "audit": {
            "mirror_file": str(_write_mirror(folder, world["meanings"])),
            "overrides_file": str(_write_overrides(folder)),
            "revops_user_id": revops,
        },
        "writes": {"capture": True, "meetings": calendars, "salesforce_task": True, "chatter_post": True},
        "report": {"folder": "out"},
    }
    path = folder / "leakwatch.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def _write_mirror(folder: Path, meanings: Mapping[str, Any]) -> Path:
    """Write the shipped mirror.yaml with this company's own labels and fields."""
    content: dict[str, Any] = yaml.safe_load((shipped("config") / "mirror.yaml").read_text(encoding="utf-8"))
    stages: dict[str, list[str]] = {"open": [], "won": [], "lost": [], "suspended": [], "abandoned": []}
    for label, meaning in meanings["stage"].items():
        stages[meaning].append(label)
    content["opportunity"]["stage_meanings"] = stages
    content["lead"]["closed_statuses"] = [
        label for label, meaning in meanings["lead_status"].items() if meaning == "closed"
    ]
    fields = meanings.get("fields") or {}
    known = content["objects"]["Opportunity"]["optional_fields"]
    for role, name, kind in (("reason_fields", "loss_reason", "text"), ("budget_fields", "budget", "money")):
        if fields.get(name):
            known.setdefault(fields[name], kind)
            content["opportunity"][role] = [fields[name]]
    path = folder / "mirror.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def _write_overrides(folder: Path) -> Path:
    """Let every shipped rule act."""
    rules = sorted(path.stem for path in (Path(__file__).parents[1] / "rules").glob("*.yaml"))
    path = folder / "overrides.yaml"
    path.write_text(yaml.safe_dump({"rules": {rule: {"mode": "act"} for rule in rules}}), encoding="utf-8")
    return path
