"""What `status`, `explain` and `rules` show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from leakwatch.app.building import Parts
from leakwatch.app.mirroring import stale_after
from leakwatch.app.quarantine import quarantined
from leakwatch.app.quarantine_people import entering
from leakwatch.app.streams import MAIL
from leakwatch.core.fingerprint import KEY_PREFIX
from leakwatch.errors import UsageError
from leakwatch.flows.capture_report import HELD_DELETIONS
from leakwatch.model import Delivery, Finding, FindingStatus, Proof, Run, Transition

if TYPE_CHECKING:
    from leakwatch.core.forecast import NoiseForecast
    from leakwatch.core.notice_policy import Recipient
    from leakwatch.rule_engine.testing import TestResult
    from leakwatch.store.capture_status import Coverage, Explanation
    from leakwatch.store.write_log import LoggedWrite

NOTHING_KNOWN = (
    "nothing is known of it here. A mail is known once its mailbox was read: `leakwatch status` says how far each was "
    "read; a mailbox whose owner has no recorded notice is not read at all."
)
NO_MAIL_KNOWN = (
    "no captured mail has this address or Message-ID. Of mails that were skipped (internal, private, blocked and so "
    "on) no address is kept: look them up by their provider id. `leakwatch status` says how far each mailbox was read."
)
ONLY_KNOWN = (
    "google.backfill is known_domains: of the time before a mailbox was first read there is only mail with people and "
    "domains that Salesforce knew then. `leakwatch sync --full` reads that of those it knows now."
)
MOST_RUNS = 100_000  # a year of five-minute captures
SHORTEST_MARK = 6  # letters of a finding's fingerprint that name it; fewer would name half of them
FORECAST_DAYS = 28  # two full fortnights: weekday patterns even out


@dataclass(frozen=True, slots=True)
class Status:
    """Where everything stands."""

    mailboxes: tuple[Coverage, ...]
    activities: Mapping[str, int]
    snapshot_id: str | None
    snapshot_at: datetime | None
    snapshot_is_stale: bool  # older than audit.stale_after_hours: audits hold, act tells nobody
    stopped: tuple[str, ...]  # mailboxes that were read once, and not for that long
    findings: Mapping[str, int]  # by status
    held: int  # findings that the last audit could not judge
    rule_notes: Mapping[str, str]  # rule id -> what the last audit has to say to RevOps: a guard, a breaker
    quarantined: int
    undelivered: int
    held_deletions: int  # by the last capture: too many at once
    runs: tuple[Run, ...]
    writes: Mapping[str, bool]


def status_of(parts: Parts) -> Status:
    """Return where everything stands. Reads this machine's files only; asks no service."""
    snapshot = parts.newest_snapshot()
    writes = parts.settings.writes
    known = parts.findings.findings()
    findings = Counter(str(finding.status.value) for finding in known)
    latest = parts.runs.latest("audit", limit=10)
    audits = [run for run in latest if run.finished_at and run.error is None and not run.dry_run]
    mailboxes = parts.capture_status.coverage(MAIL)
    oldest = parts.clock.now() - stale_after(parts)
    return Status(
        mailboxes=mailboxes,
        activities=parts.capture_status.counts(),
        snapshot_id=snapshot.snapshot_id if snapshot else None,
        snapshot_at=snapshot.published_at if snapshot else None,
        snapshot_is_stale=snapshot is not None and snapshot.published_at < oldest,
        stopped=tuple(one.principal for one in mailboxes if one.read_at is not None and one.read_at < oldest),
        findings=dict(sorted(findings.items())),
        held=sum(one.proof is Proof.HELD and one.status is not FindingStatus.RESOLVED for one in known),
        rule_notes=parts.findings.rule_notes(audits[0].run_id) if audits else {},
        quarantined=len(quarantined(parts)),
        undelivered=len(parts.findings.undelivered()),
        held_deletions=held_deletions(parts),
        runs=tuple(parts.runs.latest(limit=10)),
        writes={name: value for name, value in writes if isinstance(value, bool)},  # the rest of them are limits
    )


def held_deletions(parts: Parts) -> int:
    """Return how many deletions the last capture that came to its end held back."""
    runs = [run for run in parts.runs.latest("capture") if run.finished_at and run.error is None and not run.dry_run]
    return runs[0].counts.get(HELD_DELETIONS, 0) if runs else 0


@dataclass(frozen=True, slots=True)
class Told:
    """All that is known about one term."""

    items: tuple[Explanation, ...] = ()
    findings: tuple[Finding, ...] = ()
    transitions: tuple[Transition, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    hints: tuple[str, ...] = field(default_factory=tuple)
    names: Mapping[str, str] = field(default_factory=dict[str, str])  # of the people in `deliveries`, by user id
    proposals: tuple[str, ...] = ()  # what in Salesforce may belong to the address asked about
    entering: tuple[LoggedWrite, ...] = ()  # the write that entered the person asked about, or tried to

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known."""
        return not (self.items or self.findings or self.entering)


def explain_term(parts: Parts, term: str) -> Told:
    """Return what is known about a Message-ID, provider id, activity key, Salesforce id, finding or e-mail address.

    A Salesforce id may be a record with a finding, an alert's Task or post, or what a mail was written as. An address
    shows the mails with it and what else may be meant by it; a Message-ID may look like one, and comes first.
    """
    term = term.strip()
    items = parts.capture_status.explain(term) if term else ()
    by_address = "@" in term and not items
    if by_address:
        items = parts.capture_status.explain_address(term)
    is_id = len(term) in (15, 18)
    alerted = {mark for one in parts.findings.by_remote_id(term) for mark in one.fingerprints} if is_id else set[str]()
    begin = term.removeprefix(KEY_PREFIX).split(":")[0]  # an alert's key holds the finding's fingerprint
    findings = [
        finding
        for finding in parts.findings.findings()
        if (len(begin) >= SHORTEST_MARK and finding.fingerprint.startswith(begin))
        or finding.fingerprint in alerted
        or (is_id and finding.record_id[:15] == term[:15])
    ]
    marks = {finding.fingerprint for finding in findings}
    transitions = [change for change in parts.findings.transitions() if change.fingerprint in marks]
    deliveries = [one for mark in sorted(marks) for one in parts.findings.deliveries(fingerprint=mark)]
    hints: tuple[str, ...] = ()
    entered = entering(parts, term)
    if not items and not findings and not entered:
        hints = (NO_MAIL_KNOWN if by_address else NOTHING_KNOWN,)
        if by_address and parts.settings.google.backfill == "known_domains":
            hints = (*hints, ONLY_KNOWN)
    people = _people(parts) if deliveries else {}
    names = {one.recipient_id: people[one.recipient_id].name for one in deliveries if one.recipient_id in people}
    proposed = _proposals(parts, term) if by_address else ()
    told = tuple(items), tuple(findings), tuple(transitions), tuple(deliveries)
    return Told(*told, hints, names, proposed, tuple(entered))


def _proposals(parts: Parts, address: str) -> tuple[str, ...]:
    from leakwatch.store.snapshot_likes import proposals

    snapshot = parts.newest_snapshot()
    return proposals(Path(snapshot.path), address.lower()) if snapshot is not None else ()


def user_names(parts: Parts) -> Mapping[str, str]:
    """Return the names of the org's users by id, as last mirrored."""
    return {user_id: person.name for user_id, person in _people(parts).items()}


def _people(parts: Parts) -> Mapping[str, Recipient]:
    from leakwatch.app.auditing import recipients

    snapshot = parts.newest_snapshot()
    return recipients(snapshot) if snapshot is not None else {}


@dataclass(frozen=True, slots=True)
class RunShown:
    """One run and every write it made or tried."""

    run: Run
    writes: tuple[LoggedWrite, ...]


def show_run(parts: Parts, run_id: str) -> RunShown:
    """Return a run with its writes, in the order they were begun. Which run, and errors: see `find_run`."""
    run = find_run(parts, run_id)
    return RunShown(run, tuple(parts.write_log.by_run(run.run_id)))


def find_run(parts: Parts, run_id: str) -> Run:
    """Return a run by its id. The beginning of an id is enough if only one has it.

    Raises:
        UsageError: no run, or more than one, is called so.
    """
    run = parts.runs.get(run_id)
    if run is not None:
        return run
    near = [one for one in parts.runs.latest(limit=MOST_RUNS) if one.run_id.startswith(run_id)]
    if len(near) != 1:
        words = f"{len(near)} runs begin with {run_id!r}" if near else f"no run is called {run_id!r}"
        raise UsageError(f"{words}. See `leakwatch runs list`.")
    return near[0]


def noise_forecast(parts: Parts) -> NoiseForecast:
    """Return how many Tasks each rule would give each rep per week, whatever its mode is now."""
    from leakwatch.core.forecast import forecast

    now = parts.clock.now()
    first_runs = parts.findings.first_runs()
    return forecast(
        parts.rules,
        parts.findings.findings(),
        parts.findings.transitions(since=now - timedelta(days=FORECAST_DAYS)),
        first_runs=first_runs,
        now=now,
        days=FORECAST_DAYS,
        per_owner_per_day=parts.settings.actions.per_owner_per_day,
    )


def test_rules(parts: Parts, folder: Path | None) -> list[TestResult]:
    """Lint the rules and run the tests inside them: those of `folder`, or the loaded ones.

    Raises:
        ConfigError: a rule is broken; every fault is named with file and line. UsageError: there is no such folder.
    """
    from leakwatch.rule_engine.load import load_rules
    from leakwatch.rule_engine.testing import run_rule_tests

    catalog = parts.mirror_config.catalog()
    if folder is not None and not folder.is_dir():
        raise UsageError(f"{folder} is no folder of rules")
    rules = load_rules(catalog, user_folder=folder) if folder is not None else parts.loaded_rules
    return [result for loaded in rules for result in run_rule_tests(loaded, catalog)]


def open_findings(parts: Parts) -> list[Finding]:
    """Return the findings that are not resolved."""
    return [finding for finding in parts.findings.findings() if finding.status is not FindingStatus.RESOLVED]
