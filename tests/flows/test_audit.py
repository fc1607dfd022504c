from __future__ import annotations

from decimal import Decimal

import pytest

from finding_org import snapshot
from finding_sample import (
    DAY,
    MONDAY,
    OWNER,
    Accepted,
    mark,
    opportunity_id,
    outcome,
    row,
    rule,
    run,
)
from leakwatch.core.lifecycle import Signals
from leakwatch.errors import RecordError
from leakwatch.flows.audit import audit
from leakwatch.model import FindingStatus, Proof, RuleLimits
from leakwatch.store.database import open_engine
from leakwatch.store.findings import SqlFindingStore

OVERDUE, STALE = rule(), rule("stale_lead")


@pytest.fixture
def store(tmp_path):
    engine = open_engine(tmp_path / "state.db", durable=False)
    SqlFindingStore.create_tables(engine)
    yield SqlFindingStore(engine)
    engine.dispose()


def once(store, *outcomes, name="s1", at=MONDAY, rules=(OVERDUE, STALE), **changes):
    return audit(
        run=run(run_id=f"run-{at:%m%d%H%M}-{name}", at=at),
        rules=rules,
        outcomes=iter(outcomes),
        snapshot=snapshot(name, at),
        store=store,
        now=at,
        **changes,
    )


def begin(store, *rows):
    """Let the rule have run before, so that what comes is new and not baseline."""
    once(store, outcome(*rows), name="s0", at=MONDAY - DAY)


def test_first_audit_records_a_baseline_and_says_so(store):
    report = once(store, outcome(row(1), row(2)))
    (line,) = report.rules
    assert (line.baseline, line.new, line.rows, line.population) == (2, 0, 2, 1000)
    assert report.complete
    assert all(found.baseline for found in store.findings())


def test_second_audit_finds_what_is_new(store):
    begin(store, row(1))
    report = once(store, outcome(row(1), row(2)))
    assert (report.rules[0].new, report.rules[0].baseline) == (1, 0)
    assert [change.fingerprint for change in store.transitions(since=MONDAY)] == [mark(2)]


def test_audit_again_on_the_same_snapshot_changes_nothing(store):
    begin(store, row(1), row(3))
    once(store, outcome(row(1), row(2)))
    before = store.findings()
    report = once(store, outcome(row(1), row(2)), at=MONDAY + DAY)
    assert store.findings() == before
    assert (report.rules[0].new, report.rules[0].resolved) == (0, 0)


def test_fixed_record_closes_after_two_snapshots(store):
    begin(store, row(1))
    once(store, outcome(), name="s1")
    report = once(store, outcome(), name="s2", at=MONDAY + DAY)
    assert report.rules[0].resolved == 1
    assert store.findings()[0].status is FindingStatus.RESOLVED


def test_failed_rule_is_reported_closes_nothing_and_stops_no_other(store):
    begin(store, row(1))
    failed = outcome(complete=False, error="killed after 60 s")
    report = once(store, failed, outcome(row(5, rule_id="stale_lead"), of=STALE))
    broken, fine = report.rules
    assert (broken.error, broken.held, broken.complete) == ("killed after 60 s", 1, False)
    assert (fine.baseline, fine.complete) == (1, True)
    assert not report.complete
    assert store.findings(rule_id=OVERDUE.id)[0].proof is Proof.HELD
    assert store.rule_runs(rule_id=OVERDUE.id)[-1].error == "killed after 60 s"


def test_rule_on_an_old_mirror_says_so_closes_nothing_and_opens_nothing(store):
    begin(store, row(1), row(3))
    old = "Too old to say that anything is fixed or new: Opportunity (2026-02-24 06:00 UTC). Findings are held."
    report = once(store, outcome(row(2), row(3), complete=False, stale=old))
    (line,) = report.rules
    assert (line.note, line.stale, line.complete, line.resolved, line.held) == (old, True, False, 0, 2)
    assert line.new == 0
    assert report.stale
    assert store.rule_notes("run-11230900-s1") == {OVERDUE.id: old}
    assert {found.fingerprint: found.proof for found in store.findings()} == dict.fromkeys(
        (mark(1), mark(3)), Proof.HELD
    )
    again = once(store, outcome(row(2), row(3)), name="s2", at=MONDAY + DAY)
    assert not again.stale
    assert again.rules[0].new == 1
    proofs = {found.fingerprint: found.proof for found in store.findings()}
    assert (proofs[mark(2)], proofs[mark(3)]) == (Proof.PROVEN, Proof.PROVEN)


def test_rule_that_is_switched_off_holds_its_findings_and_is_named(store):
    begin(store, row(1))
    report = once(store, outcome(complete=False, switched_off="no column reason__c"))
    assert report.rules[0].switched_off == "no column reason__c"
    assert report.rules[0].held == 1
    assert report.complete  # it could not run at all: that is no failure of this audit


def test_evaluation_that_cannot_be_stored_is_reported_and_stops_no_other(store, monkeypatch):
    commit = store.commit_evaluation

    def refuse(*, check, **rest):
        if check.rule_id == OVERDUE.id:
            raise RecordError("a value that can't be stored", code="NOT_STORED")
        commit(check=check, **rest)

    monkeypatch.setattr(store, "commit_evaluation", refuse)
    report = once(store, outcome(row(1)), outcome(row(5, rule_id="stale_lead"), of=STALE))
    assert "could not be stored" in report.rules[0].error
    assert not report.rules[0].complete
    assert [found.rule_id for found in store.findings()] == [STALE.id]


def test_value_that_no_database_takes_is_named_and_nothing_of_its_rule_is_stored(store):
    report = once(store, outcome(row(1), row(2, record_name="half a \ud83d letter")))
    assert "could not be stored" in report.rules[0].error
    assert store.findings() == []


def test_outcome_of_a_rule_that_is_not_loaded_is_refused_alone(store):
    report = once(store, outcome(row(1), rule_id="ghost"), outcome(row(2)))
    assert report.rules[0].error is not None
    assert report.rules[1].baseline == 1


def test_changed_threshold_is_nobodys_success_and_tells_nobody(store):
    begin(store, row(1), row(2))
    changed = rule(params_digest="p2")
    report = once(store, outcome(row(2), row(3), of=changed), rules=[changed])
    (line,) = report.rules
    assert (line.new, line.baseline, line.resolved, line.resolved_otherwise) == (0, 1, 0, 1)
    assert all(change.notify is None for change in store.transitions())


def test_flood_trips_the_breaker_and_is_told_to_revops_in_one_line(store):
    careful = rule(limits=RuleLimits(new_per_run=2, new_share=Decimal("0.20")))
    once(store, outcome(of=careful, population=10), name="s0", at=MONDAY - DAY, rules=[careful])
    rows = [row(number) for number in range(1, 6)]
    report = once(store, outcome(*rows, of=careful, population=10), rules=[careful])
    (line,) = report.rules
    assert (line.breaker, line.baseline, line.new) == (True, 5, 0)
    assert "5 new findings at once" in line.note
    assert store.rule_notes(report.evaluations[0].transitions[0].run_id) == {careful.id: line.note}


def test_population_that_halved_closes_nothing_until_a_person_says_it_is_right(store):
    begin(store, row(1))
    for number in range(3):
        report = once(store, outcome(population=400), name=f"s{number + 1}", at=MONDAY + number * DAY)
        assert "1,000" in report.rules[0].note
    assert store.findings()[0].status is FindingStatus.OPEN
    once(store, outcome(population=400), name="s8", at=MONDAY + 3 * DAY, accept_shrunk=True)
    once(store, outcome(population=400), name="s9", at=MONDAY + 4 * DAY)
    assert store.findings()[0].resolved_reason == "fixed"


def test_smaller_population_is_believed_after_a_week(store):
    begin(store, row(1))
    once(store, outcome(population=400), name="s1", at=MONDAY + 7 * DAY)
    once(store, outcome(population=400), name="s2", at=MONDAY + 8 * DAY)
    assert store.findings()[0].resolved_reason == "fixed"


def test_rule_that_saw_no_rows_at_all_is_skipped_not_clean(store):
    begin(store, row(1))
    for number in range(3):
        once(store, outcome(population=0), name=f"s{number + 1}", at=MONDAY + (10 + number) * DAY)
    assert store.findings()[0].status is FindingStatus.OPEN


def test_rule_that_sees_nothing_for_two_weeks_closes_its_last_findings_and_says_before_what_can_be_done(store):
    begin(store, row(1))
    report = once(store, outcome(population=0), name="s1", at=MONDAY + 12 * DAY)
    assert "no record was seen, 1,000 on 2026-11-22" in report.rules[0].note
    assert "--accept-shrunk" in report.rules[0].note
    for number in range(2):
        report = once(store, outcome(population=0), name=f"s2{number}", at=MONDAY + (13 + number) * DAY)
        assert report.rules[0].note == ""
    assert store.findings()[0].resolved_reason == "fixed"


def test_empty_population_is_believed_at_once_where_a_person_says_so(store):
    begin(store, row(1))
    once(store, outcome(population=0), name="s1", accept_shrunk=True)
    once(store, outcome(population=0), name="s2", at=MONDAY + DAY)
    assert store.findings()[0].resolved_reason == "fixed"


def test_empty_population_of_a_first_look_is_no_baseline_even_where_shrunken_ones_are_accepted(store):
    once(store, outcome(population=0), accept_shrunk=True)
    report = once(store, outcome(row(1)), name="s2", at=MONDAY + DAY)
    assert (report.rules[0].baseline, report.rules[0].new) == (1, 0)


def test_empty_population_is_doubted_although_the_rule_means_something_else_now(store):
    begin(store, row(1))
    changed = rule(params_digest="p2")
    report = once(store, outcome(population=0, of=changed), rules=[changed], name="s1")
    assert report.rules[0].held == 1
    assert "no record was seen" in report.rules[0].note


def test_removed_rule_is_retired_and_a_broken_file_is_not(store):
    begin(store, row(1))
    once(store, outcome(row(5, rule_id="stale_lead"), of=STALE), at=MONDAY - DAY, name="s0")
    report = once(store, rules=[], known_rule_ids={STALE.id})
    assert [(line.rule_id, line.resolved_otherwise) for line in report.rules] == [(OVERDUE.id, 1)]
    by_rule = {found.rule_id: found for found in store.findings()}
    assert by_rule[OVERDUE.id].resolved_reason == "retired"
    assert by_rule[STALE.id].status is FindingStatus.OPEN
    assert once(store, rules=[], known_rule_ids={STALE.id}, name="s2").rules == ()


def test_rule_that_comes_back_after_retirement_begins_with_a_baseline(store):
    begin(store, row(1))
    once(store, rules=[], known_rule_ids=set())
    report = once(store, outcome(row(1), row(2)), name="s2", at=MONDAY + DAY)
    assert (report.rules[0].baseline, report.rules[0].new, report.rules[0].reopened) == (2, 0, 0)


def test_signals_may_differ_by_rule(store):
    begin(store)
    once(store, outcome(of=STALE), at=MONDAY - DAY, name="s0")

    def told(of):
        return Signals(unproven_owners=frozenset({OWNER}) if of.id == STALE.id else frozenset())

    once(store, outcome(row(1)), outcome(row(2, rule_id=STALE.id), of=STALE), signals=told)
    assert {found.rule_id: found.proof for found in store.findings()} == {
        OVERDUE.id: Proof.PROVEN,
        STALE.id: Proof.UNPROVEN,
    }


def test_exceptions_are_respected(store):
    begin(store)
    accepted = Signals(exceptions=(Accepted(opportunity_id(1), MONDAY.date() + 9 * DAY),))
    once(store, outcome(row(1)), signals=accepted)
    assert store.findings()[0].status is FindingStatus.EXCEPTED


def test_dry_run_says_what_would_change_and_stores_nothing(store):
    begin(store, row(1))
    before = (store.findings(), store.transitions(), store.rule_runs())
    report = once(store, outcome(row(1), row(2)), dry_run=True, known_rule_ids=set())
    assert report.rules[0].new == 1
    assert mark(2) in {found.fingerprint for found in report.evaluations[0].findings}
    assert (store.findings(), store.transitions(), store.rule_runs()) == before


def test_history_for_the_report_grows_with_every_audit(store):
    begin(store, row(1))
    once(store, outcome(row(1), row(2, impact=Decimal("10.50"))))
    first, second = store.rule_runs(rule_id=OVERDUE.id)
    assert (first.open_count, first.new) == (1, 0)
    assert (second.open_count, second.new) == (2, 1)
    assert second.open_impact == {"TRY": Decimal("1010.50")}
    assert store.first_runs() == {OVERDUE.id: MONDAY - DAY}


def test_counts_of_the_report_add_up(store):
    begin(store, row(1))
    report = once(store, outcome(row(1), row(2)), outcome(complete=False, error="x", of=STALE))
    counts = report.counts()
    assert (counts["rules"], counts["rules_failed"], counts["new"], counts["rows"]) == (2, 1, 1, 2)
