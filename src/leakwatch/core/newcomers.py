"""Who talks to us, is not in Salesforce and may be entered there, if the admin wants that: contacts or leads. Pure.

Off by default, and narrow: only people with whom one of us wrote in both directions or met. Never a role's address, a
free mail address, or somebody whom the admin keeps out. Salesforce's own duplicate rules have the last word.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from leakwatch.core.addresses import AddressPatterns, domain_of
from leakwatch.core.mail_providers import words_of
from leakwatch.core.match_domains import DomainFinder, registrable, walk
from leakwatch.core.match_people import people_of
from leakwatch.core.person_names import person_name
from leakwatch.core.privacy import Insiders, PrivacyRules
from leakwatch.core.text import cut
from leakwatch.model import AddressBook, Dealing, Person, Verb, WriteOp

MOST_OUTSIDE = 10  # a mail to more people outside, or a meeting with more, is no talk with each of them
MAX_COMPANY = 255  # Lead.Company (Object Reference v63)
PEOPLE = ("Contact", "Lead")
PERSON_PREFIX = "lw1:p:"
# The part before the @ (its first word) of addresses that are nobody's: departments and machines, in the languages that
# sales mailboxes show.
_ROLES = words_of(
    """
    abuse accounting accounts admin administration ap ar backoffice bayi bestellung bilgi billing booking bounce
    buchhaltung career careers compliance contact customer customerservice daemon destek do donotreply dpo
    einkauf export fatura faturalama finance finans hello help helpdesk hosting hr human ik iletisim import info
    information insankaynaklari invoice invoices jobs kariyer kontakt kvkk legal logistics lojistik mailer
    marketing muhasebe musteri musterihizmetleri newsletter no noreply notification notifications office
    operasyon order orders payment post postmaster press privacy procurement purchase purchasing reception
    rechnung reply reservation root sales satinalma satis sekreter sekreterlik service servis shop siparis
    support team teknik verkauf vertrieb web webmaster welcome
    """
)

Kind = Literal["contact", "lead"]


@dataclass(frozen=True, slots=True)
class CreateRules:
    """What may be made: `kind`, and how many a run. `write` off shows in a dry run what would be made."""

    kind: Kind
    limit: int
    write: bool = False


@dataclass(slots=True)
class Stranger:
    """One address in mails and meetings: what passed between it and us."""

    address: str
    name: str = ""
    received: int = 0
    sent: int = 0
    met: int = 0
    last_at: datetime | None = None
    reps: Counter[str] = field(default_factory=Counter[str])  # mailboxes

    def add(self, dealing: Dealing) -> None:
        """Count one mail or meeting."""
        self.received += dealing.received
        self.sent += dealing.sent
        self.met += dealing.met
        self.name = dealing.name or self.name
        self.last_at = max(self.last_at or dealing.at, dealing.at)
        self.reps.update(dealing.mailboxes)

    @property
    def is_met(self) -> bool:
        """Whether one of us wrote with them in both directions or met them."""
        return bool(self.met or (self.received and self.sent))

    @property
    def words(self) -> str:
        """What passed, for a reason."""
        parts = [f"{self.received} received", f"{self.sent} sent", f"{self.met} met"]
        return ", ".join(part for part in parts if not part.startswith("0 "))


def is_role(address: str) -> bool:
    """Return whether `address` is a department's or a machine's, as far as its name tells."""
    local = address.partition("@")[0].partition("+")[0]
    return local.replace("-", ".").replace("_", ".").partition(".")[0].rstrip("0123456789") in _ROLES


@dataclass(frozen=True)
class Entry:
    """Decides who may be entered.

    Attributes:
        insiders, privacy, never_match, shared: see `MatchRules` and `PrivacyRules`; who is kept out is never entered.
        owner_of: returns the Salesforce user of a mailbox.
    """

    rules: CreateRules
    insiders: Insiders
    privacy: PrivacyRules
    never_match: AddressPatterns
    shared: frozenset[str]
    owner_of: Callable[[str], str | None]

    def may_be(self, address: str) -> bool:
        """Return whether `address` may be entered at all, whatever passed."""
        if self.insiders.holds(address) or self.never_match.match(address) or self.privacy.blocked.match(address):
            return False
        if self.privacy.allowed and not self.privacy.allowed.match(address):
            return False
        return bool(walk(domain_of(address), self.shared)) and not is_role(address)

    def choose(self, strangers: Iterable[Stranger], book: AddressBook) -> list[WriteOp]:
        """Return the writes that enter those who may be, most dealings first, no more than the limit of a run."""
        finder = DomainFinder(book, self.shared)
        able = [one for one in strangers if one.is_met and self.may_be(one.address)]
        able = [one for one in able if not people_of(book, one.address)]
        able.sort(key=lambda one: (-(one.received + one.sent + 2 * one.met), one.address))
        ops = (self._op(one, book, finder) for one in able)
        return [op for op in ops if op is not None]

    def _op(self, one: Stranger, book: AddressBook, finder: DomainFinder) -> WriteOp | None:
        found = finder.company(one.address, ())
        account = book.companies.get(found.account_id) if found is not None and found.account_id else None
        first, last = person_name(one.name, one.address)
        fields: dict[str, Any] = {"LastName": last, "Email": one.address}
        owner = next((user for box, _ in sorted(one.reps.items(), key=_most) if (user := self.owner_of(box))), None)
        if self.rules.kind == "contact":
            if account is None:
                return None  # whose employee they are is not known
            fields["AccountId"] = account.record_id
            owner = owner or account.owner_id
            grounds = found.words if found is not None else ""
        else:
            company = account.name if account is not None else (registrable(domain_of(one.address)) or "")
            fields["Company"] = cut(company, MAX_COMPANY)
            grounds = f"The company is called {company}."
        fields |= {name: value for name, value in (("FirstName", first), ("OwnerId", owner)) if value}
        sobject = "Contact" if self.rules.kind == "contact" else "Lead"
        return WriteOp(
            op_id=create_op_id(one.address),
            sobject=sobject,
            verb=Verb.INSERT,
            key=None,
            fields=fields,
            reason=f"Not in Salesforce, and talks with us: {one.words}. {grounds}",
            account_id=account.record_id if account is not None else None,
        )


def _most(counted: tuple[str, int]) -> tuple[int, str]:
    return (-counted[1], counted[0])


def create_op_id(address: str) -> str:
    """Return the op id of the write that enters `address`: one for good, whatever is made of it."""
    return f"{PERSON_PREFIX}{hashlib.sha256(address.encode()).hexdigest()[:40]}|insert"


def as_person(op: WriteOp, record_id: str, now: datetime) -> Person:
    """Return the person whom `op` entered, as the resolver knows people."""
    name = " ".join(str(op.fields[part]) for part in ("FirstName", "LastName") if part in op.fields)
    return Person(record_id, op.sobject, name, op.fields.get("AccountId"), op.fields.get("OwnerId"), now)


def present(ops: Sequence[WriteOp], rows: Iterable[Any]) -> frozenset[str]:
    """Return the op ids of those of `ops` whose address one of `rows` (with `Email`) has, however it is spelled."""
    known = {str(row.get("Email") or "").strip().lower() for row in rows}
    return frozenset(op.op_id for op in ops if op.fields["Email"] in known)
