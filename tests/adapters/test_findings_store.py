from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import event

from finding_sample import DAY, MONDAY, OTHER_OWNER, OWNER, finding, judge, mark, outcome, row, run
from leakwatch import faultpoints
from leakwatch.errors import BusyError, RecordError, SafetyError
from leakwatch.model import Delivery, FindingStatus, Proof, RuleCheck, Severity, Transition
from leakwatch.store.database import open_engine
from leakwatch.store.findings import SqlFindingStore

RULE = "opp_close_overdue"


@pytest.fixture
def store(tmp_path):
    engine = open_engine(tmp_path / "state.db", durable=False)
    SqlFindingStore.create_tables(engine)
    yield SqlFindingStore(engine)
    engine.dispose()


@pytest.fixture
def killed_at():
    """Let the process "die" at a named point: an exception that nothing in the product catches."""

    class Killed(BaseException):
        pass

    def at(name):
        def hook(point):
            if point == name:
                raise Killed

        faultpoints.install(hook)
        return pytest.raises(Killed)

    yield at
    faultpoints.install(None)


def check(**changes):
    values = {
        "rule_id": RULE,
        "rule_version": 1,
        "params_digest": "p1",
        "snapshot_id": "s1",
        "at": MONDAY,
        "complete": True,
        "population": 1000,
    }
    return RuleCheck(**(values | changes))


def commit(store, *, run_id="run-1", findings=(), transitions=(), dropped=(), **changes):
    store.commit_evaluation(
        run=run(run_id=run_id),
        check=check(**changes),
        findings=findings,
        transitions=transitions,
        dropped=dropped,
    )


def delivery(key="lw1:f:x:1", **changes):
    values = {
        "key": key,
        "channel": "salesforce_task",
        "recipient_id": OWNER,
        "kind": "new",
        "fingerprints": (mark(1),),
        "record_id": "006000000000001AAA",
        "title": "Kapanış tarihi: İğdır Şti",
        "body": "why\nfix",
        "due_on": date(2026, 11, 25),
        "severity": Severity.HIGH,
        "created_at": MONDAY,
        "language": "tr",
        "mentions": (OWNER,),
    }
    return Delivery(**(values | changes))


def test_finding_comes_back_exactly_as_it_was_stored(store):
    evidence = {
        "amount": Decimal("1234567890123.4500"),
        "close_date": date(2026, 3, 16),
        "seen": datetime(2026, 3, 16, 10, 0, tzinfo=UTC),
        "stage": "Görüşme <b>",
        "pushes": 3,
        "won": False,
        "reason": None,
    }
    found = finding(
        evidence=evidence,
        impact=Decimal("0.10"),
        notified_at=MONDAY + DAY,
        notified_owner_id=OWNER,
        impact_reference=Decimal("-5.50"),
        proof=Proof.UNPROVEN,
        checked_in="s9",
        notices=2,
    )
    commit(store, findings=[found])
    (read,) = store.findings(rule_id=RULE)
    assert read == found
    assert str(read.evidence["amount"]) == "1234567890123.4500"


def test_stored_finding_is_replaced_and_resolved_ones_can_be_left_out(store):
    commit(store, findings=[finding(1), finding(2)])
    commit(store, findings=[finding(1, status=FindingStatus.RESOLVED, resolved_reason="fixed")])
    assert len(store.findings()) == 2
    assert [item.fingerprint for item in store.findings(include_resolved=False)] == [mark(2)]
    assert store.findings(rule_id="other") == []


def test_dropped_findings_leave_no_trace(store):
    pending = finding(1, status=FindingStatus.PENDING)
    change = Transition(mark(1), None, FindingStatus.PENDING, "detected", MONDAY, "run-1", 1)
    commit(store, findings=[pending, finding(2)], transitions=[change, replace(change, fingerprint=mark(2))])
    commit(store, run_id="run-2", dropped=[mark(1)])
    assert [item.fingerprint for item in store.findings()] == [mark(2)]
    assert [item.fingerprint for item in store.transitions()] == [mark(2)]


def test_transitions_come_back_in_the_order_they_happened(store):
    result = judge(outcome(row(1), row(2)))
    commit(store, findings=result.findings, transitions=result.transitions)
    later = Transition(
        mark(1), FindingStatus.OPEN, FindingStatus.RESOLVED, "fixed", MONDAY + DAY, "run-2", 1, "resolved"
    )
    commit(store, run_id="run-2", transitions=[later])
    assert store.transitions() == [*result.transitions, later]
    assert store.transitions(since=MONDAY + DAY) == [later]


def test_nothing_of_an_evaluation_is_stored_when_the_process_dies_inside_it(store, killed_at):
    result = judge(outcome(row(1)))
    with killed_at("findings.evaluation.written"):
        commit(store, findings=result.findings, transitions=result.transitions)
    assert store.findings() == []
    assert store.transitions() == []
    assert store.rule_seen(RULE) is None
    assert store.rule_runs() == []


def test_all_of_an_evaluation_is_stored_when_the_process_dies_after_it(store, killed_at):
    result = judge(outcome(row(1)))
    with killed_at("findings.evaluation.committed"):
        commit(store, findings=result.findings, transitions=result.transitions)
    assert len(store.findings()) == len(store.transitions()) == len(store.rule_runs()) == 1


def test_rule_counts_as_seen_only_after_a_complete_evaluation(store):
    assert store.rule_seen(RULE) is None
    commit(store, complete=False, error="killed")
    assert store.rule_seen(RULE) is None
    commit(store, run_id="run-2")
    assert store.rule_seen(RULE) == (1, "p1")
    commit(store, run_id="run-3", rule_version=2, params_digest="p2", complete=False)
    assert store.rule_seen(RULE) == (1, "p1")


def test_population_is_that_of_the_last_complete_evaluation_that_counted(store):
    assert store.last_population(RULE) is None
    commit(store, population=1000)
    commit(store, run_id="run-2", population=None, at=MONDAY + DAY)
    commit(store, run_id="run-3", population=3, complete=False, at=MONDAY + 2 * DAY)
    assert store.last_population(RULE) == (1000, MONDAY)
    commit(store, run_id="run-4", population=990, at=MONDAY + 3 * DAY)
    assert store.last_population(RULE) == (990, MONDAY + 3 * DAY)


def test_retired_rule_is_forgotten_but_its_history_stays(store):
    commit(store, findings=[finding(1)])
    closed = finding(1, status=FindingStatus.RESOLVED, resolved_reason="retired")
    commit(store, run_id="run-2", findings=[closed], retired=True)
    assert store.rule_seen(RULE) is None
    assert store.rule_ids() == []
    assert len(store.rule_runs()) == 2


def test_rules_with_living_findings_are_known_even_if_they_never_ran_whole(store):
    commit(store, findings=[finding(1)], complete=False)
    assert store.rule_ids() == [RULE]


def test_history_sums_what_stands_open_by_currency_and_leaves_out_what_is_unproven_or_about_the_process(store):
    standing = [
        finding(1, impact=Decimal("100.10")),
        finding(2, impact=Decimal("-50.00"), status=FindingStatus.ACKNOWLEDGED),
        finding(3, impact=Decimal(7), currency="USD"),
        finding(4, impact=None),
    ]
    ignored = [
        finding(5, status=FindingStatus.RESOLVED),
        finding(6, status=FindingStatus.EXCEPTED),
        finding(7, status=FindingStatus.PENDING),
        finding(8, proof=Proof.UNPROVEN),
        finding(9, is_process=True),
    ]
    commit(store, findings=[*standing, *ignored])
    (history,) = store.rule_runs()
    assert history.open_count == 4
    assert history.open_impact == {"TRY": Decimal("150.10"), "USD": Decimal(7)}


def test_history_counts_new_and_fixed_without_baseline(store):
    opened = judge(outcome(row(1), row(2)))
    baseline = judge(outcome(row(3)), first_run=True)
    commit(store, findings=opened.findings, transitions=[*opened.transitions, *baseline.transitions])
    (history,) = store.rule_runs(rule_id=RULE)
    assert (history.new, history.resolved, history.complete, history.error) == (2, 0, True, None)


def test_the_same_run_told_twice_is_one_line_of_history(store):
    commit(store)
    commit(store, note="breaker")
    assert len(store.rule_runs()) == 1
    assert store.rule_notes("run-1") == {RULE: "breaker"}
    assert store.rule_runs(since=MONDAY + DAY) == []


def test_delivery_comes_back_exactly_and_waits_until_it_is_sent(store):
    store.commit_deliveries([delivery()], [finding(1, notices=1)])
    assert store.undelivered() == [delivery()]
    assert store.findings()[0].notices == 1
    sent = replace(delivery(), sent_at=MONDAY + DAY, remote_id="00T000000000001AAA", attempts=1)
    store.record_delivery(sent)
    assert store.undelivered() == []
    assert store.deliveries() == [sent]


def test_quarantined_delivery_is_kept_and_never_sent_again(store):
    store.commit_deliveries([delivery()], [])
    store.record_delivery(replace(delivery(), quarantined=True, error="FIELD_CUSTOM_VALIDATION_EXCEPTION", attempts=1))
    assert store.undelivered() == []
    assert store.deliveries()[0].error == "FIELD_CUSTOM_VALIDATION_EXCEPTION"


def test_delivery_planned_again_replaces_the_unsent_and_never_the_sent(store):
    store.commit_deliveries([delivery(), delivery("lw1:f:x:2")], [])
    store.record_delivery(replace(delivery(), sent_at=MONDAY))
    store.commit_deliveries([delivery(body="other"), delivery("lw1:f:x:2", body="other")], [])
    assert [item.body for item in store.deliveries()] == ["why\nfix", "other"]


def test_deliveries_are_found_by_finding_and_by_day(store):
    digest = delivery("lw1:f:y:1", fingerprints=(mark(1), mark(2)), created_at=MONDAY + DAY, recipient_id=OTHER_OWNER)
    store.commit_deliveries([delivery(), digest], [])
    assert [item.key for item in store.deliveries(fingerprint=mark(2))] == ["lw1:f:y:1"]
    assert [item.key for item in store.deliveries(fingerprint=mark(1))] == ["lw1:f:x:1", "lw1:f:y:1"]
    assert [item.key for item in store.deliveries(since=MONDAY + DAY)] == ["lw1:f:y:1"]


def test_messages_and_what_they_change_are_stored_together_or_not_at_all(store, killed_at):
    commit(store, findings=[finding(1)])
    with killed_at("findings.deliveries.written"):
        store.commit_deliveries([delivery()], [finding(1, notices=1)])
    assert store.deliveries() == []
    assert store.findings()[0].notices == 0
    with killed_at("findings.deliveries.committed"):
        store.commit_deliveries([delivery()], [finding(1, notices=1)])
    assert len(store.undelivered()) == 1
    assert store.findings()[0].notices == 1


def test_database_held_by_another_process_is_named_and_nothing_is_stored(store):
    def impatient(connection, _record):
        connection.execute("PRAGMA busy_timeout=0")

    event.listen(store._engine, "connect", impatient)
    store._engine.dispose()
    with store._engine.begin(), pytest.raises(BusyError, match="Look for another leakwatch"):
        commit(store, findings=[finding(1)])
    assert store.findings() == []


def test_database_that_cannot_be_written_stops_the_flow(store):
    with store._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE transitions")
    with pytest.raises(SafetyError, match="space and rights"):
        commit(store, transitions=judge(outcome(row(1))).transitions)


def test_value_that_no_database_takes_is_refused_and_nothing_is_stored(store):
    with pytest.raises(RecordError, match="can't be stored"):
        commit(store, findings=[finding(1), finding(2, record_name="half a \ud83d letter")])
    assert store.findings() == []


def test_last_evaluation_of_any_rule_is_known_and_none_before_the_first(store):
    assert store.last_judged() is None
    commit(store, at=MONDAY)
    commit(store, run_id="run-2", at=MONDAY + DAY, complete=False)
    assert store.last_judged() == MONDAY + DAY
