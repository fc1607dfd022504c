"""`/communications/callRecords`: calls and meetings that took place (resources callRecord, participant, session).

A record comes some time after the call has ended, may be revised (`version`), and is kept for thirty days.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from leakwatch.sandbox.microsoft import errors, teams_errors
from leakwatch.sandbox.microsoft.call import GraphCall, Reply, Route, Workload
from leakwatch.sandbox.microsoft.filters import Column, Found, compile_filter
from leakwatch.sandbox.microsoft.sealing import Seal
from leakwatch.sandbox.microsoft.teams_store import TeamsStore

Json = dict[str, Any]

TYPE = "microsoft.graph.callRecords.callRecord"
READ = ("CallRecords.Read.All",)

#: "The default page size for call records is 60 entries" (callrecords list).
PAGE = 60
#: "Call records are ... available for 30 days", in milliseconds.
KEPT = 30 * 86_400_000

_COLUMNS = {"startDateTime": Column("began", "instant")}
_ROW = "id, version, modified, body"


class Calls:
    """Answers what is asked of call records."""

    def __init__(self, store: TeamsStore, key: bytes) -> None:
        self.store = store
        self.seal = Seal(key)

    def _rows(self, found: Found, tail: str = "", *more: Any) -> list[tuple[Any, ...]]:
        now = self.store.now()
        query = f"SELECT {_ROW} FROM ms_call WHERE available <= ? AND began > ? AND ({found.sql}) {tail}"
        return self.store.db.execute(query, [now, now - KEPT, *found.values, *more]).fetchall()

    def list(self, call: GraphCall) -> Reply:
        """`/communications/callRecords`: without participants and sessions."""
        options = call.options
        options.refuse("orderby", "top", "skip", "search", "expand")
        text = options.get("filter")
        if text and "participants_v2" in text:
            raise errors.not_emulated("$filter of call records by participants")
        found = compile_filter(text, _COLUMNS, TYPE) if text else Found("1")
        token = options.get("skiptoken")
        skip = int(self.seal.read(token)[0]) if token else 0
        rows = self._rows(found, "ORDER BY began, id LIMIT ? OFFSET ?", PAGE + 1, skip)
        body: Json = {"@odata.context": f"{call.context}communications/callRecords"}
        body["value"] = [self._show(call, row, whole=False) for row in rows[:PAGE]]
        if len(rows) > PAGE:
            body["@odata.nextLink"] = call.link(options.again(skiptoken=self.seal.write([skip + PAGE])))
        return Reply(200, body)

    def _one(self, call: GraphCall) -> tuple[Any, ...]:
        rows = self._rows(Found("id = ?", [call.keys[0]]))
        if not rows:
            raise teams_errors.not_found("Call record")
        return rows[0]

    def get(self, call: GraphCall) -> Reply:
        """`/communications/callRecords/{id}`, with `$expand` of participants_v2 and sessions."""
        call.options.refuse("filter", "orderby", "top", "skip")
        row = self._one(call)
        body = self._show(call, row, whole=True)
        wanted = (call.options.get("expand") or "").replace(" ", "")
        for name in filter(None, wanted.replace("sessions($expand=segments)", "sessions+segments").split(",")):
            if name == "participants_v2":
                body[name] = self._participants(json.loads(row[3]))
            elif name in ("sessions", "sessions+segments"):
                body["sessions"] = self._sessions(str(row[0]), json.loads(row[3]), segments="+" in name)
            elif name != "organizer_v2":
                raise errors.unknown_property(name, TYPE)
        return Reply(200, {"@odata.context": f"{call.context}communications/callRecords/$entity"} | body)

    def participants(self, call: GraphCall) -> Reply:
        """`/communications/callRecords/{id}/participants_v2`."""
        value = self._participants(json.loads(self._one(call)[3]))
        context = f"{call.context}communications/callRecords('{call.keys[0]}')/participants_v2"
        return Reply(200, {"@odata.context": context, "value": value})

    def sessions(self, call: GraphCall) -> Reply:
        """`/communications/callRecords/{id}/sessions`."""
        segments = "segments" in (call.options.get("expand") or "")
        value = self._sessions(call.keys[0], json.loads(self._one(call)[3]), segments=segments)
        context = f"{call.context}communications/callRecords('{call.keys[0]}')/sessions"
        return Reply(200, {"@odata.context": context, "value": value})

    # -- shapes ------------------------------------------------------------------------------------

    def _show(self, call: GraphCall, row: tuple[Any, ...], *, whole: bool) -> Json:
        key, version, modified, text = row
        body: Json = json.loads(text)
        group = len(body["participants"]) > 2 or body["join_url"]
        shown: Json = {
            "id": key, "version": version, "type": "groupCall" if group else "peerToPeer",
            "modalities": body["modalities"], "lastModifiedDateTime": _millis(modified),
            "startDateTime": _utc(body["start"]), "endDateTime": _utc(body["end"]), "joinWebUrl": body["join_url"],
            "organizer": self._identity(body["organizer"]),
        }  # fmt: skip
        if whole:
            shown["participants"] = [self._identity(one) for one in body["participants"]]
        path = f"{call.context}communications/callRecords('{key}')/organizer_v2/$entity"
        return shown | {"organizer_v2@odata.context": path, "organizer_v2": self._participant(body["organizer"])}

    def _identity(self, address: str, *, named: bool = False) -> Json:
        """identitySet; `named`: with the name to sign in, as participants_v2 have it for the tenant's own."""
        person = self.store.person(address)
        found: Json = {"id": person["id"], "displayName": person["name"], "tenantId": person["tenant"]}
        if person["kind"] == "phoneUser":
            return {"user": None, "phone": found}
        if named:
            found = {"@odata.type": "#microsoft.graph.callRecords.userIdentity"} | found
            found["userPrincipalName"] = person["upn"]
        return {"user": found, "phone": None} if named else {"user": found}

    def _participant(self, address: str) -> Json:
        return {"id": self.store.person(address)["id"], "identity": self._identity(address, named=True)}

    def _participants(self, body: Json) -> list[Json]:
        return [self._participant(one) for one in body["participants"]]

    def _sessions(self, key: str, body: Json, *, segments: bool) -> list[Json]:
        """One session for each participant who joined the organiser."""
        others = [one for one in body["participants"] if one != body["organizer"]] or body["participants"]
        found: list[Json] = []
        for number, other in enumerate(others):
            piece: Json = {
                "id": key if len(others) == 1 else f"{key[:-2]}{number:02x}",
                "startDateTime": _utc(body["start"]), "endDateTime": _utc(body["end"]),
                "caller": self._endpoint(body["organizer"]), "callee": self._endpoint(other), "failureInfo": None,
            }  # fmt: skip
            session = piece | {"modalities": body["modalities"], "isTest": False}
            found.append(session | ({"segments": [piece | {"media": []}]} if segments else {}))
        return found

    def _endpoint(self, address: str) -> Json:
        return {
            "@odata.type": "#microsoft.graph.callRecords.participantEndpoint", "userAgent": None,
            "identity": self._identity(address),
        }  # fmt: skip

    def routes(self) -> list[Route]:
        """What of Graph is here."""
        base, teams = "communications/callRecords", Workload.TEAMS
        return [
            Route("callRecords.list", "GET", base, READ, self.list, teams),
            Route("callRecords.get", "GET", f"{base}/{{}}", READ, self.get, teams),
            Route("callRecords.participants", "GET", f"{base}/{{}}/participants_v2", READ, self.participants, teams),
            Route("callRecords.sessions", "GET", f"{base}/{{}}/sessions", READ, self.sessions, teams),
        ]


def _utc(text: str) -> str:
    return _millis(round(datetime.fromisoformat(text).timestamp() * 1000))


def _millis(milliseconds: int) -> str:
    return utc_text(datetime.fromtimestamp(milliseconds / 1000, UTC))


def utc_text(moment: datetime) -> str:
    """An instant as Teams' resources show it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").replace(".000Z", "Z")
