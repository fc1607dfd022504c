"""Mail of a generated world: conversations, and everything that is none."""

from __future__ import annotations

from typing import Any

from leakwatch.sandbox.world.builder import Account, Builder, Person
from leakwatch.sandbox.world.model import Json

#: How far back the mail of before the start reaches, in days.
REACH = 42

#: Mails to leads stay this close to the start, so that no touch lies near the 30-day boundary.
LEAD_REACH = 12

TEXTS = (
    ("Teklif hakkında", "Merhaba, teklifimizi güncelledik. Ekteki kalemlere bakabilir misiniz? Sevgiler"),
    ("Delivery dates", "Hello, we could deliver in week 14. Would that suit your plant? Best regards"),
    ("Fiyat listesi 2026", "Merhaba, 2026 fiyat listemizi paylaşıyorum. Sorularınız olursa arayın."),
    ("Site visit", "Hello, thank you for your time today. I will send the notes tomorrow."),
    ("Bakım sözleşmesi", "Sayın yetkili, bakım sözleşmesinin yenilenmesi için görüşmek isteriz."),
    ("Spare parts", "Hi, the sensor kits are in stock again. Shall we put aside ten for you?"),
)
REPLIES = (
    "Teşekkürler, inceleyip döneceğim.",
    "Thanks, that works for us. Could you add the service plan?",
    "Fiyatı biraz aşağı çekebilir miyiz?",
    "Understood. I will talk to our CFO and come back to you.",
    "Toplantıyı haftaya alalım mı?",
)


def mailbox(user: Json) -> str:
    """`Name <address>` of a colleague."""
    return f"{user['first_name']} {user['last_name']} <{user['email']}>"


class Mailing:
    """Writes mails and what must become of them."""

    def __init__(self, build: Builder) -> None:
        self.build = build
        self._accounts = 0
        self._talking = {account.ref: account for account in build.talking}

    # -- pieces ------------------------------------------------------------------------------------

    def mail(self, at: str, sender: str, to: list[str], subject: str, text: str, **rest: Any) -> Json:
        """One mail; it is delivered when its time comes."""
        body: Json = {"id": f"m{self.build.number('mail')}", "at": at, "from": sender, "to": to}
        body |= {"subject": subject, "text": text} | rest
        self.build.mails.append(body)
        return body

    def key(self, mail: Json) -> str:
        """The Message-ID that the mail will have."""
        if mail.get("message_id"):
            return str(mail["message_id"]).strip("<>")
        domain = mail["from"].rpartition("@")[2].rstrip(">")
        return f"{mail['id']}.{self.build.seed}@mail.{domain}"

    def written(self, mail: Json, who: list[Person], what: str | None, owner: str, **rest: Any) -> None:
        """This mail must be written."""
        body: Json = {"message_id": self.key(mail), "expect": "written", "who": [x.ref for x in who]}
        self.build.captures.append(body | {"what": what, "owner": owner, "from": mail["at"]} | rest)

    def skipped(self, mail: Json, reason: str, **rest: Any) -> None:
        """This mail must not be written, for this reason."""
        body: Json = {"message_id": self.key(mail), "expect": "skipped", "reason": reason}
        self.build.captures.append(body | {"from": mail["at"]} | rest)

    def unmatched(self, mail: Json) -> None:
        """Nobody outside is known."""
        self.build.captures.append({"message_id": self.key(mail), "expect": "unmatched", "from": mail["at"]})

    def account(self, open_deals: int | None = None) -> Account:
        """The next corresponding account, perhaps one with so many open deals."""
        for _ in range(len(self.build.talking)):
            self._accounts += 1
            account = self.build.talking[self._accounts % len(self.build.talking)]
            if account.contacts and (open_deals is None or len(account.open_deals) == open_deals):
                return account
        raise LookupError(f"no corresponding account has {open_deals} open deals")

    def what(self, account: Account) -> str:
        """The account's only open deal, else the account."""
        return account.open_deals[0] if len(account.open_deals) == 1 else account.ref

    def rep(self) -> Json:
        """Some rep whose mail is read."""
        return self.build.dice.choice(self.build.sellers())

    def when(self, first: int, last: int) -> str:
        """Office hours of some day in a range."""
        return self.build.office_hours(self.build.dice.randint(first, last))

    # -- conversations -----------------------------------------------------------------------------

    def thread(
        self, first: int, last: int, length: int, *, account: Account | None = None, lead: Person | None = None
    ) -> None:
        """A rep and a customer write to each other, one mail a day at most."""
        build = self.build
        rep = self.rep()
        person = lead if lead is not None else build.dice.choice((account or self.account()).contacts)
        home = self._talking.get(person.account)
        what = self.what(home) if home is not None else None
        subject, text = build.dice.choice(TEXTS)
        day = build.dice.randint(first, max(first, last - length + 1))
        outbound = build.dice.random() < 0.6
        parent: str | None = None
        for step in range(length):
            if day + step > last:
                return
            ours, theirs = mailbox(rep), person.mailbox
            sender, to = (ours, theirs) if outbound else (theirs, ours)
            rest: Json = {"reply_to": parent} if parent else {}
            reply = ("Ynt: " if person.turkish else "Re: ") if parent else ""
            body = build.dice.choice(REPLIES) if parent else text
            mail = self.mail(build.office_hours(day + step), sender, [to], reply + subject, body, **rest)
            self.written(mail, [person], what, rep["ref"])
            parent, outbound = mail["id"], not outbound

    def two_reps(self, first: int, last: int) -> None:
        """A customer writes to two reps: one mail in two mailboxes."""
        sellers = self.build.sellers()
        account = self.account()
        person = account.contacts[0]
        one, two = self.build.dice.sample(sellers, 2)
        at = self.when(first, last)
        mail = self.mail(at, person.mailbox, [mailbox(one), mailbox(two)], "Ortak soru", "İkinize de soruyorum.")
        self.written(mail, [person], self.what(account), one["ref"])

    def colleague_in_cc(self, first: int, last: int, colleague: Json) -> None:
        """A rep writes to two contacts of one account with a colleague in copy."""
        account = self.account()
        people = account.contacts[:2]
        rep = self.rep()
        to = [person.mailbox for person in people]
        mail = self.mail(
            self.when(first, last), mailbox(rep), to, "Minutes", "As agreed, our minutes.", cc=[mailbox(colleague)]
        )
        self.written(mail, people, self.what(account), rep["ref"])

    def to_alias(self, first: int, last: int, *, plus: bool) -> None:
        """A customer writes to a rep's alias, or with a plus tag."""
        reps = [user for user in self.build.sellers() if user["google"]["aliases"]]
        rep = self.build.dice.choice(reps)
        local, _, domain = rep["email"].partition("@")
        address = f"{local}+fuar2026@{domain}" if plus else rep["google"]["aliases"][0]
        account = self.account()
        person = account.contacts[-1]
        mail = self.mail(self.when(first, last), person.mailbox, [address], "Fuar sonrası", "Fuarda tanıştık.")
        self.written(mail, [person], self.what(account), rep["ref"])

    def with_bcc(self, first: int, last: int) -> None:
        """Somebody else's contact stands in Bcc: that stays between the rep and them."""
        rep = self.rep()
        account, other = self.account(), self.account()
        person = account.contacts[0]
        mail = self.mail(
            self.when(first, last), mailbox(rep), [person.mailbox], "Duyuru", "Yeni adresimiz.",
            bcc=[other.contacts[-1].mailbox],
        )  # fmt: skip
        self.written(mail, [person], self.what(account), rep["ref"])

    def with_stranger(self, first: int, last: int) -> None:
        """A contact has somebody in copy whom nobody knows."""
        account = self.account()
        person, rep = account.contacts[0], self.rep()
        mail = self.mail(
            self.when(first, last), person.mailbox, [mailbox(rep)], "Danışmanımız ekte", "Danışmanımızı ekledim.",
            cc=["Danışman <advisor@bagimsiz-danisman.example>"],
        )  # fmt: skip
        self.written(mail, [person], self.what(account), rep["ref"])

    def stranger(self, first: int, last: int) -> None:
        """Somebody unknown writes, or is written to."""
        number = self.build.number("stranger")
        outside = f"Stranger {number} <hello{number}@unknown{number}.example>"
        rep = mailbox(self.rep())
        sender, to = (outside, rep) if number % 2 else (rep, outside)
        self.unmatched(self.mail(self.when(first, last), sender, [to], "Bilgi talebi", "Katalog rica ederim."))

    def internal(self, first: int, last: int) -> None:
        """Colleagues among themselves."""
        one, two = self.build.dice.sample(self.build.sellers(), 2)
        manager = next(user for user in self.build.users if user["role"] == "manager")
        at = self.when(first, last)
        mail = self.mail(at, mailbox(one), [mailbox(two)], "Pipeline", "Rakamlar ektedir.", cc=[mailbox(manager)])
        self.skipped(mail, "internal_only")

    # -- machines ----------------------------------------------------------------------------------

    def newsletter(self, first: int, last: int) -> None:
        """A newsletter to a rep."""
        number = self.build.number("newsletter")
        headers = [
            ["List-Unsubscribe", f"<https://news{number}.example/unsubscribe>"],
            ["List-Id", f"Sanayi Bülteni <bulten.news{number}.example>"],
            ["Precedence", "bulk"],
        ]
        rep = self.rep()
        labels = {rep["email"]: ["INBOX", "UNREAD", "CATEGORY_PROMOTIONS"]}
        mail = self.mail(
            self.when(first, last), f"Sanayi Bülteni <bulten@news{number}.example>", [mailbox(rep)],
            "Haftalık bülten", "Bu hafta sanayide neler oldu?", headers=headers, labels=labels,
        )  # fmt: skip
        self.skipped(mail, "bulk")

    def bounce(self, first: int, last: int) -> None:
        """A mail that could not be delivered."""
        rep = self.rep()
        address = f"gone{self.build.number('gone')}@vanished.example"
        status = f"Final-Recipient: rfc822; {address}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        parts = [{"type": "message/delivery-status", "text": status}]
        mail = self.mail(
            self.when(first, last), "Mail Delivery Subsystem <mailer-daemon@googlemail.com>", [mailbox(rep)],
            "Delivery Status Notification (Failure)", f"Address not found: {address}",
            headers=[["Return-Path", "<>"], ["Auto-Submitted", "auto-replied"], ["X-Failed-Recipients", address]],
            mime="multipart/report; report-type=delivery-status", parts=parts,
        )  # fmt: skip
        self.skipped(mail, "bounce")

    def auto_reply(self, first: int, last: int) -> None:
        """A contact is on holiday (RFC 3834)."""
        person, rep = self.account().contacts[0], self.rep()
        mail = self.mail(
            self.when(first, last), person.mailbox, [mailbox(rep)], "Otomatik yanıt: İzindeyim",
            "Pazartesiye kadar ofis dışındayım.",
            headers=[["Auto-Submitted", "auto-replied (vacation)"], ["X-Auto-Response-Suppress", "All"]],
        )  # fmt: skip
        self.skipped(mail, "auto_reply")

    def invitation(self, first: int, last: int) -> None:
        """A contact's calendar invites."""
        person, rep = self.account().contacts[-1], self.rep()
        text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:inv@example\r\n"
        text += "DTSTART:20260310T080000Z\r\nDTEND:20260310T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        mail = self.mail(
            self.when(first, last), person.mailbox, [mailbox(rep)], "Davet: Hat gezisi", "Sizi davet ediyorum.",
            headers=[["Content-Class", "urn:content-classes:calendarmessage"]], mime="multipart/alternative",
            parts=[{"type": "text/calendar; method=REQUEST; charset=utf-8", "text": text}],
        )  # fmt: skip
        self.skipped(mail, "calendar_invitation")
