"""What other parts of the org stand on: bodies of any size and kind, streamed answers."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pytest

from leakwatch.sandbox.org.rest.body import MEMORY, Body
from leakwatch.sandbox.org.rest.http import Call, Reply, Router
from sandbox.org.org_kit import Api


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> Router:
    """A router of its own, with a resource that takes CSV and gives it back."""
    router = Router()
    monkeypatch.setattr("leakwatch.sandbox.org.rest.app.router", router)

    @router.on("PUT", r"echo", types=("text/csv",), max_body=3 * MEMORY)
    def echo(call: Call) -> Reply:
        def lines() -> Iterator[bytes]:
            yield from call.body.file

        return Reply(201, content=lines(), media_type="text/csv", headers={"Sforce-NumberOfRecords": "2"})

    @router.on("GET", r"bytes")
    def raw(call: Call) -> Reply:
        return Reply(content=b"\x00\x01", media_type="application/octet-stream")

    assert echo is not raw
    return router


def put(api: Api, content: bytes, kind: str = "text/csv; charset=UTF-8", **headers: str) -> Any:
    return api.http.put(f"{api.root}/echo", content=content, headers={"Content-Type": kind, **headers})


def test_a_csv_body_comes_back_as_a_stream_with_its_headers(api: Api, routes: Router) -> None:
    sent = b"Id,Name\r\n1,\xc3\x87\r\n"
    answer = put(api, sent)
    assert (answer.status_code, answer.content) == (201, sent)
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.headers["Sforce-NumberOfRecords"] == "2"
    assert answer.headers["Sforce-Limit-Info"].startswith("api-usage=")


def test_a_route_takes_the_kinds_of_body_and_the_sizes_it_names(api: Api, routes: Router) -> None:
    assert put(api, b"{}", "application/json").json()[0]["errorCode"] == "UNSUPPORTED_MEDIA_TYPE"
    assert put(api, b"x" * (3 * MEMORY + 1)).status_code == 413
    packed = gzip.compress(b"x" * (3 * MEMORY), mtime=0)
    assert put(api, packed, **{"Content-Encoding": "gzip"}).content == b"x" * (3 * MEMORY)
    packed = gzip.compress(b"x" * (3 * MEMORY + 1), mtime=0)
    assert put(api, packed, **{"Content-Encoding": "gzip"}).status_code == 413


def test_bytes_are_answered_as_they_are(api: Api, routes: Router) -> None:
    answer = api.get("bytes")
    assert (answer.content, answer.headers["Content-Type"]) == (b"\x00\x01", "application/octet-stream")


def test_a_large_body_goes_to_disk() -> None:
    small, large = Body.of(b"x"), Body.of(b"x" * (MEMORY + 1))
    assert (small.file._rolled, large.file._rolled) == (False, True)  # type: ignore[attr-defined]
