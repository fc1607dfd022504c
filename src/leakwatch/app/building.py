"""The parts of one leakwatch, made when first asked for: stores, clients, rules, actions."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from leakwatch.clock import SystemClock
from leakwatch.config import Settings, check_secret_file, shipped
from leakwatch.errors import ConfigError, NotFoundError
from leakwatch.model import Rule, Run, Snapshot
from leakwatch.ports import Clock

if TYPE_CHECKING:  # each is heavy to import and not needed by every command
    from sqlalchemy import Engine

    from leakwatch.clients.salesforce import SalesforceClient
    from leakwatch.core.tables import MirrorConfig
    from leakwatch.core.tasks import TaskWords
    from leakwatch.rule_engine.load import LoadedRule
    from leakwatch.salesforce.objects import OrgFacts
    from leakwatch.salesforce.reader import SalesforceReader
    from leakwatch.salesforce.writer import SalesforceWriter
    from leakwatch.store.capture_status import CaptureStatus
    from leakwatch.store.findings import SqlFindingStore
    from leakwatch.store.journal import SqlJournal
    from leakwatch.store.mirror import Mirror
    from leakwatch.store.runs import SqlRunLog
    from leakwatch.store.snapshots import HeldSnapshot
    from leakwatch.store.write_log import SqlWriteLog

STATE_FILE = "state.db"
MIRROR_FOLDER = "mirror"
RUN_LOCK = "run.lock"


class Parts:
    """What one configuration builds. Use as a context manager: it closes what it opened.

    `clock` is business time; `wall` is the machine's, for tokens and waiting (they differ in the demo only).
    """

    def __init__(self, settings: Settings, *, clock: Clock | None = None, wall: Clock | None = None) -> None:
        self.settings = settings
        self.wall: Clock = wall or SystemClock()
        self.clock: Clock = clock or self.wall
        self._durable = True
        self._opened: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the state file and every connection that was opened."""
        engine = self.__dict__.pop("engine", None)
        if engine is not None:
            engine.dispose()
        client = self.__dict__.pop("client", None)
        if client is not None:
            client.close()
        snapshot = self.__dict__.pop("_held_snapshot", None)
        if snapshot is not None:
            snapshot.close()
        while self._opened:
            self._opened.pop()()

    def on_close(self, close: Callable[[], None]) -> None:
        """Have `close` called when these parts are closed."""
        self._opened.append(close)

    # --- state ---

    @cached_property
    def engine(self) -> Engine:
        """The state file, at the layout of this version."""
        from leakwatch.store import schema
        from leakwatch.store.database import open_engine

        engine = open_engine(self.settings.store.folder / STATE_FILE, durable=self._durable)
        schema.upgrade(engine)
        return engine

    @cached_property
    def journal(self) -> SqlJournal:
        """Cursors, activities and decisions."""
        from leakwatch.store.journal import SqlJournal

        return SqlJournal(self.engine)

    @cached_property
    def write_log(self) -> SqlWriteLog:
        """Every write, by run."""
        from leakwatch.store.write_log import SqlWriteLog

        return SqlWriteLog(self.engine)

    @cached_property
    def runs(self) -> SqlRunLog:
        """Runs, and the lock that keeps two flows from changing one store at once."""
        from leakwatch.store.runs import SqlRunLog

        return SqlRunLog(self.engine, self.settings.store.folder / RUN_LOCK)

    @cached_property
    def findings(self) -> SqlFindingStore:
        """Findings, their history and what was said about them."""
        from leakwatch.store.findings import SqlFindingStore

        return SqlFindingStore(self.engine)

    @cached_property
    def capture_status(self) -> CaptureStatus:
        """How far each mailbox is known, and what became of each item."""
        from leakwatch.store.capture_status import CaptureStatus

        return CaptureStatus(self.engine)

    @cached_property
    def mirror_config(self) -> MirrorConfig:
        """Which objects and fields are mirrored, and what labels mean."""
        from leakwatch.store.mirror_config import load_mirror_config

        return load_mirror_config(self.settings.audit.mirror_file or shipped("config") / "mirror.yaml")

    @property
    def mirror_folder(self) -> Path:
        """Where the mirror and its snapshots lie."""
        return self.settings.store.folder / MIRROR_FOLDER

    def open_mirror(self) -> Mirror:
        """Return the live mirror, open for writing; close it soon."""
        from leakwatch.store.mirror import Mirror

        self.settings.store.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Mirror(self.mirror_folder, self.mirror_config)

    def newest_snapshot(self) -> Snapshot | None:
        """Return the newest snapshot of the mirror, or None; it is held open until these parts are closed.

        Raises:
            LeakwatchError: it is gone, or not a snapshot.
        """
        return self._held_snapshot.latest()

    @cached_property
    def _held_snapshot(self) -> HeldSnapshot:
        from leakwatch.store.snapshots import HeldSnapshot

        return HeldSnapshot(self.mirror_folder)

    # --- rules ---

    @cached_property
    def loaded_rules(self) -> tuple[LoadedRule, ...]:
        """Every rule that is switched on by `audit.rules`, loaded, overridden and linted."""
        from leakwatch.rule_engine.load import load_rules

        audit = self.settings.audit
        named = {"audit.rules_folder": audit.rules_folder, "audit.overrides_file": audit.overrides_file}
        missing = [f"{name}: {path} does not exist" for name, path in named.items() if path and not path.exists()]
        if missing:
            raise ConfigError(missing)
        rules = load_rules(self.mirror_config.catalog(), user_folder=audit.rules_folder, overrides=audit.overrides_file)
        if not audit.rules:
            return rules
        known = {loaded.rule.id for loaded in rules}
        unknown = [name for name in audit.rules if name not in known]
        if unknown:
            raise ConfigError(
                [f"audit.rules: no rule is called {name!r}; known: {', '.join(sorted(known))}" for name in unknown]
            )
        return tuple(loaded for loaded in rules if loaded.rule.id in audit.rules)

    @property
    def rules(self) -> list[Rule]:
        """The rules as the flows know them."""
        return [loaded.rule for loaded in self.loaded_rules]

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone of the org's days: `company.time_zone`."""
        return ZoneInfo(self.settings.company.time_zone)

    # --- Salesforce ---

    @cached_property
    def client(self) -> SalesforceClient:
        """The edge to the org."""
        from leakwatch.clients.retry import RetryPolicy
        from leakwatch.clients.salesforce import Connection, SalesforceClient

        section = self.settings.salesforce
        login = section.login_url.rstrip("/")
        return SalesforceClient(
            Connection(
                login_url=login,
                instance_url=section.instance_url,
                audience=section.audience or f"https://{urlsplit(login).netloc}",
                client_id=section.client_id,
                username=section.username,
                private_key=self._private_key(),
                api_version=section.api_version,
                ca_bundle=section.ca_bundle,
                connect_timeout_s=section.connect_timeout_s,
                read_timeout_s=section.read_timeout_s,
                call_timeout_s=section.call_timeout_s,
                reserve_share=section.api_reserve_share,
            ),
            wall=self.wall,
            retry=RetryPolicy(self.wall.sleep),
        )

    def _private_key(self) -> str:
        section = self.settings.salesforce
        problems = [f"salesforce.{name} is not set" for name in ("client_id", "username") if not getattr(section, name)]
        if section.private_key is None and section.private_key_file is None:
            problems.append("salesforce.private_key_file is not set (or salesforce.private_key, from a secret store)")
        if section.private_key_file is not None:
            problems += check_secret_file(section.private_key_file, "salesforce.private_key_file")
        if problems:
            raise ConfigError([f"{problem}. Nothing was done." for problem in problems])
        if section.private_key is not None:
            return section.private_key.get_secret_value()
        assert section.private_key_file is not None  # noqa: S101  checked above
        return section.private_key_file.read_text(encoding="utf-8")

    @cached_property
    def reader(self) -> SalesforceReader:
        """Salesforce, read."""
        from leakwatch.salesforce.reader import SalesforceReader

        return SalesforceReader(self.client)

    @cached_property
    def writer(self) -> SalesforceWriter:
        """Salesforce, written."""
        from leakwatch.salesforce.writer import SalesforceWriter

        return SalesforceWriter(
            self.client,
            self.reader,
            self.write_log,
            clock=self.wall,
            composite=self.settings.salesforce.composite,
            max_ops=self.settings.writes.max_per_run,
        )

    @cached_property
    def org(self) -> OrgFacts:
        """What this org has."""
        from leakwatch.salesforce.objects import org_facts

        return org_facts(self.reader)

    @cached_property
    def task_words(self) -> TaskWords:
        """The org's own values for Task status and priority."""
        from leakwatch.core.tasks import TaskWords

        return TaskWords.from_rows(
            self._picklist("TaskStatus", "IsClosed"), self._picklist("TaskPriority", "IsHighPriority")
        )

    def _picklist(self, sobject: str, flag: str) -> list[Mapping[str, Any]]:
        wanted = ("ApiName", "MasterLabel", flag, "IsDefault", "SortOrder")
        try:
            fields = [name for name in wanted if self.reader.has_field(sobject, name)]
        except NotFoundError:
            return []
        if not fields:
            return []
        pages = self.reader.query(f"SELECT {', '.join(fields)} FROM {sobject}")  # noqa: S608  our own names
        return [row for page in pages for row in page]

    # --- actions ---

    @cached_property
    def actions(self) -> dict[str, Any]:
        """Every action found in `actions/`, by its file name."""
        import leakwatch.actions

        found: dict[str, Any] = {}
        for info in pkgutil.iter_modules(leakwatch.actions.__path__):
            module = importlib.import_module(f"leakwatch.actions.{info.name}")
            found[info.name] = module.create(module.Settings(), self.task_words)
        return found

    # --- runs ---

    @contextmanager
    def run(self, flow: str, *, dry_run: bool = False) -> Generator[RunNote]:
        """Yield a note of one run; nobody else may work on this store meanwhile. What it says is stored at the end."""
        with self.runs.exclusive():
            note = RunNote(self.runs.start(flow, now=self.clock.now(), dry_run=dry_run))
            try:
                yield note
            except BaseException as error:
                self.runs.finish(note.finished(self.clock.now(), error=f"{type(error).__name__}: {error}"))
                raise
            self.runs.finish(note.finished(self.clock.now()))


class RunNote:
    """What a run wants remembered of itself."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.complete = False
        self.counts: dict[str, int] = {}

    def finished(self, now: Any, *, error: str | None = None) -> Run:
        """Return the run as it ended at `now` (aware)."""
        from dataclasses import replace

        return replace(
            self.run, finished_at=now, complete=self.complete and error is None, counts=dict(self.counts), error=error
        )
