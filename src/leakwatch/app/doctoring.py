"""`leakwatch doctor`: every prerequisite checked, each fault with the way to mend it. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from leakwatch.app.building import Parts
from leakwatch.app.doctoring_calendars import calendar_checks
from leakwatch.app.doctoring_check import Check, State
from leakwatch.app.doctoring_mails import mail_checks
from leakwatch.app.doctoring_microsoft import microsoft_checks
from leakwatch.app.doctoring_people import people_checks
from leakwatch.app.doctoring_push import push_checks
from leakwatch.app.doctoring_roster import GOOGLE, roster_checks
from leakwatch.app.google_parts import GoogleParts
from leakwatch.app.looking import held_deletions
from leakwatch.config import Settings
from leakwatch.errors import (
    AuthError,
    BudgetError,
    ConfigError,
    LeakwatchError,
    NotFoundError,
    RecordError,
    TransientError,
)
from leakwatch.model import KEY_FIELD, Principal
from leakwatch.salesforce.objects import selectable
from leakwatch.store.snapshot_facts import UserFact

CLOCK_TOLERANCE = timedelta(minutes=2)  # a JWT is refused when clocks differ by more than its few minutes
NO_ACCESS = "INSUFFICIENT_ACCESS"  # begins the codes of what the integration user may not do (SOAP API, "StatusCode")
DEPLOY = "Deploy the salesforce/ folder (salesforce/README.md) and assign the permission set Leakwatch."


def examine(parts: Parts) -> list[Check]:
    """Return every check in the order they build on each other; a service that can't be reached ends its own part."""
    checks = [*_settings(parts), *_held(parts)]
    people: list[UserFact] = []
    of_the_org = _guarded("Salesforce", lambda: _salesforce(parts, people))
    checks += of_the_org
    readable = not any(check.name == "Salesforce" and check.state == "bad" for check in of_the_org)
    known = people if readable else None
    if parts.settings.google.enabled:
        checks += _guarded("Google", lambda: _google(parts, known))
    if parts.settings.reads_outlook:
        checks += _guarded("Microsoft", lambda: microsoft_checks(parts, known))
    if not parts.settings.reads_mail:
        checks.append(
            Check("Google", "note", "no mailbox source is switched on",
                  "Set google.enabled or microsoft.enabled to capture mail.")
        )  # fmt: skip
    return checks


def _guarded(name: str, part: Callable[[], Iterator[Check]]) -> list[Check]:
    found: list[Check] = []
    try:
        for check in part():
            found.append(check)  # noqa: PERF402  what was found before a failure is kept
    except ConfigError as error:
        found += [Check(name, "bad", problem, "Correct the settings.", error.exit_code) for problem in error.problems]
    except AuthError as error:
        found.append(Check(name, "bad", str(error), "Correct the access, then run doctor again.", error.exit_code))
    except TransientError as error:
        found.append(Check(name, "bad", str(error), "The service can't answer now: try again later.", error.exit_code))
    except BudgetError as error:
        fix = "Wait until the 24-hour window has rolled, or lower salesforce.api_reserve_share."
        found.append(Check(name, "bad", str(error), fix, error.exit_code))
    except LeakwatchError as error:
        found.append(Check(name, "bad", str(error), "Mend what it names, then run doctor again.", error.exit_code))
    return found


def _settings(parts: Parts) -> Iterator[Check]:
    settings = parts.settings
    try:
        count = len(parts.loaded_rules)
        yield Check("rules", "ok", f"{count} rules are well formed")
    except ConfigError as error:
        for problem in error.problems:
            yield Check("rules", "bad", problem, "Correct the rule or its override.", error.exit_code)
    if not settings.company.domains:
        yield Check(
            "company.domains", "bad", "not set: colleagues would pass for customers, so no mail is captured",
            "List your mail domains.", ConfigError.exit_code,
        )  # fmt: skip
    switched = [
        name for name in ("capture", "meetings", "salesforce_task", "chatter_post") if getattr(settings.writes, name)
    ]
    words = f"switched on: {', '.join(switched)}" if switched else "nothing is written to the org"
    yield Check("writes", "note", words)
    if settings.writes.meetings and not (settings.writes.capture and settings.google.calendar):
        yield Check("writes.meetings", "note", "is on and does nothing: it needs writes.capture and google.calendar",
                    "Switch these on too, or writes.meetings off.")  # fmt: skip


def _held(parts: Parts) -> Iterator[Check]:
    held = held_deletions(parts)
    if held:
        yield Check(
            "deletions", "bad", f"the last sync held back {held:,} deletions of Events: too many at once",
            "Look at them with leakwatch sync --dry-run. If a calendar or a right was lost, give it back; if they are "
            f"right, run leakwatch sync --allow-deletes {held}.",
        )  # fmt: skip


def _salesforce(parts: Parts, people: list[UserFact]) -> Iterator[Check]:
    """Check the org; `people` is filled with its active users."""
    org = parts.org
    kind = "sandbox" if org.is_sandbox else "production"
    yield Check("Salesforce token", "ok", f"{org.name} ({org.org_id}, {kind}) as {parts.settings.salesforce.username}")
    usage = parts.client.usage
    if usage is not None:
        used, allowed = usage
        state: State = "ok" if used < allowed * (1 - parts.settings.salesforce.api_reserve_share) else "bad"
        yield Check("API calls", state, f"{used:,} of {allowed:,} used in 24 hours", "Wait, or lower the reserve.", 75)
    skew = abs(parts.reader.server_now() - parts.clock.now())
    if skew > CLOCK_TOLERANCE:
        yield Check("clock", "note", f"this machine and the org differ by {skew}", "Synchronise this machine's clock.")
    zone = parts.settings.company.time_zone
    if org.time_zone and org.time_zone != zone:
        yield Check("time zone", "note", f"the org works in {org.time_zone}, company.time_zone is {zone}",
                    f"Set company.time_zone: {org.time_zone}, unless you mean it.")  # fmt: skip
    yield from _keys(parts)
    if parts.settings.google.calendar:
        yield from meeting_checks(parts)
    yield from people_checks(parts)
    yield from mail_checks(parts)
    yield from _objects(parts)
    if parts.settings.google.calendar:
        yield from calendar_checks(parts)
    people += _people(parts)


def _keys(parts: Parts) -> Iterator[Check]:
    org, settings = parts.org, parts.settings
    wants_mail = settings.writes.capture and settings.capture.mail_as == "email_message"
    wants_event = settings.writes.capture and settings.writes.meetings and settings.google.calendar
    as_event = settings.capture.meetings_as == "event"
    wants_task = settings.writes.salesforce_task or settings.writes.chatter_post or (wants_event and not as_event)
    if not org.has_email_message:
        state: State = "bad" if wants_mail else "note"
        yield Check("EmailMessage", state, "not in this org", "Switch Enhanced Email on, or set capture.mail_as: task.")
    for sobject, there, wanted in (
        ("Task", org.key_on_task, wants_task),
        ("EmailMessage", org.key_on_email_message, wants_mail),
        *([("Event", org.key_on_event, wants_event)] if settings.google.calendar and as_event else []),
    ):
        if there:
            entry = next(item for item in parts.reader.describe(sobject)["fields"] if item["name"] == KEY_FIELD)
            good = bool(entry.get("unique")) and bool(entry.get("externalId"))
            words = "deployed, unique and an external id" if good else "deployed, but not unique: writes are looked up"
            yield Check(f"{sobject}.{KEY_FIELD}", "ok" if good else "note", words, "" if good else DEPLOY)
        else:
            yield Check(
                f"{sobject}.{KEY_FIELD}", "bad" if wanted else "note", "not in this org, or not visible", DEPLOY
            )


def meeting_checks(parts: Parts) -> Iterator[Check]:
    """Yield what the org can take of meetings: how many guests each, and whether Events may be made."""
    if parts.org.shared_activities:
        yield Check("Shared Activities", "ok", "a meeting is related to all its guests who are contacts (up to 50)")
    else:
        yield Check("Shared Activities", "note",
                    "off, or not visible: a meeting names one guest, the others stand in its description",
                    "Switch on \"Allow Users to Relate Multiple Contacts to Tasks and Events\" in Setup (Activity "
                    "Settings), and let the integration user read EventRelation.")  # fmt: skip
    if parts.settings.capture.meetings_as == "event" and not _may_make_events(parts):
        state: State = "bad" if parts.settings.writes.meetings else "note"
        yield Check("Event", state, "the integration user may not make Events",
                    "Give it Edit Events, or set capture.meetings_as: task.")  # fmt: skip
    refused = [one for one in parts.write_log.refused() if one.op.sobject == "Event" and one.code.startswith(NO_ACCESS)]
    if refused:
        yield Check("Event writes", "note", f"{len(refused)} were refused: {refused[0].code}",
                    "Let the integration user make Events for others (salesforce/README.md), "
                    "or set capture.meetings_as: task; then run leakwatch quarantine retry.")  # fmt: skip


def _may_make_events(parts: Parts) -> bool:
    try:
        return bool(parts.reader.describe("Event").get("createable"))
    except (NotFoundError, RecordError):
        return False


def _objects(parts: Parts) -> Iterator[Check]:
    missing: list[str] = []
    for spec in parts.mirror_config.objects:
        try:
            describe = parts.reader.describe(spec.name)
        except (NotFoundError, RecordError):
            if not spec.optional:
                missing.append(spec.name)
            continue
        _, absent = selectable(describe, [item.name for item in spec.fields if not item.optional])
        missing += [f"{spec.name}.{name}" for name in absent]
    if missing:
        fix = "Give the integration user read access; rules that need them are switched off until then."
        yield Check("mirror", "note", f"not readable: {', '.join(missing)}", fix)
    else:
        yield Check("mirror", "ok", f"all {len(parts.mirror_config.objects)} objects are readable")


def _google(parts: Parts, people: list[UserFact] | None) -> Iterator[Check]:
    """Check the Workspace; `people` are Salesforce's users, None if they can't be read."""
    google = GoogleParts(parts)
    directory = google.directory()
    yield Check("Directory", "ok", f"{len(directory)} users are visible")
    told = yield from roster_checks(parts, people, directory, GOOGLE)
    if told:
        yield _sample(parts, google, told[0])
        if parts.settings.google.calendar:
            yield _sample_calendar(parts, google, told[0])
        if parts.settings.google.backfill == "known_domains":
            yield _narrowed(google)
        yield from push_checks(parts, google, told)


def _sample(parts: Parts, google: GoogleParts, principal: Principal) -> Check:
    google.client.allow([parts.settings.google.admin_email, principal.address])
    try:
        profile = google.gmail.profile(principal.address)
    except AuthError as error:
        return Check("sample mailbox", "bad", f"{principal.address}: {error}",
                     "Check domain-wide delegation: the service account's client id and its scopes.",
                     error.exit_code)  # fmt: skip
    words = f"{principal.address} can be read ({parts.settings.google.scope} scope); "
    return Check("sample mailbox", "ok", words + _price(parts.settings, int(profile.get("messagesTotal") or 0)))


def _narrowed(google: GoogleParts) -> Check:
    """Say what a first sync that is narrowed to known people searches for, and what it does not bring."""
    from leakwatch.clients.limiter import GMAIL_2026
    from leakwatch.core.backfill_search import MOST_SEARCHES, searches

    terms = google.known_terms
    number = len(searches("", terms))
    if not 0 < number <= MOST_SEARCHES:
        why = "the mirror knows nobody yet" if not terms else f"{number:,} searches would be needed"
        fix = "Run leakwatch mirror first." if not terms else "Set google.backfill: all."
        return Check("backfill", "note", f"first syncs read all mail: {why}", fix)
    words = (
        f"first syncs read mail with {len(terms):,} domains and addresses that Salesforce knows: {number:,} searches "
        f"({number * GMAIL_2026.cost('messages.list'):,} units) a mailbox. Older mail of people who enter Salesforce "
        "later is not read by itself, and silence is proven only from the first sync on"
    )
    return Check("backfill", "note", words, "leakwatch sync --full reads what Salesforce knows by then.")


def _price(settings: Settings, mails: int) -> str:
    """Return in words what the first sync of a mailbox with so many mails takes."""
    from leakwatch.clients.limiter import GMAIL_2026
    from leakwatch.sources.gmail import GmailOptions

    price = GMAIL_2026.cost("messages.get")
    pace = max(1, settings.google.units_per_user_minute // price)
    days = settings.capture.backfill_days
    words = f"of its {mails:,} mails the first sync reads those of {days} days, {pace} a minute"
    if settings.google.scope == "readonly":
        return words
    more = 2 * GmailOptions().probe_size
    return f"{words}, and without search about {more} older ones ({more * price:,} units) to find where they end"


def _sample_calendar(parts: Parts, google: GoogleParts, principal: Principal) -> Check:
    now = parts.clock.now()
    try:
        google.calendars.between(principal.address, now, now + timedelta(days=1))
    except AuthError as error:
        return Check("sample calendar", "bad", f"{principal.address}: {error}",
                     "Enable the Google Calendar API in the project, and add the scope calendar.events.readonly to the "
                     "service account's client id under domain-wide delegation.", error.exit_code)  # fmt: skip
    return Check("sample calendar", "ok", f"{principal.address} can be read (calendar.events.readonly scope)")


def _people(parts: Parts) -> list[UserFact]:
    query = "SELECT Id, Username, Name, Email, ManagerId, UserType FROM User WHERE IsActive = true"
    return [
        UserFact(
            str(row["Id"]), str(row.get("Username") or ""), str(row.get("Name") or ""),
            str(row.get("Email") or "").lower(), True, row.get("ManagerId"),
            str(row.get("UserType") or ""),
        )
        for page in parts.reader.query(query)
        for row in page
    ]  # fmt: skip
