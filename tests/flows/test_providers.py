"""Google, Microsoft 365, or both: who is on the roster, who reads whose mailbox, and what is imported for it."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from types import SimpleNamespace
from typing import Any, cast

from leakwatch import config
from leakwatch.app.microsoft_parts import MicrosoftParts, directory_row
from leakwatch.app.providers import Providers
from leakwatch.app.streams import streams
from leakwatch.clock import SystemClock
from leakwatch.core.identity import build_roster
from leakwatch.flows.capture import CaptureDoors, _spans
from leakwatch.model import Principal

MICROSOFT = {"enabled": True, "tenant_id": "t", "client_id": "c", "client_secret": "hush"}
GOOGLE = {"enabled": True, "service_account_file": "key.json"}
ANN_AT_MICROSOFT = {
    "id": "m1", "mail": "Ann@OurCo.com", "accountEnabled": True, "userType": "Member",
    "proxyAddresses": ["SMTP:Ann@OurCo.com", "smtp:a.reed@ourco.com", "X500:/o=x"],
}  # fmt: skip
ANN_AT_GOOGLE = {"id": "g1", "primaryEmail": "ann@ourco.com", "aliases": ["ann.reed@ourco.com"]}
BOB_AT_GOOGLE = {"id": "g2", "primaryEmail": "bob@ourco.com"}
USERS = [{"Id": f"005{name}", "Email": f"{name}@ourco.com", "Name": name} for name in ("ann", "bob")]


def parts(**sections: Any) -> Any:
    settings = config.load(None, {"company": {"domains": ["ourco.com"]}, **sections})
    return SimpleNamespace(settings=settings, wall=SystemClock())


def both() -> Providers:
    one = Providers(parts(google=GOOGLE, microsoft=MICROSOFT))
    one.__dict__["_google_users"] = [ANN_AT_GOOGLE, BOB_AT_GOOGLE]
    microsoft = cast(MicrosoftParts, one._microsoft)
    microsoft.__dict__ |= {"users": [directory_row(ANN_AT_MICROSOFT)], "mail": object()}
    google = cast(Any, one._google)
    google.sources = lambda full=False: [SimpleNamespace(name="gmail"), SimpleNamespace(name="google_calendar")]
    return one


def test_a_user_of_the_tenant_is_told_in_the_directorys_words():
    row = directory_row(ANN_AT_MICROSOFT)
    assert row is not None
    assert (row["primaryEmail"], row["aliases"], row["suspended"]) == ("ann@ourco.com", ["a.reed@ourco.com"], False)


def test_guests_and_users_without_mail_are_on_no_roster_and_a_blocked_sign_in_counts_as_suspended():
    assert directory_row(ANN_AT_MICROSOFT | {"userType": "Guest"}) is None
    assert directory_row(ANN_AT_MICROSOFT | {"mail": None}) is None
    blocked = directory_row(ANN_AT_MICROSOFT | {"accountEnabled": False})
    assert blocked is not None
    assert build_roster([blocked], USERS, notices={}) == []


def test_whoever_is_in_both_directories_is_one_person_with_the_aliases_of_both():
    found = build_roster(both().directory(), USERS, notices={"a.reed@ourco.com": date(2026, 1, 1)})
    assert [one.address for one in found] == ["ann@ourco.com", "bob@ourco.com"]
    assert found[0].aliases == {"ann.reed@ourco.com", "a.reed@ourco.com"}
    assert found[0].notice_date == date(2026, 1, 1)


def test_each_source_reads_the_mailboxes_that_its_provider_has():
    whose = both().whose()
    people = build_roster(both().directory(), USERS, notices={})
    doors = CaptureDoors(**dict.fromkeys(
        ("sources", "journal", "address_book", "writer", "records", "landed", "history"), cast(Any, None)
    ), whose=whose)  # fmt: skip
    read = {name: [one.address for one in doors.of(cast(Any, SimpleNamespace(name=name)), people)]
            for name in ("gmail", "google_calendar", "outlook_mail", "other")}  # fmt: skip
    everybody = ["ann@ourco.com", "bob@ourco.com"]
    assert read == {
        "gmail": everybody, "google_calendar": everybody, "outlook_mail": ["ann@ourco.com"], "other": everybody
    }  # fmt: skip


def test_of_whoever_has_two_mailboxes_only_the_time_known_of_both_is_known():
    days = {"gmail": (date(2026, 1, 1), date(2026, 2, 1)), "outlook_mail": (date(2026, 1, 5), date(2026, 1, 20))}
    journal = SimpleNamespace(spans=lambda name: {"ann@ourco.com": days[name]}, holes=lambda _name: {})
    sources = [SimpleNamespace(name=name) for name in days]
    found = _spans(cast(Any, journal), cast(Any, sources), (), window_start=cast(Any, None), now=cast(Any, None))
    assert found == {"ann@ourco.com": (date(2026, 1, 5), date(2026, 1, 20))}


def test_a_token_is_only_for_whom_the_tenant_has():
    microsoft = cast(MicrosoftParts, both()._microsoft)
    allowed: dict[str, str] = {}
    microsoft.__dict__["client"] = SimpleNamespace(allow=allowed.update)
    microsoft.allow(["", "ann@ourco.com", "bob@ourco.com"])
    assert allowed == {"ann@ourco.com": "m1"}


def test_the_streams_are_those_that_are_switched_on():
    assert streams(parts()) == ()
    assert streams(parts(microsoft=MICROSOFT)) == ("outlook_mail",)
    assert streams(parts(microsoft=MICROSOFT | {"mail": False})) == ()
    both_on = parts(google=GOOGLE | {"calendar": True}, microsoft=MICROSOFT)
    assert streams(both_on) == ("gmail", "outlook_mail", "google_calendar")


def test_a_configuration_without_microsoft_never_imports_microsofts_libraries():
    program = (
        "import sys\n"
        "from types import SimpleNamespace\n"
        "from leakwatch import config\n"
        "from leakwatch.app import capturing, daily, doctoring, providers\n"
        "from leakwatch.clock import SystemClock\n"
        "settings = config.load(None, {'google': {'enabled': True, 'service_account_file': 'k'}})\n"
        "parts = SimpleNamespace(settings=settings, wall=SystemClock())\n"
        "one = providers.Providers(parts)\n"
        "one.limiter, one.whose()\n"
        "print([name for name in ('msal', 'msgraph', 'kiota_http') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_principal_of_the_tenant_says_so():
    row = directory_row(ANN_AT_MICROSOFT)
    (found,) = build_roster([cast(Any, row)], USERS, notices={})
    assert isinstance(found, Principal)
    assert (found.provider, found.provider_id) == ("microsoft", "m1")
