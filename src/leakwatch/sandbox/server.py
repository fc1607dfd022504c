"""Serving a sandbox: one process, three HTTPS servers on loopback, told apart by port."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakwatch.sandbox.clock import VirtualClock, format_instant
from leakwatch.sandbox.control import Desk
from leakwatch.sandbox.control import build_app as build_control
from leakwatch.sandbox.faults import FaultBook, FaultMiddleware, Rule
from leakwatch.sandbox.google.app import build_app as build_google
from leakwatch.sandbox.google.directory import Directory
from leakwatch.sandbox.google.gmail import Gmail
from leakwatch.sandbox.google.post import PostOffice
from leakwatch.sandbox.google.quota import Quota, QuotaSettings
from leakwatch.sandbox.google.service import GoogleService
from leakwatch.sandbox.google.store import MailStore
from leakwatch.sandbox.google.tokens import ServiceAccount, TokenOffice
from leakwatch.sandbox.keys import SERVICE_ACCOUNT_EMAIL, SERVICE_ACCOUNT_ID, Keys, write_private
from leakwatch.sandbox.ledger import Ledger
from leakwatch.sandbox.salesforce import SalesforceSide, open_org
from leakwatch.sandbox.stage import Stage, load_stage, read_kept_world, resume_stage
from leakwatch.sandbox.wire import PortError, abort_connections, drop_connection, https_server, listen
from leakwatch.sandbox.world.model import World
from leakwatch.sandbox.world.play import Player
from leakwatch.sandbox.world.reader import read_world
from leakwatch.sandbox.world.seed import CUSTOMER

#: After this long (seconds) a stopping server tears the connections that are still open.
LINGER = 0.3

#: Where a folder keeps the ports it was first served on: settings that name them stay good.
PORTS_FILE = "ports.json"

#: Where a folder keeps the rules of faults.
FAULTS_FILE = "faults.json"

#: What makes up the state of a folder; `--reset` removes it and leaves the keys.
STATE_FILES = (
    "world.json",
    "stage.json",
    "clock",
    "google.sqlite",
    "google.sqlite-wal",
    "google.sqlite-shm",
    FAULTS_FILE,
)


class ServeError(RuntimeError):
    """The sandbox cannot be served; the text says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line said."""

    world: str
    folder: Path
    seed: int | None = None
    salesforce_port: int = 0
    google_port: int = 0
    control_port: int = 0
    mail: Path | None = None
    deploy: Path | None = None
    insecure_http: bool = False
    info: Path | None = None
    reset: bool = False
    quota: str = "generous"
    as_json: bool = False


@contextlib.contextmanager
def folder_lock(folder: Path) -> Generator[None]:
    """One server per folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "serve.lock").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ServeError(f"another sandbox is already serving {folder}; stop it or use another --dir") from error
        yield


def _choose_world(options: Options) -> World:
    if options.world in {"small", "medium"}:
        from leakwatch.sandbox.world.generate import generate

        return generate(options.world, 7 if options.seed is None else options.seed)
    path = Path(options.world)
    if not path.exists():
        raise ServeError(f"--world must be small, medium or a file; there is no file {options.world}")
    return read_world(path)


def open_stage(options: Options) -> tuple[Stage, SalesforceSide]:
    """The stage of a folder: taken up where it stands, or filled from its world."""
    folder = options.folder
    if options.reset:
        for name in STATE_FILES:
            (folder / name).unlink(missing_ok=True)
        for name in ("org", "saves"):
            shutil.rmtree(folder / name, ignore_errors=True)
    fresh = not (folder / "stage.json").exists()
    world = _choose_world(options) if fresh else read_kept_world(folder)
    if fresh:
        for name in STATE_FILES[1:]:
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / "org", ignore_errors=True)
        (folder / "world.json").write_text(json.dumps(world.as_json(), ensure_ascii=False), encoding="utf-8")
    clock = VirtualClock(folder / "clock", world.start)
    side = open_org(folder / "org", clock, world, fresh=fresh, deploy=options.deploy)
    store = MailStore(folder / "google.sqlite", clock)
    directory = Directory(store)
    post = PostOffice(store, directory)
    player = Player(world, side.org, post, clock, {}, {})
    stage = Stage(folder, world, clock, side.org, store, directory, post, player)
    if fresh:
        load_stage(stage, options.mail)
    else:
        resume_stage(stage)
    return stage, side


def _google_service(stage: Stage, keys: Keys, ledger: Ledger, options: Options, token_uri: str) -> GoogleService:
    account = ServiceAccount(
        SERVICE_ACCOUNT_EMAIL, SERVICE_ACCOUNT_ID, keys.public_key(), frozenset(stage.world.delegation)
    )
    tokens = TokenOffice(account, stage.directory, keys.secret("google-tokens").encode(), audiences=lambda: {token_uri})
    return GoogleService(
        stage.directory,
        Gmail(stage.store),
        tokens,
        Quota(QuotaSettings.profile(options.quota)),
        CUSTOMER,
        list(stage.world.company["domains"]),
        ledger.method,
    )


def serve(options: Options) -> int:
    """Serve until told to stop; the exit code."""
    with folder_lock(options.folder):
        keys = Keys(options.folder)
        keys.ensure()
        stage, side = open_stage(options)
        try:
            asyncio.run(_run(options, keys, stage, side))
        finally:
            stage.close()
            (options.folder / "sandbox.json").unlink(missing_ok=True)
    return 0


def open_sockets(options: Options) -> list[socket.socket]:
    """Listening sockets for Salesforce, Google and the control API: on the ports asked for, else on those of before.

    A port of before that somebody else took meanwhile is replaced by a free one, and that is said.
    """
    names = ("salesforce", "google", "control")
    asked = (options.salesforce_port, options.google_port, options.control_port)
    path = options.folder / PORTS_FILE
    try:
        before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = {}
    sockets: list[socket.socket] = []
    for name, port in zip(names, asked, strict=True):
        try:
            sockets.append(listen(port or int(before.get(name, 0))))
        except PortError as error:
            if port:
                raise
            sockets.append(listen(0))
            fresh = sockets[-1].getsockname()[1]
            sys.stderr.write(f"{error}; {name} is served on {fresh} now: settings made for this folder name the old\n")
    ports = {name: sock.getsockname()[1] for name, sock in zip(names, sockets, strict=True)}
    path.write_text(json.dumps(ports), encoding="utf-8")
    return sockets


def _counted(book: FaultBook, ledger: Ledger) -> Callable[[str, str], Rule | None]:
    """The book's answer to what goes on inside the org, counted in the ledger."""

    def ask(point: str, text: str) -> Rule | None:
        rule = book.take_at(point, text)
        if rule is not None:
            ledger.fault("salesforce", rule.do)
        return rule

    return ask


async def _run(options: Options, keys: Keys, stage: Stage, side: SalesforceSide) -> None:
    sockets = open_sockets(options)
    scheme = "http" if options.insecure_http else "https"
    urls = [f"{scheme}://localhost:{sock.getsockname()[1]}" for sock in sockets]
    ledger, book = Ledger(), FaultBook.kept(options.folder / FAULTS_FILE, stage.world.seed)
    token_uri = f"{urls[1]}/token"
    keys.write_service_account(token_uri)
    google = _google_service(stage, keys, ledger, options, token_uri)
    desk = Desk(stage, google, book, ledger, keys.secret("control"))
    org_app = side.build(urls[0], keys)
    stage.org.trouble.ask = _counted(book, ledger)
    stage.org.agenda.watch()
    google_app = build_google(google, book.part_fault)
    apps: list[Any] = [
        FaultMiddleware(org_app, "salesforce", book, ledger, drop_connection),
        FaultMiddleware(google_app, "google", book, ledger, drop_connection),
        build_control(desk),
    ]
    servers = [https_server(app, None if options.insecure_http else keys.server) for app in apps]
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server in servers:
            server.should_exit = True
        loop.call_later(LINGER, abort_connections)

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    tasks = [asyncio.create_task(server.serve(sockets=[sock])) for server, sock in zip(servers, sockets, strict=True)]
    while not all(server.started for server in servers) and not any(task.done() for task in tasks):
        await asyncio.sleep(0.005)
    _announce(options, _card(stage, side, keys, urls, desk))
    await asyncio.gather(*tasks)
    book.keep()


def _card(stage: Stage, side: SalesforceSide, keys: Keys, urls: list[str], desk: Desk) -> dict[str, Any]:
    world = stage.world
    admin = next((u for u in world.users if (u.get("google") or {}).get("admin")), None)
    return {
        "ca_file": str(keys.ca),
        "salesforce": side.card(urls[0], keys),
        "google": {
            "service_account_file": str(keys.service_account),
            "api_url": urls[1],
            "batch_url": f"{urls[1]}/batch/gmail/v1",
            "token_uri": f"{urls[1]}/token",
            "admin_email": admin["email"] if admin else None,
            "customer": CUSTOMER,
            "domain": world.company["domains"][0],
            "domains": world.company["domains"],
            "scopes": world.delegation,
        },
        "control": {"url": urls[2], "token": desk.token},
        "world": {
            "name": world.name,
            "seed": world.seed,
            "start": format_instant(world.start),
            "now": format_instant(stage.clock.now()),
            "days": world.days,
            "time_zone": world.company["time_zone"],
        },
        "pid": os.getpid(),
    }


def _announce(options: Options, card: dict[str, Any]) -> None:
    content = json.dumps(card, indent=2, ensure_ascii=False).encode()
    for path in (options.info, options.folder / "sandbox.json"):  # the last is the one that is waited for
        if path is not None:
            temporary = path.with_name(path.name + ".new")
            write_private(temporary, content)
            temporary.replace(path)
    world = card["world"]
    served = {
        "salesforce": card["salesforce"]["instance_url"],
        "google": card["google"]["api_url"],
        "control": card["control"]["url"],
        "info": str(options.info or options.folder / "sandbox.json"),
    }
    if options.as_json:
        text = json.dumps({"world": world, "pid": card["pid"], **served}, ensure_ascii=False, indent=2)
    else:
        head = f"sandbox ready: world {world['name']} (seed {world['seed']}), clock {world['now']}"
        text = "\n".join([head, *(f"{name:<12}{place}" for name, place in served.items())])
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
