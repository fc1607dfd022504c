"""The contract of every file in `actions/`: found by file name, one key per message for ever, safe with any text."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

import leakwatch.actions
from finding_sample import MONDAY, OTHER_OWNER, OWNER, mark, opportunity_id
from leakwatch.core.fingerprint import marker, owner_key
from leakwatch.core.task_updates import UPDATE_KINDS
from leakwatch.core.tasks import TaskWords
from leakwatch.errors import RecordError
from leakwatch.model import Delivery, Severity, Verb, WriteOp

NAMES = sorted(module.name for module in pkgutil.iter_modules(leakwatch.actions.__path__))
WORDS = TaskWords("Başlamadı", "Tamamlandı", frozenset({"Tamamlandı"}), {Severity.HIGH: "Yüksek"})
KEY = owner_key(mark(1), 1, 1)


def module(name):
    return importlib.import_module(f"leakwatch.actions.{name}")


def action(name, **settings):
    return module(name).create(module(name).Settings(**settings), WORDS)


def delivery(channel, **changes):
    values = {
        "key": KEY,
        "channel": channel,
        "recipient_id": OWNER,
        "kind": "new",
        "fingerprints": (mark(1),),
        "record_id": opportunity_id(1),
        "title": "Late: Deal 1",
        "body": "what, why, fix",
        "due_on": date(2026, 11, 25),
        "severity": Severity.HIGH,
        "created_at": MONDAY,
        "mentions": (OWNER,),
    }
    return Delivery(**(values | changes))


def test_both_actions_are_found():
    assert {"salesforce_task", "chatter_post"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_action_is_named_as_its_file_and_says_what_it_does(name):
    assert action(name).name == name
    assert module(name).__doc__


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_strict_have_defaults_and_explain_themselves(name):
    settings = module(name).Settings
    assert issubclass(settings, BaseModel)
    settings()
    with pytest.raises(ValidationError):
        settings(no_such_setting=1)
    assert all(field.description for field in settings.model_fields.values())


@pytest.mark.parametrize("name", NAMES)
def test_planning_twice_gives_the_same_writes(name):
    assert action(name).plan(delivery(name)) == action(name).plan(delivery(name))


@pytest.mark.parametrize("name", NAMES)
def test_write_carries_the_key_of_its_message(name):
    (op,) = action(name).plan(delivery(name))
    assert isinstance(op, WriteOp)
    assert op.op_id == KEY
    assert op.key
    assert op.reason


@pytest.mark.parametrize("name", NAMES)
@given(text=st.text(max_size=200), size=st.integers(1, 2000), emoji=st.booleans())
def test_any_text_fits_what_salesforce_takes(name, text, size, emoji):
    long = (text + ("😀" if emoji else "ş")) * size
    (op,) = action(name).plan(delivery(name, title=long[:5000], body=long[:50_000]))
    limits = {"Subject": 255, "Description": 32_000, "text": 10_000}
    for field, value in op.fields.items():
        if field in limits:
            assert len(value.encode("utf-16-le", "surrogatepass")) // 2 <= limits[field]


# --- Task ---


def task_fields(**changes):
    (op,) = action("salesforce_task").plan(delivery("salesforce_task", **changes))
    return op.fields


def test_task_is_inserted_with_the_orgs_own_words():
    (op,) = action("salesforce_task").plan(delivery("salesforce_task"))
    assert (op.verb, op.sobject, op.key) == (Verb.INSERT, "Task", KEY)
    assert op.fields == {
        "Subject": "Late: Deal 1",
        "Description": "what, why, fix",
        "OwnerId": OWNER,
        "Status": "Başlamadı",
        "Priority": "Yüksek",
        "ActivityDate": date(2026, 11, 25),
        "IsReminderSet": False,
        "WhatId": opportunity_id(1),
    }


@pytest.mark.parametrize("record", ["00Q000000000001AAA", "003000000000001AAA"])
def test_lead_or_contact_is_who_and_never_beside_a_what(record):
    fields = task_fields(record_id=record)
    assert fields["WhoId"] == record
    assert "WhatId" not in fields


@pytest.mark.parametrize("record", [None, "", "005000000000001AAA", "02s000000000001AAA", "00k000000000001AAA"])
def test_record_that_takes_no_tasks_is_not_related(record):
    fields = task_fields(record_id=record)
    assert "WhatId" not in fields
    assert "WhoId" not in fields


def test_priority_is_left_to_the_org_where_it_has_no_word_for_it():
    assert "Priority" not in task_fields(severity=Severity.LOW)


def test_admins_words_stand_above_the_orgs():
    own = action("salesforce_task", open_status="Neu", closed_status="Fertig", priorities={"high": "1"}, due_date=False)
    (op,) = own.plan(delivery("salesforce_task"))
    assert (op.fields["Status"], op.fields["Priority"]) == ("Neu", "1")
    assert "ActivityDate" not in op.fields
    (closing,) = own.plan(delivery("salesforce_task", kind="resolved", remote_id="00T1"))
    assert closing.fields["Status"] == "Fertig"


@pytest.mark.parametrize("kind", ["resolved", "excepted", "superseded"])
def test_settled_task_is_closed_with_the_orgs_own_status(kind):
    (op,) = action("salesforce_task").plan(delivery("salesforce_task", kind=kind, remote_id="00T1", body="text"))
    assert (op.verb, op.record_id, op.key) == (Verb.UPDATE, "00T1", None)
    assert op.fields == {"Status": "Tamamlandı", "Description": "text"}


@pytest.mark.parametrize(
    "kind", sorted(kind for kind in UPDATE_KINDS if kind.endswith("_note") or kind == "still_open")
)
def test_note_only_writes_the_text(kind):
    (op,) = action("salesforce_task").plan(delivery("salesforce_task", kind=kind, remote_id="00T1", body="text"))
    assert op.fields == {"Description": "text"}


def test_growth_raises_the_priority():
    (op,) = action("salesforce_task").plan(delivery("salesforce_task", kind="grew", remote_id="00T1", body="text"))
    assert op.fields == {"Description": "text", "Priority": "Yüksek"}


def test_update_without_its_task_is_refused_alone():
    with pytest.raises(RecordError, match="which Task"):
        action("salesforce_task").plan(delivery("salesforce_task", kind="resolved"))


# --- post ---


def post_text(**changes):
    (op,) = action("chatter_post").plan(delivery("chatter_post", **changes))
    return op.fields["text"]


def test_post_mentions_people_and_ends_with_its_marker():
    (op,) = action("chatter_post").plan(delivery("chatter_post", mentions=(OWNER, OTHER_OWNER)))
    assert (op.verb, op.key) == (Verb.POST, marker(KEY))
    assert op.fields["subjectNameOrId"] == opportunity_id(1)
    assert op.fields["text"] == f"@[{OWNER}] @[{OTHER_OWNER}] what, why, fix\n{marker(KEY)}"


def test_crm_text_can_neither_mention_people_nor_tag_topics():
    text = post_text(body="deal @[005000000000666AAA] #[secret]")
    assert "@[005000000000666AAA]" not in text
    assert "#[secret]" not in text


def test_marker_stays_when_the_text_is_cut():
    assert post_text(body="x" * 50_000).endswith("\n" + marker(KEY))


def test_only_so_many_people_are_mentioned_as_set():
    (op,) = action("chatter_post", max_mentions=1).plan(delivery("chatter_post", mentions=(OWNER, OTHER_OWNER)))
    assert OTHER_OWNER not in op.fields["text"]


@pytest.mark.parametrize("changes", [{"record_id": None}, {"kind": "resolved", "remote_id": "00T1"}])
def test_what_cannot_be_a_post_is_refused_alone(changes):
    with pytest.raises(RecordError, match="can't be a post"):
        action("chatter_post").plan(delivery("chatter_post", **changes))


def test_two_messages_have_two_markers():
    other = replace(delivery("chatter_post"), key=owner_key(mark(1), 1, 2))
    (one,), (two,) = (action("chatter_post").plan(item) for item in (delivery("chatter_post"), other))
    assert one.key != two.key
