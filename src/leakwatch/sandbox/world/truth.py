"""A second opinion on a world's truth: plain Python over the file alone.

It knows neither the org's code nor how the generator plants: it replays the timeline on dictionaries and
applies the four rules as they are worded. A test holds the planted truth against it, day by day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from leakwatch.sandbox.world.model import Json, World, instant

#: The rules' boundaries (issue "The main job": 30 days, more than 14 days, below 0.50 or above 1.25).
STALE_DAYS = 30
GRACE_DAYS = 14
LOST_WINDOW_DAYS = 365
LOW, HIGH = Decimal("0.50"), Decimal("1.25")


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


def evaluate(world: World, now: datetime) -> set[tuple[str, str]]:
    """(rule, record) of every leak there is at an instant."""
    state = State(world, now)
    today = state.local(now)
    found = {("lead_stale", ref) for ref in _stale(state, today)}
    found |= {("opp_close_overdue", ref) for ref in _overdue(state, today)}
    found |= {("opp_lost_without_reason", ref) for ref in _lost(state, today)}
    return found | {("opp_price_deviation", ref) for ref in _price(state)}


def _stale(state: State, today: date) -> Iterator[str]:
    touches: dict[str, list[date]] = {}
    for _, task in state.of("Task", Status="Completed"):
        done = task.get("CompletedDateTime")
        day = state.local(done) if done else task.get("ActivityDate")
        if day and task.get("WhoId"):
            touches.setdefault(task["WhoId"], []).append(day if isinstance(day, date) else date.fromisoformat(day))
    for _, event in state.of("Event"):
        began, ended = _meeting(event)
        if event.get("WhoId") and ended is not None and ended <= state.now:
            touches.setdefault(event["WhoId"], []).append(state.local(began or ended))
    for _, relation in state.of("EmailMessageRelation"):
        mail = state.rows[relation["EmailMessageId"]]
        touches.setdefault(relation["RelationId"], []).append(state.local(mail["MessageDate"]))
    for ref, moments in state.mail_touches.items():
        touches.setdefault(ref, []).extend(state.local(moment) for moment in moments)
    meanings = state.world.meanings["lead_status"]
    for ref, lead in state.of("Lead"):
        if lead.get("IsConverted") or meanings[lead["Status"]] != "open":
            continue
        last = max([state.local(lead["created"]), *touches.get(ref, [])])
        if last <= today - timedelta(days=STALE_DAYS):
            yield ref


def _meeting(event: Json) -> tuple[datetime | None, datetime | None]:
    """When an Event begins and ends, whichever of Salesforce's fields for that the file gives."""
    given = event.get("StartDateTime") or event.get("ActivityDateTime")
    began = instant(given) if given else None
    if event.get("EndDateTime"):
        return began, instant(event["EndDateTime"])
    return began, began and began + timedelta(minutes=int(event.get("DurationInMinutes") or 0))


def _overdue(state: State, today: date) -> Iterator[str]:
    for ref, deal in state.of("Opportunity"):
        late = date.fromisoformat(deal["CloseDate"]) < today - timedelta(days=GRACE_DAYS)
        if late and state.world.meanings["stage"][deal["StageName"]] == "open":
            yield ref


def _lost(state: State, today: date) -> Iterator[str]:
    field = state.world.meanings.get("fields", {}).get("loss_reason")
    if field is None:
        return
    for ref, deal in state.of("Opportunity"):
        if state.world.meanings["stage"][deal["StageName"]] not in {"lost", "suspended", "abandoned"}:
            continue
        changed = deal.get("LastStageChangeDate")
        day = state.local(changed) if changed else date.fromisoformat(deal["CloseDate"])
        blank = not str(deal.get(field) or "").strip()
        if blank and day >= today - timedelta(days=LOST_WINDOW_DAYS):
            yield ref


def _price(state: State) -> Iterator[str]:
    budget = state.world.meanings.get("fields", {}).get("budget")
    for ref, deal in state.of("Opportunity"):
        if state.world.meanings["stage"][deal["StageName"]] != "won" or deal.get("Amount") is None:
            continue
        bases = (_money(deal, budget), _list_price(state, ref, deal), _first_amount(state, ref, deal))
        reference = next((basis for basis in bases if basis > 0), None)
        amount = _money(deal, "Amount")
        if reference is not None and not LOW * reference <= amount <= HIGH * reference:
            yield ref


def _money(row: Json, name: str | None) -> Decimal:
    return Decimal(str(row.get(name) or 0)) if name else Decimal(0)


def _comparable(state: State, row: Json, deal: Json) -> bool:
    """Whether an amount of a row is in the currency of the deal; who gives none means the company's."""
    own = state.world.company["currency"]
    return (row.get("CurrencyIsoCode") or own) == (deal.get("CurrencyIsoCode") or own)


def _list_price(state: State, ref: str, deal: Json) -> Decimal:
    """ListPrice x Quantity of all lines; nothing unless each has a list price in the deal's currency."""
    lines = state.children("OpportunityLineItem", ref)
    if any(line.get("ListPrice") is None or not _comparable(state, line, deal) for line in lines):
        return Decimal(0)
    return sum((_money(line, "ListPrice") * _money(line, "Quantity") for line in lines), Decimal(0))


def _first_amount(state: State, ref: str, deal: Json) -> Decimal:
    """The earliest Amount above zero in the history, if it is in the deal's currency."""
    rows = [row for row in state.children("OpportunityHistory", ref) if _money(row, "Amount") > 0]
    first = min(rows, key=lambda row: instant(row["created"]), default=None)
    return _money(first, "Amount") if first is not None and _comparable(state, first, deal) else Decimal(0)


def audits(world: World) -> Iterator[datetime]:
    """The instants of the daily audits: the first `audit_time` that is not before `start`, and `days` more."""
    hour, _, minute = world.audit_time.partition(":")
    first = world.start.astimezone(world.zone).date()
    if datetime.combine(first, time(int(hour), int(minute)), world.zone) < world.start:
        first += timedelta(days=1)
    for offset in range(world.days + 1):
        local = datetime.combine(first + timedelta(days=offset), time(int(hour), int(minute)), world.zone)
        yield local.astimezone(UTC)


def planted(world: World, now: datetime) -> set[tuple[str, str]]:
    """(rule, record) of the leaks that the file says are there at an instant."""
    found: set[tuple[str, str]] = set()
    for item in world.truth.get("findings", []):
        until = item.get("until")
        if instant(item["from"]) <= now and (until is None or instant(until) > now):
            found.add((item["rule"], item["record"]))
    return found
