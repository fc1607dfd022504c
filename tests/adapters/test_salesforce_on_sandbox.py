"""Our Salesforce side against the sandbox's org, when calls and rows go wrong, and whatever a real org answers.

What is open about a real org stands in docs/probes.md; each of its switches is played both ways here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.served_org import Leakwatch, ServedOrg, keys, mail, post, task
from leakwatch.core.tables import FieldSpec, FieldType, MirrorConfig, ObjectSpec
from leakwatch.errors import AuthError, BudgetError, LeakwatchError, TransientError
from leakwatch.flows.capture_owners import Owning
from leakwatch.flows.capture_report import Tally
from leakwatch.flows.capture_write import RECORD_GONE
from leakwatch.flows.mirror import MirrorReport, mirror
from leakwatch.model import Match, MatchBasis, Snapshot, Verb, WriteOp, WriteStatus
from leakwatch.salesforce import writer as writing
from leakwatch.store.mirror import Mirror

LANDED = (WriteStatus.DONE, WriteStatus.ALREADY_THERE)
ID = FieldSpec("Id", FieldType.ID)
STAMP = FieldSpec("SystemModstamp", FieldType.DATETIME)
DEAL = ObjectSpec(
    "Opportunity", (ID, FieldSpec("Name"), FieldSpec("Amount", FieldType.NUMBER), STAMP), stamp=STAMP.name
)
CONTACT = ObjectSpec("Contact", (ID, FieldSpec("Email"), STAMP), stamp=STAMP.name)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedOrg]:
    served = ServedOrg(tmp_path_factory.mktemp("org"))
    with served.served():
        yield served


@pytest.fixture
def served(kept: ServedOrg) -> ServedOrg:
    kept.refresh()
    return kept


@pytest.fixture
def make(served: ServedOrg, tmp_path: Path) -> Iterator[Callable[..., Leakwatch]]:
    made: list[Leakwatch] = []

    def one(**options: Any) -> Leakwatch:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Leakwatch(served, folder, **options))
        return made[-1]

    yield one
    for each in made:
        each.close()


def wanted(served: ServedOrg) -> list[WriteOp]:
    """What a capture and an act have to write."""
    return [
        *(mail(served, number) for number in range(6)),
        *(task(served, number) for number in range(2)),
        *(post(served, number) for number in range(2)),
    ]


def cycles(served: ServedOrg, leakwatch: Leakwatch, ops: list[WriteOp]) -> list[LeakwatchError]:
    """Write until all has landed, as the daemon does cycle by cycle; what went wrong on the way."""
    errors: list[LeakwatchError] = []
    for number in range(5):
        try:
            leakwatch.writer.settle()
            results = leakwatch.writer.apply(ops, run_id=f"run{number}")
            if all(result.status in LANDED for result in results):
                break
        except LeakwatchError as error:
            errors.append(error)
        served.clock.advance(minutes=5)
        served.org.agenda.run_due()
    return errors


def everything_once(served: ServedOrg) -> None:
    assert keys(served, "EmailMessage") == [f"lw1:m:{number:040d}" for number in range(6)]
    assert keys(served, "Task") == [f"lw1:f:{number:040d}" for number in range(2)]
    bodies = sorted(row["Body"][-8:] for row in served.org.query("SELECT Body FROM FeedItem"))
    assert bodies == ["00000000", "00000001"]


WRITE = "composite|chatterPost"
WRITE_FAULTS: dict[str, tuple[dict[str, Any], type[LeakwatchError] | None]] = {
    "session gone": ({"do": "expire_session", "match": WRITE, "times": 1}, None),
    "session refused again": ({"status": 401, "match": WRITE, "times": 2}, AuthError),
    "daily limit": ({"code": "REQUEST_LIMIT_EXCEEDED", "match": WRITE, "times": 1}, BudgetError),
    "concurrency limit": (
        {
            "code": "REQUEST_LIMIT_EXCEEDED",
            "message": "ConcurrentPerOrgLongTxn Limit exceeded.",
            "match": WRITE,
            "times": 2,
        },
        None,
    ),
    "no API": ({"code": "API_CURRENTLY_DISABLED", "match": WRITE, "times": 1}, AuthError),
    "no access": ({"code": "INSUFFICIENT_ACCESS", "match": WRITE, "times": 1}, None),
    "429 for a day": ({"status": 429, "retry_after": 86_400, "match": WRITE, "times": 1}, TransientError),
    "503 as a web page, done": ({"do": "html", "status": 503, "effect": "after", "match": WRITE, "times": 3}, None),
    "a web page with 200, done": ({"do": "html", "effect": "after", "match": WRITE, "times": 3}, None),
    "nonsense, done": ({"status": 200, "body": [None] * 6, "effect": "after", "match": WRITE, "times": 1}, None),
    "a redirect": ({"status": 302, "headers": {"Location": "https://elsewhere.example/"}, "times": 1}, AuthError),
    "torn before": ({"do": "reset", "match": WRITE, "times": 3}, None),
    "torn after": ({"do": "reset", "effect": "after", "match": WRITE, "times": 3}, None),
    "cut": ({"do": "truncate", "match": WRITE, "times": 3}, None),
    "cut in chunks": ({"do": "cut_chunks", "match": WRITE, "times": 3}, None),
    "damaged": ({"do": "damage_gzip", "match": WRITE, "times": 3}, None),
    "a result too few": ({"do": "short_list", "match": WRITE, "times": 3}, None),
    "slow": ({"do": "drip", "bytes": 500, "delay_ms": 1, "match": WRITE, "times": 3}, None),
    "some 5xx, done or not": ({"status": 500, "effect": "after", "probability": 0.3, "times": 8}, None),
    "rows locked": ({"do": "lock_row", "match": "create (EmailMessage|Task)", "every": 2, "times": 7}, None),
    "a trigger meets a lock": (
        {
            "do": "row_error",
            "code": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            "message": "caused by: UNABLE_TO_LOCK_ROW",
            "match": "create EmailMessage",
            "times": 4,
        },
        None,
    ),
    "rows seen late": ({"do": "late_commit", "seconds": 200, "match": "create EmailMessage", "every": 2}, None),
}


@pytest.mark.parametrize("name", WRITE_FAULTS)
def test_whatever_goes_wrong_everything_is_written_once(
    served: ServedOrg, make: Callable[..., Leakwatch], name: str
) -> None:
    rule, error = WRITE_FAULTS[name]
    served.fault(**rule)
    errors = cycles(served, make(), wanted(served))
    served.clock.advance(minutes=5)
    served.org.agenda.run_due()
    everything_once(served)
    assert served.ledger.faults.total() > 0
    if error is None:
        assert [one for one in errors if not isinstance(one, TransientError)] == []
    else:
        assert error in {type(one) for one in errors}


def test_an_org_that_never_answers_is_given_up_and_loses_nothing(
    served: ServedOrg, make: Callable[..., Leakwatch]
) -> None:
    served.fault(do="hang", effect="after", match="composite", times=1)
    cycles(served, make(read_timeout_s=0.6), wanted(served))
    everything_once(served)


def test_an_answer_that_trickles_is_given_up_when_its_call_has_lasted_too_long(
    served: ServedOrg, make: Callable[..., Leakwatch]
) -> None:
    leakwatch = make(call_timeout_s=0.1)
    served.fault(do="drip", bytes=1, delay_ms=20, match="limits", times=1)  # of some KB: a minute in all
    started = time.monotonic()
    assert leakwatch.client.request("GET", "limits").body["DailyApiRequests"]["Max"] > 0
    assert time.monotonic() - started < 5
    assert leakwatch.client.calls == 2


def test_a_write_whose_answer_trickles_too_long_is_looked_for_and_not_sent_twice(
    served: ServedOrg, make: Callable[..., Leakwatch]
) -> None:
    served.fault(do="drip", bytes=1, delay_ms=20, match=WRITE, times=1)
    errors = cycles(served, make(call_timeout_s=0.3), wanted(served))
    everything_once(served)
    assert [one for one in errors if not isinstance(one, TransientError)] == []


def test_a_wait_is_as_long_as_the_org_asks_for_in_either_form(
    served: ServedOrg, make: Callable[..., Leakwatch]
) -> None:
    leakwatch = make()

    def waited(**rule: Any) -> float:
        leakwatch.wall.slept.clear()
        served.fault(status=429, match="limits", times=1, **rule)
        leakwatch.client.request("GET", "limits")
        return sum(leakwatch.wall.slept)

    assert 40 <= waited(retry_after=40) <= 41
    assert 38 <= waited(retry_after=40, retry_form="date") <= 41
    for senseless in ("-5", "soon", "9" * 40, "Mon, 99 Foo 99999 99:99:99 GMT"):
        assert waited(headers={"Retry-After": senseless}) <= 60


@pytest.mark.parametrize("code", ["STRING_TOO_LONG", "INSUFFICIENT_ACCESS_OR_READONLY", "DUPLICATES_DETECTED"])
def test_a_row_the_org_refuses_is_set_aside_with_its_code_and_the_others_land(
    served: ServedOrg, make: Callable[..., Leakwatch], code: str
) -> None:
    served.fault(do="row_error", code=code, match=f"create EmailMessage.*{served.deals[3]}")
    results = make().writer.apply([mail(served, number) for number in range(6)], run_id="run")
    assert [(one.op_id[:46], one.code) for one in results if one.status not in LANDED] == [(f"lw1:m:{3:040d}", code)]
    assert len(keys(served, "EmailMessage")) == 5


# -- reading ----------------------------------------------------------------------------------------------------------


class Live(Mirror):
    """A mirror of which only the live tables are looked at."""

    def publish(self, now: Any, org_id: str) -> Snapshot:
        return Snapshot("live", "", now, org_id, {}, {})

    def deals(self) -> list[tuple[Any, ...]]:
        return self._connection.execute("SELECT id, name FROM sf_opportunity WHERE NOT is_deleted").fetchall()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    deal = ObjectSpec("Opportunity", (*DEAL.fields, FieldSpec("IsDeleted", FieldType.BOOLEAN)), stamp=STAMP.name)
    with Live(tmp_path / "mirror", MirrorConfig(objects=(deal, CONTACT))) as opened:
        yield opened


def refresh(served: ServedOrg, leakwatch: Leakwatch, live: Live, *, full: bool = False) -> MirrorReport:
    now = served.clock.now()
    return mirror(leakwatch.reader, live, live._config, org_id="00D", derive=tuple, now=now, full=full)


QUERY, PAGE = "/query", "query/01g"
READ_FAULTS: dict[str, tuple[dict[str, Any], type[LeakwatchError] | None]] = {
    "session gone between pages": ({"do": "expire_session", "match": PAGE, "times": 1}, None),
    "cursor gone once": ({"do": "expire_locator", "match": "from 200", "times": 1}, None),
    "cursor gone again and again": ({"do": "expire_locator", "match": "from 200", "times": 4}, TransientError),
    "took too long": ({"code": "QUERY_TIMEOUT", "match": QUERY, "times": 2}, None),
    "cut": ({"do": "truncate", "match": QUERY, "times": 2}, None),
    "cut in chunks": ({"do": "cut_chunks", "match": QUERY, "times": 2}, None),
    "damaged": ({"do": "damage_gzip", "match": PAGE, "times": 1}, None),
    "torn": ({"do": "reset", "match": PAGE, "times": 2}, None),
    "a web page with 200": ({"do": "html", "match": PAGE, "times": 1}, None),
    "a web page as a token": ({"do": "html", "match": "oauth2/token", "times": 1}, None),
    "no page at all": ({"status": 200, "body": {}, "match": PAGE, "times": 1}, TransientError),
    "some 503": ({"status": 503, "probability": 0.3, "times": 12}, None),
    "a describe too few": ({"do": "short_list", "match": "composite", "times": 2}, None),
}


@pytest.mark.parametrize("name", READ_FAULTS)
def test_whatever_goes_wrong_the_mirror_holds_every_row_once(
    served: ServedOrg, make: Callable[..., Leakwatch], live: Live, name: str
) -> None:
    rule, error = READ_FAULTS[name]
    served.fault(**rule)
    leakwatch, errors = make(), []
    for _ in range(4):
        try:
            assert refresh(served, leakwatch, live).complete
            break
        except LeakwatchError as failed:
            errors.append(type(failed))
        served.clock.advance(minutes=5)
    assert sorted(row[0] for row in live.deals()) == sorted(served.deals)
    assert set(errors) == ({error} if error else set())
    assert served.ledger.faults.total() > 0


def test_a_field_that_vanishes_while_the_mirror_reads_costs_one_refresh_of_its_table(
    served: ServedOrg, make: Callable[..., Leakwatch], live: Live
) -> None:
    leakwatch = make()
    with served.settings(hidden_fields=[]):
        served.fault(do="hide_fields", body=["Opportunity.Amount"], match="GET .*/queryAll by", times=1)
        first = refresh(served, leakwatch, live)
        assert (first.complete, first.tables[0].note[:27]) == (False, "Opportunity can't be read: ")
        assert first.tables[1].rows == 1, "the next table is read"
        second = refresh(served, leakwatch, live)
        assert (second.complete, second.tables[0].missing_fields) == (True, ("Amount",))
    third = refresh(served, leakwatch, live)
    assert (third.tables[0].whole, third.tables[0].rows) == (True, len(served.deals)), "it is read anew, whole"


@pytest.mark.parametrize(("minutes", "found_by"), [(8, "the next refresh"), (25, "a full one")])
def test_a_row_that_is_committed_late_is_found(
    served: ServedOrg, make: Callable[..., Leakwatch], live: Live, minutes: int, found_by: str
) -> None:
    leakwatch = make()
    refresh(served, leakwatch, live)
    served.clock.advance(minutes=1)
    served.fault(do="late_commit", seconds=minutes * 60, match="update Opportunity", times=1)
    served.org.update("Opportunity", served.deals[0], {"Name": "late"}, user_id=served.rep)
    served.clock.advance(minutes=minutes - 1)
    refresh(served, leakwatch, live)
    served.clock.advance(minutes=1)
    refresh(served, leakwatch, live)
    assert ((served.deals[0], "late") in live.deals()) is (found_by == "the next refresh")
    refresh(served, leakwatch, live, full=True)
    assert (served.deals[0], "late") in live.deals()


# -- what only a real org can settle ----------------------------------------------------------------------------------


@pytest.mark.parametrize("unique", [True, False])
def test_a_mails_key_is_unique_by_the_org_or_by_looking(
    served: ServedOrg, make: Callable[..., Leakwatch], unique: bool
) -> None:
    with served.settings(email_message_key_unique=unique):
        served.fault(do="reset", effect="after", match="composite", times=1)
        cycles(served, make(), wanted(served))
        everything_once(served)


@pytest.mark.parametrize("allowed", [True, False])
def test_collections_are_sent_inside_composite_or_plain(
    served: ServedOrg, make: Callable[..., Leakwatch], allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "ROWS_PER_COLLECTION", 2)
    with served.settings(composite_collections_allowed=allowed):
        assert cycles(served, make(), wanted(served)) == []
        everything_once(served)
    plain = served.ledger.requests["salesforce"]["POST /services/data/v{n}/composite/sobjects"]
    assert plain == (1 if allowed else 4)


@pytest.mark.parametrize(
    ("owner", "changeable", "shared"),
    [
        ("integration_user", True, True),
        ("integration_user", False, True),
        ("integration_user", True, False),
        ("sender_user", True, True),
        ("sender_user", False, False),
    ],
)
def test_a_mails_task_is_given_to_its_rep_or_stays_where_the_org_wants_it(
    served: ServedOrg, make: Callable[..., Leakwatch], owner: str, changeable: bool, shared: bool
) -> None:
    leakwatch = make()
    op = mail(served, 0, Incoming=False, FromAddress="rep@acme.example", FromId=served.rep)
    key = op.key or ""
    switches = {"auto_task_owner_changeable": changeable, "others_activities_editable": shared}
    with served.settings(auto_task_owner=owner, **switches):
        [result] = leakwatch.writer.apply([op], run_id="run")
        tally = Tally()
        match = Match(key, (), None, None, served.rep, MatchBasis.CONTACT_EMAIL, "theirs")
        late = Owning(leakwatch.reader, leakwatch.writer, "run").give(
            {key: str(result.record_id)}, [op], {key: match}, {}, tally
        )
    [made] = served.org.query("SELECT OwnerId FROM Task")
    stays = owner == "integration_user" and not changeable
    assert late == frozenset()
    assert made["OwnerId"] == (served.bot if stays else served.rep)
    assert dict(tally.quarantined) == ({"task_owner.INSUFFICIENT_ACCESS_OR_READONLY": 1} if stays else {})


@pytest.mark.parametrize(
    "code",
    ["ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"],
)
def test_a_mail_to_a_deleted_contact_is_refused_alone_and_matched_anew_where_the_code_is_known(
    served: ServedOrg, make: Callable[..., Leakwatch], code: str
) -> None:
    served.org.delete("Contact", served.contact, user_id=served.rep)
    ops = [mail(served, 0), mail(served, 1, ToIds=[], ToAddress="eve@acme.com")]
    with served.settings(deleted_reference_code=code):
        first, second = make().writer.apply(ops, run_id="run")
    assert (first.status, first.code) == (WriteStatus.REFUSED, code)
    assert second.status is WriteStatus.DONE
    assert (code in RECORD_GONE) is (code != "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY")


@pytest.mark.parametrize(
    "switches", [{"jwt_seconds_ahead": 180}, {"jwt_seconds_ahead": 300}, {"my_domain_audience": False}]
)
def test_our_assertion_is_taken(served: ServedOrg, make: Callable[..., Leakwatch], switches: dict[str, Any]) -> None:
    with served.settings(**switches):
        assert make().client.request("GET", "limits").status == 200


@pytest.mark.parametrize(
    "switches",
    [
        *({"duplicate_id_length": length} for length in (15, 18, 0)),
        *({"activity_key_shared": shared} for shared in (True, False)),
    ],
    ids=str,
)
def test_what_a_lost_log_does_not_know_is_found_and_not_made_again(
    served: ServedOrg, make: Callable[..., Leakwatch], switches: dict[str, Any]
) -> None:
    with served.settings(**switches):
        before = make().writer.apply(wanted(served), run_id="run")
        after = make().writer.apply(wanted(served), run_id="run")
    everything_once(served)
    assert [one.record_id for one in after] == [one.record_id for one in before]


@pytest.mark.parametrize("refused", ["later_refused", "all_refused"])
def test_a_key_is_never_sent_twice_in_one_request(
    served: ServedOrg, make: Callable[..., Leakwatch], refused: str
) -> None:
    key = "lw1:f:1"
    op = WriteOp("once", "Task", Verb.UPSERT, key, {"Subject": "T", "WhatId": served.deals[0]}, "test")
    with served.settings(repeated_upsert_key=refused):
        assert {one.status for one in make().writer.apply([op, op], run_id="run")} == {WriteStatus.DONE}
    assert keys(served, "Task") == [key]


@pytest.mark.parametrize("allowed", [True, False])
def test_posts_that_the_licence_forbids_are_set_aside_and_tasks_are_made(
    served: ServedOrg, make: Callable[..., Leakwatch], allowed: bool
) -> None:
    with served.settings(chatter_posts_allowed=allowed):
        results = make().writer.apply([task(served, 0), post(served, 0), post(served, 1)], run_id="run")
    reasons = [(one.status, one.code) for one in results]
    set_aside = (WriteStatus.REFUSED, "INSUFFICIENT_ACCESS_OR_READONLY")
    assert reasons == [(WriteStatus.DONE, "")] + [(WriteStatus.DONE, "") if allowed else set_aside] * 2
    assert len(served.org.query("SELECT Id FROM FeedItem")) == (2 if allowed else 0)


@pytest.mark.parametrize(("delay", "posts"), [(0, 1), (600, 2)])
def test_a_post_whose_answer_was_lost_is_made_once_where_it_can_be_read_at_once(
    served: ServedOrg, make: Callable[..., Leakwatch], delay: int, posts: int
) -> None:
    with served.settings(feed_item_delay_seconds=delay):
        served.fault(do="reset", effect="after", match="chatterPost", times=1)
        make().writer.apply([post(served, 0)], run_id="run")
        served.clock.advance(seconds=600)
        served.org.agenda.run_due()
    assert len(served.org.query("SELECT Id FROM FeedItem")) == posts


@pytest.mark.parametrize("editable", [True, False])
def test_a_reps_task_is_closed_or_left_as_it_is(
    served: ServedOrg, make: Callable[..., Leakwatch], editable: bool
) -> None:
    made = served.org.create("Task", {"Subject": "T", "OwnerId": served.rep}, user_id=served.bot)
    op = WriteOp("close", "Task", Verb.UPDATE, None, {"Status": "Completed"}, "test", record_id=made)
    with served.settings(others_activities_editable=editable):
        [result] = make().writer.apply([op], run_id="run")
    assert (result.status, result.code) == (
        (WriteStatus.DONE, "") if editable else (WriteStatus.REFUSED, "INSUFFICIENT_ACCESS_OR_READONLY")
    )


@pytest.mark.parametrize(
    ("switches", "hours"),
    [
        ({}, 1),
        ({"deleted_in_composite": False}, 1),
        ({"deleted_not_offered": ["Opportunity"]}, 7),
        ({"deleted_window_days": 0}, 48),
        ({"deleted_needs_covered_end": True}, 7),
        ({"delete_log_limit": 1, "purged_log_refused": True}, 7),
        ({"delete_log_limit": 1, "purged_log_refused": False}, 7),
    ],
    ids=str,
)
def test_what_was_deleted_for_good_leaves_the_mirror_whatever_the_org_says_of_its_delete_log(
    served: ServedOrg, make: Callable[..., Leakwatch], live: Live, switches: dict[str, Any], hours: int
) -> None:
    leakwatch = make()
    refresh(served, leakwatch, live)
    with served.settings(**switches):
        served.org.purge("Opportunity", served.deals[:3])
        served.clock.advance(hours=hours)
        assert refresh(served, leakwatch, live).complete
    assert sorted(row[0] for row in live.deals()) == sorted(served.deals[3:])
