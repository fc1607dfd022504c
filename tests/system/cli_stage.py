"""A company on the sandbox with leakwatch beside it, as the command line tests meet it.

One sandbox a session. `Prepared` holds the state after a first day (everything read, baseline taken) with two days of
news waiting; a test begins there or with nothing, and gets a folder, settings and a saved world of its own.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from leakwatch.cli import app
from leakwatch.demo.stage import Sandbox, write_settings


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    @property
    def words(self) -> str:
        """Standard error in one line."""
        return " ".join(self.err.split())


def invoke(*arguments: str | Path) -> Said:
    """Run a command in this process."""
    result = CliRunner().invoke(app, [str(word) for word in arguments])
    trouble = result.exception
    if trouble is not None and not isinstance(trouble, SystemExit):
        raise trouble
    return Said(result.exit_code, result.stdout, result.stderr)


class Company:
    """The running sandbox, with its world as it was on the first morning and as it is two days later."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.folder = folder
        self.sandbox = Sandbox(folder / "sandbox", world="small", seed=7)
        self.sandbox._command += more

    def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A call of the sandbox's control API."""
        return self.sandbox._ask(method, path, body)

    def wait_for(self, happened: Callable[[], Any], within_s: float = 20.0) -> Any:
        """Return what `happened` returns once it is true; fails when it is not in time."""
        deadline, pause = time.monotonic() + within_s, threading.Event()
        while time.monotonic() < deadline:
            found = happened()
            if found:
                return found
            pause.wait(0.05)
        raise AssertionError("it did not happen in time")

    def begin(self) -> None:
        """Keep the world as it is now."""
        self.first_day = datetime.fromisoformat(self.sandbox.info["world"]["now"])
        self.control("POST", "/save", {"name": "first"})

    def prepare(self) -> None:
        """Play the first day and keep both worlds."""
        self.begin()
        desk = Desk(self, self.folder / "prepared", self.first_day)
        with pytest.MonkeyPatch.context() as patch:
            desk.enter(patch)
            for verb in ("sync", "audit", "act"):
                said = desk.run(verb)
                assert said.code == 0, said
        self.state = desk.folder / "state"
        self.later = self.first_day + timedelta(days=3)
        self.control("POST", "/clock", {"to": self.later.isoformat()})
        self.control("POST", "/save", {"name": "later"})

    def restore(self, name: str) -> None:
        """Go back to a kept world, without faults and with an empty ledger."""
        self.control("DELETE", "/faults")
        self.control("POST", "/restore", {"name": name})
        self.control("DELETE", "/ledger")


class Desk:
    """One leakwatch of its own: a folder with settings and state."""

    def __init__(self, company: Company, folder: Path, now: datetime) -> None:
        self.company, self.folder, self.now = company, folder, now
        folder.mkdir(parents=True, exist_ok=True)
        self.config = write_settings(folder, company.sandbox, language="en")

    def enter(self, patch: pytest.MonkeyPatch) -> None:
        """Let commands find these settings and this time; waiting for a service takes no time."""
        self.patch = patch
        patch.setenv("LEAKWATCH_CONFIG", str(self.config))
        self.go_to(self.now)
        for clock in ("SystemClock", "ShiftedClock"):
            patch.setattr(f"leakwatch.clock.{clock}.sleep", lambda _self, _seconds: None)

    def go_to(self, now: datetime) -> None:
        """Let the next commands begin at this time."""
        self.now = now
        self.patch.setenv("LEAKWATCH_NOW", now.isoformat())

    def run(self, *arguments: str | Path) -> Said:
        """Run a command on this desk, a minute after the last one."""
        self.go_to(self.now + timedelta(minutes=1))
        return invoke(*arguments)

    def change(self, section: str, **values: Any) -> None:
        """Change settings of one section."""
        settings = self.settings
        settings.setdefault(section, {}).update(values)
        self.config.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")

    @property
    def settings(self) -> dict[str, Any]:
        """The settings file's content."""
        return yaml.safe_load(self.config.read_text(encoding="utf-8"))

    def fault(self, **rule: Any) -> None:
        """Let a service go wrong."""
        self.company.control("POST", "/faults", rule)

    def mailboxes(self) -> list[str]:
        """Addresses whose owners were told."""
        return sorted(self.settings["capture"]["notices"])

    def writes(self) -> dict[str, int]:
        """Requests to Salesforce since the world was restored that may write, by endpoint.

        A Composite call may carry reads only (describes), so that the records themselves are to be compared too.
        """
        calls = self.company.control("GET", "/ledger")["requests"]["salesforce"]
        return {
            name: count
            for name, count in calls.items()
            if not name.startswith("GET ") and "oauth2" not in name and not is_fetch(name)
            if not name.endswith("/composite")
        }

    def dump(self) -> Any:
        """Every record of the org."""
        return self.company.control("GET", "/org/dump")

    def soql(self, text: str) -> list[Mapping[str, Any]]:
        """Rows of a query by the sandbox's own token."""
        card = self.company.sandbox.info["salesforce"]
        answer = self.company.sandbox._session.get(
            f"{card['instance_url']}/services/data/v62.0/query",
            params={"q": text},
            headers={"Authorization": f"Bearer {card['access_token']}"},
            timeout=20,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["records"]

    def mails_due(self) -> set[str]:
        """Message-IDs of the mails that belong in Salesforce by now, by the world's own word."""
        captures = self.company.control("GET", "/truth")["captures"]
        return {entry["message_id"].strip("<>") for entry in captures if entry["expect"] == "written"}

    def mails_there(self) -> set[str]:
        """Message-IDs of the mails that leakwatch put there."""
        rows = self.soql("SELECT MessageIdentifier FROM EmailMessage WHERE Leakwatch_Key__c LIKE 'lw1:m:%'")
        return {row["MessageIdentifier"].strip("<>") for row in rows}

    def patch_record(self, sobject: str, record_id: str, **fields: Any) -> None:
        """Change a record as a person would."""
        card = self.company.sandbox.info["salesforce"]
        answer = self.company.sandbox._session.patch(
            f"{card['instance_url']}/services/data/v62.0/sobjects/{sobject}/{record_id}",
            json=fields,
            headers={"Authorization": f"Bearer {card['access_token']}"},
            timeout=20,
        )
        assert answer.status_code == 204, answer.text


def is_fetch(name: str) -> bool:
    """Whether an endpoint is the reading of records by id, which is a POST: `composite/sobjects/{sobject}`."""
    return name.startswith("POST ") and name.rsplit("/", 2)[-2] == "sobjects" and "composite/sobjects/" in name


def fresh_desk(company: Company, folder: Path, patch: pytest.MonkeyPatch) -> Desk:
    """A desk that never read anything, on the first morning."""
    company.restore("first")
    desk = Desk(company, folder, company.first_day)
    desk.enter(patch)
    return desk


def later_desk(company: Company, folder: Path, patch: pytest.MonkeyPatch) -> Desk:
    """A desk that worked on the first day, three days later."""
    company.restore("later")
    desk = Desk(company, folder, company.later)
    shutil.copytree(company.state, folder / "state")
    desk.enter(patch)
    return desk


def lines(said: Said) -> Sequence[str]:
    """Standard error, line by line, without empty ones."""
    return [line for line in said.err.splitlines() if line.strip()]


RUN_TABLES = {"runs"}
"""What a command that changes nothing may leave in the state file: that it ran."""


def tables(desk: Desk) -> dict[str, list[Any]]:
    """Every row of the state file but the runs'."""
    with sqlite3.connect(f"file:{desk.folder / 'state' / 'state.db'}?mode=ro", uri=True) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
            for name in sorted(names)
            if name not in RUN_TABLES
        }
