"""The Google edge: who may be read, where tokens go, and what each refusal means."""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httplib2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from adapters.google_fakes import JSON, Answer, FakeHttp, error, make_client, ok, private_key, write_key
from leakwatch import log
from leakwatch.clients import google_batch
from leakwatch.clients.google import GoogleClient, GoogleConnection
from leakwatch.clients.google_errors import classify
from leakwatch.clients.google_services import DirectoryClient, GmailClient
from leakwatch.clients.limiter import Limiter
from leakwatch.clients.retry import RetryPolicy
from leakwatch.clock import SystemClock
from leakwatch.errors import (
    AuthError,
    ConfigError,
    CursorError,
    LeakwatchError,
    NotFoundError,
    RecordError,
    TransientError,
)

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
ANN = "ann@ourco.com"


def gmail(folder: Path, http: FakeHttp, **options: Any) -> GmailClient:
    client, _ = make_client(folder, http, **options)
    return GmailClient(client, batch_size=50, wanted_headers=["From", "To"])


# --- tokens ---


def test_a_token_is_asked_for_in_the_name_of_the_mailbox_owner_with_the_narrow_scope(tmp_path: Path):
    http = FakeHttp(lambda _uri, _body: ok({"historyId": "7"}))
    assert gmail(tmp_path, http).profile(ANN) == {"historyId": "7"}
    (claims,) = http.claims
    assert claims["sub"] == ANN
    assert claims["scope"] == "https://www.googleapis.com/auth/gmail.metadata"
    assert claims["iss"] == "bot@project.iam.gserviceaccount.com"
    assert claims["aud"] == "https://oauth2.googleapis.com/token"
    assert 0 < claims["exp"] - claims["iat"] <= 3600
    assert http.requests[0][1]["authorization"] == "Bearer token1"


def test_one_token_serves_many_calls_and_each_person_has_their_own(tmp_path: Path):
    http = FakeHttp(lambda _uri, _body: ok({"historyId": "7"}))
    client = gmail(tmp_path, http)
    for person in (ANN, ANN, "bob@ourco.com"):
        client.profile(person)
    assert [claims["sub"] for claims in http.claims] == [ANN, "bob@ourco.com"]


def test_for_somebody_not_on_the_roster_no_token_is_even_asked_for(tmp_path: Path):
    http = FakeHttp()
    with pytest.raises(AuthError) as caught:
        gmail(tmp_path, http).profile("ceo@ourco.com")
    assert caught.value.reason == "not_on_roster"
    assert http.claims == []
    assert http.requests == []


def test_each_token_that_is_minted_is_logged_without_the_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
):
    request.addfinalizer(lambda: log.configure(level="WARNING"))
    log.configure(level="INFO", json=True)
    gmail(tmp_path, FakeHttp(lambda _uri, _body: ok({"historyId": "7"}))).profile(ANN)
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["person"]) == (log.Event.SESSION_REFRESHED, log.address_tag(ANN))
    assert ANN not in line


@pytest.mark.parametrize("reason", ["invalid_grant", "unauthorized_client", "invalid_scope", "access_denied"])
def test_a_refused_token_parks_the_mailbox_with_its_reason(tmp_path: Path, reason: str):
    http = FakeHttp()
    http.token_answers = [(400, JSON, json.dumps({"error": reason, "error_description": "words"}).encode())]
    with pytest.raises(AuthError) as caught:
        gmail(tmp_path, http).profile(ANN)
    assert caught.value.reason == reason


def test_a_token_endpoint_that_stumbles_is_asked_again(tmp_path: Path):
    http = FakeHttp(lambda _uri, _body: ok({"historyId": "7"}))
    http.token_answers = [(503, {}, b""), (500, JSON, b'{"error": "internal_failure"}')]
    assert gmail(tmp_path, http).profile(ANN)["historyId"] == "7"
    assert len(http.claims) == 3


def test_a_token_page_from_a_proxy_is_not_taken_for_a_refusal(tmp_path: Path):
    http = FakeHttp()
    http.token_answers = [(407, {"content-type": "text/html"}, b"<html>")] * 5
    with pytest.raises(TransientError):
        gmail(tmp_path, http).profile(ANN)


def test_an_expired_token_is_renewed_once_and_the_same_call_repeated(tmp_path: Path):
    http = FakeHttp()
    http.answers = [error(401, "authError"), ok({"historyId": "7"})]
    assert gmail(tmp_path, http).profile(ANN)["historyId"] == "7"
    assert [headers["authorization"] for _, headers, _ in http.requests] == ["Bearer token1", "Bearer token2"]


def test_refused_again_after_renewal_the_mailbox_is_parked(tmp_path: Path):
    http = FakeHttp(lambda _uri, _body: error(401, "authError"))
    with pytest.raises(AuthError) as caught:
        gmail(tmp_path, http).profile(ANN)
    assert caught.value.reason == "token_refused"
    assert len(http.requests) == 2


def test_a_clock_that_is_off_is_corrected_by_googles_own(tmp_path: Path):
    refused = {"error": "invalid_grant", "error_description": "Invalid JWT: Token must be a short-lived token (iat)"}
    http = FakeHttp(lambda _uri, _body: ok({"historyId": "7"}))
    theirs = datetime.now(UTC) + timedelta(minutes=10)
    http.token_answers = [(400, {**JSON, "date": format_datetime(theirs, usegmt=True)}, json.dumps(refused).encode())]
    assert gmail(tmp_path, http).profile(ANN)["historyId"] == "7"
    assert 590 <= http.claims[1]["iat"] - http.claims[0]["iat"] <= 610


def test_a_key_changed_on_disk_is_picked_up_without_a_restart(tmp_path: Path):
    http = FakeHttp(lambda _uri, _body: ok({"historyId": "7"}))
    http.token_answers = [(400, JSON, b'{"error": "invalid_grant", "error_description": "Invalid JWT Signature."}')]
    client = gmail(tmp_path, http)
    private_key.cache_clear()
    renewed = serialization.load_pem_private_key(private_key().encode(), None)
    write_key(tmp_path, client_email="new@project.iam.gserviceaccount.com")
    client.profile(ANN)
    assert http.claims[1]["iss"] == "new@project.iam.gserviceaccount.com"
    trusted = {"algorithms": ["RS256"], "audience": http.claims[1]["aud"]}
    assert jwt.decode(http.assertions[1], renewed.public_key(), **trusted)
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(http.assertions[0], renewed.public_key(), **trusted)


# --- where tokens go ---


def connect(folder: Path, **options: Any) -> GoogleClient:
    key = options.pop("key", {})
    return GoogleClient(
        GoogleConnection(write_key(folder, **key), **options),
        limiter=Limiter(SystemClock(), {}),
        retry=RetryPolicy(lambda _s: None),
        wall=SystemClock(),
    )


@pytest.mark.parametrize("url", ["http://gmail.googleapis.com", "gmail.googleapis.com", "https://x.com/path"])
def test_a_host_without_https_or_with_a_path_is_refused_at_once(tmp_path: Path, url: str):
    with pytest.raises(ConfigError, match="gmail_url"):
        connect(tmp_path, gmail_url=url)


@pytest.mark.parametrize("uri", ["https://evil.example/token", "http://oauth2.googleapis.com/token"])
def test_a_key_file_that_points_elsewhere_is_refused(tmp_path: Path, uri: str):
    with pytest.raises(ConfigError, match="token_uri"):
        connect(tmp_path, key={"token_uri": uri})


def test_a_token_is_never_sent_to_another_host(tmp_path: Path):
    client, _ = make_client(tmp_path, http := FakeHttp())
    with pytest.raises(AuthError) as caught:
        client.json(ANN, ("s",), "https://evil.example/gmail", provider="google", operation="x")
    assert caught.value.reason == "host_not_pinned"
    assert (http.claims, http.requests) == ([], [])


def test_a_redirect_is_not_followed(tmp_path: Path):
    http = FakeHttp(lambda _uri, _body: (302, {"location": "https://evil.example/"}, b""))
    with pytest.raises(TransientError, match="redirect was not followed"):
        gmail(tmp_path, http).profile(ANN)
    assert all("googleapis.com" in uri for uri, _, _ in http.requests)


@pytest.mark.parametrize("content", ["", "{}", '{"client_email": "x"}', "[1]"])
def test_a_file_that_is_no_key_is_named(tmp_path: Path, content: str):
    path = tmp_path / "key.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match="service_account_file"):
        GoogleClient(
            GoogleConnection(path), limiter=Limiter(SystemClock(), {}), retry=RetryPolicy(print), wall=SystemClock()
        )


def test_a_certificate_that_is_not_trusted_is_said_plainly_and_not_retried(tmp_path: Path):
    http = FakeHttp()
    http.answers = [ssl.SSLCertVerificationError("self-signed certificate")]
    with pytest.raises(ConfigError, match="ca_bundle"):
        gmail(tmp_path, http).profile(ANN)


# --- answers ---


@pytest.mark.parametrize(
    "broken",
    [
        (200, {"content-type": "text/html"}, b"<html>Sign in</html>"),
        (200, dict(JSON), b'{"historyId": "7'),
        (200, dict(JSON), b"[]"),
        (502, {}, b"Bad gateway"),
        ConnectionResetError(),
        TimeoutError(),
        httplib2.ServerNotFoundError("no DNS"),
        httplib2.FailedToDecompressContent("gzip", httplib2.Response({}), b""),
    ],
)
def test_a_broken_answer_is_asked_for_again(tmp_path: Path, broken: Answer | Exception):
    http = FakeHttp()
    http.answers = [broken, ok({"historyId": "7"})]
    assert gmail(tmp_path, http).profile(ANN)["historyId"] == "7"


@pytest.mark.parametrize(
    ("status", "reason", "message", "kind", "code"),
    [
        (403, "rateLimitExceeded", "", TransientError, None),
        (403, "userRateLimitExceeded", "", TransientError, None),
        (403, "quotaExceeded", "", TransientError, None),
        (429, "rateLimitExceeded", "", TransientError, None),
        (500, "backendError", "", TransientError, None),
        (503, "", "", TransientError, None),
        (403, "insufficientPermissions", "", AuthError, "insufficient_permissions"),
        (403, "accessNotConfigured", "", AuthError, "api_not_enabled"),
        (403, "domainPolicy", "", AuthError, "policy_enforced"),
        (403, "somethingNew", "", AuthError, "something_new"),
        (403, "", "", AuthError, "forbidden"),
        (400, "failedPrecondition", "Mail service not enabled", AuthError, "mail_service_not_enabled"),
        (400, "failedPrecondition", "Precondition check failed.", AuthError, "precondition_failed"),
        (400, "invalidArgument", "Invalid pageToken", CursorError, None),
        (400, "invalidArgument", "Invalid label", RecordError, "invalidArgument"),
        (404, "notFound", "Requested entity was not found.", NotFoundError, "NOT_FOUND"),
        (410, "fullSyncRequired", "", CursorError, None),
    ],
)
def test_each_refusal_is_named_by_what_happens_next(
    status: int, reason: str, message: str, kind: type[LeakwatchError], code: str | None
):
    _, headers, body = error(status, reason, message)
    found = classify(status, headers, body, what="messages.get", now=NOW)
    assert type(found) is kind
    assert code in (None, getattr(found, "reason", None), getattr(found, "code", None))


def test_gmails_wish_in_the_text_is_obeyed(tmp_path: Path):
    _, headers, body = error(429, "rateLimitExceeded", "Slow down.  Retry after 2026-01-05T10:05:00.000Z")
    found = classify(429, headers, body, what="x", now=NOW)
    assert isinstance(found, TransientError)
    assert found.retry_after == timedelta(minutes=5)


def test_a_day_quota_that_is_used_up_is_not_asked_every_second():
    _, headers, body = error(403, "dailyLimitExceeded")
    found = classify(403, headers, body, what="x", now=NOW)
    assert isinstance(found, TransientError)
    assert found.retry_after == timedelta(hours=1)


def test_a_day_quota_that_is_used_up_holds_every_mailbox_of_the_project(tmp_path: Path):
    for http in (
        FakeHttp(lambda _uri, _body: error(403, "dailyLimitExceeded")),
        FakeHttp(lambda _uri, _body: batch_answer([(0, 429, error(429, "dailyLimitExceeded")[2])])),
    ):
        client = gmail(tmp_path, http)
        with pytest.raises(TransientError, match="daily quota"):
            client.get_messages(ANN, ["a", "b"])
        with pytest.raises(TransientError, match="left alone"):
            client.profile("bob@ourco.com")
        assert len(http.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 407, 410])
@pytest.mark.parametrize("body", [b"<html>Access denied by Zproxy</html>", b"", b"{}"])
def test_a_refusal_that_is_not_googles_own_is_a_proxys_and_parks_and_forgets_nothing(status: int, body: bytes):
    found = classify(status, {"content-type": "text/html"}, body, what="history.list", now=NOW)
    assert type(found) is TransientError
    assert "proxy" in str(found)


def test_an_expired_history_id_is_a_cursor_error_and_a_wrong_parameter_is_not(tmp_path: Path):
    http = FakeHttp()
    http.answers = [error(404, "notFound", "Requested entity was not found."), error(400, "invalidArgument", "bad")]
    client = gmail(tmp_path, http)
    with pytest.raises(CursorError):
        client.history(ANN, "1")
    with pytest.raises(RecordError):
        client.history(ANN, "1")


def test_the_environments_ca_settings_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "HTTPLIB2_CA_CERTS"):
        monkeypatch.setenv(name, "/nowhere/ca.pem")
    ca = tmp_path / "ca.pem"
    ca.write_text("pem")
    client = connect(tmp_path, ca_file=ca)
    assert client._http().ca_certs == str(ca)


# --- batches ---


def batch_answer(parts: list[tuple[int, int, bytes]], *, boundary: str = "b1") -> Answer:
    """parts: (index, status, body)."""
    lines = [
        f"--{boundary}\r\nContent-Type: application/http\r\nContent-ID: <response-part{index}>\r\n\r\n"
        f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n\r\n".encode()
        + body
        + b"\r\n"
        for index, status, body in parts
    ]
    return 200, {"content-type": f"multipart/mixed; boundary={boundary}"}, b"".join(lines) + f"--{boundary}--".encode()


class Mailbox:
    """Answers batches; `mood` says (status, body) per id and attempt, else the message."""

    def __init__(self) -> None:
        self.mood: dict[str, list[tuple[int, bytes]]] = {}
        self.asked: list[list[str]] = []
        self.reverse = False
        self.lose: set[str] = set()

    def __call__(self, uri: str, body: bytes | None) -> Answer:
        assert uri == "https://gmail.googleapis.com/batch/gmail/v1"
        assert body is not None
        ids = [line.split(b"/messages/")[1].split(b"?")[0].decode() for line in body.split(b"\r\n") if b"GET " in line]
        self.asked.append(ids)
        parts: list[tuple[int, int, bytes]] = []
        for index, message_id in enumerate(ids):
            if message_id in self.lose:
                self.lose.discard(message_id)
                continue
            moods = self.mood.get(message_id)
            status, text = moods.pop(0) if moods else (200, json.dumps({"id": message_id}).encode())
            parts.append((index, status, text))
        return batch_answer(parts[::-1] if self.reverse else parts)


def limited() -> tuple[int, bytes]:
    return 429, error(429, "rateLimitExceeded", "Too many concurrent requests for user")[2]


def test_only_the_parts_that_failed_are_asked_for_again(tmp_path: Path):
    mailbox = Mailbox()
    ids = [f"m{n}" for n in range(50)]
    mailbox.mood = {f"m{n}": [limited()] for n in range(7)}
    mailbox.mood |= {"m10": [(500, b"")], "m11": [(503, b"x")], "m20": [(404, error(404, "notFound")[2])]}
    found, gone = gmail(tmp_path, FakeHttp(mailbox)).get_messages(ANN, ids)
    assert [message["id"] for message in found] == [message_id for message_id in ids if message_id != "m20"]
    assert gone == ["m20"]
    again = [message_id for asked in mailbox.asked[1:] for message_id in asked]
    assert sorted(again) == sorted([*(f"m{n}" for n in range(7)), "m10", "m11"])


def test_answers_are_matched_by_content_id_not_by_place(tmp_path: Path):
    mailbox = Mailbox()
    mailbox.reverse = True
    found, _ = gmail(tmp_path, FakeHttp(mailbox)).get_messages(ANN, ["a", "b", "c"])
    assert [message["id"] for message in found] == ["a", "b", "c"]


def test_a_part_that_is_missing_or_cut_off_is_asked_for_again(tmp_path: Path):
    mailbox = Mailbox()
    mailbox.lose = {"b"}
    mailbox.mood = {"c": [(200, b'{"id": "c')]}
    found, gone = gmail(tmp_path, FakeHttp(mailbox)).get_messages(ANN, ["a", "b", "c"])
    assert [message["id"] for message in found] == ["a", "b", "c"]
    assert mailbox.asked == [["a", "b", "c"], ["b", "c"]]
    assert gone == []


def test_when_gmail_is_rushed_the_batches_get_smaller(tmp_path: Path):
    mailbox = Mailbox()
    mailbox.mood = {f"m{n}": [limited()] for n in range(30)}
    gmail(tmp_path, FakeHttp(mailbox)).get_messages(ANN, [f"m{n}" for n in range(120)])
    assert len(mailbox.asked[0]) == 50
    assert max(len(asked) for asked in mailbox.asked[1:]) == 25


def test_a_mailbox_that_refuses_inside_a_batch_is_parked(tmp_path: Path):
    mailbox = Mailbox()
    mailbox.mood = {"a": [(403, error(403, "insufficientPermissions")[2])]}
    with pytest.raises(AuthError):
        gmail(tmp_path, FakeHttp(mailbox)).get_messages(ANN, ["a", "b"])


def test_of_a_batch_of_threads_what_fails_is_left_out_and_a_pause_is_heeded(tmp_path: Path):
    parts = [
        (1, *limited()),
        (0, 200, json.dumps({"id": "t0", "messages": [{"id": "a"}, {"id": "b"}]}).encode()),
        (2, 404, error(404, "notFound")[2]),
        (3, 200, b'{"messages": [{"id": "c"'),
    ]
    http = FakeHttp(lambda _uri, _body: batch_answer(parts))
    client = gmail(tmp_path, http)
    assert client.get_threads(ANN, ["t0", "t1", "t2", "t3"]) == [{"id": "a"}, {"id": "b"}]
    (_, _, body), *more = http.requests
    assert body is not None
    assert b"GET /gmail/v1/users/me/threads/t0?format=metadata&metadataHeaders=From" in body
    assert b"fields=messages%28id%2CthreadId" in body
    assert more == []


def test_a_mailbox_that_refuses_inside_a_batch_of_threads_is_parked(tmp_path: Path):
    http = FakeHttp(lambda _uri, _body: batch_answer([(0, 403, error(403, "insufficientPermissions")[2])]))
    with pytest.raises(AuthError):
        gmail(tmp_path, http).get_threads(ANN, ["t0"])


def test_a_batch_that_never_gives_anything_ends(tmp_path: Path):
    http = FakeHttp(lambda _uri, _body: batch_answer([(0, *limited())]))
    with pytest.raises(TransientError):
        gmail(tmp_path, http).get_messages(ANN, ["a"])
    assert len(http.requests) == 5


def test_one_mail_that_gmail_can_not_give_comes_as_its_bare_id_and_the_others_are_read(tmp_path: Path):
    mailbox = Mailbox()
    mailbox.mood = {"b": [(500, b"")] * 100, "d": [(200, b'{"id": "d", "x"')] * 100}
    ids = ["a", "b", "c", "d", "e"]
    whole = {one: {"id": one, "labelIds": ["INBOX"]} for one in ids}
    mailbox.mood |= {one: [(200, json.dumps(whole[one]).encode())] * 3 for one in ("a", "c", "e")}
    found, gone = gmail(tmp_path, FakeHttp(mailbox)).get_messages(ANN, ids)
    assert found == [whole["a"], {"id": "b"}, whole["c"], {"id": "d"}, whole["e"]]
    assert gone == []


def test_a_mail_that_can_not_be_had_while_no_other_can_is_waited_for(tmp_path: Path):
    mailbox = Mailbox()
    mailbox.mood = {one: [(500, b"")] * 100 for one in ("a", "b", "new")}

    def answer(uri: str, body: bytes | None) -> Answer:
        return mailbox(uri, body) if body is not None else ok({"messages": [{"id": "new"}, {"id": "a"}]})

    with pytest.raises(TransientError):
        gmail(tmp_path, FakeHttp(answer)).get_messages(ANN, ["a", "b"])


def test_the_only_new_mail_is_judged_by_whether_gmail_gives_an_older_one(tmp_path: Path):
    mailbox = Mailbox()
    mailbox.mood = {"new": [(503, b"")] * 100}

    def answer(uri: str, body: bytes | None) -> Answer:
        return mailbox(uri, body) if body is not None else ok({"messages": [{"id": "new"}, {"id": "old"}]})

    found, _ = gmail(tmp_path, FakeHttp(answer)).get_messages(ANN, ["new"])
    assert found == [{"id": "new"}]


def test_asked_again_for_what_was_not_given_each_is_tried_once_and_what_still_fails_is_left_out(tmp_path: Path):
    mailbox = Mailbox()
    mailbox.mood = {"b": [(500, b"")] * 9, "c": [(404, error(404, "notFound")[2])]}
    client, waits = make_client(tmp_path, FakeHttp(mailbox))
    one_by_one = GmailClient(client, batch_size=1, wanted_headers=["From"])
    found, gone = one_by_one.ask_again(ANN, ["a", "b", "c", "d"])
    assert [message["id"] for message in found] == ["a", "d"]
    assert gone == ["c"]
    assert (mailbox.asked, waits) == ([["a"], ["b"], ["c"], ["d"]], [])


def test_asked_again_while_gmail_answers_nobody_the_reading_goes_on_without(tmp_path: Path):
    http = FakeHttp(lambda _uri, _body: error(503))
    assert gmail(tmp_path, http).ask_again(ANN, ["a"]) == ([], [])
    assert len(http.requests) == 1


def test_bodies_and_snippets_are_not_asked_for(tmp_path: Path):
    mailbox = Mailbox()
    http = FakeHttp(mailbox)
    gmail(tmp_path, http).get_messages(ANN, ["a"])
    gmail(tmp_path, http, scope="readonly").get_messages(ANN, ["a"])
    narrow, wide = (body or b"" for _, _, body in http.requests)
    assert b"format=metadata" in narrow
    assert b"metadataHeaders=From" in narrow
    for asked in (narrow, wide):
        assert b"fields=id%2CthreadId%2ClabelIds%2CinternalDate%2Cpayload" in asked
        assert b"body" not in asked
        assert b"snippet" not in asked


def test_ids_asked_for_twice_are_fetched_once(tmp_path: Path):
    mailbox = Mailbox()
    found, _ = gmail(tmp_path, FakeHttp(mailbox)).get_messages(ANN, ["a", "a", "b"])
    assert [message["id"] for message in found] == ["a", "b"]
    assert mailbox.asked == [["a", "b"]]


@pytest.mark.parametrize("body", [b"", b"--b1--", b"--b1\r\n\r\n--b1--", b"--b1\r\nContent-ID: <x>\r\n\r\n"])
def test_a_damaged_batch_has_no_parts(body: bytes):
    assert list(google_batch.split("multipart/mixed; boundary=b1", body)) == []
    assert list(google_batch.split("text/html", body)) == []


# --- the directory ---


def test_every_page_of_the_directory_is_read_also_past_an_empty_one(tmp_path: Path):
    http = FakeHttp()
    http.answers = [
        ok({"users": [{"id": "1"}], "nextPageToken": "a"}),
        ok({"nextPageToken": "b"}),
        ok({"users": [{"id": "2"}]}),
    ]
    client, _ = make_client(tmp_path, http)
    assert [user["id"] for user in DirectoryClient(client, admin="admin@ourco.com").users()] == ["1", "2"]
    assert http.claims[0]["sub"] == "admin@ourco.com"
    assert "pageToken=b" in http.requests[2][0]


def test_a_directory_that_leads_in_circles_gives_no_half_roster(tmp_path: Path):
    http = FakeHttp()
    http.answers = [ok({"users": [{"id": "1"}], "nextPageToken": token}) for token in ("a", "b", "a")]
    client, _ = make_client(tmp_path, http)
    with pytest.raises(TransientError, match="circles"):
        DirectoryClient(client, admin="admin@ourco.com").users()
