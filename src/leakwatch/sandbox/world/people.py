"""The generated company: its people, its customers and their contacts."""

from __future__ import annotations

from leakwatch.sandbox.world import names
from leakwatch.sandbox.world.builder import Account, Builder, Person
from leakwatch.sandbox.world.model import Json

COMPANY = "Karadeniz Makine A.Ş."
DOMAIN = "karadeniz-makine.example"
SECOND_DOMAIN = "kdm.example"

#: The share of customers that correspond with us.
TALKING_SHARE = 0.6

OPT_OUT_LABEL = "NoCRM"
BLOCKED_DOMAIN = "kanun-hukuk.example"


def company(build: Builder) -> Json:
    """The company's card."""
    body: Json = {
        "name": COMPANY,
        "domains": [DOMAIN, SECOND_DOMAIN],
        "time_zone": build.zone.key,
        "currency": "TRY",
        "locale": "tr_TR",
        "language": "tr",
        "fiscal_year_start_month": 1,
    }
    if build.size.multicurrency:
        body["currencies"] = {"TRY": "1", "EUR": "0.0225", "USD": "0.0244"}
    return body


def add_users(build: Builder) -> None:
    """Managers, reps, RevOps, an admin, the integration user, and one who left."""
    build.users.append(_user("revops", "Derya", "Alkan", "revops", title="Revenue Operations"))
    admin = _user("admin", "Sistem", "Yöneticisi", "admin", title="Administrator", notice=None)
    admin["google"] |= {"admin": True, "gmail": False}
    build.users.append(admin)
    build.users.append(_user("integration", "leakwatch", "Integration", "integration", notice=None, google=False))
    for index in range(build.size.managers):
        first, last = names.person(100 + index, turkish=index % 2 == 0)
        build.users.append(_user(f"manager{index + 1}", first, last, "manager", title="Sales Manager"))
    taken: set[str] = set()
    for index in range(build.size.reps):
        first, last = names.person(200 + index, turkish=index % 3 != 2)
        manager = f"@user:manager{index % build.size.managers + 1}"
        rep = _user(f"rep{index + 1}", first, last, "rep", title="Account Executive", manager=manager)
        alias = f"{rep['email'].partition('.')[0]}@{SECOND_DOMAIN}"
        if index % 2 == 0 and alias not in taken:  # who came first keeps the short one
            taken.add(alias)
            rep["google"]["aliases"] = [alias]
        rep["google"]["labels"] = [OPT_OUT_LABEL]
        build.users.append(rep)
    # The last rep was never told: the whole mailbox must stay unread.
    build.users[-1]["notice_date"] = None
    left = _user("left", "Kerem", "Uçar", "rep", title="Account Executive", manager="@user:manager1")
    left["active"] = False
    left["google"]["suspended"] = True
    build.users.append(left)
    build.queues.append(
        {
            "ref": "@queue:web",
            "name": "Web Leads",
            "objects": ["Lead"],
            "members": ["@user:rep1", "@user:rep2"],
            "email": f"web-leads@{DOMAIN}",
        }
    )


def _user(
    key: str,
    first: str,
    last: str,
    role: str,
    *,
    title: str | None = None,
    manager: str | None = None,
    notice: str | None = "2025-11-03",
    google: bool = True,
) -> Json:
    email = f"{names.ascii_word(first)}.{names.ascii_word(last)}@{DOMAIN}"
    body: Json = {"ref": f"@user:{key}", "first_name": first, "last_name": last, "email": email}
    body |= {"username": email, "title": title, "role": role, "manager": manager, "active": True}
    body |= {"notice_date": notice}
    body["google"] = {"aliases": []} if google else None
    return body


def add_customers(build: Builder) -> None:
    """Accounts and their contacts; some of them correspond, the others hold the deals that move."""
    talking = round(build.size.accounts * TALKING_SHARE)
    for index in range(build.size.accounts):
        name, domain, turkish = names.firm(index)
        owner = build.seller(index)["ref"]
        account = Account(f"@acc:{domain.partition('.')[0]}", name, domain, owner, turkish)
        created = build.at(-400 - index % 300, 10, index % 60)
        fields: Json = {"Name": name, "Website": f"https://www.{domain}", "Type": "Customer"}
        build.record(account.ref, "Account", fields, created=created, owner=owner)
        (build.talking if index < talking else build.quiet).append(account)
    for index in range(build.size.contacts):
        everyone = [*build.talking, *build.quiet]
        _add_contact(build, everyone[index % len(everyone)], index)


def _add_contact(build: Builder, account: Account, index: int) -> None:
    first, last = names.person(300 + index, turkish=account.turkish)
    local = f"{names.ascii_word(first)}.{names.ascii_word(last)}"
    taken = {person.email for person in account.contacts}
    email = f"{local}@{account.domain}"
    if email in taken:
        email = f"{local}{len(taken)}@{account.domain}"
    person = Person(f"@con:{build.number('contact')}", f"{first} {last}", email, account.ref, account.turkish)
    account.contacts.append(person)
    fields: Json = {
        "FirstName": first,
        "LastName": last,
        "Email": email,
        "AccountId": account.ref,
        "Title": names.TITLES[index % len(names.TITLES)],
    }
    build.record(person.ref, "Contact", fields, created=build.at(-380 + index % 200, 11), owner=account.owner)


def stages() -> list[Json]:
    """Sales stages, two languages side by side as grown orgs have them."""
    rows = [
        ("Prospecting", "Prospecting", False, False, 10, "Pipeline"),
        ("Teklif", "Teklif Verildi", False, False, 40, "Pipeline"),
        ("Negotiation", "Negotiation", False, False, 70, "BestCase"),
        ("Closed Won", "Closed Won", True, True, 100, "Closed"),
        ("Closed Lost", "Closed Lost", True, False, 0, "Omitted"),
        ("Kaybedildi", "Kaybedildi", True, False, 0, "Omitted"),
        ("Askıya Alındı", "Askıya Alındı", False, False, 5, "Omitted"),
        ("Vazgeçildi", "Vazgeçildi", True, False, 0, "Omitted"),
    ]
    keys = ("value", "label", "is_closed", "is_won", "probability", "forecast")
    return [dict(zip(keys, row, strict=True)) for row in rows]


STAGE_MEANINGS = {
    "Prospecting": "open", "Teklif": "open", "Negotiation": "open", "Closed Won": "won", "Closed Lost": "lost",
    "Kaybedildi": "lost", "Askıya Alındı": "suspended", "Vazgeçildi": "abandoned",
}  # fmt: skip

LEAD_STATUSES: list[Json] = [
    {"value": "Open - Not Contacted", "label": "Open - Not Contacted", "is_converted": False, "is_default": True},
    {"value": "Working - Contacted", "label": "Working - Contacted", "is_converted": False},
    {"value": "Görüşülüyor", "label": "Görüşülüyor", "is_converted": False},
    {"value": "Closed - Converted", "label": "Closed - Converted", "is_converted": True},
    {"value": "Olumsuz", "label": "Olumsuz", "is_converted": False},
]

LEAD_MEANINGS = {
    "Open - Not Contacted": "open", "Working - Contacted": "open", "Görüşülüyor": "open",
    "Closed - Converted": "closed", "Olumsuz": "closed",
}  # fmt: skip

CUSTOM_FIELDS: dict[str, list[Json]] = {
    "Opportunity": [
        {"name": "Loss_Reason__c", "label": "Kayıp Nedeni", "type": "Text", "length": 255},
        {"name": "Budget__c", "label": "Bütçe", "type": "Currency", "precision": 18, "scale": 2},
    ]
}


def meanings() -> Json:
    """What stages, statuses and fields of the company mean to leakwatch."""
    fields = {"loss_reason": "Loss_Reason__c", "budget": "Budget__c"}
    return {"stage": STAGE_MEANINGS, "lead_status": LEAD_MEANINGS, "fields": fields}


def capture(company: Json) -> Json:
    """What the company lets be captured of its mail."""
    return {
        "internal_domains": company["domains"],
        "blocked": [f"@{BLOCKED_DOMAIN}"],
        "opt_out_label": OPT_OUT_LABEL,
        "confidential_markers": ["[Confidential]", "[Gizli]"],
    }
