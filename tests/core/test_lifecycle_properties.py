"""Whole lives of findings, made up by Hypothesis: failing runs, snapshots judged twice, people who do as they like."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from finding_sample import (
    MONDAY,
    OTHER_OWNER,
    OWNER,
    Accepted,
    apply,
    judge,
    mark,
    opportunity_id,
    outcome,
    row,
    rule,
    task,
)
from leakwatch.core.fingerprint import owner_key
from leakwatch.core.lifecycle import Signals
from leakwatch.model import FindingStatus, Lifecycle, Mode, RuleLimits, Severity

RECORDS = (1, 2, 3)
CLOSED = FindingStatus.RESOLVED

rows = st.builds(
    lambda number, owner, impact, severity: replace(
        row(number), owner_id=owner, impact=Decimal(impact), severity=severity
    ),
    st.sampled_from(RECORDS),
    st.sampled_from([OWNER, OTHER_OWNER, None]),
    st.sampled_from(["0", "100", "151", "1000", "-1600"]),
    st.sampled_from(list(Severity)),
)


@st.composite
def people(draw, now):
    tasks = {}
    for number in draw(st.sets(st.sampled_from(RECORDS))):
        key = owner_key(mark(number), draw(st.integers(1, 2)), draw(st.integers(1, 3)))
        closed = draw(st.booleans())
        moment = now - timedelta(days=draw(st.integers(0, 20)))
        tasks[key] = task(
            key,
            is_closed=closed,
            in_progress=not closed and draw(st.booleans()),
            is_deleted=draw(st.booleans()),
            last_modified_by_other=draw(st.booleans()),
            modified_at=moment,
            closed_at=moment if closed else None,
        )
    accepted = tuple(
        Accepted(opportunity_id(number), (now + timedelta(days=draw(st.integers(-2, 5)))).date())
        for number in draw(st.sets(st.sampled_from(RECORDS)))
    )
    return Signals(
        tasks=tasks,
        gone_records=frozenset(opportunity_id(n) for n in draw(st.sets(st.sampled_from(RECORDS), max_size=1))),
        exceptions=accepted if draw(st.booleans()) else (),
        snoozed={
            mark(n): now + timedelta(days=draw(st.integers(-1, 3))) for n in draw(st.sets(st.sampled_from(RECORDS)))
        }
        if draw(st.booleans())
        else {},
    )


@st.composite
def looks(draw):
    """Return the runs of one rule: (moment, snapshot, outcome, signals, rule, whether the words were said after)."""
    now, snapshot, steps = MONDAY, 0, []
    confirm = draw(st.integers(1, 2))
    for _ in range(draw(st.integers(2, 7))):
        now += timedelta(days=draw(st.sampled_from([0, 1, 3, 11, 31])))
        snapshot += draw(st.integers(0, 1))
        of = rule(
            params_digest=draw(st.sampled_from(["p1", "p1", "p1", "p2"])),
            mode=draw(st.sampled_from([Mode.ACT, Mode.ACT, Mode.REPORT])),
            lifecycle=replace(rule().lifecycle, confirm_runs=confirm)
            if draw(st.booleans())
            else Lifecycle(confirm_runs=confirm),
            limits=RuleLimits(new_per_run=draw(st.sampled_from([200, 1])), new_share=Decimal("0.2")),
        )
        result = outcome(
            *draw(st.lists(rows, max_size=3)),
            of=of,
            complete=draw(st.sampled_from([True, True, False])),
            population=draw(st.sampled_from([None, 0, 3, 1000])),
        )
        steps.append((now, f"s{snapshot}", result, draw(people(now)), of, draw(st.booleans())))
    return steps


def play(steps, check):
    """Run `steps` as the audit flow would, calling `check` with each evaluation, what was held, and its arguments."""
    held, seen = [], None
    for now, snapshot, result, signals, of, said in steps:
        meaning = (of.version, of.params_digest)
        arguments = {
            "of": of,
            "now": now,
            "snapshot": snapshot,
            "first_run": seen is None,
            "meaning_changed": seen is not None and seen != meaning,
            "signals": signals,
        }
        evaluation = judge(result, held, **arguments)
        check(evaluation, held, result, arguments)
        held = apply(held, evaluation)
        seen = meaning if evaluation.complete else seen
        if said:
            held = [speak(item, now) for item in held]


def speak(found, now):
    """Do to a finding what the act flow does when it told what was waiting."""
    if found.escalation_told < found.escalation_step:
        found = replace(found, escalation_told=found.escalation_step)
    if found.pending_notice is None:
        return found
    return replace(
        found, pending_notice=None, notified_at=now, notified_owner_id=found.owner_id, notices=found.notices + 1
    )


@given(looks())
def test_evaluating_the_same_thing_twice_changes_nothing(steps):
    def check(evaluation, held, result, arguments):
        if evaluation.breaker:
            return  # what tripped it is known the second time, so that a second run concludes what it did not
        again = judge(result, apply(held, evaluation), **arguments)
        assert again.findings == ()
        assert again.transitions == ()
        assert again.dropped == ()

    play(steps, check)


@given(looks())
def test_nothing_is_fixed_without_two_complete_looks_at_two_snapshots(steps):
    absent: dict[str, set[str]] = {}

    def check(evaluation, held, result, arguments):
        seen = {mark(int(item.record_id[3:15])) for item in result.rows}
        for found in held:
            name = found.fingerprint
            if name in seen:
                absent.pop(name, None)
            elif evaluation.complete:
                absent.setdefault(name, set()).add(arguments["snapshot"])
        for change in evaluation.transitions:
            if change.reason == "fixed":
                assert evaluation.complete
                assert len(absent[change.fingerprint]) >= 2
            if change.new is CLOSED:
                absent.pop(change.fingerprint, None)

    play(steps, check)


@given(looks())
def test_nobody_is_told_of_what_a_first_or_changed_rule_or_a_flood_brought(steps):
    def check(evaluation, held, result, arguments):
        if not (arguments["first_run"] or arguments["meaning_changed"] or evaluation.breaker):
            return
        known = {found.fingerprint: found for found in held}
        for found in evaluation.findings:
            before = known.get(found.fingerprint)
            if before is None or before.status is CLOSED:
                assert found.baseline
                assert found.pending_notice is None
        for change in evaluation.transitions:
            if change.old in (None, CLOSED):
                assert change.notify is None

    play(steps, check)


@given(looks())
def test_each_move_starts_where_the_one_before_ended(steps):
    status = {}

    def check(evaluation, held, result, arguments):
        for change in evaluation.transitions:
            assert change.old is status.get(change.fingerprint)
            status[change.fingerprint] = change.new
        for gone in evaluation.dropped:
            status.pop(gone, None)
        for found in evaluation.findings:
            assert found.status is status[found.fingerprint]

    play(steps, check)


@given(looks())
def test_nothing_waits_to_be_said_about_what_is_closed_accepted_or_baseline(steps):
    def check(evaluation, held, result, arguments):
        for found in evaluation.findings:
            if found.baseline or found.status in (CLOSED, FindingStatus.EXCEPTED, FindingStatus.SNOOZED):
                assert found.pending_notice is None

    play(steps, check)
