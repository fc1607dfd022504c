"""A stand-in for Google's HTTPS: records what is sent, answers what a test says."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from leakwatch.clients.google import GoogleClient, GoogleConnection
from leakwatch.clients.limiter import DIRECTORY, GMAIL_2026, PUBSUB, Limiter, Quota
from leakwatch.clients.retry import RetryPolicy
from leakwatch.clock import SystemClock

JSON = {"content-type": "application/json; charset=UTF-8"}
Answer = tuple[int, dict[str, str], bytes]


@cache
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def write_key(folder: Path, **changes: Any) -> Path:
    path = folder / "service-account.json"
    account = {
        "type": "service_account",
        "client_email": "bot@project.iam.gserviceaccount.com",
        "private_key": private_key(),
        "token_uri": "https://oauth2.googleapis.com/token",
        **changes,
    }
    path.write_text(json.dumps(account))
    return path


def ok(body: Any) -> Answer:
    return 200, dict(JSON), json.dumps(body).encode()


def error(status: int, reason: str = "", message: str = "no", **headers: str) -> Answer:
    body = {"error": {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}}
    return status, {**JSON, **headers}, json.dumps(body).encode()


class Response(dict[str, str]):
    """As httplib2's: headers as a dict, and a status."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        super().__init__(headers)
        self.status = status


class FakeHttp:
    """Answers token requests by itself, everything else by `handler` or the queued `answers`."""

    def __init__(self, handler: Callable[[str, bytes | None], Answer] | None = None) -> None:
        self.handler = handler
        self.answers: list[Answer | Exception] = []
        self.token_answers: list[Answer] = []
        self.requests: list[tuple[str, dict[str, str], bytes | None]] = []
        self.assertions: list[str] = []
        self.claims: list[dict[str, Any]] = []
        self.closed = False

    def request(
        self, uri: str, method: str = "GET", body: bytes | None = None, headers: Any = None, **_more: Any
    ) -> tuple[Response, bytes]:
        if uri.endswith("/token"):
            assert body is not None
            assertion = parse_qs(body.decode())["assertion"][0]
            self.assertions.append(assertion)
            self.claims.append(json.loads(base64.urlsafe_b64decode(assertion.split(".")[1] + "==")))
            token = ok({"access_token": f"token{len(self.claims)}", "expires_in": 3600})
            return self._give(self.token_answers.pop(0) if self.token_answers else token)
        self.requests.append((uri, dict(headers or {}), body))
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return self._give(answer)
        assert self.handler is not None, f"nothing to answer to {uri}"
        return self._give(self.handler(uri, body))

    def close(self) -> None:
        self.closed = True

    def _give(self, answer: Answer) -> tuple[Response, bytes]:
        status, headers, body = answer
        return Response(status, headers), body


def make_client(
    folder: Path, http: FakeHttp, *, scope: Any = "metadata", **key: Any
) -> tuple[GoogleClient, list[float]]:
    """Return a client that talks to `http`, and the list of its waits (which take no time)."""
    waits: list[float] = []
    wall = SystemClock()
    quota = Quota(10**9, 10**9, GMAIL_2026.costs)
    client = GoogleClient(
        GoogleConnection(write_key(folder, **key), scope=scope),
        limiter=Limiter(_Instant(), {"google": quota, "google_directory": DIRECTORY, "google_pubsub": PUBSUB}),
        retry=RetryPolicy(waits.append),
        wall=wall,
    )
    client.allow(["ann@ourco.com", "bob@ourco.com", "admin@ourco.com"])
    client._local.http = http
    return client, waits


class _Instant:
    """A clock whose sleep takes no time but counts."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> Any:
        raise AssertionError("the limiter needs no date")

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds
