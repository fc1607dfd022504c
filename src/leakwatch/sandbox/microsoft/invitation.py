"""What an iCalendar part of a mail asks for or answers (RFC 5545, RFC 5546): Exchange makes an eventMessage of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from email.message import Message
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: METHOD, and for replies the guest's PARTSTAT -> `meetingMessageType` (in Graph's own spelling).
_REPLIES = {
    "ACCEPTED": "meetingAccepted", "TENTATIVE": "meetingTenativelyAccepted", "DECLINED": "meetingDeclined",
}  # fmt: skip

_LINE = re.compile(r"([A-Za-z-]+)((?:;[^:\"]*(?:\"[^\"]*\")?[^:\"]*)*):(.*)")


@dataclass(slots=True)
class Invitation:
    """One event of an iCalendar part."""

    kind: str
    """`eventMessageRequest`, `eventMessageResponse`, or `eventMessage` for a cancellation."""
    message_type: str
    """`meetingRequest`, `meetingCancelled`, `meetingAccepted`, ..."""
    uid: str = ""
    start: dict[str, str] | None = None
    """dateTimeTimeZone, in UTC."""
    end: dict[str, str] | None = None
    all_day: bool = False
    location: str = ""
    recurring: bool = False
    wants_reply: bool = True


def read_invitation(tree: Message) -> Invitation | None:
    """The first iCalendar part of a mail with a METHOD; None where there is none."""
    for part in tree.walk():
        if part.get_content_type() == "text/calendar":
            data = part.get_payload(decode=True)
            text = data.decode(part.get_content_charset() or "utf-8", "replace") if isinstance(data, bytes) else ""
            return _read(text, str(part.get_param("method") or ""))
    return None


def _read(text: str, named: str) -> Invitation | None:
    unfolded = re.sub(r"\r?\n[ \t]", "", text)
    lines: dict[str, tuple[str, str]] = {}
    inside = True
    for line in unfolded.splitlines():
        if line.upper().startswith(("BEGIN:VTIMEZONE", "BEGIN:VALARM")):
            inside = False
        if line.upper().startswith(("END:VTIMEZONE", "END:VALARM")):
            inside = True
        match = _LINE.fullmatch(line) if inside else None
        if match:
            lines.setdefault(match.group(1).upper(), (match.group(2), match.group(3)))
    method = (lines.get("METHOD", ("", ""))[1] or named).strip().upper()
    kinds = {"REQUEST": "eventMessageRequest", "REPLY": "eventMessageResponse", "CANCEL": "eventMessage"}
    if method not in kinds:
        return None
    answer = re.search(r"PARTSTAT=([A-Z-]+)", unfolded.upper())
    replied = _REPLIES.get(answer.group(1) if answer else "", "none")
    types = {"REQUEST": "meetingRequest", "REPLY": replied, "CANCEL": "meetingCancelled"}
    parameters, _ = start = lines.get("DTSTART", ("", ""))
    return Invitation(
        kind=kinds[method],
        message_type=types[method],
        uid=lines.get("UID", ("", ""))[1],
        start=_moment(*start),
        end=_moment(*lines.get("DTEND", ("", ""))),
        all_day="VALUE=DATE" in parameters.upper().split(";"),
        location=lines.get("LOCATION", ("", ""))[1],
        recurring="RRULE" in lines,
        wants_reply="RSVP=TRUE" in unfolded.upper() or method == "REQUEST",
    )


def _moment(parameters: str, text: str) -> dict[str, str] | None:
    """A DATE or DATE-TIME as dateTimeTimeZone in UTC; one in a zone that is not known counts as UTC."""
    named = re.search(r'TZID="?([^;"]+)', parameters)
    for form in ("%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M%S", "%Y%m%d"):
        try:
            moment = datetime.strptime(text.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
        if named and not text.strip().endswith("Z"):
            moment = moment.replace(tzinfo=_zone(named.group(1))).astimezone(UTC)
        return {"dateTime": moment.strftime("%Y-%m-%dT%H:%M:%S.0000000"), "timeZone": "UTC"}
    return None


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
