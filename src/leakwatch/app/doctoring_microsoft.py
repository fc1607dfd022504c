"""What `doctor` says of Microsoft 365: token, directory, roster, and one mailbox as a sample. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from leakwatch.app.building import Parts
from leakwatch.app.doctoring_check import Check
from leakwatch.app.doctoring_roster import MICROSOFT, roster_checks
from leakwatch.app.microsoft_parts import MicrosoftParts
from leakwatch.app.pacing import pacing_of
from leakwatch.errors import AuthError
from leakwatch.model import Principal
from leakwatch.store.snapshot_facts import UserFact


def microsoft_checks(parts: Parts, people: list[UserFact] | None) -> Iterator[Check]:
    """Yield the checks of the tenant; `people` are Salesforce's users, None if they can't be read.

    Raises:
        ConfigError, AuthError, TransientError: the tenant can't be asked.
    """
    microsoft = MicrosoftParts(parts, pacing_of(parts.settings, parts.wall))
    users = microsoft.users
    yield Check("Microsoft directory", "ok", f"{len(users)} users with a mail address are visible")
    told = yield from roster_checks(parts, people, users, MICROSOFT)
    if told:
        yield _sample(parts, microsoft, told[0])


def _sample(parts: Parts, microsoft: MicrosoftParts, principal: Principal) -> Check:
    microsoft.allow([principal.address])
    now = parts.clock.now()
    days = parts.settings.capture.backfill_days
    try:
        page = microsoft.mail.window(principal.address, now - timedelta(days=days), now, 1)
    except AuthError as error:
        granted = {"read": "Mail.Read", "read_basic": "Mail.ReadBasic.All"}[parts.settings.microsoft.permission]
        fix = f"Give the application {granted} for this mailbox (docs/microsoft.md)."
        return Check("sample Outlook mailbox", "bad", f"{principal.address}: {error}", fix, error.exit_code)
    count, size = int(page["@odata.count"]), parts.settings.microsoft.page_size
    words = f"{principal.address} can be read; the first sync reads {count:,} messages of {days} days, {size} a page"
    return Check("sample Outlook mailbox", "ok", words)
