"""Outlook mail and the tenant's users, read: page-sized calls that return Graph's own JSON as dicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote

import orjson

from leakwatch.clients import microsoft_batch
from leakwatch.clients.microsoft import IMMUTABLE, GraphClient
from leakwatch.clients.microsoft_errors import classify
from leakwatch.errors import LeakwatchError, NotFoundError, TransientError

# No body, no preview: what Mail.ReadBasic.All shows is all that is asked for. `internetMessageHeaders` must be named.
SELECT = (
    "id,internetMessageId,conversationId,parentFolderId,isDraft,receivedDateTime,sentDateTime,from,sender,toRecipients,"
    "ccRecipients,bccRecipients,replyTo,subject,categories,internetMessageHeaders"
)
#: well-known names of folders whose mail is no conversation, or is ours (resource mailFolder)
ROLES = ("sentitems", "drafts", "deleteditems", "junkemail", "outbox", "conversationhistory")
USER_SELECT = "id,mail,userPrincipalName,displayName,accountEnabled,userType,proxyAddresses"
MAX_FOLDERS = 2_000  # of one mailbox; more than any was seen to have


class OutlookClient:
    """Outlook mail of one tenant. Every method opens the mailbox of `subject`, who must be on the roster."""

    def __init__(self, graph: GraphClient) -> None:
        self._graph = graph

    def folders(self, subject: str) -> dict[str, str]:
        """Return id -> id of the folder above, of every visible folder, children of children included.

        Raises:
            TransientError: the answer is no list of folders, or there are more than `MAX_FOLDERS`.
        """
        mailbox = self._graph.mailbox(subject)
        found: dict[str, str] = {}
        waiting = [f"{mailbox}/mailFolders"]
        while waiting:
            query = "$select=id,parentFolderId,childFolderCount&$top=250"
            for row in self._all(subject, f"{waiting.pop()}?{query}", "mailFolders.list"):
                name = str(row.get("id") or "")
                if name and name not in found:
                    found[name] = str(row.get("parentFolderId") or "")
                    if row.get("childFolderCount"):
                        waiting.append(f"{mailbox}/mailFolders/{quote(name, safe='')}/childFolders")
            if len(found) > MAX_FOLDERS:
                raise TransientError(f"this mailbox has more than {MAX_FOLDERS:,} folders; it was not read")
        if not found:
            raise TransientError("Graph answered mailFolders without a folder; every mailbox has an Inbox")
        return found

    def roles(self, subject: str) -> dict[str, str]:
        """Return folder id -> well-known name, of those in `ROLES` that this mailbox has."""
        mailbox = self._graph.mailbox(subject)
        paths = [f"{mailbox}/mailFolders/{name}?$select=id" for name in ROLES]
        found, gone, _ = self._batch(subject, dict(zip(ROLES, paths, strict=True)), "mailFolders.get")
        if len(found) + len(gone) < len(ROLES):
            raise TransientError("Graph did not say which folders are Sent Items, Deleted Items and so on")
        return {str(row.get("id")): name for name, row in found.items()}

    def window(self, subject: str, start: datetime, end: datetime, size: int) -> dict[str, Any]:
        """Return the first page of what was received from `start` on and before `end`, oldest first, with its count.

        What is ordered by comes first in the filter (user-list-messages, `InefficientFilter`).

        Raises:
            PageTooBigError: `size` is to be halved. Others: see `GraphClient.get`.
        """
        condition = f"receivedDateTime ge {_stamp(start)} and receivedDateTime lt {_stamp(end)}"
        query = f"$filter={quote(condition)}&$orderby=receivedDateTime&$select={SELECT}&$top={size}&$count=true"
        page = self._page(subject, f"{self._graph.mailbox(subject)}/messages?{query}", "messages.list", size)
        if not isinstance(page.get("@odata.count"), int):
            raise TransientError("Graph gave no count with a list of mails; without it nothing says that all came")
        return page

    def follow(self, subject: str, link: str, size: int, operation: str = "messages.list") -> dict[str, Any]:
        """Return the page that a link of Graph's leads to. Errors: as `window`, `changes`."""
        return self._page(subject, self._graph.own_link(subject, link), operation, size)

    def changes(self, subject: str, folder: str, since: datetime | None, size: int) -> dict[str, Any]:
        """Return the first page of a folder's change tracking: of what was received from `since` on, or of everything.

        Raises:
            NotFoundError: the folder is gone. PageTooBigError, and others: see `GraphClient.get`.
        """
        path = f"{self._graph.mailbox(subject)}/mailFolders/{quote(folder, safe='')}/messages/delta"
        query = f"$select={SELECT}"
        if since is not None:
            query += f"&$filter={quote(f'receivedDateTime ge {_stamp(since)}')}"
        return self._page(subject, f"{path}?{query}", "messages.delta", size)

    def get_messages(self, subject: str, ids: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
        """Return (messages in the order of `ids`, ids that are gone).

        One that Graph can't give, however often it is asked, while it gives others, comes as its bare id.

        Raises:
            AuthError: the mailbox refuses us. TransientError: nothing could be had after all tries.
        """
        found, gone, failed = self._messages(subject, ids)
        if failed and not found and not gone:
            raise TransientError("Graph gave none of the mails it was asked for")
        found |= {name: {"id": name} for name in failed}
        return [found[name] for name in dict.fromkeys(ids) if name in found], gone

    def ask_again(self, subject: str, ids: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
        """Return (messages, ids that are gone) of what Graph now gives of `ids`; each is asked for once."""
        found, gone, _ = self._messages(subject, ids, patient=False)
        return list(found.values()), gone

    def users(self) -> list[dict[str, Any]]:
        """Return every user of the tenant. Errors: see `GraphClient.get`."""
        return list(self._all("", f"/users?$select={USER_SELECT}&$top=999", "users.list"))

    # --- pages ---

    def _page(self, subject: str, url: str, operation: str, size: int) -> dict[str, Any]:
        headers = {"ConsistencyLevel": "eventual"} if "$count=" in url else None
        page = _checked(self._graph.get(subject, url, operation=operation, headers=headers, page_size=size), operation)
        links = [name for name in ("@odata.nextLink", "@odata.deltaLink") if name in page]
        for name in links:
            page[name] = self._graph.own_link(subject, page[name])
        if operation == "messages.delta" and not links:
            raise TransientError("Graph gave changes without a link to what follows")
        return page

    def _all(self, subject: str, url: str, operation: str) -> Sequence[dict[str, Any]]:
        """Return the rows of every page; an empty page is not the last one."""
        rows: list[dict[str, Any]] = []
        seen: set[str] = set()
        following: str | None = url
        while following is not None:
            seen.add(following)
            page = _checked(self._graph.get(subject, following, operation=operation), operation)
            rows += page["value"]
            link = page.get("@odata.nextLink")
            following = None if link is None else self._link(subject, link)
            if following in seen:
                raise TransientError(f"Graph leads back to a page of {operation} that was read")
        return rows

    def _link(self, subject: str, link: Any) -> str:
        if subject:
            return self._graph.own_link(subject, link)
        if not str(link).startswith(f"{self._graph.base}/users?"):
            raise TransientError("a link to the next page of users leads elsewhere; it was not followed")
        return str(link)

    # --- batches ---

    def _messages(
        self, subject: str, ids: Sequence[str], *, patient: bool = True
    ) -> tuple[dict[str, dict[str, Any]], list[str], list[str]]:
        mailbox = self._graph.mailbox(subject)
        paths = {name: f"{mailbox}/messages/{quote(name, safe='')}?$select={SELECT}" for name in ids}
        return self._batch(subject, paths, "messages.get", patient=patient)

    def _batch(
        self, subject: str, paths: Mapping[str, str], operation: str, *, patient: bool = True
    ) -> tuple[dict[str, dict[str, Any]], list[str], list[str]]:
        """Return (answers by name, names that are gone, names that failed). Only failed parts are asked for again."""
        found: dict[str, dict[str, Any]] = {}
        gone: list[str] = []
        failed: list[str] = []
        names = list(paths)
        for start in range(0, len(names), microsoft_batch.MAX_PARTS):
            some = {name: paths[name] for name in names[start : start + microsoft_batch.MAX_PARTS]}
            once = self._one_batch(subject, some, operation, found, gone)
            try:
                if patient:
                    self._graph.retry.call(once, what=operation)
                else:
                    once()
            except TransientError:
                failed += [name for name in some if name not in found and name not in gone]
        return found, gone, failed

    def _one_batch(
        self, subject: str, paths: Mapping[str, str], operation: str, found: dict[str, dict[str, Any]], gone: list[str]
    ) -> Callable[[], None]:
        """Return a call that fills `found` and `gone`, and raises for the rest, which the next call asks for alone."""

        def once() -> None:
            names = [name for name in paths if name not in found and name not in gone]
            body = microsoft_batch.build([paths[name] for name in names], {"Prefer": IMMUTABLE})
            answer = self._graph.request(
                subject, "POST", f"{self._graph.base}/$batch", {}, operation=operation, body=body, count=len(names)
            )
            problem: LeakwatchError | None = None
            for part in microsoft_batch.split(answer):
                if part.index >= len(names):
                    continue
                if part.status == 200 and isinstance(part.body, dict):
                    found[names[part.index]] = cast(dict[str, Any], part.body)
                    continue
                content = orjson.dumps(part.body)
                error = classify(part.status, part.headers, content, what=operation, now=self._graph.wall.now())
                if isinstance(error, NotFoundError):
                    gone.append(names[part.index])
                elif not isinstance(error, TransientError):
                    raise error
                elif problem is None or error.retry_after is not None:
                    problem = error
            if any(name not in found and name not in gone for name in names):
                problem = problem or TransientError(f"Graph left parts of a batch of {operation} out")
                self._graph.heed(subject, problem)
                raise problem

        return once


def _checked(page: dict[str, Any], operation: str) -> dict[str, Any]:
    """Return a page of a list; raises TransientError for what would read as an empty one and is none."""
    value: Any = page.get("value")
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in cast(list[Any], value)):
        raise TransientError(f"Graph answered {operation} with something that is no list")
    return page


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
