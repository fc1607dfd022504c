"""Which records a mail belongs to: never a silent guess."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture_samples import ANN, BOB, activity
from leakwatch.core.match import MatchRules, Resolver, lookup_addresses
from leakwatch.core.normalise import merge
from leakwatch.core.privacy import Insiders
from leakwatch.model import Activity, AddressBook, Match, MatchBasis, OpenOpportunity, Person

YEAR = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
US = Insiders(domains=["ourco.com"], addresses=[])
EVE = Person("003EVE", "Contact", "Eve Adams", "001ACME", "005BOB", datetime(2024, 1, 1, tzinfo=UTC))
OLD_EVE = Person("003OLD", "Contact", "E. Adams", "001OTHER", None, datetime(2020, 1, 1, tzinfo=UTC))
LEA = Person("00QLEA", "Lead", "Lea Lund", None, "005ANN")
ANN_USER = Person("005ANN", "User", "Ann Reed")
BOB_USER = Person("005BOB", "User", "Bob Kaya")
DEAL = OpenOpportunity("006ONE", "001ACME", "Acme line 1", "005ANN")
DEAL2 = OpenOpportunity("006TWO", "001ACME", "Acme line 2", "005BOB")


def book(*deals: OpenOpportunity, **people: Person | tuple[Person, ...]) -> AddressBook:
    """`eve_acme=EVE` is eve@acme.com."""
    named = {
        f"{name.replace('_', '@')}.com": found if isinstance(found, tuple) else (found,)
        for name, found in people.items()
    }
    named.setdefault("ann@ourco.com", (ANN_USER,))
    named.setdefault("bob@ourco.com", (BOB_USER,))
    by_account: dict[str, tuple[OpenOpportunity, ...]] = {}
    for deal in deals:
        by_account[deal.account_id] = (*by_account.get(deal.account_id, ()), deal)
    return AddressBook(named, by_account)


def resolve(found: Activity, known: AddressBook, **rules: object) -> Match:
    options = MatchRules(principals=(ANN, BOB), read={ANN.address: YEAR, BOB.address: YEAR}, **rules)  # type: ignore[arg-type]
    return Resolver(known, options).resolve(US.mark(found))


def test_a_known_contact_with_one_open_deal_is_linked_to_it():
    match = resolve(activity(), book(DEAL, eve_acme=EVE))
    assert (match.who_ids, match.what_id, match.account_id) == (("003EVE",), "006ONE", "001ACME")
    assert match.basis == MatchBasis.CONTACT_EMAIL
    assert "Eve Adams" in match.reason
    assert "only open opportunity" in match.reason


def test_two_open_deals_link_the_account_and_name_both():
    match = resolve(activity(), book(replace(DEAL2, owner_id="005ANN"), DEAL, eve_acme=EVE))
    assert match.what_id == "001ACME"
    assert match.runners_up == ("006ONE", "006TWO")
    assert "Acme line 1" in match.reason
    assert "Acme line 2" in match.reason


def test_no_open_deal_links_the_account():
    assert resolve(activity(), book(eve_acme=EVE)).what_id == "001ACME"


def test_a_contact_without_account_is_linked_alone():
    lone = Person("003LONE", "Contact", "Lone", None)
    match = resolve(activity(), book(DEAL, eve_acme=lone))
    assert (match.who_ids, match.what_id) == (("003LONE",), None)


def test_a_lead_takes_no_what():
    match = resolve(activity(sender="lea@new.com"), book(DEAL, lea_new=LEA))
    assert (match.who_ids, match.what_id, match.basis) == (("00QLEA",), None, MatchBasis.LEAD_EMAIL)


def test_a_contact_beats_a_lead_with_the_same_address():
    match = resolve(activity(), book(eve_acme=(LEA, EVE)))
    assert match.who_ids == ("003EVE",)


def test_contacts_and_a_lead_in_one_mail_leave_the_lead_out_of_the_people():
    match = resolve(activity(sender="lea@new.com", to="ann@ourco.com, eve@acme.com"), book(lea_new=LEA, eve_acme=EVE))
    assert match.who_ids == ("003EVE",)
    assert match.basis == MatchBasis.CONTACT_EMAIL
    assert "lea@new.com" not in match.addresses


def test_an_accounts_own_address_links_the_account_without_a_person():
    shop = Person("001SHOP", "Account", "Shop", "001SHOP")
    match = resolve(activity(sender="info@shop.com"), book(info_shop=shop))
    assert (match.who_ids, match.what_id, match.basis) == ((), "001SHOP", MatchBasis.ACCOUNT_EMAIL)


def test_several_contacts_with_one_address_follow_somebody_certain_in_the_mail():
    joe = Person("003JOE", "Contact", "Joe", "001OTHER")
    match = resolve(activity(to="ann@ourco.com, joe@other.com"), book(eve_acme=(EVE, OLD_EVE), joe_other=joe))
    assert match.who_ids == ("003OLD", "003JOE")
    assert match.runners_up == ("003EVE",)
    assert "1 other record has the same address" in match.reason


def test_else_an_open_deal_of_one_of_us_decides_and_else_the_oldest_record():
    assert resolve(activity(), book(DEAL, eve_acme=(EVE, OLD_EVE))).who_ids == ("003EVE",)
    assert resolve(activity(), book(eve_acme=(EVE, OLD_EVE))).who_ids == ("003OLD",)


def test_one_of_us_is_never_a_contact_even_if_a_contact_has_the_address():
    known = book(bob_private=(Person("003B", "Contact", "Bob"), BOB_USER))
    match = resolve(activity(sender="bob@private.com"), known)
    assert match.basis == MatchBasis.NONE
    assert match.addresses["bob@private.com"] == "005BOB"


def test_nobody_known_is_said_so_and_nothing_is_linked():
    match = resolve(activity(), book())
    assert (match.basis, match.who_ids, match.what_id) == (MatchBasis.NONE, (), None)
    assert "no contact, lead or account" in match.reason


def test_an_address_that_must_never_match_does_not():
    assert resolve(activity(), book(eve_acme=EVE), never_match=("acme.com",)).basis == MatchBasis.NONE


def test_a_plus_tag_is_tried_second():
    assert resolve(activity(sender="eve+offers@acme.com"), book(eve_acme=EVE)).who_ids == ("003EVE",)
    tagged = Person("003TAG", "Contact", "Tag", "001ACME")
    exact = AddressBook({"eve+offers@acme.com": (tagged,), "eve@acme.com": (EVE,)}, {})
    assert resolve(activity(sender="eve+offers@acme.com"), exact).who_ids == ("003TAG",)


def test_newsletters_match_nobody_unless_asked_for():
    newsletter = activity(List_Id="<n.acme.com>")
    assert resolve(newsletter, book(eve_acme=EVE)).basis == MatchBasis.NONE
    assert resolve(newsletter, book(eve_acme=EVE), match_bulk=True).who_ids == ("003EVE",)


# --- whose is it ---


def test_the_rep_who_sent_it_owns_it():
    sent = activity(BOB, sender="bob@ourco.com", to="eve@acme.com", Cc="ann@ourco.com", in_sent=True)
    assert resolve(sent, book(eve_acme=EVE)).owner_id == "005BOB"


def test_else_our_first_recipient_in_header_order_then_copy_then_the_mailbox():
    known = book(eve_acme=EVE)
    assert resolve(activity(to="joe@x.com, bob@ourco.com, ann@ourco.com"), known).owner_id == "005BOB"
    assert resolve(activity(to="joe@x.com", Cc="bob@ourco.com"), known).owner_id == "005BOB"
    assert resolve(activity(ANN, to="undisclosed-recipients:;"), known).owner_id == "005ANN"


def test_an_alias_of_a_rep_counts_as_the_rep():
    assert resolve(activity(to="a.reed@ourco.com"), book(eve_acme=EVE)).owner_id == "005ANN"


def test_a_leaver_does_not_hide_the_contact_who_has_their_address_now():
    left = Person("005LEFT", "User", "Eve Adams", is_active=False)
    assert resolve(activity(), book(eve_acme=(left, EVE))).who_ids == ("003EVE",)
    colleague = Person("005EVE", "User", "Eve Adams")
    assert resolve(activity(), book(eve_acme=(colleague, EVE))).basis == MatchBasis.NONE


def test_a_mail_sent_as_another_address_belongs_to_the_rep_whose_mailbox_sent_it():
    options: dict[str, str] = {"sender": "ann@partner.example", "to": "eve@acme.com", "Cc": "bob@ourco.com"}
    sent = activity(ANN, in_sent=True, **options)
    both = merge([sent, activity(BOB, provider_id="m2", **options)])
    for found in (sent, both):
        match = resolve(found, book(eve_acme=EVE))
        assert (match.owner_id, match.who_ids) == ("005ANN", ("003EVE",))


def test_an_inactive_user_owns_nothing():
    gone = Person("005BOB", "User", "Bob Kaya", is_active=False)
    match = resolve(activity(to="bob@ourco.com, ann@ourco.com"), book(eve_acme=EVE, bob_ourco=gone))
    assert match.owner_id == "005ANN"
    assert "bob@ourco.com" not in match.addresses


def test_a_sender_address_of_ours_without_the_sent_copy_is_not_believed_where_we_read_that_mailbox():
    forged = activity(ANN, sender="bob@ourco.com", to="eve@acme.com", Cc="ann@ourco.com")
    assert resolve(forged, book(eve_acme=EVE)).owner_id == "005ANN"


def test_and_is_believed_where_we_cannot_read_it():
    rules = MatchRules(principals=(ANN, BOB), read={ANN.address: YEAR})
    seen = US.mark(activity(ANN, sender="bob@ourco.com", to="eve@acme.com", Cc="ann@ourco.com"))
    assert Resolver(book(eve_acme=EVE), rules).resolve(seen).owner_id == "005BOB"


# --- properties ---

PEOPLE = st.lists(st.sampled_from([EVE, OLD_EVE, LEA, ANN_USER]), max_size=4).map(tuple)


@given(PEOPLE, PEOPLE, st.sampled_from([[], [DEAL], [DEAL2], [DEAL, DEAL2], [DEAL, replace(DEAL2, owner_id="005ANN")]]))
def test_an_opportunity_is_linked_only_when_one_stands_out(
    first: tuple[Person, ...], second: tuple[Person, ...], deals: list[OpenOpportunity]
):
    known = book(*deals, eve_acme=first, joe_x=second)
    match = resolve(activity(to="ann@ourco.com, joe@x.com"), known)
    if match.what_id is not None and match.what_id.startswith("006"):
        assert match.what_id in {deal.record_id for deal in deals}
        assert [deal.owner_id for deal in deals].count("005ANN") <= 1
    if any(who.startswith("00Q") for who in match.who_ids):
        assert match.what_id is None
        assert len(match.who_ids) == 1
    assert not set(match.who_ids) & {"005ANN", "005BOB"}
    assert match.reason


@given(PEOPLE, st.permutations(["eve@acme.com", "joe@x.com"]))
def test_the_order_of_candidates_never_decides(people: tuple[Person, ...], order: list[str]):
    sent = activity(ANN, sender="ann@ourco.com", to=", ".join(order), in_sent=True)
    one = resolve(sent, AddressBook({"eve@acme.com": people}, {}))
    other = resolve(sent, AddressBook({"eve@acme.com": people[::-1]}, {}))
    assert one == other


def test_every_address_the_resolver_looks_up_is_asked_for():
    found = activity(sender="eve+a@acme.com", to="a.reed@ourco.com", Cc="j.o.e@gmail.com", Reply_To="desk@acme.com")
    wanted = lookup_addresses(found)
    assert {"eve+a@acme.com", "eve@acme.com", "joe@gmail.com", "desk@acme.com", "ann@ourco.com"} <= wanted


def test_people_in_bcc_are_not_looked_up():
    sent = activity(sender="ann@ourco.com", to="eve@acme.com", in_sent=True, Bcc="secret@rival.com")
    assert "secret@rival.com" not in lookup_addresses(sent)
    assert resolve(sent, book(secret_rival=EVE)).basis == MatchBasis.NONE


@pytest.mark.parametrize("address", ["eve@acme.com", "lea@new.com"])
def test_reasons_hold_no_outside_address(address: str):
    assert address not in resolve(activity(sender=address), book(eve_acme=EVE, lea_new=LEA)).reason
