"""Salesforce record ids (15 characters whose case counts, or 18 that carry it in a suffix) and the org's address."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

QUEUE_PREFIX = "00G"  # Salesforce key prefix of Group
TASK_PREFIX = "00T"  # and of Task
# Salesforce key prefixes of the standard objects that mails, meetings and alerts are hung on.
_OBJECTS = {
    "001": "Account", "003": "Contact", "006": "Opportunity", "00Q": "Lead", "500": "Case", "701": "Campaign",
    "800": "Contract", "801": "Order", "0Q0": "Quote",
}  # fmt: skip
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]+)?")
_SHORT = re.compile(r"[0-9A-Za-z]{15}")


def is_person(owner_id: str | None) -> bool:
    """Return whether a record's owner is a user: a queue owns records too, and nobody owns some."""
    return bool(owner_id) and not str(owner_id).startswith(QUEUE_PREFIX)


def object_of(record_id: str) -> str | None:
    """Return the standard object that a record id belongs to, None for those nothing is ever hung on here."""
    return _OBJECTS.get(record_id[:3])


def activity_object(sobject: str, record_id: str) -> str:
    """Return the object of a record of a rule about `sobject`: of one about Events it may be a Task.

    A meeting that was logged as a Task (`capture.meetings_as`) is one all the same.
    """
    return "Task" if sobject == "Event" and record_id.startswith(TASK_PREFIX) else sobject


def org_address(text: str) -> str:
    """Return `https://host` of an address in an org, e.g. as copied from the browser: a record's link begins with it.

    Raises:
        ValueError: it is no https address.
    """
    parts = urlsplit(text.strip())
    host = parts.netloc.lower()
    if parts.scheme != "https" or not _HOST.fullmatch(host):
        raise ValueError("expected an https address of your org, e.g. https://yourcompany.lightning.force.com")
    return f"https://{host}"


def long_id(record_id: str) -> str:
    """Return the 18-character form of a 15-character id; anything else comes back as it is.

    Each of the three suffix characters encodes which letters of one group of five are capitals.
    """
    if not _SHORT.fullmatch(record_id):
        return record_id
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << place for place, letter in enumerate(record_id[start : start + 5]) if "A" <= letter <= "Z")
        suffix += _SUFFIX[bits]
    return record_id + suffix
