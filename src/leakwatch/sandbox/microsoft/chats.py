"""Chats of Teams: all messages of a user's chats, their changes, and a chat's members (chats-getallmessages)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from leakwatch.sandbox.microsoft import errors, teams_errors
from leakwatch.sandbox.microsoft.call import GraphCall, Reply, Route, Workload
from leakwatch.sandbox.microsoft.calls import utc_text
from leakwatch.sandbox.microsoft.consent import TENANT_ID, guid
from leakwatch.sandbox.microsoft.delta import expired
from leakwatch.sandbox.microsoft.filters import Column, Found, compile_filter
from leakwatch.sandbox.microsoft.sealing import Seal
from leakwatch.sandbox.microsoft.settings import Kept
from leakwatch.sandbox.microsoft.teams_store import TeamsStore

Json = dict[str, Any]

TYPE = "microsoft.graph.chatMessage"
READ = ("Chat.Read.All", "Chat.ReadWrite.All")
MEMBERS = ("ChatMember.Read.All", "ChatMember.ReadWrite.All", *READ)

#: The documentation's examples have ten on a page without `$top` and fifty with it; the most is not documented.
DEFAULT_PAGE, MAX_PAGE = 10, 1_000

#: chatmessage-delta: changes of "the last 8 months".
MONTHS = timedelta(days=8 * 30)

_COLUMNS = {
    "lastModifiedDateTime": Column("m.modified", "instant"), "createdDateTime": Column("m.created", "instant"),
    "messageType": Column(
        "CASE WHEN json_extract(m.body, '$.sender') IS NULL THEN 'systemEventMessage' ELSE 'message' END", "enum"
    ),
}  # fmt: skip


class Chats:
    """Answers what is asked of chats."""

    def __init__(self, store: TeamsStore, settings: Kept, key: bytes) -> None:
        self.store = store
        self.settings = settings
        self.seal = Seal(key)

    def _user(self, call: GraphCall) -> str:
        """The id of the path's user, whose chats the application may export; raises GraphError."""
        if call.user is None:
            raise errors.no_user(call.keys[0])
        model, how = call.options.custom.get("model", "").upper(), self.settings.now.chat_export
        if model not in ("", "A", "B"):
            raise errors.bad_request(f"Invalid value '{model}' for model; A or B.")
        if how == "protected":
            raise teams_errors.protected_api()
        if how == "metered":
            raise teams_errors.licence_needed() if model == "A" else teams_errors.payment_required(model)
        return str(call.user["id"])

    def _rows(self, user: str, found: Found, tail: str, *more: Any) -> list[tuple[Any, ...]]:
        query = (
            "SELECT m.sequence, m.chat, m.id, m.created, m.modified, m.body FROM ms_chat_message m "
            f"JOIN ms_chat_member p ON p.chat = m.chat WHERE p.person = ? AND ({found.sql}) {tail}"
        )
        return self.store.db.execute(query, [user, *found.values, *more]).fetchall()

    def all_messages(self, call: GraphCall) -> Reply:
        """`/users/{id}/chats/getAllMessages`: of all chats that the user is in, whoever wrote them."""
        user, options = self._user(call), call.options
        options.refuse("orderby", "search", "expand", "deltatoken")
        text = options.get("filter")
        found = compile_filter(text, _COLUMNS, TYPE) if text else Found("1")
        size, skip = options.top(DEFAULT_PAGE, MAX_PAGE), options.skip()
        rows = self._rows(user, found, "ORDER BY m.modified DESC, m.id LIMIT ? OFFSET ?", size + 1, skip)
        value = [self._show(row) for row in rows[:size]]
        body: Json = {"@odata.context": f"{call.context}Collection(chatMessage)", "@odata.count": len(value)}
        if len(rows) > size:
            body["@odata.nextLink"] = call.link(options.again(skip=skip + size))
        return Reply(200, body | {"value": value})

    def delta(self, call: GraphCall) -> Reply:
        """`/users/{id}/chats/getAllMessages/delta`: what was written or changed, eight months back at most."""
        user, options = self._user(call), call.options
        options.refuse("orderby", "search", "expand", "skip")
        token = options.get("skiptoken") or options.get("deltatoken")
        since, until, text = 0, 0, options.get("filter") or ""
        if token:
            whose, since, until, text, at = self.seal.read(token)
            if whose != user:
                raise errors.bad_state()
            days = self.settings.now.delta_days
            if days is not None and self.store.now() - at > days * 86_400_000:
                raise expired(call, self.settings.now.expired_delta)
        if not until:
            until = self.store.db.execute("SELECT coalesce(max(sequence), 0) FROM ms_chat_message").fetchone()[0]
        found = compile_filter(text, _COLUMNS, TYPE) if text else Found("1")
        oldest = self.store.now() - round(MONTHS.total_seconds() * 1000)
        within = "AND m.sequence > ? AND m.sequence <= ? AND m.modified > ? ORDER BY m.sequence LIMIT ?"
        size = options.top(DEFAULT_PAGE, MAX_PAGE, preferred=call.prefer.page_size)
        rows = self._rows(user, found, within, since, until, oldest, size + 1)
        body: Json = {"@odata.context": f"{call.context}Collection(chatMessage)"}
        more = len(rows) > size
        state = [user, rows[size - 1][0] if more else until, until if more else 0, text, self.store.now()]
        kind = "skiptoken" if more else "deltatoken"
        body["@odata.nextLink" if more else "@odata.deltaLink"] = call.link(f"${kind}={self.seal.write(state)}")
        return Reply(200, body | {"value": [self._show(row) for row in rows[:size]]})

    def _show(self, row: tuple[Any, ...]) -> Json:
        _, chat, key, created, modified, text = row
        body: Json = json.loads(text)
        sender = self.store.person(body["sender"]) if body["sender"] else None
        user = sender and {
            "@odata.type": "#microsoft.graph.teamworkUserIdentity", "id": sender["id"],
            "displayName": sender["name"], "userIdentityType": sender["kind"], "tenantId": sender["tenant"],
        }  # fmt: skip
        event = {"@odata.type": "#microsoft.graph.callStartedEventMessageDetail", "callEventType": "call"}
        return {
            "@odata.type": f"#{TYPE}", "id": key, "replyToId": None, "etag": str(modified),
            "messageType": "message" if sender else "systemEventMessage", "createdDateTime": _text(created),
            "lastModifiedDateTime": _text(modified), "lastEditedDateTime": _text(modified) if body["edited"] else None,
            "deletedDateTime": None, "subject": None, "summary": None, "chatId": chat, "importance": "normal",
            "locale": "en-us", "webUrl": None, "channelIdentity": None, "policyViolation": None,
            "eventDetail": None if sender else event,
            "from": {"application": None, "device": None, "user": user} if sender else None,
            "body": {"contentType": "text" if sender else "html", "content": body["text"]},
            "attachments": [], "mentions": [], "reactions": [],
        }  # fmt: skip

    # -- chats -------------------------------------------------------------------------------------

    def _chat(self, call: GraphCall) -> Json:
        if self.settings.now.chat_export == "protected":
            raise teams_errors.protected_api()
        found = self.store.chat(call.keys[0])
        if found is None:
            raise teams_errors.not_found("Chat")
        return found

    def get(self, call: GraphCall) -> Reply:
        """`/chats/{id}`."""
        chat = self._chat(call)
        query = "SELECT max(modified) FROM ms_chat_message WHERE chat = ?"
        last = self.store.db.execute(query, (chat["id"],)).fetchone()[0]
        body = {
            "id": chat["id"], "topic": chat["topic"], "createdDateTime": _text(chat["created"]),
            "lastUpdatedDateTime": _text(last or chat["created"]), "chatType": chat["kind"], "tenantId": TENANT_ID,
            "webUrl": None, "onlineMeetingInfo": None,
        }  # fmt: skip
        return Reply(200, {"@odata.context": f"{call.context}chats/$entity"} | body)

    def members(self, call: GraphCall) -> Reply:
        """`/chats/{id}/members`: people of other tenants come without an address."""
        chat = self._chat(call)
        value: list[Json] = []
        for address in chat["members"]:
            person = self.store.person(address)
            value.append(
                {
                    "@odata.type": "#microsoft.graph.aadUserConversationMember",
                    "id": guid("member", chat["id"], person["id"]), "roles": ["owner"], "displayName": person["name"],
                    "visibleHistoryStartDateTime": "0001-01-01T00:00:00Z", "userId": person["id"],
                    "email": person["email"], "tenantId": person["tenant"],
                }
            )  # fmt: skip
        context = f"{call.context}chats('{call.keys[0]}')/members"
        return Reply(200, {"@odata.context": context, "@odata.count": len(value), "value": value})

    def routes(self) -> list[Route]:
        """What of Graph is here."""
        everything, teams = "users/{}/chats/getAllMessages", Workload.TEAMS
        return [
            Route("chats.getAllMessages", "GET", everything, READ, self.all_messages, teams),
            Route("chats.getAllMessages.delta", "GET", f"{everything}/delta", READ, self.delta, teams),
            Route("chats.get", "GET", "chats/{}", READ, self.get, teams),
            Route("chats.members", "GET", "chats/{}/members", MEMBERS, self.members, teams),
        ]


def _text(milliseconds: int) -> str:
    return utc_text(datetime.fromtimestamp(milliseconds / 1000, UTC))
