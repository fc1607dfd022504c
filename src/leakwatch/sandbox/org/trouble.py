"""Named points of the org at which things can be made to go wrong, and what can go wrong there.

The org passes its points and says what is going on there, in one line of text that a rule's `match` is searched
in. Whether something goes wrong is not the org's business: `Trouble.ask` (the sandbox's book of faults) gives
the rule that hits, and the rule's `do` names a deed. A deed is registered with the point it acts at; it raises
what the caller is to be told, or changes something and lets the call go on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from leakwatch.sandbox.org import late
from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.known_errors import ROW_ERRORS

if TYPE_CHECKING:
    from leakwatch.sandbox.org.facade import Org

POINTS = {
    "row.write": "`create|update|delete OBJECT`, the row's id and all ids it refers to: before it is checked; "
    "the deed may give a context in which it is written",
    "row.written": "the same, when it is stored and its transaction is still open",
    "cursor.page": "`page CURSOR from START`: before a further page of a query is read",
    "session.call": "`call METHOD PATH by USER`: before a call to the data API is routed",
    "bulk.job": "`OPERATION OBJECT JOB`: when a Bulk API job is about to be worked on",
    "clock.date": "`date`: when the Date header of an answer is made; the deed gives seconds to add",
}
"""Point to the text it passes. A part that gets a point of its own adds it here."""


class Rule(Protocol):
    """What a deed may read of the rule that set it off."""

    do: str
    status: int
    code: str
    message: str
    body: Any
    seconds: float


@dataclass(frozen=True, slots=True)
class Happening:
    """A point being passed."""

    org: Org
    point: str
    text: str
    rule: Rule
    facts: dict[str, Any]
    """What the point knows beyond its text."""


Deed = Callable[[Happening], Any]
DEEDS: dict[str, tuple[str, Deed]] = {}
"""Name, as rules have it under `do`, to the point and the deed."""


def deed(name: str, *, at: str) -> Callable[[Deed], Deed]:
    """Register what a rule can make happen at a point."""
    if at not in POINTS:
        raise ValueError(f"there is no point {at!r}")

    def register(done: Deed) -> Deed:
        DEEDS[name] = (at, done)
        return done

    return register


@dataclass(slots=True)
class Trouble:
    """The points of one org."""

    org: Org
    ask: Callable[[str, str], Rule | None] | None = field(default=None)
    """Given a point and its text, the rule that hits; None while nothing is to go wrong."""

    def at(self, point: str, text: str, **facts: Any) -> Any:
        """Pass a point; gives what the deed gives, None where nothing happens. Raises what the deed raises."""
        if self.ask is None:
            return None
        if point == "row.write" and not text.startswith("create ") and late.holds(self.org, text.split()[2]):
            held = text.split()[2]
            raise OrgError(400, "UNABLE_TO_LOCK_ROW", ROW_ERRORS["UNABLE_TO_LOCK_ROW"].message.replace("{id}", held))
        rule = self.ask(point, text)
        if rule is None:
            return None
        return DEEDS[rule.do][1](Happening(self.org, point, text, rule, facts))


# -- deeds ----------------------------------------------------------------------------------------------------


@deed("lock_row", at="row.write")
def lock_row(happening: Happening) -> None:
    """Somebody else holds the row, or one it belongs to (salesforce.md 2.7)."""
    raise _refusal("UNABLE_TO_LOCK_ROW", happening)


@deed("row_error", at="row.write")
def row_error(happening: Happening) -> None:
    """The row is refused with the rule's `code`, or as its `body` says: {"errorCode", "message", "fields"?}."""
    rule = happening.rule
    if rule.code or not rule.body:
        raise _refusal(rule.code or "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", happening)
    body: dict[str, Any] = rule.body
    fields = [str(name) for name in body.get("fields", ())]
    code = str(body.get("errorCode", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"))
    raise OrgError(rule.status or 400, code, str(body.get("message", code)), fields)


def _refusal(code: str, happening: Happening) -> OrgError:
    known, rule = ROW_ERRORS[code], happening.rule
    first = next((word for word in happening.text.split()[2:]), "")
    said = rule.message or known.message.replace("{id}", first).rstrip(": ")
    return OrgError(rule.status or known.status, code, said, known.fields)


@deed("late_commit", at="row.write")
def late_commit(happening: Happening) -> AbstractContextManager[None]:
    """The row, and whatever its writing brings about, is seen by nobody for the rule's `seconds`."""
    return late.held_back(happening.org, happening.rule.seconds)


@deed("hide_fields", at="session.call")
def hide_fields(happening: Happening) -> None:
    """Somebody takes the right to see fields away, while a client works: those that the rule's `body` lists."""
    org = happening.org
    org.change_settings({"hidden_fields": sorted({*org.settings.hidden_fields, *happening.rule.body})})


@deed("expire_locator", at="cursor.page")
def expire_locator(happening: Happening) -> None:
    """The cursor is released between two pages."""
    happening.org.cursors.release(happening.facts["cursor"])


@deed("expire_session", at="session.call")
def expire_session(happening: Happening) -> None:
    """The session that calls is closed, so this call meets 401 and every other with it."""
    happening.org.sessions.expire(happening.facts["token"])


@deed("skew", at="clock.date")
def skew(happening: Happening) -> float:
    """The Date header is the rule's `seconds` away from the org's clock."""
    return happening.rule.seconds
