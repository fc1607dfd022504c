"""`/users/{id}/onlineMeetings` by their join URL, and who attended (onlinemeeting-get, meetingattendancereport-list).

A meeting is there when its organiser has an event with a Teams join URL in his calendar. An application needs an
application access policy for each organiser beside its permission.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import datetime
from typing import Any

from leakwatch.sandbox.google.calendar_store import CalendarStore, Row
from leakwatch.sandbox.google.recurrence import moment, zone_of
from leakwatch.sandbox.microsoft import errors, teams_errors
from leakwatch.sandbox.microsoft.call import GraphCall, Reply, Route, Workload
from leakwatch.sandbox.microsoft.calls import utc_text
from leakwatch.sandbox.microsoft.consent import Consent
from leakwatch.sandbox.microsoft.event import join_url
from leakwatch.sandbox.microsoft.teams_store import TeamsStore

Json = dict[str, Any]

READ = ("OnlineMeetings.Read.All", "OnlineMeetings.ReadWrite.All")
ARTIFACTS = ("OnlineMeetingArtifact.Read.All",)

#: "returns the 50 most recent reports" (meetingattendancereport-list).
REPORTS = 50
#: Attendance reports are kept for a year, in milliseconds.
_YEAR = 365 * 86_400_000

_JOIN = re.compile(r"\s*JoinWebUrl\s+eq\s+'((?:[^']|'')+)'\s*", re.IGNORECASE)


class OnlineMeetings:
    """Answers what is asked of online meetings."""

    def __init__(self, store: TeamsStore, calendars: CalendarStore, consent: Consent) -> None:
        self.store = store
        self.calendars = calendars
        self.consent = consent

    def _organiser(self, call: GraphCall) -> Json:
        """The user of the path, for whom a policy lets the application act; raises GraphError."""
        if call.user is None:
            raise errors.no_user(call.keys[0])
        granted = self.consent.application.meeting_organisers
        if granted is not None and call.mailbox not in granted:
            raise teams_errors.no_access_policy()
        return call.user

    def list(self, call: GraphCall) -> Reply:
        """`/users/{id}/onlineMeetings?$filter=JoinWebUrl eq '...'`: there is no list of all."""
        self._organiser(call)
        match = _JOIN.fullmatch(call.options.get("filter") or "")
        if match is None:
            raise errors.bad_request(
                "A $filter by JoinWebUrl, JoinMeetingIdSettings or VideoTeleconferenceId is needed."
            )
        url = match.group(1).replace("''", "'")
        rows = self.calendars.joined_at(url)
        mine = [row for row in rows if _organised(row) and row.calendar == call.mailbox]
        if not mine:
            raise teams_errors.not_organiser() if rows else teams_errors.not_found("Meeting")
        context = f"{call.owner}/onlineMeetings"
        return Reply(200, {"@odata.context": context, "value": [self._show(call, mine[0])]})

    def _row(self, call: GraphCall) -> Row:
        user = self._organiser(call)
        try:
            text = base64.b64decode(call.keys[1], validate=True).decode()
        except (binascii.Error, ValueError):
            raise errors.bad_request("Invalid meeting id.") from None
        kind, owner, _, _, event = (text.split("*", 4) + [""] * 5)[:5]
        row = self.calendars.get(call.mailbox, event) if (kind, owner) == ("1", user["id"]) else None
        if row is None or not _organised(row) or join_url(row.body) is None:
            raise teams_errors.not_found("Meeting")
        return row

    def get(self, call: GraphCall) -> Reply:
        """`/users/{id}/onlineMeetings/{id}`."""
        context = f"{call.owner}/onlineMeetings/$entity"
        return Reply(200, {"@odata.context": context} | self._show(call, self._row(call)))

    def _show(self, call: GraphCall, row: Row) -> Json:
        body, zone = row.body, zone_of(self.calendars.zone)
        user = call.user or {}
        guests = [one for one in body.get("attendees", []) if one["email"] != row.calendar and not one.get("resource")]
        return {
            "id": base64.b64encode(f"1*{user['id']}*0**{row.id}".encode()).decode("ascii"),
            "creationDateTime": utc_text(datetime.fromisoformat(body["created"])),
            "startDateTime": utc_text(moment(body["start"], zone)), "endDateTime": utc_text(moment(body["end"], zone)),
            "joinWebUrl": join_url(body), "subject": body.get("summary"), "isBroadcast": False,
            "participants": {
                "organizer": self._participant(row.calendar, "presenter"),
                "attendees": [self._participant(one["email"], "attendee") for one in guests],
            },
        }  # fmt: skip

    def _participant(self, address: str, role: str) -> Json:
        person = self.store.person(address)
        identity = {"id": person["id"], "displayName": person["name"]}
        return {"upn": person["upn"] or address, "role": role, "identity": {"user": identity}}

    # -- attendance --------------------------------------------------------------------------------

    def _reports(self, row: Row) -> list[tuple[str, Json]]:
        query = "SELECT id, body FROM ms_attendance WHERE url = ? AND began BETWEEN ? AND ? ORDER BY began DESC LIMIT ?"
        now = self.store.now()
        found = self.store.db.execute(query, (join_url(row.body), now - _YEAR, now, REPORTS)).fetchall()
        return [(key, json.loads(body)) for key, body in found]

    def reports(self, call: GraphCall) -> Reply:
        """`.../attendanceReports`: one each time the meeting was held, newest first."""
        value = [_report(key, body) for key, body in self._reports(self._row(call))]
        context = f"{call.owner}/onlineMeetings('{call.keys[1]}')/attendanceReports"
        return Reply(200, {"@odata.context": context, "value": value})

    def _report(self, call: GraphCall) -> tuple[str, Json]:
        found = next((one for one in self._reports(self._row(call)) if one[0] == call.keys[2]), None)
        if found is None:
            raise teams_errors.not_found("Attendance report")
        return found

    def report(self, call: GraphCall) -> Reply:
        """`.../attendanceReports/{id}`, with `$expand=attendanceRecords`."""
        key, body = self._report(call)
        shown = _report(key, body)
        if call.options.get("expand") == "attendanceRecords":
            shown["attendanceRecords"] = self._records(key, body)
        context = f"{call.owner}/onlineMeetings('{call.keys[1]}')/attendanceReports/$entity"
        return Reply(200, {"@odata.context": context} | shown)

    def records(self, call: GraphCall) -> Reply:
        """`.../attendanceReports/{id}/attendanceRecords`: who was there, and when."""
        value = self._records(*self._report(call))
        context = f"{call.owner}/onlineMeetings('{call.keys[1]}')/attendanceReports('{call.keys[2]}')/attendanceRecords"
        return Reply(200, {"@odata.context": context, "value": value})

    def _records(self, key: str, body: Json) -> list[Json]:
        found: list[Json] = []
        for number, one in enumerate(body["attendees"]):
            email = one.get("email")
            person = self.store.person(email) if email else {"id": f"{key[:-4]}{number:04x}", "name": None}
            spans = [[datetime.fromisoformat(at) for at in pair] for pair in one["joined"]]
            intervals = [
                {
                    "joinDateTime": utc_text(since), "leaveDateTime": utc_text(until),
                    "durationInSeconds": round((until - since).total_seconds()),
                }
                for since, until in spans
            ]  # fmt: skip
            found.append(
                {
                    "id": person["id"], "emailAddress": email, "role": one.get("role", "Attendee"),
                    "totalAttendanceInSeconds": sum(round((b - a).total_seconds()) for a, b in spans),
                    "registrationId": None,
                    "identity": {"id": person["id"], "displayName": one.get("name") or person["name"]},
                    "attendanceIntervals": intervals,
                }
            )  # fmt: skip
        return found

    def routes(self) -> list[Route]:
        """What of Graph is here."""
        base, teams = "users/{}/onlineMeetings", Workload.TEAMS
        reports = f"{base}/{{}}/attendanceReports"
        return [
            Route("onlineMeetings.list", "GET", base, READ, self.list, teams),
            Route("onlineMeetings.get", "GET", f"{base}/{{}}", READ, self.get, teams),
            Route("attendanceReports.list", "GET", reports, ARTIFACTS, self.reports, teams),
            Route("attendanceReports.get", "GET", f"{reports}/{{}}", ARTIFACTS, self.report, teams),
            Route("attendanceRecords.list", "GET", f"{reports}/{{}}/attendanceRecords", ARTIFACTS, self.records, teams),
        ]


def _organised(row: Row) -> bool:
    return not row.cancelled and bool(row.body["organizer"]["email"] == row.calendar)


def _report(key: str, body: Json) -> Json:
    return {
        "id": key, "totalParticipantCount": len(body["attendees"]),
        "meetingStartDateTime": utc_text(datetime.fromisoformat(body["start"])),
        "meetingEndDateTime": utc_text(datetime.fromisoformat(body["end"])),
    }  # fmt: skip
