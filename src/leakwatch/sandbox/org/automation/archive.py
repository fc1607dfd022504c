"""The archive of old activities: what `query` does not show and `queryAll` does (help, "Archived Activities").

Every day, events that ended 365 days ago or earlier and closed tasks that were due then, or without a due date made
then, are archived. They can still be changed and deleted. The time of day, and that SystemModstamp stays, are
unverified.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from leakwatch.sandbox.org.agenda import deed

if TYPE_CHECKING:
    from leakwatch.sandbox.org.facade import Org

KIND = "activities.archive"
_OLD = {
    "Event": "EndDate <= :day",
    "Task": "IsClosed = 1 AND COALESCE(ActivityDate, substr(CreatedDate, 1, 10)) <= :day",
}


def schedule(org: Org) -> None:
    """See to it that the archive's next run is on the agenda, where the org archives at all."""
    if org.settings.archive_after_days and not any(one.kind == KIND for one in org.agenda.items()):
        org.agenda.add(KIND, {}, at=_midnight_after(org.clock.now()))


def _midnight_after(moment: datetime) -> datetime:
    return datetime.combine(moment.astimezone(UTC).date() + timedelta(days=1), time(0), UTC)


@deed(KIND)
def run(org: Org, _facts: dict[str, Any]) -> None:
    """Archive what is old enough, and come again the next day."""
    if not org.settings.archive_after_days:
        return
    today = org.clock.now().astimezone(UTC).date()
    day = (today - timedelta(days=org.settings.archive_after_days)).isoformat()
    for name, old in _OLD.items():
        sql = f"UPDATE {name} SET IsArchived = 1 WHERE IsArchived = 0 AND IsDeleted = 0 AND {old}"
        org.store.execute(sql, {"day": day})
    org.agenda.add(KIND, {}, at=_midnight_after(org.clock.now()))
