"""Damaged requests: whatever is asked, the answer has Salesforce's shape and shows nothing of ours.

LEAKWATCH_REST_FUZZ sets how many damaged requests are sent, LEAKWATCH_REST_SEED where the dice begin.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import pytest

from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Api, Clock

REQUESTS = int(os.environ.get("LEAKWATCH_REST_FUZZ", "200"))
SEED = int(os.environ.get("LEAKWATCH_REST_SEED", "1"))
pytestmark = pytest.mark.documented("REST API Developer Guide, Status Codes and Error Responses")

DATA = "/services/data/v66.0"
ACCOUNT = "0015e000000000BAAQ"
POST = {
    "body": {"messageSegments": [{"type": "Text", "text": "x"}]},
    "feedElementType": "FeedItem",
    "subjectId": ACCOUNT,
}
SUBREQUESTS = [
    {"method": "POST", "url": f"{DATA}/sobjects/Account", "referenceId": "a", "body": {"Name": "x"}},
    {"method": "GET", "url": f"{DATA}/sobjects/Account/@{{a.id}}", "referenceId": "b"},
]
RECORDS = [{"attributes": {"type": "Account"}, "Name": "x"}, {"attributes": {"type": "Lead"}, "LastName": "y"}]
#: Sound requests, which are then damaged: method, path, parameters, body.
WHOLE: list[tuple[str, str, dict[str, str], Any]] = [
    ("GET", "/services/data", {}, None),
    ("GET", DATA, {}, None),
    ("GET", f"{DATA}/limits", {}, None),
    ("GET", f"{DATA}/sobjects", {}, None),
    ("GET", f"{DATA}/sobjects/Account/describe", {}, None),
    ("GET", f"{DATA}/sobjects/Account/{ACCOUNT}", {"fields": "Id,Name"}, None),
    ("GET", f"{DATA}/sobjects/Contact/{ACCOUNT}/Account", {}, None),
    ("PATCH", f"{DATA}/sobjects/Account/{ACCOUNT}", {}, {"Name": "x", "AnnualRevenue": 5}),
    ("DELETE", f"{DATA}/sobjects/Account/{ACCOUNT}", {}, None),
    ("POST", f"{DATA}/sobjects/Event", {}, {"StartDateTime": "2026-01-01T00:00:00Z", "DurationInMinutes": 5}),
    ("GET", f"{DATA}/sobjects/Task/updated", {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"}, None),
    ("GET", f"{DATA}/query", {"q": "SELECT Id FROM Account WHERE Name = 'x' LIMIT 5"}, None),
    ("GET", f"{DATA}/query/0r8xx0000000001AAA-200", {}, None),
    ("POST", f"{DATA}/composite/sobjects", {}, {"allOrNone": True, "records": RECORDS}),
    ("PATCH", f"{DATA}/composite/sobjects/Account/Id", {}, {"records": RECORDS[:1]}),
    ("DELETE", f"{DATA}/composite/sobjects", {"ids": ACCOUNT, "allOrNone": "true"}, None),
    ("POST", f"{DATA}/composite/sobjects/Account", {}, {"ids": [ACCOUNT], "fields": ["Id"]}),
    ("POST", f"{DATA}/composite", {}, {"allOrNone": True, "compositeRequest": SUBREQUESTS}),
    ("POST", f"{DATA}/composite/batch", {}, {"batchRequests": [{"method": "GET", "url": "v66.0/limits"}]}),
    ("POST", f"{DATA}/actions/standard/chatterPost", {}, {"inputs": [{"text": "x", "subjectNameOrId": ACCOUNT}]}),
    ("POST", f"{DATA}/chatter/feed-elements", {}, POST),
    ("POST", f"{DATA}/chatter/feed-elements/batch", {}, {"inputs": [{"richInput": POST}]}),
    ("POST", f"{DATA}/jobs/query", {}, {"operation": "query", "query": "SELECT Id FROM Account"}),
    ("POST", f"{DATA}/jobs/ingest", {}, {"operation": "insert", "object": "Account", "contentType": "CSV"}),
    ("POST", "/services/oauth2/token", {}, {"grant_type": "refresh_token", "refresh_token": "x"}),
    ("GET", "/services/oauth2/userinfo", {}, None),
]
ODD: list[Any] = [
    None, True, -1, 0, 10**30, 1e308, "", " ", "x" * 5_000, "\x00", "💥", "'", "../..", "@{a.id}", "@{a.b[9].c}",
    "%00", "null", [], {}, [[]], {"": None}, [None], {"attributes": None}, {"type": 1}, ACCOUNT, "001", "2026-02-30",
]  # fmt: skip
HEADERS = {
    "Content-Type": [
        "text/plain",
        "application/xml",
        "application/json; charset=utf-16",
        "",
        "💥".encode().decode("latin-1"),
    ],
    "Content-Encoding": ["gzip", "br", "deflate"],
    "Accept": ["application/xml", "text/csv", "*/*;q=x"],
    "Authorization": ["Bearer", "Bearer x", "Basic eDp5", "OAuth \xe9"],
    "Sforce-Query-Options": ["batchSize=0", "batchSize=x", "=", "batchSize=99999999999999999999"],
    "Sforce-Call-Options": ["client=", ";;;"],
    "If-Modified-Since": ["yesterday", "Tue, 99 Foo 2026"],
    "Sforce-Duplicate-Rule-Header": ["allowSave", "allowSave=maybe"],
    "X-PrettyPrint": ["2"],
}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    org = Org(tmp_path / "org", Clock())
    user = org.new_id("User")
    org.seed("User", [{"Id": user, "LastName": "Ö", "Username": "o@org.example", "Email": "o@org.example"}])
    org.seed("Account", [{"Id": ACCOUNT, "Name": "x", "OwnerId": user}])
    yield Api(org, user)
    org.close()


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each place in a body where something else could stand: the container and the key."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield value, key
        yield from places(inner)


def damaged_body(random: Random, body: Any) -> bytes:
    if random.random() < 0.2:
        text = json.dumps(body)
        return random.choice(
            [text[: len(text) // 2], text + "}", "[" * 3_000, "", "\ufeff" + text, "\x1f\x8b" + text]
        ).encode()
    body = copy.deepcopy(body)
    found = list(places(body))
    if not found or random.random() < 0.1:
        return json.dumps(random.choice(ODD)).encode()
    container, key = random.choice(found)
    if isinstance(container, dict) and random.random() < 0.3:
        del container[key]
    else:
        container[key] = random.choice(ODD)
    return json.dumps(body).encode()


def damaged(random: Random) -> tuple[str, str, dict[str, str], bytes | None]:
    """Method, address, headers and body of a request with one or more faults."""
    method, path, params, body = random.choice(WHOLE)
    headers = {"Content-Type": "application/json"}
    content = json.dumps(body).encode() if body is not None else None
    match random.randrange(5):
        case 0:
            parts = path.split("/")
            parts[random.randrange(1, len(parts))] = quote(str(random.choice(ODD)))[:300]
            path = "/".join(parts)
        case 1:
            params = {**params, random.choice([*params, "fields", "q"]): str(random.choice(ODD))}
        case 2:
            name = random.choice([*HEADERS])
            headers[name] = random.choice(HEADERS[name])
        case 3:
            method = random.choice(["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"])
        case _ if body is not None:
            content = damaged_body(random, body)
        case _:
            path += random.choice(["/", "//", "/%2e%2e", ".json", "/x", "?", "%", "/\u0131"])
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in params.items())
    return method, f"{path}?{query}" if query else path, headers, content


def has_salesforces_shape(answer: Any) -> bool:
    """Whether an answer is one of the kinds that Salesforce gives."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    if answer.status_code < 400 or answer.request.method == "HEAD":
        return answer.status_code >= 200
    if "/oauth2/" in answer.request.url.path:
        return not answer.content or "error" in answer.text or kind == "text/html" or answer.status_code == 403
    if kind == "text/html":
        return answer.status_code in (414, 431)
    told = answer.json()
    if "/actions/" in answer.request.url.path and "isSuccess" in answer.text:  # refused input by input
        told = [error | {"errorCode": error["statusCode"]} for one in told for error in one["errors"] or ()]
    return isinstance(told, list) and all({"errorCode", "message"} <= set(one) for one in told)


def test_a_damaged_request_gets_an_answer_of_salesforces_shape(api: Api) -> None:
    random = Random(SEED)
    token = api.http.headers["Authorization"]
    for _ in range(REQUESTS):
        method, address, headers, content = damaged(random)
        asked = {name: value.encode("latin-1") for name, value in ({"Authorization": token} | headers).items()}
        answer = api.http.request(method, address, headers=asked, content=content)
        request = (method, address[:200], headers, (content or b"")[:300])
        assert answer.status_code < 500 or answer.status_code == 501, (answer.text[:300], request)
        assert has_salesforces_shape(answer), (answer.status_code, answer.text[:300], request)
        assert "Traceback" not in answer.text, request
        assert "leakwatch" not in answer.text, request
