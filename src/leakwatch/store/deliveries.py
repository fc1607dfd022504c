"""The half of the finding store that holds messages: what is to be said, what became of it, what waits for a person.

A message and what it changes on its finding are stored in one transaction. Used through `store.findings`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import OperationalError, StatementError

from leakwatch import faultpoints
from leakwatch.errors import BusyError, RecordError, SafetyError
from leakwatch.model import Delivery, Finding
from leakwatch.store import finding_tables as tables
from leakwatch.store.database import transaction

FINDING = tuple(field.name for field in fields(Finding))
_DELIVERY = tuple(field.name for field in fields(Delivery))


class SqlDeliveries:
    """Messages over SQLite or PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def commit_deliveries(self, deliveries: Sequence[Delivery], findings: Sequence[Finding]) -> None:
        """Store messages to be sent and what they change on findings, in one transaction; see `ports.FindingStore`."""
        with storing("the messages to be sent"), transaction(self._engine) as connection:
            settled = _settled(connection, [delivery.key for delivery in deliveries])
            wanted = [delivery for delivery in deliveries if delivery.key not in settled]
            if wanted:
                keys = [{"old": delivery.key} for delivery in wanted]
                for table in (tables.deliveries, tables.delivery_findings):
                    connection.execute(delete(table).where(table.c.key == bindparam("old")), keys)
                connection.execute(insert(tables.deliveries), rows_of(wanted, _DELIVERY))
                links = [
                    {"fingerprint": mark, "key": delivery.key}
                    for delivery in wanted
                    for mark in dict.fromkeys(delivery.fingerprints)
                ]
                if links:
                    connection.execute(insert(tables.delivery_findings), links)
            delete_findings(connection, [finding.fingerprint for finding in findings])
            if findings:
                connection.execute(insert(tables.findings), rows_of(findings, FINDING))
            faultpoints.reach("findings.deliveries.written")
        faultpoints.reach("findings.deliveries.committed")

    def undelivered(self) -> Sequence[Delivery]:
        """Return deliveries that are neither sent nor quarantined, oldest first."""
        table = tables.deliveries
        query = select(table).where(table.c.sent_at.is_(None), table.c.quarantined.is_(False))
        with self._engine.connect() as connection:
            ordered = connection.execute(query.order_by(table.c.created_at, table.c.key)).mappings()
            return [Delivery(**row) for row in ordered]

    def deliveries(self, *, fingerprint: str | None = None, since: datetime | None = None) -> Sequence[Delivery]:
        """Return deliveries, oldest first: of one finding, or planned from `since` (aware) on, or all."""
        table, links = tables.deliveries, tables.delivery_findings
        query = select(table).order_by(table.c.created_at, table.c.key)
        if fingerprint is not None:
            query = query.join(links, links.c.key == table.c.key).where(links.c.fingerprint == fingerprint)
        if since is not None:
            query = query.where(table.c.created_at >= since)
        with self._engine.connect() as connection:
            return [Delivery(**row) for row in connection.execute(query).mappings()]

    def by_remote_id(self, record_id: str) -> Sequence[Delivery]:
        """Return the deliveries that made or changed the Task or post `record_id` (15 or 18 characters)."""
        table = tables.deliveries
        query = select(table).where(func.substr(table.c.remote_id, 1, 15) == record_id[:15])
        with self._engine.connect() as connection:
            ordered = connection.execute(query.order_by(table.c.created_at, table.c.key)).mappings()
            return [Delivery(**row) for row in ordered]

    def record_delivery(self, delivery: Delivery, finding: Finding | None = None) -> None:
        """Store what became of a delivery, and what that changes on its finding, in one transaction."""
        (row,) = rows_of([delivery], _DELIVERY)
        with storing(f"delivery {delivery.key}"), transaction(self._engine) as connection:
            connection.execute(update(tables.deliveries).where(tables.deliveries.c.key == delivery.key).values(**row))
            if finding is not None:
                (values,) = rows_of([finding], FINDING)
                same = tables.findings.c.fingerprint == finding.fingerprint
                connection.execute(update(tables.findings).where(same).values(**values))
        faultpoints.reach("findings.delivery.recorded")

    def refused(self) -> Sequence[Delivery]:
        """Return the deliveries that wait for a person (`Delivery.refused`), oldest first."""
        table = tables.deliveries
        query = select(table).where(table.c.quarantined.is_(True)).order_by(table.c.created_at, table.c.key)
        with self._engine.connect() as connection:
            found = [Delivery(**row) for row in connection.execute(query).mappings()]
        return [delivery for delivery in found if delivery.refused]

    def release_refused(self, keys: Iterable[str]) -> set[str]:
        """Let refused deliveries be tried again by the next `act`; return the keys of those that were."""
        table = tables.deliveries
        released = {delivery.key for delivery in self.refused()} & set(keys)
        with storing("the release"), transaction(self._engine) as connection:
            for key in sorted(released):
                connection.execute(update(table).where(table.c.key == key).values(quarantined=False, attempts=0))
        return released

    def note_refusal(self, key: str, error: str) -> None:
        """Replace what is said about a refused delivery."""
        table = tables.deliveries
        with storing("the note"), transaction(self._engine) as connection:
            connection.execute(
                update(table).where(table.c.key == key, table.c.quarantined.is_(True)).values(error=error)
            )


@contextmanager
def storing(what: str) -> Generator[None]:
    """Translate what the database says. In each case nothing of `what` was stored.

    Raises:
        BusyError: another process holds the database. SafetyError: the file can't be written. RecordError: a value in
            it can't be stored.
    """
    try:
        yield
    except OperationalError as error:
        if "locked" in str(error.orig):
            raise BusyError(
                f"{what} could not be stored: another process works on the same state folder. Nothing of it was; "
                "the next run does it again."
            ) from error
        raise SafetyError(
            f"{what} could not be stored ({error.orig}). Nothing of it was. Look at space and rights of the state "
            "folder, then run again."
        ) from error
    except (StatementError, UnicodeError, TypeError) as error:
        raise RecordError(f"{what} holds a value that can't be stored: {error}", code="NOT_STORED") from error


def rows_of(things: Iterable[Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return `things` as rows with these columns, which are called as their fields."""
    return [{name: getattr(thing, name) for name in names} for thing in things]


def delete_findings(connection: Connection, marks: Sequence[str]) -> None:
    """Delete the findings with these fingerprints."""
    if marks:
        query = delete(tables.findings).where(tables.findings.c.fingerprint == bindparam("mark"))
        connection.execute(query, [{"mark": mark} for mark in marks])


def _settled(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Return those of `keys` that are sent or quarantined."""
    table = tables.deliveries
    found: set[str] = set()
    for start in range(0, len(keys), 500):  # SQLite's oldest limit on variables in a statement is 999
        query = select(table.c.key).where(
            table.c.key.in_(keys[start : start + 500]), or_(table.c.sent_at.is_not(None), table.c.quarantined.is_(True))
        )
        found.update(connection.execute(query).scalars())
    return found
