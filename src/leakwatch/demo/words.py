"""What a demo prints."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from leakwatch.demo.mail import MailOutcome
from leakwatch.demo.score import Story

MOST_NAMED = 10
GOOD = "Nothing was missed, nothing wrongly raised."
BAD = "NOT as the world's truth has it: see above."


def story_lines(story: Story) -> list[str]:
    """Return what two weeks came to."""
    planted = sum(score.planted for score in story.scores.values())
    found = sum(score.found for score in story.scores.values())
    lines = [
        f"World {story.world}, {story.days} days, one capture, audit and round of alerts a day",
        "",
        f"Mailboxes read        {story.mailboxes}",
        *(f"  not read            {address}: {reason}" for address, reason in story.mailboxes_not_read.items()),
        f"Mails read            {story.mails_read}",
        f"Records written       {_counts(story.written)}",
        f"  Tasks given to reps {story.tasks_given}",
        f"Matched by            {_counts(story.matched)}",
        f"Unmatched             {story.unmatched}",
        f"Skipped               {_counts(story.skipped)}",
        f"Quarantined           {_counts(story.quarantined)}",
        f"Against the truth     {story.mails_right} mails where they belong, {len(story.mails_wrong)} not",
        *_named(story.mails_wrong),
        f"                      {story.meetings_right} meetings likewise, {len(story.meetings_wrong)} not",
        *_named(story.meetings_wrong),
        "",
        f"First day             {story.baseline} leaks there already (baseline), {story.told_on_first_day} people told",
        f"{'Rule':<28}{'planted':>8}{'found':>8}{'missed':>8}{'wrongly raised':>16}",
    ]
    for rule, score in sorted(story.scores.items()):
        lines.append(
            f"  {rule:<26}{score.planted:>8}{score.found:>8}{len(score.missed):>8}{len(score.wrongly_raised):>16}"
        )
        lines += _named([f"missed {record}" for record in score.missed])
        lines += _named([f"wrongly raised {record}" for record in score.wrongly_raised])
    lines += [
        f"  {'together':<26}{planted:>8}{found:>8}",
        "",
        f"Tasks made            {story.tasks_made}",
        f"Chatter posts made    {story.posts_made}",
        f"Escalations           {story.escalated}",
        f"Leaks fixed           {story.fixed}",
        f"Tasks closed by us    {story.tasks_closed}; lines added to a person's Task: {story.lines_added}",
        *_named([f"refused: {words}" for words in story.refused]),
        "",
        f"Salesforce API calls  {story.api_calls}",
        *(f"  {count:>6}  {kind}" for kind, count in list(story.api_calls_by_kind.items())[:MOST_NAMED]),
        f"Gmail quota units     {story.gmail_units}",
        "",
        f"Report                {story.report}",
        f"Settings              {story.settings} (the sandbox is stopped; its state is beside it)",
        *going_on(story.settings, story.ends_at),
        "",
        GOOD if story.as_expected else BAD,
    ]
    return lines


def program() -> str:
    """Return how this program is called from a shell, ready to be pasted: by its name only where that finds it."""
    typed = Path(sys.argv[0])
    if typed.name == "leakwatch":
        found = shutil.which("leakwatch")
        same = found is not None and typed.exists() and Path(found).samefile(typed)
        return "leakwatch" if same else shlex.quote(str(typed))
    return f"{shlex.quote(sys.executable)} -m leakwatch"


def going_on(settings: Path | None, now: datetime | None) -> list[str]:
    """Return how to try every other command on what a demo left: its sandbox again, on the ports of before."""
    if settings is None or now is None:
        return []
    called, sandbox = program(), shlex.quote(str(settings.parent / "sandbox"))
    at = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [
        f"To go on              {called} sandbox serve --dir {sandbox}",
        f"  and beside it       export LEAKWATCH_CONFIG={shlex.quote(str(settings))} LEAKWATCH_NOW={at}",
        f"                      {called} status",
    ]


def mail_lines(outcome: MailOutcome) -> list[str]:
    """Return the fate of every message of an mbox."""
    passed_over = f"; empty ones passed over: {outcome.empty}" if outcome.empty else ""
    return [
        f"Messages imported     {outcome.messages} in {outcome.conversations} conversations{passed_over}",
        f"Contacts made         {outcome.contacts_made} (the senders of every second conversation)",
        "",
        f"Written               {outcome.written} messages, as {outcome.records} EmailMessage records",
        f"Unmatched             {outcome.unmatched}",
        f"Skipped               {sum(outcome.skipped.values())}: {_counts(outcome.skipped)}",
        f"Quarantined           {sum(outcome.quarantined.values())}: {_counts(outcome.quarantined)}",
        f"Together              {outcome.accounted_for} of {outcome.messages}",
        "",
        f"Personal mails of a known contact: {outcome.known_personal}",
        f"  of them not written               {len(outcome.known_personal_missing)}",
        *_named(outcome.known_personal_missing),
        f"Settings              {outcome.settings}",
        *going_on(outcome.settings, outcome.ends_at),
    ]


def _counts(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(values.items()) if count) or "none"


def _named(entries: list[str]) -> list[str]:
    shown = [f"    ! {entry}" for entry in entries[:MOST_NAMED]]
    return shown if len(entries) <= MOST_NAMED else [*shown, f"    ! and {len(entries) - MOST_NAMED} more"]
