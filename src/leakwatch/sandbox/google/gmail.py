"""Gmail v1, the reading half: profile, messages, threads, history, labels."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from leakwatch.sandbox.google import mime, search
from leakwatch.sandbox.google.directory import page_size, read_text_token, write_token
from leakwatch.sandbox.google.errors import forbidden, invalid, not_found
from leakwatch.sandbox.google.store import SYSTEM_LABELS, MailStore, Stored

#: Page sizes of messages.list, threads.list and history.list (reference: default 100, maximum 500).
DEFAULT_PAGE, MAX_PAGE = 100, 500

METADATA = "https://www.googleapis.com/auth/gmail.metadata"

#: historyTypes -> the key of a history record
RECORD_KEYS = {
    "messageAdded": "messagesAdded",
    "messageDeleted": "messagesDeleted",
    "labelAdded": "labelsAdded",
    "labelRemoved": "labelsRemoved",
}

_HEX_ID = re.compile(r"[0-9a-f]{1,16}")


@dataclass(frozen=True, slots=True)
class Call:
    """One API call, already allowed: whose mailbox, which parameters, under which scopes."""

    mailbox: str
    query: dict[str, list[str]]
    scopes: frozenset[str]
    key: str = ""
    empty_page: bool = False
    """A fault: answer an empty page that has a next page."""

    def one(self, name: str) -> str | None:
        """The last value of a parameter."""
        values = self.query.get(name)
        return values[-1] if values else None

    @property
    def metadata_only(self) -> bool:
        """gmail.metadata restricts even where a wider scope is granted beside it (a known Gmail fault)."""
        return METADATA in self.scopes


@dataclass(slots=True)
class Gmail:
    """Answers the calls from the store."""

    store: MailStore
    history_days: int = 30

    def get_profile(self, call: Call) -> dict[str, Any]:
        """users.getProfile."""
        messages, threads = self.store.count(call.mailbox)
        return {
            "emailAddress": call.mailbox,
            "messagesTotal": messages,
            "threadsTotal": threads,
            "historyId": str(self.store.history_id(call.mailbox)),
        }

    # -- lists -------------------------------------------------------------------------------------

    def list_messages(self, call: Call) -> dict[str, Any]:
        """users.messages.list: newest first."""
        rows, following, total = self._page(call, "m.id", "m.thread")
        answer: dict[str, Any] = {}
        if rows:
            answer["messages"] = [{"id": row[1], "threadId": row[2]} for row in rows]
        if following:
            answer["nextPageToken"] = following
        answer["resultSizeEstimate"] = total
        return answer

    def list_threads(self, call: Call) -> dict[str, Any]:
        """users.threads.list: threads by their newest matching message."""
        rows, following, total = self._page(call, "max(m.id)", "m.thread", group=" GROUP BY m.thread")
        answer: dict[str, Any] = {}
        if rows:
            answer["threads"] = [
                {
                    "id": row[2],
                    "snippet": "" if call.metadata_only else self._stored(call, row[1]).snippet,
                    "historyId": str(self._thread_history(call, row[2])),
                }
                for row in rows
            ]
        if following:
            answer["nextPageToken"] = following
        answer["resultSizeEstimate"] = total
        return answer

    def _thread_history(self, call: Call, thread: str) -> int:
        query = "SELECT max(history) FROM message WHERE mailbox = ? AND thread = ?"
        return int(self.store.db.execute(query, (call.mailbox, thread)).fetchone()[0])

    def _page(
        self, call: Call, id_sql: str, thread_sql: str, group: str = ""
    ) -> tuple[list[tuple[int, str, str]], str | None, int]:
        where, values = self._filter(call)
        size = page_size(call.one("maxResults"), DEFAULT_PAGE, MAX_PAGE)
        total = self.store.db.execute(f"SELECT count(*) FROM message m WHERE {where}", values).fetchone()[0]
        token = call.one("pageToken") or ""
        at_sql = "max(m.at)" if group else "m.at"
        having = ""
        if token:
            at, message = _position(token)
            condition = f"({at_sql}, {id_sql}) < (?, ?)"
            having = f" HAVING {condition}" if group else f" AND {condition}"
            values = [*values, at, message]
        if call.empty_page:
            return [], token or write_token(f"{2**62} ~"), total
        rows = self.store.db.execute(
            f"SELECT {at_sql}, {id_sql}, {thread_sql} FROM message m WHERE {where}"
            f"{group}{having} ORDER BY 1 DESC, 2 DESC LIMIT ?",
            [*values, size + 1],
        ).fetchall()
        page = rows[:size]
        more = len(rows) > size
        return page, write_token(f"{page[-1][0]} {page[-1][1]}") if more else None, total

    def _filter(self, call: Call) -> tuple[str, list[str | int]]:
        clauses = ["m.mailbox = ?"]
        values: list[str | int] = [call.mailbox]
        wanted = call.query.get("labelIds", [])
        known = {label for label, _ in self.store.user_labels(call.mailbox)} | set(SYSTEM_LABELS)
        for label in wanted:
            if label not in known:
                raise invalid(f"Invalid label: {label}")
            clauses.append("m.id IN (SELECT message FROM label WHERE mailbox = ? AND label = ?)")
            values += [call.mailbox, label]
        with_bin = call.one("includeSpamTrash") == "true" or bool({"SPAM", "TRASH"} & set(wanted))
        if "q" in call.query:
            if call.metadata_only:
                raise forbidden("Metadata scope does not support 'q' parameter")
            names = {name.lower().replace(" ", "-"): key for key, name in self.store.user_labels(call.mailbox)}
            found = search.compile_query(call.one("q") or "", self.store.clock.now(), names)
            clauses.append(found.sql)
            values += found.values
            with_bin = with_bin or found.names_bin
        if not with_bin:
            clauses.append(
                "NOT EXISTS (SELECT 1 FROM label x WHERE x.mailbox = m.mailbox AND x.message = m.id "
                "AND x.label IN ('SPAM', 'TRASH'))"
            )
        return " AND ".join(clauses), values

    # -- single things -----------------------------------------------------------------------------

    def _stored(self, call: Call, message: str) -> Stored:
        if not _HEX_ID.fullmatch(message):
            raise invalid("Invalid id value")
        stored = self.store.get(call.mailbox, message)
        if stored is None:
            raise not_found()
        return stored

    def get_message(self, call: Call) -> dict[str, Any]:
        """users.messages.get in its four formats."""
        return self._message(call, call.key, _format(call, {"minimal", "metadata", "full", "raw"}))

    def _message(self, call: Call, message: str, form: str) -> dict[str, Any]:
        if call.metadata_only and form in {"full", "raw"}:
            raise forbidden(f"Metadata scope doesn't allow format {form.upper()}")
        stored = self._stored(call, message)
        answer: dict[str, Any] = {"id": stored.id, "threadId": stored.thread, "labelIds": stored.labels}
        if not call.metadata_only:
            answer["snippet"] = stored.snippet
        if form == "metadata":
            answer["payload"] = {"mimeType": stored.mime_type, "headers": _headers(call, stored)}
        elif form == "full":
            answer["payload"] = mime.payload_tree(self.store.raw(call.mailbox, message), message=message)
        elif form == "raw":
            answer["raw"] = mime.b64url(self.store.raw(call.mailbox, message))
        answer["sizeEstimate"] = stored.size
        answer["historyId"] = str(stored.history)
        answer["internalDate"] = str(stored.at)
        if not answer["labelIds"]:
            del answer["labelIds"]
        return answer

    def get_thread(self, call: Call) -> dict[str, Any]:
        """users.threads.get: all messages of the thread, oldest first."""
        form = _format(call, {"minimal", "metadata", "full"})
        if not _HEX_ID.fullmatch(call.key):
            raise invalid("Invalid id value")
        messages = self.store.thread(call.mailbox, call.key)
        if not messages:
            raise not_found()
        bodies = [self._message(call, message, form) for message in messages]
        return {
            "id": call.key,
            "historyId": str(max(int(body["historyId"]) for body in bodies)),
            "messages": bodies,
        }

    # -- history -----------------------------------------------------------------------------------

    def list_history(self, call: Call) -> dict[str, Any]:
        """users.history.list: what happened after startHistoryId, in order."""
        start_text = call.one("startHistoryId")
        if start_text is None:
            raise invalid("Missing/invalid parameter: startHistoryId")
        if not start_text.isdigit() or int(start_text) >= 2**63:
            raise invalid(f"Invalid value at 'start_history_id' (TYPE_UINT64), \"{start_text}\"")
        start = int(start_text)
        self.store.expire_history(call.mailbox, self.store.clock.now() - timedelta(days=self.history_days))
        current = self.store.history_id(call.mailbox)
        if start < self.store.history_floor(call.mailbox) or start > current:
            raise not_found()
        token = call.one("pageToken")
        after, until = _history_position(token, start, current)
        answer: dict[str, Any] = {}
        size = page_size(call.one("maxResults"), DEFAULT_PAGE, MAX_PAGE)
        rows = [] if call.empty_page else self._records(call, after, until, size + 1)
        if rows:
            answer["history"] = [_record(row) for row in rows[:size]]
        if call.empty_page or len(rows) > size:
            last = after if call.empty_page else int(rows[size - 1][0])
            answer["nextPageToken"] = write_token(f"{last} {until}")
        answer["historyId"] = str(current)
        return answer

    def _records(self, call: Call, after: int, until: int, limit: int) -> list[tuple[Any, ...]]:
        kinds = call.query.get("historyTypes", list(RECORD_KEYS))
        unknown = [kind for kind in kinds if kind not in RECORD_KEYS]
        if unknown:
            raise invalid(
                f"Invalid value at 'history_types' (type.googleapis.com/google.caribou.api.proto."
                f'ListHistoryRequest.HistoryType), "{unknown[0]}"'
            )
        marks = ", ".join("?" * len(kinds))
        values: list[str | int] = [call.mailbox, after, until, *kinds]
        label = call.one("labelId")
        clause = ""
        if label is not None:
            clause = " AND EXISTS (SELECT 1 FROM json_each(history.labels) j WHERE j.value = ?)"
            values.append(label)
        return self.store.db.execute(
            "SELECT id, kind, message, thread, labels, changed FROM history WHERE mailbox = ? AND id > ? "
            f"AND id <= ? AND kind IN ({marks}){clause} ORDER BY id LIMIT ?",
            [*values, limit],
        ).fetchall()

    # -- labels ------------------------------------------------------------------------------------

    def list_labels(self, call: Call) -> dict[str, Any]:
        """users.labels.list."""
        system = [{"id": name, "name": name, "type": "system"} for name in SYSTEM_LABELS]
        own = [
            {
                "id": key,
                "name": name,
                "messageListVisibility": "show",
                "labelListVisibility": "labelShow",
                "type": "user",
            }
            for key, name in self.store.user_labels(call.mailbox)
        ]
        return {"labels": [*system, *own]}

    def get_label(self, call: Call) -> dict[str, Any]:
        """users.labels.get, with its counts."""
        found = [label for label in self.list_labels(call)["labels"] if label["id"] == call.key]
        if not found:
            raise not_found()
        counts = "SELECT count(*), count(DISTINCT m.thread) FROM message m JOIN label l ON l.mailbox = m.mailbox "
        counts += "AND l.message = m.id WHERE m.mailbox = ? AND l.label = ?"
        row = self.store.db.execute(counts, (call.mailbox, call.key)).fetchone()
        unread = counts + " AND m.id IN (SELECT message FROM label WHERE mailbox = ? AND label = 'UNREAD')"
        new = self.store.db.execute(unread, (call.mailbox, call.key, call.mailbox)).fetchone()
        return found[0] | {
            "messagesTotal": row[0],
            "messagesUnread": new[0],
            "threadsTotal": row[1],
            "threadsUnread": new[1],
        }


def _format(call: Call, allowed: set[str]) -> str:
    form = (call.one("format") or "full").lower()
    if form not in allowed:
        raise invalid(
            f"Invalid value at 'format' (type.googleapis.com/google.caribou.api.proto.MessageFormat), \"{form}\""
        )
    return form


def _headers(call: Call, stored: Stored) -> list[dict[str, str]]:
    wanted = {name.lower() for name in call.query.get("metadataHeaders", [])}
    return [{"name": name, "value": value} for name, value in stored.headers if not wanted or name.lower() in wanted]


def _position(token: str) -> tuple[int, str]:
    at, _, message = read_text_token(token).partition(" ")
    if not at.isdigit() or not message:
        raise invalid("Invalid pageToken")
    return int(at), message


def _history_position(token: str | None, start: int, current: int) -> tuple[int, int]:
    if not token:
        return start, current
    after, _, until = read_text_token(token).partition(" ")
    if not after.isdigit() or not until.isdigit():
        raise invalid("Invalid pageToken")
    return int(after), int(until)


def _record(row: tuple[Any, ...]) -> dict[str, Any]:
    history, kind, message, thread, labels, changed = row
    reference = {"id": message, "threadId": thread}
    entry: dict[str, Any] = {"message": reference | {"labelIds": json.loads(labels)}}
    if kind in {"labelAdded", "labelRemoved"}:
        entry["labelIds"] = json.loads(changed)
    return {"id": str(history), "messages": [reference], RECORD_KEYS[kind]: [entry]}
