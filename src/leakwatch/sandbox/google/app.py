"""The ASGI application of Google's hosts: token endpoint, Directory, Gmail, Calendar, Pub/Sub, batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from leakwatch.sandbox.google import batch
from leakwatch.sandbox.google.calendar_service import ROOT as CALENDAR_ROOT
from leakwatch.sandbox.google.errors import GoogleError, TokenError
from leakwatch.sandbox.google.pubsub import PubSub
from leakwatch.sandbox.google.service import GoogleService, Reply

#: What a fault may do to one part of a batch: an answer instead of the real one, or the name of a behaviour.
PartFault = Callable[[str, str], Reply | str | None]

JSON = "application/json; charset=UTF-8"


def no_fault(_method: str, _target: str) -> Reply | str | None:
    """Nothing goes wrong."""
    return None


def build_app(service: GoogleService, part_fault: PartFault = no_fault) -> Starlette:
    """One application for all of Google's hosts."""

    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        try:
            return _json(200, service.tokens.exchange(form), {"Cache-Control": "no-store"})
        except TokenError as error:
            return _json(error.status, error.body, {})

    async def batches(request: Request) -> Response:
        authorization = request.headers.get("authorization", "")
        try:
            most = batch.MAX_CALENDAR_PARTS if request.url.path == "/batch/calendar/v3" else batch.MAX_PARTS
            parts = batch.read_parts(request.headers.get("content-type", ""), await request.body(), most)
        except GoogleError as error:
            return _json(error.status, error.body, error.headers)
        replies = _play_parts(service, parts, authorization, part_fault)
        content_type, body = batch.write_parts(parts, replies)
        return Response(body, headers={"Content-Type": content_type, "Vary": "Origin, X-Origin, Referer"})

    async def call(request: Request) -> Response:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        authorization = request.headers.get("authorization", "")
        empty = request.scope.get("sandbox.behaviour") == "empty_page"
        sent = await request.body() if request.method != "GET" else b""
        reply = service.answer(request.method, target, authorization, empty_page=empty, sent=sent)
        if reply == Reply(200, {}) and request.url.path.endswith(":pull") and not _at_once(sent):
            name = request.url.path.removeprefix("/v1/").removesuffix(":pull")
            ask = partial(service.answer, "POST", target, authorization, sent=sent)
            reply = await _long_pull(service.pubsub.pubsub, name, ask)
        return _json(reply.status, reply.body, reply.headers)

    verbs = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(
        routes=[
            Route("/token", token, methods=["POST"]),
            Route("/batch", batches, methods=["POST"]),
            Route("/batch/{service:path}", batches, methods=["POST"]),
            Route("/{path:path}", call, methods=verbs),
        ]
    )


async def _long_pull(pubsub: PubSub, subscription: str, ask: Callable[[], Reply]) -> Reply:
    """Ask for messages again until there are some, or the time is over."""
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()
    end = loop.time() + pubsub.settings.pull_wait_s
    pubsub.listeners.append(arrived.set)
    try:
        while True:
            left = min(end - loop.time(), pubsub.seconds_to_next(subscription))
            with suppress(TimeoutError):
                await asyncio.wait_for(arrived.wait(), max(0.01, left))
            arrived.clear()
            reply = ask()
            if reply != Reply(200, {}) or loop.time() >= end:
                return reply
    finally:
        pubsub.listeners.remove(arrived.set)


def _at_once(sent: bytes) -> bool:
    return b'"returnImmediately":true' in b"".join(sent.split())


def _play_parts(
    service: GoogleService, parts: list[batch.Part], authorization: str, part_fault: PartFault
) -> list[Reply]:
    """The parts of a batch run at once at Google, so each is one more request in flight for its user."""
    entered: list[str] = []

    def one(part: batch.Part, header: str) -> Reply:
        fault = part_fault(part.method, part.target)
        if isinstance(fault, Reply):
            return fault
        if part.target.startswith(CALENDAR_ROOT):  # Calendar has no limit of requests in flight
            return service.answer(part.method, part.target, header, empty_page=fault == "empty_page")
        sent = part.body
        try:
            user = service.tokens.open(header).subject or ""
            service.quota.enter(user)
            entered.append(user)
        except GoogleError as error:
            return Reply(error.status, error.body, error.headers)
        return service.answer(part.method, part.target, header, empty_page=fault == "empty_page", sent=sent)

    try:
        return batch.play(parts, authorization, one)
    finally:
        for user in entered:
            service.quota.leave(user)


def _json(status: int, body: object, headers: dict[str, str]) -> Response:
    if status == 204:
        return Response(b"", status, headers)
    return Response(orjson.dumps(body), status, {"Content-Type": JSON} | headers)
