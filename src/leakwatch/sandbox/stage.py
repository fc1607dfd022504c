"""The whole sandbox behind its servers: clock, org, mailboxes, world, and how far the play has come."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from leakwatch.sandbox import filling
from leakwatch.sandbox.clock import VirtualClock, as_utc, format_instant, parse_instant
from leakwatch.sandbox.event_sync import EventSync
from leakwatch.sandbox.google.directory import Directory
from leakwatch.sandbox.google.meetings import Meetings
from leakwatch.sandbox.google.store import MailStore
from leakwatch.sandbox.mail_room import MailRoom
from leakwatch.sandbox.world import mbox, seed
from leakwatch.sandbox.world.meetings import seed_meetings
from leakwatch.sandbox.world.million import Million
from leakwatch.sandbox.world.model import World
from leakwatch.sandbox.world.play import Player
from leakwatch.sandbox.world.reader import parse_world

#: The folder with the state as it was seeded.
SEEDED = "seeded"
#: Where ids and objects by reference are kept as they were seeded: written once, while stage.json is at each step.
REFS_FILE = "refs.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,60}")


class StageError(ValueError):
    """Something was asked of the sandbox that it cannot do."""


@dataclass(slots=True)
class Stage:
    """Everything with state. Built by `open_stage`."""

    folder: Path
    world: World
    clock: VirtualClock
    org: Any
    store: MailStore
    directory: Directory
    post: MailRoom
    meetings: Meetings
    player: Player
    event_sync: EventSync
    mail_import: dict[str, Any] | None = None
    million: Million | None = None
    """What the org was filled with, where its rows follow from their numbers."""

    def play_until(self, moment: datetime) -> list[dict[str, Any]]:
        """Move the clock and play what is due; the other tool that syncs Events, where it is on, comes after that."""
        if as_utc(moment) < self.clock.now():
            raise StageError(
                f"the clock stands at {format_instant(self.clock.now())} and does not go back; "
                "restore a saved state instead"
            )
        try:
            played = self.player.play_until(moment)
            self.event_sync.run()
            return played
        finally:
            self.keep()

    def keep(self) -> None:
        """Write down how far the play has come."""
        path = self.folder / "stage.json"
        temporary = path.with_suffix(".new")
        body = self.player.state() | {"mail_import": self.mail_import}
        temporary.write_text(json.dumps(body), encoding="utf-8")
        temporary.replace(path)

    def _save_folder(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise StageError(f"not a name for a saved state: {name!r}")
        return self.folder / "saves" / name

    def save(self, name: str) -> None:
        """Keep the whole state under a name; an older one of that name is replaced."""
        self._save_to(self._save_folder(name))

    def keep_as_seeded(self) -> None:
        """Keep the state that `reset` goes back to: costs the disk space of the state once more."""
        self._save_to(self.folder / SEEDED)

    def _save_to(self, target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)
        (target / "org").mkdir(parents=True)
        self.org.save(target / "org")
        self.store.save(target / "google.sqlite")
        body = self.player.state() | {"mail_import": self.mail_import}
        (target / "stage.json").write_text(json.dumps(body), encoding="utf-8")

    def restore(self, name: str) -> None:
        """Go back (or forth) to a saved state."""
        source = self._save_folder(name)
        if not (source / "stage.json").exists():
            raise StageError(f"no saved state is called {name!r}")
        self._restore_from(source)

    def reset(self) -> None:
        """Go back to the world as it was seeded, imported mail included."""
        source = self.folder / SEEDED
        if not (source / "stage.json").exists():
            said = "this folder keeps no copy of the state as it was seeded (the world million does not, nor did "
            raise StageError(said + "older versions); start the sandbox with --reset instead, or restore a saved state")
        self._restore_from(source)

    def _restore_from(self, source: Path) -> None:
        state = json.loads((source / "stage.json").read_text(encoding="utf-8"))
        self.org.restore(source / "org")
        self.store.restore(source / "google.sqlite")
        self.directory.forget()
        self.post.microsoft.tenant.forget()
        self.player.take_state(state)
        self.mail_import = state.get("mail_import")
        self.clock.reset_to(parse_instant(state["clock"]))
        self.keep()

    def close(self) -> None:
        """Write down the state and close the files."""
        self.keep()
        self.store.close()
        close = getattr(self.org, "close", None)
        if close is not None:
            close()


def load_stage(stage: Stage, mail: Path | None, tell: Callable[[str], None]) -> None:
    """Fill an empty stage from its world, and from somebody's real mail if given; `tell` hears how far it came."""
    world = stage.world
    refs = seed.assign_ids(world, stage.org)
    objects = {record["ref"]: str(record["object"]) for record in world.records}
    objects |= {user["ref"]: "User" for user in world.users}
    objects |= {queue["ref"]: "Group" for queue in world.queues}
    (stage.folder / REFS_FILE).write_text(json.dumps({"refs": refs, "objects": objects}), encoding="utf-8")
    _take_up_refs(stage, refs, objects)
    seed.seed_org(world, stage.org, refs)
    if stage.million is None:
        stage.org.recompute_last_activity()
    else:
        filling.fill(stage.org, world, stage.million, refs, tell)
    seed.declare_rules(world, stage.org)
    seed.seed_mailboxes(world, stage.post)
    seed_meetings(world, stage.meetings)
    seed.suspend_accounts(world, stage.post)
    if mail is not None:
        stage.mail_import = mbox.import_mbox(mail, stage)
    stage.keep()
    if stage.million is None:
        stage.keep_as_seeded()


def resume_stage(stage: Stage) -> None:
    """Go on where the folder's state stands."""
    path = stage.folder / REFS_FILE
    seeded = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}  # once stage.json had them all
    _take_up_refs(stage, seeded.get("refs", {}), seeded.get("objects", {}))
    state = json.loads((stage.folder / "stage.json").read_text(encoding="utf-8"))
    stage.player.take_state(state)
    stage.mail_import = state.get("mail_import")


def _take_up_refs(stage: Stage, refs: dict[str, str], objects: dict[str, str]) -> None:
    computed = () if stage.million is None else filling.computed(stage.million, stage.org)
    stage.player.start_from([refs, *computed[:1]], [objects, *computed[1:]])


def read_kept_world(folder: Path) -> World:
    """The world that a folder plays."""
    return parse_world(json.loads((folder / "world.json").read_text(encoding="utf-8")))
