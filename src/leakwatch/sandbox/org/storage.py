"""Data storage: what records weigh, and the limit that refuses new ones.

Weights are by record, not by content (knowledge article 000193871 and Salesforce help, "Data and File Storage
Allocations"): 2 KB for most objects, with exceptions; a mail weighs what its text does where that is more. Only
the objects below and custom ones count: line items, products, users, feeds and histories do not. Archived
records count, those in the recycle bin do not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from leakwatch.sandbox.org.errors import bad
from leakwatch.sandbox.org.indexes import quote
from leakwatch.sandbox.org.schema import SObject

if TYPE_CHECKING:
    from leakwatch.sandbox.org.facade import Org

KB = 1024
MB = 1024 * KB
_WEIGHTS = {
    **dict.fromkeys(("Account", "Case", "Contact", "Contract", "EmailMessage", "Event"), 2 * KB),
    **dict.fromkeys(("Lead", "Opportunity", "Order", "Quote", "Task"), 2 * KB),
    "Campaign": 8 * KB,
    "CampaignMember": KB,
}
_MAIL = f"SUM(MAX({2 * KB}, COALESCE(LENGTH(HtmlBody), LENGTH(TextBody), 0)))"
SMALL = 200_000
"""Records that are counted at every question; with more, a count holds for `FRESH_SECONDS`."""
FRESH_SECONDS = 300
"""The real figures too are only accurate to five minutes (REST guide, "Limits")."""


class Storage:
    """What one org's records weigh; `seconds` is a clock that never goes back."""

    def __init__(self, org: Org, seconds: Callable[[], float] = time.monotonic) -> None:
        self._org = org
        self._seconds = seconds
        self._counted: dict[str, dict[str, int]] = {}
        self._at = float("-inf")
        self._grown = 0

    def by_object(self) -> dict[str, dict[str, int]]:
        """`records` and `bytes` of each object that has some."""
        large = sum(one["records"] for one in self._counted.values()) > SMALL
        if not large or self._seconds() - self._at > FRESH_SECONDS:
            self._count()
        return self._counted

    def used(self) -> int:
        """Bytes of data storage in use."""
        return sum(one["bytes"] for one in self.by_object().values())

    def forget(self) -> None:
        """Count anew at the next question."""
        self._at, self._counted, self._grown = float("-inf"), {}, 0

    def room_for(self, sobject: SObject) -> None:
        """Refuse a new record that there is no room for, where the org's settings say that storage is limited."""
        settings = self._org.settings
        weight = _weight(sobject)
        self._grown += weight
        if not settings.storage_enforced or not weight:
            return
        most = settings.data_storage_mb * MB
        if self._at == float("-inf") or self._seen() > most:
            self._count()  # what was deleted or rolled back meanwhile makes room
            self._grown = weight
        if self._seen() > most:
            # the code is documented; the words are as clients report them, the HTTP status is unverified
            raise bad("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded")

    def _seen(self) -> int:
        return sum(one["bytes"] for one in self._counted.values()) + self._grown

    def _count(self) -> None:
        counted: dict[str, dict[str, int]] = {}
        for sobject in self._org.schema.objects.values():
            weight = _weight(sobject)
            if not weight:
                continue
            bytes_ = _MAIL if sobject.name == "EmailMessage" else f"COUNT(*) * {weight}"
            alive = " WHERE IsDeleted = 0" if sobject.has_bin else ""
            row: Any = self._org.store.execute(
                f"SELECT COUNT(*), {bytes_} FROM {quote(sobject.name)}{alive}"
            ).fetchone()
            if row[0]:
                counted[sobject.name] = {"records": int(row[0]), "bytes": int(row[1])}
        self._counted, self._grown, self._at = counted, 0, self._seconds()


def _weight(sobject: SObject) -> int:
    return _WEIGHTS.get(sobject.name, 2 * KB if sobject.name.endswith("__c") else 0)
