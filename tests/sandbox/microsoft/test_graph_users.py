"""`/users` and mailbox settings, as the documentation of Graph's directory has them."""

from __future__ import annotations

import pytest

from sandbox.microsoft.tenant_desk import ANN, BOB, OLD, TenantDesk

EVENTUAL = {"ConsistencyLevel": "eventual"}


def mails(desk: TenantDesk, query: str, **headers: str) -> list[str]:
    return [one["mail"] for one in desk.get(f"/users?{query}", **headers)["value"]]


def test_a_user_without_a_selection_has_the_eleven_usual_properties(desk: TenantDesk) -> None:
    usual = {
        "businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation",
        "preferredLanguage", "surname", "userPrincipalName", "id",
    }  # fmt: skip
    assert set(desk.get("/users")["value"][0]) == usual
    assert set(desk.get(f"/users/{ANN}")) == usual | {"@odata.context"}


def test_a_selection_gives_addresses_licences_and_whether_the_account_is_on(desk: TenantDesk) -> None:
    user = desk.get(f"/users/{ANN}?$select=mail,proxyAddresses,accountEnabled,userType,assignedLicenses")
    assert user["proxyAddresses"] == ["SMTP:ann@acme.example", "smtp:a@acme.example"]
    assert (user["accountEnabled"], user["userType"], len(user["assignedLicenses"])) == (True, "Member", 1)
    assert desk.get(f"/users/{OLD}?$select=assignedLicenses")["assignedLicenses"] == []
    assert desk.ask("/users?$select=nothing").status == 400


def test_users_are_found_by_id_or_name_to_sign_in_and_not_by_an_alias(desk: TenantDesk) -> None:
    key = desk.get(f"/users/{ANN}")["id"]
    assert desk.get(f"/users/{key}")["mail"] == ANN
    assert desk.refused("/users/a@acme.example") == (404, "Request_ResourceNotFound")


def test_pages_of_users_follow_a_skip_token(desk: TenantDesk) -> None:
    pages = list(desk.pages("/users?$top=2&$select=mail"))
    assert [len(page["value"]) for page in pages] == [2, 1]
    assert "$skiptoken=" in pages[0]["@odata.nextLink"]
    assert desk.ask("/users?$top=1000").status == 400


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mail eq 'ANN@acme.example'", [ANN]),
        ("startswith(displayName,'b')", [BOB]),
        ("accountEnabled eq true and userType eq 'Member'", [ANN, BOB, OLD]),
        ("proxyAddresses/any(p:p eq 'smtp:b@acme.example')", [BOB]),
        ("mail in ('ann@acme.example','old@acme.example')", [ANN, OLD]),
        ("onPremisesSyncEnabled eq true", [OLD]),
    ],
)
def test_users_are_filtered(desk: TenantDesk, text: str, found: list[str]) -> None:
    assert mails(desk, f"$filter={text}&$select=mail") == found


def test_advanced_queries_want_the_consistency_level_and_a_count(desk: TenantDesk) -> None:
    for text in ("mail ne 'ann@acme.example'", "endswith(mail,'acme.example')"):
        assert desk.refused(f"/users?$filter={text}") == (400, "Request_UnsupportedQuery")
    assert mails(desk, "$filter=mail ne 'ann@acme.example'&$count=true", **EVENTUAL) == [BOB, OLD]
    assert desk.get("/users?$count=true", **EVENTUAL)["@odata.count"] == 3
    assert "@odata.count" not in desk.get("/users?$count=true")
    assert desk.refused("/users/$count") == (400, "Request_BadRequest")
    assert desk.get("/users/$count", **EVENTUAL) == "3"  # type: ignore[comparison-overlap]


def test_read_basic_shows_names_and_addresses_alone(desk: TenantDesk) -> None:
    bearer = desk.token(roles=["User.ReadBasic.All"])
    assert set(desk.get(f"/users/{ANN}", authorization=bearer)) == {
        "@odata.context", "displayName", "givenName", "surname", "mail", "userPrincipalName", "id",
    }  # fmt: skip


def test_a_blocked_user_still_has_a_readable_mailbox_and_one_without_a_licence_has_not(desk: TenantDesk) -> None:
    desk.mail()
    desk.tenant.change(ANN, {"accountEnabled": False})
    assert len(desk.get(f"/users/{ANN}/messages")["value"]) == 1
    desk.exchange.suspend(ANN, suspended=True)
    assert desk.refused(f"/users/{ANN}/messages") == (404, "MailboxNotEnabledForRESTAPI")
    desk.exchange.suspend(ANN, suspended=False)
    assert len(desk.get(f"/users/{ANN}/messages")["value"]) == 1


def test_mailbox_settings_tell_the_time_zone_under_their_own_permission(desk: TenantDesk) -> None:
    path = f"/users/{ANN}/mailboxSettings"
    assert desk.get(path)["timeZone"] == "UTC"
    assert set(desk.get(f"{path}?$select=timeZone")) == {"@odata.context", "timeZone"}
    bearer = desk.token(roles=["Mail.Read"])
    assert desk.refused(path, authorization=bearer) == (403, "ErrorAccessDenied")
