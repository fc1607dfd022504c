"""Playing a world's timeline: what people do while the clock moves."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from leakwatch.sandbox.clock import VirtualClock, format_instant
from leakwatch.sandbox.google.meetings import Meetings
from leakwatch.sandbox.mail_room import MailRoom
from leakwatch.sandbox.world import letters
from leakwatch.sandbox.world import meetings as world_meetings
from leakwatch.sandbox.world.model import Json, World, instant
from leakwatch.sandbox.world.seed import OrgLike, resolve_fields

#: Keys of the Tasks that leakwatch makes for findings (DESIGN §6: Leakwatch_Key__c).
ALERT_KEY = "lw1:f:"


@dataclass(slots=True)
class Player:
    """Plays events in order and remembers how far it came."""

    world: World
    org: OrgLike
    post: MailRoom
    meetings: Meetings
    clock: VirtualClock
    refs: ChainMap[str, str] = field(default_factory=ChainMap[str, str])
    """Ids by reference: the first map has what the play made, the others what was seeded and does not change."""
    objects: ChainMap[str, str] = field(default_factory=ChainMap[str, str])
    """Objects by reference, in the same way."""
    drafts: dict[str, str] = field(default_factory=dict[str, str])
    played: int = 0
    _script: list[tuple[datetime, Json]] = field(default_factory=list[tuple[datetime, Json]])

    def script(self) -> list[tuple[datetime, Json]]:
        """Everything after the start, in order: the timeline, and the mails that arrive by themselves."""
        if not self._script:
            events = [(instant(event["at"]), event) for event in self.world.timeline]
            for mail in self.world.mails:
                at = instant(mail["at"])
                if at > self.world.start and not mail.get("held"):
                    events.append((at, {"at": mail["at"], "do": "mail", "mail": mail["id"]}))
            for meeting in self.world.meetings:
                at = instant(meeting["at"])
                if at > self.world.start:
                    events.append((at, {"at": meeting["at"], "do": "invite", "meeting": meeting["id"]}))
            self._script = sorted(events, key=lambda pair: pair[0])
        return self._script

    def play_until(self, moment: datetime) -> list[Json]:
        """Move the clock to `moment`, playing what is due on the way; returns what was played."""
        done: list[Json] = []
        script = self.script()
        while self.played < len(script) and script[self.played][0] <= moment:
            at, event = script[self.played]
            if at > self.clock.now():
                self._move_to(at)
            done.append(self._play(event))
            self.played += 1
        self._move_to(max(moment, self.clock.now()))
        return done

    def _move_to(self, moment: datetime) -> None:
        """Move the clock; what is on the org's agenda on the way happens at its time."""
        agenda = self.org.agenda
        while (at := agenda.next_at()) is not None and at <= moment:
            self.clock.move_to(max(at, self.clock.now()))
            agenda.run_due()
        self.clock.move_to(moment)

    def _play(self, event: Json) -> Json:
        verb = str(event["do"])
        handler = getattr(self, f"_do_{verb}")
        try:
            result = handler(event)
        except Exception as error:  # noqa: BLE001 - people meet errors too: the play goes on, and tells
            return event | {"error": f"{type(error).__name__}: {error}"}
        return event | ({"result": result} if result is not None else {})

    # -- records -----------------------------------------------------------------------------------

    def _do_create(self, event: Json) -> str:
        fields = resolve_fields(event["fields"], self.refs)
        record = str(self.org.create(event["object"], fields, user_id=self.refs[event["by"]]))
        self.refs[event["ref"]] = record
        self.objects[event["ref"]] = event["object"]
        return record

    def _do_update(self, event: Json) -> None:
        fields = resolve_fields(event["fields"], self.refs)
        sobject, record = self.objects[event["record"]], self.refs[event["record"]]
        self.org.update(sobject, record, fields, user_id=self.refs[event["by"]])

    def _do_delete(self, event: Json) -> None:
        sobject, record = self.objects[event["record"]], self.refs[event["record"]]
        self.org.delete(sobject, record, user_id=self.refs[event["by"]])

    def _do_convert_lead(self, event: Json) -> dict[str, str | None]:
        """Into the account and contact that the event names, or into new ones that then go by those names."""
        options = {f"{part}_id": self.refs.get(event.get(part, "")) for part in ("account", "contact", "owner")}
        made: dict[str, str | None] = self.org.convert_lead(
            self.refs[event["record"]],
            user_id=self.refs[event["by"]],
            converted_status=event.get("status"),
            opportunity_name=event.get("name"),
            do_not_create_opportunity="opportunity" not in event,
            **options,
        )
        for part in ("account", "contact", "opportunity"):
            record = made[f"{part}Id"]
            if part in event and record is not None:
                self.refs[event[part]] = record
                self.objects[event[part]] = part.capitalize()
        return made

    def _do_complete_tasks(self, event: Json) -> list[str]:
        return self._complete(event, alerts=False)

    def _do_complete_alert_task(self, event: Json) -> list[str]:
        return self._complete(event, alerts=True)

    def _complete(self, event: Json, *, alerts: bool) -> list[str]:
        """Close the open Tasks on a record: leakwatch's own alerts, or the others."""
        record = self.refs[event["record"]]
        column = "WhoId" if self.objects[event["record"]] in {"Lead", "Contact"} else "WhatId"
        rows = self.org.query(
            f"SELECT FIELDS(ALL) FROM Task WHERE {column} = '{record}' AND IsClosed = false LIMIT 200"
        )
        done: list[str] = []
        for row in rows:
            key = str(row.get("Leakwatch_Key__c") or "")
            if key.startswith(ALERT_KEY) == alerts:
                self.org.update("Task", row["Id"], {"Status": "Completed"}, user_id=self.refs[event["by"]])
                done.append(str(row["Id"]))
        return done

    # -- mail --------------------------------------------------------------------------------------

    def _do_mail(self, event: Json) -> dict[str, str]:
        mail = self.world.mail(event["mail"])
        return self.post.deliver(letters.build(mail, self.world), instant(mail["at"]))

    def _do_draft(self, event: Json) -> str:
        letter = letters.build(self.world.mail(event["mail"]), self.world)
        former = self.drafts.get(event["draft"])
        at = instant(event["at"])
        mailbox = str(event["mailbox"])
        self.drafts[event["draft"]] = self.post.of(mailbox).save_draft(mailbox, letter.raw_own, at, former)
        return self.drafts[event["draft"]]

    def _do_send_draft(self, event: Json) -> dict[str, str]:
        letter = letters.build(self.world.mail(event["mail"]), self.world)
        draft = self.drafts.pop(event["draft"])
        return self.post.send_draft(event["mailbox"], draft, letter, instant(event["at"]))

    def _message(self, event: Json) -> str:
        key = letters.message_id(self.world.mail(event["mail"]), self.world)
        mailbox = str(event["mailbox"])
        return self.post.of(mailbox).find(mailbox, key)[-1]

    def _do_move(self, event: Json) -> None:
        mailbox = str(event["mailbox"])
        self.post.of(mailbox).move(mailbox, self._message(event), event["to"])

    def _do_label(self, event: Json) -> None:
        mailbox = str(event["mailbox"])
        names = [list(event.get(key, [])) for key in ("add", "remove")]
        self.post.of(mailbox).relabel(mailbox, self._message(event), names[0], names[1])

    # -- meetings ----------------------------------------------------------------------------------

    def _do_invite(self, event: Json) -> Json:
        return world_meetings.invite(self.world.meeting(event["meeting"]), self.world, self.meetings)

    def _do_meeting(self, event: Json) -> Json:
        name = world_meetings.event_id(self.world.meeting(event["meeting"]), self.world.seed)
        return world_meetings.act(self.meetings, name, event)

    # -- people ------------------------------------------------------------------------------------

    def _do_suspend(self, event: Json) -> None:
        self._suspend(event, suspended=True)

    def _do_unsuspend(self, event: Json) -> None:
        self._suspend(event, suspended=False)

    def _suspend(self, event: Json, *, suspended: bool) -> None:
        user = self.world.user(event["user"])
        address = user["email"].lower()
        self.post.of(address).suspend(address, suspended=suspended)

    # -- state -------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What must survive a restart and what was seeded does not tell."""
        return {
            "played": self.played,
            "refs": self.refs.maps[0],
            "objects": self.objects.maps[0],
            "drafts": self.drafts,
            "clock": format_instant(self.clock.now()),
        }

    def start_from(self, refs: list[dict[str, str]], objects: list[dict[str, str]]) -> None:
        """Take up what was seeded; nothing is played yet."""
        self.refs, self.objects = ChainMap({}, *refs), ChainMap({}, *objects)

    def take_state(self, state: dict[str, Any]) -> None:
        """Go on from a former state."""
        self.played = int(state["played"])
        self.refs = self.refs.parents.new_child(dict(state["refs"]))
        self.objects = self.objects.parents.new_child(dict(state["objects"]))
        self.drafts = dict(state["drafts"])
