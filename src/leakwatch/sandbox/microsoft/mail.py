"""Messages: lists of a whole mailbox or of one folder, and single ones (api-reference user-list-messages)."""

from __future__ import annotations

from typing import Any

from leakwatch.sandbox.microsoft import errors, ids
from leakwatch.sandbox.microsoft.call import GraphCall, Reply, Route
from leakwatch.sandbox.microsoft.filters import Column, Found, compile_filter, compile_order, goes_together
from leakwatch.sandbox.microsoft.message import BASIC_HIDES, COLUMNS, SELECTABLE, TYPE, View
from leakwatch.sandbox.microsoft.rows import NAMELESS, Item
from leakwatch.sandbox.microsoft.settings import Kept
from leakwatch.sandbox.microsoft.store import Mailboxes

#: "The default page size is 10 messages. Use $top ... within the range of 1 and 1000."
DEFAULT_PAGE, MAX_PAGE = 10, 1_000

#: "The maximum size of this collection is 1000 strings" (user-translateexchangeids).
MAX_TRANSLATED = 1_000

READ = ("Mail.ReadBasic.All", "Mail.ReadBasic", "Mail.Read", "Mail.ReadWrite")
_WHOLE = frozenset(("Mail.Read", "Mail.ReadWrite"))

#: A message without its bodies is so much lighter to make (what counts towards a 504).
_LIGHT = 10


def resolve_folder(mailboxes: Mailboxes, mailbox: str, key: str) -> int:
    """The number of a folder named by its id or its well-known name; raises GraphError."""
    name = key.lower()
    if name not in NAMELESS:
        try:
            return mailboxes.folder(mailbox, name)
        except KeyError:
            pass
    meant = ids.read(key)
    if meant is None:
        raise errors.bad_id()
    if meant.kind != "folder" or not ids.belongs(meant, mailboxes.guid(mailbox)):
        raise errors.no_item()
    if not any(folder.id == meant.number for folder in mailboxes.folders(mailbox)):
        raise errors.no_item()
    return meant.number


def resolve_item(mailboxes: Mailboxes, mailbox: str, key: str) -> Item:
    """The message that an id means, mutable or immutable; raises GraphError. After a move the former place is empty."""
    meant = ids.read(key)
    if meant is None:
        raise errors.bad_id()
    if meant.kind == "folder" or not ids.belongs(meant, mailboxes.guid(mailbox)):
        raise errors.no_item()
    find = mailboxes.get if meant.kind == "item" else mailboxes.at_place
    item = find(mailbox, meant.number)
    if item is None:
        raise errors.no_item()
    return item


class Mail:
    """Answers what is asked of messages."""

    def __init__(self, mailboxes: Mailboxes, settings: Kept) -> None:
        self.mailboxes = mailboxes
        self.settings = settings

    def view(self, call: GraphCall, *, typed: bool = False) -> View:
        """How this call wants messages shown."""
        select = call.options.select(SELECTABLE, TYPE)
        hidden = frozenset[str]() if call.permissions & _WHOLE else BASIC_HIDES
        if hidden & set(select or ()) and self.settings.now.basic_select == "denied":
            raise errors.denied()
        if call.prefer.immutable_ids:
            call.applied.append('IdType="ImmutableId"')
        if call.prefer.text_bodies:
            call.applied.append("outlook.body-content-type=text")
        return View(
            self.mailboxes,
            self.mailboxes.guid(call.mailbox),
            tuple(name for name in select if name != "id") if select is not None else None,
            call.prefer.immutable_ids,
            call.prefer.text_bodies,
            hidden,
            typed,
        )

    def columns(self, mailbox: str) -> dict[str, Column]:
        """What messages of a mailbox can be filtered by."""
        guid = self.mailboxes.guid(mailbox)

        def folder(key: str) -> int:
            meant = ids.read(key)
            return meant.number if meant is not None and meant.kind == "folder" and ids.belongs(meant, guid) else 0

        def thread(key: str) -> str:
            data = ids.conversation_guid(key)
            return data if data and ids.conversation_id(guid, data) == key else ""

        return COLUMNS | {
            "parentFolderId": Column("folder", convert=folder),
            "conversationId": Column("thread", convert=thread),
        }

    def _found(self, call: GraphCall, folder: int | None) -> tuple[Found, str]:
        """The condition and the order of a list; raises GraphError, `InefficientFilter` among others."""
        options = call.options
        options.refuse("skiptoken", "deltatoken")
        if options.get("search") is not None:
            raise errors.not_emulated("$search of messages")
        if options.get("expand") is not None:
            raise errors.not_emulated("$expand of messages")
        columns = self.columns(call.mailbox)
        text, sort = options.get("filter"), options.get("orderby")
        found = compile_filter(text, columns, TYPE) if text else Found("1")
        order = compile_order(sort, columns, TYPE) if sort else []
        if text and order and not goes_together(found.properties, [name for name, _ in order]):
            raise errors.inefficient_filter()
        if folder is not None:
            found = Found(f"folder = ? AND ({found.sql})", [folder, *found.values], found.properties)
        elif self.settings.now.chat_items != "listed":
            found = Found(f"kind <> 'chat' AND ({found.sql})", found.values, found.properties)
        terms = [sql for _, sql in order] or ["received DESC"]
        return found, ", ".join([*terms, "id DESC"])

    def _list(self, call: GraphCall, folder: int | None) -> Reply:
        view = self.view(call)
        found, order = self._found(call, folder)
        options = call.options
        size = options.top(DEFAULT_PAGE, MAX_PAGE, preferred=call.prefer.page_size)
        if call.prefer.page_size is not None and options.get("top") is None:
            call.applied.append(f"odata.maxpagesize={size}")
        skip = options.skip()
        body: dict[str, Any] = {"@odata.context": self._context(call, folder, view)}
        if options.flag("count"):
            body["@odata.count"] = self.mailboxes.count(call.mailbox, found.sql, found.values)
        if call.request.behaviour == "empty_page":
            return Reply(200, body | {"value": [], "@odata.nextLink": call.link(options.again(skip=skip))})
        tail = f"ORDER BY {order} LIMIT {size + 1} OFFSET {skip}"
        items = self.mailboxes.where(call.mailbox, found.sql, found.values, tail)
        self.weigh(view, min(size, len(items)))
        body["value"] = [view.show(item) for item in items[:size]]
        if call.request.behaviour == "repeat":
            body["value"] = [one for one in body["value"] for _ in range(2)]
        if len(items) > size:
            body["@odata.nextLink"] = call.link(options.again(skip=skip + size))
        return Reply(200, body)

    def weigh(self, view: View, count: int) -> None:
        """Raise GraphError (504) for a page that would take too long to make."""
        heavy = view.select is None or {"body", "uniqueBody", "internetMessageHeaders"} & set(view.select)
        if count > self.settings.now.page_weight * (1 if heavy else _LIGHT):
            raise errors.gateway_timeout()

    def _context(self, call: GraphCall, folder: int | None, view: View) -> str:
        within = "" if folder is None else f"/mailFolders('{call.keys[1]}')"
        return f"{call.owner}{within}/messages{selected(view.select)}"

    # -- operations --------------------------------------------------------------------------------

    def list_all(self, call: GraphCall) -> Reply:
        """`/users/{id}/messages`: the whole mailbox, Deleted Items, drafts and Teams' chats among it."""
        return self._list(call, None)

    def list_folder(self, call: GraphCall) -> Reply:
        """`/users/{id}/mailFolders/{id}/messages`."""
        return self._list(call, resolve_folder(self.mailboxes, call.mailbox, call.keys[1]))

    def count_all(self, call: GraphCall) -> Reply:
        """`/users/{id}/messages/$count`: a number as plain text."""
        found, _ = self._found(call, None)
        return Reply(200, str(self.mailboxes.count(call.mailbox, found.sql, found.values)))

    def count_folder(self, call: GraphCall) -> Reply:
        """`/users/{id}/mailFolders/{id}/messages/$count`."""
        found, _ = self._found(call, resolve_folder(self.mailboxes, call.mailbox, call.keys[1]))
        return Reply(200, str(self.mailboxes.count(call.mailbox, found.sql, found.values)))

    def get(self, call: GraphCall) -> Reply:
        """`/users/{id}/messages/{id}`."""
        call.options.refuse("filter", "orderby", "top", "skip")
        view = self.view(call)
        item = resolve_item(self.mailboxes, call.mailbox, call.keys[-1])
        context = f"{call.owner}/messages{selected(view.select)}/$entity"
        return Reply(200, {"@odata.context": context} | view.show(item))

    def get_mime(self, call: GraphCall) -> Reply:
        """`/users/{id}/messages/{id}/$value`: the message as it came (RFC 5322)."""
        item = resolve_item(self.mailboxes, call.mailbox, call.keys[-1])
        call.headers["Content-Type"] = "text/plain"
        return Reply(200, self.mailboxes.raw(item))

    def translate(self, call: GraphCall) -> Reply:
        """`/users/{id}/translateExchangeIds`: from one form of ids to the other."""
        body = call.json()
        sort = str(body.get("SourceIdType") or body.get("sourceIdType") or "").lower()
        target = str(body.get("TargetIdType") or body.get("targetIdType") or "").lower()
        known = {"restid": "place", "restimmutableentryid": "item"}
        if sort not in known or target not in known:
            raise errors.not_emulated("ids of MAPI and EWS; restId and restImmutableEntryId are there")
        given: list[Any] = body.get("InputIds") or body.get("inputIds") or []
        if len(given) > MAX_TRANSLATED:
            raise errors.bad_request(f"At most {MAX_TRANSLATED} ids can be translated at once.")
        guid = self.mailboxes.guid(call.mailbox)
        results: list[dict[str, Any]] = []
        for text in given:
            try:
                item = resolve_item(self.mailboxes, call.mailbox, str(text))
            except errors.GraphError as error:
                detail = {"code": error.code, "message": error.message}
                results.append({"sourceId": text, "targetId": None, "errorDetails": detail})
                continue
            view = View(self.mailboxes, guid, immutable=known[target] == "item")
            results.append({"sourceId": text, "targetId": view.id_of(item.id, item.folder, item.place)})
        context = f"{call.context}Collection(microsoft.graph.convertIdResult)"
        return Reply(200, {"@odata.context": context, "value": results})

    def routes(self) -> list[Route]:
        """What of Graph is here."""
        folder = "users/{}/mailFolders/{}/messages"
        whole = ("Mail.Read", "Mail.ReadWrite")
        people = ("User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All")
        return [
            Route("messages.list", "GET", "users/{}/messages", READ, self.list_all),
            Route("messages.count", "GET", "users/{}/messages/$count", READ, self.count_all),
            Route("messages.list", "GET", folder, READ, self.list_folder),
            Route("messages.count", "GET", folder + "/$count", READ, self.count_folder),
            Route("messages.get", "GET", "users/{}/messages/{}", READ, self.get),
            Route("messages.get", "GET", folder + "/{}", READ, self.get),
            Route("messages.mime", "GET", "users/{}/messages/{}/$value", whole, self.get_mime),
            Route("translateExchangeIds", "POST", "users/{}/translateExchangeIds", people, self.translate),
        ]


def selected(select: tuple[str, ...] | None) -> str:
    """What `@odata.context` says of a selection."""
    return "" if select is None else f"({','.join(select)})"
