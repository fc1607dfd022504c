"""Gmail and the Directory, read: page-sized calls that return Google's own JSON as dicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import httplib2
import orjson
from googleapiclient.discovery import build

from leakwatch.clients import google_batch, google_pages
from leakwatch.clients.google import DIRECTORY_SCOPES, GMAIL_SCOPES, GoogleClient
from leakwatch.clients.google_errors import ProjectQuotaError, classify
from leakwatch.clients.google_threads import get_threads
from leakwatch.errors import CursorError, NotFoundError, RecordError, TransientError

GMAIL = "google"
DIRECTORY = "google_directory"
SMALLEST_BATCH = 5
WITNESSES = 20  # newest mails, one of which shows that Gmail does answer for this mailbox
SERVER_ERROR = 500
# No snippet, no body. With the wider scope the kinds of a mail's parts are asked for too: they tell an invitation.
MESSAGE_FIELDS = "id,threadId,labelIds,internalDate,payload(mimeType,headers)"
PART_FIELDS = (
    "id,threadId,labelIds,internalDate,payload(mimeType,headers,parts(mimeType,filename,parts(mimeType,filename)))"
)


def service(name: str, version: str, url: str) -> Any:
    """Return a service built from the discovery document inside the package: no network, no token."""
    return build(
        name, version, http=httplib2.Http(), static_discovery=True, client_options={"api_endpoint": url.rstrip("/")}
    )


class _BrokenPartsError(TransientError):
    """Gmail answered a batch, but none of its parts could be used; it did not say that we are too fast."""

    def __init__(self, ids: Sequence[str], retry_after: timedelta | None) -> None:
        self.ids = tuple(ids)
        super().__init__("Gmail answered a batch without any readable part", retry_after=retry_after)


class GmailClient:
    """Gmail for one service account. Every method opens the mailbox of `subject`, who must be on the roster.

    Args:
        client: the transport.
        batch_size: messages.get calls in one HTTP request; Gmail counts each against its concurrency limit.
        wanted_headers: names of the headers to fetch.
    """

    def __init__(self, client: GoogleClient, *, batch_size: int, wanted_headers: Sequence[str]) -> None:
        self._client = client
        self._scopes = (GMAIL_SCOPES[client.connection.scope],)
        self._batch_size = batch_size
        self._batch_uri = f"{client.connection.gmail_url.rstrip('/')}/batch/gmail/v1"
        users = service("gmail", "v1", client.connection.gmail_url).users()
        self._users, self._messages = users, users.messages()
        self._history, self._labels = users.history(), users.labels()
        query = [("format", "metadata"), *(("metadataHeaders", name) for name in wanted_headers)]
        fields = MESSAGE_FIELDS
        if self.can_search:
            query, fields = [("format", "full")], PART_FIELDS
        plain = ("prettyPrint", "false")
        self._get_query = urlencode([*query, ("fields", fields), plain])
        self._thread_query = urlencode([*query, ("fields", f"messages({fields})"), plain])

    @property
    def can_search(self) -> bool:
        """Whether the granted scope allows `q` (gmail.metadata does not)."""
        return self._client.connection.scope == "readonly"

    def profile(self, subject: str) -> dict[str, Any]:
        """Return users.getProfile: emailAddress, historyId, counts."""
        return self._json(subject, self._users.getProfile(userId="me"), "getProfile")

    def list_messages(
        self, subject: str, *, page_token: str | None = None, search: str | None = None, page_size: int = 500
    ) -> dict[str, Any]:
        """Return one page of messages.list, newest first, without spam and trash.

        Raises:
            CursorError: the page token is no longer taken.
        """
        options: dict[str, Any] = {"userId": "me", "maxResults": page_size, "includeSpamTrash": False}
        if page_token is not None:
            options["pageToken"] = page_token
        if search is not None:
            options["q"] = search
        try:
            page = self._json(subject, self._messages.list(**options), "messages.list")
        except RecordError as error:
            if page_token is None:
                raise
            raise CursorError(f"the place in the message list is no longer known ({error})") from error
        return google_pages.of_mails(page)

    def history(self, subject: str, start: str, *, page_token: str | None = None) -> dict[str, Any]:
        """Return one page of history.list after history id `start`.

        Raises:
            CursorError: `start` is too old (Gmail says 404, without a reason) or the page token is not taken.
        """
        options: dict[str, Any] = {
            "userId": "me",
            "startHistoryId": start,
            "historyTypes": list(google_pages.HISTORY_KEYS),
        }
        if page_token is not None:
            options["pageToken"] = page_token
        try:
            page = self._json(subject, self._history.list(**options, maxResults=500), "history.list")
        except RecordError as error:
            if page_token is None and not isinstance(error, NotFoundError):
                raise
            raise CursorError(f"Gmail no longer knows what changed since the last read ({error})") from error
        return google_pages.of_history(page)

    def labels(self, subject: str) -> dict[str, str]:
        """Return label name (lower case) -> id.

        Raises:
            TransientError: none came. Every mailbox has Gmail's own, and without them no opt-out would be seen.
        """
        found = google_pages.rows(
            self._json(subject, self._labels.list(userId="me"), "labels.list"), "labels", "labels.list"
        )
        if not found:
            raise TransientError("Gmail answered labels.list without a label")
        return {str(row.get("name", "")).lower(): str(row.get("id", "")) for row in found}

    def get_messages(self, subject: str, ids: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
        """Return (messages in the order of `ids`, ids that are gone). Only failed parts are asked for again.

        One mail that Gmail can't give, however often it is asked, while it gives others, comes as its bare id: it must
        not hold up the mailbox for ever.

        Raises:
            AuthError: the mailbox refuses us. TransientError: no part of a batch could be had after all tries.
        """
        found: dict[str, dict[str, Any]] = {}
        gone: list[str] = []
        pending = list(dict.fromkeys(ids))
        size = self._batch_size
        while pending:
            some, rest = pending[:size], pending[size:]
            try:
                left, slow = self._client.retry.call(self._batch(subject, some, found, gone), what="messages.get")
            except _BrokenPartsError as error:
                broken = self._broken(subject, error.ids, found)
                if not broken:
                    raise
                found |= {message_id: {"id": message_id} for message_id in broken}
                left, slow = [one for one in some if one not in found and one not in gone], True
            if slow:
                size = max(SMALLEST_BATCH, size // 2)
            pending = left + rest
        return [found[message_id] for message_id in dict.fromkeys(ids) if message_id in found], gone

    def get_threads(self, subject: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the messages of the threads `ids`, as far as Gmail gives them now. Errors: see `google_threads`."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(ids), self._batch_size):
            found += get_threads(
                self._client,
                subject,
                ids[start : start + self._batch_size],
                scopes=self._scopes,
                batch_uri=self._batch_uri,
                query=self._thread_query,
            )
        return found

    def ask_again(self, subject: str, ids: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
        """Return (messages, ids that are gone) of what Gmail now gives of `ids`; what it still does not give is absent.

        Each is asked for once, without waiting: they were asked for patiently before, and will be again.

        Raises:
            AuthError: the mailbox refuses us.
        """
        found: dict[str, dict[str, Any]] = {}
        gone: list[str] = []
        for start in range(0, len(ids), self._batch_size):
            try:
                self._batch(subject, ids[start : start + self._batch_size], found, gone)()
            except _BrokenPartsError:
                continue
            except TransientError:
                break
        return list(found.values()), gone

    def _broken(self, subject: str, ids: Sequence[str], found: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Return those of `ids` that fail in a batch in which another mail of the mailbox is given; else nothing."""
        witness = next((name for name, message in found.items() if len(message) > 1), None)
        if witness is None:
            listed = self.list_messages(subject, page_size=WITNESSES).get("messages") or ()
            witness = next((str(row["id"]) for row in listed if row["id"] not in ids), None)
        given: dict[str, dict[str, Any]] = {}
        gone: list[str] = []
        if witness is None:
            return []
        try:
            left, _ = self._batch(subject, [witness, *ids], given, gone)()
        except TransientError:
            return []
        return [message_id for message_id in left if message_id in ids] if witness in given else []

    def _batch(
        self, subject: str, ids: Sequence[str], found: dict[str, dict[str, Any]], gone: list[str]
    ) -> Callable[[], tuple[list[str], bool]]:
        """Return a call that fills `found` and `gone` and returns (ids to ask for again, whether Gmail was rushed)."""

        def once() -> tuple[list[str], bool]:
            paths = [
                f"/gmail/v1/users/me/messages/{quote(message_id, safe='')}?{self._get_query}" for message_id in ids
            ]
            headers, content = self._client.request(
                subject,
                self._scopes,
                self._batch_uri,
                provider=GMAIL,
                operation="messages.get",
                count=len(ids),
                body=google_batch.build(paths),
                content_type=google_batch.REQUEST_TYPE,
            )
            return self._take(subject, ids, headers.get("content-type", ""), content, found, gone)

        return once

    def _take(
        self,
        subject: str,
        ids: Sequence[str],
        content_type: str,
        content: bytes,
        found: dict[str, dict[str, Any]],
        gone: list[str],
    ) -> tuple[list[str], bool]:
        before = len(found) + len(gone)
        last: TransientError | None = None
        rushed = False
        for part in google_batch.split(content_type, content):
            if part.index >= len(ids) or ids[part.index] in found:
                continue
            message_id = ids[part.index]
            if part.status == 200:
                message = _message(part.body)
                if message is not None:
                    found[message_id] = message
                continue
            try:
                raise classify(part.status, part.headers(), part.body, what="messages.get", now=self._client.wall.now())
            except ProjectQuotaError as error:
                self._client.heed(GMAIL, subject, error)
                raise
            except TransientError as error:
                last = error
                rushed = rushed or part.status < SERVER_ERROR
            except RecordError:  # 404, or an id Gmail does not take: nothing is there to be read
                gone.append(message_id)
        settled = set(gone)
        left = [message_id for message_id in ids if message_id not in found and message_id not in settled]
        if left and len(found) + len(gone) == before:
            if rushed and last is not None:
                raise last
            raise _BrokenPartsError(left, last.retry_after if last is not None else None)
        self._client.heed(GMAIL, subject, last)
        return left, last is not None

    def _json(self, subject: str, request: Any, operation: str) -> dict[str, Any]:
        return self._client.json(
            subject, self._scopes, f"{request.uri}&prettyPrint=false", provider=GMAIL, operation=operation
        )


def _message(body: bytes) -> dict[str, Any] | None:
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None  # cut off: asked for again
    return found if isinstance(found, dict) and "id" in found else None


class DirectoryClient:
    """The Workspace directory, read as an administrator (who must be allowed on the client, too)."""

    def __init__(self, client: GoogleClient, *, admin: str) -> None:
        self._client = client
        self._admin = admin
        self._users = service("admin", "directory_v1", client.connection.directory_url).users()

    def users(self) -> list[Mapping[str, Any]]:
        """Return every user of the customer: id, primaryEmail, name, aliases, nonEditableAliases, suspended.

        Raises:
            AuthError: the administrator may not read the directory. TransientError: it can't answer now, or not to the
                end: half a roster, or none, would pass for people who left.
        """
        rows: list[Mapping[str, Any]] = []
        token: str | None = None
        tokens: set[str] = set()
        while True:
            options: dict[str, Any] = {"customer": "my_customer", "maxResults": 500, "projection": "basic"}
            if token is not None:
                options["pageToken"] = token
            page = self._client.json(
                self._admin,
                DIRECTORY_SCOPES,
                self._users.list(**options).uri,
                provider=DIRECTORY,
                operation="users.list",
            )
            rows += google_pages.rows(page, "users", "users.list")
            following = page.get("nextPageToken")
            if not following:  # an empty page with a token is not the end
                if not rows:
                    raise TransientError("the Directory answered without a user, not even the administrator who asks")
                return rows
            token = str(following)
            if token in tokens:
                raise TransientError("the Directory leads back to a page of users that was read: it goes in circles")
            tokens.add(token)
