"""msal (PyPI) against the sandbox's Entra, and Graph's answers against Graph's own description of its types.

What is asked for is asked with plain requests: the SDK's typed builders read the same bodies in the tests. Each body
is held against the CSDL of Graph v1.0 (microsoftgraph/msgraph-metadata), which run.py fetches.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msal
import requests
from checks import info, works
from graph_csdl import Csdl

INFO = info()
TENANT = INFO["microsoft"]
GRAPH = TENANT["graph_url"]
_MOST_PROBLEMS = 5

EVENTUAL = {"ConsistencyLevel": "eventual"}
USER = (
    "id,displayName,mail,userPrincipalName,proxyAddresses,accountEnabled,userType,assignedLicenses,createdDateTime,"
    "otherMails,mailNickname,onPremisesSyncEnabled,companyName,department,employeeId,usageLocation"
)


def application(credential: Any) -> msal.ConfidentialClientApplication:
    """msal, pointed at the sandbox."""
    return msal.ConfidentialClientApplication(
        TENANT["client_id"], credential, authority=TENANT["authority"], instance_discovery=False, verify=INFO["ca_file"]
    )


def tokens() -> str:
    """Both credentials, and what is refused; an access token."""
    token = ""
    with works("a token by client secret, the second time from the cache"):
        app = application(TENANT["client_secret"])
        token = app.acquire_token_for_client([TENANT["scope"]])["access_token"]
        assert app.acquire_token_for_client([TENANT["scope"]])["token_source"] == "cache"
    with works("a token by certificate (PS256 and SHA-256 thumbprint)"):
        key = Path(TENANT["private_key_file"]).read_text(encoding="ascii")
        certificate = Path(TENANT["certificate_file"]).read_text(encoding="ascii")
        app = application({"private_key": key, "public_certificate": certificate})
        assert "access_token" in app.acquire_token_for_client([TENANT["scope"]])
    with works("a wrong secret is refused as invalid_client, AADSTS7000215"):
        said = application("wrong").acquire_token_for_client([TENANT["scope"]])
        assert (said["error"], said["error_codes"]) == ("invalid_client", [7000215]), said
    return token


class Reader:
    """Asks Graph and holds what it says against its description."""

    def __init__(self, token: str) -> None:
        self.csdl = Csdl(Path(os.environ["GRAPH_CSDL"]))
        self.web = requests.Session()
        self.web.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **headers: str) -> dict[str, Any]:
        """One answer, which must be a good one."""
        link = path if path.startswith("https://") else GRAPH + path
        answer = self.web.get(link, headers=headers, timeout=30)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:300]}"
        return answer.json()

    def one(self, kind: str, path: str, **headers: str) -> None:
        """A single resource."""
        self.hold(kind, [self.get(path, **headers)])

    def all(self, kind: str, path: str, **headers: str) -> list[dict[str, Any]]:
        """All pages of a collection; none of it may be empty."""
        found: list[dict[str, Any]] = []
        link: str | None = path
        while link:
            page = self.get(link, **headers)
            found += page["value"]
            link = page.get("@odata.nextLink")
        assert found, f"{path} has nothing"
        self.hold(kind, found)
        return found

    def hold(self, kind: str, bodies: list[dict[str, Any]]) -> None:
        """Fail where a body is not as its type is described."""
        problems = [problem for body in bodies for problem in self.csdl.problems(body, kind)]
        assert not problems, "; ".join(problems[:_MOST_PROBLEMS])


def bodies(reader: Reader) -> None:
    """Every resource that the sandbox has."""
    with works("user: lists, selections, counts, one by id"):
        people = reader.all("user", f"/users?$top=2&$select={USER}&$count=true", **EVENTUAL)
        reader.all("user", "/users")
        reader.one("user", f"/users/{people[0]['id']}")
    with works("mailboxSettings"):
        reader.one("mailboxSettings", f"/users/{TENANT['mailboxes'][0]}/mailboxSettings")
    kinds: set[str] = set()
    with works("mailFolder, message and eventMessage of every mailbox, whole and with headers"):
        for mailbox in TENANT["mailboxes"]:
            if reader.web.get(f"{GRAPH}/users/{mailbox}/messages", timeout=30).status_code == 404:
                continue
            reader.all("mailFolder", f"/users/{mailbox}/mailFolders?includeHiddenFolders=true")
            page = reader.get(f"/users/{mailbox}/messages?$top=200")["value"]
            reader.hold("message", page)
            kinds |= {str(one.get("@odata.type", "message")) for one in page}
            chosen = "internetMessageHeaders,uniqueBody,subject"
            reader.hold("message", reader.get(f"/users/{mailbox}/messages?$top=200&$select={chosen}")["value"])
        assert {"message", "#microsoft.graph.eventMessageRequest"} <= kinds, kinds
    with works("message: a round of change tracking, with immutable ids"):
        for mailbox in TENANT["mailboxes"][2:4]:
            prefer = 'IdType="ImmutableId", odata.maxpagesize=5'
            link = f"/users/{mailbox}/mailFolders/inbox/messages/delta"
            while link:
                page = reader.get(link, Prefer=prefer)
                reader.hold("message", page["value"])
                link = page.get("@odata.nextLink", "")
            assert page["@odata.deltaLink"]
    with works("calendar, event: lists, a view, instances, a round of change tracking"):
        kinds = set[str]()
        window = "startDateTime=2020-01-01T00:00:00Z&endDateTime=2035-01-01T00:00:00Z"
        for mailbox in TENANT["mailboxes"]:
            if reader.web.get(f"{GRAPH}/users/{mailbox}/events", timeout=30).status_code == 404:
                continue
            reader.all("calendar", f"/users/{mailbox}/calendars")
            events = reader.get(f"/users/{mailbox}/events?$top=200")["value"]
            reader.hold("event", events)
            for master in (one for one in events if one["type"] == "seriesMaster"):
                reader.all("event", f"/users/{mailbox}/events/{master['id']}/instances?{window}&$top=1000")
                reader.one("event", f"/users/{mailbox}/events/{master['id']}?$select=cancelledOccurrences,recurrence")
            link = f"/users/{mailbox}/calendarView/delta?{window}"
            while link:
                page = reader.get(link, Prefer="odata.maxpagesize=50")
                reader.hold("event", page["value"])
                kinds |= {str(one.get("type")) for one in page["value"]}
                link = page.get("@odata.nextLink", "")
        assert {"singleInstance", "seriesMaster", "occurrence", "exception"} <= kinds, kinds
    with works("$batch: each part's body is that of its resource"):
        parts = [{"id": str(n), "method": "GET", "url": f"/users/{m}"} for n, m in enumerate(TENANT["mailboxes"])]
        answer = reader.web.post(f"{GRAPH}/$batch", json={"requests": parts}, timeout=30).json()["responses"]
        assert {one["status"] for one in answer} == {200}
        reader.hold("user", [one["body"] for one in answer])


def main() -> None:
    """All checks."""
    bodies(Reader(tokens()))


if __name__ == "__main__":
    main()
