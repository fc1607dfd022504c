"""Entra's token endpoint and the access tokens it gives, as its documentation has them."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from leakwatch.sandbox.keys import Keys
from leakwatch.sandbox.microsoft.consent import CLIENT_ID, TENANT_ID
from leakwatch.sandbox.microsoft.entra import ASSERTION_TYPE
from leakwatch.sandbox.microsoft.errors import TokenError
from sandbox.microsoft.tenant_desk import ANN, ORIGIN, SECRET, TenantDesk

GOOD = {
    "grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": SECRET,
    "scope": "https://graph.microsoft.com/.default",
}  # fmt: skip


def asked(desk: TenantDesk, tenant: str = "acme.example", **changes: str | None) -> dict[str, Any]:
    form = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return desk.graph.entra.exchange(tenant, form, ORIGIN)


def refused(desk: TenantDesk, tenant: str = "acme.example", **changes: str | None) -> tuple[int, str, int]:
    with pytest.raises(TokenError) as caught:
        asked(desk, tenant, **changes)
    return caught.value.status, caught.value.error, caught.value.number


def assertion(desk: TenantDesk, keys: Keys, algorithm: str = "PS256", *, sha1: bool = False, **claims: Any) -> str:
    """A client assertion as "Certificate credentials" describes it."""
    certificate = x509.load_pem_x509_certificate(keys.client_certificate.read_bytes())
    name, kind = ("x5t", hashes.SHA1()) if sha1 else ("x5t#S256", hashes.SHA256())
    thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(kind)).decode().rstrip("=")
    body = {
        "aud": f"{ORIGIN}/{TENANT_ID}/oauth2/v2.0/token", "iss": CLIENT_ID, "sub": CLIENT_ID,
        "jti": str(uuid.uuid4()), "nbf": int(desk.now), "exp": int(desk.now) + 600,
    }  # fmt: skip
    return jwt.encode(body | claims, keys.client_key.read_text(), algorithm=algorithm, headers={name: thumbprint})


def by_certificate(text: str) -> dict[str, str | None]:
    return {"client_secret": None, "client_assertion": text, "client_assertion_type": ASSERTION_TYPE}


def test_a_secret_gives_a_token_for_an_hour_by_the_tenants_id_and_by_its_domains(desk: TenantDesk) -> None:
    for tenant in (TENANT_ID, "acme.example"):
        given = asked(desk, tenant)
        assert (given["token_type"], given["expires_in"]) == ("Bearer", 3599)
    assert desk.graph.entra.minted == {CLIENT_ID: 3}


@pytest.mark.parametrize(
    ("changes", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": None}, 401, "invalid_client", 7000216),
        ({"client_id": "11111111-2222-4333-8444-555555555555"}, 400, "unauthorized_client", 700016),
        ({"tenant": "elsewhere.example"}, 400, "invalid_request", 90002),
        ({"scope": "https://graph.microsoft.com/Mail.Read"}, 400, "invalid_scope", 1002012),
        ({"scope": "https://nothing.example/.default"}, 400, "invalid_resource", 500011),
        ({"scope": None}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
    ],
)
def test_what_is_wrong_with_a_request_is_named_by_its_aadsts_number(
    desk: TenantDesk, changes: dict[str, Any], status: int, error: str, number: int
) -> None:
    assert refused(desk, **changes) == (status, error, number)


def test_a_refusal_names_number_trace_correlation_and_time(desk: TenantDesk) -> None:
    with pytest.raises(TokenError) as caught:
        asked(desk, client_secret="wrong")
    body = caught.value.body(0, "trace", "correlation")
    assert body["error_description"].startswith("AADSTS7000215: Invalid client secret provided.")
    assert body["error_description"].endswith(
        "Trace ID: trace Correlation ID: correlation Timestamp: 1970-01-01 00:00:00Z"
    )
    assert (body["error_codes"], body["trace_id"], body["correlation_id"]) == ([7000215], "trace", "correlation")


def test_an_expired_secret_is_told_from_a_wrong_one_and_a_disabled_application_from_both(desk: TenantDesk) -> None:
    desk.consent.change({"secret_expired": True})
    assert refused(desk) == (401, "invalid_client", 7000222)
    assert refused(desk, client_secret="wrong")[2] == 7000215
    desk.consent.change({"enabled": False})
    assert refused(desk) == (400, "unauthorized_client", 7000112)


@pytest.mark.parametrize(("algorithm", "sha1"), [("PS256", False), ("RS256", True)])
def test_a_certificate_gives_a_token_by_its_sha256_thumbprint_and_by_its_sha1(
    desk: TenantDesk, keys: Keys, algorithm: str, *, sha1: bool
) -> None:
    given = asked(desk, **by_certificate(assertion(desk, keys, algorithm, sha1=sha1)))
    assert desk.graph.entra.open(f"Bearer {given['access_token']}").app_id == CLIENT_ID


def test_an_assertion_is_refused_by_what_is_wrong_with_it(desk: TenantDesk, keys: Keys) -> None:
    def number(**claims: Any) -> int:
        return refused(desk, **by_certificate(assertion(desk, keys, **claims)))[2]

    assert number(aud="https://elsewhere.example/token") == 700023
    assert number(exp=int(desk.now) - 600) == 700024
    assert number(nbf=int(desk.now) + 600) == 700024
    assert number(sub="somebody", iss="somebody") == 700021
    assert refused(desk, **by_certificate("no.jwt"))[2] == 50027
    good = assertion(desk, keys)
    assert refused(desk, **by_certificate(good[:-8] + "AAAAAAAA"))[2] == 700027
    desk.consent.change({"certificate_registered": False})
    assert refused(desk, **by_certificate(good)) == (401, "invalid_client", 700027)


def test_graph_refuses_tokens_that_are_missing_torn_or_expired(desk: TenantDesk) -> None:
    path, wrong = f"/users/{ANN}/messages", (401, "InvalidAuthenticationToken")
    assert desk.refused(path, authorization="") == wrong
    assert desk.refused(path, authorization="Bearer nothing") == wrong
    assert desk.refused(path, authorization=desk.bearer[:-4] + "AAAA") == wrong
    desk.now += 3600
    reply = desk.ask(path)
    assert (reply.status, reply.headers["WWW-Authenticate"][:9]) == (401, "Bearer re")


def test_consent_reaches_graph_with_the_next_token_alone(desk: TenantDesk) -> None:
    before = desk.bearer
    after = desk.token(roles=["User.Read.All"])
    path = f"/users/{ANN}/messages"
    assert desk.get(path, authorization=before)["value"] == []
    assert desk.refused(path, authorization=after) == (403, "ErrorAccessDenied")


def test_the_discovery_document_names_the_endpoints_of_this_host(desk: TenantDesk) -> None:
    found = desk.graph.entra.configuration("acme.example", ORIGIN)
    assert found["token_endpoint"] == f"{ORIGIN}/{TENANT_ID}/oauth2/v2.0/token"
    assert found["issuer"] == f"{ORIGIN}/{TENANT_ID}/v2.0"
    with pytest.raises(TokenError) as caught:
        desk.graph.entra.configuration("elsewhere.example", ORIGIN)
    assert (caught.value.error, caught.value.number) == ("invalid_tenant", 90002)
