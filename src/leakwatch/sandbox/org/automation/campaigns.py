"""Campaigns, who is in them and who responded (Object Reference, Campaign, CampaignMember, CampaignMemberStatus)."""

from __future__ import annotations

from leakwatch.sandbox.org import values
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.engine import Change, Engine, Row, Rules
from leakwatch.sandbox.org.errors import bad

_STATUSES = (("Sent", 3, 1, 0), ("Responded", 4, 0, 1))
"""(label, order, default, responded) that a new campaign brings; the order's numbers are unverified."""
_SHARED = (
    *("Salutation", "Name", "FirstName", "LastName", "Title", "Email", "Phone", "Fax", "MobilePhone"),
    *("LeadSource", "Description"),
)
_ADDRESS = ("Street", "City", "State", "PostalCode", "Country")


def settle(engine: Engine, change: Change) -> None:
    """A new campaign has two statuses for its members."""
    if not change.creating:
        return
    for label, order, default, responded in _STATUSES:
        row: Row = {"CampaignId": change.row["Id"], "Label": label, "SortOrder": order}
        row |= {"IsDefault": default, "HasResponded": responded}
        engine.insert(engine.schema.objects["CampaignMemberStatus"], row, change.caller)


def recount(engine: Engine, campaign_id: str | None) -> None:
    """Count a campaign's members and deals anew; its SystemModstamp moves if they are other ones."""
    campaign = engine.lookup(campaign_id)
    if campaign is None:
        return
    sql = (
        "SELECT COALESCE(SUM(m.ContactId IS NULL), 0) AS NumberOfLeads, "
        "COALESCE(SUM(m.ContactId IS NOT NULL), 0) AS NumberOfContacts, "
        "COALESCE(SUM(l.IsConverted = 1), 0) AS NumberOfConvertedLeads, "
        "COALESCE(SUM(m.HasResponded), 0) AS NumberOfResponses "
        "FROM CampaignMember AS m LEFT JOIN Lead AS l ON l.Id = m.LeadId WHERE m.CampaignId = ? AND m.IsDeleted = 0"
    )
    counted = dict(engine.store.execute(sql, (campaign["Id"],)).fetchone())
    sql = (
        "SELECT COUNT(*) AS NumberOfOpportunities, COALESCE(SUM(IsWon), 0) AS NumberOfWonOpportunities, "
        "ROUND(COALESCE(SUM(Amount), 0.0), 2) AS AmountAllOpportunities, "
        "ROUND(COALESCE(SUM(CASE WHEN IsWon = 1 THEN Amount END), 0.0), 2) AS AmountWonOpportunities "
        "FROM Opportunity WHERE CampaignId = ? AND IsDeleted = 0"
    )
    counted |= dict(engine.store.execute(sql, (campaign["Id"],)).fetchone())
    changes = {name: value for name, value in counted.items() if campaign[name] != value}
    if changes:
        engine.store.update("Campaign", campaign["Id"], changes | {"SystemModstamp": engine.now()})


# -- members ------------------------------------------------------------------------------------------


def prepare_member(engine: Engine, change: Change) -> None:
    """A lead or a contact, once per campaign; the status says whether they responded."""
    row = change.row
    if change.creating and bool(row.get("LeadId")) == bool(row.get("ContactId")):
        # that it is one of the two is documented, code and words are unverified
        raise bad("FIELD_INTEGRITY_EXCEPTION", "A campaign member is either a lead or a contact", "LeadId", "ContactId")
    if change.creating:
        link = "LeadId" if row.get("LeadId") else "ContactId"
        sql = f"SELECT 1 FROM CampaignMember WHERE CampaignId = ? AND {link} = ? AND IsDeleted = 0"
        if engine.store.execute(sql, (row.get("CampaignId"), row[link])).fetchone():
            raise bad("DUPLICATE_VALUE", "Already a campaign member.")
    statuses = _statuses(engine, row.get("CampaignId"))
    if row.get("Status") is None:
        row["Status"] = next((one["Label"] for one in statuses if one["IsDefault"]), "Sent")
    derive_member(engine, row)
    if row["HasResponded"] and row.get("FirstRespondedDate") is None:
        row["FirstRespondedDate"] = values.local_date(engine.now(), change.caller.zone)


def derive_member(engine: Engine, row: Row) -> None:
    """What is copied from the person, and whether they responded."""
    statuses = _statuses(engine, row.get("CampaignId"))
    responded = {one["Label"] for one in statuses if one["HasResponded"]} if statuses else {"Responded"}
    row["HasResponded"] = int(row.get("Status") in responded)
    row |= _person(engine, row)


def _person(engine: Engine, row: Row) -> Row:
    """Type, name and the like; of a converted lead the contact's."""
    contact = engine.lookup(row.get("ContactId"))
    person = contact or engine.lookup(row.get("LeadId"))
    if person is None:
        return {}
    stem = "Mailing" if contact else ""
    account = engine.lookup(contact["AccountId"]) if contact else None
    found: Row = {name: person.get(name) for name in _SHARED}
    found |= {name: person.get(stem + name) for name in _ADDRESS}
    found |= {"Type": "Contact" if contact else "Lead", "LeadOrContactId": person["Id"]}
    found["LeadOrContactOwnerId"] = person["OwnerId"]
    found["CompanyOrAccount"] = (account["Name"] if account else None) if contact else person["Company"]
    return found


def _statuses(engine: Engine, campaign_id: str | None) -> list[Row]:
    statuses = engine.schema.objects["CampaignMemberStatus"]
    return engine.store.find(statuses.name, statuses.fields["CampaignId"], campaign_id) if campaign_id else []


def settle_member(engine: Engine, change: Change) -> None:
    """The campaign counts its members."""
    recount(engine, change.row["CampaignId"])


def removed_member(engine: Engine, row: Row, _caller: Caller) -> None:
    """The same after one went."""
    recount(engine, row["CampaignId"])


def carry(engine: Engine, person: Row, link: str) -> None:
    """Carry a changed lead or contact over to its memberships."""
    members = engine.schema.objects["CampaignMember"]
    for row in engine.store.find(members.name, members.fields[link], person["Id"]):
        copied = _person(engine, row)
        changes = {name: value for name, value in copied.items() if row[name] != value}
        if changes:
            engine.store.update(members.name, row["Id"], changes | {"SystemModstamp": engine.now()})


RULES = {
    "Campaign": Rules(settle=settle),
    "CampaignMember": Rules(prepare=prepare_member, derive=derive_member, settle=settle_member, removed=removed_member),
}
