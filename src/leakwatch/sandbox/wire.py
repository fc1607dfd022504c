"""Sockets and HTTP servers of the sandbox: quiet, quick, and tearable on demand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from leakwatch.sandbox.fault_play import Scope

HOST = "127.0.0.1"

#: Connections that stay idle this long (seconds) are closed; long enough for a client's pool in a test.
KEEP_ALIVE = 75


class PortError(RuntimeError):
    """A port is taken."""


_transports: dict[tuple[int, tuple[str, int]], asyncio.Transport] = {}


class DroppableProtocol(H11Protocol):
    """uvicorn's protocol, remembering the transport so that a fault can tear the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Remember the connection by the server's port and the client's address."""
        super().connection_made(transport)
        self._sandbox_key = _key(transport)
        _transports[self._sandbox_key] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        _transports.pop(self._sandbox_key, None)
        super().connection_lost(exc)


def _key(transport: asyncio.Transport) -> tuple[int, tuple[str, int]]:
    ours: Any = transport.get_extra_info("sockname") or ("", 0)
    theirs: Any = transport.get_extra_info("peername") or ("", 0)
    return int(ours[1]), (str(theirs[0]), int(theirs[1]))


def drop_connection(scope: Scope) -> None:
    """Tear the connection that a request came on, without a word."""
    client: Any = scope.get("client") or ("", 0)
    server: Any = scope.get("server") or ("", 0)
    transport = _transports.get((int(server[1]), (str(client[0]), int(client[1]))))
    if transport is not None:
        transport.abort()


def abort_connections() -> None:
    """Tear what is still open: clients that keep idle connections must not hold up the end."""
    for transport in list(_transports.values()):
        transport.abort()


class QuietServer(uvicorn.Server):
    """A uvicorn server that leaves signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Install nothing."""
        yield


def listen(port: int) -> socket.socket:
    """A listening socket on loopback; port 0 takes a free one."""
    # The protocol is named because asyncio sets TCP_NODELAY only then; without it every answer takes 40 ms.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port))
    except OSError as error:
        raise PortError(f"port {port} of {HOST} can't be opened: {error.strerror}; name another one") from error
    sock.listen(128)
    return sock


def https_server(app: Any, pem: Path | None) -> QuietServer:
    """A server for one application; without a certificate it speaks plain HTTP."""
    file = None if pem is None else str(pem)
    return QuietServer(
        uvicorn.Config(
            app,
            http=DroppableProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=2,
            ssl_certfile=file,
            ssl_keyfile=file,
        )
    )
