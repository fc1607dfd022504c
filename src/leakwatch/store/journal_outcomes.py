"""The journal's side of outcomes: which mails wait, how they matched, and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, bindparam, func, or_, select, tuple_, update

from leakwatch import faultpoints
from leakwatch.core.exclusion import Vetoes
from leakwatch.core.identity import MEETING_PREFIX
from leakwatch.model import Activity, Decision, Match, Outcome, WaitingMail
from leakwatch.store import capture_codec as codec
from leakwatch.store import capture_tables as tables
from leakwatch.store import journal_exclusions as exclusions
from leakwatch.store.capture_tables import chunks, text
from leakwatch.store.database import transaction
from leakwatch.store.journal_withheld import WITHHELD_VALUES

FINAL_OUTCOMES = frozenset({Outcome.WRITTEN, Outcome.ADOPTED, Outcome.QUARANTINED, Outcome.SKIPPED})
_IN_SALESFORCE = (Outcome.WRITTEN, Outcome.ADOPTED)


class SqlOutcomes:
    """That part of the `Journal` port over SQLAlchemy Core."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def unsettled(self) -> Iterator[WaitingMail]:
        """Yield the copies of mails without a final outcome, or changed since, oldest first, with what may forbid them.

        Whether a veto is really about the mail is for `core.exclusion` to say: it is judged there for all copies alike.
        """
        table = tables.activities
        open_ones = and_(
            or_(table.c.settled_digest.is_(None), table.c.settled_digest != table.c.digest),
            or_(table.c.outcome.is_(None), table.c.outcome.not_in(WITHHELD_VALUES)),
        )
        last: tuple[str, str] = ("", "")
        while True:
            # Short transactions: whoever iterates wants to write in between.
            with transaction(self._engine) as connection:
                query = (
                    select(table.c.start, table.c.key, table.c.outcome, table.c.refused_snapshot, table.c.refusals)
                    .where(open_ones, tuple_(table.c.start, table.c.key) > last)
                    .order_by(table.c.start, table.c.key)
                    .limit(tables.CHUNK)
                )
                rows = connection.execute(query).all()
                copies = copies_of(connection, [row.key for row in rows])
                found = exclusions.vetoes_about(connection, [copy for some in copies.values() for copy in some])
            if not rows:
                return
            last = (rows[-1].start, rows[-1].key)
            vetoes = Vetoes(found)
            for row in rows:
                if row.key in copies:
                    some = tuple(copies[row.key])
                    yield WaitingMail(
                        row.key,
                        some,
                        vetoes.about(some),
                        written=row.outcome == Outcome.WRITTEN,
                        refused_snapshot=row.refused_snapshot,
                        refusals=row.refusals,
                    )

    def unwritten(self, source: str, *, outside: Collection[str]) -> Iterator[Sequence[Activity]]:
        """Yield copies of mails not written, some at a time, that lie in mailboxes other than `outside`."""
        people, copies, mails = tables.principals, tables.copies, tables.activities
        with transaction(self._engine) as connection:
            mailboxes = set(connection.execute(select(people.c.address)).scalars()) - set(outside)
        for mailbox in sorted(mailboxes):
            last = ""
            while True:
                query = select(copies.c.provider_id, copies.c.body).join(mails, mails.c.key == copies.c.key)
                query = query.where(
                    copies.c.source == source,
                    copies.c.principal == mailbox,
                    copies.c.provider_id > last,
                    or_(mails.c.outcome.is_(None), mails.c.outcome != Outcome.WRITTEN),
                )
                with transaction(self._engine) as connection:
                    rows = connection.execute(query.order_by(copies.c.provider_id).limit(tables.CHUNK)).all()
                if not rows:
                    break
                last = rows[-1].provider_id
                yield [codec.load_activity(row.body) for row in rows]

    def vetoes(self, copies: Sequence[Activity]) -> Sequence[Decision]:
        """Return the stored vetoes that may be about one of `copies`."""
        with transaction(self._engine) as connection:
            return exclusions.vetoes_about(connection, copies)

    def record_matches(
        self,
        matches: Mapping[str, Match],
        outcomes: Mapping[str, Outcome],
        *,
        now: datetime,
        reasons: Mapping[str, str] | None = None,
        refused: Mapping[str, str] | None = None,
    ) -> None:
        """Store how activities matched and what became of them, in one transaction. Arguments: see the port."""
        table = tables.activities
        groups: dict[tuple[bool, bool], list[dict[str, Any]]] = {}
        for key, outcome in outcomes.items():
            match = matches.get(key)
            values: dict[str, Any] = {
                "of_key": key,
                "outcome": outcome.value,
                "reason": (reasons or {}).get(key) or (match.reason if match is not None else ""),
                "updated_at": text(now),
            }
            if match is not None:
                values["match"] = codec.dump_match(match)
            groups.setdefault((match is not None, outcome in FINAL_OUTCOMES), []).append(values)
        faultpoints.reach("journal.record_matches.before")
        with transaction(self._engine) as connection:
            for (_, final), rows in groups.items():
                statement = update(table).where(table.c.key == bindparam("of_key"))
                statement = statement.values({name: bindparam(name) for name in rows[0] if name != "of_key"})
                # What is open again must not count as settled should it come to look as it did when it was.
                statement = statement.values(settled_digest=table.c.digest if final else None)
                connection.execute(statement, rows)
            for key, snapshot_id in (refused or {}).items():
                values = {"refused_snapshot": snapshot_id, "refusals": table.c.refusals + 1}
                connection.execute(update(table).where(table.c.key == key).values(**values))
        faultpoints.reach("journal.record_matches.after")

    def matches(self, keys: Iterable[str]) -> Mapping[str, Match]:
        """Return how those of `keys` that are in Salesforce matched when they were written or adopted."""
        table = tables.activities
        found: dict[str, Match] = {}
        with transaction(self._engine) as connection:
            for some in chunks(sorted(set(keys))):
                query = select(table.c.key, table.c.match).where(
                    table.c.key.in_(some), table.c.outcome.in_(_IN_SALESFORCE), table.c.match.is_not(None)
                )
                found.update({row.key: codec.load_match(row.match) for row in connection.execute(query)})
        return found

    def settled(self, keys: Iterable[str]) -> frozenset[str]:
        """Return those of `keys` that need nothing more: a final outcome, and unchanged since."""
        return self._which(keys, tables.activities.c.settled_digest == tables.activities.c.digest)

    def quarantined(self, keys: Iterable[str]) -> frozenset[str]:
        """Return those of `keys` that Salesforce refuses for good."""
        return self._which(keys, tables.activities.c.outcome == Outcome.QUARANTINED)

    def coming(self, now: datetime) -> tuple[int, Mapping[str, int]]:
        """Return how many meetings that begin after `now` stand in Salesforce, and how many of them by mailbox."""
        table, copies = tables.activities, tables.copies
        ahead = (
            table.c.start >= text(now),
            table.c.key.startswith(MEETING_PREFIX, autoescape=True),
            table.c.outcome == Outcome.WRITTEN.value,
        )
        by_mailbox = select(copies.c.principal, func.count(table.c.key.distinct()).label("number"))
        by_mailbox = by_mailbox.join(table, table.c.key == copies.c.key).where(*ahead).group_by(copies.c.principal)
        with transaction(self._engine) as connection:
            total = connection.execute(select(func.count()).select_from(table).where(*ahead)).scalar_one()
            return total, {row.principal: int(row.number) for row in connection.execute(by_mailbox)}

    def _which(self, keys: Iterable[str], condition: ColumnElement[bool]) -> frozenset[str]:
        table = tables.activities
        found: set[str] = set()
        with transaction(self._engine) as connection:
            for some in chunks(sorted(set(keys))):
                found.update(connection.execute(select(table.c.key).where(table.c.key.in_(some), condition)).scalars())
        return frozenset(found)

    def release_quarantined(self, keys: Iterable[str], *, now: datetime) -> int:
        """Let quarantined activities be tried again by the next sync; return how many there were."""
        table = tables.activities
        released = 0
        with transaction(self._engine) as connection:
            for some in chunks(sorted(set(keys))):
                statement = (
                    update(table)
                    .where(table.c.key.in_(some), table.c.outcome == Outcome.QUARANTINED)
                    .values(settled_digest=None, refused_snapshot=None, refusals=0, updated_at=text(now))
                )
                released += connection.execute(statement).rowcount
        return released


def copies_of(connection: Connection, keys: Sequence[str]) -> dict[str, list[Activity]]:
    """Return key -> stored copies of the mails `keys`."""
    table = tables.copies
    by_key: dict[str, list[Activity]] = {}
    for some in chunks(list(keys)):
        query = select(table.c.key, table.c.body).where(table.c.key.in_(some))
        for row in connection.execute(query):
            by_key.setdefault(row.key, []).append(codec.load_activity(row.body))
    return by_key
