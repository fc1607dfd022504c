"""A second opinion on what must become of each mail: plain Python over the file alone, from the mail itself.

Written without the generator's knowledge of why it made a mail; a test holds the planted expectations
against it. Order of the reasons is the order of the checks: what the mailbox says (draft, spam, ...), what
the machine headers say, what the company asked for, and only then who takes part.
"""

from __future__ import annotations

from datetime import datetime
from email.utils import parseaddr
from typing import Any

from leakwatch.sandbox.world.letters import message_id
from leakwatch.sandbox.world.model import Json, World, account_of, instant

#: Labels that keep a copy out, with the reason.
LABEL_REASONS = {"DRAFT": "draft", "SCHEDULED": "scheduled", "SPAM": "spam", "TRASH": "trash", "CHAT": "chat"}

BULK = frozenset({"bulk", "list", "junk"})


class Judge:
    """Judges every mail of a world as of an instant."""

    def __init__(self, world: World, now: datetime) -> None:
        self.world = world
        self.now = now
        self.owners: dict[str, Json] = {}
        for user in world.users:
            for address in [user["email"], *((account_of(user) or {}).get("aliases", []))]:
                self.owners[address.lower()] = user
        self.contacts: dict[str, Json] = {}
        self.leads: dict[str, Json] = {}
        for record in world.records:
            address = str(record["fields"].get("Email") or "").lower()
            if record.get("deleted") or not address:
                continue
            if record["object"] == "Contact":
                self.contacts[address] = record
            if record["object"] == "Lead" and not record["fields"].get("IsConverted"):
                self.leads[address] = record
        closed = {stage["value"] for stage in world.stages if stage["is_closed"]}
        self.open_deals: dict[str, list[str]] = {}
        for record in world.records:
            deal = record["fields"]
            living = record["object"] == "Opportunity" and not record.get("deleted")
            if living and deal["StageName"] not in closed:
                self.open_deals.setdefault(deal["AccountId"], []).append(record["ref"])

    def user_of(self, address: str) -> Json | None:
        """The colleague behind an address: alias and plus tag resolved."""
        local, at, domain = address.lower().partition("@")
        return self.owners.get(address.lower()) or self.owners.get(f"{local.split('+', 1)[0]}{at}{domain}")

    def judge(self, mail: Json, *, sent: bool) -> Json | None:
        """What must become of a mail; None where no mailbox that can be read has it."""
        people = [parseaddr(value)[1].lower() for value in [mail["from"], *mail["to"], *mail.get("cc", [])]]
        if not any(self.user_of(address) for address in people):
            return None
        reason = self._mailbox_reason(mail, people, sent=sent) or self._content_reason(mail, people)
        if reason == "nowhere":
            return None
        if reason is not None:
            return {"expect": "skipped", "reason": reason}
        outside = [address for address in people if not self._internal(address)]
        known = [self.contacts[address] for address in outside if address in self.contacts]
        leads = [self.leads[address] for address in outside if address in self.leads]
        if not known and not leads:
            return {"expect": "unmatched"}
        answer: Json = {"expect": "written", "owner": self._owner(mail)}
        if known:
            account = known[0]["fields"]["AccountId"]
            deals = self.open_deals.get(account, [])
            answer |= {"who": sorted(x["ref"] for x in known), "what": deals[0] if len(deals) == 1 else account}
        else:
            answer |= {"who": sorted(x["ref"] for x in leads), "what": None}
        return answer

    def _internal(self, address: str) -> bool:
        domain = address.partition("@")[2]
        named = self.world.capture.get("internal_domains", self.world.company["domains"])
        return domain in named or self.user_of(address) is not None

    def _mailbox_reason(self, mail: Json, people: list[str], *, sent: bool) -> str | None:
        """Why no copy may be read, if none may: any readable copy in a good place lets the mail pass."""
        reasons: list[str] = []
        for user in {user["email"]: user for user in map(self.user_of, people) if user}.values():
            account = account_of(user)
            only = mail.get("only")
            if account is None or account.get("suspended") or (only is not None and user["email"] not in only):
                continue
            if not user.get("notice_date"):
                reasons.append("no_notice")
                continue
            labels = self._labels(mail, user["email"], sent=sent)
            named = [reason for label, reason in LABEL_REASONS.items() if label in labels]
            if not named and self.world.capture.get("opt_out_label") in labels:
                named = ["opt_out_label"]
            if not named:
                return None
            reasons += named
        return next((reason for reason in reasons if reason != "no_notice"), (reasons or ["nowhere"])[0])

    def _labels(self, mail: Json, mailbox: str, *, sent: bool) -> set[str]:
        if mail.get("held") and not sent:
            return {"DRAFT"}
        labels = set(mail.get("labels", {}).get(mailbox, ["INBOX"]))
        for event in self.world.timeline:
            rescue = event["do"] == "move" and event["to"] == "not_spam" and instant(event["at"]) <= self.now
            if rescue and event["mail"] == mail["id"] and event["mailbox"] == mailbox:
                labels.discard("SPAM")
        return labels

    def _content_reason(self, mail: Json, people: list[str]) -> str | None:
        headers: dict[str, str] = {name.lower(): str(value) for name, value in mail.get("headers", [])}
        parts: list[Any] = mail.get("parts", [])
        sender = parseaddr(mail["from"])[1].lower()
        if "multipart/report" in mail.get("mime", "") or sender.startswith(("mailer-daemon@", "postmaster@")):
            return "bounce"
        if headers.get("auto-submitted", "no").split(";")[0].split("(")[0].strip() == "auto-replied":
            return "auto_reply"
        if any(str(part["type"]).startswith("text/calendar") and "method=" in part["type"] for part in parts):
            return "calendar_invitation"
        if all(self._internal(address) for address in people):
            return "internal_only"
        for blocked in self.world.capture.get("blocked", []):
            if any(address == blocked or (blocked[0] == "@" and address.endswith(blocked)) for address in people):
                return "blocked"
        subject = mail["subject"].lower()
        if any(marker.lower() in subject for marker in self.world.capture.get("confidential_markers", [])):
            return "confidential_subject"
        listed = "list-id" in headers or "list-unsubscribe" in headers
        return "bulk" if listed or headers.get("precedence", "").lower() in BULK else None

    def _owner(self, mail: Json) -> str | None:
        """The sending rep; else the first colleague in To, then in Cc."""
        for value in [mail["from"], *mail["to"], *mail.get("cc", [])]:
            user = self.user_of(parseaddr(value)[1])
            if user is not None:
                return str(user["ref"])
        return None


def evaluate_captures(world: World, now: datetime) -> dict[str, Json]:
    """Message-ID -> what must have become of the mail by an instant."""
    judge = Judge(world, now)
    sent = {e["mail"] for e in world.timeline if e["do"] == "send_draft" and instant(e["at"]) <= now}
    drafted = {e["mail"] for e in world.timeline if e["do"] == "draft" and instant(e["at"]) <= now}
    found: dict[str, Json] = {}
    for mail in world.mails:
        if instant(mail["at"]) > now or (mail.get("held") and mail["id"] not in sent | drafted):
            continue
        verdict = judge.judge(mail, sent=not mail.get("held") or mail["id"] in sent)
        key = message_id(mail, world)
        if verdict is not None and found.get(key, {}).get("expect") != "written":
            found[key] = verdict
    return found
