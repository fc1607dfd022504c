"""Who took part in the mails that the journal holds: addresses and counts, for the list of people not in Salesforce."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, select, tuple_

from leakwatch.core.normalise import merge
from leakwatch.core.privacy import outsiders
from leakwatch.core.unmatched import SeenPerson
from leakwatch.model import Outcome
from leakwatch.store import capture_tables as tables
from leakwatch.store.capture_tables import CHUNK, text
from leakwatch.store.database import transaction
from leakwatch.store.journal_outcomes import copies_of

# Skipped mail is nobody's talk with us, and what Salesforce refuses was matched to somebody.
_TALK = (Outcome.UNMATCHED.value, Outcome.WRITTEN.value, Outcome.ADOPTED.value)


def people_seen(engine: Engine, *, since: datetime) -> tuple[SeenPerson, ...]:
    """Return the visible people outside the company in mails from `since` on that matched nobody or were written.

    Each mail counts once, in however many mailboxes it lies.
    """
    table = tables.activities
    found: dict[str, SeenPerson] = {}
    last = (text(since), "")
    while True:
        query = (
            select(table.c.start, table.c.key)
            .where(tuple_(table.c.start, table.c.key) > last, table.c.outcome.in_(_TALK))
            .order_by(table.c.start, table.c.key)
            .limit(CHUNK)
        )
        with transaction(engine) as connection:
            rows = connection.execute(query).all()
            copies = copies_of(connection, [row.key for row in rows])
        if not rows:
            return tuple(found[address] for address in sorted(found))
        last = (rows[-1].start, rows[-1].key)
        for row in rows:
            if row.key not in copies:
                continue
            mail = merge(copies[row.key])
            for person in outsiders(mail):
                before = found.get(person.address)
                found[person.address] = SeenPerson(
                    person.address,
                    person.name or (before.name if before is not None else ""),
                    1 + (before.mails if before is not None else 0),
                    mail.start,
                )
