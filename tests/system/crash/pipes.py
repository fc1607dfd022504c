"""HTTP over a pipe: leakwatch's clients in one process, the emulated services in the one that forked it.

The process that is killed must not be the one that keeps the org, or the org would die with it.
"""

from __future__ import annotations

import io
import marshal
import os
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any

import httplib2
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

Reply = tuple[int, dict[str, str], bytes]
Exchange = Callable[[str, str, str, Mapping[str, str], bytes], Reply]


class Link:
    """Where calls go: a function of this process, or a pipe."""

    def __init__(self) -> None:
        self.exchange: Exchange | None = None

    def ask(self, service: str, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Return status, headers and body. Raises ConnectionResetError where no answer came."""
        assert self.exchange is not None
        reply = self.exchange(service, method, url, headers, body)
        if reply[0] == 0:
            raise ConnectionResetError("connection reset by peer")
        return reply


class SalesforceAdapter(BaseAdapter):
    """What `requests` sends over a link."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Return the answer, its body still to be read."""
        body = request.body or b""
        data = body.encode() if isinstance(body, str) else body
        try:
            status, headers, content = self._link.ask(
                "salesforce",
                str(request.method),
                str(request.url),
                {k: str(v) for k, v in request.headers.items()},
                data,
            )
        except ConnectionResetError as error:
            raise requests.exceptions.ConnectionError(error) from error
        response = requests.Response()
        response.status_code, response.headers = status, CaseInsensitiveDict(headers)
        response.raw, response.url, response.request = _Raw(content), str(request.url), request
        return response

    def close(self) -> None:
        """There is nothing to close."""


class _Raw(io.BytesIO):
    def read1(self, size: int | None = -1, /, *, decode_content: bool = False) -> bytes:
        return super().read1(-1 if size is None else size)

    def release_conn(self) -> None:
        """There is no connection."""


class GoogleHttp:
    """What Google's clients send over a link: httplib2.Http, as far as they use it."""

    follow_redirects = False
    connections: dict[str, Any] = {}  # noqa: RUF012  httplib2 has one too

    def __init__(self, link: Link) -> None:
        self._link = link

    def request(
        self, uri: str, method: str = "GET", body: bytes | str | None = None, headers: Any = None, **options: Any
    ) -> tuple[httplib2.Response, bytes]:
        """Return headers with the status, and the body."""
        del options
        data = body.encode() if isinstance(body, str) else body or b""
        sent = {str(_text(name)): str(_text(value)) for name, value in (headers or {}).items()}
        status, told, content = self._link.ask("google", method, uri, sent, data)
        return httplib2.Response({"status": str(status), **{k.lower(): v for k, v in told.items()}}), content

    def close(self) -> None:
        """There is nothing to close."""


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else value


# --- the pipe ---


def over(channel: socket.socket) -> Exchange:
    """Return an exchange that asks the process at the other end."""

    def ask(service: str, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        _send(channel, (service, method, url, dict(headers), bytes(body)))
        reply = _receive(channel)
        if reply is None:
            os._exit(71)  # whoever kept the org is gone
        return reply

    return ask


def serve(channel: socket.socket, exchange: Exchange) -> None:
    """Answer until the other end is closed, which its death does too."""
    while (call := _receive(channel)) is not None:
        try:
            _send(channel, exchange(*call))
        except OSError:
            return


def _send(channel: socket.socket, value: Any) -> None:
    data = marshal.dumps(value)
    channel.sendall(struct.pack("!I", len(data)) + data)


def _receive(channel: socket.socket) -> Any:
    head = _exactly(channel, 4)
    if head is None:
        return None
    data = _exactly(channel, struct.unpack("!I", head)[0])
    return None if data is None else marshal.loads(data)


def _exactly(channel: socket.socket, size: int) -> bytes | None:
    found = bytearray()
    while len(found) < size:
        try:
            some = channel.recv(size - len(found))
        except ConnectionError:
            return None
        if not some:
            return None
        found += some
    return bytes(found)
