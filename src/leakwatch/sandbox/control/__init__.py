"""The control API: what only a playwright may do. Own port, own bearer token, JSON.

Each part of this package has the calls of one subject in `ROUTES`, and says at its head what they take and give:
`play` (clock, truth, ledger, whole states), `org`, `identity` (logging in), `trouble` (faults), `mailboxes`,
`calendars`, `push` (Google), `microsoft`, `teams`.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, cast

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Served

from leakwatch.sandbox.clock import ClockError
from leakwatch.sandbox.control import calendars, identity, mailboxes, microsoft, org, play, push, teams, trouble
from leakwatch.sandbox.control.desk import Body, Call, Desk, Handler
from leakwatch.sandbox.faults import FaultError
from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.stage import StageError

__all__ = ["Desk", "build_app"]

PARTS = (play, org, identity, trouble, mailboxes, calendars, push, microsoft, teams)


def build_app(desk: Desk) -> Starlette:
    """The control API's application."""
    routes = [route for part in PARTS for route in part.ROUTES]
    return Starlette(routes=[Served(path, _endpoint(desk, handler), methods=[verb]) for verb, path, handler in routes])


def _endpoint(desk: Desk, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {desk.token}".encode()):
            return _answer(401, {"error": "the control API wants the bearer token of sandbox.json"})
        try:
            text = await request.body()
            body = orjson.loads(text) if text.strip() else {}
            if not isinstance(body, dict):
                raise StageError("the body must be a JSON object")
            return _answer(200, handler(desk, Call(cast(Body, body), request.path_params, request.query_params)))
        except (StageError, FaultError, ClockError, OrgError, KeyError, TypeError, ValueError) as error:
            return _answer(400, {"error": str(error)})

    return endpoint


def _answer(status: int, body: Any) -> Response:
    content = orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS)
    return Response(content, status, {"Content-Type": "application/json"})
