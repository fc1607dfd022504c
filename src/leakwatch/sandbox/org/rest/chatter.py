"""Feed elements of the Connect REST API: post one or up to 500, get one. Everything else of it is named, not emulated.

Requests to these resources are limited per user, per app and per hour; what exceeds it is answered 503 (limits
cheat sheet, "Connect REST API Limits"). How many there are is not published, the code and the words are unverified.
"""

from __future__ import annotations

from typing import Any

from leakwatch.sandbox.org import chatter, ids
from leakwatch.sandbox.org.errors import OrgError, bad, not_emulated, not_found
from leakwatch.sandbox.org.rest.feed_items import feed_item
from leakwatch.sandbox.org.rest.http import Call, Reply, router

MAX_BATCH = 500
_KNOWN = ("body", "feedElementType", "subjectId", "visibility")


@router.on("POST", r"chatter/feed-elements")
def post(call: Call) -> Reply:
    """Post one; subject and text may come as parameters instead of a body."""
    _metered(call)
    if call.body.size == 0 and not call.nested:
        parts = [{"type": "Text", "text": call.query.get("text", "")}]
        given: Any = {name: call.query.get(name) for name in ("feedElementType", "subjectId")}
        given["body"] = {"messageSegments": parts}
    else:
        given = call.json_object()
    return Reply(201, _posted(call, given))


@router.on("POST", r"chatter/feed-elements/batch")
def post_many(call: Call) -> Reply:
    """Post up to 500, each of which succeeds or fails by itself."""
    _metered(call)
    inputs = call.json_object().get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise bad("POST_BODY_PARSE_ERROR", "The request needs a list of inputs")
    if len(inputs) > MAX_BATCH:
        raise bad("LIMIT_EXCEEDED", f"A batch can hold at most {MAX_BATCH} feed elements")
    results: list[dict[str, Any]] = []
    for one in inputs:
        try:
            with call.org.store.transaction():
                rich = one.get("richInput") if isinstance(one, dict) else None
                results.append({"result": _posted(call, rich), "statusCode": 201})
        except OrgError as error:
            results.append({"result": error.body(), "statusCode": error.status})
    return Reply(body={"hasErrors": any(one["statusCode"] >= 400 for one in results), "results": results})


@router.on("GET", r"chatter/feed-elements/(?P<item>0D5\w+)")
def get(call: Call, item: str) -> Reply:
    """One feed element."""
    _metered(call)
    normal = ids.normalise(item)
    row = call.org.engine.lookup(normal) if normal else None
    if row is None:
        raise not_found("The requested resource does not exist")
    return Reply(body=feed_item(call, row))


def _posted(call: Call, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise bad("POST_BODY_PARSE_ERROR", "A feed item input must be an object")
    other = [name for name in given if name not in _KNOWN]
    if other:
        raise not_emulated(f"{other[0]} of a feed item")
    if given.get("feedElementType", "FeedItem") != "FeedItem":
        raise bad("INVALID_API_INPUT", f"feedElementType must be FeedItem: {given['feedElementType']}")
    subject = given.get("subjectId")
    if not isinstance(subject, str) or not subject:
        raise bad("MISSING_ARGUMENT", "subjectId is required")
    org = call.org
    parent = chatter.subject(org, call.caller, subject)
    item = chatter.post(org, call.caller, parent, chatter.given(org, given.get("body")))
    row = org.store.get("FeedItem", item)
    return feed_item(call, row) if row is not None else {}


def _metered(call: Call) -> None:
    """Count the request against the caller's hour with this app; sessions of no app share one."""
    name = f"chatter {call.user_id} {call.caller.app}"
    if not call.org.meters.take(name, call.org.settings.chatter_hourly_limit, 1):
        said = "You have exceeded your hourly request limit for this user and application. Please try again later."
        raise OrgError(503, "REQUEST_LIMIT_EXCEEDED", said)
