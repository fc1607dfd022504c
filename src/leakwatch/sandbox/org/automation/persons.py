"""Person accounts: an account that is a person, and its contact (SOAP API guide, "Person Account Record Types").

An account of a record type with IsPersonType has a contact of its own, the person contact: PersonContactId leads to
it, and both show the same person. What is the contact's stands on the account as PersonEmail and the like, custom
fields with __pc in place of __c; names, phone, fax, description, owner and currency are called alike on both.
Either can be changed and the other follows, but the contact comes and goes with its account only.

Of the refusals, those of field names and of a changed record type have Salesforce's codes and words, as clients report
them; of the others the rule is documented, and code and words are unverified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from leakwatch.sandbox.org.automation.people import carry_contact, derive_name
from leakwatch.sandbox.org.caller import Caller, caller_of
from leakwatch.sandbox.org.engine import Change, Engine, Row, Rules
from leakwatch.sandbox.org.errors import OrgError, bad
from leakwatch.sandbox.org.schema import SObject

_NAMES = ("FirstName", "LastName", "Salutation")
_ALIKE = (*_NAMES, "Phone", "Fax", "Description", "OwnerId", "CurrencyIsoCode")
"""Fields of both (help, "Considerations for Converting Business Accounts to Person Accounts", and the Object
Reference); that a change of the contact's phone is one of the account's follows from their being one."""
_BUSINESS = (
    *("DunsNumber", "Jigsaw", "NaicsCode", "NaicsDesc", "Sic", "SicDesc", "TickerSymbol", "Tradestyle"),
    *("YearStarted", "ParentId"),
)
"""Fields of business accounts only (Object Reference, Account; for ParentId: help, "Considerations for Using Person
Accounts"). That setting one is refused like an unknown field is unverified."""
_NOT_OF_A_PERSON = ("AccountId", "ReportsToId")
"""What a person contact can't have changed: it is its account's, and reports to nobody."""


def _refused(message: str, *fields: str) -> OrgError:
    return bad("INVALID_PERSON_ACCOUNT_OPERATION", message, *fields)


def _bad_names(names: Iterable[str]) -> OrgError:
    found = sorted(names)
    said = f"Account: bad field names on insert/update call: {', '.join(found)}"
    return bad("INVALID_FIELD_FOR_INSERT_UPDATE", said, *found)


def twins(engine: Engine) -> Mapping[str, str]:
    """The account's fields that are its person contact's too, with the names they have there."""
    account, contact = engine.schema.objects["Account"], engine.schema.objects["Contact"]

    def found() -> dict[str, str]:
        pairs = {name: name for name in _ALIKE if name in account.fields and name in contact.fields}
        for one in contact.stored_fields:
            name = f"{one.name.removesuffix('__c')}__pc" if one.custom else f"Person{one.name}"
            if name in account.fields:
                pairs[name] = one.name
        return pairs

    return engine.schema.remember("person_twins", "Account", found)


def mirrored(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A contact's custom field, in the form of the schema files, as person accounts show it.

    That it is no key there, and makes no child relationship, is unverified.
    """
    flags = "".join(flag for flag in raw["f"] if flag not in "IXQacd")
    field = {key: value for key, value in raw.items() if key not in ("kids", "trk", "fmt", "start")}
    field |= {
        "n": f"{raw['n'].removesuffix('__c')}__pc",
        "f": flags if "n" in flags or raw["t"] == "boolean" else f"n{flags}",
    }
    if raw["t"] == "reference":
        field |= {"rel": f"{raw['rel'].removesuffix('__r')}__pr", "f": f"{field['f']}k"}
    return field


def default_type(engine: Engine) -> str | None:
    """The record type of persons that an account gets which names none."""
    sql = "SELECT Id FROM RecordType WHERE SobjectType = 'Account' AND IsPersonType = 1 AND IsActive = 1 ORDER BY Id"
    found = engine.store.execute(sql).fetchone()
    return None if found is None else str(found["Id"])


def _is_person_type(engine: Engine, record_type: str | None) -> bool:
    kind = engine.store.get("RecordType", record_type) if record_type else None
    return bool(kind and kind["IsPersonType"])


# -- the account ------------------------------------------------------------------------------------------


def prepare(engine: Engine, change: Change) -> None:
    """What the account is, and that nothing is set which the other kind has."""
    if not engine.settings.person_accounts:
        return
    row, given = change.row, change.given
    if change.creating and not row.get("RecordTypeId") and row.get("LastName"):
        row["RecordTypeId"] = default_type(
            engine
        )  # of the profile's two defaults this is the one for persons; unverified
    row["IsPersonAccount"] = int(_is_person_type(engine, row.get("RecordTypeId")))
    if change.old is not None and change.old["IsPersonAccount"] != row["IsPersonAccount"]:
        _change_kind(engine, change)
        return
    if row["IsPersonAccount"]:
        if "Name" in given:
            raise _unwritable("Name")
        if wrong := given.intersection(_BUSINESS):
            raise _bad_names(wrong)
        if not row.get("LastName"):
            raise bad("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", "LastName")
        return
    if wrong := given.intersection(twins(engine).keys() - (set(_ALIKE) - set(_NAMES))):
        raise _bad_names(wrong)
    if not row.get("Name"):
        raise bad("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", "Name")


def _unwritable(name: str) -> OrgError:
    said = (
        f"Unable to create/update fields: {name}. Please check the security settings of this field and verify that "
        "it is read/write for your profile or permission set."
    )
    return bad("INVALID_FIELD_FOR_INSERT_UPDATE", said, name)


def derive(engine: Engine, row: Row) -> None:
    """A person's Name is made of the parts."""
    if engine.settings.person_accounts and (row.get("IsPersonAccount") or row.get("LastName")):
        row["IsPersonAccount"] = 1
        derive_name(engine, row)


def _change_kind(engine: Engine, change: Change) -> None:
    """Another record type can make a company a person and the other way round, and nothing else with it."""
    row = change.row
    if change.given - {"RecordTypeId"}:
        said = "Cannot specify any additional fields when marrying or separating a Person-Account"
        raise bad("INVALID_FIELD_FOR_INSERT_UPDATE", said)
    names = twins(engine)
    contacts = engine.schema.objects["Contact"]
    if not row["IsPersonAccount"]:  # that the account keeps the person's name is unverified
        row |= {
            name: 0 if change.sobject.fields[name].type == "boolean" else None for name in names if name not in _ALIKE
        }
        row |= dict.fromkeys((*_NAMES, "PersonContactId"))
        return
    found = engine.store.find("Contact", contacts.fields["AccountId"], row["Id"])
    if len(found) != 1:
        raise _refused("An account that becomes a person account must have exactly one contact", "RecordTypeId")
    (contact,) = found
    if contact["OwnerId"] != row["OwnerId"] or contact.get("CurrencyIsoCode") != row.get("CurrencyIsoCode"):
        raise _refused("The account and its contact must have the same owner and currency", "RecordTypeId")
    under = engine.store.find("Account", change.sobject.fields["ParentId"], row["Id"])
    below = engine.store.find("Contact", contacts.fields["ReportsToId"], contact["Id"])
    if row.get("ParentId") or under or contact.get("ReportsToId") or below:
        raise _refused("A person account has no place in a hierarchy of accounts or contacts", "RecordTypeId")
    row |= {name: contact[theirs] for name, theirs in names.items() if name in _NAMES or name not in _ALIKE}
    row["PersonContactId"] = contact["Id"]


def settle(engine: Engine, change: Change) -> None:
    """The person contact is what its account is."""
    if not engine.settings.person_accounts:
        return
    row, contacts = change.row, engine.schema.objects["Contact"]
    shown = {theirs: row[name] for name, theirs in twins(engine).items()}
    if not row["IsPersonAccount"]:
        former = engine.lookup(change.old["PersonContactId"]) if change.old is not None else None
        if former is not None:
            engine.change(contacts, former, {"IsPersonAccount": 0}, change.caller, given=frozenset())
    elif not row["PersonContactId"]:
        _make_contact(engine, row, shown, change.caller)
    else:
        contact = engine.lookup(row["PersonContactId"])
        if contact is not None:
            _agree(engine, contacts, contact, shown | {"IsPersonAccount": 1}, change.caller)


def _make_contact(engine: Engine, account: Row, shown: Row, caller: Caller) -> None:
    own: Row = {"AccountId": account["Id"], "IsPersonAccount": 1}
    contact = engine.insert(engine.schema.objects["Contact"], shown | own, caller)
    made = engine.store.get("Contact", contact) or {}
    numbered = {name: made[theirs] for name, theirs in twins(engine).items() if account[name] != made[theirs]}
    account |= numbered | {"PersonContactId": contact}
    engine.store.update("Account", account["Id"], numbered | {"PersonContactId": contact})


def _agree(engine: Engine, sobject: SObject, row: Row, wanted: Row, caller: Caller) -> None:
    changes = {name: value for name, value in wanted.items() if row[name] != value}
    if changes:
        engine.change(sobject, row, changes, caller, given=frozenset())


def complete_seeded(engine: Engine) -> None:
    """Give person accounts that were seeded without their contact one, or the one that was seeded for them."""
    if not engine.settings.person_accounts:
        return
    contacts, names = engine.schema.objects["Contact"], twins(engine)
    system = caller_of(engine.settings.system_user_id, None, engine.settings)
    sql = "SELECT * FROM Account WHERE IsPersonAccount = 1 AND PersonContactId IS NULL AND IsDeleted = 0 ORDER BY Id"
    for row in map(dict, engine.store.execute(sql).fetchall()):
        if row["RecordTypeId"] is None:
            engine.store.update("Account", row["Id"], {"RecordTypeId": default_type(engine)})
        found = engine.store.find("Contact", contacts.fields["AccountId"], row["Id"])
        if found:
            shown = {name: row[name] or found[0][theirs] for name, theirs in names.items()}
            engine.store.update("Account", row["Id"], shown | {"PersonContactId": found[0]["Id"]})
            theirs = {names[name]: value for name, value in shown.items()}
            engine.store.update("Contact", found[0]["Id"], theirs | {"IsPersonAccount": 1})
        else:
            _make_contact(engine, row, {theirs: row[name] for name, theirs in names.items()}, system)


# -- the contact ------------------------------------------------------------------------------------------


def prepare_contact(engine: Engine, change: Change) -> None:
    """A person account has no other contacts, and its own stays with it."""
    if not engine.settings.person_accounts or not change.given:
        return
    if change.old is not None and change.old["IsPersonAccount"]:
        if "RecordTypeId" in change.given:  # help 005305352
            raise bad("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
        if wrong := change.given.intersection(_NOT_OF_A_PERSON):
            raise _bad_names(wrong)
    elif change.changed("AccountId"):
        account = engine.lookup(change.row.get("AccountId"))
        if account is not None and account["IsPersonAccount"]:
            raise _refused("A person account can't have contacts besides its own", "AccountId")


def settle_contact(engine: Engine, change: Change) -> None:
    """The account is what its person contact is; campaigns show the contact as it is."""
    carry_contact(engine, change)
    if not engine.settings.person_accounts or change.creating or not change.row["IsPersonAccount"]:
        return
    account = engine.lookup(change.row["AccountId"])
    if account is not None and account["PersonContactId"] == change.row["Id"]:
        shown = {name: change.row[theirs] for name, theirs in twins(engine).items()}
        _agree(engine, engine.schema.objects["Account"], account, shown, change.caller)


RULES = {
    "Account": Rules(prepare=prepare, settle=settle, derive=derive),
    "Contact": Rules(prepare=prepare_contact, settle=settle_contact, derive=derive_name),
}
