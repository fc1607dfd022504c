"""Whose a mail is on our side: the users in it, and the one rep who owns it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from leakwatch.core.addresses import variants
from leakwatch.core.match_people import people_of
from leakwatch.core.meetings import attending
from leakwatch.core.normalise import sender_of
from leakwatch.model import Activity, ActivityKind, AddressBook, Direction, Principal, Role

Span = tuple[datetime, datetime]  # from, to; aware UTC


class OurSide:
    """Finds our people in mails. `read` says by address from when to when a principal's mailbox is known."""

    def __init__(self, book: AddressBook, principals: Sequence[Principal], read: Mapping[str, Span]) -> None:
        self._book = book
        self._read = read
        self._owners = {address: principal for principal in principals for address in principal.addresses}
        self._users: dict[str, str | None] = {}  # by address: the same people stand in mail after mail

    def users(self, activity: Activity) -> dict[str, str]:
        """Return visible address -> User id of our people in the mail."""
        found: dict[str, str] = {}
        for participant in activity.participants:
            if participant.role in (Role.BCC, Role.REPLY_TO):
                continue
            user = self._user(participant.address)
            if user is not None:
                found[participant.address] = user
        return found

    def _user(self, address: str) -> str | None:
        """Return the id of the active User behind an address; an inactive one can't be related or own anything."""
        if address not in self._users:
            self._users[address] = self._user_behind(address)
        return self._users[address]

    def _user_behind(self, address: str) -> str | None:
        users = [person for person in people_of(self._book, address) if person.sobject == "User"]
        active = sorted(person.record_id for person in users if person.is_active)
        if active:
            return active[0]
        principal = self._principal(address)
        if users or principal is None:
            return None
        return principal.salesforce_user_id

    def _principal(self, address: str) -> Principal | None:
        return next((self._owners[form] for form in variants(address) if form in self._owners), None)

    def owner(self, activity: Activity) -> str | None:
        """Return whose it is: the sending rep, else our first To, else our first Cc, else the mailbox's owner.

        A meeting is whose who called it, else the first of ours who came, by address.
        """
        if activity.kind is ActivityKind.MEETING:
            return self._first_user(person.address for person in attending(activity))
        people = activity.participants
        senders = [person.address for person in people if person.role is Role.FROM]
        recipients = [person.address for role in (Role.TO, Role.CC) for person in people if person.role is role]
        mailboxes = sorted({ref.principal for ref in activity.refs})
        if activity.direction is Direction.OUTBOUND:
            # Sent as an address that names no user: from the mailbox that holds it without being written to.
            written_to = {self._principal(address) for address in recipients}
            senders += [one for one in mailboxes if self._principal(one) not in written_to]
        elif not self._sent_unseen(activity):
            senders = []
        return self._first_user((*senders, *recipients, *mailboxes))

    def _sent_unseen(self, activity: Activity) -> bool:
        """Return whether the sender's Sent box was not read for that time: then From is all there is to go by."""
        sender = self._principal(sender_of(activity))
        span = self._read.get(sender.address) if sender is not None else None
        return span is None or not span[0] <= activity.start <= span[1]

    def _first_user(self, addresses: Iterable[str]) -> str | None:
        return next((user for user in map(self._user, addresses) if user is not None), None)
