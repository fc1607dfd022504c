"""A second opinion on a world's truth: plain Python over the file alone.

It knows neither the org's code nor how the generator plants: it replays the timeline on dictionaries and
applies the rules as they are worded. A test holds the planted truth against it, day by day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal

from leakwatch.sandbox.world import follow_ups
from leakwatch.sandbox.world.model import Json, World, instant
from leakwatch.sandbox.world.state import State, event_times

#: The rules' boundaries (issue "The main job": 30 days, more than 14 days, below 0.50 or above 1.25).
STALE_DAYS = 30
GRACE_DAYS = 14
LOST_WINDOW_DAYS = 365
LOW, HIGH = Decimal("0.50"), Decimal("1.25")


def evaluate(world: World, now: datetime) -> set[tuple[str, str]]:
    """(rule, record or meeting) of every leak there is at an instant."""
    state = State(world, now)
    today = state.local(now)
    found = {("lead_stale", ref) for ref in _stale(state, today)}
    found |= {("opp_close_overdue", ref) for ref in _overdue(state, today)}
    found |= {("opp_lost_without_reason", ref) for ref in _lost(state, today)}
    found |= follow_ups.evaluate(world, now)
    return found | {("opp_price_deviation", ref) for ref in _price(state)}


def _stale(state: State, today: date) -> Iterator[str]:
    touches: dict[str, list[date]] = {}
    for _, task in state.of("Task", Status="Completed"):
        done = task.get("CompletedDateTime")
        day = state.local(done) if done else task.get("ActivityDate")
        if day and task.get("WhoId"):
            touches.setdefault(task["WhoId"], []).append(day if isinstance(day, date) else date.fromisoformat(day))
    for _, event in state.of("Event"):
        began, ended = event_times(event)
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


def planted(world: World, now: datetime) -> set[tuple[str, str]]:
    """(rule, record or meeting) of the leaks that the file says are there at an instant."""
    found: set[tuple[str, str]] = set()
    for item in world.truth.get("findings", []):
        until = item.get("until")
        if instant(item["from"]) <= now and (until is None or instant(until) > now):
            found.add((item["rule"], follow_ups.mark_of(item)))
    return found
