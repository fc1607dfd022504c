"""`/users`: the tenant's people (api-reference user-list, user-get; concepts/aad-advanced-queries)."""

from __future__ import annotations

import base64
from typing import Any

from leakwatch.sandbox.microsoft import errors
from leakwatch.sandbox.microsoft.call import GraphCall, Reply, Route, Workload
from leakwatch.sandbox.microsoft.filters import Column, Found, compile_filter, compile_order
from leakwatch.sandbox.microsoft.mail import selected
from leakwatch.sandbox.microsoft.tenant import Tenant

TYPE = "microsoft.graph.user"

#: "The default and maximum page sizes are 100 and 999 user objects respectively."
DEFAULT_PAGE, MAX_PAGE = 100, 999

#: What comes where nothing is selected.
DEFAULT = (
    "businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation",
    "preferredLanguage", "surname", "userPrincipalName", "id",
)  # fmt: skip
SELECTABLE = frozenset(
    (
        *DEFAULT, "accountEnabled", "assignedLicenses", "companyName", "createdDateTime", "department", "employeeId",
        "mailNickname", "onPremisesSyncEnabled", "otherMails", "proxyAddresses", "usageLocation", "userType",
    )
)  # fmt: skip

#: What User.ReadBasic.All shows of others (permissions reference).
BASIC = frozenset(("displayName", "givenName", "surname", "mail", "userPrincipalName", "id"))

READ = ("User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
_ADVANCED = frozenset(("ne", "not", "endswith"))


def _text(name: str, *, advanced: frozenset[str] = _ADVANCED) -> Column:
    return Column(f"json_extract(body, '$.{name}')", advanced=advanced)


COLUMNS = {
    **{
        name: _text(name)
        for name in (
            "id", "displayName", "givenName", "surname", "mail", "userPrincipalName", "mailNickname", "department",
            "jobTitle", "companyName", "employeeId", "userType", "usageLocation", "officeLocation",
        )
    },
    "accountEnabled": Column("json_extract(body, '$.accountEnabled')", "bool", _ADVANCED),
    "onPremisesSyncEnabled": Column("json_extract(body, '$.onPremisesSyncEnabled')", "bool", _ADVANCED),
    "proxyAddresses": Column("json_extract(body, '$.proxyAddresses')", "list", frozenset(("endswith",))),
    "otherMails": Column("json_extract(body, '$.otherMails')", "list", frozenset(("endswith", "startswith"))),
}  # fmt: skip


class Users:
    """Answers what is asked of users."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant

    def _show(self, body: dict[str, Any], select: list[str] | None, call: GraphCall) -> dict[str, Any]:
        basic = not call.permissions - {"User.ReadBasic.All"}
        names = [name for name in (select or DEFAULT) if not basic or name in BASIC]
        return {name: body[name] for name in names}

    def _condition(self, call: GraphCall) -> tuple[Found, str]:
        options = call.options
        eventual = call.request.headers.get("consistencylevel", "").lower() == "eventual"
        advanced = eventual and options.flag("count")
        if options.get("search") is not None:
            raise errors.not_emulated("$search of users")
        if options.get("expand") is not None:
            raise errors.not_emulated("$expand of users")
        options.refuse("skip")
        text, sort = options.get("filter"), options.get("orderby")
        found = compile_filter(text, COLUMNS, TYPE, advanced=advanced) if text else Found("1")
        order = compile_order(sort, COLUMNS, TYPE) if sort else []
        if order and not advanced and (text or {name for name, _ in order} - {"displayName", "userPrincipalName"}):
            raise errors.unsupported_query("Sorting not supported for current query.")
        return found, ", ".join([*(sql for _, sql in order), "upn"])

    def list(self, call: GraphCall) -> Reply:
        """`/users`."""
        options = call.options
        found, order = self._condition(call)
        select = options.select(SELECTABLE, TYPE)
        size = options.top(DEFAULT_PAGE, MAX_PAGE)
        skip = _position(options.get("skiptoken"))
        body: dict[str, Any] = {
            "@odata.context": f"{call.context}users{selected(tuple(select) if select is not None else None)}"
        }
        if options.flag("count") and call.request.headers.get("consistencylevel", "").lower() == "eventual":
            query = f"SELECT count(*) FROM ms_user WHERE {found.sql}"
            body["@odata.count"] = self.tenant.db.execute(query, found.values).fetchone()[0]
        if call.request.behaviour == "empty_page":
            link = call.link(options.again(skiptoken=_token(skip)))
            return Reply(200, body | {"@odata.nextLink": link, "value": []})
        query = f"SELECT id FROM ms_user WHERE {found.sql} ORDER BY {order} LIMIT ? OFFSET ?"
        rows = self.tenant.db.execute(query, [*found.values, size + 1, skip]).fetchall()
        if len(rows) > size:
            body["@odata.nextLink"] = call.link(options.again(skiptoken=_token(skip + size)))
        people = [self.tenant.find(row[0]) for row in rows[:size]]
        body["value"] = [self._show(one, select, call) for one in people if one is not None]
        return Reply(200, body)

    def get(self, call: GraphCall) -> Reply:
        """`/users/{id or name to sign in}`."""
        select = call.options.select(SELECTABLE, TYPE)
        user = self.tenant.find(call.keys[0])
        if user is None:
            raise errors.no_user(call.keys[0])
        context = f"{call.context}users{selected(tuple(select) if select is not None else None)}/$entity"
        return Reply(200, {"@odata.context": context} | self._show(user, select, call))

    def count(self, call: GraphCall) -> Reply:
        """`/users/$count`: a number as plain text, with `ConsistencyLevel: eventual` alone."""
        if call.request.headers.get("consistencylevel", "").lower() != "eventual":
            raise errors.bad_request("$count is not currently supported.", "Request_BadRequest")
        text = call.options.get("filter")
        found = compile_filter(text, COLUMNS, TYPE) if text else Found("1")
        row = self.tenant.db.execute(f"SELECT count(*) FROM ms_user WHERE {found.sql}", found.values).fetchone()
        return Reply(200, str(row[0]))

    def settings(self, call: GraphCall) -> Reply:
        """`/users/{id}/mailboxSettings`."""
        zone = call.user["_time_zone"] if call.user else "UTC"
        language = call.user["preferredLanguage"] if call.user else "en-US"
        body: dict[str, Any] = {
            "archiveFolder": None,
            "timeZone": zone,
            "delegateMeetingMessageDeliveryOptions": "sendToDelegateOnly",
            "dateFormat": "yyyy-MM-dd",
            "timeFormat": "HH:mm",
            "userPurpose": "user",
            "automaticRepliesSetting": {
                "status": "disabled", "externalAudience": "all", "internalReplyMessage": "",
                "externalReplyMessage": "",
            },
            "language": {"locale": language, "displayName": language},
            "workingHours": {
                "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
                "startTime": "08:00:00.0000000", "endTime": "17:00:00.0000000", "timeZone": {"name": zone},
            },
        }  # fmt: skip
        select = call.options.select(frozenset(body), "microsoft.graph.mailboxSettings")
        shown = body if select is None else {name: body[name] for name in select}
        return Reply(200, {"@odata.context": f"{call.owner}/mailboxSettings"} | shown)

    def routes(self) -> list[Route]:
        """What of Graph is here. Units: concepts/throttling-limits, identity and access (`$select` costs one less)."""
        settings = ("MailboxSettings.Read", "MailboxSettings.ReadWrite")
        of_directory = Workload.DIRECTORY
        return [
            Route("users.list", "GET", "users", READ, self.list, of_directory, 2),
            Route("users.count", "GET", "users/$count", READ, self.count, of_directory, 2),
            Route("users.get", "GET", "users/{}", READ, self.get, of_directory, 1),
            Route("mailboxSettings.get", "GET", "users/{}/mailboxSettings", settings, self.settings),
        ]


def _token(skip: int) -> str:
    return base64.urlsafe_b64encode(f"RFNwdA:{skip}".encode()).decode("ascii")


def _position(token: str | None) -> int:
    if not token:
        return 0
    try:
        head, _, skip = base64.urlsafe_b64decode(token).decode("ascii").partition(":")
    except (ValueError, UnicodeDecodeError):
        head, skip = "", ""
    if head != "RFNwdA" or not skip.isdigit():
        raise errors.bad_request("Value of $skiptoken is invalid.", "Directory_ExpiredPageToken")
    return int(skip)
