"""The org's Tasks as the life of a finding sees them: its words for a status, and the state of our alert Tasks.

Task statuses and priorities are the org's own picklists (TaskStatus, TaskPriority); no English word is assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from leakwatch.core.fingerprint import KEY_PREFIX
from leakwatch.errors import ConfigError
from leakwatch.model import Severity


@dataclass(frozen=True, slots=True)
class TaskWords:
    """The org's own values for Task.Status and Task.Priority."""

    open_status: str  # given to a new Task: the org's default
    closed_status: str
    closed: frozenset[str]
    priorities: Mapping[Severity, str] = field(default_factory=dict[Severity, str])

    @classmethod
    def from_rows(
        cls, statuses: Iterable[Mapping[str, Any]], priorities: Iterable[Mapping[str, Any]] = ()
    ) -> TaskWords:
        """Return the words from rows of TaskStatus (ApiName, MasterLabel, IsClosed, IsDefault, SortOrder) and
        TaskPriority (the same with IsHighPriority). API names are written; the label stands in where one is missing.

        Raises:
            ConfigError: the org has no open or no closed Task status: no Task could be made or closed.
        """
        ordered = sorted(statuses, key=_order)
        is_open = [row for row in ordered if not row.get("IsClosed")]
        is_closed = [row for row in ordered if row.get("IsClosed")]
        if not is_open or not is_closed:
            missing = "open" if not is_open else "closed"
            raise ConfigError(
                f"this org lists no {missing} value for Task.Status (object TaskStatus): alert Tasks can't be made or "
                "closed. Nothing was written. Add one in Setup > Task Fields > Status."
            )
        default = next((row for row in is_open if row.get("IsDefault")), is_open[0])
        return cls(
            open_status=_name(default),
            closed_status=_name(next((row for row in is_closed if row.get("IsDefault")), is_closed[0])),
            closed=frozenset(_name(row) for row in is_closed),
            priorities=_priorities(sorted(priorities, key=_order)),
        )

    def priority(self, severity: Severity) -> str | None:
        """Return the org's priority for `severity`, or None to leave it to the org's default."""
        return self.priorities.get(severity)


def _order(row: Mapping[str, Any]) -> int:
    return int(row.get("SortOrder") or 0)


def _name(row: Mapping[str, Any]) -> str:
    return str(row.get("ApiName") or row.get("MasterLabel") or "")


def _priorities(rows: list[Mapping[str, Any]]) -> dict[Severity, str]:
    """Map severities: high ones to the first high priority, medium to the default, low to the last plain one."""
    if not rows:
        return {}
    high = [row for row in rows if row.get("IsHighPriority")]
    plain = [row for row in rows if not row.get("IsHighPriority")] or rows
    default = next((row for row in plain if row.get("IsDefault")), plain[0])
    top = _name(high[0]) if high else _name(default)
    return {
        Severity.CRITICAL: top,
        Severity.HIGH: top,
        Severity.MEDIUM: _name(default),
        Severity.LOW: _name(plain[-1]) if plain[-1] is not rows[0] else _name(default),
    }


@dataclass(frozen=True, slots=True)
class TaskState:
    """One alert Task of ours, as last seen in Salesforce."""

    key: str  # Leakwatch_Key__c
    record_id: str
    status: str
    is_closed: bool
    in_progress: bool  # open, but no longer in the org's default open status: somebody took it up
    is_deleted: bool
    owner_id: str | None
    last_modified_by_other: bool  # by anybody but leakwatch's own user
    modified_at: datetime | None = None
    closed_at: datetime | None = None  # CompletedDateTime, else when it was last modified
    description: str | None = None  # None: not read
    priority: str | None = None
    subject: str | None = None  # None: not read


def task_states(
    rows: Iterable[Mapping[str, Any]], words: TaskWords, *, our_user_id: str | None
) -> dict[str, TaskState]:
    """Return key -> state of our alert Tasks among `rows`; anything without one of our alert keys is passed over.

    Takes rows of the Task object by Salesforce names, or of the mirror by snake_case names: id, status, is_closed,
    is_deleted, owner_id, last_modified_by_id, last_modified_date, completed_date_time, system_modstamp, description,
    priority, subject, leakwatch_key__c. Dates may be aware datetimes or Salesforce's ISO text. With `our_user_id`
    unknown every change counts as a person's: then nothing a person may have written in is ever closed or rewritten.
    """
    states: dict[str, TaskState] = {}
    for raw in rows:
        row = {name.replace("_", "").lower(): value for name, value in raw.items()}
        key = str(row.get("leakwatchkeyc") or "")
        if not key.startswith(KEY_PREFIX):
            continue
        status = str(row.get("status") or "")
        closed = bool(row["isclosed"]) if row.get("isclosed") is not None else status in words.closed
        modified = _moment(row.get("lastmodifieddate")) or _moment(row.get("systemmodstamp"))
        states[key] = TaskState(
            key=key,
            record_id=str(row.get("id") or ""),
            status=status,
            is_closed=closed,
            in_progress=not closed and status != words.open_status,
            is_deleted=bool(row.get("isdeleted")),
            owner_id=None if row.get("ownerid") is None else str(row["ownerid"]),
            last_modified_by_other=our_user_id is None
            or str(row.get("lastmodifiedbyid") or "")[:15] != our_user_id[:15],
            modified_at=modified,
            closed_at=(_moment(row.get("completeddatetime")) or modified) if closed else None,
            description=None if "description" not in row else str(row["description"] or ""),
            priority=None if row.get("priority") is None else str(row["priority"]),
            subject=None if row.get("subject") is None else str(row["subject"]),
        )
    return states


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value
    return datetime.fromisoformat(value) if isinstance(value, str) and value else None
