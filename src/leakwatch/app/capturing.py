"""Capture: joins the roster, the mailboxes, the journal and the writer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from leakwatch.app.building import Parts
from leakwatch.app.google_parts import GoogleParts
from leakwatch.app.mirroring import latest_snapshot, refresh_if_older
from leakwatch.app.neighbouring import neighbours_of
from leakwatch.app.providers import Providers
from leakwatch.core.deletion_limits import DeletionLimits
from leakwatch.core.identity import build_roster
from leakwatch.core.newcomers import CreateRules
from leakwatch.core.plan import PlanRules
from leakwatch.core.privacy import PrivacyRules
from leakwatch.errors import (
    BudgetError,
    ConfigError,
    LeakwatchError,
    SafetyError,
    StoppedError,
    TransientError,
    UsageError,
)
from leakwatch.flows.capture import CaptureDoors, CaptureOptions, capture
from leakwatch.flows.capture_read import without_notice
from leakwatch.flows.capture_report import CaptureReport
from leakwatch.model import KEY_FIELD, AddressBook, Principal

if TYPE_CHECKING:
    from leakwatch.store.snapshot_facts import UserFact

READERS = 4  # mailboxes read at once: the wait is the network's


def run_capture(
    parts: Parts,
    *,
    dry_run: bool = False,
    write: bool = True,
    only: Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
    google: GoogleParts | None = None,
    should_stop: Callable[[], bool] | None = None,
    mirror_max_age: timedelta = timedelta(0),
    readers: int = READERS,
    retry_parked: bool = False,
    full: bool = False,
    allow_deletes: int | None = None,
) -> CaptureReport:
    """Read the mailboxes and log what belongs to somebody in Salesforce.

    The people and deals of the mirror decide what belongs to whom, so the mirror is refreshed before, unless its newest
    snapshot is younger than `mirror_max_age`. `readers` is how many mailboxes are read at once; `retry_parked` tries
    those that refused us before their rest is over; `full` reads every window anew and judges what the settings kept
    out once more; `allow_deletes` is how many deletions a person has let go for this run. If `google` comes with push,
    watches are kept alive, and mailboxes of which nothing was told are left for a later run. Without `write`, or while
    `writes.capture` is off, the mailboxes are read into the journal and nothing is written to the org. The same while
    Salesforce can't be reached: what is deleted from a mailbox meanwhile is not lost.

    Raises:
        ConfigError, AuthError: nothing can be read at all. UsageError: `only` names no mailbox.
        TransientError, SafetyError: what stopped the writing; what was read is in the journal and is written by the
            next run.
    """
    _require_source(parts)
    from leakwatch.store.snapshot_facts import users

    away = _org_away(parts, mirror_max_age, should_stop, dry_run=dry_run)
    with parts.run("capture", dry_run=dry_run) as note:
        snapshot = latest_snapshot(parts)
        providers = Providers(parts, google)
        people = users(snapshot)
        directory = providers.directory()
        principals = roster(parts, people, directory)
        chosen = _chosen(principals, only)
        providers.allow(may_be_opened(parts, principals, chosen))
        may_write = write and parts.settings.writes.capture and away is None
        if may_write and not dry_run:
            _require_key(parts)
            if parts.settings.reads_google_calendar and parts.settings.writes.meetings:
                _require_meeting_key(parts)
        if not dry_run and away is None:
            parts.writer.settle()
        push = providers.push if not chosen and not dry_run else None
        quiet = providers.quiet(push, without_notice(principals, parts.clock.now())[0]) if push else {}
        doors = CaptureDoors(
            sources=providers.sources(full=full),
            whose=providers.whose(),
            journal=parts.journal,
            address_book=lambda addresses, deals: address_book_of(parts, addresses, deals),
            writer=parts.writer,
            records=parts.reader,
            landed=parts.write_log.done,
            history=parts.write_log.history,
            neighbours=neighbours_of(parts) if away is None else None,
            adoptions=parts.write_log,
            refusals=parts.write_log.refusals,
            people_state=lambda: people_state_of(parts),
            units=providers.limiter.spent,
        )
        report = capture(
            principals,
            doors,
            _options(parts, people, directory, readers, allow_deletes, org_away=away is not None),
            run_id=note.run.run_id,
            now=parts.clock.now(),
            dry_run=dry_run,
            write=may_write,
            retry_parked=retry_parked or bool(chosen),
            only=chosen,
            full=full,
            quiet=quiet,
            on_page=_on_page(progress, should_stop),
        )
        if push is not None:
            push.read()
        note.complete = report.complete and away is None
        note.counts = report.counts() | {"api_calls": parts.client.calls}
    if progress:
        progress("")
    failure = report.failure or away
    if failure is not None:
        raise failure
    return report


def _org_away(
    parts: Parts, age: timedelta, should_stop: Callable[[], bool] | None, *, dry_run: bool
) -> LeakwatchError | None:
    """Bring the mirror up to date; return why that can't be done now, where the mailboxes can be read all the same.

    Whose mailboxes they are is known by an older snapshot, and Gmail forgets its history within days.
    """
    try:
        refresh_if_older(parts, age, should_stop=should_stop)
    except StoppedError:
        raise
    except (TransientError, BudgetError) as error:
        if dry_run or parts.newest_snapshot() is None:
            raise
        return error
    return None


def _options(
    parts: Parts,
    people: Sequence[UserFact],
    directory: Sequence[Mapping[str, Any]],
    readers: int,
    allow_deletes: int | None,
    *,
    org_away: bool,
) -> CaptureOptions:
    options = capture_options(parts, people, directory, org_away=org_away)
    deletions = replace(options.deletions, allowed=allow_deletes)
    return replace(options, workers=readers, deletions=deletions)


def _require_source(parts: Parts) -> None:
    settings = parts.settings
    if not settings.reads_mail:
        raise ConfigError(
            "no mailbox source is switched on: set google.enabled or microsoft.enabled. Nothing was read."
        )
    if not settings.company.domains:
        raise ConfigError(
            "company.domains is empty: without it colleagues would pass for customers. Nothing was read. Name every "
            "mail domain of the company, e.g. [acme.com]."
        )


def may_be_opened(parts: Parts, principals: Sequence[Principal], only: Sequence[str] = ()) -> list[str]:
    """Return whom a token may be asked for: the administrator, and of `principals` (`only` those) who was told by now.

    Neither provider limits an application to our roster by itself, so whoever is not on this list must not be opened
    whatever else fails.
    """
    told, _ = without_notice(principals, parts.clock.now())
    return [
        parts.settings.google.admin_email,
        *(one.address for one in told if not only or one.address in only),
    ]


def _chosen(principals: Sequence[Principal], only: Sequence[str]) -> tuple[str, ...]:
    """Return the mailboxes that the person at the command line named, in the directory's own spelling.

    Raises:
        UsageError: one of them is no mailbox that may be read.
    """
    known = {one.address.casefold(): one.address for one in principals}
    missing = [address for address in only if address.strip().casefold() not in known]
    if missing:
        words = "is no mailbox that may be read (see leakwatch doctor). No mail was read."
        raise UsageError([f"{address} {words}" for address in missing])
    return tuple(known[address.strip().casefold()] for address in only)


def _on_page(
    progress: Callable[[str], None] | None, should_stop: Callable[[], bool] | None
) -> Callable[[str, int], None]:
    """Return what is told after each page is stored: it shows progress, and ends the run where it can go on later."""

    def told(mailbox: str, count: int) -> None:
        if progress is not None:
            progress(f"{mailbox}: {count} mails")
        if should_stop is not None and should_stop():
            raise StoppedError("asked to stop; what was read is kept, the next run goes on from there")

    return told


def address_book_of(parts: Parts, addresses: Iterable[str], deals: Iterable[str] = ()) -> AddressBook:
    """Return who `addresses` belong to, as last mirrored, with the open ones of `deals` besides."""
    from leakwatch.store.address_book import address_book

    return address_book(parts.mirror_folder, addresses, deals, shared=shared_domains(parts))


def people_state_of(parts: Parts) -> str:
    """Return a digest of all by which mail is matched, as last mirrored."""
    from leakwatch.store.address_book import people_state

    return people_state(parts.mirror_folder)


def shared_domains(parts: Parts) -> tuple[str, ...]:
    """Return the domains, besides those everybody knows, that lead to no account: our own, and the settings'."""
    settings = parts.settings
    named = (*settings.capture.shared_domains, *settings.company.domains)
    return tuple(one.strip().lower().removeprefix("@") for one in named)


def _require_key(parts: Parts) -> None:
    org = parts.org
    as_mail = parts.settings.capture.mail_as == "email_message"
    if as_mail and not org.has_email_message:
        raise SafetyError(
            "this org has no EmailMessage (Enhanced Email is off, or the integration user may not see it). Nothing was "
            "written. Switch Enhanced Email on in Setup, or set capture.mail_as: task."
        )
    sobject = "EmailMessage" if as_mail else "Task"
    if not (org.key_on_email_message if as_mail else org.key_on_task):
        raise SafetyError(
            f"{sobject}.{KEY_FIELD} is not in this org (or the integration user may not see it): without it a mail "
            "could be logged twice. Nothing was written. Deploy the salesforce/ folder and assign its permission set, "
            "then run leakwatch doctor."
        )


def _require_meeting_key(parts: Parts) -> None:
    as_event = parts.settings.capture.meetings_as == "event"
    sobject = "Event" if as_event else "Task"
    if not (parts.org.key_on_event if as_event else parts.org.key_on_task):
        raise SafetyError(
            f"{sobject}.{KEY_FIELD} is not in this org (or the integration user may not see it): without it a meeting "
            "could be logged twice. Nothing was written. Deploy the salesforce/ folder and assign its permission set, "
            "or set writes.meetings: false; then run leakwatch doctor."
        )


def capture_options(
    parts: Parts, people: Sequence[UserFact], directory: Sequence[Mapping[str, Any]], *, org_away: bool = False
) -> CaptureOptions:
    """Return how to capture: the admin's settings and who is internal; `org_away`: only to read, without the org."""
    settings = parts.settings
    section, privacy = settings.capture, settings.capture.privacy
    # Who has left is known by the company's domains; an outside address of theirs may be a customer's by now.
    internal = {user.email for user in people if user.email and user.is_ours and user.is_active}
    internal |= set(privacy.internal_addresses)
    for entry in directory:
        internal |= set(addresses_of(entry))
    return CaptureOptions(
        company_domains=settings.company.domains,
        internal_addresses=tuple(sorted(internal)),
        privacy=PrivacyRules(
            never_log=privacy.never_log,
            only_log=privacy.only_log,
            subject_markers=privacy.subject_markers,
            sensitivities=privacy.sensitivities,
            subjects=privacy.subjects,
            log_bulk=section.bulk == "log",
        ),
        planning=PlanRules()
        if org_away
        else PlanRules(
            mail_as=section.mail_as,
            set_audit_fields=section.set_audit_fields,
            subjects=privacy.subjects,
            time_zone=settings.company.time_zone,
            closed_status=parts.org.task_closed_status,
            shared_activities=parts.org.shared_activities,
            meetings_as=section.meetings_as,
            meeting_type=parts.org.meeting_task_type,
        ),
        never_match=privacy.never_match,
        match_bulk=section.bulk == "log",
        shared_domains=shared_domains(parts),
        backfill=timedelta(days=section.backfill_days),
        narrowed=settings.google.backfill == "known_domains",
        create=None
        if section.create == "none"
        else CreateRules(section.create, section.create_limit, write=settings.writes.create_people),
        rematch=timedelta(days=section.rematch_days) if section.rematch_days else None,
        meetings=settings.writes.meetings,
        deletions=DeletionLimits(settings.writes.deletes_per_run, settings.writes.deletes_share),
        calendar_loop=section.calendar_loop,
    )


def roster(parts: Parts, people: Sequence[UserFact], directory: Sequence[Mapping[str, Any]]) -> list[Principal]:
    """Return whose mailboxes may be read, as far as the settings allow (see `core.identity.build_roster`)."""
    section = parts.settings.capture
    users = [
        {
            "Id": user.user_id,
            "Email": user.email,
            "Username": user.username,
            "Name": user.name,
            "IsActive": user.is_active,
        }
        for user in people
        if user.is_ours
    ]
    return build_roster(
        directory,
        users,
        notices=section.notices,
        notice_for_all=section.notice_for_all,
        only=section.mailboxes,
        exclude=section.exclude_mailboxes,
    )


def addresses_of(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return every address of a directory user, lower case, primary first (Directory API, "users")."""
    named = [entry.get("primaryEmail"), *(entry.get("aliases") or ()), *(entry.get("nonEditableAliases") or ())]
    return tuple(dict.fromkeys(str(address).strip().lower() for address in named if address))
