"""Who an address or a mail domain belongs to, and the open deals with their people: generated tables of a snapshot.

`store.address_book` reads them. A field that the org does not show us is taken as empty.
"""

from __future__ import annotations

from leakwatch.core.mail_providers import NO_COMPANY
from leakwatch.core.match_domains import website_domain
from leakwatch.core.tables import ObjectSpec, snake
from leakwatch.store.mirror_build import Build
from leakwatch.store.mirror_ingest import literal, quoted
from leakwatch.store.mirror_meanings import STANDARD_USER

# As `core.match_domains.website_domain`, which is asked about names with letters beyond ASCII.
_HOST = r"^(?:[a-z][a-z0-9+.-]*://)?(?:[^/@]*@)?(?:www\.)?([^/:?#]+)"

PEOPLE_TABLES = ("lw_address", "lw_open_opportunity", "lw_deal_contact", "lw_deal_user", "lw_company", "lw_domain")
# The live tables that they are made of, by way of the snapshot's own.
PEOPLE_READ = (
    "sf_contact", "sf_lead", "sf_user", "sf_account", "sf_opportunity", "sf_opportunity_stage",
    "sf_opportunity_contact_role", "sf_opportunity_team_member",
)  # fmt: skip


def build_people(build: Build) -> None:
    """Make `lw_address`, `lw_open_opportunity`, `lw_deal_contact`, `lw_deal_user`, `lw_company` and `lw_domain`."""
    _build_addresses(build)
    _build_deals(build)
    _build_companies(build)


# --- addresses ---


def _build_addresses(build: Build) -> None:
    build.run(
        "CREATE TABLE next.main.lw_address (address VARCHAR, record_id VARCHAR, sobject VARCHAR, name VARCHAR,"
        " account_id VARCHAR, owner_id VARCHAR, created_at TIMESTAMP, is_active BOOLEAN, is_main BOOLEAN,"
        " is_person_account BOOLEAN, last_activity DATE, contact_id VARCHAR, opportunity_id VARCHAR)"
    )
    selects = [
        _people_select(build, spec, column, is_main=column in {snake(name) for name in spec.emails})
        for spec in build.config.objects
        if spec.name in ("Contact", "Lead", "User", "Account")
        for column in _email_columns(build, spec)
    ]
    if not selects:
        return
    build.run(f"INSERT INTO next.main.lw_address SELECT DISTINCT * FROM ({' UNION ALL '.join(selects)})"
              " ORDER BY address")  # fmt: skip
    # A person account is reached through its contact wherever that is mirrored: mails relate to contacts.
    build.run(
        "DELETE FROM next.main.lw_address AS a WHERE a.sobject = 'Account' AND EXISTS (SELECT 1 FROM"
        " next.main.lw_address AS c WHERE c.sobject = 'Contact' AND c.account_id = a.account_id"
        " AND c.address = a.address)"
    )
    # Where it is not, the account names its contact itself.
    build.run("UPDATE next.main.lw_address SET sobject = 'Contact', record_id = contact_id, contact_id = NULL,"
              " is_person_account = TRUE WHERE sobject = 'Account' AND contact_id IS NOT NULL")  # fmt: skip


def _email_columns(build: Build, spec: ObjectSpec) -> list[str]:
    """Return the columns of addresses: those of the configured fields, and those that only describe knew to be some.

    The live table has the configured fields and no others but e-mail fields that were found (`tables.wanted_fields`).
    """
    named = [snake(name) for name in spec.emails if build.has(spec.table, snake(name))]
    configured = {item.column for item in spec.fields}
    return named + [name for name in build.columns.get(spec.table, {}) if spec.find_emails and name not in configured]


def _people_select(build: Build, spec: ObjectSpec, email: str, *, is_main: bool) -> str:
    sobject, table = spec.name, spec.table
    account, contact, deal, joins = "NULL", "NULL", "NULL", ""
    name = build.column(table, "name", "VARCHAR")
    where = f"NOT COALESCE({build.column(table, 'is_deleted', 'BOOLEAN')}, FALSE)"
    person = "FALSE"
    if sobject == "Account":
        account, contact = "t.id", build.column(table, "person_contact_id", "VARCHAR")
        person = f"COALESCE({build.column(table, 'is_person_account', 'BOOLEAN')}, FALSE)"
    elif sobject == "Contact":
        account = build.column(table, "account_id", "VARCHAR")
        person = f"COALESCE({build.column(table, 'is_person_account', 'BOOLEAN')}, FALSE)"
        if build.has("sf_account", "is_person_account"):
            person += f" OR COALESCE({account} IN (SELECT id FROM main.sf_account WHERE is_person_account), FALSE)"
    elif sobject == "User":  # a customer who logs in to a portal is a contact, not one of us
        where += f" AND COALESCE({build.column(table, 'user_type', 'VARCHAR')}, {literal(STANDARD_USER)}) IN"
        where += f" ('', {literal(STANDARD_USER)})"
    elif sobject == "Lead":
        account, contact, joins = _became(build)
        deal = build.column(table, "converted_opportunity_id", "VARCHAR")
        converted = f"COALESCE({build.column(table, 'is_converted', 'BOOLEAN')}, FALSE)"
        account, contact, deal = (f"CASE WHEN {converted} THEN {sql} END" for sql in (account, contact, deal))
        where += f" AND (NOT {converted} OR {account} IS NOT NULL OR {contact} IS NOT NULL)"
    owner = "t.id" if sobject == "User" else build.column(table, "owner_id", "VARCHAR")
    active = build.column(table, "is_active", "BOOLEAN") if sobject == "User" else "TRUE"
    return (
        f"SELECT lower(trim(t.{quoted(email)})) AS address, t.id AS record_id, {literal(sobject)} AS sobject, {name},"
        f" {account} AS account_id, {owner}, {build.column(table, 'created_date', 'TIMESTAMP')},"
        f" COALESCE({active}, TRUE), {'TRUE' if is_main else 'FALSE'}, {person},"
        f" {build.column(table, 'last_activity_date', 'DATE')}, {contact}, {deal}"
        f" FROM next.main.{quoted(table)} AS t{joins} WHERE NULLIF(trim(t.{quoted(email)}), '') IS NOT NULL AND {where}"
    )


def _became(build: Build) -> tuple[str, str, str]:
    """Return SQL (account id, contact id, joins) of what a converted lead became, as far as that is still there."""
    joins, accounts, contact = "", list[str](), "NULL"
    for table, column in (("sf_contact", "converted_contact_id"), ("sf_account", "converted_account_id")):
        if not build.has("sf_lead", column) or not build.has(table, "id"):
            continue
        alias = f"b_{table}"
        alive = f"NOT COALESCE({build.column(table, 'is_deleted', 'BOOLEAN', alias)}, FALSE)"
        joins += f" LEFT JOIN next.main.{table} AS {alias} ON {alias}.id = t.{column} AND {alive}"
        if table == "sf_contact":
            contact = f"{alias}.id"
            accounts.append(build.column(table, "account_id", "VARCHAR", alias))  # it may have moved since
        else:
            accounts.append(f"{alias}.id")
    return (f"COALESCE({', '.join(accounts)}, NULL)" if accounts else "NULL"), contact, joins


# --- deals ---


def _build_deals(build: Build) -> None:
    build.run(
        "CREATE TABLE next.main.lw_open_opportunity (record_id VARCHAR, account_id VARCHAR, name VARCHAR,"
        " owner_id VARCHAR, created_at TIMESTAMP, close_date DATE, last_activity DATE)"
    )
    build.run("CREATE TABLE next.main.lw_deal_contact (opportunity_id VARCHAR, contact_id VARCHAR, is_primary BOOLEAN)")
    build.run("CREATE TABLE next.main.lw_deal_user (opportunity_id VARCHAR, user_id VARCHAR)")
    table = "sf_opportunity"
    if not (build.has(table, "account_id", "stage_name") or build.has(table, "account_id", "is_closed")):
        return
    build.run(
        f"INSERT INTO next.main.lw_open_opportunity SELECT t.id, t.account_id,"
        f" {build.column(table, 'name', 'VARCHAR')}, {build.column(table, 'owner_id', 'VARCHAR')},"
        f" {build.column(table, 'created_date', 'TIMESTAMP')}, {build.column(table, 'close_date', 'DATE')},"
        f" {build.column(table, 'last_activity_date', 'DATE')}"
        f" FROM next.main.{table} AS t WHERE t.stage_meaning = 'open' AND t.account_id IS NOT NULL"
        f" AND NOT COALESCE({build.column(table, 'is_deleted', 'BOOLEAN')}, FALSE) ORDER BY t.account_id"
    )
    open_ones = "t.opportunity_id IN (SELECT record_id FROM next.main.lw_open_opportunity)"
    roles = "sf_opportunity_contact_role"
    if build.has(roles, "opportunity_id", "contact_id"):
        primary = f"COALESCE(bool_or({build.column(roles, 'is_primary', 'BOOLEAN')}), FALSE)"
        build.run(
            f"INSERT INTO next.main.lw_deal_contact SELECT t.opportunity_id, t.contact_id, {primary}"
            f" FROM next.main.{roles} AS t WHERE {open_ones} AND t.contact_id IS NOT NULL"
            f" AND NOT COALESCE({build.column(roles, 'is_deleted', 'BOOLEAN')}, FALSE) GROUP BY 1, 2"
        )
    team = "sf_opportunity_team_member"
    if build.has(team, "opportunity_id", "user_id"):
        build.run(
            f"INSERT INTO next.main.lw_deal_user SELECT DISTINCT t.opportunity_id, t.user_id"
            f" FROM next.main.{team} AS t WHERE {open_ones} AND t.user_id IS NOT NULL"
            f" AND NOT COALESCE({build.column(team, 'is_deleted', 'BOOLEAN')}, FALSE)"
        )


# --- companies ---


def _build_companies(build: Build) -> None:
    build.run(
        "CREATE TABLE next.main.lw_company (record_id VARCHAR, name VARCHAR, owner_id VARCHAR, parent_id VARCHAR)"
    )
    build.run("CREATE TABLE next.main.lw_domain (domain VARCHAR, account_id VARCHAR, is_stated BOOLEAN)")
    table = "sf_account"
    if not build.has(table, "id"):
        return
    alive = f"NOT COALESCE({build.column(table, 'is_deleted', 'BOOLEAN')}, FALSE)"
    build.run(
        f"INSERT INTO next.main.lw_company SELECT t.id, {build.column(table, 'name', 'VARCHAR')},"
        f" {build.column(table, 'owner_id', 'VARCHAR')}, {build.column(table, 'parent_id', 'VARCHAR')}"
        f" FROM next.main.{table} AS t WHERE {alive}"
    )
    alive += f" AND NOT COALESCE({build.column(table, 'is_person_account', 'BOOLEAN')}, FALSE)"
    spec = build.config.object("Account")
    fields = [snake(name) for name in spec.domains if build.has(table, snake(name))] if spec is not None else []
    parts = [
        f"SELECT t.id AS account_id, unnest(string_split_regex(lower(trim(t.{quoted(name)})), '[,;\\s]+')) AS text"
        f" FROM next.main.{table} AS t WHERE t.{quoted(name)} <> '' AND {alive}"
        for name in fields
    ]
    if parts:
        _add_stated(build, " UNION ALL ".join(parts))
    _add_by_contacts(build)


def _add_stated(build: Build, texts: str) -> None:
    build.run(
        f"CREATE OR REPLACE TEMP TABLE lw_host AS SELECT DISTINCT regexp_extract(text, {literal(_HOST)}, 1) AS host,"
        f" account_id FROM ({texts})"
    )
    odd = [
        str(row[0])
        for row in build.run(r"SELECT DISTINCT host FROM lw_host WHERE regexp_matches(host, '[^\x00-\x7f]')")
    ]
    build.map_table("lw_odd_host", "host VARCHAR, domain VARCHAR", ((host, website_domain(host)) for host in odd))
    build.run(
        "INSERT INTO next.main.lw_domain SELECT DISTINCT COALESCE(o.domain, h.host), h.account_id, TRUE"
        " FROM lw_host AS h LEFT JOIN lw_odd_host AS o ON o.host = h.host WHERE contains(h.host, '.')"
    )
    build.run("DROP TABLE lw_host")


def _add_by_contacts(build: Build) -> None:
    """Add the domain that more than half of an account's contacts have, among those whose domain says anything."""
    build.run(
        "INSERT INTO next.main.lw_domain SELECT domain, account_id, FALSE FROM (SELECT account_id, domain, count(*) AS"
        " number, sum(count(*)) OVER (PARTITION BY account_id) AS in_all FROM (SELECT DISTINCT account_id, record_id,"
        " split_part(address, '@', 2) AS domain FROM next.main.lw_address WHERE sobject = 'Contact' AND is_main"
        " AND NOT is_person_account AND account_id IS NOT NULL) WHERE contains(domain, '.')"
        " AND domain NOT IN (SELECT unnest(?::VARCHAR[])) GROUP BY 1, 2) AS counted WHERE number * 2 > in_all"
        " AND NOT EXISTS (SELECT 1 FROM next.main.lw_domain AS d WHERE d.domain = counted.domain"
        " AND d.account_id = counted.account_id)",
        [sorted(NO_COMPANY)],
    )
