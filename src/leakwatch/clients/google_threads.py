"""threads.get in batches: all messages of a conversation for the price of two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote

import orjson

from leakwatch.clients import google_batch
from leakwatch.clients.google import GoogleClient
from leakwatch.clients.google_errors import ProjectQuotaError, classify
from leakwatch.errors import AuthError, LeakwatchError, TransientError

PROVIDER = "google"
OPERATION = "threads.get"


def get_threads(
    client: GoogleClient, subject: str, ids: Sequence[str], *, scopes: tuple[str, ...], batch_uri: str, query: str
) -> list[dict[str, Any]]:
    """Return the messages of the threads `ids` (one batch), as far as Gmail gives them now.

    A thread that fails or is gone is left out, not asked for again: each of its messages can be had by itself.

    Raises:
        AuthError: the mailbox refuses us. TransientError: the batch as a whole could not be had after all tries.
    """

    def once() -> tuple[Mapping[str, str], bytes]:
        return client.request(
            subject,
            scopes,
            batch_uri,
            provider=PROVIDER,
            operation=OPERATION,
            count=len(ids),
            body=google_batch.build([f"/gmail/v1/users/me/threads/{quote(one, safe='')}?{query}" for one in ids]),
            content_type=google_batch.REQUEST_TYPE,
        )

    headers, content = client.retry.call(once, what=OPERATION)
    found: list[dict[str, Any]] = []
    for part in google_batch.split(headers.get("content-type", ""), content):
        if part.status == 200:
            found += _messages(part.body)
            continue
        problem = classify(part.status, part.headers(), part.body, what=OPERATION, now=client.wall.now())
        if isinstance(problem, TransientError):
            client.heed(PROVIDER, subject, problem)
        if not _is_of_one_thread(problem):
            raise problem
    return found


def _is_of_one_thread(problem: LeakwatchError) -> bool:
    """Return whether the mailbox as a whole may still be read."""
    return not isinstance(problem, AuthError | ProjectQuotaError)


def _messages(body: bytes) -> list[dict[str, Any]]:
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []  # cut off
    rows = cast(Any, found.get("messages") if isinstance(found, dict) else None) or ()
    return [row for row in rows if isinstance(row, dict) and "id" in row]
