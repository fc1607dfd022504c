"""Mail that is in a mailbox and yet no business of the CRM: drafts, spam, chats, secrets, other people's."""

from __future__ import annotations

from leakwatch.sandbox.world.mailing import Mailing, mailbox
from leakwatch.sandbox.world.model import Json
from leakwatch.sandbox.world.people import BLOCKED_DOMAIN, OPT_OUT_LABEL


def quiet_cases(mailing: Mailing, first: int, last: int) -> None:
    """One of each case whose outcome does not change later."""
    person, rep = mailing.account().contacts[0], mailing.rep()
    box = rep["email"]
    at = mailing.when(first, last)
    for subject in ("[Confidential] Terms", "[Gizli] Fiyat anlaşması"):
        mail = mailing.mail(mailing.when(first, last), mailbox(rep), [person.mailbox], subject, "Aramızda kalsın.")
        mailing.skipped(mail, "confidential_subject")
    lawyer = f"Av. Selin Er <selin@{BLOCKED_DOMAIN}>"
    mail = mailing.mail(at, mailbox(rep), [person.mailbox], "Sözleşme", "Avukatımız ekte.", cc=[lawyer])
    mailing.skipped(mail, "blocked")
    labels: Json = {box: ["INBOX", OPT_OUT_LABEL]}
    mail = mailing.mail(at, person.mailbox, [mailbox(rep)], "Özel bir konu", "Bu aramızda kalsın.", labels=labels)
    mailing.skipped(mail, "opt_out_label")
    mail = mailing.mail(at, "Win <win@spam.example>", [mailbox(rep)], "You won", "Click.", labels={box: ["SPAM"]})
    mailing.skipped(mail, "spam")
    labels = {box: ["TRASH"]}
    mail = mailing.mail(at, person.mailbox, [mailbox(rep)], "Yanlış gönderdim", "Lütfen silin.", labels=labels)
    mailing.skipped(mail, "trash")
    labels = {box: ["CHAT"]}
    mail = mailing.mail(at, person.mailbox, [mailbox(rep)], "Chat", "orada mısınız?", labels=labels)
    mailing.skipped(mail, "chat")
    labels = {box: ["SCHEDULED"]}
    mail = mailing.mail(
        at, mailbox(rep), [person.mailbox], "Pazartesi gidecek", "Planlanmış.", labels=labels, only=[box]
    )
    mailing.skipped(mail, "scheduled")
    _unread_owner(mailing, first, last)
    mail = mailing.mail(
        at, mailbox(rep), [person.mailbox], "Taslak", "Henüz bitmedi", labels={box: ["DRAFT"]}, only=[box]
    )
    mailing.skipped(mail, "draft")


def _unread_owner(mailing: Mailing, first: int, last: int) -> None:
    """Mail of the rep who was never told that mail is read, and a mail that a colleague shares with them."""
    untold = next(u for u in mailing.build.users if u["role"] == "rep" and u["active"] and not u["notice_date"])
    account = mailing.account()
    person = account.contacts[0]
    for _ in range(2):
        mail = mailing.mail(
            mailing.when(first, last), person.mailbox, [mailbox(untold)], "Sorularım var", "Ne zaman görüşebiliriz?"
        )
        mailing.skipped(mail, "no_notice")
    mailing.colleague_in_cc(first, last, untold)


def to_the_one_who_left(mailing: Mailing, first: int, last: int) -> None:
    """Old mail of a suspended account: nobody can read it, so nothing is expected of it."""
    left = next(user for user in mailing.build.users if not user["active"])
    for _ in range(2):
        person = mailing.account().contacts[0]
        mailing.mail(
            mailing.when(first, last), person.mailbox, [mailbox(left)], "Kime sormalıyım?", "Yerinize kim bakıyor?"
        )


def spam_rescued(mailing: Mailing) -> None:
    """A contact's mail fell into spam and is found on day 4."""
    account, rep = mailing.account(1), mailing.rep()
    person = account.contacts[0]
    box = rep["email"]
    build = mailing.build
    mail = mailing.mail(
        build.office_hours(-3), person.mailbox, [mailbox(rep)], "Sipariş onayı", "Siparişi onaylıyoruz.",
        labels={box: ["SPAM", "UNREAD"]},
    )  # fmt: skip
    rescued = build.office_hours(4)
    build.play(rescued, "move", mail=mail["id"], mailbox=box, to="not_spam")
    mailing.skipped(mail, "spam", until=rescued)
    mailing.written(mail, [person], mailing.what(account), rep["ref"])
    build.captures[-1]["from"] = rescued


def draft_sent(mailing: Mailing) -> None:
    """A draft, saved three times on days 2 and 3, then sent; its Message-ID stays."""
    account, rep = mailing.account(1), mailing.rep()
    person = account.contacts[0]
    box = rep["email"]
    build = mailing.build
    name = f"draft{build.number('draft')}"
    times = [build.at(2, 10, 5), build.at(2, 10, 9), build.at(3, 9, 30)]
    sent_at = build.at(3, 9, 40)
    for index, at in enumerate(times):
        mail = _held(mailing, at, mailbox(rep), person.mailbox, f"{name}.{build.seed}@mail.draft.example", index)
        build.play(at, "draft", draft=name, mailbox=box, mail=mail["id"])
    sent = _held(mailing, sent_at, mailbox(rep), person.mailbox, f"{name}.{build.seed}@mail.draft.example", 9)
    build.play(sent_at, "send_draft", draft=name, mailbox=box, mail=sent["id"])
    mailing.skipped(sent, "draft", until=sent_at)
    build.captures[-1]["from"] = times[0]
    mailing.written(sent, [person], mailing.what(account), rep["ref"])


def _held(mailing: Mailing, at: str, sender: str, to: str, key: str, version: int) -> Json:
    text = "Merhaba, " + "teklifimizi hazırladık. " * (version + 1)
    return mailing.mail(at, sender, [to], "Yeni teklif", text, message_id=key, held=True)


def label_churn(mailing: Mailing, mails: list[Json]) -> None:
    """Reps read, archive and star; one mail goes to the bin two days after it came, one is deleted for ever.

    None of it changes what was captured before.
    """
    build = mailing.build
    boxes = {user["email"]: user for user in build.sellers()}
    inbound = [mail for mail in mails if mail["to"] and mail["to"][0].partition("<")[2].rstrip(">") in boxes]
    plain = [mail for mail in inbound if "labels" not in mail and mail["at"] < build.at(8, 0)]
    for index, mail in enumerate(plain[-12:]):
        box = mail["to"][0].partition("<")[2].rstrip(">")
        verb = ("read", "archive", "star", "trash", "read", "delete")[index % 6]
        build.play(build.office_hours(10 + index % 3), "move", mail=mail["id"], mailbox=box, to=verb)
