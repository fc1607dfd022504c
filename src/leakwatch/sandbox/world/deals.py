"""Deals that leak, deals that almost do, and deals of every day.

Boundaries, for an audit on local date A: overdue is CloseDate < A - 14; a lost deal counts while its stage
changed on A - 365 or later; a price deviates below 0.50 or above 1.25 of its reference.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from leakwatch.sandbox.world.builder import DAYS, Account, Builder
from leakwatch.sandbox.world.model import Json

OVERDUE_DAYS = 14
LOST_WINDOW_DAYS = 365
LOW, HIGH = Decimal("0.50"), Decimal("1.25")

OVERDUE, LOST, PRICE = "opp_close_overdue", "opp_lost_without_reason", "opp_price_deviation"

REASONS = ("Price", "Fiyat", "No budget", "Rakip seçildi", "Timing")
DEAL_WORDS = ("hat yenileme", "retrofit", "bakım sözleşmesi", "spare parts 2026", "kapasite artışı", "pilot line")


class Deals:
    """Makes opportunities on the quiet accounts, round and round."""

    def __init__(self, build: Builder) -> None:
        self.build = build
        self._turn = 0

    def account(self) -> Account:
        """The next account whose deals may move during the play."""
        self._turn += 1
        return self.build.quiet[self._turn % len(self.build.quiet)]

    def opportunity(
        self,
        stage: str,
        close: int,
        *,
        account: Account | None = None,
        created: int = -120,
        amount: int | str | None = None,
        first_amount: int | str | None = None,
        changed: str | None = "",
        reason: str | None = None,
        owner: str | None = None,
        deleted: bool = False,
        **fields: Any,
    ) -> str:
        """An opportunity as it stands at the start, with its first line of history.

        `changed` is the instant of the last stage change ("" for the usual one, None for an old record that
        has none); `first_amount` what it was created with.
        """
        build = self.build
        account = account or self.account()
        number = build.number("opportunity")
        money = amount if amount is not None else build.money(20_000, 400_000)
        created_at = build.at(created, 9, number % 60)
        moved = (
            (build.at(max(created, -30), 15) if stage != "Prospecting" else created_at) if changed == "" else changed
        )
        values: Json = {
            "Name": f"{account.name} – {DEAL_WORDS[number % len(DEAL_WORDS)]} {number}",
            "AccountId": account.ref,
            "StageName": stage,
            "CloseDate": build.iso(close),
            "Amount": str(money),
            "LastStageChangeDate": moved,
            "Loss_Reason__c": reason,
        }
        ref = f"@opp:{number}"
        who = owner or account.owner
        extra: Json = {"deleted": True} if deleted else {}
        # A record without a stage date was closed on its close date, and not touched since.
        modified = max(created_at, build.at(close, 15) if moved is None else moved)
        build.record(ref, "Opportunity", values | fields, created=created_at, modified=modified, owner=who, **extra)
        self.history(ref, created_at, "Prospecting", str(first_amount or money), build.iso(close), fields)
        return ref

    def history(self, ref: str, at: str, stage: str, amount: str, close: str, fields: Json) -> None:
        """One line of OpportunityHistory."""
        key = f"@hist:{self.build.number('history')}"
        values: Json = {"OpportunityId": ref, "StageName": stage, "Amount": amount, "CloseDate": close}
        if "CurrencyIsoCode" in fields:
            values["CurrencyIsoCode"] = fields["CurrencyIsoCode"]
        self.build.record(key, "OpportunityHistory", values, created=at)

    def lines(self, ref: str, listed: str, sold: str, quantity: str) -> None:
        """One line item; the catalogue entry is `@pbe:1`, its list price stands on the line."""
        key = f"@oli:{self.build.number('line')}"
        total = Decimal(sold) * Decimal(quantity)
        values: Json = {
            "OpportunityId": ref,
            "PricebookEntryId": "@pbe:1",
            "Product2Id": "@prod:1",
            "Quantity": quantity,
            "UnitPrice": sold,
            "ListPrice": listed,
            "TotalPrice": str(total),
        }
        self.build.record(key, "OpportunityLineItem", values, created=self.build.at(-100, 10))

    def owner(self, ref: str) -> str:
        """Who owns an opportunity."""
        return str(self.build.find(ref)["owner"])

    def change(self, at: str, ref: str, **fields: Any) -> None:
        """The owner edits the deal."""
        self.build.play(at, "update", record=ref, by=self.owner(ref), fields=fields)


def add_catalogue(build: Builder) -> None:
    """One product with one standard price: enough for line items to hang on."""
    at = build.at(-500, 9)
    build.record("@pb:standard", "Pricebook2", {"Name": "Standard", "IsActive": True, "IsStandard": True}, created=at)
    build.record("@prod:1", "Product2", {"Name": "Press P200", "IsActive": True}, created=at)
    fields: Json = {"Pricebook2Id": "@pb:standard", "Product2Id": "@prod:1", "UnitPrice": "1000", "IsActive": True}
    build.record("@pbe:1", "PricebookEntry", fields, created=at)


def overdue(deals: Deals) -> None:
    """Open deals past their close date."""
    build = deals.build

    def late(close: int, why: str, until: str | None = None, **more: Any) -> str:
        ref = deals.opportunity("Negotiation", close, created=min(-120, close - 60), **more)
        build.finding(OVERDUE, ref, build.at(close + OVERDUE_DAYS + 1, 0), until, why)
        return ref

    late(-15, "one day over, on the first day")
    late(-30, "a month late")
    late(-400, "forgotten for more than a year")
    late(-45, "its owner has left the company", owner="@user:left")
    mended = build.office_hours(3)
    deals.change(mended, late(-60, "baseline, moved on day 3", mended), CloseDate=build.iso(60))
    mended = build.office_hours(6)
    ref = late(-21, "baseline, won on day 6", mended, amount=90_000)
    deals.change(mended, ref, StageName="Closed Won", CloseDate=build.iso(6))
    late(-14, "new on day 1, nobody touches it")
    mended = build.office_hours(4)
    deals.change(mended, late(-13, "new on day 2, moved on day 4", mended), CloseDate=build.iso(45))
    ref = late(-12, "new on day 3; on day 5 the alert is closed and nothing mended")
    build.play(build.office_hours(5), "complete_alert_task", record=ref, by=deals.owner(ref), rule=OVERDUE)
    mended = build.office_hours(8)
    ref = late(-9, "new on day 6, lost with a reason on day 8", mended)
    deals.change(mended, ref, StageName="Closed Lost", CloseDate=build.iso(8), Loss_Reason__c="Price")
    _overdue_decoys(deals)


def _overdue_decoys(deals: Deals) -> None:
    build = deals.build
    edge = DAYS - OVERDUE_DAYS
    build.decoy(OVERDUE, deals.opportunity("Teklif", edge), "exactly 14 days late on the last day, never more")
    build.decoy(OVERDUE, deals.opportunity("Closed Won", -200, created=-300, amount=50_000), "won long ago")
    build.decoy(OVERDUE, deals.opportunity("Negotiation", -100, created=-200, deleted=True), "in the recycle bin")
    ref = deals.opportunity("Negotiation", -13, amount=70_000)
    deals.change(build.office_hours(1), ref, StageName="Closed Won")
    build.decoy(OVERDUE, ref, "won on day 1, the day before it would have been overdue")
    ref = deals.opportunity("Negotiation", -12)
    deals.change(build.office_hours(2), ref, CloseDate=build.iso(30))
    build.decoy(OVERDUE, ref, "moved on day 2, the day before it would have been overdue")


def lost(deals: Deals) -> None:
    """Deals given up without saying why."""
    build = deals.build
    far = 90

    def gone(stage: str, since: str, why: str, until: str | None = None, **more: Any) -> str:
        ref = deals.opportunity(stage, more.pop("close", -1), changed=since, created=-500, **more)
        build.finding(LOST, ref, since, until, why)
        return ref

    gone("Kaybedildi", build.at(-20, 15), "lost three weeks ago")
    gone("Vazgeçildi", build.at(-100, 15), "abandoned, reason empty")
    gone("Askıya Alındı", build.at(-5, 15), "suspended, reason of blanks only", close=far, reason="   ")
    gone("Closed Lost", build.at(DAYS - LOST_WINDOW_DAYS, 0, 30), "in the window on the last day, by local date only")
    ref = deals.opportunity("Closed Lost", -60, changed=None, created=-500)
    build.finding(LOST, ref, build.at(-60, 0), None, "no stage date: its close date counts")
    mended = build.office_hours(2)
    ref = gone("Kaybedildi", build.at(-40, 11), "baseline, reason given on day 2", mended)
    deals.change(mended, ref, Loss_Reason__c=REASONS[1])

    def drop(stage: str, day: int, why: str, until: str | None = None, **fields: Any) -> str:
        ref = deals.opportunity("Negotiation", 40)
        since = build.office_hours(day)
        deals.change(since, ref, StageName=stage, **fields)
        build.finding(LOST, ref, since, until, why)
        return ref

    mended = build.office_hours(5)
    ref = drop("Kaybedildi", 2, "lost on day 2, reason given on day 5", mended)
    deals.change(mended, ref, Loss_Reason__c=REASONS[3])
    ref = drop("Vazgeçildi", 4, "abandoned on day 4; on day 6 the alert is closed and nothing mended")
    build.play(build.office_hours(6), "complete_alert_task", record=ref, by=deals.owner(ref), rule=LOST)
    drop("Closed Lost", 7, "lost on day 7, nobody touches it")
    drop("Askıya Alındı", 3, "suspended on day 3, nobody touches it", CloseDate=build.iso(far))
    _lost_decoys(deals)


def _lost_decoys(deals: Deals) -> None:
    build = deals.build
    window = -LOST_WINDOW_DAYS
    ref = deals.opportunity("Kaybedildi", -10, changed=build.at(-10, 16), reason=REASONS[0])
    build.decoy(LOST, ref, "lost, with its reason")
    ref = deals.opportunity("Closed Lost", window - 1, changed=build.at(window - 1, 23, 30), created=-500)
    build.decoy(LOST, ref, "one day outside the window, by the last half hour")
    ref = deals.opportunity("Vazgeçildi", window - 1, changed=None, created=-500)
    build.decoy(LOST, ref, "no stage date, close date one day outside the window")
    ref = deals.opportunity("Kaybedildi", -30, changed=build.at(-30, 12), deleted=True)
    build.decoy(LOST, ref, "in the recycle bin")
    ref = deals.opportunity("Negotiation", 50)
    build.decoy(LOST, ref, "still open")
    ref = deals.opportunity("Negotiation", 30)
    deals.change(build.office_hours(4), ref, StageName="Kaybedildi", Loss_Reason__c=REASONS[4])
    build.decoy(LOST, ref, "lost on day 4 with its reason in the same edit")


def price(deals: Deals) -> None:
    """Won far from the price it should have had."""
    build = deals.build

    def won(why: str, *, leak: bool, listed: tuple[str, str, str] | None = None, **more: Any) -> str:
        since = build.at(-build.dice.randint(5, 80), 14)
        more.setdefault("created", -200)
        ref = deals.opportunity("Closed Won", -5, changed=since, **more)
        if listed is not None:
            deals.lines(ref, *listed)
        if leak:
            build.finding(PRICE, ref, since, None, why)
        else:
            build.decoy(PRICE, ref, why)
        return ref

    won("below half of its budget", leak=True, amount="49999.99", Budget__c="100000")
    won("exactly half of its budget", leak=False, amount="50000", Budget__c="100000")
    won("above 125 % of its budget", leak=True, amount="125000.01", Budget__c="100000")
    won("exactly 125 % of its budget", leak=False, amount="125000", Budget__c="100000")
    won("below half of the list price", leak=True, amount="4800", listed=("1000", "480", "10"))
    won("exactly half of the list price", leak=False, amount="5000", listed=("1000", "500", "10"))
    won(
        "budget of zero: the list price counts", leak=True, amount="12510", listed=("1000", "1251", "10"), Budget__c="0"
    )
    won(
        "the budget comes before the list price",
        leak=False,
        amount="9000",
        listed=("3000", "900", "10"),
        Budget__c="10000",
    )
    won("below half of its first amount", leak=True, amount="39999", first_amount="80000")
    won("exactly half of its first amount", leak=False, amount="40000", first_amount="80000")
    won("exactly 125 % of its first amount", leak=False, amount="100000", first_amount="80000")
    if build.size.multicurrency:
        won("below half, all in euros", leak=True, amount="9000", Budget__c="20000", CurrencyIsoCode="EUR")
        won("sound in euros", leak=False, amount="19000", Budget__c="20000", CurrencyIsoCode="EUR")
    ref = won("baseline, mended on day 5", leak=True, amount="20000", first_amount="90000")
    mended = build.office_hours(5)
    build.findings[-1]["until"] = mended
    deals.change(mended, ref, Amount="88000")
    _price_during(deals)


def _price_during(deals: Deals) -> None:
    build = deals.build

    def wins(day: int, final: str, why: str, until: str | None, **more: Any) -> str:
        ref = deals.opportunity("Negotiation", 30, **more)
        since = build.office_hours(day)
        deals.change(since, ref, StageName="Closed Won", Amount=final, CloseDate=build.iso(day))
        build.finding(PRICE, ref, since, until, why)
        return ref

    mended = build.office_hours(5)
    ref = wins(2, "30000", "won on day 2 too cheap, corrected on day 5", mended, amount="80000")
    deals.change(mended, ref, Amount="78000")
    ref = wins(
        6, "15000", "won on day 6 too cheap; on day 8 the alert is closed and nothing mended", None, amount="75000"
    )
    build.play(build.office_hours(8), "complete_alert_task", record=ref, by=deals.owner(ref), rule=PRICE)
    wins(9, "140000", "won on day 9 far above its budget", None, amount="100000", Budget__c="100000")
    ref = deals.opportunity("Negotiation", 20, amount="60000")
    deals.change(build.office_hours(3), ref, StageName="Closed Won", Amount="30000", CloseDate=build.iso(3))
    build.decoy(PRICE, ref, "won on day 3 at exactly half of its first amount")


def everyday(deals: Deals, until: int) -> None:
    """Sound deals, until there are `until` opportunities in all."""
    build = deals.build
    for index, account in enumerate(build.talking):
        for _ in range((1, 2, 0, 1)[index % 4]):
            close = build.dice.randint(DAYS + 6, 120)
            account.open_deals.append(deals.opportunity("Negotiation", close, account=account, created=-90))
    while build.number("everyday") and build.count("Opportunity") < until:
        turn = build.dice.random()
        accounts = build.quiet if turn < 0.35 else [*build.talking, *build.quiet]
        account = build.dice.choice(accounts)
        if turn < 0.35:
            stage = build.dice.choice(["Prospecting", "Teklif", "Negotiation"])
            deals.opportunity(
                stage, build.dice.randint(DAYS + 1, 150), account=account, created=-build.dice.randint(5, 110)
            )
        elif turn < 0.65:
            _sound_win(deals, account)
        else:
            day = -build.dice.randint(3, 300)
            stage = build.dice.choice(["Closed Lost", "Kaybedildi", "Vazgeçildi"])
            reason = build.dice.choice(REASONS)
            deals.opportunity(stage, day, account=account, created=day - 90, changed=build.at(day, 13), reason=reason)


def _sound_win(deals: Deals, account: Account) -> None:
    build = deals.build
    day = -build.dice.randint(3, 300)
    amount = build.money(20_000, 400_000)
    first = round(amount / build.dice.uniform(0.8, 1.15))
    more: Json = {}
    if build.dice.random() < 0.3:
        more["Budget__c"] = str(round(amount / build.dice.uniform(0.7, 1.1)))
    deals.opportunity(
        "Closed Won", day, account=account, created=day - 90, changed=build.at(day, 13), amount=amount,
        first_amount=first, **more,
    )  # fmt: skip
