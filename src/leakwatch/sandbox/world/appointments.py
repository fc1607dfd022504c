"""Meetings of a generated world, with what must become of each of their occurrences.

They are thrown by dice of their own, so that the rest of a world is the same with and without them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from leakwatch.sandbox.clock import format_instant
from leakwatch.sandbox.world import meetings as naming
from leakwatch.sandbox.world.builder import Account, Builder, Person
from leakwatch.sandbox.world.mailing import mailbox
from leakwatch.sandbox.world.model import Json, instant

#: Titles that customers and reps give their meetings.
TITLES = (
    "Teklif görüşmesi", "Saha ziyareti: pres hattı", "Fiyat müzakeresi", "Quarterly review", "Bakım sözleşmesi",
    "Demo: sensör kiti", "Kickoff", "İhtiyaç analizi", "Proje durumu – Şubat", "Ödeme planı görüşmesi",
)  # fmt: skip

ROOM = {"email": "c_188toplanti@resource.calendar.google.com", "displayName": "Toplantı Odası 3", "resource": True}


@dataclass(slots=True)
class Appointments:
    """Writes meetings and their truth."""

    build: Builder
    meetings: list[Json] = field(default_factory=list[Json])
    truth: list[Json] = field(default_factory=list[Json])
    dice: random.Random = field(init=False)
    _turn: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(f"{self.build.size.name}:{self.build.seed}:meetings")

    # -- pieces ------------------------------------------------------------------------------------

    def account(self, contacts: int = 1) -> Account:
        """The next corresponding account with so many contacts."""
        for _ in self.build.talking:
            self._turn += 1
            account = self.build.talking[self._turn % len(self.build.talking)]
            if len(account.contacts) >= contacts:
                return account
        raise LookupError(f"no corresponding account has {contacts} contacts")

    def rep(self) -> Json:
        """Some rep who was told."""
        return self.dice.choice(self.build.sellers())

    def two_reps(self) -> tuple[Json, Json]:
        """Two of them."""
        one, two = self.dice.sample(self.build.sellers(), 2)
        return one, two

    def what(self, account: Account) -> str:
        """The account's only open deal, else the account."""
        return account.open_deals[0] if len(account.open_deals) == 1 else account.ref

    def hour(self) -> int:
        """A full hour at which meetings begin."""
        return self.dice.choice((9, 10, 11, 13, 14, 15, 16))

    def timed(self, day: int, hour: int, minutes: int = 60) -> Json:
        """`start` and `end` on a day."""
        begins = instant(self.build.at(day, hour))
        return {
            name: {"dateTime": format_instant(at), "timeZone": self.build.zone.key}
            for name, at in (("start", begins), ("end", begins + timedelta(minutes=minutes)))
        }

    def meeting(self, invited: int, organizer: str, times: Json, summary: str, guests: list[Any], **more: Any) -> Json:
        """One meeting; people are invited at eight in the morning of a day."""
        body: Json = {"id": f"e{self.build.number('meeting')}", "at": self.build.at(invited, 8)}
        body |= {"organizer": organizer, "summary": summary} | times
        body |= {"attendees": guests} if guests else {}
        self.meetings.append(body | more)
        return self.meetings[-1]

    def uid(self, meeting: Json) -> str:
        """The meeting's iCalUID."""
        return naming.uid(meeting, self.build.seed)

    def uid_after(self, meeting: Json, occurrence: str) -> str:
        """The iCalUID of the series that begins where this one is split."""
        return naming.split_uid(meeting, self.build.seed, occurrence)

    # -- truth -------------------------------------------------------------------------------------

    def written(
        self, meeting: Json, who: list[Person], what: str | None, owner: Json, *, original: Json | None = None,
        moved: tuple[str, Json] | None = None, cancelled: str | None = None, **rest: Any,
    ) -> None:  # fmt: skip
        """This meeting, or this occurrence of it, must be written.

        Args:
            meeting: The meeting.
            who: The contacts, or the lead.
            what: The deal or account.
            owner: The rep on whose list it stands.
            original: The times of an occurrence by its rule; None for a single meeting.
            moved: When it was moved, and its new times.
            cancelled: When it was cancelled. Who cancels what took place tidies up: that changes nothing.
            rest: `uid` or `since`, where they are not the meeting's.
        """
        first = original or {name: meeting[name] for name in ("start", "end")}
        spans = [(rest.get("since", meeting["at"]), first)] + ([moved] if moved else [])
        head: Json = {"uid": rest.get("uid", self.uid(meeting)), "expect": "written"}
        head |= {"original_start": _when(original["start"])} if original else {}
        tail: Json = {"who": [person.ref for person in who], "what": what, "owner": owner["ref"]}
        if cancelled is not None and cancelled >= self._instant(spans[-1][1]["end"]):
            cancelled = None
        for index, (since, times) in enumerate(spans):
            until = spans[index + 1][0] if index + 1 < len(spans) else cancelled
            body = head | {"start": _when(times["start"]), "end": _when(times["end"])} | tail
            self._states(body, since, until, self._instant(times["end"]))
        if cancelled is not None:
            times = spans[-1][1]
            times = {"start": _when(times["start"]), "end": _when(times["end"])}
            self.truth.append(head | {"state": "cancelled"} | times | tail | {"from": cancelled, "until": None})

    def passed_on(self, meeting: Json, who: list[Person], what: str | None, one: Json, two: Json, at: str) -> None:
        """This single meeting is one rep's until an instant and then another's, before it has ended."""
        body: Json = {"uid": self.uid(meeting), "expect": "written", "start": _when(meeting["start"])}
        body |= {"end": _when(meeting["end"]), "who": [person.ref for person in who], "what": what}
        self._states(body | {"owner": one["ref"]}, meeting["at"], at, self._instant(meeting["end"]))
        self._states(body | {"owner": two["ref"]}, at, None, self._instant(meeting["end"]))

    def _states(self, body: Json, since: str, until: str | None, ends: str) -> None:
        """Planned until it ends, held from then on."""
        last = ends if until is None else min(ends, until)
        if since < last:
            self.truth.append(body | {"state": "planned", "from": since, "until": last})
        if until is None or ends < until:
            self.truth.append(body | {"state": "held", "from": max(since, ends), "until": until})

    def _instant(self, when: Json) -> str:
        """The instant of a start or end; a date begins at local midnight."""
        if "date" in when:
            midnight = datetime.combine(date.fromisoformat(when["date"]), time(), self.build.zone)
            return format_instant(midnight)
        return str(when["dateTime"])

    def call(self, at: str, person: Person, what: str | None, rep: Json, subject: str) -> None:
        """A call that the rep makes and logs as a completed Task: a record, or a deed of the story."""
        fields: Json = {"Subject": subject, "Status": "Completed", "TaskSubtype": "Call", "Priority": "Normal"}
        fields |= {"WhoId": person.ref, "OwnerId": rep["ref"], "ActivityDate": at[:10]}
        fields |= {"WhatId": what} if what else {}
        ref = f"@task:call{self.build.number('call')}"
        if instant(at) < self.build.start:
            fields["CompletedDateTime"] = at
            self.build.record(ref, "Task", fields, created=at, owner=rep["ref"])
        else:
            self.build.play(at, "create", ref=ref, object="Task", by=rep["ref"], fields=fields)

    def skipped(self, meeting: Json, reason: str) -> None:
        """Nothing of this meeting must be written, for this reason."""
        body: Json = {"uid": self.uid(meeting), "expect": "skipped", "reason": reason}
        self.truth.append(body | {"from": meeting["at"], "until": None})

    def unmatched(self, meeting: Json) -> None:
        """Nobody outside is known."""
        self.truth.append({"uid": self.uid(meeting), "expect": "unmatched", "from": meeting["at"], "until": None})

    def act(self, day: int, meeting: Json, deed: str, **keys: Any) -> str:
        """Let somebody do something with a meeting on a day at nine; returns when."""
        at = self.build.at(day, 9, self.build.number("act") % 60)
        self.build.play(at, "meeting", meeting=meeting["id"], act=deed, **keys)
        return at


def _when(when: Json) -> str:
    """A start or end as truth tells it: a date, or an instant."""
    return str(when.get("date") or when["dateTime"])


def accepted(person: Json | Person) -> Json:
    """Somebody as a guest who has accepted."""
    name = mailbox(person) if isinstance(person, dict) else person.mailbox
    display, _, address = name.rpartition(" <")
    return {"email": address.rstrip(">"), "displayName": display, "responseStatus": "accepted"}
