"""The token endpoint and sessions."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.rest import build_app
from sandbox.org.org_kit import Company, TestClient

pytestmark = pytest.mark.documented("Salesforce Help, OAuth 2.0 JWT Bearer Flow")

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
WALL = 1_900_000_000.0
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_PEM = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


class Login:
    """A token endpoint at a wall time of its own."""

    def __init__(self, org: Org) -> None:
        self.wall = WALL
        self.org = org
        app = build_app(
            org,
            instance_url=lambda: "https://localhost:9443/",
            login_hosts=["https://localhost:8443"],
            wall_clock=lambda: self.wall,
        )
        self.http = TestClient(app)

    def ask(self, key: Any = KEY, algorithm: str = "RS256", **claims: Any) -> Any:
        base = {
            "iss": "app-key",
            "sub": "jane.doe@acme.example",
            "aud": "https://login.salesforce.com",
            "exp": int(WALL) + 180,
        }
        signed = jwt.encode(base | claims, key, algorithm=algorithm)
        form = {"grant_type": GRANT, "assertion": signed}
        return self.http.post("/services/oauth2/token", data=form)


@pytest.fixture
def login(org: Org, company: Company) -> Login:
    org.register_app("app-key", PUBLIC_PEM.decode(), ["Jane.Doe@acme.example", "lee.gone@acme.example"])
    return Login(org)


def test_a_right_assertion_opens_a_session_of_its_user(login: Login, company: Company) -> None:
    answer = login.ask()
    assert answer.status_code == 200
    body = answer.json()
    assert body["instance_url"] == "https://localhost:9443"
    assert body["id"] == f"https://localhost:8443/id/{login.org.settings.org_id}/{company.rep}"
    assert (body["token_type"], body["issued_at"], "expires_in" in body) == ("Bearer", str(int(WALL) * 1000), False)
    who = login.http.get("/services/oauth2/userinfo", headers={"Authorization": f"Bearer {body['access_token']}"})
    assert (who.json()["user_id"], who.json()["preferred_username"]) == (company.rep, "jane.doe@acme.example")


@pytest.mark.parametrize("aud", ["https://test.salesforce.com", "https://localhost:8443"])
def test_the_login_hosts_are_audiences(login: Login, aud: str) -> None:
    assert login.ask(aud=aud).status_code == 200


def test_an_expiry_written_as_text_is_taken(login: Login) -> None:
    """simple-salesforce writes it so."""
    assert login.ask(exp=str(int(WALL) + 180)).status_code == 200


@pytest.mark.parametrize(
    ("claims", "error", "description"),
    [
        ({"iss": "other"}, "invalid_client_id", "client identifier invalid"),
        ({"aud": "https://elsewhere.example"}, "invalid_grant", "audience is invalid"),
        ({"sub": "nobody@acme.example"}, "invalid_grant", "user hasn't approved this consumer"),
        ({"sub": "maya.stone@acme.example"}, "invalid_grant", "user hasn't approved this consumer"),
        ({"sub": "lee.gone@acme.example"}, "invalid_grant", "inactive user"),
        ({"exp": int(WALL) - 1}, "invalid_grant", "invalid assertion"),
        ({"exp": int(WALL) + 3600}, "invalid_grant", "invalid assertion"),
        ({"key": OTHER_KEY}, "invalid_grant", "invalid assertion"),
        ({"key": "shared" * 8, "algorithm": "HS256"}, "invalid_grant", "invalid assertion"),
    ],
)
def test_a_wrong_assertion_is_refused(login: Login, claims: dict[str, Any], error: str, description: str) -> None:
    answer = login.ask(**claims)
    assert (answer.status_code, answer.json()) == (400, {"error": error, "error_description": description})


def test_other_grants_are_refused(login: Login) -> None:
    answer = login.http.post("/services/oauth2/token", data={"grant_type": "password"})
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_a_session_ends_after_two_hours_of_wall_time_or_on_demand(login: Login) -> None:
    headers = {"Authorization": f"Bearer {login.ask().json()['access_token']}"}
    path = "/services/data/v66.0/limits"
    assert login.http.get(path, headers=headers).status_code == 200
    login.wall += 7201
    ended = login.http.get(path, headers=headers)
    assert (ended.status_code, ended.json()) == (
        401,
        [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}],
    )
    headers = {"Authorization": f"Bearer {login.ask(exp=int(login.wall) + 60).json()['access_token']}"}
    assert login.http.get(path, headers=headers).status_code == 200
    login.org.expire_sessions()
    assert login.http.get(path, headers=headers).status_code == 401
