"""Headers, methods and formats around the resources, and what is named instead of emulated."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Api, Company

pytestmark = pytest.mark.documented("REST API Developer Guide, Headers, Conditional Requests, Formats")


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()[0]["errorCode"]


def test_head_is_get_without_the_body(api: Api, company: Company) -> None:
    path = f"sobjects/Account/{company.account}"
    head, get = api.call("HEAD", path), api.call("GET", path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Last-Modified"] == get.headers["Last-Modified"] == "Wed, 01 Jan 2025 00:00:00 GMT"
    assert api.call("HEAD", "sobjects/Account/0015e00000zzzzz").status_code == 404


def test_other_methods_are_refused_in_json(api: Api) -> None:
    for method in ("OPTIONS", "PUT"):
        assert code(api.call(method, "sobjects/Account")) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("since", "status"),
    [("Wed, 01 Jan 2025 00:00:00 GMT", 304), ("Tue, 31 Dec 2024 23:59:59 GMT", 200), ("no date", 200)],
)
def test_a_row_is_sent_only_if_it_changed_since(api: Api, company: Company, since: str, status: int) -> None:
    path = f"sobjects/Account/{company.account}"
    assert api.call("GET", path, headers={"If-Modified-Since": since}).status_code == status


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"Site": "x"}), ("DELETE", None)])
def test_a_row_is_written_only_if_it_did_not_change_since(api: Api, company: Company, method: str, body: Any) -> None:
    path = f"sobjects/Account/{company.account}"
    refused = api.call(method, path, body, headers={"If-Unmodified-Since": "Tue, 31 Dec 2024 23:59:59 GMT"})
    assert code(refused) == (412, "PRECONDITION_FAILED")
    done = api.call(method, path, body, headers={"If-Unmodified-Since": "Wed, 01 Jan 2025 00:00:00 GMT"})
    assert done.status_code == 204


def test_answers_are_pretty_on_request_and_paths_may_end_in_json(api: Api) -> None:
    plain = api.get("limits.json")
    pretty = api.call("GET", "limits", headers={"X-PrettyPrint": "1"})
    assert plain.json().keys() == pretty.json().keys()
    assert (b"\n" in plain.content, b"\n" in pretty.content) == (False, True)


def test_headers_that_steer_nothing_here_are_taken(api: Api) -> None:
    headers = {"Sforce-Auto-Assign": "FALSE", "Sforce-Mru": "updateMru=false", "Sforce-Call-Options": "client=x"}
    assert api.call("POST", "sobjects/Lead", {"LastName": "x", "Company": "c"}, headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "sobjects/Lead", {"Sforce-Auto-Assign": "01Q5e0000000001"}),
        ("GET", "sobjects", {"Accept": "application/xml"}),
        ("GET", "sobjects.xml", {}),
        ("GET", "sobjects/Account/{account}", {"If-None-Match": '"x"'}),
        ("POST", "composite/tree/Account", {}),
        ("POST", "composite/graph", {}),
        ("GET", "sobjects/User/0055e0000000001/password", {}),
        ("GET", "sobjects/ContentVersion/0685e0000000001/VersionData", {}),
        ("POST", "sobjects/Attachment", {}),
        ("GET", "support/dataCategoryGroups", {}),
        ("GET", "wave/datasets", {}),
        ("GET", "recent", {}),
        ("GET", "search", {}),
    ],
)
def test_what_is_not_emulated_is_named(
    api: Api, company: Company, method: str, path: str, headers: dict[str, str]
) -> None:
    body = {"LastName": "x", "Company": "c"} if method == "POST" else None
    answer = api.call(method, path.format(account=company.account), body, headers=headers)
    assert code(answer) == (501, "SANDBOX_NOT_EMULATED")


@pytest.mark.parametrize("path", ["/services/apexrest/x", "/cometd/66.0"])
def test_other_apis_are_named_too(api: Api, path: str) -> None:
    assert code(api.http.get(path)) == (501, "SANDBOX_NOT_EMULATED")


@pytest.mark.parametrize(
    ("path", "what"),
    [("u/66.0", "the SOAP API"), ("m/66.0", "the Metadata API (SOAP)"), ("T/66.0", "the Tooling API (SOAP)")],
)
def test_soap_is_named_in_a_fault_that_its_clients_can_read(api: Api, path: str, what: str) -> None:
    answer = api.http.post(f"/services/Soap/{path}", content=b"<x/>", headers={"Content-Type": "text/xml"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (501, "text/xml;charset=UTF-8")
    fault = ElementTree.fromstring(answer.text).find(".//{http://schemas.xmlsoap.org/soap/envelope/}Fault")
    assert fault is not None
    assert fault.findtext("faultcode") == "sf:SANDBOX_NOT_EMULATED"
    assert what in (fault.findtext("faultstring") or "")


def test_an_object_that_no_org_has_is_not_found(api: Api, org: Org) -> None:
    assert code(api.get("sobjects/Nope/0015e0000000001")) == (404, "NOT_FOUND")
