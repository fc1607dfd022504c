"""A labelled world for matching: the hard cases that sales mailboxes hold, each many times, with the truth beside them.

The truth is laid down with each case, by what the case is about; no code of leakwatch's is asked. The same seed gives
the same world, in the format of docs/world-format.md (`python benchmarks/matching_world.py FILE` writes it).
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

OURS = "kuzeyruzgari.com.tr"
START = "2026-06-01T06:00:00Z"
MAIL_AT = "2026-05-{day:02d}T{hour:02d}:{minute:02d}:00Z"
REPS = ("deniz", "ayla", "mert", "ingrid")
FIRST = ("Ayşe", "Çağrı", "Gülşen", "İbrahim", "Özgür", "Şule", "Işıl", "Eve", "Jürgen", "Zoë", "Paul", "Mina")
LAST = ("Yılmaz", "Çelik", "Öztürk", "Şahin", "Doğan", "Güneş", "Adams", "Müller", "Nuñez", "Lindqvist", "Iğdır")
ASCII = str.maketrans("çğıöşüÇĞİÖŞÜëñ", "cgiosuCGIOSUen")
SUFFIXES = ("com", "com.tr", "co.uk", "de", "io", "com.br", "net")
FREE = ("gmail.com", "hotmail.com", "yahoo.com.tr", "gmx.de", "icloud.com", "mynet.com")
LINES = ("t-online.de", "ttmail.com", "comcast.net", "orange.fr", "mailinator.com", "yopmail.com")


class Maker:
    """Makes records and mails under running numbers; `case` names what is being made."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.records: list[dict[str, Any]] = []
        self.mails: list[dict[str, Any]] = []
        self.truth: list[dict[str, Any]] = []
        self.case = ""
        self._number = 0

    def number(self) -> int:
        self._number += 1
        return self._number

    def record(
        self, sobject: str, owner: str | None = None, created: str = "2025-01-10T09:00:00Z", **fields: Any
    ) -> str:
        ref = f"@{sobject[:4].lower()}:{self.number()}"
        body = {"ref": ref, "object": sobject, "fields": {k: v for k, v in fields.items() if v is not None}}
        self.records.append(body | {"created": created} | ({"owner": f"@user:{owner}"} if owner else {}))
        return ref

    def domain(self) -> str:
        return f"firma{self.number()}.{self.dice.choice(SUFFIXES)}"

    def account(self, domain: str | None = None, owner: str = "deniz", **fields: Any) -> str:
        if domain is not None:
            before = self.dice.choice(("https://www.", "www.", "http://", ""))
            fields.setdefault("Website", before + domain + self.dice.choice(("", "/", "/tr/iletisim")))
        return self.record("Account", owner, Name=f"Company {self.number()}", **fields)

    def name(self) -> tuple[str, str]:
        return self.dice.choice(FIRST), self.dice.choice(LAST)

    def address(self, name: tuple[str, str], domain: str) -> str:
        return f"{'.'.join(name).translate(ASCII).lower()}{self.number()}@{domain}"

    def contact(self, account: str | None, domain: str, owner: str = "deniz", **fields: Any) -> tuple[str, str]:
        """Make a contact; return its reference and `Name <address>`."""
        name = self.name()
        address = fields.pop("Email", None) or self.address(name, domain)
        created = fields.pop("created", "2025-01-10T09:00:00Z")
        shown = fields.pop("shown", address)
        ref = self.record(
            "Contact", owner, created, FirstName=name[0], LastName=name[1], Email=address, AccountId=account, **fields
        )
        return ref, f"{' '.join(name)} <{shown}>"

    def stranger(self, domain: str) -> str:
        name = self.name()
        return f"{' '.join(name)} <{self.address(name, domain)}>"

    def deal(self, account: str, owner: str = "deniz", **fields: Any) -> str:
        fields = {"StageName": "Negotiation", "CloseDate": "2026-07-31", "Amount": "1000"} | fields
        created = fields.pop("created", "2026-02-10T09:00:00Z")
        return self.record("Opportunity", owner, created, Name=f"Deal {self.number()}", AccountId=account, **fields)

    def role(self, deal: str, contact: str, *, primary: bool = False) -> None:
        self.record("OpportunityContactRole", OpportunityId=deal, ContactId=contact, IsPrimary=primary)

    def mail(
        self, sender: str, to: list[str], cc: list[str] | None = None, reply_to: str | None = None, **truth: Any
    ) -> str:
        """Make a mail; names without @ are reps. `truth`: who, account, deal; with none of them it is unmatched."""
        number = self.number()
        at = MAIL_AT.format(day=5 + number // 60 % 20, hour=7 + number % 10, minute=number % 60)
        if reply_to is not None:
            at = MAIL_AT.format(day=27, hour=7 + number % 10, minute=number % 60)
        one = {
            "id": f"m{number}",
            "at": at,
            "from": _us(sender),
            "to": [_us(x) for x in to],
            "cc": [_us(x) for x in cc or []],
        }
        one |= {
            "subject": truth.get("subject", "Teklif / offer"),
            "text": "Merhaba",
            "message_id": f"m{number}@mail.test",
        }
        self.mails.append(one | ({"reply_to": reply_to} if reply_to else {}))
        who, account, deal = truth.get("who", []), truth.get("account"), truth.get("deal")
        entry: dict[str, Any] = {"message_id": one["message_id"], "why": self.case}
        if who or account or deal:
            entry |= {"expect": "written", "who": who, "what": deal or account, "account": account}
        else:
            entry |= {"expect": "unmatched"}
        self.truth.append(entry)
        return one["id"]


def _us(name: str) -> str:
    return name if "@" in name else f"{name.capitalize()} Rep <{name}@{OURS}>"


# --- the cases: each makes its records and mails, and says what is right ---


def only_open_deal(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    c, one = m.contact(a, d)
    m.deal(a, StageName="Lost")
    m.mail(one, ["deniz"], who=[c], account=a, deal=m.deal(a))


def no_deal(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    c, one = m.contact(a, d)
    other, two = m.contact(a, d)
    m.mail("ayla", [one], [two], who=[c, other], account=a)


def deal_by_role(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    c, one = m.contact(a, d)
    _, deal = m.deal(a), m.deal(a)
    m.role(deal, c)
    m.mail("deniz", [one], who=[c], account=a, deal=deal)


def deal_by_primary_role(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    c, one = m.contact(a, d)
    x, y = m.deal(a), m.deal(a)
    m.role(x, c)
    m.role(y, c, primary=True)
    m.mail(one, ["deniz"], who=[c], account=a, deal=y)


def deal_by_owner(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    c, one = m.contact(a, d)
    m.deal(a, owner="ayla")
    m.mail(one, ["mert"], who=[c], account=a, deal=m.deal(a, owner="mert"))


def deal_by_team(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    c, one = m.contact(a, d)
    m.deal(a, owner="ayla")
    deal = m.deal(a, owner="deniz")
    m.record("OpportunityTeamMember", OpportunityId=deal, UserId="@user:ingrid")
    m.mail("ingrid", [one], who=[c], account=a, deal=deal)


def deal_at_work(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    c, one = m.contact(a, d)
    m.deal(a, created="2025-03-01T09:00:00Z", LastActivityDate="2025-09-01")
    m.mail(one, ["deniz"], who=[c], account=a, deal=m.deal(a, LastActivityDate="2026-05-14"))


def several_deals_and_none_clear(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    c, one = m.contact(a, d)
    m.deal(a), m.deal(a)
    m.mail(one, ["deniz"], who=[c], account=a)


def deals_of_another_time(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    c, one = m.contact(a, d)
    m.deal(a, CloseDate="2026-01-31", created="2025-06-01T09:00:00Z")
    m.deal(a, created="2026-06-01T05:00:00Z", CloseDate="2026-12-31")
    if m.dice.random() < 0.5:
        m.mail(one, ["deniz"], who=[c], account=a)
    else:
        m.mail(one, ["deniz"], who=[c], account=a, deal=m.deal(a))


def duplicate_by_deal(m: Maker) -> None:
    d = m.domain()
    a, b = m.account(d), m.account(None)
    address = m.address(m.name(), d)
    m.contact(b, d, Email=address, created="2020-01-01T00:00:00Z")
    c, one = m.contact(a, d, Email=address)
    m.mail(one, ["deniz"], who=[c], account=a, deal=m.deal(a))


def duplicate_by_activity(m: Maker) -> None:
    d = m.domain()
    a, b = m.account(None), m.account(None)
    address = m.address(m.name(), d)
    m.contact(b, d, Email=address, created="2020-01-01T00:00:00Z", LastActivityDate="2024-02-02")
    c, one = m.contact(a, d, Email=address, LastActivityDate="2026-04-20")
    m.mail("deniz", [one], who=[c], account=a)


def duplicate_by_age(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    address = m.address(m.name(), d)
    c, one = m.contact(a, d, Email=address, created="2020-01-01T00:00:00Z")
    m.contact(a, d, Email=address, created="2024-01-01T00:00:00Z")
    m.mail("deniz", [one], who=[c], account=a)


def job_changer(m: Maker) -> None:
    old, new = m.domain(), m.domain()
    a, b = m.account(old), m.account(new)
    _, was = m.contact(a, old)
    m.deal(a)
    name = was.split(" <")[0]
    c, now = m.contact(b, new)
    m.mail(f"{name} <{now.split('<')[1]}", ["deniz"], who=[c], account=b, deal=m.deal(b))


def job_changer_not_entered_yet(m: Maker) -> None:
    old, new = m.domain(), m.domain()
    a, b = m.account(old), m.account(new, owner="ayla")
    _, was = m.contact(a, old)
    m.deal(a)
    m.mail(f"{was.split(' <')[0]} <{m.address(m.name(), new)}>", ["deniz"], account=b)


def partner_in_copy(m: Maker) -> None:
    d, p = m.domain(), m.domain()
    a, b = m.account(d), m.account(p)
    c, one = m.contact(a, d)
    x, two = m.contact(b, p)
    deal, theirs = m.deal(a), m.deal(b)
    if m.dice.random() < 0.5:
        m.role(theirs, x)
    m.mail(*((one, ["deniz"]) if m.dice.random() < 0.5 else ("deniz", [one])), [two], who=[c, x], account=a, deal=deal)


def partner_with_a_role(m: Maker) -> None:
    d, p = m.domain(), m.domain()
    a, b = m.account(d), m.account(p)
    x, two = m.contact(b, p)
    deal = m.deal(a)
    m.role(deal, x)
    m.mail(two, ["deniz"], who=[x], account=b, deal=deal)


def converted_lead(m: Maker) -> None:
    d = m.domain()
    a = m.account(None)
    c, _ = m.contact(a, d, Email=f"office{m.number()}@{m.domain()}")
    m.deal(a)
    deal = m.deal(a)
    name = m.name()
    address = m.address(name, d)
    m.record(
        "Lead", "deniz", FirstName=name[0], LastName=name[1], Company="X", Email=address, Status="Converted",
        IsConverted=True, ConvertedContactId=c, ConvertedAccountId=a, ConvertedOpportunityId=deal,
    )  # fmt: skip
    m.mail(f"{' '.join(name)} <{address}>", ["deniz"], who=[c], account=a, deal=deal)


def lead(m: Maker) -> tuple[str, str]:
    name = m.name()
    address = m.address(name, m.domain())
    ref = m.record("Lead", "deniz", FirstName=name[0], LastName=name[1], Company="X", Email=address, Status="New")
    return ref, f"{' '.join(name)} <{address}>"


def lead_alone(m: Maker) -> None:
    ref, one = lead(m)
    m.mail(one, ["deniz"], who=[ref])


def lead_beside_a_contact(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    c, two = m.contact(a, d)
    _, one = lead(m)
    m.mail(one, ["deniz"], [two], who=[c], account=a, deal=m.deal(a))


def duplicate_lead(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    c, one = m.contact(a, d)
    address = one.split("<")[1].rstrip(">")
    m.record("Lead", "deniz", FirstName="X", LastName="Y", Company="X", Email=address, Status="New")
    m.mail(one, ["deniz"], who=[c], account=a)


def person_account(m: Maker) -> None:
    name = m.name()
    address = m.address(name, m.dice.choice(FREE))
    a = m.record("Account", "deniz", Name=" ".join(name), IsPersonAccount=True, PersonEmail=address)
    c, one = m.contact(a, "", Email=address)
    m.records[-2]["fields"]["PersonContactId"] = c
    m.mail(one, ["deniz"], who=[c], account=a, deal=m.deal(a))


def person_or_company(m: Maker) -> None:
    d = m.domain()
    address = m.address(m.name(), m.dice.choice(FREE))
    a = m.record("Account", "deniz", Name="Private", IsPersonAccount=True, PersonEmail=address)
    p, one = m.contact(a, "", Email=address)
    m.records[-2]["fields"]["PersonContactId"] = p
    b = m.account(d)
    c, _ = m.contact(b, d, Email=address)
    if m.dice.random() < 0.5:
        m.mail(one, ["deniz"], who=[p], account=a)
    else:
        m.mail(one, ["deniz"], [m.stranger(d)], who=[c], account=b)


def free_mail_known(m: Maker) -> None:
    a = m.account(m.domain())
    c, one = m.contact(a, m.dice.choice(FREE))
    m.mail(one, ["deniz"], who=[c], account=a, deal=m.deal(a))


def free_mail_unknown(m: Maker) -> None:
    d = m.dice.choice(FREE + LINES)
    m.contact(m.account(d if m.dice.random() < 0.3 else None), d)
    m.mail(m.stranger(d), ["deniz"])


def spelled_otherwise(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    c, one = m.contact(a, d)
    name, address = one.rstrip(">").split(" <")
    m.mail(f"{name} <{address.replace('@', '+crm@').title()}>", ["deniz"], who=[c], account=a)


def second_address(m: Maker) -> None:
    d, other = m.domain(), m.domain()
    a = m.account(d)
    c, one = m.contact(a, d, Other_Email__c=m.address(m.name(), other))
    second = m.records[-1]["fields"]["Other_Email__c"]
    m.mail(f"{one.split(' <')[0]} <{second}>", ["deniz"], who=[c], account=a)


def stranger_at_a_website(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    sub = m.dice.choice(("", "eu.", "mail.tr."))
    if m.dice.random() < 0.5:
        m.mail(m.stranger(sub + d), ["deniz"], account=a, deal=m.deal(a))
    else:
        m.deal(a, owner="ayla")
        m.mail("mert", [m.stranger(sub + d)], account=a)


def stranger_by_the_contacts(m: Maker) -> None:
    d = m.domain()
    a = m.account(None)
    m.contact(a, d), m.contact(a, d), m.contact(a, m.domain()), m.contact(a, m.dice.choice(FREE))
    m.mail(m.stranger(d), ["deniz"], account=a)


def subsidiaries(m: Maker) -> None:
    d = m.domain()
    top = m.account(None, owner="ayla")
    for _ in range(2):
        m.account(d, ParentId=top)
    m.mail(m.stranger(d), ["deniz"], account=top)


def namesakes(m: Maker) -> None:
    d = m.domain()
    a = m.account(d, owner="mert")
    m.account(d, owner="ayla")
    if m.dice.random() < 0.5:
        m.mail(m.stranger(d), ["mert"], account=a)
    else:
        m.mail(m.stranger(d), ["ingrid"])


def nearly_the_domain(m: Maker) -> None:
    d = m.domain()
    m.account(d)
    m.mail(m.stranger(m.dice.choice((f"not{d}", f"{d}.evil{m.number()}.net"))), ["deniz"])


def unknown_company(m: Maker) -> None:
    m.mail(m.stranger(m.domain()), ["deniz"])


def two_companies(m: Maker) -> None:
    d, e = m.domain(), m.domain()
    a, b = m.account(d), m.account(e)
    c, one = m.contact(a, d)
    x, two = m.contact(b, e)
    m.deal(b)
    m.mail("deniz", [one, two], who=[c, x], account=a, deal=m.deal(a))


def conversation(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    c, one = m.contact(a, d)
    x, two = m.contact(a, d)
    _, deal = m.deal(a), m.deal(a)
    m.role(deal, c)
    first = m.mail(one, ["deniz"], who=[c], account=a, deal=deal)
    m.mail(two, ["deniz"], reply_to=first, who=[x], account=a, deal=deal)


def conversation_goes_on_privately(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    c, one = m.contact(a, d)
    deal = m.deal(a)
    first = m.mail("deniz", [one], who=[c], account=a, deal=deal)
    m.mail(m.stranger(m.dice.choice(FREE)), ["deniz"], reply_to=first, account=a, deal=deal)


# --- cases in which the truth can't be had from the records, or only at times ---


def deal_named_in_the_subject(m: Maker) -> None:
    d = m.domain()
    a = m.account(d)
    c, one = m.contact(a, d)
    _, deal = m.deal(a), m.deal(a)
    name = next(record["fields"]["Name"] for record in m.records if record["ref"] == deal)
    m.mail(one, ["deniz"], who=[c], account=a, deal=deal, subject=f"About {name}")


def colleague_of_the_owner(m: Maker) -> None:
    """A rep who has nothing to do with the account's only deal writes: mostly about it, now and then not."""
    d = m.domain()
    a = m.account(d)
    c, one = m.contact(a, d)
    deal = m.deal(a, owner="ayla")
    m.mail("mert", [one], who=[c], account=a, deal=deal if m.dice.random() < 0.8 else None)


def another_matter(m: Maker) -> None:
    """Somebody with a role in one deal writes about the other one, now and then."""
    d = m.domain()
    a = m.account(d)
    c, one = m.contact(a, d)
    other, deal = m.deal(a), m.deal(a)
    m.role(deal, c)
    m.mail(one, ["deniz"], who=[c], account=a, deal=deal if m.dice.random() < 0.9 else other)


def adviser_entered_as_a_customer(m: Maker) -> None:
    """A law firm's partner stands among a customer's contacts, at times as the only one; then a clerk of it writes."""
    firm = m.domain()
    a = m.account(None)
    m.contact(a, firm)
    if m.dice.random() < 0.8:
        d = m.domain()
        m.contact(a, d), m.contact(a, d)
    m.mail(m.stranger(firm), ["deniz"])


CASES: tuple[Callable[[Maker], None], ...] = (
    only_open_deal, no_deal, deal_by_role, deal_by_primary_role, deal_by_owner, deal_by_team, deal_at_work,
    several_deals_and_none_clear, deals_of_another_time, duplicate_by_deal, duplicate_by_activity, duplicate_by_age,
    job_changer, job_changer_not_entered_yet, partner_in_copy, partner_with_a_role, converted_lead, lead_alone,
    lead_beside_a_contact, duplicate_lead, person_account, person_or_company, free_mail_known, free_mail_unknown,
    spelled_otherwise, second_address, stranger_at_a_website, stranger_by_the_contacts, subsidiaries, namesakes,
    nearly_the_domain, unknown_company, two_companies, conversation, conversation_goes_on_privately,
    deal_named_in_the_subject, colleague_of_the_owner, another_matter, adviser_entered_as_a_customer,
)  # fmt: skip


def make_world(each: int, *, seed: int = 20260601) -> dict[str, Any]:
    """Return a world with every case `each` times, as the JSON of its file."""
    maker = Maker(seed)
    for _ in range(each):
        for case in CASES:
            maker.case = case.__name__
            case(maker)
    users = [
        {
            "ref": f"@user:{name}", "first_name": name.capitalize(), "last_name": "Rep", "email": f"{name}@{OURS}",
            "role": "rep", "notice_date": "2026-01-01", "google": {"admin": name == "deniz"},
        }
        for name in REPS
    ]  # fmt: skip
    robot = {
        "ref": "@user:robot",
        "first_name": "leak",
        "last_name": "Watch",
        "email": f"bot@{OURS}",
        "role": "integration",
    }
    order = {name: place for place, name in enumerate(("Account", "Contact", "Opportunity"))}
    stages = {"Negotiation": "open", "Won": "won", "Lost": "lost"}
    return {
        "format": "leakwatch-world/1",
        "name": "matching",
        "seed": seed,
        "start": START,
        "company": {"name": "Kuzey", "domains": [OURS], "time_zone": "Europe/Istanbul", "currency": "TRY"},
        "users": [*users, robot],
        "custom_fields": {"Contact": [{"name": "Other_Email__c", "label": "Other e-mail", "type": "Email"}]},
        "stages": [
            {"value": value, "is_closed": meaning != "open", "is_won": meaning == "won"}
            for value, meaning in stages.items()
        ],
        "lead_statuses": [{"value": "New"}, {"value": "Converted", "is_converted": True}],
        "meanings": {"stage": stages, "lead_status": {"New": "open", "Converted": "closed"}},
        "records": sorted(maker.records, key=lambda record: order.get(record["object"], 9)),
        "mails": maker.mails,
        "truth": {"captures": maker.truth},
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(make_world(30), ensure_ascii=False, indent=1), encoding="utf-8")
