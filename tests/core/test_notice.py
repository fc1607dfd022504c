from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finding_sample import (
    DAY,
    MANAGER,
    MONDAY,
    OTHER_OWNER,
    OWNER,
    QUEUE,
    REVOPS,
    finding,
    mark,
    opportunity_id,
    rule,
    task,
)
from leakwatch.core.fingerprint import escalation_key, owner_key
from leakwatch.core.notice import plan_notices
from leakwatch.core.notice_policy import NoticePolicy, Recipient, said_today
from leakwatch.core.task_updates import plan_updates, tasks_to_update
from leakwatch.core.tasks import TaskWords, task_states
from leakwatch.errors import ConfigError
from leakwatch.model import FindingStatus, Lifecycle, Mode, Proof, RuleAction, RuleLimits, Severity, Text

ISTANBUL = ZoneInfo("Europe/Istanbul")
BOTH = {"salesforce_task": True, "chatter_post": True}
PEOPLE = {user: Recipient(user) for user in (OWNER, OTHER_OWNER, MANAGER, REVOPS)}


def policy(**changes):
    values = {"writes": BOTH, "zone": ISTANBUL, "feed_objects": frozenset({"Opportunity", "Lead"})}
    return NoticePolicy(**(values | changes))


def plan(*found, rules=None, tasks=(), people=None, said=(), now=MONDAY, **changes):
    by_id = {one.id: one for one in (rules or [rule()])}
    return plan_notices(
        by_id,
        found,
        said_today=said,
        tasks={one.key: one for one in tasks},
        recipients=PEOPLE if people is None else people,
        policy=policy(**changes),
        now=now,
    )


# --- who, what, when ---


def test_new_finding_becomes_one_task_for_its_owner():
    result = plan(finding(1))
    (delivery,) = result.deliveries
    assert (delivery.key, delivery.channel, delivery.recipient_id) == (
        owner_key(mark(1), 1, 1),
        "salesforce_task",
        OWNER,
    )
    assert delivery.title == "Open opportunity past its close date: Deal 1"
    assert delivery.due_on == date(2026, 11, 25)
    (changed,) = result.findings
    assert (changed.pending_notice, changed.notices) == (None, 1)
    assert (changed.notified_owner_id, changed.notified_at) == (OWNER, None)  # told when it was sent


def test_planning_again_from_what_was_stored_says_nothing_more():
    first = plan(finding(1))
    again = plan(*first.findings)
    assert again.deliveries == ()
    assert again.findings == ()


@pytest.mark.parametrize("mode", [Mode.REPORT, Mode.NOTIFY])
def test_rule_that_may_not_act_tells_nobody(mode):
    assert plan(finding(1), rules=[rule(mode=mode)]).deliveries == ()


def test_baseline_is_told_to_nobody():
    assert plan(finding(1, baseline=True)).deliveries == ()


def test_nothing_is_said_while_the_channel_is_switched_off_and_nothing_is_lost():
    result = plan(finding(1), writes={"salesforce_task": False, "chatter_post": True})
    assert result.deliveries == ()
    assert result.findings == ()
    assert [one.reason for one in result.waiting] == ["writes_off"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"proof": Proof.HELD}, "held"),
        ({"absent_runs": 1}, "not_seen"),
        ({"status": FindingStatus.ACKNOWLEDGED}, "acknowledged"),
    ],
)
def test_word_waits_when_the_finding_is_not_certain_now(changes, reason):
    result = plan(finding(1, **changes))
    assert result.deliveries == ()
    assert [one.reason for one in result.waiting] == [reason]


@pytest.mark.parametrize("status", [FindingStatus.RESOLVED, FindingStatus.EXCEPTED, FindingStatus.SNOOZED])
def test_settled_findings_are_told_to_nobody(status):
    assert plan(finding(1, status=status)).deliveries == ()


@pytest.mark.parametrize("owner", [QUEUE, "005inactive", "005unknown", None])
def test_queues_inactive_and_unknown_users_are_never_told_revops_is(owner):
    people = PEOPLE | {"005inactive": Recipient("005inactive", is_active=False), QUEUE: Recipient(QUEUE)}
    result = plan(finding(1, owner_id=owner), people=people, revops_user_id=REVOPS)
    assert [one.recipient_id for one in result.deliveries] == [REVOPS]
    nobody = plan(finding(1, owner_id=owner), people=people)
    assert nobody.deliveries == ()
    assert nobody.findings[0].pending_notice is None
    assert nobody.findings[0].notified_at == MONDAY  # the escalation clock runs


def test_process_finding_goes_to_revops_only():
    process = finding(1, is_process=True, record_id="", owner_id=OWNER)
    assert plan(process).deliveries == ()
    assert plan(process, revops_user_id=REVOPS).deliveries[0].recipient_id == REVOPS


def test_a_post_that_may_name_no_amount_still_says_what_was_measured_and_where_the_amounts_are():
    words = {
        "basis": {"budget": Text("the budget", "bütçe")},
        "direction": {"below": Text("far below the reference", "referansın çok altında")},
    }
    price = rule(actions=(RuleAction("chatter", {}),), words=words)
    evidence = {
        "amount": Decimal(777),
        "direction": "below",
        "basis": "budget",
        "close_date": date(2026, 3, 1),
        "x": "777",
    }
    (post,) = plan(finding(1, evidence=evidence), rules=[price]).deliveries
    for part in (
        "Amounts are not named in posts; see them on the record.",
        "- Deviation: far below the reference",
        "- Reference is: the budget",
        "- Close date: 1 Mar 2026",
    ):
        assert part in post.body
    assert "777" not in post.body


def test_finding_yields_to_another_rule_that_speaks_of_the_same_record_or_owner():
    yielding = rule(lifecycle=Lifecycle(yields_to=("owner_inactive",)))
    stronger = rule("owner_inactive", mode=Mode.REPORT)
    on_owner = finding(2, of=stronger, record_id=OWNER, sobject="User")
    result = plan(finding(1), on_owner, rules=[yielding, stronger])
    assert result.deliveries == ()
    assert [one.reason for one in result.waiting] == ["yields"]
    gone = replace(on_owner, status=FindingStatus.RESOLVED)
    assert len(plan(finding(1), gone, rules=[yielding, stronger]).deliveries) == 1


# --- caps ---


def money(number, impact, **changes):
    return finding(number, impact=Decimal(impact), **changes)


def test_biggest_impacts_are_said_first_and_the_rest_waits_for_tomorrow():
    found = [money(number, 100 * number) for number in range(1, 9)]
    result = plan(*found)
    assert [one.fingerprints[0] for one in result.deliveries] == [mark(number) for number in (8, 7, 6, 5, 4)]
    assert {one.fingerprint for one in result.waiting} == {mark(number) for number in (3, 2, 1)}
    assert {one.reason for one in result.waiting} == {"owner_cap"}
    stored = {one.fingerprint: one for one in found} | {one.fingerprint: one for one in result.findings}
    same_day = plan(*stored.values(), said=[(OWNER, "opp_close_overdue")] * 5)
    assert same_day.deliveries == ()
    tomorrow = plan(*stored.values(), now=MONDAY + DAY)
    assert [one.fingerprints[0] for one in tomorrow.deliveries] == [mark(number) for number in (3, 2, 1)]


def test_one_task_says_how_many_more_wait():
    result = plan(*[money(number, 100 * number) for number in range(1, 9)])
    assert ["and 3 more" in one.body for one in result.deliveries] == [False, False, False, False, True]
    turkish = plan(*[money(number, number) for number in range(1, 9)], language="tr")
    assert "3 bulgu daha sırada" in turkish.deliveries[-1].body
    assert all("more" not in one.body for one in plan(finding(1)).deliveries)


def test_worse_severity_goes_first_when_the_impact_is_equal():
    result = plan(finding(1), finding(2, severity=Severity.CRITICAL), per_owner_per_day=1)
    assert result.deliveries[0].fingerprints == (mark(2),)


def test_weights_order_amounts_of_different_currencies():
    lira, dollars = money(1, 5000), money(2, 1000, currency="USD")
    result = plan(lira, dollars, per_owner_per_day=1, rates={"USD": Decimal(42), "TRY": Decimal(1)})
    assert result.deliveries[0].fingerprints == (mark(2),)


def test_cap_of_one_person_does_not_touch_another():
    found = [finding(number, owner_id=OWNER if number < 4 else OTHER_OWNER) for number in range(1, 7)]
    result = plan(*found, per_owner_per_day=2)
    assert sorted(one.recipient_id for one in result.deliveries) == [OWNER, OWNER, OTHER_OWNER, OTHER_OWNER]


def test_rules_share_a_persons_cap_and_keep_their_own():
    one, two = rule(limits=RuleLimits(per_owner_per_day=1)), rule("stale_lead")
    found = [finding(1), finding(2), finding(3, of=two), finding(4, of=two), finding(5, of=two)]
    result = plan(*found, rules=[one, two], per_owner_per_day=3)
    assert len(result.deliveries) == 3
    first_rule = [one for one in result.deliveries if one.fingerprints[0] in (mark(1), mark(2))]
    assert len(first_rule) == 1


def test_daily_budget_of_the_org_holds_for_all():
    result = plan(*[finding(number) for number in range(1, 5)], per_day=2)
    assert len(result.deliveries) == 2
    assert {one.reason for one in result.waiting} == {"daily_budget"}


@given(
    st.lists(st.tuples(st.sampled_from([OWNER, OTHER_OWNER, QUEUE, None]), st.integers(0, 10**9)), max_size=30),
    st.integers(1, 6),
    st.integers(1, 12),
)
def test_nobody_ever_gets_more_than_the_cap_and_nothing_is_lost(items, cap, budget):
    found = [
        finding(number, owner_id=owner, impact=Decimal(size)) for number, (owner, size) in enumerate(items, start=1)
    ]
    result = plan(*found, per_owner_per_day=cap, per_day=budget, revops_user_id=REVOPS)
    counts: dict[str, int] = {}
    for one in result.deliveries:
        counts[one.recipient_id] = counts.get(one.recipient_id, 0) + 1
    assert all(count <= min(cap, 5) for count in counts.values())
    assert len(result.deliveries) <= budget
    assert QUEUE not in counts
    said = {one.fingerprints[0] for one in result.deliveries}
    assert said | {one.fingerprint for one in result.waiting} == {one.fingerprint for one in found}
    assert len({one.key for one in result.deliveries}) == len(result.deliveries)


def test_only_alerts_planned_on_the_orgs_own_day_count():
    late = datetime(2026, 11, 22, 20, 30, tzinfo=MONDAY.tzinfo)  # 23:30 on Sunday in Istanbul
    (delivery,) = plan(finding(1)).deliveries
    rule_of = {mark(1): "opp_close_overdue"}
    deliveries = [
        delivery,
        replace(delivery, created_at=late),
        replace(delivery, created_at=late + timedelta(hours=1)),  # 00:30 on Monday
        replace(delivery, kind="resolved"),
        replace(delivery, quarantined=True),
    ]
    said = said_today(deliveries, rule_of, now=MONDAY, zone=ISTANBUL)
    assert said == [(OWNER, "opp_close_overdue")] * 2


# --- kinds ---


def test_next_word_gets_the_next_number():
    told = finding(1, notices=1, notified_owner_id=OWNER, notified_at=MONDAY, pending_notice="not_fixed")
    closed = task(owner_key(mark(1), 1, 1), is_closed=True, closed_at=MONDAY)
    (delivery,) = plan(told, tasks=[closed]).deliveries
    assert delivery.key == owner_key(mark(1), 1, 2)
    assert delivery.title.startswith("Closed, but not fixed: ")


def test_new_owner_gets_a_task_unless_the_open_one_came_along():
    moved = finding(
        1, notices=1, notified_owner_id=OWNER, owner_id=OTHER_OWNER, pending_notice="reassigned", notified_at=MONDAY
    )
    (delivery,) = plan(moved, tasks=[task(owner_key(mark(1), 1, 1))]).deliveries
    assert (delivery.recipient_id, delivery.kind) == (OTHER_OWNER, "reassigned")
    along = task(owner_key(mark(1), 1, 1), owner_id=OTHER_OWNER)  # Salesforce handed the open Task over too
    result = plan(moved, tasks=[along], now=MONDAY + DAY)
    assert result.deliveries == ()
    assert result.findings[0].notified_owner_id == OTHER_OWNER
    assert result.findings[0].notified_at == MONDAY + DAY


def test_deleted_task_is_never_made_again_in_its_episode():
    told = finding(1, notices=1, notified_owner_id=OWNER, notified_at=MONDAY, pending_notice="back_again")
    gone = task(owner_key(mark(1), 1, 1), is_deleted=True)
    result = plan(told, tasks=[gone])
    assert result.deliveries == ()
    assert result.findings[0].pending_notice is None
    assert len(plan(replace(told, episode=2), tasks=[gone]).deliveries) == 1


def test_task_that_is_there_is_found_again_when_the_store_was_lost():
    result = plan(finding(1), tasks=[task(owner_key(mark(1), 1, 2))])
    assert result.deliveries == ()
    assert result.findings[0].notices == 2


def escalated(**changes):
    values = {
        "status": FindingStatus.ESCALATED,
        "escalation_step": 1,
        "pending_notice": None,
        "notices": 1,
        "notified_owner_id": OWNER,
        "notified_at": MONDAY - 10 * DAY,
    }
    return finding(1, **(values | changes))


def test_escalation_becomes_a_task_for_the_manager_once():
    result = plan(escalated())
    (delivery,) = result.deliveries
    assert (delivery.recipient_id, delivery.kind) == (MANAGER, "escalated")
    assert delivery.key == escalation_key(mark(1), 1, 1, 0)
    assert "Ayşe Yılmaz was told on 13 Nov 2026" in delivery.body
    assert result.findings[0].escalation_told == 1
    assert result.findings[0].notified_at == MONDAY - 10 * DAY
    assert plan(*result.findings).deliveries == ()


def test_escalation_is_dropped_when_the_owner_deleted_the_task_before_it_was_said():
    result = plan(escalated(notified_at=None))
    assert result.deliveries == ()
    assert result.findings[0].escalation_told == 1


@pytest.mark.parametrize("manager", [None, OWNER, "005gone"])
def test_escalation_goes_to_revops_when_there_is_no_manager_to_tell(manager):
    result = plan(escalated(manager_id=manager), revops_user_id=REVOPS)
    assert [one.recipient_id for one in result.deliveries] == [REVOPS]
    nobody = plan(escalated(manager_id=manager))
    assert nobody.deliveries == ()
    assert nobody.findings[0].escalation_told == 1  # the report says it


def test_reopened_finding_escalates_under_another_key():
    assert plan(escalated(reopened=1)).deliveries[0].key != plan(escalated()).deliveries[0].key


CHATTER = rule(actions=(RuleAction("chatter"),))
ON_ESCALATION = rule(
    actions=(RuleAction("task"), RuleAction("chatter", {"on": "escalate", "mention": ["owner", "manager"]}))
)


def test_chatter_where_chosen_posts_on_the_record_and_mentions_the_owner():
    (delivery,) = plan(finding(1), rules=[CHATTER]).deliveries
    assert (delivery.channel, delivery.record_id, delivery.mentions) == ("chatter_post", opportunity_id(1), (OWNER,))


def test_a_message_goes_on_the_record_that_the_finding_is_about():
    meeting = finding(1, sobject="Event", about_id=opportunity_id(2))
    (delivery,) = plan(meeting).deliveries
    assert (delivery.channel, delivery.record_id) == ("salesforce_task", opportunity_id(2))
    (post,) = plan(meeting, rules=[CHATTER]).deliveries
    assert (post.channel, post.record_id) == ("chatter_post", opportunity_id(2))
    (no_feed,) = plan(replace(meeting, about_id="500000000000001AAA"), rules=[CHATTER]).deliveries
    assert no_feed.channel == "salesforce_task"


def test_record_without_a_feed_gets_a_task_instead():
    (delivery,) = plan(finding(1, sobject="Quote__c"), rules=[CHATTER]).deliveries
    assert delivery.channel == "salesforce_task"


def test_escalation_is_posted_mentioning_manager_and_owner_where_the_rule_says_so():
    assert plan(finding(1), rules=[ON_ESCALATION]).deliveries[0].channel == "salesforce_task"
    (delivery,) = plan(escalated(), rules=[ON_ESCALATION]).deliveries
    assert (delivery.channel, set(delivery.mentions)) == ("chatter_post", {OWNER, MANAGER})
    (off,) = plan(escalated(), rules=[ON_ESCALATION], writes={"salesforce_task": True}).deliveries
    assert (off.channel, off.recipient_id) == ("salesforce_task", MANAGER)


def test_rule_with_only_unknown_channels_waits():
    result = plan(finding(1), rules=[rule(actions=(RuleAction("slack"),))])
    assert [one.reason for one in result.waiting] == ["no_channel"]


def test_subject_and_due_date_follow_the_rule():
    options = {"subject": {"en": "Update {record_name}", "tr": "{record_name} güncellensin"}, "due": "5bd"}
    custom = rule(actions=(RuleAction("task", options),))
    (delivery,) = plan(finding(1), rules=[custom]).deliveries
    assert delivery.title == "Update Deal 1"
    assert delivery.due_on == date(2026, 11, 30)
    (turkish,) = plan(finding(1), rules=[custom], people=PEOPLE | {OWNER: Recipient(OWNER, language="tr")}).deliveries
    assert turkish.title == "Deal 1 güncellensin"


def test_due_date_counts_from_the_orgs_day():
    late = datetime(2026, 11, 23, 21, 30, tzinfo=MONDAY.tzinfo)  # Tuesday 00:30 in Istanbul
    assert plan(finding(1), now=late).deliveries[0].due_on == date(2026, 11, 26)


# --- texts ---


def test_task_says_what_why_what_to_do_and_the_evidence_in_english():
    (delivery,) = plan(finding(1, impact=Decimal("1234.50"), currency="USD")).deliveries
    for part in (
        "Close date passed 20 days ago",
        "Why it matters: It inflates the forecast.",
        "What to do: Move the close date or close it.",
        "At risk: $1,234.50",
        "- Close date: 3 Nov 2026",
        "- Stage: Negotiation",
        "closes itself",
        "delete this Task",
        "rule opp_close_overdue, version 1",
    ):
        assert part in delivery.body


def test_task_says_it_in_turkish_with_turkish_numbers():
    found = finding(1, impact=Decimal("1234.50"), currency="TRY", evidence={"tutar": Decimal("1234.5"), "adet": 1200})
    (delivery,) = plan(found, people=PEOPLE | {OWNER: Recipient(OWNER, language="tr")}).deliveries
    assert delivery.title == "Kapanış tarihi geçmiş açık fırsat: Deal 1"
    for part in (
        "Risk altında: ₺1.234,50",
        "- tutar: 1.234,5",
        "- adet: 1.200",
        "Yapılacak: ",
        "kendiliğinden kapanır",
    ):
        assert part in delivery.body


def test_turkish_task_has_no_english_label_and_no_code_in_it():
    stale = rule(words={"touch_source": {"created": Text("record made", "kayıt açılışı")}})
    evidence = {
        "last_touch_date": date(2026, 11, 3),
        "touch_source": "created",
        "amount": Decimal("2500.5"),
        "stage_name": "Müzakere",
    }
    found = finding(1, currency="TRY", evidence=evidence)
    (delivery,) = plan(found, rules=[stale], people=PEOPLE | {OWNER: Recipient(OWNER, language="tr")}).deliveries
    seen = [line for line in delivery.body.splitlines() if line.startswith("- ")]
    assert seen == [
        "- Son temas: 03.11.2026",
        "- Temas türü: kayıt açılışı",
        "- Tutar: ₺2.500,50",
        "- Aşama: Müzakere",
    ]


PROCESS = {
    "is_process": True,
    "record_id": "sf_opportunity.amount",
    "record_name": "Opportunity.Amount",
    "owner_id": None,
    "count": 97,
    "evidence": {"count": 97, "population": 100},
}


@pytest.mark.parametrize(
    ("language", "title", "parts"),
    [
        (
            "en",
            "Hardly ever filled in: Opportunity.Amount (97 of 100 records)",
            (
                "What to do: Make Amount required.",
                "- Records without it: 97",
                "- Records examined: 100",
                "closes itself when the field is filled in more often",
            ),
        ),
        (
            "tr",
            "Neredeyse hiç doldurulmayan alan: Opportunity.Amount (100 kayıttan 97 tanesi)",
            (
                "Yapılacak: Tutarı zorunlu yapın.",
                "- Alanı boş kayıt: 97",
                "- İncelenen kayıt: 100",
                "kendiliğinden kapanır",
            ),
        ),
    ],
)
def test_task_about_the_process_says_what_it_is_about_and_what_to_do(language, title, parts):
    about = rule(process_fixes={"sf_opportunity.amount": Text("Make Amount required.", "Tutarı zorunlu yapın.")})
    (delivery,) = plan(finding(1, **PROCESS), rules=[about], revops_user_id=REVOPS, language=language).deliveries
    assert (delivery.title, delivery.record_id) == (title, None)
    for part in parts:
        assert part in delivery.body
    assert about.why.get(language) not in delivery.body  # it speaks of the rule's own leak


def test_process_has_no_feed_to_post_on():
    (delivery,) = plan(finding(1, **PROCESS), rules=[CHATTER], revops_user_id=REVOPS).deliveries
    assert delivery.channel == "salesforce_task"


@pytest.mark.parametrize(
    ("team", "words"),
    [
        ("revops", "tell RevOps (Deniz Kaya)."),
        ("", "tell RevOps (Deniz Kaya)."),
        ("Sales Ops Türkiye", "tell Sales Ops Türkiye."),
    ],
)
def test_task_names_whom_to_tell_when_it_is_wrong(team, words):
    people = PEOPLE | {REVOPS: Recipient(REVOPS, name="Deniz Kaya")}
    (delivery,) = plan(finding(1), rules=[rule(owner_team=team)], people=people, revops_user_id=REVOPS).deliveries
    assert words in delivery.body
    (nameless,) = plan(finding(1), rules=[rule(owner_team="revops")]).deliveries
    assert "tell RevOps." in nameless.body


def test_who_stands_in_for_the_owner_is_told_why():
    (delivery,) = plan(finding(1, owner_id=QUEUE, owner_name="Web Leads"), revops_user_id=REVOPS).deliveries
    assert "because its owner, Web Leads, can't be told" in delivery.body
    (own,) = plan(finding(1), revops_user_id=REVOPS).deliveries
    assert "because its owner" not in own.body


@pytest.mark.parametrize("told", [REVOPS, None])
def test_escalation_never_says_that_an_owner_was_told_who_was_not(told):
    (delivery,) = plan(escalated(notified_owner_id=told)).deliveries
    assert "Ayşe Yılmaz, was not told" in delivery.body
    assert "was told on" not in delivery.body


def test_unproven_finding_says_so():
    assert "mailbox was not read" in plan(finding(1, proof=Proof.UNPROVEN)).deliveries[0].body


def test_posts_name_no_amounts_unless_admin_and_rule_allow_it():
    found = finding(
        1,
        impact=Decimal(777000),
        message_en="Won at 777,000",
        evidence={"amount": Decimal(777000), "on": MONDAY.date()},
    )
    quiet = plan(found, rules=[CHATTER]).deliveries[0].body
    assert "777" not in quiet
    assert "23 Nov 2026" in quiet
    loud = plan(found, rules=[CHATTER], chatter_show_money=True).deliveries[0].body
    assert "777,000" in loud
    forbidden = rule(actions=(RuleAction("chatter", {"show_money": False}),))
    assert "777" not in plan(found, rules=[forbidden], chatter_show_money=True).deliveries[0].body


def test_hostile_record_names_stay_one_line_and_are_never_templates():
    hostile = finding(1, record_name="{rule.sql}\nBCC: all@x\u202e {0} %s", message_en="line\n\nbreak")
    (delivery,) = plan(hostile).deliveries
    assert "\n" not in delivery.title
    assert "{rule.sql}" in delivery.title
    assert "line break" in delivery.body


def test_rule_texts_with_braces_are_taken_as_they_are():
    odd = rule(fix=Text("use {x} and 100 %", "use {x} and 100 %"))
    assert "use {x} and 100 %" in plan(finding(1), rules=[odd]).deliveries[0].body


# --- updates of Tasks ---


def updates(found, *tasks, known=None, writes=BOTH, now=MONDAY + DAY):
    return plan_updates(
        {one.fingerprint: one for one in found},
        tasks,
        known=known or {},
        recipients=PEOPLE,
        policy=policy(writes=writes),
        now=now,
    )


FIRST = owner_key(mark(1), 1, 1)
RESOLVED = {"status": FindingStatus.RESOLVED, "resolved_reason": "fixed", "notices": 1, "notified_owner_id": OWNER}


def test_task_is_closed_when_its_finding_is_resolved():
    (update,) = updates([finding(1, **RESOLVED)], task(FIRST, description="our text")).deliveries
    assert (update.kind, update.remote_id) == ("resolved", "00T000000000001AAA")
    assert update.body == "our text\n\n24 Nov 2026: leakwatch no longer sees the problem."


def test_task_that_a_person_changed_only_gets_a_line_once():
    changed = task(FIRST, description="their text", last_modified_by_other=True)
    (update,) = updates([finding(1, **RESOLVED)], changed).deliveries
    assert update.kind == "resolved_note"
    assert update.body.startswith("their text\n\n")
    known = {update.key: replace(update, sent_at=MONDAY)}
    assert updates([finding(1, **RESOLVED)], changed, known=known).deliveries == ()


def test_line_of_ours_does_not_make_a_persons_task_ours():
    note = updates([finding(1, **RESOLVED)], task(FIRST, description="x", last_modified_by_other=True)).deliveries[0]
    after = task(FIRST, description=note.body, last_modified_by_other=False)
    known = {note.key: replace(note, sent_at=MONDAY)}
    again = updates([finding(1, **RESOLVED, reopened=1)], after, known=known, now=MONDAY + 9 * DAY)
    assert [one.kind for one in again.deliveries] == ["resolved_note"]


def test_task_whose_text_is_unknown_is_closed_without_touching_it_or_left_alone():
    (update,) = updates([finding(1, **RESOLVED)], task(FIRST)).deliveries
    assert (update.kind, update.body) == ("resolved", "")
    assert updates([finding(1, **RESOLVED)], task(FIRST, last_modified_by_other=True)).deliveries == ()


@pytest.mark.parametrize("changes", [{"is_closed": True}, {"is_deleted": True}])
def test_task_already_closed_or_deleted_is_left_alone(changes):
    assert updates([finding(1, **RESOLVED)], task(FIRST, **changes)).deliveries == ()


def test_tasks_of_unknown_findings_and_of_other_episodes_are_left_alone():
    assert updates([finding(2, **RESOLVED)], task(FIRST)).deliveries == ()
    assert updates([finding(1, **RESOLVED, episode=2)], task(FIRST)).deliveries == ()


def test_managers_task_is_closed_too():
    (update,) = updates([finding(1, **RESOLVED)], task(escalation_key(mark(1), 1, 1, 0), owner_id=MANAGER)).deliveries
    assert update.kind == "resolved"


def test_old_owners_task_is_closed_when_the_matter_was_handed_on():
    moved = finding(1, notices=2, notified_owner_id=OTHER_OWNER, pending_notice=None)
    old = task(FIRST, description="t")
    new = task(owner_key(mark(1), 1, 2), owner_id=OTHER_OWNER, record_id="00T000000000002AAA")
    assert [(one.kind, one.remote_id) for one in updates([moved], old, new).deliveries] == [
        ("superseded", "00T000000000001AAA")
    ]


def test_task_of_an_accepted_leak_is_closed():
    excepted = finding(1, status=FindingStatus.EXCEPTED, notices=1, notified_owner_id=OWNER)
    assert [one.kind for one in updates([excepted], task(FIRST)).deliveries] == ["excepted"]


@pytest.mark.parametrize("word", ["grew", "still_open"])
def test_growth_is_a_line_in_the_open_task_and_no_new_task(word):
    grown = finding(1, pending_notice=word, notices=1, notified_owner_id=OWNER, notified_at=MONDAY)
    assert plan(grown).deliveries == ()
    result = updates([grown], task(FIRST, description="t"))
    assert [one.kind for one in result.deliveries] == [word]
    (after,) = result.findings
    assert after.pending_notice is None
    assert after.notified_at == (MONDAY if word == "grew" else MONDAY + DAY)


def test_growth_is_dropped_when_no_task_is_open_and_waits_when_tasks_are_switched_off():
    grown = finding(1, pending_notice="grew", notices=1, notified_owner_id=OWNER, notified_at=MONDAY)
    closed = updates([grown], task(FIRST, is_closed=True))
    assert closed.deliveries == ()
    assert closed.findings[0].pending_notice is None
    off = updates([grown], task(FIRST, description="t"), writes={})
    assert off.deliveries == ()
    assert off.findings == ()


def test_nothing_is_closed_while_tasks_are_switched_off():
    assert updates([finding(1, **RESOLVED)], task(FIRST), writes={}).deliveries == ()


def test_only_tasks_that_something_is_to_be_done_to_are_read_afresh():
    found = {one.fingerprint: one for one in (finding(1, **RESOLVED), finding(2))}
    other = task(owner_key(mark(2), 1, 1), record_id="00T000000000002AAA")
    assert [one.key for one in tasks_to_update(found, [task(FIRST), other])] == [FIRST]


# --- the org's own words ---

STATUSES = [
    {"ApiName": "Tamamlandı", "IsClosed": True, "IsDefault": False, "SortOrder": 3},
    {"ApiName": "Başlamadı", "IsClosed": False, "IsDefault": True, "SortOrder": 1},
    {"ApiName": "Sürüyor", "IsClosed": False, "IsDefault": False, "SortOrder": 2},
]
PRIORITIES = [
    {"ApiName": "Yüksek", "IsHighPriority": True, "IsDefault": False, "SortOrder": 1},
    {"ApiName": "Normal", "IsHighPriority": False, "IsDefault": True, "SortOrder": 2},
    {"ApiName": "Düşük", "IsHighPriority": False, "IsDefault": False, "SortOrder": 3},
]
WORDS = TaskWords.from_rows(STATUSES, PRIORITIES)


def test_task_words_are_the_orgs_own():
    assert (WORDS.open_status, WORDS.closed_status) == ("Başlamadı", "Tamamlandı")
    assert [WORDS.priority(one) for one in Severity] == ["Düşük", "Normal", "Yüksek", "Yüksek"]
    assert TaskWords.from_rows(STATUSES).priority(Severity.HIGH) is None


@pytest.mark.parametrize("closed", [True, False])
def test_org_without_an_open_or_closed_status_is_refused_by_name(closed):
    rows = [one for one in STATUSES if one["IsClosed"] is closed]
    with pytest.raises(ConfigError, match="open" if closed else "closed"):
        TaskWords.from_rows(rows)


def test_task_states_are_read_from_salesforce_and_mirror_rows_alike():
    salesforce = {
        "Id": "00T000000000001AAA",
        "Status": "Sürüyor",
        "IsClosed": False,
        "IsDeleted": False,
        "OwnerId": OWNER,
        "LastModifiedById": OWNER,
        "LastModifiedDate": "2026-11-23T09:00:00.000+0000",
        "Description": None,
        "Leakwatch_Key__c": FIRST,
    }
    mirror = {
        "id": "00T000000000001AAA",
        "status": "Sürüyor",
        "is_closed": False,
        "is_deleted": False,
        "owner_id": OWNER,
        "last_modified_by_id": OWNER,
        "last_modified_date": MONDAY,
        "description": "",
        "leakwatch_key__c": FIRST,
    }
    (one,) = task_states(
        [salesforce, {"Id": "x", "Leakwatch_Key__c": "lw1:m:abc"}, {}], WORDS, our_user_id=REVOPS
    ).values()
    (two,) = task_states([mirror], WORDS, our_user_id=REVOPS).values()
    assert one == two
    assert (one.in_progress, one.last_modified_by_other, one.modified_at) == (True, True, MONDAY)
    ours = task_states([{**salesforce, "LastModifiedById": REVOPS[:15]}], WORDS, our_user_id=REVOPS)
    assert not ours[FIRST].last_modified_by_other


def test_closed_task_was_closed_when_it_was_completed_else_when_it_was_last_changed():
    row = {"Id": "1", "Status": "Tamamlandı", "LastModifiedDate": MONDAY, "Leakwatch_Key__c": FIRST}
    assert task_states([row], WORDS, our_user_id=None)[FIRST].closed_at == MONDAY
    row["CompletedDateTime"] = MONDAY - DAY
    assert task_states([row], WORDS, our_user_id=None)[FIRST].closed_at == MONDAY - DAY
