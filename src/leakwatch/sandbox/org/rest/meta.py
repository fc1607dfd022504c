"""Versions and resources."""

from __future__ import annotations

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.rest.http import Call, Reply, router

FIRST_VERSION, LAST_VERSION = 31, 68
RETIRED = range(1, FIRST_VERSION)
RESOURCES = (
    "actions", "analytics", "appMenu", "chatter", "composite", "event", "jobs", "limits", "metadata",
    "parameterizedSearch", "process", "query", "queryAll", "quickActions", "recent", "search", "sobjects", "tabs",
    "theme", "tooling", "ui-api",
)  # fmt: skip
_SEASONS = ("Spring", "Summer", "Winter")


def versions() -> list[dict[str, str]]:
    """`GET /services/data/`: three releases a year, v66 being Spring '26."""
    listed: list[dict[str, str]] = []
    for number in range(FIRST_VERSION, LAST_VERSION + 1):
        years, season = divmod(number - 66, 3)
        year = 26 + years + (season == 2)
        label = f"{_SEASONS[season]} '{year:02d}"
        listed.append({"label": label, "url": f"/services/data/v{number}.0", "version": f"{number}.0"})
    return listed


def check_version(number: int) -> None:
    """Refuse retired and unknown versions: 7 to 20 since Summer '22, 21 to 30 since Summer '25."""
    if number in RETIRED:
        # status: API End-of-Life Policy; code: restforce issue 941; the words are unverified
        raise OrgError(410, "GONE", f"API version {number}.0 is retired")
    if not FIRST_VERSION <= number <= LAST_VERSION:
        raise OrgError(404, "NOT_FOUND", "The requested resource does not exist")


@router.on("GET", r"")
def resources(call: Call) -> Reply:
    """What this version offers: only what is answered here, be it by a named 501."""
    site = call.org.identity.hosts.site(call.headers.get("host", ""))
    identity = site.identity_url(call.org.settings.org_id, call.user_id)
    return Reply(body={name: f"{call.root}/{name}" for name in RESOURCES} | {"identity": identity})
