"""The Salesforce edge: sessions, pinned hosts, budget and errors by recovery, against recorded-shape replies."""

from __future__ import annotations

import json
import ssl
from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qs

import jwt
import pytest
import requests
import responses
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from leakwatch.clients.retry import RetryPolicy
from leakwatch.clients.salesforce import Connection, SalesforceClient, soql
from leakwatch.clock import SettableClock
from leakwatch.errors import (
    AuthError,
    BudgetError,
    ConfigError,
    CursorError,
    NotFoundError,
    RecordError,
    SafetyError,
    TransientError,
    UnknownOutcomeError,
)

LOGIN = "https://login.salesforce.com/services/oauth2/token"
ORG = "https://acme.my.salesforce.com"
DATA = f"{ORG}/services/data/v66.0"

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE = _KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


def make_client(clock: SettableClock, *, instance_url: str | None = ORG, key: str = PRIVATE) -> SalesforceClient:
    connection = Connection(
        login_url="https://login.salesforce.com",
        instance_url=instance_url,
        audience="https://login.salesforce.com",
        client_id="3MVG9consumer",
        username="integration@acme.example",
        private_key=key,
    )
    return SalesforceClient(connection, wall=clock, retry=RetryPolicy(clock.sleep))


def grant(mock: responses.RequestsMock, *, token: str = "00D!token", instance: str = ORG) -> None:
    body = {"access_token": token, "instance_url": instance, "token_type": "Bearer", "id": f"{ORG}/id/00D/005"}
    mock.add(responses.POST, LOGIN, json=body)


@pytest.fixture
def mock():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        yield mocked


def test_login_signs_a_short_lived_jwt_for_the_integration_user(mock, clock):
    grant(mock)
    mock.add(responses.GET, f"{DATA}/limits", json={})
    make_client(clock).request("GET", "limits")
    form = parse_qs(mock.calls[0].request.body)
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    claims = jwt.decode(
        form["assertion"][0], _KEY.public_key(), algorithms=["RS256"], audience="https://login.salesforce.com",
        options={"verify_exp": False},
    )  # fmt: skip
    assert (claims["iss"], claims["sub"]) == ("3MVG9consumer", "integration@acme.example")
    assert claims["exp"] - clock.now().timestamp() <= timedelta(minutes=5).total_seconds()


def test_an_expired_session_is_renewed_once_and_the_call_repeated_with_its_headers(mock, clock):
    grant(mock, token="old")
    expired = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    mock.add(responses.GET, f"{DATA}/query", json=expired, status=401)
    grant(mock, token="new")
    mock.add(responses.GET, f"{DATA}/query", json={"records": [], "done": True, "totalSize": 0})
    make_client(clock).request("GET", "query", params={"q": "x"}, headers={"Sforce-Query-Options": "batchSize=200"})
    last = mock.calls[-1].request
    assert last.headers["Authorization"] == "Bearer new"
    assert last.headers["Sforce-Query-Options"] == "batchSize=200"


def test_a_session_refused_twice_stops_instead_of_logging_in_for_ever(mock, clock):
    grant(mock)
    expired = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    mock.add(responses.GET, f"{DATA}/limits", json=expired, status=401)
    with pytest.raises(AuthError):
        make_client(clock).request("GET", "limits")
    logins = [call for call in mock.calls if call.request.url == LOGIN]
    assert len(logins) == 2


@pytest.mark.parametrize(
    ("instance", "pinned"),
    [
        ("https://evil.example", None),
        ("https://other.my.salesforce.com", ORG),
        ("https://salesforce.com.evil.example", None),
    ],
    ids=["outside Salesforce", "another org than pinned", "look-alike host"],
)  # fmt: skip
def test_a_token_for_another_host_is_never_used(mock, clock, instance, pinned):
    grant(mock, instance=instance)
    with pytest.raises(AuthError, match="not used"):
        make_client(clock, instance_url=pinned).request("GET", "limits")
    assert len(mock.calls) == 1


@pytest.mark.parametrize(
    "link", ["@evil.example/x", "//evil.example/x", "https://evil.example/services/data/v66.0/query/1"]
)
def test_a_continuation_link_to_another_place_is_refused_before_the_token_leaves(mock, clock, link):
    grant(mock)
    client = make_client(clock)
    mock.add(responses.GET, f"{DATA}/limits", json={})
    client.request("GET", "limits")
    before = len(mock.calls)
    if link.startswith("@"):
        mock.add(responses.GET, f"{DATA}/{link}", json={}, status=404)
        with pytest.raises(NotFoundError):
            client.request("GET", link)
        assert mock.calls[-1].request.url.startswith(ORG + "/")
    else:
        with pytest.raises(SafetyError):
            client.request("GET", link)
        assert len(mock.calls) == before


@pytest.mark.parametrize(
    ("error", "description", "hint"),
    [
        ("invalid_grant", "user hasn't approved this consumer", "Permit the External Client App"),
        ("invalid_app_access", "user is not admin approved to access this app", "Assign a permission set"),
        ("app_not_found", "External client app is not installed in this org", "salesforce.login_url"),
    ],
)
def test_a_refused_login_says_what_to_do_and_is_not_retried(mock, clock, error, description, hint):
    mock.add(responses.POST, LOGIN, status=400, json={"error": error, "error_description": description})
    with pytest.raises(AuthError, match=hint):
        make_client(clock).request("GET", "limits")
    assert len(mock.calls) == 1


def test_a_key_that_is_no_key_is_a_configuration_fault(clock):
    with pytest.raises(ConfigError, match="private_key_file"):
        make_client(clock, key="not a key").request("GET", "limits")


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        (503, "SERVER_UNAVAILABLE", "busy", TransientError),
        (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", TransientError),
        (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", BudgetError),
        (400, "INVALID_QUERY_LOCATOR", "invalid query locator", CursorError),
        (404, "NOT_FOUND", "The requested resource does not exist", NotFoundError),
        (400, "INVALID_FIELD", "No such column 'X' on entity 'Lead'", RecordError),
        (403, "API_DISABLED_FOR_ORG", "API is not enabled", AuthError),
        (400, "MALFORMED_QUERY", "unexpected token", RecordError),
        (410, "GONE", "The requested API version is no longer supported", ConfigError),
        (500, "UNSUPPORTED_API_VERSION", "The requested API version is no longer supported", ConfigError),
    ],
)
def test_errors_are_told_apart_by_their_code(mock, clock, status, code, message, expected):
    grant(mock)
    mock.add(responses.GET, f"{DATA}/query", status=status, json=[{"message": message, "errorCode": code}])
    with pytest.raises(expected) as caught:
        make_client(clock).request("GET", "query", params={"q": "SELECT Id FROM Lead"})
    assert type(caught.value) is expected


def test_a_busy_org_is_asked_again_and_then_answers(mock, clock):
    grant(mock)
    mock.add(responses.GET, f"{DATA}/limits", status=503, json=[{"message": "busy", "errorCode": "SERVER_UNAVAILABLE"}])
    mock.add(responses.GET, f"{DATA}/limits", status=429, headers={"Retry-After": "7"}, body="")
    mock.add(responses.GET, f"{DATA}/limits", json={"DailyApiRequests": {"Max": 5, "Remaining": 1}})
    before = clock.now()
    answer = make_client(clock).request("GET", "limits")
    assert answer.body["DailyApiRequests"]["Max"] == 5
    assert clock.now() - before >= timedelta(seconds=7)


@pytest.mark.parametrize(
    "failure",
    [requests.exceptions.ReadTimeout("late"), requests.exceptions.ChunkedEncodingError("cut")],
    ids=["no answer", "cut answer"],
)
def test_a_write_whose_answer_is_lost_is_unknown_and_never_sent_again_blindly(mock, clock, failure):
    grant(mock)
    mock.add(responses.POST, f"{DATA}/composite/sobjects", body=failure)
    with pytest.raises(UnknownOutcomeError):
        make_client(clock).request("POST", "composite/sobjects", body={"records": []}, idempotent=False)
    assert len([call for call in mock.calls if call.request.url.endswith("composite/sobjects")]) == 1


def test_a_write_that_never_left_is_tried_again(mock, clock):
    grant(mock)
    mock.add(responses.POST, f"{DATA}/composite/sobjects", body=requests.exceptions.ConnectTimeout("no route"))
    mock.add(responses.POST, f"{DATA}/composite/sobjects", json=[])
    assert make_client(clock).request("POST", "composite/sobjects", body={}, idempotent=False).body == []


def test_a_login_page_with_status_200_is_not_taken_for_data(mock, clock):
    grant(mock)
    mock.add(responses.GET, f"{DATA}/limits", body="<html>Sign in</html>", content_type="text/html")
    with pytest.raises(TransientError, match="proxy"):
        make_client(clock).request("GET", "limits")


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_without_a_body_is_known_by_its_status_and_waited_for_as_told(mock, clock, status):
    grant(mock)
    edge = {"status": status, "body": "", "content_type": "application/json", "headers": {"Retry-After": "120"}}
    mock.add(responses.GET, f"{DATA}/limits", **edge)
    mock.add(responses.GET, f"{DATA}/limits", json={})
    make_client(clock).request("GET", "limits")
    assert 120 <= clock.monotonic() <= 121


def test_a_service_that_wants_to_be_left_alone_for_long_is_not_waited_for_and_the_error_says_so(mock, clock):
    grant(mock)
    mock.add(responses.GET, f"{DATA}/limits", status=429, headers={"Retry-After": "86400"})
    with pytest.raises(TransientError, match=r"answered 429 and asks to be left alone for 1440 minutes\Z"):
        make_client(clock).request("GET", "limits")
    assert clock.monotonic() == 0


def test_a_proxys_page_in_the_place_of_a_token_is_no_refusal(mock, clock):
    mock.add(responses.POST, LOGIN, body="<html>Sign in</html>", content_type="text/html")
    with pytest.raises(TransientError, match=r"instead of a token \(text/html\): a proxy\?"):
        make_client(clock).request("GET", "limits")


@pytest.mark.parametrize("where", ["login", "call"])
def test_a_connection_torn_in_the_middle_of_tls_is_no_distrusted_certificate(mock, clock, where):
    torn = requests.exceptions.SSLError(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"))
    if where == "login":
        mock.add(responses.POST, LOGIN, body=torn)
    grant(mock)
    if where == "call":
        mock.add(responses.GET, f"{DATA}/limits", body=torn)
    mock.add(responses.GET, f"{DATA}/limits", json={})
    assert make_client(clock).request("GET", "limits").status == 200


def test_a_write_cut_off_in_the_middle_of_tls_may_have_been_carried_out(mock, clock):
    grant(mock)
    torn = requests.exceptions.SSLError(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"))
    mock.add(responses.POST, f"{DATA}/composite/sobjects", body=torn)
    with pytest.raises(UnknownOutcomeError):
        make_client(clock).request("POST", "composite/sobjects", body={}, idempotent=False)


@pytest.mark.parametrize("where", ["login", "call"])
def test_a_certificate_that_is_not_trusted_ends_it_at_once(mock, clock, where):
    refused = requests.exceptions.SSLError(ssl.SSLCertVerificationError("self-signed certificate"))
    if where == "login":
        mock.add(responses.POST, LOGIN, body=refused)
    grant(mock)
    mock.add(responses.GET, f"{DATA}/limits", body=refused)
    with pytest.raises(AuthError, match="not trusted"):
        make_client(clock).request("GET", "limits")
    assert clock.monotonic() == 0


def test_money_arrives_with_every_digit(mock, clock):
    grant(mock)
    mock.add(responses.GET, f"{DATA}/limits", body='{"Amount": 1234567890123.45}', content_type="application/json")
    assert make_client(clock).request("GET", "limits").body["Amount"] == Decimal("1234567890123.45")


def test_money_leaves_with_every_digit(mock, clock):
    grant(mock)
    mock.add(responses.POST, f"{DATA}/composite/sobjects", json=[])
    body = {"records": [{"Amount": Decimal("1234567890123.45")}]}
    make_client(clock).request("POST", "composite/sobjects", body=body)
    assert b"1234567890123.45" in mock.calls[-1].request.body
    assert (
        json.loads(mock.calls[-1].request.body, parse_float=Decimal)["records"][0]["Amount"]
        == body["records"][0]["Amount"]
    )


@pytest.mark.parametrize("header", ["api-usage=81/100", "api-usage=81/100; per-app-api-usage=17/250(appName=x)"])
def test_the_reserve_for_people_is_kept_in_both_forms_of_the_limit_header(mock, clock, header):
    grant(mock)
    mock.add(responses.GET, f"{DATA}/limits", json={}, headers={"Sforce-Limit-Info": header})
    client = make_client(clock)
    client.request("GET", "limits")
    with pytest.raises(BudgetError, match="81 of its 100"):
        client.check_budget(1)


def test_a_redirect_is_not_followed(mock, clock):
    grant(mock)
    mock.add(responses.GET, f"{DATA}/limits", status=302, headers={"Location": "https://evil.example/"})
    with pytest.raises(AuthError, match="not sent there"):
        make_client(clock).request("GET", "limits")
    assert len(mock.calls) == 2


def test_quotes_in_a_value_can_not_leave_their_literal():
    query = soql("SELECT Id FROM Contact WHERE Email IN {emails}", emails=["o'hara@x.example", "a' OR Name != '"])
    assert query == "SELECT Id FROM Contact WHERE Email IN ('o\\'hara@x.example','a\\' OR Name != \\'')"


@pytest.mark.parametrize("instance", ["https://acme.my.salesforce.com:443@evil.example", "https://x@evil.example"])
def test_a_host_disguised_as_a_user_name_is_not_given_the_token(mock, clock, instance):
    grant(mock, instance=instance)
    with pytest.raises(AuthError) as caught:
        make_client(clock, instance_url=None).request("GET", "limits")
    assert caught.value.reason == "host"
    assert len(mock.calls) == 1


@pytest.mark.parametrize("body", ["[]", '{"access_token": "t"}', "null", "[" * 100_000])
def test_a_token_answer_of_another_shape_is_no_login_for_now_and_no_refusal(mock, clock, body):
    mock.add(responses.POST, LOGIN, body=body, content_type="application/json")
    with pytest.raises(TransientError, match="instead of a token"):
        make_client(clock).request("GET", "limits")


def test_an_answer_nested_beyond_reason_is_not_data(mock, clock):
    grant(mock)
    for _ in range(5):
        mock.add(responses.GET, f"{DATA}/limits", body="[" * 100_000, content_type="application/json")
    with pytest.raises(TransientError, match="cut short"):
        make_client(clock).request("GET", "limits")
