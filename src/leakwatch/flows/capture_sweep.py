"""Meetings that a calendar read anew does not have any more: nobody says that they went, so their absence has to.

A change token that Google forgot (`410 GONE`) takes with it what changed since. The new list names deleted events for a
time only ("such cancelled events will eventually disappear", Calendar API v3, "Events: status"). Only a list that was
read whole, from its first page to its last without a break, says what is missing from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from leakwatch import log
from leakwatch.model import ActivityKind, Cursor, CursorPhase, Page, Principal
from leakwatch.ports import Journal, Source

_log = log.get(__name__)


def begins_anew(source: Source, cursor: Cursor) -> bool:
    """Return whether a reading that was interrupted is to begin again, so that it can say what is missing.

    A calendar's whole list takes a few requests; a mailbox's goes on where it was, for no mail is ever taken back.
    """
    half_read = cursor.phase is CursorPhase.SNAPSHOT and cursor.page_token is not None
    return source.kind is ActivityKind.MEETING and half_read


@dataclass(slots=True)
class Sweep:
    """Follows the pages of one reading and adds to the last one what is missing from all.

    Attributes:
        seen: ids of all that was listed, since the first page.
        whole: whether the reading was followed from its first page.
    """

    source: Source
    principal: Principal
    journal: Journal
    now: datetime
    seen: set[str] = field(default_factory=set[str])
    whole: bool = False

    def complete(self, cursor: Cursor, page: Page) -> Page:
        """Return `page`, which came after `cursor`, and if it ends a whole list, with what vanished as removed.

        Only meetings that are still to come, within what was listed, can vanish. A list with nothing in it takes
        nothing away: a lost calendar looks like that (vdirsyncer's `StorageEmpty`).
        """
        if self.source.kind is not ActivityKind.MEETING or cursor.phase is not CursorPhase.SNAPSHOT:
            return page
        if cursor.page_token is None:
            self.seen, self.whole = set(), True
        self.seen |= {str(item.get("id") or "") for item in page.upserts}
        if not self.whole or page.next_cursor.phase is CursorPhase.SNAPSHOT:
            return page
        self.whole = False
        missing = self._missing(cursor) - set(page.removed)
        if not missing:
            return page
        if not self.seen:
            who = log.address_tag(self.principal.address)
            _log.warning(log.Event.STREAM_EMPTY, mailbox=who, source=self.source.name, missing=len(missing))
            return page
        return replace(page, removed=(*page.removed, *sorted(missing)))

    def _missing(self, cursor: Cursor) -> set[str]:
        ahead = self.journal.ahead(self.source.name, self.principal.address, after=self.now)
        return {
            copy.refs[0].provider_id
            for copy in ahead
            if not copy.cancelled
            and copy.start > self.now
            and (cursor.window_end is None or copy.start <= cursor.window_end)
            and copy.refs[0].provider_id not in self.seen
        }
