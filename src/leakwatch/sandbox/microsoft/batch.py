"""`POST /v1.0/$batch`: up to 20 requests in one (concepts/json-batching), each judged and throttled by itself."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from leakwatch.sandbox.microsoft.call import GraphRequest, Reply
from leakwatch.sandbox.microsoft.errors import GraphError, bad_request
from leakwatch.sandbox.microsoft.service import ROOT, GraphService

#: "JSON batch requests are currently limited to 20 individual requests."
MAX_PARTS = 20

#: What a fault may do to one part: an answer instead of the real one, or the name of a behaviour.
PartFault = Callable[[str, str], Reply | str | None]


@dataclass(slots=True)
class Part:
    """One request inside a batch."""

    id: str
    request: GraphRequest
    depends_on: list[str] = field(default_factory=list[str])


def read_parts(outer: GraphRequest) -> list[Part]:
    """Take a batch apart; raises GraphError (400) for what is none as a whole."""
    try:
        body = orjson.loads(outer.body)
    except orjson.JSONDecodeError:
        body = None
    listing: Any = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(listing, list) or not listing:
        raise bad_request("Invalid batch payload format.")
    if len(listing) > MAX_PARTS:
        raise bad_request(f"Number of batch request steps exceeds the maximum value of {MAX_PARTS}.")
    parts = [_read_part(one, outer) for one in cast(list[Any], listing)]
    known = [part.id.lower() for part in parts]
    if len(set(known)) != len(known):
        raise bad_request("Batch request ids must be unique.")
    for part in parts:
        if any(name.lower() not in known[: known.index(part.id.lower())] for name in part.depends_on):
            raise bad_request(f"Request '{part.id}' depends on a request that does not stand before it.")
    return parts


def _read_part(one: Any, outer: GraphRequest) -> Part:
    if not isinstance(one, dict) or not all(isinstance(one.get(name), str) for name in ("id", "method", "url")):
        raise bad_request("Invalid batch payload format.")
    given = cast(dict[str, Any], one)
    headers = {str(name).lower(): str(value) for name, value in (given.get("headers") or {}).items()}
    content: Any = given.get("body")
    if content is not None and "content-type" not in headers:
        raise bad_request(f"Write request id : {given['id']} does not contain Content-Type header or body.")
    headers.setdefault("authorization", outer.headers.get("authorization", ""))
    url = str(given["url"])
    request = GraphRequest(
        str(given["method"]).upper(),
        f"{ROOT}/{url.lstrip('/')}",
        headers,
        b"" if content is None else orjson.dumps(content),
        outer.origin,
    )
    return Part(str(given["id"]), request, [str(name) for name in given.get("dependsOn") or []])


async def play(
    service: GraphService,
    outer: GraphRequest,
    part_fault: PartFault,
    pause: Callable[[], Awaitable[None]],
) -> Reply:
    """Answer a batch; `pause` takes as long as a request is with its service."""
    try:
        service.entra.open(outer.headers.get("authorization", ""))
        parts = read_parts(outer)
    except GraphError as error:
        refused = error

        def refuse(_request: GraphRequest) -> Reply:
            raise refused

        return service.framed(outer, refuse)
    done: dict[str, Reply] = {}
    for wave in _waves(parts, max(1, service.settings.now.batch_parallel)):
        await _play_wave(service, wave, done, part_fault, pause)
    # "Individual responses might appear in a different order than the requests."
    order = sorted(done, key=lambda name: hashlib.sha256(name.encode()).digest())
    return service.framed(
        outer, lambda _request: Reply(200, {"responses": [_shown(name, done[name]) for name in order]})
    )


def _waves(parts: list[Part], size: int) -> list[list[Part]]:
    """Which parts are with their services at once: those that wait for others come one by one."""
    waves: list[list[Part]] = []
    for part in parts:
        last = waves[-1] if waves else []
        if part.depends_on or not last or len(last) >= size or last[0].depends_on:
            waves.append([part])
        else:
            last.append(part)
    return waves


async def _play_wave(
    service: GraphService,
    wave: list[Part],
    done: dict[str, Reply],
    part_fault: PartFault,
    pause: Callable[[], Awaitable[None]],
) -> None:
    places: list[str | None] = []
    ready: list[Part] = []
    for part in wave:
        failed = [name for name in part.depends_on if _reply_of(done, name).status >= 400]
        if failed:
            error = {"code": "FailedDependency", "message": f"Request '{failed[0]}', on which it depends, failed."}
            done[part.id] = Reply(424, {"error": error}, {"Content-Type": "application/json"})
            continue
        place, refusal = service.enter(part.request)
        places.append(place)
        if refusal is None:
            ready.append(part)
        else:
            done[part.id] = refusal
    try:
        await pause()
        for part in ready:
            done[part.id] = _play_part(service, part, part_fault)
    finally:
        for place in places:
            service.leave(place)


def _play_part(service: GraphService, part: Part, part_fault: PartFault) -> Reply:
    fault = part_fault(part.request.method, part.request.target)
    if isinstance(fault, Reply):
        return fault
    request = part.request
    if fault:
        request = GraphRequest(
            request.method, request.target, request.headers, request.body, request.origin, behaviour=fault
        )
    return service.answer(request)


def _reply_of(done: dict[str, Reply], name: str) -> Reply:
    return next(reply for key, reply in done.items() if key.lower() == name.lower())


def _shown(name: str, reply: Reply) -> dict[str, Any]:
    hidden = {"Date", "request-id", "client-request-id", "x-ms-ags-diagnostic"}
    headers = {key: value for key, value in reply.headers.items() if key not in hidden}
    body = base64.b64encode(reply.body).decode("ascii") if isinstance(reply.body, bytes) else reply.body
    return {"id": name, "status": reply.status, "headers": headers, "body": body}
