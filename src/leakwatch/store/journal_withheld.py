"""The journal's side of what a person keeps out: activities that were undone or dropped, and their release."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from sqlalchemy import Engine, bindparam, select, update

from leakwatch import faultpoints
from leakwatch.core.set_aside import as_before, dropped
from leakwatch.model import WITHHELD, Outcome
from leakwatch.store import capture_tables as tables
from leakwatch.store.capture_tables import chunks, text
from leakwatch.store.database import transaction

WITHHELD_VALUES = tuple(sorted(WITHHELD))


class SqlWithheld:
    """That part of the `Journal` port over SQLAlchemy Core."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def withhold(self, reasons: Mapping[str, str], outcome: Outcome, *, now: datetime) -> None:
        """Note that no sync is to look at these activities again, and why (key -> reason)."""
        table = tables.activities
        rows = [{"of_key": key, "why": reason} for key, reason in reasons.items()]
        if not rows:
            return
        statement = (
            update(table)
            .where(table.c.key == bindparam("of_key"))
            .values(outcome=outcome.value, reason=bindparam("why"), settled_digest=table.c.digest, updated_at=text(now))
        )
        with transaction(self._engine) as connection:
            connection.execute(statement, rows)
        faultpoints.reach("journal.withheld.stored")

    def withheld(self, keys: Iterable[str]) -> Mapping[str, Outcome]:
        """Return those of `keys` that a person keeps out, and how."""
        table = tables.activities
        found: dict[str, Outcome] = {}
        with transaction(self._engine) as connection:
            for some in chunks(sorted(set(keys))):
                query = select(table.c.key, table.c.outcome)
                query = query.where(table.c.key.in_(some), table.c.outcome.in_(WITHHELD_VALUES))
                found.update({row.key: Outcome(row.outcome) for row in connection.execute(query)})
        return found

    def let_go(self, keys: Iterable[str], outcome: Outcome, *, now: datetime) -> int:
        """Let the next sync look again at those of `keys` that are kept out so; return how many there were."""
        table = tables.activities
        count = 0
        with transaction(self._engine) as connection:
            for some in chunks(sorted(set(keys))):
                statement = update(table).where(table.c.key.in_(some), table.c.outcome == outcome.value)
                values = {"outcome": None, "reason": "", "settled_digest": None, "refused_snapshot": None}
                count += connection.execute(statement.values(**values, refusals=0, updated_at=text(now))).rowcount
        return count

    def remark(self, reasons: Mapping[str, str]) -> None:
        """Replace what is said of these activities (key -> reason); what became of them stays."""
        if not reasons:
            return
        table = tables.activities
        with transaction(self._engine) as connection:
            for key, reason in reasons.items():
                connection.execute(update(table).where(table.c.key == key).values(reason=reason))

    def kept_out(self, outcome: Outcome) -> Mapping[str, str]:
        """Return key -> reason of all activities that a person keeps out so, the latest first."""
        table = tables.activities
        query = select(table.c.key, table.c.reason).where(table.c.outcome == outcome.value)
        with transaction(self._engine) as connection:
            rows = connection.execute(query.order_by(table.c.updated_at.desc(), table.c.key)).all()
        return {row.key: row.reason for row in rows}

    def drop_unread(self, provider_id: str, why: str) -> int:
        """Set aside for good what could not be had or read under this id; return in how many mailboxes.

        What is known of a mailbox without a gap stays as it was: the gap is no smaller for being accepted.
        """
        return self._turn(provider_id, Outcome.QUARANTINED, Outcome.DROPPED, lambda detail: dropped(why, detail))

    def take_up_unread(self, provider_id: str) -> int:
        """Take `drop_unread` back; return in how many mailboxes."""
        return self._turn(provider_id, Outcome.DROPPED, Outcome.QUARANTINED, as_before)

    def _turn(self, provider_id: str, old: Outcome, new: Outcome, words: Callable[[str], str]) -> int:
        table = tables.decisions
        chosen = (table.c.provider_id == provider_id, table.c.outcome == old.value)
        with transaction(self._engine) as connection:
            rows = connection.execute(select(table).where(*chosen)).all()
            for row in rows:
                place = (table.c.source == row.source, table.c.principal == row.principal)
                statement = update(table).where(*chosen, *place)
                connection.execute(statement.values(outcome=new.value, detail=words(row.detail)))
        return len(rows)

    def written_after_all(self, reasons: Mapping[str, str], *, now: datetime) -> None:
        """Note that these activities (key -> reason) are in Salesforce still: taking them back was refused."""
        table = tables.activities
        values = {"outcome": Outcome.WRITTEN.value, "settled_digest": None, "updated_at": text(now)}
        with transaction(self._engine) as connection:
            for key, reason in reasons.items():
                connection.execute(update(table).where(table.c.key == key).values(**values, reason=reason))
