"""Playing faults on the network: a middleware that answers, breaks or delays as the book's rules say (`faults`)."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, MutableMapping
from typing import Any

import orjson

from leakwatch.sandbox.faults import FaultBook, Rule
from leakwatch.sandbox.ledger import Ledger, salesforce_endpoint

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Any]
Send = Callable[[Message], Any]

LONGEST_FOLDER_NAME = 30
"""Well-known names of folders are shorter, ids are longer."""
AFTERWARDS = frozenset({"truncate", "cut_chunks", "damage_gzip", "drip", "short_list"})
"""Deeds that need the right answer: the call is always processed."""


class FaultMiddleware:
    """Stands before one service: counts each request and lets the book's rules play."""

    def __init__(self, app: Any, service: str, book: FaultBook, ledger: Ledger, drop: Callable[[Scope], None]) -> None:
        self.app = app
        self.service = service
        self.book = book
        self.ledger = ledger
        self.drop = drop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, rightly or wrongly."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = str(scope["path"])
        self.ledger.request(self.service, _ENDPOINTS[self.service](scope["method"], path))
        query = bytes(scope["query_string"]).decode("latin-1")
        call = f"{scope['method']} {path}" + (f"?{query}" if query else "")
        rule = self.book.take(self.service, call) if self.book.rules else None
        if rule is None:
            await self.app(scope, receive, send)
            return
        self.ledger.fault(self.service, rule.do if rule.do != "answer" else str(rule.reply()[0]))
        await self._play(rule, scope, receive, send)

    async def _play(self, rule: Rule, scope: Scope, receive: Receive, send: Send) -> None:
        if rule.do in {"delay", "empty_page", "replay", "repeat", "no_limit_info"}:
            await asyncio.sleep(rule.delay_ms / 1000)
            scope["sandbox.behaviour"] = rule.do
            await self.app(scope, receive, send)
            return
        taken: list[Message] = []
        if rule.effect == "after" or rule.do in AFTERWARDS:
            await self.app(scope, receive, _collector(taken))
        if rule.do in AFTERWARDS:
            await self._spoil(rule, _Right(taken), receive, send)
        elif rule.do in {"reset", "hang"}:
            if rule.do == "reset":
                self.drop(scope)
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            await _read_all(receive, done=bool(taken))
            status, headers, body = rule.reply(f"{scope['method']} {scope['path']}")
            pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
            await _send_whole(send, status, pairs, body)

    async def _spoil(self, rule: Rule, right: _Right, receive: Receive, send: Send) -> None:
        """Send the right answer wrongly."""
        body = right.body
        if rule.do == "truncate":  # promise the whole, send half: the server then closes the connection
            await send(right.start(("content-length", str(len(body)))))
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        elif rule.do == "cut_chunks":
            await send(right.start())
            await send({"type": "http.response.body", "body": body, "more_body": True})
        elif rule.do == "damage_gzip":
            packed = body if right.packed else gzip.compress(body, 1)
            middle = len(packed) // 2
            damaged = (
                packed[:middle] + bytes(byte ^ 0xFF for byte in packed[middle : middle + 8]) + packed[middle + 8 :]
            )
            right.drop_header("content-encoding")
            right.headers.append((b"content-encoding", b"gzip"))
            await _send_whole(send, right.status, right.headers, damaged)
        elif rule.do == "short_list":
            right.unpack()
            await _send_whole(send, right.status, right.headers, _shortened(right.body))
        else:
            await _drip(rule, right, receive, send)


class _Right:
    """An answer as the application gave it, to be spoiled."""

    def __init__(self, taken: list[Message]) -> None:
        start = next(message for message in taken if message["type"] == "http.response.start")
        self.body = b"".join(message.get("body", b"") for message in taken if message["type"] == "http.response.body")
        self.status = int(start["status"])
        self.headers: list[tuple[bytes, bytes]] = [
            (bytes(name).lower(), bytes(value)) for name, value in start["headers"]
        ]
        self.drop_header("content-length")

    @property
    def packed(self) -> bool:
        """Whether the body is compressed."""
        return (b"content-encoding", b"gzip") in self.headers

    def unpack(self) -> None:
        """Have the body uncompressed."""
        if self.packed:
            self.body = gzip.decompress(self.body)
            self.drop_header("content-encoding")

    def drop_header(self, name: str) -> None:
        """Go without a header."""
        self.headers = [pair for pair in self.headers if pair[0] != name.encode()]

    def start(self, *more: tuple[str, str]) -> Message:
        """The message that begins it."""
        pairs = [(name.encode(), value.encode()) for name, value in more]
        return {"type": "http.response.start", "status": self.status, "headers": [*self.headers, *pairs]}


async def _drip(rule: Rule, right: _Right, receive: Receive, send: Send) -> None:
    """Send the body piece by piece, until it is whole or the client has gone."""
    gone = asyncio.create_task(_gone(receive))
    await send(right.start(("content-length", str(len(right.body)))))
    for at in range(0, len(right.body), rule.bytes):
        await asyncio.wait([gone], timeout=rule.delay_ms / 1000)
        if gone.done():
            return
        piece = right.body[at : at + rule.bytes]
        await send({"type": "http.response.body", "body": piece, "more_body": at + rule.bytes < len(right.body)})
    if not right.body:
        await send({"type": "http.response.body", "body": b""})
    gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _shortened(body: bytes) -> bytes:
    """A list of results, or Composite's, without its last one; another body as it is."""
    found: Any = orjson.loads(body) if body else None
    results: Any = found.get("compositeResponse") if isinstance(found, dict) else found
    if not isinstance(results, list) or not results:
        return body
    results.pop()
    return orjson.dumps(found)


def _google_endpoint(method: str, path: str) -> str:
    parts = path.split("/")
    if path.startswith("/gmail/v1/users/") and len(parts) > 5:
        parts[4] = "{user}"
        if len(parts) > 6:
            parts[6] = "{id}"
    if path.startswith("/admin/directory/v1/users/"):
        parts[5] = "{user}"
    if path.startswith("/v1/projects/") and len(parts) > 5:
        parts[3], verb = "{project}", parts[5].partition(":")[2]
        parts[5] = "{id}" + (f":{verb}" if verb else "")
    if path.startswith("/calendar/v3/calendars/"):
        parts[4] = "{calendar}"
        if len(parts) > 6:
            parts[6] = "{id}"
    return f"{method} {'/'.join(parts)}"


def _microsoft_endpoint(method: str, path: str) -> str:
    """The path with its keys left out; a folder's well-known name stays."""
    parts = path.split("/")
    for at in range(len(parts) - 1):
        if parts[at].lower() in {"users", "messages"} and parts[at + 1] not in {"$count", "delta", "delta()"}:
            parts[at + 1] = "{id}"
        if parts[at].lower() == "mailfolders" and len(parts[at + 1]) > LONGEST_FOLDER_NAME:
            parts[at + 1] = "{id}"
    if path.endswith(("/token", "/openid-configuration")):
        parts[1] = "{tenant}"
    return f"{method} {'/'.join(parts)}"


_ENDPOINTS: dict[str, Callable[[str, str], str]] = {
    "salesforce": salesforce_endpoint,
    "google": _google_endpoint,
    "microsoft": _microsoft_endpoint,
}


def _collector(taken: list[Message]) -> Send:
    async def collect(message: Message) -> None:
        taken.append(message)

    return collect


async def _read_all(receive: Receive, *, done: bool) -> None:
    """Take the request's body off the wire, so that the connection stays usable."""
    while not done:
        message = await receive()
        done = message["type"] != "http.request" or not message.get("more_body", False)


async def _send_whole(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    pairs = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
