"""Every tie-breaker of matching, with its reason and the runners-up; and what must hold whatever comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture_samples import ANN, BOB, NINE, activity
from leakwatch.core.match import MatchRules, Resolver
from leakwatch.core.match_domains import registrable, walk, website_domain
from leakwatch.core.privacy import Insiders
from leakwatch.model import (
    AddressBook,
    Company,
    DomainAccount,
    Match,
    MatchBasis,
    OpenOpportunity,
    Person,
)

YEAR = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
US = Insiders(domains=["ourco.com"], addresses=[])
ANN_USER, BOB_USER = Person("005ANN", "User", "Ann"), Person("005BOB", "User", "Bob")
EVE = Person("003EVE", "Contact", "Eve", "001ACME")
DEAL = OpenOpportunity("006A", "001ACME", "Line A", "005ANN")
OTHER = OpenOpportunity("006B", "001ACME", "Line B", "005ANN")
COMPANIES = {one: Company(one, one[3:].title()) for one in ("001ACME", "001SUB", "001TOP")}


def resolve(
    people: dict[str, Any] | None = None,
    deals: tuple[OpenOpportunity, ...] = (),
    *,
    domains: dict[str, tuple[DomainAccount, ...]] | None = None,
    companies: dict[str, Company] | None = None,
    earlier: Match | None = None,
    shared: frozenset[str] = frozenset(),
    as_of: datetime | None = None,
    **mail: Any,
) -> Match:
    known = {"ann@ourco.com": (ANN_USER,), "bob@ourco.com": (BOB_USER,)}
    known |= {name: one if isinstance(one, tuple) else (one,) for name, one in (people or {}).items()}
    by_account: dict[str, tuple[OpenOpportunity, ...]] = {}
    for deal in deals:
        by_account[deal.account_id] = (*by_account.get(deal.account_id, ()), deal)
    book = AddressBook(known, by_account, "", domains or {}, companies or COMPANIES)
    rules = MatchRules((ANN, BOB), {ANN.address: YEAR, BOB.address: YEAR}, shared_domains=shared, as_of=as_of)
    return Resolver(book, rules).resolve(US.mark(activity(**mail)), earlier)


def matched(what: str | None, *, account: str | None = "001ACME", who: tuple[str, ...] = ("003EVE",)) -> Match:
    return Match("lw1:m:0", who, what, account, None, MatchBasis.CONTACT_EMAIL, "")


# --- the opportunity ---


def pick(*deals: OpenOpportunity, **more: Any) -> Match:
    return resolve({"eve@acme.com": EVE}, deals, **more)


def test_the_deal_in_which_the_customer_has_a_role_wins():
    match = pick(DEAL, replace(OTHER, roles={"003EVE": False}))
    assert (match.what_id, match.runners_up) == ("006B", ("006A",))
    assert "contact role" in match.reason


def test_among_roles_the_primary_one_wins():
    match = pick(replace(DEAL, roles={"003EVE": False}), replace(OTHER, roles={"003EVE": True}))
    assert match.what_id == "006B"
    assert "primary contact" in match.reason


def test_the_deal_of_a_rep_in_the_mail_wins_be_they_its_owner_or_of_its_team():
    theirs = replace(OTHER, owner_id="005BOB")
    match = pick(DEAL, theirs)
    assert (match.what_id, match.runners_up) == ("006A", ("006B",))
    assert "of a rep in the mail" in match.reason
    assert pick(replace(DEAL, owner_id="005X", team=frozenset({"005ANN"})), theirs).what_id == "006A"


def test_an_owner_beats_a_member_of_the_team():
    match = pick(DEAL, replace(OTHER, owner_id="005BOB", team=frozenset({"005ANN"})))
    assert match.what_id == "006A"
    assert "owned by a rep" in match.reason


def test_the_only_deal_at_work_wins_over_dormant_ones_and_over_nothing_less_clear():
    day = NINE.date()
    busy = replace(OTHER, last_activity=day - timedelta(days=30))
    assert pick(replace(DEAL, last_activity=day - timedelta(days=90)), busy).what_id == "006B"
    assert pick(replace(DEAL, last_activity=day - timedelta(days=89)), busy).what_id == "001ACME"
    assert pick(DEAL, busy).what_id == "001ACME"


@pytest.mark.parametrize(
    ("deal", "linked"),
    [
        (replace(DEAL, created_at=NINE + timedelta(days=7)), True),
        (replace(DEAL, created_at=NINE + timedelta(days=7, seconds=1)), False),
        (replace(DEAL, close_date=NINE.date() - timedelta(days=30)), True),
        (replace(DEAL, close_date=NINE.date() - timedelta(days=31)), False),
    ],
)
def test_a_deal_counts_from_a_week_before_its_making_to_thirty_days_past_its_close(deal: OpenOpportunity, linked: bool):
    assert (pick(deal).what_id == "006A") is linked


def test_a_meeting_to_come_is_about_a_deal_that_is_open_now_however_soon_it_is_to_close():
    soon = replace(DEAL, close_date=NINE.date() - timedelta(days=31))
    assert pick(soon).what_id == "001ACME"
    assert pick(soon, as_of=NINE - timedelta(days=7)).what_id == "006A"
    assert pick(soon, as_of=NINE + timedelta(days=7)).what_id == "001ACME"


def test_no_clear_winner_links_the_account_and_names_the_candidates():
    match = pick(OTHER, DEAL)
    assert (match.what_id, match.runners_up) == ("001ACME", ("006A", "006B"))
    assert "Line A" in match.reason
    assert "Line B" in match.reason


def test_a_partner_with_a_role_in_the_deal_is_linked_to_it_beside_their_own_account():
    partner = replace(EVE, account_id="001PART")
    match = resolve({"eve@acme.com": partner}, (replace(DEAL, roles={"003EVE": False}),))
    assert (match.account_id, match.what_id) == ("001PART", "006A")


def test_the_role_of_a_partner_in_copy_in_another_deal_does_not_lead_away_from_the_customer():
    partner = Person("003PAT", "Contact", "Pat", "001PART")
    elsewhere = OpenOpportunity("006Z", "001ELSE", "Elsewhere", "005ANN", roles={"003PAT": True})
    match = resolve({"eve@acme.com": EVE, "pat@part.com": partner}, (DEAL, elsewhere), Cc="pat@part.com")
    assert (match.what_id, match.who_ids) == ("006A", ("003EVE", "003PAT"))


# --- the conversation ---


def test_a_reply_inherits_the_deal_of_the_mail_before_it_while_that_is_open():
    assert pick(DEAL, OTHER, earlier=matched("006B")).what_id == "006B"
    assert "as the mail before it" in pick(DEAL, OTHER, earlier=matched("006B")).reason
    assert pick(DEAL, OTHER, earlier=matched("006CLOSED")).what_id == "001ACME"


def test_a_reply_from_nobody_known_inherits_deal_and_account():
    match = resolve({}, (DEAL,), earlier=matched("006A"), sender="private@gmail.com")
    assert (match.basis, match.what_id, match.account_id, match.who_ids) == (MatchBasis.THREAD, "006A", "001ACME", ())


def test_another_companys_reply_does_not_inherit_a_deal_it_has_no_part_in():
    rival = Person("003RIV", "Contact", "Riva", "001RIVAL")
    match = resolve({"riva@rival.com": rival}, (DEAL,), earlier=matched("006A"), sender="riva@rival.com")
    assert (match.what_id, match.account_id) == ("001RIVAL", "001RIVAL")


# --- the person ---


def twin(record: str, account: str, **values: Any) -> Person:
    return Person(record, "Contact", "Eve", account, **values)


def test_of_several_contacts_the_one_of_the_mail_before_wins_else_one_at_its_account():
    both = (twin("003A", "001A"), twin("003B", "001B"))
    assert resolve({"eve@acme.com": both}, earlier=matched(None, account=None, who=("003B",))).who_ids == ("003B",)
    match = resolve({"eve@acme.com": both}, earlier=matched(None, account="001B", who=()))
    assert (match.who_ids, match.runners_up) == (("003B",), ("003A",))
    assert "mail before" in match.reason


def test_else_the_one_whose_account_has_a_reps_deal_else_the_last_active_else_the_oldest():
    old, new = datetime(2020, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
    first = twin("003A", "001A", created_at=new, last_activity=date(2026, 5, 1))
    second = twin("003B", "001ACME", created_at=old, last_activity=date(2026, 1, 1))
    assert resolve({"eve@acme.com": (first, second)}, (DEAL,)).who_ids == ("003B",)
    assert resolve({"eve@acme.com": (first, second)}).who_ids == ("003A",)
    assert resolve({"eve@acme.com": (replace(first, last_activity=date(2026, 1, 1)), second)}).who_ids == ("003B",)


def test_a_person_account_wins_over_a_business_contact_unless_their_company_takes_part():
    private = twin("003PRIV", "001PRIV", is_person_account=True)
    people = {"eve@mail.com": (private, twin("003BIZ", "001ACME"))}
    domains = {"acme.com": (DomainAccount("001ACME"),)}
    assert resolve(people, domains=domains, sender="eve@mail.com").who_ids == ("003PRIV",)
    match = resolve(people, domains=domains, sender="eve@mail.com", Cc="boss@acme.com")
    assert match.who_ids == ("003BIZ",)
    assert "company of the others" in match.reason


def test_a_lead_beside_a_contact_is_flagged_as_a_duplicate():
    match = resolve({"eve@acme.com": (EVE, Person("00QEVE", "Lead", "Eve"))})
    assert (match.who_ids, match.runners_up) == (("003EVE",), ("00QEVE",))
    assert "duplicate" in match.reason


def test_a_converted_lead_stands_for_what_it_became():
    lead = Person("00QEVE", "Lead", "Eve", "001ACME", contact_id="003EVE", opportunity_id="006B")
    match = resolve({"eve@acme.com": lead}, (DEAL, OTHER))
    assert (match.who_ids, match.what_id, match.account_id) == (("003EVE",), "006B", "001ACME")
    assert match.basis == MatchBasis.CONVERTED_LEAD
    without = resolve({"eve@acme.com": replace(lead, contact_id=None)})
    assert (without.who_ids, without.what_id) == ((), "001ACME")


def test_a_field_that_only_describe_knows_counts_where_no_named_one_finds_anybody():
    found = replace(twin("003ASST", "001X"), is_main_address=False)
    assert resolve({"eve@acme.com": (found, EVE)}).who_ids == ("003EVE",)
    assert resolve({"eve@acme.com": found}).who_ids == ("003ASST",)


# --- the company ---

SITE = {"acme.com": (DomainAccount("001ACME"),)}


def test_a_stranger_is_filed_under_the_account_of_their_domain_subdomains_too():
    for sender in ("new@acme.com", "new@eu.mail.acme.com"):
        match = resolve({}, domains=SITE, sender=sender)
        assert (match.basis, match.account_id, match.what_id) == (MatchBasis.ACCOUNT_DOMAIN, "001ACME", "001ACME")
    assert resolve({}, domains=SITE, sender="new@notacme.com").basis == MatchBasis.NONE


def test_a_strangers_mail_goes_to_a_deal_only_if_it_is_a_reps_in_the_mail():
    assert resolve({}, (DEAL,), domains=SITE, sender="new@acme.com").what_id == "006A"
    match = resolve({}, (replace(DEAL, owner_id="005X"),), domains=SITE, sender="new@acme.com")
    assert (match.what_id, match.runners_up) == ("001ACME", ("006A",))


@pytest.mark.parametrize(
    "domain", ["gmail.com", "t-online.de", "mailinator.com", "linkedin.com", "ourown.com", "co.uk"]
)
def test_domains_of_everybody_and_our_own_lead_to_no_account(domain: str):
    site = {domain: (DomainAccount("001ACME"),)}
    match = resolve({}, domains=site, shared=frozenset({"ourown.com"}), sender=f"new@{domain}")
    assert match.basis == MatchBasis.NONE


def test_of_several_accounts_with_a_domain_their_parent_wins_else_the_reps_else_none():
    both = {"acme.com": (DomainAccount("001ACME"), DomainAccount("001SUB"))}
    family = {one: Company(one, one, None, "001TOP") for one in ("001ACME", "001SUB")} | {
        "001TOP": Company("001TOP", "Top")
    }
    assert resolve({}, domains=both, companies=family, sender="new@acme.com").account_id == "001TOP"
    owned = COMPANIES | {"001SUB": Company("001SUB", "Sub", "005ANN")}
    match = resolve({}, domains=both, companies=owned, sender="new@acme.com")
    assert (match.account_id, match.runners_up) == ("001SUB", ("001ACME",))
    nobody = resolve({}, domains=both, sender="new@acme.com")
    assert (nobody.basis, nobody.runners_up) == (MatchBasis.NONE, ("001ACME", "001SUB"))


def test_a_stated_domain_beats_what_the_contacts_have():
    both = {"acme.com": (DomainAccount("001SUB", is_stated=False), DomainAccount("001ACME"))}
    assert resolve({}, domains=both, sender="new@acme.com").account_id == "001ACME"


def test_the_senders_company_leads_and_known_people_of_others_are_related():
    partner = Person("003PAT", "Contact", "Pat", "001PART")
    match = resolve({"pat@part.com": partner}, domains=SITE, sender="new@acme.com", Cc="pat@part.com")
    assert (match.account_id, match.who_ids) == ("001ACME", ("003PAT",))


def test_a_circle_of_parents_ends():
    ring = {"001ACME": Company("001ACME", "A", None, "001SUB"), "001SUB": Company("001SUB", "B", None, "001ACME")}
    both = {"acme.com": (DomainAccount("001ACME"), DomainAccount("001SUB"))}
    assert resolve({}, domains=both, companies=ring, sender="new@acme.com").basis == MatchBasis.NONE


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("https://www.Acme.com/tr?x=1", "acme.com"),
        ("acme.co.uk", "acme.co.uk"),
        ("www.acme.com.tr:8080", "acme.com.tr"),
        ("http://şişe.com", "xn--ie-etab.com"),
        ("", None),
        ("   ", None),
    ],
)
def test_a_website_stands_for_a_domain(text: str, domain: str | None):
    assert website_domain(text) == domain


def test_registered_parts_follow_the_public_suffix_list():
    assert [registrable(one) for one in ("a.b.acme.co.uk", "acme.com.tr", "co.uk", "", "..", "localhost")] == [
        "acme.co.uk", "acme.com.tr", None, None, None, None,
    ]  # fmt: skip
    assert walk("eu.acme.co.uk") == ("eu.acme.co.uk", "acme.co.uk")


# --- whatever comes ---

IDS = st.sampled_from(["1", "2", "3"])
DAYS = st.none() | st.dates(date(2025, 1, 1), date(2027, 1, 1))
RECORDS = [("003A", "Contact"), ("003B", "Contact"), ("00QA", "Lead"), ("001A", "Account"), ("005ANN", "User")]
PERSONS = st.sampled_from(RECORDS).flatmap(
    lambda record: st.builds(
        Person,
        record_id=st.just(record[0]),
        sobject=st.just(record[1]),
        name=IDS,
        account_id=st.sampled_from([None, "001A", "001B", "001C"]),
        is_active=st.booleans(),
        is_person_account=st.booleans(),
        is_main_address=st.booleans(),
        last_activity=DAYS,
        contact_id=st.sampled_from([None, "003A"]),
        opportunity_id=st.sampled_from([None, "0061"]),
    )
)
PEOPLE = st.lists(PERSONS, max_size=3, unique_by=lambda person: person.record_id)
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
DEALS = st.builds(
    OpenOpportunity,
    record_id=IDS.map(lambda one: f"006{one}"),
    account_id=st.sampled_from(["001A", "001B"]),
    name=IDS,
    owner_id=st.sampled_from([None, "005ANN", "005BOB"]),
    created_at=st.none() | MOMENTS,
    close_date=DAYS,
    last_activity=DAYS,
    roles=st.dictionaries(st.sampled_from(["003A", "003B"]), st.booleans(), max_size=2),
)
ADDRESSES = ["a@acme.com", "b@eu.acme.com", "c@gmail.com"]
DOMAINS = st.lists(st.builds(DomainAccount, st.sampled_from(["001A", "001B"]), st.booleans()), max_size=3, unique=True)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(PEOPLE, min_size=3, max_size=3),
    st.lists(DEALS, max_size=4, unique_by=lambda deal: deal.record_id),
    DOMAINS,
    st.none() | st.builds(matched, st.sampled_from([None, "0061", "001A"])),
    st.randoms(use_true_random=False),
)
def test_nothing_raises_and_no_order_of_candidates_or_recipients_decides(
    people: list[list[Person]],
    deals: list[OpenOpportunity],
    domains: list[DomainAccount],
    earlier: Match | None,
    dice: Any,
):
    def answer() -> Match:
        return resolve(
            {address: tuple(some) for address, some in zip(ADDRESSES, people, strict=True)},
            tuple(deals),
            domains={"acme.com": tuple(domains)},
            earlier=earlier,
            to=", ".join(["ann@ourco.com", *copies]),
            sender=ADDRESSES[0],
        )

    copies = ADDRESSES[1:]
    first = answer()
    for some in (*people, deals, domains):
        dice.shuffle(some)
    again = answer()
    assert again == first
    assert first.reason
    assert not any(one.startswith("00Q") for one in first.who_ids) or len(first.who_ids) == 1
    copies = copies[::-1]
    turned = answer()
    leads = any(one.startswith("00Q") for one in (*first.who_ids, *turned.who_ids))
    assert leads or set(turned.who_ids) == set(first.who_ids)
