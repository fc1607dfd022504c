"""The Microsoft Graph edge: msgraph-sdk's request adapter, native answers, pacing, retries, errors by recovery.

The SDK's models cost 9 ms a message, so answers are taken raw and read by orjson. Its own retries, redirects and page
iterator are left out: retries happen in `retry` alone, and a link is followed only where it leads back to the same
mailbox at the same host. The adapter is asynchronous: one event loop in a thread of its own serves every caller.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import unquote, urlsplit

import httpx
import orjson
from kiota_abstractions.authentication import AnonymousAuthenticationProvider
from kiota_abstractions.headers_collection import HeadersCollection
from kiota_abstractions.method import Method
from kiota_abstractions.native_response_handler import NativeResponseHandler
from kiota_abstractions.request_information import RequestInformation
from kiota_http.middleware.options import ResponseHandlerOption
from msgraph.graph_request_adapter import GraphRequestAdapter

from leakwatch.clients.limiter import Limiter
from leakwatch.clients.microsoft_errors import PageTooBigError, classify
from leakwatch.clients.retry import RetryPolicy
from leakwatch.errors import AuthError, ConfigError, CursorError, LeakwatchError, TransientError
from leakwatch.ports import Clock

MICROSOFT = "microsoft"
VERSION = "/v1.0"
# "Applies only to the request it is included with" (concepts/outlook-immutable-id): on every page and batch part.
IMMUTABLE = 'IdType="ImmutableId"'
#: cloud -> (token host, Graph host) (concepts/deployments)
CLOUDS = {
    "global": ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
    "usgov": ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    "usgov_dod": ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    "china": ("https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class GraphConnection:
    """How to reach Graph. `graph_url` is an https host without a path; `ca_file` adds a proxy's or the sandbox's CA."""

    graph_url: str = CLOUDS["global"][1]
    ca_file: Path | None = None
    in_flight: int = 4  # requests at once for one mailbox (concepts/throttling-limits, Outlook service limits)
    timeout_s: float = 100.0  # without a byte; Graph itself gives a page up before


class Tokens(Protocol):
    """Gives access tokens; see `microsoft_tokens.TenantTokens`."""

    def get(self, *, refused: str | None = None) -> str:
        """Return an access token; never the one that Graph `refused`."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class GraphClient:
    """Authorised calls to Graph. Thread-safe.

    Args:
        connection: host, CA, how many requests at once.
        tokens: the tenant's token.
        limiter: knows the provider `microsoft`.
        retry: the only place where calls are repeated.
        wall: real time.
        transport: what carries the requests, if not the network.
    """

    def __init__(
        self,
        connection: GraphConnection,
        *,
        tokens: Tokens,
        limiter: Limiter,
        retry: RetryPolicy,
        wall: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.connection = connection
        self.retry = retry
        self.limiter = limiter
        self.wall = wall
        self.base = _base(connection)
        self._tokens = tokens
        self._loop = _Loop()
        self._http = httpx.AsyncClient(
            verify=_context(connection.ca_file),
            timeout=httpx.Timeout(connection.timeout_s, connect=30.0),
            trust_env=urlsplit(self.base).hostname not in _LOOPBACK,
            follow_redirects=False,
            transport=transport,
        )
        # No middleware: the SDK's would retry and follow redirects behind our back. The token goes in here.
        self._adapter = GraphRequestAdapter(AnonymousAuthenticationProvider(), client=self._http)
        self._ids: dict[str, str] = {}
        self._slots: dict[str, threading.BoundedSemaphore] = {}
        self._lock = threading.Lock()

    def allow(self, people: Mapping[str, str]) -> None:
        """Set whose mailboxes may be opened, as address -> Entra's object id: the roster, and nobody else.

        The application may read more than that; and `/users/{address}` finds nobody whose name to sign in differs.
        """
        self._ids = dict(people)

    def close(self) -> None:
        """Close the connections and end the loop."""
        self._loop.run(self._http.aclose())
        self._loop.close()
        self._tokens.close()

    def mailbox(self, subject: str) -> str:
        """Return `/users/{id}` of a mailbox.

        Raises:
            AuthError: it is not on the roster.
        """
        found = self._ids.get(subject)
        if found is None:
            raise AuthError(
                "leakwatch was asked to open a mailbox that is not on the roster. Nothing was asked for.",
                reason="not_on_roster",
            )
        return f"/users/{found}"

    def get(
        self,
        subject: str,
        url: str,
        *,
        operation: str,
        headers: Mapping[str, str] | None = None,
        page_size: int | None = None,
    ) -> dict[str, Any]:
        """Return the JSON object that a GET answers, asking again after transient failures.

        Args:
            subject: whom it is booked on: an address of the roster, or "" for the directory.
            url: from behind `/v1.0`, or a whole link that was checked by `own_link`.
            operation: its name in messages and in the limiter.
            headers: further ones.
            page_size: how many items at most; where given, a 504 is not repeated but raised as PageTooBigError.

        Raises:
            See `microsoft_errors.classify`; PageTooBigError; ConfigError: the certificate is not trusted.
        """
        prefer = IMMUTABLE if page_size is None else f"{IMMUTABLE}, odata.maxpagesize={page_size}"
        sent = {"Prefer": prefer, "Accept": "application/json", **(headers or {})}
        whole = url if url.startswith("https://") else f"{self.base}{url}"

        def once() -> dict[str, Any]:
            return self.request(subject, "GET", whole, sent, operation=operation, big=page_size is not None)

        return self.retry.call(once, what=operation)

    def request(
        self,
        subject: str,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        operation: str,
        body: bytes | None = None,
        count: int = 1,
        big: bool = False,
    ) -> dict[str, Any]:
        """Return the JSON object of one attempt, after pacing; a refused token is replaced once. `retry.call` it."""
        self.limiter.acquire(MICROSOFT, subject, operation, count)
        token = self._tokens.get()
        response = self._send(subject, method, url, {**headers, "Authorization": f"Bearer {token}"}, body, operation)
        if response.status_code == 401:
            token = self._tokens.get(refused=token)
            response = self._send(
                subject, method, url, {**headers, "Authorization": f"Bearer {token}"}, body, operation
            )
        if response.status_code == 200:
            return parse_object(response.headers, response.content, operation)
        if response.status_code == 504 and big:
            raise PageTooBigError(f"Graph could not make a page of {operation} in time (504)")
        problem = classify(
            response.status_code, response.headers, response.content, what=operation, now=self.wall.now()
        )
        self.heed(subject, problem)
        raise problem

    def heed(self, subject: str, problem: LeakwatchError | None) -> None:
        """Let nobody call for `subject` as long as `problem` asks for."""
        if isinstance(problem, TransientError) and problem.retry_after is not None:
            self.limiter.pause(MICROSOFT, subject, problem.retry_after)

    def own_link(self, subject: str, link: Any) -> str:
        """Return a continuation link of Graph's, looked at before a token goes there and before it is stored.

        Raises:
            CursorError: it leads to another host, or to another mailbox: the stream is read anew.
        """
        own = urlsplit(self.base)
        try:
            parts = urlsplit(str(link))
        except ValueError:
            parts = urlsplit("")
        path = unquote(parts.path).lower()
        user = self._ids.get(subject, "").lower()
        # Graph writes a key as a segment or in brackets, and the user as it was asked for.
        starts = tuple(f"{VERSION}/users{form.format(name)}/" for name in (user, subject.lower())
                       for form in ("/{}", "('{}')"))  # fmt: skip
        same = (parts.scheme, parts.netloc.lower()) == (own.scheme, own.netloc.lower())
        if not subject or not user or not same or not path.startswith(starts) or "/.." in path:
            raise CursorError("a link to the next page leads out of this mailbox or to another host; not followed")
        return str(link)

    def _send(
        self, subject: str, method: str, url: str, headers: Mapping[str, str], body: bytes | None, operation: str
    ) -> httpx.Response:
        info = RequestInformation()
        info.http_method = Method(method)
        info.url = url
        info.headers = HeadersCollection()
        for name, value in headers.items():
            info.headers.add(name, value)
        if body is not None:
            info.set_stream_content(body, "application/json")
        info.add_request_options([ResponseHandlerOption(NativeResponseHandler())])
        with self._slot(subject):
            try:
                found: Any = self._loop.run(self._adapter.send_primitive_async(info, "bytes", {}))
            except httpx.HTTPError as error:
                if _is_untrusted(error):
                    raise ConfigError(
                        f"the certificate of {urlsplit(url).netloc} is not trusted. Nothing was sent. If a company "
                        "proxy is in between, set microsoft.ca_bundle to its CA file."
                    ) from error
                raise TransientError(f"Graph could not be reached for {operation} ({type(error).__name__})") from error
        return cast(httpx.Response, found)

    def _slot(self, subject: str) -> threading.BoundedSemaphore:
        with self._lock:
            return self._slots.setdefault(subject, threading.BoundedSemaphore(self.connection.in_flight))


class _Loop:
    """One event loop in a thread of its own, for as long as the client lives: connections belong to their loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="graph", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Return what `work` returns, waiting for it in the calling thread."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:  # Ctrl-C: what is under way is not left behind
            future.cancel()
            raise

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        if not self._thread.is_alive():
            self._loop.close()


def parse_object(headers: Mapping[str, str], content: bytes, operation: str) -> dict[str, Any]:
    """Return the JSON object in `content`.

    Raises:
        TransientError: it is something else (a proxy's page), or cut off.
    """
    try:
        found: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        kind = headers.get("content-type", "no content type")
        raise TransientError(
            f"the answer to {operation} is no complete JSON ({kind}, {len(content)} bytes); is a proxy or login page "
            "in between?"
        )
    return cast(dict[str, Any], found)


def _base(connection: GraphConnection) -> str:
    parts = urlsplit(connection.graph_url)
    if parts.scheme != "https" or not parts.netloc or parts.path not in ("", "/"):
        raise ConfigError(f"microsoft.graph_url: give https://host, got {connection.graph_url!r}")
    return f"{connection.graph_url.rstrip('/')}{VERSION}"


def _context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        if not ca_file.exists():
            raise ConfigError(f"microsoft.ca_bundle: {ca_file} does not exist")
        context.load_verify_locations(cafile=str(ca_file))
    return context


def _is_untrusted(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
