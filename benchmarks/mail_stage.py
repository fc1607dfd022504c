"""The sandbox as the mail benchmarks use it: a program of its own, put back to the same state before each run."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import mail_world
import requests

from leakwatch.demo.stage import Sandbox, write_settings

FRESH = "fresh"


@dataclass
class MailStage:
    """A running sandbox with the mail world, and the settings with which leakwatch meets it."""

    sandbox: Sandbox
    folder: Path
    settings: Path

    def keep(self, name: str) -> None:
        """Keep the state of the org, the mailboxes and leakwatch under a name."""
        control(self.sandbox, "POST", "/save", {"name": name})
        if (self.folder / "state").exists():
            shutil.copytree(self.folder / "state", self.folder / f"state-{name}")

    def go_back(self, name: str = FRESH) -> None:
        """Go back to a kept state (by default: nothing was ever captured), and count calls anew."""
        shutil.rmtree(self.folder / "state", ignore_errors=True)
        if (self.folder / f"state-{name}").exists():
            shutil.copytree(self.folder / f"state-{name}", self.folder / "state")
        control(self.sandbox, "POST", "/restore", {"name": name})
        self.count_anew()

    def count_anew(self) -> None:
        """Set the ledger to zero."""
        control(self.sandbox, "DELETE", "/ledger")

    def ledger(self) -> Mapping[str, Any]:
        """Return what was asked of the emulated services since."""
        return self.sandbox.ledger()

    def options(self, now: datetime, **more: Any) -> dict[str, Any]:
        """Return what a side needs to know to reach the sandbox."""
        info = self.sandbox.info
        return {
            "settings": str(self.settings),
            "now": now.isoformat(),
            "salesforce": dict(info["salesforce"]),
            "google": dict(info["google"]),
            "ca_file": info["ca_file"],
            "mailboxes": [f"rep{n}@{mail_world.OURS}" for n in range(mail_world.REPS)],
            **more,
        }


@contextmanager
def mail_stage(folder: Path, mails: int) -> Generator[MailStage]:
    """Yield a sandbox that plays the mail world, without quota waits."""
    world = mail_world.write_world(folder / "world.json", mails)
    with Sandbox(folder / "sandbox", world=str(world), seed=1) as sandbox:
        control(sandbox, "POST", "/quota", {"profile": "off"})
        settings = write_settings(folder, sandbox, language="en")
        text = settings.read_text(encoding="utf-8").replace(
            "units_per_user_minute: 60000", "units_per_user_minute: 9000000"
        )
        settings.write_text(text, encoding="utf-8")
        stage = MailStage(sandbox, folder, settings)
        stage.keep(FRESH)
        yield stage


def control(sandbox: Sandbox, method: str, path: str, body: Mapping[str, Any] | None = None) -> None:
    """Ask something of the sandbox's control API."""
    info = sandbox.info
    with requests.Session() as session:
        session.trust_env = False
        session.verify = info["ca_file"]
        session.headers["Authorization"] = f"Bearer {info['control']['token']}"
        session.request(method, info["control"]["url"] + path, json=body, timeout=120).raise_for_status()


def salesforce_calls(ledger: Mapping[str, Any]) -> int:
    """Return the API calls to Salesforce (a token is none)."""
    asked = ledger["requests"].get("salesforce", {})
    return sum(count for endpoint, count in asked.items() if "/oauth2/" not in endpoint)


def write_calls(ledger: Mapping[str, Any]) -> int:
    """Return the calls of the one-by-one loop that write mails, read their Tasks back and give them to the reps."""
    asked = ledger["requests"].get("salesforce", {})
    return sum(
        count
        for endpoint, count in asked.items()
        if "/oauth2/" not in endpoint
        and (
            not endpoint.startswith("GET ")
            or "/sobjects/EmailMessage/{id}" in endpoint
            or "/sobjects/Task/{id}" in endpoint
        )
    )


def requests_in_all(ledger: Mapping[str, Any]) -> int:
    """Return the HTTP requests to both services."""
    return sum(ledger["totals"].values())


def gmail_units(ledger: Mapping[str, Any]) -> int:
    """Return the Gmail quota units spent."""
    return sum(ledger["google_units"].values())
