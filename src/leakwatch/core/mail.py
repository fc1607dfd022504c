"""One mail's headers → an Activity, or why it is none. The same for every mail provider. Pure; never raises."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache

from leakwatch.core import identity
from leakwatch.core.addresses import canonical, decode_words, domain_of, parse_list
from leakwatch.core.invitations import is_appointment
from leakwatch.core.machine_mail import Headers, bounced, collect, first, is_bulk, is_group, sensitivity, skip_reason
from leakwatch.core.text import clean_line
from leakwatch.model import (
    Activity,
    ActivityKind,
    Decision,
    Direction,
    Outcome,
    Participant,
    Principal,
    Role,
    SkipReason,
    SourceRef,
    participant,
)

# Every header that `read_mail` looks at: providers that can are asked for these only.
WANTED_HEADERS = (
    "From", "To", "Cc", "Bcc", "Reply-To", "Sender", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
    "Auto-Submitted", "Precedence", "List-Id", "List-Unsubscribe", "Feedback-ID", "X-Loop", "X-Autoreply",
    "X-Autorespond", "X-Failed-Recipients", "X-Original-From", "Return-Path", "Delivered-To",
    "Content-Type", "Content-Class", "Sensitivity", "Original-Message-ID",
    "X-Google-Group-Id",
    "X-MS-Exchange-Calendar-Originator-Id", "X-MS-Exchange-Calendar-Series-Id",
    "X-MS-Exchange-Calendar-Series-Instance-Id", "X-MS-TrafficTypeDiagnostic",
)  # fmt: skip
MAX_SUBJECT = 1_000  # characters kept; Salesforce takes 3,000 at most and shows 255
MAX_ANSWERS = 50  # mails before it in its conversation; long chains name hundreds
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = 1971, 2200  # outside of it a date is a mailer's mistake
_DATE = re.compile(  # as nearly every mailer writes it (RFC 5322 §3.3), a comment with the zone's name after it
    r"(?:[A-Z][a-z]{2}, )?(\d{1,2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ([12]\d{3})"
    r" (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)(?: \([A-Z]{2,5}\))?",
    re.ASCII,
)
_MONTHS = {"Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "May": 5, "Jun": 6,
           "Jul": 7, "Aug": 8, "Sep": 9, "Oct": 10, "Nov": 11, "Dec": 12}  # fmt: skip
_VIA = re.compile(r".+ via .+", re.IGNORECASE)  # how Google Groups rewrites a sender's name: 'Ann' via Sales
BOUNCED = "it reports that the mail with this key did not arrive"


def read_mail(
    ref: SourceRef,
    headers: Iterable[tuple[str, str]],
    *,
    owner: Principal,
    received_at: datetime | None,
    in_sent: bool,
    own_domains: Collection[str] = (),
) -> Activity | Decision:
    """Return the mail as an Activity, or the Decision not to capture it.

    Args:
        ref: where this copy lies.
        headers: (name, value) pairs as the provider gives them, in any order, encoded or not.
        owner: whose mailbox it is.
        received_at: the server's own time of this copy, aware UTC; the Date header stands in if it is None.
        own_domains: the company's mail domains, besides those of the owner's own addresses: their groups are no lists.
        in_sent: the provider says the owner sent it (Gmail's label SENT): a From header alone can be forged. It holds
            for any From, for people also send as addresses elsewhere, unless the mail was delivered here: somebody
            moved it into the Sent box.
    """
    found = collect(headers)
    sent_at = _date(first(found, "date"))
    start = received_at or sent_at
    if start is None:
        return Decision(ref, Outcome.QUARANTINED, "unreadable_date", EPOCH, detail="neither server nor header date")
    domains = _domains(owner.address, owner.aliases, tuple(own_domains))
    name, sender = _sender(found, domains) or ((owner.name, owner.address) if in_sent else ("", ""))
    if not sender:
        return Decision(ref, Outcome.SKIPPED, SkipReason.NO_SENDER, start)
    outbound = in_sent and (_is_owner(sender, owner) or not found.get("delivered-to"))
    reason = skip_reason(found, sender)
    if outbound and not (reason is SkipReason.CALENDAR_INVITATION and is_appointment(found)):
        reason = None  # what else a machine writes in somebody's name, they sent
    if reason is not None:
        return _machine_made(ref, found, reason, start)
    bulk = not outbound and is_bulk(found, sender, domains)
    return _activity(ref, found, sender=(name, sender), start=start, sent_at=sent_at, outbound=outbound, bulk=bulk)


@lru_cache(maxsize=1_024)
def _domains(address: str, aliases: frozenset[str], own_domains: tuple[str, ...]) -> frozenset[str]:
    """Return our mail domains as the owner of a mailbox knows them: the company's, and those of their addresses."""
    return frozenset({*own_domains, domain_of(address), *map(domain_of, aliases)})


def _machine_made(ref: SourceRef, found: Headers, reason: SkipReason, start: datetime) -> Decision:
    """Return the decision on a mail that is no conversation; a bounce is told of the mail it is about."""
    about = bounced(found) if reason is SkipReason.BOUNCE else None
    if about is not None:
        return Decision(ref, Outcome.SKIPPED, reason, start, key=identity.mail_key(about), detail=BOUNCED)
    return Decision(ref, Outcome.SKIPPED, reason, start, key=identity.key_of(first(found, "message-id")))


def _activity(
    ref: SourceRef,
    found: Headers,
    *,
    sender: tuple[str, str],
    start: datetime,
    sent_at: datetime | None,
    outbound: bool,
    bulk: bool,
) -> Activity:
    message_id = identity.normalise_message_id(first(found, "message-id"))
    chain = identity.references(first(found, "in-reply-to"), first(found, "references"))
    subject = decode_words(first(found, "subject"))[:MAX_SUBJECT]
    to, cc = parse_list(found.get("to", ())), parse_list(found.get("cc", ()))
    mark = identity.fingerprint(
        sender[1],
        first(found, "date") or start.replace(second=0, microsecond=0).isoformat(),
        first(found, "subject"),
        [address for _, address in [*to, *cc]],
    )
    answers_to = [pair for pair in parse_list(found.get("reply-to", ())) if pair[1] != sender[1]]
    participants = [
        participant(sender[1], Role.FROM, sender[0], outbound),
        *_people(to, Role.TO),
        *_people(cc, Role.CC),
        *_people(parse_list(found.get("bcc", ())) if outbound else (), Role.BCC),
        *_people(answers_to, Role.REPLY_TO),
    ]
    return Activity(
        key=identity.mail_key(message_id) if message_id is not None else identity.weak_key(mark),
        weak_key=message_id is None,
        kind=ActivityKind.MAIL,
        start=start,
        end=None,
        subject=subject,
        participants=tuple(participants),
        direction=Direction.OUTBOUND if outbound else Direction.INBOUND,
        refs=(ref,),
        message_id=message_id[: identity.MAX_MESSAGE_ID] if message_id is not None else None,
        thread_key=identity.thread_root(message_id, chain),
        answers=chain[: -MAX_ANSWERS - 1 : -1],
        bulk=bulk,
        sent_at=sent_at,
        fingerprint=mark,
        sensitivity=sensitivity(found),
    )


def _people(pairs: Iterable[tuple[str, str]], role: Role) -> list[Participant]:
    return [participant(address, role, name[:MAX_SUBJECT]) for name, address in pairs]


def _sender(found: Headers, own_domains: Collection[str]) -> tuple[str, str] | None:
    """Return (name, address) of who wrote it; a group that stepped in as sender is looked through.

    Only a group is: "Eve via DocuSign" was written by a machine, and anybody can add X-Original-From to a mail.
    """
    senders = parse_list(found.get("from", ())) or parse_list(found.get("sender", ()))
    if senders and not is_group(found, senders[0][1], own_domains):
        return senders[0]
    original = parse_list(found.get("x-original-from", ()))
    if original or not senders:
        return next(iter(original), None)
    if _VIA.match(senders[0][0]):
        answers = parse_list(found.get("reply-to", ()))
        if len(answers) == 1:
            return answers[0]
    return senders[0]


def _is_owner(sender: str, owner: Principal) -> bool:
    """Return whether a mail in the Sent box is surely the owner's: own address, alias, or one of our domain."""
    own = {canonical(address) for address in owner.addresses}
    return canonical(sender) in own or domain_of(sender) in {domain_of(address) for address in own}


def _date(value: str) -> datetime | None:
    if not value:
        return None
    try:
        moment = _usual_date(value) or _parsed_date(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if plausible(moment) else None


def _usual_date(value: str) -> datetime | None:
    """Return a date in its usual form, for which the standard library takes four times as long; None if it is not."""
    found = _DATE.fullmatch(value)
    if found is None:
        return None
    day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
    moment = datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    if offset >= timedelta(days=1):
        raise ValueError("no time zone is a day from UTC")
    return moment + offset if sign == "-" else moment - offset


def _parsed_date(value: str) -> datetime:
    moment = parsedate_to_datetime(clean_line(value)[:200])
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def plausible(moment: datetime) -> bool:
    """Return whether a mail can carry this date at all."""
    return _FIRST_YEAR <= moment.year <= _LAST_YEAR
