"""Our Gmail client against the sandbox's Google, which judges by its own ground truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from leakwatch.clients.google import GoogleClient, GoogleConnection
from leakwatch.clients.google_services import DirectoryClient, GmailClient
from leakwatch.clients.limiter import DIRECTORY, GMAIL_2026, Limiter, Quota
from leakwatch.clients.retry import RetryPolicy
from leakwatch.clock import SettableClock, SystemClock
from leakwatch.core.backfill_search import known_terms
from leakwatch.core.mail import WANTED_HEADERS
from leakwatch.core.match_domains import website_domain
from leakwatch.core.normalise import merge
from leakwatch.core.privacy import PrivacyRules
from leakwatch.errors import AuthError
from leakwatch.flows.capture import CaptureDoors, CaptureOptions, capture
from leakwatch.flows.capture_report import CaptureReport
from leakwatch.model import Activity, AddressBook, Principal, WriteOp, WriteResult
from leakwatch.sources.gmail import GmailOptions, GmailSource
from leakwatch.store.database import metadata, open_engine
from leakwatch.store.journal import SqlJournal
from sandbox.server.harness import Running

ADMIN = "sistem.yoneticisi@karadeniz-makine.example"
Make = Callable[..., "Reader"]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("sandbox") / "s", "--world", "small", "--no-deploy")
    running.control("POST", "/save", {"name": "fresh"})
    yield running
    running.stop()


@pytest.fixture
def make(fresh: Running, tmp_path: Path) -> Iterator[Callable[..., Reader]]:
    made: list[Reader] = []

    def build(**options: Any) -> Reader:
        made.append(Reader(fresh, tmp_path, **options))
        return made[-1]

    yield build
    for reader in made:
        reader.client.close()
        reader.engine.dispose()


@pytest.fixture
def fresh(sandbox: Running) -> Running:
    sandbox.control("POST", "/restore", {"name": "fresh"})
    sandbox.control("DELETE", "/faults")
    sandbox.control("POST", "/quota", {"profile": "generous"})
    return sandbox


class Nowhere:
    """No Salesforce: these tests end at the journal."""

    def apply(self, ops: Sequence[WriteOp], *, run_id: str) -> Sequence[WriteResult]:
        raise AssertionError("nothing is to be written")

    def fetch(self, sobject: str, ids: Sequence[str], fields: Sequence[str]) -> Any:
        raise AssertionError("nothing is to be fetched")


class Reader:
    """One leakwatch that reads the sandbox's mailboxes."""

    def __init__(
        self, sandbox: Running, folder: Path, *, scope: Any = "metadata", terms: Sequence[str] | None = None
    ) -> None:
        self.sandbox = sandbox
        self.terms = (lambda: terms) if terms is not None else None
        google = sandbox.info["google"]
        self.waits = SettableClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.limiter = Limiter(
            self.waits, {"google": Quota(10**9, 10**9, GMAIL_2026.costs), "google_directory": DIRECTORY}
        )
        self.client = GoogleClient(
            GoogleConnection(
                Path(google["service_account_file"]),
                scope=scope,
                gmail_url=google["api_url"],
                directory_url=google["api_url"],
                ca_file=Path(sandbox.info["ca_file"]),
            ),
            limiter=self.limiter,
            retry=RetryPolicy(self.waits.sleep, attempts=8),
            wall=SystemClock(),
        )
        self.client.allow([ADMIN])
        self.roster = self._roster()
        self.client.allow([one.address for one in self.roster])
        self.gmail = GmailClient(self.client, batch_size=20, wanted_headers=WANTED_HEADERS)
        self.engine = open_engine(folder / f"{id(self)}.db", durable=False)
        metadata.create_all(self.engine)
        self.journal = SqlJournal(self.engine)

    def _roster(self) -> list[Principal]:
        notices = {one["email"]: one["notice_date"] for one in self.world["users"]}
        found: list[Principal] = []
        for row in DirectoryClient(self.client, admin=ADMIN).users():
            address = str(row["primaryEmail"])
            told = notices.get(address)
            if not row.get("suspended"):
                aliases = frozenset(str(alias) for alias in row.get("aliases") or ())
                day = date.fromisoformat(told) if told else None
                found.append(Principal(address, "google", str(row["id"]), None, aliases=aliases, notice_date=day))
        return found

    @property
    def world(self) -> dict[str, Any]:
        return json.loads((self.sandbox.folder / "world.json").read_text(encoding="utf-8"))

    def read(self) -> CaptureReport:
        rules = self.world["capture"]
        options = CaptureOptions(
            company_domains=tuple(rules["internal_domains"]),
            privacy=PrivacyRules(
                never_log=tuple(rules["blocked"]), subject_markers=tuple(rules["confidential_markers"])
            ),
        )
        source = GmailSource(
            self.gmail,
            GmailOptions(opt_out_labels=(rules["opt_out_label"],), page_size=7, thread_from=2, known_terms=self.terms),
            known=self.journal.known_ids,
        )
        nowhere = Nowhere()
        doors = CaptureDoors([source], self.journal, no_book, nowhere, nowhere, lambda _: {}, self.limiter.spent)
        now = datetime.fromisoformat(self.sandbox.control("GET", "/clock")["now"])
        return capture(self.roster, doors, options, run_id="r", now=now, write=False)

    @property
    def activities(self) -> list[Activity]:
        return [merge(waiting.copies) for waiting in self.journal.unsettled()]

    @property
    def message_ids(self) -> list[str]:
        return sorted(one.message_id or "?" for one in self.activities)


def no_book(_addresses: Iterable[str]) -> AddressBook:
    return AddressBook({}, {})


def expected(sandbox: Running) -> list[str]:
    """Message-IDs that must be in the journal by now, says the sandbox."""
    now = datetime.fromisoformat(sandbox.control("GET", "/clock")["now"])
    rows = sandbox.control("GET", "/truth")["captures"]
    live = [row for row in rows if "from" not in row or datetime.fromisoformat(row["from"]) <= now]
    live = [row for row in live if not row.get("until") or datetime.fromisoformat(row["until"]) > now]
    return sorted(row["message_id"] for row in live if row["expect"] in ("written", "unmatched"))


@pytest.mark.parametrize("scope", ["metadata", "readonly"])
def test_the_first_read_brings_each_wanted_mail_once_and_no_other(fresh: Running, make: Make, scope: str):
    reader = make(scope=scope)
    report = reader.read()
    assert report.complete
    assert len(expected(fresh)) > 50
    assert reader.message_ids == expected(fresh)
    assert reader.limiter.calls()["threads.get"] > 0  # conversations came as such


def test_read_again_at_once_nothing_is_fetched(fresh: Running, make: Make):
    reader = make()
    reader.read()
    before = reader.limiter.calls()["messages.get"]
    assert reader.read().items_seen == 0
    assert reader.limiter.calls()["messages.get"] == before


def test_read_day_by_day_for_two_weeks_everything_is_there(fresh: Running, make: Make):
    reader = make()
    for _ in range(7):
        reader.read()
        fresh.control("POST", "/clock", {"advance_seconds": 2 * 86_400})
    assert reader.read().complete
    assert reader.message_ids == expected(fresh)


def test_with_faults_on_every_fifth_call_the_outcome_is_the_same(fresh: Running, make: Make):
    reader = make()
    rules = [
        {"service": "google", "match": "messages", "status": 503, "every": 5},
        {"service": "google", "match": "messages/", "status": 429, "retry_after": 3, "every": 7},
        {"service": "google", "match": "batch", "do": "truncate", "every": 6},
        {"service": "google", "match": "batch", "do": "reset", "every": 7},
        {"service": "google", "match": "GET .*messages\\?", "do": "empty_page", "every": 4},
        {"service": "google", "match": "history", "status": 500, "every": 3},
    ]
    fresh.control("POST", "/faults", {"rules": rules})
    report = reader.read()
    assert report.mailboxes_failed == {}
    assert reader.message_ids == expected(fresh)


GMAIL = "/gmail/v1/users/|/batch/"
UNREADABLE: dict[str, dict[str, Any]] = {
    "a web page": {"do": "html"},
    "cut": {"do": "truncate"},
    "damaged": {"do": "damage_gzip"},
    "a list": {"status": 200, "body": [1]},
    "nothing in it": {"status": 200, "body": {}},
    "other things in it": {"status": 200, "body": {"historyId": "7", "messages": "x", "history": 5, "labels": [5]}},
    "records that are none": {"status": 200, "body": {"historyId": "7", "messages": [5], "history": [5]}},
    "changes of no mail": {
        "status": 200,
        "body": {"historyId": "7", "history": [{"messagesAdded": [{"message": 5}]}], "messages": [1]},
    },
    "refused": {"status": 403},
    "an hour's rest": {"status": 429, "retry_after": 3600},
}


@pytest.mark.parametrize("when", ["at the first read", "later"])
def test_an_answer_that_says_nothing_costs_a_cycle_and_no_mail(
    fresh: Running, make: Make, when: str, capfd: pytest.CaptureFixture[str]
):
    reader = make()
    if when == "later":
        assert reader.read().complete
        fresh.control("POST", "/clock", {"advance_seconds": 3 * 86_400})
    everybody = reader.roster
    reader.roster = [one for one in everybody if one.notice_date is not None][:2]
    for name, rule in UNREADABLE.items():
        fresh.control("POST", "/faults", {"service": "google", "match": GMAIL, **rule})
        report = reader.read()
        fresh.control("DELETE", "/faults")
        assert not report.complete, name
        said = [*report.mailboxes_failed.values(), *report.mailboxes_parked.values()]
        assert [one for one in said if not one or "unexpected" in one] == [], name
    assert "Traceback" not in "".join(capfd.readouterr())
    fresh.control("POST", "/clock", {"advance_seconds": 86_400})  # what was parked is tried again after a while
    reader.waits.sleep(3600)
    reader.roster = everybody
    assert reader.read().complete
    assert reader.message_ids == expected(fresh)


def test_a_forgotten_history_is_reconciled_without_loss_or_doubles(fresh: Running, make: Make):
    reader = make()
    reader.read()
    fresh.control("POST", "/clock", {"advance_seconds": 3 * 86_400})
    fresh.control("POST", "/history/expire", {})
    stored = reader.limiter.calls()["messages.get"]
    report = reader.read()
    assert report.reconciled >= 1
    assert reader.message_ids == expected(fresh)
    assert reader.limiter.calls()["messages.get"] - stored < stored


def test_a_token_withdrawn_in_mid_walk_is_renewed(fresh: Running, make: Make):
    reader = make()
    reader.read()
    fresh.control("POST", "/sessions/expire", {"service": "google"})
    fresh.control("POST", "/clock", {"advance_seconds": 86_400})
    assert reader.read().complete
    assert reader.message_ids == expected(fresh)


def test_a_suspended_colleague_is_parked_and_the_others_are_read(fresh: Running, make: Make):
    reader = make()
    victim = next(one.address for one in reader.roster if one.notice_date is not None)
    fresh.control("POST", "/accounts", {"address": victim, "suspended": True})
    report = reader.read()
    assert list(report.mailboxes_parked) == [victim]
    assert report.mailboxes_read == sum(one.notice_date is not None for one in reader.roster) - 1


def test_nobody_off_the_roster_is_opened(fresh: Running, make: Make):
    reader = make()
    reader.client.allow([])
    fresh.control("DELETE", "/ledger")
    with pytest.raises(AuthError):
        reader.gmail.profile(reader.roster[0].address)
    assert fresh.control("GET", "/ledger")["google_tokens_minted"] == {}


def test_a_mails_copies_agree_and_its_direction_is_the_senders(fresh: Running, make: Make):
    reader = make()
    reader.read()
    merged = [one for one in reader.activities if len(one.refs) > 1]
    assert merged
    ours = {address for one in reader.roster if one.notice_date for address in one.addresses}
    for one in reader.activities:
        sender = one.participants[0].address
        assert (one.direction == "outbound") == (sender in ours), one.message_id


def test_the_environments_certificates_do_not_get_in_the_way(make: Make, monkeypatch: pytest.MonkeyPatch):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "HTTPLIB2_CA_CERTS"):
        monkeypatch.setenv(name, "/nowhere/ca.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert make().roster


def test_narrowed_to_whom_salesforce_knows_all_that_is_to_be_written_is_there_for_fewer_units(
    fresh: Running, make: Make
):
    everything = make(scope="readonly")
    everything.read()
    world = everything.world
    fields = [one["fields"] for one in world["records"]]
    addresses = [one[name] for one in fields for name in ("Email", "PersonEmail") if one.get(name)]
    domains = [website_domain(one["Website"]) or "" for one in fields if one.get("Website")]
    own = world["capture"]["internal_domains"]
    some = make(scope="readonly", terms=known_terms(addresses, domains, own=own))
    assert some.read().complete
    now = datetime.fromisoformat(fresh.control("GET", "/clock")["now"])
    rows = [row for row in fresh.control("GET", "/truth")["captures"] if row["expect"] == "written"]
    rows = [row for row in rows if "from" not in row or datetime.fromisoformat(row["from"]) <= now]
    wanted = {row["message_id"] for row in rows if not row.get("until") or datetime.fromisoformat(row["until"]) > now}
    assert wanted <= set(some.message_ids) < set(everything.message_ids)
    assert some.limiter.spent()["google"] < everything.limiter.spent()["google"]
