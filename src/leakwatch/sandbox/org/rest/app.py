"""The ASGI application: sessions, limits and headers around the routes.

Every module of this package is imported for the routes that it registers: a new resource is a new file.
"""

from __future__ import annotations

import re
import secrets
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from datetime import timedelta
from email.utils import format_datetime
from importlib import import_module
from pkgutil import iter_modules
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from leakwatch.sandbox.org import rest
from leakwatch.sandbox.org.errors import OrgError, not_emulated, not_found
from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.identity.hosts import Hosts
from leakwatch.sandbox.org.identity.sessions import Session
from leakwatch.sandbox.org.limits import usage_header
from leakwatch.sandbox.org.rest import meta, oauth, soap
from leakwatch.sandbox.org.rest.body import Body, receive
from leakwatch.sandbox.org.rest.http import JSON_REPLY, Call, Reply, router

__all__ = ["build_app"]
MAX_URI_AND_HEADERS = 16_384
_DATA = re.compile(r"/services/data/v(\d+)\.0(?:/(.*))?\Z", re.DOTALL)
_READS = ("GET", "HEAD")  # they see one state; every other call has the writer's place from beginning to end
_METHODS = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"]


def build_app(
    org: Org,
    *,
    instance_url: str | Callable[[], str],
    login_hosts: Iterable[str] = (),
    wall_clock: Callable[[], float] = time.time,
) -> Starlette:
    """The org on the network: token endpoint and data API.

    Args:
        org: The org.
        instance_url: What the token endpoint gives as `instance_url`; a callable where the port is not
            known yet.
        login_hosts: Base URLs of the login host (`https://localhost:8443`): accepted as `aud`, and shown
            in the identity URL. A request whose `Host` is one of them is a request to the login host.
        wall_clock: Wall time in seconds, for tokens only.
    """
    for module in iter_modules(rest.__path__):
        import_module(f"{rest.__name__}.{module.name}")
    org.sessions.wall_clock = wall_clock
    org.identity.hosts = Hosts(instance_url, tuple(login_hosts))
    api = _Api(org)
    return Starlette(
        routes=[Route("/{path:path}", api.endpoint, methods=_METHODS)],
        middleware=[Middleware(GZipMiddleware, minimum_size=1000, compresslevel=1)],
    )


class _Api:
    def __init__(self, org: Org) -> None:
        self.org = org

    async def endpoint(self, request: Request) -> Response:
        body = await receive(request.stream())
        return await run_in_threadpool(self._answer, request, body)

    def _answer(self, request: Request, body: Body) -> Response:
        if too_large := _too_large(request):
            return too_large
        try:
            reply = self._route(request, body)
        except OrgError as error:
            reply = Reply(error.status, error.body())
        except Exception:  # noqa: BLE001  a fault of ours must not look like another service's
            reply = _our_fault()
        return self._response(reply, pretty=request.headers.get("x-prettyprint") == "1")

    def _response(self, reply: Reply, *, pretty: bool) -> Response:
        skew = self.org.trouble.at("clock.date", "date")
        now = self.org.clock.now() + timedelta(seconds=skew or 0)
        headers = {"Date": format_datetime(now, usegmt=True), **reply.headers}
        if isinstance(reply.content, bytes):
            return Response(reply.content, reply.status, headers, media_type=reply.media_type)
        if reply.content is not None:
            return StreamingResponse(reply.content, reply.status, headers, media_type=reply.media_type)
        if reply.body is None:
            return Response(status_code=reply.status, headers=headers)
        content = orjson.dumps(reply.body, option=orjson.OPT_INDENT_2 if pretty else None)
        return Response(content, reply.status, headers, media_type=JSON_REPLY)

    def _route(self, request: Request, body: Body) -> Reply:
        path = request.url.path
        if path.rstrip("/") == "/services/data":
            return Reply(body=meta.versions())
        if path.startswith(oauth.ROOTS):
            return oauth.answer(self.org, request, body)
        if path.startswith(soap.ROOT):
            return soap.refuse(path)
        if path.startswith("/services/async/"):
            raise not_emulated("the Bulk API (v1)")
        if path.startswith("/services/apexrest/"):
            raise not_emulated("Apex REST")
        if path.startswith("/cometd/"):
            raise not_emulated("the Streaming API")
        match = _DATA.match(path)
        if match is None:
            raise not_found()
        meta.check_version(int(match[1]))
        return self._data(request, body, f"{match[1]}.0")

    def _session(self, request: Request, *, counts: bool) -> Session:
        site = self.org.identity.hosts.site(request.headers.get("host", ""))
        return self.org.identity.admit(request.headers.get("authorization"), site, counts=counts)

    def _data(self, request: Request, body: Body, version: str) -> Reply:
        session = self._session(request, counts=False)
        line = f"call {request.method} {request.url.path} by {session.user_id}"
        self.org.trouble.at("session.call", line, token=session.token)
        session = self._session(request, counts=True)
        settings = self.org.settings
        try:
            self.org.agenda.run_due(wait=False)
            with self.org.running.request(most=settings.concurrent_long_limit, others=settings.long_requests):
                self.org.count_call(session.app)
                store = self.org.store
                with store.reading() if request.method in _READS else store.writing():
                    reply = self._dispatch(request, body, version, session)
        except OrgError as error:
            reply = Reply(error.status, error.body())
        if request.scope.get("sandbox.behaviour") != "no_limit_info":
            reply.headers["Sforce-Limit-Info"] = usage_header(self.org, session.app)
        return reply

    def _dispatch(self, request: Request, body: Body, version: str, session: Session) -> Reply:
        headers = {name.lower(): value for name, value in request.headers.items()}
        raw_path: bytes = request.scope.get("raw_path") or request.url.path.encode()
        raw = raw_path.decode("latin-1").partition("?")[0]
        path = _DATA.match(raw)
        return router.dispatch(
            Call(
                org=self.org,
                method=request.method,
                path=(path[2] if path else "") or "",
                query=dict(parse_qsl(request.url.query, keep_blank_values=True)),
                headers=headers,
                body=body,
                caller=self.org.caller(session.user_id, app=session.app, version=version),
            )
        )


def _our_fault() -> Reply:
    """What Salesforce says when it fails itself; what happened goes to standard error under the same id."""
    error_id = f"{secrets.randbelow(10**9)}-{secrets.randbelow(10**5)}"
    traceback.print_exc()
    sys.stderr.write(f"leakwatch sandbox: the failure above was answered as ErrorId {error_id}\n")
    said = f"An unexpected error occurred. Please include this ErrorId if you contact support: {error_id}"
    return Reply(500, OrgError(500, "UNKNOWN_EXCEPTION", said).body())


def _too_large(request: Request) -> Response | None:
    """URI and headers together have 16,384 bytes; the answer comes from the edge and is no JSON."""
    uri = len(request.url.path) + len(request.url.query)
    headers: list[tuple[bytes, bytes]] = request.headers.raw
    total = uri + sum(len(name) + len(value) for name, value in headers)
    if total <= MAX_URI_AND_HEADERS:
        return None
    status = 414 if uri > MAX_URI_AND_HEADERS else 431
    reason = "URI Too Long" if status == 414 else "Request Header Fields Too Large"
    return Response(f"<html><body><h1>{reason}</h1></body></html>", status, media_type="text/html")
