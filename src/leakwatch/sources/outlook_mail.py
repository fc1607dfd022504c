"""Outlook mail as a stream of pages: everything in the window first, then what changed since. No writes, no rules.

Every followed folder's change tracking is begun before anything is listed, so that what arrives meanwhile is not lost.
The backfill is lists by time, never a filtered delta, which ends after 5,000 messages without a word; each window's
count is held against what came. Mail that a rule files is found because every folder is followed that may receive mail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from leakwatch.clients.microsoft_errors import PageTooBigError
from leakwatch.core.mail import EPOCH, read_mail
from leakwatch.core.outlook_cursor import Folders, FolderState, Place, Window
from leakwatch.core.outlook_items import (
    HEADERS,
    ROLE,
    UNFOLLOWED,
    headers_of,
    is_sent,
    key_in,
    received_at,
    role_of,
    skip_reason,
    text,
)
from leakwatch.errors import NotFoundError, TransientError
from leakwatch.model import (
    Activity,
    ActivityKind,
    Cursor,
    CursorPhase,
    Decision,
    Outcome,
    Page,
    Principal,
    SkipReason,
    SourceRef,
)
from leakwatch.ports import WHOLE_MAILBOX

NAME = "outlook_mail"
OVERLAP = timedelta(days=1)  # of change tracking with what is listed
FIRST_WINDOW, LONGEST_WINDOW = timedelta(days=7), timedelta(days=364)
SMALLEST_PAGE = 5
MAX_TRIES = 2  # times a window is read again because fewer mails came than were counted
# A filtered delta gives 5,000 messages at most (concepts/delta-query-messages); whether in one round or in its life is
# not documented, so a link is replaced well before.
MAX_GIVEN = 4_000
_NEEDED = ("parentFolderId", "receivedDateTime", HEADERS)
_OLDEST = datetime(1996, 1, 1, tzinfo=UTC)  # Exchange's first year


class _Outlook(Protocol):
    """The Outlook client, as this source needs it."""

    def folders(self, subject: str) -> Mapping[str, str]: ...
    def roles(self, subject: str) -> Mapping[str, str]: ...
    def window(self, subject: str, start: datetime, end: datetime, size: int) -> Mapping[str, Any]: ...
    def changes(self, subject: str, folder: str, since: datetime | None, size: int) -> Mapping[str, Any]: ...
    def follow(self, subject: str, link: str, size: int, operation: str = ...) -> Mapping[str, Any]: ...
    def get_messages(self, subject: str, ids: Sequence[str]) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]: ...
    def ask_again(self, subject: str, ids: Sequence[str]) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]: ...


@dataclass(frozen=True, slots=True)
class OutlookOptions:
    """Settings of this source.

    Attributes:
        opt_out_labels: names of Outlook categories that keep a mail out.
        only_labels: if given, a mail must have one of these categories.
        own_domains: the company's mail domains: a mail through a group of theirs is no list's.
        page_size: messages per page (Graph allows 1,000; big pages end in 504).
    """

    opt_out_labels: tuple[str, ...] = ()
    only_labels: tuple[str, ...] = ()
    own_domains: tuple[str, ...] = ()
    page_size: int = 250


class OutlookMailSource:
    """The `Source` port over Outlook mail.

    Args:
        outlook: the client.
        options: settings.
    """

    name = NAME
    kind = ActivityKind.MAIL

    def __init__(self, outlook: _Outlook, options: OutlookOptions | None = None) -> None:
        self._outlook = outlook
        self._options = options or OutlookOptions()
        self._opt_out = frozenset(name.strip().lower() for name in self._options.opt_out_labels)
        self._only = frozenset(name.strip().lower() for name in self._options.only_labels)
        self._trees: dict[str, tuple[Mapping[str, str], Mapping[str, str]]] = {}

    def first_cursor(self, principal: Principal, *, window_start: datetime, now: datetime) -> Cursor:
        """Return a SNAPSHOT cursor whose every folder's change tracking has begun. Errors: see the port."""
        followed = self._followed(principal)
        states = tuple(FolderState(one, self._begin(principal, one, now)) for one in followed)
        return Cursor(
            source=self.name,
            principal=principal.address,
            stream=WHOLE_MAILBOX,
            phase=CursorPhase.SNAPSHOT,
            token=Folders(tuple(one for one in states if one.link)).dump(),
            window_start=window_start,
            window_end=now,
            anchored_at=now,
        )

    def fetch_page(self, principal: Principal, cursor: Cursor) -> Page:
        """Return what comes after `cursor`. Errors: see the port."""
        if cursor.phase is CursorPhase.SNAPSHOT:
            return self._snapshot(principal, cursor)
        return self._changes(principal, cursor)

    def fetch_again(self, principal: Principal, cursor: Cursor, ids: Sequence[str]) -> Page:
        """Return what Graph now gives of `ids`. Errors: see the port."""
        items, gone = self._outlook.ask_again(principal.address, ids)
        return Page(self._marked(principal, items), (), cursor, has_more=True, gone=tuple(gone))

    def to_activity(self, item: Mapping[str, Any], principal: Principal) -> Activity | Decision:
        """Return the mail in a raw message of Graph, or why it is none. Pure; never raises on odd content."""
        ref = SourceRef(self.name, principal.address, str(item.get("id") or ""))
        if list(item) == ["id"]:  # see OutlookClient.get_messages
            why = "Graph fails for this one mail; every sync asks for it again"
            return Decision(ref, Outcome.QUARANTINED, SkipReason.NOT_GIVEN, EPOCH, detail=why)
        received = received_at(item)
        reason = skip_reason(item, opt_out=self._opt_out, only=self._only)
        if reason is not None:
            return Decision(ref, Outcome.SKIPPED, reason, received or EPOCH, key=key_in(item))
        return read_mail(
            ref,
            headers_of(item),
            owner=principal,
            received_at=received,
            in_sent=is_sent(item, principal),
            own_domains=self._options.own_domains,
        )

    # --- the first read ---

    def _snapshot(self, principal: Principal, cursor: Cursor) -> Page:
        # What arrived after the cycle began, before its folder's tracking did, is listed too.
        until = (cursor.window_end or _OLDEST) + OVERLAP
        window = self._window(cursor, until)
        try:
            if window.link:
                page = self._outlook.follow(principal.address, window.link, window.size)
            else:
                start, end = datetime.fromisoformat(window.start), datetime.fromisoformat(window.end)
                page = self._outlook.window(principal.address, start, end, window.size)
                window = replace(window, expected=int(page["@odata.count"]))
        except PageTooBigError as error:
            smaller = window.again(size=_halved(window.size, error), tries=window.tries)
            return Page((), (), replace(cursor, page_token=smaller.dump()), has_more=True)
        items = _last_of_each(page["value"])
        window = replace(window, seen=window.seen + len(items), link=str(page.get("@odata.nextLink") or ""))
        whole, gone = self._whole(principal, items)
        after = self._after(cursor, window, until)
        return Page(self._marked(principal, whole), (), after, has_more=True, gone=tuple(gone))

    def _window(self, cursor: Cursor, until: datetime) -> Window:
        if cursor.page_token is not None:
            return Window.load(cursor.page_token)
        start = cursor.window_start or _OLDEST
        end = min(start + FIRST_WINDOW, until)
        return Window(start.isoformat(), end.isoformat(), self._options.page_size)

    def _after(self, cursor: Cursor, window: Window, until: datetime) -> Cursor:
        """Return where the reading stands after a page of `window`, which carries the next page's link if there is one.

        Raises:
            TransientError: fewer mails came than were counted, time and again.
        """
        if window.link:
            return replace(cursor, page_token=window.dump())
        if window.seen < window.expected:  # a page slipped while others were deleted, or Graph cut the list off
            if window.tries >= MAX_TRIES:
                raise TransientError(
                    f"Graph counts {window.expected:,} mails from {window.start} to {window.end} and gave "
                    f"{window.seen:,}, {MAX_TRIES + 1} times over; nothing is lost, a later cycle asks again"
                )
            return replace(cursor, page_token=window.again(tries=window.tries + 1).dump())
        start, end = datetime.fromisoformat(window.start), datetime.fromisoformat(window.end)
        if end >= until:
            return replace(cursor, phase=CursorPhase.DELTA, page_token=None)
        # Years without mail are not asked for week by week.
        length = FIRST_WINDOW if window.expected else min(2 * (end - start), LONGEST_WINDOW)
        size = min(self._options.page_size, 2 * window.size)
        following = Window(end.isoformat(), min(end + length, until).isoformat(), size)
        return replace(cursor, page_token=following.dump())

    # --- what changed since ---

    def _begin(self, principal: Principal, folder: str, now: datetime) -> str:
        """Return a link to what changes in a folder from now on; empty where the folder is gone."""
        try:
            page = self._read(lambda size: self._outlook.changes(
                principal.address, folder, now - OVERLAP, size))  # fmt: skip
            while "@odata.deltaLink" not in page:
                link = str(page["@odata.nextLink"])
                page = self._read(lambda size, at=link: self._outlook.follow(
                    principal.address, at, size, "messages.delta"))  # fmt: skip
        except NotFoundError:
            return ""
        return str(page["@odata.deltaLink"])

    def _changes(self, principal: Principal, cursor: Cursor) -> Page:
        state = Folders.load(cursor.token)
        if cursor.page_token is None:
            state = self._refreshed(principal, state)
            place = Place(state.folders[0].folder) if state.folders else None
        else:
            place = Place.load(cursor.page_token)
        # Folders in which nothing happened share one page: an idle mailbox costs one commit.
        while place is not None:
            state, following, found = self._one(principal, state, place)
            if found or following is None or following.link:
                items, removed, gone = self._settled(principal, found)
                after = replace(cursor, token=state.dump(), page_token=following.dump() if following else None)
                return Page(items, removed, after, has_more=following is not None, gone=gone)
            place = following
        return Page((), (), replace(cursor, token=state.dump(), page_token=None), has_more=False)

    def _one(
        self, principal: Principal, state: Folders, place: Place
    ) -> tuple[Folders, Place | None, list[Mapping[str, Any]]]:
        """Return (folders, the next place if the round is not over, rows) after one page of one folder."""
        names = [one.folder for one in state.folders]
        at = names.index(place.folder) if place.folder in names else len(names)
        if at == len(names):
            return state, None, []
        folder = state.folders[at]
        following = Place(names[at + 1]) if at + 1 < len(names) else None
        link = place.link or folder.link
        try:
            page = self._read(lambda size: self._outlook.follow(
                principal.address, link, size, "messages.delta",
            ) if link else self._outlook.changes(principal.address, folder.folder, None, size))  # fmt: skip
        except NotFoundError:  # what was in it was moved or deleted, and other folders tell of that
            return state.drop(folder.folder), following, []
        rows: list[Mapping[str, Any]] = list(page["value"])
        given = folder.given + sum("@removed" not in row for row in rows)
        if "@odata.nextLink" in page:
            return state.put(replace(folder, given=given)), Place(folder.folder, str(page["@odata.nextLink"])), rows
        done = replace(folder, link=str(page["@odata.deltaLink"]), given=given)
        if folder.following:
            done = FolderState(folder.folder, folder.following)
        elif given >= MAX_GIVEN:
            now = max((moment for row in rows if (moment := received_at(row)) is not None), default=None)
            done = replace(done, following=self._begin(principal, folder.folder, now) if now is not None else "")
        return state.put(done), following, rows

    def _read(self, ask: Any) -> Mapping[str, Any]:
        """Return a page of change tracking, smaller where Graph takes too long."""
        size = self._options.page_size
        while True:
            try:
                return ask(size)
            except PageTooBigError as error:
                size = _halved(size, error)

    def _settled(
        self, principal: Principal, rows: Sequence[Mapping[str, Any]]
    ) -> tuple[tuple[Mapping[str, Any], ...], tuple[str, ...], tuple[str, ...]]:
        """Return (items, ids removed, ids that vanished) of a page of changes.

        `@removed` says only that it left this folder: it may have been moved, so it is looked up.
        """
        last = _last_of_each(rows)
        left = [str(row["id"]) for row in last if "@removed" in row]
        moved, removed = self._outlook.get_messages(principal.address, left) if left else ((), ())
        whole, gone = self._whole(principal, [row for row in last if "@removed" not in row])
        return self._marked(principal, [*whole, *moved]), tuple(removed), tuple(gone)

    # --- items and folders ---

    def _whole(
        self, principal: Principal, items: Sequence[Mapping[str, Any]]
    ) -> tuple[list[Mapping[str, Any]], Sequence[str]]:
        """Return (items with all that is needed, ids that are gone): a list or a delta may leave headers out."""
        poor = [
            str(one["id"]) for one in items if one.get("isDraft") is not True and any(n not in one for n in _NEEDED)
        ]
        if not poor:
            return list(items), ()
        found, gone = self._outlook.get_messages(principal.address, poor)
        by_id = {str(one["id"]): one for one in found}
        return [by_id.get(str(one["id"]), one) for one in items if str(one["id"]) not in gone], gone

    def _marked(self, principal: Principal, items: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
        """Return `items` with the role of the folder that each lies in."""
        parents, roles = self._tree(principal)
        if any(len(one) > 1 and text(one.get("parentFolderId")) not in parents for one in items):
            parents, roles = self._tree(principal, fresh=True)  # a folder that was made since
        return tuple(
            one if list(one) == ["id"] else {**one, ROLE: role_of(text(one.get("parentFolderId")), parents, roles)}
            for one in items
        )

    def _tree(self, principal: Principal, *, fresh: bool = False) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return (id of each folder -> of the one above it, id -> well-known name)."""
        known = self._trees.get(principal.address)
        if known is None or fresh:
            parents = self._outlook.folders(principal.address)
            roles = known[1] if known is not None else self._outlook.roles(principal.address)
            known = self._trees[principal.address] = (parents, roles)
        return known

    def _followed(self, principal: Principal) -> list[str]:
        parents, roles = self._tree(principal, fresh=True)
        return [one for one in parents if role_of(one, parents, roles) not in UNFOLLOWED]

    def _refreshed(self, principal: Principal, state: Folders) -> Folders:
        """Return the folders to follow now: new ones are read whole, for older mail may have been moved there."""
        followed = self._followed(principal)
        kept = [one for one in state.folders if one.folder in followed]
        known = {one.folder for one in kept}
        return Folders((*kept, *(FolderState(one) for one in followed if one not in known)))


def _last_of_each(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the last row of each id: replays and repetitions are allowed (concepts/delta-query-overview)."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        name = str(row.get("id") or "")
        if name:
            found.pop(name, None)
            found[name] = row
    return list(found.values())


def _halved(size: int, error: PageTooBigError) -> int:
    if size <= SMALLEST_PAGE:
        raise TransientError(f"{error}, however small the page; read on in a later cycle") from error
    return max(SMALLEST_PAGE, size // 2)
