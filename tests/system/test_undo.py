"""`leakwatch undo` on the emulated org: what a sync brought goes again, and stays away until it is let go."""

from __future__ import annotations

from system.cli_stage import Desk

OURS = "SELECT Id, ActivityId FROM EmailMessage WHERE Leakwatch_Key__c LIKE 'lw1:m:%'"


def mails(desk: Desk) -> dict[str, str]:
    return {row["Id"]: row["ActivityId"] for row in desk.soql(OURS)}


def living(desk: Desk, tasks: list[str]) -> set[str]:
    return {row["Id"] for row in desk.soql("SELECT Id FROM Task")} & set(tasks)


def test_what_a_sync_wrote_goes_with_its_tasks_and_comes_back_only_when_it_is_released(desk: Desk) -> None:
    before = mails(desk)
    assert desk.run("sync").code == 0
    (run, *_) = desk.run("runs", "list", "--flow", "capture", "--json").data
    made = {mail: task for mail, task in mails(desk).items() if mail not in before}
    taken, *others = made
    desk.patch_record("EmailMessage", taken, Leakwatch_Key__c="ours now")
    desk.change("writes", capture=False)  # whoever undoes a run has often switched writing off
    org = desk.dump()
    shown = desk.run("undo", "--run", run["run_id"])
    assert shown.code == 0, shown
    assert f"EmailMessage {len(others):,}" in shown.out
    assert taken in shown.out
    assert "--apply" in shown.out
    assert desk.dump() == org

    done = desk.run("undo", "--run", run["run_id"][:-2], "--apply", "--json")
    assert done.code == 0, done
    assert done.data["removed"] == {"EmailMessage": len(others)}
    assert [one["record_id"] for one in done.data["kept"]] == [taken]
    assert mails(desk) == before
    assert living(desk, list(made.values())) == {made[taken]}
    assert "undone by run" in desk.run("explain", others[0]).out.lower()
    assert desk.run("runs", "list", "--flow", "undo", "--json").data[0]["complete"]

    desk.change("writes", capture=True)
    assert desk.run("sync", "--json").data["written"] == {}
    assert desk.run("undo", "--run", run["run_id"], "--release").code == 0
    assert desk.run("sync", "--json").data["written"] == {"EmailMessage": len(others)}
    assert len(mails(desk)) == len(before) + len(others)


def test_only_a_run_of_capture_can_be_undone(desk: Desk) -> None:
    (run, *_) = desk.run("runs", "list", "--flow", "act", "--json").data
    said = desk.run("undo", "--run", run["run_id"], "--apply")
    assert said.code == 2
    assert "only runs of capture" in said.words
    assert desk.run("undo", "--run", "no such run").code == 2
