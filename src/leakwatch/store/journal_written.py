"""The journal's side of activities that are in Salesforce: which may be matched better by now, and their copies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, select, tuple_

from leakwatch.core.exclusion import Vetoes
from leakwatch.core.newcomers import MOST_OUTSIDE
from leakwatch.model import ActivityKind, Dealing, Direction, Outcome, Role, WaitingMail, WrittenMatch
from leakwatch.store import capture_codec as codec
from leakwatch.store import capture_tables as tables
from leakwatch.store import journal_exclusions as exclusions
from leakwatch.store.capture_tables import chunks, text, when
from leakwatch.store.database import transaction
from leakwatch.store.journal_outcomes import copies_of

_TALK = (Outcome.UNMATCHED.value, Outcome.WRITTEN.value)  # screened, and with people outside


class SqlWritten:
    """That part of the `Journal` port over SQLAlchemy Core."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def written_since(self, since: datetime) -> Iterator[Sequence[WrittenMatch]]:
        """Yield, some at a time, the settled activities from `since` on that are in Salesforce.

        Of their copies only the addresses are read: 11 µs an activity when measured, most of it SQLite's.
        """
        table = tables.activities
        columns = (table.c.key, table.c.start, table.c.updated_at, table.c.match)
        last = (text(since), "")
        while True:
            # Short transactions: whoever iterates writes in between.
            with transaction(self._engine) as connection:
                query = select(*columns).where(
                    tuple_(table.c.start, table.c.key) > last,
                    table.c.outcome == Outcome.WRITTEN,
                    table.c.settled_digest == table.c.digest,
                    table.c.match.is_not(None),
                )
                rows = connection.execute(query.order_by(table.c.start, table.c.key).limit(tables.CHUNK)).all()
                people = _outsiders(connection, [row.key for row in rows])
            if not rows:
                return
            last = (rows[-1].start, rows[-1].key)
            yield [
                WrittenMatch(row.key, when(row.updated_at), codec.load_match(row.match), frozenset(people[row.key]))
                for row in rows
                if row.key in people
            ]

    def dealings(self, since: datetime, until: datetime) -> Iterator[Sequence[Dealing]]:
        """Yield, some at a time, what the activities of that time that matched nobody or were written say of people.

        Machine mail, what goes to many people at once, what was cancelled and private appointments say nothing.
        """
        table = tables.activities
        last = (text(since), "")
        while True:
            with transaction(self._engine) as connection:
                query = select(table.c.key, table.c.start).where(
                    tuple_(table.c.start, table.c.key) > last,
                    table.c.start <= text(until),
                    table.c.outcome.in_(_TALK),
                )
                rows = connection.execute(query.order_by(table.c.start, table.c.key).limit(tables.CHUNK)).all()
                copies = _bodies(connection, [row.key for row in rows])
            if not rows:
                return
            last = (rows[-1].start, rows[-1].key)
            yield [one for row in rows for one in _dealt(copies.get(row.key, ()), when(row.start))]

    def copies(self, keys: Iterable[str]) -> Sequence[WaitingMail]:
        """Return the stored copies of the written activities `keys`, with what may forbid them."""
        with transaction(self._engine) as connection:
            found = copies_of(connection, sorted(set(keys)))
            vetoes = Vetoes(exclusions.vetoes_about(connection, [copy for copies in found.values() for copy in copies]))
        return [
            WaitingMail(key, tuple(copies), vetoes.about(copies), written=True) for key, copies in sorted(found.items())
        ]


def _bodies(connection: Connection, keys: list[str]) -> dict[str, list[dict[str, Any]]]:
    table = tables.copies
    found: dict[str, list[dict[str, Any]]] = {}
    for some in chunks(keys):
        for row in connection.execute(select(table.c.key, table.c.body).where(table.c.key.in_(some))):
            found.setdefault(row.key, []).append(orjson.loads(row.body))
    return found


def _dealt(copies: Sequence[dict[str, Any]], at: datetime) -> Iterator[Dealing]:
    """Return what the copies of one activity say of each visible person outside."""
    if not copies or any(copy["cancelled"] or copy.get("private") for copy in copies):
        return
    sent = any(copy["direction"] == Direction.OUTBOUND.value for copy in copies)
    if not sent and all(copy["bulk"] for copy in copies):
        return
    outside: dict[str, list[Any]] = {}
    for copy in copies:
        for one in copy["people"]:
            if not one[3] and one[1] != Role.BCC.value:
                outside.setdefault(one[0], one)
    if len(outside) > MOST_OUTSIDE:
        return
    met = copies[0]["kind"] == ActivityKind.MEETING.value
    boxes = tuple(sorted({str(ref[1]) for copy in copies for ref in copy["refs"]}))
    for address, (_, role, name, _, response) in sorted(outside.items()):
        written = not met and not sent and role == Role.FROM.value
        reached = not met and sent and role in (Role.TO.value, Role.CC.value)
        came = met and response != "declined"
        if written or reached or came:
            yield Dealing(address, name, at, written, reached, came, boxes)


def _outsiders(connection: Connection, keys: list[str]) -> dict[str, set[str]]:
    """Return key -> the visible addresses in its copies that were not ours when they were read."""
    return {
        key: {str(one[0]) for copy in copies for one in copy["people"] if not one[3] and one[1] != Role.BCC.value}
        for key, copies in _bodies(connection, keys).items()
    }
