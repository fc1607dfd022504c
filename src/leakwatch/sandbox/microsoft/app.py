"""The ASGI application of Microsoft's hosts: Entra's token endpoint, Graph, and its batches."""

from __future__ import annotations

import asyncio
import uuid
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from leakwatch.sandbox.microsoft import batch
from leakwatch.sandbox.microsoft.batch import PartFault
from leakwatch.sandbox.microsoft.call import GraphRequest, Reply
from leakwatch.sandbox.microsoft.errors import TokenError
from leakwatch.sandbox.microsoft.service import GraphService

JSON = "application/json; charset=utf-8"


def no_fault(_method: str, _target: str) -> Reply | str | None:
    """Nothing goes wrong."""
    return None


def build_app(service: GraphService, part_fault: PartFault = no_fault) -> Starlette:
    """One application for both hosts."""

    def refused(request: Request, error: TokenError) -> Response:
        asked = request.headers.get("client-request-id") or str(uuid.uuid4())
        return _json(error.status, error.body(service.wall(), str(uuid.uuid4()), asked))

    async def configuration(request: Request) -> Response:
        try:
            return _json(200, service.entra.configuration(request.path_params["tenant"], _origin(request)))
        except TokenError as error:
            return refused(request, error)

    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
        try:
            body = service.entra.exchange(request.path_params["tenant"], form, _origin(request))
        except TokenError as error:
            return refused(request, error)
        return _json(200, body)

    async def pause() -> None:
        milliseconds = service.settings.now.latency_ms
        if milliseconds:
            await asyncio.sleep(milliseconds / 1000)

    async def batches(request: Request) -> Response:
        return _sent(await batch.play(service, await _read(request), part_fault, pause))

    async def call(request: Request) -> Response:
        asked = await _read(request)
        place, refusal = service.enter(asked)
        if refusal is not None:
            return _sent(refusal)
        try:
            await pause()
            return _sent(service.answer(asked))
        finally:
            service.leave(place)

    verbs = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(
        routes=[
            Route("/{tenant}/v2.0/.well-known/openid-configuration", configuration),
            Route("/{tenant}/oauth2/v2.0/token", token, methods=["POST"]),
            Route("/v1.0/$batch", batches, methods=["POST"]),
            Route("/{path:path}", call, methods=verbs),
        ]
    )


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}"


async def _read(request: Request) -> GraphRequest:
    raw = bytes(request.scope["raw_path"]).decode("latin-1").partition("?")[0]
    target = raw + (f"?{request.url.query}" if request.url.query else "")
    headers = {name.lower(): value for name, value in request.headers.items()}
    behaviour = str(request.scope.get("sandbox.behaviour") or "")
    return GraphRequest(request.method, target, headers, await request.body(), _origin(request), behaviour)


def _json(status: int, body: object) -> Response:
    return Response(orjson.dumps(body), status, {"Content-Type": JSON, "Cache-Control": "no-store, no-cache"})


def _sent(reply: Reply) -> Response:
    body = reply.body
    content = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(content, reply.status, reply.headers)
