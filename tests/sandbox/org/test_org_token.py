"""The token endpoint: grants, and each of its refusals."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from leakwatch.sandbox.org.identity.grants import JWT_BEARER
from sandbox.org.identity_kit import INSTANCE, JANE, KEY, LEE, LOGIN, MAYA, OTHER_KEY, SECRET, WALL, Login, refusal

pytestmark = pytest.mark.documented("Salesforce Help, OAuth 2.0 JWT Bearer Flow")
CLIENT_CREDENTIALS = {"grant_type": "client_credentials", "client_id": "app", "client_secret": SECRET}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    login = Login(tmp_path_factory.mktemp("token"))
    yield login
    login.org.close()


@pytest.fixture
def login(made: Login) -> Iterator[Login]:
    """The org with its apps and settings as they were."""
    apps = made.org.identity.apps.all()
    yield made
    for app in apps:
        made.org.identity.apps.put(app)
    made.wall = WALL


# -- JWT bearer --------------------------------------------------------------------------------------


def test_a_right_assertion_opens_a_session_of_its_user(login: Login) -> None:
    answer = login.ask()
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access_token", "scope", "instance_url", "id", "token_type", "issued_at"}
    assert body["instance_url"] == INSTANCE
    assert body["id"] == f"{LOGIN}/id/{login.org.settings.org_id}/{login.ids[JANE]}"
    assert (body["token_type"], body["scope"], body["issued_at"]) == ("Bearer", "api", str(int(WALL) * 1000))
    assert answer.headers["Cache-Control"] == "no-store"
    assert login.call(body["access_token"]).status_code == 200


@pytest.mark.parametrize("aud", ["https://test.salesforce.com", LOGIN, [f"{LOGIN}/", "https://elsewhere.example"]])
def test_the_login_hosts_are_audiences(login: Login, aud: Any) -> None:
    assert login.ask(aud=aud).status_code == 200


@pytest.mark.documented("Salesforce Help, OAuth 2.0 JWT Bearer Flow", settled=False)
def test_my_domain_is_an_audience_or_not_by_a_switch(login: Login) -> None:
    assert login.ask(aud=INSTANCE).status_code == 200
    login.org.change_settings({"my_domain_audience": False})
    assert login.ask(aud=INSTANCE).json() == refusal("invalid_grant", "audience is invalid")
    assert login.ask(aud=LOGIN).status_code == 200
    login.org.change_settings({"my_domain_audience": True})


@pytest.mark.documented("Salesforce Help, OAuth 2.0 JWT Bearer Flow", settled=False)
def test_an_assertion_may_expire_three_or_five_minutes_ahead_by_a_switch(login: Login) -> None:
    assert login.ask(exp=int(WALL) + 300).status_code == 200
    login.org.change_settings({"jwt_seconds_ahead": 180})
    assert login.ask(exp=int(WALL) + 300).json() == refusal("invalid_grant", "invalid assertion")
    assert login.ask(exp=int(WALL) + 180).status_code == 200
    login.org.change_settings({"jwt_seconds_ahead": 300})


def test_an_expiry_written_as_text_is_taken(login: Login) -> None:
    """simple-salesforce writes it so."""
    assert login.ask(exp=str(int(WALL) + 180)).status_code == 200


def test_an_assertion_with_an_id_is_good_once(login: Login) -> None:
    assert login.ask(jti="one").status_code == 200
    assert login.ask(jti="one").json() == refusal("invalid_grant", "invalid assertion")
    assert login.ask(jti="two").status_code == 200
    assert login.ask(jti="one", iss="other").status_code == 200


@pytest.mark.documented(guess="that nbf has no leeway")
@pytest.mark.parametrize(
    ("claims", "error", "description"),
    [
        ({"iss": "nobody"}, "invalid_client_id", "client identifier invalid"),
        ({"aud": "https://elsewhere.example"}, "invalid_grant", "audience is invalid"),
        ({"sub": "nobody@acme.example"}, "invalid_grant", "user hasn't approved this consumer"),
        ({"sub": None}, "invalid_grant", "user hasn't approved this consumer"),
        ({"sub": MAYA}, "invalid_grant", "user hasn't approved this consumer"),
        ({"sub": LEE}, "invalid_grant", "inactive user"),
        ({"exp": int(WALL) - 1}, "invalid_grant", "invalid assertion"),
        ({"exp": int(WALL) + 3600}, "invalid_grant", "invalid assertion"),
        ({"exp": None}, "invalid_grant", "invalid assertion"),
        ({"exp": "soon"}, "invalid_grant", "invalid assertion"),
        ({"nbf": int(WALL) + 60}, "invalid_grant", "invalid assertion"),
        ({"jti": 5}, "invalid_grant", "invalid assertion"),
        ({"key": OTHER_KEY}, "invalid_grant", "invalid assertion"),
        ({"key": "shared" * 8, "algorithm": "HS256"}, "invalid_grant", "invalid assertion"),
    ],
)
def test_a_wrong_assertion_is_refused(login: Login, claims: dict[str, Any], error: str, description: str) -> None:
    answer = login.ask(**claims)
    assert (answer.status_code, answer.json()) == (400, refusal(error, description))


def test_what_is_no_assertion_is_refused(login: Login) -> None:
    for text in ("x", "a.b.c", "."):
        answer = login.token(grant_type=JWT_BEARER, assertion=text)
        assert answer.json() == refusal("invalid_grant", "invalid assertion")
    assert login.token(grant_type=JWT_BEARER).json()["error"] == "invalid_request"


def test_an_app_without_a_certificate_takes_no_assertion(login: Login) -> None:
    login.org.register_app("secret-only", "", [JANE], secret=SECRET)
    signed = jwt.encode({"iss": "secret-only", "sub": JANE, "aud": LOGIN, "exp": int(WALL) + 60}, KEY, "RS256")
    answer = login.token(grant_type=JWT_BEARER, assertion=signed)
    assert answer.json() == refusal("invalid_grant", "invalid assertion")


# -- what every grant asks of app and user -------------------------------------------------------------


@pytest.mark.documented("Salesforce Help, Manage OAuth Access Policies")
def test_an_app_whose_users_an_administrator_approves_refuses_others(login: Login) -> None:
    login.org.identity.apps.change("app", {"policy": "admin_approved"})
    said = refusal("invalid_app_access", "user is not admin approved to access this app")
    assert login.ask(sub=MAYA).json() == said
    assert login.ask(sub="nobody@acme.example").json()["error_description"] == "user hasn't approved this consumer"
    assert login.ask().status_code == 200
    login.org.identity.apps.change("app", {"run_as": MAYA})
    assert login.token(**CLIENT_CREDENTIALS).json() == said


@pytest.mark.documented("Salesforce Help, Install an External Client App", settled=False)
def test_an_app_that_is_not_installed_is_told(login: Login) -> None:
    login.org.identity.apps.change("app", {"installed": False})
    said = refusal("app_not_found", "External client app is not installed in this org")
    for answer in (login.ask(), login.token(**CLIENT_CREDENTIALS), login.refresh("x")):
        assert (answer.status_code, answer.json()) == (400, said)


@pytest.mark.documented("Salesforce Help, OAuth 2.0 Authorization Errors")
def test_a_locked_user_gets_no_token_until_unlocked(login: Login) -> None:
    login.org.identity.bar("login", login.ids[JANE])
    for answer in (login.ask(), login.token(**CLIENT_CREDENTIALS)):
        assert (answer.status_code, answer.json()) == (400, refusal("invalid_grant", "user is locked"))
    login.org.identity.bar("login", login.ids[JANE], barred=False)
    assert login.ask().status_code == 200


@pytest.mark.documented("Salesforce Help, OAuth Tokens and Scopes")
def test_the_scopes_of_the_app_are_granted_without_that_of_refresh_tokens(login: Login) -> None:
    login.org.identity.apps.change("app", {"scopes": ["api", "id", "refresh_token"]})
    assert login.ask().json()["scope"] == "api id"


# -- client credentials --------------------------------------------------------------------------------


@pytest.mark.documented("Salesforce Help, OAuth 2.0 Client Credentials Flow")
def test_client_credentials_act_as_the_run_as_user_at_my_domain(login: Login) -> None:
    in_body = login.token(**CLIENT_CREDENTIALS)
    in_header = login.token(grant_type="client_credentials", basic=("app", SECRET))
    for answer in (in_body, in_header):
        body = answer.json()
        assert answer.status_code == 200
        assert body["id"].endswith(login.ids[JANE])
        assert "refresh_token" not in body
        signed = hmac.new(SECRET.encode(), f"{body['id']}{body['issued_at']}".encode(), hashlib.sha256).digest()
        assert body["signature"] == base64.b64encode(signed).decode()
        assert login.call(body["access_token"]).status_code == 200


@pytest.mark.documented("Salesforce Help, OAuth 2.0 Client Credentials Flow")
def test_the_run_as_user_need_not_authorize_the_app_but_must_exist(login: Login) -> None:
    login.org.identity.apps.change("app", {"run_as": MAYA})
    assert login.token(**CLIENT_CREDENTIALS).json()["id"].endswith(login.ids[MAYA])
    login.org.identity.apps.change("app", {"run_as": "nobody@acme.example"})
    said = refusal("invalid_grant", "no client credentials user enabled")
    assert login.token(**CLIENT_CREDENTIALS).json() == said


@pytest.mark.documented("Salesforce Help, OAuth 2.0 Client Credentials Flow")
def test_client_credentials_are_refused_at_the_login_host(login: Login) -> None:
    said = refusal("invalid_grant", "request not supported on this domain")
    answer = login.token(at="login", **CLIENT_CREDENTIALS)
    assert (answer.status_code, answer.json()) == (400, said)
    by_name = login.http.post(
        "/services/oauth2/token", data=CLIENT_CREDENTIALS, headers={"Host": "login.salesforce.com"}
    )
    assert by_name.json() == said


@pytest.mark.documented("Salesforce Help, OAuth 2.0 Client Credentials Flow")
@pytest.mark.parametrize(
    ("form", "error", "description"),
    [
        ({"client_secret": "wrong"}, "invalid_client", "invalid client credentials"),
        ({"client_secret": ""}, "invalid_client", "invalid client credentials"),
        ({"client_id": "nobody"}, "invalid_client_id", "client identifier invalid"),
        ({"client_id": "other", "client_secret": "battery staple"}, "invalid_grant",
         "no client credentials user enabled"),
    ],
)  # fmt: skip
def test_wrong_client_credentials_are_refused(login: Login, form: dict[str, str], error: str, description: str) -> None:
    answer = login.token(**(CLIENT_CREDENTIALS | form))
    assert (answer.status_code, answer.json()) == (400, refusal(error, description))


def test_a_basic_header_that_is_none_is_refused(login: Login) -> None:
    answer = login.http.post(
        "/services/oauth2/token", data={"grant_type": "client_credentials"}, headers={"Authorization": "Basic ?"}
    )
    assert answer.json() == refusal("invalid_client", "invalid client credentials")


# -- other grants --------------------------------------------------------------------------------------


@pytest.mark.documented("Salesforce Help, OAuth 2.0 Username-Password Flow", settled=False)
def test_the_username_password_flow_is_blocked(login: Login) -> None:
    answer = login.token(grant_type="password", client_id="app", client_secret=SECRET, username=JANE, password="x")
    assert (answer.status_code, answer.json()) == (400, refusal("invalid_grant", "authentication failure"))


@pytest.mark.documented("Salesforce Help, OAuth 2.0 Authorization Errors")
def test_a_grant_that_does_not_exist_is_refused_and_one_not_emulated_says_so(login: Login) -> None:
    for form in ({}, {"grant_type": "magic"}):
        answer = login.token(**form)
        assert (answer.status_code, answer.json()) == (
            400, refusal("unsupported_grant_type", "grant type not supported"),
        )  # fmt: skip
    for kind in ("authorization_code", "device", "urn:ietf:params:oauth:grant-type:token-exchange"):
        answer = login.token(grant_type=kind)
        assert (answer.status_code, answer.json()["error"]) == (501, "SANDBOX_NOT_EMULATED")
    assert login.http.get("/services/oauth2/token").json() == refusal("invalid_request", "must use HTTP POST")
    assert login.http.get("/services/oauth2/authorize").status_code == 501
    assert login.http.get("/services/oauth2/nowhere").status_code == 404
