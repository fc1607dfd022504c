"""The org's state: on disk, saved and restored, compared; and how fast it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.faults import FaultBook, Rule
from leakwatch.sandbox.org.facade import Org, OrgSettings
from sandbox.org.org_kit import Clock, Company


def test_opening_the_folder_again_goes_on_where_it_was_left(tmp_path: Path, clock: Clock, project: Path) -> None:
    first = Org(tmp_path / "kept", clock, settings=OrgSettings())
    user = first.new_id("User")
    first.deploy(project)
    task = first.create("Task", {"Subject": "kept", "Leakwatch_Key__c": "k"}, user_id=user)
    first.count_call()
    first.close()
    again = Org(tmp_path / "kept", clock, settings=OrgSettings())
    assert again.query("SELECT Id, Leakwatch_Key__c FROM Task") == [{"Id": task, "Leakwatch_Key__c": "k"}]
    assert again.calls_used() == 1
    assert again.create("Task", {}, user_id=user) != task
    assert len(again.query("SELECT Id FROM OpportunityStage")) == 10


def test_a_saved_state_can_be_gone_back_to_again_and_again(
    org: Org, company: Company, tmp_path: Path, project: Path
) -> None:
    org.save(tmp_path / "saved")
    before = org.dump()
    for _ in range(2):
        org.deploy(project)
        org.create("Task", {"WhoId": company.lead, "Leakwatch_Key__c": "k"}, user_id=company.rep)
        assert org.dump() != before
        org.restore(tmp_path / "saved")
        assert org.dump() == before
        assert "Leakwatch_Key__c" not in org.schema.objects["Task"].fields


def test_two_runs_that_write_the_same_in_another_order_end_in_the_same_dump(
    org: Org, company: Company, tmp_path: Path
) -> None:
    def mail(text: str) -> Callable[[], Any]:
        fields = {"Status": "3", "Subject": text, "ToIds": [company.contact], "FromId": company.rep}
        return lambda: org.create("EmailMessage", fields, user_id=company.rep)

    def note() -> None:
        task = org.create("Task", {"Subject": "t"}, user_id=company.rep)
        org.create("FeedItem", {"ParentId": company.deal, "Body": f"see {task} and {task[:15]}"}, user_id=company.rep)

    org.save(tmp_path / "start")
    for step in (mail("a"), mail("b"), note):
        step()
    one = org.dump()
    org.restore(tmp_path / "start")
    for step in (note, mail("b"), mail("a")):
        step()
    assert org.dump() == one
    org.restore(tmp_path / "start")
    for step in (note, mail("b"), mail("a"), mail("a")):
        step()
    assert org.dump() != one


def test_a_large_org_is_paged_whole(org: Org, company: Company) -> None:
    rows = (
        {"Name": f"Deal {i}", "StageName": "Prospecting", "CloseDate": "2026-05-01", "AccountId": company.account}
        for i in range(10_000)
    )
    org.seed("Opportunity", rows)
    page = org.query_page("SELECT Id, Name, Account.Name FROM Opportunity", all_rows=True, page_size=2000)
    names = {row["Name"] for row in page.records}
    while page.locator is not None:
        page = org.query_more(page.locator, page_size=2000)
        names |= {row["Name"] for row in page.records}
    assert names >= {f"Deal {i}" for i in range(10_000)}


def test_settings_changed_while_running_hold_after_a_restart_and_wrong_ones_are_not_kept(
    org: Org, clock: Clock, tmp_path: Path
) -> None:
    org.change_settings({"page_size": 500, "auto_task_owner": "sender_user"})
    for wrong in ({"page_size": "many"}, {"auto_task_owner": "nobody"}, {"org_id": "x"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            org.change_settings(wrong)
    org.close()
    again = Org(tmp_path / "org", clock, settings=OrgSettings(page_size=1000, audit_fields=True))
    settings = again.settings
    assert (settings.page_size, settings.auto_task_owner, settings.audit_fields) == (500, "sender_user", True)
    again.close()


def test_faults_hold_after_a_restart_with_their_counts_and_their_dice(tmp_path: Path) -> None:
    def draws(book: FaultBook, count: int) -> list[bool]:
        return [book.take("salesforce", "GET /x") is not None for _ in range(count)]

    body = {"service": "salesforce", "match": "GET", "probability": 0.5, "after": 2, "times": 20}
    whole = FaultBook.kept(tmp_path / "whole.json", 7)
    whole.add(Rule.from_json(body))
    first = FaultBook.kept(tmp_path / "faults.json", 7)
    first.add(Rule.from_json(body))
    before = draws(first, 9)
    first.keep()
    again = FaultBook.kept(tmp_path / "faults.json", 8)
    assert before + draws(again, 30) == draws(whole, 39)
    assert any(before)
