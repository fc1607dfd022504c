"""The org's state: on disk, saved and restored, compared; and how fast it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
