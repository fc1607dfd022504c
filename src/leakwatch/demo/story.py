"""The guided run: two simulated weeks on the sandbox, judged against the world's own ground truth.

The sandbox is started as the program it is; leakwatch meets it over HTTPS, with the settings file that is left behind,
so that every other command can be tried on the same state afterwards.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from leakwatch import config
from leakwatch.app.auditing import run_act, run_audit
from leakwatch.app.building import Parts
from leakwatch.app.capturing import run_capture
from leakwatch.app.google_parts import GoogleParts
from leakwatch.app.mirroring import run_mirror
from leakwatch.app.reporting import week_stem, weekly_result, write_files
from leakwatch.clock import SettableClock, SystemClock
from leakwatch.demo.judging import judge
from leakwatch.demo.score import Mark, Story
from leakwatch.demo.stage import DemoOptions, Progress, Sandbox, prepare, write_settings


def run_story(options: DemoOptions, *, progress: Progress) -> Story:
    """Play `options.days` days (else as many as the world has) and return what came of them.

    Raises:
        ConfigError: the folder or the world can't be used.
    """
    prepare(options.folder)
    progress("starting the sandbox")
    with Sandbox(options.folder / "sandbox", world=options.world, seed=options.seed) as sandbox:
        path = write_settings(options.folder, sandbox, language=options.language, calendars=True)
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
            judge(story, sandbox.truth(), seen, moments, parts)
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


def _count_up(story: Story, parts: Parts, google: GoogleParts) -> None:
    counts = parts.capture_status.counts()
    story.unmatched = counts.get("unmatched", 0)
    story.skipped["bulk"] = counts.get("skipped", 0)
    story.skipped = +story.skipped
    story.api_calls = parts.client.calls
    story.api_calls_by_kind = dict(sorted(parts.client.calls_by_path.items(), key=lambda item: -item[1]))
    story.gmail_units = google.limiter.spent().get("google", 0)
