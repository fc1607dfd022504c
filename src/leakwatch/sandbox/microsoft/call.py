"""A request as Graph's handlers get it, a reply as they give it, and the paths that lead to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, cast
from urllib.parse import quote, unquote

import orjson

from leakwatch.sandbox.microsoft.errors import bad_request
from leakwatch.sandbox.microsoft.odata import Options


@dataclass(frozen=True, slots=True)
class GraphRequest:
    """One request, from the wire or from a batch; header names in lower case."""

    method: str
    target: str
    """Path and query, from `/v1.0` on."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    origin: str = "https://graph.microsoft.com"
    """Scheme and host that it came to: links in answers lead there."""
    behaviour: str = ""
    """A fault of the network's book: `empty_page`, `replay` or `repeat`."""


@dataclass(slots=True)
class Reply:
    """An answer before it is put on a wire; `body` is JSON, or text to be sent as it is."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict[str, str])


class Workload(Enum):
    """Which service behind Graph answers: each has its own limits and its own words for refusing."""

    EXCHANGE = "exchange"
    DIRECTORY = "directory"
    TEAMS = "teams"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who an access token says it is."""

    app_id: str
    roles: frozenset[str]
    """Application permissions that were consented to when the token was made."""


@dataclass(frozen=True, slots=True)
class Prefer:
    """What a `Prefer` header asks for."""

    immutable_ids: bool = False
    page_size: int | None = None
    text_bodies: bool = False
    time_zone: str | None = None

    @classmethod
    def read(cls, header: str) -> Prefer:
        """Read the header (RFC 7240); what is not known here is passed over, as preferences are."""
        given = {
            name.strip().lower(): value.strip().strip('"')
            for name, _, value in (part.partition("=") for part in re.split(r"[,;]", header))
        }
        size = given.get("odata.maxpagesize", "")
        return cls(
            immutable_ids=given.get("idtype", "").lower() == "immutableid",
            page_size=int(size) if size.isdigit() and int(size) > 0 else None,
            text_bodies=given.get("outlook.body-content-type", "").lower() == "text",
            time_zone=given.get("outlook.timezone"),
        )


@dataclass(slots=True)
class GraphCall:
    """A request that is allowed: whose mailbox, which ids of the path, which options."""

    request: GraphRequest
    caller: Caller
    keys: list[str]
    """What stood in the path's places for keys, in order; the user's first."""
    options: Options
    prefer: Prefer
    user: dict[str, Any] | None = None
    """The user of the path, where the route is about one."""
    permissions: frozenset[str] = frozenset()
    """What of the route's permissions the caller has."""
    path: str = ""
    """The path as it was asked for, from `/v1.0` on, without the query."""
    applied: list[str] = field(default_factory=list[str])
    """What goes into `Preference-Applied`."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    """Further headers of the answer."""

    @property
    def mailbox(self) -> str:
        """The address whose mailbox this is about."""
        if self.user is None:
            raise bad_request("The path names no user.")
        return str(self.user["mail"]).lower()

    @property
    def root(self) -> str:
        """Base of Graph's links."""
        return f"{self.request.origin}/v1.0"

    @property
    def context(self) -> str:
        """Base of `@odata.context`."""
        return f"{self.root}/$metadata#"

    @property
    def owner(self) -> str:
        """The user of the path, as a context names it."""
        return f"{self.context}users('{quote(self.keys[0], safe='')}')"

    def json(self) -> dict[str, Any]:
        """The body, a JSON object; raises GraphError."""
        try:
            found = orjson.loads(self.request.body or b"{}")
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise bad_request("Unable to read JSON request payload. Please ensure Content-Type header is set.")
        return cast(dict[str, Any], found)

    def link(self, query: str) -> str:
        """A link to the same resource with another query."""
        return f"{self.root}{self.path}?{query}"


Handler = Callable[[GraphCall], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of Graph."""

    name: str
    """What it is counted as."""
    method: str
    pattern: str
    """Such as `users/{}/mailFolders/{}/messages`; `{}` is a key."""
    permissions: tuple[str, ...]
    """Application permissions of which one is enough."""
    handler: Handler
    workload: Workload = Workload.EXCHANGE
    units: int = 1
    """Resource units of a directory call (concepts/throttling-limits)."""

    def match(self, segments: list[str]) -> list[str] | None:
        """The keys in a path that this route is for; None for another path."""
        wanted = self.pattern.split("/")
        if len(wanted) != len(segments):
            return None
        keys: list[str] = []
        for want, have in zip(wanted, segments, strict=True):
            if want == "{}":
                keys.append(have)
            elif want.lower() != have.lower():
                return None
        return keys


_KEYED = re.compile(r"([A-Za-z]+)\('(.*)'\)")


def segments_of(path: str) -> list[str]:
    """A path's parts: keys in brackets taken out, functions without their namespace and brackets.

    `/users('a')/mailFolders/x/messages/microsoft.graph.delta()` is `users, a, mailFolders, x, messages, delta`.
    """
    found: list[str] = []
    for part in path.strip("/").split("/"):
        name = unquote(part)
        keyed = _KEYED.fullmatch(name)
        if keyed:
            found += [keyed.group(1), keyed.group(2).replace("''", "'")]
            continue
        found.append(name.removeprefix("microsoft.graph.").removesuffix("()"))
    return found
