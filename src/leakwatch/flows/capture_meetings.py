"""Meetings ─▶ Events: what was written and what stands in Salesforce now decide what is to be written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from leakwatch.core.plan import PlanRules
from leakwatch.core.plan_meeting import EVENT, READ_BACK, MeetingPlan, plan_meeting
from leakwatch.model import Activity, ActivityKind, Match, Written
from leakwatch.ports import RecordFetcher


@dataclass(frozen=True, slots=True)
class Meetings:
    """Plans the Events of meetings.

    Attributes:
        records: reads Events back by id.
        history: returns key -> what was written of those records of ours that were made.
        planning: how activities are written.
    """

    records: RecordFetcher
    history: Callable[[Iterable[str]], Mapping[str, Written]]
    planning: PlanRules

    def plan(self, activities: Sequence[Activity], matches: Mapping[str, Match]) -> Mapping[str, MeetingPlan]:
        """Return key -> what is to be done about the meetings among `activities`. Reads only.

        Raises:
            AuthError, TransientError, BudgetError: the org can't be asked how their Events are now.
        """
        meetings = [one for one in activities if one.kind is ActivityKind.MEETING]
        if not meetings:
            return {}
        history = self.history(one.key for one in meetings)
        ids = [written.record_id for written in history.values() if written.record_id]
        rows = self.records.fetch(EVENT, ids, READ_BACK) if ids else {}
        plans: dict[str, MeetingPlan] = {}
        for one in meetings:
            written = history.get(one.key)
            current = rows.get(written.record_id) if written is not None and written.record_id else None
            plans[one.key] = plan_meeting(one, matches[one.key], self.planning, written=written, current=current)
        return plans
