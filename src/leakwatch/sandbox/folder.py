"""A sandbox's folder: one server at a time, and its state, taken up where it stands or made anew from a world."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import sqlite3
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from leakwatch.sandbox import filling
from leakwatch.sandbox.clock import VirtualClock
from leakwatch.sandbox.colleagues import Colleagues
from leakwatch.sandbox.event_sync import EventSync
from leakwatch.sandbox.google.calendar_store import CalendarStore
from leakwatch.sandbox.google.directory import Directory
from leakwatch.sandbox.google.meetings import Meetings
from leakwatch.sandbox.google.post import PostOffice
from leakwatch.sandbox.google.store import MailStore
from leakwatch.sandbox.mail_room import MailRoom
from leakwatch.sandbox.microsoft.exchange import Exchange
from leakwatch.sandbox.microsoft.store import Mailboxes
from leakwatch.sandbox.microsoft.tenant import Tenant
from leakwatch.sandbox.salesforce import SalesforceSide, open_org
from leakwatch.sandbox.stage import REFS_FILE, SEEDED, Stage, load_stage, read_kept_world, resume_stage
from leakwatch.sandbox.world.builder import SIZES
from leakwatch.sandbox.world.million import NAME as MILLION
from leakwatch.sandbox.world.million import Million, of_scale
from leakwatch.sandbox.world.model import World
from leakwatch.sandbox.world.play import Player
from leakwatch.sandbox.world.reader import read_world

if TYPE_CHECKING:
    from leakwatch.sandbox.server import Options

#: What a new folder plays where nothing else is said, and the seed of a generated world.
DEFAULT_WORLD, DEFAULT_SEED = "small", 7

#: Where a folder keeps the rules of faults.
FAULTS_FILE = "faults.json"

#: Where it says how far the play has come; a folder without it has no state yet.
STAGE_FILE = "stage.json"

#: What makes up the state of a folder; `--reset` removes it and leaves the keys.
STATE_FILES = (
    "world.json",
    STAGE_FILE,
    REFS_FILE,
    filling.FILE,
    "clock",
    "google.sqlite",
    "google.sqlite-wal",
    "google.sqlite-shm",
    FAULTS_FILE,
)
STATE_FOLDERS = ("org", "saves", SEEDED)
LOCK_FILE = "serve.lock"


class ServeError(RuntimeError):
    """The sandbox cannot be served as asked; the text says why, and nothing was started."""


class FolderBusyError(ServeError):
    """Another sandbox serves the folder."""


@contextlib.contextmanager
def folder_lock(folder: Path) -> Generator[None]:
    """One server per folder; raises ServeError for a folder whose files are somebody else's, and OSError."""
    if not (folder / LOCK_FILE).exists():
        strange = [name for name in (*STATE_FILES, *STATE_FOLDERS) if (folder / name).exists()]
        if strange:
            raise ServeError(
                f"{folder} is no sandbox's folder, and would lose its {', '.join(strange)}; name another --dir"
            )
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FolderBusyError(
                f"another sandbox is already serving {folder}; stop it or use another --dir"
            ) from error
        yield


def _choose_world(options: Options) -> tuple[World, Million | None]:
    """The world asked for; where its rows follow from their numbers it has none, and what makes them comes along."""
    chosen, seed = options.world or DEFAULT_WORLD, DEFAULT_SEED if options.seed is None else options.seed
    if chosen == MILLION:
        million = of_scale(options.scale, seed)
        filling.check_room(million, options.folder)
        return million.frame(), million
    if chosen in SIZES:
        from leakwatch.sandbox.world.generate import generate

        return generate(chosen, seed, scale=options.scale, mailboxes=options.mailboxes), None
    path = Path(chosen)
    if not path.is_file():
        raise ServeError(f"--world must be {', '.join(SIZES)}, {MILLION} or a file; there is no file {chosen}")
    if options.scale != 1.0:
        raise ServeError("--scale is for generated worlds; a file is played as it is")
    return read_world(path), None


def _tell(line: str) -> None:
    sys.stderr.write(f"seeding: {line}\n")
    sys.stderr.flush()


def open_stage(options: Options) -> tuple[Stage, SalesforceSide]:
    """The stage of a folder: taken up where it stands, or filled from its world.

    Raises ServeError for a folder whose state can't be taken up, and WorldError and OrgError for what is wrong with
    a world or with what is to be deployed.
    """
    folder = options.folder
    fresh = options.reset or not (folder / STAGE_FILE).exists()
    if options.mail is not None and not options.mail.is_file():
        raise ServeError(f"--mail: there is no file {options.mail}")
    if not fresh:
        try:
            stage, side = _stage(options, read_kept_world(folder), filling.kept(folder), fresh=False)
            resume_stage(stage)
        except (OSError, KeyError, TypeError, ValueError, sqlite3.Error) as error:
            words = str(error).partition("\n")[0]
            raise ServeError(
                f"the state in {folder} can't be taken up ({type(error).__name__}: {words}): it is damaged, or another "
                "version of leakwatch left it there. --reset makes it anew; or name another --dir"
            ) from error
        _say_if_other(options, stage.world)
        return stage, side
    world, million = _choose_world(options)  # before anything is removed: a wrong name must not cost the state
    _empty(folder, saves=options.reset)
    (folder / "world.json").write_text(json.dumps(world.as_json(), ensure_ascii=False), encoding="utf-8")
    if million is not None:
        (folder / filling.FILE).write_text(json.dumps(million.as_json()), encoding="utf-8")
    stage, side = _stage(options, world, million, fresh=True)
    load_stage(stage, options.mail, _tell)
    return stage, side


def _say_if_other(options: Options, kept: World) -> None:
    """Say so where another world was asked for than the one that the folder goes on with."""
    generated = options.world in (*SIZES, MILLION) and options.world == kept.name
    if options.world is None or (generated and options.seed in (None, kept.seed)):
        return
    if options.world == MILLION or _choose_world(options)[0].as_json() != kept.as_json():
        sys.stderr.write(
            f"{options.folder} goes on with its world {kept.name!r} of seed {kept.seed}, not with --world "
            f"{options.world}: that is for a new folder, or with --reset\n"
        )


def _empty(folder: Path, *, saves: bool) -> None:
    for name in STATE_FILES:
        (folder / name).unlink(missing_ok=True)
    for name in STATE_FOLDERS if saves else STATE_FOLDERS[:1]:
        shutil.rmtree(folder / name, ignore_errors=True)


def _stage(options: Options, world: World, million: Million | None, *, fresh: bool) -> tuple[Stage, SalesforceSide]:
    folder = options.folder
    if million is not None:
        world.truth = million.truth()
    clock = VirtualClock(folder / "clock", world.start)
    side = open_org(folder / "org", clock, world, fresh=fresh, deploy=options.deploy)
    store = MailStore(folder / "google.sqlite", clock)
    directory = Directory(store)
    mailboxes = Mailboxes(store)
    post = MailRoom(PostOffice(store, directory), Exchange(mailboxes, Tenant(mailboxes)))
    everybody = Colleagues(directory, post.microsoft.tenant)
    meetings = Meetings(CalendarStore(store, str(world.company["time_zone"])), everybody)
    player = Player(world, side.org, post, meetings, clock)
    sync = EventSync(side.org, meetings)
    return Stage(folder, world, clock, side.org, store, directory, post, meetings, player, sync, million=million), side
