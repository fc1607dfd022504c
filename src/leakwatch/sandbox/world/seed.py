"""Putting a world's start into the org and the mailboxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from itertools import groupby
from typing import Any, Protocol

from leakwatch.sandbox.clock import format_instant
from leakwatch.sandbox.google.directory import Account, Directory
from leakwatch.sandbox.mail_room import MailRoom
from leakwatch.sandbox.microsoft.exchange import Exchange
from leakwatch.sandbox.microsoft.tenant import Person
from leakwatch.sandbox.world import letters
from leakwatch.sandbox.world.check import REFERENCE, WorldError
from leakwatch.sandbox.world.model import Json, World, account_of, instant

#: Google's id of the sandbox's one Workspace customer.
CUSTOMER = "C0sandbox1"


class AgendaLike(Protocol):
    """What the player needs of the org's agenda."""

    def next_at(self) -> datetime | None:
        """When something is due next."""
        ...

    def run_due(self) -> int:
        """Do what is due."""
        ...


class OrgLike(Protocol):
    """What the player needs of the emulated Salesforce org (`org.facade.Org`)."""

    def seed(self, sobject: str, rows: list[Json]) -> Any:
        """Load rows as they are."""
        ...

    def create(self, sobject: str, fields: Json, *, user_id: str) -> Any:
        """Insert one row as a user."""
        ...

    def update(self, sobject: str, record_id: str, fields: Json, *, user_id: str) -> Any:
        """Change one row as a user."""
        ...

    def delete(self, sobject: str, record_id: str, *, user_id: str) -> Any:
        """Delete one row as a user."""
        ...

    def convert_lead(self, lead_id: str, *, user_id: str, **options: Any) -> Any:
        """Convert a lead as a user."""
        ...

    def query(self, soql: str) -> list[Json]:
        """All records of a query."""
        ...

    def new_id(self, sobject: str) -> str:
        """A fresh id."""
        ...

    def declare(self, rules: Json) -> Any:
        """Set validation rules or duplicate rules."""
        ...

    @property
    def agenda(self) -> AgendaLike:
        """What happens later."""
        ...


def resolve(value: Any, refs: Mapping[str, str]) -> Any:
    """Replace a reference by the id it stands for; everything else stays."""
    if isinstance(value, str) and REFERENCE.fullmatch(value):
        return refs[value]
    return value


def resolve_fields(fields: Json, refs: Mapping[str, str]) -> Json:
    """Replace the references among a record's values."""
    return {name: resolve(value, refs) for name, value in fields.items()}


def assign_ids(world: World, org: OrgLike) -> dict[str, str]:
    """An id for everything that is there at the start."""
    refs: dict[str, str] = {}
    for user in world.users:
        refs[user["ref"]] = org.new_id("User")
    for queue in world.queues:
        refs[queue["ref"]] = org.new_id("Group")
    for record in world.records:
        refs[record["ref"]] = org.new_id(record["object"])
    return refs


def seed_org(world: World, org: OrgLike, refs: dict[str, str]) -> None:
    """People first, then records in the order of the file."""
    stamp = {"CreatedDate": format_instant(world.start), "LastModifiedDate": format_instant(world.start)}
    org.seed("User", [_user_row(world, user, refs) for user in world.users])
    if world.queues:
        org.seed("Group", [_queue_row(queue, refs) | stamp for queue in world.queues])
        org.seed("QueueSobject", list(_queue_objects(world, org, refs)))
        members = list(_queue_members(world, org, refs))
        if members:
            org.seed("GroupMember", members)
    for sobject, group in groupby(world.records, key=lambda record: str(record["object"])):
        _seed_group(org, sobject, list(group), refs, world)


def declare_rules(world: World, org: OrgLike) -> None:
    """The rules of the company's admin, which hold for what is written from now on."""
    for kind in ("validation_rules", "duplicate_rules"):
        try:
            org.declare({kind: getattr(world, kind)})
        except ValueError as error:
            raise WorldError([str(error)]) from error


def _seed_group(org: OrgLike, sobject: str, records: list[Json], refs: dict[str, str], world: World) -> None:
    """All records of one object at once; if the org refuses, say which record it was."""
    rows = [_record_row(record, refs, world) for record in records]
    try:
        org.seed(sobject, rows)
    except Exception:
        for record, row in zip(records, rows, strict=True):
            try:
                org.seed(sobject, [row])
            except Exception as error:
                raise WorldError([f"records[{world.records.index(record)}] ({record['ref']}): {error}"]) from error
        raise


def seed_user(world: World, org: OrgLike, user: Json, refs: Mapping[str, str]) -> None:
    """One more person, after the others."""
    org.seed("User", [_user_row(world, user, refs)])


def _user_row(world: World, user: Json, refs: Mapping[str, str]) -> Json:
    manager = user.get("manager")
    return {
        "Id": refs[user["ref"]],
        "Username": user.get("username", user["email"]),
        "FirstName": user["first_name"],
        "LastName": user["last_name"],
        "Email": user["email"],
        "Title": user.get("title"),
        "Alias": user["last_name"][:8].lower(),
        "IsActive": user.get("active", True),
        "ManagerId": refs[manager] if manager else None,
        "UserType": user.get("user_type", "Standard"),
        "TimeZoneSidKey": world.company["time_zone"],
        "LocaleSidKey": world.company.get("locale", "en_US"),
        "LanguageLocaleKey": user.get("language", world.company.get("language", "en_US")),
        "EmailEncodingKey": "UTF-8",
        "CreatedDate": format_instant(_hired(world)),
        "LastModifiedDate": format_instant(_hired(world)),
    }


def _hired(world: World) -> datetime:
    return world.start.replace(year=world.start.year - 3)


def _queue_row(queue: Json, refs: dict[str, str]) -> Json:
    return {
        "Id": refs[queue["ref"]],
        "Name": queue["name"],
        "DeveloperName": queue["ref"].partition(":")[2].replace("-", "_"),
        "Type": "Queue",
        "Email": queue.get("email"),
    }


def _queue_objects(world: World, org: OrgLike, refs: dict[str, str]) -> Iterator[Json]:
    for queue in world.queues:
        for sobject in queue["objects"]:
            yield {"Id": org.new_id("QueueSobject"), "QueueId": refs[queue["ref"]], "SobjectType": sobject}


def _queue_members(world: World, org: OrgLike, refs: dict[str, str]) -> Iterator[Json]:
    for queue in world.queues:
        for member in queue.get("members", []):
            yield {
                "Id": org.new_id("GroupMember"),
                "GroupId": refs[queue["ref"]],
                "UserOrGroupId": refs[member],
            }


def _record_row(record: Json, refs: dict[str, str], world: World) -> Json:
    created = record.get("created")
    row: Json = {"Id": refs[record["ref"]]}
    row["CreatedDate"] = format_instant(instant(created) if created else world.start)
    if "modified" in record:
        row["LastModifiedDate"] = format_instant(instant(record["modified"]))
    if "owner" in record:
        row["OwnerId"] = refs[record["owner"]]
    if record.get("deleted"):
        row["IsDeleted"] = True
    return row | resolve_fields(record["fields"], refs)


def seed_mailboxes(world: World, post: MailRoom) -> None:
    """Accounts at either provider, labels and folders, and all mail from before the start."""
    with post.google.store.writing():
        for user in world.users:
            google = user.get("google")
            if google is not None:
                put_account(world, post.google.directory, user)
                for label in google.get("labels", []):
                    post.google.store.create_label(user["email"].lower(), label)
            if user.get("microsoft") is not None:
                _put_person(world, post.microsoft, user)
        for mail in sorted(world.mails, key=lambda mail: instant(mail["at"])):
            if instant(mail["at"]) <= world.start and not mail.get("held"):
                post.deliver(letters.build(mail, world), instant(mail["at"]))


def _put_person(world: World, exchange: Exchange, user: Json) -> None:
    """One user of the Microsoft tenant, with the folders of the mailbox."""
    account: Json = user["microsoft"]
    created = account.get("created")
    mailbox = account.get("mailbox", "cloud")
    address = user["email"].lower()
    exchange.tenant.put(
        Person(
            address=address,
            given_name=user["first_name"],
            surname=user["last_name"],
            aliases=tuple(account.get("aliases", [])),
            upn=account.get("upn"),
            title=user.get("title"),
            mailbox=mailbox,
            guest=account.get("guest", False),
            time_zone=world.company["time_zone"],
            language=user.get("language", world.company.get("language", "en-US")),
            created=instant(created) if created else datetime.combine(_hired(world), time(8), UTC),
        )
    )
    for path in account.get("folders", []) if mailbox == "cloud" else []:
        exchange.mailboxes.make_folder(address, path)


def put_account(world: World, directory: Directory, user: Json) -> None:
    """One user's Google account."""
    google: Json = user["google"]
    created = google.get("created")
    directory.put(
        Account(
            address=user["email"].lower(),
            given_name=user["first_name"],
            family_name=user["last_name"],
            aliases=tuple(alias.lower() for alias in google.get("aliases", [])),
            non_editable_aliases=tuple(alias.lower() for alias in google.get("non_editable_aliases", [])),
            admin=google.get("admin", False),
            suspended=False,
            gmail=google.get("gmail", True),
            created=instant(created) if created else datetime.combine(_hired(world), time(8), UTC),
        ),
        customer=CUSTOMER,
    )


def suspend_accounts(world: World, post: MailRoom) -> None:
    """Suspend who is suspended from the start (after their old mail was delivered)."""
    for user in world.users:
        if (account_of(user) or {}).get("suspended"):
            address = user["email"].lower()
            post.of(address).suspend(address, suspended=True)
