"""A small HTTP proxy, so that clients which hard-code Salesforce's host names reach the sandbox unmodified.

It knows one method, CONNECT, and Salesforce's hosts alone; what it is asked for goes to the sandbox's own ports,
never to the network. Everything else is refused with 403. Clients are pointed at it by HTTPS_PROXY, and trust the
sandbox's CA, which signs these names (`keys.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from dataclasses import dataclass

from leakwatch.sandbox.org.identity.hosts import PRODUCTION_LOGIN, SANDBOX_LOGIN
from leakwatch.sandbox.wire import HOST

MY_DOMAINS = ("*.my.salesforce.com", "*.sandbox.my.salesforce.com", "*.develop.my.salesforce.com")
#: The names that are sent to the sandbox, and that its certificate is good for.
NAMES = (PRODUCTION_LOGIN, SANDBOX_LOGIN, *MY_DOMAINS)

_MY_DOMAIN = re.compile(r"[a-z0-9-]+(\.(sandbox|develop))?\.my\.salesforce\.com\Z")
_HTTPS_PORT = 443
_HEAD_LIMIT = 16_384  # bytes of a request's head
_HEAD_WITHIN = 10.0  # seconds
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Targets:
    """The sandbox's ports."""

    login: int
    instance: int

    def port(self, host: str, port: int) -> int | None:
        """Where a connection to this host and port is sent; None: nowhere."""
        if port != _HTTPS_PORT:
            return None
        name = host.lower()
        if name in (PRODUCTION_LOGIN, SANDBOX_LOGIN):
            return self.login
        return self.instance if _MY_DOMAIN.match(name) else None


class ConnectProxy:
    """The proxy; `start` it in a running loop, `stop` it at the end."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, sock: socket.socket) -> None:
        """Serve on a listening socket."""
        self._server = await asyncio.start_server(self._client, sock=sock, limit=_HEAD_LIMIT)

    def stop(self) -> None:
        """Take no more connections and tear those that are open."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._serve(reader, writer)
        except OSError:
            writer.transport.abort()
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _HEAD_WITHIN)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            return await _refuse(writer, "400 Bad Request", "this is no request to a proxy")
        method, _, rest = head.decode("latin-1").partition("\r\n")[0].partition(" ")
        place = rest.partition(" ")[0]
        host, _, port = place.rpartition(":")
        target = self._targets.port(host, int(port)) if method == "CONNECT" and port.isdecimal() else None
        if target is None:
            said = f"the sandbox's proxy takes CONNECT to {', '.join(NAMES)} alone, on port {_HTTPS_PORT}"
            return await _refuse(writer, "403 Forbidden", said)
        inner_reader, inner_writer = await asyncio.open_connection(HOST, target)
        self._writers.add(inner_writer)
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        finally:
            self._writers.discard(inner_writer)
            inner_writer.close()
        return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until the sender is done; a torn connection tears the other one too."""
    try:
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()


async def _refuse(writer: asyncio.StreamWriter, status: str, said: str) -> None:
    body = f"{said}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode("ascii") + body)
    with contextlib.suppress(OSError):
        await writer.drain()
