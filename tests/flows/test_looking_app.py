"""What `status`, `explain` and a dry run tell of findings, from a store as the flows leave it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from finding_org import snapshot
from finding_sample import DAY, MONDAY, OWNER, mark, outcome, row, rule, run
from leakwatch.app import looking
from leakwatch.app.looking import explain_term, status_of
from leakwatch.app.planning import Plan, planned_messages
from leakwatch.app.quarantine import quarantined
from leakwatch.cli.words import act_lines, explanation_lines, plan_lines, status_lines
from leakwatch.config import Writes
from leakwatch.core.fingerprint import owner_key
from leakwatch.core.notice_policy import Recipient
from leakwatch.flows.act_sending import ActReport
from leakwatch.flows.audit import audit
from leakwatch.model import Delivery, Severity, SourceRef, Verb, WriteOp
from leakwatch.store.capture_status import Explanation
from leakwatch.store.database import open_engine
from leakwatch.store.findings import SqlFindingStore


class Desk:
    """A store of findings with the few other parts that looking needs."""

    def __init__(self, path: Any) -> None:
        self.engine = open_engine(path / "state.db", durable=False)
        SqlFindingStore.create_tables(self.engine)
        self.findings = SqlFindingStore(self.engine)
        self.runs_known: list[Any] = []
        self.parts: Any = SimpleNamespace(
            newest_snapshot=lambda: None,  # nothing mirrored yet
            settings=SimpleNamespace(
                writes=Writes(salesforce_task=True),
                audit=SimpleNamespace(stale_after_hours=24),
            ),
            clock=SimpleNamespace(now=lambda: MONDAY),
            findings=self.findings,
            capture_status=SimpleNamespace(
                coverage=lambda _sources: (), counts=dict, quarantined=lambda outcome=None: (), explain=lambda term: ()
            ),
            zone=ZoneInfo("Europe/Istanbul"),
            write_log=SimpleNamespace(refused=list),
            journal=SimpleNamespace(quarantined=lambda keys: frozenset(), withheld=lambda keys: {}),
            runs=SimpleNamespace(latest=lambda flow=None, limit=10: self.runs_known),
        )

    def audit(self, *rows: Any, day: int = 0, **changes: Any) -> None:
        now = MONDAY + day * DAY
        this = replace(run(run_id=f"run-{day}", at=now), finished_at=now)
        self.runs_known.insert(0, this)
        audit(
            run=this,
            rules=[rule()],
            outcomes=[outcome(*rows, **changes)],
            snapshot=snapshot(f"s{day}", this.started_at),
            store=self.findings,
            now=this.started_at,
        )


@pytest.fixture
def desk(tmp_path: Any) -> Any:
    found = Desk(tmp_path)
    yield found
    found.engine.dispose()


def test_status_names_the_rules_whose_findings_are_held_and_the_way_out(desk: Desk) -> None:
    desk.audit(row(1))
    assert status_of(desk.parts).rule_notes == {}
    desk.audit(population=0, day=1)
    found = status_of(desk.parts)
    assert found.held == 1
    words = "\n".join(status_lines(found, [], zone=desk.parts.zone, now=MONDAY))
    assert "held, because the last audit could not judge them: 1" in words
    assert "no record was seen, 1,000 on 2026-11-23" in words
    assert "--accept-shrunk" in words


TASK = "00T000000000007AAA"


def tell(desk: Desk, **changes: Any) -> None:
    """Let the first word about the first leak be planned, with `changes`."""
    word = Delivery(
        key=owner_key(mark(1), 1, 1),
        channel="salesforce_task",
        recipient_id=OWNER,
        kind="new",
        fingerprints=(mark(1),),
        record_id=None,
        title="Past its close date: Deal 1",
        body="",
        due_on=None,
        severity=Severity.MEDIUM,
        created_at=MONDAY + timedelta(hours=13),
    )
    desk.findings.commit_deliveries([replace(word, **changes)], [])


@pytest.mark.parametrize(
    "term", [TASK, TASK[:15], owner_key(mark(1), 1, 1), f"{owner_key(mark(1), 1, 1)}|resolved:0", mark(1)[:8]]
)
def test_explain_knows_a_finding_by_its_alert_task_and_by_every_key(desk: Desk, term: str) -> None:
    desk.audit()
    desk.audit(row(1), row(2), day=1)
    tell(desk, remote_id=TASK, sent_at=MONDAY)
    assert [one.fingerprint for one in explain_term(desk.parts, term).findings] == [mark(1)]


def test_explain_speaks_in_the_companys_time_and_names_who_was_told_and_why_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = {OWNER: Recipient(OWNER, name="Ayşe Yılmaz")}
    monkeypatch.setattr(looking, "_people", lambda parts: people)
    desk.audit(row(1))
    tell(desk, quarantined=True, error="FIELD_CUSTOM_VALIDATION_EXCEPTION: Give a reason first")
    lines = explanation_lines(explain_term(desk.parts, mark(1)), mark(1), desk.parts.zone)
    assert "  2026-11-23 12:00 - -> open: baseline" in lines
    assert lines[-1] == (
        '  2026-11-24 01:00 new to Ayşe Yılmaz (005000000000001AAA) by salesforce_task, "Past its close date: Deal 1": '
        "refused (FIELD_CUSTOM_VALIDATION_EXCEPTION: Give a reason first)"
    )


def test_explain_says_since_when_a_finding_is_resolved_and_since_when_the_leak_was_known(desk: Desk) -> None:
    desk.audit(row(1), row(2))
    desk.audit(row(2), day=1)
    desk.audit(row(2), day=2)
    lines = explanation_lines(explain_term(desk.parts, mark(1)), mark(1), desk.parts.zone)
    assert lines[1].endswith("; resolved since 2026-11-25 12:00, known since 2026-11-23 12:00")


def test_dry_run_and_plan_name_the_recipient_and_the_subject_of_each_message() -> None:
    make = WriteOp("k1", "Task", Verb.INSERT, "k1", {}, reason="alert (new) for 006")
    close = WriteOp("k2|resolved:0", "Task", Verb.UPDATE, None, {}, reason="alert Task: resolved", record_id=TASK)
    said = Delivery(
        "k1", "salesforce_task", OWNER, "new", (), None, "Past its close date: Deal 1", "", None, Severity.LOW, MONDAY
    )
    settled = replace(said, key="k2|resolved:0", kind="resolved", title="", remote_id=TASK)
    report = ActReport(ops=(make, close), deliveries=(said, settled), dry_run=True)
    lines = act_lines(report, {OWNER: "Ayşe Yılmaz"})
    assert lines[1] == "  insert Task: alert (new) for 006; to Ayşe Yılmaz: Past its close date: Deal 1"
    assert lines[2] == f"  update Task: alert Task: resolved; {TASK} of Ayşe Yılmaz"
    writes = planned_messages(report, {OWNER: "Ayşe Yılmaz"})
    assert [(one.recipient, one.subject) for one in writes] == [
        ("Ayşe Yılmaz", "Past its close date: Deal 1"),
        ("Ayşe Yılmaz", ""),
    ]
    words = "\n".join(plan_lines(Plan(MONDAY, "00D", tuple(writes))))
    assert "to Ayşe Yılmaz: Past its close date: Deal 1" in words


def test_a_mail_that_the_mailbox_fails_to_give_is_listed_with_its_own_reason(tmp_path: Any) -> None:
    desk = Desk(tmp_path)
    given = {"key": None, "outcome": "quarantined", "at": MONDAY}
    items = (
        Explanation(SourceRef("gmail", "ann@ourco.com", "1a"), reason="not_given: Gmail fails for it", **given),
        Explanation(SourceRef("gmail", "ann@ourco.com", "2b"), reason="unreadable: Gmail sent no headers", **given),
    )
    desk.parts.capture_status.quarantined = lambda outcome: items if outcome == "quarantined" else ()
    listed = quarantined(desk.parts)
    assert [(one.key, one.what, one.code) for one in listed] == [
        ("1a", "mail of ann@ourco.com", "not_given"),
        ("2b", "mail of ann@ourco.com", "unreadable"),
    ]
    assert "asks for it again" in listed[0].reason
    assert "asks for it again" not in listed[1].reason
