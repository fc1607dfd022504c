"""A company in one process: the emulated services and a warm leakwatch that meets them, to be forked for each case.

Three generations: the company lives its story; a case is forked from it and goes on with files of its own; leakwatch
runs in a fork of the case and may be killed there, while the case keeps the org.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import shutil
import signal
import socket
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import event

from leakwatch.app import capturing, undoing
from leakwatch.app.building import STATE_FILE
from leakwatch.core.match_domains import _suffixes
from leakwatch.demo import judging
from leakwatch.demo.score import Story
from leakwatch.demo.stage import write_settings
from leakwatch.demo.story import audit_moment
from leakwatch.errors import LeakwatchError
from leakwatch.store import schema
from leakwatch.store.database import open_engine
from system.crash.emulated import Emulated
from system.crash.pipes import GoogleHttp, Link, SalesforceAdapter, over, serve
from system.crash.small_world import small_world
from system.crash.theatre import Ended, Facts, Theatre
from system.crash.warm import Warm, one_thread

LONGEST_S = 900  # of one command: more is a fork that hangs; long runs share their machine with others
PAGE = 5  # mails per page of a list: several pages for each mailbox


@dataclass(frozen=True, slots=True)
class Setting:
    """Which company: a world by seed and size, and whether it has people entered in Salesforce."""

    seed: int
    create: bool = False


class Leakwatch(Warm):
    """A warm leakwatch whose calls go over a link."""

    def __init__(self, settings_file: Path, people: list[str], link: Link) -> None:
        self.link = link
        super().__init__(settings_file, people)

    def _meet(self, people: list[str]) -> None:
        self.parts.client._session.mount("https://", SalesforceAdapter(self.link))
        self.google.client._local.http = GoogleHttp(self.link)
        super()._meet(people)
        self.google.client.allow([self.parts.settings.google.admin_email, *people])
        for address in people:
            with contextlib.suppress(LeakwatchError):  # a suspended account
                self.google.calendars.changes(address, sync_token=None)

    def command(self, name: str) -> Any:
        """Run one command; `undo RUN` and ways to capture besides those of its parent."""
        if name.startswith("undo "):
            return undoing.run_undo(self.parts, name.removeprefix("undo "), dry_run=False).counts()
        if name == "capture in the daemon":
            age = timedelta(minutes=20)
            return capturing.run_capture(self.parts, google=self.google, readers=1, mirror_max_age=age).counts()
        if name == "capture again":
            return capturing.run_capture(
                self.parts, google=self.google, readers=1, mirror_max_age=timedelta(days=400), retry_parked=True
            ).counts()
        return super().command(name)

    def rehearse(self, stage: Any, folder: Path, now: datetime) -> None:
        """Mirror and capture once in this process, then take it all back: every statement is compiled from now on."""
        self.live_in(folder)
        stage.save("before")
        self.clock.move_to(now)
        _suffixes()
        self.command("mirror")
        self.command("capture")
        stage.restore("before")
        self.parts._held_snapshot.close()
        engine = self.parts.engine
        engine.dispose()
        gc.collect()
        assert one_thread()

        @event.listens_for(engine, "do_connect")
        def _elsewhere(_dialect: Any, _record: Any, arguments: list[Any], _options: Any) -> None:
            arguments[0] = str(self.parts.settings.store.folder / STATE_FILE)

        shutil.rmtree(folder)

    def live_in(self, folder: Path) -> None:
        """Keep the state in `folder` from now on; nothing of it may be open."""
        settings = self.parts.settings
        store = settings.store.model_copy(update={"folder": folder})
        self.parts.settings = settings.model_copy(update={"store": store})
        for name in ("runs", "_held_snapshot"):
            self.parts.__dict__.pop(name, None)


class Company:
    """World, org, mailboxes and leakwatch's state, all in `folder`."""

    def __init__(self, folder: Path, setting: Setting) -> None:
        self.folder, self.setting = folder, setting
        self.emulated = Emulated(folder / "sandbox", small_world(setting.seed, forgotten=setting.create))
        self.state = folder / "state"
        self.link = Link()
        self.link.exchange = lambda *call: self.emulated.answer(*call).plain()
        capture = {"page_size": PAGE} | ({"create": "contact"} if setting.create else {})
        settings = write_settings(folder, self.emulated.settings_source, language="en", calendars=True, capture=capture)
        if setting.create:
            text = settings.read_text(encoding="utf-8")
            settings.write_text(text.replace("writes:\n", "writes:\n  create_people: true\n", 1), encoding="utf-8")
        world = self.emulated.world
        people = [user["email"] for user in world["users"] if user.get("notice_date")]
        self.leakwatch = Leakwatch(settings, people, self.link)
        self._zone = ZoneInfo(world["company"]["time_zone"])
        self._start = datetime.fromisoformat(self.emulated.info["world"]["start"])
        self.now = self._start
        self.leakwatch.rehearse(self.emulated.stage, folder / "rehearsed", self._start)
        engine = open_engine(self.state / STATE_FILE, durable=False)
        schema.upgrade(engine)
        engine.dispose()
        gc.collect()
        gc.freeze()  # what a fork never frees it need not copy

    # --- playing ---

    def day(self, number: int) -> None:
        """Move the world's clock, and leakwatch's, to six in the morning of a day."""
        self.now = audit_moment(self._start, self._zone, number)
        self.emulated.stage.play_until(self.now)
        self.emulated.settle()

    def run(self, command: str, *, kill_at: int | None = None, clock: datetime | None = None) -> Ended:
        """Run a command in a fork; kill it at its `kill_at`-th fault point if that is given. `clock` is leakwatch's."""
        assert one_thread()
        order = {"command": command, "now": (clock or self.now).isoformat(), "kill_at": kill_at}
        here, there = socket.socketpair()
        answers = os.memfd_create("told")
        child = os.fork()
        if child == 0:
            here.close()
            gc.disable()
            signal.alarm(LONGEST_S)
            self.link.exchange = over(there)
            self.leakwatch.live_in(self.state)
            self.leakwatch.child(order, answers)
        there.close()
        with here:
            serve(here, lambda *call: self.emulated.answer(*call).plain())
        _, status = os.waitpid(child, 0)
        with os.fdopen(answers, "rb") as file:
            file.seek(0)
            told: dict[str, Any] = json.loads(file.read() or b"{}")
        known = {name: told[name] for name in ("result", "error", "words") if name in told}
        exited = None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return Ended(exited, os.WTERMSIG(status) if exited is None else None, told.get("points", []), **known)

    def well(self, command: str) -> Ended:
        """Run a command that must end well."""
        ended = self.run(command)
        assert ended.exit == 0, f"{command} ended with {ended.exit or ended.signal}: {ended.words}"
        return ended

    # --- cases ---

    def apart(self, work: Any, *arguments: Any) -> Any:
        """Return what `work(company, *arguments)` returns in a fork with files of its own; it must be JSON.

        The fork's files are gone afterwards. What goes wrong in it is raised here.
        """
        home = self.folder / "case"
        shutil.rmtree(home, ignore_errors=True)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(reading)
                gc.disable()
                home.mkdir()
                self.emulated.move_to(home / "sandbox")
                copy_state(self.state, home / "state")
                self.state, self.folder = home / "state", home
                told = {"found": work(self, *arguments)}
            except BaseException as error:
                import traceback

                told = {"error": f"{type(error).__name__}: {error}\n{traceback.format_exc()}"}
            with os.fdopen(writing, "wb") as file:
                file.write(json.dumps(told).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as file:
            content = file.read()
        os.waitpid(child, 0)
        shutil.rmtree(home, ignore_errors=True)
        told = json.loads(content) if content else {"error": "the case's process ended without a word"}
        if "error" in told:
            raise RuntimeError(told["error"])
        return told["found"]

    # --- looking ---

    def org(self) -> tuple[Facts, dict[str, str]]:
        """Return the org's rows by object, with labels in place of ids it gave out, and the label of each such id."""
        rows, labels = self.emulated.stage.org.labelled_dump()
        return json.loads(json.dumps(rows, default=str)), labels

    def facts(self, labels: dict[str, str]) -> Facts:
        """Return what leakwatch knows (see `Theatre.facts`), without the names of the runs that brought it about."""
        found = Theatre.facts(SimpleNamespace(state=self.state), labels, mirror=False)  # type: ignore[arg-type]
        text = json.dumps(found)
        with closing(sqlite3.connect(self.state / STATE_FILE)) as connection:
            for (run_id,) in connection.execute("SELECT run_id FROM runs WHERE flow = 'undo'").fetchall():
                text = text.replace(run_id, "RUN")
        return {name: sorted(rows, key=json.dumps) for name, rows in json.loads(text).items()}

    def wrong(self) -> list[str]:
        """Return in words where the org is not as the mailboxes and calendars say, by the world's own word."""
        truth, story = self.emulated.truth(), Story("", 0)
        org = self.emulated.stage.org
        ids = "SELECT {} FROM {} WHERE Id IN ({})"

        def fetch(sobject: str, wanted: list[str], fields: list[str]) -> dict[str, Any]:
            rows = org.query(ids.format(", ".join(fields), sobject, ", ".join(f"'{one}'" for one in wanted)))
            return {row["Id"]: row for row in rows}

        reader = SimpleNamespace(query=lambda soql: [org.query(soql)], fetch=fetch)
        parts: Any = SimpleNamespace(reader=reader)
        judging._judge_mails(story, truth, parts)
        horizon = self.now + timedelta(days=self.leakwatch.parts.settings.capture.meeting_horizon_days)
        judging._judge_meetings(story, truth, judging._events(parts), horizon.isoformat())
        self.right = (story.mails_right, story.meetings_right)
        return [*story.mails_wrong, *story.meetings_wrong]


def copy_state(source: Path, target: Path) -> None:
    """Copy a state folder. The mirror's files are not changed by what is killed here, so they are linked."""
    target.mkdir()
    for path in source.rglob("*"):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        elif "/mirror/" in str(path):
            os.link(path, place)
        else:
            shutil.copyfile(path, place)


def memory_folder() -> Path | None:
    """Return a file system in memory, if there is a roomy one."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2_000_000_000
    return memory if roomy else None
