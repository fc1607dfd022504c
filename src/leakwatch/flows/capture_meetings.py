"""Meetings ─▶ Events or Tasks: what was written and what stands in Salesforce now decide what is to be written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from leakwatch.core.meeting_fields import EVENT, TASK
from leakwatch.core.meeting_record import MeetingPlan, Standing, held, looks_at_people
from leakwatch.core.plan import PlanRules
from leakwatch.core.plan_meeting import kind, plan_meeting, read_back
from leakwatch.flows.related_people import related_people
from leakwatch.model import Activity, ActivityKind, Match, Written
from leakwatch.ports import RecordFetcher


@dataclass(frozen=True, slots=True)
class Meetings:
    """Plans the records of meetings.

    Attributes:
        records: reads records back by id, and their relations.
        history: returns key -> what was written of those records of ours that were made.
        matched: returns key -> how those that were written matched then.
        planning: how activities are written.
        now: aware; what is over by then was held.
    """

    records: RecordFetcher
    history: Callable[[Iterable[str]], Mapping[str, Written]]
    matched: Callable[[Iterable[str]], Mapping[str, Match]]
    planning: PlanRules
    now: datetime

    def plan(self, activities: Sequence[Activity], matches: Mapping[str, Match]) -> Mapping[str, MeetingPlan]:
        """Return key -> what is to be done about the meetings among `activities`. Reads only.

        Raises:
            AuthError, TransientError, BudgetError: the org can't be asked how their records are now.
        """
        meetings = [one for one in activities if one.kind is ActivityKind.MEETING]
        if not meetings:
            return {}
        standing = self._standing([one.key for one in meetings])
        standing = self._with_people(meetings, matches, standing)
        standing = self._with_zones(meetings, matches, standing)
        return {
            one.key: plan_meeting(one, matches[one.key], self.planning, standing[one.key], now=self.now)
            for one in meetings
        }

    def _standing(self, keys: Sequence[str]) -> dict[str, Standing]:
        history = self.history(keys)
        earlier = self.matched(history)
        rows: dict[str, Mapping[str, Any]] = {}
        for sobject in (EVENT, TASK):
            ids = [one.record_id for one in history.values() if one.record_id and self._kind(one) == sobject]
            if ids:
                rows.update(self.records.fetch(sobject, ids, read_back(sobject)))
        found: dict[str, Standing] = {}
        for key in keys:
            written = history.get(key)
            current = rows.get(written.record_id) if written is not None and written.record_id else None
            found[key] = Standing(written, current, earlier=earlier.get(key))
        return found

    def _kind(self, written: Written | None) -> str:
        return kind(self.planning, written)

    def _with_people(
        self, meetings: Sequence[Activity], matches: Mapping[str, Match], standing: Mapping[str, Standing]
    ) -> dict[str, Standing]:
        """Return `standing` with the people of those records that are to be changed by whom they name now."""
        found = dict(standing)
        if not self.planning.shared_activities:
            return found
        for sobject in (EVENT, TASK):
            wanted = [
                one.key
                for one in meetings
                if self._kind(standing[one.key].written) == sobject
                and looks_at_people(one, matches[one.key], standing[one.key])
            ]
            current = {key: row for key in wanted if (row := standing[key].current) is not None}
            named = related_people(self.records, sobject, current.values()) if current else {}
            for key, row in current.items():
                people = named.get(str(row["Id"]))
                if people is not None:  # else the relations are not shown to us whole: they are left alone
                    found[key] = replace(standing[key], people=people)
        return found

    def _with_zones(
        self, meetings: Sequence[Activity], matches: Mapping[str, Match], standing: Mapping[str, Standing]
    ) -> dict[str, Standing]:
        """Return `standing` with the reps' time zones for those meetings whose Task is to be made or to be compared."""
        owners = {
            one.key: owner
            for one in meetings
            if held(one, self.now)
            and self._kind(standing[one.key].written) == TASK
            and (owner := matches[one.key].owner_id) is not None
        }
        if not owners:
            return dict(standing)
        users = self.records.fetch("User", sorted(set(owners.values())), ("Id", "TimeZoneSidKey"))
        found = dict(standing)
        for key, owner in owners.items():
            found[key] = replace(found[key], zone=users.get(owner, {}).get("TimeZoneSidKey"))
        return found
