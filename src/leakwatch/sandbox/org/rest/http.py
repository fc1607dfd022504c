"""One API call and its answer, apart from the network, so that Composite can make calls too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.errors import OrgError, bad, not_emulated, not_found
from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.rest.body import MAX_BODY, Body, too_large

JSON = "application/json"
JSON_REPLY = "application/json;charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Call:
    """A call to the data API; `path` is what follows the version."""

    org: Org
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Body
    caller: Caller
    parsed: Any = None
    """The body of a subrequest, which comes parsed."""
    nested: bool = False
    """Whether it came inside Composite or Batch."""

    @property
    def user_id(self) -> str:
        """Who calls."""
        return self.caller.user_id

    @property
    def version(self) -> str:
        """The API version, such as `66.0`."""
        return self.caller.version

    @property
    def root(self) -> str:
        """The path of this version's root, without the closing slash."""
        return f"/services/data/v{self.version}"

    def json(self) -> Any:
        """The body; refuses what is no JSON."""
        if self.nested:
            return self.parsed
        try:
            return orjson.loads(self.body.read())
        except orjson.JSONDecodeError as error:
            raise bad("JSON_PARSER_ERROR", f"{error.msg} at [line:{error.lineno}, column:{error.colno}]") from None

    def json_object(self) -> dict[str, Any]:
        """The body, which must be an object."""
        body = self.json()
        if not isinstance(body, dict):
            raise bad("JSON_PARSER_ERROR", "Cannot deserialize the request body: it must be a JSON object")
        return body

    @property
    def content_type(self) -> str:
        """The media type of the body in lower case, without its parameters; empty where none is given."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer: JSON (`body`), bytes, or a stream of bytes (`content`); without either it is empty."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    content: bytes | Iterator[bytes] | None = None
    """Sent as it is. An iterator is run while the answer goes out, in a worker thread, after the call ended:
    it must hold what it reads from (`Store.snapshot`) and let go of it in a `finally`."""
    media_type: str = JSON_REPLY
    """Of `content`."""


Handler = Callable[..., Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one resource, and the bodies it takes."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    types: tuple[str, ...]
    max_body: int


class Router:
    """Paths of one version to handlers; the named groups of a path become arguments."""

    def __init__(self) -> None:
        self._routes: list[Route] = []
        self._missing: list[tuple[re.Pattern[str], str]] = []

    def on(
        self, method: str, pattern: str, *, types: tuple[str, ...] = (JSON,), max_body: int = MAX_BODY
    ) -> Callable[[Handler], Handler]:
        """Register a handler.

        Args:
            method: The HTTP method.
            pattern: A regular expression of the path behind the version; its named groups are arguments.
            types: Content types a body may have, in lower case.
            max_body: Bytes a body may have, unpacked.
        """

        def register(handler: Handler) -> Handler:
            self._routes.append(Route(method, re.compile(pattern + r"/?\Z"), handler, types, max_body))
            return handler

        return register

    def missing(self, pattern: str, what: str) -> None:
        """Name a part of the real API that is not emulated."""
        self._missing.append((re.compile(pattern), what))

    def not_emulated(self) -> list[str]:
        """What was named with `missing`, for the documentation."""
        return [what for _, what in self._missing]

    def dispatch(self, call: Call) -> Reply:
        """Answer a call; refusals become replies. HEAD is answered as GET, without the body."""
        try:
            if call.method == "HEAD":
                return replace(self._find(_plain(replace(call, method="GET"))), body=None, content=None)
            return self._find(_plain(call))
        except OrgError as error:
            return Reply(error.status, error.body())

    def _find(self, call: Call) -> Reply:
        allowed: list[str] = []
        for route in self._routes:
            match = route.pattern.match(call.path)
            if match and route.method == call.method:
                try:
                    return route.handler(_readable(call, route), **match.groupdict())
                except OrgError as error:
                    if error.error_code == "NOT_FOUND" and call.path.startswith("sobjects/"):  # no such object here
                        self._name_missing(call)
                    raise
            if match:
                allowed.append(route.method)
        self._name_missing(call)
        if allowed:
            said = f"HTTP Method '{call.method}' not allowed. Allowed are {','.join(sorted(set(allowed)))}"
            raise OrgError(405, "METHOD_NOT_ALLOWED", said)
        raise not_found()

    def _name_missing(self, call: Call) -> None:
        for pattern, what in self._missing:
            if pattern.match(call.path):
                raise not_emulated(what)


def _plain(call: Call) -> Call:
    """The call without `.json` behind its path; refuses what asks for XML (REST guide, "Formats")."""
    accepted = call.headers.get("accept", "")
    if call.path.endswith(".xml") or ("application/xml" in accepted and not re.search(r"json|\*/\*", accepted)):
        raise not_emulated("answers in XML")
    return replace(call, path=call.path.removesuffix(".json"))


def _readable(call: Call, route: Route) -> Call:
    """The call with its body unpacked, if this route takes such a body."""
    if call.nested or not (call.body.size or call.headers.get("content-encoding")):
        return call
    if call.content_type not in route.types:
        said = f"The Content-Type header is not supported: {call.content_type or 'none'}"
        raise OrgError(415, "UNSUPPORTED_MEDIA_TYPE", said)
    if call.headers.get("content-encoding", "").lower() == "gzip":
        return replace(call, body=call.body.unpacked(route.max_body))
    if call.body.size > route.max_body:
        raise too_large(route.max_body)
    return call


router = Router()
