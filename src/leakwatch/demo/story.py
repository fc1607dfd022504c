"""The guided run: two simulated weeks on the sandbox, judged against the world's own ground truth.

The sandbox is started as the program it is; leakwatch meets it over HTTPS, with the settings file that is left behind,
so that every other command can be tried on the same state afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from leakwatch import config
from leakwatch.app.auditing import run_act, run_audit
from leakwatch.app.building import Parts
from leakwatch.app.capturing import run_capture
from leakwatch.app.google_parts import GoogleParts
from leakwatch.app.mirroring import run_mirror
from leakwatch.app.reporting import week_stem, weekly_result, write_files
from leakwatch.clock import SettableClock, SystemClock
from leakwatch.demo.stage import DemoOptions, Progress, Sandbox, prepare, write_settings

Mark = tuple[str, str]  # rule id, record id


@dataclass(slots=True)
class Score:
    """One rule against the truth, over all daily audits."""

    planted: int = 0
    found: int = 0
    missed: list[str] = field(default_factory=list[str])
    wrongly_raised: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Story:
    """What two weeks came to."""

    world: str
    days: int
    mailboxes: int = 0
    mailboxes_not_read: dict[str, str] = field(default_factory=dict[str, str])
    mails_read: int = 0
    written: Counter[str] = field(default_factory=Counter[str])
    tasks_given: int = 0
    matched: Counter[str] = field(default_factory=Counter[str])
    skipped: Counter[str] = field(default_factory=Counter[str])
    unmatched: int = 0
    quarantined: Counter[str] = field(default_factory=Counter[str])
    mails_right: int = 0
    mails_wrong: list[str] = field(default_factory=list[str])
    baseline: int = 0
    told_on_first_day: int = 0
    scores: dict[str, Score] = field(default_factory=dict[str, Score])
    tasks_made: int = 0
    posts_made: int = 0
    tasks_closed: int = 0
    lines_added: int = 0
    escalated: int = 0
    fixed: int = 0
    refused: list[str] = field(default_factory=list[str])
    api_calls: int = 0
    api_calls_by_kind: dict[str, int] = field(default_factory=dict[str, int])
    gmail_units: int = 0
    report: Path | None = None
    settings: Path | None = None
    ends_at: datetime | None = None  # the sandbox's time at the end

    @property
    def as_expected(self) -> bool:
        """Whether nothing was missed, wrongly raised or wrongly logged, and nobody was told on the first day."""
        clean = all(not score.missed and not score.wrongly_raised for score in self.scores.values())
        return clean and not self.mails_wrong and not self.told_on_first_day and not self.refused


def run_story(options: DemoOptions, *, progress: Progress) -> Story:
    """Play `options.days` days (else as many as the world has) and return what came of them.

    Raises:
        ConfigError: the folder or the world can't be used.
    """
    prepare(options.folder)
    progress("starting the sandbox")
    with Sandbox(options.folder / "sandbox", world=options.world, seed=options.seed) as sandbox:
        path = write_settings(options.folder, sandbox, language=options.language)
        zone = ZoneInfo(sandbox.world["company"]["time_zone"])
        start = datetime.fromisoformat(sandbox.info["world"]["start"])
        at = time.fromisoformat(sandbox.world["audit_time"])
        days = sandbox.world["days"] if options.days is None else options.days
        clock = SettableClock(start)
        story = Story(sandbox.world["name"], days, settings=path)
        seen: dict[int, set[Mark]] = {}
        moments: list[datetime] = []
        with Parts(config.load(path), clock=clock, wall=SystemClock()) as parts:
            google = GoogleParts(parts)
            for day in range(days + 1):
                moment = audit_moment(start, zone, day, at=at)
                progress(f"day {day} of {days}: {moment.astimezone(zone):%A %d %B}")
                sandbox.move_to(moment)
                clock.move_to(moment)
                moments.append(moment)
                seen[day] = _one_day(parts, google, story, day)
            progress("writing the report")
            result = weekly_result(parts)
            files = write_files(parts, result, week_stem(result))
            story.report, story.ends_at = files.html, clock.now()
            _judge(story, sandbox.truth(), seen, moments, parts)
            _count_up(story, parts, google)
        progress("")
    return story


def audit_moment(start: datetime, zone: ZoneInfo, day: int, *, at: time = time(6, 0)) -> datetime:
    """Return the local time `at` of the `day`-th day of the story, aware; day 0 is the first one not before `start`."""
    first = start.astimezone(zone).date()
    if datetime.combine(first, at, zone) < start:
        first += timedelta(days=1)
    return datetime.combine(first + timedelta(days=day), at, zone)


def _one_day(parts: Parts, google: GoogleParts, story: Story, day: int) -> set[Mark]:
    """Capture, mirror, audit and act once; return the leaks that this day's audit saw."""
    captured = run_capture(parts, google=google)
    story.mailboxes = max(story.mailboxes, captured.mailboxes_read)
    story.mailboxes_not_read = {
        **dict.fromkeys(captured.mailboxes_without_notice, "no recorded notice"),
        **dict(captured.mailboxes_parked),
        **dict(captured.mailboxes_failed),
    }
    story.mails_read += captured.items_seen
    story.written.update(captured.written)
    story.tasks_given += captured.owners_given
    story.quarantined.update(captured.quarantined)
    for reason, count in captured.skipped.items():
        if reason != "bulk":  # counted at the end: bulk mail is looked at again each day
            story.skipped[reason] += count
    story.matched.update(captured.matched)
    story.unmatched = captured.unmatched
    run_mirror(parts)
    audited = run_audit(parts)
    acted = run_act(parts)
    story.tasks_made += acted.tasks_made
    story.posts_made += acted.posts_made
    story.tasks_closed += acted.tasks_closed
    story.lines_added += acted.lines_added
    story.escalated += sum(rule.escalated for rule in audited.rules)
    story.fixed += sum(rule.resolved for rule in audited.rules)
    story.refused += [f"{failure.code}: {failure.reason}" for failure in acted.failed]
    if day == 0:
        story.baseline = sum(rule.baseline for rule in audited.rules)
        story.told_on_first_day = acted.tasks_made + acted.posts_made
    now = parts.clock.now()
    return {(found.rule_id, found.record_id) for found in parts.findings.findings() if found.last_seen == now}


def _judge(
    story: Story, truth: Mapping[str, Any], seen: Mapping[int, set[Mark]], moments: list[datetime], parts: Parts
) -> None:
    """Hold every day's leaks against what the world says of that moment, and every mail against where it belongs."""
    for rule in parts.rules:
        story.scores[rule.id] = Score()
    for day, moment in enumerate(moments):
        real = {(entry["rule"], entry["record_id"]) for entry in truth["findings"] if _in_force(entry, moment)}
        for rule, record in real:
            score = story.scores.setdefault(rule, Score())
            if (rule, record) not in seen[day] and record not in score.missed:
                score.missed.append(record)
        for rule, record in seen[day] - real:
            score = story.scores.setdefault(rule, Score())
            if record not in score.wrongly_raised:
                score.wrongly_raised.append(record)
    for entry in truth["findings"]:
        if any(_in_force(entry, moment) for moment in moments):
            score = story.scores.setdefault(entry["rule"], Score())
            score.planted += 1
            score.found += any((entry["rule"], entry["record_id"]) in marks for marks in seen.values())
    _judge_mails(story, truth, parts)


def _in_force(entry: Mapping[str, Any], moment: datetime) -> bool:
    until = entry.get("until")
    return datetime.fromisoformat(entry["from"]) <= moment and (until is None or moment < datetime.fromisoformat(until))


def _judge_mails(story: Story, truth: Mapping[str, Any], parts: Parts) -> None:
    """Compare what stands in the org with where each mail belongs by the world's own word."""
    expected = {entry["message_id"].strip("<>"): entry for entry in truth["captures"]}
    rows = [
        row
        for page in parts.reader.query(
            "SELECT Id, MessageIdentifier, RelatedToId, ActivityId FROM EmailMessage"
            " WHERE Leakwatch_Key__c LIKE 'lw1:m:%'"
        )
        for row in page
    ]
    there = {str(row["MessageIdentifier"]).strip("<>"): row for row in rows}
    owners = parts.reader.fetch(
        "Task", [str(row["ActivityId"]) for row in rows if row["ActivityId"]], ["Id", "OwnerId"]
    )
    for message_id, entry in expected.items():
        row = there.get(message_id)
        problem = _mail_problem(entry, row, owners)
        if problem:
            story.mails_wrong.append(f"{message_id}: {problem}")
        else:
            story.mails_right += 1
    story.mails_wrong += [
        f"{message_id}: logged, unknown to the truth" for message_id in there.keys() - expected.keys()
    ]
    if len(rows) != len(there):
        story.mails_wrong.append(f"{len(rows) - len(there)} mails were logged twice")


def _mail_problem(
    entry: Mapping[str, Any], row: Mapping[str, Any] | None, owners: Mapping[str, Mapping[str, Any]]
) -> str | None:
    if entry["expect"] != "written":
        return None if row is None else f"logged although {entry.get('reason') or entry['expect']}"
    if row is None:
        return "belongs in Salesforce, is not there"
    if (row["RelatedToId"] or None) != entry.get("what_id"):
        return f"is about {row['RelatedToId']}, belongs to {entry.get('what_id')}"
    owner = owners.get(str(row["ActivityId"]), {}).get("OwnerId")
    return None if owner == entry.get("owner_id") else f"its Task is {owner}'s, belongs to {entry.get('owner_id')}"


def _count_up(story: Story, parts: Parts, google: GoogleParts) -> None:
    counts = parts.capture_status.counts()
    story.unmatched = counts.get("unmatched", 0)
    story.skipped["bulk"] = counts.get("skipped", 0)
    story.skipped = +story.skipped
    story.api_calls = parts.client.calls
    story.api_calls_by_kind = dict(sorted(parts.client.calls_by_path.items(), key=lambda item: -item[1]))
    story.gmail_units = google.limiter.spent().get("google", 0)
