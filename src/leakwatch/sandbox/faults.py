"""Things going wrong on demand: a middleware that answers, breaks or delays by rule and by seed.

A rule is a JSON object:

    service      "salesforce" | "google"
    match        a regular expression searched in `METHOD /path?query`; default: every call
    do           "answer" (default) | "reset" | "truncate" | "empty_page" | "delay" | "no_limit_info" (Salesforce),
                 or inside the org (see below) "lock_row" | "row_error" | "expire_locator" | "expire_session" | "skew"
    status       for "answer": 401, 403, 429, 500, 503 have the vendor's body; others need `body`
    body         an answer's JSON body, or a string sent as it is
    headers      an answer's headers (Retry-After, ...)
    retry_after  seconds; Salesforce: a Retry-After header; Google: the instant in Gmail's text, no header
    delay_ms     for "delay": wait, then go on
    seconds      for "skew": what the Date header differs by
    effect       "before" (default: the call is not processed) | "after" (it is, and then its answer is lost)
    after        let this many matching calls pass first
    every        of those that follow, take every n-th
    probability  of those, take this share (by the book's seed)
    times        end after this many

The first rule that takes a call wins. Parts of a Google batch are looked up one by one as well.

What happens inside the org is matched against one line of text that each point has (`org/trouble.POINTS`), such
as `update Opportunity 006... 001... 005...` for a row with all ids it refers to: a rule with "match": "001..."
locks whatever hangs on that account. Rows are counted one by one, in Collections too.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import threading
from collections.abc import Callable, MutableMapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import orjson

from leakwatch.sandbox.clock import wall_seconds
from leakwatch.sandbox.google import errors
from leakwatch.sandbox.google.service import Reply
from leakwatch.sandbox.ledger import Ledger, salesforce_endpoint
from leakwatch.sandbox.org import trouble

Scope = MutableMapping[str, Any]
Receive = Callable[[], Any]
Send = Callable[[MutableMapping[str, Any]], Any]

DEEDS = ("answer", "reset", "truncate", "empty_page", "delay", "no_limit_info")

#: status -> Salesforce's usual error (message, errorCode); None: no body, as its edge answers
SALESFORCE_BODIES: dict[int, tuple[str, str] | None] = {
    401: ("Session expired or invalid", "INVALID_SESSION_ID"),
    403: ("TotalRequests Limit exceeded.", "REQUEST_LIMIT_EXCEEDED"),
    420: None,
    429: None,
    500: ("An unexpected error occurred. Please include this ErrorId if you contact support", "UNKNOWN_EXCEPTION"),
    502: None,
    503: ("Service unavailable. Please try again later.", "SERVER_UNAVAILABLE"),
}  # fmt: skip


class FaultError(ValueError):
    """A fault rule that makes no sense."""


@dataclass(slots=True)
class Rule:
    """One fault; see the module's text."""

    service: str
    match: str = ""
    do: str = "answer"
    status: int = 503
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    retry_after: float | None = None
    delay_ms: int = 0
    seconds: float = 0
    effect: str = "before"
    after: int = 0
    every: int = 1
    probability: float = 1.0
    times: int | None = None
    seen: int = 0
    taken: int = 0

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Rule:
        """Read a rule; unknown keys are refused with the nearest known one."""
        known = [name for name in cls.__slots__ if name not in {"seen", "taken"}]
        for key in body:
            if key not in known:
                near = get_close_matches(key, known, 1)
                raise FaultError(f"unknown key {key!r}" + (f", did you mean {near[0]!r}?" if near else ""))
        rule = cls(**body)
        if rule.service not in {"salesforce", "google"}:
            raise FaultError("service must be 'salesforce' or 'google'")
        if rule.do not in (*DEEDS, *trouble.DEEDS):
            raise FaultError(f"do must be one of {', '.join((*DEEDS, *trouble.DEEDS))}")
        if rule.do in trouble.DEEDS and rule.service != "salesforce":
            raise FaultError(f"{rule.do} is of service 'salesforce'")
        if rule.effect not in {"before", "after"}:
            raise FaultError("effect must be 'before' or 'after'")
        if rule.every < 1:
            raise FaultError("every must be 1 or more")
        try:
            re.compile(rule.match)
        except re.error as error:
            raise FaultError(f"match is no regular expression: {error}") from error
        return rule

    def takes(self, call: str, dice: random.Random) -> bool:
        """Whether this call is hit; counts it."""
        if self.times is not None and self.taken >= self.times:
            return False
        if self.match and not re.search(self.match, call):
            return False
        self.seen += 1
        position = self.seen - self.after
        if position < 1 or (position - 1) % self.every:
            return False
        if self.probability < 1.0 and dice.random() >= self.probability:
            return False
        self.taken += 1
        return True

    def reply(self) -> tuple[int, dict[str, str], bytes]:
        """The answer this rule gives."""
        headers = {"Content-Type": "application/json;charset=UTF-8"} | self.headers
        if isinstance(self.body, str):
            return self.status, headers, self.body.encode()
        if self.body is not None:
            return self.status, headers, orjson.dumps(self.body)
        if self.service == "google":
            error = google_error(self.status, self.retry_after)
            return self.status, headers | error.headers, orjson.dumps(error.body)
        if self.retry_after is not None:
            headers["Retry-After"] = str(round(self.retry_after))
        known = SALESFORCE_BODIES.get(self.status)
        content = b"" if known is None else orjson.dumps([{"message": known[0], "errorCode": known[1]}])
        return self.status, headers, content


def google_error(status: int, retry_after: float | None) -> errors.GoogleError:
    """Google's usual body for a status."""
    if status == 401:
        return errors.unauthenticated()
    if status == 403:
        return errors.quota_exceeded("userRateLimitExceeded")
    if status == 429:
        moment = datetime.fromtimestamp(wall_seconds(), UTC) + timedelta(seconds=retry_after or 1)
        text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return errors.user_rate_limited(text)
    if status == 404:
        return errors.not_found()
    if status == 503:
        return errors.GoogleError(503, "The service is currently unavailable.", "backendError")
    return errors.GoogleError(status, "Internal error encountered.", "backendError")


@dataclass(slots=True)
class FaultBook:
    """The rules in force, with the dice."""

    rules: list[Rule] = field(default_factory=list[Rule])
    dice: random.Random = field(default_factory=lambda: random.Random(0))
    lock: threading.Lock = field(default_factory=threading.Lock)
    path: Path | None = None
    """Where the book is kept, so that it holds after a restart."""

    @classmethod
    def kept(cls, path: Path, seed: int) -> FaultBook:
        """The book of a folder; where there is none yet, an empty one whose dice are thrown by the seed."""
        book = cls(path=path, dice=random.Random(seed))
        if path.exists():
            body = json.loads(path.read_text(encoding="utf-8"))
            book.rules = [Rule(**one) for one in body["rules"]]
            version, state, gauss = body["dice"]
            book.dice.setstate((version, tuple(state), gauss))
        return book

    def keep(self) -> None:
        """Write down the rules, how often each has hit, and the dice."""
        if self.path is None:
            return
        with self.lock:
            body = {"rules": [asdict(rule) for rule in self.rules], "dice": self.dice.getstate()}
        temporary = self.path.with_name(self.path.name + ".new")
        temporary.write_text(json.dumps(body), encoding="utf-8")
        temporary.replace(self.path)

    def add(self, rule: Rule) -> None:
        """Put a rule behind those already there."""
        self.rules.append(rule)
        self.keep()

    def clear(self, seed: int = 0) -> None:
        """Drop all rules and throw the dice anew."""
        self.rules.clear()
        self.dice = random.Random(seed)
        self.keep()

    def take(self, service: str, call: str) -> Rule | None:
        """The rule that hits this call, if any."""
        return self._first(call, lambda rule: rule.service == service and rule.do in DEEDS)

    def take_at(self, point: str, text: str) -> Rule | None:
        """The rule that hits a point inside the org (see `org/trouble`), if any."""
        return self._first(text, lambda rule: rule.do in trouble.DEEDS and trouble.DEEDS[rule.do][0] == point)

    def _first(self, text: str, wanted: Callable[[Rule], bool]) -> Rule | None:
        if not self.rules:
            return None
        with self.lock:
            return next((rule for rule in self.rules if wanted(rule) and rule.takes(text, self.dice)), None)

    def part_fault(self, method: str, target: str) -> Reply | str | None:
        """For one part of a Google batch (`reset` and `truncate` cannot hit a part alone)."""
        if not self.rules:
            return None
        rule = self.take("google", f"{method} {target}")
        if rule is None:
            return None
        if rule.do != "answer":
            return rule.do
        status, headers, body = rule.reply()
        headers.pop("Content-Type", None)
        return Reply(status, orjson.loads(body) if body else {}, headers)


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
        endpoint = (
            salesforce_endpoint(scope["method"], path)
            if self.service == "salesforce"
            else _google_endpoint(scope["method"], path)
        )
        self.ledger.request(self.service, endpoint)
        query = bytes(scope["query_string"]).decode("latin-1")
        call = f"{scope['method']} {path}" + (f"?{query}" if query else "")
        rule = self.book.take(self.service, call) if self.book.rules else None
        if rule is None:
            await self.app(scope, receive, send)
            return
        self.ledger.fault(self.service, rule.do if rule.do != "answer" else str(rule.status))
        await self._play(rule, scope, receive, send)

    async def _play(self, rule: Rule, scope: Scope, receive: Receive, send: Send) -> None:
        if rule.do in {"delay", "empty_page", "no_limit_info"}:
            await asyncio.sleep(rule.delay_ms / 1000)
            scope["sandbox.behaviour"] = rule.do
            await self.app(scope, receive, send)
            return
        taken: list[MutableMapping[str, Any]] = []
        if rule.effect == "after" or rule.do == "truncate":
            await self.app(scope, receive, _collector(taken))
        if rule.do == "truncate":
            await _send_half(taken, send)
            return
        if rule.do == "reset":
            self.drop(scope)
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await _read_all(receive, done=bool(taken))
        status, headers, body = rule.reply()
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        pairs.append((b"Content-Length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})


def _google_endpoint(method: str, path: str) -> str:
    parts = path.split("/")
    if path.startswith("/gmail/v1/users/") and len(parts) > 5:
        parts[4] = "{user}"
        if len(parts) > 6:
            parts[6] = "{id}"
    if path.startswith("/admin/directory/v1/users/"):
        parts[5] = "{user}"
    return f"{method} {'/'.join(parts)}"


def _collector(taken: list[MutableMapping[str, Any]]) -> Send:
    async def collect(message: MutableMapping[str, Any]) -> None:
        taken.append(message)

    return collect


async def _read_all(receive: Receive, *, done: bool) -> None:
    """Take the request's body off the wire, so that the connection stays usable."""
    while not done:
        message = await receive()
        done = message["type"] != "http.request" or not message.get("more_body", False)


async def _send_half(taken: list[MutableMapping[str, Any]], send: Send) -> None:
    """Promise the whole body, send half of it; the server then closes the connection."""
    body = b"".join(message.get("body", b"") for message in taken if message["type"] == "http.response.body")
    start = next(message for message in taken if message["type"] == "http.response.start")
    headers = [pair for pair in start["headers"] if bytes(pair[0]).lower() != b"content-length"]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": start["status"], "headers": headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
