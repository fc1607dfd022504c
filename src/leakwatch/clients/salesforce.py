"""The Salesforce edge: tokens, one pinned host, timeouts, the API budget, and errors translated by recovery.

simple-salesforce is wrapped once, here: it builds the URLs and quotes SOQL; its own requests, retries and refresh are
not used, because they have no timeout, follow continuation links to any host and drop headers on a retry.
Sources: REST API Developer Guide ("JWT Bearer Flow", "Limit Info Header", "Status Codes and Error Responses").
"""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import jwt
import orjson
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.format import format_soql

from leakwatch import log
from leakwatch.clients.retry import RetryPolicy, parse_retry_after
from leakwatch.clients.salesforce_errors import SESSION_REFUSED, TRANSIENT_STATUS, lost, token_refused, translate
from leakwatch.clients.whole_answer import read_whole
from leakwatch.errors import (
    AuthError,
    BudgetError,
    ConfigError,
    SafetyError,
    TransientError,
)
from leakwatch.ports import Clock

JWT_LIFETIME = timedelta(minutes=3)  # Salesforce takes an `exp` of at most a few minutes ahead (JWT Bearer Flow)
SALESFORCE_HOSTS = (".salesforce.com", ".salesforce.mil")
_USAGE = re.compile(r"api-usage=(\d+)/(\d+)")
_CLIENT_NAME = "leakwatch"

_log = log.get(__name__)


def soql(query: str, **values: Any) -> str:
    """Return `query` with `{name}` placeholders replaced by safely quoted values (lists become `(a,b)`)."""
    return format_soql(query, **values)


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach one org. `private_key` is PEM text."""

    login_url: str
    instance_url: str | None
    audience: str
    client_id: str
    username: str
    private_key: str
    api_version: str = "66.0"
    ca_bundle: Path | None = None
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 60.0  # without a byte
    call_timeout_s: float = 600.0  # from the start of a call to the last byte of its answer
    reserve_share: Decimal = Decimal("0.20")


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful response: parsed body (None for 204), status and headers."""

    body: Any
    status: int
    headers: Mapping[str, str]


class SalesforceClient:
    """One org, spoken to by one session. Thread-safe: a 401 seen by many threads refreshes once."""

    def __init__(self, connection: Connection, *, wall: Clock, retry: RetryPolicy) -> None:
        self._connection = connection
        self._wall = wall
        self._retry = retry
        self._session = requests.Session()
        self._session.trust_env = False  # ~/.netrc would replace the bearer token, proxies would be silent
        if connection.ca_bundle is not None:
            if not connection.ca_bundle.exists():
                raise ConfigError(f"salesforce.ca_bundle: {connection.ca_bundle} does not exist")
            self._session.verify = str(connection.ca_bundle)
        self._lock = threading.Lock()
        self._sf: Salesforce | None = None
        self._generation = 0
        self.calls = 0
        self.calls_by_path: dict[str, int] = {}
        self.usage: tuple[int, int] | None = None  # (used, allowed) in the rolling 24 hours
        self.server_time: datetime | None = None

    # --- what others call ---

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool = True,
    ) -> Answer:
        """Return the answer to one API call; `path` is relative to the version root, or begins with `/services/`.

        Raises:
            AuthError: the session can't be made or was refused again after a refresh.
            TransientError: still failing after all tries. UnknownOutcomeError: the same for a call that is not
                `idempotent` and may have been carried out.
            BudgetError: the org's daily API calls are used up. CursorError: the query locator is gone.
            NotFoundError, RecordError: the service refused this call; `code` is its errorCode.
        """
        return self._retry.call(
            lambda: self._once_with_session(method, path, body, params, headers, idempotent=idempotent),
            what=f"{method} {path.split('?', maxsplit=1)[0]}",
        )

    def check_budget(self, calls: int) -> None:
        """Raise BudgetError if `calls` more would cut into the reserve left for people."""
        if self.usage is None:
            return
        used, allowed = self.usage
        ceiling = int(allowed * (1 - self._connection.reserve_share))
        if used + calls > ceiling:
            raise BudgetError(
                f"the org has used {used:,} of its {allowed:,} API calls of the last 24 hours; leakwatch stops at "
                f"{ceiling:,} to leave the rest to people. Nothing is lost: it goes on when the window has rolled. "
                f"Lower salesforce.api_reserve_share to let it go further."
            )

    def close(self) -> None:
        """Close the connections that are kept open for the next call."""
        self._session.close()

    @property
    def base_path(self) -> str:
        """The version root, e.g. `/services/data/v66.0/`."""
        return f"/services/data/v{self._connection.api_version}/"

    @property
    def instance_url(self) -> str:
        """The org's own address, known after the first login."""
        return f"https://{self._open().sf_instance}"

    # --- session ---

    def _open(self) -> Salesforce:
        with self._lock:
            if self._sf is None:
                self._sf = self._login()
                self._generation += 1
            return self._sf

    def _refresh(self, seen: int) -> None:
        """Make a new session unless another thread did since `seen`."""
        with self._lock:
            if self._generation == seen:
                self._sf = self._login()
                self._generation += 1
                _log.info(log.Event.SESSION_REFRESHED)

    def _login(self) -> Salesforce:
        connection = self._connection
        now = self._wall.now()
        claims = {
            "iss": connection.client_id,
            "sub": connection.username,
            "aud": connection.audience,
            "exp": int((now + JWT_LIFETIME).timestamp()),
        }
        try:
            assertion = jwt.encode(claims, connection.private_key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise ConfigError(f"salesforce.private_key_file is not a usable RSA key in PEM form: {error}") from error
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        url = f"{connection.login_url.rstrip('/')}/services/oauth2/token"
        try:
            response, content = self._fetch("POST", url, data=form)
        except requests.RequestException as error:
            if _distrusted(error):
                raise AuthError(
                    f"the TLS certificate of {urlsplit(url).netloc} is not trusted ({error.__class__.__name__}). "
                    "Set salesforce.ca_bundle to your proxy's CA; verification can't be switched off.",
                    reason="tls",
                ) from error
            raise TransientError(f"{urlsplit(url).netloc} could not be reached for a token: {_short(error)}") from error
        return self._session_from(response, content)

    def _session_from(self, response: requests.Response, content: bytes) -> Salesforce:
        try:
            found: Any = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        answer: dict[str, Any] = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        if response.status_code in TRANSIENT_STATUS:
            raise TransientError(
                f"the Salesforce token endpoint answered {response.status_code}",
                retry_after=parse_retry_after(response.headers, _text(content), now=self._wall.now()),
            )
        if response.status_code != requests.codes.ok:
            raise token_refused(answer, response.status_code)
        if not {"access_token", "instance_url"} <= answer.keys():
            kind = response.headers.get("Content-Type", "no type")
            raise TransientError(f"a page that is not Salesforce's answered instead of a token ({kind}): a proxy?")
        host = urlsplit(str(answer["instance_url"])).netloc
        pinned = self._connection.instance_url
        if pinned is not None and host != urlsplit(pinned).netloc:
            raise AuthError(
                f"the token is for {host}, but salesforce.instance_url pins {urlsplit(pinned).netloc}. The token was "
                "not used. If the org moved, change the setting.",
                reason="wrong_instance",
            )
        # `a.salesforce.com:443@elsewhere` is a name and a password for elsewhere.
        if pinned is None and ("@" in host or not host.split(":")[0].endswith(SALESFORCE_HOSTS)):
            raise AuthError(f"the token names a host outside Salesforce ({host}); it was not used", reason="host")
        return Salesforce(
            session_id=str(answer["access_token"]),
            instance_url=f"https://{host}",
            version=self._connection.api_version,
            session=self._session,
        )

    # --- one call ---

    def _fetch(self, method: str, url: str, **sent: Any) -> tuple[requests.Response, bytes]:
        """Return an answer and its body, within the time of one call; raises requests.RequestException."""
        connection = self._connection
        until = self._wall.monotonic() + connection.call_timeout_s
        timeout = (connection.connect_timeout_s, connection.read_timeout_s)
        response = self._session.request(method, url, timeout=timeout, allow_redirects=False, stream=True, **sent)
        return response, read_whole(response, seconds_left=lambda: until - self._wall.monotonic())

    def _once_with_session(
        self,
        method: str,
        path: str,
        body: Any,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        *,
        idempotent: bool,
    ) -> Answer:
        session = self._open()
        generation = self._generation
        try:
            return self._once(session, method, path, body, params, headers, idempotent=idempotent)
        except AuthError as error:
            if error.reason != SESSION_REFUSED:
                raise
        self._refresh(generation)
        return self._once(self._open(), method, path, body, params, headers, idempotent=idempotent)

    def _once(
        self,
        session: Salesforce,
        method: str,
        path: str,
        body: Any,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        *,
        idempotent: bool,
    ) -> Answer:
        url = self._url(session, path)
        sent = {
            "Authorization": f"Bearer {session.session_id}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "X-PrettyPrint": "0",
            "Sforce-Call-Options": f"client={_CLIENT_NAME}",
            **(headers or {}),
        }
        data = None
        if body is not None:
            data = orjson.dumps(body, default=_wire)
            sent["Content-Type"] = "application/json"
        self.calls += 1
        label = f"{method} {_label(path)}"
        self.calls_by_path[label] = self.calls_by_path.get(label, 0) + 1
        try:
            response, content = self._fetch(method, url, data=data, params=params, headers=sent)
        except (requests.exceptions.ConnectTimeout, requests.exceptions.ConnectionError) as error:
            if _distrusted(error):
                raise AuthError(
                    f"the TLS certificate of {urlsplit(url).netloc} is not trusted", reason="tls"
                ) from error
            never_left = isinstance(error, requests.exceptions.ConnectTimeout) or "NewConnectionError" in repr(error)
            raise lost(f"Salesforce could not be reached: {_short(error)}", idempotent or never_left) from error
        except requests.RequestException as error:
            raise lost(f"Salesforce's answer did not arrive whole: {_short(error)}", idempotent) from error
        self._note(response)
        return self._read(response, content, idempotent=idempotent)

    def _url(self, session: Salesforce, path: str) -> str:
        if path.startswith("/"):
            if not path.startswith("/services/"):
                raise SafetyError(
                    f"Salesforce named a continuation outside its API ({path[:60]!r}); it was not followed"
                )
            return f"https://{session.sf_instance}{path}"
        if "://" in path:
            raise SafetyError("Salesforce named a continuation on another host; the token was not sent there")
        return f"{session.base_url}{path}"

    def _note(self, response: requests.Response) -> None:
        found = _USAGE.search(response.headers.get("Sforce-Limit-Info", ""))
        if found:
            self.usage = (int(found[1]), int(found[2]))
        stamp = response.headers.get("Date")
        if stamp:
            try:
                self.server_time = parsedate_to_datetime(stamp).astimezone(UTC)
            except (ValueError, TypeError):
                self.server_time = None

    def _read(self, response: requests.Response, content: bytes, *, idempotent: bool) -> Answer:
        status = response.status_code
        if status == requests.codes.no_content:
            return Answer(None, status, response.headers)
        kind = response.headers.get("Content-Type", "")
        taken = 200 <= status < 300 or status == requests.codes.multiple_choices
        body: Any = None
        if "json" in kind:
            try:
                body = json.loads(content, parse_float=Decimal)
            except (ValueError, RecursionError) as error:
                # A refusal by Salesforce's edge often has no body: its status says what it is, and how long to wait.
                if taken:
                    words = "Salesforce's answer was cut short, or is no answer of Salesforce's"
                    raise lost(words, idempotent) from error
        if taken:
            if body is None:
                raise lost(f"a page that is not Salesforce's answered ({kind or 'no type'}): a proxy?", idempotent)
            return Answer(body, status, response.headers)
        if status in (301, 302, 303, 307, 308):
            raise AuthError("the org redirects to another address; credentials were not sent there", reason="redirect")
        raise translate(status, body, response.headers, _text(content), now=self._wall.now(), idempotent=idempotent)


def _wire(value: Any) -> Any:
    """Return a value orjson can write: decimals keep every digit."""
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError(f"{type(value).__name__} can't be sent to Salesforce")


def _text(content: bytes) -> str:
    """Return a refusal's body to look for words in; what is no UTF-8 is replaced."""
    return content.decode("utf-8", "replace")


def _distrusted(error: BaseException) -> bool:
    """Return whether a certificate was refused. A connection torn in the middle of TLS is an SSLError, too."""
    seen: list[BaseException] = [error]
    for one in seen:
        if isinstance(one, ssl.SSLCertVerificationError):
            return True
        causes = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        seen += [cause for cause in causes if isinstance(cause, BaseException) and cause not in seen]
    return False


def _label(path: str) -> str:
    """Return the kind of call in `path`, without ids, for counting."""
    parts = [part for part in path.split("?", maxsplit=1)[0].split("/") if part]
    if parts[:2] == ["services", "data"]:
        parts = parts[3:]
    return "/".join(part for part in parts if not re.fullmatch(r"[a-zA-Z0-9]{15,}(-\d+)?", part))


def _short(error: Exception) -> str:
    return f"{error.__class__.__name__}"
