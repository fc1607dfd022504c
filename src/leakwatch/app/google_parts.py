"""Google's side of one leakwatch: the authorised transport, Gmail and calendars as sources, the directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from leakwatch.app.building import Parts
from leakwatch.app.pacing import pacing_of
from leakwatch.errors import AuthError, ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from leakwatch.app.pushing import Push
    from leakwatch.clients.google import GoogleClient, GoogleConnection
    from leakwatch.clients.limiter import Limiter
    from leakwatch.config import Settings


def google_connection(settings: Settings, key: Path, **changes: Any) -> GoogleConnection:
    """Return how Google is reached with the service account's `key`."""
    from leakwatch.clients.google import GoogleConnection

    section = settings.google
    return GoogleConnection(
        service_account_file=key,
        scope=section.scope,
        gmail_url=section.gmail_url,
        directory_url=section.directory_url,
        calendar_url=section.calendar_url,
        pubsub_url=section.pubsub_url,
        ca_file=section.ca_bundle,
        **changes,
    )


@dataclass
class GoogleParts:
    """What reaches Google, made when first asked for. `pacing` is shared with earlier ones, if given; so is `push`."""

    parts: Parts
    pacing: Limiter | None = None
    push: Push | None = None

    @cached_property
    def limiter(self) -> Limiter:
        """Pacing for all providers."""
        return self.pacing or pacing_of(self.parts.settings, self.parts.wall)

    @cached_property
    def client(self) -> GoogleClient:
        """The authorised transport."""
        from leakwatch.clients.google import GoogleClient
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
            google_connection(self.parts.settings, section.service_account_file),
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

    def sources(self, *, full: bool = False) -> list[Any]:
        """Return everything that is read of Google: Gmail, and the calendars if they are switched on."""
        found = [self.source(full=full)]
        return [*found, self.calendar_source()] if self.parts.settings.google.calendar else found

    @cached_property
    def watches(self) -> Any:
        """The client that has Gmail tell the topic of the settings."""
        from leakwatch.clients.google_watch import WatchClient

        return WatchClient(self.client, self.parts.settings.google.push.topic or "")

    @cached_property
    def calendars(self) -> Any:
        """The Calendar client."""
        from leakwatch.clients.google_calendar import CalendarClient
        from leakwatch.core.google_events import FIELDS

        return CalendarClient(self.client, fields=FIELDS)

    def calendar_source(self) -> Any:
        """Return Google Calendar as a source of pages."""
        from leakwatch.sources.google_calendar import GoogleCalendarSource

        return GoogleCalendarSource(
            self.calendars,
            horizon=timedelta(days=self.parts.settings.capture.meeting_horizon_days),
            now=self.parts.clock.now,
            known=self.parts.journal.ids_under,
        )

    @cached_property
    def known_terms(self) -> Sequence[str]:
        """The domains and addresses that Salesforce knows, as last mirrored."""
        from leakwatch.app.capturing import shared_domains
        from leakwatch.core.backfill_search import known_terms
        from leakwatch.store.known_people import known_addresses

        addresses, domains = known_addresses(self.parts.mirror_folder)
        own = self.parts.settings.company.domains
        return known_terms(addresses, domains, shared=shared_domains(self.parts), own=own)

    def source(self, *, full: bool = False) -> Any:
        """Return Gmail as a source of pages; `full`: also of mails that other settings might let in."""
        from leakwatch.sources.gmail import GmailOptions, GmailSource

        section, journal = self.parts.settings.capture, self.parts.journal
        options = GmailOptions(
            opt_out_labels=section.privacy.opt_out_labels,
            only_labels=section.privacy.only_labels,
            own_domains=self.parts.settings.company.domains,
            page_size=section.page_size,
            thread_from=self.limiter.cheaper_from("google", "threads.get", "messages.get"),
            known_terms=(lambda: self.known_terms) if self.parts.settings.google.backfill == "known_domains" else None,
        )
        return GmailSource(self.gmail, options, known=journal.settled_ids if full else journal.known_ids)

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
