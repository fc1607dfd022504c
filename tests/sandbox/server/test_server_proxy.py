"""The proxy: Salesforce's host names lead to the sandbox, and nothing else leads anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import requests

from leakwatch.sandbox.proxy import ConnectProxy, Targets
from leakwatch.sandbox.wire import listen
from sandbox.server.harness import Running


@pytest.mark.parametrize(
    ("host", "port", "target"),
    [
        ("login.salesforce.com", 443, 1),
        ("TEST.salesforce.com", 443, 1),
        ("acme.my.salesforce.com", 443, 2),
        ("acme--uat.sandbox.my.salesforce.com", 443, 2),
        ("login.salesforce.com", 80, None),
        ("my.salesforce.com", 443, None),
        ("a.b.my.salesforce.com", 443, None),
        ("login.salesforce.com.evil.example", 443, None),
        ("evil.example", 443, None),
        ("localhost", 443, None),
        ("127.0.0.1", 443, None),
    ],
)
def test_it_leads_to_the_login_port_the_orgs_port_or_nowhere(host: str, port: int, target: int | None) -> None:
    assert Targets(login=1, instance=2).port(host, port) == target


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(100):
        writer.write(chunk.upper())
    writer.close()


async def rest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Say no more, and hear the rest."""
    writer.write_eof()
    heard = await reader.read()
    writer.close()
    await writer.wait_closed()
    return heard


def through_proxy(ask: Callable[[int], Awaitable[bytes]]) -> bytes:
    """What `ask` gets from a proxy (on the port it is given) before a server that answers in capitals."""

    async def run() -> bytes:
        echo, own = listen(0), listen(0)
        server = await asyncio.start_server(_echo, sock=echo)
        port = int(echo.getsockname()[1])
        proxy = ConnectProxy(Targets(login=port, instance=port))
        await proxy.start(own)
        try:
            return await asyncio.wait_for(ask(int(own.getsockname()[1])), 10)
        finally:
            proxy.stop()
            server.close()

    return asyncio.run(run())


def test_bytes_go_both_ways_until_the_client_is_done() -> None:
    async def ask(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"CONNECT login.salesforce.com:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"hello")
        return await rest(reader, writer)

    assert through_proxy(ask) == b"HELLO"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"CONNECT evil.example:443 HTTP/1.1\r\n\r\n", b"403"),
        (b"CONNECT login.salesforce.com:8443 HTTP/1.1\r\n\r\n", b"403"),
        (b"CONNECT login.salesforce.com HTTP/1.1\r\n\r\n", b"403"),
        (b"GET http://login.salesforce.com:443/ HTTP/1.1\r\n\r\n", b"403"),
        (b"\r\n\r\n", b"403"),
        (b"x" * 20_000, b"400"),
        (b"CONNECT", b"400"),
    ],
)
def test_everything_else_is_refused(head: bytes, status: bytes) -> None:
    async def ask(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        return await rest(reader, writer)

    assert through_proxy(ask).startswith(b"HTTP/1.1 " + status)


def test_a_client_that_hard_codes_the_real_names_logs_in_and_works(running: Running) -> None:
    org, proxy = running.info["salesforce"], running.info["proxy"]
    client = requests.Session()
    client.trust_env = False
    client.proxies = {"https": proxy["url"]}
    client.verify = running.info["ca_file"]
    form = {
        "grant_type": "refresh_token", "refresh_token": org["refresh_token"], "client_id": org["client_id"],
        "client_secret": org["client_secret"],
    }  # fmt: skip
    answer = client.post("https://login.salesforce.com/services/oauth2/token", data=form, timeout=20)
    assert answer.status_code == 200, answer.text
    token = answer.json()
    assert token["instance_url"] == proxy["instance_url"] == "https://leakwatch-dev.my.salesforce.com"
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    limits = client.get(f"{token['instance_url']}/services/data/v66.0/limits", headers=headers, timeout=20)
    assert limits.status_code == 200
    assert client.get(token["id"], headers=headers, timeout=20).json()["username"] == org["username"]
    with pytest.raises(requests.exceptions.ProxyError):
        client.get("https://elsewhere.example/", timeout=20)
    client.close()
