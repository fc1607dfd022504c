"""The Graph client against the emulated Graph in this process, and msal's error cache."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import responses

from adapters.graph_line import NOW, Line, StillClock
from leakwatch.clients.microsoft import CLOUDS
from leakwatch.clients.microsoft_errors import PageTooBigError, classify
from leakwatch.clients.microsoft_tokens import Entra, TenantTokens
from leakwatch.errors import AuthError, ConfigError, CursorError, NotFoundError, TransientError
from leakwatch.sandbox.keys import Keys
from leakwatch.sandbox.microsoft.call import Reply
from sandbox.microsoft.tenant_desk import ANN, BOB, OLD


def error(status: int, code: str = "x", **headers: str) -> httpx.Response:
    return httpx.Response(
        status,
        json={"error": {"code": code, "message": "no"}},
        headers={k.replace("_", "-"): v for k, v in headers.items()},
    )


def ids_of(line: Line, count: int) -> list[str]:
    return [line.desk.id_of(line.desk.mail(subject=f"s{n}")[ANN]) for n in range(count)]


def test_every_request_asks_for_immutable_ids_also_on_later_pages_and_in_batches(line: Line):
    given = ids_of(line, 3)
    start, end = NOW, NOW + timedelta(days=1)
    first = line.mail.window(ANN, start, end, 2)
    second = line.mail.follow(ANN, first["@odata.nextLink"], 2)
    assert [row["id"] for row in (*first["value"], *second["value"])] == given
    assert first["@odata.count"] == 3
    line.mail.get_messages(ANN, given)
    assert all('IdType="ImmutableId"' in request.headers["Prefer"] for request in line.wire.seen[:-1])
    parts = orjson.loads(line.wire.seen[-1].content)["requests"]
    assert {part["headers"]["Prefer"] for part in parts} == {'IdType="ImmutableId"'}


def test_a_wait_of_more_than_three_minutes_is_honoured_where_the_sdk_would_give_up(line: Line):
    line.wire.instead = [error(429, "ApplicationThrottled", Retry_After="200")]
    assert line.mail.folders(ANN)
    assert 200 <= sum(line.clock.slept) < 210


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_what_passes_is_asked_again(line: Line, status: int):
    line.wire.instead = [error(status)]
    assert line.mail.folders(ANN)


def test_a_refused_token_is_replaced_once(line: Line):
    line.wire.instead = [error(401, "InvalidAuthenticationToken")]
    assert line.mail.folders(ANN)
    assert line.tokens.renewed == 1
    line.wire.instead = [error(401, "InvalidAuthenticationToken"), error(401, "InvalidAuthenticationToken")]
    with pytest.raises(AuthError) as caught:
        line.mail.folders(ANN)
    assert caught.value.reason == "token_refused"


def test_a_mailbox_that_a_policy_closes_one_without_licence_and_one_off_the_roster_are_parked_each_with_its_reason(
    line: Line,
):
    line.desk.consent.change({"denied_mailboxes": [BOB]})
    reasons: list[str] = []
    for who in (BOB, OLD, "zoe@acme.example"):
        with pytest.raises(AuthError) as caught:
            line.mail.folders(who)
        reasons.append(caught.value.reason)
    assert reasons == ["policy_enforced", "mail_service_not_enabled", "not_on_roster"]


@pytest.mark.parametrize("how", ["410_location", "410", "410_resync_required", "400"])
def test_an_expired_change_token_is_a_cursor_error_however_graph_says_it(line: Line, how: str):
    line.desk.graph.settings.change({"expired_delta": how})
    inbox = next(iter(line.mail.folders(ANN)))
    link = line.mail.changes(ANN, inbox, None, 50)["@odata.deltaLink"]
    line.desk.graph.expire_deltas(ANN)
    with pytest.raises(CursorError):
        line.mail.follow(ANN, link, 50)


def test_a_page_that_takes_too_long_is_not_asked_again_at_its_size(line: Line):
    line.wire.instead = [error(504)]
    with pytest.raises(PageTooBigError):
        line.mail.window(ANN, NOW, NOW + timedelta(days=1), 250)
    assert len(line.wire.seen) == 1


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/v1.0/users/{id}/messages?x=1",
        "http://graph.test/v1.0/users/{id}/messages?x=1",
        "https://graph.test:444/v1.0/users/{id}/messages?x=1",
        "https://graph.test@evil.example/v1.0/users/{id}/messages?x=1",
        "https://graph.test/v1.0/users/{other}/messages?x=1",
        "https://graph.test/v1.0/users/{id}/../{other}/messages?x=1",
        "https://graph.test/beta/users/{id}/messages",
        "https://[graph.test/v1.0/users/{id}/messages",
        "",
    ],
)
def test_a_link_out_of_the_mailbox_gets_no_token(line: Line, link: str):
    own, other = (str(line.desk.tenant.find(one)["id"]) for one in (ANN, BOB))  # type: ignore[index]
    with pytest.raises(CursorError):
        line.mail.follow(ANN, link.format(id=own, other=other), 10)
    assert not line.wire.seen


@pytest.mark.parametrize("form", ["users/{id}/", "users('{id}')/", "Users/ann%40acme.example/"])
def test_links_in_all_of_graphs_forms_are_followed(line: Line, form: str):
    own = str(line.desk.tenant.find(ANN)["id"])  # type: ignore[index]
    link = f"https://graph.test/v1.0/{form.format(id=own)}messages?$top=1"
    assert line.graph.own_link(ANN, link) == link


def test_throttled_parts_of_a_batch_are_asked_for_again_alone(line: Line):
    given = ids_of(line, 25)
    busy = Reply(429, {"error": {"code": "ApplicationThrottled", "message": "no"}}, {"Retry-After": "7"})
    line.wire.part_faults = [None, busy, None, busy]
    found, gone = line.mail.get_messages(ANN, [*given, given[0][:-6] + "f" + given[0][-5:]])
    assert [row["id"] for row in found] == given
    sizes = [len(orjson.loads(request.content)["requests"]) for request in line.wire.seen]
    assert sizes == [20, 2, 6]
    assert len(gone) <= 1
    assert sum(line.clock.slept) >= 7


def test_a_part_that_always_fails_comes_as_its_bare_id_while_others_are_given(line: Line):
    given = ids_of(line, 2)
    broken = Reply(500, {"error": {"code": "InternalServerError", "message": "no"}})
    line.wire.part_faults = [broken, None, *[broken] * 4]
    found, gone = line.mail.get_messages(ANN, given)
    assert (list(found[0]), found[1]["subject"], gone) == (["id"], "s1", [])


def test_the_directory_is_read_to_its_end(line: Line):
    assert [row["mail"] for row in line.mail.users()] == [ANN, BOB, OLD]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"value": null}', b'{"error": 1}', b"<html>"])
def test_what_is_no_page_does_not_pass_for_an_empty_one(line: Line, body: bytes):
    line.wire.instead = [httpx.Response(200, content=body) for _ in range(5)]
    with pytest.raises(TransientError):
        line.mail.folders(ANN)


def test_a_proxys_refusal_is_not_taken_for_graphs():
    assert isinstance(classify(403, {}, b"<html>", what="x", now=NOW), TransientError)
    assert isinstance(classify(302, {}, b"", what="x", now=NOW), TransientError)
    gone = orjson.dumps({"error": {"code": "ErrorItemNotFound", "message": "gone"}})
    assert isinstance(classify(404, {}, gone, what="x", now=NOW), NotFoundError)


# --- tokens ---

ENTRA = Entra("tenant", "app", CLOUDS["global"][0], CLOUDS["global"][1], client_secret="hush", known_authority=False)
AUTHORITY = "https://login.microsoftonline.com/tenant"


def entra_answers(*answers: tuple[int, dict[str, Any], dict[str, str]]) -> None:
    found = {
        "token_endpoint": f"{AUTHORITY}/oauth2/v2.0/token", "issuer": f"{AUTHORITY}/v2.0",
        "authorization_endpoint": f"{AUTHORITY}/oauth2/v2.0/authorize",
    }  # fmt: skip
    responses.get(f"{AUTHORITY}/v2.0/.well-known/openid-configuration", json=found)
    for status, body, headers in answers:
        responses.post(found["token_endpoint"], status=status, json=body, headers=headers)


def posts(calls: Sequence[Any]) -> int:
    return sum(1 for call in calls if call.request.method == "POST")


@responses.activate
def test_one_token_serves_everybody_until_shortly_before_it_ends():
    body = {"access_token": "one", "expires_in": 3600, "token_type": "Bearer"}
    entra_answers((200, body, {}), (200, body | {"access_token": "two"}, {}), (200, body | {"access_token": "3"}, {}))
    clock = StillClock()
    tokens = TenantTokens(ENTRA, wall=clock)
    assert [tokens.get(), tokens.get()] == ["one", "one"]
    clock.seconds = 3600 - 299
    assert tokens.get() == "two"
    assert [tokens.get(refused="two"), tokens.get(refused="two")] == ["3", "3"]
    assert posts(responses.calls) == 3


@responses.activate
def test_an_error_is_not_replayed_once_entra_is_well_again():
    entra_answers(
        (503, {}, {"Retry-After": "40"}), (200, {"access_token": "good", "expires_in": 60, "token_type": "Bearer"}, {})
    )
    clock = StillClock()
    tokens = TenantTokens(ENTRA, wall=clock)
    with pytest.raises(TransientError) as caught:
        tokens.get()
    assert caught.value.retry_after == timedelta(seconds=40)
    clock.seconds = 30
    with pytest.raises(TransientError) as caught:
        tokens.get()
    assert (caught.value.retry_after, posts(responses.calls)) == (timedelta(seconds=10), 1)
    clock.seconds = 41
    assert tokens.get() == "good"


@responses.activate
def test_a_refused_secret_is_said_with_what_to_do_and_without_the_secret():
    refusal = {
        "error": "invalid_client",
        "error_description": "AADSTS7000222: expired. Trace ID: 1",
        "error_codes": [7000222],
    }
    entra_answers((401, refusal, {}))
    with pytest.raises(AuthError, match="AADSTS7000222") as caught:
        TenantTokens(ENTRA, wall=StillClock()).get()
    assert caught.value.reason == "invalid_client"
    assert "microsoft.client_secret" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_certificate_file_must_hold_the_key_and_the_certificate(tmp_path: Path, keys: Keys):
    path = tmp_path / "app.pem"
    path.write_bytes(keys.client_key.read_bytes())
    with pytest.raises(ConfigError, match="holds no certificate"):
        TenantTokens(Entra("t", "a", "https://x", "https://y", certificate_file=path), wall=StillClock())
