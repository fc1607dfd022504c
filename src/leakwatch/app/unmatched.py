"""Who talks to us and is not in Salesforce: joins the journal, the mirror and the settings."""

from __future__ import annotations

from datetime import timedelta

from leakwatch.app.building import Parts
from leakwatch.app.capturing import address_book_of, shared_domains
from leakwatch.core.privacy import Insiders
from leakwatch.core.unmatched import UnmatchedDomain, unmatched
from leakwatch.errors import StaleError


def unmatched_people(parts: Parts, *, days: int, domain: str | None = None) -> tuple[UnmatchedDomain, ...]:
    """Return the people in the mails of the last `days` days who are not in Salesforce, by mail domain.

    `domain` leaves only that one. Reads this machine's files only; asks no service: Salesforce is as last mirrored.

    Raises:
        StaleError: Salesforce was never mirrored; that nobody is found there would mean nothing.
    """
    from leakwatch.store.journal_people import people_seen

    if parts.newest_snapshot() is None:
        raise StaleError(
            "Salesforce was not mirrored yet, so nobody can be called missing there. Run `leakwatch mirror`."
        )
    settings = parts.settings
    seen = people_seen(parts.engine, since=parts.clock.now() - timedelta(days=days))
    book = address_book_of(parts, [person.address for person in seen])
    found = unmatched(
        seen,
        book,
        Insiders(domains=settings.company.domains, addresses=settings.capture.privacy.internal_addresses),
        never_match=settings.capture.privacy.never_match,
        shared=shared_domains(parts),
    )
    wanted = domain.strip().lower().removeprefix("@") if domain is not None else None
    return tuple(one for one in found if wanted is None or one.domain == wanted)
