"""Mail that machines wrote: two rules, because one cannot serve both purposes. Pure.

`skip_reason` is narrow: bounces, automatic replies, invitations are no conversation and are never captured.
`is_bulk` is wide: newsletters and notifications are not matched and prove no engagement.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence, Set

from leakwatch.core import identity, invitations
from leakwatch.core.addresses import in_domain
from leakwatch.core.text import clean_line
from leakwatch.model import SkipReason

Headers = Mapping[str, Sequence[str]]  # lower-case name -> values in the order they came

_REPORT_TYPE = re.compile(r"report-type\s*=\s*\"?([\w-]+)", re.IGNORECASE)
_DAEMONS = frozenset({"mailer-daemon", "mail-daemon", "maildaemon", "postmaster", "bounce", "bounces"})
_DAEMON_PREFIXES = ("mailer-daemon", "bounce+", "bounces+", "bounce-", "bounces-")
_NO_REPLY = re.compile(r"(?:do[-_.]?not[-_.]?reply|no[-_.]?reply|notifications?|donotreply)(?:[+_-].*)?")
_LIST_ID = re.compile(r"<([^<>]*)>")  # RFC 2919: a phrase may stand before it
_LINK_HOST = re.compile(r"<(?:mailto:[^<>@]*@|https?://)([^<>/?:]*)")  # of each way out in List-Unsubscribe (RFC 2369)
_GROUP_HOSTS = frozenset({"googlegroups.com", "groups.google.com"})
_NO = frozenset({"", "no", "false", "0"})
_NOTHING = frozenset[str]()
# Few mails have any of these, and one question tells.
_AUTO_REPLY_HEADERS = frozenset({"auto-submitted", "precedence", "x-autoreply", "x-autorespond", "return-path"})
_BULK_HEADERS = frozenset({"feedback-id", "x-loop", "auto-submitted", "list-id", "list-unsubscribe", "precedence"})
MAX_KEYWORD_FIELD = 1_000  # characters looked at of a field that holds one keyword (RFC 5322 §2.1.1: 998 a line)


def collect(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return header (name, value) pairs by lower-case name."""
    found: dict[str, list[str]] = {}
    for raw_name, value in pairs:
        name = raw_name.strip().lower()
        if name in found:
            found[name].append(value)
        else:
            found[name] = [value]
    return found


def first(headers: Headers, name: str) -> str:
    """Return the first value of a header, or an empty string."""
    values = headers.get(name)
    return values[0] if values else ""


def keywords(headers: Headers, name: str) -> Set[str]:
    """Return the keyword of every occurrence of a header: what stands before `;`, without comments (RFC 3834 §5)."""
    raw_values = headers.get(name)
    if not raw_values:
        return _NOTHING
    values = (_without_comments(clean_line(raw[:MAX_KEYWORD_FIELD])) for raw in raw_values)
    return {value.partition(";")[0].strip().lower() for value in values} - {""}


def _without_comments(value: str) -> str:
    """Return `value` without what stands in parentheses; they nest, and a backslash quotes one (RFC 5322 §3.2.2)."""
    if "(" not in value:
        return value
    kept: list[str] = []
    depth = 0
    quoted = False
    for character in value:
        if quoted or (character == "\\" and depth):
            quoted = not quoted
        elif character == "(":
            depth += 1
        elif character == ")" and depth:
            depth -= 1
        elif not depth:
            kept.append(character)
    return "".join(kept)


def skip_reason(headers: Headers, sender: str) -> SkipReason | None:
    """Return why a received mail is no conversation at all, or None. `sender` is its normalised From address."""
    content_type = clean_line(first(headers, "content-type")).lower()
    machine_made = "auto-generated" in keywords(headers, "auto-submitted")
    if invitations.is_calendars(headers, sender, machine_made=machine_made):
        return SkipReason.CALENDAR_INVITATION
    if content_type.startswith("multipart/report"):
        kind = _REPORT_TYPE.search(content_type)
        receipt = kind is not None and kind.group(1) == "disposition-notification"
        return SkipReason.AUTO_REPLY if receipt else SkipReason.BOUNCE
    local = sender.partition("@")[0]
    if local in _DAEMONS or local.startswith(_DAEMON_PREFIXES) or headers.get("x-failed-recipients"):
        return SkipReason.BOUNCE
    if _is_auto_reply(headers):
        return SkipReason.AUTO_REPLY
    return None


def _is_auto_reply(headers: Headers) -> bool:
    if headers.keys().isdisjoint(_AUTO_REPLY_HEADERS):
        return False
    if "auto-replied" in keywords(headers, "auto-submitted"):
        return True
    if keywords(headers, "precedence") & {"auto_reply", "auto-reply"}:
        return True
    # X-Auto-Response-Suppress is no sign by itself: Exchange stamps it on people's mail too.
    for name in ("x-autoreply", "x-autorespond"):
        if any(clean_line(value).lower() not in _NO for value in headers.get(name, ())):
            return True
    # An empty envelope sender is for mail that must not be answered (RFC 5321 §4.5.5, RFC 3834 §3.3).
    return "".join(first(headers, "return-path").split()) == "<>"


def bounced(headers: Headers) -> str | None:
    """Return the normalised Message-ID of the mail that a bounce is about, or None if it does not say.

    The report itself names it in a part that is not fetched (RFC 3464, and Original-Message-ID of RFC 8098 §3.2.6);
    mail servers answer to it as well: Gmail, Exchange and Postfix with In-Reply-To or References.
    """
    for name in ("original-message-id", "in-reply-to", "references"):
        found = identity.references(None, first(headers, name))
        if found:
            return found[-1]
    return None


def sensitivity(headers: Headers) -> str:
    """Return the keyword of the Sensitivity header (RFC 2156 §5.3.4), lower case; empty if there is none."""
    return min(keywords(headers, "sensitivity"), default="")


def is_bulk(headers: Headers, sender: str, own_domains: Collection[str] = ()) -> bool:
    """Return whether a received mail is a newsletter, a list or a notification rather than one person writing.

    What came through a group of `own_domains` (sales@ our company) is judged by what its sender wrote: a customer who
    writes to such a group writes to us.
    """
    if _NO_REPLY.fullmatch(sender.partition("@")[0]) is not None:
        return True
    if headers.keys().isdisjoint(_BULK_HEADERS):
        return False
    if any(headers.get(name) for name in ("feedback-id", "x-loop")):
        return True
    if keywords(headers, "auto-submitted") - {"no"}:
        return True
    listed = any(headers.get(name) for name in ("list-id", "list-unsubscribe"))
    precedence = keywords(headers, "precedence") & {"bulk", "list", "junk"}
    if not listed and not precedence:
        return False
    return bool(precedence - {"list"}) or not _is_own_group(headers, own_domains)


def _is_own_group(headers: Headers, own_domains: Collection[str]) -> bool:
    """Return whether every list header of a mail is a group's of ours.

    A group sales@ourco.com of Google Workspace stamps `List-ID: <sales.ourco.com>`, `Precedence: list`, and a
    List-Unsubscribe that leads to googlegroups.com and groups.google.com. Any other word of a list is the sender's own.
    """
    names = [name for value in headers.get("list-id", ()) for name in (_LIST_ID.findall(value) or [value])]
    if not names or not all(_is_ours(clean_line(name).strip().lower(), own_domains) for name in names):
        return False
    ways = [way for value in headers.get("list-unsubscribe", ()) for way in _LINK_HOST.findall(value.lower())]
    return all(way in _GROUP_HOSTS or _is_ours(way, own_domains) for way in ways)


def is_group(headers: Headers, sender: str, own_domains: Collection[str]) -> bool:
    """Return whether a mail came through a group: it bears a group's header, or the sender's address is of ours."""
    if headers.get("list-id") or headers.get("x-google-group-id"):
        return True
    return _is_ours(sender.rpartition("@")[2], own_domains)


def _is_ours(domain: str, own_domains: Collection[str]) -> bool:
    return domain in own_domains or any(in_domain(domain, ours) for ours in own_domains)
