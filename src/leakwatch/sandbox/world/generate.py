"""Making a world by size and seed: the same two always give the same world, to the byte."""

from __future__ import annotations

import random

from leakwatch.sandbox.world import appointment_cases, deals, follow_ups, million, oddmail, people, prospects
from leakwatch.sandbox.world.builder import DAYS, SIZES, Builder
from leakwatch.sandbox.world.mailing import LEAD_REACH, REACH, Mailing
from leakwatch.sandbox.world.model import DEFAULT_DELEGATION, PROVIDERS, Json, World, at_microsoft
from leakwatch.sandbox.world.reader import parse_world


def generate(size: str, seed: int, *, scale: float = 1.0, mailboxes: str = PROVIDERS[0]) -> World:
    """A world of this size (`small`, `medium`, `large`, `million`), or that share of everything in it but its people.

    `mailboxes`: one of PROVIDERS; it changes nothing else in the world. Raises WorldError for more of `million` than
    memory should hold.
    """
    world = _generated(size, seed, scale)
    if mailboxes == PROVIDERS[0]:
        return world
    users = [
        user if mailboxes == "both" and number % 2 == 0 else at_microsoft(user)
        for number, user in enumerate(world.users)
    ]
    return parse_world(world.as_json() | {"users": users})


def _generated(size: str, seed: int, scale: float) -> World:
    if size == million.NAME:
        return parse_world(million.of_scale(scale, seed).whole().as_json())
    build = Builder(SIZES[size].scaled(scale), seed, random.Random(f"{size}:{seed}"))
    company = people.company(build)
    people.add_users(build)
    people.add_customers(build)
    deals.add_catalogue(build)
    _deals(build)
    _leads(build)
    _mails(build)
    meetings, meeting_truth = appointment_cases.add(build)
    build.timeline.sort(key=lambda event: event["at"])
    build.findings.sort(key=lambda item: (item["rule"], item["from"], item["record"]))
    world = World(
        name=size,
        seed=seed,
        start=build.start,
        days=DAYS,
        audit_time="06:00",
        company=company,
        users=build.users,
        queues=build.queues,
        custom_fields=people.CUSTOM_FIELDS,
        stages=people.stages(),
        lead_statuses=people.LEAD_STATUSES,
        meanings=people.meanings(),
        capture=people.capture(company),
        records=_in_order(build.records),
        mails=_parents_first(build.mails),
        timeline=build.timeline,
        truth={
            "findings": build.findings,
            "decoys": build.decoys,
            "captures": build.captures,
            "meetings": meeting_truth,
        },
        meetings=sorted(meetings, key=lambda meeting: str(meeting["at"])),
        delegation=list(DEFAULT_DELEGATION),
    )
    build.findings += follow_ups.findings(world)
    return parse_world(world.as_json())


#: Objects in the order in which they can refer to each other.
ORDER = (
    "Account", "Contact", "Lead", "Pricebook2", "Product2", "PricebookEntry", "Opportunity", "OpportunityHistory",
    "OpportunityLineItem", "Task", "Event", "EmailMessage", "EmailMessageRelation",
)  # fmt: skip


def _in_order(records: list[Json]) -> list[Json]:
    return sorted(records, key=lambda record: ORDER.index(record["object"]))


def _parents_first(mails: list[Json]) -> list[Json]:
    """By time; a reply comes after what it answers, because it was made so."""
    return sorted(mails, key=lambda mail: mail["at"])


def _deals(build: Builder) -> None:
    maker = deals.Deals(build)
    for _ in range(build.size.repeat):
        deals.overdue(maker)
        deals.lost(maker)
        deals.price(maker)
    build.number("everyday")
    deals.everyday(maker, build.size.opportunities)


def _leads(build: Builder) -> None:
    maker = prospects.Prospects(build)
    for _ in range(build.size.repeat):
        prospects.stale(maker)
        prospects.decoys(maker)
    prospects.everyday(maker, build.size.leads)


def _mails(build: Builder) -> None:
    mailing = Mailing(build)
    for lead in build.mail_leads:
        mailing.thread(-LEAD_REACH, -2, build.dice.randint(1, 3), lead=lead)
    for _ in range(build.size.repeat):
        oddmail.spam_rescued(mailing)
        oddmail.draft_sent(mailing)
        for first, last in ((-REACH, -2), (1, DAYS - 2)):
            oddmail.quiet_cases(mailing, first, last)
            for count in (0, 1, 2):
                mailing.thread(first, last, 3, account=mailing.account(count))
            mailing.two_reps(first, last)
            mailing.colleague_in_cc(first, last, next(u for u in build.users if u["role"] == "manager"))
            mailing.to_alias(first, last, plus=False)
            mailing.to_alias(first, last, plus=True)
            mailing.with_bcc(first, last)
            mailing.with_stranger(first, last)
            mailing.bounce(first, last)
            mailing.auto_reply(first, last)
            mailing.invitation(first, last)
            mailing.newsletter(first, last)
            mailing.stranger(first, last)
            mailing.internal(first, last)
    oddmail.to_the_one_who_left(mailing, -REACH, -2)
    _fill(build, mailing, -REACH, -2, build.size.mails_before, before=True)
    _fill(build, mailing, 0, DAYS - 2, build.size.mails_during, before=False)
    oddmail.label_churn(mailing, build.mails)


def _fill(build: Builder, mailing: Mailing, first: int, last: int, wanted: int, *, before: bool) -> None:
    """Conversations of every day, until there are as many mails as wanted."""
    edge = build.at(0, 5)
    seen = there = 0
    for _ in range(wanted):
        there += sum(1 for mail in build.mails[seen:] if (mail["at"] <= edge) == before)
        seen = len(build.mails)
        if there >= wanted:
            return
        turn = build.dice.random()
        if turn < 0.66:
            mailing.thread(first, last, build.dice.randint(2, 5))
        elif turn < 0.78:
            mailing.newsletter(first, last)
        elif turn < 0.88:
            mailing.internal(first, last)
        elif turn < 0.95:
            mailing.stranger(first, last)
        else:
            mailing.two_reps(first, last)
