"""Mail that calendars sent: invitations, updates, answers, cancellations. No conversation: a meeting is an Event.

The scope gmail.metadata shows the head of a mail alone. Each of these marks in it is certain by itself:

- Content-Type `text/calendar` (RFC 6047 §2.4), and Content-Class `urn:content-classes:calendarmessage` (MS-OXCMAIL,
  "Content Class"; example in MS-ASCMD, "Meeting request").
- Google Calendar: its sender, its Message-ID `calendar-<uuid>@google.com`, its envelope sender (public archives).
- Exchange: headers that it puts on meeting messages only (X-MS-Exchange-Calendar-..., and EE_MeetingMessage in
  X-MS-TrafficTypeDiagnostic).

A subject alone is none: people write "Davet: ..." too. It counts where the mail itself says that a machine made it.
What a mail's parts alone would show (`multipart/alternative` with an appointment in it) needs gmail.readonly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from leakwatch.core.addresses import decode_words
from leakwatch.core.names import label_key
from leakwatch.core.text import clean_line

Headers = Mapping[str, Sequence[str]]  # lower-case name -> values in the order they came

_GOOGLE_SENDER = "calendar-notification@google.com"
_GOOGLE_ENVELOPE = "@calendar-server.bounces.google.com"
_GOOGLE_MESSAGE_ID = re.compile(r"<calendar-[^<>@\s]+@google\.com>")
_EXCHANGE = (
    "x-ms-exchange-calendar-originator-id",
    "x-ms-exchange-calendar-series-id",
    "x-ms-exchange-calendar-series-instance-id",
)
# How calendars of Google and Outlook begin a subject, in English, Turkish and German.
_PREFIXES = (
    "invitation:", "updated invitation:", "updated invitation with note:", "synced invitation:", "new event:",
    "canceled event:", "cancelled event:", "canceled:", "cancelled:", "accepted:", "declined:", "tentative:",
    "tentatively accepted:", "new time proposed:",
    "davet:", "güncellenen davet:", "güncellenmiş davet:", "güncellendi:", "iptal edilen etkinlik:", "iptal edildi:",
    "iptal:", "kabul edildi:", "reddedildi:", "geçici:", "geçici kabul edildi:", "geçici olarak kabul edildi:",
    "belirsiz:", "davetiye:", "yeni zaman önerildi:",
    "einladung:", "aktualisierte einladung:", "abgesagter termin:", "abgesagt:", "angenommen:", "zugesagt:",
    "abgelehnt:", "mit vorbehalt:",
)  # fmt: skip
_KEYS = tuple(label_key(one) for one in _PREFIXES)
LONGEST_PREFIX = 100  # characters of a subject that are looked at


def is_calendars(headers: Headers, sender: str, *, machine_made: bool) -> bool:
    """Return whether a calendar sent a mail, by its head alone.

    Args:
        headers: of the mail.
        sender: its normalised From address.
        machine_made: whether the mail says of itself that a machine made it (Auto-Submitted, RFC 3834).
    """
    if is_appointment(headers):
        return True
    if sender == _GOOGLE_SENDER or _holds(headers, "sender", _GOOGLE_SENDER):
        return True
    if _holds(headers, "return-path", _GOOGLE_ENVELOPE) or _GOOGLE_MESSAGE_ID.search(_first(headers, "message-id")):
        return True
    return machine_made and any(has_prefix(decode_words(value)) for value in headers.get("subject") or ())


def is_appointment(headers: Headers) -> bool:
    """Return whether a mail carries an appointment as its content, whoever sent it: also one of ours."""
    if clean_line(_first(headers, "content-type")).startswith("text/calendar"):
        return True
    if _holds(headers, "content-class", "calendarmessage") or _holds(
        headers, "x-ms-traffictypediagnostic", "ee_meetingmessage"
    ):
        return True
    return any(headers.get(name) for name in _EXCHANGE)


def has_prefix(subject: str) -> bool:
    """Return whether a subject (decoded) begins as calendars begin theirs, in any case and with Turkish letters."""
    return label_key(clean_line(subject)[:LONGEST_PREFIX]).startswith(_KEYS)


def _first(headers: Headers, name: str) -> str:
    values = headers.get(name)
    return values[0].strip().lower() if values else ""


def _holds(headers: Headers, name: str, part: str) -> bool:
    return any(part in value.lower() for value in headers.get(name) or ())
