"""The noise forecast: how many Tasks a week a rule would make, per rep, before anybody switches it on.

Method, in the order tried for each rule:

1. `history`: it ran for a week or longer. Words that would have been said to owners (new, back again, handed over, not
   fixed) in the last `days` days, divided by the weeks that were watched. Exact for what was watched.
2. `dates`: it ran less long. Of the records in the condition now, the first date that the rule shows as evidence tells
   when they began to slide (close date, last touch). How many have theirs in the four weeks up to the youngest one is
   how many entered lately. What was fixed meanwhile is not seen, so this is a lower bound.
3. `unknown`: no date is shown. Then only the present count is said.

Baseline findings make no Task. The daily cap bounds every rep's week. Nothing is assumed about people's reactions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from leakwatch.core import formats
from leakwatch.core.notice_policy import OWNER_WORDS
from leakwatch.core.record_ids import QUEUE_PREFIX
from leakwatch.model import Finding, FindingStatus, Rule, Text, Transition

MINIMUM_WATCHED = timedelta(days=7)  # a shorter history says more about the weekday than about the rule
ENTRY_WINDOW = timedelta(days=28)
_LIVING = (FindingStatus.OPEN, FindingStatus.ESCALATED, FindingStatus.ACKNOWLEDGED, FindingStatus.SNOOZED)
_TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class RepLoad:
    """What one rep would get."""

    owner_id: str | None
    owner_name: str
    per_week: Decimal


@dataclass(frozen=True, slots=True)
class RuleForecast:
    """What one rule would make of the org's week. `reps` begins with the one who would get most."""

    rule_id: str
    basis: str  # history | dates | unknown
    standing: int  # findings now
    waiting: int  # of them, waiting to be said as soon as the switch is on
    per_week: Decimal | None
    reps: tuple[RepLoad, ...]
    sentence: Text


@dataclass(frozen=True, slots=True)
class NoiseForecast:
    """All rules together; `reps` sums what each person would get, cut at the daily cap."""

    rules: tuple[RuleForecast, ...]
    reps: tuple[RepLoad, ...]


def forecast(
    rules: Iterable[Rule],
    findings: Sequence[Finding],
    transitions: Sequence[Transition],
    *,
    first_runs: Mapping[str, datetime],
    now: datetime,
    days: int = 28,
    per_owner_per_day: int = 5,
) -> NoiseForecast:
    """Return what each rule would make, whatever its mode is now.

    Args:
        rules: those asked about.
        findings: all stored findings.
        transitions: those of the last `days` days, or more.
        first_runs: rule id -> when it was first evaluated (aware).
        now: aware.
        days: how far back the history is read.
        per_owner_per_day: the daily cap.
    """
    by_rule: dict[str, list[Finding]] = {}
    for finding in findings:
        by_rule.setdefault(finding.rule_id, []).append(finding)
    cap = Decimal(per_owner_per_day * 7)
    made: list[RuleForecast] = []
    for rule in rules:
        own = by_rule.get(rule.id, [])
        watched = min(now - first_runs.get(rule.id, now), timedelta(days=days))
        basis, counts, weeks = _entries(own, transitions, watched=watched, now=now)
        made.append(_rule_forecast(rule, own, basis, counts, weeks, cap))
    totals: dict[tuple[str | None, str], Decimal] = {}
    for result in made:
        for rep in result.reps:
            who = (rep.owner_id, rep.owner_name)
            totals[who] = totals.get(who, Decimal(0)) + rep.per_week
    everybody = [RepLoad(*who, per_week=min(load, cap)) for who, load in totals.items()]
    return NoiseForecast(tuple(made), tuple(sorted(everybody, key=_heaviest)))


def _entries(
    findings: Sequence[Finding], transitions: Sequence[Transition], *, watched: timedelta, now: datetime
) -> tuple[str, Counter[tuple[str | None, str]], Decimal]:
    """Return the basis, how many Tasks each owner would have got, and in how many weeks."""
    owners = {finding.fingerprint: _owner(finding) for finding in findings}
    if watched >= MINIMUM_WATCHED:
        since = now - watched
        counts = Counter(
            owners[change.fingerprint]
            for change in transitions
            if change.fingerprint in owners and change.notify in OWNER_WORDS and change.at > since
        )
        return "history", counts, Decimal(watched.days) / 7
    dated = [(began, _owner(finding)) for finding in findings if (began := _began(finding)) is not None]
    dated = [(began, owner) for began, owner in dated if began <= now.date()]
    if not dated:
        return "unknown", Counter(), Decimal(1)
    youngest = max(began for began, _ in dated)
    counts = Counter(owner for began, owner in dated if began > youngest - ENTRY_WINDOW)
    return "dates", counts, Decimal(ENTRY_WINDOW.days) / 7


def _owner(finding: Finding) -> tuple[str | None, str]:
    return finding.owner_id, finding.owner_name


def _began(finding: Finding) -> date | None:
    """Return the first date among the evidence of a living finding."""
    if finding.status not in _LIVING or finding.is_process:
        return None
    for value in finding.evidence.values():
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
    return None


def _rule_forecast(
    rule: Rule,
    findings: Sequence[Finding],
    basis: str,
    counts: Counter[tuple[str | None, str]],
    weeks: Decimal,
    cap: Decimal,
) -> RuleForecast:
    reps = [RepLoad(*who, per_week=min(_round(Decimal(count) / weeks), cap)) for who, count in counts.items()]
    reps.sort(key=_heaviest)
    standing = sum(finding.status in _LIVING for finding in findings)
    waiting = sum(finding.pending_notice in OWNER_WORDS for finding in findings)
    per_week = None if basis == "unknown" else sum((rep.per_week for rep in reps), Decimal(0))
    return RuleForecast(
        rule.id,
        basis,
        standing,
        waiting,
        per_week,
        tuple(reps),
        _sentence(rule, basis, standing, waiting, per_week, reps),
    )


def _sentence(
    rule: Rule, basis: str, standing: int, waiting: int, per_week: Decimal | None, reps: Sequence[RepLoad]
) -> Text:
    """Return the forecast in words, with how sure it is."""
    if per_week is None:
        return Text(
            f"{rule.title.en}: {_many(standing, 'record')} now. How many come a week is not known before a week of"
            " runs.",
            f"{rule.title.tr}: şu anda {formats.number(standing, 'tr')} kayıt. Haftada kaç tane geldiği bir hafta"
            " çalışınca belli olur.",
        )
    queues = sum((rep.owner_id or "").startswith(QUEUE_PREFIX) for rep in reps)
    people = len(reps) - queues
    least_en, least_tr = ("at least ", "en az ") if basis == "dates" else ("", "")
    for_en = " and ".join(
        _many(count, one, many) for count, one, many in ((people, "person", "people"), (queues, "queue", None)) if count
    )
    for_tr = " ve ".join(
        f"{formats.number(count, 'tr')} {word}" for count, word in ((people, "kişiye"), (queues, "kuyruğa")) if count
    )
    english = f"{rule.title.en}: {least_en}{_many(per_week, 'Task')} a week" + (f" for {for_en}" if for_en else "")
    turkish = (
        f"{rule.title.tr}: {for_tr + ' ' if for_tr else ''}haftada {least_tr}{formats.number(per_week, 'tr')} görev"
    )
    if reps:
        worst = reps[0].owner_name or reps[0].owner_id or "RevOps"
        english += f", at most {formats.number(reps[0].per_week, 'en')} for one ({worst})"
        turkish += f", birine en çok {formats.number(reps[0].per_week, 'tr')} ({worst})"
    if queues:
        english += "; what a queue owns goes to RevOps"
        turkish += "; kuyruklara ait olanlar RevOps ekibine gider"
    if waiting:
        english += f"; {formats.number(waiting, 'en')} {'waits' if waiting == 1 else 'wait'} to be said at once"
        turkish += f"; {formats.number(waiting, 'tr')} tanesi hemen bildirilmeyi bekliyor"
    return Text(english + ".", turkish + ".")


def _many(count: int | Decimal, one: str, many: str | None = None) -> str:
    return f"{formats.number(count, 'en')} {one if count == 1 else many or one + 's'}"


def _round(value: Decimal) -> Decimal:
    return value.quantize(_TENTH)


def _heaviest(rep: RepLoad) -> tuple[Decimal, str, str]:
    return (-rep.per_week, rep.owner_name, rep.owner_id or "")
