"""Who a token speaks for: userinfo, the identity URL, and the root that names it; API versions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from leakwatch.sandbox.org.identity.hosts import Hosts
from sandbox.org.identity_kit import INSTANCE, JANE, LEE, LOGIN, MAYA, Login

pytestmark = pytest.mark.documented("Salesforce Help, Identity URLs")
OTHER_ORG = "00D000000000062EAA"


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    login = Login(tmp_path_factory.mktemp("identity"))
    yield login
    login.org.close()


@pytest.fixture(scope="module")
def token(login: Login) -> str:
    return login.ask().json()["access_token"]


@pytest.mark.documented("Salesforce Help, Query for User Information")
def test_userinfo_tells_the_user_the_org_and_where_its_apis_are(login: Login, token: str) -> None:
    org_id, user_id = login.org.settings.org_id, login.ids[JANE]
    body = login.call(token, "/services/oauth2/userinfo").json()
    urls = body.pop("urls")
    photos = body.pop("photos")
    assert body == {
        "sub": f"{LOGIN}/id/{org_id}/{user_id}", "user_id": user_id, "organization_id": org_id,
        "preferred_username": JANE, "nickname": "Jane", "name": "Jane Doe", "email": JANE, "email_verified": True,
        "given_name": "Jane", "family_name": "Doe", "zoneinfo": "Europe/Berlin", "address": {},
        "profile": f"{INSTANCE}/{user_id}", "picture": photos["picture"], "active": True, "user_type": "STANDARD",
        "language": "de", "locale": "de_DE", "utcOffset": 3_600_000, "is_app_installed": True,
        "updated_at": "2026-03-02T09:00:30.000+0000",
    }  # fmt: skip
    assert photos["thumbnail"] == f"{INSTANCE}/profilephoto/{user_id[:15]}/T"
    assert urls["rest"] == f"{INSTANCE}/services/data/v{{version}}/"
    assert urls["enterprise"] == f"{INSTANCE}/services/Soap/c/{{version}}/{org_id[:15]}"
    assert len(urls) == 17


def test_the_offset_is_that_of_standard_time(login: Login, token: str) -> None:
    login.org.clock.moment = datetime(2026, 7, 1, tzinfo=UTC)
    assert login.call(token, "/services/oauth2/userinfo").json()["utcOffset"] == 3_600_000


def test_the_identity_url_of_a_token_answers_it_by_header_or_parameter(login: Login, token: str) -> None:
    path = f"/id/{login.org.settings.org_id}/{login.ids[JANE]}"
    by_header = login.login.get(path, headers={"Authorization": f"Bearer {token}"})
    by_parameter = login.login.get(path, params={"oauth_token": token, "format": "json"})
    body = by_header.json()
    assert (by_header.status_code, by_parameter.json()) == (200, body)
    assert (body["id"], body["username"], body["display_name"]) == (f"{LOGIN}{path}", JANE, "Jane Doe")
    assert (body["asserted_user"], body["timezone"], body["status"]["body"]) == (True, "Europe/Berlin", None)
    assert "{version}" in body["urls"]["query"]
    latest = login.login.get(path, params={"oauth_token": token, "version": "latest"}).json()
    assert latest["urls"]["query"] == f"{INSTANCE}/services/data/v68.0/query/"


def test_the_identity_of_another_user_is_not_asserted(login: Login, token: str) -> None:
    body = login.call(token, f"/id/{login.org.settings.org_id[:15]}/{login.ids[MAYA]}").json()
    assert (body["username"], body["asserted_user"]) == (MAYA, False)


def test_a_wrong_identity_url_or_token_is_refused_with_one_word(login: Login, token: str) -> None:
    org, jane = login.org.settings.org_id, login.ids[JANE]
    rows = [
        (f"/id/{org}/{jane}", None, 403, "Missing_OAuth_Token"),
        (f"/id/{org}/{jane}", "nonsense", 403, "Bad_OAuth_Token"),
        ("/services/oauth2/userinfo", None, 403, "Missing_OAuth_Token"),
        ("/services/oauth2/userinfo", "nonsense", 403, "Bad_OAuth_Token"),
        (f"/id/{OTHER_ORG}/{jane}", token, 403, "Wrong_Org"),
        (f"/id/{org}/{jane[:-1]}", token, 404, "Bad_Id"),
        (f"/id/{org}/{org}", token, 404, "Bad_Id"),
        (f"/id/{org}/005000000000062EAA", token, 404, "Bad_Id"),
        (f"/id/{org}/{login.ids[LEE]}", token, 404, "Inactive"),
    ]
    for path, given, status, word in rows:
        answer = login.call(given, path)
        assert (answer.status_code, answer.text) == (status, word), path
        assert answer.headers["content-type"].startswith("text/html")


def test_identity_in_another_form_is_named_and_not_made_up(login: Login, token: str) -> None:
    for more in ("format=xml", "callback=f"):
        assert login.call(token, f"/services/oauth2/userinfo?{more}").status_code == 501


@pytest.mark.documented("REST API Developer Guide, Resources by Version")
def test_the_root_lists_what_answers_and_the_identity_url(login: Login, token: str) -> None:
    listed = login.call(token, "/services/data/v66.0/").json()
    assert listed.pop("identity") == f"{LOGIN}/id/{login.org.settings.org_id}/{login.ids[JANE]}"
    assert {"sobjects", "query", "jobs", "tooling"} <= set(listed)
    listed["jobs"] += "/query"  # what stands under it answers, it does not itself
    for path in listed.values():
        answer = login.call(token, path)
        assert answer.status_code in (200, 400, 405, 501), path


@pytest.mark.documented("REST API Developer Guide, API End-of-Life Policy; restforce issue 941")
def test_versions_31_to_68_are_served_older_ones_are_gone_and_newer_ones_unknown(login: Login, token: str) -> None:
    served = [one["version"] for one in login.http.get("/services/data/").json()]
    assert (served[0], served[-1], len(served)) == ("31.0", "68.0", 38)
    for version in ("31.0", "68.0"):
        assert login.call(token, f"/services/data/v{version}/limits").status_code == 200
    for version in ("1.0", "20.0", "21.0", "30.0"):
        answer = login.call(token, f"/services/data/v{version}/limits")
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (410, "GONE")
    for path in ("v69.0/limits", "v66.5/limits", "66.0/limits"):
        answer = login.call(token, f"/services/data/{path}")
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (404, "NOT_FOUND")


def test_the_real_hosts_are_told_apart_by_name() -> None:
    hosts = Hosts(INSTANCE, (LOGIN,))
    assert hosts.site("login.salesforce.com").at_login
    assert hosts.site("LOGIN.salesforce.com:443").instance_url == "https://leakwatch-dev.my.salesforce.com"
    assert hosts.site("test.salesforce.com").instance_url == "https://leakwatch--dev.sandbox.my.salesforce.com"
    own = hosts.site("acme.my.salesforce.com")
    assert (own.login_url, own.instance_url, own.at_login) == (
        "https://login.salesforce.com", "https://acme.my.salesforce.com", False,
    )  # fmt: skip
    assert hosts.site("acme--uat.sandbox.my.salesforce.com").login_url == "https://test.salesforce.com"
    assert hosts.site("127.0.0.1:8443").at_login
    assert not hosts.site("localhost:9443").at_login
