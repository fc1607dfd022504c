"""The kinds of meetings that a generated world has: each one once for every repeat, and those of every day."""

from __future__ import annotations

from leakwatch.sandbox.world import follow_ups, people, prospects
from leakwatch.sandbox.world.appointments import ROOM, TITLES, Appointments, accepted
from leakwatch.sandbox.world.builder import DAYS, Builder
from leakwatch.sandbox.world.mailing import mailbox
from leakwatch.sandbox.world.model import Json

#: Of a series without an end the truth knows the occurrences of so many days after the play.
AHEAD = 120

#: After so many of the meetings of every day the rep calls the customer on the next day.
CALLED = 0.9

#: Meetings reach this far back, in days.
REACH = 35


def add(build: Builder) -> tuple[list[Json], list[Json]]:
    """All meetings and their truth; the deeds go to the builder's timeline."""
    maker = Appointments(build)
    for _ in range(build.size.repeat):
        single(maker)
        joint(maker)
        changed(maker)
        declined(maker)
        from_outside(maker)
        series(maker)
        split(maker)
        trade_fair(maker)
        quiet(maker)
        entries(maker)
        silence(maker)
    for index in range(build.size.mails_during // 6):
        everyday(maker, maker.dice.randint(-REACH, DAYS + 5), room=index % 4 == 0)
    return maker.meetings, maker.truth


def everyday(make: Appointments, day: int, *, room: bool) -> None:
    """A rep and a contact; invited some days before, or when the rep wrote it down afterwards."""
    rep, account = make.rep(), make.account()
    person = make.dice.choice(account.contacts)
    guests = [accepted(rep), accepted(person), *([ROOM] if room else [])]
    title = make.dice.choice(TITLES)
    invited = min(day - make.dice.randint(1, 6), DAYS - 2)
    meeting = make.meeting(invited, mailbox(rep), make.timed(day, make.hour()), title, guests)
    make.written(meeting, [person], make.what(account), rep)
    if day < DAYS and make.dice.random() < CALLED:
        make.call(make.build.at(day + 1, 10), person, make.what(account), rep, "Toplantı sonrası arama")


def single(make: Appointments) -> None:
    """Before the start and during the story: with a contact, a lead, a stranger beside a contact, a stranger."""
    for day in (-9, 3):
        everyday(make, day, room=True)
        rep, account = make.rep(), make.account()
        person = account.contacts[0]
        stranger = {"email": f"danisman{make.build.number('advisor')}@bagimsiz.example"}
        times = make.timed(day, make.hour(), 90)
        meeting = make.meeting(day - 3, mailbox(rep), times, "Danışmanla görüşme", [person.email, stranger])
        make.written(meeting, [person], make.what(account), rep)
        meeting = make.meeting(day - 2, mailbox(make.rep()), make.timed(day, 12, 30), "Tanışma", [stranger])
        make.unmatched(meeting)
        lead = make.dice.choice(make.build.mail_leads)
        meeting = make.meeting(day - 2, mailbox(rep), make.timed(day, 17, 30), "İlk görüşme", [accepted(lead)])
        make.written(meeting, [lead], None, rep)


def joint(make: Appointments) -> None:
    """Two reps with two contacts: one meeting in two calendars; one of them by an alias."""
    one, two = make.two_reps()
    account = make.account(contacts=2)
    guests = [accepted(two), *(accepted(person) for person in account.contacts[:2])]
    for day in (-6, 5):
        meeting = make.meeting(day - 4, mailbox(one), make.timed(day, 10), "Ortak toplantı", guests)
        make.written(meeting, account.contacts[:2], make.what(account), one)
    rep = next(user for user in make.build.sellers() if user["google"]["aliases"])
    person = account.contacts[0]
    alias = {"email": rep["google"]["aliases"][0], "responseStatus": "accepted"}
    extra = {"iCalUID": f"alias-{make.build.number('outside')}@{account.domain}"}
    meeting = make.meeting(1, person.mailbox, make.timed(6, 9), "Fuar sonrası görüşme", [alias], **extra)
    make.written(meeting, [person], make.what(account), rep)


def changed(make: Appointments) -> None:
    """Moved before and after its time, cancelled before and after it."""
    for day, move_on, moved_to in ((4, 2, 9), (2, 4, 9)):
        rep, account = make.rep(), make.account()
        person = account.contacts[0]
        meeting = make.meeting(-2, mailbox(rep), make.timed(day, 11), "Taşınan toplantı", [accepted(person)])
        times = make.timed(moved_to, 15)
        at = make.act(move_on, meeting, "update", fields=times)
        make.written(meeting, [person], make.what(account), rep, moved=(at, times))
    for day, cancel_on in ((7, 3), (5, 7)):
        rep, account = make.rep(), make.account()
        person = account.contacts[-1]
        meeting = make.meeting(0, mailbox(rep), make.timed(day, 14), "İptal edilen toplantı", [accepted(person)])
        at = make.act(cancel_on, meeting, "cancel")
        make.written(meeting, [person], make.what(account), rep, cancelled=at)


def declined(make: Appointments) -> None:
    """A customer's meeting that its only rep declines does not count; with a second rep it is the second's."""
    account = make.account()
    person = account.contacts[0]
    one, two = make.two_reps()
    for reps in ([one], [one, two]):
        uid = f"decline-{make.build.number('outside')}@{account.domain}"
        guests = [{"email": rep["email"], "responseStatus": "needsAction"} for rep in reps]
        title = "Hat incelemesi"
        meeting = make.meeting(1, person.mailbox, make.timed(8, 13), title, [accepted(person), *guests], iCalUID=uid)
        at = make.act(4, meeting, "respond", guest=one["email"], response="declined")
        what = make.what(account)
        if len(reps) == 1:
            make.written(meeting, [person], what, one, cancelled=at)
        else:
            make.passed_on(meeting, [person], what, one, two, at)


def from_outside(make: Appointments) -> None:
    """A customer invites: the UID is his, and guests do not see each other."""
    for day in (-12, 6):
        rep, account = make.rep(), make.account()
        person = account.contacts[0]
        number = make.build.number("outside")
        uid = f"040000008200E00074C5B7101A82E008{number:08X}"
        meeting = make.meeting(
            day - 3, person.mailbox, make.timed(day, 16), "Yıllık değerlendirme", [accepted(person), accepted(rep)],
            iCalUID=uid, guestsCanSeeOtherGuests=day < 0,
        )  # fmt: skip
        # A guest who sees nobody but himself still sees the organiser, who is the contact.
        make.written(meeting, [person], make.what(account), rep)


def series(make: Appointments) -> None:
    """Every week without an end: one occurrence moved, one cancelled, before the start and during the story."""
    rep, account = make.rep(), make.account()
    person = account.contacts[0]
    hour = make.hour()
    days = list(range(-REACH, DAYS + AHEAD, 7))
    by_rule = {day: make.timed(day, hour, 45) for day in days}
    past_move, past_cancel, move, cancel = days[2], days[3], days[6], days[7]
    moved = {past_move: make.timed(past_move + 1, hour, 45), move: make.timed(move + 2, 17, 45)}
    guests, title = [accepted(person)], "Haftalık durum toplantısı"
    exceptions = [
        {"act": "update", "occurrence": by_rule[past_move]["start"]["dateTime"], "fields": moved[past_move]},
        {"act": "cancel", "occurrence": by_rule[past_cancel]["start"]["dateTime"]},
    ]
    meeting = make.meeting(
        -REACH - 2, mailbox(rep), by_rule[days[0]], title, guests, recurrence=["RRULE:FREQ=WEEKLY"],
        exceptions=exceptions,
    )  # fmt: skip
    occurrence = by_rule[move]["start"]["dateTime"]
    moved_at = make.act(4, meeting, "update", occurrence=occurrence, fields=moved[move])
    cancelled_at = make.act(5, meeting, "cancel", occurrence=by_rule[cancel]["start"]["dateTime"])
    what = make.what(account)
    for day in days:
        change = None
        if day in moved:
            change = (moved_at if day == move else meeting["at"], moved[day])
        gone = {past_cancel: meeting["at"], cancel: cancelled_at}.get(day)
        make.written(meeting, [person], what, rep, original=by_rule[day], moved=change, cancelled=gone)


def split(make: Appointments) -> None:
    """A daily week in which "this and following" go to another hour: a series of another name from then on."""
    rep, account = make.rep(), make.account()
    person = account.contacts[-1]
    days = list(range(7, 12))
    early, late = ({day: make.timed(day, hour, 30) for day in days} for hour in (9, 16))
    meeting = make.meeting(
        0, mailbox(rep), early[7], "Devreye alma", [accepted(person)], recurrence=["RRULE:FREQ=DAILY;COUNT=5"]
    )
    first = early[9]["start"]["dateTime"]
    fields = late[9] | {"recurrence": ["RRULE:FREQ=DAILY;COUNT=3"]}
    at = make.act(6, meeting, "split", occurrence=first, fields=fields)
    what, uid = make.what(account), make.uid_after(meeting, first)
    for day in days:
        gone = at if day >= 9 else None
        make.written(meeting, [person], what, rep, original=early[day], cancelled=gone)
        if day >= 9:
            make.written(meeting, [person], what, rep, original=late[day], uid=uid, since=at)


def trade_fair(make: Appointments) -> None:
    """All day, for two days: the end is exclusive."""
    for day in (-15, 8):
        rep, account = make.rep(), make.account()
        person = account.contacts[0]
        times = {"start": {"date": make.build.iso(day)}, "end": {"date": make.build.iso(day + 2)}}
        meeting = make.meeting(
            min(day, 0) - 5, mailbox(rep), times, "WIN Eurasia fuarı", [accepted(person)], transparency="transparent"
        )
        make.written(meeting, [person], make.what(account), rep)


def quiet(make: Appointments) -> None:
    """Meetings with a customer of which nothing may be written."""
    untold = next(
        user for user in make.build.users if user["role"] == "rep" and user["active"] and not user["notice_date"]
    )
    for day in (-5, 4):
        account = make.account()
        person = account.contacts[0]
        cases = (
            ("private", make.rep(), "Özel görüşme", [accepted(person)], {"visibility": "private"}),
            ("private", make.rep(), "Ücret pazarlığı", [accepted(person)], {"visibility": "confidential"}),
            ("confidential_subject", make.rep(), "[Gizli] Satın alma", [accepted(person)], {}),
            ("blocked", make.rep(), "Dava hazırlığı", [f"avukat@{people.BLOCKED_DOMAIN}"], {}),
            ("no_notice", untold, "Teklif görüşmesi", [accepted(person)], {}),
        )
        for reason, rep, title, guests, more in cases:
            meeting = make.meeting(day - 2, mailbox(rep), make.timed(day, make.hour()), title, guests, **more)
            make.skipped(meeting, reason)


def entries(make: Appointments) -> None:
    """Colleagues among themselves, and what is in a calendar without being a meeting."""
    one, two = make.two_reps()
    manager = next(user for user in make.build.users if user["role"] == "manager")
    for day in (-4, 1):
        guests = [accepted(two), accepted(manager), ROOM]
        make.skipped(
            make.meeting(day - 3, mailbox(one), make.timed(day, 9, 30), "Satış toplantısı", guests), "internal_only"
        )
        make.skipped(make.meeting(day - 1, mailbox(two), make.timed(day, 12), "Öğle yemeği", []), "internal_only")
        all_day = {"start": {"date": make.build.iso(day)}, "end": {"date": make.build.iso(day + 1)}}
        kinds = (
            ("focusTime", "Odaklanma zamanı", make.timed(day, 8)),
            ("outOfOffice", "İzindeyim", make.timed(day + 2, 9, 540)),
            ("workingLocation", "Ofis", all_day),
            ("birthday", "Doğum günü", all_day),
        )
        for kind, title, times in kinds:
            entry = make.meeting(day - 1, mailbox(one), times, title, [], eventType=kind, visibility="public")
            make.skipped(entry, "event_type")
    weekly = make.meeting(
        -REACH, mailbox(manager), make.timed(-28, 9, 30), "Pipeline toplantısı",
        [accepted(user) for user in (one, two)], recurrence=["RRULE:FREQ=WEEKLY;BYDAY=MO"],
    )  # fmt: skip
    make.skipped(weekly, "internal_only")


def silence(make: Appointments) -> None:
    """Nobody is in touch with a new lead after a meeting: for good, until a call, although the alert is closed.

    From when on these are leaks is worked out by `follow_ups`, as for all meetings.
    """
    leads = prospects.Prospects(make.build)
    for day, called_on, closed_on in ((-4, None, None), (-5, 3, None), (1, 8, None), (1, None, 7), (2, None, None)):
        rep = make.rep()
        lead = leads.lead(-12, owner=rep["ref"])
        meeting = make.meeting(day - 2, mailbox(rep), make.timed(day, 11), "Teklif sunumu", [accepted(lead)])
        make.written(meeting, [lead], None, rep)
        if called_on is not None:
            make.call(make.build.at(called_on, 15), lead, None, rep, "Gecikmiş arama")
        if closed_on is not None:
            at = make.build.at(closed_on, 14, make.build.number("act") % 60)
            make.build.play(at, "complete_alert_task", record=lead.ref, by=rep["ref"], rule=follow_ups.RULE)
    lead = leads.lead(-12, owner=rep["ref"])
    leads.task(lead, make.build.at(-2, 10))
    make.build.decoy(follow_ups.RULE, leads.event(lead, -3), "called on the day after")
