"""Capture: joins the roster, the mailboxes, the journal and the writer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from leakwatch.app.building import Parts
from leakwatch.app.mirroring import latest_snapshot, refresh_if_older
from leakwatch.core.identity import build_roster
from leakwatch.core.plan import PlanRules
from leakwatch.core.privacy import PrivacyRules
from leakwatch.errors import AuthError, ConfigError, SafetyError, TransientError
from leakwatch.flows.capture import CaptureDoors, CaptureOptions, capture
from leakwatch.flows.capture_read import without_notice
from leakwatch.flows.capture_report import CaptureReport
from leakwatch.model import KEY_FIELD, AddressBook, Principal

if TYPE_CHECKING:
    from leakwatch.clients.google import GoogleClient
    from leakwatch.clients.limiter import Limiter
    from leakwatch.config import Settings
    from leakwatch.ports import Clock
    from leakwatch.store.snapshot_facts import UserFact

READERS = 4  # mailboxes read at once: the wait is the network's


def google_limiter(settings: Settings, wall: Clock) -> Limiter:
    """Return the pacing for all of Google. It remembers what was spent and who asked for a pause, so share it."""
    from leakwatch.clients.limiter import DIRECTORY, GMAIL_2026, Limiter

    section = settings.google
    gmail = replace(
        GMAIL_2026,
        per_principal_minute=section.units_per_user_minute,
        per_project_minute=section.units_per_project_minute,
    )
    return Limiter(wall, {"google": gmail, "google_directory": DIRECTORY})


@dataclass
class GoogleParts:
    """Google's side of one leakwatch, made when first asked for. `pacing` is shared with earlier ones, if given."""

    parts: Parts
    pacing: Limiter | None = None

    @cached_property
    def limiter(self) -> Limiter:
        """Pacing for all of Google."""
        return self.pacing or google_limiter(self.parts.settings, self.parts.wall)

    @cached_property
    def client(self) -> GoogleClient:
        """The authorised transport."""
        from leakwatch.clients.google import GoogleClient, GoogleConnection
        from leakwatch.clients.retry import RetryPolicy
        from leakwatch.config import check_secret_file

        section = self.parts.settings.google
        if section.service_account_file is None:
            raise ConfigError("google.service_account_file is not set. Nothing was read.")
        problems = check_secret_file(section.service_account_file, "google.service_account_file")
        if not section.admin_email:
            problems.append("google.admin_email is not set: the Directory roster is read as an administrator")
        if problems:
            raise ConfigError(problems)
        client = GoogleClient(
            GoogleConnection(
                service_account_file=section.service_account_file,
                scope=section.scope,
                gmail_url=section.gmail_url,
                directory_url=section.directory_url,
                ca_file=section.ca_bundle,
            ),
            limiter=self.limiter,
            retry=RetryPolicy(self.parts.wall.sleep),
            wall=self.parts.wall,
        )
        self.parts.on_close(client.close)
        client.allow([section.admin_email])
        return client

    @cached_property
    def gmail(self) -> Any:
        """The Gmail client."""
        from leakwatch.clients.google_services import GmailClient
        from leakwatch.core.mail import WANTED_HEADERS

        batch_size = self.parts.settings.google.batch_size
        return GmailClient(self.client, batch_size=batch_size, wanted_headers=WANTED_HEADERS)

    def source(self) -> Any:
        """Return Gmail as a source of pages."""
        from leakwatch.sources.gmail import GmailOptions, GmailSource

        section = self.parts.settings.capture
        options = GmailOptions(
            opt_out_labels=section.privacy.opt_out_labels,
            own_domains=self.parts.settings.company.domains,
            page_size=section.page_size,
        )
        return GmailSource(self.gmail, options, known=self.parts.journal.known_ids)

    def directory(self) -> list[Mapping[str, Any]]:
        """Return every user of the Workspace directory.

        Raises:
            AuthError: the Directory refuses google.admin_email: without a roster no mailbox is read.
        """
        from leakwatch.clients.google_services import DirectoryClient

        admin = self.parts.settings.google.admin_email
        try:
            return DirectoryClient(self.client, admin=admin).users()
        except AuthError as error:
            raise AuthError(
                f"the Directory can't be read as google.admin_email ({admin}): {error} Nothing was read.",
                reason=error.reason,
            ) from error


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
) -> CaptureReport:
    """Read the mailboxes and log what belongs to somebody in Salesforce.

    The people and deals of the mirror decide what belongs to whom, so the mirror is refreshed before, unless its newest
    snapshot is younger than `mirror_max_age`. `readers` is how many mailboxes are read at once;
    `retry_parked` tries those that refused us before their rest is over. Without `write`, or while `writes.capture` is
    off, the mailboxes are read into the journal and nothing is written to the org.

    Raises:
        ConfigError, AuthError: nothing can be read at all. TransientError, SafetyError: what stopped the writing; what
            was read is in the journal and is written by the next run.
    """
    _require_source(parts)
    from leakwatch.store.snapshot_facts import users

    refresh_if_older(parts, mirror_max_age, should_stop=should_stop)
    snapshot = latest_snapshot(parts)
    google = google or GoogleParts(parts)
    people = users(snapshot)
    directory = google.directory()
    principals = roster(parts, people, directory)
    missing = [address for address in only if address not in {one.address for one in principals}]
    if missing:
        raise ConfigError([f"{address} is no mailbox that may be read (see leakwatch doctor)" for address in missing])
    google.client.allow(may_be_opened(parts, principals, only))
    may_write = write and parts.settings.writes.capture
    if may_write and not dry_run:
        _require_key(parts)
    with parts.run("capture", dry_run=dry_run) as note:
        if not dry_run:
            parts.writer.settle(run_id=note.run.run_id)
        doors = CaptureDoors(
            sources=[google.source()],
            journal=parts.journal,
            address_book=lambda addresses: _book(parts, addresses),
            writer=parts.writer,
            records=parts.reader,
            units=google.limiter.spent,
        )
        report = capture(
            principals,
            doors,
            replace(capture_options(parts, people, directory), workers=readers),
            run_id=note.run.run_id,
            now=parts.clock.now(),
            dry_run=dry_run,
            write=may_write,
            retry_parked=retry_parked or bool(only),
            only=only,
            on_page=_on_page(progress, should_stop),
        )
        note.complete = report.complete
        note.counts = report.counts() | {"api_calls": parts.client.calls}
    if progress:
        progress("")
    if report.failure is not None:
        raise report.failure
    return report


def _require_source(parts: Parts) -> None:
    settings = parts.settings
    if not settings.google.enabled:
        raise ConfigError("no mailbox source is switched on: set google.enabled. Nothing was read.")
    if not settings.company.domains:
        raise ConfigError(
            "company.domains is empty: without it colleagues would pass for customers. Nothing was read. Name every "
            "mail domain of the company, e.g. [acme.com]."
        )


def may_be_opened(parts: Parts, principals: Sequence[Principal], only: Sequence[str] = ()) -> list[str]:
    """Return whom a token may be asked for: the administrator, and of `principals` (`only` those) who was told by now.

    Google can't limit a delegation to people, so whoever is not on this list must not be opened whatever else fails.
    """
    told, _ = without_notice(principals, parts.clock.now())
    return [
        parts.settings.google.admin_email,
        *(one.address for one in told if not only or one.address in only),
    ]


def _on_page(
    progress: Callable[[str], None] | None, should_stop: Callable[[], bool] | None
) -> Callable[[str, int], None]:
    """Return what is told after each page is stored: it shows progress, and ends the run where it can go on later."""

    def told(mailbox: str, count: int) -> None:
        if progress is not None:
            progress(f"{mailbox}: {count} mails")
        if should_stop is not None and should_stop():
            raise TransientError("asked to stop; what was read is kept, the next run goes on from there")

    return told


def _book(parts: Parts, addresses: Iterable[str]) -> AddressBook:
    from leakwatch.store.snapshots import address_book

    return address_book(parts.mirror_folder, addresses)


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


def capture_options(parts: Parts, people: Sequence[UserFact], directory: Sequence[Mapping[str, Any]]) -> CaptureOptions:
    """Return how to capture: the admin's settings and who is internal."""
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
            subjects=privacy.subjects,
            log_bulk=section.bulk == "log",
        ),
        planning=PlanRules(
            mail_as=section.mail_as,
            set_audit_fields=section.set_audit_fields,
            subjects=privacy.subjects,
            time_zone=settings.company.time_zone,
            closed_status=parts.org.task_closed_status,
        ),
        never_match=privacy.never_match,
        match_bulk=section.bulk == "log",
        backfill=timedelta(days=section.backfill_days),
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
