"""What happens later: states of jobs, archiving, late commits, the emptying of the recycle bin.

An item is due by business time, by wall time, or by whichever comes first: a client that polls and sleeps must
see its job end although nobody moves the business clock, and a playwright who moves the clock must not wait.
Items are rows of the org's own file, so that they survive a restart and go with a saved state.

What is due is done when a call comes (`run_due`), when the business clock is moved (`next_at` tells how far it
may go at once), and in a served sandbox by a thread of its own (`watch`). What is to be done is registered by
kind: `@deed("bulk.finish")`.
"""

from __future__ import annotations

import json
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from leakwatch.sandbox.org.values import instant_of, instant_text

if TYPE_CHECKING:
    from leakwatch.sandbox.org.facade import Org

Facts = dict[str, Any]
Deed = Callable[["Org", Facts], None]
_DEEDS: dict[str, Deed] = {}
_NEVER = float("inf")


def deed(kind: str) -> Callable[[Deed], Deed]:
    """Register what is done for items of a kind: in a transaction of its own, with the item's facts."""

    def register(done: Deed) -> Deed:
        _DEEDS[kind] = done
        return done

    return register


@dataclass(frozen=True, slots=True)
class Item:
    """Something that will happen."""

    number: int
    kind: str
    facts: Facts
    at: datetime | None
    """Business time."""
    wall: float | None
    """Wall time, seconds since the epoch."""


class Agenda:
    """The items of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._changed = threading.Condition()
        self._watching: threading.Thread | None = None
        self._closed = False
        self._soonest: tuple[str | None, float] = (None, _NEVER)
        self.load()

    def load(self) -> None:
        """Take up what the org's file says is next."""
        sql = "SELECT MIN(at) AS at, MIN(wall) AS wall FROM _agenda"
        row = self._org.store.execute(sql).fetchone()
        with self._changed:
            self._soonest = (row["at"], _NEVER if row["wall"] is None else row["wall"])
            self._changed.notify_all()

    def add(self, kind: str, facts: Facts, *, at: datetime | None = None, seconds: float | None = None) -> int:
        """Put an item down; its number.

        Args:
            kind: What is to be done; see `deed`.
            facts: What the deed must know, as JSON can hold it.
            at: When it is due by business time.
            seconds: In how many wall seconds it is due.
        """
        if at is None and seconds is None:
            raise ValueError("an item is due at some time")
        wall = None if seconds is None else self._org.sessions.wall_clock() + seconds
        due = None if at is None else instant_text(at)
        with self._org.store.writing():
            number = self._org.store.execute(
                "INSERT INTO _agenda (kind, facts, at, wall) VALUES (?, ?, ?, ?) RETURNING n",
                (kind, json.dumps(facts), due, wall),
            ).fetchone()["n"]
            self.load()
        return int(number)

    def cancel(self, number: int) -> None:
        """Let an item not happen; one that has happened stays so."""
        with self._org.store.writing():
            self._org.store.execute("DELETE FROM _agenda WHERE n = ?", (number,))
            self.load()

    def items(self) -> list[Item]:
        """Everything that will happen, in the order in which it was put down."""
        rows = self._org.store.execute("SELECT * FROM _agenda ORDER BY n").fetchall()
        return [_item(row) for row in rows]

    def next_at(self) -> datetime | None:
        """The business time at which something is due next."""
        at = self._soonest[0]
        return None if at is None else instant_of(at)

    # -- doing --------------------------------------------------------------------------------------------

    def run_due(self, *, wait: bool = True) -> int:
        """Do what is due, in order; how many items that were. Without `wait`, nothing while somebody writes."""
        if not self._is_due():
            return 0
        store = self._org.store
        with store.writing() if wait else store.writing_if_free() as free:
            if free is False:
                return 0
            done = 0
            while (item := self._first_due()) is not None:
                self._do(item)
                done += 1
            return done

    def _times(self) -> tuple[str, float]:
        return instant_text(self._org.clock.now()), self._org.sessions.wall_clock()

    def _is_due(self) -> bool:
        now, wall = self._times()
        at, soonest = self._soonest
        return soonest <= wall or (at is not None and at <= now)

    def _first_due(self) -> Item | None:
        sql = "SELECT * FROM _agenda WHERE at <= ? OR wall <= ? ORDER BY at IS NULL, at, wall, n LIMIT 1"
        row = self._org.store.execute(sql, self._times()).fetchone()
        return None if row is None else _item(row)

    def _do(self, item: Item) -> None:
        """Do one item, all or nothing; one that fails is told on standard error and does not come back."""
        try:
            with self._org.store.transaction():
                _DEEDS[item.kind](self._org, item.facts)
        except Exception:  # noqa: BLE001  one failing item must not keep the others from happening
            traceback.print_exc()
            sys.stderr.write(f"leakwatch sandbox: {item.kind} failed as told above and is dropped\n")
        self.cancel(item.number)

    # -- by itself ----------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Do what is due by wall time from now on, without anybody calling, until `close`."""
        self._watching = threading.Thread(target=self._watch, name="agenda", daemon=True)
        self._watching.start()

    def _watch(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                left = self._soonest[1] - self._org.sessions.wall_clock()
                if left > 0:
                    self._changed.wait(None if left == _NEVER else left)
                    continue
            self.run_due()

    def close(self) -> None:
        """End watching; what is not done stays on the agenda."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._watching is not None:
            self._watching.join()


def _item(row: Any) -> Item:
    at = None if row["at"] is None else instant_of(row["at"])
    return Item(row["n"], row["kind"], json.loads(row["facts"]), at, row["wall"])
