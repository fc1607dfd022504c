"""One world drives both providers: the same letters, drafts and moves in either; faults and the control API."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from leakwatch.sandbox.clock import VirtualClock
from leakwatch.sandbox.colleagues import Colleagues
from leakwatch.sandbox.control import calendars
from leakwatch.sandbox.control import microsoft as control
from leakwatch.sandbox.control.desk import Call
from leakwatch.sandbox.faults import FaultBook, FaultError, Rule
from leakwatch.sandbox.google.calendar_store import CalendarStore
from leakwatch.sandbox.google.directory import Directory
from leakwatch.sandbox.google.meetings import Meetings
from leakwatch.sandbox.google.post import PostOffice
from leakwatch.sandbox.google.store import MailStore
from leakwatch.sandbox.mail_room import MailRoom
from leakwatch.sandbox.microsoft.call import GraphRequest
from leakwatch.sandbox.microsoft.exchange import Exchange
from leakwatch.sandbox.microsoft.store import Mailboxes
from leakwatch.sandbox.microsoft.tenant import Tenant
from leakwatch.sandbox.stage import StageError
from leakwatch.sandbox.world import seed
from leakwatch.sandbox.world.captures import evaluate_captures
from leakwatch.sandbox.world.check import WorldError
from leakwatch.sandbox.world.generate import generate
from leakwatch.sandbox.world.meetings import seed_meetings
from leakwatch.sandbox.world.model import World, at_microsoft
from leakwatch.sandbox.world.play import Player
from leakwatch.sandbox.world.reader import parse_world
from sandbox.microsoft.tenant_desk import ANN, BOB, ORIGIN, TenantDesk

RITA, BERT = "rita@twodesks.example", "bert@twodesks.example"
WORLD: dict[str, Any] = {
    "format": "leakwatch-world/1", "name": "two", "start": "2026-03-02T05:00:00Z",
    "company": {"name": "Two", "domains": ["twodesks.example"], "time_zone": "Europe/Berlin", "currency": "EUR"},
    "users": [
        {"ref": "@user:rita", "first_name": "Rita", "last_name": "Rep", "email": RITA, "role": "rep",
         "notice_date": "2025-10-01", "google": {"aliases": ["r@twodesks.example"], "labels": ["NoCRM"]}},
        {"ref": "@user:bert", "first_name": "Bert", "last_name": "Boss", "email": BERT, "role": "manager",
         "notice_date": "2025-10-01", "google": {}},
    ],
    "stages": [{"value": "Open", "is_closed": False, "is_won": False}], "lead_statuses": [{"value": "New"}],
    "meanings": {"stage": {"Open": "open"}, "lead_status": {"New": "open"}},
    "mails": [
        {"id": "in", "at": "2026-02-26T09:00:00Z", "from": "Ann <ann@mill.example>", "to": ["r@twodesks.example"],
         "cc": [BERT], "subject": "Stones"},
        {"id": "out", "at": "2026-02-26T10:00:00Z", "from": RITA, "to": ["ann@mill.example"], "subject": "Re: Stones",
         "reply_to": "in"},
        {"id": "secret", "at": "2026-02-26T11:00:00Z", "from": "ann@mill.example", "to": [RITA], "subject": "Private",
         "labels": {RITA: ["INBOX", "NoCRM"]}},
        {"id": "spam", "at": "2026-02-26T12:00:00Z", "from": "win@spam.example", "to": [RITA], "subject": "Win",
         "labels": {RITA: ["SPAM", "UNREAD"]}},
        {"id": "d1", "at": "2026-03-03T09:00:00Z", "from": RITA, "to": ["ann@mill.example", BERT], "subject": "Offer",
         "message_id": "<d@twodesks.example>", "held": True},
        {"id": "late", "at": "2026-03-03T10:00:00Z", "from": "ann@mill.example", "to": [RITA], "subject": "Late"},
    ],
    "timeline": [
        {"at": "2026-03-03T09:00:00Z", "do": "draft", "draft": "d", "mailbox": RITA, "mail": "d1"},
        {"at": "2026-03-03T09:05:00Z", "do": "draft", "draft": "d", "mailbox": RITA, "mail": "d1"},
        {"at": "2026-03-03T09:10:00Z", "do": "send_draft", "draft": "d", "mailbox": RITA, "mail": "d1"},
        {"at": "2026-03-03T11:00:00Z", "do": "move", "mail": "spam", "mailbox": RITA, "to": "not_spam"},
        {"at": "2026-03-03T11:05:00Z", "do": "move", "mail": "in", "mailbox": RITA, "to": "trash"},
        {"at": "2026-03-03T11:10:00Z", "do": "label", "mail": "late", "mailbox": RITA, "add": ["NoCRM"]},
    ],
}  # fmt: skip


def world(*microsoft: str) -> World:
    """The world with the mailboxes of these users at Microsoft."""
    body = copy.deepcopy(WORLD)
    body["users"] = [at_microsoft(user) if user["email"] in microsoft else user for user in body["users"]]
    return parse_world(body)


def played(folder: Path, *microsoft: str) -> tuple[MailRoom, list[dict[str, Any]]]:
    """Both providers after the world was played for three days, and what went wrong on the way."""
    folder.mkdir(exist_ok=True)
    story = world(*microsoft)
    clock = VirtualClock(None, story.start)
    store = MailStore(folder / "mail.sqlite", clock)
    mailboxes = Mailboxes(store)
    room = MailRoom(PostOffice(store, Directory(store)), Exchange(mailboxes, Tenant(mailboxes)))
    seed.seed_mailboxes(story, room)
    org = SimpleNamespace(agenda=SimpleNamespace(next_at=lambda: None))
    player = Player(story, cast(Any, org), room, cast(Any, None), clock)
    events = player.play_until(story.start + timedelta(days=3))
    return room, [event for event in events if "error" in event]


def letters_of(room: MailRoom, mailbox: str) -> dict[str, str]:
    """Message-ID -> where it lies, in the words of Microsoft's folders, whoever has the mailbox."""
    if room.microsoft.has(mailbox):
        names = {folder.id: folder.well_known for folder in room.microsoft.mailboxes.folders(mailbox)}
        items = room.microsoft.mailboxes.where(mailbox, "1", [])
        return {item.message_id.strip("<>"): names[item.folder] for item in items}
    store = room.google.store
    words = {"INBOX": "inbox", "SENT": "sentitems", "DRAFT": "drafts", "SPAM": "junkemail", "TRASH": "deleteditems"}
    found: dict[str, str] = {}
    for number, key in store.db.execute("SELECT id, message_id FROM message WHERE mailbox = ?", (mailbox,)).fetchall():
        labels = store.labels_of(mailbox, number)
        found[key] = next(words[label] for label in labels if label in words)
    return found


@pytest.mark.parametrize("microsoft", [(RITA, BERT), (RITA,), (BERT,)])
def test_the_same_letters_lie_in_the_same_places_whoever_has_the_mailboxes(
    tmp_path: Path, microsoft: tuple[str, ...]
) -> None:
    google, wrong = played(tmp_path / "google")
    other, failed = played(tmp_path / "other", *microsoft)
    assert (wrong, failed) == ([], [])
    for mailbox in (RITA, BERT):
        assert letters_of(other, mailbox) == letters_of(google, mailbox)
    assert letters_of(other, RITA)["d@twodesks.example"] == "sentitems"
    assert letters_of(other, BERT)["d@twodesks.example"] == "inbox"


def test_labels_of_a_world_are_categories_where_no_folder_is_called_so(tmp_path: Path) -> None:
    room, _ = played(tmp_path / "m", RITA)
    mailboxes = room.microsoft.mailboxes
    found = {item.subject: item.categories for item in mailboxes.where(RITA, "categories <> '[]'", [])}
    assert found == {"Private": ["NoCRM"], "Late": ["NoCRM"]}


def test_what_must_become_of_each_mail_does_not_depend_on_whose_the_mailboxes_are() -> None:
    now = world().start + timedelta(days=5)
    assert evaluate_captures(world(RITA, BERT), now) == evaluate_captures(world(), now)


def test_a_user_has_an_account_at_google_or_at_microsoft() -> None:
    body = copy.deepcopy(WORLD)
    body["users"][0]["microsoft"] = {}
    body["users"][1] = {key: value for key, value in body["users"][1].items() if key != "google"}
    body["users"][1]["microsoft"] = {"mailbox": "elsewhere"}
    with pytest.raises(WorldError) as caught:
        parse_world(body)
    assert "users[0].microsoft: a user has an account at Google or at Microsoft, not at both" in caught.value.problems
    assert any("users[1].microsoft.mailbox" in problem for problem in caught.value.problems)


def test_a_suspended_google_account_is_at_microsoft_a_blocked_one_without_a_licence(tmp_path: Path) -> None:
    body = copy.deepcopy(WORLD)
    body["users"][0]["google"] |= {"suspended": True, "gmail": True}
    body["users"] = [at_microsoft(user) for user in body["users"]]
    story = parse_world(body)
    store = MailStore(tmp_path / "mail.sqlite", VirtualClock(None, story.start))
    mailboxes = Mailboxes(store)
    room = MailRoom(PostOffice(store, Directory(store)), Exchange(mailboxes, Tenant(mailboxes)))
    seed.seed_mailboxes(story, room)
    seed.suspend_accounts(story, room)
    user = room.microsoft.tenant.by_address(RITA) or {}
    assert (user["accountEnabled"], user["mailbox"], user["assignedLicenses"]) == (False, "none", [])
    assert mailboxes.count(RITA) == 4
    store.close()


def calendars_of(folder: Path, mailboxes: str) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """(calendar, event) -> UID and state of its copies, two weeks into a generated world of this provider."""
    folder.mkdir()
    story = generate("small", 1, mailboxes=mailboxes)
    clock = VirtualClock(None, story.start)
    store = MailStore(folder / "mail.sqlite", clock)
    boxes = Mailboxes(store)
    room = MailRoom(PostOffice(store, Directory(store)), Exchange(boxes, Tenant(boxes)))
    story.mails.clear()
    everybody = Colleagues(room.google.directory, room.microsoft.tenant)
    meetings = Meetings(CalendarStore(store, story.company["time_zone"]), everybody)
    seed.seed_mailboxes(story, room)
    seed_meetings(story, meetings)
    seed.suspend_accounts(story, room)
    story.timeline[:] = [event for event in story.timeline if event["do"] == "meeting"]
    org = SimpleNamespace(agenda=SimpleNamespace(next_at=lambda: None))
    played = Player(story, cast(Any, org), room, meetings, clock).play_until(story.start + timedelta(days=14))
    assert [event for event in played if "error" in event] == []
    rows = store.db.execute("SELECT calendar, id, uid, json_extract(body, '$.status') FROM event").fetchall()
    return {(calendar, name): [(uid, state)] for calendar, name, uid, state in rows}


def test_a_worlds_meetings_are_in_the_same_calendars_whoever_keeps_them(tmp_path: Path) -> None:
    google = calendars_of(tmp_path / "google", "google")
    assert len(google) > 20
    assert calendars_of(tmp_path / "microsoft", "microsoft") == google
    assert calendars_of(tmp_path / "both", "both") == google


# -- faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "InvalidAuthenticationToken"), (403, "ErrorAccessDenied"), (410, "SyncStateNotFound"),
     (429, "ApplicationThrottled"), (503, "serviceNotAvailable"), (504, "UnknownError")],
)  # fmt: skip
def test_a_fault_answers_with_graphs_body_of_its_status_and_a_retry_after_header(status: int, code: str) -> None:
    rule = Rule.from_json({"service": "microsoft", "status": status, "retry_after": 7})
    given, headers, body = rule.reply("GET /v1.0/users/a/messages")
    assert (given, json.loads(body)["error"]["code"], headers["Retry-After"]) == (status, code, "7")
    assert json.loads(body)["error"]["innerError"]["request-id"] == headers["request-id"]


def test_a_fault_of_the_token_endpoint_answers_as_entra(desk: TenantDesk) -> None:
    rule = Rule.from_json({"service": "microsoft", "status": 503, "match": "oauth2"})
    _, _, body = rule.reply("POST /acme.example/oauth2/v2.0/token")
    assert json.loads(body)["error_codes"] == [90033]


def test_replays_and_repetitions_are_of_graph_alone() -> None:
    for deed in ("replay", "repeat"):
        Rule.from_json({"service": "microsoft", "do": deed})
        with pytest.raises(FaultError):
            Rule.from_json({"service": "google", "do": deed})


def test_a_part_of_a_batch_is_faulted_by_itself(desk: TenantDesk) -> None:
    book = FaultBook()
    book.add(Rule.from_json({"service": "microsoft", "status": 429, "match": "bob", "retry_after": 3}))
    parts = [{"id": one, "method": "GET", "url": f"/users/{one}/messages"} for one in (ANN, BOB)]
    found = {one["id"]: one for one in desk.batch(parts, book.graph_part_fault).body["responses"]}
    assert (found[ANN]["status"], found[BOB]["status"]) == (200, 429)
    assert found[BOB]["headers"]["Retry-After"] == "3"


# -- control ---------------------------------------------------------------------------------------


def steer(desk: TenantDesk, path: str, body: dict[str, Any]) -> Any:
    """One call of the control API's Microsoft part."""
    room = MailRoom(PostOffice(desk.file, Directory(desk.file)), desk.exchange)
    stage = SimpleNamespace(post=room, clock=desk.clock, world=world(), meetings=desk.meetings)
    handler = next(
        handler for verb, name, handler in [*control.ROUTES, *calendars.ROUTES] if (verb, name) == ("POST", path)
    )
    return handler(cast(Any, SimpleNamespace(stage=stage, graph=desk.graph)), Call(body, {}, {}))


def test_control_delivers_moves_and_deletes_mail(desk: TenantDesk) -> None:
    mail = {"from": "zoe@customer.example", "to": [ANN], "subject": "Now", "message_id": "<now@customer.example>"}
    placed = steer(desk, "/mail/deliver", mail)["mailboxes"]
    path = f"/users/{ANN}/messages/{desk.id_of(placed[ANN])}?$select=parentFolderId"
    move = {"mailbox": ANN, "message_id": "<now@customer.example>"}
    steer(desk, "/mail/move", move | {"to": "Inbox/Customers"})
    folder = desk.get(f"/users/{ANN}/mailFolders/inbox/childFolders")["value"][0]
    assert desk.get(path)["parentFolderId"] == folder["id"]
    steer(desk, "/mail/move", move | {"to": "delete"})
    assert desk.refused(path) == (404, "ErrorItemNotFound")
    with pytest.raises(StageError):
        steer(desk, "/mail/move", move | {"to": "trash"})


def test_control_makes_meetings_in_calendars_at_microsoft_with_exchanges_kind_of_uid(desk: TenantDesk) -> None:
    times = {name: {"dateTime": f"2026-03-10T1{hour}:00:00Z"} for hour, name in enumerate(("start", "end"))}
    event = {"organizer": ANN, "summary": "Demo", "attendees": [BOB]} | times
    made = steer(desk, "/calendar/events", {"do": "create", "event": event})
    assert made["calendars"] == [ANN, BOB]
    path = f"/users/{BOB}/calendarView?startDateTime=2026-03-01&endDateTime=2026-04-01"
    assert desk.get(path)["value"][0]["iCalUId"] == made["iCalUID"]
    assert made["iCalUID"].startswith("040000008200E00074C5B7101A82E00800000000")
    steer(desk, "/calendar/events", {"do": "cancel", "event": made["id"]})
    assert desk.get(path)["value"][0]["isCancelled"] is True


def test_control_throttles_a_mailbox_parks_it_expires_its_tokens_and_takes_its_licence(desk: TenantDesk) -> None:
    path = f"/users/{ANN}/messages"
    steer(desk, "/microsoft/throttle", {"mailbox": ANN, "seconds": 30})
    assert desk.ask(path).headers["Retry-After"] == "30"
    assert desk.ask(f"/users/{BOB}/messages").status == 200
    steer(desk, "/microsoft/throttle", {"mailbox": ANN, "seconds": 0})
    link = desk.round(f"/users/{ANN}/mailFolders/inbox/messages/delta")[1]
    steer(desk, "/microsoft/delta/expire", {"mailbox": ANN})
    assert desk.ask(link).status == 410
    steer(desk, "/microsoft/application", {"denied_mailboxes": [ANN]})
    assert desk.refused(path) == (403, "ErrorAccessDenied")
    steer(desk, "/microsoft/application", {"denied_mailboxes": []})
    steer(desk, "/microsoft/users", {"address": ANN, "mailbox": "none"})
    assert desk.refused(path) == (404, "MailboxNotEnabledForRESTAPI")
    desk.now += 1
    steer(desk, "/microsoft/tokens/expire", {})
    assert desk.refused("/users") == (401, "InvalidAuthenticationToken")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/microsoft/settings", {"expired_delta": "shrug"}), ("/microsoft/settings", {"nothing": 1}),
        ("/microsoft/limits", {"mailbox_requests": -1}), ("/microsoft/throttle", {"mailbox": "x@y", "seconds": 1}),
        ("/microsoft/application", {"nothing": 1}), ("/microsoft/users", {"address": "x@y"}),
        ("/microsoft/users", {"address": ANN, "mailbox": "nowhere"}), ("/mail/deliver", {"nothing": 1}),
    ],
)  # fmt: skip
def test_control_refuses_what_makes_no_sense(desk: TenantDesk, path: str, body: dict[str, Any]) -> None:
    with pytest.raises((StageError, ValueError)):
        steer(desk, path, body)


def test_requests_are_counted_by_mailbox_and_operation(desk: TenantDesk) -> None:
    desk.get(f"/users/{ANN}/messages")
    desk.get(f"/users/{ANN}/mailFolders")
    desk.get("/users")
    assert desk.graph.throttle.requests == {ANN: 2}
    assert desk.calls == ["messages.list", "mailFolders.list", "users.list"]
    assert desk.graph.answer(GraphRequest("GET", "/v1.0/users", origin=ORIGIN)).status == 401
