"""What a request to Graph meets before it is answered: paths, permissions, mailboxes, limits, batches."""

from __future__ import annotations

from typing import Any

import pytest

from leakwatch.sandbox.microsoft.call import GraphRequest
from leakwatch.sandbox.microsoft.limits import Limits
from sandbox.microsoft.tenant_desk import ANN, BOB, OLD, ORIGIN, TenantDesk

INBOX = f"/users/{ANN}/mailFolders/inbox/messages"


def test_errors_come_in_odatas_envelope_with_date_and_both_request_ids(desk: TenantDesk) -> None:
    reply = desk.ask("/nothing", client_request_id="mine")
    error = reply.body["error"]
    assert (error["code"], error["message"]) == ("BadRequest", "Resource not found for the segment 'nothing'.")
    assert error["innerError"] == {
        "date": "2027-01-15T08:00:00", "request-id": reply.headers["request-id"], "client-request-id": "mine",
    }  # fmt: skip
    assert reply.headers["client-request-id"] == "mine"
    assert "ServerInfo" in reply.headers["x-ms-ags-diagnostic"]


def test_a_path_may_be_written_as_segments_or_with_keys_in_brackets_and_in_any_case(desk: TenantDesk) -> None:
    for path in (
        f"/users/{ANN}/mailFolders/inbox/messages", f"/users('{ANN}')/mailFolders('Inbox')/messages",
        f"/Users/{ANN}/mailfolders/INBOX/messages",
    ):  # fmt: skip
        assert desk.get(path)["value"] == []
    for name in ("delta", "delta()", "microsoft.graph.delta", "microsoft.graph.delta()"):
        assert "@odata.deltaLink" in desk.get(f"{INBOX}/{name}")


def test_what_the_sandbox_does_not_emulate_says_so(desk: TenantDesk) -> None:
    assert desk.refused("/groups") == (501, "SandboxNotEmulated")
    assert desk.refused("/users/delta") == (501, "SandboxNotEmulated")
    assert desk.refused(f"/users/{ANN}/contacts/x") == (501, "SandboxNotEmulated")
    assert desk.ask(f"/users/{ANN}/messages/x", "DELETE").status == 501


def test_an_application_has_no_me(desk: TenantDesk) -> None:
    reply = desk.ask("/me/messages")
    said = "/me request is only valid with delegated authentication flow."
    assert (reply.status, reply.body["error"]["message"]) == (400, said)


def test_each_service_refuses_in_its_own_words(desk: TenantDesk) -> None:
    bearer = desk.token(roles=["Calendars.Read"])
    assert desk.refused("/users", authorization=bearer) == (403, "Authorization_RequestDenied")
    assert desk.refused(f"/users/{ANN}/messages", authorization=bearer) == (403, "ErrorAccessDenied")
    assert desk.refused("/users/nobody@acme.example") == (404, "Request_ResourceNotFound")
    assert desk.refused("/users/nobody@acme.example/messages") == (404, "ErrorInvalidUser")
    assert desk.refused(f"/users/{OLD}/messages") == (404, "MailboxNotEnabledForRESTAPI")


def test_an_application_access_policy_closes_a_mailbox_although_the_permission_is_there(desk: TenantDesk) -> None:
    desk.consent.change({"denied_mailboxes": [ANN]})
    reply = desk.ask(f"/users/{ANN}/messages")
    assert (reply.status, reply.body["error"]["message"]) == (403, "Access to OData is disabled.")
    assert desk.get(f"/users/{BOB}/messages")["value"] == []
    desk.consent.change({"denied_mailboxes": [], "only_mailboxes": [ANN]})
    assert desk.ask(f"/users/{ANN}/messages").status == 200
    assert desk.ask(f"/users/{BOB}/messages").status == 403


def test_rbac_for_applications_opens_the_mailboxes_in_its_scope_without_a_role_in_the_token(desk: TenantDesk) -> None:
    bearer = desk.token(roles=[], exchange_roles={"Mail.Read": [ANN]})
    assert desk.get(f"/users/{ANN}/messages", authorization=bearer)["value"] == []
    assert desk.refused(f"/users/{BOB}/messages", authorization=bearer) == (403, "ErrorAccessDenied")


def test_ten_thousand_requests_in_ten_minutes_are_one_mailboxs_limit_and_refused_ones_count(desk: TenantDesk) -> None:
    desk.graph.throttle.limits = Limits(mailbox_requests=2)
    path = f"/users/{ANN}/messages"
    assert [desk.ask(path).status for _ in range(3)] == [200, 200, 429]
    assert desk.ask(f"/users/{BOB}/messages").status == 200
    desk.now += 590
    reply = desk.ask(path)
    assert (reply.status, reply.body["error"]["code"]) == (429, "ApplicationThrottled")
    assert reply.headers["Retry-After"] == "10"
    desk.now += 11
    assert desk.ask(path).status == 200


def test_the_directory_counts_resource_units_and_a_selection_costs_one_less(desk: TenantDesk) -> None:
    desk.graph.throttle.limits = Limits(directory_units=5)
    assert desk.ask("/users").headers["x-ms-resource-unit"] == "2"
    assert desk.ask("/users?$select=id").headers["x-ms-resource-unit"] == "1"
    assert desk.ask("/users").status == 200
    reply = desk.ask("/users")
    assert (reply.status, reply.body["error"]["code"], reply.headers["Retry-After"]) == (429, "TooManyRequests", "10")


def running(desk: TenantDesk, *mailboxes: str) -> list[int]:
    """The status of requests that all run at once; 200 for those let in."""
    entered = [desk.graph.enter(GraphRequest("GET", f"/v1.0/users/{one}/messages", origin=ORIGIN)) for one in mailboxes]
    for place, _ in entered:
        desk.graph.leave(place)
    return [200 if refusal is None else refusal.status for _, refusal in entered]


def test_four_requests_of_an_application_run_at_once_in_a_mailbox(desk: TenantDesk) -> None:
    assert running(desk, *[ANN] * 5, BOB) == [200] * 4 + [429, 200]
    assert running(desk, *[ANN] * 4) == [200] * 4
    place, refusal = None, None
    for _ in range(5):
        place, refusal = desk.graph.enter(GraphRequest("GET", f"/v1.0/users/{ANN}/messages", origin=ORIGIN))
    assert place is None
    assert refusal is not None
    assert refusal.body["error"]["message"] == "Application is over its MailboxConcurrency limit."


def test_whether_the_four_are_for_each_mailbox_or_for_the_application_is_a_switch(desk: TenantDesk) -> None:
    desk.graph.settings.change({"concurrency_scope": "app"})
    assert running(desk, ANN, ANN, BOB, BOB, BOB, "/users") == [200] * 4 + [429, 200]


def part(number: int, url: str, **rest: Any) -> dict[str, Any]:
    return {"id": str(number), "method": "GET", "url": url} | rest


def by_id(reply: Any) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in reply.body["responses"]}


def test_a_batch_answers_each_part_by_itself_and_in_another_order(desk: TenantDesk) -> None:
    urls = [f"/users/{ANN}/messages", f"users/{BOB}?$select=mail", "/users/x/messages", "/users/$count"]
    parts = [part(number, url) for number, url in enumerate(urls)]
    parts[3]["headers"] = {"ConsistencyLevel": "eventual"}
    reply = desk.batch(parts)
    assert [one["id"] for one in reply.body["responses"]] != ["0", "1", "2", "3"]
    found = by_id(reply)
    assert [found[str(number)]["status"] for number in range(4)] == [200, 200, 404, 200]
    assert found["1"]["body"]["mail"] == BOB
    assert found["3"]["body"] == "3"


def test_a_batch_is_refused_as_a_whole_with_21_parts_equal_ids_or_no_parts(desk: TenantDesk) -> None:
    path = f"/users/{ANN}/messages"
    assert desk.batch([part(number, path) for number in range(21)]).status == 400
    assert desk.batch([part(1, path), part(1, path)]).status == 400
    assert desk.batch([]).status == 400
    assert desk.batch([part(number, path) for number in range(20)]).status == 200


def test_a_part_that_depends_on_a_failed_one_fails_with_424(desk: TenantDesk) -> None:
    path = f"/users/{ANN}/messages"
    parts = [part(1, "/users/x/messages"), part(2, path, dependsOn=["1"]), part(3, path, dependsOn=["2"])]
    found = by_id(desk.batch([*parts, part(4, path)]))
    assert [found[str(number)]["status"] for number in (1, 2, 3, 4)] == [404, 424, 424, 200]


def test_preferences_of_a_part_hold_for_that_part_alone(desk: TenantDesk) -> None:
    number = desk.mail()[ANN]
    path = f"/users/{ANN}/messages?$select=subject"
    found = by_id(desk.batch([part(1, path, headers={"Prefer": 'IdType="ImmutableId"'}), part(2, path)]))
    assert found["1"]["body"]["value"][0]["id"] == desk.id_of(number)
    assert found["2"]["body"]["value"][0]["id"] == desk.id_of(number, immutable=False)


@pytest.mark.parametrize(("parallel", "expected"), [(4, [200] * 6), (20, [200] * 4 + [429] * 2)])
def test_a_batch_has_four_parts_with_exchange_at_once_unless_the_switch_says_all(
    desk: TenantDesk, parallel: int, expected: list[int]
) -> None:
    desk.graph.settings.change({"batch_parallel": parallel})
    found = by_id(desk.batch([part(number, f"/users/{ANN}/messages") for number in range(6)]))
    assert [found[str(number)]["status"] for number in range(6)] == expected
