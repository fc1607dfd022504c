"""Which streams of a mailbox are read, by the names under which the journal keeps them."""

from __future__ import annotations

from leakwatch.app.building import Parts

GMAIL, OUTLOOK_MAIL, GOOGLE_CALENDAR = "gmail", "outlook_mail", "google_calendar"  # `NAME` of these sources
MAIL = (GMAIL, OUTLOOK_MAIL)
CALENDARS = (GOOGLE_CALENDAR,)


def streams(parts: Parts) -> tuple[str, ...]:
    """Return the streams that are switched on: what must be known before "nobody was in touch" is proven."""
    settings = parts.settings
    on = (settings.google.enabled, settings.reads_outlook)
    mail = [name for name, switched in zip(MAIL, on, strict=True) if switched]
    return (*mail, *(CALENDARS if settings.reads_google_calendar else ()))


def live_mailboxes(parts: Parts) -> tuple[str, ...]:
    """Return the mailboxes whose mail was read up to now before, if any other is still to be read for the first time.

    A first reading takes as long as its window is deep; meanwhile the mail of the others would wait.
    """
    known = [one for one in parts.capture_status.coverage(streams(parts)) if one.left_at is None]
    due = [one for one in known if one.parked_reason is None and one.notice_date is not None]
    live = tuple(one.principal for one in due if one.covered_from is not None and one.read_at is not None)
    return live if len(live) < len(due) else ()
