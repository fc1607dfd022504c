"""Change tracking of messages: rounds, pages, tokens (concepts/delta-query-overview and delta-query-messages).

A first round gives what is in the folder, page by page, as it is when its page is asked for; what changes meanwhile
comes again in the next round (a replay). A later round gives what changed since, each message once with its latest
state, or `@removed`. A move is a removal in one folder and a new message in the other. Every page ends with a
`nextLink` or a `deltaLink`; both carry the first request's options in their token.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from leakwatch.sandbox.google.store import milliseconds as clock_milliseconds
from leakwatch.sandbox.microsoft import errors
from leakwatch.sandbox.microsoft.call import GraphCall, Reply, Route
from leakwatch.sandbox.microsoft.filters import compile_filter
from leakwatch.sandbox.microsoft.mail import DEFAULT_PAGE, MAX_PAGE, READ, Mail, resolve_folder
from leakwatch.sandbox.microsoft.message import COLUMNS, SELECTABLE, TYPE, View
from leakwatch.sandbox.microsoft.rows import Item
from leakwatch.sandbox.microsoft.sealing import Seal

#: Values of the custom option changeType.
CHANGES = ("created", "updated", "deleted")

#: "If you don't include an $orderby expression, the return order isn't guaranteed": by this, then.
_SCATTERED = "(id * 40503) % 65536"

_DAY = 86_400_000  # milliseconds


@dataclass(frozen=True, slots=True)
class State:
    """What a token carries."""

    mailbox: str
    folder: int
    """0: the whole mailbox."""
    select: str | None = None
    filter: str | None = None
    order: bool = False
    """Whether newest first was asked for."""
    change: str = ""
    phase: str = "all"
    """`all`: in a first round; `since`: in a later one, from `start` on; `done`: of a deltaLink."""
    start: int = 0
    """All changes up to this one are known to the client; while a first round runs, at its end."""
    until: int = 0
    """In a later round: where it ends."""
    after: tuple[int, int] | None = None
    """Where the last page ended."""
    given: int = 0
    """Messages of a filtered round so far."""
    at: int = 0
    """The world's time when the token was made, in milliseconds."""


class Tokens:
    """Writes states as tokens that say nothing to the client, and reads them again."""

    def __init__(self, key: bytes) -> None:
        self._seal = Seal(key)

    def write(self, state: State) -> str:
        """A token."""
        return self._seal.write(list(asdict(state).values()))

    def read(self, text: str) -> State:
        """The state of a token; raises GraphError for what was never one."""
        state = State(*self._seal.read(text))
        return replace(state, after=tuple(state.after) if state.after is not None else None)


class Delta:
    """Answers what is asked of changes."""

    def __init__(self, mail: Mail, key: bytes) -> None:
        self.mail = mail
        self.mailboxes = mail.mailboxes
        self.settings = mail.settings
        self.tokens = Tokens(key)

    # -- operations --------------------------------------------------------------------------------

    def of_folder(self, call: GraphCall) -> Reply:
        """`/users/{id}/mailFolders/{id}/messages/delta`."""
        return self._answer(call, resolve_folder(self.mailboxes, call.mailbox, call.keys[1]))

    def of_mailbox(self, call: GraphCall) -> Reply:
        """`/users/{id}/messages/delta`: in the SDKs, documented for folders alone; a probe."""
        if self.settings.now.whole_mailbox_delta != "works":
            raise errors.bad_request("Change tracking is not supported against 'microsoft.graph.message'.")
        return self._answer(call, 0)

    def routes(self) -> list[Route]:
        """What of Graph is here."""
        folder = "users/{}/mailFolders/{}/messages/delta"
        return [
            Route("messages.delta", "GET", folder, READ, self.of_folder),
            Route("messages.delta", "GET", "users/{}/messages/delta", READ, self.of_mailbox),
        ]

    # -- rounds ------------------------------------------------------------------------------------

    def _answer(self, call: GraphCall, folder: int) -> Reply:
        options = call.options
        text = options.get("skiptoken") or options.get("deltatoken")
        state = self._resumed(call, folder, text) if text else self._begun(call, folder)
        if state is None:
            return self._expired(call)
        size = self._size(call)
        call.options.system.pop("$select", None)
        if state.select is not None:
            call.options.system["$select"] = state.select
        view = self.mail.view(call, typed=True)
        if self.settings.now.headers_in_delta != "given" and view.select is not None:
            view = replace(view, select=tuple(name for name in view.select if name != "internetMessageHeaders"))
        body: dict[str, Any] = {"@odata.context": f"{call.context}Collection(message)"}
        if call.request.behaviour == "empty_page":
            return Reply(200, body | {"value": [], "@odata.nextLink": self._link(call, "skiptoken", state)})
        if call.request.behaviour == "replay" and state.phase == "done":
            state = replace(state, start=max(self.mailboxes.floor(call.mailbox), state.start - size))
        step = self._everything if state.phase == "all" else self._changes
        value, following = step(call, state, view, size)
        if call.request.behaviour == "repeat":
            value = [one for one in value for _ in range(2)]
        kind = "deltatoken" if following.phase == "done" else "skiptoken"
        link = "@odata.deltaLink" if following.phase == "done" else "@odata.nextLink"
        return Reply(200, body | {link: self._link(call, kind, following), "value": value})

    def _size(self, call: GraphCall) -> int:
        size = call.options.top(DEFAULT_PAGE, MAX_PAGE, preferred=call.prefer.page_size)
        if call.prefer.page_size is not None:
            size = min(call.prefer.page_size, MAX_PAGE)
            call.applied.append(f"odata.maxpagesize={size}")
        return size

    def _link(self, call: GraphCall, kind: str, state: State) -> str:
        now = clock_milliseconds(self.mailboxes.store.clock.now())
        return call.link(f"${kind}={self.tokens.write(replace(state, at=now))}")

    def _begun(self, call: GraphCall, folder: int) -> State:
        """A first request: its options are checked, and stay with the tokens."""
        options = call.options
        options.refuse("search", "skip", "count")
        if options.get("expand") is not None:
            raise errors.not_emulated("$expand of messages")
        options.select(SELECTABLE, TYPE)
        text, sort = options.get("filter"), (options.get("orderby") or "").strip()
        if text:
            found = compile_filter(text, COLUMNS, TYPE)
            if found.sql not in ("received >= ?", "received > ?"):
                raise errors.bad_request("Change tracking supports $filter by receivedDateTime with ge and gt alone.")
        if sort and sort.lower() != "receiveddatetime desc":
            raise errors.bad_request("Change tracking supports $orderby=receivedDateTime desc alone.")
        change = options.custom.get("changetype", "").lower()
        if change and change not in CHANGES:
            raise errors.bad_request(f"Invalid value '{change}' for changeType; one of {', '.join(CHANGES)}.")
        return State(
            call.mailbox, folder, options.get("select"), text, bool(sort), change,
            start=self.mailboxes.sequence(call.mailbox),
        )  # fmt: skip

    def _resumed(self, call: GraphCall, folder: int, text: str) -> State | None:
        """The state of a token; None where it is too old."""
        state = self.tokens.read(text)
        if (state.mailbox, state.folder) != (call.mailbox, folder):
            raise errors.bad_state()
        days = self.settings.now.delta_days
        now = clock_milliseconds(self.mailboxes.store.clock.now())
        aged = days is not None and now - state.at > days * _DAY
        if aged or state.start < self.mailboxes.floor(call.mailbox):
            return None
        return state

    def _expired(self, call: GraphCall) -> Reply:
        raise expired(call, self.settings.now.expired_delta)

    # -- pages -------------------------------------------------------------------------------------

    def _everything(self, call: GraphCall, state: State, view: View, size: int) -> tuple[list[dict[str, Any]], State]:
        """A page of a first round: what is there now, of what was there when it began."""
        newest = state.order or state.filter is not None
        key = "received" if newest else _SCATTERED
        where, values = "1", list[Any]()
        if state.folder:
            where, values = "folder = ?", [state.folder]
        elif self.settings.now.chat_items != "listed":
            where = "kind <> 'chat'"
        if state.filter is not None:
            found = compile_filter(state.filter, COLUMNS, TYPE)
            where, values = f"{where} AND {found.sql}", [*values, *found.values]
            size = min(size, self.settings.now.delta_cap - state.given)
        if state.after is not None:
            where = f"{where} AND ({key}, id) {'<' if newest else '>'} (?, ?)"
            values += state.after
        direction = "DESC" if newest else "ASC"
        tail = f"ORDER BY {key} {direction}, id {direction} LIMIT {size + 1}"
        items = self.mailboxes.where(call.mailbox, where, values, tail)
        page = items[:size]
        self.mail.weigh(view, len(page))
        given = state.given + len(page) if state.filter is not None else 0
        capped = state.filter is not None and given >= self.settings.now.delta_cap
        if len(items) <= size or capped:
            return [view.show(item) for item in page], self._done(state, state.start, given)
        last = page[-1]
        after = (last.received if newest else last.id * 40503 % 65536, last.id)
        return [view.show(item) for item in page], replace(state, after=after, given=given)

    def _done(self, state: State, start: int, given: int) -> State:
        kept = given if self.settings.now.delta_cap_scope == "token" else 0
        return replace(state, phase="done", start=start, until=0, after=None, given=kept)

    def _changes(self, call: GraphCall, state: State, view: View, size: int) -> tuple[list[dict[str, Any]], State]:
        """A page of a later round."""
        if state.phase == "done":
            state = replace(state, phase="since", until=self.mailboxes.sequence(call.mailbox), after=None)
        begun = state.after[0] if state.after is not None else state.start
        rows = self._rows(call.mailbox, state, begun, size + 1)
        value: list[dict[str, Any]] = []
        given = state.given
        for row in rows[:size]:
            told = self._changed(call.mailbox, state, view, row)
            if state.filter is not None and given + len(told) > self.settings.now.delta_cap:
                continue
            given += len(told)
            value += told
        if len(rows) > size:
            return value, replace(state, after=(int(rows[size - 1][0]), 0), given=given)
        return value, self._done(state, state.until, given)

    def _rows(self, mailbox: str, state: State, after: int, limit: int) -> list[tuple[Any, ...]]:
        """The last change of each message in the round, behind those already given."""
        within, values = "", [mailbox, state.start, state.until]
        if state.folder:
            within, values = " AND folder = ?", [*values, state.folder]
        # With one max() alone, the bare columns are of the row that has it.
        query = (
            "SELECT max(sequence), item, folder, place, what, json_group_array(json(fields)), total(what = 'created') "
            f"FROM ms_change WHERE mailbox = ? AND sequence > ? AND sequence <= ?{within} GROUP BY item "
            "HAVING max(sequence) > ? ORDER BY 1 LIMIT ?"
        )
        return self.mailboxes.db.execute(query, [*values, after, limit]).fetchall()

    def _changed(self, mailbox: str, state: State, view: View, row: tuple[Any, ...]) -> list[dict[str, Any]]:
        """How a change is told; not at all where the client did not ask for its kind."""
        _, number, folder, place, what, fields, created = row
        item = self.mailboxes.get(mailbox, number)
        removals: list[dict[str, Any]] = []
        if item is None or state.folder not in (0, item.folder):
            removals = [self._removed(view.id_of(number, folder, place), final=what == "deleted")]
        elif state.folder == 0 and not view.immutable:  # the ids of the places that it left are good no more
            removals = [
                self._removed(view.id_of(number, left, at), final=False)
                for left, at in self._left(mailbox, state, number)
            ]
        told = removals if state.change in ("", "deleted") else []
        if item is None or state.folder not in (0, item.folder):
            return told
        if state.change and state.change != ("created" if created else "updated"):
            return told
        if self.settings.now.delta_filters_later and state.filter is not None and not self._passes(state, item):
            return told
        partial = self.settings.now.delta_updates == "changed" and not created
        changed = frozenset(name for names in json.loads(fields) for name in names)
        return [*told, view.show(item, changed if partial else None)]

    def _removed(self, name: str, *, final: bool) -> dict[str, Any]:
        by_kind = self.settings.now.removed_reason == "by_kind"
        reason = "changed" if by_kind and not final else "deleted"
        return {"@odata.type": f"#{TYPE}", "id": name, "@removed": {"reason": reason}}

    def _left(self, mailbox: str, state: State, number: int) -> list[tuple[int, int]]:
        query = (
            "SELECT folder, place FROM ms_change WHERE mailbox = ? AND item = ? AND what = 'moved' "
            "AND sequence > ? AND sequence <= ? ORDER BY sequence"
        )
        return self.mailboxes.db.execute(query, (mailbox, number, state.start, state.until)).fetchall()

    def _passes(self, state: State, item: Item) -> bool:
        found = compile_filter(state.filter or "", COLUMNS, TYPE)
        return self.mailboxes.count(item.mailbox, f"id = ? AND {found.sql}", [item.id, *found.values]) == 1


def expired(call: GraphCall, how: str) -> errors.GraphError:
    """How a token is refused that is too old: an answer of the switch `expired_delta`."""
    if how == "400":
        return errors.expired_400()
    error = errors.resync_required() if how == "410_resync_required" else errors.state_not_found()
    if how == "410_location":  # "a Location header containing a request URL with an empty $deltatoken"
        error.headers["Location"] = call.link("$deltatoken=")
    return error
