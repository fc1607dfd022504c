"""Things going wrong on demand: rules that say which call or which row is hit, by pattern and by seed.

A rule is a JSON object:

    service       "salesforce" | "google" | "microsoft"
    match         a regular expression searched in `METHOD /path?query`; default: every call
    do            what happens; default "answer". On the network, for each service (played by `fault_play`):
        answer        an answer instead of the right one: `status`, `code`, `body`
        html          the same with a web page as its body, as proxies and login pages answer; `status` is 200 then
        reset         the connection is torn
        hang          there is never an answer
        truncate      half of the body that was promised comes, then the connection is closed
        cut_chunks    the whole body comes in chunks without the last one, then the connection is closed
        damage_gzip   the body is compressed, and the compressed bytes are damaged
        drip          the body comes in pieces of `bytes`, `delay_ms` apart
        delay         the answer comes `delay_ms` later
        short_list    (Salesforce) the last result is missing from a list of results, Composite's too
        no_limit_info (Salesforce) the usage header is missing
        empty_page    (Google, Microsoft) a page without items that names a next one
        replay        (Microsoft) a round of change tracking begins with changes that the last one gave already
        repeat        (Microsoft) every item of a page comes twice
                  Inside the org (see `org/trouble`):
        lock_row, row_error            a row is refused: locked by somebody else, or by `code`, or as `body` says
        late_commit                    a row and all that follows from it are seen `seconds` later, with their stamps
        fail_job, slow_job             a Bulk API job fails with the text `body`, or waits `seconds` (or polls) longer
        expire_locator, expire_session the query's cursor, or the session that calls, is gone
        hide_fields                    from this call on nobody sees the fields that `body` lists as "Object.Field"
        fail_job, slow_job             a Bulk job fails with `body` as its text, or waits `seconds` longer
        skew                           the Date header is `seconds` wrong
    status        of an answer: 401, 403, 429, 500, 503 have the vendor's body (of Calendar 410 too); others need `code`
                  or `body`
    code          a Salesforce error by its errorCode, with its text and fields (`org/known_errors`)
    message       another text for it: "ConcurrentPerOrgLongTxn Limit exceeded." is the other REQUEST_LIMIT_EXCEEDED
    body          an answer's JSON body, or a string sent as it is
    headers       an answer's headers; a Retry-After that makes no sense is given here
    retry_after   seconds; Salesforce, Microsoft: a Retry-After header; Google: the instant in Gmail's text, no header
    retry_form    "seconds" (default) | "date": how Salesforce's header says it
    delay_ms      for "delay" and "drip"
    bytes         for "drip", default 1
    seconds       for "skew", "late_commit" and "slow_job"
    effect        "before" (default: the call is not processed) | "after" (it is, and then its answer is lost)
    after         let this many matching calls pass first
    every         of those that follow, take every n-th
    probability   of those, take this share (by the book's seed)
    times         end after this many

The first rule that takes a call wins. Parts of a batch of Google or Graph are looked up one by one as well. What was
played is counted in the ledger.

What happens inside the org is matched against one line of text that each point has (`org/trouble.POINTS`), such
as `update Opportunity 006... 001... 005...` for a row with all ids it refers to: a rule with "match": "001..."
locks whatever hangs on that account. Rows are counted one by one, in Collections too.
"""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from email.utils import formatdate
from pathlib import Path
from typing import Any

import orjson

from leakwatch.sandbox.clock import wall_seconds
from leakwatch.sandbox.fault_bodies import google_error, microsoft_answer
from leakwatch.sandbox.google.service import Reply
from leakwatch.sandbox.microsoft.call import Reply as GraphReply
from leakwatch.sandbox.org import trouble
from leakwatch.sandbox.org.known_errors import CALL_ERRORS, ROW_ERRORS

DEEDS = (
    *("answer", "html", "reset", "hang", "truncate", "cut_chunks", "damage_gzip", "drip", "delay"),
    *("short_list", "no_limit_info", "empty_page", "replay", "repeat"),
)
SERVICES = ("salesforce", "google", "microsoft")
OF_MICROSOFT = ("replay", "repeat")
OF_SALESFORCE = (*trouble.DEEDS, "short_list", "no_limit_info")

#: status -> the errorCode it usually comes with; others come without a body, as Salesforce's edge answers
SALESFORCE_CODES = {
    401: "INVALID_SESSION_ID",
    403: "REQUEST_LIMIT_EXCEEDED",
    500: "UNKNOWN_EXCEPTION",
    503: "SERVER_UNAVAILABLE",
}


WEB_PAGE = "<!DOCTYPE html><html><head><title>Maintenance</title></head><body>We are back soon.</body></html>"


class FaultError(ValueError):
    """A fault rule that makes no sense."""


@dataclass(slots=True)
class Rule:
    """One fault; see the module's text."""

    service: str
    match: str = ""
    do: str = "answer"
    status: int = 0
    """0: what the code comes with, 200 for a web page, 503 else."""
    code: str = ""
    message: str = ""
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    retry_after: float | None = None
    retry_form: str = "seconds"
    delay_ms: int = 0
    bytes: int = 1
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
        rule._check()
        return rule

    def _check(self) -> None:
        """Refuse what makes no sense whatever the call."""
        if self.service not in SERVICES:
            raise FaultError("service must be 'salesforce', 'google' or 'microsoft'")
        if self.do in OF_MICROSOFT and self.service != "microsoft":
            raise FaultError(f"{self.do} is of service 'microsoft'")
        if self.do not in (*DEEDS, *trouble.DEEDS):
            raise FaultError(f"do must be one of {', '.join((*DEEDS, *trouble.DEEDS))}")
        if self.effect not in {"before", "after"}:
            raise FaultError("effect must be 'before' or 'after'")
        if self.retry_form not in {"seconds", "date"}:
            raise FaultError("retry_form must be 'seconds' or 'date'")
        for name in ("every", "bytes"):
            if getattr(self, name) < 1:
                raise FaultError(f"{name} must be 1 or more")
        try:
            re.compile(self.match)
        except re.error as error:
            raise FaultError(f"match is no regular expression: {error}") from error
        self._check_salesforce()

    def _check_salesforce(self) -> None:
        """Refuse what only Salesforce's rules have elsewhere, or what it has not got."""
        mine = self.do if self.do in OF_SALESFORCE else "code" if self.code else ""
        if mine and self.service != "salesforce":
            raise FaultError(f"{mine} is of service 'salesforce'")
        codes = ROW_ERRORS if self.do in trouble.DEEDS else CALL_ERRORS
        if self.code and self.code not in codes:
            raise FaultError(f"code must be one of {', '.join(codes)}; others are played by body")
        if self.do == "hide_fields" and not isinstance(self.body, list):
            raise FaultError('hide_fields needs a body such as ["Opportunity.Amount"]')

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

    def reply(self, call: str = "") -> tuple[int, dict[str, str], bytes]:
        """The answer this rule gives to a call (`METHOD /path`)."""
        headers = {"Content-Type": "application/json;charset=UTF-8"}
        known = CALL_ERRORS.get(self.code or SALESFORCE_CODES.get(self.status or 503, ""))
        status = self.status or (200 if self.do == "html" else known.status if known and self.code else 503)
        if self.do == "html":
            headers["Content-Type"] = "text/html;charset=UTF-8"
        if self.retry_after is not None and self.service != "google":
            headers["Retry-After"] = self._retry_after(self.retry_after)
        headers |= self.headers
        if self.do == "html":
            return status, headers, (self.body if isinstance(self.body, str) else WEB_PAGE).encode()
        if isinstance(self.body, str):
            return status, headers, self.body.encode()
        if self.body is not None:
            return status, headers, orjson.dumps(self.body)
        if self.service == "google":
            error = google_error(status, self.retry_after, call)
            return status, headers | error.headers, orjson.dumps(error.body)
        if self.service == "microsoft":
            return microsoft_answer(status, self.retry_after, call, headers)
        if known is None:  # as the edge answers
            headers.pop("Content-Type", None)
            return status, headers, b""
        code = self.code or SALESFORCE_CODES[status]
        return status, headers, orjson.dumps([{"message": self.message or known.message, "errorCode": code}])

    def _retry_after(self, seconds: float) -> str:
        if self.retry_form == "date":
            return formatdate(wall_seconds() + seconds, usegmt=True)
        return str(round(seconds))


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
        status, headers, body = rule.reply(f"{method} {target}")
        headers.pop("Content-Type", None)
        return Reply(status, orjson.loads(body) if body else {}, headers)

    def graph_part_fault(self, method: str, target: str) -> GraphReply | str | None:
        """The same for one part of a Graph batch."""
        rule = self.take("microsoft", f"{method} {target}") if self.rules else None
        if rule is None or rule.do != "answer":
            return None if rule is None else rule.do
        status, headers, body = rule.reply(f"{method} {target}")
        return GraphReply(status, orjson.loads(body) if body else None, headers)
