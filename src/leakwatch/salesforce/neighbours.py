"""What other tools wrote to the org: mails by Message-ID, Events by owner and time. Reads only, in few calls.

Mails are known from the mirror; what came to the org since it was read is one query, whatever its size. Events are one
query for up to 300 owners and the whole span of a round. Archived activities count: only `queryAll` gives them (REST
API Developer Guide, "QueryAll").
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from leakwatch import log
from leakwatch.clients.salesforce import soql
from leakwatch.core.adoption import EVENT_FIELDS
from leakwatch.core.adoption_mails import MAIL_SUBTYPE, SUBJECT_MARKS, TASK_FIELDS
from leakwatch.errors import RecordError
from leakwatch.model import KEY_FIELD
from leakwatch.salesforce.reader import SalesforceReader

OWNERS_A_QUERY = 300  # ids of 18 characters: well below the 16,384 bytes of URI and headers
IDENTIFIER = "MessageIdentifier"

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class OrgNeighbours:
    """The `Neighbours` port over one org.

    Attributes:
        mirrored: returns Message-ID -> EmailMessage id as last mirrored.
        mirrored_until: everything before this moment is in the mirror; None if it holds no mails.
    """

    reader: SalesforceReader
    mirrored: Callable[[Collection[str]], Mapping[str, str]]
    mirrored_until: datetime | None

    def mails(self, message_ids: Collection[str]) -> Mapping[str, str]:
        """Return Message-ID -> id of the EmailMessage that bears it and is not ours. Errors: see the port."""
        wanted = set(message_ids)
        found = dict(self.mirrored(wanted))
        if self.mirrored_until is None or not self.reader.has_field("EmailMessage", IDENTIFIER):
            return found
        keyed = self.reader.has_field("EmailMessage", KEY_FIELD)
        query = soql(
            f"SELECT Id, {IDENTIFIER} FROM EmailMessage WHERE SystemModstamp >= {{since}} AND {IDENTIFIER} != null"
            + (f" AND {KEY_FIELD} = null" if keyed else ""),
            since=self.mirrored_until.astimezone(UTC),
        )
        try:
            rows = [row for page in self.reader.query(query) for row in page]
        except RecordError as error:
            # The mirror, minutes old, still knows; without this query mail would never be written in such an org.
            _log.warning(log.Event.NEIGHBOURS_UNSEEN, code=error.code)
            return found
        for row in rows:
            name = str(row[IDENTIFIER]).strip().removeprefix("<").removesuffix(">")
            if name in wanted:
                found.setdefault(name, str(row["Id"]))
        return found

    def events(self, owners: Collection[str], start: datetime, end: datetime) -> Sequence[Mapping[str, Any]]:
        """Return the Events of `owners` that begin between `start` and `end`. Errors: see the port.

        Raises:
            RecordError: the org refuses this query (no access to Event, or OPERATION_TOO_LARGE).
        """
        described = {entry["name"] for entry in self.reader.describe("Event")["fields"]}
        fields = [name for name in EVENT_FIELDS if name in described]
        wanted = sorted(owners)
        found: list[Mapping[str, Any]] = []
        for first in range(0, len(wanted), OWNERS_A_QUERY):
            query = soql(
                f"SELECT {', '.join(fields)} FROM Event WHERE OwnerId IN {{owners}} AND StartDateTime >= {{start}}"
                " AND StartDateTime <= {end} AND IsChild = false AND IsDeleted = false",
                owners=wanted[first : first + OWNERS_A_QUERY],
                start=start.astimezone(UTC),
                end=end.astimezone(UTC),
            )
            for page in self.reader.query(query, all_rows=True):
                found += page
        return found

    def mail_tasks(self, owners: Collection[str], first: date, last: date) -> Sequence[Mapping[str, Any]]:
        """Return the closed Tasks of `owners` that look like mails logged by others. Errors: see the port."""
        described = {entry["name"] for entry in self.reader.describe("Task")["fields"]}
        fields = [name for name in TASK_FIELDS if name in described]
        marks = [f"Subject LIKE '{mark}%'" for mark in SUBJECT_MARKS]
        marks += [f"TaskSubtype = '{MAIL_SUBTYPE}'"] if "TaskSubtype" in described else []
        theirs = f" AND {KEY_FIELD} = null" if KEY_FIELD in described else ""
        wanted = sorted(owners)
        found: list[Mapping[str, Any]] = []
        for start in range(0, len(wanted), OWNERS_A_QUERY):
            query = soql(
                f"SELECT {', '.join(fields)} FROM Task WHERE OwnerId IN {{owners}} AND ActivityDate >= {{first}}"
                f" AND ActivityDate <= {{last}} AND IsClosed = true AND ({' OR '.join(marks)}) AND IsDeleted = false"
                + theirs,
                owners=wanted[start : start + OWNERS_A_QUERY],
                first=first,
                last=last,
            )
            try:
                for page in self.reader.query(query, all_rows=True):
                    found += page
            except RecordError as error:
                # Else mail would never be written in such an org; what is doubled can be seen and mended.
                _log.warning(log.Event.NEIGHBOURS_UNSEEN, code=error.code)
                return ()
        return found
