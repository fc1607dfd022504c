"""How often matching is right: person, account and opportunity of the mails of a labelled world.

Each mail goes the way it goes in capture: headers, copies of all mailboxes merged, the mirror's own address book, the
resolver; only the network is left out. Precision is right answers / answers given, coverage right answers / mails that
have a right answer; a wrong answer where the truth is "nobody can tell" counts against precision. A person is right
when all records are the right ones. Peer: the first record with the address, its account, that account's only open
deal, as the sync tools do that this was compared with.

A world of your own in the format of docs/world-format.md is scored the same way, as it stands at its start:
`python benchmarks/matching.py --world FILE`. Mails that the truth calls skipped are left out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

import matching_world
import measure

from leakwatch.core.mail import read_mail
from leakwatch.core.match import MatchRules, Resolver, lookup_addresses
from leakwatch.core.normalise import merge
from leakwatch.core.privacy import Insiders, outsiders
from leakwatch.core.tables import FieldSpec, MirrorConfig, fields_from_describe
from leakwatch.flows.capture_threads import Threads, deals_of
from leakwatch.model import Activity, AddressBook, Match, Principal, SourceRef
from leakwatch.sandbox.world import letters
from leakwatch.sandbox.world.model import World, instant
from leakwatch.sandbox.world.reader import parse_world, read_world
from leakwatch.store.address_book import address_book
from leakwatch.store.mirror import Mirror
from leakwatch.store.mirror_config import load_mirror_config
from leakwatch.store.mirror_derive import DeriveSettings

PREFIXES = {
    "Account": "001", "Contact": "003", "User": "005", "Opportunity": "006", "Lead": "00Q", "Group": "00G",
    "OpportunityContactRole": "00K", "OpportunityTeamMember": "00q",
}  # fmt: skip
KINDS = ("person", "account", "opportunity")
EACH = 30  # times that every case is made
WRONG = {"person": 0.5, "account": 1.0, "opportunity": 3.0}  # % of the answers given
MISSED = {"person": 1.0, "account": 2.0, "opportunity": 15.0}  # % of the mails that have a right answer
SHOWN = 20  # mistakes that --world lists

Answers = dict[str, frozenset[str]]  # kind -> ids


@dataclass
class Score:
    """What came of one kind of answer."""

    given: int = 0
    right: int = 0
    due: int = 0  # mails with a right answer
    silent: int = 0  # mails without one, and none was given
    mistakes: Counter[str] = field(default_factory=Counter)

    def count(self, found: frozenset[str], truth: frozenset[str], case: str) -> None:
        """Count one mail's answer."""
        self.given += bool(found)
        self.due += bool(truth)
        self.right += bool(truth) and found == truth
        self.silent += not truth and not found
        if found != truth:
            self.mistakes[case] += 1

    @property
    def wrong_share(self) -> float:
        """Wrong answers in % of those given."""
        return 100 * (self.given - self.right) / self.given if self.given else 0.0

    @property
    def missed_share(self) -> float:
        """Right answers not given, in % of those there are."""
        return 100 * (self.due - self.right) / self.due if self.due else 0.0


class Stage:
    """A world as it stands at its start: its mirror, its roster and its mails as read."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.refs = _ids(world)
        self.mirror = folder
        _fill(world, self.refs, folder)
        self.principals = [
            Principal(
                user["email"].lower(), "google", user["ref"], self.refs[user["ref"]], "",
                frozenset(one.lower() for one in user["google"].get("aliases", ())), None,
            )
            for user in world.users if user.get("google")
        ]  # fmt: skip
        self.domains = tuple(world.capture.get("internal_domains") or world.company["domains"])
        inside = [user["email"] for user in world.users] + [one for p in self.principals for one in p.addresses]
        self.insiders = Insiders(domains=self.domains, addresses=inside)
        self.truth = {item["message_id"]: item for item in world.truth.get("captures", ()) if self._in_force(item)}

    def _in_force(self, item: Mapping[str, Any]) -> bool:
        began = instant(item["from"]) <= self.world.start
        return began and (item.get("until") is None or instant(item["until"]) > self.world.start)

    def activities(self) -> list[tuple[Activity, Mapping[str, Any]]]:
        """Return (mail, its truth) of every mail that has one, oldest first."""
        found: list[tuple[Activity, Mapping[str, Any]]] = []
        for mail in self.world.mails:
            truth = self.truth.get(letters.message_id(mail, self.world))
            if truth is None or truth["expect"] == "skipped" or instant(mail["at"]) > self.world.start:
                continue
            copies = [copy for copy in self._copies(mail) if isinstance(copy, Activity)]
            if copies:
                found.append((self.insiders.mark(merge(copies)), truth))
        return sorted(found, key=lambda pair: (pair[0].start, pair[0].key))

    def _copies(self, mail: dict[str, Any]) -> Iterable[Any]:
        letter = letters.build(mail, self.world)
        for one in self.principals:
            sent = letter.sender in one.addresses
            plain = {
                f"{local.split('+', 1)[0]}@{rest}" for x in letter.recipients for local, _, rest in [x.partition("@")]
            }
            if not sent and not plain & one.addresses:
                continue
            headers = BytesHeaderParser().parsebytes(letter.raw_own if sent else letter.raw).items()
            ref = SourceRef("gmail", one.address, mail["id"])
            texts = [(name, str(value)) for name, value in headers]
            yield read_mail(ref, texts, owner=one, received_at=instant(mail["at"]), in_sent=sent)

    def right(self, truth: Mapping[str, Any]) -> Answers:
        """Return the right answers to a mail."""
        what = truth.get("what")
        deal = what if what is not None and self.refs[what].startswith("006") else None
        account = truth["account"] if "account" in truth else what if deal is None else self._account_of(deal)
        who = frozenset(self.refs[ref] for ref in truth.get("who") or ())
        return {"person": who, "account": self._set(account), "opportunity": self._set(deal)}

    def _account_of(self, deal: str) -> str:
        return next(record["fields"]["AccountId"] for record in self.world.records if record["ref"] == deal)

    def _set(self, ref: str | None) -> frozenset[str]:
        return frozenset({self.refs[ref]} if ref is not None else ())


def _ids(world: World) -> dict[str, str]:
    named = [("User", user["ref"]) for user in world.users] + [("Group", queue["ref"]) for queue in world.queues]
    named += [(record["object"], record["ref"]) for record in world.records]
    return {ref: f"{PREFIXES.get(sobject, 'a00')}{number:012d}AAA" for number, (sobject, ref) in enumerate(named)}


def _fill(world: World, refs: Mapping[str, str], folder: Path) -> None:
    config = load_mirror_config(measure.HERE.parent / "config" / "mirror.yaml")
    meanings: defaultdict[str, list[str]] = defaultdict(list)
    for stage, meaning in world.meanings.get("stage", {}).items():
        meanings[meaning].append(stage)
    roles = replace(config.opportunity, stage_meanings={name: tuple(some) for name, some in meanings.items()})
    config = replace(config, opportunity=roles)
    rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for user in world.users:
        active, kind = user.get("active", True), user.get("user_type", "Standard")
        row = {"Id": refs[user["ref"]], "Email": user["email"], "Username": user.get("username", user["email"])}
        name = f"{user['first_name']} {user['last_name']}"
        rows["User"].append(row | {"Name": name, "IsActive": active, "UserType": kind})
    closed = {stage["value"]: stage for stage in world.stages}
    for record in world.records:
        row = {
            name: refs.get(value, value) if isinstance(value, str) else value
            for name, value in record["fields"].items()
        }
        row |= {"Id": refs[record["ref"]], "IsDeleted": record.get("deleted", False)}
        row["CreatedDate"] = record.get("created") or world.as_json()["start"]
        if record.get("owner"):
            row.setdefault("OwnerId", refs[record["owner"]])
        if "LastName" in row:
            row.setdefault("Name", f"{row.get('FirstName', '')} {row['LastName']}".strip())
        if record["object"] == "Opportunity":
            stage = closed.get(row.get("StageName", ""), {})
            row |= {"IsClosed": stage.get("is_closed", False), "IsWon": stage.get("is_won", False)}
        rows[record["object"]].append(row)
    with Mirror(folder, config) as mirror:
        for sobject, some in rows.items():
            if config.object(sobject) is not None:
                fields = _fields(world, config, sobject, {name for row in some for name in row})
                plain = [{name: value for name, value in row.items() if name in fields} for row in some]
                mirror.merge(sobject, plain, fields=fields, watermark=world.start)
        mirror.derive(DeriveSettings(world.company["time_zone"], world.company["currency"]), now=world.start)
        mirror.publish(world.start, "00D000000000001AAA")


def _fields(world: World, config: MirrorConfig, sobject: str, given: set[str]) -> dict[str, FieldSpec]:
    """Return the fields of `given` that would be read: the configured ones, and custom e-mail fields."""
    spec = config.object(sobject)
    assert spec is not None
    fields = {item.name: item for item in spec.fields if item.name in given}
    custom = [
        one["name"] for one in world.custom_fields.get(sobject, ()) if one["type"] == "Email" and spec.find_emails
    ]
    describe = {"fields": [{"name": name, "type": "email"} for name in custom if name in given]}
    return fields | fields_from_describe(describe, custom)


class _Remembered:
    """The journal, as far as threads ask it: how the mails before matched."""

    def __init__(self) -> None:
        self.kept: dict[str, Match] = {}

    def matches(self, keys: Iterable[str]) -> Mapping[str, Match]:
        return {key: self.kept[key] for key in keys if key in self.kept}


def ours(stage: Stage) -> Iterable[tuple[Match, Mapping[str, Any]]]:
    """Yield (leakwatch's match, truth) of every mail."""
    journal = _Remembered()
    threads = Threads(journal)  # type: ignore[arg-type]  # the rest of a journal is not asked for
    span = (stage.world.start - timedelta(days=3650), stage.world.start + timedelta(days=1))
    rules = MatchRules(
        tuple(stage.principals),
        {one.address: span for one in stage.principals},
        shared_domains=frozenset(stage.domains),
    )
    pairs = stage.activities()
    addresses = {address for activity, _ in pairs for address in lookup_addresses(activity)}
    book = address_book(stage.mirror, addresses, shared=stage.domains)
    resolver = Resolver(book, rules)
    for activity, truth in pairs:
        before = threads.before([activity])
        assert deals_of(before) <= {deal.record_id for deals in book.open_opportunities.values() for deal in deals}
        match = journal.kept[activity.key] = resolver.resolve(activity, threads.nearest(activity, before))
        threads.note(match)
        yield match, truth


def peers(stage: Stage) -> Iterable[tuple[Answers, Mapping[str, Any]]]:
    """Yield (the peer's answers, truth) of every mail."""
    pairs = stage.activities()
    book = address_book(stage.mirror, {address for activity, _ in pairs for address in lookup_addresses(activity)})
    for activity, truth in pairs:
        yield _peer(activity, book), truth


def _peer(activity: Activity, book: AddressBook) -> Answers:
    known = [book.people[one.address][0] for one in outsiders(activity) if one.address in book.people]
    known = [one for one in known if one.sobject in ("Contact", "Lead") and not one.is_converted_lead]
    account = next((one.account_id for one in known if one.account_id), None)
    deals = book.open_opportunities.get(account or "", ())
    return {
        "person": frozenset(one.record_id for one in known),
        "account": frozenset({account} if account else ()),
        "opportunity": frozenset({deals[0].record_id} if len(deals) == 1 else ()),
    }


def answers(match: Match) -> Answers:
    """Return what a match says, by kind."""
    deal = match.what_id if match.what_id is not None and match.what_id.startswith("006") else None
    return {
        "person": frozenset(match.who_ids),
        "account": frozenset({match.account_id} if match.account_id else ()),
        "opportunity": frozenset({deal} if deal else ()),
    }


def score(stage: Stage, found: Iterable[tuple[Answers, Mapping[str, Any]]]) -> dict[str, Score]:
    """Return the score of each kind of answer."""
    scores = {kind: Score() for kind in KINDS}
    for given, truth in found:
        right = stage.right(truth)
        for kind in KINDS:
            scores[kind].count(given[kind], right[kind], str(truth.get("why", truth["message_id"])))
    return scores


def judge(world: World) -> measure.Outcome:
    """Return how leakwatch and the peer match the mails of `world`."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(world, Path(folder))
        scores = score(stage, ((answers(match), truth) for match, truth in ours(stage)))
        theirs = score(stage, peers(stage))
        mails = len(stage.activities())
    rows: list[tuple[str, str, str]] = []
    targets: list[measure.Target] = []
    for kind in KINDS:
        one, other = scores[kind], theirs[kind]
        rows += [
            (f"{kind}: precision", f"{100 - one.wrong_share:.2f} %", f"{100 - other.wrong_share:.2f} %"),
            (
                "  coverage of what has an answer",
                f"{100 - one.missed_share:.2f} %",
                f"{100 - other.missed_share:.2f} %",
            ),
            ("  answers given, and rightly none", f"{one.given}, {one.silent}", f"{other.given}, {other.silent}"),
        ]
        targets += [
            measure.Target(f"{kind}: wrong answers", one.wrong_share, WRONG[kind], " %"),
            measure.Target(f"{kind}: right answers missed", one.missed_share, MISSED[kind], " %"),
        ]
    samples = {kind: {"mistakes": dict(scores[kind].mistakes), "peer": dict(theirs[kind].mistakes)} for kind in KINDS}
    return measure.Outcome("matching", f"matching: {mails:,} labelled mails", rows, targets, samples=samples)


def run(*, pairs: int | None = None, scale: float = 1.0) -> measure.Outcome:
    """Score the labelled world; `scale` says how often each case is made (1.0: thirty times). `pairs` means nothing."""
    del pairs
    return judge(parse_world(matching_world.make_world(max(1, round(EACH * scale)))))


def main() -> int:
    """Score the world of a file; return 1 where a target is missed by far."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, help="a world in the format of docs/world-format.md (default: our own)")
    arguments = parser.parse_args()
    outcome = judge(read_world(arguments.world)) if arguments.world else run()
    measure.show(outcome)
    for kind, found in outcome.samples.items():
        for case, number in Counter(found["mistakes"]).most_common(SHOWN):
            print(f"  {kind} not as labelled: {number} x {case}")
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
