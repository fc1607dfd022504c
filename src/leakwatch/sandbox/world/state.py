"""A world at one instant, replayed on dictionaries: what the second opinions on its truth look at.

It knows neither the org's code nor how the generator plants.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from leakwatch.sandbox.world.model import Json, World, instant


class State:
    """All records as they stand at one instant."""

    def __init__(self, world: World, now: datetime) -> None:
        self.world = world
        self.now = now
        self.rows: dict[str, Json] = {}
        self.mail_touches: dict[str, list[datetime]] = {}
        for record in world.records:
            self.rows[record["ref"]] = {
                "object": record["object"],
                "created": record.get("created") or world.start.isoformat(),
                "deleted": record.get("deleted", False),
                **record["fields"],
            }
        for event in sorted(world.timeline, key=lambda event: instant(event["at"])):
            if instant(event["at"]) <= now:
                self._play(event)
        for item in world.truth.get("captures", []):
            began = instant(item["from"]) if "from" in item else world.start
            if item["expect"] == "written" and began <= now:
                for ref in item.get("who", []):
                    self.mail_touches.setdefault(ref, []).append(began)
        self._living: dict[str, list[tuple[str, Json]]] = {}
        self._children: dict[tuple[str, str], list[Json]] = {}
        for ref, row in self.rows.items():
            if not row["deleted"]:
                self._living.setdefault(row["object"], []).append((ref, row))
                if "OpportunityId" in row:
                    self._children.setdefault((row["object"], row["OpportunityId"]), []).append(row)

    def _play(self, event: Json) -> None:
        verb, at = event["do"], event["at"]
        if verb == "create":
            row: Json = {"object": event["object"], "created": at, "deleted": False, **event["fields"]}
            if event["object"] == "Task" and row.get("Status") == "Completed":
                row["CompletedDateTime"] = at
            if event["object"] == "Opportunity":
                row["LastStageChangeDate"] = at
            self.rows[event["ref"]] = row
        elif verb == "update":
            row = self.rows[event["record"]]
            fields: Json = event["fields"]
            if row["object"] == "Opportunity" and fields.get("StageName", row["StageName"]) != row["StageName"]:
                row["LastStageChangeDate"] = at
            row.update(fields)
            if row["object"] == "Task" and fields.get("Status") == "Completed":
                row["CompletedDateTime"] = at
        elif verb == "delete":
            self.rows[event["record"]]["deleted"] = True

    def of(self, sobject: str, **equal: Any) -> Iterator[tuple[str, Json]]:
        """Living rows of an object whose fields have these values."""
        for ref, row in self._living.get(sobject, ()):
            if all(row.get(name) == value for name, value in equal.items()):
                yield ref, row

    def children(self, sobject: str, deal: str) -> list[Json]:
        """Living rows of an object that belong to an opportunity."""
        return self._children.get((sobject, deal), [])

    def local(self, text: str | datetime) -> date:
        """The local date of an instant."""
        moment = instant(text) if isinstance(text, str) else text
        return moment.astimezone(self.world.zone).date()


def event_times(event: Json) -> tuple[datetime | None, datetime | None]:
    """When an Event begins and ends, whichever of Salesforce's fields for that the file gives."""
    given = event.get("StartDateTime") or event.get("ActivityDateTime")
    began = instant(given) if given else None
    if event.get("EndDateTime"):
        return began, instant(event["EndDateTime"])
    return began, began and began + timedelta(minutes=int(event.get("DurationInMinutes") or 0))


def audits(world: World) -> Iterator[datetime]:
    """The instants of the daily audits: the first `audit_time` that is not before `start`, and `days` more."""
    hour, _, minute = world.audit_time.partition(":")
    first = world.start.astimezone(world.zone).date()
    if datetime.combine(first, time(int(hour), int(minute)), world.zone) < world.start:
        first += timedelta(days=1)
    for offset in range(world.days + 1):
        local = datetime.combine(first + timedelta(days=offset), time(int(hour), int(minute)), world.zone)
        yield local.astimezone(UTC)
