"""The org as the rest of the sandbox holds it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from leakwatch.sandbox.org import defaults, deletion, deployment, hidden, ids, limits, merging, queries, seeding, values
from leakwatch.sandbox.org import dump as dumping
from leakwatch.sandbox.org.agenda import Agenda
from leakwatch.sandbox.org.automation import RULES, archive, conversion, history, last_activity, persons, shared
from leakwatch.sandbox.org.automation.declared import Declared
from leakwatch.sandbox.org.bulk.machine import Bulk
from leakwatch.sandbox.org.caller import DEFAULT_VERSION, Caller, caller_of
from leakwatch.sandbox.org.cursors import Cursors
from leakwatch.sandbox.org.engine import Engine
from leakwatch.sandbox.org.errors import OrgError, not_found
from leakwatch.sandbox.org.identity.apps import App
from leakwatch.sandbox.org.identity.authority import Authority
from leakwatch.sandbox.org.meters import Meters, Running
from leakwatch.sandbox.org.replication import InFlight
from leakwatch.sandbox.org.schema import Schema, SObject
from leakwatch.sandbox.org.settings import CHANGEABLE, OrgSettings, check
from leakwatch.sandbox.org.settings.kept import KeptChanges
from leakwatch.sandbox.org.soql.results import Page, Stream
from leakwatch.sandbox.org.storage import Storage
from leakwatch.sandbox.org.store import Store
from leakwatch.sandbox.org.trouble import Trouble

__all__ = ["Clock", "Org", "OrgError", "OrgSettings"]


class Clock(Protocol):
    """Business time."""

    def now(self) -> datetime:
        """The instant, aware."""
        ...


class Org:
    """One emulated org, its state in `folder`; opening the folder again goes on where it was left."""

    def __init__(self, folder: Path, clock: Clock, *, settings: OrgSettings | None = None) -> None:
        self._closed = False
        self.settings = settings or OrgSettings()
        self.clock = clock
        self._changes = KeptChanges(Path(folder), self.settings)
        self.trouble = Trouble(self)
        self.schema = self._fresh_schema()
        self.store = Store(Path(folder), self.schema)
        self.cursors = Cursors(Path(folder))
        self.queries = queries.Queries(self)
        self.storage = Storage(self)
        self.engine = self._engine()
        self.identity = Authority(self, Path(folder))
        self.sessions = self.identity.sessions
        self.attempts = Counter[str]()
        """Rows that somebody asked to have written, refused ones too, by what and object."""
        self.meters = Meters(self.store, lambda: int(clock.now().timestamp() // 3600))
        self.running = Running()
        self.in_flight = InFlight()
        """Transactions that are not over yet: what they change is committed later than its stamp says."""
        self._notes()
        self.agenda = Agenda(self)
        hidden.hide(self.schema, self.settings.hidden_fields)
        self.bulk = Bulk(self, Path(folder))
        self.bulk.resume()
        archive.schedule(self)

    def _fresh_schema(self) -> Schema:
        settings = self.settings
        switched = [name for name in ("person_accounts", "shared_activities") if getattr(settings, name)]
        return Schema(multicurrency=settings.multicurrency, currency=settings.currency, features=switched)

    def _engine(self) -> Engine:
        engine = Engine(self.store, self.schema, self.settings, self.now_text, RULES, self.trouble.at)
        engine.room_for = self.storage.room_for
        self.declared = Declared(self.store, self.schema)
        engine.declared = self.declared.check
        engine.written = history.record
        engine.binned = lambda: deletion.watch_bin(self)
        return engine

    def _notes(self) -> None:
        with self.store.transaction():
            if self.store.note("settings") is None:
                for sobject, row in defaults.rows(self.settings):
                    seeding.load(self.engine, self.schema.objects[sobject], [row])
            if self.store.note("deployed") is None:
                deployment.stamp(self)
            self.store.set_note("settings", json.dumps(asdict(self.settings), sort_keys=True))

    def now_text(self) -> str:
        """Business time in the form rows keep it."""
        return values.instant_text(self.clock.now())

    # -- set up ---------------------------------------------------------------------------------------

    def new_id(self, sobject: str) -> str:
        """A fresh 18-character id for a row to be seeded."""
        return self.store.next_id(self._object(sobject).prefix, ids.SEEDED_POD)

    def seed(self, sobject: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Load rows as they are, system fields included; no checks of content, no automation.

        What is missing is filled in: Id, system fields (now), field defaults, and derived fields such as a
        person's Name, a deal's IsClosed or a task's IsClosed. Seeding an object that the org brings default
        rows for (stages, statuses, priorities, Organization) replaces those.
        """
        one = self._object(sobject)
        with self.store.transaction():
            seeding.make_room(self.store, one)
            self.storage.forget()
            return seeding.load(self.engine, one, rows)

    def deploy(self, folder: Path) -> list[str]:
        """Deploy the custom objects and fields of an SFDX project; what could not be deployed as written is listed.

        Permission sets are checked and kept (`permission_set`), and grant nothing: every user may do everything.

        Raises:
            MetadataError: For what Salesforce would not deploy, with the file and the element.
            OrgError: 501 for what the sandbox does not emulate.
        """
        return deployment.deploy_project(self, folder)

    def permission_set(self, name: str) -> dict[str, list[dict[str, Any]]] | None:
        """What a deployed permission set grants: `fieldPermissions` and `objectPermissions`; None without it."""
        return deployment.permission_set(self, name)

    def add_custom_field(self, sobject: str, spec: Mapping[str, Any]) -> list[str]:
        """Add one custom field; keys as in the Metadata API's CustomField (see `deploy`)."""
        return deployment.add_field(self, sobject, spec)

    def change_settings(self, changes: Mapping[str, Any]) -> None:
        """Change settings while running: those of `CHANGEABLE`. Others raise ValueError, and nothing is changed.

        The changes hold when the folder is opened again; they are no part of a saved state.
        """
        check(CHANGEABLE, changes)
        hidden.check(self.schema, changes.get("hidden_fields", ()))
        with self.store.writing():
            self._changes.add(changes)
            if "bulk_polls" in changes:
                self.bulk.resume()
            if "email_message_key_unique" in changes:
                deployment.redeploy_keys(self, "EmailMessage", unique=self.settings.email_message_key_unique)
            if "hidden_fields" in changes:
                hidden.hide(self.schema, self.settings.hidden_fields)
                deployment.stamp(self)
        archive.schedule(self)

    def declare(self, rules: Mapping[str, Any]) -> dict[str, Any]:
        """Set `validation_rules`, `duplicate_rules` or both; all that are declared now (docs/world-format.md).

        Raises ValueError where one is no rule of this org, and nothing is changed.
        """
        with self.store.writing():
            self.declared.replace(rules)
            return dict(self.declared.as_json())

    def register_app(self, client_id: str, certificate: str, usernames: Iterable[str], **more: Any) -> None:
        """Register a connected app: the PEM of its certificate or public key, and whom it may act for.

        `more` are other fields of `identity.apps.App`.
        """
        self.identity.apps.put(App(client_id, certificate, users=tuple(usernames), **more))

    def expire_sessions(self) -> None:
        """Make every access token useless at once."""
        self.sessions.expire_all()

    def caller(self, user_id: str | None = None, *, app: str = "", version: str = DEFAULT_VERSION) -> Caller:
        """Who acts: a user through an app at an API version; without a user, the org itself."""
        user_id = user_id or self.settings.system_user_id
        user = self.store.get("User", user_id)
        return replace(caller_of(user_id, user, self.settings), app=app, version=version)

    def _caller(self, who: str | Caller) -> Caller:
        return who if isinstance(who, Caller) else self.caller(who)

    # -- rows -----------------------------------------------------------------------------------------

    def create(self, sobject: str, fields: Mapping[str, Any], *, user_id: str | Caller) -> str:
        """Insert one row with every check and side effect; its id."""
        with self.store.writing():
            self.attempts[f"create {sobject}"] += 1
            return self.engine.create(sobject, fields, self._caller(user_id))

    def update(self, sobject: str, record_id: str, fields: Mapping[str, Any], *, user_id: str | Caller) -> None:
        """Change one row with every check and side effect."""
        with self.store.writing():
            self.attempts[f"update {sobject}"] += 1
            self.engine.update(sobject, record_id, fields, self._caller(user_id))

    def delete(self, sobject: str, record_id: str, *, user_id: str | Caller) -> None:
        """Delete one row."""
        with self.store.writing():
            self.attempts[f"delete {sobject}"] += 1
            self.engine.delete(sobject, record_id, self._caller(user_id))

    def convert_lead(self, lead_id: str, *, user_id: str | Caller, **options: Any) -> dict[str, str | None]:
        """Convert a lead; `options` are those of `conversion.Conversion`. What it became, by SOAP's names."""
        with self.store.writing():
            self.attempts["convert Lead"] += 1
            asked = conversion.Conversion(lead_id, **options)
            return conversion.convert(self.engine, asked, self._caller(user_id)).as_json()

    def delete_for_good(self, sobject: str, record_id: str, *, user_id: str | Caller) -> None:
        """Delete one living row past the recycle bin, as the Bulk API's hardDelete does."""
        with self.store.writing():
            self.attempts[f"delete {sobject}"] += 1
            self.engine.delete(sobject, record_id, self._caller(user_id), for_good=True)

    def merge(
        self,
        sobject: str,
        master_id: str,
        others: Sequence[str],
        fields: Mapping[str, Any] | None = None,
        *,
        user_id: str | Caller,
    ) -> dict[str, Any]:
        """Merge records into one; SOAP's MergeResult (see `merging.merge`)."""
        with self.store.writing():
            self.attempts[f"merge {sobject}"] += 1
            return merging.merge(self.engine, sobject, master_id, others, fields or {}, self._caller(user_id))

    def purge(self, sobject: str, record_ids: Iterable[str]) -> None:
        """Delete rows for good, or empty them out of the recycle bin."""
        with self.store.transaction():
            system = self.caller()
            for record_id in record_ids:
                self.engine.purge(sobject, record_id, system)

    def get(self, sobject: str, record_id: str) -> dict[str, Any] | None:
        """One row, deleted or not; None if there never was one."""
        one = self._object(sobject)
        normal = ids.normalise(record_id)
        row = self.store.get(one.name, normal) if normal else None
        if row is None:
            return None
        return {name: values.outgoing(one.fields[name], value) for name, value in row.items()}

    def query(self, soql: str, *, all_rows: bool = False) -> list[dict[str, Any]]:
        """All records of a query, without paging and without `attributes`."""
        page = self.query_page(soql, all_rows=all_rows, page_size=10**9)
        return [queries.plain(record) for record in page.records]

    def query_page(self, soql: str, *, all_rows: bool, page_size: int, caller: Caller | None = None) -> Page:
        """The first page of a query, as the REST API answers it; without a caller, the sandbox itself asks."""
        return self.queries.first_page(soql, caller or self.caller(), all_rows=all_rows, page_size=page_size)

    def query_more(self, locator: str, *, page_size: int, caller: Caller | None = None) -> Page:
        """The page a locator leads to."""
        return self.queries.more(locator, caller or self.caller(), page_size=page_size)

    def stream(self, soql: str, *, all_rows: bool = False, caller: Caller | None = None) -> Stream:
        """All rows of a query, of the moment this is called, however long reading them takes."""
        return self.queries.stream(soql, caller or self.caller(), all_rows=all_rows)

    def recompute_last_activity(self) -> None:
        """Set LastActivityDate everywhere from the activities there are: for worlds, after seeding.

        What follows from seeded rows of person accounts and of shared activities is made too. No stamp moves.
        """
        with self.store.transaction():
            persons.complete_seeded(self.engine)
            shared.relate_seeded(self.engine)
            last_activity.recompute(self.engine)

    # -- the daily limit ------------------------------------------------------------------------------

    def count_call(self, app: str = "") -> None:
        """Count one API call against the rolling 24 hours of org and app; refuse it when they are used up."""
        limits.count_call(self, app)

    def calls_used(self) -> int:
        """API calls in the last 24 hours of business time."""
        return self.meters.used(limits.CALLS)

    # -- whole states ---------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Copy the state into a folder."""
        with self.store.writing():
            self.meters.write()
            self.store.save(Path(folder))
            self.cursors.save(Path(folder))
            self.bulk.jobs.save(Path(folder))

    def restore(self, folder: Path) -> None:
        """Go back to a saved state; sessions stay."""
        self.bulk.settle()
        with self.store.writing():
            self.schema = self._fresh_schema()
            self.store.restore(Path(folder), self.schema)
            self.cursors.restore(Path(folder))
            self.engine = self._engine()
            self.meters.load()
            self.storage.forget()
            self.agenda.load()
            hidden.hide(self.schema, self.settings.hidden_fields)
            self.bulk.jobs.restore(Path(folder))
        self.bulk.resume()

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """Every row of every object, so that two end states can be compared with `==`.

        Ids given out while running are replaced by labels that do not depend on the order of writing.
        """
        return self.labelled_dump()[0]

    def labelled_dump(self) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
        """`dump`, and which label stands for which id (15 characters)."""
        with self.store.reading():
            return dumping.dump(self.store, self.schema)

    def close(self) -> None:
        """Let go of the state's files. Closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        self.agenda.close()
        self.bulk.settle()
        with self.store.writing():
            self.meters.write()
        self.cursors.close()
        self.store.close()
        self.identity.book.close()

    def _object(self, name: str) -> SObject:
        found = self.schema.find(name)
        if found is None:
            raise not_found(f"There is no object {name}")
        return found
