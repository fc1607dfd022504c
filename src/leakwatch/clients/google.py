"""The Google edge: delegated tokens, pinned hosts, CA, pacing, retries, and errors translated by recovery.

google-api-python-client builds the request URLs from collections made once; requests go over google-auth's
`AuthorizedHttp` with an own `httplib2.Http` per thread (httplib2 is not thread-safe). Domain-wide delegation can't be
limited to users by Google, so leakwatch keeps an allow-list and checks it before any token is minted.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlencode, urlsplit

import google.auth.credentials
import google.auth.exceptions
import google_auth_httplib2
import httplib2
import orjson
from google.auth import crypt, jwt

from leakwatch import log
from leakwatch.clients.google_errors import ProjectQuotaError, classify, token_error
from leakwatch.clients.limiter import Limiter
from leakwatch.clients.retry import RetryPolicy
from leakwatch.errors import AuthError, ConfigError, LeakwatchError, TransientError
from leakwatch.ports import Clock

GMAIL_SCOPES = {
    "metadata": "https://www.googleapis.com/auth/gmail.metadata",
    "readonly": "https://www.googleapis.com/auth/gmail.readonly",
}
CALENDAR_SCOPE = "https://www.googleapis.com/auth/calendar.events.readonly"
DIRECTORY_SCOPES = (
    "https://www.googleapis.com/auth/admin.directory.user.readonly",
    "https://www.googleapis.com/auth/admin.directory.user.alias.readonly",
)
PUBSUB_SCOPE = "https://www.googleapis.com/auth/pubsub"
ITSELF = ""  # as subject: the service account, not somebody's mailbox
TOKEN_HOSTS = frozenset({"oauth2.googleapis.com", "accounts.google.com"})
TOKEN_LIFETIME = timedelta(hours=1)  # the longest Google grants
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AGENT = "leakwatch (gzip)"  # Google compresses only for agents that say gzip (Gmail API, "Performance tips")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NETWORK = (OSError, http.client.HTTPException, httplib2.HttpLib2Error, google.auth.exceptions.TransportError)

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class GoogleConnection:
    """How to reach Google. The URLs are hosts without a path; `ca_file` adds a company proxy's or the sandbox's CA."""

    service_account_file: Path
    scope: Literal["metadata", "readonly"] = "metadata"
    gmail_url: str = "https://gmail.googleapis.com"
    directory_url: str = "https://admin.googleapis.com"
    calendar_url: str = "https://www.googleapis.com"
    pubsub_url: str = "https://pubsub.googleapis.com"
    ca_file: Path | None = None
    timeout_s: float = 60.0  # without a byte


def load_service_account(path: Path) -> Mapping[str, Any]:
    """Return the content of a service account's JSON key.

    Raises:
        ConfigError: it can't be read or is no service account key.
    """
    try:
        found: Any = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"google.service_account_file: {path} can't be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"google.service_account_file: {path} is not JSON") from error
    needed = ("client_email", "private_key", "token_uri")
    missing = [name for name in needed if not (isinstance(found, dict) and isinstance(found.get(name), str))]
    if missing:
        raise ConfigError(
            f"google.service_account_file: {path} is no service account key (missing: {', '.join(missing)}). Download "
            "one in the Google Cloud console: IAM > Service accounts > Keys > Add key > JSON."
        )
    return cast(Mapping[str, Any], found)


class _DelegatedCredentials(google.auth.credentials.Credentials):
    """A token for one person and one set of scopes, minted by the service account. Errors are leakwatch's own."""

    def __init__(self, client: GoogleClient, subject: str, scopes: tuple[str, ...]) -> None:
        super().__init__()
        self._client = client
        self._subject = subject
        self._scopes_text = " ".join(scopes)
        self._lock = threading.Lock()

    def refresh(self, request: Any) -> None:
        """Mint a token; many threads that saw the same 401 mint one."""
        seen: Any = self.token
        with self._lock:
            if self.token != seen and self.valid:
                return
            token, lifetime = self._client.mint(request, self._subject, self._scopes_text)
            self.token = token
            # google-auth compares naive UTC.
            self.expiry = (self._client.wall.now() + lifetime).replace(tzinfo=None)


class GoogleClient:
    """Authorised calls to Google for people on the roster. Thread-safe.

    Args:
        connection: hosts, key, CA.
        limiter: knows the providers `google`, `google_calendar`, `google_directory` and `google_pubsub`.
        retry: the only place where calls are repeated.
        wall: real time, because Google checks token times against its own clock.
    """

    def __init__(self, connection: GoogleConnection, *, limiter: Limiter, retry: RetryPolicy, wall: Clock) -> None:
        self.connection = connection
        self.limiter = limiter
        self.retry = retry
        self.wall = wall
        self._key = load_service_account(connection.service_account_file)
        self._loaded: tuple[Mapping[str, Any], Any] | None = None  # the key and its signer
        self._hosts = _pinned_hosts(connection, self._key)
        if connection.ca_file is not None and not connection.ca_file.exists():
            raise ConfigError(f"google.ca_bundle: {connection.ca_file} does not exist")
        self._allowed: frozenset[str] = frozenset()
        self._credentials: dict[tuple[str, tuple[str, ...]], _DelegatedCredentials] = {}
        self._lock = threading.Lock()
        self._local = threading.local()
        self._opened: list[Any] = []  # every thread's connections
        self._skew = timedelta(0)  # Google's clock minus ours, once we were told that ours is off

    def allow(self, addresses: Iterable[str]) -> None:
        """Set whose mailboxes may be opened: the roster, and nobody else."""
        self._allowed = frozenset(addresses)

    def close(self) -> None:
        """Close every connection; the next call opens new ones."""
        with self._lock:
            for found in self._opened:
                found.close()

    def request(
        self,
        subject: str,
        scopes: tuple[str, ...],
        uri: str,
        *,
        provider: str,
        operation: str,
        count: int = 1,
        body: bytes | None = None,
        content_type: str | None = None,
    ) -> tuple[Mapping[str, str], bytes]:
        """Return (headers, content) of a successful answer, after pacing and one attempt. `retry.call` it.

        With a `body`, which may be empty, it is a POST. For the `subject` ITSELF no mailbox is opened.

        Raises:
            AuthError, TransientError, NotFoundError, CursorError, RecordError: see `google_errors.classify`.
            ConfigError: the server's certificate is not trusted.
        """
        self._check_host(uri)
        self.limiter.acquire(provider, subject, operation, count)
        headers = {"user-agent": AGENT, "accept-encoding": "gzip, deflate"}
        if content_type is not None:
            headers["content-type"] = content_type
        try:
            response, content = self._authorised(subject, scopes).request(
                uri, method="POST" if body is not None else "GET", body=body, headers=headers
            )
        except ssl.SSLCertVerificationError as error:
            raise _untrusted(uri, error) from error
        except _NETWORK as error:
            self._http().close()  # whatever is left of the connection is not to be used again
            raise TransientError(f"Google could not be reached for {operation} ({type(error).__name__})") from error
        if response.status in (200, 204):
            return response, content
        problem = classify(response.status, response, content, what=operation, now=self.wall.now())
        self.heed(provider, subject, problem)
        raise problem

    def heed(self, provider: str, subject: str, problem: LeakwatchError | None) -> None:
        """Let nobody call for `subject`, or for anyone of the project, as long as `problem` asks for."""
        if isinstance(problem, TransientError) and problem.retry_after is not None:
            whole_project = isinstance(problem, ProjectQuotaError)
            self.limiter.pause(provider, None if whole_project else subject, problem.retry_after)

    def json(self, subject: str, scopes: tuple[str, ...], uri: str, *, provider: str, operation: str) -> dict[str, Any]:
        """Return the JSON object that a GET of `uri` answers, asking again after transient failures."""

        def once() -> dict[str, Any]:
            headers, content = self.request(subject, scopes, uri, provider=provider, operation=operation)
            return parse_object(headers, content, operation)

        return self.retry.call(once, what=operation)

    # --- tokens ---

    def mint(self, request: Any, subject: str, scopes: str) -> tuple[str, timedelta]:
        """Return (access token, lifetime) for `subject`, or for the service account ITSELF: that opens no mailbox.

        Raises:
            AuthError: not on the roster, or Google refuses. TransientError: the token endpoint can't answer now.
        """
        if subject != ITSELF and subject not in self._allowed:
            raise AuthError(
                "leakwatch was asked to open a mailbox that is not on the roster. No token was asked for.",
                reason="not_on_roster",
            )
        _log.info(log.Event.SESSION_REFRESHED, provider="google", person=log.address_tag(subject), scopes=scopes)
        answer = self._exchange(request, subject, scopes)
        if answer.status == 400 and self._may_mend(answer):
            answer = self._exchange(request, subject, scopes)
        if answer.status != 200:
            raise token_error(answer.status, answer.headers, answer.data, now=self.wall.now())
        found = parse_object(answer.headers, answer.data, "token")
        token = found.get("access_token")
        if not isinstance(token, str) or not token:
            raise TransientError("Google's token endpoint answered without a token")
        return token, timedelta(seconds=int(found.get("expires_in") or 0))

    def _exchange(self, request: Any, subject: str, scopes: str) -> Any:
        uri = self._key["token_uri"]
        self._check_host(uri)
        issued = self.wall.now() + self._skew
        claims = {
            "iss": self._key["client_email"],
            **({"sub": subject} if subject != ITSELF else {}),
            "scope": scopes,
            "aud": uri,
            "iat": int(issued.timestamp()),
            "exp": int((issued + TOKEN_LIFETIME).timestamp()),
        }
        assertion = jwt.encode(self._signer(), claims).decode("ascii")
        body = urlencode({"grant_type": GRANT_TYPE, "assertion": assertion}).encode("ascii")
        headers = {"content-type": "application/x-www-form-urlencoded", "user-agent": AGENT}
        return request(url=uri, method="POST", body=body, headers=headers)

    def _signer(self) -> Any:
        """Return what signs with the service account's key. Loading a key checks it, which costs 100 signatures."""
        key, loaded = self._key, self._loaded
        if loaded is None or loaded[0] is not key:
            try:
                loaded = self._loaded = (key, crypt.RSASigner.from_service_account_info(key))
            except (ValueError, google.auth.exceptions.GoogleAuthError) as error:
                raise ConfigError("google.service_account_file: its private_key is no RSA key in PEM form") from error
        return loaded[1]

    def _may_mend(self, answer: Any) -> bool:
        """Return whether a second exchange may work: our clock was off, or the key file was changed on disk."""
        mended = False
        if b"invalid_grant" in answer.data and (b"short-lived" in answer.data or b"iat" in answer.data):
            told = _header_time(answer.headers)
            if told is not None:
                self._skew = told - self.wall.now()
                mended = abs(self._skew) > timedelta(seconds=5)
        if b"invalid_grant" in answer.data or b"invalid_client" in answer.data:
            fresh = load_service_account(self.connection.service_account_file)
            if fresh != self._key and fresh["token_uri"] == self._key["token_uri"]:
                self._key = fresh
                mended = True
        return mended

    # --- transport ---

    def _authorised(self, subject: str, scopes: tuple[str, ...]) -> Any:
        with self._lock:
            credentials = self._credentials.get((subject, scopes))
            if credentials is None:
                credentials = self._credentials[(subject, scopes)] = _DelegatedCredentials(self, subject, scopes)
        return google_auth_httplib2.AuthorizedHttp(credentials, http=self._http(), max_refresh_attempts=1)

    def _http(self) -> Any:
        found = getattr(self._local, "http", None)
        if found is None:
            ca_file = self.connection.ca_file
            options: dict[str, Any] = {"ca_certs": str(ca_file)} if ca_file is not None else {}
            if urlsplit(self.connection.gmail_url).hostname in _LOOPBACK:
                options["proxy_info"] = None
            found = self._local.http = httplib2.Http(timeout=self.connection.timeout_s, **options)
            found.follow_redirects = False  # a redirect would carry the token elsewhere
            with self._lock:
                self._opened.append(found)
        return found

    def _check_host(self, uri: str) -> None:
        parts = urlsplit(uri)
        if parts.scheme != "https" or parts.netloc not in self._hosts:
            raise AuthError(
                f"leakwatch sends Google tokens only to {', '.join(sorted(self._hosts))}; it was pointed elsewhere. "
                "Nothing was sent.",
                reason="host_not_pinned",
            )


def parse_object(headers: Mapping[str, str], content: bytes, operation: str) -> dict[str, Any]:
    """Return the JSON object in `content`.

    Raises:
        TransientError: it is something else (a proxy's page), or cut off.
    """
    kind = headers.get("content-type", "")
    try:
        found: Any = orjson.loads(content) if "json" in kind.lower() else None
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise TransientError(
            f"the answer to {operation} is no complete JSON ({kind or 'no content type'}, {len(content)} bytes); is a "
            "proxy or login page in between?"
        )
    return cast(dict[str, Any], found)


def _pinned_hosts(connection: GoogleConnection, key: Mapping[str, Any]) -> frozenset[str]:
    problems: list[str] = []
    hosts: set[str] = set()
    for name in ("gmail_url", "directory_url", "calendar_url", "pubsub_url"):
        url = str(getattr(connection, name))
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.netloc or parts.path not in ("", "/"):
            problems.append(f"google.{name}: give https://host, got {url!r}")
        hosts.add(parts.netloc)
    token = urlsplit(str(key["token_uri"]))
    own = urlsplit(connection.gmail_url).hostname
    if token.scheme != "https" or token.hostname not in (*TOKEN_HOSTS, own):
        problems.append(
            f"google.service_account_file: its token_uri points to {token.hostname}, which is neither Google nor the "
            "host of google.gmail_url; no key is sent there"
        )
    if problems:
        raise ConfigError(problems)
    return frozenset(hosts | {token.netloc})


def _untrusted(uri: str, error: ssl.SSLCertVerificationError) -> ConfigError:
    why = getattr(error, "verify_message", error)
    return ConfigError(
        f"the certificate of {urlsplit(uri).netloc} is not trusted ({why}). Nothing was sent. If a company proxy is "
        "in between, set google.ca_bundle to its CA file."
    )


def _header_time(headers: Mapping[str, str]) -> datetime | None:
    value = headers.get("date") or headers.get("Date")
    if value is None:
        return None
    try:
        return parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
