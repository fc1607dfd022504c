"""What doctor says of people who are to be entered in Salesforce (`capture.create`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from leakwatch.app.building import Parts
from leakwatch.app.doctoring_check import Check
from leakwatch.app.quarantine_people import refused_people
from leakwatch.core.set_aside import is_dropped
from leakwatch.errors import NotFoundError, RecordError


def people_checks(parts: Parts) -> Iterator[Check]:
    """Yield whether contacts or leads may be made, and who was refused; nothing while nobody is to be entered."""
    kind = parts.settings.capture.create
    if kind == "none":
        return
    sobject = "Contact" if kind == "contact" else "Lead"
    if not _may_make(parts, sobject):
        yield Check(sobject, "bad" if parts.settings.writes.create_people else "note",
                    f"the integration user may not make one, and capture.create is {kind}",
                    f"Give it Create on {sobject} by a permission set, or set capture.create: none.")  # fmt: skip
    elif not parts.settings.writes.create_people:
        yield Check(sobject, "note", "people are shown by sync --dry-run only: writes.create_people is off",
                    "Set writes.create_people: true once what it shows is what you want.")  # fmt: skip
    else:
        yield Check(sobject, "ok", f"up to {parts.settings.capture.create_limit} people are entered per sync")
    refused = Counter(one.code for one in refused_people(parts) if not is_dropped(one.message))
    if refused:
        words = ", ".join(f"{number} by {code}" for code, number in sorted(refused.items()))
        yield Check("People refused", "note", f"Salesforce refused {words}: not tried again",
                    "See leakwatch quarantine list; whom you enter by hand is matched as anybody else.")  # fmt: skip


def _may_make(parts: Parts, sobject: str) -> bool:
    try:
        return bool(parts.reader.describe(sobject).get("createable"))
    except (NotFoundError, RecordError):
        return False
