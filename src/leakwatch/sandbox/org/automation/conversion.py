"""Lead conversion: an account, a contact and a deal out of a lead (SOAP API Developer Guide, convertLead).

No REST call converts leads, so this is not reached over REST: people of a world do it, and the control API.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, timedelta

from leakwatch.sandbox.org import values
from leakwatch.sandbox.org.automation import campaigns, history, persons
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.engine import Change, Engine, Row
from leakwatch.sandbox.org.errors import bad

_ACCOUNT = {
    "Company": "Name",
    "Phone": "Phone",
    "Fax": "Fax",
    "Website": "Website",
    "Industry": "Industry",
    "Rating": "Rating",
    "AnnualRevenue": "AnnualRevenue",
    "NumberOfEmployees": "NumberOfEmployees",
    "LeadSource": "AccountSource",
}
_CONTACT = {
    name: name
    for name in (
        *("Salutation", "FirstName", "LastName", "Title", "Email", "Phone", "MobilePhone", "Fax"),
        *("Description", "LeadSource"),
    )
}
_ADDRESS = ("Street", "City", "State", "PostalCode", "Country", "Latitude", "Longitude", "GeocodeAccuracy")
"""The standard mapping of fields (help, "Lead Conversion Field Mapping"); custom fields are mapped by admins only."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is asked of a conversion: SOAP's LeadConvert."""

    lead_id: str
    account_id: str | None = None
    """An account that is there; None makes one."""
    contact_id: str | None = None
    """A contact of that account; None makes one."""
    converted_status: str | None = None
    """One of LeadStatus with IsConverted; None takes the first."""
    opportunity_name: str | None = None
    """None calls the deal after the company, or after the person where there is none."""
    do_not_create_opportunity: bool = False
    overwrite_lead_source: bool = False
    owner_id: str | None = None
    """Owner of what is made; None: the lead's."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What a lead became: SOAP's LeadConvertResult."""

    lead_id: str
    account_id: str
    contact_id: str
    opportunity_id: str | None

    def as_json(self) -> dict[str, str | None]:
        """By SOAP's own names: `leadId`, `accountId`, `contactId`, `opportunityId`."""
        return {name.removesuffix("_id") + "Id": value for name, value in asdict(self).items()}


def convert(engine: Engine, asked: Conversion, caller: Caller) -> Converted:
    """Convert a lead, in one transaction.

    Raises:
        OrgError: With the status codes of convertLead, such as INVALID_STATUS.
    """
    with engine.store.transaction():
        lead = engine.living(engine.schema.objects["Lead"], asked.lead_id)
        status = _status(engine, asked.converted_status)
        owner = _owner(lead, asked)
        if lead["IsConverted"]:
            raise bad("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", "leadId")
        account = _account(engine, lead, asked, owner, caller)
        contact = _contact(engine, lead, asked, account, owner, caller)
        deal = None if asked.do_not_create_opportunity else _deal(engine, lead, asked, account, contact, owner, caller)
        _take_along(engine, lead["Id"], contact, deal or account, caller)
        _close(engine, lead["Id"], status, Converted(lead["Id"], account, contact, deal), caller)
        return Converted(lead["Id"], account, contact, deal)


def _status(engine: Engine, name: str | None) -> str:
    sql = "SELECT ApiName FROM LeadStatus WHERE IsConverted = 1 AND (? IS NULL OR ApiName = ?) ORDER BY SortOrder"
    found = engine.store.execute(sql, (name, name)).fetchone()
    if found is None:
        raise bad("INVALID_STATUS", f"invalid convertedStatus for lead conversion: {name}", "convertedStatus")
    return str(found["ApiName"])


def _owner(lead: Row, asked: Conversion) -> str:
    owner = asked.owner_id or str(lead["OwnerId"])
    if not owner.startswith("005"):
        said = (
            "Converted objects can only be owned by users.  If the lead is not owned by a user, you must specify "
            "a user for the Owner field."
        )
        raise bad("INVALID_OWNER", said, "OwnerId")  # the words are reported by clients, the code is unverified
    return owner


def _account(engine: Engine, lead: Row, asked: Conversion, owner: str, caller: Caller) -> str:
    """The account: a lead without a company becomes a person account (Object Reference, Lead, Company)."""
    if asked.account_id is None:
        if asked.contact_id is not None:
            # that contactId needs accountId is documented, the refusal's code and words are not
            raise bad("REQUIRED_FIELD_MISSING", "Required fields are missing: [accountId]", "accountId")
        fields = _mapped(lead, _ACCOUNT) | _address(lead, "Billing")
        if lead["Company"] is None and engine.settings.person_accounts:
            fields |= _person(engine, lead) | {"RecordTypeId": persons.default_type(engine)}
        return engine.insert(engine.schema.objects["Account"], fields | {"OwnerId": owner}, caller)
    sobject = engine.schema.objects["Account"]
    row = engine.living(sobject, asked.account_id)
    fields = _mapped(lead, _ACCOUNT) | _address(lead, "Billing")
    if row.get("IsPersonAccount"):
        fields = {name: value for name, value in fields.items() if name != "Name"} | _person(engine, lead)
    _fill(engine, "Account", row, fields, asked, caller)
    return str(row["Id"])


def _person(engine: Engine, lead: Row) -> Row:
    """What a person account has of its lead: what its contact would have."""
    sobject = engine.schema.objects["Account"]
    theirs = _mapped(lead, _CONTACT) | _address(lead, "Mailing")
    found = {name: theirs[other] for name, other in persons.twins(engine).items() if other in theirs}
    title = sobject.fields["PersonTitle"]
    if len(found.get(title.name) or "") > title.length:  # documented (Object Reference, Lead, Title), but for the words
        said = f"{title.label}: data value too large: {found[title.name]} (max length={title.length})"
        raise bad("STRING_TOO_LONG", said, title.name)
    return found


def _contact(engine: Engine, lead: Row, asked: Conversion, account: str, owner: str, caller: Caller) -> str:
    sobject = engine.schema.objects["Contact"]
    person = (engine.lookup(account) or {}).get("PersonContactId")
    if person is not None:
        if asked.contact_id is not None:  # an error by the SOAP guide, LeadConvert; its code and words are unverified
            raise bad("INVALID_PERSON_ACCOUNT_OPERATION", "A person account is given without its contact", "contactId")
        return str(person)
    fields = _mapped(lead, _CONTACT) | _address(lead, "Mailing")
    if asked.contact_id is None:
        return engine.insert(sobject, fields | {"AccountId": account, "OwnerId": owner}, caller)
    row = engine.living(sobject, asked.contact_id)
    if row["AccountId"] != account:
        # the rule is documented, the code and the words are unverified
        raise bad("INVALID_CROSS_REFERENCE_KEY", "The contact is not a contact of the account", "contactId")
    _fill(engine, "Contact", row, fields, asked, caller)
    return str(row["Id"])


def _fill(engine: Engine, name: str, row: Row, fields: Row, asked: Conversion, caller: Caller) -> None:
    """Fill what is empty; what a record has is kept, but for the lead source where asked."""
    changes = {key: value for key, value in fields.items() if row.get(key) is None}
    if asked.overwrite_lead_source and name == "Contact" and fields.get("LeadSource"):
        changes["LeadSource"] = fields["LeadSource"]
    if changes:
        engine.change(engine.schema.objects[name], row, changes, caller)


def _deal(engine: Engine, lead: Row, asked: Conversion, account: str, contact: str, owner: str, caller: Caller) -> str:
    """A deal in the first stage, closing on the last day of the fiscal quarter (help, "Convert Qualified Leads")."""
    stage = engine.store.execute(
        "SELECT ApiName FROM OpportunityStage WHERE IsActive = 1 ORDER BY SortOrder LIMIT 1"
    ).fetchone()
    campaign = engine.store.execute(
        "SELECT CampaignId FROM CampaignMember WHERE LeadId = ? AND IsDeleted = 0 ORDER BY CreatedDate DESC LIMIT 1",
        (lead["Id"],),
    ).fetchone()
    today = date.fromisoformat(values.local_date(engine.now(), caller.zone))
    fields: Row = {
        "Name": (asked.opportunity_name or lead["Company"] or lead["Name"])[:120],
        "AccountId": account,
        "StageName": stage["ApiName"],
        "CloseDate": _end_of_quarter(today, engine.settings.fiscal_year_start_month).isoformat(),
        "LeadSource": lead.get("LeadSource"),
        "CampaignId": campaign["CampaignId"] if campaign else None,
        "OwnerId": owner,
    }
    if "CurrencyIsoCode" in lead:
        fields["CurrencyIsoCode"] = lead["CurrencyIsoCode"]
    deal = engine.insert(engine.schema.objects["Opportunity"], fields, caller)
    role: Row = {"OpportunityId": deal, "ContactId": contact, "IsPrimary": 1}
    engine.insert(engine.schema.objects["OpportunityContactRole"], role, caller)
    return deal


def _take_along(engine: Engine, lead: str, contact: str, what: str, caller: Caller) -> None:
    """Activities, mails and campaign memberships of the lead are the contact's from now on.

    Activities, open and closed, are also attached to the deal, or to the account where no deal is made (help,
    "Considerations for Converting Leads"). That this stamps them as modified, and how mails follow, is unverified.
    """
    for name, link, more in (
        ("Task", "WhoId", {"WhatId": what}),
        ("Event", "WhoId", {"WhatId": what}),
        ("EmailMessageRelation", "RelationId", {"RelationObjectType": "Contact"}),
        ("CampaignMember", "LeadId", None),
    ):
        sobject = engine.schema.objects[name]
        for row in engine.store.find(name, sobject.fields[link], lead):
            changes: Row = {link: contact, **more} if more is not None else {"ContactId": contact}
            engine.change(sobject, row, changes, caller, given=frozenset())


def _close(engine: Engine, lead_id: str, status: str, made: Converted, caller: Caller) -> None:
    sobject = engine.schema.objects["Lead"]
    lead = engine.living(sobject, lead_id)
    changes: Row = {
        "IsConverted": 1,
        "Status": status,
        "ConvertedDate": values.local_date(engine.now(), caller.zone),
        "ConvertedAccountId": made.account_id,
        "ConvertedContactId": made.contact_id,
        "ConvertedOpportunityId": made.opportunity_id,
        "IsUnreadByOwner": 0,
    }
    engine.change(sobject, lead, changes, caller)
    members = engine.schema.objects["CampaignMember"]
    for row in engine.store.find(members.name, members.fields["LeadId"], lead_id):
        campaigns.recount(engine, row["CampaignId"])
    # whose data type is unverified
    history.note(engine, Change(sobject, lead, lead, frozenset(), caller, {}), "leadConverted", "Text")


def _mapped(lead: Row, names: dict[str, str]) -> Row:
    return {theirs: lead[ours] for ours, theirs in names.items() if lead.get(ours) is not None}


def _address(lead: Row, stem: str) -> Row:
    return {stem + part: lead[part] for part in _ADDRESS if lead.get(part) is not None}


def _end_of_quarter(day: date, start: int) -> date:
    """The last day of the fiscal quarter that a day lies in, where the fiscal year begins in the month `start`."""
    months = day.month - 1 + 3 - (day.month - start) % 3
    return date(day.year + months // 12, months % 12 + 1, 1) - timedelta(days=1)
