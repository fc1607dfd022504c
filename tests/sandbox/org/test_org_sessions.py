"""Sessions and refresh tokens: how they end, on their own and on demand, and that they survive a restart."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import Any

import pytest

from leakwatch.sandbox.org.identity.authority import EVERYBODY
from sandbox.org.identity_kit import JANE, LEE, LOGIN, MAYA, PATH, SECRET, WALL, Login, refusal

pytestmark = pytest.mark.documented("Salesforce Help, Manage OAuth Access Policies")
INVALID = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
EXPIRED = refusal("invalid_grant", "expired access/refresh token")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    login = Login(tmp_path_factory.mktemp("sessions"))
    yield login
    login.org.close()


@pytest.fixture
def login(made: Login) -> Iterator[Login]:
    """The org at its first wall time; apps as they were."""
    apps = made.org.identity.apps.all()
    yield made
    for app in apps:
        made.org.identity.apps.put(app)
    made.wall = WALL


def first_refresh_token(login: Login, user: str = JANE) -> str:
    return login.org.identity.refresh_tokens.issue(login.ids[user], "app", "api refresh_token").token


def assert_ended(answer: Any) -> None:
    assert (answer.status_code, answer.json()) == (401, INVALID)


# -- sessions ----------------------------------------------------------------------------------------


@pytest.mark.documented("REST API Developer Guide, Status Codes and Error Responses")
def test_a_session_ends_after_two_hours_of_wall_time(login: Login) -> None:
    token = login.ask().json()["access_token"]
    login.wall += 7199
    assert login.call(token).status_code == 200
    login.wall += 2
    assert_ended(login.call(token))


@pytest.mark.documented("REST API Developer Guide, Status Codes and Error Responses")
def test_no_token_an_unknown_one_and_one_at_the_login_host_are_refused_alike(login: Login) -> None:
    token = login.ask().json()["access_token"]
    assert_ended(login.call(None))
    assert_ended(login.call("nonsense"))
    assert_ended(login.login.get(PATH, headers={"Authorization": f"Bearer {token}"}))
    assert login.http.get(PATH, headers={"Authorization": f"OAuth {token}"}).status_code == 200


@pytest.mark.documented("REST API Developer Guide, Status Codes and Error Responses", settled=False)
def test_a_header_of_another_scheme_is_refused_in_other_words(login: Login) -> None:
    answer = login.http.get(PATH, headers={"Authorization": "Basic YTpi"})
    assert answer.status_code == 401
    assert answer.json() == [{"message": "INVALID_HEADER_TYPE", "errorCode": "INVALID_AUTH_HEADER"}]


@pytest.mark.documented("Salesforce Help, OAuth Tokens and Scopes")
def test_a_session_without_the_api_scope_is_not_valid_for_the_rest_api(login: Login) -> None:
    login.org.identity.apps.change("app", {"scopes": ["id", "openid"]})
    token = login.ask().json()["access_token"]
    answer = login.call(token)
    assert (answer.status_code, answer.json()) == (
        401,
        [{"message": "This session is not valid for use with the REST API", "errorCode": "INVALID_SESSION_ID"}],
    )
    assert login.call(token, "/services/oauth2/userinfo").status_code == 200


def test_sessions_end_on_demand_all_one_or_those_of_a_user(login: Login) -> None:
    sessions = login.org.sessions
    mine, other, hers = (sessions.open(login.ids[name], "app").token for name in (JANE, JANE, MAYA))
    sessions.close(lambda one: one.token == mine)
    assert_ended(login.call(mine))
    assert login.call(other).status_code == login.call(hers).status_code == 200
    sessions.close(lambda one: one.user_id == login.ids[JANE])
    assert_ended(login.call(other))
    assert login.call(hers).status_code == 200
    login.org.expire_sessions()
    assert_ended(login.call(hers))


def test_a_session_ends_after_so_many_calls_on_demand(login: Login) -> None:
    token = login.ask().json()["access_token"]
    assert login.org.sessions.close_after(2, lambda one: one.token == token) == 1
    assert [login.call(token).status_code for _ in range(4)] == [200, 200, 401, 401]


def test_the_session_of_a_deactivated_user_is_over(login: Login) -> None:
    assert_ended(login.call(login.org.sessions.open(login.ids[LEE], "app").token))


@pytest.mark.documented("SOAP API Developer Guide, ExceptionCode", settled=False)
def test_the_api_can_be_off_for_the_org_or_for_a_user(login: Login) -> None:
    token, authority = login.ask().json()["access_token"], login.org.identity
    authority.bar("api", EVERYBODY)
    for_org = login.call(token)
    authority.bar("api", EVERYBODY, barred=False)
    authority.bar("api", login.ids[JANE])
    for_user = login.call(token)
    authority.bar("api", login.ids[JANE], barred=False)
    assert (for_org.status_code, for_org.json()) == (
        403,
        [{"message": "The REST API is not enabled for this Organization.", "errorCode": "API_DISABLED_FOR_ORG"}],
    )
    assert (for_user.status_code, for_user.json()) == (
        403, [{"message": "API is disabled for this User", "errorCode": "API_CURRENTLY_DISABLED"}],
    )  # fmt: skip
    assert login.call(token).status_code == 200


# -- refresh tokens ------------------------------------------------------------------------------------


def test_a_refresh_token_is_good_once_and_brings_the_next(login: Login) -> None:
    answer = login.refresh(first_refresh_token(login))
    body = answer.json()
    assert answer.status_code == 200
    assert {"access_token", "refresh_token", "signature", "instance_url", "id", "issued_at"} <= set(body)
    assert body["scope"] == "api refresh_token"
    assert login.call(body["access_token"]).status_code == 200
    again = login.refresh(body["refresh_token"]).json()
    assert len({body["refresh_token"], again["refresh_token"]}) == 2


@pytest.mark.documented(guess="that there is no time of grace")
def test_a_used_refresh_token_that_comes_back_ends_its_whole_family(login: Login) -> None:
    first, stranger = first_refresh_token(login), first_refresh_token(login)
    body = login.refresh(first).json()
    answer = login.refresh(first)
    assert (answer.status_code, answer.json()) == (400, EXPIRED)
    assert login.refresh(body["refresh_token"]).json() == EXPIRED
    assert_ended(login.call(body["access_token"]))
    assert login.refresh(stranger).status_code == 200


def test_without_rotation_a_refresh_token_stays_good(login: Login) -> None:
    login.org.identity.apps.change("app", {"rotation": False})
    token = first_refresh_token(login)
    for _ in range(2):
        body = login.refresh(token).json()
        assert "refresh_token" not in body
        assert login.call(body["access_token"]).status_code == 200


@pytest.mark.documented("Salesforce Help, OAuth 2.0 Refresh Token Flow")
def test_a_refresh_is_refused_for_a_wrong_secret_app_token_or_user(login: Login) -> None:
    token = first_refresh_token(login)
    assert login.refresh("nonsense").json() == EXPIRED
    assert login.refresh(token, client_secret="wrong").json() == refusal("invalid_client", "invalid client credentials")
    assert login.refresh(token, client_id="nobody").json() == refusal("invalid_client_id", "client identifier invalid")
    assert login.refresh(token, client_id="other", client_secret="battery staple").json() == EXPIRED
    assert login.refresh(first_refresh_token(login, LEE)).json() == refusal("invalid_grant", "inactive user")
    assert login.token(grant_type="refresh_token", client_id="app").json()["error"] == "invalid_request"
    assert login.refresh(token).status_code == 200, "none of these used it up"


def test_a_user_who_is_no_longer_approved_gets_no_refresh(login: Login) -> None:
    token = first_refresh_token(login)
    login.org.identity.apps.change("app", {"policy": "admin_approved", "users": []})
    assert login.refresh(token).json()["error"] == "invalid_app_access"
    login.org.identity.apps.change("app", {"users": [JANE]})
    assert login.refresh(token).status_code == 200


def test_refresh_tokens_expire_on_demand_and_their_sessions_go_on(login: Login) -> None:
    body = login.refresh(first_refresh_token(login)).json()
    login.org.identity.refresh_tokens.expire_all(login.ids[MAYA])
    body = login.refresh(body["refresh_token"]).json()
    login.org.identity.refresh_tokens.expire_all()
    assert login.refresh(body["refresh_token"]).json() == EXPIRED
    assert login.call(body["access_token"]).status_code == 200


# -- revoke and introspect -------------------------------------------------------------------------------


@pytest.mark.documented("Salesforce Help, Revoke OAuth Tokens")
def test_revoking_an_access_token_ends_it_and_a_refresh_token_all_that_came_of_it(login: Login) -> None:
    body = login.refresh(first_refresh_token(login)).json()
    alone = login.ask().json()["access_token"]
    assert login.http.post("/services/oauth2/revoke", data={"token": alone}).status_code == 200
    assert_ended(login.call(alone))
    assert login.http.get("/services/oauth2/revoke", params={"token": body["refresh_token"]}).status_code == 200
    assert_ended(login.call(body["access_token"]))
    assert login.refresh(body["refresh_token"]).json() == EXPIRED
    again = login.http.post("/services/oauth2/revoke", data={"token": alone})
    assert (again.status_code, again.json()["error"]) == (400, "unsupported_token_type")


@pytest.mark.documented("Salesforce Help, OAuth 2.0 Token Introspection", guess="what is told of another app's token")
def test_a_token_can_be_introspected_by_its_app(login: Login) -> None:
    body = login.refresh(first_refresh_token(login)).json()
    app = {"client_id": "app", "client_secret": SECRET}

    def ask(token: str, **client: str) -> Any:
        return login.http.post("/services/oauth2/introspect", data={"token": token, **(client or app)}).json()

    assert ask(body["access_token"]) == {
        "active": True, "scope": "api refresh_token", "client_id": "app", "username": JANE,
        "sub": f"{LOGIN}/id/{login.org.settings.org_id}/{login.ids[JANE]}", "token_type": "access_token",
        "iat": int(WALL), "nbf": int(WALL), "exp": int(WALL) + 7200,
    }  # fmt: skip
    assert ask(body["refresh_token"])["token_type"] == "refresh_token"
    assert ask("nonsense") == {"active": False}
    assert ask(body["access_token"], client_id="other", client_secret="battery staple") == {"active": False}
    assert ask(body["access_token"], client_id="app", client_secret="no")["error"] == "invalid_client"


# -- a restart -----------------------------------------------------------------------------------------


def test_apps_sessions_and_refresh_tokens_survive_a_restart_and_a_restored_state(login: Login) -> None:
    org = login.org
    org.save(login.folder.parent / "saved")
    body = login.refresh(first_refresh_token(login)).json()
    limited = login.ask(jti="kept").json()["access_token"]
    org.sessions.close_after(1, lambda one: one.token == limited)
    org.identity.bar("login", login.ids[MAYA])
    assert stat.S_IMODE((login.folder / "identity.sqlite").stat().st_mode) == 0o600
    org.close()
    login.open()
    login.org.restore(login.folder.parent / "saved")
    assert login.call(body["access_token"]).status_code == 200
    assert [login.call(limited).status_code for _ in range(2)] == [200, 401]
    assert login.refresh(body["refresh_token"]).status_code == 200
    assert login.ask(jti="kept").json()["error_description"] == "invalid assertion"
    assert login.org.identity.is_barred("login", login.ids[MAYA])
    login.org.identity.bar("login", login.ids[MAYA], barred=False)
