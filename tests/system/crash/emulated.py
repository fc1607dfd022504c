"""The sandbox's org and Google inside this process, without a socket: what the long run of crash tests forks.

A case must cost milliseconds. So nothing is served: calls come as plain values (by a pipe, see `pipes.py`), and a
process that was forked takes files of its own (`move_to`) instead of restoring a saved state.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request

from leakwatch.config import shipped
from leakwatch.sandbox import card
from leakwatch.sandbox.control import Desk
from leakwatch.sandbox.fault_play import _shortened
from leakwatch.sandbox.faults import FaultBook, Rule
from leakwatch.sandbox.folder import open_stage
from leakwatch.sandbox.google.app import build_app as build_google
from leakwatch.sandbox.keys import Keys
from leakwatch.sandbox.ledger import Ledger
from leakwatch.sandbox.org.rest.app import _Api
from leakwatch.sandbox.org.rest.body import Body
from leakwatch.sandbox.server import Options, _google_service, _graph_service
from leakwatch.sandbox.world.expect import truth_now, world_card
from leakwatch.sandbox.world.model import World

URLS = {name: f"https://localhost:{port}" for name, port in (("salesforce", 1), ("login", 2), ("google", 3))}
LOST = (0, {}, b"")  # no answer came
_LEAKED: list[Any] = []  # connections of the process this one was forked from: closing them would touch its files


@dataclass(slots=True)
class Answer:
    """What came back: status 0 is a torn connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    def plain(self) -> tuple[int, dict[str, str], bytes]:
        return self.status, self.headers, self.body


class Emulated:
    """A company of the sandbox: org, mailboxes, calendars, clock and world in `folder`."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        (folder.parent / "world.json").write_text(json.dumps(world.as_json()), encoding="utf-8")
        options = Options(folder, world=str(folder.parent / "world.json"), deploy=shipped("salesforce"))
        self.stage, side = open_stage(options)
        shutil.rmtree(folder / "seeded")
        keys = Keys(folder)
        keys.ensure()
        keys.write_service_account(f"{URLS['google']}/token")
        self.ledger, self.book = Ledger(), FaultBook()
        self.google = _google_service(self.stage, keys, self.ledger, options, f"{URLS['google']}/token")
        self.stage.org.trouble.ask = self.book.take_at
        side.build(URLS["salesforce"], URLS["login"], keys)
        self._org_api = _Api(self.stage.org)
        self._google_app = build_google(self.google, self.book.part_fault)
        control = {**URLS, "control": "https://localhost:4"}
        told = card.card(self.stage, side.card(URLS["salesforce"], URLS["login"], keys), keys, control, "")
        self.info = json.loads(json.dumps(told))
        self.world = world_card(self.stage.world, self.stage.player.refs) | {"mail_import": None}
        graph = _graph_service(self.stage, keys, self.ledger, options)
        self.desk = Desk(self.stage, self.google, graph, self.book, self.ledger, "")
        self.pages = Pages()
        self.calls: Counter[str] = Counter()
        self.outage = False  # Salesforce answers nothing at all

    @property
    def settings_source(self) -> Any:
        """What `write_settings` asks a served sandbox."""
        return SimpleNamespace(info=self.info, world=self.world)

    def truth(self) -> Mapping[str, Any]:
        """Return what must have become of each mail and meeting by now, by the world's own word."""
        return truth_now(self.stage.world, self.stage.clock.now(), self.stage.player.refs)

    # --- calls ---

    def answer(self, service: str, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one HTTP call; rules of `book` and `pages` apply."""
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self.calls[service] += 1
        if service == "salesforce" and self.outage:
            return Answer(*LOST)
        rule = self.book.take(service, f"{method} {target}")
        behaviour = rule.do if rule is not None and rule.do in ("empty_page", "no_limit_info") else ""
        if rule is not None and rule.effect == "before" and rule.do in ("answer", "html", "reset"):
            return _instead(rule, f"{method} {target}")
        scope = {
            "type": "http",
            "method": method,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "scheme": "https",
            "server": ("localhost", parts.port or 443),
            "root_path": "",
            "sandbox.behaviour": behaviour,
        }
        scope["headers"] = [*scope["headers"], (b"host", parts.netloc.encode())]
        found = self._of_org(scope, body) if service == "salesforce" else self._of_google(scope, body)
        if service == "google":
            found = self.pages.changed(parts.path, parts.query, found)
        return _spoilt(found, rule, f"{method} {target}") if rule is not None else found

    def _of_org(self, scope: dict[str, Any], body: bytes) -> Answer:
        response = self._org_api._answer(Request(scope), Body.of(body))
        if hasattr(response, "body_iterator"):
            raise NotImplementedError("a streamed answer")
        return Answer(response.status_code, dict(response.headers.items()), bytes(response.body))

    def _of_google(self, scope: dict[str, Any], body: bytes) -> Answer:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        run_without_loop(self._google_app(scope, receive, send))
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], headers, b"".join(one.get("body", b"") for one in sent[1:]))

    # --- states ---

    def settle(self) -> None:
        """Bring everything into the files themselves, so that copies of them are whole."""
        for database in (self.stage.org.store, self.stage.org.cursors._db):
            database._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.stage.store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.stage.org.meters.write()

    def move_to(self, folder: Path) -> None:
        """In a fork: go on with copies of the files in `folder`, and leave the other process's alone."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("keys", "*.pem", "*-shm", "saves", "bulk"))
        self.folder = self.stage.folder = folder
        self.stage.clock._path = folder / "clock"
        org = self.stage.org
        for database in (org.store, org.cursors._db):
            _LEAKED.append((database._writer, database._here.reader))
            database.path = folder / "org" / database.path.name
            database._here.reader = None
            database._readers.clear()
            database._writer = database._connect()
        _LEAKED.extend([org.identity.book._db, self.stage.store.db])
        org.identity.book._db = _open(folder / "org" / "identity.sqlite")
        org.identity.book._db.row_factory = sqlite3.Row
        self.stage.store.db = _open(folder / "google.sqlite")

    def leave(self) -> None:
        """Let go of the files that `move_to` opened, so that they can be removed."""
        for database in (self.stage.org.store, self.stage.org.cursors._db):
            database.close()
        self.stage.org.identity.book._db.close()
        self.stage.store.db.close()


class Pages:
    """What Google does to the pages of a list that no document forbids: see reference "C6".

    `twice` names each item twice and repeats those of the page before; `backwards` reverses each page; `tokenless`
    loses the change token on the last page so many times.
    """

    def __init__(self) -> None:
        self.twice = self.backwards = False
        self.tokenless = 0
        self._before: dict[str, list[Any]] = {}

    def changed(self, path: str, query: str, found: Answer) -> Answer:
        """Return a list's page as it is sent."""
        quiet = not (self.twice or self.backwards or self.tokenless)
        if quiet or found.status != 200 or not found.headers.get("content-type", "").startswith("application/json"):
            return found
        content = json.loads(found.body)
        name = next((one for one in ("messages", "history", "items") if isinstance(content.get(one), list)), None)
        if name is None or path.rsplit("/", 1)[-1] not in ("messages", "history", "events", "instances"):
            return found
        items = content[name]
        if self.twice and path.endswith(("/messages", "/history", "/events")):
            repeated = self._before.get(path, []) if "pageToken" in query else []
            self._before[path] = list(items)
            items = [*repeated, *(one for item in items for one in (item, item))]
        if self.backwards and not path.endswith("/history"):  # the order of a history is its meaning
            items = items[::-1]
        content[name] = items
        if self.tokenless and "nextPageToken" not in content and content.get("nextSyncToken"):
            self.tokenless -= 1
            del content["nextSyncToken"]
        return Answer(found.status, found.headers, json.dumps(content).encode())


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA synchronous=OFF")
    return db


def _instead(rule: Rule, call: str) -> Answer:
    return Answer(*LOST) if rule.do == "reset" else Answer(*rule.reply(call))


def _spoilt(found: Answer, rule: Rule, call: str) -> Answer:
    """Return what is left of an answer to a call that was carried out."""
    match rule.do:
        case "reset":
            return Answer(*LOST)
        case "answer" | "html":
            return _instead(rule, call)
        case "truncate":
            return Answer(found.status, found.headers, found.body[: len(found.body) // 2])
        case "short_list":
            return Answer(found.status, found.headers, _shortened(found.body))
        case _:
            return found


def run_without_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Run what never waits for anything; return its result."""
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value
    raise RuntimeError("it waits for something")


def dice_of(*parts: object) -> random.Random:
    """Return dice that fall the same for the same words, on every machine."""
    return random.Random(":".join(map(str, parts)))
