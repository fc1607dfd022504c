"""Rows that are seen later than their stamps say: a transaction that takes long before it is committed.

Salesforce stamps a row when it is written and shows it when its transaction ends, which may be minutes later
(knowledge article 000199029). Here the transaction is undone at once and done again when its time has come: on the
business clock or by wall time, whichever is first. Until then nobody sees a row of it, `latestDateCovered` stays
before it, and who writes one of its rows finds it locked.

Unlike in the real service the writer does not wait: it is answered at once. Nor are unique values kept free: of two
rows with one key the late one is given up, and its transaction with it, as told on standard error.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from leakwatch.sandbox.org import agenda
from leakwatch.sandbox.org.values import instant_of, instant_text

if TYPE_CHECKING:
    from leakwatch.sandbox.org.facade import Org
    from leakwatch.sandbox.org.store import Store

KIND = "late.commit"
Row = dict[str, Any]


@contextmanager
def held_back(org: Org, seconds: float) -> Generator[None]:
    """Whatever rows are written inside are seen by nobody for so many seconds; inside a transaction."""
    store = org.store
    with store.recorded() as before:
        yield
    began = org.clock.now()
    images = [
        _taken_back(store, sobject, record_id, old)
        for (sobject, record_id), old in before.items()
        if store.get(sobject, record_id) != old
    ]
    facts = {"began": instant_text(began), "rows": images}
    org.agenda.add(KIND, facts, at=began + timedelta(seconds=seconds), seconds=seconds)


def _taken_back(store: Store, sobject: str, record_id: str, old: Row | None) -> list[Any]:
    """Put a row back as it was; what it is to become: object, id, its changes (None: gone), when it was deleted."""
    new = store.get(sobject, record_id)
    log = store.execute("SELECT at FROM _deleted WHERE sobject = ? AND id = ?", (sobject, record_id)).fetchone()
    deleted = None
    if log is not None and (new is None or (new.get("IsDeleted") and not (old or {}).get("IsDeleted"))):
        deleted = log["at"]
        store.execute("DELETE FROM _deleted WHERE sobject = ? AND id = ?", (sobject, record_id))
    if old is None:
        store.remove(sobject, record_id)
        return [sobject, record_id, new, deleted]
    if new is None:
        store.insert(sobject, old)
        return [sobject, record_id, None, deleted]
    changed = [name for name, value in new.items() if value != old[name]]
    store.update(sobject, record_id, {name: old[name] for name in changed})
    return [sobject, record_id, {name: new[name] for name in changed}, deleted]


@agenda.deed(KIND)
def commit(org: Org, facts: dict[str, Any]) -> None:
    """Show what was held back."""
    for sobject, record_id, row, deleted in facts["rows"]:
        if row is None:
            org.store.remove(sobject, record_id)
        elif "Id" in row:
            org.engine.show(sobject, row)
        else:
            org.store.update(sobject, record_id, row)
        if deleted is not None:
            org.store.execute("INSERT OR REPLACE INTO _deleted VALUES (?, ?, ?)", (sobject, record_id, deleted))


def oldest(org: Org) -> datetime | None:
    """When the oldest transaction began whose rows are held back."""
    began = [facts["began"] for facts in _waiting(org)]
    return instant_of(min(began)) if began else None


def holds(org: Org, record_id: str) -> bool:
    """Whether a row is written by a transaction that has not ended."""
    return any(one[1] == record_id for facts in _waiting(org) for one in facts["rows"])


def _waiting(org: Org) -> list[dict[str, Any]]:
    rows = org.store.execute("SELECT facts FROM _agenda WHERE kind = ?", (KIND,)).fetchall()
    return [json.loads(row["facts"]) for row in rows]
