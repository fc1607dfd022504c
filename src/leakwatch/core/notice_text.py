"""What a message says, in English and Turkish: evidence with numbers as that language writes them, and the next step.

CRM text is hostile and long: it is cleaned to one line here; each channel cuts and escapes as it must.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Any

from leakwatch.core import columns, formats
from leakwatch.core.notice_words import EN, TR
from leakwatch.core.text import clean_line, cut
from leakwatch.model import Finding, Proof, Rule, Text

MAX_VALUE = 255  # characters of one piece of evidence: as long as most of Salesforce's text fields
MAX_EVIDENCE = 20  # shown columns; the report has them all

_NO_WORDS: Mapping[str, Text] = {}


@dataclass(frozen=True, slots=True)
class Writing:
    """How a message is written: in which language and zone, and whether amounts may be named."""

    language: str  # "en" or "tr"
    zone: tzinfo
    money: bool = True
    revops: str = ""  # the name of who gets what has no owner to tell

    def say(self, word: str, **values: Any) -> str:
        """Return the sentence `word` with `values` put in; values are never read as templates themselves."""
        return (TR if self.language == "tr" else EN)[word].format(**values)

    def day(self, value: date) -> str:
        """Return a date as the language writes it; a datetime in the org's zone."""
        local = value.astimezone(self.zone).date() if isinstance(value, datetime) else value
        return formats.day(local, self.language)

    def amount(self, value: Decimal, currency: str | None) -> str:
        """Return an amount with its currency as the language writes it."""
        return formats.money(value, currency, self.language)

    def value(self, value: Any) -> str:
        """Return one piece of evidence as the language writes it."""
        if isinstance(value, bool):
            return self.say("yes" if value else "no")
        if isinstance(value, datetime):
            return formats.moment(value, self.zone, self.language)
        if isinstance(value, date):
            return self.day(value)
        if isinstance(value, Decimal | int):
            return formats.number(value, self.language)
        return cut(clean_line(str(value)), MAX_VALUE)


@dataclass(frozen=True, slots=True)
class More:
    """What waits behind a person's daily cap: how many, and the cap."""

    count: int
    cap: int


def subject(rule: Rule, finding: Finding, writing: Writing, template: str | None = None) -> str:
    """Return `<rule title>: <record name>`, or `template` with `{record_name}` replaced; of a process, its field."""
    name = clean_line(finding.record_name) or finding.record_id
    if finding.is_process:
        of = finding.evidence.get("population", finding.count)
        figures = {"count": writing.value(finding.count), "population": writing.value(of)}
        return writing.say("process_subject", field=name, **figures)
    if template:
        return template.replace("{record_name}", name)
    title = rule.title.get(writing.language)
    return f"{title}: {name}" if name else title


def title(kind: str, about: str) -> tuple[str, str]:
    """Return the English and Turkish title of a message of `kind` about a subject."""
    word = f"title_{kind}"
    return (EN[word].format(subject=about), TR[word].format(subject=about)) if word in EN else (about, about)


def task_body(
    kind: str, rule: Rule, finding: Finding, writing: Writing, *, more: More | None = None, stand_in: bool = False
) -> str:
    """Return the text of an alert Task: what, why, what to do, the evidence, how it ends, how to say it is wrong.

    With `stand_in` it says why it went to somebody who does not own the record.
    """
    message = finding.message_tr if writing.language == "tr" else finding.message_en
    parts = [clean_line(message), *_kind_line(kind, finding, writing, stand_in=stand_in), ""]
    if not finding.is_process:  # why the rule exists says nothing about a field that nobody fills in
        parts.append(writing.say("why", text=clean_line(rule.why.get(writing.language))))
    parts.append(_fix(rule, finding, writing))
    if finding.impact is not None and finding.impact_kind in EN:
        parts.append(writing.say(finding.impact_kind, amount=writing.amount(finding.impact, finding.currency)))
    parts += _evidence(rule, finding, writing)
    if more is not None and more.count:
        parts += ["", writing.say("more", count=more.count, cap=more.cap)]
    days = rule.lifecycle.ack_timeout.days
    closes = "process_closes" if finding.is_process else "closes"
    parts += ["", writing.say(closes, days=days), writing.say("wrong", team=_team(rule, writing))]
    return "\n".join([*parts, *_source(rule, finding, writing)])


def post_body(
    kind: str,
    rule: Rule,
    finding: Finding,
    writing: Writing,
    about: str,
    *,
    more: More | None = None,
    stand_in: bool = False,
) -> str:
    """Return the text of a Chatter post. Followers read it: without `writing.money` it names no amount.

    The rule's message is left out then, because it may name amounts in words; of the evidence, dates stay and what the
    rule has words for (on what a price was measured, in which direction it is off).
    """
    parts = [about, *_kind_line(kind, finding, writing, stand_in=stand_in)]
    if writing.money:
        parts.append(clean_line(finding.message_tr if writing.language == "tr" else finding.message_en))
        if finding.impact is not None and finding.impact_kind in EN:
            parts.append(writing.say(finding.impact_kind, amount=writing.amount(finding.impact, finding.currency)))
    elif finding.impact is not None:
        parts.append(writing.say("no_money"))
    parts.append(_fix(rule, finding, writing))
    parts += _evidence(rule, finding, writing)
    if more is not None and more.count:
        parts.append(writing.say("more", count=more.count, cap=more.cap))
    return "\n".join([*parts, writing.say("wrong_post", team=_team(rule, writing)), *_source(rule, finding, writing)])


def _team(rule: Rule, writing: Writing) -> str:
    """Return whom to tell that a rule is wrong: its team, and for RevOps the person, where one is set."""
    if rule.owner_team.casefold() not in ("", "revops"):
        return rule.owner_team
    return f"RevOps ({clean_line(writing.revops)})" if writing.revops else "RevOps"


def _fix(rule: Rule, finding: Finding, writing: Writing) -> str:
    """Return what to do. A rule's own words speak of one record; a field that nobody fills in has words of its own."""
    fix = rule.process_fixes.get(finding.record_id, rule.fix) if finding.is_process else rule.fix
    return writing.say("fix", text=clean_line(fix.get(writing.language)))


def _kind_line(kind: str, finding: Finding, writing: Writing, *, stand_in: bool) -> list[str]:
    owner = clean_line(finding.owner_name) or writing.say("no_owner")
    if kind == "escalated":
        told = writing.day(finding.notified_at or finding.since)
        sent = finding.notified_at is not None
        by_owner = sent and finding.owner_id is not None and finding.notified_owner_id == finding.owner_id
        lines = [writing.say("escalated" if by_owner else "escalated_untold", owner=owner, told=told)]
    else:
        spoken = kind in ("back_again", "not_fixed", "reassigned", "resumed") and not stand_in
        lines = [writing.say(kind)] if spoken else []
    if stand_in:
        lines.append(writing.say("stand_in", owner=owner))
    return lines + ([writing.say("unproven")] if finding.proof is Proof.UNPROVEN else [])


def _evidence(rule: Rule, finding: Finding, writing: Writing) -> list[str]:
    shown = [
        f"- {columns.label(name).get(writing.language)}: {_shown(rule, finding, name, value, writing)}"
        for name, value in finding.evidence.items()
        if value is not None
        and (writing.money or isinstance(value, date) or str(value) in rule.words.get(name, _NO_WORDS))
    ]
    return ["", writing.say("evidence"), *shown[:MAX_EVIDENCE]] if shown else []


def _shown(rule: Rule, finding: Finding, name: str, value: Any, writing: Writing) -> str:
    """Return one piece of evidence: a code in the rule's words, an amount with its currency, else as it stands."""
    if name in columns.MONEY and isinstance(value, Decimal):
        return writing.amount(value, finding.currency)
    said = rule.words.get(name, {}).get(str(value))
    return writing.value(value) if said is None else said.get(writing.language)


def _source(rule: Rule, finding: Finding, writing: Writing) -> list[str]:
    since = writing.day(finding.since)
    lines = [writing.say("source", rule=rule.id, version=finding.rule_version, since=since)]
    return lines + ([writing.say("runbook", runbook=rule.runbook)] if rule.runbook else [])


def task_line(kind: str, finding: Finding, writing: Writing, today: date) -> str:
    """Return the line added to a Task's description when something happens to its finding."""
    message = finding.message_tr if writing.language == "tr" else finding.message_en
    base = kind.removesuffix("_note") if kind in ("grew_note", "still_open_note") else kind
    text = clean_line(message)
    grown = base == "grew" and finding.impact_kind in EN and finding.impact_reference not in (None, finding.impact)
    if grown and finding.impact is not None and finding.impact_reference is not None:
        now, before = (writing.amount(one, finding.currency) for one in (finding.impact, finding.impact_reference))
        text += " – " + writing.say(finding.impact_kind, amount=writing.say("grown", now=now, before=before))
    return writing.say(f"line_{base}", day=writing.day(today), text=text)
