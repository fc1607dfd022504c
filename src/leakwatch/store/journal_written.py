"""The journal's side of activities that are in Salesforce: which may be matched better by now, and their copies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, select, tuple_

from leakwatch.core.exclusion import Vetoes
from leakwatch.model import Outcome, Role, WaitingMail, WrittenMatch
from leakwatch.store import capture_codec as codec
from leakwatch.store import capture_tables as tables
from leakwatch.store import journal_exclusions as exclusions
from leakwatch.store.capture_tables import chunks, text, when
from leakwatch.store.database import transaction
from leakwatch.store.journal_outcomes import copies_of


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

    def copies(self, keys: Iterable[str]) -> Sequence[WaitingMail]:
        """Return the stored copies of the written activities `keys`, with what may forbid them."""
        with transaction(self._engine) as connection:
            found = copies_of(connection, sorted(set(keys)))
            vetoes = Vetoes(exclusions.vetoes_about(connection, [copy for copies in found.values() for copy in copies]))
        return [
            WaitingMail(key, tuple(copies), vetoes.about(copies), written=True) for key, copies in sorted(found.items())
        ]


def _outsiders(connection: Connection, keys: list[str]) -> dict[str, set[str]]:
    """Return key -> the visible addresses in its copies that were not ours when they were read."""
    table = tables.copies
    found: dict[str, set[str]] = {}
    for some in chunks(keys):
        for row in connection.execute(select(table.c.key, table.c.body).where(table.c.key.in_(some))):
            people: list[list[Any]] = orjson.loads(row.body)["people"]
            outside = {str(one[0]) for one in people if not one[3] and one[1] != Role.BCC.value}
            found.setdefault(row.key, set()).update(outside)
    return found
