"""One API call and its answer, apart from the network, so that Composite can make calls too."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from leakwatch.sandbox.org.errors import OrgError, bad, not_emulated, not_found
from leakwatch.sandbox.org.facade import Org


@dataclass(frozen=True, slots=True)
class Call:
    """A call to the data API; `path` is what follows the version."""

    org: Org
    method: str
    version: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    user_id: str
    parsed: Any = None
    """The body of a subrequest, which comes parsed."""
    nested: bool = False
    """Whether it came inside Composite or Batch."""

    @property
    def root(self) -> str:
        """The path of this version's root, without the closing slash."""
        return f"/services/data/v{self.version}"

    def json(self) -> Any:
        """The body; refuses what is no JSON."""
        if self.nested:
            return self.parsed
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise bad("JSON_PARSER_ERROR", f"{error.msg} at [line:{error.lineno}, column:{error.colno}]") from None

    def json_object(self) -> dict[str, Any]:
        """The body, which must be an object."""
        body = self.json()
        if not isinstance(body, dict):
            raise bad("JSON_PARSER_ERROR", "Cannot deserialize the request body: it must be a JSON object")
        return body


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer; no body is an empty one."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict[str, str])


Handler = Callable[..., Reply]


class Router:
    """Paths of one version to handlers; the named groups of a path become arguments."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []
        self._missing: list[tuple[re.Pattern[str], str]] = []

    def on(self, method: str, pattern: str) -> Callable[[Handler], Handler]:
        """Register a handler."""

        def register(handler: Handler) -> Handler:
            self._routes.append((method, re.compile(pattern + r"/?\Z"), handler))
            return handler

        return register

    def missing(self, pattern: str, what: str) -> None:
        """Name a part of the real API that is not emulated."""
        self._missing.append((re.compile(pattern), what))

    def dispatch(self, call: Call) -> Reply:
        """Answer a call; refusals become replies."""
        try:
            return self._find(call)
        except OrgError as error:
            return Reply(error.status, error.body())

    def _find(self, call: Call) -> Reply:
        allowed: list[str] = []
        for method, pattern, handler in self._routes:
            match = pattern.match(call.path)
            if match and method == call.method:
                return handler(call, **match.groupdict())
            if match:
                allowed.append(method)
        for pattern, what in self._missing:
            if pattern.match(call.path):
                raise not_emulated(what)
        if allowed:
            said = f"HTTP Method '{call.method}' not allowed. Allowed are {','.join(sorted(set(allowed)))}"
            raise OrgError(405, "METHOD_NOT_ALLOWED", said)
        raise not_found()


router = Router()
