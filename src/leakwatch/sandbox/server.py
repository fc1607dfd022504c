"""Serving a sandbox: one process with HTTPS servers on loopback, told apart by port.

The login host, the org, Google, Microsoft (Entra and Graph), and control.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakwatch.sandbox import card
from leakwatch.sandbox.control import Desk
from leakwatch.sandbox.control import build_app as build_control
from leakwatch.sandbox.fault_play import FaultMiddleware
from leakwatch.sandbox.faults import FaultBook, Rule
from leakwatch.sandbox.folder import FAULTS_FILE, ServeError, folder_lock, open_stage
from leakwatch.sandbox.google.app import build_app as build_google
from leakwatch.sandbox.google.calendar import Calendar
from leakwatch.sandbox.google.calendar_quota import CalendarQuota, CalendarQuotaSettings
from leakwatch.sandbox.google.calendar_service import CalendarService
from leakwatch.sandbox.google.gmail import Gmail
from leakwatch.sandbox.google.pubsub import PubSub
from leakwatch.sandbox.google.pubsub_service import PubSubService
from leakwatch.sandbox.google.quota import Quota, QuotaSettings
from leakwatch.sandbox.google.service import GoogleService
from leakwatch.sandbox.google.tokens import ServiceAccount, TokenOffice
from leakwatch.sandbox.google.watch import Watches
from leakwatch.sandbox.keys import PROJECT, SERVICE_ACCOUNT_EMAIL, SERVICE_ACCOUNT_ID, Keys
from leakwatch.sandbox.ledger import Ledger
from leakwatch.sandbox.microsoft.app import build_app as build_microsoft
from leakwatch.sandbox.microsoft.consent import Consent
from leakwatch.sandbox.microsoft.limits import Limits
from leakwatch.sandbox.microsoft.service import GraphService
from leakwatch.sandbox.microsoft.service import build as build_service
from leakwatch.sandbox.proxy import ConnectProxy, Targets
from leakwatch.sandbox.salesforce import SalesforceSide
from leakwatch.sandbox.stage import Stage
from leakwatch.sandbox.wire import PortError, abort_connections, drop_connection, https_server, listen
from leakwatch.sandbox.world.seed import CUSTOMER

#: After this long (seconds) a stopping server tears the connections that are still open.
LINGER = 0.3

#: Where a folder keeps the ports it was first served on: settings that name them stay good.
PORTS_FILE = "ports.json"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line said."""

    folder: Path
    world: str | None = None
    """None: that of the folder, or `small` for a new one."""
    seed: int | None = None
    scale: float = 1.0
    """Share of a generated world."""
    salesforce_port: int = 0
    login_port: int = 0
    google_port: int = 0
    microsoft_port: int = 0
    control_port: int = 0
    proxy_port: int | None = None
    """None: no proxy; 0: on the port of before, or a free one."""
    google: bool = True
    """Whether mail is served too: Google Workspace and Microsoft 365."""
    mailboxes: str = "google"
    """Whose mailboxes a generated world has: google, microsoft or both."""
    mail: Path | None = None
    deploy: Path | None = None
    insecure_http: bool = False
    info: Path | None = None
    reset: bool = False
    quota: str = "generous"
    as_json: bool = False


def _google_service(stage: Stage, keys: Keys, ledger: Ledger, options: Options, token_uri: str) -> GoogleService:
    account = ServiceAccount(
        SERVICE_ACCOUNT_EMAIL, SERVICE_ACCOUNT_ID, keys.public_key(), frozenset(stage.world.delegation)
    )
    tokens = TokenOffice(account, stage.directory, keys.secret("google-tokens").encode(), audiences=lambda: {token_uri})
    calendar = CalendarService(
        Calendar(stage.meetings.store, stage.directory),
        CalendarQuota(CalendarQuotaSettings.profile(options.quota)),
        ledger.method,
    )
    pubsub = PubSub(stage.store)
    return GoogleService(
        stage.directory,
        Gmail(stage.store),
        calendar,
        tokens,
        Quota(QuotaSettings.profile(options.quota)),
        CUSTOMER,
        list(stage.world.company["domains"]),
        Watches(stage.store, pubsub, PROJECT),
        PubSubService(pubsub, PROJECT, SERVICE_ACCOUNT_EMAIL, ledger.method),
        ledger.method,
    )


def _graph_service(stage: Stage, keys: Keys, ledger: Ledger, options: Options) -> GraphService:
    exchange = stage.post.microsoft
    consent = Consent(stage.store, keys.secret("microsoft-client"), keys.client_certificate.read_bytes())
    return build_service(
        exchange,
        consent=consent,
        domains=list(stage.world.company["domains"]),
        key=keys.secret("microsoft-tokens").encode(),
        limits=Limits.profile(options.quota),
        calendars=stage.meetings.store,
        counted=lambda name: ledger.method(f"graph {name}"),
    )


def serve(options: Options) -> int:
    """Serve until told to stop; the exit code."""
    if options.insecure_http and options.proxy_port is not None:
        raise ServeError("--proxy-port needs TLS, which the clients behind a proxy speak; leave --insecure-http out")
    if options.info is not None and not options.info.parent.is_dir():
        raise ServeError(f"--info: there is no folder {options.info.parent}")
    with folder_lock(options.folder):
        sockets = open_sockets(options)  # first: a port that is taken must not cost a state
        try:
            stage, side = open_stage(options)
            try:
                keys = Keys(options.folder)
                keys.ensure()
                asyncio.run(_run(options, keys, stage, side, sockets))
            finally:
                stage.close()
                (options.folder / "sandbox.json").unlink(missing_ok=True)
        finally:
            for one in sockets.values():
                one.close()
    return 0


def asked_ports(options: Options) -> dict[str, int]:
    """The servers that were asked for, with their ports (0: the one of before, or a free one)."""
    asked = {"salesforce": options.salesforce_port, "login": options.login_port, "control": options.control_port}
    if options.google:
        asked |= {"google": options.google_port, "microsoft": options.microsoft_port}
    if options.proxy_port is not None:
        asked["proxy"] = options.proxy_port
    return asked


def open_sockets(options: Options) -> dict[str, socket.socket]:
    """Listening sockets by server: on the ports asked for, else on those of before.

    A port of before that somebody else took meanwhile is replaced by a free one, and that is said.
    """
    path = options.folder / PORTS_FILE
    try:
        before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = {}
    sockets: dict[str, socket.socket] = {}
    for name, port in asked_ports(options).items():
        try:
            sockets[name] = listen(port or int(before.get(name, 0)))
        except PortError as error:
            if port:
                raise
            sockets[name] = listen(0)
            fresh = sockets[name].getsockname()[1]
            sys.stderr.write(f"{error}; {name} is served on {fresh} now: settings made for this folder name the old\n")
    ports = before | {name: sock.getsockname()[1] for name, sock in sockets.items()}
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


def _urls(options: Options, sockets: dict[str, socket.socket]) -> dict[str, str]:
    scheme = "http" if options.insecure_http else "https"
    found = {name: f"{scheme}://localhost:{sock.getsockname()[1]}" for name, sock in sockets.items()}
    if "proxy" in found:  # a proxy itself is spoken to in plain HTTP
        found["proxy"] = found["proxy"].replace("https://", "http://")
    return found


async def _run(
    options: Options, keys: Keys, stage: Stage, side: SalesforceSide, sockets: dict[str, socket.socket]
) -> None:
    urls = _urls(options, sockets)
    ledger, book = Ledger(), FaultBook.kept(options.folder / FAULTS_FILE, stage.world.seed)
    token_uri = f"{urls.get('google', 'https://localhost')}/token"
    if options.google:
        keys.write_service_account(token_uri)
    google = _google_service(stage, keys, ledger, options, token_uri)
    graph = _graph_service(stage, keys, ledger, options)
    desk = Desk(stage, google, graph, book, ledger, keys.secret("control"))
    stage.org.trouble.ask = _counted(book, ledger)
    stage.org.agenda.watch()
    org_app = FaultMiddleware(
        side.build(urls["salesforce"], urls["login"], keys), "salesforce", book, ledger, drop_connection
    )
    apps: dict[str, Any] = {"salesforce": org_app, "login": org_app, "control": build_control(desk)}
    if options.google:
        google_app = build_google(google, book.part_fault)
        apps["google"] = FaultMiddleware(google_app, "google", book, ledger, drop_connection)
        graph_app = build_microsoft(graph, book.graph_part_fault)
        apps["microsoft"] = FaultMiddleware(graph_app, "microsoft", book, ledger, drop_connection)
    servers = {name: https_server(app, None if options.insecure_http else keys.server) for name, app in apps.items()}
    proxy = await _proxy(sockets)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server in servers.values():
            server.should_exit = True
        if proxy is not None:
            proxy.stop()
        loop.call_later(LINGER, abort_connections)

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    tasks = [asyncio.create_task(server.serve(sockets=[sockets[name]])) for name, server in servers.items()]
    while not all(server.started for server in servers.values()) and not any(task.done() for task in tasks):
        await asyncio.sleep(0.005)
    _announce(options, card.card(stage, side.card(urls["salesforce"], urls["login"], keys), keys, urls, desk.token))
    await asyncio.gather(*tasks)
    book.keep()


async def _proxy(sockets: dict[str, socket.socket]) -> ConnectProxy | None:
    if "proxy" not in sockets:
        return None
    ports = {name: int(sock.getsockname()[1]) for name, sock in sockets.items()}
    proxy = ConnectProxy(Targets(login=ports["login"], instance=ports["salesforce"]))
    await proxy.start(sockets["proxy"])
    return proxy


def _announce(options: Options, content: dict[str, Any]) -> None:
    own = options.folder / "sandbox.json"
    card.write(content, *([options.info] if options.info is not None else []), own)
    info = options.info or own
    if options.as_json:
        text = json.dumps(card.served(content, info), ensure_ascii=False, indent=2)
    else:
        text = card.words(content, info)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
