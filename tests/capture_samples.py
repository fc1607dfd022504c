"""Builders for capture tests: one readable line per mail."""

from __future__ import annotations

from datetime import UTC, date, datetime

from leakwatch.core.mail import read_mail
from leakwatch.model import Activity, Decision, Principal, SourceRef

NINE = datetime(2026, 7, 1, 9, tzinfo=UTC)
DATE_HEADER = "Wed, 01 Jul 2026 12:00:00 +0300"  # NINE, as a mailer in Istanbul writes it

ANN = Principal(
    "ann@ourco.com", "google", "g1", "005ANN", "Ann Reed", frozenset({"a.reed@ourco.com"}), date(2026, 1, 1)
)
BOB = Principal("bob@ourco.com", "google", "g2", "005BOB", "Bob Kaya", frozenset(), date(2026, 1, 1))


def mail(
    owner: Principal = ANN,
    *,
    provider_id: str = "m1",
    sender: str = "Eve Adams <eve@acme.com>",
    to: str = "ann@ourco.com",
    message_id: str | None = "<abc@acme.com>",
    date_header: str | None = DATE_HEADER,
    subject: str = "Offer",
    received_at: datetime | None = NINE,
    in_sent: bool = False,
    **others: str,
) -> Activity | Decision:
    """Read one mail; `others` are further headers with _ for -."""
    headers = [("From", sender), ("To", to), ("Subject", subject)]
    if message_id is not None:
        headers.append(("Message-ID", message_id))
    if date_header is not None:
        headers.append(("Date", date_header))
    headers += [(name.replace("_", "-"), value) for name, value in others.items()]
    ref = SourceRef("gmail", owner.address, provider_id)
    return read_mail(ref, headers, owner=owner, received_at=received_at, in_sent=in_sent)


def activity(owner: Principal = ANN, **options: object) -> Activity:
    """Read one mail that must be an activity."""
    found = mail(owner, **options)  # type: ignore[arg-type]
    assert isinstance(found, Activity), found
    return found
