"""Text to `ast.Query`, refusing what Salesforce refuses, in its words."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError

from leakwatch.sandbox.org.errors import OrgError, bad, not_emulated
from leakwatch.sandbox.org.soql import ast

MAX_LENGTH = 100_000
MAX_ROWS = 2**31 - 1  # a LIMIT beyond all rows; what Salesforce says to larger ones is unverified
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
MAX_STRING = 4_000
"""Characters of one string in a WHERE clause (app limits, "SOQL WHERE clause"); the refusal's words are unverified."""
_NOT_HERE = re.compile(r"\b(WITH\s+(?:DATA\s+CATEGORY|[A-Za-z]\w*\s*=)|SET\s+OPTIONS)", re.IGNORECASE)
_RESERVED = frozenset(
    (
        *("AND", "ASC", "DESC", "EXCLUDES", "FIRST", "FROM", "GROUP", "HAVING", "IN", "INCLUDES", "LAST", "LIKE"),
        *("LIMIT", "NOT", "NULL", "NULLS", "OR", "SELECT", "USING", "WHERE", "WITH"),
    )
)
"""Words that are no aliases (SOQL reference, "Reserved Keywords")."""
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_CODE_UNITS = re.compile(r"\\u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|.", re.DOTALL)


def located(text: str, at: int, code: str, message: str) -> OrgError:
    """An error that shows where in the query it is, as Salesforce shows it."""
    line_start = text.rfind("\n", 0, at) + 1
    line_end = text.find("\n", at)
    line = text[line_start : line_end if line_end >= 0 else None]
    column = at - line_start + 1
    row = text.count("\n", 0, at) + 1
    shown = line[max(0, column - 40) : column + 40]
    pointer = " " * min(column - 1, 40)
    return bad(code, f"\n{shown}\n{pointer}^\nERROR at Row:{row}:Column:{column}\n{message}")


def too_complicated() -> OrgError:
    """What a query is refused with that is nested or long beyond what can be run."""
    said = "Query is either selecting too many fields or the filter conditions are too complicated."
    return bad("QUERY_TOO_COMPLICATED", said)


@lru_cache(maxsize=1)
def _parser() -> Lark:
    grammar = (resources.files("leakwatch.sandbox.org.soql") / "grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, start="query", parser="lalr", lexer="contextual", maybe_placeholders=True)


@lru_cache(maxsize=512)
def parse(text: str) -> ast.Query:
    """Read one query."""
    if len(text) > MAX_LENGTH:
        raise bad("QUERY_TOO_COMPLICATED", f"SOQL statements cannot be longer than {MAX_LENGTH} characters.")
    try:
        tree = _parser().parse(text)
        return _Build(text).transform(tree)
    except RecursionError:
        raise too_complicated() from None
    except UnexpectedInput as error:
        raise _syntax(text, error) from None
    except VisitError as error:
        if isinstance(error.orig_exc, OrgError):
            raise error.orig_exc from None
        if isinstance(error.orig_exc, RecursionError):
            raise too_complicated() from None
        raise


def _syntax(text: str, error: UnexpectedInput) -> OrgError:
    if clause := _NOT_HERE.search(_QUOTED.sub("''", text)):
        return not_emulated(f"the SOQL clause {' '.join(clause.group().upper().split())}")
    at = error.pos_in_stream
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        at = None
    if at is None or at >= len(text):
        return located(text, len(text), "MALFORMED_QUERY", "unexpected token: '<EOF>'")
    match = _WORD.match(text, at)
    word = match.group() if match else text[at]
    if isinstance(error, UnexpectedCharacters) and not (word[0].isalnum() or word[0] == "_"):
        said = f"line {error.line}:{error.column} no viable alternative at character '{word}'"
        return located(text, at, "MALFORMED_QUERY", said)
    return located(text, at, "MALFORMED_QUERY", f"unexpected token: '{word}'")


def _path(token: Token) -> ast.Path:
    parts = tuple(part.strip() for part in str(token).split("."))
    return ast.Path(parts, token.start_pos or 0)


class _Build(Transformer[Token, ast.Query]):
    """Tree to `ast`. Missing optional parts arrive as None."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def query(self, c: list[Any]) -> ast.Query:
        _, items, _, sources, (using, where, mode), (group_by, having, order_by), (limit, offset), closing = c
        _, _, locked, all_rows = closing
        if mode is not None:  # Apex developer guide: "only available in Apex"; the words are unverified
            raise self._unexpected(mode)
        if all_rows is not None:
            raise located(self._text, all_rows.start_pos, "MALFORMED_QUERY", "ALL ROWS not allowed in this context")
        if having is not None and not group_by:  # in the reference's syntax HAVING is a part of GROUP BY
            raise self._unexpected(having[0])
        if locked is not None and order_by:  # SOQL reference, "FOR UPDATE"; the words are unverified
            raise located(self._text, locked.start_pos, "MALFORMED_QUERY", "ORDER BY not allowed with FOR UPDATE")
        return ast.Query(
            items=tuple(one for one in items if not isinstance(one, ast.Query)),
            subqueries=tuple(one for one in items if isinstance(one, ast.Query)),
            source=sources[0][0],
            alias=sources[0][1],
            where=where,
            group_by=group_by or (),
            having=None if having is None else having[1],
            order_by=order_by or (),
            limit=limit,
            offset=offset,
            text=self._text,
            parents=sources[1:],
            using=using,
            locked=locked is not None,
        )

    def select_list(self, c: list[Any]) -> list[Any]:
        return c

    filtered = grouped = paged = closing = select_list

    def field_item(self, c: list[Any]) -> ast.Item:
        return ast.Item(_path(c[0]), self._alias(c[1], c[2]))

    def func_item(self, c: list[Any]) -> ast.Item:
        return ast.Item(c[0], self._alias(c[1], c[2]))

    def _alias(self, word: Token | None, name: Token | None) -> str | None:
        """An alias behind a name; with `AS` before it too (that the real service takes `AS` is unverified)."""
        if name is None:
            if word is not None:
                raise self._unexpected(word)
            return None
        if "." in name or name.upper() in _RESERVED:
            raise self._unexpected(name)
        return str(name)

    def _unexpected(self, token: Token) -> OrgError:
        word = str(token).split()[0]
        return located(self._text, token.start_pos or 0, "MALFORMED_QUERY", f"unexpected token: '{word}'")

    def func(self, c: list[Any]) -> ast.Func:
        return ast.Func(str(c[0]).upper(), tuple(one for one in c[1:] if one is not None), c[0].start_pos or 0)

    def path(self, c: list[Any]) -> ast.Path:
        return _path(c[0])

    def subquery(self, c: list[Any]) -> ast.Query:
        return c[0]

    def type_of(self, c: list[Any]) -> ast.TypeOf:
        return ast.TypeOf(_path(c[1]), tuple(one for one in c[2:-1] if one is not None), c[0].start_pos or 0)

    def when(self, c: list[Any]) -> ast.When:
        return ast.When(_path(c[1]), tuple(map(_path, c[3:])))

    def else_(self, c: list[Any]) -> ast.When:
        return ast.When(None, tuple(map(_path, c[1:])))

    def from_list(self, c: list[Any]) -> tuple[Any, ...]:
        return tuple(c)

    def from_item(self, c: list[Any]) -> tuple[ast.Path, str | None]:
        return _path(c[0]), self._alias(c[1], c[2])

    def using(self, c: list[Any]) -> ast.Path:
        return _path(c[1])

    def with_mode(self, c: list[Any]) -> Token:
        return c[0]

    viewed = counted = locked = all_rows = with_mode

    def where(self, c: list[Any]) -> ast.Cond:
        return c[1]

    def having(self, c: list[Any]) -> tuple[Token, ast.Cond]:
        return c[0], c[1]

    def and_chain(self, c: list[Any]) -> ast.Chain:
        return ast.Chain("AND", tuple(c[0::2]))

    def or_chain(self, c: list[Any]) -> ast.Chain:
        return ast.Chain("OR", tuple(c[0::2]))

    def not_cond(self, c: list[Any]) -> ast.Not:
        return ast.Not(c[1])

    def operand(self, c: list[Any]) -> ast.Path | ast.Func:
        return c[0] if isinstance(c[0], ast.Func) else _path(c[0])

    def comparison(self, c: list[Any]) -> ast.Compare:
        op = str(c[1]).upper()
        return ast.Compare(c[0], "!=" if op == "<>" else op, c[2])

    def in_list(self, c: list[Any]) -> ast.InList | ast.Includes:
        if c[1].type in ("INCLUDES", "EXCLUDES"):
            return ast.Includes(c[0], c[1].type == "EXCLUDES", tuple(c[2:]))
        return ast.InList(c[0], c[1].type == "NOT_IN", tuple(c[2:]))

    def in_query(self, c: list[Any]) -> ast.InQuery:
        return ast.InQuery(c[0], c[1].type == "NOT_IN", c[2])

    def value(self, c: list[Any]) -> ast.Value:
        token: Token = c[0]
        at, text = token.start_pos or 0, str(token)
        match token.type:
            case "STRING":
                plain, like = self._unescape(text[1:-1], at)
                if len(plain) > MAX_STRING:
                    said = f"String literals cannot be longer than {MAX_STRING} characters."
                    raise located(self._text, at, "MALFORMED_QUERY", said)
                return ast.Value("string", plain, at, like)
            case "NUMBER":
                number = float(text) if re.search(r"[.eE]", text) else int(text)
                return ast.Value("number", number, at)
            case "TRUE" | "FALSE":
                return ast.Value("boolean", token.type == "TRUE", at)
            case "NULL":
                return ast.Value("null", None, at)
            case "DATE":
                return ast.Value("date", text, at)
            case "DATETIME":
                return ast.Value("datetime", text, at)
            case "CURRENCY":
                return ast.Value("currency", text, at)
            case _:
                return ast.Value("relative", text.upper(), at)

    def group_by(self, c: list[Any]) -> tuple[Any, ...]:
        return tuple(c[1:])

    order_by = group_by

    def order_item(self, c: list[Any]) -> ast.Order:
        descending = c[1] is not None and c[1].type == "DESC"
        return ast.Order(c[0], descending, c[2] is not None and c[2].type == "NULLS_LAST")

    def limit(self, c: list[Any]) -> int:
        return self._whole(c[1])

    offset = limit

    def _whole(self, token: Token) -> int:
        if not str(token).isdigit():
            raise located(self._text, token.start_pos or 0, "MALFORMED_QUERY", f"unexpected token: '{token}'")
        return min(int(token), MAX_ROWS)

    def _unescape(self, raw: str, at: int) -> tuple[str, str]:
        """The text itself, and the text as a LIKE pattern whose escape character is a backslash."""
        plain: list[str] = []
        like: list[str] = []
        chars = iter(range(len(raw)))
        for i in chars:
            char = raw[i]
            if char != "\\":
                plain.append(char)
                like.append(char)
                continue
            mark = raw[next(chars)]
            if mark in "%_":
                plain.append(mark)
                like.append("\\" + mark)
                continue
            if mark == "u" and (code := _CODE_UNITS.match(raw, i)):
                meant = _character(code[0])
                if meant is None:
                    said = f"Invalid string literal '{raw}'. Illegal character sequence '{code[0]}' in string literal."
                    raise located(self._text, at, "MALFORMED_QUERY", said)
                for _ in range(len(code[0]) - 2):
                    next(chars)
            elif mark in _ESCAPES:
                meant = _ESCAPES[mark]
            else:
                said = f"Invalid string literal '{raw}'. Illegal character sequence '\\{mark}' in string literal."
                raise located(self._text, at, "MALFORMED_QUERY", said)
            plain.append(meant)
            like.append("\\\\" if meant == "\\" else meant)
        return "".join(plain), "".join(like)


def _character(escape: str) -> str | None:
    """The character of one UTF-16 code unit, or of the two that are the halves of one; None for a lone half."""
    units = bytes.fromhex(escape.replace("\\u", ""))
    try:
        return units.decode("utf-16-be")
    except UnicodeDecodeError:
        return None
