"""Gmail as a stream of pages: everything in the window first, then what changed since. No writes, no rules.

The change token (historyId) is taken before anything is listed, so that what arrives meanwhile is not lost. Quota
decides the shape: a get costs four times a list of 500 ids, so ids that are known are not fetched, label changes that
do not matter cause no get, a conversation is fetched as one where that is cheaper, and with the metadata scope (no
search) listing stops where the window ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from leakwatch.core.backfill_search import MOST_SEARCHES, digest, place, read_place, searches
from leakwatch.core.gmail_items import (
    NOT_LABELLED,
    OPT_OUT,
    changed_labels,
    headers_of,
    key_in,
    labels_of,
    payload_of,
    received_at,
    reduce_history,
    skip_reason,
)
from leakwatch.core.mail import EPOCH, read_mail
from leakwatch.errors import CursorError, TransientError
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

NAME = "gmail"
Known = Callable[[str, str, Sequence[str]], frozenset[str]]


class _Gmail(Protocol):
    """The Gmail client, as this source needs it."""

    @property
    def can_search(self) -> bool: ...
    def profile(self, subject: str) -> Mapping[str, Any]: ...
    def labels(self, subject: str) -> Mapping[str, str]: ...
    def list_messages(
        self, subject: str, *, page_token: str | None = None, search: str | None = None, page_size: int = 500
    ) -> Mapping[str, Any]: ...
    def history(self, subject: str, start: str, *, page_token: str | None = None) -> Mapping[str, Any]: ...
    def get_messages(self, subject: str, ids: Sequence[str]) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]: ...
    def get_threads(self, subject: str, ids: Sequence[str]) -> Sequence[Mapping[str, Any]]: ...
    def ask_again(self, subject: str, ids: Sequence[str]) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]: ...


@dataclass(frozen=True, slots=True)
class GmailOptions:
    """Settings of this source.

    Attributes:
        opt_out_labels: names of Gmail labels that keep a mail out.
        only_labels: if given, a mail must carry one of these. With neither, no labels are asked for at all.
        own_domains: the company's mail domains: a mail through a group of theirs is no list's.
        page_size: ids per messages.list (Gmail allows 500).
        probe_size: without search, so many mails are fetched at a time, and listing ends when so many in a row are
            older than the window. Gmail lists nearly by date but does not promise it: mail that was imported or came
            late stands out of its place, one by one or a few together, so no single old mail ends anything.
        thread_from: so many wanted mails of one conversation are fetched as a thread; 0 fetches each by itself.
        known_terms: returns the domains and addresses whose mail alone a first reading is to bring; None: all mail.
            Needs search. What comes later is read whoever it is from.
    """

    opt_out_labels: tuple[str, ...] = ()
    only_labels: tuple[str, ...] = ()
    own_domains: tuple[str, ...] = ()
    page_size: int = 500
    probe_size: int = 50
    thread_from: int = 0
    known_terms: Callable[[], Sequence[str]] | None = None


class GmailSource:
    """The `Source` port over Gmail.

    Args:
        gmail: the client.
        options: settings.
        known: returns which of the given ids (source, principal, ids) need no fetching; the journal's `known_ids`.
    """

    name = NAME
    kind = ActivityKind.MAIL

    def __init__(self, gmail: _Gmail, options: GmailOptions | None = None, *, known: Known | None = None) -> None:
        self._gmail = gmail
        self._options = options or GmailOptions()
        self._known = known
        self._opt_out_names = frozenset(name.strip().lower() for name in self._options.opt_out_labels)
        self._only_names = frozenset(name.strip().lower() for name in self._options.only_labels)
        self._labels: dict[str, Mapping[str, str]] = {}

    def first_cursor(self, principal: Principal, *, window_start: datetime, now: datetime) -> Cursor:
        """Return a SNAPSHOT cursor with the mailbox's present history id. Errors: see the port."""
        token = str(self._gmail.profile(principal.address).get("historyId") or "")
        if not token.isdigit():
            raise TransientError("Gmail gave no history id for this mailbox; it is read in a later cycle")
        return Cursor(
            source=self.name,
            principal=principal.address,
            stream=WHOLE_MAILBOX,
            phase=CursorPhase.SNAPSHOT,
            token=token,
            window_start=window_start,
            window_end=now,
            anchored_at=now,
            narrowed=bool(self._searches(window_start)[1]),
        )

    def fetch_page(self, principal: Principal, cursor: Cursor) -> Page:
        """Return what comes after `cursor`. Errors: see the port."""
        if cursor.phase is CursorPhase.SNAPSHOT:
            return self._snapshot(principal, cursor)
        if cursor.narrowed and self._options.known_terms is None:
            raise CursorError("only mail of people known by then was read, and all mail is wanted now")
        return self._changes(principal, cursor)

    def fetch_again(self, principal: Principal, cursor: Cursor, ids: Sequence[str]) -> Page:
        """Return what Gmail now gives of `ids`. Errors: see the port."""
        items, gone = self._gmail.ask_again(principal.address, ids)
        return Page(tuple(self._marked(principal, items)), (), cursor, has_more=True, gone=tuple(gone))

    def _snapshot(self, principal: Principal, cursor: Cursor) -> Page:
        wanted, mark = self._searches(cursor.window_start)
        if bool(mark) != cursor.narrowed:
            raise CursorError("whose mail is wanted of the window has changed since its reading began")
        index, page_token = read_place(cursor.page_token, mark) if mark else (0, cursor.page_token)
        search = wanted[index] if wanted else None
        probe = self._options.probe_size
        page_size = self._options.page_size if search is not None else max(probe, self._options.page_size)
        listed = self._gmail.list_messages(principal.address, page_token=page_token, search=search, page_size=page_size)
        rows = [row for row in listed.get("messages") or () if row.get("id")]
        threads = {str(row["id"]): str(row.get("threadId") or "") for row in rows}
        all_ids = list(threads)
        ids = self._unknown(principal, all_ids)
        # A search ends by itself where the window does; without one it is felt for, some mails at a time.
        step = max(1, len(ids) if search is not None else probe)
        items: list[Mapping[str, Any]] = []
        gone: list[str] = []
        at_hand: dict[str, Mapping[str, Any]] = {}
        ended = False
        for start in range(0, len(ids), step):
            some, lost = self._fetch(principal, ids[start : start + step], threads, at_hand)
            items += some
            gone += lost
            ended = search is None and _past_window(all_ids, items, gone, cursor.window_start, probe)
            if ended:
                break
        following = str(listed.get("nextPageToken") or "")
        if following and not ended:
            after = replace(cursor, page_token=place(mark, index, following) if mark else following)
        elif index + 1 < len(wanted):
            after = replace(cursor, page_token=place(mark, index + 1, ""))
        else:
            after = replace(cursor, phase=CursorPhase.DELTA, page_token=None)
        return Page(tuple(self._marked(principal, items)), (), after, has_more=True, gone=tuple(gone))

    def _searches(self, window_start: datetime | None) -> tuple[Sequence[str], str]:
        """Return (searches for the window, one after the other; a mark where they are narrowed to known people)."""
        if not self._gmail.can_search:
            return (), ""
        base = _search(window_start, self._only_names)
        terms = self._options.known_terms() if self._options.known_terms is not None else ()
        narrow = searches(base, terms)
        return (narrow, digest(terms)) if 0 < len(narrow) <= MOST_SEARCHES else ((base,), "")

    def _fetch(
        self,
        principal: Principal,
        ids: Sequence[str],
        threads: Mapping[str, str],
        at_hand: dict[str, Mapping[str, Any]],
    ) -> tuple[list[Mapping[str, Any]], Sequence[str]]:
        """Return (messages, ids that are gone) of `ids`.

        `threads` says to which conversation each belongs. `at_hand` holds what came with earlier ones, and is added to.
        """
        counts = Counter(threads[one] for one in ids if one not in at_hand)
        dense = [name for name, count in counts.items() if name and 0 < self._options.thread_from <= count]
        if dense:
            at_hand |= {str(item["id"]): item for item in self._gmail.get_threads(principal.address, dense)}
        rest, gone = self._gmail.get_messages(principal.address, [one for one in ids if one not in at_hand])
        found = at_hand | {str(item["id"]): item for item in rest}
        return [found[one] for one in ids if one in found], gone

    def _changes(self, principal: Principal, cursor: Cursor) -> Page:
        answer = self._gmail.history(principal.address, cursor.token, page_token=cursor.page_token)
        reached = str(answer.get("historyId") or cursor.token)
        if _number(reached) < _number(cursor.token):
            raise CursorError("the mailbox's history went backwards: it was restored from an older state")
        records = answer.get("history") or ()
        seen = changed_labels(records)
        round_ = reduce_history(records, self._ids(principal, self._opt_out_names, seen), self._let_in(principal, seen))
        items, gone = self._gmail.get_messages(principal.address, self._unknown(principal, round_.wanted))
        following = answer.get("nextPageToken")
        # The history id counts only when the last page was read (Gmail API, history.list).
        if following:
            after = replace(cursor, page_token=str(following))
        else:
            after = replace(cursor, token=reached, page_token=None)
        upserts = (*self._marked(principal, items), *round_.unfetched)
        return Page(upserts, tuple(round_.removed), after, has_more=bool(following), gone=tuple(gone))

    def to_activity(self, item: Mapping[str, Any], principal: Principal) -> Activity | Decision:
        """Return the mail in a raw Gmail message, or why it is none. Pure; never raises on odd content."""
        ref = SourceRef(self.name, principal.address, str(item.get("id") or ""))
        if len(item) == 1 and "id" in item:  # see GmailClient.get_messages
            why = "Gmail fails for this one mail; every sync asks for it again"
            return Decision(ref, Outcome.QUARANTINED, SkipReason.NOT_GIVEN, EPOCH, detail=why)
        received = received_at(item)
        reason = skip_reason(item)
        if reason is not None:
            return Decision(ref, Outcome.SKIPPED, reason, received or EPOCH, key=key_in(item))
        if not payload_of(item):
            why = "Gmail sent no headers"
            return Decision(ref, Outcome.QUARANTINED, "unreadable", received or EPOCH, detail=why)
        return read_mail(
            ref,
            headers_of(item),
            owner=principal,
            received_at=received,
            in_sent="SENT" in labels_of(item),
            own_domains=self._options.own_domains,
        )

    # --- ids and labels ---

    def _unknown(self, principal: Principal, ids: Sequence[str]) -> list[str]:
        unique = list(dict.fromkeys(ids))
        if self._known is None or not unique:
            return unique
        known = self._known(self.name, principal.address, unique)
        return [message_id for message_id in unique if message_id not in known]

    def _let_in(self, principal: Principal, seen: Collection[str]) -> frozenset[str] | None:
        """Return the ids of the labels that let a mail in, as far as they matter for those `seen`; None if all may."""
        return self._ids(principal, self._only_names, seen) if self._only_names else None

    def _ids(self, principal: Principal, wanted: frozenset[str], seen: Collection[str]) -> frozenset[str]:
        """Return the ids of the labels called `wanted`, as far as they matter for the labels `seen`.

        Gmail is asked for names only where a label that a person made is among them: an idle poll costs no call.
        """
        if not wanted:
            return frozenset()
        system = frozenset(name.upper() for name in wanted)  # a system label's id is its name
        made = {label for label in seen if label != label.upper()}  # Label_7; system labels are INBOX, YELLOW_STAR
        if not made:
            return system
        names = self._labels.get(principal.address)
        if names is None or made - set(names.values()):  # never asked, or a label made since
            names = self._labels[principal.address] = self._gmail.labels(principal.address)
        return system | {label_id for name, label_id in names.items() if name in wanted}

    def _marked(self, principal: Principal, items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return `items`, those marked that have an opt-out label, or none of the labels that let a mail in."""
        if not self._opt_out_names and not self._only_names:
            return list(items)
        seen = {label for item in items for label in labels_of(item)}
        out, let_in = self._ids(principal, self._opt_out_names, seen), self._let_in(principal, seen)
        marked: list[Mapping[str, Any]] = []
        for item in items:
            labels = labels_of(item)
            if len(item) == 1 and "id" in item:  # not given: see `to_activity`
                marked.append(item)
            elif labels & out:
                marked.append({**item, OPT_OUT: True})
            elif let_in is not None and not labels & let_in:
                marked.append({**item, NOT_LABELLED: True})
            else:
                marked.append(item)
        return marked


def _search(window_start: datetime | None, only: Collection[str]) -> str:
    after = f"after:{int(window_start.timestamp())} " if window_start is not None else ""
    # Gmail's search writes a label with hyphens for blanks (Gmail API, "Filtering").
    labels = [f"label:{name.replace(' ', '-')}" for name in sorted(only)]
    return f"{after}{'{' + ' '.join(labels) + '} ' if labels else ''}-in:chats -in:drafts -in:spam -in:trash"


def _past_window(
    listed: Sequence[str],
    items: Sequence[Mapping[str, Any]],
    gone: Sequence[str],
    window_start: datetime | None,
    needed: int,
) -> bool:
    """Return whether `needed` mails that are `listed` in a row are older than the window.

    What was not fetched, because it is known, is taken to lie inside it: to read on costs little, to stop loses mail.
    """
    if window_start is None:
        return False
    moments = {str(item.get("id")): received_at(item) for item in items}
    vanished = frozenset(gone)
    row = 0
    for message_id in listed:
        moment = moments.get(message_id)
        if moment is not None and moment < window_start:
            row += 1
            if row >= needed:
                return True
        elif message_id not in vanished:
            row = 0
    return False


def _number(history_id: str) -> int:
    return int(history_id) if history_id.isdigit() else 0
