"""Mail folders: the visible ones under the root, their children, and what is in them (resource mailFolder)."""

from __future__ import annotations

from typing import Any

from leakwatch.sandbox.microsoft import ids
from leakwatch.sandbox.microsoft.call import GraphCall, Reply, Route
from leakwatch.sandbox.microsoft.mail import READ, resolve_folder, selected
from leakwatch.sandbox.microsoft.rows import Folder
from leakwatch.sandbox.microsoft.store import Mailboxes

#: "If a collection exceeds the default page size (10 items)".
DEFAULT_PAGE, MAX_PAGE = 10, 1_000
TYPE = "microsoft.graph.mailFolder"
PROPERTIES = (
    "displayName", "parentFolderId", "childFolderCount", "unreadItemCount", "totalItemCount", "isHidden",
)  # fmt: skip


class Folders:
    """Answers what is asked of folders."""

    def __init__(self, mailboxes: Mailboxes) -> None:
        self.mailboxes = mailboxes

    def _show(self, folder: Folder, everyone: list[Folder], select: list[str] | None) -> dict[str, Any]:
        guid = self.mailboxes.guid(folder.mailbox)
        where, values = "folder = ?", [folder.id]
        body: dict[str, Any] = {
            "id": ids.folder_id(guid, folder.id),
            "displayName": folder.name,
            "parentFolderId": ids.folder_id(guid, folder.parent),
            "childFolderCount": sum(1 for one in everyone if one.parent == folder.id and not one.hidden),
            "unreadItemCount": self.mailboxes.count(folder.mailbox, f"{where} AND is_read = 0", values),
            "totalItemCount": self.mailboxes.count(folder.mailbox, where, values),
            "isHidden": folder.hidden,
        }
        return body if select is None else {"id": body["id"]} | {name: body[name] for name in select}

    def _list(self, call: GraphCall, parent: int, context: str) -> Reply:
        options = call.options
        options.refuse("skiptoken", "deltatoken", "search", "orderby", "filter")
        select = options.select(frozenset(("id", *PROPERTIES)), TYPE)
        with_hidden = options.custom.get("includehiddenfolders", "").lower() == "true"
        everyone = self.mailboxes.folders(call.mailbox)
        there = [one for one in everyone if one.parent == parent and (with_hidden or not one.hidden)]
        size, skip = options.top(DEFAULT_PAGE, MAX_PAGE, preferred=call.prefer.page_size), options.skip()
        body: dict[str, Any] = {"@odata.context": context + selected(tuple(select) if select else None)}
        if options.flag("count"):
            body["@odata.count"] = len(there)
        if call.request.behaviour == "empty_page":
            return Reply(200, body | {"value": [], "@odata.nextLink": call.link(options.again(skip=skip))})
        body["value"] = [self._show(one, everyone, select) for one in there[skip : skip + size]]
        if len(there) > skip + size:
            body["@odata.nextLink"] = call.link(options.again(skip=skip + size))
        return Reply(200, body)

    def list_roots(self, call: GraphCall) -> Reply:
        """`/users/{id}/mailFolders`: the children of the visible root alone."""
        root = self.mailboxes.folder(call.mailbox, "msgfolderroot")
        return self._list(call, root, f"{call.owner}/mailFolders")

    def list_children(self, call: GraphCall) -> Reply:
        """`/users/{id}/mailFolders/{id}/childFolders`."""
        parent = resolve_folder(self.mailboxes, call.mailbox, call.keys[1])
        context = f"{call.owner}/mailFolders('{call.keys[1]}')/childFolders"
        return self._list(call, parent, context)

    def get(self, call: GraphCall) -> Reply:
        """`/users/{id}/mailFolders/{id or well-known name}`."""
        number = resolve_folder(self.mailboxes, call.mailbox, call.keys[1])
        select = call.options.select(frozenset(("id", *PROPERTIES)), TYPE)
        everyone = self.mailboxes.folders(call.mailbox)
        folder = next(one for one in everyone if one.id == number)
        context = f"{call.owner}/mailFolders/$entity"
        return Reply(200, {"@odata.context": context} | self._show(folder, everyone, select))

    def routes(self) -> list[Route]:
        """What of Graph is here."""
        return [
            Route("mailFolders.list", "GET", "users/{}/mailFolders", READ, self.list_roots),
            Route("mailFolders.get", "GET", "users/{}/mailFolders/{}", READ, self.get),
            Route("mailFolders.list", "GET", "users/{}/mailFolders/{}/childFolders", READ, self.list_children),
        ]
