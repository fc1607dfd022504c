"""What the application adds to the report's figures: how each mailbox is read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from leakwatch.app.reporting import capture_health
from leakwatch.report.words import Words
from leakwatch.store.capture_status import Coverage

TOLD = date(2026, 1, 5)


@pytest.mark.parametrize(
    ("mailbox", "reason"),
    [
        ({"notice_date": TOLD}, None),
        ({"notice_date": TOLD, "parked_reason": "refused"}, "refused"),
        ({}, "no_notice"),
        ({"notice_date": TOLD, "left_at": datetime(2026, 2, 1, tzinfo=UTC)}, "left"),
    ],
)
def test_the_report_says_why_a_mailbox_is_not_read(mailbox: dict[str, Any], reason: str | None) -> None:
    read = Coverage(
        "ann@acme.example", "005", **{"covered_from": None, "read_at": None, "parked_reason": None, **mailbox}
    )
    parts: Any = SimpleNamespace(
        journal=SimpleNamespace(principals=tuple), capture_status=SimpleNamespace(coverage=lambda _sources: (read,))
    )
    (health,) = capture_health(parts)
    assert health.parked_reason == reason
    assert all(reason is None or Words(language).known("parked", reason) != reason for language in ("en", "tr"))
