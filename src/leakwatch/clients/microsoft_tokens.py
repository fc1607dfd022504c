"""Tokens of Entra by msal: one for the whole tenant, by certificate or secret.

msal replays an error (429, any 5xx, anything with Retry-After) from a cache inside its application object without
asking again, for up to an hour. So after an error the object is thrown away, and how long Entra asked to be left alone
is kept here instead.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import msal
import msal.exceptions
import requests

from leakwatch import log
from leakwatch.clients.microsoft_errors import token_error
from leakwatch.errors import ConfigError, TransientError
from leakwatch.ports import Clock

TIMEOUT_S = 30.0
EARLY = timedelta(minutes=5)  # a token is renewed this long before it ends
_KEY = re.compile(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.+?-----END \1PRIVATE KEY-----", re.DOTALL)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Entra:
    """How to get tokens. `login_url` and `resource` are https hosts without a path."""

    tenant_id: str
    client_id: str
    login_url: str
    resource: str
    certificate_file: Path | None = None
    client_secret: str | None = None
    ca_file: Path | None = None
    known_authority: bool = True  # False for the sandbox: msal then does not ask Microsoft whether the host is theirs


def credential(entra: Entra) -> Any:
    """Return what msal takes as the client's credential.

    Raises:
        ConfigError: the PEM file can't be read, or lacks the private key or its certificate.
    """
    if entra.certificate_file is None:
        return entra.client_secret
    try:
        text = entra.certificate_file.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        place = f"microsoft.certificate_file: {entra.certificate_file}"
        raise ConfigError(f"{place} can't be read: {error.strerror}") from error
    key, certificate = _KEY.search(text), _CERTIFICATE.search(text)
    if key is None or certificate is None:
        missing = "private key" if key is None else "certificate"
        raise ConfigError(
            f"microsoft.certificate_file: {entra.certificate_file} holds no {missing}. Put both into it, one after the "
            "other, in PEM form (docs/microsoft.md)."
        )
    return {"private_key": key.group(0), "public_certificate": certificate.group(0)}


class _Session(requests.Session):
    """Remembers the last answer, and keeps to our CA whatever REQUESTS_CA_BUNDLE says."""

    def __init__(self, ca_file: Path | None) -> None:
        super().__init__()
        self._ca_file = ca_file
        self.last: requests.Response | None = None

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return the settings of one request."""
        found = super().merge_environment_settings(url, proxies, stream, verify, cert)
        if self._ca_file is not None:
            found["verify"] = str(self._ca_file)
        return found

    def request(self, *args: Any, **options: Any) -> requests.Response:
        """Send one request, with a time limit and without following redirects."""
        options.setdefault("timeout", TIMEOUT_S)
        options["allow_redirects"] = False  # one would carry the credential elsewhere
        self.last = None
        self.last = super().request(*args, **options)
        return self.last


class TenantTokens:
    """The tenant's token, shared by every caller. Thread-safe: one asks, the others wait."""

    def __init__(self, entra: Entra, *, wall: Clock) -> None:
        self._entra = entra
        self._wall = wall
        self._lock = threading.Lock()
        self._session = _Session(entra.ca_file)
        self._credential = credential(entra)
        self._token = ""
        self._good_until: datetime | None = None
        self._quiet_until: datetime | None = None

    def get(self, *, refused: str | None = None) -> str:
        """Return an access token; never the one that Graph `refused`.

        Raises:
            AuthError: Entra refuses us. TransientError: it can't answer now. ConfigError: see `credential`; the
                server's certificate is not trusted.
        """
        with self._lock:
            now = self._wall.now()
            good = self._good_until is not None and now < self._good_until - EARLY
            if self._token and good and self._token != refused:
                return self._token
            if self._quiet_until is not None and now < self._quiet_until:
                raise TransientError(
                    "Entra asked to be left alone; no token was asked for", retry_after=self._quiet_until - now
                )
            found = self._ask()
            self._token = str(found["access_token"])
            self._good_until = now + timedelta(seconds=int(found.get("expires_in") or 0))
            return self._token

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _ask(self) -> Mapping[str, Any]:
        entra = self._entra
        _log.info(log.Event.SESSION_REFRESHED, provider="microsoft")
        found: Mapping[str, Any] = {}
        try:
            # A fresh application each time, for its cache of errors (see above); the token is kept here.
            application = msal.ConfidentialClientApplication(
                entra.client_id,
                client_credential=self._credential,
                authority=f"{entra.login_url.rstrip('/')}/{entra.tenant_id}",
                instance_discovery=None if entra.known_authority else False,
                http_client=self._session,
            )
            scopes = [f"{entra.resource.rstrip('/')}/.default"]
            found = cast(Mapping[str, Any], application.acquire_token_for_client(scopes) or {})
        except requests.exceptions.SSLError as error:
            raise ConfigError(
                f"the certificate of {urlsplit(entra.login_url).netloc} is not trusted. Nothing was sent. If a company "
                "proxy is in between, set microsoft.ca_bundle to its CA file."
            ) from error
        except (requests.RequestException, msal.exceptions.MsalError) as error:
            if self._session.last is None:
                raise TransientError(f"Entra could not be reached for a token ({type(error).__name__})") from error
        except ValueError as error:  # no JSON, an authority that can't be discovered, or a key that can't be read
            if self._session.last is None:
                raise ConfigError(f"microsoft: msal takes the credential or the tenant not: {error}") from error
            if self._session.last.status_code == 400:  # of the tenant's configuration document
                found = _json(self._session.last)
        if isinstance(found.get("access_token"), str):
            return found
        last = self._session.last
        problem = token_error(
            found, last.status_code if last is not None else 0, last.headers if last is not None else {},
            now=self._wall.now(),
        )  # fmt: skip
        if isinstance(problem, TransientError) and problem.retry_after is not None:
            self._quiet_until = self._wall.now() + problem.retry_after
        raise problem


def _json(response: requests.Response) -> Mapping[str, Any]:
    try:
        found: Any = response.json()
    except ValueError:
        return {}
    return cast(Mapping[str, Any], found) if isinstance(found, dict) else {}
