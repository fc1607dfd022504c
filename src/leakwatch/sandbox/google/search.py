"""The part of Gmail's search language that the sandbox knows, compiled to SQL.

    query  := clause*                       all of them
    clause := ["-"] (group | term) | clause "OR" clause
    group  := "{" clause* "}"  any of them  |  "(" clause* ")"  all of them
    term   := word | "quoted words" | operator ":" value
    operators: after before (epoch seconds, or YYYY/MM/DD as midnight Pacific time, which is what the API
    documents) · newer_than older_than (Nd, Nm, Ny) · from to cc bcc subject · in label · is · rfc822msgid

Any other operator is refused aloud: Gmail would take it as a word or as an operator that the sandbox does
not play, and either silence would hide a mistake.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from leakwatch.sandbox.google.errors import invalid

#: "All dates used in the search query are interpreted as midnight on that date in the PST timezone."
PACIFIC = ZoneInfo("America/Los_Angeles")

_TOKEN = re.compile(r'\s*(-?)(?:([A-Za-z0-9_]+:)(?=[({])|([{}()])|((?:[A-Za-z0-9_]+:)?)(?:"([^"]*)"|([^\s{}()"]+)))')
_DAYS = {"d": 1, "m": 30, "y": 365}
_COLUMNS = {"from": "from_text", "to": "to_text", "cc": "cc_text", "bcc": "bcc_text", "subject": "subject"}
_PLACES = {
    "inbox": "INBOX", "sent": "SENT", "draft": "DRAFT", "drafts": "DRAFT", "spam": "SPAM", "trash": "TRASH",
    "chat": "CHAT", "chats": "CHAT", "scheduled": "SCHEDULED", "starred": "STARRED", "important": "IMPORTANT",
    "unread": "UNREAD",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Search:
    """A condition over the message table (alias `m`) with its parameters."""

    sql: str
    values: list[str | int]
    names_bin: bool
    """Whether the query itself speaks of spam, trash or everything, so that those are not left out."""


@dataclass(slots=True)
class _Token:
    negated: bool
    bracket: str
    operator: str
    value: str


class _Parser:
    def __init__(self, text: str, now: datetime, labels: dict[str, str]) -> None:
        self.tokens = list(_tokens(text))
        self.position = 0
        self.now = now
        self.labels = labels
        self.values: list[str | int] = []
        self.names_bin = False

    def sequence(self, closing: str, joiner: str) -> str:
        """Clauses up to `closing` ("" is the end of the query)."""
        clauses: list[str] = []
        either = False
        while self.position < len(self.tokens):
            token = self.tokens[self.position]
            self.position += 1
            if token.bracket and token.bracket in "})":
                if token.bracket != closing:
                    raise invalid("Invalid query")
                return _joined(clauses, joiner)
            if not token.bracket and not token.operator and token.value in {"OR", "|"}:
                either = True
                continue
            clause = self.clause(token)
            if either and clauses:
                clauses[-1] = f"({clauses[-1]} OR {clause})"
            else:
                clauses.append(clause)
            either = False
        if closing:
            raise invalid("Invalid query")
        return _joined(clauses, joiner)

    def clause(self, token: _Token) -> str:
        if token.bracket == "{":
            sql = self.sequence("}", " OR ")
        elif token.bracket == "(":
            sql = self.sequence(")", " AND ")
        else:
            sql = self.term(token.operator.lower(), token.value)
        return f"NOT ({sql})" if token.negated else sql

    def term(self, operator: str, value: str) -> str:
        if operator in _COLUMNS:
            return self.contains(_COLUMNS[operator], value)
        if operator in {"after", "before", "newer", "older"}:
            self.values.append(_moment(value))
            return "m.at >= ?" if operator in {"after", "newer"} else "m.at < ?"
        if operator in {"newer_than", "older_than"}:
            self.values.append(_age(value, self.now))
            return "m.at >= ?" if operator == "newer_than" else "m.at < ?"
        if operator in {"in", "label", "is", "category"}:
            return self.place(operator, value.lower())
        if operator == "rfc822msgid":
            self.values.append(value.strip("<>"))
            return "m.message_id = ?"
        if operator:
            raise invalid(f"sandbox: the search operator '{operator}:' is not emulated")
        parts = [self.contains(column, value) for column in _COLUMNS.values()]
        self.values.append(f"%{_escape(value)}%")
        return (
            f"({' OR '.join(parts)} OR EXISTS (SELECT 1 FROM blob b WHERE b.id = m.blob "
            "AND lower(b.snippet) LIKE ? ESCAPE '\\'))"
        )

    def contains(self, column: str, value: str) -> str:
        self.values.append(f"%{_escape(value)}%")
        return f"m.{column} LIKE ? ESCAPE '\\'"

    def place(self, operator: str, value: str) -> str:
        if value == "anywhere":
            self.names_bin = True
            return "1 = 1"
        if operator == "is" and value == "read":
            return f"NOT {self.has_label('UNREAD')}"
        label = _PLACES.get(value)
        if operator == "category":
            label = f"CATEGORY_{value.upper()}"
        if label is None and operator in {"in", "label"}:
            label = self.labels.get(value.replace(" ", "-"), "\0unknown")
        if label is None:
            raise invalid(f"sandbox: the search term '{operator}:{value}' is not emulated")
        self.names_bin = self.names_bin or label in {"SPAM", "TRASH"}
        return self.has_label(label)

    def has_label(self, label: str) -> str:
        self.values.append(label)
        return "EXISTS (SELECT 1 FROM label l WHERE l.mailbox = m.mailbox AND l.message = m.id AND l.label = ?)"


def _joined(clauses: list[str], joiner: str) -> str:
    return f"({joiner.join(clauses)})" if clauses else "1 = 1"


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            raise invalid("Invalid query")
        minus, bare, bracket, operator, quoted, word = match.groups()
        if bare:
            raise invalid(f"sandbox: a group after '{bare}' is not emulated")
        value = quoted if quoted is not None else (word or "")
        found.append(_Token(bool(minus), bracket or "", (operator or "").rstrip(":"), value))
        position = match.end()
    return found


def _escape(value: str) -> str:
    return value.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _moment(value: str) -> int:
    if re.fullmatch(r"\d{9,}", value):
        return int(value) * 1000
    match = re.fullmatch(r"(\d{4})[/-](\d{1,2})[/-](\d{1,2})", value)
    if match is None:
        raise invalid(f"sandbox: not a date or an epoch in the query: {value}")
    year, month, day = (int(part) for part in match.groups())
    try:
        return round(datetime(year, month, day, tzinfo=PACIFIC).timestamp() * 1000)
    except ValueError as error:
        raise invalid(f"sandbox: not a date in the query: {value}") from error


def _age(value: str, now: datetime) -> int:
    match = re.fullmatch(r"(\d+)([dmy])", value)
    if match is None:
        raise invalid(f"sandbox: not an age in the query: {value}")
    step = timedelta(days=int(match.group(1)) * _DAYS[match.group(2)])
    return round((now - step).astimezone(UTC).timestamp() * 1000)


def compile_query(text: str, now: datetime, labels: dict[str, str]) -> Search:
    """Compile `q`. `labels` maps the lower-case name of a user's label to its id."""
    parser = _Parser(text, now, labels)
    sql = parser.sequence("", " AND ")
    return Search(sql, parser.values, parser.names_bin)
