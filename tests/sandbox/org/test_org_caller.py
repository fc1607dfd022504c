"""Whose settings a call goes by: the user's zone, locale and currency, the org's fiscal year."""

from __future__ import annotations

import pytest

from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Api, Clock, Company

pytestmark = pytest.mark.documented("SOQL and SOSL Reference, Date Formats and Date Literals")


def relocated(org: Org, user_id: str, **fields: str) -> Api:
    org.update("User", user_id, fields, user_id=user_id)
    return Api(org, user_id)


def test_today_and_an_events_day_are_those_of_the_user(org: Org, company: Company, clock: Clock) -> None:
    clock.advance(hours=11, minutes=30)  # 20:30 UTC: still the 2nd in Istanbul, the 3rd in Tokyo
    here = Api(org, company.rep)
    there = relocated(org, company.manager, TimeZoneSidKey="Asia/Tokyo")
    event = {"Subject": "call", "StartDateTime": "2026-03-02T20:30:00Z", "DurationInMinutes": 30}
    days: list[str] = []
    for api in (here, there):
        made = api.call("POST", "sobjects/Event", event).json()["id"]
        days.append(api.get(f"sobjects/Event/{made}", fields="ActivityDate").json()["ActivityDate"])
    assert days == ["2026-03-02", "2026-03-03"]
    today = "SELECT COUNT() FROM Event WHERE ActivityDate = TODAY"
    assert (here.query(today).json()["totalSize"], there.query(today).json()["totalSize"]) == (1, 1)
    assert here.query("SELECT ActivityDate FROM Event WHERE ActivityDate > TODAY").json()["totalSize"] == 1


def test_weeks_begin_as_the_users_locale_has_it(org: Org, company: Company) -> None:
    assert org.caller(company.rep).first_weekday == 6
    relocated(org, company.rep, LocaleSidKey="tr_TR")
    assert org.caller(company.rep).first_weekday == 0


def test_a_user_without_settings_goes_by_those_of_the_org(org: Org, company: Company) -> None:
    caller = org.caller(company.leaver)
    assert (caller.zone.key, caller.locale, caller.currency, caller.fiscal_month) == (
        "Europe/Istanbul",
        "en_US",
        "USD",
        1,
    )


def test_an_app_and_a_version_come_with_the_call(org: Org, company: Company) -> None:
    caller = org.caller(company.rep, app="3MVG9.x", version="60.0")
    assert (caller.app, caller.version) == ("3MVG9.x", "60.0")
    made = org.create("Task", {"Subject": "by a caller"}, user_id=caller)
    assert org.query(f"SELECT CreatedById FROM Task WHERE Id = '{made}'") == [{"CreatedById": company.rep}]
