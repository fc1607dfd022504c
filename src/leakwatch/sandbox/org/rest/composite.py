"""Composite and Batch: several calls in one (REST guide, "Composite")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from leakwatch.sandbox.org import written
from leakwatch.sandbox.org.errors import OrgError, bad, not_emulated
from leakwatch.sandbox.org.rest import meta
from leakwatch.sandbox.org.rest.body import Body
from leakwatch.sandbox.org.rest.http import Call, Reply, router

MAX_SUBREQUESTS = 25
MAX_LISTS = 5
_URL = re.compile(r"/services/data/v(\d+\.0)/(.+)", re.DOTALL)
_REFERENCE = re.compile(r"@\{([^}]+)\}")
_ENCODED = re.compile(r"@%7B(.+?)%7D", re.IGNORECASE)
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_LIST_CALLS = re.compile(r"(query|queryAll)(/|\Z)|composite/sobjects(/|\Z)")
_COLLECTIONS = re.compile(r"composite/sobjects(/|\Z)")
_DELETED = re.compile(r"sobjects/\w+/deleted/?\Z")
_IN_COMPOSITE = re.compile(r"(sobjects|query|queryAll|composite/sobjects)(/|\Z)")
_IN_BATCH = re.compile(r"(limits|sobjects|query|queryAll|search|connect|chatter|actions)(/|\Z)")
"""What may be a subrequest (REST guide, "Composite" and "Composite Batch")."""
_FIRST_BATCH_VERSION = 34.0
_REFERENCE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*\Z")
_INHERITED = ("accept", "authorization", "content-type")
"""Headers that subrequests have from the whole call and must not bring along."""
Answer = dict[str, Any]


class _HaltedError(Exception):
    """A subrequest failed and all were to succeed."""


@router.on("GET", r"composite")
def listed(call: Call) -> Reply:
    """The addresses of the composite resources."""
    return Reply(body={name: f"{call.root}/composite/{name}" for name in ("tree", "batch", "sobjects", "graph")})


@router.on("POST", r"composite")
def composite(call: Call) -> Reply:
    """Up to 25 subrequests, which may use one another's answers.

    They run in the order they come in, which `collateSubrequests` (the default since v49) leaves open.
    """
    body = call.json_object()
    subrequests = _subrequests(body.get("compositeRequest"))
    lists = sum(1 for one in subrequests if _LIST_CALLS.match(_split(call, one)[1]))
    if lists > MAX_LISTS:
        # the limit is documented, the code is unverified
        said = f"A composite request can hold at most {MAX_LISTS} collections, query and queryAll subrequests"
        raise bad("LIMIT_EXCEEDED", said)
    names = [one.get("referenceId") for one in subrequests]
    if any(not isinstance(name, str) or not _REFERENCE_ID.match(name) for name in names):
        raise bad("INVALID_INPUT", "Every subrequest needs a referenceId of letters, digits and underscores")
    if len(set(names)) < len(names):
        raise bad("INVALID_INPUT", "The referenceIds of a composite request must differ")
    for one in subrequests:
        if found := [name for name in _headers(one) if name in _INHERITED]:
            # that the whole call is refused is documented, the code and the words are unverified
            raise bad("INVALID_INPUT", f"The {found[0]} header must not be given for a subrequest")
    if not isinstance(body.get("collateSubrequests", False), bool):
        raise written.parser_error("boolean", body["collateSubrequests"])
    all_or_none = body.get("allOrNone") is True
    answers: list[Answer] = []
    try:
        with call.org.store.transaction():
            _run(call, subrequests, answers)
            if all_or_none and any(one["httpStatusCode"] >= 400 for one in answers):
                raise _HaltedError
    except _HaltedError:
        said = "The transaction was rolled back since another operation in the same transaction failed."
        halted = bad("PROCESSING_HALTED", said).body()
        answers = [one if one["httpStatusCode"] >= 400 else _answer(one["referenceId"], 400, halted) for one in answers]
    return Reply(body={"compositeResponse": answers})


def _subrequests(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value or not all(isinstance(one, dict) for one in value):
        raise bad("JSON_PARSER_ERROR", "The request needs a list of subrequests")
    if len(value) > MAX_SUBREQUESTS:
        raise bad("LIMIT_EXCEEDED", f"The limit of {MAX_SUBREQUESTS} subrequests was exceeded")
    return value


def _run(call: Call, subrequests: list[dict[str, Any]], answers: list[Answer]) -> None:
    bodies: dict[str, Any] = {}
    for one in subrequests:
        name = one["referenceId"]
        try:
            resolved = _filled(one, bodies, encoded=call.org.settings.composite_encoded_references)
            reply = _dispatch(call, resolved, _IN_COMPOSITE)
        except OrgError as error:
            reply = Reply(error.status, error.body())
        if reply.status < 400:
            bodies[name] = reply.body
        answers.append(_answer(name, reply.status, reply.body, reply.headers))


def _answer(name: str, status: int, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
    return {"body": body, "httpHeaders": dict(headers or {}), "httpStatusCode": status, "referenceId": name}


def _split(call: Call, one: Mapping[str, Any]) -> tuple[str, str, dict[str, str]]:
    """Version, path and query of a subrequest's URL."""
    parts = urlsplit(str(one.get("url") or ""))
    match = _URL.match(parts.path)
    if match is None:
        raise bad("INVALID_INPUT", f"The url of a subrequest must begin with {call.root}/: {one.get('url')}")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return match[1], match[2], query


def _headers(one: Mapping[str, Any]) -> dict[str, str]:
    """The headers of a subrequest, names in lower case."""
    given = one.get("httpHeaders")
    return {str(name).lower(): str(value) for name, value in given.items()} if isinstance(given, Mapping) else {}


def _dispatch(call: Call, one: Mapping[str, Any], allowed: re.Pattern[str]) -> Reply:
    version, path, query = _split(call, one)
    meta.check_version(int(float(version)))
    if not call.org.settings.composite_collections_allowed and _COLLECTIONS.match(path):
        # probe: what an org that refuses them would say is unverified
        raise bad("INVALID_INPUT", "Collections are not allowed as subrequests of Composite in this org")
    if not call.org.settings.deleted_in_composite and _DELETED.match(path):  # a probe, too
        raise bad("INVALID_INPUT", "getDeleted is not allowed as a subrequest of Composite in this org")
    if not allowed.match(path):  # the list is documented, the answer is unverified
        raise bad("INVALID_INPUT", f"{path} is not allowed as a subrequest")
    inherited = {name: value for name, value in call.headers.items() if name in _INHERITED}
    sub = replace(
        call,
        method=str(one.get("method") or ""),  # its case matters (REST guide)
        caller=replace(call.caller, version=version),
        path=path,
        query=query,
        headers=inherited | _headers(one),
        body=Body(),
        parsed=one.get("body"),
        nested=True,
    )
    return router.dispatch(sub)


def _filled(one: dict[str, Any], bodies: Mapping[str, Any], *, encoded: bool) -> dict[str, Any]:
    """The subrequest with the values of earlier answers put in; `encoded`: for `@%7B...%7D` of its URL too."""

    def text(match: re.Match[str]) -> str:
        value = _value(match[1], bodies)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return _REFERENCE.sub(text, value)
        if isinstance(value, list):
            return [fill(item) for item in value]
        if isinstance(value, dict):
            return {name: fill(item) for name, item in value.items()}
        return value

    url = str(one.get("url") or "")
    if encoded:
        url = _ENCODED.sub(lambda match: f"@{{{unquote(match[1])}}}", url)
    url = _REFERENCE.sub(lambda match: quote(text(match), safe=""), url)
    return {**one, "url": url, "body": fill(one.get("body"))}


def _value(reference: str, bodies: Mapping[str, Any]) -> Any:
    name = re.match(r"\w+", reference)
    found: Any = bodies.get(name[0]) if name else None
    for step in _STEP.finditer(reference[name.end() :] if name else ""):
        try:
            found = found[step[1]] if step[1] else found[int(step[2])]
        except (KeyError, IndexError, TypeError):
            found = None
    if found is None:
        said = f"Invalid reference specified. No value for {reference} found in {name[0] if name else reference}."
        raise bad("PROCESSING_HALTED", said)
    return found


@router.on("POST", r"composite/batch")
def batch(call: Call) -> Reply:
    """Up to 25 independent calls, each counted."""
    body = call.json_object()
    requests = _subrequests(body.get("batchRequests"))
    results: list[dict[str, Any]] = []
    halt = body.get("haltOnError") is True
    failed = False
    for i, one in enumerate(requests):
        if halt and failed:
            error = OrgError(412, "BATCH_PROCESSING_HALTED", "Batch processing halted per request")
            results.append({"statusCode": 412, "result": error.body()})
            continue
        if i:
            call.org.count_call(call.caller.app)
        url = str(one.get("url") or "").lstrip("/").removeprefix("services/data/")
        try:
            if one.get("binaryPartName"):
                raise not_emulated("binary parts of a batch")
            version = re.match(r"v(\d+\.0)/", url)
            if version and not _FIRST_BATCH_VERSION <= float(version[1]) <= float(call.version):
                # the limits are documented, the answer is unverified
                raise bad("INVALID_INPUT", f"The version of a subrequest lies between v34.0 and v{call.version}: {url}")
            spelled = {"url": f"/services/data/{url}", "method": one.get("method"), "body": one.get("richInput")}
            reply = _dispatch(call, spelled, _IN_BATCH)
        except OrgError as error:
            reply = Reply(error.status, error.body())
        failed = failed or reply.status >= 400
        results.append({"statusCode": reply.status, "result": reply.body})
    return Reply(body={"hasErrors": failed, "results": results})
