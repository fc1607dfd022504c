"""What `doctor` says of Microsoft 365: token, directory, roster, and one mailbox as a sample. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from leakwatch.app.building import Parts
from leakwatch.app.capturing import roster
from leakwatch.app.doctoring_check import Check
from leakwatch.app.google_parts import google_limiter
from leakwatch.app.microsoft_parts import MicrosoftParts
from leakwatch.errors import AuthError
from leakwatch.flows.capture_read import without_notice
from leakwatch.model import Principal
from leakwatch.store.snapshot_facts import UserFact


def microsoft_checks(parts: Parts, people: list[UserFact] | None) -> Iterator[Check]:
    """Yield the checks of the tenant; `people` are Salesforce's users, None if they can't be read.

    Raises:
        ConfigError, AuthError, TransientError: the tenant can't be asked.
    """
    microsoft = MicrosoftParts(parts, google_limiter(parts.settings, parts.wall))
    users = microsoft.users
    yield Check("Microsoft directory", "ok", f"{len(users)} users with a mail address are visible")
    if people is None:
        yield Check("Outlook mailboxes", "note",
                    "not examined: whose they are is known from Salesforce, which can't be read",
                    "Mend what stands under Salesforce, then run doctor again.")  # fmt: skip
        return
    principals = roster(parts, people, users)
    told, untold = without_notice(principals, parts.clock.now())
    if not principals:
        yield Check("Outlook mailboxes", "bad", "no active Salesforce user has a mailbox in the tenant",
                    "Compare the users' e-mail addresses in Salesforce and Microsoft 365.")  # fmt: skip
        return
    words = f"{len(principals)} may be read, {len(told)} of their owners have a recorded notice"
    yield Check("Outlook mailboxes", "ok", words)
    for one in untold:
        words = "no notice is recorded" if one.notice_date is None else f"the notice is dated {one.notice_date}"
        yield Check("notice", "note", f"{one.address}: {words}; this mailbox is not read",
                    "Tell the employee, then record the day under capture.notices.")  # fmt: skip
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
