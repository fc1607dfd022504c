"""`$filter` and `$orderby`: the part of OData's language that Graph takes for Outlook items and users, made SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from leakwatch.sandbox.microsoft.errors import GraphError, bad_request

Kind = Literal["text", "instant", "bool", "list", "enum"]
Value = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Column:
    """What a property is in SQL. Instants are milliseconds, truths 0 and 1, lists JSON, texts compare without case."""

    sql: str
    kind: Kind = "text"
    advanced: frozenset[str] = frozenset()
    """Operators that want `ConsistencyLevel: eventual` (concepts/aad-advanced-queries)."""
    convert: Callable[[str], str | int] | None = None
    """What a given text means in SQL, such as the number behind an id."""


@dataclass(slots=True)
class Found:
    """A filter as SQL: the condition, its values, and the properties it names in their order."""

    sql: str
    values: list[str | int] = field(default_factory=list[str | int])
    properties: list[str] = field(default_factory=list[str])


_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')"
    r"|(?P<instant>\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d))"
    r"|(?P<date>\d{4}-\d\d-\d\d)"
    r"|(?P<number>-?\d+)"
    r"|(?P<name>[A-Za-z_][\w./]*)"
    r"|(?P<sign>[(),:]))"
)
_COMPARE = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_LIKE = "{} LIKE ? ESCAPE '!'"
_FUNCTIONS = {"startswith": "{}%", "endswith": "%{}", "contains": "%{}%"}


def bad_filter(why: str) -> GraphError:
    """400 for a filter that cannot be read."""
    return bad_request(f"Invalid filter clause: {why}")


def compile_filter(text: str, columns: Mapping[str, Column], kind: str, *, advanced: bool = True) -> Found:
    """Make a filter SQL.

    Args:
        text: The value of `$filter`.
        columns: What may be filtered by, by its path.
        kind: The type's name, for the error about a property that it has not.
        advanced: Whether operators of advanced queries are allowed.

    Raises:
        GraphError: It cannot be read, or names what cannot be filtered by.
    """
    reader = _Reader(_tokens(text), columns, kind, advanced=advanced)
    found = reader.either()
    if reader.left:
        raise bad_filter(f"Syntax error at '{reader.left[0][1]}' in '{text}'.")
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise bad_filter(f"Syntax error at position {at} in '{text}'.")
        kind = str(match.lastgroup)
        tokens.append((kind, match.group(kind)))
        at = match.end()
    return tokens


class _Reader:
    """Reads from left to right: `or` binds less than `and`, `and` less than `not`."""

    def __init__(
        self, tokens: list[tuple[str, str]], columns: Mapping[str, Column], kind: str, *, advanced: bool
    ) -> None:
        self.left = tokens
        self.columns = columns
        self.kind = kind
        self.advanced = advanced

    def take(self, *wanted: str) -> str | None:
        """The next token if it is one of these words or signs."""
        if self.left and self.left[0][0] in ("name", "sign") and self.left[0][1] in wanted:
            return self.left.pop(0)[1]
        return None

    def expect(self, wanted: str) -> None:
        """Raise GraphError unless this comes next."""
        if self.take(wanted) is None:
            have = self.left[0][1] if self.left else "the end"
            raise bad_filter(f"'{wanted}' expected at {have}.")

    def either(self) -> Found:
        """Conditions joined by `or`."""
        found = self.both()
        while self.take("or"):
            found = _joined(found, "OR", self.both())
        return found

    def both(self) -> Found:
        """Conditions joined by `and`."""
        found = self.single()
        while self.take("and"):
            found = _joined(found, "AND", self.single())
        return found

    def single(self) -> Found:
        """One condition."""
        if self.take("not"):
            self._need("not")
            inner = self.single()
            return Found(f"NOT ({inner.sql})", inner.values, inner.properties)
        if self.take("("):
            inner = self.either()
            self.expect(")")
            return Found(f"({inner.sql})", inner.values, inner.properties)
        name = self._name()
        if name in _FUNCTIONS:
            return self._function(name)
        if name.endswith("/any"):
            return self._any(name.removesuffix("/any"))
        return self._comparison(name)

    def _name(self) -> str:
        if not self.left or self.left[0][0] != "name":
            raise bad_filter(f"A property expected at {self.left[0][1] if self.left else 'the end'}.")
        return self.left.pop(0)[1]

    def _column(self, name: str) -> Column:
        column = self.columns.get(name)
        if column is None:
            raise bad_request(f"Could not find a property named '{name}' on type '{self.kind}'.")
        return column

    def _need(self, operator: str, column: Column | None = None) -> None:
        wants = operator in column.advanced if column is not None else False
        if wants and not self.advanced:
            raise GraphError(
                400,
                "Request_UnsupportedQuery",
                f"Operator '{operator}' is not supported because the 'ConsistencyLevel:eventual' header is missing. "
                "Refer to https://aka.ms/graph-docs/advanced-queries for more information",
            )

    def _function(self, name: str) -> Found:
        self.expect("(")
        path = self._name()
        column = self._column(path)
        self.expect(",")
        value = self._value()
        self.expect(")")
        self._need(name, column)
        if column.kind != "text" or not isinstance(value, str):
            raise bad_filter(f"{name} wants a text property and a text.")
        return Found(_LIKE.format(column.sql), [_pattern(name, value)], [path])

    def _any(self, path: str) -> Found:
        column = self._column(path)
        self.expect("(")
        variable = self._name()
        self.expect(":")
        function = self.take("startswith", "endswith")
        if function:
            self.expect("(")
        if self._name() != variable:
            raise bad_filter(f"'{variable}' expected.")
        operator = "startswith" if function == "startswith" else function
        if function:
            self.expect(",")
        else:
            operator = self.take("eq") or ""
        value = self._value()
        if function:
            self.expect(")")
        self.expect(")")
        if column.kind != "list" or not isinstance(value, str) or not operator:
            raise bad_filter(f"any() wants a collection of texts and eq or startswith: '{path}'.")
        self._need(operator, column)
        condition = _LIKE.format("j.value") if function else "j.value = ? COLLATE NOCASE"
        wanted = _pattern(function, value) if function else value
        return Found(f"EXISTS (SELECT 1 FROM json_each({column.sql}) j WHERE {condition})", [wanted], [path])

    def _comparison(self, path: str) -> Found:
        column = self._column(path)
        if self.take("in"):
            self.expect("(")
            values = [self._typed(path, column, "in")]
            while self.take(","):
                values.append(self._typed(path, column, "in"))
            self.expect(")")
            marks = ", ".join("?" * len(values))
            return Found(f"{column.sql} COLLATE NOCASE IN ({marks})", values, [path])
        operator = self.take(*_COMPARE)
        if operator is None:
            raise bad_filter(f"An operator expected after '{path}'.")
        self._need(operator, column)
        if self.left and self.left[0] == ("name", "null"):
            self.left.pop(0)
            return Found(f"{column.sql} IS {'NOT ' if operator == 'ne' else ''}NULL", [], [path])
        value = self._typed(path, column, operator)
        collate = " COLLATE NOCASE" if column.kind in ("text", "enum") else ""
        return Found(f"{column.sql} {_COMPARE[operator]} ?{collate}", [value], [path])

    def _typed(self, path: str, column: Column, operator: str) -> str | int:
        value = self._value()
        fits = {"text": str, "enum": str, "instant": int, "bool": bool}.get(column.kind)
        if fits is None or type(value) is not fits:
            raise bad_filter(
                "A binary operator with incompatible types was detected. "
                f"Found operand types for '{path}' and the given value for operator kind '{operator}'."
            )
        if column.convert is not None and isinstance(value, str):
            return column.convert(value)
        return int(value) if isinstance(value, bool | int) else str(value)

    def _value(self) -> Value:
        if not self.left:
            raise bad_filter("A value expected at the end.")
        kind, text = self.left.pop(0)
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind in ("instant", "date"):
            return milliseconds(text)
        if kind == "name" and text in ("true", "false"):
            return text == "true"
        raise bad_filter(f"A value expected at '{text}'.")


def _pattern(function: str, value: str) -> str:
    """A value for LIKE, with its own signs made plain."""
    return _FUNCTIONS[function].format(re.sub(r"([!%_])", r"!\1", value))


def milliseconds(text: str) -> int:
    """An instant of a filter, in milliseconds since the epoch; a date alone is its midnight in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise bad_filter(f"'{text}' is no date and time.") from None
    return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)


def _joined(one: Found, word: str, other: Found) -> Found:
    return Found(f"({one.sql} {word} {other.sql})", one.values + other.values, one.properties + other.properties)


def compile_order(text: str, columns: Mapping[str, Column], kind: str) -> list[tuple[str, str]]:
    """`$orderby` as pairs of the property and its SQL with the direction; raises GraphError."""
    found: list[tuple[str, str]] = []
    for part in text.split(","):
        name, _, direction = part.strip().partition(" ")
        column = columns.get(name)
        if column is None:
            raise bad_request(f"Could not find a property named '{name}' on type '{kind}'.")
        if direction.strip().lower() not in ("", "asc", "desc") or column.kind == "list":
            raise bad_request(f"Syntax error in '$orderby' at '{part.strip()}'.")
        found.append((name, f"{column.sql} {'DESC' if direction.strip().lower() == 'desc' else 'ASC'}"))
    return found


def goes_together(properties: list[str], order: list[str]) -> bool:
    """Whether `$filter` and `$orderby` may stand together (user-list-messages, "Using filter and orderby").

    What is sorted by must be filtered by, in the same order, and before anything else that is filtered by.
    """
    return list(dict.fromkeys(properties))[: len(order)] == list(dict.fromkeys(order))
